//! The typed configuration of one broker, split by what uses it.
//!
//! Units are in the names. Where Kafka writes -1 for "none" or "unlimited", fields with a natural `Option` use it and
//! the others keep Kafka's number; each field says which.

mod coordination;
mod metrics;
mod network;
mod topics;

use std::path::PathBuf;

use crate::checks;
use crate::error::ConfigError;
use crate::layers::Values;
use crate::listeners::{Voter, parse_bootstrap_server, parse_csv, parse_voter};

pub use coordination::{
    ConsumerGroups, Groups, Metadata, Offsets, Replication, ShareCoordinator, ShareGroups, StreamsGroups,
    Transactions,
};
pub use metrics::{Metrics, MetricsDialect};
pub use network::{Listeners, Requests, Sockets};
pub use topics::{StartTopic, Topics};

/// Everything the broker takes from configuration. Made by [`crate::load`] or [`crate::Layers::resolve`]; all of
/// Kafka's cross checks have passed.
#[derive(Clone, Debug, PartialEq)]
pub struct BrokerConfig {
    /// Who this node is.
    pub identity: Identity,
    /// Where it listens and what it tells clients.
    pub listeners: Listeners,
    /// Sockets and connection limits.
    pub sockets: Sockets,
    /// Bounds of single requests.
    pub requests: Requests,
    /// Data directories and their housekeeping.
    pub storage: Storage,
    /// Topics: creation, and the defaults of their settings.
    pub topics: Topics,
    /// `__consumer_offsets` and committed offsets.
    pub offsets: Offsets,
    /// Group coordination.
    pub groups: Groups,
    /// Transactions and producer ids.
    pub transactions: Transactions,
    /// `__share_group_state`.
    pub share_coordinator: ShareCoordinator,
    /// Replication between brokers.
    pub replication: Replication,
    /// The metadata log and its quorum.
    pub metadata: Metadata,
    /// What Prometheus is told, and where.
    pub metrics: Metrics,
}

/// Who this node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `node.id`, not negative.
    pub node_id: i32,
    /// `process.roles` contains `broker`.
    pub is_broker: bool,
    /// `process.roles` contains `controller`.
    pub is_controller: bool,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// `controller.quorum.voters`, in the order given; empty when not set.
    pub voters: Vec<Voter>,
    /// `controller.quorum.bootstrap.servers` as host and port.
    pub bootstrap_servers: Vec<(String, u16)>,
    /// `controlled.shutdown.enable`.
    pub controlled_shutdown: bool,
}

/// Data directories and their housekeeping.
#[derive(Clone, Debug, PartialEq)]
pub struct Storage {
    /// `log.dirs` (or `log.dir`), at least one.
    pub log_dirs: Vec<PathBuf>,
    /// `cordoned.log.dirs`, those of `log_dirs` that get no more partitions.
    pub cordoned_log_dirs: Vec<PathBuf>,
    /// `metadata.log.dir`, else the first of `log_dirs`.
    pub metadata_log_dir: PathBuf,
    /// `log.retention.check.interval.ms`.
    pub retention_check_interval_ms: i64,
    /// `log.flush.scheduler.interval.ms`.
    pub flush_scheduler_interval_ms: i64,
    /// `log.flush.offset.checkpoint.interval.ms`.
    pub recovery_point_checkpoint_interval_ms: i32,
    /// `log.flush.start.offset.checkpoint.interval.ms`.
    pub log_start_checkpoint_interval_ms: i32,
    /// `replica.high.watermark.checkpoint.interval.ms`.
    pub high_watermark_checkpoint_interval_ms: i64,
    /// `log.initial.task.delay.ms`.
    pub initial_task_delay_ms: i64,
    /// `num.recovery.threads.per.data.dir`.
    pub recovery_threads_per_dir: i32,
    /// `log.dir.failure.timeout.ms`.
    pub dir_failure_timeout_ms: i64,
    /// Compaction.
    pub cleaner: Cleaner,
}

/// Compaction (`log.cleaner.*`); what is per topic stands in [`crate::TopicConfig`].
#[derive(Clone, Debug, PartialEq)]
pub struct Cleaner {
    /// `log.cleaner.enable`.
    pub enable: bool,
    /// `log.cleaner.threads`.
    pub threads: i32,
    /// `log.cleaner.dedupe.buffer.size`.
    pub dedupe_buffer_bytes: i64,
    /// `log.cleaner.io.buffer.load.factor`.
    pub dedupe_load_factor_max: f64,
    /// `log.cleaner.io.buffer.size`.
    pub io_buffer_bytes: i32,
    /// `log.cleaner.io.max.bytes.per.second`.
    pub io_bytes_per_second_max: f64,
    /// `log.cleaner.backoff.ms`.
    pub backoff_ms: i64,
}

