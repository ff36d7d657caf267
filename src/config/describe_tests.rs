//! Our DescribeConfigs against Kafka 4.1's, row by row.

use std::collections::BTreeMap;

use super::*;
use crate::load::{Inputs, PropertiesFile, load};

/// Where we differ, with the reason.
fn is_allowed(scope: &str, name: &str) -> bool {
    // Ottla's own topic setting.
    scope.starts_with("topic") && name == "write.caching"
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn layers(is_dynamic: bool) -> Layers {
    let bytes = include_bytes!("testdata/describe.properties");
    let file = Some(PropertiesFile { name: "test", bytes });
    let statics = load(&Inputs { file, ..Inputs::default() }).unwrap().layers;
    // Kafka's controller writes this one by itself when eligible leader replicas are on (KIP-966).
    let bootstrap = ("min.insync.replicas", "1");
    if !is_dynamic {
        return statics.with_dynamic(map(&[bootstrap]), map(&[]));
    }
    let default = map(&[
        bootstrap,
        ("log.message.timestamp.type", "LogAppendTime"),
        ("log.cleaner.threads", "2"),
        ("log.retention.ms", "7000"),
        ("leader.replication.throttled.rate", "99"),
        ("some.plugin.key", "v"),
    ]);
    let broker = map(&[
        ("log.cleaner.threads", " 3 "),
        ("log.segment.bytes", "2000000"),
        ("follower.replication.throttled.rate", "100"),
        ("log.flush.interval.ms", "5"),
        ("listener.name.plaintext.max.connections", "77"),
    ]);
    statics.with_dynamic(default, broker)
}

fn described(scope: &str) -> Vec<ConfigEntry> {
    let layers = layers(scope.ends_with("dynamic") || scope == "broker default");
    let topic_overrides = map(&[
        ("retention.ms", "1000"),
        ("cleanup.policy", " compact , delete "),
        ("compression.type", "gzip"),
        ("min.cleanable.dirty.ratio", "1"),
        ("preallocate", "False"),
        ("leader.replication.throttled.replicas", "0:1"),
    ]);
    match scope {
        "broker static" | "broker dynamic" => broker(&layers),
        "broker default" => broker_default(&layers),
        "topic static" | "topic dynamic" => topic(&layers, &topic_overrides),
        "group static" => group(&layers, &map(&[])),
        "group dynamic" => group(
            &layers,
            &map(&[
                ("consumer.session.timeout.ms", "46000"),
                ("share.auto.offset.reset", "by_duration:PT1H"),
            ]),
        ),
        "metrics static" => client_metrics(&map(&[])),
        "metrics dynamic" => client_metrics(&map(&[("interval.ms", "1000"), ("metrics", "a,b")])),
        other => panic!("unknown scope {other}"),
    }
}

fn row(entry: &ConfigEntry) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "<null>".to_owned());
    let synonyms: Vec<String> = entry
        .synonyms
        .iter()
        .map(|s| format!("{} {}={}", source_name(s.source), s.name, text(&s.value)))
        .collect();
    [
        entry.name.clone(),
        text(&entry.value),
        source_name(entry.source).to_owned(),
        format!("{:?}", entry.config_type).to_uppercase(),
        if entry.is_read_only { "read-only" } else { "dynamic" }.to_owned(),
        if entry.is_sensitive { "sensitive" } else { "-" }.to_owned(),
        synonyms.join("; "),
    ]
    .join("\t")
}

fn source_name(source: ConfigSource) -> &'static str {
    match source {
        ConfigSource::StaticBroker => "static",
        ConfigSource::Default => "default",
        ConfigSource::Topic => "topic",
        ConfigSource::DynamicBroker => "broker",
        ConfigSource::DynamicDefaultBroker => "cluster",
        ConfigSource::Group => "group",
        ConfigSource::ClientMetrics => "metrics",
        other => panic!("{other:?} is not in the golden file"),
    }
}

fn golden() -> BTreeMap<&'static str, BTreeMap<&'static str, &'static str>> {
    let mut scopes: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for line in include_str!("testdata/describe.tsv").lines().filter(|line| !line.starts_with('#')) {
        let (scope, row) = line.split_once('\t').unwrap();
        let name = row.split('\t').next().unwrap();
        scopes.entry(scope).or_default().insert(name, row);
    }
    let mut dynamic = scopes["broker static"].clone();
    dynamic.extend(scopes["broker dynamic"].clone());
    scopes.insert("broker dynamic", dynamic);
    scopes
}

#[test]
fn every_answer_is_kafkas() {
    let mut wrong = Vec::new();
    for (scope, rows) in golden() {
        let ours: BTreeMap<String, String> =
            described(scope).iter().map(|entry| (entry.name.clone(), row(entry))).collect();
        for (name, kafkas) in &rows {
            match ours.get(*name) {
                Some(ours) if ours == kafkas => {}
                Some(ours) => wrong.push(format!("{scope}\n   expected {kafkas}\n   got      {ours}")),
                None => wrong.push(format!("{scope} lacks {name}")),
            }
        }
        for name in ours.keys().filter(|name| !rows.contains_key(name.as_str()) && !is_allowed(scope, name)) {
            wrong.push(format!("{scope} has {name}, which Kafka has not"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_known_setting_has_a_line_of_documentation() {
    for entry in described("broker static").iter().chain(&described("topic static")) {
        let is_known = entry.config_type != ConfigType::Unknown && !entry.name.starts_with("listener.name.");
        assert_eq!(entry.documentation.is_some(), is_known, "{}", entry.name);
    }
}

#[test]
fn a_bare_start_shows_its_built_in_settings_as_defaults() {
    let layers = load(&Inputs::default()).unwrap().layers;
    let entries = broker(&layers);
    let entry = |name: &str| entries.iter().find(|entry| entry.name == name).unwrap();
    assert_eq!(entry("node.id").source, ConfigSource::Default);
    assert_eq!(entry("node.id").value.as_deref(), Some("1"));
    assert_eq!(entry("log.dirs").source, ConfigSource::Default);
    assert_eq!(entry("log.dirs").value.as_deref(), Some("./ottla-data"));
    assert_eq!(entry("broker.id").value.as_deref(), Some("1"));
    assert_eq!(entry("advertised.listeners").value, None);
}

#[test]
fn a_value_nobody_would_accept_today_is_shown_as_it_is() {
    let layers = load(&Inputs::default()).unwrap().layers;
    let entries = topic(&layers, &map(&[("segment.bytes", "14"), ("retention.ms", "soon")]));
    let value = |name: &str| entries.iter().find(|e| e.name == name).and_then(|e| e.value.clone());
    assert_eq!(value("segment.bytes").as_deref(), Some("14"));
    assert_eq!(value("retention.ms").as_deref(), Some("soon"));
}

#[test]
fn a_logger_is_described_by_its_level() {
    let entry = logger("kafka.request", "INFO");
    assert_eq!((entry.value.as_deref(), entry.source.id()), (Some("INFO"), 6));
    assert!(!entry.is_read_only && entry.synonyms.is_empty());
}
