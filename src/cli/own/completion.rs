//! `ottla completion`: scripts with which a shell completes our commands, their options, and names of topics and
//! groups, for which it asks the cluster. They are made of the same tables that the commands are read by.

use crate::options::{Opt, Takes};
use crate::terminal::Terminal;

use super::verb::{Call, Completes, Failure, Noun, Verb, said_with};
use super::{NOUNS, OTHERS};

/// The noun.
pub const NOUN: Noun = Noun {
    name: "completion",
    about: "Prints what a shell needs to complete commands: . <(ottla completion bash)",
    has_default: true,
    verbs: &[Verb {
        name: "",
        operands: "bash | zsh | fish",
        about: "Prints what a shell needs to complete commands: . <(ottla completion bash)",
        completes: Completes::Nothing,
        options: &[],
        run,
    }],
};

fn run(call: &Call, terminal: &mut Terminal) -> Result<(), Failure> {
    let script = match call.operands().first().map(String::as_str) {
        Some("bash") => bash(),
        Some("zsh") => zsh(),
        Some("fish") => fish(),
        other => {
            let hint = "ottla completion bash, zsh or fish";
            let message = other.map_or_else(
                || "which shell?".to_owned(),
                |other| format!("there is no completion for '{other}'"),
            );
            return Err(said_with(message, hint));
        }
    };
    terminal.text(script);
    Ok(())
}

/// Words that can be behind `ottla`.
fn first_words() -> Vec<(&'static str, &'static str)> {
    let mut words: Vec<(&str, &str)> = NOUNS.iter().map(|noun| (noun.name, noun.about)).collect();
    words.extend(OTHERS);
    words
}

/// Every command: its words, and what it is.
fn commands() -> Vec<(String, &'static Verb)> {
    let each = NOUNS.iter().flat_map(|noun| {
        noun.verbs
            .iter()
            .map(move |verb| (format!("{} {}", noun.name, verb.name).trim_end().to_owned(), verb))
    });
    each.collect()
}

fn long_names(options: &[Opt]) -> Vec<String> {
    options.iter().filter_map(|option| Some(format!("--{}", option.names.first()?))).collect()
}

/// How the names are found.
fn asks(completes: Completes) -> &'static str {
    match completes {
        Completes::Nothing => "",
        Completes::Topics => "topics",
        Completes::Groups => "groups",
    }
}

/// Bash and zsh have this in common: a `case` for every command.
fn cases() -> String {
    let mut cases = String::new();
    for (name, verb) in commands() {
        let options = long_names(&verb.all_options()).join(" ");
        let pattern = if name.contains(' ') { format!("'{name}'") } else { format!("'{name}'*") };
        let names = if name == "completion" { "shells" } else { asks(verb.completes) };
        cases.push_str(&format!("    {pattern}) options='{options}'; names='{names}' ;;\n"));
    }
    for noun in NOUNS.iter().filter(|noun| noun.verbs.len() > 1) {
        let verbs: Vec<&str> = noun.verbs.iter().map(|verb| verb.name).collect();
        let verbs = verbs.join(" ");
        cases.push_str(&format!("    '{}'*) options='{verbs} --help'; names='' ;;\n", noun.name));
    }
    cases
}

/// Finds the words for the current position: `$options` and `$names`.
fn chosen_words(first: &str, word: &str) -> String {
    let nouns: Vec<&str> = first_words().iter().map(|(name, _)| *name).collect();
    let nouns = nouns.join(" ");
    let cases = cases();
    format!(
        "  case \"{first}\" in\n{cases}    *) options='{nouns} --help --version' ;;\n  esac\n  \
         case \"$names:{word}\" in\n    \
         topics:[!-]* | topics:) options=\"$(ottla topics list -q --timeout-ms 2000 2>/dev/null)\" ;;\n    \
         groups:[!-]* | groups:) options=\"$(ottla groups list -q --timeout-ms 2000 2>/dev/null)\" ;;\n    \
         shells:*) options='bash zsh fish' ;;\n  esac\n"
    )
}

