//! What can be asked of the controller, and what it answers: plain data, free of API versions.

use model::{BrokerId, ErrorCode, TopicId};
use uuid::Uuid;

use crate::image::ConfigResourceType;
use crate::record::{Endpoint, FeatureRange, MetadataRecord};

/// Something to do. [`crate::Controller::step`] answers each variant with the [`Reply`] of the same name.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the variants are their structs")]
pub enum Command {
    RegisterBroker(RegisterBroker),
    RegisterController(RegisterController),
    BrokerState(BrokerState),
    UnregisterBroker { broker_id: BrokerId },
    CreateTopics(CreateTopics),
    DeleteTopics(DeleteTopics),
    CreatePartitions(CreatePartitions),
    IncrementalAlterConfigs(IncrementalAlterConfigs),
    AlterConfigs(AlterConfigs),
    AllocateProducerIds(AllocateProducerIds),
    UpdateFeatures(UpdateFeatures),
    ElectLeaders(ElectLeaders),
    AlterPartitionReassignments(AlterPartitionReassignments),
    AlterPartition(AlterPartition),
    AssignReplicasToDirs(AssignReplicasToDirs),
}

/// What a command leads to: records to append, replay and commit together, then the reply to release.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome<R = Reply> {
    /// To be written as one batch, in this order; often empty.
    pub records: Vec<MetadataRecord>,
    /// For the client, once the records are committed.
    pub reply: R,
}

/// The answer to a [`Command`].
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the variants are their contents")]
pub enum Reply {
    RegisterBroker(Result<i64, ApiError>),
    RegisterController(Result<(), ApiError>),
    BrokerState(Result<(), ApiError>),
    UnregisterBroker(Result<(), ApiError>),
    CreateTopics(Vec<CreatedTopic>),
    DeleteTopics(Vec<DeletedTopic>),
    CreatePartitions(Vec<NamedResult>),
    IncrementalAlterConfigs(Vec<ResourceResult>),
    AlterConfigs(Vec<ResourceResult>),
    AllocateProducerIds(Result<ProducerIdBlock, ApiError>),
    UpdateFeatures(Result<(), ApiError>),
    ElectLeaders(Vec<TopicPartitionResults>),
    AlterPartitionReassignments(Vec<TopicPartitionResults>),
    AlterPartition(Result<Vec<AlteredPartition>, ApiError>),
    AssignReplicasToDirs(Result<Vec<AssignedReplica>, ApiError>),
}

/// An error code and, where Kafka gives one, its text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {}", message.as_deref().unwrap_or_default())]
pub struct ApiError {
    /// What clients act on; never [`ErrorCode::None`].
    pub code: ErrorCode,
    /// What people read; `None` where Kafka sends null.
    pub message: Option<String>,
}

impl ApiError {
    /// An error with a text.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()) }
    }

    /// An error whose text Kafka leaves null.
    pub fn silent(code: ErrorCode) -> Self {
        Self { code, message: None }
    }
}

/// A broker process joins.
#[derive(Clone, Debug, PartialEq)]
pub struct RegisterBroker {
    /// The broker.
    pub broker_id: BrokerId,
    /// The cluster that it believes to be in.
    pub cluster_id: String,
    /// Random identity of the process.
    pub incarnation_id: Uuid,
    /// Its advertised listeners.
    pub endpoints: Vec<Endpoint>,
    /// What it supports.
    pub features: Vec<FeatureRange>,
    /// Its rack.
    pub rack: Option<String>,
    /// Ids of its log directories.
    pub log_dirs: Vec<Uuid>,
    /// Its epoch when it was last stopped cleanly, else -1 (KIP-966).
    pub previous_broker_epoch: i64,
    /// Whether the broker's earlier process may still be alive; the shell knows the heartbeats.
    pub session_is_valid: bool,
    /// Offset that the first record of this command will get: it becomes the broker's epoch.
    pub next_offset: i64,
}

/// A controller process joins (KIP-919).
#[derive(Clone, Debug, PartialEq)]
pub struct RegisterController {
    /// The controller.
    pub controller_id: BrokerId,
    /// Random identity of the process.
    pub incarnation_id: Uuid,
    /// Its listeners.
    pub endpoints: Vec<Endpoint>,
    /// What it supports.
    pub features: Vec<FeatureRange>,
}

/// A registered broker's state changes: what a heartbeat, or the lack of one, comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct BrokerState {
    /// The broker.
    pub broker_id: BrokerId,
    /// Its epoch; anything but the registered one is STALE_BROKER_EPOCH.
    pub broker_epoch: i64,
    /// What happens to it.
    pub change: BrokerChange,
}

