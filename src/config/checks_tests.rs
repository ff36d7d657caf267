//! Starts, compared with what Kafka 4.1 makes of the same settings.

use std::collections::BTreeMap;

use crate::load::{Inputs, PropertiesFile, load};
use crate::{ConfigError, properties};

/// Where we differ: the changes, and what we answer instead (`OK` or a part of our text), with the reason.
const DIFFERENCES: &[(&str, &str)] = &[
    // Kafka comes up with no role at all and does nothing.
    ("process.roles=", "process.roles must name at least one"),
    // A missing advertised address is no reason to stop: clients get the address they reached.
    ("advertised.listeners=", "OK"),
    ("listeners=PLAINTEXT://0.0.0.0:9092,CONTROLLER://:9093", "OK"),
    // Names of controller listeners are compared as all listener names are, in any case.
    ("controller.listener.names=controller", "OK"),
    // One node needs no quorum settings.
    ("-controller.quorum.voters", "OK"),
    // Kafka shows its own parser's exceptions.
    ("listener.security.protocol.map=PLAINTEXT", "PLAINTEXT is not of the form NAME:PROTOCOL"),
    ("max.connections.per.ip.overrides=127.0.0.1", "a comma separated list of address:limit is expected"),
    ("max.connections.per.ip.overrides=127.0.0.1:x", "x is not a number of connections"),
    (
        "log.cleaner.threads=0",
        "Invalid value 0 for configuration log.cleaner.threads: Value must be at least 1",
    ),
    ("group.consumer.assignors=foo", "Class foo could not be found"),
    // An empty class name is no class name.
    ("principal.builder.class=", "OK"),
    // Not served yet.
    (
        "process.roles=broker;controller.quorum.voters=2@h:9093;listeners=PLAINTEXT://:9092",
        "can only be both yet",
    ),
    ("process.roles=controller;listeners=CONTROLLER://:9093", "can only be both yet"),
];

#[test]
fn starts_end_as_kafkas_do() {
    let mut wrong = Vec::new();
    let golden = include_str!("testdata/start.tsv").lines().filter(|line| !line.starts_with('#'));
    let mut unused: Vec<&str> = DIFFERENCES.iter().map(|(changes, _)| *changes).collect();
    for line in golden {
        let (changes, kafkas) = line.split_once('\t').unwrap();
        let difference = DIFFERENCES.iter().find(|(known, _)| *known == changes);
        unused.retain(|known| *known != changes);
        let expected = difference.map_or(kafkas, |(_, ours)| ours);
        let ours = match start(changes) {
            Ok(()) => "OK".to_owned(),
            Err(error) => error.to_string(),
        };
        // Our texts may say more: where a value came from, and what to do.
        let agrees = if expected == "OK" { ours == "OK" } else { ours.contains(expected) };
        if !agrees {
            wrong.push(format!("{changes}\n   expected {expected}\n   got      {ours}"));
        }
        if difference.is_some() && ours == kafkas {
            wrong.push(format!("{changes} is listed as a difference and is none"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(unused, [""; 0], "differences without a case");
}

fn start(changes: &str) -> Result<(), ConfigError> {
    let base = properties::parse(include_bytes!("testdata/start.properties")).unwrap();
    let mut settings: BTreeMap<String, String> = base.into_iter().map(|p| (p.key, p.value)).collect();
    for change in changes.split(';') {
        if let Some(removed) = change.strip_prefix('-') {
            settings.remove(removed);
        } else {
            let (key, value) = change.split_once('=').unwrap();
            settings.insert(key.to_owned(), value.to_owned());
        }
    }
    let text: String = settings.iter().map(|(key, value)| properties::write(key, value) + "\n").collect();
    load(&Inputs { file: Some(PropertiesFile { name: "test", bytes: text.as_bytes() }), ..Inputs::default() })
        .map(drop)
}

fn refusal(changes: &str) -> String {
    start(changes).unwrap_err().to_string()
}

#[test]
fn what_cannot_be_served_yet_is_refused_by_name() {
    let secure = "listeners=PLAINTEXT://:9092,SSL://:9094,CONTROLLER://:9093;\
                  listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT";
    let text = refusal(secure);
    assert!(
        text.starts_with("listeners=PLAINTEXT://:9092,SSL://:9094,CONTROLLER://:9093 is refused (test line "),
        "{text}"
    );
    assert!(text.contains("listener SSL uses SSL, and only PLAINTEXT listeners can be served yet"), "{text}");
    assert!(text.contains("listener.security.protocol.map"), "{text}");

    let sasl = "listeners=CLIENT://:9092,CONTROLLER://:9093;inter.broker.listener.name=CLIENT;\
                listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT";
    assert!(refusal(sasl).contains("listener CLIENT uses SASL_PLAINTEXT"));

    let voters = "controller.quorum.voters=1@localhost:9093,2@other:9093";
    assert!(refusal(voters).contains("a cluster of several nodes cannot be formed yet"));
}

#[test]
fn conflicts_that_kafka_finds_later_are_found_at_the_start() {
    let lags = "log.cleaner.min.compaction.lag.ms=5;log.cleaner.max.compaction.lag.ms=4";
    assert_eq!(
        refusal(lags),
        "conflict topic config setting min.compaction.lag.ms (5) > max.compaction.lag.ms (4)"
    );
}
