//! Answers of DescribeConfigs: what each setting is, where it came from and what it would be otherwise
//! (`kafka.server.ConfigHelper`).

use std::collections::BTreeSet;

use crate::error::ConfigError;
use crate::key::{Key, KeyType, UpdateMode};
use crate::keys;
use crate::layers::Layers;
use crate::load::Source;
use crate::value::{self, Value};

mod resources;

pub use resources::{describe_client_metrics, describe_logger};

/// One setting as DescribeConfigs shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Its name.
    pub name: String,
    /// `None` when it is null, or sensitive.
    pub value: Option<String>,
    /// It cannot change while the broker runs.
    pub read_only: bool,
    /// Its value is never shown.
    pub sensitive: bool,
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

impl Layers {
    /// The settings of this broker (resource BROKER with its id), by name.
    pub fn describe_broker(&self) -> Result<Vec<ConfigEntry>, ConfigError> {
        let effective = self.effective();
        let mut names: BTreeSet<&str> = effective.keys().copied().collect();
        names.extend(keys::broker_keys().filter(|key| !key.internal).map(|key| key.name));
        names
            .into_iter()
            .map(|name| {
                let text = effective.get(name).map(|(text, _)| *text);
                let value = match keys::broker_key(name) {
                    Some(key) => match text {
                        Some(text) => value::parse(key, text)?,
                        None => value::default_value(key),
                    },
                    None => text.map_or(Value::Null, |text| Value::Text(text.to_owned())),
                };
                Ok(self.broker_entry(name, &value, |_| true))
            })
            .collect()
    }

    /// The dynamic defaults of the cluster (resource BROKER with an empty name), by name.
    pub fn describe_broker_defaults(&self) -> Vec<ConfigEntry> {
        self.dynamic_default()
            .iter()
            .map(|(name, text)| {
                let value = Value::Text(text.clone());
                self.broker_entry(name, &value, |source| source == ConfigSource::DynamicDefaultBroker)
            })
            .collect()
    }

    fn broker_entry(&self, name: &str, value: &Value, shown: impl Fn(ConfigSource) -> bool) -> ConfigEntry {
        let key = broker_key_behind(name);
        // A setting nobody knows may be a secret of a plug-in: Kafka hides it, and so do we.
        let sensitive = key.is_none_or(Key::is_sensitive);
        let mut synonyms = self.synonyms(name, &keys::synonyms_with_listeners(name), sensitive);
        synonyms.retain(|synonym| shown(synonym.source));
        ConfigEntry {
            name: name.to_owned(),
            value: if sensitive { None } else { value.to_text() },
            read_only: !is_dynamic(name),
            sensitive,
            source: synonyms.first().map_or(ConfigSource::Default, |first| first.source),
            config_type: key.map_or(ConfigType::Unknown, |key| ConfigType::of(key.kind)),
            documentation: keys::broker_key(name).map(|key| key.doc),
            synonyms,
        }
    }

    /// Every value the names have anywhere, in order of strength, from the first one that is called `name`.
    pub(super) fn synonyms(&self, name: &str, names: &[&str], sensitive: bool) -> Vec<ConfigSynonym> {
        let shown = |value: &str| if sensitive { None } else { Some(value.to_owned()) };
        let mut all = Vec::new();
        for (settings, source) in [
            (self.dynamic_broker(), ConfigSource::DynamicBroker),
            (self.dynamic_default(), ConfigSource::DynamicDefaultBroker),
        ] {
            for synonym in names {
                if let Some(value) = settings.get(*synonym) {
                    all.push(ConfigSynonym { name: (*synonym).to_owned(), value: shown(value), source });
                }
            }
        }
        for (embedded, source) in [(false, ConfigSource::StaticBroker), (true, ConfigSource::Default)] {
            for synonym in names {
                let setting =
                    self.statics().get(*synonym).filter(|s| (s.source == Source::Embedded) == embedded);
                let table_default =
                    if embedded { keys::broker_key(synonym).and_then(|key| key.default) } else { None };
                for value in setting.map(|s| s.value.as_str()).into_iter().chain(table_default).take(1) {
                    all.push(ConfigSynonym { name: (*synonym).to_owned(), value: shown(value), source });
                }
            }
        }
        let first = all.iter().position(|synonym| synonym.name == name).unwrap_or(all.len());
        all.split_off(first)
    }
}

/// The broker key a name stands for, also behind `listener.name.{listener}.`.
fn broker_key_behind(name: &str) -> Option<&'static Key> {
    keys::synonyms_with_listeners(name).into_iter().find_map(keys::broker_key)
}

/// Kafka calls the throttle keys read-only, though they exist only dynamically.
fn is_dynamic(name: &str) -> bool {
    let is_throttle = keys::extra::DYNAMIC_ONLY.iter().any(|key| key.name == name);
    keys::broker_key(name).is_some_and(|key| key.update != UpdateMode::ReadOnly) && !is_throttle
}

#[cfg(test)]
#[path = "describe_tests.rs"]
mod tests;
