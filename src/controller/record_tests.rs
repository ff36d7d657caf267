use std::collections::BTreeMap;

use model::codec::TaggedField;
use model::{BrokerId, LeaderEpoch, TopicId};
use uuid::Uuid;

use super::*;

fn uuid(n: u64) -> Uuid {
    Uuid::from_u64_pair(n, n + 1)
}

fn ids(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId::new).collect()
}

fn unhex(text: &str) -> Bytes {
    let digits = text.as_bytes().chunks(2);
    let bytes = digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
    bytes.collect::<Vec<_>>().into()
}

fn golden() -> BTreeMap<&'static str, Bytes> {
    let lines = include_str!("testdata/records.hex").lines();
    lines
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, hex)| (name, unhex(hex)))
        .collect()
}

fn register_broker(version: i16) -> RegisterBrokerRecord {
    RegisterBrokerRecord {
        version,
        broker_id: BrokerId::new(1),
        incarnation_id: uuid(7),
        broker_epoch: 5,
        endpoints: vec![Endpoint {
            name: "PLAINTEXT".to_owned(),
            host: "localhost".to_owned(),
            port: 60_000,
            security_protocol: 0,
            unknown: Vec::new(),
        }],
        features: vec![FeatureRange::new("metadata.version", 7, 27)],
        rack: Some("r1".to_owned()),
        fenced: true,
        ..RegisterBrokerRecord::default()
    }
}

fn partition(version: i16) -> PartitionRecord {
    PartitionRecord {
        version,
        partition_id: 3,
        topic_id: TopicId::new(uuid(9)),
        replicas: ids(&[1, 2]),
        isr: ids(&[1]),
        removing_replicas: ids(&[2]),
        adding_replicas: ids(&[1]),
        leader: BrokerId::new(1),
        leader_epoch: LeaderEpoch::new(4),
        partition_epoch: 6,
        directories: if version > 0 { vec![uuid(20), uuid(30)] } else { Vec::new() },
        ..PartitionRecord::default()
    }
}

fn change(version: i16) -> PartitionChangeRecord {
    PartitionChangeRecord {
        version,
        partition_id: 3,
        topic_id: TopicId::new(uuid(9)),
        ..PartitionChangeRecord::default()
    }
}

fn registration_change(version: i16) -> BrokerRegistrationChangeRecord {
    BrokerRegistrationChangeRecord {
        version,
        broker_id: BrokerId::new(1),
        broker_epoch: 5,
        ..BrokerRegistrationChangeRecord::default()
    }
}

fn topic() -> TopicRecord {
    TopicRecord { name: "orders".to_owned(), topic_id: TopicId::new(uuid(9)), unknown: Vec::new() }
}

fn brokers_expected() -> Vec<(&'static str, MetadataRecord)> {
    let (broker_id, broker_epoch) = (BrokerId::new(1), 5);
    let mut migrating = register_broker(2);
    migrating.is_migrating_zk_broker = true;
    let mut stopping = register_broker(1);
    (stopping.fenced, stopping.in_controlled_shutdown) = (false, true);
    let mut rackless = register_broker(0);
    rackless.rack = None;
    let mut with_dirs = register_broker(3);
    with_dirs.log_dirs = vec![uuid(20), uuid(30)];
    let mut with_cordoned = register_broker(4);
    with_cordoned.log_dirs = vec![uuid(20), uuid(30)];
    with_cordoned.cordoned_log_dirs = Some(vec![uuid(30)]);
    let mut unfenced = registration_change(0);
    unfenced.fencing = FencingChange::Unfence;
    let mut fenced = registration_change(1);
    fenced.fencing = FencingChange::Fence;
    fenced.enters_controlled_shutdown = true;
    let mut moved = registration_change(2);
    moved.log_dirs = vec![uuid(20)];
    let mut cordoned = registration_change(3);
    cordoned.cordoned_log_dirs = Some(vec![uuid(20)]);
    let mut uncordoned = registration_change(3);
    uncordoned.cordoned_log_dirs = Some(Vec::new());
    let unknown = Vec::new;
    vec![
        ("register_broker_0", MetadataRecord::RegisterBroker(rackless)),
        ("register_broker_1", MetadataRecord::RegisterBroker(stopping)),
        ("register_broker_2", MetadataRecord::RegisterBroker(migrating)),
        ("register_broker_3", MetadataRecord::RegisterBroker(with_dirs)),
        ("register_broker_3_no_dirs", MetadataRecord::RegisterBroker(register_broker(3))),
        ("register_broker_4", MetadataRecord::RegisterBroker(with_cordoned)),
        ("register_broker_4_not_cordoned", MetadataRecord::RegisterBroker(register_broker(4))),
        (
            "unregister_broker",
            MetadataRecord::UnregisterBroker(UnregisterBrokerRecord {
                broker_id,
                broker_epoch,
                unknown: unknown(),
            }),
        ),
        (
            "fence_broker",
            MetadataRecord::FenceBroker(FenceBrokerRecord {
                id: broker_id,
                epoch: broker_epoch,
                unknown: unknown(),
            }),
        ),
        (
            "unfence_broker",
            MetadataRecord::UnfenceBroker(UnfenceBrokerRecord {
                id: broker_id,
                epoch: broker_epoch,
                unknown: unknown(),
            }),
        ),
        ("registration_change_0", MetadataRecord::BrokerRegistrationChange(unfenced)),
        ("registration_change_1", MetadataRecord::BrokerRegistrationChange(fenced)),
        ("registration_change_2", MetadataRecord::BrokerRegistrationChange(moved)),
        ("registration_change_3", MetadataRecord::BrokerRegistrationChange(cordoned)),
        ("registration_change_3_uncordoned", MetadataRecord::BrokerRegistrationChange(uncordoned)),
        (
            "register_controller",
            MetadataRecord::RegisterController(RegisterControllerRecord {
                controller_id: broker_id,
                incarnation_id: uuid(7),
                zk_migration_ready: true,
                endpoints: vec![Endpoint {
                    name: "CONTROLLER".to_owned(),
                    host: "localhost".to_owned(),
                    port: 9093,
                    security_protocol: 3,
                    unknown: unknown(),
                }],
                features: vec![FeatureRange::new("kraft.version", 0, 1)],
                unknown: unknown(),
            }),
        ),
    ]
}

