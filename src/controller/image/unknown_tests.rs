use model::codec::TaggedField;
use model::{BrokerId, LeaderEpoch, Offset, TopicId};
use uuid::Uuid;

use crate::controller::Controller;
use crate::record::*;
use crate::testing::settings;

const NODE: BrokerId = BrokerId::new(1);

fn uuid(n: u64) -> Uuid {
    Uuid::from_u64_pair(n, n + 1)
}

/// Two fields of a version to come, told apart by `mark`.
fn fields(mark: u8) -> Vec<TaggedField> {
    vec![
        TaggedField { tag: 77, value: vec![mark, 1].into() },
        TaggedField { tag: 5_000, value: vec![mark; 3].into() },
    ]
}

fn feature(name: &str, feature_level: i16, mark: u8) -> MetadataRecord {
    MetadataRecord::FeatureLevel(FeatureLevelRecord {
        name: name.to_owned(),
        feature_level,
        unknown: fields(mark),
    })
}

fn config(resource_type: i8, resource: &str, name: &str, value: Option<&str>, mark: u8) -> MetadataRecord {
    MetadataRecord::Config(ConfigRecord {
        resource_type,
        resource_name: resource.to_owned(),
        name: name.to_owned(),
        value: value.map(str::to_owned),
        unknown: fields(mark),
    })
}

fn topic(id: u64, name: &str, mark: u8) -> MetadataRecord {
    let topic_id = TopicId::new(uuid(id));
    MetadataRecord::Topic(TopicRecord { name: name.to_owned(), topic_id, unknown: fields(mark) })
}

fn partition(id: u64, partition_id: i32, partition_epoch: i32, mark: u8) -> MetadataRecord {
    MetadataRecord::Partition(PartitionRecord {
        version: 2,
        partition_id,
        topic_id: TopicId::new(uuid(id)),
        replicas: vec![NODE],
        isr: vec![NODE],
        leader: NODE,
        leader_epoch: LeaderEpoch::new(3),
        partition_epoch,
        directories: vec![uuid(20)],
        unknown: fields(mark),
        ..PartitionRecord::default()
    })
}

fn endpoint(mark: u8) -> Endpoint {
    Endpoint {
        name: "PLAINTEXT".to_owned(),
        host: "localhost".to_owned(),
        port: 9092,
        security_protocol: 0,
        unknown: fields(mark),
    }
}

fn range(mark: u8) -> FeatureRange {
    FeatureRange { name: "metadata.version".to_owned(), min: 7, max: 30, unknown: fields(mark) }
}

fn broker(fenced: bool) -> MetadataRecord {
    MetadataRecord::RegisterBroker(RegisterBrokerRecord {
        version: 4,
        broker_id: NODE,
        incarnation_id: uuid(7),
        broker_epoch: 5,
        endpoints: vec![endpoint(30)],
        features: vec![range(31)],
        rack: Some("r".to_owned()),
        fenced,
        log_dirs: vec![uuid(20), uuid(40)],
        cordoned_log_dirs: Some(vec![uuid(40)]),
        unknown: fields(32),
        ..RegisterBrokerRecord::default()
    })
}

fn controller_registration() -> MetadataRecord {
    MetadataRecord::RegisterController(RegisterControllerRecord {
        controller_id: NODE,
        incarnation_id: uuid(8),
        zk_migration_ready: false,
        endpoints: vec![endpoint(33)],
        features: vec![range(34)],
        unknown: fields(35),
    })
}

fn producer_ids(next_producer_id: i64, mark: u8) -> MetadataRecord {
    MetadataRecord::ProducerIds(ProducerIdsRecord {
        broker_id: BrokerId::NONE,
        broker_epoch: -1,
        next_producer_id,
        unknown: fields(mark),
    })
}

/// A record of each kind that nobody here acts on, with bytes that no schema of today has.
fn verbatim() -> Vec<MetadataRecord> {
    let golden = include_str!("../testdata/records.hex").lines();
    let named = golden.filter_map(|line| line.strip_prefix("verbatim_")?.split_once(' '));
    named
        .filter(|(name, _)| !name.ends_with("_removed"))
        .map(|(_, hex)| {
            let bytes = (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap());
            let mut bytes: Vec<u8> = bytes.collect();
            assert_eq!(bytes.pop(), Some(0), "they end in no tagged fields");
            bytes.extend([1, 77, 2, 9, 9]);
            MetadataRecord::decode(bytes.into()).unwrap()
        })
        .collect()
}

/// One record of each kind that stands for something, in the order of a snapshot.
fn standing() -> Vec<MetadataRecord> {
    let mut records = vec![
        feature("metadata.version", 30, 1),
        feature("planet.version", 3, 2),
        broker(false),
        controller_registration(),
        topic(9, "a", 3),
        partition(9, 0, 4, 4),
        partition(9, 1, 4, 5),
        config(64, "later", "x", Some("y"), 6),
        config(2, "a", "retention.ms", Some("1000"), 7),
        config(4, "1", "planet.size", Some("7"), 8),
        producer_ids(5_000, 9),
    ];
    records.extend(verbatim());
    records
}

fn bytes(records: &[MetadataRecord]) -> Vec<bytes::Bytes> {
    records.iter().map(MetadataRecord::encode).collect()
}

/// A controller that has read these records as a log or a snapshot has them.
fn read(records: &[MetadataRecord]) -> Controller {
    let mut controller = Controller::new(settings());
    for (offset, value) in (0..).zip(bytes(records)) {
        let record = MetadataRecord::decode(value).unwrap();
        controller.replay(Offset::new(offset), &record).unwrap();
    }
    controller
}

