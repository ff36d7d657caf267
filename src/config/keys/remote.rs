//! Tiered storage.

use crate::key::Check::{Any, AtLeast, Fraction, NonEmpty};
use crate::key::Importance::{Low, Medium};
use crate::key::KeyType::{Boolean, Double, Int, Long, String};
use crate::key::Support::{Accepted, Refused};
use crate::key::UpdateMode::{ClusterWide, ReadOnly};
use crate::key::{Key, key};

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("log.local.retention.bytes", Long, Some("-2"), AtLeast(-2), Medium, ClusterWide, Accepted, "Local bytes kept of a tiered partition; -2 is as log.retention.bytes."),
    key("log.local.retention.ms", Long, Some("-2"), AtLeast(-2), Medium, ClusterWide, Accepted, "Local time kept of a tiered partition, in milliseconds; -2 is as log.retention.ms."),
    key("remote.fetch.max.wait.ms", Int, Some("500"), AtLeast(1), Medium, ClusterWide, Accepted, "Longest a Fetch waits for tiered data, in milliseconds."),
    key("remote.list.offsets.request.timeout.ms", Long, Some("30000"), AtLeast(1), Medium, ClusterWide, Accepted, "Longest a ListOffsets waits for tiered data, in milliseconds."),
    key("remote.log.index.file.cache.total.size.bytes", Long, Some("1073741824"), AtLeast(1), Low, ClusterWide, Accepted, "Disk space for indexes of tiered segments."),
    key("remote.log.manager.copier.thread.pool.size", Int, Some("10"), AtLeast(1), Medium, ClusterWide, Accepted, "Threads that copy segments to the tier."),
    key("remote.log.manager.copy.max.bytes.per.second", Long, Some("9223372036854775807"), AtLeast(1), Medium, ClusterWide, Accepted, "Most bytes copied to the tier per second."),
    key("remote.log.manager.copy.quota.window.num", Int, Some("11"), AtLeast(1), Medium, ReadOnly, Accepted, "Samples kept for that quota."),
    key("remote.log.manager.copy.quota.window.size.seconds", Int, Some("1"), AtLeast(1), Medium, ReadOnly, Accepted, "Length of one such sample, in seconds."),
    key("remote.log.manager.expiration.thread.pool.size", Int, Some("10"), AtLeast(1), Medium, ClusterWide, Accepted, "Threads that remove old segments from the tier."),
    key("remote.log.manager.fetch.max.bytes.per.second", Long, Some("9223372036854775807"), AtLeast(1), Medium, ClusterWide, Accepted, "Most bytes read from the tier per second."),
    key("remote.log.manager.fetch.quota.window.num", Int, Some("11"), AtLeast(1), Medium, ReadOnly, Accepted, "Samples kept for that quota."),
    key("remote.log.manager.fetch.quota.window.size.seconds", Int, Some("1"), AtLeast(1), Medium, ReadOnly, Accepted, "Length of one such sample, in seconds."),
    key("remote.log.manager.task.interval.ms", Long, Some("30000"), AtLeast(1), Low, ReadOnly, Accepted, "How often segments to copy or remove are looked for, in milliseconds."),
    key("remote.log.manager.task.retry.backoff.max.ms", Long, Some("30000"), AtLeast(1), Low, ReadOnly, Accepted, "Longest pause after a failed copy, in milliseconds.").internal(),
    key("remote.log.manager.task.retry.backoff.ms", Long, Some("500"), AtLeast(1), Low, ReadOnly, Accepted, "First pause after a failed copy, in milliseconds.").internal(),
    key("remote.log.manager.task.retry.jitter", Double, Some("0.2"), Fraction(0.0, 0.5), Low, ReadOnly, Accepted, "Share of the pause that is random.").internal(),
    key("remote.log.manager.thread.pool.size", Int, Some("2"), AtLeast(1), Medium, ReadOnly, Accepted, "Threads that follow leaders of tiered partitions."),
    key("remote.log.metadata.custom.metadata.max.bytes", Int, Some("128"), AtLeast(0), Low, ReadOnly, Accepted, "Largest note a storage plug-in may attach to a segment."),
    key("remote.log.metadata.manager.class.name", String, Some("org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager"), NonEmpty, Medium, ReadOnly, Accepted, "Java class that keeps the metadata of tiered segments."),
    key("remote.log.metadata.manager.class.path", String, None, Any, Medium, ReadOnly, Accepted, "Where that class is found."),
    key("remote.log.metadata.manager.impl.prefix", String, Some("rlmm.config."), NonEmpty, Medium, ReadOnly, Accepted, "Prefix of that class's own settings."),
    key("remote.log.metadata.manager.listener.name", String, None, NonEmpty, Medium, ReadOnly, Accepted, "Listener that class uses to reach the cluster."),
    key("remote.log.reader.max.pending.tasks", Int, Some("100"), AtLeast(1), Medium, ReadOnly, Accepted, "Most reads from the tier that wait."),
    key("remote.log.reader.threads", Int, Some("10"), AtLeast(1), Medium, ClusterWide, Accepted, "Threads that read from the tier."),
    key("remote.log.storage.manager.class.name", String, None, NonEmpty, Medium, ReadOnly, Accepted, "Java class that stores tiered segments."),
    key("remote.log.storage.manager.class.path", String, None, Any, Medium, ReadOnly, Accepted, "Where that class is found."),
    key("remote.log.storage.manager.impl.prefix", String, Some("rsm.config."), NonEmpty, Medium, ReadOnly, Accepted, "Prefix of that class's own settings."),
    key("remote.log.storage.system.enable", Boolean, Some("false"), Any, Medium, ReadOnly, Refused, "Whether old segments go to a storage tier; not supported yet."),
];
