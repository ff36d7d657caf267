//! DescribeConfigs for topics, groups, client metrics subscriptions and loggers.

use std::collections::BTreeMap;

use super::{ConfigEntry, ConfigSource, ConfigSynonym, ConfigType};
use crate::error::ConfigError;
use crate::key::Key;
use crate::keys::{self, client_metrics, group, topic};
use crate::layers::{Layers, value_or_default};
use crate::topic::TopicDefaults;
use crate::value::Value;

impl Layers {
    /// The settings of a topic with these overrides, by name.
    pub fn describe_topic(
        &self,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Vec<ConfigEntry>, ConfigError> {
        let merged = TopicDefaults::of_broker(&self.values()?)?.merged(overrides)?;
        Ok(topic::TOPIC_KEYS
            .iter()
            .filter(|row| !row.key.internal || overrides.contains_key(row.key.name))
            .map(|row| {
                let key = &row.key;
                let value = merged.get(key.name).and_then(Value::to_text);
                let mut synonyms = match row.broker_key {
                    Some(broker_key) => self.synonyms(broker_key, &keys::synonyms(broker_key), false),
                    None => Vec::new(),
                };
                if overrides.contains_key(key.name) {
                    synonyms.insert(0, synonym(key.name, value.clone(), ConfigSource::Topic));
                }
                let source = first_source(&synonyms);
                entry(key, value, source, synonyms)
            })
            .collect())
    }

    /// The settings of a group with these overrides, by name.
    pub fn describe_group(
        &self,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Vec<ConfigEntry>, ConfigError> {
        let values = self.values()?;
        let describe = |key: &'static Key| {
            let inherited = group::broker_key_of(key.name).and_then(|name| values.value(&name).to_text());
            let text = overrides.get(key.name).or(inherited.as_ref());
            let value = value_or_default(key, text)?.to_text();
            let is_set = overrides.contains_key(key.name);
            let source = if is_set { ConfigSource::Group } else { ConfigSource::Default };
            let synonyms = vec![synonym(key.name, value.clone(), source)];
            Ok(entry(key, value, source, synonyms))
        };
        group::GROUP_KEYS.iter().map(describe).collect()
    }
}

/// The settings of a client metrics subscription with these overrides, by name (KIP-714).
pub fn describe_client_metrics(
    overrides: &BTreeMap<String, String>,
) -> Result<Vec<ConfigEntry>, ConfigError> {
    let describe = |key: &'static Key| {
        let value = value_or_default(key, overrides.get(key.name))?.to_text();
        let synonyms: Vec<_> = overrides
            .get(key.name)
            .map(|_| synonym(key.name, value.clone(), ConfigSource::ClientMetrics))
            .into_iter()
            .collect();
        let source = first_source(&synonyms);
        Ok(entry(key, value, source, synonyms))
    };
    client_metrics::CLIENT_METRICS_KEYS.iter().map(describe).collect()
}

/// One logger of this broker and its level (resource `BROKER_LOGGER`).
pub fn describe_logger(name: &str, level: &str) -> ConfigEntry {
    ConfigEntry {
        name: name.to_owned(),
        value: Some(level.to_owned()),
        read_only: false,
        sensitive: false,
        source: ConfigSource::DynamicBrokerLogger,
        config_type: ConfigType::Unknown,
        documentation: None,
        synonyms: Vec::new(),
    }
}

fn first_source(synonyms: &[ConfigSynonym]) -> ConfigSource {
    synonyms.first().map_or(ConfigSource::Default, |first| first.source)
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
        read_only: false,
        sensitive: false,
        source,
        config_type: ConfigType::of(key.kind),
        documentation: Some(key.doc),
        synonyms,
    }
}
