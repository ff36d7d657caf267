use model::ErrorCode;

use crate::command::{ApiError, BrokerChange, Command, CreatePartitions, NamedResult, NewPartitions, Reply};
use crate::testing::{World, error, ids};

use ErrorCode::{
    InvalidPartitions, InvalidReplicaAssignment, InvalidReplicationFactor, InvalidRequest, PolicyViolation,
    UnknownTopicOrPartition,
};

fn wanted(name: &str, count: i32, assignments: Option<&[&[i32]]>) -> NewPartitions {
    NewPartitions {
        name: name.to_owned(),
        count,
        assignments: assignments.map(|all| all.iter().map(|replicas| ids(replicas)).collect()),
    }
}

fn grow_all(world: &mut World, topics: Vec<NewPartitions>) -> Vec<NamedResult> {
    match world.run(Command::CreatePartitions(CreatePartitions { topics, validate_only: false, seed: 7 })) {
        Reply::CreatePartitions(reply) => reply,
        other => panic!("{other:?}"),
    }
}

fn grow(world: &mut World, topic: NewPartitions) -> Option<ApiError> {
    grow_all(world, vec![topic]).remove(0).error
}

#[test]
fn partitions_are_added_at_the_end() {
    let mut world = World::of(3);
    world.create_assigned("a", &[&[1, 2]]);
    assert_eq!(grow(&mut world, wanted("a", 3, None)), None);
    let topic = world.topic("a");
    assert_eq!(topic.partitions.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
    assert!(topic.partitions.values().all(|partition| partition.replicas.len() == 2));
    assert_eq!(grow(&mut world, wanted("a", 5, Some(&[&[3, 1], &[2, 3]]))), None);
    assert_eq!(world.partition("a", 3).replicas, ids(&[3, 1]));
    assert_eq!(world.partition("a", 4).leader.value(), 2);
}

#[test]
fn counts_follow_kafkas_rules() {
    let mut world = World::of(1);
    world.create_assigned("a", &[&[1], &[1]]);
    assert_eq!(
        grow(&mut world, wanted("a", 2, None)),
        Some(error(InvalidPartitions, "Topic already has 2 partition(s)."))
    );
    for count in [1, 0, -1] {
        let message = format!("The topic a currently has 2 partition(s); {count} would not be an increase.");
        assert_eq!(grow(&mut world, wanted("a", count, None)), Some(error(InvalidPartitions, &message)));
    }
    assert_eq!(grow(&mut world, wanted("x", 3, None)), Some(ApiError::silent(UnknownTopicOrPartition)));
    assert_eq!(
        grow(&mut world, wanted("a", i32::MAX, None)),
        Some(error(PolicyViolation, "Unable to perform excessively large batch operation."))
    );
    assert_eq!(world.topic("a").partitions.len(), 2);
}

#[test]
fn assignments_follow_kafkas_rules() {
    let mut world = World::of(2);
    world.create_assigned("a", &[&[1]]);
    assert_eq!(
        grow(&mut world, wanted("a", 3, Some(&[&[1]]))),
        Some(error(
            InvalidReplicaAssignment,
            "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."
        ))
    );
    assert_eq!(
        grow(&mut world, wanted("a", 2, Some(&[&[1, 2]]))),
        Some(error(
            InvalidReplicaAssignment,
            "The manual partition assignment includes a partition with 2 replica(s), but this is not consistent \
             with previous partitions, which have 1 replica(s)."
        ))
    );
    world.change(2, BrokerChange::Fence).unwrap();
    assert_eq!(
        grow(&mut world, wanted("a", 2, Some(&[&[2]]))),
        Some(error(
            InvalidReplicaAssignment,
            "All brokers specified in the manual partition assignment for partition 1 are fenced or in \
             controlled shutdown."
        ))
    );
}

#[test]
fn too_few_brokers_are_refused_in_the_placers_words() {
    let mut world = World::of(2);
    world.create_assigned("a", &[&[1, 2]]);
    world.run(Command::UnregisterBroker { broker_id: model::BrokerId::new(2) });
    assert_eq!(
        grow(&mut world, wanted("a", 2, None)),
        Some(error(
            InvalidReplicationFactor,
            "The target replication factor of 2 cannot be reached because only 1 broker(s) are registered."
        ))
    );
}

#[test]
fn duplicates_come_first_and_validate_only_adds_nothing() {
    let mut world = World::of(1);
    world.create_assigned("a", &[&[1]]);
    world.create_assigned("b", &[&[1]]);
    let topics = vec![wanted("a", 2, None), wanted("b", 2, None), wanted("a", 3, None)];
    let outcome = world.decide(Command::CreatePartitions(CreatePartitions {
        topics: topics.clone(),
        validate_only: true,
        seed: 0,
    }));
    assert_eq!(outcome.records, []);
    let reply = grow_all(&mut world, topics);
    let outcomes: Vec<_> = reply.into_iter().map(|result| (result.name, result.error)).collect();
    let duplicate = error(InvalidRequest, "Duplicate topic name.");
    assert_eq!(outcomes, [("a".to_owned(), Some(duplicate)), ("b".to_owned(), None)]);
    assert_eq!(world.topic("a").partitions.len(), 1);
    assert_eq!(world.topic("b").partitions.len(), 2);
}
