//! Commands under names of our own: `ottla topics`, `produce`, `consume`, `groups`, `perf`, `completion`. They do what
//! Kafka's tools do, through the same code ([`crate::topic_admin`], [`crate::group_admin`], [`crate::producer`], ...), and are
//! made for people; `docs/CLI.md` has their rules. A letter means the same everywhere.
//!
//! [`verb`] reads command lines and tells errors, [`screen`] lays tables out, and a file of each name does the rest.

mod completion;
mod consume;
mod groups;
mod names;
mod perf;
mod place;
mod produce;
mod reset;
mod screen;
mod topics;
mod verb;

use crate::terminal::{Stop, Terminal};

use verb::Noun;

/// The commands.
const NOUNS: &[Noun] =
    &[topics::NOUN, produce::NOUN, consume::NOUN, groups::NOUN, perf::NOUN, completion::NOUN];

/// Other words that can be behind `ottla`.
const OTHERS: [(&str, &str); 3] = [
    ("doctor", "Says why a client cannot connect."),
    ("serve", "Runs the broker; this is also what ottla alone does."),
    ("storage", "Checks directories, and hands them back to Apache Kafka."),
];

/// Whether this is one of the commands, and what it is for.
pub fn commands() -> impl Iterator<Item = (&'static str, &'static str)> {
    NOUNS.iter().map(|noun| (noun.name, noun.about)).chain(OTHERS.iter().take(1).copied())
}

/// Runs the command of this name, where there is one.
pub fn run(name: &str, arguments: &[String], terminal: &mut Terminal) -> Option<Result<(), Stop>> {
    let noun = NOUNS.iter().find(|noun| noun.name == name)?;
    Some(verb::run(noun, arguments, terminal))
}

#[cfg(test)]
#[path = "own_tests.rs"]
mod tests;
