//! Replication and leadership.

use crate::key::Check::{Any, AtLeast};
use crate::key::Importance::{High, Low, Medium};
use crate::key::KeyType::{Boolean, Int, Long, String};
use crate::key::Support::{Accepted, Honoured, Refused};
use crate::key::UpdateMode::{ClusterWide, ReadOnly};
use crate::key::{Key, key};

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("alter.log.dirs.replication.quota.window.num", Int, Some("11"), AtLeast(1), Low, ReadOnly, Accepted, "Samples kept for the quota of moves between directories."),
    key("alter.log.dirs.replication.quota.window.size.seconds", Int, Some("1"), AtLeast(1), Low, ReadOnly, Accepted, "Length of one such sample, in seconds."),
    key("auto.leader.rebalance.enable", Boolean, Some("true"), Any, High, ReadOnly, Honoured, "Whether leadership goes back to preferred replicas by itself."),
    key("broker.rack", String, None, Any, Medium, ReadOnly, Honoured, "Rack or zone of this broker, for replica placement and reads from the nearest replica."),
    key("controlled.shutdown.enable", Boolean, Some("true"), Any, Medium, ReadOnly, Honoured, "Whether a stopping broker first hands its leaderships to others."),
    key("default.replication.factor", Int, Some("1"), Any, Medium, ReadOnly, Honoured, "Replicas of a topic created without a count."),
    key("leader.imbalance.check.interval.seconds", Long, Some("300"), AtLeast(1), High, ReadOnly, Honoured, "How often leadership is compared with the preferred replicas, in seconds."),
    key("num.replica.alter.log.dirs.threads", Int, None, Any, High, ReadOnly, Accepted, "Threads that move replicas between directories."),
    key("num.replica.fetchers", Int, Some("1"), Any, High, ClusterWide, Accepted, "Threads that fetch from each other broker."),
    key("replica.fetch.backoff.ms", Int, Some("1000"), AtLeast(0), Medium, ReadOnly, Honoured, "Pause of a follower after a failed fetch, in milliseconds."),
    key("replica.fetch.max.bytes", Int, Some("1048576"), AtLeast(0), Medium, ReadOnly, Honoured, "Bytes a follower asks for per partition; the first batch always fits."),
    key("replica.fetch.min.bytes", Int, Some("1"), Any, High, ReadOnly, Honoured, "Bytes a follower's fetch waits for."),
    key("replica.fetch.response.max.bytes", Int, Some("10485760"), AtLeast(0), Medium, ReadOnly, Honoured, "Bytes a follower asks for per fetch; the first batch always fits."),
    key("replica.fetch.wait.max.ms", Int, Some("500"), Any, High, ReadOnly, Honoured, "Longest a follower's fetch waits, in milliseconds; not above replica.lag.time.max.ms."),
    key("replica.high.watermark.checkpoint.interval.ms", Long, Some("5000"), Any, High, ReadOnly, Honoured, "How often the high watermarks are written, in milliseconds."),
    key("replica.lag.time.max.ms", Long, Some("30000"), Any, High, ReadOnly, Honoured, "How long a follower may lag before it leaves the in-sync replicas, in milliseconds."),
    key("replica.selector.class", String, None, Any, Medium, ReadOnly, Refused, "Who picks the replica a client reads from; only org.apache.kafka.common.replica.RackAwareReplicaSelector."),
    key("replica.socket.receive.buffer.bytes", Int, Some("65536"), Any, High, ReadOnly, Accepted, "Receive buffer of a follower's socket."),
    key("replica.socket.timeout.ms", Int, Some("30000"), Any, High, ReadOnly, Accepted, "Longest a follower waits for an answer, in milliseconds."),
    key("replication.quota.window.num", Int, Some("11"), AtLeast(1), Low, ReadOnly, Accepted, "Samples kept for replication quotas."),
    key("replication.quota.window.size.seconds", Int, Some("1"), AtLeast(1), Low, ReadOnly, Accepted, "Length of one such sample, in seconds."),
    key("unclean.leader.election.enable", Boolean, Some("false"), Any, High, ClusterWide, Honoured, "Whether a replica that may miss records can become leader."),
    key("unclean.leader.election.interval.ms", Long, Some("300000"), AtLeast(1), Medium, ReadOnly, Accepted, "How often partitions in need of an unclean election are looked for, in milliseconds.").internal(),
];
