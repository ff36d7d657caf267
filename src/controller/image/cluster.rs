//! Registered brokers and controllers.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::BrokerId;
use model::codec::TaggedField;
use uuid::Uuid;

use super::topics::{DIRECTORY_LOST, DIRECTORY_MIGRATING, DIRECTORY_UNASSIGNED};
use crate::record::{Endpoint, FeatureRange, RegisterBrokerRecord, RegisterControllerRecord};

/// All nodes that have registered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    pub(crate) brokers: BTreeMap<BrokerId, Arc<Broker>>,
    pub(crate) controllers: BTreeMap<BrokerId, Arc<RegisterControllerRecord>>,
}

/// One registered broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Its id.
    pub id: BrokerId,
    /// Fences the requests of earlier processes.
    pub epoch: i64,
    /// Identity of the process.
    pub incarnation_id: Uuid,
    /// Its listeners.
    pub endpoints: Vec<Endpoint>,
    /// What it supports.
    pub features: Vec<FeatureRange>,
    /// Its rack.
    pub rack: Option<String>,
    /// It may not lead or be in an ISR.
    pub fenced: bool,
    /// It is being stopped.
    pub in_controlled_shutdown: bool,
    /// A ZooKeeper broker in migration mode (Kafka 3 only).
    pub is_migrating_zk_broker: bool,
    /// Its available log directories, sorted.
    pub log_dirs: Vec<Uuid>,
    /// Those that get no more partitions (KIP-1066); `None` until its process has said so.
    pub cordoned_log_dirs: Option<Vec<Uuid>>,
    /// Tagged fields of later versions.
    pub unknown: Vec<TaggedField>,
}

impl Cluster {
    /// The registered broker of this id.
    pub fn broker(&self, id: BrokerId) -> Option<&Arc<Broker>> {
        self.brokers.get(&id)
    }

    /// All registered brokers, by id.
    pub fn brokers(&self) -> impl Iterator<Item = &Arc<Broker>> {
        self.brokers.values()
    }

    /// All registered controllers, by id.
    pub fn controllers(&self) -> impl Iterator<Item = &RegisterControllerRecord> {
        self.controllers.values().map(AsRef::as_ref)
    }

    /// Whether the broker may lead: registered, not fenced, not being stopped.
    pub fn is_active(&self, id: BrokerId) -> bool {
        self.broker(id).is_some_and(|broker| broker.is_active())
    }
}

impl Broker {
    /// Whether the broker may lead: neither fenced nor being stopped.
    pub fn is_active(&self) -> bool {
        !self.fenced && !self.in_controlled_shutdown
    }

    /// The endpoint of the listener of this name.
    pub fn endpoint(&self, listener: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.name == listener)
    }

    /// Whether a replica in this directory can be served. Unplaced replicas count as served, and so does any
    /// directory of a broker that registered before directories had ids (KAFKA-16162).
    pub(crate) fn has_online_dir(&self, directory: Uuid) -> bool {
        match directory {
            DIRECTORY_UNASSIGNED | DIRECTORY_MIGRATING => true,
            DIRECTORY_LOST => false,
            directory => self.log_dirs.is_empty() || self.log_dirs.contains(&directory),
        }
    }

    /// Whether there is a directory for new replicas (KIP-1066).
    pub(crate) fn takes_replicas(&self) -> bool {
        let Some(cordoned) = &self.cordoned_log_dirs else { return true };
        self.log_dirs.is_empty() || self.log_dirs.iter().any(|directory| !cordoned.contains(directory))
    }

    /// Where a new replica on this broker goes: into the only directory, or wherever the broker says later.
    pub(crate) fn default_dir(&self) -> Uuid {
        match self.log_dirs.as_slice() {
            [] => DIRECTORY_MIGRATING,
            [only] => *only,
            _ => DIRECTORY_UNASSIGNED,
        }
    }

    /// The levels of `feature` that the broker supports.
    pub(crate) fn feature(&self, name: &str) -> Option<&FeatureRange> {
        self.features.iter().find(|feature| feature.name == name)
    }

    pub(crate) fn from_record(record: &RegisterBrokerRecord) -> Self {
        let mut log_dirs = record.log_dirs.clone();
        log_dirs.sort_unstable();
        Self {
            id: record.broker_id,
            epoch: record.broker_epoch,
            incarnation_id: record.incarnation_id,
            endpoints: record.endpoints.clone(),
            features: record.features.clone(),
            rack: record.rack.clone(),
            fenced: record.fenced,
            in_controlled_shutdown: record.in_controlled_shutdown,
            is_migrating_zk_broker: record.is_migrating_zk_broker,
            log_dirs,
            cordoned_log_dirs: record.cordoned_log_dirs.clone(),
            unknown: record.unknown.clone(),
        }
    }

    pub(crate) fn to_record(&self, version: i16) -> RegisterBrokerRecord {
        RegisterBrokerRecord {
            version,
            broker_id: self.id,
            is_migrating_zk_broker: self.is_migrating_zk_broker,
            incarnation_id: self.incarnation_id,
            broker_epoch: self.epoch,
            endpoints: self.endpoints.clone(),
            features: self.features.clone(),
            rack: self.rack.clone(),
            fenced: self.fenced,
            in_controlled_shutdown: self.in_controlled_shutdown,
            log_dirs: if version >= 3 { self.log_dirs.clone() } else { Vec::new() },
            cordoned_log_dirs: self.cordoned_log_dirs.clone().filter(|_| version >= 4),
            unknown: self.unknown.clone(),
        }
    }
}
