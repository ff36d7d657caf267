//! DescribeConfigs for topics, groups, client metrics subscriptions and loggers.

use std::collections::BTreeMap;

use super::{ConfigEntry, ConfigSource, ConfigSynonym, ConfigType, first_source, shown_value, synonyms};
use crate::key::Key;
use crate::keys;
use crate::keys::client_metrics::CLIENT_METRICS_KEYS;
use crate::keys::group::GROUP_KEYS;
use crate::keys::topic::TOPIC_KEYS;
use crate::layers::Layers;
use crate::topic::broker_default;

/// The settings of a topic with these overrides, by name.
pub fn topic(layers: &Layers, overrides: &BTreeMap<String, String>) -> Vec<ConfigEntry> {
    let values = layers.lenient_values();
    TOPIC_KEYS
        .iter()
        .filter(|row| !row.key.internal || overrides.contains_key(row.key.name))
        .map(|row| {
            let key = &row.key;
            let text = overrides.get(key.name);
            let value = match text {
                Some(text) => shown_value(key, Some(text)),
                None => broker_default(row, &values).to_text(),
            };
            let mut synonyms = match row.broker_key {
                Some(broker_key) => synonyms(layers, broker_key, &keys::synonyms(broker_key), false),
                None => Vec::new(),
            };
            if text.is_some() {
                synonyms.insert(0, synonym(key.name, value.clone(), ConfigSource::Topic));
            }
            entry(key, value, first_source(&synonyms), synonyms)
        })
        .collect()
}

/// The settings of a group with these overrides, by name.
pub fn group(layers: &Layers, overrides: &BTreeMap<String, String>) -> Vec<ConfigEntry> {
    let values = layers.lenient_values();
    GROUP_KEYS
        .iter()
        .map(|key| {
            let inherited =
                || keys::group::broker_key_of(key.name).and_then(|name| values.value(&name).to_text());
            let (text, source) = match overrides.get(key.name) {
                Some(text) => (Some(text.clone()), ConfigSource::Group),
                None => (inherited(), ConfigSource::Default),
            };
            let value = shown_value(key, text.as_deref());
            entry(key, value.clone(), source, vec![synonym(key.name, value, source)])
        })
        .collect()
}

/// The settings of a client metrics subscription with these overrides, by name (KIP-714).
pub fn client_metrics(overrides: &BTreeMap<String, String>) -> Vec<ConfigEntry> {
    CLIENT_METRICS_KEYS
        .iter()
        .map(|key| {
            let text = overrides.get(key.name);
            let value = shown_value(key, text.map(String::as_str));
            let synonyms: Vec<_> = text
                .map(|_| synonym(key.name, value.clone(), ConfigSource::ClientMetrics))
                .into_iter()
                .collect();
            entry(key, value, first_source(&synonyms), synonyms)
        })
        .collect()
}

/// One logger of this broker and its level (resource `BROKER_LOGGER`).
pub fn logger(name: &str, level: &str) -> ConfigEntry {
    ConfigEntry {
        name: name.to_owned(),
        value: Some(level.to_owned()),
        is_read_only: false,
        is_sensitive: false,
        source: ConfigSource::DynamicBrokerLogger,
        config_type: ConfigType::Unknown,
        // Kafka leaves the field at its default, which is an empty text and not null.
        documentation: Some(""),
        synonyms: Vec::new(),
    }
}

fn synonym(name: &str, value: Option<String>, source: ConfigSource) -> ConfigSynonym {
    ConfigSynonym { name: name.to_owned(), value, source }
}

/// Settings of topics, groups and subscriptions are never sensitive and always dynamic.
fn entry(
    key: &'static Key,
    value: Option<String>,
    source: ConfigSource,
    synonyms: Vec<ConfigSynonym>,
) -> ConfigEntry {
    ConfigEntry {
        name: key.name.to_owned(),
        value,
        is_read_only: false,
        is_sensitive: false,
        source,
        config_type: ConfigType::of(key.kind),
        documentation: Some(key.doc),
        synonyms,
    }
}
