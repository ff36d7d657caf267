//! The tables against Kafka's own definitions, and against themselves.

use super::*;
use crate::key::{KeyType, Support, UpdateMode};
use crate::value;

fn golden(table: &str) -> Vec<Vec<&'static str>> {
    include_str!("testdata/keys.tsv")
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .filter(|row| row[0] == table)
        .collect()
}

fn row(key: &Key, with_update: bool) -> String {
    [
        key.name,
        key.kind.name(),
        key.default.unwrap_or("<null>"),
        &key.check.to_string(),
        &key.importance.name().to_uppercase(),
        if key.internal { "internal" } else { "-" },
        if with_update { key.update.name() } else { "-" },
    ]
    .join("\t")
}

/// Compares a table with Kafka's; `ours` are the keys Kafka has not.
fn compare<'a>(table: &str, keys: impl Iterator<Item = &'a Key>, with_update: bool, ours: &[&str]) {
    let expected: Vec<String> = golden(table).iter().map(|row| row[1..].join("\t")).collect();
    let mut actual: Vec<String> =
        keys.filter(|key| !ours.contains(&key.name)).map(|key| row(key, with_update)).collect();
    actual.sort();
    let mut sorted = expected.clone();
    sorted.sort();
    for (ours, kafkas) in actual.iter().zip(&sorted) {
        assert_eq!(ours, kafkas, "in table {table}");
    }
    assert_eq!(actual.len(), expected.len(), "in table {table}");
}

#[test]
fn the_tables_are_kafkas() {
    let beside = extra::DYNAMIC_ONLY.iter().chain(extra::LATER).chain(extra::OURS);
    let beside: Vec<&str> = beside.map(|key| key.name).collect();
    compare("broker", broker_keys(), true, &beside);
    compare("topic", topic::TOPIC_KEYS.iter().map(|row| &row.key), false, topic::OURS);
    compare("group", group::GROUP_KEYS.iter(), false, &[]);
    compare("metrics", client_metrics::CLIENT_METRICS_KEYS.iter(), false, &[]);
    let throttles: Vec<Key> = extra::DYNAMIC_ONLY.iter().map(|key| Key { internal: false, ..*key }).collect();
    compare("throttle", throttles.iter(), false, &[]);
}

#[test]
fn topic_settings_have_kafkas_broker_keys() {
    let mut ours: Vec<Vec<&str>> = topic::TOPIC_KEYS
        .iter()
        .filter_map(|row| Some(vec!["synonym", row.key.name, row.broker_key?]))
        .collect();
    ours.sort();
    assert_eq!(ours, golden("synonym"));
    for broker_key_name in ours.iter().map(|row| row[2]) {
        assert!(broker_key(broker_key_name).is_some(), "{broker_key_name}");
    }
}

#[test]
fn every_default_is_legal() {
    let topic_keys = topic::TOPIC_KEYS.iter().map(|row| &row.key);
    let all =
        broker_keys().chain(topic_keys).chain(group::GROUP_KEYS).chain(client_metrics::CLIENT_METRICS_KEYS);
    for key in all {
        if let Some(default) = key.default {
            let parsed = value::parse(key, default);
            assert!(parsed.is_ok(), "{}: {parsed:?}", key.name);
            // What DescribeConfigs shows for a default is Kafka's text of it.
            assert_eq!(parsed.unwrap().to_text().as_deref(), Some(default), "{}", key.name);
        }
    }
}

#[test]
fn group_settings_inherit_from_keys_that_exist() {
    for key in group::GROUP_KEYS {
        if let Some(name) = group::broker_key_of(key.name) {
            let inherited = broker_key(&name).unwrap_or_else(|| panic!("no {name}"));
            assert_eq!((inherited.kind, inherited.default), (key.kind, key.default), "{name}");
        }
    }
}

#[test]
fn areas_are_sorted_and_names_unique() {
    let mut names: Vec<&str> = broker_keys().map(|key| key.name).collect();
    for area in AREAS {
        let in_area: Vec<&str> = area.keys.iter().map(|key| key.name).collect();
        assert!(in_area.is_sorted(), "{}", area.title);
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn every_key_says_what_it_is_in_one_line() {
    let topic_keys = topic::TOPIC_KEYS.iter().map(|row| &row.key);
    for key in broker_keys().chain(topic_keys).chain(group::GROUP_KEYS) {
        let doc = key.doc;
        assert!(
            doc.len() > 10 && doc.len() < 180 && doc.ends_with('.') && !doc.contains('\n'),
            "{}",
            key.name
        );
    }
}

#[test]
fn synonyms_are_kafkas() {
    assert_eq!(
        synonyms("log.retention.hours"),
        ["log.retention.ms", "log.retention.minutes", "log.retention.hours"]
    );
    assert_eq!(synonyms("log.roll.ms"), ["log.roll.ms", "log.roll.hours"]);
    assert_eq!(
        synonyms("log.flush.interval.ms"),
        ["log.flush.interval.ms", "log.flush.scheduler.interval.ms"]
    );
    assert_eq!(synonyms("log.flush.scheduler.interval.ms"), ["log.flush.scheduler.interval.ms"]);
    assert_eq!(synonyms("num.partitions"), ["num.partitions"]);
    let per_listener = "listener.name.a.ssl.keystore.location";
    assert_eq!(synonyms_with_listeners(per_listener), [per_listener, "ssl.keystore.location"]);
    let per_mechanism = "listener.name.a.plain.sasl.jaas.config";
    assert_eq!(synonyms_with_listeners(per_mechanism), [per_mechanism, "sasl.jaas.config"]);
    assert_eq!(split_listener_override("listener.name.a."), None);
}

#[test]
fn refused_keys_have_a_default_that_is_not_refused() {
    for key in broker_keys().filter(|key| key.support == Support::Refused) {
        assert!(matches!(key.kind, KeyType::Class | KeyType::String | KeyType::Boolean), "{}", key.name);
    }
    // A dynamic key that changes nothing must not claim to be honoured: those are marked accepted.
    let threads = broker_key("num.io.threads").unwrap();
    assert_eq!((threads.support, threads.update), (Support::Accepted, UpdateMode::ClusterWide));
}
