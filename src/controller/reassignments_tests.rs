use model::ErrorCode;

use crate::command::{
    AlterPartition, AlterPartitionReassignments, ApiError, BrokerChange, Command, PartitionIsr, Reply,
};
use crate::image::{ConfigResourceType, OngoingReassignment};
use crate::testing::{World, dir, error, ids};

use ErrorCode::{
    InvalidReplicaAssignment, InvalidReplicationFactor, NoReassignmentInProgress, UnknownTopicOrPartition,
};

fn reassign(
    world: &mut World,
    topic: &str,
    partition: i32,
    target: Option<&[i32]>,
    allow_replication_factor_change: bool,
) -> Option<ApiError> {
    let command = AlterPartitionReassignments {
        topics: vec![(topic.to_owned(), vec![(partition, target.map(ids))])],
        allow_replication_factor_change,
    };
    match world.run(Command::AlterPartitionReassignments(command)) {
        Reply::AlterPartitionReassignments(mut reply) => reply.remove(0).partitions.remove(0).1,
        other => panic!("{other:?}"),
    }
}

/// The leader of "a"-0 reports this ISR.
fn report_isr(world: &mut World, isr: &[i32]) {
    let image = world.controller.image();
    let topic = world.topic("a");
    let partition = world.partition("a", 0);
    let command = AlterPartition {
        broker_id: partition.leader,
        broker_epoch: image.broker(partition.leader).unwrap().epoch,
        partitions: vec![PartitionIsr {
            topic_id: topic.id,
            partition: 0,
            leader_epoch: partition.leader_epoch,
            partition_epoch: partition.partition_epoch,
            isr: ids(isr).into_iter().map(|id| (id, -1)).collect(),
            leader_recovery_state: 0,
        }],
    };
    let reply = world.run(Command::AlterPartition(command));
    assert!(matches!(reply, Reply::AlterPartition(Ok(_))), "{reply:?}");
}

#[test]
fn a_reassignment_widens_waits_and_narrows() {
    let mut world = World::of(4);
    world.create_assigned("a", &[&[1, 2]]);
    assert_eq!(reassign(&mut world, "a", 0, Some(&[3, 4]), false), None);
    let partition = world.partition("a", 0);
    assert_eq!(partition.replicas, ids(&[3, 4, 1, 2]));
    assert_eq!(partition.adding_replicas, ids(&[3, 4]));
    assert_eq!(partition.removing_replicas, ids(&[1, 2]));
    assert_eq!(partition.leader.value(), 1);
    assert_eq!(partition.directories, [dir(3), dir(4), dir(1), dir(2)]);
    let image = world.controller.image();
    let ongoing = OngoingReassignment {
        partition: 0,
        replicas: partition.replicas,
        adding_replicas: partition.adding_replicas,
        removing_replicas: partition.removing_replicas,
    };
    assert_eq!(image.topics().ongoing_reassignments(None), [("a".into(), vec![ongoing.clone()])]);
    let asked = [("x".to_owned(), vec![0]), ("a".to_owned(), vec![1, 0])];
    assert_eq!(image.topics().ongoing_reassignments(Some(&asked)), [("a".into(), vec![ongoing])]);
    report_isr(&mut world, &[1, 2, 3]);
    assert!(world.partition("a", 0).is_reassigning(), "4 is missing");
    report_isr(&mut world, &[1, 2, 3, 4]);
    let partition = world.partition("a", 0);
    assert_eq!((&partition.replicas, &partition.isr), (&ids(&[3, 4]), &ids(&[3, 4])));
    assert!(!partition.is_reassigning());
    assert_eq!((partition.leader.value(), partition.leader_epoch.value()), (3, 1));
    assert!(world.controller.image().topics().ongoing_reassignments(None).is_empty());
}

#[test]
fn a_new_order_ends_at_once_and_the_same_order_changes_nothing() {
    let mut world = World::of(2);
    world.create_assigned("a", &[&[1, 2]]);
    let before = world.log.len();
    assert_eq!(reassign(&mut world, "a", 0, Some(&[1, 2]), false), None);
    assert_eq!(world.log.len(), before);
    assert_eq!(reassign(&mut world, "a", 0, Some(&[2, 1]), false), None);
    let partition = world.partition("a", 0);
    assert_eq!((partition.replicas.clone(), partition.is_reassigning()), (ids(&[2, 1]), false));
    assert_eq!(partition.leader.value(), 1);
    assert_eq!(partition.directories, [dir(2), dir(1)]);
}

