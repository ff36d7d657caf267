//! What administrators are shown.

use super::script::script;
use super::world::World;
use crate::group::classic::Group;
use crate::group::record::{ClassicGroupValue, ClassicMemberValue, OffsetKey, OffsetValue, Record};
use crate::group::timers::{Alarm, TimerKey, Timers};
use crate::group::{
    ConsumerHeartbeatReply, DescribedGroup, DescribedMember, JoinReply, LeaveReply, ListedGroup, Refusal,
    Reply, Request, Settings, SyncReply,
};
use bytes::Bytes;
use model::ErrorCode;

/// A stable group of one member, a simple group with an offset.
fn world() -> World {
    let mut world = World::new(Settings::default());
    let member = ClassicMemberValue {
        member_id: "m-1".into(),
        instance_id: Some("i".into()),
        client_id: "m".into(),
        client_host: "/127.0.0.1".into(),
        rebalance_timeout_ms: 30_000,
        session_timeout_ms: 10_000,
        subscription: Bytes::from_static(b"subscription"),
        assignment: Bytes::from_static(b"assignment"),
    };
    let value = ClassicGroupValue {
        protocol_type: "connect".into(),
        generation: 4,
        protocol: Some("sessioned".into()),
        leader: Some("m-1".into()),
        state_timestamp_ms: 5,
        members: vec![member],
    };
    world.log.push((Record::ClassicGroup("busy".into(), Some(value)), None));
    let key = OffsetKey { group_id: "simple".into(), topic: "t".into(), partition: 0 };
    let offset = OffsetValue {
        offset: 7,
        leader_epoch: -1,
        metadata: String::new(),
        commit_timestamp_ms: super::world::WALL_MS,
        expire_timestamp_ms: -1,
        topic_id: None,
    };
    world.log.push((Record::Offset(key, Some(offset)), None));
    world.restart();
    world
}

fn names(listed: &[ListedGroup]) -> Vec<&str> {
    listed.iter().map(|group| group.group_id.as_str()).collect()
}

#[test]
fn groups_are_listed_by_state_and_type() {
    let world = world();
    let list = |states: &[&str], types: &[&str]| {
        let owned = |filter: &[&str]| filter.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        world.shard.list(&owned(states), &owned(types))
    };
    let all = list(&[], &[]);
    assert_eq!(names(&all), ["busy", "simple"]);
    assert_eq!(
        (all[0].protocol_type.as_str(), all[0].state, all[0].group_type),
        ("connect", "Stable", "classic")
    );
    assert_eq!((all[1].protocol_type.as_str(), all[1].state, all[1].group_type), ("", "Empty", "classic"));
    assert_eq!(names(&list(&["sTaBLe "], &[])), ["busy"]);
    assert_eq!(names(&list(&["Stable", "Empty"], &["Classic"])), ["busy", "simple"]);
    assert_eq!(names(&list(&["Dead"], &[])), [""; 0]);
    assert_eq!(names(&list(&[], &["consumer"])), [""; 0]);
    assert_eq!(names(&list(&[], &["no such type"])), [""; 0]);
}

#[test]
fn a_stable_group_is_described_with_metadata_and_protocol() {
    let world = world();
    let described = world.shard.describe_classic("busy").expect("it is there");
    let member = DescribedMember {
        member_id: "m-1".into(),
        instance_id: Some("i".into()),
        client_id: "m".into(),
        client_host: "/127.0.0.1".into(),
        metadata: Bytes::from_static(b"subscription"),
        assignment: Bytes::from_static(b"assignment"),
    };
    let expected = DescribedGroup {
        group_id: "busy".into(),
        state: "Stable",
        protocol_type: "connect".into(),
        protocol: "sessioned".into(),
        members: vec![member],
    };
    assert_eq!(described, expected);
}

#[test]
fn a_group_that_is_not_there_is_not_found() {
    let world = world();
    let refusal = world.shard.describe_classic("nobody").expect_err("it is not there");
    let expected =
        Refusal { code: ErrorCode::GroupIdNotFound, message: Some("Group nobody not found.".into()) };
    assert_eq!(refusal, expected);
}

#[test]
fn a_group_is_deleted_with_its_offsets() {
    let mut world = world();
    let (_, outcome) = world.send(Request::DeleteGroup { group_id: "simple".into() });
    let key = OffsetKey { group_id: "simple".into(), topic: "t".into(), partition: 0 };
    let tombstones = vec![Record::Offset(key, None), Record::ClassicGroup("simple".into(), None)];
    assert_eq!(outcome.records, tombstones);
    assert_eq!(names(&world.shard.list(&[], &[])), ["busy"]);
    world.restart();
    assert_eq!(names(&world.shard.list(&[], &[])), ["busy"]);
}

#[test]
fn a_group_that_rebalances_is_described_without_metadata() {
    script(
        r#"
        delay 0
        join a v=3    -> log gen 0; PreparingRebalance
        list          -> ListedGroup { group_id: "g", protocol_type: "consumer", state: "PreparingRebalance", group_type: "classic" }
        "#,
    );
}

