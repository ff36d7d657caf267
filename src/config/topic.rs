//! One topic's settings: its overrides over the broker's defaults (`LogConfig`).

mod checks;
mod reader;

use std::collections::BTreeMap;

use crate::error::ConfigError;
use crate::keys::topic::{TOPIC_KEYS, TopicKey, topic_key};
use crate::layers::{Values, value_or_default};
use crate::value::{self, Value};

use checks::{check_compaction_lags, check_remote};
use reader::{LOCAL_RETENTION_UNSET, Reader};

/// Checks topic overrides as CreateTopics and AlterConfigs do, against Kafka's defaults; the text is Kafka's.
/// [`TopicDefaults::validate`] does the same against the defaults of one broker.
pub fn validate_topic_configs(overrides: &BTreeMap<String, String>) -> Result<(), String> {
    TopicDefaults::of_kafka().validate(overrides).map_err(|error| error.to_string())
}

/// The settings of one topic.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicConfig {
    /// `cleanup.policy`.
    pub cleanup: Cleanup,
    /// `compression.type` with its level.
    pub compression: Compression,
    /// `segment.bytes` (or the internal `internal.segment.bytes`).
    pub segment_bytes: i32,
    /// `segment.ms`.
    pub segment_ms: i64,
    /// `segment.jitter.ms`.
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`.
    pub segment_index_bytes: i32,
    /// `flush.messages`.
    pub flush_messages: i64,
    /// `flush.ms`.
    pub flush_ms: i64,
    /// `retention.bytes`; negative is unlimited.
    pub retention_bytes: i64,
    /// `retention.ms`; -1 is unlimited.
    pub retention_ms: i64,
    /// `max.message.bytes`: the largest record batch.
    pub max_message_bytes: i32,
    /// `index.interval.bytes`.
    pub index_interval_bytes: i32,
    /// `delete.retention.ms`: how long tombstones survive compaction.
    pub delete_retention_ms: i64,
    /// `min.compaction.lag.ms`, not above `max_compaction_lag_ms`.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`.
    pub max_compaction_lag_ms: i64,
    /// `file.delete.delay.ms`.
    pub file_delete_delay_ms: i64,
    /// `min.cleanable.dirty.ratio`, 0 to 1.
    pub min_cleanable_dirty_ratio: f64,
    /// `min.insync.replicas`.
    pub min_insync_replicas: i32,
    /// `unclean.leader.election.enable`.
    pub unclean_leader_election: bool,
    /// `preallocate`.
    pub preallocate: bool,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub timestamp_after_max_ms: i64,
    /// `leader.replication.throttled.replicas`.
    pub leader_throttled_replicas: Vec<String>,
    /// `follower.replication.throttled.replicas`.
    pub follower_throttled_replicas: Vec<String>,
    /// `local.retention.ms` with -2 replaced by `retention_ms`.
    pub local_retention_ms: i64,
    /// `local.retention.bytes` with -2 replaced by `retention_bytes`.
    pub local_retention_bytes: i64,
    /// `remote.storage.enable`.
    pub remote_storage: bool,
    /// `remote.log.copy.disable`.
    pub remote_copy_disabled: bool,
    /// `remote.log.delete.on.disable`.
    pub remote_delete_on_disable: bool,
    /// `write.caching`, Ottla's own: acks=all is answered after the write, without waiting for the disk.
    pub write_caching: bool,
}

/// `cleanup.policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleanup {
    /// Old values of a key are removed.
    pub compact: bool,
    /// Old segments are removed.
    pub delete: bool,
}

/// `compression.type` and the level that belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Batches stay as the producer made them.
    Producer,
    /// Nothing is compressed.
    Uncompressed,
    /// 1 to 9, or -1 for the library's choice.
    Gzip {
        /// `compression.gzip.level`.
        level: i32,
    },
    /// Has no levels.
    Snappy,
    /// 1 to 17.
    Lz4 {
        /// `compression.lz4.level`.
        level: i32,
    },
    /// -131072 to 22.
    Zstd {
        /// `compression.zstd.level`.
        level: i32,
    },
}

/// `message.timestamp.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's.
    LogAppendTime,
}

/// What topic settings are when a topic does not override them (`KafkaConfig.extractLogConfigMap`).
#[derive(Clone, Debug, PartialEq)]
pub struct TopicDefaults {
    values: BTreeMap<&'static str, Value>,
    remote_storage_system: bool,
}

impl TopicDefaults {
    /// Kafka's defaults, with nothing configured.
    pub fn of_kafka() -> Self {
        let values = TOPIC_KEYS.iter().map(|row| (row.key.name, value::default_value(&row.key))).collect();
        Self { values, remote_storage_system: false }
    }

    /// The defaults one broker's configuration gives.
    pub(crate) fn of_broker(values: &Values) -> Result<Self, ConfigError> {
        let defaults = Self {
            values: TOPIC_KEYS.iter().map(|row| (row.key.name, broker_default(row, values))).collect(),
            remote_storage_system: values.bool("remote.log.storage.system.enable"),
        };
        check_compaction_lags(&defaults.values)?;
        Ok(defaults)
    }

    /// The settings of a topic with these overrides; overrides that are not legal topic settings are an error.
    pub fn resolve(&self, overrides: &BTreeMap<String, String>) -> Result<TopicConfig, ConfigError> {
        Ok(TopicConfig::of(&self.merged(overrides)?))
    }

