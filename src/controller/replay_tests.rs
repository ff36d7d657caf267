use std::sync::Arc;

use model::codec::TaggedField;
use model::{BrokerId, Offset, TopicId};
use uuid::Uuid;

use crate::controller::{Controller, ReplayError};
use crate::record::{
    BrokerRegistrationChangeRecord, ClearElrRecord, EndTransactionRecord, FeatureLevelRecord,
    FenceBrokerRecord, MetadataRecord, PartitionChangeRecord, PartitionRecord, ProducerIdsRecord,
    RemoveTopicRecord, TopicRecord, UnfenceBrokerRecord, UnregisterBrokerRecord, VerbatimRecord,
};
use crate::testing::{World, ids, settings};

fn replay(world: &World, record: MetadataRecord) -> Result<Controller, ReplayError> {
    let mut controller = world.controller.clone();
    let before = controller.image();
    let result = controller.replay(Offset::new(99), &record);
    if result.is_err() {
        assert_eq!(controller.image(), before, "an error changes nothing");
    }
    result.map(|()| controller)
}

#[test]
fn records_that_cannot_follow_are_refused() {
    let mut world = World::of(1);
    let topic_id = world.create_assigned("a", &[&[1]]);
    let other = TopicId::new(Uuid::from_u64_pair(4, 4));
    let broker_id = BrokerId::new(1);
    let partition = |topic_id, partition_id| PartitionChangeRecord {
        partition_id,
        topic_id,
        ..PartitionChangeRecord::default()
    };
    let illegal = [
        MetadataRecord::Topic(TopicRecord { name: "a".to_owned(), topic_id: other, unknown: Vec::new() }),
        MetadataRecord::Topic(TopicRecord { name: "b".to_owned(), topic_id, unknown: Vec::new() }),
        MetadataRecord::Partition(PartitionRecord { topic_id: other, ..PartitionRecord::default() }),
        MetadataRecord::Partition(PartitionRecord {
            topic_id,
            replicas: ids(&[1, 2]),
            directories: vec![Uuid::from_u64_pair(7, 7)],
            ..PartitionRecord::default()
        }),
        MetadataRecord::PartitionChange(partition(other, 0)),
        MetadataRecord::PartitionChange(partition(topic_id, 1)),
        MetadataRecord::PartitionChange(PartitionChangeRecord {
            leader_recovery_state: Some(7),
            ..partition(topic_id, 0)
        }),
        MetadataRecord::RemoveTopic(RemoveTopicRecord { topic_id: other, unknown: Vec::new() }),
        MetadataRecord::ClearElr(ClearElrRecord { topic_name: "b".to_owned(), unknown: Vec::new() }),
        MetadataRecord::UnregisterBroker(UnregisterBrokerRecord {
            broker_id,
            broker_epoch: 77,
            unknown: Vec::new(),
        }),
        MetadataRecord::FenceBroker(FenceBrokerRecord {
            id: BrokerId::new(9),
            ..FenceBrokerRecord::default()
        }),
        MetadataRecord::FeatureLevel(FeatureLevelRecord {
            name: "metadata.version".to_owned(),
            feature_level: 31,
            unknown: Vec::new(),
        }),
        MetadataRecord::EndTransaction(EndTransactionRecord::default()),
    ];
    for record in illegal {
        let error = replay(&world, record.clone()).expect_err(&format!("{record:?}"));
        assert_eq!((error.offset, error.api_key), (Offset::new(99), record.api_key()));
    }
}

#[test]
fn producer_ids_never_go_back() {
    let mut world = World::of(1);
    let ids_up_to = |next_producer_id| {
        MetadataRecord::ProducerIds(ProducerIdsRecord { next_producer_id, ..ProducerIdsRecord::default() })
    };
    world.append(vec![ids_up_to(5000)]);
    let error = replay(&world, ids_up_to(4999)).unwrap_err();
    assert!(error.to_string().contains("would hand them out again"), "{error}");
}

#[test]
fn the_older_fencing_records_are_understood() {
    let world = World::of(1);
    let image = world.controller.image();
    let id = BrokerId::new(1);
    let epoch = image.broker(id).unwrap().epoch;
    let unknown = Vec::new;
    let fence = MetadataRecord::FenceBroker(FenceBrokerRecord { id, epoch, unknown: unknown() });
    let mut controller = replay(&world, fence).unwrap();
    assert!(controller.image().broker(id).unwrap().fenced);
    let unfence = MetadataRecord::UnfenceBroker(UnfenceBrokerRecord { id, epoch, unknown: unknown() });
    controller.replay(Offset::new(100), &unfence).unwrap();
    assert!(!controller.image().broker(id).unwrap().fenced);
}

