//! A log that real Kafka wrote: it replays, and the same commands on the same image give the same bytes.

use std::collections::BTreeMap;

use model::{BrokerId, Offset};

use crate::command::{
    BrokerChange, BrokerState, Command, CreatePartitions, CreateTopics, DeleteTopics,
    IncrementalAlterConfigs, NewPartitions, NewTopic, RegisterBroker, RegisterController, TopicReference,
    UpdateFeatures,
};
use crate::controller::Controller;
use crate::feature::MetadataVersion;
use crate::image::{ConfigResource, ConfigResourceType};
use crate::record::{FeatureRange, MetadataRecord};
use crate::testing::{changes_of, settings, supported_features};

const NODE: BrokerId = BrokerId::new(1);

fn log() -> BTreeMap<i64, MetadataRecord> {
    let lines = include_str!("testdata/kafka_log.hex").lines();
    lines
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once(' ').unwrap())
        .map(|(offset, hex)| {
            let bytes: Vec<u8> =
                (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
            let record = MetadataRecord::decode(bytes.clone().into()).unwrap();
            assert_eq!(record.encode(), bytes, "record at {offset}");
            (offset.parse().unwrap(), record)
        })
        .collect()
}

/// The controller after all records before `end`.
fn before(log: &BTreeMap<i64, MetadataRecord>, end: i64) -> Controller {
    let mut settings = settings();
    settings.supported_features.push(FeatureRange::new("transaction.version", 0, 2));
    let mut controller = Controller::new(settings);
    for (offset, record) in log.range(..end) {
        controller.replay(Offset::new(*offset), record).unwrap();
    }
    controller
}

/// Runs `command` on the image before `first` and expects the records that Kafka wrote from there to `last`.
fn expect(log: &BTreeMap<i64, MetadataRecord>, first: i64, last: i64, command: Command) {
    let outcome = before(log, first).step(0, command.clone());
    let expected: Vec<_> = log.range(first..=last).map(|(_, record)| record.clone()).collect();
    assert!(!expected.is_empty());
    assert_eq!(outcome.records, expected, "{command:?}");
}

fn state(log: &BTreeMap<i64, MetadataRecord>, at: i64, change: BrokerChange) -> Command {
    let image = before(log, at).image();
    Command::BrokerState(BrokerState {
        broker_id: NODE,
        broker_epoch: image.broker(NODE).unwrap().epoch,
        change,
    })
}

#[test]
fn kafkas_log_replays() {
    let image = before(&log(), i64::MAX).image();
    assert_eq!(image.metadata_version(), Some(MetadataVersion::LATEST));
    assert_eq!(image.features().level("transaction.version"), 2);
    assert_eq!(image.features().level("group.version"), 0);
    let names: Vec<_> = image.topics().iter().map(|topic| topic.name.to_string()).collect();
    assert_eq!(names, ["a"]);
    assert_eq!(image.topic("a").unwrap().partitions.len(), 5);
    let configs = image.configs();
    assert_eq!(configs.of_topic("a").unwrap().len(), 2);
    assert_eq!(configs.value(&ConfigResource::all_brokers(), "log.retention.ms"), Some("50000"));
    assert_eq!(image.verbatim().iter().count(), 1, "the credential; the quota is gone");
    let broker = image.broker(NODE).unwrap();
    assert_eq!((broker.epoch, broker.fenced, broker.in_controlled_shutdown), (76, true, true));
    assert_eq!(image.cluster().controllers().count(), 1);
    let mut fresh = Controller::new(settings());
    for record in image.snapshot() {
        fresh.replay(image.offset().unwrap(), &record).unwrap();
    }
    assert_eq!(fresh.image(), image);
}

#[test]
fn the_bootstrap_is_kafkas() {
    let log = log();
    let bootstrap: Vec<_> = log.range(2..=5).map(|(_, record)| record.clone()).collect();
    let levels = [
        ("transaction.version", 2),
        ("share.version", 0),
        ("group.version", 1),
        ("eligible.leader.replicas.version", 1),
    ];
    assert_eq!(crate::bootstrap_records(&levels), bootstrap);
    let expected: Vec<_> = log.range(1..=7).map(|(_, record)| record.clone()).collect();
    assert_eq!(before(&log, 1).activation_records(&bootstrap), expected);
}

