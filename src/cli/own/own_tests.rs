//! Rules that hold for all commands.

use std::collections::BTreeMap;

use super::*;

#[test]
fn a_letter_means_the_same_everywhere() {
    let mut meanings: BTreeMap<&str, &str> = BTreeMap::new();
    for noun in NOUNS {
        for verb in noun.verbs {
            for option in verb.all_options() {
                let long = option.names[0];
                for letter in option.names.iter().filter(|name| name.len() == 1) {
                    // `-p` is how many there are to be, and which of them: both are partitions.
                    let meaning = if *letter == "p" { "partition" } else { long };
                    assert_eq!(*meanings.entry(letter).or_insert(meaning), meaning, "-{letter}");
                }
            }
        }
    }
}

#[test]
fn no_command_has_an_option_twice() {
    for noun in NOUNS {
        for verb in noun.verbs {
            let options = verb.all_options();
            let mut names: Vec<&str> = options.iter().flat_map(|option| option.names).copied().collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{} {}", noun.name, verb.name);
        }
    }
}

#[test]
fn every_option_is_in_the_documentation() {
    let documented = include_str!("../../../docs/CLI.md");
    for noun in NOUNS {
        for verb in noun.verbs {
            for option in verb.all_options() {
                let long = format!("--{}", option.names[0]);
                let short = option.names.get(1).map(|letter| format!("`-{letter}"));
                let is_there =
                    documented.contains(&long) || short.is_some_and(|short| documented.contains(&short));
                assert!(
                    is_there || matches!(option.names[0], "help" | "quiet"),
                    "{} {}: {long}",
                    noun.name,
                    verb.name
                );
            }
        }
    }
}