#[test]
fn eligible_leader_replicas_can_be_forgotten() {
    let mut world = World::with_elr(1);
    let topic_id = world.create_assigned("a", &[&[1]]);
    world.create_assigned("b", &[&[1]]);
    let elr = |topic_id| {
        MetadataRecord::PartitionChange(PartitionChangeRecord {
            version: 2,
            topic_id,
            eligible_leader_replicas: Some(ids(&[5])),
            ..PartitionChangeRecord::default()
        })
    };
    world.append(vec![elr(topic_id), elr(world.topic("b").id)]);
    let clear = |name: &str| {
        MetadataRecord::ClearElr(ClearElrRecord { topic_name: name.to_owned(), unknown: Vec::new() })
    };
    world.append(vec![clear("a")]);
    assert_eq!((world.partition("a", 0).elr, world.partition("b", 0).elr), (ids(&[]), ids(&[5])));
    world.append(vec![clear("")]);
    assert_eq!(world.partition("b", 0).elr, ids(&[]));
}

#[test]
fn verbatim_records_live_through_snapshots_and_removals_take_them_away() {
    let golden: Vec<_> = include_str!("testdata/records.hex")
        .lines()
        .filter_map(|line| line.strip_prefix("verbatim_")?.split_once(' '))
        .map(|(name, hex)| {
            let bytes: Vec<u8> =
                (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
            (name, MetadataRecord::decode(bytes.into()).unwrap())
        })
        .collect();
    let (removals, settings): (Vec<_>, Vec<_>) =
        golden.into_iter().partition(|(name, _)| name.ends_with("_removed"));
    assert_eq!((removals.len(), settings.len()), (4, 5));
    let mut world = World::of(1);
    let later =
        MetadataRecord::Verbatim(VerbatimRecord { api_key: 99, version: 3, body: vec![1, 2, 3].into() });
    world.append(vec![later.clone()]);
    for (_, record) in &settings {
        // The second takes the place of the first.
        world.append(vec![record.clone(), record.clone()]);
    }
    let image = world.controller.image();
    assert_eq!(image.verbatim().iter().count(), 6);
    let snapshot = image.snapshot();
    for (name, record) in &settings {
        assert!(snapshot.contains(record), "{name}");
    }
    world.append(removals.into_iter().map(|(_, record)| record).collect());
    let left = world.controller.image().snapshot();
    assert!(left.contains(&later), "what is not known is kept");
    assert_eq!(world.controller.image().verbatim().iter().count(), 2, "and the migration state");
}

#[test]
fn images_that_were_taken_never_change() {
    let mut world = World::of(1);
    world.create_assigned("a", &[&[1]]);
    let taken = world.controller.image();
    let copy = taken.as_ref().clone();
    world.create_assigned("b", &[&[1]]);
    world.join(2);
    assert_eq!(*taken, copy);
    assert!(taken.topic("b").is_none());
    let now = world.controller.image();
    let (old, new) = (taken.topic("a").unwrap(), now.topic("a").unwrap());
    assert!(Arc::ptr_eq(old, new), "what did not change is shared");
    assert_eq!(now.offset(), Some(Offset::new(world.log.len() as i64 - 1)));
}

#[test]
fn unknown_features_are_kept_and_the_quorums_own_is_not_here() {
    let mut world = World::of(1);
    let level = crate::snapshot::feature_level;
    world.append(vec![level("kraft.version", 1), level("planet.version", 3)]);
    let mut fresh = Controller::new(settings());
    for record in world.controller.snapshot() {
        fresh.replay(Offset::new(1), &record).unwrap();
    }
    let image = fresh.image();
    assert_eq!(image.features().level("planet.version"), 3);
    assert_eq!(image.features().level("kraft.version"), 0);
}

#[test]
fn what_only_later_versions_act_on_survives_a_snapshot() {
    let world = World::of(1);
    let mut controller = world.controller.clone();
    let level = |feature_level| {
        let name = crate::feature::METADATA_VERSION.to_owned();
        MetadataRecord::FeatureLevel(FeatureLevelRecord { name, feature_level, unknown: Vec::new() })
    };
    assert!(controller.replay(Offset::new(99), &level(31)).is_err());
    controller.replay(Offset::new(99), &level(30)).unwrap();
    let broker = controller.image().broker(BrokerId::new(1)).unwrap().clone();
    let mut registered = broker.to_record(4);
    registered.unknown = vec![TaggedField { tag: 9, value: vec![1, 2].into() }];
    controller.replay(Offset::new(100), &MetadataRecord::RegisterBroker(registered.clone())).unwrap();
    let cordoned = BrokerRegistrationChangeRecord {
        version: 3,
        broker_id: broker.id,
        broker_epoch: broker.epoch,
        cordoned_log_dirs: Some(broker.log_dirs.clone()),
        ..BrokerRegistrationChangeRecord::default()
    };
    controller.replay(Offset::new(101), &MetadataRecord::BrokerRegistrationChange(cordoned)).unwrap();
    registered.cordoned_log_dirs = Some(broker.log_dirs.clone());
    let snapshot = controller.snapshot();
    assert!(snapshot.contains(&level(30)));
    assert!(snapshot.contains(&MetadataRecord::RegisterBroker(registered)));
}