/// See [`BrokerState`].
#[derive(Clone, Debug, PartialEq)]
pub enum BrokerChange {
    /// It has caught up with the metadata and may lead.
    Unfence,
    /// It is gone: others lead.
    Fence,
    /// It wants to stop: others lead, it still serves.
    ControlledShutdown,
    /// These of its log directories have failed.
    OfflineDirs(Vec<Uuid>),
    /// These of its log directories, and no others, get no more partitions (KIP-1066).
    CordonedDirs(Vec<Uuid>),
}

/// Topics to create.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTopics {
    /// The topics.
    pub topics: Vec<NewTopic>,
    /// Check only.
    pub validate_only: bool,
    /// Seed of the placement of replicas.
    pub seed: u64,
}

/// One topic to create.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// A fresh random id for it.
    pub topic_id: TopicId,
    /// How many partitions; -1 for the default, and with `assignments`.
    pub partitions: i32,
    /// How many replicas of each; -1 for the default, and with `assignments`.
    pub replication_factor: i16,
    /// Replicas of each partition, by its index; empty to let the controller choose.
    pub assignments: Vec<(i32, Vec<BrokerId>)>,
    /// Its configs.
    pub configs: Vec<(String, Option<String>)>,
    /// Lower a replication factor above the number of live brokers instead of refusing it: for internal
    /// topics, which must exist on any cluster.
    pub clamp_replication: bool,
}

impl NewTopic {
    /// A topic with the default counts.
    pub fn new(name: &str, topic_id: TopicId) -> Self {
        Self {
            name: name.to_owned(),
            topic_id,
            partitions: -1,
            replication_factor: -1,
            assignments: Vec::new(),
            configs: Vec::new(),
            clamp_replication: false,
        }
    }
}

/// What became of one topic of [`CreateTopics`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its name.
    pub name: String,
    /// Its id, counts, and the configs that it was created with.
    pub result: Result<TopicShape, ApiError>,
}

/// See [`CreatedTopic`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicShape {
    /// The topic's id.
    pub topic_id: TopicId,
    /// Number of partitions.
    pub partitions: i32,
    /// Replicas of the first partition.
    pub replication_factor: i16,
    /// The replication factor that was asked for, when it had to be lowered.
    pub clamped_from: Option<i16>,
}

/// Topics to delete. Whether deletion is allowed at all (`delete.topic.enable`) is the caller's to check.
#[derive(Clone, Debug, PartialEq)]
pub struct DeleteTopics {
    /// Each by name or by id; both or neither is refused.
    pub topics: Vec<TopicReference>,
}

/// A topic by name or by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicReference {
    /// Its name.
    pub name: Option<String>,
    /// Its id, or [`TopicId::ZERO`].
    pub id: TopicId,
}

/// What became of one topic of [`DeleteTopics`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedTopic {
    /// Its name, when known.
    pub name: Option<String>,
    /// Its id, when known, else [`TopicId::ZERO`].
    pub id: TopicId,
    /// Why it is still there.
    pub error: Option<ApiError>,
}

/// Topics that get more partitions.
#[derive(Clone, Debug, PartialEq)]
pub struct CreatePartitions {
    /// The topics.
    pub topics: Vec<NewPartitions>,
    /// Check only.
    pub validate_only: bool,
    /// Seed of the placement of replicas.
    pub seed: u64,
}

/// More partitions for one topic.
#[derive(Clone, Debug, PartialEq)]
pub struct NewPartitions {
    /// The topic.
    pub name: String,
    /// How many partitions it will have.
    pub count: i32,
    /// Replicas of each new partition; `None` to let the controller choose.
    pub assignments: Option<Vec<Vec<BrokerId>>>,
}

/// A name and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedResult {
    /// The topic.
    pub name: String,
    /// What was wrong.
    pub error: Option<ApiError>,
}

/// Single configs to set, delete, append to or subtract from.
#[derive(Clone, Debug, PartialEq)]
pub struct IncrementalAlterConfigs {
    /// By resource.
    pub resources: Vec<ResourceChanges>,
    /// Check only.
    pub validate_only: bool,
}

/// Changes of one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceChanges {
    /// Type of the resource.
    pub resource_type: ConfigResourceType,
    /// Name of the resource.
    pub name: String,
    /// The changes.
    pub changes: Vec<ConfigChange>,
}

/// One change of one config.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigChange {
    /// The config's name.
    pub name: String,
    /// `AlterConfigOp.OpType`: 0 SET, 1 DELETE, 2 APPEND, 3 SUBTRACT.
    pub operation: i8,
    /// Its operand.
    pub value: Option<String>,
}

