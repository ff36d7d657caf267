//! Keys beside Kafka's static ones: those that exist only dynamically, our own, and names from other times and places.

use crate::key::Check::{Any, AtLeast, OneOf};
use crate::key::Importance::{Low, Medium};
use crate::key::KeyType::{Boolean, Int, List, Long, String};
use crate::key::Support::{Accepted, Honoured};
use crate::key::UpdateMode::{ClusterWide, PerBroker, ReadOnly};
use crate::key::{Key, key};

/// Throttles of replication (`QuotaConfig.brokerQuotaConfigs`), listed by DescribeConfigs only when they are set.
#[rustfmt::skip]
pub const DYNAMIC_ONLY: &[Key] = &[
    key("follower.replication.throttled.rate", Long, Some("9223372036854775807"), AtLeast(0), Medium, ClusterWide, Accepted, "Most bytes per second that followers fetch for throttled replicas.").internal(),
    key("leader.replication.throttled.rate", Long, Some("9223372036854775807"), AtLeast(0), Medium, ClusterWide, Accepted, "Most bytes per second that leaders send for throttled replicas.").internal(),
    key("replica.alter.log.dirs.io.max.bytes.per.second", Long, Some("9223372036854775807"), AtLeast(0), Medium, ClusterWide, Accepted, "Most bytes per second for moves between directories.").internal(),
];

/// Keys of releases after 4.1 that mean something here, listed by DescribeConfigs only when they are set.
#[rustfmt::skip]
pub const LATER: &[Key] = &[
    key("cordoned.log.dirs", List, Some(""), Any, Medium, PerBroker, Honoured, "Those of log.dirs that get no more partitions, or * for all of them (KIP-1066, Kafka 4.3).").internal(),
];

/// How much of compressed batches is validated.
pub const COMPRESSED_VALIDATION: &str = "ottla.compressed.records.validation";

/// Whether a directory is served whose access control is not enforced.
pub const SERVE_WITHOUT_ACLS: &str = "ottla.serve.without.acls";

/// Where metrics, health and readiness are answered.
pub const METRICS_LISTENER: &str = "ottla.metrics.listener";

/// Whose names the metrics have.
pub const METRICS_DIALECT: &str = "ottla.metrics.dialect";

/// The bound of an answer with metrics.
pub const METRICS_SERIES_MAX: &str = "ottla.metrics.series.max";

/// Keys Kafka has not, listed by DescribeConfigs only when they are set.
#[rustfmt::skip]
pub const OURS: &[Key] = &[
    key("create.topics", String, None, Any, Low, ReadOnly, Honoured, "Topics to create at the start, as name:partitions:replicas[:cleanup.policy] (the KAFKA_CREATE_TOPICS of older images).").internal(),
    key(COMPRESSED_VALIDATION, String, Some("full"), OneOf(&["full", "header"]), Low, ReadOnly, Honoured, "What is checked of compressed batches that producers send: every record as Kafka does (full), or header and CRC where these leave no doubt (header).").internal(),
    key(METRICS_DIALECT, String, Some("strimzi"), OneOf(&["strimzi", "confluent", "reporter"]), Low, ReadOnly, Honoured, "How the names of metrics end: as from the JMX exporter with the rules of Strimzi or Confluent, or from Strimzi's metrics reporter.").internal(),
    key(METRICS_LISTENER, String, None, Any, Low, ReadOnly, Honoured, "Where GET /metrics (Prometheus), /health and /ready are answered, to everybody: host:port, such as 127.0.0.1:9404, or :9404 for all addresses. Not set: nowhere.").internal(),
    key(METRICS_SERIES_MAX, Int, Some("5000"), AtLeast(0), Low, ReadOnly, Honoured, "Most series of one metric in an answer; one that has more is left out as a whole, and ottla_left_out_series names it.").internal(),
    key(SERVE_WITHOUT_ACLS, Boolean, Some("false"), Any, Low, ReadOnly, Honoured, "Serve a directory whose metadata has ACLs, although they are not enforced and everybody may do everything.").internal(),
];

