//! `allow.txt`: what is masked, what has no order, and what may differ. Lines below a `[4.3]` hold against these
//! releases of Kafka only.

use std::cell::Cell;

/// One line of the file.
#[derive(Debug)]
pub struct Rule {
    kind: Kind,
    api: String,
    step: String,
    path: String,
    /// The whole line.
    pub line: String,
    /// Whether it has applied.
    pub used: Cell<bool>,
}

#[derive(Debug, PartialEq, Clone, Copy)]
enum Kind {
    /// Only compared for being there.
    Mask,
    /// A list without order, compared by the names in it.
    Unordered,
    /// Allowed to differ.
    Differ,
}

/// All lines of the file.
#[derive(Debug)]
pub struct Allow {
    rules: Vec<Rule>,
}

impl Allow {
    /// Reads `kind | api | step | path | reason` lines; `*` stands for any text. `release` is the version of Kafka
    /// that is compared with.
    pub fn read(text: &str, release: &str) -> Self {
        let mut rules = Vec::new();
        let mut applies = true;
        for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                applies = release.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'));
            } else if applies {
                rules.push(rule(line));
            }
        }
        Self { rules }
    }

    /// Whether a field's value is masked.
    pub fn masks(&self, api: &str, step: &str, path: &str) -> bool {
        self.applies(Kind::Mask, api, step, path)
    }

    /// Whether a list has no order.
    pub fn unordered(&self, api: &str, step: &str, path: &str) -> bool {
        self.applies(Kind::Unordered, api, step, path)
    }

    /// Whether a field may differ.
    pub fn allows(&self, api: &str, step: &str, path: &str) -> bool {
        self.applies(Kind::Differ, api, step, path)
    }

    /// Allowed differences that did not occur.
    pub fn unused(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.kind == Kind::Differ && !rule.used.get())
    }

    fn applies(&self, kind: Kind, api: &str, step: &str, path: &str) -> bool {
        let fits = |rule: &&Rule| {
            rule.kind == kind && glob(&rule.api, api) && glob(&rule.step, step) && glob(&rule.path, path)
        };
        let rule = self.rules.iter().find(fits);
        if let Some(rule) = rule {
            rule.used.set(true);
        }
        rule.is_some()
    }
}

fn rule(line: &str) -> Rule {
    let parts: Vec<&str> = line.split('|').map(str::trim).collect();
    let [kind, api, step, path, reason] = parts[..] else {
        panic!("allow.txt: five parts are expected in: {line}")
    };
    assert!(!reason.is_empty(), "allow.txt: a reason is missing in: {line}");
    let kind = match kind {
        "mask" => Kind::Mask,
        "unordered" => Kind::Unordered,
        "differ" => Kind::Differ,
        _ => panic!("allow.txt: {kind} is none of mask, unordered, differ"),
    };
    let [api, step, path] = [api, step, path].map(str::to_owned);
    Rule { kind, api, step, path, line: line.to_owned(), used: Cell::new(false) }
}

/// Whether the text has the pattern's form; `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(start) else { return false };
    (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| glob(rest, &text[at..]))
}
