//! Share groups and their coordinator.

use crate::key::Check::{Any, AtLeast, Between};
use crate::key::Importance::{High, Low, Medium};
use crate::key::KeyType::{Boolean, Int, List, Short, String};
use crate::key::Support::{Accepted, Refused};
use crate::key::UpdateMode::ReadOnly;
use crate::key::{Key, key};

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("group.share.assignors", List, Some("simple"), Any, Medium, ReadOnly, Accepted, "Server-side assignors of share groups."),
    key("group.share.delivery.count.limit", Int, Some("5"), Between(2, 10), Medium, ReadOnly, Accepted, "How often a record is delivered to a share group before it is given up."),
    key("group.share.enable", Boolean, Some("false"), Any, Medium, ReadOnly, Accepted, "Older switch for share groups; use group.coordinator.rebalance.protocols.").internal(),
    key("group.share.heartbeat.interval.ms", Int, Some("5000"), AtLeast(1), Medium, ReadOnly, Accepted, "Heartbeat interval given to members of share groups, in milliseconds."),
    key("group.share.max.heartbeat.interval.ms", Int, Some("15000"), AtLeast(1), Medium, ReadOnly, Accepted, "Largest heartbeat interval a share group may be configured with, in milliseconds."),
    key("group.share.max.record.lock.duration.ms", Int, Some("60000"), Between(30_000, 3_600_000), Medium, ReadOnly, Accepted, "Largest record lock a share group may be configured with, in milliseconds."),
    key("group.share.max.session.timeout.ms", Int, Some("60000"), AtLeast(1), Medium, ReadOnly, Accepted, "Largest session timeout a share group may be configured with, in milliseconds."),
    key("group.share.max.share.sessions", Int, Some("2000"), AtLeast(1), Medium, ReadOnly, Accepted, "Most share sessions of one broker."),
    key("group.share.max.size", Int, Some("200"), Between(1, 1000), Medium, ReadOnly, Accepted, "Most members of one share group."),
    key("group.share.min.heartbeat.interval.ms", Int, Some("5000"), AtLeast(1), Medium, ReadOnly, Accepted, "Smallest heartbeat interval a share group may be configured with, in milliseconds."),
    key("group.share.min.record.lock.duration.ms", Int, Some("15000"), Between(1000, 30_000), Medium, ReadOnly, Accepted, "Smallest record lock a share group may be configured with, in milliseconds."),
    key("group.share.min.session.timeout.ms", Int, Some("45000"), AtLeast(1), Medium, ReadOnly, Accepted, "Smallest session timeout a share group may be configured with, in milliseconds."),
    key("group.share.partition.max.record.locks", Int, Some("2000"), Between(100, 10_000), Medium, ReadOnly, Accepted, "Most records of one partition that a share group holds at once."),
    key("group.share.persister.class.name", String, Some("org.apache.kafka.server.share.persister.DefaultStatePersister"), Any, Medium, ReadOnly, Refused, "Java class that keeps the state of share groups; only the default.").internal(),
    key("group.share.record.lock.duration.ms", Int, Some("30000"), Between(1000, 3_600_000), Medium, ReadOnly, Accepted, "How long a share consumer holds a record before it is given to another, in milliseconds."),
    key("group.share.session.timeout.ms", Int, Some("45000"), AtLeast(1), Medium, ReadOnly, Accepted, "A member of a share group that is silent for this long is removed, in milliseconds."),
    key("share.coordinator.append.linger.ms", Int, Some("5"), AtLeast(0), Medium, ReadOnly, Accepted, "How long the share coordinator gathers records before it writes them, in milliseconds."),
    key("share.coordinator.cold.partition.snapshot.interval.ms", Int, Some("300000"), AtLeast(1), Low, ReadOnly, Accepted, "How often idle share partitions are snapshotted, in milliseconds.").internal(),
    key("share.coordinator.load.buffer.size", Int, Some("5242880"), AtLeast(1), High, ReadOnly, Accepted, "Bytes read at once when share state is loaded."),
    key("share.coordinator.snapshot.update.records.per.snapshot", Int, Some("500"), AtLeast(0), Medium, ReadOnly, Accepted, "Updates of a share partition between two snapshots."),
    key("share.coordinator.state.topic.compression.codec", Int, Some("0"), Any, High, ReadOnly, Accepted, "Codec of __share_group_state: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd."),
    key("share.coordinator.state.topic.min.isr", Short, Some("2"), AtLeast(1), High, ReadOnly, Accepted, "min.insync.replicas of __share_group_state."),
    key("share.coordinator.state.topic.num.partitions", Int, Some("50"), AtLeast(1), High, ReadOnly, Accepted, "Partitions of __share_group_state."),
    key("share.coordinator.state.topic.prune.interval.ms", Int, Some("300000"), AtLeast(1), Low, ReadOnly, Accepted, "How often __share_group_state is pruned, in milliseconds.").internal(),
    key("share.coordinator.state.topic.replication.factor", Short, Some("3"), AtLeast(1), High, ReadOnly, Accepted, "Replicas of __share_group_state; never more than there are brokers."),
    key("share.coordinator.state.topic.segment.bytes", Int, Some("104857600"), AtLeast(1), High, ReadOnly, Accepted, "Segment size of __share_group_state."),
    key("share.coordinator.threads", Int, Some("1"), AtLeast(1), Medium, ReadOnly, Accepted, "Threads of the share coordinator; sized by the runtime here."),
    key("share.coordinator.write.timeout.ms", Int, Some("5000"), AtLeast(1), High, ReadOnly, Accepted, "Longest a write of share state waits for replicas, in milliseconds."),
    key("share.fetch.purgatory.purge.interval.requests", Int, Some("1000"), Any, Medium, ReadOnly, Accepted, "How many ShareFetch waiters gather before finished ones are swept; nothing is swept here."),
];