#[test]
fn the_topics_of_subscriptions_of_any_version_are_read() {
    // Version 3, topics "t" and "uu", then what version 0 does not know.
    let subscription: &[u8] = &[0, 3, 0, 0, 0, 2, 0, 1, b't', 0, 2, b'u', b'u', 9, 9, 9];
    for (subscription, of_t, of_x) in [
        (subscription, true, false),
        // Nobody can know what it reads: perhaps everything.
        (&subscription[..9], true, true),
        (&[0, 0, 0x7f, 0xff, 0xff, 0xff], true, true),
        (&[0xff, 0xff, 0, 0, 0, 0], true, true),
        (&[0, 0, 0, 0, 0, 0], false, false),
    ] {
        let mut world = world();
        let Some((Record::ClassicGroup(_, Some(value)), _)) = world.log.first_mut() else {
            panic!("no group")
        };
        value.protocol_type = "consumer".into();
        value.members[0].subscription = Bytes::copy_from_slice(subscription);
        world.restart();
        let Some(crate::group::shard::Group::Classic(group)) = world.shard.groups.get("busy") else {
            panic!("no group");
        };
        assert_eq!(
            (group.is_subscribed_to("t"), group.is_subscribed_to("x")),
            (of_t, of_x),
            "{subscription:?}"
        );
    }
    assert!(!Group::simple("s").is_subscribed_to("t"), "a simple group reads nothing");
}

#[test]
fn what_could_not_be_written_is_told_in_the_coordinators_words() {
    let told = |code| match Reply::Heartbeat(ErrorCode::None).failed(code) {
        Reply::Heartbeat(code) => code,
        other => panic!("{other:?}"),
    };
    assert_eq!(told(ErrorCode::NotEnoughReplicas), ErrorCode::CoordinatorNotAvailable);
    assert_eq!(told(ErrorCode::RequestTimedOut), ErrorCode::CoordinatorNotAvailable);
    assert_eq!(told(ErrorCode::KafkaStorageError), ErrorCode::NotCoordinator);
    assert_eq!(told(ErrorCode::NotLeaderOrFollower), ErrorCode::NotCoordinator);
    assert_eq!(told(ErrorCode::MessageTooLarge), ErrorCode::UnknownServerError);
    assert_eq!(told(ErrorCode::InvalidRequest), ErrorCode::InvalidRequest);
    // What was an error stays one.
    let fenced = Reply::Sync(SyncReply::error(ErrorCode::FencedInstanceId));
    assert_eq!(fenced.clone().failed(ErrorCode::NotEnoughReplicas), fenced);
    let required = Reply::Join(JoinReply::error(ErrorCode::MemberIdRequired, "m-1".into()));
    assert_eq!(required.clone().failed(ErrorCode::NotEnoughReplicas), required);
    let left = Reply::Leave(LeaveReply { error: ErrorCode::None, members: Vec::new() });
    let not_left = Reply::Leave(LeaveReply { error: ErrorCode::NotCoordinator, members: Vec::new() });
    assert_eq!(left.failed(ErrorCode::KafkaStorageError), not_left);
    let beat = ConsumerHeartbeatReply {
        member_id: "m".into(),
        member_epoch: 1,
        heartbeat_interval_ms: 5_000,
        assignment: None,
    };
    let failed = Reply::ConsumerHeartbeat(Ok(beat)).failed(ErrorCode::KafkaStorageError);
    assert_eq!(failed, Reply::ConsumerHeartbeat(Err(ErrorCode::NotCoordinator.into())));
}

#[test]
fn an_alarm_that_moves_on_stays_one_entry() {
    let (mut timers, mut alarm) = (Timers::default(), Alarm::default());
    let key = TimerKey::ClassicJoin("g".into());
    for deadline_ms in 10..1_000 {
        alarm.set(&mut timers, deadline_ms, || key.clone());
    }
    assert_eq!((timers.len(), timers.next_ms(), alarm.deadline_ms()), (1, Some(10), Some(999)));
    let (entry, popped) = timers.pop(10).expect("the entry is due");
    assert!(!alarm.rings(&mut timers, 10, entry, &popped), "the deadline has moved on");
    assert_eq!((timers.len(), timers.next_ms()), (1, Some(999)));
    // To an earlier moment it takes its entry along.
    alarm.set(&mut timers, 500, || key.clone());
    assert_eq!((timers.len(), timers.next_ms()), (1, Some(500)));
    let (entry, popped) = timers.pop(600).expect("the entry is due");
    assert!(alarm.rings(&mut timers, 600, entry, &popped));
    assert!(!alarm.rings(&mut timers, 600, entry, &popped), "an entry counts once");
    alarm.set(&mut timers, 700, || key.clone());
    alarm.cancel(&mut timers);
    assert_eq!((timers.len(), alarm.deadline_ms()), (0, None));
}