fn topics_expected() -> Vec<(&'static str, MetadataRecord)> {
    let mut recovering = partition(1);
    recovering.leader_recovery_state = 1;
    let mut with_elr = partition(2);
    with_elr.eligible_leader_replicas = Some(ids(&[2]));
    with_elr.last_known_elr = Some(ids(&[3]));
    let leaderless = PartitionChangeRecord {
        isr: Some(ids(&[1])),
        leader: Some(BrokerId::NONE),
        replicas: Some(ids(&[1, 2, 3])),
        removing_replicas: Some(Vec::new()),
        adding_replicas: Some(ids(&[3])),
        leader_recovery_state: Some(0),
        ..change(0)
    };
    let led = PartitionChangeRecord {
        leader: Some(BrokerId::new(2)),
        directories: Some(vec![uuid(20)]),
        ..change(1)
    };
    let elr_changed = PartitionChangeRecord {
        isr: Some(Vec::new()),
        eligible_leader_replicas: Some(ids(&[1])),
        last_known_elr: Some(Vec::new()),
        directories: Some(vec![uuid(20)]),
        leader_recovery_state: Some(1),
        ..change(2)
    };
    let tag = |tag, value: &'static [u8]| vec![TaggedField { tag, value: Bytes::from_static(value) }];
    let later_topic = TopicRecord { unknown: tag(77, &[1, 2, 3]), ..topic() };
    let later_change =
        PartitionChangeRecord { leader: Some(BrokerId::new(2)), unknown: tag(99, &[9]), ..change(1) };
    vec![
        ("topic", MetadataRecord::Topic(topic())),
        ("topic_with_unknown_tag", MetadataRecord::Topic(later_topic)),
        ("partition_0", MetadataRecord::Partition(partition(0))),
        ("partition_1", MetadataRecord::Partition(recovering)),
        ("partition_2", MetadataRecord::Partition(with_elr)),
        ("partition_2_plain", MetadataRecord::Partition(partition(2))),
        ("partition_change_0", MetadataRecord::PartitionChange(leaderless)),
        ("partition_change_1", MetadataRecord::PartitionChange(led)),
        ("partition_change_2", MetadataRecord::PartitionChange(elr_changed)),
        ("partition_change_2_empty", MetadataRecord::PartitionChange(change(2))),
        ("partition_change_with_unknown_tag", MetadataRecord::PartitionChange(later_change)),
        (
            "remove_topic",
            MetadataRecord::RemoveTopic(RemoveTopicRecord {
                topic_id: TopicId::new(uuid(9)),
                unknown: Vec::new(),
            }),
        ),
        (
            "clear_elr",
            MetadataRecord::ClearElr(ClearElrRecord { topic_name: "orders".to_owned(), unknown: Vec::new() }),
        ),
    ]
}

