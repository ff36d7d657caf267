//! Static and dynamic settings together: the strongest value of every key, and what it came from.
//!
//! Order of strength, as `DynamicBrokerConfig` has it: dynamic for this broker, dynamic default of the cluster,
//! static, default. A dynamic setting also silences its weaker synonyms: `log.retention.ms` set dynamically beats
//! a static `log.retention.hours`, and the other way round.

use std::collections::BTreeMap;
use std::convert::Infallible;

use crate::error::ConfigError;
use crate::key::Key;
use crate::keys;
use crate::load::{Setting, Settings, Source};
use crate::resolved::BrokerConfig;
use crate::value::{self, Value};

/// All settings that act on one broker. Immutable: a change makes a new one.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    statics: Settings,
    dynamic_default: BTreeMap<String, String>,
    dynamic_broker: BTreeMap<String, String>,
}

impl Layers {
    /// Static settings alone.
    pub fn new(mut statics: Settings) -> Self {
        fill_node_id(&mut statics);
        Self { statics, ..Self::default() }
    }

    /// The same static settings under other dynamic ones: the cluster's default and this broker's own.
    pub fn with_dynamic(&self, default: BTreeMap<String, String>, broker: BTreeMap<String, String>) -> Self {
        Self { statics: self.statics.clone(), dynamic_default: default, dynamic_broker: broker }
    }

    /// The typed configuration these settings amount to, or the first thing wrong with them.
    pub fn resolve(&self) -> Result<BrokerConfig, ConfigError> {
        BrokerConfig::resolve(&self.values()?)
    }

    /// Start-up settings by key.
    pub fn statics(&self) -> &Settings {
        &self.statics
    }

    /// Dynamic defaults of the cluster.
    pub fn dynamic_default(&self) -> &BTreeMap<String, String> {
        &self.dynamic_default
    }

    /// Dynamic settings of this broker.
    pub fn dynamic_broker(&self) -> &BTreeMap<String, String> {
        &self.dynamic_broker
    }

    /// Every setting in force, unknown keys included, with its start-up origin if it has one.
    pub(crate) fn effective(&self) -> BTreeMap<&str, (&str, Option<&Source>)> {
        let mut effective: BTreeMap<&str, (&str, Option<&Source>)> = self
            .statics
            .iter()
            .map(|(key, Setting { value, source })| (key.as_str(), (value.as_str(), Some(source))))
            .collect();
        for (key, value) in self.dynamic_default.iter().chain(&self.dynamic_broker) {
            for synonym in keys::synonyms(key) {
                effective.remove(synonym);
            }
            effective.insert(key, (value, None));
        }
        effective
    }

    /// Whether the operator set this key, rather than a built-in default.
    pub fn is_explicit(&self, key: &str) -> bool {
        self.effective().get(key).is_some_and(|(_, source)| *source != Some(&Source::Embedded))
    }

    /// Typed values of all broker keys.
    fn values(&self) -> Result<Values, ConfigError> {
        self.parse_all(|key, text, source| value::parse(key, text).map_err(|e| e.with_source(source)))
    }

    /// As [`Self::values`], with the default in place of a value that is not legal.
    pub(crate) fn lenient_values(&self) -> Values {
        let parsed = self.parse_all(|key, text, _| {
            Ok::<_, Infallible>(value::parse(key, text).unwrap_or_else(|_| value::default_value(key)))
        });
        match parsed {
            Ok(values) => values,
            Err(never) => match never {},
        }
    }

    fn parse_all<E>(
        &self,
        parse: impl Fn(&Key, &str, Option<&Source>) -> Result<Value, E>,
    ) -> Result<Values, E> {
        let effective = self.effective();
        let mut parsed = BTreeMap::new();
        for key in keys::broker_keys() {
            let value = match effective.get(key.name) {
                Some((text, source)) => parse(key, text, *source)?,
                None => value::default_value(key),
            };
            parsed.insert(key.name, value);
        }
        let sources =
            effective.into_iter().map(|(name, (_, source))| (name.to_owned(), source.cloned())).collect();
        Ok(Values { parsed, sources })
    }
}

/// `broker.id` and `node.id` stand for each other.
fn fill_node_id(statics: &mut Settings) {
    for (set, missing) in [("node.id", "broker.id"), ("broker.id", "node.id")] {
        if let (Some(setting), false) = (statics.get(set).cloned(), statics.contains_key(missing)) {
            statics.insert(missing.to_owned(), setting);
        }
    }
}

/// Parsed values of all broker keys, read by name while the typed configuration is built.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    parsed: BTreeMap<&'static str, Value>,
    /// Keys somebody set; `None` for a dynamic origin.
    sources: BTreeMap<String, Option<Source>>,
}

/// The getters panic on a key that the table has not, or has with another type: a mistake in this crate that the
/// first test that resolves a configuration finds, never something an operator can cause.
impl Values {
    pub(crate) fn bool(&self, name: &str) -> bool {
        match self.value(name) {
            Value::Bool(value) => *value,
            other => mistyped(name, other),
        }
    }

    pub(crate) fn int(&self, name: &str) -> i32 {
        i32::try_from(self.long(name)).unwrap_or_else(|_e| mistyped(name, self.value(name)))
    }

    pub(crate) fn short(&self, name: &str) -> i16 {
        i16::try_from(self.long(name)).unwrap_or_else(|_e| mistyped(name, self.value(name)))
    }

    pub(crate) fn long(&self, name: &str) -> i64 {
        self.optional_long(name).unwrap_or_else(|| mistyped(name, &Value::Null))
    }

    pub(crate) fn optional_long(&self, name: &str) -> Option<i64> {
        match self.value(name) {
            Value::Int(value) => Some(*value),
            Value::Null => None,
            other => mistyped(name, other),
        }
    }

    pub(crate) fn double(&self, name: &str) -> f64 {
        match self.value(name) {
            Value::Double(value) => *value,
            other => mistyped(name, other),
        }
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.value(name) {
            Value::Text(value) => Some(value),
            Value::Null => None,
            other => mistyped(name, other),
        }
    }

    pub(crate) fn list(&self, name: &str) -> &[String] {
        match self.value(name) {
            Value::List(items) => items,
            Value::Null => &[],
            other => mistyped(name, other),
        }
    }

    /// Whether somebody set this key.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.sources.contains_key(name)
    }

    /// Where the value came from, if a start-up setting gave it.
    pub(crate) fn source(&self, name: &str) -> Option<&Source> {
        self.sources.get(name).and_then(Option::as_ref)
    }

    pub(crate) fn value(&self, name: &str) -> &Value {
        match self.parsed.get(name) {
            Some(value) => value,
            None => mistyped(name, &Value::Null),
        }
    }
}

fn mistyped<T>(name: &str, value: &Value) -> T {
    panic!("the table of keys has no {name} of the type read: {value:?}")
}

/// The typed value of one key in a set of texts, or its default.
pub(crate) fn value_or_default(key: &Key, text: Option<&String>) -> Result<Value, ConfigError> {
    match text {
        Some(text) => value::parse(key, text),
        None => Ok(value::default_value(key)),
    }
}
