//! Coordinators, replication and the metadata log.

use crate::error::ConfigError;
use crate::keys::extra::SERVE_WITHOUT_ACLS;
use crate::layers::Values;

/// `__consumer_offsets` and committed offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offsets {
    /// `offsets.topic.num.partitions`.
    pub partitions: i32,
    /// `offsets.topic.replication.factor`; the broker clamps it to the live brokers.
    pub replication_factor: i16,
    /// `offsets.topic.segment.bytes`.
    pub segment_bytes: i32,
    /// `offsets.topic.compression.codec`, the id of a codec in record batches.
    pub compression_codec: i32,
    /// `offsets.retention.minutes`, in milliseconds.
    pub retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub retention_check_interval_ms: i64,
    /// `offset.metadata.max.bytes`.
    pub metadata_bytes_max: i32,
    /// `offsets.commit.timeout.ms`.
    pub commit_timeout_ms: i32,
    /// `offsets.load.buffer.size`.
    pub load_buffer_bytes: i32,
}

/// Group coordination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    /// `group.coordinator.rebalance.protocols`: the classic protocol is always on, KIP-848 consumer groups may be
    /// off.
    pub consumer_enabled: bool,
    /// The same key lists `share`.
    pub share_enabled: bool,
    /// The same key lists `streams`.
    pub streams_enabled: bool,
    /// `group.initial.rebalance.delay.ms`.
    pub initial_rebalance_delay_ms: i32,
    /// `group.min.session.timeout.ms`, classic members.
    pub session_timeout_ms_min: i32,
    /// `group.max.session.timeout.ms`, classic members.
    pub session_timeout_ms_max: i32,
    /// `group.max.size`, classic members.
    pub members_max: i32,
    /// `group.coordinator.append.linger.ms`.
    pub append_linger_ms: i32,
    /// `group.consumer.*` (KIP-848).
    pub consumer: ConsumerGroups,
    /// `group.share.*` (KIP-932).
    pub share: ShareGroups,
    /// `group.streams.*` (KIP-1071).
    pub streams: StreamsGroups,
}

/// `group.consumer.*` (KIP-848). Each default lies between its minimum and maximum.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ConsumerGroups {
    pub session_timeout_ms: i32,
    pub session_timeout_ms_min: i32,
    pub session_timeout_ms_max: i32,
    pub heartbeat_interval_ms: i32,
    pub heartbeat_interval_ms_min: i32,
    pub heartbeat_interval_ms_max: i32,
    pub members_max: i32,
    /// `uniform`, `range`, or class names.
    pub assignors: Vec<String>,
    /// `disabled`, `upgrade`, `downgrade` or `bidirectional`, in lower case.
    pub migration_policy: String,
    pub regex_refresh_interval_ms: i32,
}

/// `group.share.*` (KIP-932). Each default lies between its minimum and maximum.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ShareGroups {
    pub session_timeout_ms: i32,
    pub session_timeout_ms_min: i32,
    pub session_timeout_ms_max: i32,
    pub heartbeat_interval_ms: i32,
    pub heartbeat_interval_ms_min: i32,
    pub heartbeat_interval_ms_max: i32,
    pub members_max: i32,
    pub sessions_max: i32,
    pub delivery_count_limit: i32,
    pub partition_record_locks_max: i32,
    pub record_lock_ms: i32,
    pub record_lock_ms_min: i32,
    pub record_lock_ms_max: i32,
}

/// `group.streams.*` (KIP-1071). Each default lies between its minimum and maximum.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct StreamsGroups {
    pub session_timeout_ms: i32,
    pub session_timeout_ms_min: i32,
    pub session_timeout_ms_max: i32,
    pub heartbeat_interval_ms: i32,
    pub heartbeat_interval_ms_min: i32,
    pub heartbeat_interval_ms_max: i32,
    pub members_max: i32,
    pub standby_replicas: i32,
    pub standby_replicas_max: i32,
}

