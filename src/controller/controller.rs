//! The controller: commands in, records out, and replayed records as the only thing that changes the image.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{BrokerId, ErrorCode, Offset};

use crate::command::{ApiError, Command, Outcome, Reply};
use crate::image::{Broker, ConfigResourceType, Image, Topic};
use crate::record::{FeatureRange, MetadataRecord};

/// What the controller has to know of the node's static configuration.
#[derive(Clone, Debug)]
pub struct ControllerSettings {
    /// `node.id`.
    pub node_id: BrokerId,
    /// The cluster that brokers must belong to.
    pub cluster_id: String,
    /// `num.partitions`.
    pub default_partitions: i32,
    /// `default.replication.factor`.
    pub default_replication_factor: i16,
    /// Static `min.insync.replicas`.
    pub min_insync_replicas: i32,
    /// Static `unclean.leader.election.enable`.
    pub unclean_leader_election: bool,
    /// Feature levels that this program works with, `metadata.version` among them.
    pub supported_features: Vec<FeatureRange>,
    /// Level of `kraft.version` that the quorum runs at.
    pub kraft_version: i16,
    /// Rules for dynamic configs.
    pub config_rules: ConfigRules,
}

/// Rules for dynamic configs, which another room owns. The maps hold all dynamic configs that the resource
/// would have; an error is the text that clients see.
#[derive(Clone, Copy, Debug)]
pub struct ConfigRules {
    /// For a topic; refused with INVALID_CONFIG.
    pub validate_topic: fn(&BTreeMap<String, String>) -> Result<(), String>,
    /// For one broker (its id), or all brokers (an empty name); refused with INVALID_REQUEST, as Kafka does.
    pub validate_broker: fn(&str, &BTreeMap<String, String>) -> Result<(), String>,
    /// For a group; refused with INVALID_CONFIG.
    pub validate_group: fn(&BTreeMap<String, String>) -> Result<(), String>,
    /// The default of a config whose type is LIST; `None` when its type is another, or it is not known.
    pub list_default: fn(ConfigResourceType, &str) -> Option<String>,
}

/// A record that cannot follow the ones before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("metadata record {api_key} at offset {offset}: {reason}")]
pub struct ReplayError {
    /// Where it stands.
    pub offset: Offset,
    /// Its type.
    pub api_key: i16,
    /// Why it does not fit.
    pub reason: String,
}

/// The cluster's metadata and the rules by which it changes.
#[derive(Clone, Debug)]
pub struct Controller {
    pub(crate) settings: ControllerSettings,
    pub(crate) image: Arc<Image>,
    /// The image from before the open metadata transaction (KIP-868).
    pub(crate) before_transaction: Option<Arc<Image>>,
}

impl Controller {
    /// A controller that has not seen any record.
    pub fn new(settings: ControllerSettings) -> Self {
        Self { settings, image: Arc::default(), before_transaction: None }
    }

    /// What the replayed records say.
    pub fn image(&self) -> Arc<Image> {
        self.image.clone()
    }

