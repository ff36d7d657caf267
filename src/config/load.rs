//! From properties file, environment and overrides to one set of raw settings, each knowing where it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::env::Dialect;
use crate::error::ConfigError;
use crate::layers::Layers;
use crate::providers::{self, ReadFile};
use crate::resolved::BrokerConfig;
use crate::{env, properties, review, secrets, zookeeper};

/// Everything that decides a start, as data.
#[derive(Clone, Debug, Default)]
pub struct Inputs<'a> {
    /// The file given by `--config`.
    pub file: Option<PropertiesFile<'a>>,
    /// The process environment; only `KAFKA_*` names matter.
    pub environment: &'a [(String, String)],
    /// `key=value` texts of `--override`, in order.
    pub overrides: &'a [String],
}

/// A properties file that was read.
#[derive(Clone, Copy, Debug)]
pub struct PropertiesFile<'a> {
    /// How messages name it, such as `config/server.properties`.
    pub name: &'a str,
    /// Its content.
    pub bytes: &'a [u8],
}

/// What a start needs.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The typed configuration, without any dynamic setting.
    pub broker: BrokerConfig,
    /// The raw settings, to which dynamic ones are added later.
    pub layers: Layers,
    /// What the operator should read, in a stable order.
    pub notices: Vec<Notice>,
}

/// A log line about the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How loud.
    pub level: NoticeLevel,
    /// One sentence.
    pub text: String,
}

/// The level of a [`Notice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum NoticeLevel {
    Info,
    Warn,
}

/// Where a value came from; prints as messages name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// What a bare `ottla` uses.
    Embedded,
    /// A line of a properties file.
    File {
        /// The file, as the operator named it.
        name: Arc<str>,
        /// Line of the key, counted from 1.
        line: u32,
    },
    /// An environment variable.
    Environment {
        /// Its name, such as `KAFKA_LISTENERS`.
        variable: Arc<str>,
    },
    /// `--override`.
    Override,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("built-in default"),
            Self::File { name, line } => write!(f, "{name} line {line}"),
            Self::Environment { variable } => write!(f, "{variable} (environment)"),
            Self::Override => f.write_str("--override"),
        }
    }
}

/// One raw value and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The text as it was given.
    pub value: String,
    /// Where from.
    pub source: Source,
}

/// Raw settings by key; of several origins the strongest is kept.
pub type Settings = BTreeMap<String, Setting>;

/// What `ottla` without any setting uses, as (key, value, keys that replace it when they are set).
pub const EMBEDDED: &[(&str, &str, &[&str])] = &[
    ("process.roles", "broker,controller", &[]),
    ("node.id", "1", &["broker.id"]),
    ("log.dirs", "./ottla-data", &["log.dir"]),
];

/// Reads all inputs: embedded defaults, then the file, then `KAFKA_*`, then overrides; the later wins. Settings that
/// refer to further files are refused: see [`load_with`].
pub fn load(inputs: &Inputs<'_>) -> Result<Loaded, ConfigError> {
    load_with(inputs, &|_path| Err("no file can be read here".to_owned()))
}

/// As [`load`], with a way to read the files that `${file:...}` and `${dir:...}` name.
pub fn load_with(inputs: &Inputs<'_>, read_file: ReadFile<'_>) -> Result<Loaded, ConfigError> {
    let mut settings = Settings::new();
    if let Some(file) = inputs.file {
        add_file(&mut settings, file)?;
    }
    for variable in env::kafka_properties(inputs.environment, Dialect::of(inputs.environment)) {
        let source = Source::Environment { variable: Arc::from(variable.name) };
        settings.insert(variable.key, Setting { value: variable.value, source });
    }
    add_overrides(&mut settings, inputs.overrides)?;
    finish(settings, inputs.environment, read_file)
}

