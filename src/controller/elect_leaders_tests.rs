use model::ErrorCode;

use crate::command::{
    ApiError, BrokerChange, Command, ElectLeaders, ElectionType, Reply, TopicPartitionResults,
};
use crate::testing::{World, error, ids};

use ErrorCode::{
    ElectionNotNeeded, EligibleLeadersNotAvailable, PreferredLeaderNotAvailable, UnknownTopicOrPartition,
};

fn elect_all(
    world: &mut World,
    election: ElectionType,
    partitions: Option<Vec<(String, Vec<i32>)>>,
) -> Vec<TopicPartitionResults> {
    match world.run(Command::ElectLeaders(ElectLeaders { election, partitions })) {
        Reply::ElectLeaders(reply) => reply,
        other => panic!("{other:?}"),
    }
}

fn elect(world: &mut World, election: ElectionType, topic: &str, partition: i32) -> Option<ApiError> {
    let partitions = Some(vec![(topic.to_owned(), vec![partition])]);
    let mut reply = elect_all(world, election, partitions);
    reply.remove(0).partitions.remove(0).1
}

#[test]
fn nothing_is_elected_where_it_is_not_needed() {
    let mut world = World::of(1);
    world.create_assigned("a", &[&[1]]);
    for election in [ElectionType::Preferred, ElectionType::Unclean] {
        assert_eq!(
            elect(&mut world, election, "a", 0),
            Some(error(ElectionNotNeeded, "Leader election not needed for topic partition."))
        );
        let all = elect_all(&mut world, election, None);
        assert_eq!((all[0].name.as_str(), all[0].partitions.len()), ("a", 0));
    }
}

#[test]
fn unknown_partitions_are_named() {
    let mut world = World::of(1);
    world.create_assigned("a", &[&[1]]);
    assert_eq!(
        elect(&mut world, ElectionType::Preferred, "x", 0),
        Some(error(UnknownTopicOrPartition, "No such topic as x"))
    );
    assert_eq!(
        elect(&mut world, ElectionType::Preferred, "a", 1),
        Some(error(UnknownTopicOrPartition, "No such partition as a-1"))
    );
}

/// Partition 0 of "a" on brokers 1 and 2, led by 2, with 1 back in sync when `in_sync`.
fn led_by_second(in_sync: bool) -> World {
    let mut world = World::of(2);
    let topic_id = world.create_assigned("a", &[&[1, 2]]);
    world.change(1, BrokerChange::Fence).unwrap();
    world.change(1, BrokerChange::Unfence).unwrap();
    let partition = world.partition("a", 0);
    assert_eq!((partition.leader.value(), &partition.isr), (2, &ids(&[2])));
    if in_sync {
        world.append(vec![crate::MetadataRecord::PartitionChange(crate::record::PartitionChangeRecord {
            version: 2,
            partition_id: 0,
            topic_id,
            isr: Some(ids(&[1, 2])),
            ..Default::default()
        })]);
    }
    world
}

#[test]
fn the_preferred_leader_comes_back_when_it_is_in_sync() {
    let mut world = led_by_second(true);
    let all = elect_all(&mut world, ElectionType::Preferred, None);
    assert_eq!(all[0].partitions, [(0, None)]);
    assert_eq!(world.partition("a", 0).leader.value(), 1);
    let mut world = led_by_second(false);
    assert_eq!(
        elect(&mut world, ElectionType::Preferred, "a", 0),
        Some(error(PreferredLeaderNotAvailable, "The preferred leader was not available."))
    );
}

#[test]
fn an_unclean_election_takes_anybody_alive() {
    let mut world = led_by_second(false);
    world.change(2, BrokerChange::Fence).unwrap();
    assert!(!world.partition("a", 0).has_leader());
    assert_eq!(elect(&mut world, ElectionType::Unclean, "a", 0), None);
    let partition = world.partition("a", 0);
    assert_eq!((partition.leader.value(), partition.isr), (1, ids(&[1])));
    world.change(1, BrokerChange::Fence).unwrap();
    assert_eq!(
        elect(&mut world, ElectionType::Unclean, "a", 0),
        Some(error(EligibleLeadersNotAvailable, "Eligible topic partition leaders are not available."))
    );
}
