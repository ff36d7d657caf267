//! What the tests of this room share: a controller whose records are replayed through their bytes.

use std::collections::BTreeMap;

use model::{BrokerId, ErrorCode, Offset, TopicId};
use uuid::Uuid;

use crate::command::{
    ApiError, BrokerChange, BrokerState, Command, ConfigChange, CreateTopics, CreatedTopic,
    IncrementalAlterConfigs, NewTopic, Outcome, RegisterBroker, Reply, ResourceChanges, ResourceResult,
};
use crate::controller::{ConfigRules, Controller, ControllerSettings};
use crate::feature::{ELIGIBLE_LEADER_REPLICAS_VERSION, METADATA_VERSION};
use crate::image::{ConfigResourceType, Partition, Topic};
use crate::record::{Endpoint, FeatureRange, MetadataRecord};

pub(crate) const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qg";

/// A controller, its log, and whoever calls it.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) controller: Controller,
    pub(crate) log: Vec<MetadataRecord>,
    next_id: u64,
}

impl World {
    /// A bootstrapped log without brokers.
    pub(crate) fn empty() -> Self {
        let mut world = Self { controller: Controller::new(settings()), log: Vec::new(), next_id: 1000 };
        let bootstrap = crate::bootstrap_records(&[]);
        let records = world.controller.activation_records(&bootstrap);
        world.append(records);
        world
    }

    /// A cluster of `brokers` unfenced brokers, from id 1 on.
    pub(crate) fn of(brokers: i32) -> Self {
        let mut world = Self::empty();
        for id in 1..=brokers {
            world.join(id);
        }
        world
    }

    /// With eligible leader replicas finalized (KIP-966).
    pub(crate) fn with_elr(brokers: i32) -> Self {
        let mut world = Self::empty();
        world.append(vec![crate::snapshot::feature_level(ELIGIBLE_LEADER_REPLICAS_VERSION, 1)]);
        for id in 1..=brokers {
            world.join(id);
        }
        world
    }

    /// Replays records through their bytes.
    pub(crate) fn append(&mut self, records: Vec<MetadataRecord>) {
        for record in records {
            let decoded = MetadataRecord::decode(record.encode()).expect("own records decode");
            assert_eq!(decoded, record, "own records survive their bytes");
            let offset = Offset::new(self.log.len() as i64);
            self.controller.replay(offset, &record).expect("own records replay");
            self.log.push(record);
        }
    }

    /// Decides and replays.
    pub(crate) fn run(&mut self, command: Command) -> Reply {
        let Outcome { records, reply } = self.controller.step(0, command);
        self.append(records);
        reply
    }

    /// Decides only.
    pub(crate) fn decide(&self, command: Command) -> Outcome {
        self.controller.step(0, command)
    }

    pub(crate) fn fresh_id(&mut self) -> Uuid {
        self.next_id += 1;
        Uuid::from_u64_pair(self.next_id, 0)
    }

    pub(crate) fn registration(&mut self, id: i32) -> RegisterBroker {
        RegisterBroker {
            broker_id: BrokerId::new(id),
            cluster_id: CLUSTER_ID.to_owned(),
            incarnation_id: self.fresh_id(),
            endpoints: vec![Endpoint {
                name: "PLAINTEXT".to_owned(),
                host: "localhost".to_owned(),
                port: 9092,
                ..Endpoint::default()
            }],
            features: supported_features(),
            rack: None,
            log_dirs: vec![dir(id)],
            previous_broker_epoch: -1,
            session_is_valid: false,
            next_offset: self.log.len() as i64,
        }
    }

    /// Registers and unfences.
    pub(crate) fn join(&mut self, id: i32) -> i64 {
        let registration = self.registration(id);
        let epoch = self.register(registration).expect("registered");
        self.change(id, BrokerChange::Unfence).expect("unfenced");
        epoch
    }

    pub(crate) fn register(&mut self, registration: RegisterBroker) -> Result<i64, ApiError> {
        match self.run(Command::RegisterBroker(registration)) {
            Reply::RegisterBroker(result) => result,
            other => panic!("{other:?}"),
        }
    }

