//! Answers of DescribeConfigs: what each setting is, where it came from and what it would be otherwise
//! (`kafka.server.ConfigHelper`).
//!
//! Nothing here fails: a value that this version would not accept, such as one found in an older metadata log, is
//! shown as it is.

mod resources;

use std::collections::BTreeSet;

use crate::key::{Key, KeyType, UpdateMode};
use crate::keys;
use crate::layers::Layers;
use crate::load::Source;
use crate::value;

pub use resources::{client_metrics, group, logger, topic};

/// One setting as DescribeConfigs shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Its name.
    pub name: String,
    /// `None` when it is null, or sensitive.
    pub value: Option<String>,
    /// It cannot change while the broker runs.
    pub is_read_only: bool,
    /// Its value is never shown.
    pub is_sensitive: bool,
    /// Where the value came from.
    pub source: ConfigSource,
    /// How the value is read.
    pub config_type: ConfigType,
    /// One line of meaning; `None` for a setting nobody knows.
    pub documentation: Option<&'static str>,
    /// Every place that gives a value, strongest first.
    pub synonyms: Vec<ConfigSynonym>,
}

/// A place that gives a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSynonym {
    /// The setting's name there.
    pub name: String,
    /// `None` when it is sensitive.
    pub value: Option<String>,
    /// Which place.
    pub source: ConfigSource,
}

/// `DescribeConfigsResponse.ConfigSource`; [`ConfigSource::id`] is its number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ConfigSource {
    Unknown = 0,
    Topic = 1,
    DynamicBroker = 2,
    DynamicDefaultBroker = 3,
    StaticBroker = 4,
    Default = 5,
    DynamicBrokerLogger = 6,
    ClientMetrics = 7,
    Group = 8,
}

impl ConfigSource {
    /// The number on the wire.
    pub const fn id(self) -> i8 {
        self as i8
    }
}

/// `DescribeConfigsResponse.ConfigType`; [`ConfigType::id`] is its number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ConfigType {
    Unknown = 0,
    Boolean = 1,
    String = 2,
    Int = 3,
    Short = 4,
    Long = 5,
    Double = 6,
    List = 7,
    Class = 8,
    Password = 9,
}

impl ConfigType {
    /// The number on the wire.
    pub const fn id(self) -> i8 {
        self as i8
    }

    const fn of(kind: KeyType) -> Self {
        match kind {
            KeyType::Boolean => Self::Boolean,
            KeyType::String => Self::String,
            KeyType::Int => Self::Int,
            KeyType::Short => Self::Short,
            KeyType::Long => Self::Long,
            KeyType::Double => Self::Double,
            KeyType::List => Self::List,
            KeyType::Class => Self::Class,
            KeyType::Password => Self::Password,
        }
    }
}

/// The settings of this broker (resource BROKER with its id), by name.
pub fn broker(layers: &Layers) -> Vec<ConfigEntry> {
    let effective = layers.effective();
    let mut names: BTreeSet<&str> = effective.keys().copied().collect();
    names.extend(keys::broker_keys().filter(|key| !key.internal).map(|key| key.name));
    names
        .into_iter()
        .map(|name| {
            let text = effective.get(name).map(|(text, _)| *text);
            let value = match keys::broker_key(name) {
                Some(key) => shown_value(key, text),
                None => text.map(str::to_owned),
            };
            broker_entry(layers, name, value, |_| true)
        })
        .collect()
}

/// The dynamic defaults of the cluster (resource BROKER with an empty name), by name.
pub fn broker_default(layers: &Layers) -> Vec<ConfigEntry> {
    layers
        .dynamic_default()
        .iter()
        .map(|(name, text)| {
            let is_default = |source| source == ConfigSource::DynamicDefaultBroker;
            broker_entry(layers, name, Some(text.clone()), is_default)
        })
        .collect()
}

fn broker_entry(
    layers: &Layers,
    name: &str,
    value: Option<String>,
    is_shown: impl Fn(ConfigSource) -> bool,
) -> ConfigEntry {
    let key = broker_key_behind(name);
    // A setting nobody knows may be a secret of a plug-in: Kafka hides it, and so do we.
    let is_sensitive = key.is_none_or(Key::is_sensitive);
    let mut synonyms = synonyms(layers, name, &keys::synonyms_with_listeners(name), is_sensitive);
    synonyms.retain(|synonym| is_shown(synonym.source));
    ConfigEntry {
        name: name.to_owned(),
        value: value.filter(|_| !is_sensitive),
        is_read_only: !is_dynamic(name),
        is_sensitive,
        source: first_source(&synonyms),
        config_type: key.map_or(ConfigType::Unknown, |key| ConfigType::of(key.kind)),
        documentation: keys::broker_key(name).map(|key| key.doc),
        synonyms,
    }
}

/// Every value the names have anywhere, in order of strength, from the first one that is called `name`.
fn synonyms(layers: &Layers, name: &str, names: &[&str], is_sensitive: bool) -> Vec<ConfigSynonym> {
    let mut all = Vec::new();
    let mut add = |synonym: &str, value: Option<&str>, source| {
        if let Some(value) = value {
            let value = if is_sensitive { None } else { Some(value.to_owned()) };
            all.push(ConfigSynonym { name: synonym.to_owned(), value, source });
        }
    };
    for (settings, source) in [
        (layers.dynamic_broker(), ConfigSource::DynamicBroker),
        (layers.dynamic_default(), ConfigSource::DynamicDefaultBroker),
    ] {
        for synonym in names {
            add(synonym, settings.get(*synonym).map(String::as_str), source);
        }
    }
    let setting = |synonym: &str, is_embedded: bool| {
        let found = layers.statics().get(synonym)?;
        ((found.source == Source::Embedded) == is_embedded).then_some(found.value.as_str())
    };
    for synonym in names {
        add(synonym, setting(synonym, false), ConfigSource::StaticBroker);
    }
    for synonym in names {
        let static_key = keys::broker_key(synonym).filter(|key| !is_throttle(key.name));
        let table_default = static_key.and_then(|key| key.default);
        add(synonym, setting(synonym, true).or(table_default), ConfigSource::Default);
    }
    let first = all.iter().position(|synonym| synonym.name == name).unwrap_or(all.len());
    all.split_off(first)
}

/// A value as Kafka prints it after reading it, or the bare text if it cannot be read.
fn shown_value(key: &Key, text: Option<&str>) -> Option<String> {
    match text {
        Some(text) => match value::parse(key, text) {
            Ok(value) => value.to_text(),
            Err(_unreadable) => Some(text.to_owned()),
        },
        None => value::default_value(key).to_text(),
    }
}

/// The broker key a name stands for, also behind `listener.name.{listener}.`.
fn broker_key_behind(name: &str) -> Option<&'static Key> {
    let behind = || keys::synonyms_with_listeners(name).into_iter().find_map(keys::broker_key);
    keys::broker_key(name).or_else(behind)
}

/// Kafka calls the throttles read-only, though they can be set only while the broker runs.
fn is_dynamic(name: &str) -> bool {
    keys::broker_key(name).is_some_and(|key| key.update != UpdateMode::ReadOnly) && !is_throttle(name)
}

fn is_throttle(name: &str) -> bool {
    keys::extra::DYNAMIC_ONLY.iter().any(|key| key.name == name)
}

fn first_source(synonyms: &[ConfigSynonym]) -> ConfigSource {
    synonyms.first().map_or(ConfigSource::Default, |first| first.source)
}

#[cfg(test)]
#[path = "describe_tests.rs"]
mod tests;
