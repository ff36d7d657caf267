//! What the replayed records say. An [`Image`] is a value: cloning it is cheap, and a clone never changes.

mod cluster;
mod configs;
mod topics;
mod unknown;
mod verbatim;

pub use cluster::{Broker, Cluster};
pub use configs::{ConfigResource, ConfigResourceType, Configs};
pub(crate) use topics::is_reserved_directory;
pub use topics::{
    DIRECTORY_LOST, DIRECTORY_MIGRATING, DIRECTORY_UNASSIGNED, LeaderRecoveryState, OngoingReassignment,
    Partition, Topic, Topics,
};
pub(crate) use unknown::Subject;
use unknown::UnknownFields;
pub use verbatim::VerbatimRecords;

use std::collections::BTreeMap;
use std::sync::Arc;

use model::codec::TaggedField;
use model::{BrokerId, Offset, TopicId};

use crate::feature::{ELIGIBLE_LEADER_REPLICAS_VERSION, MetadataVersion};

/// The whole metadata of the cluster at one offset of its log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    pub(crate) offset: Option<Offset>,
    pub(crate) features: Arc<Features>,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) topics: Arc<Topics>,
    pub(crate) configs: Arc<Configs>,
    pub(crate) next_producer_id: i64,
    pub(crate) verbatim: Arc<VerbatimRecords>,
    pub(crate) unknown: Arc<UnknownFields>,
}

/// Which feature levels are finalized.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    pub(crate) metadata_version: Option<MetadataVersion>,
    /// Levels above 0 of all other features.
    pub(crate) finalized: BTreeMap<String, i16>,
}

impl Image {
    /// The offset of the last record that is part of this image, `None` before the first.
    pub fn offset(&self) -> Option<Offset> {
        self.offset
    }

    /// Finalized feature levels.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// Registered nodes.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// All topics.
    pub fn topics(&self) -> &Topics {
        &self.topics
    }

    /// The topic of this name.
    pub fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.by_name(name)
    }

    /// The topic of this id.
    pub fn topic_by_id(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.topics.by_id(id)
    }

    /// The registered broker of this id.
    pub fn broker(&self, id: BrokerId) -> Option<&Arc<Broker>> {
        self.cluster.broker(id)
    }

    /// Dynamic configs of all resources.
    pub fn configs(&self) -> &Configs {
        &self.configs
    }

    /// The first producer id that nobody has been given yet.
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    /// The finalized `metadata.version`; `None` only before the bootstrap records.
    pub fn metadata_version(&self) -> Option<MetadataVersion> {
        self.features.metadata_version
    }

    /// Records of features that this broker does not act on.
    pub fn verbatim(&self) -> &VerbatimRecords {
        &self.verbatim
    }

    /// The tagged fields of later versions that the last record of a subject had.
    pub(crate) fn unknown_fields(&self, subject: impl FnOnce() -> Subject) -> Vec<TaggedField> {
        if self.unknown.is_empty() { Vec::new() } else { self.unknown.of(&subject()) }
    }

    /// A record of a subject came with these fields.
    pub(crate) fn set_unknown_fields(&mut self, subject: impl FnOnce() -> Subject, fields: &[TaggedField]) {
        if !fields.is_empty() || !self.unknown.is_empty() {
            Arc::make_mut(&mut self.unknown).set(subject(), fields);
        }
    }

    /// The value of a topic config that brokers share: the topic's own, else this node's, else that of all
    /// brokers; `None` leaves the static configuration.
    pub(crate) fn dynamic_topic_config(&self, topic: &str, node: BrokerId, name: &str) -> Option<&str> {
        self.configs
            .value(&ConfigResource::topic(topic), name)
            .or_else(|| self.configs.value(&ConfigResource::broker(node), name))
            .or_else(|| self.configs.value(&ConfigResource::all_brokers(), name))
    }

    pub(crate) fn elr_enabled(&self) -> bool {
        self.features.level(ELIGIBLE_LEADER_REPLICAS_VERSION) >= 1
    }
}

impl Features {
    /// The finalized `metadata.version`.
    pub fn metadata_version(&self) -> Option<MetadataVersion> {
        self.metadata_version
    }

    /// The finalized level of a feature other than `metadata.version`; 0 when it is not finalized.
    pub fn level(&self, name: &str) -> i16 {
        self.finalized.get(name).copied().unwrap_or(0)
    }

    /// All finalized features with levels above 0, `metadata.version` not among them, by name.
    pub fn finalized(&self) -> &BTreeMap<String, i16> {
        &self.finalized
    }
}
