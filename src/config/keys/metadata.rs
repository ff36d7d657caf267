//! Roles, the metadata log and its quorum.

use crate::key::Check::{Any, AtLeast, ListOf, QuorumServers, QuorumVoters};
use crate::key::Importance::{High, Low, Medium};
use crate::key::KeyType::{Boolean, Int, List, Long, String};
use crate::key::Support::{Accepted, Honoured};
use crate::key::UpdateMode::ReadOnly;
use crate::key::{Key, key};

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("broker.heartbeat.interval.ms", Int, Some("2000"), Any, Medium, ReadOnly, Honoured, "How often a broker reports to the controller, in milliseconds."),
    key("broker.id", Int, Some("-1"), Any, High, ReadOnly, Honoured, "Older name of node.id; if both are set they must agree."),
    key("broker.session.timeout.ms", Int, Some("9000"), Any, Medium, ReadOnly, Honoured, "How long the controller waits for a broker's heartbeat before it fences it, in milliseconds."),
    key("controller.listener.names", String, None, Any, High, ReadOnly, Honoured, "Names, among the listeners, of those the controller answers on."),
    key("controller.performance.always.log.threshold.ms", Long, Some("2000"), AtLeast(0), Medium, ReadOnly, Accepted, "A controller event slower than this is always logged, in milliseconds.").internal(),
    key("controller.performance.sample.period.ms", Long, Some("60000"), AtLeast(100), Medium, ReadOnly, Accepted, "How often the controller logs its event times, in milliseconds.").internal(),
    key("controller.quorum.append.linger.ms", Int, Some("25"), AtLeast(0), Medium, ReadOnly, Accepted, "How long the quorum leader gathers records before it writes them, in milliseconds."),
    key("controller.quorum.bootstrap.servers", List, Some(""), QuorumServers, High, ReadOnly, Honoured, "Addresses, as host:port, at which the quorum is found."),
    key("controller.quorum.election.backoff.max.ms", Int, Some("1000"), AtLeast(0), High, ReadOnly, Accepted, "Longest pause before a new election after a failed one, in milliseconds."),
    key("controller.quorum.election.timeout.ms", Int, Some("1000"), AtLeast(0), High, ReadOnly, Accepted, "Longest wait for an elected leader before a new election, in milliseconds."),
    key("controller.quorum.fetch.timeout.ms", Int, Some("2000"), AtLeast(0), High, ReadOnly, Accepted, "Longest time without a successful fetch from the quorum leader before an election, in milliseconds."),
    key("controller.quorum.request.timeout.ms", Int, Some("2000"), AtLeast(0), Medium, ReadOnly, Accepted, "Longest wait for an answer between quorum members, in milliseconds."),
    key("controller.quorum.retry.backoff.ms", Int, Some("20"), AtLeast(0), Low, ReadOnly, Accepted, "Pause before a failed quorum request is tried again, in milliseconds."),
    key("controller.quorum.voters", List, Some(""), QuorumVoters, High, ReadOnly, Honoured, "Members of a fixed quorum, as id@host:port."),
    key("controller.quota.window.num", Int, Some("11"), AtLeast(1), Low, ReadOnly, Accepted, "Samples kept for the quota of topic changes."),
    key("controller.quota.window.size.seconds", Int, Some("1"), AtLeast(1), Low, ReadOnly, Accepted, "Length of one such sample, in seconds."),
    key("controller.socket.timeout.ms", Int, Some("30000"), Any, Medium, ReadOnly, Accepted, "Longest wait for the controller's answer, in milliseconds."),
    key("early.start.listeners", String, None, Any, High, ReadOnly, Accepted, "Listeners opened before the metadata is loaded."),
    key("initial.broker.registration.timeout.ms", Int, Some("60000"), Any, Medium, ReadOnly, Honoured, "How long a starting broker tries to register before it gives up, in milliseconds."),
    key("internal.metadata.delete.delay.millis", Long, Some("60000"), Any, Low, ReadOnly, Accepted, "How long deleted files of the metadata log stay, in milliseconds.").internal(),
    key("internal.metadata.log.segment.bytes", Int, None, Any, Low, ReadOnly, Accepted, "Segment size of the metadata log, for tests.").internal(),
    key("internal.metadata.max.batch.size.in.bytes", Int, Some("8388608"), Any, Low, ReadOnly, Accepted, "Largest batch of the metadata log.").internal(),
    key("internal.metadata.max.fetch.size.in.bytes", Int, Some("8388608"), Any, Low, ReadOnly, Accepted, "Largest fetch of the metadata log.").internal(),
    key("metadata.log.dir", String, None, Any, High, ReadOnly, Honoured, "Directory of the metadata log; unset, the first of log.dirs."),
    key("metadata.log.max.record.bytes.between.snapshots", Long, Some("20971520"), AtLeast(1), High, ReadOnly, Honoured, "Bytes of the metadata log after which a snapshot is taken."),
    key("metadata.log.max.snapshot.interval.ms", Long, Some("3600000"), AtLeast(0), High, ReadOnly, Honoured, "Time after which a snapshot is taken if there are new records, in milliseconds; 0 never."),
    key("metadata.log.segment.bytes", Int, Some("1073741824"), AtLeast(8_388_608), High, ReadOnly, Honoured, "Size at which a new segment of the metadata log begins."),
    key("metadata.log.segment.ms", Long, Some("604800000"), Any, High, ReadOnly, Honoured, "Time after which a new segment of the metadata log begins, in milliseconds."),
    key("metadata.max.idle.interval.ms", Int, Some("500"), AtLeast(0), Low, ReadOnly, Accepted, "How often an idle controller writes a no-op record, in milliseconds; 0 never."),
    key("metadata.max.retention.bytes", Long, Some("104857600"), Any, High, ReadOnly, Honoured, "Bytes of the metadata log and its snapshots above which old ones are removed."),
    key("metadata.max.retention.ms", Long, Some("604800000"), Any, High, ReadOnly, Honoured, "Age at which segments and snapshots of the metadata log are removed, in milliseconds."),
    key("node.id", Int, None, AtLeast(0), High, ReadOnly, Honoured, "Number of this node, unique in the cluster."),
    key("process.roles", List, None, ListOf(&["broker", "controller"]), High, ReadOnly, Honoured, "Roles of this node: broker, controller or both."),
    key("server.max.startup.time.ms", Long, Some("9223372036854775807"), AtLeast(0), Medium, ReadOnly, Accepted, "Longest a start may take, in milliseconds.").internal(),
    key("unstable.api.versions.enable", Boolean, Some("false"), Any, High, ReadOnly, Accepted, "Whether unfinished versions of APIs are offered.").internal(),
    key("unstable.feature.versions.enable", Boolean, Some("false"), Any, High, ReadOnly, Accepted, "Whether unfinished feature levels are offered.").internal(),
];
