//! One topic's settings: its overrides over the broker's defaults (`LogConfig`).

use std::collections::BTreeMap;

use crate::error::ConfigError;
use crate::keys::topic::{TOPIC_KEYS, TopicKey, topic_key};
use crate::layers::{Values, value_or_default};
use crate::value::{self, Value};

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

/// Kafka's mark for "as `retention.*`".
const LOCAL_RETENTION_UNSET: i64 = -2;

/// Reads typed values of topic keys by name; a wrong name or type is a mistake in this crate (see `Values`).
struct Reader<'a>(&'a BTreeMap<&'static str, Value>);

impl Reader<'_> {
    fn value(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    fn long(&self, name: &str) -> i64 {
        match self.value(name) {
            Value::Int(value) => *value,
            other => mistyped(name, other),
        }
    }

    fn int(&self, name: &str) -> i32 {
        i32::try_from(self.long(name)).unwrap_or_else(|_e| mistyped(name, self.value(name)))
    }

    fn double(&self, name: &str) -> f64 {
        match self.value(name) {
            Value::Double(value) => *value,
            other => mistyped(name, other),
        }
    }

    fn bool(&self, name: &str) -> bool {
        match self.value(name) {
            Value::Bool(value) => *value,
            other => mistyped(name, other),
        }
    }

    fn list(&self, name: &str) -> &[String] {
        match self.value(name) {
            Value::List(items) => items,
            other => mistyped(name, other),
        }
    }

    fn list_has(&self, name: &str, wanted: &str) -> bool {
        self.list(name).iter().any(|item| item.eq_ignore_ascii_case(wanted))
    }

    fn text(&self, name: &str) -> &str {
        match self.value(name) {
            Value::Text(text) => text,
            other => mistyped(name, other),
        }
    }

    fn internal_segment_bytes(&self) -> Option<i32> {
        match self.value("internal.segment.bytes") {
            Value::Int(bytes) => i32::try_from(*bytes).ok(),
            _ => None,
        }
    }

    fn compression(&self) -> Compression {
        match self.text("compression.type") {
            "uncompressed" => Compression::Uncompressed,
            "gzip" => Compression::Gzip { level: self.int("compression.gzip.level") },
            "snappy" => Compression::Snappy,
            "lz4" => Compression::Lz4 { level: self.int("compression.lz4.level") },
            "zstd" => Compression::Zstd { level: self.int("compression.zstd.level") },
            // The table allows one more value, `producer`.
            _ => Compression::Producer,
        }
    }

    fn timestamp_type(&self) -> TimestampType {
        match self.text("message.timestamp.type") {
            "LogAppendTime" => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        }
    }
}

fn mistyped<T>(name: &str, value: &Value) -> T {
    panic!("the table of topic keys has no {name} of the type read: {value:?}")
}

fn check_compaction_lags(values: &BTreeMap<&'static str, Value>) -> Result<(), ConfigError> {
    let reader = Reader(values);
    let (min, max) = (reader.long("min.compaction.lag.ms"), reader.long("max.compaction.lag.ms"));
    if min > max {
        return Err(ConfigError::Conflict(format!(
            "conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})"
        )));
    }
    Ok(())
}

/// Kafka's rules for tiered storage (KIP-405, KIP-950).
fn check_remote(
    values: &BTreeMap<&'static str, Value>,
    system_enabled: bool,
    was_remote: bool,
) -> Result<(), ConfigError> {
    let reader = Reader(values);
    let conflict = |text: &str| Err(ConfigError::Conflict(text.to_owned()));
    if !reader.bool("remote.storage.enable") {
        if was_remote && !reader.bool("remote.log.delete.on.disable") {
            return conflict(
                "It is invalid to disable remote storage without deleting remote data. If you want to keep the remote \
                 data and turn to read only, please set `remote.storage.enable=true,remote.log.copy.disable=true`. If \
                 you want to disable remote storage and delete all remote data, please set \
                 `remote.storage.enable=false,remote.log.delete.on.disable=true`.",
            );
        }
        return Ok(());
    }
    if !system_enabled {
        return conflict(
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log \
             storage.",
        );
    }
    if reader.list("cleanup.policy").iter().any(|policy| !policy.eq_ignore_ascii_case("delete")) {
        return conflict("Remote log storage only supports topics with cleanup.policy=delete");
    }
    for (local, total) in
        [("local.retention.bytes", "retention.bytes"), ("local.retention.ms", "retention.ms")]
    {
        check_local_retention(&reader, local, total)?;
    }
    Ok(())
}

fn check_local_retention(reader: &Reader<'_>, local: &str, total: &str) -> Result<(), ConfigError> {
    let (local_value, total_value) = (reader.long(local), reader.long(total));
    if local_value == LOCAL_RETENTION_UNSET {
        return Ok(());
    }
    if total_value > -1 {
        let reason = match local_value {
            -1 => format!("Value must not be -1 as {total} value is set as {total_value}."),
            more if more > total_value => {
                format!("Value must not be more than {total} property value: {total_value}")
            }
            _ => String::new(),
        };
        if !reason.is_empty() {
            return Err(ConfigError::invalid(local, local_value.to_string(), reason));
        }
    }
    if reader.bool("remote.log.copy.disable") && local_value != total_value {
        return Err(ConfigError::Conflict(format!(
            "When `remote.log.copy.disable` is set to true, the `{local}` and `{total}` must be set to the identical \
             value because there will be no more logs copied to the remote storage."
        )));
    }
    Ok(())
}

#[cfg(test)]
#[path = "topic_tests.rs"]
mod tests;