    /// The settings of a topic without overrides.
    pub fn config(&self) -> TopicConfig {
        TopicConfig::of(&self.values)
    }

    /// Checks overrides as CreateTopics and AlterConfigs do (`LogConfig.validate`).
    pub fn validate(&self, overrides: &BTreeMap<String, String>) -> Result<(), ConfigError> {
        self.validate_change(overrides, &BTreeMap::new())
    }

    /// As [`Self::validate`], for a topic that had other overrides before: tiered storage cannot be switched off
    /// while keeping its data.
    pub fn validate_change(
        &self,
        overrides: &BTreeMap<String, String>,
        before: &BTreeMap<String, String>,
    ) -> Result<(), ConfigError> {
        let merged = self.merged(overrides)?;
        check_compaction_lags(&merged)?;
        let was_remote = before.get("remote.storage.enable").is_some_and(|v| v.eq_ignore_ascii_case("true"));
        check_remote(&merged, self.remote_storage_system, was_remote)
    }

    /// Typed values of all topic keys, by name.
    pub(crate) fn merged(
        &self,
        overrides: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<&'static str, Value>, ConfigError> {
        let mut merged = self.values.clone();
        if let Some(unknown) = overrides.keys().find(|name| topic_key(name).is_none()) {
            return Err(ConfigError::UnknownTopicConfig(unknown.clone()));
        }
        for (name, text) in overrides {
            if let Some(row) = topic_key(name) {
                merged.insert(row.key.name, value_or_default(&row.key, Some(text))?);
            }
        }
        Ok(merged)
    }
}

/// The value of a topic key that no topic sets.
pub(crate) fn broker_default(row: &TopicKey, values: &Values) -> Value {
    const MINUTE_MS: i64 = 60_000;
    const HOUR_MS: i64 = 60 * MINUTE_MS;
    let first = |names: &[(&str, i64)]| {
        names
            .iter()
            .find_map(|(name, unit_ms)| Some(values.optional_long(name)?.saturating_mul(*unit_ms)))
            .map_or(Value::Null, Value::Int)
    };
    match (row.key.name, row.broker_key) {
        ("segment.ms", _) => first(&[("log.roll.ms", 1), ("log.roll.hours", HOUR_MS)]),
        ("segment.jitter.ms", _) => first(&[("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", HOUR_MS)]),
        ("flush.ms", _) => first(&[("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)]),
        ("retention.ms", _) => {
            let chain = [
                ("log.retention.ms", 1),
                ("log.retention.minutes", MINUTE_MS),
                ("log.retention.hours", HOUR_MS),
            ];
            match first(&chain) {
                Value::Int(ms) if ms < 0 => Value::Int(-1),
                other => other,
            }
        }
        (_, Some(broker_key)) => values.value(broker_key).clone(),
        (_, None) => value::default_value(&row.key),
    }
}

impl TopicConfig {
    fn of(values: &BTreeMap<&'static str, Value>) -> Self {
        let reader = Reader(values);
        let (retention_ms, retention_bytes) = (reader.long("retention.ms"), reader.long("retention.bytes"));
        let or_if_unset = |name: &str, otherwise: i64| match reader.long(name) {
            LOCAL_RETENTION_UNSET => otherwise,
            set => set,
        };
        Self {
            cleanup: Cleanup {
                compact: reader.list_has("cleanup.policy", "compact"),
                delete: reader.list_has("cleanup.policy", "delete"),
            },
            compression: reader.compression(),
            segment_bytes: reader.internal_segment_bytes().unwrap_or_else(|| reader.int("segment.bytes")),
            segment_ms: reader.long("segment.ms"),
            segment_jitter_ms: reader.long("segment.jitter.ms"),
            segment_index_bytes: reader.int("segment.index.bytes"),
            flush_messages: reader.long("flush.messages"),
            flush_ms: reader.long("flush.ms"),
            retention_bytes,
            retention_ms,
            max_message_bytes: reader.int("max.message.bytes"),
            index_interval_bytes: reader.int("index.interval.bytes"),
            delete_retention_ms: reader.long("delete.retention.ms"),
            min_compaction_lag_ms: reader.long("min.compaction.lag.ms"),
            max_compaction_lag_ms: reader.long("max.compaction.lag.ms"),
            file_delete_delay_ms: reader.long("file.delete.delay.ms"),
            min_cleanable_dirty_ratio: reader.double("min.cleanable.dirty.ratio"),
            min_insync_replicas: reader.int("min.insync.replicas"),
            unclean_leader_election: reader.bool("unclean.leader.election.enable"),
            preallocate: reader.bool("preallocate"),
            timestamp_type: reader.timestamp_type(),
            timestamp_before_max_ms: reader.long("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: reader.long("message.timestamp.after.max.ms"),
            leader_throttled_replicas: reader.list("leader.replication.throttled.replicas").to_vec(),
            follower_throttled_replicas: reader.list("follower.replication.throttled.replicas").to_vec(),
            local_retention_ms: or_if_unset("local.retention.ms", retention_ms),
            local_retention_bytes: or_if_unset("local.retention.bytes", retention_bytes),
            remote_storage: reader.bool("remote.storage.enable"),
            remote_copy_disabled: reader.bool("remote.log.copy.disable"),
            remote_delete_on_disable: reader.bool("remote.log.delete.on.disable"),
            write_caching: reader.bool("write.caching"),
        }
    }
}

#[cfg(test)]
#[path = "topic_tests.rs"]
mod tests;