    /// Decides what a command comes to. Nothing changes until the records of the outcome are replayed, and
    /// the next command must not be decided before that. `_now_ms` is wall time; no command needs it yet.
    pub fn step(&self, _now_ms: i64, command: Command) -> Outcome {
        match command {
            Command::RegisterBroker(command) => self.register_broker(command).reply(Reply::RegisterBroker),
            Command::RegisterController(command) => {
                self.register_controller(command).reply(Reply::RegisterController)
            }
            Command::BrokerState(command) => self.change_broker_state(command).reply(Reply::BrokerState),
            Command::UnregisterBroker { broker_id } => {
                self.unregister_broker(broker_id).reply(Reply::UnregisterBroker)
            }
            Command::CreateTopics(command) => self.create_topics(command).reply(Reply::CreateTopics),
            Command::DeleteTopics(command) => self.delete_topics(command).reply(Reply::DeleteTopics),
            Command::CreatePartitions(command) => {
                self.create_partitions(command).reply(Reply::CreatePartitions)
            }
            Command::IncrementalAlterConfigs(command) => {
                self.incremental_alter_configs(command).reply(Reply::IncrementalAlterConfigs)
            }
            Command::AlterConfigs(command) => self.alter_configs(command).reply(Reply::AlterConfigs),
            Command::AllocateProducerIds(command) => {
                self.allocate_producer_ids(command).reply(Reply::AllocateProducerIds)
            }
            Command::UpdateFeatures(command) => self.update_features(command).reply(Reply::UpdateFeatures),
            Command::ElectLeaders(command) => self.elect_leaders(command).reply(Reply::ElectLeaders),
            Command::AlterPartitionReassignments(command) => {
                self.alter_partition_reassignments(command).reply(Reply::AlterPartitionReassignments)
            }
            Command::AlterPartition(command) => self.alter_partition(command).reply(Reply::AlterPartition),
            Command::AssignReplicasToDirs(command) => {
                self.assign_replicas_to_dirs(command).reply(Reply::AssignReplicasToDirs)
            }
        }
    }

    /// Refuses a broker that is not registered with this epoch.
    pub(crate) fn check_broker_epoch(&self, id: BrokerId, epoch: i64) -> Result<&Arc<Broker>, ApiError> {
        let Some(broker) = self.image.broker(id) else {
            return Err(ApiError::new(
                ErrorCode::StaleBrokerEpoch,
                format!("No broker registration found for broker id {id}"),
            ));
        };
        if broker.epoch != epoch {
            return Err(ApiError::new(
                ErrorCode::StaleBrokerEpoch,
                format!("Expected broker epoch {}, but got broker epoch {epoch}", broker.epoch),
            ));
        }
        Ok(broker)
    }

    /// The topic's `min.insync.replicas`, but never above its replication factor.
    pub(crate) fn effective_min_isr(&self, topic: &Topic) -> usize {
        let value = self.image.dynamic_topic_config(&topic.name, self.settings.node_id, MIN_INSYNC_REPLICAS);
        let min_isr =
            value.and_then(|value| value.trim().parse().ok()).unwrap_or(self.settings.min_insync_replicas);
        let replicas = topic.partition(0).map_or(1, |partition| partition.replicas.len());
        usize::try_from(min_isr).unwrap_or(0).min(replicas)
    }

    /// The topic's `unclean.leader.election.enable`.
    pub(crate) fn unclean_election_enabled(&self, topic: &str) -> bool {
        let value = self.image.dynamic_topic_config(topic, self.settings.node_id, UNCLEAN_LEADER_ELECTION);
        value.map_or(self.settings.unclean_leader_election, |value| value.eq_ignore_ascii_case("true"))
    }
}

impl<R> Outcome<R> {
    /// An answer that changes nothing.
    pub(crate) fn only(reply: R) -> Self {
        Self { records: Vec::new(), reply }
    }

    fn reply(self, wrap: impl FnOnce(R) -> Reply) -> Outcome {
        Outcome { records: self.records, reply: wrap(self.reply) }
    }
}

/// Most records that one client's command may lead to (`QuorumController.MAX_RECORDS_PER_USER_OP`).
const RECORDS_PER_COMMAND_MAX: usize = 10_000;

/// The error of a command that would lead to too many records; then none of it happens.
pub(crate) fn too_many_records(records: &[MetadataRecord]) -> Option<ApiError> {
    (records.len() > RECORDS_PER_COMMAND_MAX).then(|| {
        ApiError::new(ErrorCode::PolicyViolation, "Unable to perform excessively large batch operation.")
    })
}

/// The config that bounds acks=all from below.
pub(crate) const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";
const UNCLEAN_LEADER_ELECTION: &str = "unclean.leader.election.enable";

#[cfg(test)]
#[path = "controller_tests.rs"]
mod tests;
