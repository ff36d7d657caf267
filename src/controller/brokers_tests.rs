use model::{BrokerId, ErrorCode};
use uuid::Uuid;

use crate::command::{ApiError, BrokerChange, BrokerState, Command, RegisterController, Reply};
use crate::feature::METADATA_VERSION;
use crate::image::{ConfigResourceType, LeaderRecoveryState};
use crate::record::{FeatureRange, MetadataRecord};
use crate::testing::{World, dir, error, ids, supported_features};

use ErrorCode::{
    BrokerIdNotRegistered, DuplicateBrokerRegistration, InconsistentClusterId, InvalidRegistration,
    StaleBrokerEpoch, UnsupportedVersion,
};

fn unregister(world: &mut World, id: i32) -> Result<(), ApiError> {
    match world.run(Command::UnregisterBroker { broker_id: BrokerId::new(id) }) {
        Reply::UnregisterBroker(result) => result,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_broker_registers_fenced_and_its_epoch_is_the_offset() {
    let mut world = World::empty();
    let registration = world.registration(1);
    let offset = world.log.len() as i64;
    assert_eq!(world.register(registration), Ok(offset));
    let image = world.controller.image();
    let broker = image.broker(BrokerId::new(1)).unwrap();
    assert!(broker.fenced && !broker.is_active());
    assert_eq!((broker.epoch, broker.log_dirs.as_slice()), (offset, [dir(1)].as_slice()));
    assert_eq!(broker.endpoint("PLAINTEXT").map(|endpoint| endpoint.port), Some(9092));
    world.change(1, BrokerChange::Unfence).unwrap();
    assert!(world.controller.image().cluster().is_active(BrokerId::new(1)));
    let before = world.log.len();
    world.change(1, BrokerChange::Unfence).unwrap();
    assert_eq!(world.log.len(), before, "it is unfenced already");
}

#[test]
fn the_same_process_keeps_its_epoch_and_state() {
    let mut world = World::empty();
    let mut registration = world.registration(1);
    let epoch = world.register(registration.clone()).unwrap();
    world.change(1, BrokerChange::Unfence).unwrap();
    registration.next_offset = world.log.len() as i64;
    registration.rack = Some("r".to_owned());
    registration.session_is_valid = true;
    assert_eq!(world.register(registration), Ok(epoch));
    let image = world.controller.image();
    let broker = image.broker(BrokerId::new(1)).unwrap();
    assert!(!broker.fenced);
    assert_eq!(broker.rack.as_deref(), Some("r"));
}

#[test]
fn a_restart_takes_leaderships_away_and_unfencing_gives_them_back() {
    let mut world = World::of(1);
    world.create_assigned("a", &[&[1]]);
    let registration = world.registration(1);
    world.register(registration).unwrap();
    let partition = world.partition("a", 0);
    assert_eq!((partition.leader, partition.leader_epoch.value()), (BrokerId::NONE, 1));
    assert_eq!(partition.isr, ids(&[1]), "the last one in sync stays");
    world.change(1, BrokerChange::Unfence).unwrap();
    let partition = world.partition("a", 0);
    assert_eq!((partition.leader.value(), partition.leader_epoch.value()), (1, 2));
    assert_eq!(partition.partition_epoch, 2);
}

#[test]
fn registrations_follow_kafkas_rules() {
    let mut world = World::of(2);
    let mut other_cluster = world.registration(3);
    other_cluster.cluster_id = "other".to_owned();
    let message = format!("Expected cluster ID {}, but got cluster ID other", crate::testing::CLUSTER_ID);
    assert_eq!(world.register(other_cluster), Err(error(InconsistentClusterId, &message)));
    let mut twin = world.registration(1);
    twin.session_is_valid = true;
    let refusal = world.register(twin).unwrap_err();
    assert_eq!(refusal.code, DuplicateBrokerRegistration);
    let mut refuse_dirs = |log_dirs| {
        let mut registration = world.registration(3);
        registration.log_dirs = log_dirs;
        world.register(registration).unwrap_err()
    };
    let cases = [
        (vec![], "No directories specified in request".to_owned()),
        (vec![dir(3), Uuid::from_u64_pair(0, 99)], "Reserved directory ID in request".to_owned()),
        (vec![dir(3), dir(3)], "Duplicate directory ID in request".to_owned()),
        (
            vec![dir(2)],
            format!("Broker 2 is already registered with directory {}", model::ids::uuid_to_base64(dir(2))),
        ),
    ];
    for (dirs, message) in cases {
        assert_eq!(refuse_dirs(dirs), error(InvalidRegistration, &message));
    }
}

#[test]
fn finalized_features_bind_brokers_and_unknown_ones_do_not() {
    let mut world = World::empty();
    let mut nothing = world.registration(1);
    nothing.features.clear();
    assert_eq!(
        world.register(nothing),
        Err(error(InvalidRegistration, "Request features do not contain 'metadata.version'"))
    );
    let mut old = world.registration(1);
    old.features = vec![FeatureRange::new("metadata.version", 7, 20)];
    assert_eq!(
        world.register(old),
        Err(error(
            UnsupportedVersion,
            "Unable to register because the broker does not support finalized version 27 of metadata.version. The \
             broker wants a version between 7 and 20, inclusive."
        ))
    );
    world.append(vec![
        crate::snapshot::feature_level("group.version", 1),
        crate::snapshot::feature_level("transaction.version", 2),
    ]);
    let mut without_groups = world.registration(1);
    without_groups.features = vec![FeatureRange::new("metadata.version", 7, 27)];
    assert_eq!(world.register(without_groups).unwrap_err().code, UnsupportedVersion);
    // `transaction.version` is not implemented by this controller either: a directory of Kafka's must start.
    let registration = world.registration(1);
    assert!(!registration.features.iter().any(|feature| feature.name == "transaction.version"));
    assert!(world.register(registration).is_ok());
    assert_eq!(world.controller.image().features().level("transaction.version"), 2, "its level is kept");
}

#[test]
fn fencing_moves_leaderships_to_others_in_sync() {
    let mut world = World::of(3);
    world.create_assigned("a", &[&[1, 2, 3], &[2, 3, 1]]);
    world.change(1, BrokerChange::Fence).unwrap();
    let first = world.partition("a", 0);
    assert_eq!((first.leader.value(), first.isr), (2, ids(&[2, 3])));
    let second = world.partition("a", 1);
    assert_eq!((second.leader.value(), second.isr), (2, ids(&[2, 3])));
    assert_eq!(second.leader_epoch.value(), 0, "its leader stays");
    world.change(2, BrokerChange::ControlledShutdown).unwrap();
    assert_eq!(world.partition("a", 0).leader.value(), 3);
    assert_eq!(world.partition("a", 1).isr, ids(&[3]));
    let image = world.controller.image();
    let broker = image.broker(BrokerId::new(2)).unwrap();
    assert!(broker.in_controlled_shutdown && !broker.fenced);
}

#[test]
fn unclean_election_is_for_topics_that_allow_it() {
    let mut world = World::of(2);
    world.create_assigned("safe", &[&[1, 2]]);
    world.create_assigned("unsafe", &[&[1, 2]]);
    let key = "unclean.leader.election.enable";
    world.set(ConfigResourceType::Topic, "unsafe", &[(key, 0, Some("true"))]);
    world.change(2, BrokerChange::Fence).unwrap();
    world.change(1, BrokerChange::Fence).unwrap();
    assert_eq!(world.partition("safe", 0).leader, BrokerId::NONE);
    world.change(2, BrokerChange::Unfence).unwrap();
    assert_eq!(world.partition("safe", 0).leader, BrokerId::NONE, "2 is not in sync");
    let partition = world.partition("unsafe", 0);
    assert_eq!((partition.leader.value(), partition.isr), (2, ids(&[2])));
    assert_eq!(partition.leader_recovery_state, LeaderRecoveryState::Recovering);
    world.change(1, BrokerChange::Unfence).unwrap();
    assert_eq!(world.partition("safe", 0).leader.value(), 1);
}

#[test]
fn stale_epochs_are_refused() {
    let mut world = World::of(1);
    let reply = world.run(Command::BrokerState(BrokerState {
        broker_id: BrokerId::new(1),
        broker_epoch: 77,
        change: BrokerChange::Fence,
    }));
    let Reply::BrokerState(Err(refusal)) = reply else {
        panic!("{reply:?}");
    };
    assert_eq!(refusal.code, StaleBrokerEpoch);
    assert_eq!(
        world.change(9, BrokerChange::Fence),
        Err(error(StaleBrokerEpoch, "No broker registration found for broker id 9"))
    );
}

#[test]
fn unregistering_forgets_a_broker_and_its_place_in_sync() {
    let mut world = World::of(2);
    world.create_assigned("a", &[&[2, 1]]);
    assert_eq!(unregister(&mut world, 2), Ok(()));
    let partition = world.partition("a", 0);
    assert_eq!((partition.leader.value(), partition.isr), (1, ids(&[1])));
    assert_eq!(partition.replicas, ids(&[2, 1]));
    assert!(world.controller.image().broker(BrokerId::new(2)).is_none());
    assert_eq!(
        unregister(&mut world, 2),
        Err(error(BrokerIdNotRegistered, "Broker ID 2 is not currently registered"))
    );
}

#[test]
fn a_failed_directory_takes_its_replicas_out_of_sync() {
    let mut world = World::empty();
    let mut registration = world.registration(1);
    registration.log_dirs = vec![dir(1), dir(11)];
    world.register(registration).unwrap();
    world.change(1, BrokerChange::Unfence).unwrap();
    world.join(2);
    let topic_id = world.create_assigned("a", &[&[1, 2], &[1, 2]]);
    let image = world.controller.image();
    world.run(Command::AssignReplicasToDirs(crate::command::AssignReplicasToDirs {
        broker_id: BrokerId::new(1),
        broker_epoch: image.broker(BrokerId::new(1)).unwrap().epoch,
        replicas: vec![(dir(1), topic_id, 0), (dir(11), topic_id, 1)],
    }));
    world.change(1, BrokerChange::OfflineDirs(vec![dir(11), dir(99)])).unwrap();
    assert_eq!(world.partition("a", 0).isr, ids(&[1, 2]));
    let lost = world.partition("a", 1);
    assert_eq!((lost.leader.value(), lost.isr), (2, ids(&[2])));
    let image = world.controller.image();
    assert_eq!(image.broker(BrokerId::new(1)).unwrap().log_dirs, [dir(1)]);
    let before = world.log.len();
    world.change(1, BrokerChange::OfflineDirs(vec![dir(11)])).unwrap();
    assert_eq!(world.log.len(), before, "it is known already");
}

#[test]
fn controllers_register_where_the_metadata_version_knows_them() {
    let mut world = World::empty();
    let command = Command::RegisterController(RegisterController {
        controller_id: BrokerId::new(1),
        incarnation_id: dir(77),
        endpoints: Vec::new(),
        features: supported_features(),
    });
    assert_eq!(world.run(command.clone()), Reply::RegisterController(Ok(())));
    assert_eq!(world.controller.image().cluster().controllers().count(), 1);
    world.append(vec![crate::snapshot::feature_level("metadata.version", 14)]);
    let outcome = world.decide(command);
    assert_eq!(outcome.records, []);
    assert!(matches!(outcome.reply, Reply::RegisterController(Err(_))));
}

#[test]
fn with_elr_a_clean_stop_keeps_a_broker_eligible_and_an_unclean_one_does_not() {
    let mut world = World::with_elr(1);
    world.create_assigned("a", &[&[1]]);
    let epoch = world.controller.image().broker(BrokerId::new(1)).unwrap().epoch;
    let mut clean = world.registration(1);
    clean.previous_broker_epoch = epoch;
    world.register(clean).unwrap();
    let partition = world.partition("a", 0);
    assert_eq!((partition.isr, partition.elr), (ids(&[]), ids(&[1])));
    assert_eq!(partition.last_known_elr, ids(&[1]));
    world.change(1, BrokerChange::Unfence).unwrap();
    let partition = world.partition("a", 0);
    assert_eq!((partition.leader.value(), partition.isr), (1, ids(&[1])));
    assert_eq!((partition.elr, partition.last_known_elr), (ids(&[]), ids(&[])));
    assert_eq!(partition.leader_recovery_state, LeaderRecoveryState::Recovered);

    let unclean = world.registration(1);
    world.register(unclean).unwrap();
    let partition = world.partition("a", 0);
    assert_eq!((partition.isr, partition.elr), (ids(&[]), ids(&[])));
    assert_eq!(partition.last_known_elr, ids(&[1]));
    world.change(1, BrokerChange::Unfence).unwrap();
    let partition = world.partition("a", 0);
    assert_eq!(partition.leader.value(), 1, "the last known leader may come back");
    assert_eq!(partition.leader_recovery_state, LeaderRecoveryState::Recovering);
}

#[test]
fn a_new_process_writes_its_registration_last() {
    let mut world = World::of(1);
    world.create_assigned("a", &[&[1], &[1]]);
    let registration = world.registration(1);
    let next_offset = registration.next_offset;
    let outcome = world.decide(Command::RegisterBroker(registration));
    let kinds: Vec<_> = outcome.records.iter().map(MetadataRecord::api_key).collect();
    assert_eq!(kinds, [5, 5, 0]);
    assert_eq!(outcome.reply, Reply::RegisterBroker(Ok(next_offset)));
}

#[test]
fn stopping_is_final_for_a_process() {
    let mut world = World::of(1);
    world.create_assigned("a", &[&[1]]);
    world.change(1, BrokerChange::ControlledShutdown).unwrap();
    world.change(1, BrokerChange::Fence).unwrap();
    let before = world.log.len();
    world.change(1, BrokerChange::Unfence).unwrap();
    world.change(1, BrokerChange::ControlledShutdown).unwrap();
    assert_eq!(world.log.len(), before);
    assert!(!world.partition("a", 0).has_leader());
    world.join(1);
    assert!(world.partition("a", 0).has_leader());
}

/// At 4.3-IV0, with two log directories each.
fn with_cordons(brokers: i32) -> World {
    let mut world = World::empty();
    world.append(vec![crate::snapshot::feature_level(METADATA_VERSION, 30)]);
    for id in 1..=brokers {
        let mut registration = world.registration(id);
        registration.log_dirs = vec![dir(id), dir(id + 100)];
        registration.features = vec![FeatureRange::new(METADATA_VERSION, 7, 30)];
        registration.features.extend(supported_features().into_iter().skip(1));
        world.register(registration).unwrap();
        world.change(id, BrokerChange::Unfence).unwrap();
    }
    world
}

fn cordoned(world: &World, id: i32) -> Option<Vec<Uuid>> {
    world.controller.image().broker(BrokerId::new(id)).unwrap().cordoned_log_dirs.clone()
}

#[test]
fn what_a_process_says_of_its_cordons_is_written_when_it_changes() {
    let mut world = with_cordons(1);
    assert_eq!(cordoned(&world, 1), None, "it has not said anything yet");
    let mut tell = |dirs: &[Uuid]| {
        let before = world.log.len();
        world.change(1, BrokerChange::CordonedDirs(dirs.to_vec())).unwrap();
        (world.log.len() - before, cordoned(&world, 1))
    };
    assert_eq!(tell(&[]), (1, Some(vec![])), "that there are none is said once");
    assert_eq!(tell(&[]), (0, Some(vec![])));
    assert_eq!(tell(&[dir(1)]), (1, Some(vec![dir(1)])));
    assert_eq!(tell(&[dir(101), dir(1)]), (1, Some(vec![dir(101), dir(1)])));
    assert_eq!(tell(&[dir(1), dir(101)]), (0, Some(vec![dir(101), dir(1)])), "their order says nothing");
    let mut registration = world.registration(1);
    registration.log_dirs = vec![dir(1), dir(101)];
    registration.features = vec![FeatureRange::new(METADATA_VERSION, 7, 30)];
    let outcome = world.decide(Command::RegisterBroker(registration));
    assert!(matches!(outcome.reply, Reply::RegisterBroker(Ok(_))));
    let says = |record: &MetadataRecord| match record {
        MetadataRecord::RegisterBroker(record) => record.cordoned_log_dirs.is_some(),
        _ => false,
    };
    assert!(!outcome.records.iter().any(says), "the next process has to say it itself");
    // Before 4.3-IV0 there is no place for it.
    let mut older = World::of(1);
    let before = older.log.len();
    older.change(1, BrokerChange::CordonedDirs(vec![dir(1)])).unwrap();
    assert_eq!(older.log.len(), before);
}

#[test]
fn a_broker_whose_directories_are_all_cordoned_gets_no_partitions() {
    let mut world = with_cordons(2);
    world.change(1, BrokerChange::CordonedDirs(vec![dir(1)])).unwrap();
    world.create_assigned("half", &[&[1]]);
    world.change(1, BrokerChange::CordonedDirs(vec![dir(1), dir(101)])).unwrap();
    let mut placed = world.new_topic("placed");
    placed.partitions = 6;
    placed.replication_factor = 1;
    world.create(placed).unwrap();
    for index in 0..6 {
        assert_eq!(world.partition("placed", index).replicas, ids(&[2]));
    }
    let mut both = world.new_topic("both");
    both.partitions = 1;
    both.replication_factor = 2;
    let refused = world.create(both).unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidReplicationFactor);
    let mut assigned = world.new_topic("assigned");
    assigned.assignments = [(0, ids(&[1]))].into();
    assert_eq!(
        world.create(assigned).unwrap_err(),
        error(
            ErrorCode::InvalidReplicaAssignment,
            "The manual partition assignment includes broker 1, but all its log directories are cordoned."
        )
    );
    world.change(1, BrokerChange::CordonedDirs(Vec::new())).unwrap();
    world.create_assigned("after", &[&[1]]);
}