/// Transactions and producer ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transactions {
    /// `transaction.state.log.num.partitions`.
    pub partitions: i32,
    /// `transaction.state.log.replication.factor`; the broker clamps it to the live brokers.
    pub replication_factor: i16,
    /// `transaction.state.log.min.isr`; clamped with the replication factor.
    pub min_isr: i32,
    /// `transaction.state.log.segment.bytes`.
    pub segment_bytes: i32,
    /// `transaction.max.timeout.ms`.
    pub timeout_ms_max: i32,
    /// `transactional.id.expiration.ms`.
    pub id_expiration_ms: i32,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`.
    pub abort_check_interval_ms: i32,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`.
    pub expiration_check_interval_ms: i32,
    /// `add.partitions.to.txn.retry.backoff.max.ms`.
    pub admission_wait_ms_max: i32,
    /// `transaction.two.phase.commit.enable` (KIP-939).
    pub two_phase_commit: bool,
    /// `transaction.partition.verification.enable` (KIP-890).
    pub verify_partitions: bool,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: i32,
    /// `producer.id.expiration.check.interval.ms`.
    pub producer_id_expiration_check_interval_ms: i32,
}

/// `share.coordinator.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareCoordinator {
    /// `share.coordinator.state.topic.num.partitions`.
    pub partitions: i32,
    /// `share.coordinator.state.topic.replication.factor`; the broker clamps it to the live brokers.
    pub replication_factor: i16,
    /// `share.coordinator.state.topic.min.isr`; clamped with the replication factor.
    pub min_isr: i16,
    /// `share.coordinator.state.topic.segment.bytes`.
    pub segment_bytes: i32,
    /// `share.coordinator.snapshot.update.records.per.snapshot`.
    pub updates_per_snapshot: i32,
    /// `share.coordinator.write.timeout.ms`.
    pub write_timeout_ms: i32,
}

/// Replication between brokers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replication {
    /// `replica.lag.time.max.ms`.
    pub lag_ms_max: i64,
    /// `replica.fetch.max.bytes`, a soft bound: the first batch always fits.
    pub fetch_bytes_max: i32,
    /// `replica.fetch.response.max.bytes`.
    pub response_bytes_max: i32,
    /// `replica.fetch.min.bytes`.
    pub fetch_bytes_min: i32,
    /// `replica.fetch.wait.max.ms`.
    pub fetch_wait_ms_max: i32,
    /// `replica.fetch.backoff.ms`.
    pub fetch_backoff_ms: i32,
    /// `replica.socket.timeout.ms`.
    pub socket_timeout_ms: i32,
    /// `auto.leader.rebalance.enable`.
    pub auto_leader_rebalance: bool,
    /// `leader.imbalance.check.interval.seconds`.
    pub leader_imbalance_check_interval_s: i64,
    /// `replica.selector.class` is Kafka's rack-aware one (KIP-392).
    pub rack_aware_reads: bool,
}

/// The metadata log and its quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// `ottla.serve.without.acls`.
    pub serve_without_acls: bool,
    /// `metadata.log.segment.bytes`.
    pub segment_bytes: i32,
    /// `metadata.log.segment.ms`.
    pub segment_ms: i64,
    /// `metadata.max.retention.bytes`; -1 is unlimited.
    pub retention_bytes: i64,
    /// `metadata.max.retention.ms`; -1 is unlimited.
    pub retention_ms: i64,
    /// `metadata.log.max.record.bytes.between.snapshots`.
    pub snapshot_bytes_max: i64,
    /// `metadata.log.max.snapshot.interval.ms`; 0 takes no timed snapshot.
    pub snapshot_interval_ms_max: i64,
    /// `metadata.max.idle.interval.ms`; 0 writes no no-op records.
    pub idle_interval_ms_max: i32,
    /// `broker.heartbeat.interval.ms`.
    pub heartbeat_interval_ms: i32,
    /// `broker.session.timeout.ms`.
    pub session_timeout_ms: i32,
    /// `initial.broker.registration.timeout.ms`.
    pub registration_timeout_ms: i32,
    /// `controller.quorum.election.timeout.ms`.
    pub election_timeout_ms: i32,
    /// `controller.quorum.election.backoff.max.ms`.
    pub election_backoff_ms_max: i32,
    /// `controller.quorum.fetch.timeout.ms`.
    pub fetch_timeout_ms: i32,
    /// `controller.quorum.request.timeout.ms`.
    pub request_timeout_ms: i32,
    /// `controller.quorum.retry.backoff.ms`.
    pub retry_backoff_ms: i32,
    /// `controller.quorum.append.linger.ms`.
    pub append_linger_ms: i32,
}

