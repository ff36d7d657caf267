//! What can be wrong with a configuration.

use crate::load::Source;

/// A configuration the broker must not start with, or a change it must not take. The text is Kafka's wherever Kafka
/// has one, because people and tests search for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// One key's value is not legal (`org.apache.kafka.common.config.ConfigException`).
    #[error("Invalid value {value} for configuration {key}{}{}", detail(.reason), origin(.source_of_value.as_ref()))]
    InvalidValue {
        /// The key as Kafka spells it.
        key: String,
        /// The value as it was given; `[hidden]` when the key is sensitive.
        value: String,
        /// What would be legal; may be empty.
        reason: String,
        /// Where the value came from, when it came from a start-up setting.
        source_of_value: Option<Source>,
    },
    /// Settings that contradict each other or name something that does not exist.
    #[error("{0}")]
    Conflict(String),
    /// Settings that contradict each other, where Kafka's own text comes from Scala's `require`.
    #[error("requirement failed: {0}")]
    Requirement(String),
    /// Something Kafka would do and this broker does not: silence would be a surprise.
    #[error("{key}={value} is refused{}: {reason}", origin(.source_of_value.as_ref()))]
    Refused {
        /// The key as Kafka spells it.
        key: String,
        /// The value as it was given; `[hidden]` when the key is sensitive.
        value: String,
        /// Why, and what to do instead.
        reason: String,
        /// Where the value came from, when it came from a start-up setting.
        source_of_value: Option<Source>,
    },
    /// A contradiction at a start, and the settings that it is about.
    #[error("{error} ({})", settings.join(", "))]
    Traced {
        /// The contradiction.
        error: Box<ConfigError>,
        /// Sentences that name a key and where it stands.
        settings: Vec<String>,
    },
    /// A line of a properties file, or an override, that cannot be read.
    #[error("{0}")]
    Syntax(String),
    /// A topic configuration name that does not exist.
    #[error("Unknown topic config name: {0}")]
    UnknownTopicConfig(String),
    /// A group configuration name that does not exist.
    #[error("Unknown group config name: {0}")]
    UnknownGroupConfig(String),
}

impl ConfigError {
    /// An illegal value whose origin is not known (yet).
    pub(crate) fn invalid(key: &str, value: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::InvalidValue {
            key: key.to_owned(),
            value: value.into(),
            reason: reason.into(),
            source_of_value: None,
        }
    }

    /// The same error, naming where the value came from.
    pub(crate) fn with_source(self, source: Option<&Source>) -> Self {
        match self {
            Self::InvalidValue { key, value, reason, .. } => {
                Self::InvalidValue { key, value, reason, source_of_value: source.cloned() }
            }
            Self::Refused { key, value, reason, .. } => {
                Self::Refused { key, value, reason, source_of_value: source.cloned() }
            }
            other => other,
        }
    }
}

fn detail(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

fn origin(source: Option<&Source>) -> String {
    match source {
        Some(source) => format!(" ({source})"),
        None => String::new(),
    }
}