    /// Changes the state of a registered broker.
    pub(crate) fn change(&mut self, id: i32, change: BrokerChange) -> Result<(), ApiError> {
        let broker_id = BrokerId::new(id);
        let broker_epoch = self.controller.image().broker(broker_id).map_or(-1, |broker| broker.epoch);
        match self.run(Command::BrokerState(BrokerState { broker_id, broker_epoch, change })) {
            Reply::BrokerState(result) => result,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn new_topic(&mut self, name: &str) -> NewTopic {
        let id = self.fresh_id();
        NewTopic::new(name, TopicId::new(id))
    }

    pub(crate) fn create(&mut self, topic: NewTopic) -> Result<crate::command::TopicShape, ApiError> {
        let mut reply = self.create_all(vec![topic]);
        assert_eq!(reply.len(), 1);
        reply.remove(0).result
    }

    pub(crate) fn create_all(&mut self, topics: Vec<NewTopic>) -> Vec<CreatedTopic> {
        match self.run(Command::CreateTopics(CreateTopics { topics, validate_only: false, seed: 0 })) {
            Reply::CreateTopics(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    /// Creates a topic with these replicas for each partition.
    pub(crate) fn create_assigned(&mut self, name: &str, replicas: &[&[i32]]) -> TopicId {
        let mut topic = self.new_topic(name);
        topic.assignments = (0..).zip(replicas.iter().map(|replicas| ids(replicas))).collect();
        let id = topic.topic_id;
        self.create(topic).expect("created");
        id
    }

    pub(crate) fn topic(&self, name: &str) -> Topic {
        self.controller.image().topic(name).expect("the topic exists").as_ref().clone()
    }

    pub(crate) fn partition(&self, name: &str, index: i32) -> Partition {
        self.topic(name).partition(index).expect("the partition exists").as_ref().clone()
    }

    pub(crate) fn set(
        &mut self,
        resource_type: ConfigResourceType,
        resource: &str,
        changes: &[(&str, i8, Option<&str>)],
    ) -> Option<ApiError> {
        let mut reply = self.set_all(vec![changes_of(resource_type, resource, changes)], false);
        assert_eq!(reply.len(), 1);
        reply.remove(0).error
    }

    pub(crate) fn set_all(
        &mut self,
        resources: Vec<ResourceChanges>,
        validate_only: bool,
    ) -> Vec<ResourceResult> {
        match self.run(Command::IncrementalAlterConfigs(IncrementalAlterConfigs { resources, validate_only }))
        {
            Reply::IncrementalAlterConfigs(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    /// A fresh controller that has read this one's log.
    pub(crate) fn reread(&self) -> Controller {
        let mut controller = Controller::new(settings());
        for (offset, record) in (0..).zip(&self.log) {
            controller.replay(Offset::new(offset), record).expect("the log replays");
        }
        controller
    }
}

pub(crate) fn changes_of(
    resource_type: ConfigResourceType,
    resource: &str,
    changes: &[(&str, i8, Option<&str>)],
) -> ResourceChanges {
    ResourceChanges {
        resource_type,
        name: resource.to_owned(),
        changes: changes
            .iter()
            .map(|(name, operation, value)| ConfigChange {
                name: (*name).to_owned(),
                operation: *operation,
                value: value.map(str::to_owned),
            })
            .collect(),
    }
}

pub(crate) fn settings() -> ControllerSettings {
    ControllerSettings {
        node_id: BrokerId::new(1),
        cluster_id: CLUSTER_ID.to_owned(),
        default_partitions: 1,
        default_replication_factor: 1,
        min_insync_replicas: 1,
        unclean_leader_election: false,
        supported_features: supported_features(),
        kraft_version: 0,
        config_rules: ConfigRules { validate_topic, validate_broker, validate_group, list_default },
    }
}

pub(crate) fn supported_features() -> Vec<FeatureRange> {
    vec![
        FeatureRange::new(METADATA_VERSION, 7, 27),
        FeatureRange::new("group.version", 0, 1),
        FeatureRange::new(ELIGIBLE_LEADER_REPLICAS_VERSION, 0, 1),
    ]
}

fn validate_topic(values: &BTreeMap<String, String>) -> Result<(), String> {
    match values.keys().find(|name| name.starts_with("bad.")) {
        Some(name) => Err(format!("Unknown topic config name: {name}")),
        None => Ok(()),
    }
}

fn validate_broker(_name: &str, values: &BTreeMap<String, String>) -> Result<(), String> {
    match values.keys().find(|name| name.starts_with("bad.")) {
        Some(name) => Err(format!("Cannot update these configs dynamically: Set({name})")),
        None => Ok(()),
    }
}

fn validate_group(values: &BTreeMap<String, String>) -> Result<(), String> {
    match values.keys().find(|name| name.starts_with("bad.")) {
        Some(name) => Err(format!("Unknown group config name: {name}")),
        None => Ok(()),
    }
}

fn list_default(_type: ConfigResourceType, name: &str) -> Option<String> {
    (name == "cleanup.policy" || name == "log.cleanup.policy").then(|| "delete".to_owned())
}

/// The only log directory of a broker.
pub(crate) fn dir(broker: i32) -> Uuid {
    Uuid::from_u64_pair(500, broker as u64)
}

pub(crate) fn ids(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId::new).collect()
}

pub(crate) fn error(code: ErrorCode, message: &str) -> ApiError {
    ApiError::new(code, message)
}
