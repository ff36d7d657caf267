//! The controller: commands in, records out, and replayed records as the only thing that changes the image.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{BrokerId, Offset};

use crate::command::{Command, Outcome};
use crate::image::{ConfigResourceType, Image};
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
    /// Rules for dynamic configs.
    pub config_rules: ConfigRules,
}

/// Rules for dynamic configs, which another room owns. The maps hold all dynamic configs that the resource
/// would have; an error is the text that clients see with INVALID_CONFIG.
#[derive(Clone, Copy, Debug)]
pub struct ConfigRules {
    /// For a topic.
    pub validate_topic: fn(&BTreeMap<String, String>) -> Result<(), String>,
    /// For one broker (its id), or all brokers (an empty name).
    pub validate_broker: fn(&str, &BTreeMap<String, String>) -> Result<(), String>,
    /// For a group.
    pub validate_group: fn(&BTreeMap<String, String>) -> Result<(), String>,
    /// For a client metrics subscription.
    pub validate_client_metrics: fn(&BTreeMap<String, String>) -> Result<(), String>,
    /// The default of a config whose type is LIST; `None` when its type is another.
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
}

impl Controller {
    /// A controller that has not seen any record.
    pub fn new(settings: ControllerSettings) -> Self {
        Self { settings, image: Arc::default() }
    }

    /// Decides: nothing changes until the records of the outcome are replayed. `now_ms` is wall time.
    pub fn step(&self, now_ms: i64, command: Command) -> Outcome {
        todo!("{now_ms} {command:?}")
    }

    /// Takes in the record at `offset` of the log, or of the snapshot that ends before it.
    pub fn replay(&mut self, offset: Offset, record: &MetadataRecord) -> Result<(), ReplayError> {
        todo!("{offset} {record:?}")
    }

    /// What the replayed records say.
    pub fn image(&self) -> Arc<Image> {
        self.image.clone()
    }

    /// Records that lead from nothing to the current image, in the order in which Kafka writes them.
    pub fn snapshot(&self) -> Vec<MetadataRecord> {
        todo!()
    }

    /// Records that a controller appends when it takes over, before anything else: the bootstrap records on an
    /// empty log, the end of a transaction that its predecessor left open, or nothing.
    pub fn activation_records(&self) -> Vec<MetadataRecord> {
        todo!()
    }
}

/// Records of `bootstrap.checkpoint` in a freshly formatted directory.
pub fn bootstrap_records() -> Vec<MetadataRecord> {
    todo!()
}
