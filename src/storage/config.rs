//! The settings of one log, resolved: what `org.apache.kafka.storage.internals.log.LogConfig` means to storage.

/// Settings of one partition's log. All times are milliseconds, all sizes bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// `segment.bytes`: a segment that would grow beyond this is rolled first.
    pub segment_bytes: u32,
    /// `segment.ms`: age of the first record at which a segment is rolled by the next append.
    pub segment_ms: i64,
    /// `segment.jitter.ms`: at most this is taken off `segment_ms`, another share for each segment.
    pub segment_jitter_ms: i64,
    /// `retention.ms`; negative keeps for ever.
    pub retention_ms: i64,
    /// `retention.bytes`; negative keeps everything.
    pub retention_bytes: i64,
    /// `index.interval.bytes`: log bytes between two index entries.
    pub index_interval_bytes: u32,
    /// `segment.index.bytes`: size of an index file while its segment is active.
    pub index_bytes_max: u32,
    /// `cleanup.policy`.
    pub cleanup: Cleanup,
    /// `delete.retention.ms`: how long compaction keeps tombstones.
    pub delete_retention_ms: i64,
    /// `min.compaction.lag.ms`.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`: bounds `segment_ms` on a compacted topic.
    pub max_compaction_lag_ms: i64,
    /// `min.cleanable.dirty.ratio`.
    pub min_cleanable_dirty_ratio: f64,
    /// `file.delete.delay.ms`: time between the renaming of a deleted file and its removal.
    pub file_delete_delay_ms: i64,
    /// `flush.messages`: records after which a sync is due; the caller syncs.
    pub flush_messages: i64,
    /// `flush.ms`: age of an unsynced record at which a sync is due; the caller syncs.
    pub flush_ms: i64,
    /// `preallocate`: reserve the disk space of a segment when it is created. Its file size stays that of its data.
    pub preallocate: bool,
    /// `producer.id.expiration.ms` (broker key): idle time after which a producer is forgotten.
    pub producer_id_expiration_ms: i64,
    /// `transaction.partition.verification.enable` (broker key, KIP-890): the first batch of a transaction needs proof that
    /// its coordinator knows of it.
    pub verify_transactions: bool,
    /// `max.message.bytes`; the validation of batches applies it.
    pub max_message_bytes: u32,
}

/// `cleanup.policy`: either, both or neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleanup {
    /// Old segments are deleted by time and size.
    pub delete: bool,
    /// Older values of a key are dropped.
    pub compact: bool,
}

impl LogConfig {
    /// Age at which a segment is rolled (`LogConfig.maxSegmentMs`).
    pub(crate) fn roll_ms(&self) -> i64 {
        if self.cleanup.compact && self.max_compaction_lag_ms > 0 {
            self.segment_ms.min(self.max_compaction_lag_ms)
        } else {
            self.segment_ms
        }
    }
}

impl Default for LogConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * DAY_MS,
            segment_jitter_ms: 0,
            retention_ms: 7 * DAY_MS,
            retention_bytes: -1,
            index_interval_bytes: 4096,
            index_bytes_max: 10 << 20,
            cleanup: Cleanup { delete: true, compact: false },
            delete_retention_ms: DAY_MS,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            min_cleanable_dirty_ratio: 0.5,
            file_delete_delay_ms: 60_000,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
            preallocate: false,
            producer_id_expiration_ms: DAY_MS,
            verify_transactions: true,
            max_message_bytes: 1_048_588,
        }
    }
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