#[test]
fn nodes_join_stop_and_come_back_as_in_kafka() {
    let log = log();
    let MetadataRecord::RegisterController(controller) = &log[&8] else {
        panic!("{:?}", log[&8]);
    };
    let register_controller = RegisterController {
        controller_id: NODE,
        incarnation_id: controller.incarnation_id,
        endpoints: controller.endpoints.clone(),
        features: controller.features.clone(),
    };
    expect(&log, 8, 8, Command::RegisterController(register_controller));
    for (offset, previous_broker_epoch) in [(9, -1), (76, 9)] {
        let MetadataRecord::RegisterBroker(record) = &log[&offset] else {
            panic!("{:?}", log[&offset]);
        };
        let command = Command::RegisterBroker(RegisterBroker {
            broker_id: NODE,
            cluster_id: crate::testing::CLUSTER_ID.to_owned(),
            incarnation_id: record.incarnation_id,
            endpoints: record.endpoints.clone(),
            features: record.features.clone(),
            rack: record.rack.clone(),
            log_dirs: record.log_dirs.clone(),
            previous_broker_epoch,
            session_is_valid: false,
            next_offset: offset,
        });
        expect(&log, offset, offset, command);
    }
    expect(&log, 11, 11, state(&log, 11, BrokerChange::Unfence));
    expect(&log, 66, 71, state(&log, 66, BrokerChange::ControlledShutdown));
    expect(&log, 72, 72, state(&log, 72, BrokerChange::Fence));
    expect(&log, 78, 83, state(&log, 78, BrokerChange::Unfence));
    expect(&log, 85, 90, state(&log, 85, BrokerChange::ControlledShutdown));
}

#[test]
fn topics_are_created_grown_and_deleted_as_in_kafka() {
    let log = log();
    let create = |offset, partitions, configs: &[(&str, &str)]| {
        let MetadataRecord::Topic(record) = &log[&offset] else {
            panic!("{:?}", log[&offset]);
        };
        let mut topic = NewTopic::new(&record.name, record.topic_id);
        topic.partitions = partitions;
        topic.configs =
            configs.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect();
        Command::CreateTopics(CreateTopics { topics: vec![topic], validate_only: false, seed: 1 })
    };
    expect(&log, 16, 20, create(16, 3, &[("retention.ms", "1000")]));
    expect(&log, 23, 24, create(23, -1, &[]));
    let grow = CreatePartitions {
        topics: vec![NewPartitions { name: "a".to_owned(), count: 5, assignments: None }],
        validate_only: false,
        seed: 1,
    };
    expect(&log, 28, 29, Command::CreatePartitions(grow));
    let by_name = TopicReference { name: Some("b.c".to_owned()), id: model::TopicId::ZERO };
    let delete = DeleteTopics { topics: vec![by_name] };
    expect(&log, 32, 32, Command::DeleteTopics(delete));
}

#[test]
fn configs_and_features_change_as_in_kafka() {
    let log = log();
    let set = |resource_type, resource, name, value| {
        Command::IncrementalAlterConfigs(IncrementalAlterConfigs {
            resources: vec![changes_of(resource_type, resource, &[(name, 0, Some(value))])],
            validate_only: false,
        })
    };
    let topic = ConfigResourceType::Topic;
    expect(&log, 48, 49, set(topic, "a", "min.insync.replicas", "2"));
    let broker = ConfigResourceType::Broker;
    expect(&log, 54, 54, set(broker, "", "log.retention.ms", "50000"));
    expect(&log, 59, 59, set(ConfigResourceType::ClientMetrics, "s", "interval.ms", "1000"));
    let update =
        crate::command::FeatureUpdate { name: "group.version".to_owned(), level: 0, upgrade_type: 2 };
    assert!(supported_features().iter().any(|feature| feature.name == "group.version"));
    let downgrade = UpdateFeatures { updates: vec![update], validate_only: false };
    expect(&log, 64, 64, Command::UpdateFeatures(downgrade));
}