fn others_expected() -> Vec<(&'static str, MetadataRecord)> {
    let config = |resource_type, resource_name: &str, name: &str, value: Option<&str>| {
        MetadataRecord::Config(ConfigRecord {
            resource_type,
            resource_name: resource_name.to_owned(),
            name: name.to_owned(),
            value: value.map(str::to_owned),
            unknown: Vec::new(),
        })
    };
    vec![
        ("config", config(2, "orders", "retention.ms", Some("1000"))),
        ("config_deleted", config(4, "", "log.retention.ms", None)),
        (
            "feature_level",
            MetadataRecord::FeatureLevel(FeatureLevelRecord {
                name: "metadata.version".to_owned(),
                feature_level: 27,
                unknown: Vec::new(),
            }),
        ),
        (
            "producer_ids",
            MetadataRecord::ProducerIds(ProducerIdsRecord {
                broker_id: BrokerId::new(1),
                broker_epoch: 5,
                next_producer_id: 1000,
                unknown: Vec::new(),
            }),
        ),
        ("no_op", MetadataRecord::NoOp(NoOpRecord::default())),
        (
            "begin_transaction",
            MetadataRecord::BeginTransaction(BeginTransactionRecord {
                name: Some("Bootstrap records".to_owned()),
                unknown: Vec::new(),
            }),
        ),
        ("begin_transaction_unnamed", MetadataRecord::BeginTransaction(BeginTransactionRecord::default())),
        ("end_transaction", MetadataRecord::EndTransaction(EndTransactionRecord::default())),
        (
            "abort_transaction",
            MetadataRecord::AbortTransaction(AbortTransactionRecord {
                reason: Some("Controller failover".to_owned()),
                unknown: Vec::new(),
            }),
        ),
    ]
}

#[test]
fn typed_records_are_kafkas_bytes_both_ways() {
    let golden = golden();
    let mut expected = brokers_expected();
    expected.extend(topics_expected());
    expected.extend(others_expected());
    for (name, record) in &expected {
        let bytes = &golden[name];
        assert_eq!(&record.encode(), bytes, "{name} is encoded");
        assert_eq!(&MetadataRecord::decode(bytes.clone()), &Ok(record.clone()), "{name} is decoded");
    }
    let typed = golden.keys().filter(|name| !name.starts_with("verbatim")).count();
    assert_eq!(expected.len(), typed, "every golden record is expected");
}

#[test]
fn verbatim_records_keep_their_bytes_and_know_what_they_are_about() {
    let golden = golden();
    let effect = |name: &str| {
        let record = MetadataRecord::decode(golden[name].clone()).unwrap();
        assert_eq!(record.encode(), golden[name], "{name}");
        match record {
            MetadataRecord::Verbatim(record) => record.effect(),
            other => panic!("{name} became {other:?}"),
        }
    };
    for name in ["verbatim_acl", "verbatim_quota", "verbatim_scram", "verbatim_token"] {
        let VerbatimEffect::Set(key) = effect(name) else {
            panic!("{name} sets nothing");
        };
        let removal = effect(&format!("{name}_removed"));
        assert_eq!(removal, VerbatimEffect::Remove(key), "{name}");
    }
    assert_eq!(effect("verbatim_zk_migration"), VerbatimEffect::Set(VerbatimKey::ZkMigration));
}

#[test]
fn broken_values_are_errors() {
    let decode = |bytes: &'static [u8]| MetadataRecord::decode(Bytes::from_static(bytes));
    assert_eq!(decode(&[0, 20, 0, 0]), Err(RecordError::FrameVersion(0)));
    assert_eq!(decode(&[2, 20, 0, 0]), Err(RecordError::FrameVersion(2)));
    assert_eq!(decode(&[1, 20, 0, 0, 7]), Err(RecordError::Trailing { api_key: 20, left: 1 }));
    assert_eq!(decode(&[1, 3, 3, 0]), Err(RecordError::Version { api_key: 3, version: 3, newest: 2 }));
    assert!(matches!(decode(&[]), Err(RecordError::Truncated(_))));
    assert!(matches!(decode(&[1, 0x80, 0x80, 0x04, 0]), Err(RecordError::Header(_))));
    // A replica array that announces 4 billion ids.
    let mut hostile = vec![1, 3, 0];
    hostile.extend([0; 20]);
    hostile.extend([0xff, 0xff, 0xff, 0xff, 0x0f]);
    let decoded = MetadataRecord::decode(hostile.into());
    assert!(matches!(decoded, Err(RecordError::Body { api_key: 3, .. })));
}

#[test]
fn every_cut_of_every_record_is_an_error_and_never_a_panic() {
    for (name, bytes) in golden() {
        for length in 0..bytes.len() {
            let cut = MetadataRecord::decode(bytes.slice(..length));
            let is_opaque = matches!(cut, Ok(MetadataRecord::Verbatim(_)));
            assert!(cut.is_err() || is_opaque, "{name} cut to {length}");
            if let Ok(MetadataRecord::Verbatim(record)) = cut {
                let _effect = record.effect();
            }
        }
    }
}

#[test]
fn flipped_bits_never_panic_and_what_is_read_can_be_written() {
    for bytes in golden().values() {
        for position in 3..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.to_vec();
                flipped[position] ^= 1 << bit;
                if let Ok(record) = MetadataRecord::decode(flipped.into()) {
                    let again = MetadataRecord::decode(record.encode());
                    assert_eq!(again, Ok(record));
                }
            }
        }
    }
}