/// All dynamic configs of some resources (the older API: what is not named is deleted).
#[derive(Clone, Debug, PartialEq)]
pub struct AlterConfigs {
    /// By resource.
    pub resources: Vec<ResourceValues>,
    /// Check only.
    pub validate_only: bool,
}

/// All dynamic configs of one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceValues {
    /// Type of the resource.
    pub resource_type: ConfigResourceType,
    /// Name of the resource.
    pub name: String,
    /// The values.
    pub values: Vec<(String, Option<String>)>,
}

/// A resource and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceResult {
    /// Type of the resource.
    pub resource_type: ConfigResourceType,
    /// Name of the resource.
    pub name: String,
    /// What was wrong.
    pub error: Option<ApiError>,
}

/// A block of producer ids is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct AllocateProducerIds {
    /// By this broker.
    pub broker_id: BrokerId,
    /// Its epoch.
    pub broker_epoch: i64,
}

/// Producer ids that nobody else gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIdBlock {
    /// The first.
    pub first: i64,
    /// How many.
    pub count: i32,
}

/// Feature levels to finalize.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateFeatures {
    /// The levels.
    pub updates: Vec<FeatureUpdate>,
    /// Check only.
    pub validate_only: bool,
}

/// The new level of one feature.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureUpdate {
    /// The feature.
    pub name: String,
    /// Its level; 0 removes it.
    pub level: i16,
    /// `FeatureUpdate.UpgradeType`: 1 UPGRADE, 2 SAFE_DOWNGRADE, 3 UNSAFE_DOWNGRADE.
    pub upgrade_type: i8,
}

/// Leaders to elect.
#[derive(Clone, Debug, PartialEq)]
pub struct ElectLeaders {
    /// How.
    pub election: ElectionType,
    /// By topic; `None` for all partitions.
    pub partitions: Option<Vec<(String, Vec<i32>)>>,
}

/// Who may be elected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElectionType {
    /// The first replica.
    Preferred,
    /// Anybody, when nobody in sync is left.
    Unclean,
}

/// A topic's partitions and what became of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPartitionResults {
    /// The topic.
    pub name: String,
    /// Index and what was wrong.
    pub partitions: Vec<(i32, Option<ApiError>)>,
}

/// Replicas to move.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterPartitionReassignments {
    /// By topic: index and the replicas that it will have, `None` to cancel.
    pub topics: Vec<(String, Vec<PartitionTarget>)>,
    /// Whether a target may have another number of replicas (KIP-860).
    pub allow_replication_factor_change: bool,
}

/// Index of a partition and its new replicas; `None` cancels the ongoing reassignment.
pub type PartitionTarget = (i32, Option<Vec<BrokerId>>);

/// A leader reports which replicas are in sync.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterPartition {
    /// The leader.
    pub broker_id: BrokerId,
    /// Its epoch.
    pub broker_epoch: i64,
    /// By topic and partition.
    pub partitions: Vec<PartitionIsr>,
}

/// See [`AlterPartition`].
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionIsr {
    /// The topic.
    pub topic_id: TopicId,
    /// The partition.
    pub partition: i32,
    /// The leader's epoch of leadership.
    pub leader_epoch: model::LeaderEpoch,
    /// The change count that the leader knows.
    pub partition_epoch: i32,
    /// Replicas in sync with their broker epochs, -1 where unknown.
    pub isr: Vec<(BrokerId, i64)>,
    /// 1 while it recovers from an unclean election, else 0.
    pub leader_recovery_state: i8,
}

/// What became of one partition of [`AlterPartition`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlteredPartition {
    /// The topic.
    pub topic_id: TopicId,
    /// The partition.
    pub partition: i32,
    /// Its state after the change.
    pub result: Result<crate::image::Partition, ErrorCode>,
}

/// A broker tells in which directories its replicas are (KIP-858).
#[derive(Clone, Debug, PartialEq)]
pub struct AssignReplicasToDirs {
    /// The broker.
    pub broker_id: BrokerId,
    /// Its epoch.
    pub broker_epoch: i64,
    /// Directory, topic, partition.
    pub replicas: Vec<(Uuid, TopicId, i32)>,
}

/// What became of one replica of [`AssignReplicasToDirs`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignedReplica {
    /// The directory.
    pub directory: Uuid,
    /// The topic.
    pub topic_id: TopicId,
    /// The partition.
    pub partition: i32,
    /// What was wrong.
    pub error: Option<ErrorCode>,
}
