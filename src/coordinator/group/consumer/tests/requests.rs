//! Requests that are refused, in Kafka's words and order; and what a group's settings do.

use super::world::{World, assignment, beat, join, owning};
use crate::group::{ConsumerHeartbeatRequest, GroupOverrides, Settings};
use model::ErrorCode;

type Change = fn(&mut ConsumerHeartbeatRequest);

#[test]
fn what_is_wrong_with_a_request_by_itself() {
    let full = join("m", &["a"]);
    let invalid = ErrorCode::InvalidRequest;
    let cases: [(Change, i32, ErrorCode, &str); 17] = [
        (|r| r.member_id = String::new(), 0, invalid, "MemberId can't be empty."),
        (|r| r.member_id = " \t".into(), 0, invalid, "MemberId can't be empty."),
        (|r| (r.version, r.member_id) = (0, String::new()), 1, invalid, "MemberId can't be empty."),
        (|r| (r.version, r.member_id) = (0, String::new()), -1, invalid, "MemberId can't be empty."),
        (
            |r| (r.group_id, r.instance_id) = (String::new(), Some(String::new())),
            0,
            invalid,
            "GroupId can't be empty.",
        ),
        (
            |r| (r.instance_id, r.rack_id) = (Some(String::new()), Some(String::new())),
            0,
            invalid,
            "InstanceId can't be empty.",
        ),
        (|r| r.rack_id = Some("  ".into()), 3, invalid, "RackId can't be empty."),
        (
            |r| (r.rebalance_timeout_ms, r.owned) = (-1, None),
            0,
            invalid,
            "RebalanceTimeoutMs must be provided in first request.",
        ),
        (|r| r.owned = None, 0, invalid, "TopicPartitions must be empty when (re-)joining."),
        (
            |r| r.owned = Some(assignment("1:0")),
            0,
            invalid,
            "TopicPartitions must be empty when (re-)joining.",
        ),
        (
            |r| r.subscribed_topics = None,
            0,
            invalid,
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
        ),
        (|_| {}, -2, invalid, "InstanceId can't be null."),
        (|_| {}, -3, invalid, "MemberEpoch is invalid."),
        (
            |r| r.server_assignor = Some("sticky".into()),
            0,
            ErrorCode::UnsupportedAssignor,
            "ServerAssignor sticky is not supported. Supported assignors: uniform, range.",
        ),
        (|_| {}, 1, ErrorCode::GroupIdNotFound, "Consumer group g not found."),
        (|_| {}, -1, ErrorCode::GroupIdNotFound, "Group g not found."),
        (
            |r| (r.subscribed_topics, r.subscribed_regex) = (None, Some("[".into())),
            0,
            ErrorCode::InvalidRegularExpression,
            "SubscribedTopicRegex `[` is not a valid regular expression: missing closing ].",
        ),
    ];
    for (change, epoch, code, message) in cases {
        let mut world = World::with_topics(&[1]);
        let mut request = ConsumerHeartbeatRequest { member_epoch: epoch, ..full.clone() };
        change(&mut request);
        let (reply, records) = world.beat(request);
        let refusal = reply.expect_err(message);
        assert_eq!((refusal.code, refusal.message.as_deref()), (code, Some(message)));
        assert_eq!(records, [""; 0]);
        assert_eq!(world.state(), "none");
    }
}

#[test]
fn version_0_is_given_a_member_id() {
    let mut world = World::with_topics(&[1]);
    let request = ConsumerHeartbeatRequest { version: 0, member_id: String::new(), ..join("", &["a"]) };
    let (reply, _) = world.beat(request);
    assert_eq!(reply.expect("joined").member_id, "AAAAAAAAAAcAAAAAAAAABw");
}

#[test]
fn whom_a_group_does_not_know_or_does_not_believe() {
    let mut world = World::with_topics(&[4]);
    world.beat(join("m", &["a"])).0.expect("joined");
    world.beat(join("n", &["a"])).0.expect("joined");
    world.beat(beat("m", 1)).0.expect("told to revoke");
    let mut refused = |request, code, message: &str| {
        let (reply, records) = world.beat(request);
        let refusal = reply.expect_err(message);
        assert_eq!((refusal.code, refusal.message.as_deref()), (code, Some(message)));
        assert_eq!(records, [""; 0]);
    };
    refused(beat("x", 1), ErrorCode::UnknownMemberId, "Member x is not a member of group g.");
    refused(beat("x", -1), ErrorCode::UnknownMemberId, "Member x is not a member of group g.");
    let fenced = |relation, epoch, known| {
        format!(
            "The consumer group member has a {relation} member epoch ({epoch}) than the one known by the group \
             coordinator ({known}). The member must abandon all its partitions and rejoin."
        )
    };
    refused(beat("m", 9), ErrorCode::FencedMemberEpoch, &fenced("greater", 9, 1));
    refused(beat("n", 1), ErrorCode::FencedMemberEpoch, &fenced("smaller", 1, 2));
    // The epoch before is believed only with partitions that are the member's.
    refused(
        owning("m", 0, "1:0"),
        ErrorCode::InvalidRequest,
        "RebalanceTimeoutMs must be provided in first request.",
    );
    refused(join("m", &["a"]), ErrorCode::FencedMemberEpoch, &fenced("smaller", 0, 1));
    let instance = |request| ConsumerHeartbeatRequest { instance_id: Some("i".into()), ..request };
    refused(instance(beat("m", 1)), ErrorCode::UnknownMemberId, "Instance id i is unknown.");
    refused(instance(beat("m", -1)), ErrorCode::UnknownMemberId, "Instance id i is unknown.");
}

