//! Topics: their creation and the defaults of their settings.

use crate::error::ConfigError;
use crate::layers::Values;
use crate::listeners::parse_csv;
use crate::topic::TopicDefaults;

/// Topics: creation, and the defaults of their settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Topics {
    /// `auto.create.topics.enable`.
    pub auto_create: bool,
    /// `num.partitions`.
    pub partitions: i32,
    /// `default.replication.factor`.
    pub replication_factor: i32,
    /// `delete.topic.enable`.
    pub delete_enabled: bool,
    /// What a topic's settings are without overrides; resolves a topic's configuration.
    pub defaults: TopicDefaults,
    /// `create.topics`: topics to create at the first start.
    pub create_at_start: Vec<StartTopic>,
}

/// One entry of `create.topics`, the `name:partitions:replicas[:cleanup.policy]` of older images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartTopic {
    /// Topic name.
    pub name: String,
    /// Number of partitions.
    pub partitions: i32,
    /// Replication factor.
    pub replication_factor: i16,
    /// `cleanup.policy`, if given.
    pub cleanup_policy: Option<String>,
}

impl Topics {
    pub(super) fn resolve(values: &Values) -> Result<Self, ConfigError> {
        Ok(Self {
            auto_create: values.bool("auto.create.topics.enable"),
            partitions: values.int("num.partitions"),
            replication_factor: values.int("default.replication.factor"),
            delete_enabled: values.bool("delete.topic.enable"),
            defaults: TopicDefaults::of_broker(values)?,
            create_at_start: create_at_start(values)?,
        })
    }
}

fn create_at_start(values: &Values) -> Result<Vec<StartTopic>, ConfigError> {
    const KEY: &str = "create.topics";
    let text = values.text(KEY).unwrap_or("");
    parse_csv(text)
        .into_iter()
        .map(|entry| {
            start_topic(entry).ok_or_else(|| {
                let reason =
                    "a comma separated list of name:partitions:replicas[:cleanup.policy] is expected";
                ConfigError::invalid(KEY, text, reason).with_source(values.source(KEY))
            })
        })
        .collect()
}

fn start_topic(entry: &str) -> Option<StartTopic> {
    let mut parts = entry.split(':').map(str::trim);
    let topic = StartTopic {
        name: parts.next().filter(|name| !name.is_empty())?.to_owned(),
        partitions: parts.next()?.parse().ok().filter(|count| *count > 0)?,
        replication_factor: parts.next()?.parse().ok().filter(|count| *count > 0)?,
        cleanup_policy: parts.next().map(|policy| policy.replace("--config=cleanup.policy=", "")),
    };
    parts.next().is_none().then_some(topic)
}
