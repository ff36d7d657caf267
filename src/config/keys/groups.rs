//! Group coordination and committed offsets.

use crate::key::Check::{Any, AtLeast, ListOf, OneOfIgnoringCase};
use crate::key::Importance::{High, Medium};
use crate::key::KeyType::{Int, List, Long, Short, String};
use crate::key::Support::{Accepted, Honoured};
use crate::key::UpdateMode::ReadOnly;
use crate::key::{Key, key};

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("group.consumer.assignors", List, Some("uniform,range"), Any, Medium, ReadOnly, Honoured, "Server-side assignors of consumer groups, the first being the default."),
    key("group.consumer.heartbeat.interval.ms", Int, Some("5000"), AtLeast(1), Medium, ReadOnly, Honoured, "Heartbeat interval given to members of consumer groups, in milliseconds."),
    key("group.consumer.max.heartbeat.interval.ms", Int, Some("15000"), AtLeast(1), Medium, ReadOnly, Honoured, "Largest heartbeat interval a consumer group may be configured with, in milliseconds."),
    key("group.consumer.max.session.timeout.ms", Int, Some("60000"), AtLeast(1), Medium, ReadOnly, Honoured, "Largest session timeout a consumer group may be configured with, in milliseconds."),
    key("group.consumer.max.size", Int, Some("2147483647"), AtLeast(1), Medium, ReadOnly, Honoured, "Most members of one consumer group."),
    key("group.consumer.migration.policy", String, Some("bidirectional"), OneOfIgnoringCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]), Medium, ReadOnly, Honoured, "Which way groups may change between the classic and the consumer protocol while they run."),
    key("group.consumer.min.heartbeat.interval.ms", Int, Some("5000"), AtLeast(1), Medium, ReadOnly, Honoured, "Smallest heartbeat interval a consumer group may be configured with, in milliseconds."),
    key("group.consumer.min.session.timeout.ms", Int, Some("45000"), AtLeast(1), Medium, ReadOnly, Honoured, "Smallest session timeout a consumer group may be configured with, in milliseconds."),
    key("group.consumer.regex.refresh.interval.ms", Int, Some("600000"), AtLeast(10_000), Medium, ReadOnly, Honoured, "How often a group's topic pattern is matched against the topics again, in milliseconds.").internal(),
    key("group.consumer.session.timeout.ms", Int, Some("45000"), AtLeast(1), Medium, ReadOnly, Honoured, "A member of a consumer group that is silent for this long is removed, in milliseconds."),
    key("group.coordinator.append.linger.ms", Int, Some("5"), AtLeast(0), Medium, ReadOnly, Accepted, "How long the group coordinator gathers records before it writes them, in milliseconds."),
    key("group.coordinator.rebalance.protocols", List, Some("classic,consumer,streams"), ListOf(&["consumer", "classic", "share", "streams"]), Medium, ReadOnly, Honoured, "Group protocols that are on; classic always is."),
    key("group.coordinator.threads", Int, Some("4"), AtLeast(1), High, ReadOnly, Accepted, "Threads of the group coordinator; sized by the runtime here."),
    key("group.initial.rebalance.delay.ms", Int, Some("3000"), Any, Medium, ReadOnly, Honoured, "How long an empty classic group waits for more members before its first rebalance, in milliseconds."),
    key("group.max.session.timeout.ms", Int, Some("1800000"), Any, Medium, ReadOnly, Honoured, "Largest session timeout a classic member may ask for, in milliseconds."),
    key("group.max.size", Int, Some("2147483647"), AtLeast(1), Medium, ReadOnly, Honoured, "Most members of one classic group."),
    key("group.min.session.timeout.ms", Int, Some("6000"), Any, Medium, ReadOnly, Honoured, "Smallest session timeout a classic member may ask for, in milliseconds."),
    key("group.streams.heartbeat.interval.ms", Int, Some("5000"), AtLeast(1), Medium, ReadOnly, Accepted, "Heartbeat interval given to members of streams groups, in milliseconds."),
    key("group.streams.max.heartbeat.interval.ms", Int, Some("15000"), AtLeast(1), Medium, ReadOnly, Accepted, "Largest heartbeat interval a streams group may be configured with, in milliseconds."),
    key("group.streams.max.session.timeout.ms", Int, Some("60000"), AtLeast(1), Medium, ReadOnly, Accepted, "Largest session timeout a streams group may be configured with, in milliseconds."),
    key("group.streams.max.size", Int, Some("2147483647"), AtLeast(1), Medium, ReadOnly, Accepted, "Most members of one streams group."),
    key("group.streams.max.standby.replicas", Int, Some("2"), AtLeast(0), Medium, ReadOnly, Accepted, "Most standby tasks a streams group may be configured with."),
    key("group.streams.min.heartbeat.interval.ms", Int, Some("5000"), AtLeast(1), Medium, ReadOnly, Accepted, "Smallest heartbeat interval a streams group may be configured with, in milliseconds."),
    key("group.streams.min.session.timeout.ms", Int, Some("45000"), AtLeast(1), Medium, ReadOnly, Accepted, "Smallest session timeout a streams group may be configured with, in milliseconds."),
    key("group.streams.num.standby.replicas", Int, Some("0"), AtLeast(0), Medium, ReadOnly, Accepted, "Standby tasks per task of a streams group."),
    key("group.streams.session.timeout.ms", Int, Some("45000"), AtLeast(1), Medium, ReadOnly, Accepted, "A member of a streams group that is silent for this long is removed, in milliseconds."),
    key("offset.metadata.max.bytes", Int, Some("4096"), Any, High, ReadOnly, Honoured, "Largest note a client may commit with an offset."),
    key("offsets.commit.timeout.ms", Int, Some("5000"), AtLeast(1), High, ReadOnly, Honoured, "Longest an offset commit waits for replicas, in milliseconds."),
    key("offsets.load.buffer.size", Int, Some("5242880"), AtLeast(1), High, ReadOnly, Accepted, "Bytes read at once when committed offsets are loaded."),
    key("offsets.retention.check.interval.ms", Long, Some("600000"), AtLeast(1), High, ReadOnly, Honoured, "How often expired offsets are looked for, in milliseconds."),
    key("offsets.retention.minutes", Int, Some("10080"), AtLeast(1), High, ReadOnly, Honoured, "Minutes that the offsets of an empty group are kept."),
    key("offsets.topic.compression.codec", Int, Some("0"), Any, High, ReadOnly, Honoured, "Codec of __consumer_offsets: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd."),
    key("offsets.topic.num.partitions", Int, Some("50"), AtLeast(1), High, ReadOnly, Honoured, "Partitions of __consumer_offsets."),
    key("offsets.topic.replication.factor", Short, Some("3"), AtLeast(1), High, ReadOnly, Honoured, "Replicas of __consumer_offsets; never more than there are brokers."),
    key("offsets.topic.segment.bytes", Int, Some("104857600"), AtLeast(1), High, ReadOnly, Honoured, "Segment size of __consumer_offsets."),
];