#[test]
fn a_lost_answer_may_be_asked_for_again() {
    let mut world = World::with_topics(&[2]);
    world.beat(join("m", &["a"])).0.expect("joined");
    let (reply, records) = world.beat(join("m", &["a"]));
    let reply = reply.expect("joined again");
    assert_eq!((reply.member_epoch, reply.assignment), (1, Some(assignment("1:0,1"))));
    assert_eq!(records, [""; 0]);
}

#[test]
fn a_group_takes_no_more_than_its_size() {
    let mut world = World::with_topics(&[2]);
    world.settings.consumer_members_max = 1;
    world.beat(join("m", &["a"])).0.expect("joined");
    let refusal = world.beat(join("n", &["a"])).0.expect_err("full");
    let message = "The consumer group has reached its maximum capacity of 1 members.";
    assert_eq!((refusal.code, refusal.message.as_deref()), (ErrorCode::GroupMaxSizeReached, Some(message)));
    world.beat(beat("m", 1)).0.expect("it is in already");
}

#[test]
fn a_groups_own_settings_count() {
    let mut world = World::with_topics(&[2]);
    let overrides = GroupOverrides {
        consumer_session_timeout_ms: Some(50_000),
        consumer_heartbeat_interval_ms: Some(7_000),
    };
    world.settings = Settings { overrides: [("g".to_owned(), overrides)].into(), ..Settings::default() };
    let reply = world.beat(join("m", &["a"])).0.expect("joined");
    assert_eq!(reply.heartbeat_interval_ms, 7_000);
    world.pass(49_999);
    assert_eq!(world.state(), "Stable");
    world.pass(1);
    assert_eq!(world.state(), "Empty");
}

#[test]
fn the_assignor_that_most_members_want() {
    let mut world = World::with_topics(&[2, 2]);
    let with = |id: &str, assignor: &str| ConsumerHeartbeatRequest {
        server_assignor: Some(assignor.to_owned()),
        ..join(id, &["a", "b"])
    };
    let assignor = |world: &World| {
        let described = world.shard.describe_consumer_group("g", &world.cluster, &world.settings);
        described.expect("there").assignor
    };
    world.beat(join("k", &["a", "b"])).0.expect("joined");
    assert_eq!(assignor(&world), "uniform");
    world.beat(with("m", "range")).0.expect("joined");
    assert_eq!(assignor(&world), "range");
    let target = |world: &World, id: &str| super::world::show_assignment(&world.group().targets[id]);
    assert_eq!((target(&world, "k"), target(&world, "m")), ("1:0 2:0".into(), "1:1 2:1".into()));
    world.beat(with("n", "uniform")).0.expect("joined");
    assert_eq!(assignor(&world), "uniform");
}

#[test]
fn who_may_commit_and_read_offsets() {
    let mut world = World::with_topics(&[2]);
    world.beat(join("m", &["a"])).0.expect("joined");
    let group = world.group();
    let commit = |id, epoch, transactional, version| {
        group.validate_offset_commit(id, None, epoch, transactional, version).err()
    };
    assert_eq!(commit("m", 1, false, 9), None);
    assert_eq!(commit("m", 1, false, 8), Some(ErrorCode::UnsupportedVersion));
    assert_eq!(commit("m", 1, true, 3), None);
    assert_eq!(commit("m", 0, false, 9), Some(ErrorCode::StaleMemberEpoch));
    assert_eq!(commit("x", 1, false, 9), Some(ErrorCode::UnknownMemberId));
    assert_eq!(commit("", -1, true, 3), None);
    assert_eq!(commit("", -1, false, 9), Some(ErrorCode::UnknownMemberId));
    assert_eq!(group.validate_offset_fetch(None, -1), Ok(()));
    assert_eq!(group.validate_offset_fetch(Some("m"), 1), Ok(()));
    assert_eq!(group.validate_offset_fetch(Some("m"), 2), Err(ErrorCode::StaleMemberEpoch));
    assert_eq!(group.validate_offset_fetch(Some("x"), 1), Err(ErrorCode::UnknownMemberId));
    assert!(group.is_subscribed_to("a") && !group.is_subscribed_to("b"));
    world.beat(beat("m", -1)).0.expect("left");
    assert_eq!(world.group().validate_offset_commit("", None, -1, false, 8), Ok(()));
}
