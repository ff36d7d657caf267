//! Settings of a topic, and the broker key that gives each its default.

use crate::key::Check::{Any, AtLeast, Between, Fraction, GzipLevel, ListOf, OneOf, ThrottledReplicas};
use crate::key::Importance::Medium;
use crate::key::KeyType::{Boolean, Double, Int, List, Long, String};
use crate::key::Support::{Accepted, Honoured};
use crate::key::UpdateMode::ClusterWide;
use crate::key::{Key, key};

/// One topic setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TopicKey {
    /// The setting itself; topic settings always take effect while the broker runs.
    pub key: Key,
    /// The strongest broker key behind it (`ServerTopicConfigSynonyms.TOPIC_CONFIG_SYNONYMS`).
    pub broker_key: Option<&'static str>,
}

/// The topic setting of this exact name.
pub fn topic_key(name: &str) -> Option<&'static TopicKey> {
    TOPIC_KEYS.iter().find(|row| row.key.name == name)
}

const fn topic(key: Key, broker_key: Option<&'static str>) -> TopicKey {
    TopicKey { key, broker_key }
}

/// Topic settings that Kafka has not: it refuses to alter a topic that has one.
pub const OURS: &[&str] = &["write.caching"];

/// Every topic setting, sorted by name.
#[rustfmt::skip]
pub const TOPIC_KEYS: &[TopicKey] = &[
    topic(key("cleanup.policy", List, Some("delete"), ListOf(&["compact", "delete"]), Medium, ClusterWide, Honoured, "delete removes old segments, compact keeps the last value of each key; both may be given."), Some("log.cleanup.policy")),
    topic(key("compression.gzip.level", Int, Some("-1"), GzipLevel, Medium, ClusterWide, Honoured, "Level for compression.type=gzip: 1 to 9, or -1 for the library's choice."), Some("compression.gzip.level")),
    topic(key("compression.lz4.level", Int, Some("9"), Between(1, 17), Medium, ClusterWide, Honoured, "Level for compression.type=lz4. It is checked; what is compressed here is compressed fast, whatever the level."), Some("compression.lz4.level")),
    topic(key("compression.type", String, Some("producer"), OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), Medium, ClusterWide, Honoured, "How batches are stored: producer keeps what the producer sent, any other value recompresses."), Some("compression.type")),
    topic(key("compression.zstd.level", Int, Some("3"), Between(-131_072, 22), Medium, ClusterWide, Honoured, "Level for compression.type=zstd."), Some("compression.zstd.level")),
    topic(key("delete.retention.ms", Long, Some("86400000"), AtLeast(0), Medium, ClusterWide, Honoured, "How long tombstones survive compaction, in milliseconds."), Some("log.cleaner.delete.retention.ms")),
    topic(key("file.delete.delay.ms", Long, Some("60000"), AtLeast(0), Medium, ClusterWide, Honoured, "How long a removed file stays on disk, in milliseconds."), Some("log.segment.delete.delay.ms")),
    topic(key("flush.messages", Long, Some("9223372036854775807"), AtLeast(1), Medium, ClusterWide, Honoured, "Records after which a partition is synced to disk at the latest."), Some("log.flush.interval.messages")),
    topic(key("flush.ms", Long, Some("9223372036854775807"), AtLeast(0), Medium, ClusterWide, Honoured, "Time after which a partition is synced to disk at the latest, in milliseconds."), Some("log.flush.interval.ms")),
    topic(key("follower.replication.throttled.replicas", List, Some(""), ThrottledReplicas, Medium, ClusterWide, Accepted, "Replicas whose fetching is throttled, as partition:broker, or * for all."), None),
    topic(key("index.interval.bytes", Int, Some("4096"), AtLeast(0), Medium, ClusterWide, Honoured, "Log bytes between two entries of the offset index."), Some("log.index.interval.bytes")),
    topic(key("internal.segment.bytes", Int, None, Any, Medium, ClusterWide, Honoured, "Segment size below the smallest legal one, for tests.").internal(), None),
    topic(key("leader.replication.throttled.replicas", List, Some(""), ThrottledReplicas, Medium, ClusterWide, Accepted, "Replicas whose serving is throttled, as partition:broker, or * for all."), None),
    topic(key("local.retention.bytes", Long, Some("-2"), AtLeast(-2), Medium, ClusterWide, Accepted, "Local bytes kept of a tiered partition; -2 is as retention.bytes."), Some("log.local.retention.bytes")),
    topic(key("local.retention.ms", Long, Some("-2"), AtLeast(-2), Medium, ClusterWide, Accepted, "Local time kept of a tiered partition, in milliseconds; -2 is as retention.ms."), Some("log.local.retention.ms")),
    topic(key("max.compaction.lag.ms", Long, Some("9223372036854775807"), AtLeast(1), Medium, ClusterWide, Honoured, "Longest a record stays out of compaction, in milliseconds."), Some("log.cleaner.max.compaction.lag.ms")),
    topic(key("max.message.bytes", Int, Some("1048588"), AtLeast(0), Medium, ClusterWide, Honoured, "Largest record batch, after compression."), Some("message.max.bytes")),
    topic(key("message.timestamp.after.max.ms", Long, Some("3600000"), AtLeast(0), Medium, ClusterWide, Honoured, "How far a record's timestamp may lie in the future, in milliseconds."), Some("log.message.timestamp.after.max.ms")),
    topic(key("message.timestamp.before.max.ms", Long, Some("9223372036854775807"), AtLeast(0), Medium, ClusterWide, Honoured, "How far a record's timestamp may lie in the past, in milliseconds."), Some("log.message.timestamp.before.max.ms")),
    topic(key("message.timestamp.type", String, Some("CreateTime"), OneOf(&["CreateTime", "LogAppendTime"]), Medium, ClusterWide, Honoured, "CreateTime keeps the producer's timestamps, LogAppendTime writes the broker's."), Some("log.message.timestamp.type")),
    topic(key("min.cleanable.dirty.ratio", Double, Some("0.5"), Fraction(0.0, 1.0), Medium, ClusterWide, Honoured, "Share of a log that must be uncompacted before it is compacted."), Some("log.cleaner.min.cleanable.ratio")),
    topic(key("min.compaction.lag.ms", Long, Some("0"), AtLeast(0), Medium, ClusterWide, Honoured, "Shortest a record stays out of compaction, in milliseconds."), Some("log.cleaner.min.compaction.lag.ms")),
    topic(key("min.insync.replicas", Int, Some("1"), AtLeast(1), Medium, ClusterWide, Honoured, "Replicas that must have a record before acks=all is answered."), Some("min.insync.replicas")),
    topic(key("preallocate", Boolean, Some("false"), Any, Medium, ClusterWide, Accepted, "Whether new segment files get their full size at once."), Some("log.preallocate")),
    topic(key("remote.log.copy.disable", Boolean, Some("false"), Any, Medium, ClusterWide, Accepted, "Whether a tiered topic is no longer copied to the tier."), None),
    topic(key("remote.log.delete.on.disable", Boolean, Some("false"), Any, Medium, ClusterWide, Accepted, "Whether switching tiering off removes the tier's data."), None),
    topic(key("remote.storage.enable", Boolean, Some("false"), Any, Medium, ClusterWide, Accepted, "Whether old segments of the topic go to a storage tier."), None),
    topic(key("retention.bytes", Long, Some("-1"), Any, Medium, ClusterWide, Honoured, "Bytes of a partition above which old segments are removed; -1 is unlimited."), Some("log.retention.bytes")),
    topic(key("retention.ms", Long, Some("604800000"), AtLeast(-1), Medium, ClusterWide, Honoured, "Milliseconds after which segments are removed; -1 is unlimited."), Some("log.retention.ms")),
    topic(key("segment.bytes", Int, Some("1073741824"), AtLeast(1_048_576), Medium, ClusterWide, Honoured, "Size at which a new segment begins."), Some("log.segment.bytes")),
    topic(key("segment.index.bytes", Int, Some("10485760"), AtLeast(4), Medium, ClusterWide, Honoured, "Largest index file."), Some("log.index.size.max.bytes")),
    topic(key("segment.jitter.ms", Long, Some("0"), AtLeast(0), Medium, ClusterWide, Honoured, "Most milliseconds taken off segment.ms at random."), Some("log.roll.jitter.ms")),
    topic(key("segment.ms", Long, Some("604800000"), AtLeast(1), Medium, ClusterWide, Honoured, "Milliseconds after which a new segment begins."), Some("log.roll.ms")),
    topic(key("unclean.leader.election.enable", Boolean, Some("false"), Any, Medium, ClusterWide, Honoured, "Whether a replica that may miss records can become leader."), Some("unclean.leader.election.enable")),
    topic(key("write.caching", Boolean, Some("false"), Any, Medium, ClusterWide, Honoured, "Whether acks=all is answered after the write, without waiting for the disk: faster, and a power cut can lose what was acknowledged."), None),
];