impl BrokerConfig {
    pub(crate) fn resolve(values: &Values) -> Result<Self, ConfigError> {
        let identity = Identity::resolve(values)?;
        let listeners = Listeners::resolve(values, &identity)?;
        let config = Self {
            sockets: Sockets::resolve(values)?,
            requests: Requests::resolve(values),
            storage: Storage::resolve(values),
            topics: Topics::resolve(values)?,
            offsets: Offsets::resolve(values),
            groups: Groups::resolve(values)?,
            transactions: Transactions::resolve(values),
            share_coordinator: ShareCoordinator::resolve(values),
            replication: Replication::resolve(values),
            metadata: Metadata::resolve(values),
            metrics: Metrics::resolve(values)?,
            identity,
            listeners,
        };
        checks::cross_check(&config, values)?;
        Ok(config)
    }
}

impl Identity {
    fn resolve(values: &Values) -> Result<Self, ConfigError> {
        let roles = values.list("process.roles");
        if roles.len() > 1 && roles.first() == roles.last() {
            return Err(ConfigError::Conflict(format!(
                "Duplicate role names found in `process.roles`: ArrayBuffer({})",
                roles.join(", ")
            )));
        }
        let voters = values.list("controller.quorum.voters").iter();
        let servers = values.list("controller.quorum.bootstrap.servers").iter();
        Ok(Self {
            node_id: values.int("node.id"),
            is_broker: roles.iter().any(|role| role == "broker"),
            is_controller: roles.iter().any(|role| role == "controller"),
            rack: values.text("broker.rack").map(str::to_owned),
            voters: voters.map(|entry| parse_voter(entry)).collect::<Result<_, _>>()?,
            bootstrap_servers: servers
                .map(|entry| parse_bootstrap_server(entry))
                .collect::<Result<_, _>>()?,
            controlled_shutdown: values.bool("controlled.shutdown.enable"),
        })
    }
}

impl Storage {
    fn resolve(values: &Values) -> Self {
        let text = values.text("log.dirs").or(values.text("log.dir")).unwrap_or("");
        let log_dirs: Vec<PathBuf> = parse_csv(text).into_iter().map(PathBuf::from).collect();
        let first_dir = log_dirs.first().cloned().unwrap_or_default();
        let cordoned = values.list("cordoned.log.dirs");
        let cordoned_log_dirs = if cordoned.iter().any(|dir| dir == "*") {
            log_dirs.clone()
        } else {
            cordoned.iter().map(PathBuf::from).collect()
        };
        Self {
            cordoned_log_dirs,
            metadata_log_dir: values.text("metadata.log.dir").map_or(first_dir, PathBuf::from),
            log_dirs,
            retention_check_interval_ms: values.long("log.retention.check.interval.ms"),
            flush_scheduler_interval_ms: values.long("log.flush.scheduler.interval.ms"),
            recovery_point_checkpoint_interval_ms: values.int("log.flush.offset.checkpoint.interval.ms"),
            log_start_checkpoint_interval_ms: values.int("log.flush.start.offset.checkpoint.interval.ms"),
            high_watermark_checkpoint_interval_ms: values
                .long("replica.high.watermark.checkpoint.interval.ms"),
            initial_task_delay_ms: values.long("log.initial.task.delay.ms"),
            recovery_threads_per_dir: values.int("num.recovery.threads.per.data.dir"),
            dir_failure_timeout_ms: values.long("log.dir.failure.timeout.ms"),
            cleaner: Cleaner {
                enable: values.bool("log.cleaner.enable"),
                threads: values.int("log.cleaner.threads"),
                dedupe_buffer_bytes: values.long("log.cleaner.dedupe.buffer.size"),
                dedupe_load_factor_max: values.double("log.cleaner.io.buffer.load.factor"),
                io_buffer_bytes: values.int("log.cleaner.io.buffer.size"),
                io_bytes_per_second_max: values.double("log.cleaner.io.max.bytes.per.second"),
                backoff_ms: values.long("log.cleaner.backoff.ms"),
            },
        }
    }
}

#[cfg(test)]
#[path = "resolved_tests.rs"]
mod tests;