/// What a snapshot, a start from it, and a snapshot after that give back.
fn after_two_snapshots(log: &[MetadataRecord]) -> Vec<bytes::Bytes> {
    let first = read(log).snapshot();
    let second = read(&first).snapshot();
    assert_eq!(bytes(&first), bytes(&second));
    bytes(&second)
}

#[test]
fn every_record_comes_back_from_a_snapshot_byte_for_byte() {
    let records = standing();
    assert_eq!(after_two_snapshots(&records), bytes(&records));
}

#[test]
fn a_change_leaves_the_fields_of_what_it_changes() {
    let mut log = standing();
    log[2] = broker(true);
    let id = TopicId::new(uuid(9));
    log.extend([
        MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChangeRecord {
            version: 3,
            broker_id: NODE,
            broker_epoch: 5,
            fencing: FencingChange::Unfence,
            unknown: fields(50),
            ..BrokerRegistrationChangeRecord::default()
        }),
        MetadataRecord::FenceBroker(FenceBrokerRecord { id: NODE, epoch: 5, unknown: fields(51) }),
        MetadataRecord::UnfenceBroker(UnfenceBrokerRecord { id: NODE, epoch: 5, unknown: fields(52) }),
        MetadataRecord::PartitionChange(PartitionChangeRecord {
            version: 2,
            partition_id: 1,
            topic_id: id,
            isr: Some(vec![NODE]),
            unknown: fields(53),
            ..PartitionChangeRecord::default()
        }),
        MetadataRecord::ClearElr(ClearElrRecord { topic_name: "a".to_owned(), unknown: fields(54) }),
        MetadataRecord::NoOp(NoOpRecord { unknown: fields(55) }),
    ]);
    let mut expected = standing();
    expected[6] = partition(9, 1, 5, 5);
    assert_eq!(after_two_snapshots(&log), bytes(&expected));
}

#[test]
fn a_later_record_of_the_same_subject_brings_its_own_fields() {
    let mut log = standing();
    let replaced = [
        (0, feature("metadata.version", 30, 60)),
        (1, feature("planet.version", 4, 61)),
        (5, partition(9, 0, 7, 62)),
        (8, config(2, "a", "retention.ms", Some("2000"), 63)),
        (10, producer_ids(6_000, 64)),
    ];
    let mut expected = standing();
    for (place, record) in replaced {
        log.push(record.clone());
        expected[place] = record;
    }
    assert_eq!(after_two_snapshots(&log), bytes(&expected));
    // And one without any leaves none.
    let MetadataRecord::Config(mut plain) = config(2, "a", "retention.ms", Some("3000"), 0) else { panic!() };
    plain.unknown.clear();
    expected[8] = MetadataRecord::Config(plain);
    log.push(expected[8].clone());
    assert_eq!(after_two_snapshots(&log), bytes(&expected));
}

#[test]
fn what_is_removed_takes_its_fields_along() {
    let mut log = standing();
    let removal = RemoveTopicRecord { topic_id: TopicId::new(uuid(9)), unknown: fields(70) };
    log.extend([
        MetadataRecord::RemoveTopic(removal),
        feature("planet.version", 0, 71),
        config(4, "1", "planet.size", None, 72),
        config(64, "later", "x", None, 73),
    ]);
    let is_kept = |place: &usize| ![1, 4, 5, 6, 7, 8, 9].contains(place);
    let kept = standing().into_iter().enumerate().filter(|(place, _)| is_kept(place));
    let kept: Vec<_> = kept.map(|(_, record)| record).collect();
    assert_eq!(after_two_snapshots(&log), bytes(&kept));
    assert_eq!(read(&log).image().unknown, read(&kept).image().unknown, "nothing is left over");
    // What comes under the same name or id later begins without.
    let MetadataRecord::Topic(mut plain) = topic(9, "a", 0) else { panic!() };
    plain.unknown.clear();
    log.push(MetadataRecord::Topic(plain.clone()));
    let snapshot = read(&log).snapshot();
    assert!(snapshot.contains(&MetadataRecord::Topic(plain)));
}

#[test]
fn an_aborted_transaction_leaves_the_fields_from_before() {
    let mut log = standing();
    log.extend([
        MetadataRecord::BeginTransaction(BeginTransactionRecord { name: None, unknown: fields(80) }),
        config(2, "a", "retention.ms", Some("9"), 81),
        topic(11, "b", 82),
        MetadataRecord::AbortTransaction(AbortTransactionRecord { reason: None, unknown: fields(83) }),
    ]);
    assert_eq!(after_two_snapshots(&log), bytes(&standing()));
}

#[test]
fn where_no_field_is_unknown_nothing_is_kept() {
    let mut world = crate::testing::World::of(1);
    world.create_assigned("a", &[&[1]]);
    assert!(world.controller.image().unknown.is_empty());
}

#[test]
fn a_field_that_the_written_version_knows_is_written_once() {
    let mut record = PartitionRecord { version: 1, ..PartitionRecord::default() };
    record.unknown = vec![TaggedField { tag: 1, value: vec![2, 0, 0, 0, 9].into() }];
    record.version = 2;
    record.eligible_leader_replicas = Some(vec![NODE]);
    let MetadataRecord::Partition(read) =
        MetadataRecord::decode(MetadataRecord::Partition(record).encode()).unwrap()
    else {
        panic!()
    };
    assert_eq!((read.eligible_leader_replicas, read.unknown), (Some(vec![NODE]), Vec::new()));
}