fn bash() -> String {
    let chosen = chosen_words("$command", "$word");
    format!(
        "# Completion of ottla for bash.\n\
         _ottla() {{\n  \
           local options='' names='' word=\"${{COMP_WORDS[COMP_CWORD]}}\"\n  \
           local command=\"${{COMP_WORDS[*]:1:$((COMP_CWORD < 3 ? COMP_CWORD - 1 : 2))}}\"\n\
         {chosen}  \
           local one\n  \
           COMPREPLY=()\n  \
           while read -r one; do\n    \
             if [[ -n $one && $one == \"$word\"* ]]; then printf -v one %q \"$one\"; COMPREPLY+=(\"$one\"); fi\n  \
           done <<<\"${{options// /$'\\n'}}\"\n\
         }}\n\
         complete -o default -F _ottla ottla\n"
    )
}

fn zsh() -> String {
    let chosen = chosen_words("$command", "$word");
    format!(
        "#compdef ottla\n\
         # Completion of ottla for zsh.\n\
         _ottla() {{\n  \
           local options='' names='' word=\"${{words[CURRENT]}}\"\n  \
           local command=\"${{words[2,CURRENT-1]}}\"\n  \
           if (( CURRENT > 3 )); then command=\"${{words[2,3]}}\"; fi\n\
         {chosen}  \
           compadd -- ${{=options}}\n\
         }}\n\
         if [ \"$funcstack[1]\" = _ottla ]; then _ottla \"$@\"; else compdef _ottla ottla; fi\n"
    )
}

fn fish() -> String {
    let mut out = String::from("# Completion of ottla for fish.\ncomplete -c ottla -f\n");
    for (name, about) in first_words() {
        out.push_str(&format!(
            "complete -c ottla -n __fish_use_subcommand -a {name} -d '{}'\n",
            quoted(about)
        ));
    }
    for noun in NOUNS {
        let seen = format!("__fish_seen_subcommand_from {}", noun.name);
        let verbs: Vec<&str> =
            noun.verbs.iter().map(|verb| verb.name).filter(|name| !name.is_empty()).collect();
        let verbs_text = verbs.join(" ");
        for verb in noun.verbs {
            let condition = if verb.name.is_empty() {
                seen.clone()
            } else {
                let about = quoted(verb.about);
                let unseen = format!("{seen}; and not __fish_seen_subcommand_from {verbs_text}");
                out.push_str(&format!("complete -c ottla -n '{unseen}' -a {} -d '{about}'\n", verb.name));
                format!("{seen}; and __fish_seen_subcommand_from {}", verb.name)
            };
            for option in verb.all_options() {
                out.push_str(&fish_option(&condition, &option));
            }
            let names = match verb.completes {
                Completes::Nothing if noun.name == "completion" => "bash zsh fish".to_owned(),
                Completes::Nothing => continue,
                completes => format!("(ottla {} list -q --timeout-ms 2000 2>/dev/null)", asks(completes)),
            };
            out.push_str(&format!("complete -c ottla -n '{condition}' -a '{names}'\n"));
        }
    }
    out
}

fn fish_option(condition: &str, option: &Opt) -> String {
    let mut line = format!("complete -c ottla -n '{condition}'");
    for name in option.names {
        line.push_str(&if name.len() == 1 { format!(" -s {name}") } else { format!(" -l {name}") });
    }
    if option.takes != Takes::Nothing {
        line.push_str(" -r");
    }
    line + &format!(" -d '{}'\n", quoted(option.about))
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_option_is_in_every_script() {
        for script in [bash(), zsh(), fish()] {
            for (name, _) in first_words() {
                assert!(script.contains(name), "{name}");
            }
            for (name, verb) in commands() {
                assert!(script.contains(verb.name), "{name}");
                for option in verb.all_options() {
                    let long = option.names[0];
                    assert!(
                        script.contains(&format!("--{long}")) || script.contains(&format!("-l {long}")),
                        "{long}"
                    );
                }
            }
        }
    }
}
