//! What becomes of committed offsets while their group lives with the consumer protocol, or leaves it.

use super::migration::balanced;
use super::world::{GROUP, WALL_MS, World, beat, join};
use crate::group::record::{OffsetKey, OffsetValue, Record};
use crate::group::{
    CommittedTopic, ConsumerHeartbeatRequest, LeaveRequest, LeavingMember, OffsetDeleteRequest, Reply,
    Request, Shard,
};
use model::ErrorCode;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// An offset of partition 0 that was committed so long ago is in the log.
fn commit(world: &mut World, topic: &str, age_ms: i64) {
    let offset = OffsetValue {
        offset: 7,
        leader_epoch: -1,
        metadata: String::new(),
        commit_timestamp_ms: WALL_MS + world.now_ms - age_ms,
        expire_timestamp_ms: -1,
        topic_id: None,
    };
    let record = Record::Offset(key(topic), Some(offset));
    world.log.push(record.clone());
    world.shard.replay(record, None);
}

fn key(topic: &str) -> OffsetKey {
    OffsetKey { group_id: GROUP.into(), topic: topic.into(), partition: 0 }
}

fn gone(topic: &str) -> Record {
    Record::Offset(key(topic), None)
}

/// What expires; regular expressions are refreshed meanwhile.
fn expired(world: &mut World, ms: i64) -> Vec<Record> {
    world.pass(ms).records.into_iter().filter(|record| matches!(record, Record::Offset(..))).collect()
}

/// What OffsetDelete says of a topic.
fn delete(world: &mut World, topic: &str) -> (ErrorCode, Vec<Record>) {
    let topics = vec![(topic.to_owned(), vec![0])];
    let (_, outcome) =
        world.send(Request::OffsetDelete(OffsetDeleteRequest { group_id: GROUP.into(), topics }));
    match &outcome.replies[..] {
        [(_, Reply::OffsetDelete(Ok(topics)))] => match &topics[..] {
            [CommittedTopic { partitions, .. }] => (partitions[0].1, outcome.records),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn offsets_of_topics_that_an_expression_matches_stay() {
    let mut world = World::with_topics(&[2, 2, 2]);
    world.settings.consumer_session_timeout_ms = i32::MAX;
    world.restart();
    let request = ConsumerHeartbeatRequest { subscribed_regex: Some("[ab]".into()), ..join("m", &[]) };
    world.beat(request).0.expect("joined");
    let epoch = world.group().epoch;
    world.beat(beat("m", epoch - 1)).0.expect("known");
    assert!(world.group().member("m").expect("there").about.subscribed_topics.is_empty());
    for restarted in [false, true] {
        if restarted {
            world.restart();
        }
        for topic in ["a", "b", "c"] {
            commit(&mut world, topic, 10 * DAY_MS);
        }
        assert_eq!(delete(&mut world, "a"), (ErrorCode::GroupSubscribedToTopic, vec![]), "{restarted}");
        assert_eq!(delete(&mut world, "c"), (ErrorCode::None, vec![gone("c")]), "{restarted}");
        commit(&mut world, "c", 10 * DAY_MS);
        assert_eq!(expired(&mut world, DAY_MS), [gone("c")], "{restarted}");
        assert_eq!(delete(&mut world, "b"), (ErrorCode::GroupSubscribedToTopic, vec![]), "{restarted}");
    }
}

/// A consumer group became classic, and its last member went: the retention counts from then.
#[test]
fn a_group_is_empty_since_its_last_member_went_also_after_a_downgrade() {
    for restarted in [false, true] {
        let (mut world, old) = balanced();
        world.act(Shard::loaded);
        world.pass(1_000);
        world.beat(beat("m", -1)).0.expect("left");
        assert_eq!(world.state(), "classic");
        world.pass(10_000);
        if restarted {
            world.restart();
        }
        commit(&mut world, "a", 10 * DAY_MS);
        commit(&mut world, "c", 10 * DAY_MS);
        world.pass(5_000);
        let members = vec![LeavingMember { member_id: old, instance_id: None, reason: None }];
        let (_, outcome) = world.send(Request::Leave(LeaveRequest { group_id: GROUP.into(), members }));
        let [Record::ClassicGroup(_, Some(value))] = &outcome.records[..] else { panic!("{outcome:?}") };
        assert_eq!((value.state_timestamp_ms, value.members.len()), (WALL_MS + world.now_ms, 0));
        assert_eq!(world.pass(7 * DAY_MS - 1).records, [], "{restarted}");
        let records = [gone("a"), gone("c"), Record::ClassicGroup(GROUP.into(), None)];
        assert_eq!(world.pass(600_001).records, records, "{restarted}");
        assert_eq!(world.state(), "none");
    }
}
