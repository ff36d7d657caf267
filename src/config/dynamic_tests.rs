//! Changes of settings, compared with what Kafka 4.1 answers to them.

use std::collections::BTreeMap;

use super::*;
use crate::group::{validate_client_metrics_configs, validate_group_configs};
use crate::load::{Inputs, PropertiesFile, load};

/// Where we differ: scopes, settings, and what we answer instead, with the reason.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    // Kafka wraps the sentence into a sentence about itself.
    (
        "broker cluster",
        "num.io.threads=3",
        "for num.io.threads=3, value should be at least half the current value 8",
    ),
    (
        "broker cluster",
        "num.io.threads=17",
        "17, value should not be greater than double the current value 8",
    ),
    (
        "broker cluster",
        "num.network.threads=7",
        "7, value should not be greater than double the current value 3",
    ),
    (
        "broker cluster",
        "log.cleaner.threads=5",
        "Log cleaner threads cannot be increased to more than double",
    ),
    (
        "broker cluster",
        "num.replica.fetchers=3",
        "3, value should not be greater than double the current value 1",
    ),
    ("broker cluster", "background.threads=4", "4, value should be at least half the current value 10"),
    (
        "broker cluster",
        "num.recovery.threads.per.data.dir=5",
        "5, value should not be greater than double the current",
    ),
    (
        "broker cluster",
        "remote.log.reader.threads=100",
        "100, value should not be greater than double the current",
    ),
    // Kafka divides by zero, or shows its parser's exception.
    ("broker cluster", "log.cleaner.threads=0", "Value must be at least 1"),
    ("broker cluster", "max.connections.per.ip.overrides=a:b", "b is not a number of connections"),
    // Legal there, although the next start fails with it.
    (
        "broker cluster",
        "log.cleaner.min.compaction.lag.ms=5;log.cleaner.max.compaction.lag.ms=4",
        "conflict topic config setting min.compaction.lag.ms (5) > max.compaction.lag.ms (4)",
    ),
    // The order within a set is not Kafka's to promise.
    ("broker cluster", "node.id=2;log.dir=x", "Cannot update these configs dynamically: [log.dir, node.id]"),
    // Nobody writes floating point numbers in base 16.
    ("topic", "min.cleanable.dirty.ratio=0x1p-1", "Not a number of type DOUBLE"),
    // Regular expressions are compiled by who matches with them.
    ("metrics", "match=client_id=[", "OK"),
];

#[test]
fn changes_are_answered_as_kafka_answers_them() {
    let bytes = include_bytes!("testdata/describe.properties");
    let file = Some(PropertiesFile { name: "test", bytes });
    let loaded = load(&Inputs { file, ..Inputs::default() }).unwrap();
    let mut wrong = Vec::new();
    for line in include_str!("testdata/changes.tsv").lines().filter(|line| !line.starts_with('#')) {
        let [scope, changes, kafkas] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let settings: BTreeMap<String, String> = changes
            .split(';')
            .map(|change| change.split_once('=').unwrap())
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let result = match scope {
            "topic" => loaded.broker.topics.defaults.validate(&settings),
            "group" => validate_group_configs(&loaded.broker.groups, &settings),
            "metrics" => validate_client_metrics_configs(&settings),
            "broker" => loaded.layers.validate_dynamic(Scope::Broker, &settings).map(drop),
            "cluster" => loaded.layers.validate_dynamic(Scope::ClusterDefault, &settings).map(drop),
            other => panic!("unknown scope {other}"),
        };
        let ours = result.map_or_else(|error| error.to_string(), |()| "OK".to_owned());
        let difference =
            DIFFERENCES.iter().find(|(scopes, known, _)| *known == changes && scopes.contains(scope));
        let expected = difference.map_or_else(|| javas(kafkas), |(_, _, ours)| (*ours).to_owned());
        if !ours.contains(&expected) || (expected == "OK" && ours != "OK") {
            wrong.push(format!("{scope} {changes}\n   expected {expected}\n   got      {ours}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The answers are those of Kafka 4.1, which showed some names in Scala's collections; newer ones show Java's.
fn javas(answer: &str) -> String {
    let scalas = [": HashSet(", ": Set("].iter().find_map(|collection| answer.split_once(collection));
    match scalas {
        Some((text, names)) => format!("{text}: [{}]", names.trim_end_matches(')')),
        None => answer.to_owned(),
    }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_legal_change_gives_the_configuration_it_leads_to() {
    let layers = load(&Inputs::default()).unwrap().layers;
    let changed = map(&[("log.retention.ms", "5000"), ("max.connections", "7")]);
    let after = layers.validate_dynamic(Scope::ClusterDefault, &changed).unwrap();
    assert_eq!(after.topics.defaults.config().retention_ms, 5000);
    assert_eq!(after.sockets.connections_max, 7);
    // One broker's own setting is stronger than the default of all.
    let layers = layers.with_dynamic(changed, BTreeMap::new());
    let after = layers.validate_dynamic(Scope::Broker, &map(&[("max.connections", "8")])).unwrap();
    assert_eq!(after.sockets.connections_max, 8);
    assert_eq!(after.topics.defaults.config().retention_ms, 5000);
}

#[test]
fn a_dynamic_setting_silences_static_synonyms() {
    let file = Some(PropertiesFile { name: "test", bytes: b"log.retention.ms=1000\nlog.roll.hours=1\n" });
    let layers = load(&Inputs { file, ..Inputs::default() }).unwrap().layers;
    let layers = layers.with_dynamic(map(&[("log.retention.ms", "2000"), ("log.roll.ms", "3000")]), map(&[]));
    let config = layers.resolve().unwrap().topics.defaults.config();
    assert_eq!((config.retention_ms, config.segment_ms), (2000, 3000));
}

#[test]
fn listeners_stay_as_they_are_while_the_broker_runs() {
    let layers = load(&Inputs::default()).unwrap().layers;
    let change = map(&[("listeners", "PLAINTEXT://:9099")]);
    let error = layers.validate_dynamic(Scope::Broker, &change).unwrap_err().to_string();
    assert!(error.starts_with("listeners and listener.security.protocol.map cannot be changed"), "{error}");
}

#[test]
fn what_another_version_wrote_is_left_out_with_a_word() {
    let stored = map(&[
        ("log.retention.ms", "5000"),
        ("log.segment.bytes", "14"),
        ("node.id", "9"),
        ("some.plugin.key", "x"),
        ("listeners", "PLAINTEXT://:1"),
    ]);
    let (valid, complaints) = retain_valid(Scope::ClusterDefault, &stored);
    assert_eq!(valid, map(&[("log.retention.ms", "5000"), ("some.plugin.key", "x")]));
    assert_eq!(complaints.len(), 3);
    assert!(
        complaints[0]
            .starts_with("dynamic setting listeners is ignored: Cannot update these configs at default")
    );
}