/// What happens to a key that is not Kafka's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// Ignored without a word: harmless, or used only together with a key that is judged itself.
    Quiet,
    /// Ignored with one INFO line for all of them.
    Vendor,
    /// Ignored with one WARN line, giving this reason.
    Ignored(&'static str),
    /// Stops the start with this reason.
    Refused(&'static str),
}

const ZOOKEEPER: &str = "there is no ZooKeeper since Kafka 4.0; the node keeps its own metadata log";
const REMOVED: &str = "Kafka removed it";
const ADVERTISED: &str =
    "Kafka removed it in 3.0; set listeners and advertised.listeners (KAFKA_ADVERTISED_LISTENERS) instead";
const IMAGE_TLS: &str = "TLS listeners cannot be served yet";
const CLIENT: &str = "it is a setting of clients, not of the broker";

/// Exact names.
const FOREIGN_NAMES: &[(&str, Foreign)] = &[
    ("jmx.port", Foreign::Ignored("there is no JMX here")),
    ("advertised.host.name", Foreign::Refused(ADVERTISED)),
    ("advertised.port", Foreign::Refused(ADVERTISED)),
    ("advertised.host", Foreign::Refused(ADVERTISED)),
    ("host.name", Foreign::Refused(ADVERTISED)),
    ("host", Foreign::Refused(ADVERTISED)),
    ("port", Foreign::Refused(ADVERTISED)),
    ("inter.broker.protocol.version", Foreign::Ignored(REMOVED)),
    ("log.message.format.version", Foreign::Ignored(REMOVED)),
    ("log.message.downconversion.enable", Foreign::Ignored(REMOVED)),
    (
        "log.message.timestamp.difference.max.ms",
        Foreign::Ignored(
            "Kafka 4.0 replaced it with log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms",
        ),
    ),
    ("control.plane.listener.name", Foreign::Ignored(REMOVED)),
    ("broker.id.generation.enable", Foreign::Ignored(REMOVED)),
    ("reserved.broker.max.id", Foreign::Ignored(REMOVED)),
    ("offsets.commit.required.acks", Foreign::Ignored(REMOVED)),
    ("controlled.shutdown.max.retries", Foreign::Ignored(REMOVED)),
    ("controlled.shutdown.retry.backoff.ms", Foreign::Ignored(REMOVED)),
    ("delegation.token.master.key", Foreign::Ignored("Kafka renamed it to delegation.token.secret.key")),
    ("auto.include.jmx.reporter", Foreign::Ignored(REMOVED)),
    ("group.coordinator.new.enable", Foreign::Ignored(REMOVED)),
    ("replication.quota.window", Foreign::Ignored(REMOVED)),
    ("quota.producer.default", Foreign::Ignored(REMOVED)),
    ("quota.consumer.default", Foreign::Ignored(REMOVED)),
    ("ssl.keystore.filename", Foreign::Ignored(IMAGE_TLS)),
    ("ssl.keystore.credentials", Foreign::Ignored(IMAGE_TLS)),
    ("ssl.key.credentials", Foreign::Ignored(IMAGE_TLS)),
    ("ssl.truststore.filename", Foreign::Ignored(IMAGE_TLS)),
    ("ssl.truststore.credentials", Foreign::Ignored(IMAGE_TLS)),
    ("max.request.size", Foreign::Ignored(CLIENT)),
    ("max.partition.fetch.bytes", Foreign::Ignored(CLIENT)),
    ("bootstrap.servers", Foreign::Ignored(CLIENT)),
    ("security.protocol", Foreign::Ignored(CLIENT)),
    ("acks", Foreign::Ignored(CLIENT)),
    // Settings of Kafka's StandardAuthorizer: without an authorizer they have no effect in Kafka either.
    ("super.users", Foreign::Quiet),
    ("allow.everyone.if.no.acl.found", Foreign::Quiet),
    ("config.providers", Foreign::Quiet),
];

/// Everything that begins so.
const FOREIGN_PREFIXES: &[(&str, Foreign)] = &[
    ("confluent.", Foreign::Vendor),
    ("zookeeper.", Foreign::Ignored(ZOOKEEPER)),
    ("password.encoder.", Foreign::Ignored("it belonged to ZooKeeper, which is gone since Kafka 4.0")),
    // What Kubernetes and old container links put into the environment for a service called "kafka".
    ("service.", Foreign::Quiet),
    ("port.", Foreign::Quiet),
    ("config.providers.", Foreign::Quiet),
    // Settings of plug-ins, which are judged by the key that names their class.
    ("rlmm.config.", Foreign::Quiet),
    ("rsm.config.", Foreign::Quiet),
];

/// What happens to a key of another time or place; `None` for one nobody knows.
pub fn foreign(name: &str, value: &str) -> Option<Foreign> {
    // Kubernetes gives `KAFKA_PORT=tcp://10.0.0.1:9092` to every pod beside a service called "kafka".
    if name == "port" && value.starts_with("tcp://") {
        return Some(Foreign::Quiet);
    }
    let exact = FOREIGN_NAMES.iter().find(|(known, _)| *known == name);
    exact.or_else(|| FOREIGN_PREFIXES.iter().find(|(prefix, _)| name.starts_with(prefix))).map(|(_, f)| *f)
}