impl Offsets {
    pub(super) fn resolve(values: &Values) -> Self {
        Self {
            partitions: values.int("offsets.topic.num.partitions"),
            replication_factor: values.short("offsets.topic.replication.factor"),
            segment_bytes: values.int("offsets.topic.segment.bytes"),
            compression_codec: values.int("offsets.topic.compression.codec"),
            retention_ms: values.long("offsets.retention.minutes") * 60_000,
            retention_check_interval_ms: values.long("offsets.retention.check.interval.ms"),
            metadata_bytes_max: values.int("offset.metadata.max.bytes"),
            commit_timeout_ms: values.int("offsets.commit.timeout.ms"),
            load_buffer_bytes: values.int("offsets.load.buffer.size"),
        }
    }
}

impl Groups {
    pub(super) fn resolve(values: &Values) -> Result<Self, ConfigError> {
        let protocols = values.list("group.coordinator.rebalance.protocols");
        let has = |name: &str| protocols.iter().any(|protocol| protocol == name);
        if !has("classic") {
            return Err(ConfigError::Conflict(
                "Disabling the 'classic' protocol is not supported.".to_owned(),
            ));
        }
        Ok(Self {
            consumer_enabled: has("consumer"),
            share_enabled: has("share") || values.bool("group.share.enable"),
            streams_enabled: has("streams"),
            initial_rebalance_delay_ms: values.int("group.initial.rebalance.delay.ms"),
            session_timeout_ms_min: values.int("group.min.session.timeout.ms"),
            session_timeout_ms_max: values.int("group.max.session.timeout.ms"),
            members_max: values.int("group.max.size"),
            append_linger_ms: values.int("group.coordinator.append.linger.ms"),
            consumer: ConsumerGroups::resolve(values),
            share: ShareGroups::resolve(values),
            streams: StreamsGroups::resolve(values),
        })
    }
}

impl ConsumerGroups {
    fn resolve(values: &Values) -> Self {
        Self {
            session_timeout_ms: values.int("group.consumer.session.timeout.ms"),
            session_timeout_ms_min: values.int("group.consumer.min.session.timeout.ms"),
            session_timeout_ms_max: values.int("group.consumer.max.session.timeout.ms"),
            heartbeat_interval_ms: values.int("group.consumer.heartbeat.interval.ms"),
            heartbeat_interval_ms_min: values.int("group.consumer.min.heartbeat.interval.ms"),
            heartbeat_interval_ms_max: values.int("group.consumer.max.heartbeat.interval.ms"),
            members_max: values.int("group.consumer.max.size"),
            assignors: values.list("group.consumer.assignors").to_vec(),
            migration_policy: values.text("group.consumer.migration.policy").unwrap_or("").to_lowercase(),
            regex_refresh_interval_ms: values.int("group.consumer.regex.refresh.interval.ms"),
        }
    }
}

impl ShareGroups {
    fn resolve(values: &Values) -> Self {
        Self {
            session_timeout_ms: values.int("group.share.session.timeout.ms"),
            session_timeout_ms_min: values.int("group.share.min.session.timeout.ms"),
            session_timeout_ms_max: values.int("group.share.max.session.timeout.ms"),
            heartbeat_interval_ms: values.int("group.share.heartbeat.interval.ms"),
            heartbeat_interval_ms_min: values.int("group.share.min.heartbeat.interval.ms"),
            heartbeat_interval_ms_max: values.int("group.share.max.heartbeat.interval.ms"),
            members_max: values.int("group.share.max.size"),
            sessions_max: values.int("group.share.max.share.sessions"),
            delivery_count_limit: values.int("group.share.delivery.count.limit"),
            partition_record_locks_max: values.int("group.share.partition.max.record.locks"),
            record_lock_ms: values.int("group.share.record.lock.duration.ms"),
            record_lock_ms_min: values.int("group.share.min.record.lock.duration.ms"),
            record_lock_ms_max: values.int("group.share.max.record.lock.duration.ms"),
        }
    }
}

impl StreamsGroups {
    fn resolve(values: &Values) -> Self {
        Self {
            session_timeout_ms: values.int("group.streams.session.timeout.ms"),
            session_timeout_ms_min: values.int("group.streams.min.session.timeout.ms"),
            session_timeout_ms_max: values.int("group.streams.max.session.timeout.ms"),
            heartbeat_interval_ms: values.int("group.streams.heartbeat.interval.ms"),
            heartbeat_interval_ms_min: values.int("group.streams.min.heartbeat.interval.ms"),
            heartbeat_interval_ms_max: values.int("group.streams.max.heartbeat.interval.ms"),
            members_max: values.int("group.streams.max.size"),
            standby_replicas: values.int("group.streams.num.standby.replicas"),
            standby_replicas_max: values.int("group.streams.max.standby.replicas"),
        }
    }
}