/// From all settings that were given to the typed configuration.
pub(crate) fn finish(
    mut settings: Settings,
    environment: &[(String, String)],
    read_file: ReadFile<'_>,
) -> Result<Loaded, ConfigError> {
    add_listeners(&mut settings);
    zookeeper::refuse_several_brokers(&settings)?;
    add_embedded(&mut settings);
    let mut notices = providers::substitute(&mut settings, environment, read_file)?;
    notices.extend(review::review(&settings)?);
    let layers = Layers::new(settings);
    let broker = layers.resolve().map_err(|error| {
        let named = name_origins(error, layers.statics());
        secrets::tell_what_is_there(named, layers.statics(), environment, read_file)
    })?;
    Ok(Loaded { broker, layers, notices })
}

pub(crate) fn add_overrides(settings: &mut Settings, overrides: &[String]) -> Result<(), ConfigError> {
    for text in overrides {
        let (key, value) = split_override(text)?;
        settings.insert(key, Setting { value, source: Source::Override });
    }
    Ok(())
}

/// A contradiction is in Kafka's words, which name a setting by its key or by its value: says which settings of the
/// operator's it is about, and where each stands. Built-in defaults are nobody's to mend.
fn name_origins(error: ConfigError, settings: &Settings) -> ConfigError {
    const TELLING_BYTES_MIN: usize = 4;
    if !matches!(error, ConfigError::Conflict(_) | ConfigError::Requirement(_)) {
        return error;
    }
    let text = error.to_string();
    let is_named = |key: &str, value: &str| {
        text.contains(key) || (value.len() >= TELLING_BYTES_MIN && text.contains(value))
    };
    let settings: Vec<String> = settings
        .iter()
        .filter(|(key, setting)| setting.source != Source::Embedded && is_named(key, &setting.value))
        .map(|(key, setting)| format!("{key} is set by {}", setting.source))
        .collect();
    if settings.is_empty() { error } else { ConfigError::Traced { error: Box::new(error), settings } }
}

pub(crate) fn add_file(settings: &mut Settings, file: PropertiesFile<'_>) -> Result<(), ConfigError> {
    let name: Arc<str> = Arc::from(file.name);
    let parsed = properties::parse(file.bytes)
        .map_err(|e| ConfigError::Syntax(format!("{} line {}: {}", file.name, e.line, e.reason)))?;
    for property in parsed {
        let source = Source::File { name: Arc::clone(&name), line: property.line };
        settings.insert(property.key, Setting { value: property.value, source });
    }
    Ok(())
}

/// With only `KAFKA_ADVERTISED_LISTENERS` given, the images of Kafka listen on its ports on all interfaces, and
/// compose files rely on it.
pub(crate) fn add_listeners(settings: &mut Settings) {
    let is_given = |setting: &&Setting| !setting.value.trim().is_empty();
    let of_environment = |setting: &&Setting| matches!(setting.source, Source::Environment { .. });
    if settings.get("listeners").as_ref().is_some_and(is_given) {
        return;
    }
    let advertised = settings.get("advertised.listeners").filter(is_given).filter(of_environment);
    if let Some(Setting { value, source }) = advertised.cloned() {
        let listeners = Setting { value: env::listeners_of_advertised(&value), source };
        settings.insert("listeners".to_owned(), listeners);
    }
}

/// The settings of a bare start.
pub(crate) fn embedded() -> Settings {
    let mut settings = Settings::new();
    add_embedded(&mut settings);
    settings
}

fn add_embedded(settings: &mut Settings) {
    for (key, value, replaced_by) in EMBEDDED {
        if settings.contains_key(*key) || replaced_by.iter().any(|other| settings.contains_key(*other)) {
            continue;
        }
        let setting = Setting { value: (*value).to_owned(), source: Source::Embedded };
        settings.insert((*key).to_owned(), setting);
    }
}

fn split_override(text: &str) -> Result<(String, String), ConfigError> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err(ConfigError::Syntax(format!("--override {text} is not of the form key=value"))),
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
