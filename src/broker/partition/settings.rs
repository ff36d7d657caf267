//! What one topic's configuration means to its partitions.

use config::resolved::Transactions;
use config::{Compression, TopicConfig};
use records::Codec;
use storage::LogConfig;

/// The settings of one topic, resolved for its logs and for the validation of what is produced to it.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicSettings {
    /// What the logs need.
    pub log: LogConfig,
    /// `message.timestamp.type`.
    pub timestamp_type: records::TimestampType,
    /// `message.timestamp.before.max.ms`.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub timestamp_after_max_ms: i64,
    /// `max.message.bytes`.
    pub message_bytes_max: usize,
    /// `compression.type` with its level; `None` for `producer`.
    pub target_codec: Option<(Codec, Option<i32>)>,
    /// `min.insync.replicas`.
    pub min_insync_replicas: i32,
    /// `write.caching`: an append is committed as soon as it is written.
    pub write_caching: bool,
}

impl TopicSettings {
    /// Settings of a topic with this configuration, on a broker with these settings of producers and transactions.
    pub fn resolve(topic: &TopicConfig, transactions: &Transactions) -> Self {
        Self {
            log: log_config(topic, transactions),
            timestamp_type: match topic.timestamp_type {
                config::TimestampType::CreateTime => records::TimestampType::CreateTime,
                config::TimestampType::LogAppendTime => records::TimestampType::LogAppendTime,
            },
            timestamp_before_max_ms: topic.timestamp_before_max_ms,
            timestamp_after_max_ms: topic.timestamp_after_max_ms,
            message_bytes_max: usize::try_from(topic.max_message_bytes).unwrap_or(0),
            target_codec: match topic.compression {
                Compression::Producer => None,
                Compression::Uncompressed => Some((Codec::None, None)),
                Compression::Gzip { level } => Some((Codec::Gzip, Some(level))),
                Compression::Snappy => Some((Codec::Snappy, None)),
                Compression::Lz4 { level } => Some((Codec::Lz4, Some(level))),
                Compression::Zstd { level } => Some((Codec::Zstd, Some(level))),
            },
            min_insync_replicas: topic.min_insync_replicas,
            write_caching: topic.write_caching,
        }
    }

    /// Whether records need keys: compaction goes by them.
    pub fn key_required(&self) -> bool {
        self.log.cleanup.compact
    }
}

fn log_config(topic: &TopicConfig, transactions: &Transactions) -> LogConfig {
    // The config room admits no negative sizes; were one to come, the smallest segment is the safe reading.
    let size = |bytes: i32| u32::try_from(bytes).unwrap_or(0);
    LogConfig {
        segment_bytes: size(topic.segment_bytes),
        segment_ms: topic.segment_ms,
        segment_jitter_ms: topic.segment_jitter_ms,
        retention_ms: topic.retention_ms,
        retention_bytes: topic.retention_bytes,
        index_interval_bytes: size(topic.index_interval_bytes),
        index_bytes_max: size(topic.segment_index_bytes),
        cleanup: storage::Cleanup { delete: topic.cleanup.delete, compact: topic.cleanup.compact },
        delete_retention_ms: topic.delete_retention_ms,
        min_compaction_lag_ms: topic.min_compaction_lag_ms,
        max_compaction_lag_ms: topic.max_compaction_lag_ms,
        min_cleanable_dirty_ratio: topic.min_cleanable_dirty_ratio,
        file_delete_delay_ms: topic.file_delete_delay_ms,
        flush_messages: topic.flush_messages,
        flush_ms: topic.flush_ms,
        preallocate: topic.preallocate,
        producer_id_expiration_ms: i64::from(transactions.producer_id_expiration_ms),
        verify_transactions: transactions.verify_partitions,
        max_message_bytes: size(topic.max_message_bytes),
    }
}
