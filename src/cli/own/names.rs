//! Names on the command line: whole ones, and patterns with `*` and `?`.

use client::Cluster;
use regex::Regex;

use crate::kafka;

use super::verb::{Failure, nearest, said, said_with};

/// Whether a name is a pattern.
pub fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?'])
}

/// A pattern as an expression that matches whole names.
pub fn expression(pattern: &str) -> String {
    let mut text = String::from("^(?s:");
    for letter in pattern.chars() {
        match letter {
            '*' => text.push_str(".*"),
            '?' => text.push('.'),
            other => text.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    text + ")$"
}

/// Those of `all` that the command line names, each once, in the order of the command line.
pub fn chosen(
    written: &[String],
    all: &[String],
    what: &str,
    may_lack: bool,
) -> Result<Vec<String>, Failure> {
    let mut chosen: Vec<String> = Vec::new();
    for name in written {
        let mut add = |found: &String| {
            if !chosen.contains(found) {
                chosen.push(found.clone());
            }
        };
        if all.contains(name) {
            add(name);
        } else if is_pattern(name) {
            let pattern =
                Regex::new(&expression(name)).map_err(|error| said(format!("'{name}': {error}")))?;
            let matching: Vec<&String> = all.iter().filter(|one| pattern.is_match(one)).collect();
            if matching.is_empty() && !may_lack {
                return Err(said(format!("no {what} is called like '{name}'")));
            }
            for one in matching {
                add(one);
            }
        } else if !may_lack {
            return Err(missing(name, all, what));
        }
    }
    Ok(chosen)
}

/// A name that is not there, with the one that was perhaps meant.
pub fn missing(name: &str, all: &[String], what: &str) -> Failure {
    let near = nearest(name, all.iter().map(String::as_str));
    let hint = near.map_or_else(
        || format!("`ottla {what}s` lists those that are there"),
        |near| format!("did you mean '{near}'?"),
    );
    said_with(format!("there is no {what} '{name}'"), hint)
}

/// The topics of the cluster; internal ones only where they are wanted.
pub async fn topics(cluster: &mut Cluster, with_internal: bool) -> Result<Vec<String>, Failure> {
    let all = kafka::topic_names(cluster).await?;
    Ok(all.into_iter().filter(|(_, internal)| with_internal || !internal).map(|(name, _)| name).collect())
}

/// The topics that the command line names; a pattern means internal ones only where it begins as they do.
pub async fn chosen_topics(
    cluster: &mut Cluster,
    written: &[String],
    may_lack: bool,
) -> Result<Vec<String>, Failure> {
    let all = kafka::topic_names(cluster).await?;
    chosen_among(written, all, may_lack)
}

fn chosen_among(
    written: &[String],
    all: Vec<(String, bool)>,
    may_lack: bool,
) -> Result<Vec<String>, Failure> {
    let users: Vec<String> =
        all.iter().filter(|(_, internal)| !internal).map(|(name, _)| name.clone()).collect();
    let all: Vec<String> = all.into_iter().map(|(name, _)| name).collect();
    let mut found = Vec::new();
    for name in written {
        let some = if name.starts_with("__") { &all } else { &users };
        for one in chosen(std::slice::from_ref(name), some, "topic", may_lack)? {
            if !found.contains(&one) {
                found.push(one);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_topics_are_for_patterns_that_begin_as_they_do() {
        let named = |written: &[&str]| {
            let all = [("__state", true), ("__mine", false), ("orders", false)];
            let all = all.map(|(name, internal)| (name.to_owned(), internal)).to_vec();
            let written: Vec<String> = written.iter().map(|name| (*name).to_owned()).collect();
            chosen_among(&written, all, false).map_err(|failure| failure.told(""))
        };
        assert_eq!(named(&["*"]).unwrap(), ["__mine", "orders"]);
        assert_eq!(named(&["__*"]).unwrap(), ["__state", "__mine"]);
        assert_eq!(named(&["__m*", "*"]).unwrap(), ["__mine", "orders"], "each for itself");
    }

    #[test]
    fn patterns_match_whole_names() {
        let all = ["orders", "orders.eu", "returns"].map(str::to_owned);
        let named = |written: &[&str]| {
            let written: Vec<String> = written.iter().map(|name| (*name).to_owned()).collect();
            chosen(&written, &all, "topic", false).map_err(|failure| failure.told(""))
        };
        assert_eq!(named(&["orders*", "orders"]).unwrap(), ["orders", "orders.eu"]);
        assert_eq!(named(&["?eturns"]).unwrap(), ["returns"]);
        assert_eq!(named(&["orders?eu"]).unwrap(), ["orders.eu"]);
        assert_eq!(named(&["x*"]).unwrap_err().0, "no topic is called like 'x*'");
        let (sentence, hint) = named(&["ordesr"]).unwrap_err();
        assert_eq!(
            (sentence.as_str(), hint.as_deref()),
            ("there is no topic 'ordesr'", Some("did you mean 'orders'?"))
        );
    }
}