impl Transactions {
    pub(super) fn resolve(values: &Values) -> Self {
        Self {
            partitions: values.int("transaction.state.log.num.partitions"),
            replication_factor: values.short("transaction.state.log.replication.factor"),
            min_isr: values.int("transaction.state.log.min.isr"),
            segment_bytes: values.int("transaction.state.log.segment.bytes"),
            timeout_ms_max: values.int("transaction.max.timeout.ms"),
            id_expiration_ms: values.int("transactional.id.expiration.ms"),
            abort_check_interval_ms: values
                .int("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
            expiration_check_interval_ms: values
                .int("transaction.remove.expired.transaction.cleanup.interval.ms"),
            admission_wait_ms_max: values.int("add.partitions.to.txn.retry.backoff.max.ms"),
            two_phase_commit: values.bool("transaction.two.phase.commit.enable"),
            verify_partitions: values.bool("transaction.partition.verification.enable"),
            producer_id_expiration_ms: values.int("producer.id.expiration.ms"),
            producer_id_expiration_check_interval_ms: values.int("producer.id.expiration.check.interval.ms"),
        }
    }
}

impl ShareCoordinator {
    pub(super) fn resolve(values: &Values) -> Self {
        Self {
            partitions: values.int("share.coordinator.state.topic.num.partitions"),
            replication_factor: values.short("share.coordinator.state.topic.replication.factor"),
            min_isr: values.short("share.coordinator.state.topic.min.isr"),
            segment_bytes: values.int("share.coordinator.state.topic.segment.bytes"),
            updates_per_snapshot: values.int("share.coordinator.snapshot.update.records.per.snapshot"),
            write_timeout_ms: values.int("share.coordinator.write.timeout.ms"),
        }
    }
}

impl Replication {
    pub(super) fn resolve(values: &Values) -> Self {
        Self {
            lag_ms_max: values.long("replica.lag.time.max.ms"),
            fetch_bytes_max: values.int("replica.fetch.max.bytes"),
            response_bytes_max: values.int("replica.fetch.response.max.bytes"),
            fetch_bytes_min: values.int("replica.fetch.min.bytes"),
            fetch_wait_ms_max: values.int("replica.fetch.wait.max.ms"),
            fetch_backoff_ms: values.int("replica.fetch.backoff.ms"),
            socket_timeout_ms: values.int("replica.socket.timeout.ms"),
            auto_leader_rebalance: values.bool("auto.leader.rebalance.enable"),
            leader_imbalance_check_interval_s: values.long("leader.imbalance.check.interval.seconds"),
            rack_aware_reads: values.text("replica.selector.class").is_some_and(|class| !class.is_empty()),
        }
    }
}

impl Metadata {
    pub(super) fn resolve(values: &Values) -> Self {
        Self {
            serve_without_acls: values.bool(SERVE_WITHOUT_ACLS),
            segment_bytes: values.int("metadata.log.segment.bytes"),
            segment_ms: values.long("metadata.log.segment.ms"),
            retention_bytes: values.long("metadata.max.retention.bytes"),
            retention_ms: values.long("metadata.max.retention.ms"),
            snapshot_bytes_max: values.long("metadata.log.max.record.bytes.between.snapshots"),
            snapshot_interval_ms_max: values.long("metadata.log.max.snapshot.interval.ms"),
            idle_interval_ms_max: values.int("metadata.max.idle.interval.ms"),
            heartbeat_interval_ms: values.int("broker.heartbeat.interval.ms"),
            session_timeout_ms: values.int("broker.session.timeout.ms"),
            registration_timeout_ms: values.int("initial.broker.registration.timeout.ms"),
            election_timeout_ms: values.int("controller.quorum.election.timeout.ms"),
            election_backoff_ms_max: values.int("controller.quorum.election.backoff.max.ms"),
            fetch_timeout_ms: values.int("controller.quorum.fetch.timeout.ms"),
            request_timeout_ms: values.int("controller.quorum.request.timeout.ms"),
            retry_backoff_ms: values.int("controller.quorum.retry.backoff.ms"),
            append_linger_ms: values.int("controller.quorum.append.linger.ms"),
        }
    }
}
