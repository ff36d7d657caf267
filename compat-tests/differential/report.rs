//! What was equal and what was not.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use crate::allow::Allow;

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Name of the API.
    pub api: String,
    /// Name of the step.
    pub step: String,
    /// The field.
    pub path: String,
    /// What Kafka answered.
    pub reference: String,
    /// What Ottla answered.
    pub subject: String,
}

/// All that was seen.
#[derive(Debug, Default)]
pub struct Report {
    passed: usize,
    failed: usize,
    /// In the order of the script.
    order: Vec<Difference>,
    versions: BTreeMap<Difference, Vec<i16>>,
    names: BTreeSet<(String, i16, String)>,
}

impl Report {
    /// Adds the differences of one step in one version.
    pub fn add(&mut self, version: i16, differences: Vec<Difference>, api: &str, step: &str) {
        let is_new = self.names.insert((api.to_owned(), version, step.to_owned()));
        assert!(is_new, "{api} v{version} {step}: two steps have one name");
        if differences.is_empty() {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
        for difference in differences {
            let versions = self.versions.entry(difference.clone()).or_default();
            if versions.is_empty() {
                self.order.push(difference);
            }
            versions.push(version);
        }
    }

    /// Adds a failure that is no difference.
    pub fn fail(&mut self) {
        self.failed += 1;
    }

    /// Steps so far, times versions.
    pub fn steps(&self) -> usize {
        self.passed + self.failed
    }

    /// Steps with a difference so far, times versions.
    pub fn failed(&self) -> usize {
        self.failed
    }

    /// Prints every difference once with the versions it was seen in, then the count.
    pub fn print(&self, allow: &Allow) -> ExitCode {
        for difference in &self.order {
            let Difference { api, step, path, reference, subject } = difference;
            println!("not ok {api} {} {step}: {path}", ranges(&self.versions[difference]));
            println!("    Kafka: {}\n    Ottla: {}", shortened(reference), shortened(subject));
        }
        for rule in allow.unused() {
            println!("unused: {}", rule.line);
        }
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn ranges(versions: &[i16]) -> String {
    let mut parts: Vec<(i16, i16)> = Vec::new();
    for version in versions {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == *version => *last = *version,
            _ => parts.push((*version, *version)),
        }
    }
    let parts = parts
        .into_iter()
        .map(|(first, last)| if first == last { format!("v{first}") } else { format!("v{first}-{last}") });
    parts.collect::<Vec<_>>().join(",")
}

fn shortened(text: &str) -> String {
    const LENGTH_MAX: usize = 400;
    if text.chars().count() <= LENGTH_MAX {
        text.to_owned()
    } else {
        text.chars().take(LENGTH_MAX).collect::<String>() + "…"
    }
}