#[test]
fn replicas_can_be_taken_away_at_once() {
    let mut world = World::of(2);
    world.create_assigned("a", &[&[1, 2]]);
    assert_eq!(
        reassign(&mut world, "a", 0, Some(&[2]), false),
        Some(error(InvalidReplicationFactor, "The replication factor is changed from 2 to 1"))
    );
    assert_eq!(reassign(&mut world, "a", 0, Some(&[2]), true), None);
    let partition = world.partition("a", 0);
    assert_eq!((&partition.replicas, &partition.isr), (&ids(&[2]), &ids(&[2])));
    assert_eq!((partition.leader.value(), partition.leader_epoch.value()), (2, 1));
}

#[test]
fn targets_follow_kafkas_rules() {
    let mut world = World::of(1);
    world.create_assigned("a", &[&[1]]);
    let mut refuse = |topic: &str, partition, target: &[i32]| {
        reassign(&mut world, topic, partition, Some(target), true).expect("refused")
    };
    assert_eq!(refuse("x", 0, &[1]), error(UnknownTopicOrPartition, "Unable to find a topic named x."));
    assert_eq!(refuse("a", 1, &[1]), error(UnknownTopicOrPartition, "Unable to find partition a:1."));
    assert_eq!(
        refuse("a", 0, &[9]),
        error(
            InvalidReplicaAssignment,
            "The manual partition assignment includes broker 9, but no such broker is registered."
        )
    );
    assert_eq!(
        refuse("a", 0, &[1, 1]),
        error(
            InvalidReplicaAssignment,
            "The manual partition assignment includes the broker 1 more than once."
        )
    );
    assert_eq!(
        refuse("a", 0, &[]),
        error(InvalidReplicaAssignment, "The manual partition assignment includes an empty replica list.")
    );
}

#[test]
fn cancelling_goes_back_to_the_old_replicas() {
    let mut world = World::of(3);
    world.create_assigned("a", &[&[1, 2]]);
    assert_eq!(reassign(&mut world, "a", 0, None, false), Some(ApiError::silent(NoReassignmentInProgress)));
    reassign(&mut world, "a", 0, Some(&[3, 1]), false);
    assert!(world.partition("a", 0).is_reassigning());
    assert_eq!(reassign(&mut world, "a", 0, None, false), None);
    let partition = world.partition("a", 0);
    assert!(!partition.is_reassigning());
    assert_eq!((&partition.replicas, &partition.isr), (&ids(&[1, 2]), &ids(&[1, 2])));
}

#[test]
fn cancelling_never_loses_records_unless_the_topic_allows_it() {
    let mut world = World::of(2);
    world.create_assigned("a", &[&[1]]);
    reassign(&mut world, "a", 0, Some(&[2]), false);
    // Broker 1 leaves before the reassignment ends, so that only the added one is in sync.
    let partition = world.partition("a", 0);
    assert_eq!(partition.replicas, ids(&[2, 1]));
    world.append(vec![crate::MetadataRecord::PartitionChange(crate::record::PartitionChangeRecord {
        version: 2,
        partition_id: 0,
        topic_id: world.topic("a").id,
        isr: Some(ids(&[2])),
        leader: Some(ids(&[2])[0]),
        ..Default::default()
    })]);
    assert_eq!(
        reassign(&mut world, "a", 0, None, false),
        Some(error(
            InvalidReplicaAssignment,
            "Unable to revert partition assignment for a:0 because it would require an unclean leader election."
        ))
    );
    let key = "unclean.leader.election.enable";
    world.set(ConfigResourceType::Topic, "a", &[(key, 0, Some("true"))]);
    assert_eq!(reassign(&mut world, "a", 0, None, false), None);
    let partition = world.partition("a", 0);
    assert_eq!((&partition.replicas, &partition.isr), (&ids(&[1]), &ids(&[1])));
    assert_eq!(partition.leader.value(), 1);
}

#[test]
fn a_fenced_target_is_taken_and_waited_for() {
    let mut world = World::of(2);
    world.create_assigned("a", &[&[1]]);
    world.change(2, BrokerChange::Fence).unwrap();
    assert_eq!(reassign(&mut world, "a", 0, Some(&[2]), false), None);
    let partition = world.partition("a", 0);
    assert_eq!((partition.leader.value(), &partition.isr), (1, &ids(&[1])));
    assert_eq!(partition.adding_replicas, ids(&[2]));
}
