//! Groups that change their protocol, and classic members of consumer groups.

use super::world::{GROUP, Outcome, World, beat, join, show};
use crate::group::consumer::embedded::{Given, encode_assignment};
use crate::group::{
    Client, HeartbeatRequest, JoinReply, JoinRequest, LeaveRequest, LeavingMember, Reply, Request, SyncReply,
    SyncRequest,
};
use bytes::{BufMut, Bytes, BytesMut};
use model::ErrorCode;
use uuid::Uuid;

/// A subscription in version 1.
pub fn subscription(topics: &[&str], owned: &[(&str, &[i32])]) -> Bytes {
    let mut bytes = BytesMut::new();
    let put_string = |bytes: &mut BytesMut, text: &str| {
        bytes.put_u16(text.len() as u16);
        bytes.put_slice(text.as_bytes());
    };
    bytes.put_i16(1);
    bytes.put_i32(topics.len() as i32);
    for topic in topics {
        put_string(&mut bytes, topic);
    }
    bytes.put_i32(-1);
    bytes.put_i32(owned.len() as i32);
    for (topic, partitions) in owned {
        put_string(&mut bytes, topic);
        bytes.put_i32(partitions.len() as i32);
        for partition in *partitions {
            bytes.put_i32(*partition);
        }
    }
    bytes.freeze()
}

pub fn classic_join(member_id: &str, topics: &[&str], owned: &[(&str, &[i32])]) -> JoinRequest {
    JoinRequest {
        client: Client { id: "old".into(), host: "/127.0.0.1".into() },
        group_id: GROUP.into(),
        member_id: member_id.into(),
        fresh_id: Uuid::from_u64_pair(9, 9),
        instance_id: None,
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 20_000,
        protocol_type: "consumer".into(),
        protocols: vec![("range".into(), subscription(topics, owned))],
        reason: None,
        member_id_required: false,
        skip_assignment_known: true,
    }
}

fn joined(outcome: &Outcome) -> &JoinReply {
    match &outcome.replies[..] {
        [(_, Reply::Join(reply))] => reply,
        other => panic!("{other:?}"),
    }
}

/// Partitions of topics by name.
type Named<'a> = &'a [(&'a str, &'a [i32])];

fn sync(
    world: &mut World,
    member_id: &str,
    generation: i32,
    given: &[(&str, Named)],
) -> (SyncReply, Vec<String>) {
    let owned = |partitions: Named| {
        let named: Vec<(String, &[i32])> =
            partitions.iter().map(|(topic, list)| ((*topic).to_owned(), *list)).collect();
        encode_assignment(1, &named)
    };
    let request = SyncRequest {
        group_id: GROUP.into(),
        generation,
        member_id: member_id.into(),
        instance_id: None,
        protocol_type: Some("consumer".into()),
        protocol_name: Some("range".into()),
        assignments: given.iter().map(|(id, partitions)| ((*id).to_owned(), owned(partitions))).collect(),
    };
    let (_, outcome) = world.send(Request::Sync(request));
    match &outcome.replies[..] {
        [(_, Reply::Sync(reply))] => (reply.clone(), outcome.records.iter().map(show).collect()),
        other => panic!("{other:?}"),
    }
}

fn given(reply: &SyncReply) -> Vec<(String, Vec<i32>)> {
    assert_eq!(reply.error, ErrorCode::None);
    Given::decode(&reply.assignment).expect("well formed").partitions
}

fn classic_beat(world: &mut World, member_id: &str, generation: i32) -> ErrorCode {
    let request = HeartbeatRequest {
        group_id: GROUP.into(),
        generation,
        member_id: member_id.into(),
        instance_id: None,
    };
    match &world.send(Request::Heartbeat(request)).1.replies[..] {
        [(_, Reply::Heartbeat(code))] => *code,
        other => panic!("{other:?}"),
    }
}

/// A classic group whose only member has partitions 0 and 1 of topic `a`; its id.
pub fn classic() -> (World, String) {
    let mut world = World::with_topics(&[2]);
    world.settings.initial_rebalance_delay_ms = 0;
    let (_, outcome) = world.send(Request::Join(classic_join("", &["a"], &[])));
    let id = joined(&outcome).member_id.clone();
    let (reply, _) = sync(&mut world, &id, 1, &[(&id, &[("a", &[0, 1])])]);
    assert_eq!(given(&reply), [("a".to_owned(), vec![0, 1])]);
    assert_eq!(world.state(), "classic");
    (world, id)
}

/// The classic group with a consumer member `m`, in reconciliation.
pub fn mixed() -> (World, String) {
    let (mut world, old) = classic();
    let (reply, written) = world.beat(join("m", &["a"]));
    let reply = reply.expect("joined");
    assert_eq!((reply.member_epoch, reply.assignment.map(|owned| owned.len())), (2, Some(0)));
    let expected = [
        "-classic".to_owned(),
        format!("member {old}"),
        "epoch 1".to_owned(),
        format!("target {old} 1:0,1"),
        "targets 1".to_owned(),
        format!("current {old} 1(1) stable 1:0,1 / -"),
        "member m".to_owned(),
        "epoch 2".to_owned(),
    ];
    assert_eq!(written[..8], expected);
    assert_eq!(world.state(), "Reconciling");
    (world, old)
}

/// The consumer group with a classic member and `m`, in balance.
pub fn balanced() -> (World, String) {
    let (mut world, old) = mixed();
    assert_eq!(classic_beat(&mut world, &old, 1), ErrorCode::RebalanceInProgress);
    // The eager client gives everything back before it joins.
    let (_, outcome) = world.send(Request::Join(classic_join(&old, &["a"], &[])));
    let reply = joined(&outcome);
    assert_eq!((reply.error, reply.generation, reply.leader.as_str()), (ErrorCode::None, 2, ""));
    assert_eq!(
        (reply.protocol_type.as_deref(), reply.protocol_name.as_deref()),
        (Some("consumer"), Some("range"))
    );
    let (reply, written) = sync(&mut world, &old, 2, &[]);
    assert_eq!((given(&reply)[0].1.len(), written), (1, Vec::new()));
    assert_eq!(classic_beat(&mut world, &old, 2), ErrorCode::None);
    let reply = world.beat(beat("m", 2)).0.expect("known");
    assert_eq!(reply.assignment.map(|owned| owned.len()), Some(1));
    assert_eq!(world.state(), "Stable");
    (world, old)
}

#[test]
fn a_classic_group_is_upgraded_and_works() {
    let (world, _) = balanced();
    let described =
        world.shard.describe_consumer_group(GROUP, &world.cluster, &world.settings).expect("there");
    let mut classic: Vec<bool> = described.members.iter().map(|member| member.classic).collect();
    classic.sort_unstable();
    assert_eq!(classic, [false, true]);
}

#[test]
fn the_last_consumer_member_leaves_and_the_group_is_classic_again() {
    let (mut world, old) = balanced();
    let (reply, written) = world.beat(beat("m", -1));
    assert_eq!(reply.expect("left").member_epoch, -1);
    assert_eq!(written[written.len() - 3..], ["-metadata", "-epoch", "classic 2 of 1"]);
    assert_eq!(world.state(), "classic");
    assert_eq!(classic_beat(&mut world, &old, 2), ErrorCode::RebalanceInProgress);
    let (_, outcome) = world.send(Request::Join(classic_join(&old, &["a"], &[])));
    let reply = joined(&outcome);
    assert_eq!((reply.generation, &reply.leader, reply.members.len()), (3, &old, 1));
    let (reply, _) = sync(&mut world, &old, 3, &[(&old, &[("a", &[0, 1])])]);
    assert_eq!(given(&reply), [("a".to_owned(), vec![0, 1])]);
    world.restart();
    assert_eq!(classic_beat(&mut world, &old, 3), ErrorCode::None);
}

#[test]
fn the_last_consumer_member_goes_silent() {
    let (mut world, old) = balanced();
    for _ in 0..3 {
        world.pass(15_000);
        classic_beat(&mut world, &old, 2);
    }
    assert_eq!(world.state(), "classic");
    assert_eq!(classic_beat(&mut world, &old, 2), ErrorCode::RebalanceInProgress);
}

#[test]
fn a_downgrade_that_is_not_wanted() {
    let (mut world, old) = balanced();
    world.settings.downgrade_allowed = false;
    world.beat(beat("m", -1)).0.expect("left");
    assert_eq!(world.state(), "Assigning");
    assert_eq!(classic_beat(&mut world, &old, 2), ErrorCode::RebalanceInProgress);
    let (mut world, _) = balanced();
    world.settings.classic_members_max = 0;
    world.beat(beat("m", -1)).0.expect("left");
    assert_eq!(world.state(), "Assigning");
}

#[test]
fn an_upgrade_that_is_not_possible() {
    let refused = |world: &mut World, reason: &str| {
        let refusal = world.beat(join("m", &["a"])).0.expect_err(reason);
        let message = format!("Cannot upgrade classic group g to consumer group because {reason}");
        assert_eq!((refusal.code, refusal.message), (ErrorCode::GroupIdNotFound, Some(message)));
        assert_eq!(world.state(), "classic");
    };
    let (mut world, old) = classic();
    world.settings.upgrade_allowed = false;
    refused(&mut world, "online upgrade is disabled.");
    world.settings.upgrade_allowed = true;
    world.settings.consumer_members_max = 0;
    refused(&mut world, "the group size exceeds the consumer group maximum size.");
    let refusal = world.beat(beat("m", 1)).0.expect_err("no such member");
    assert_eq!(refusal.message.as_deref(), Some("Group g is not a consumer group."));
    assert_eq!(classic_beat(&mut world, &old, 1), ErrorCode::None, "the group is what it was");

    let mut world = World::with_topics(&[2]);
    world.settings.initial_rebalance_delay_ms = 0;
    let connect = JoinRequest { protocol_type: "connect".into(), ..classic_join("", &["a"], &[]) };
    world.send(Request::Join(connect));
    refused(&mut world, "the group does not use the consumer embedded protocol.");

    let mut world = World::with_topics(&[2]);
    world.settings.initial_rebalance_delay_ms = 0;
    let garbage = JoinRequest {
        protocols: vec![("range".into(), Bytes::from_static(b"x"))],
        ..classic_join("", &[], &[])
    };
    world.send(Request::Join(garbage));
    refused(&mut world, "the embedded consumer protocol is malformed.");
}

#[test]
fn an_upgrade_ends_the_rebalance_that_runs() {
    let (mut world, old) = classic();
    // A second member joins; the first has not heard of it yet.
    let second = JoinRequest { fresh_id: Uuid::from_u64_pair(9, 10), ..classic_join("", &["a"], &[]) };
    let (waiting, outcome) = world.send(Request::Join(second));
    assert_eq!(outcome.replies, []);
    let (_, outcome) = world.send(Request::ConsumerHeartbeat(join("m", &["a"])));
    let told = outcome.replies.iter().find(|(ticket, _)| *ticket == waiting).expect("answered");
    assert!(matches!(&told.1, Reply::Join(reply) if reply.error == ErrorCode::RebalanceInProgress));
    assert_eq!(world.group().members.len(), 3);
    assert_eq!(classic_beat(&mut world, &old, 1), ErrorCode::RebalanceInProgress);
}

#[test]
fn an_upgrade_that_cannot_be_written_leaves_the_group_as_it_was() {
    let (mut world, old) = classic();
    world.fail_next_write = true;
    let refusal = world.beat(join("m", &["a"])).0.expect_err("not written");
    assert_eq!(refusal.code, ErrorCode::CoordinatorNotAvailable);
    assert_eq!(world.state(), "classic");
    assert_eq!(classic_beat(&mut world, &old, 1), ErrorCode::None);
}

#[test]
fn empty_groups_change_without_ado() {
    let (mut world, old) = classic();
    let leaving = LeavingMember { member_id: old, instance_id: None, reason: None };
    world.send(Request::Leave(LeaveRequest { group_id: GROUP.into(), members: vec![leaving] }));
    let (reply, written) = world.beat(join("m", &["a"]));
    reply.expect("joined");
    assert_eq!(written[..2], ["-classic", "member m"]);
    assert_eq!(world.state(), "Stable");
    world.beat(beat("m", -1)).0.expect("left");
    let (_, outcome) = world.send(Request::Join(classic_join("", &["a"], &[])));
    assert_eq!(joined(&outcome).error, ErrorCode::None);
    let written: Vec<String> = outcome.records.iter().map(show).collect();
    assert_eq!(written[..3], ["-targets", "-metadata", "-epoch"]);
    assert_eq!(world.state(), "classic");
}

#[test]
fn classic_members_are_refused_as_in_kafka() {
    let (mut world, old) = mixed();
    let mut refused = |request: JoinRequest, code| {
        let (_, outcome) = world.send(Request::Join(request));
        assert_eq!((joined(&outcome).error, outcome.records.len()), (code, 0));
        joined(&outcome).member_id.clone()
    };
    let ask = || classic_join("", &["a"], &[]);
    let named = refused(JoinRequest { member_id_required: true, ..ask() }, ErrorCode::MemberIdRequired);
    assert_eq!(named, "AAAAAAAAAAkAAAAAAAAACQ");
    let other = vec![("roundrobin".into(), subscription(&["a"], &[]))];
    assert_eq!(refused(JoinRequest { protocols: other, ..ask() }, ErrorCode::InconsistentGroupProtocol), "");
    refused(JoinRequest { protocol_type: "connect".into(), ..ask() }, ErrorCode::InconsistentGroupProtocol);
    refused(JoinRequest { protocols: Vec::new(), ..ask() }, ErrorCode::InconsistentGroupProtocol);
    let garbage = vec![("range".into(), Bytes::from_static(b"x"))];
    refused(JoinRequest { protocols: garbage, ..ask() }, ErrorCode::UnknownServerError);
    refused(
        JoinRequest { instance_id: Some("i".into()), member_id: "x".into(), ..ask() },
        ErrorCode::UnknownMemberId,
    );

    assert_eq!(classic_beat(&mut world, "x", 1), ErrorCode::UnknownMemberId);
    assert_eq!(classic_beat(&mut world, "m", 2), ErrorCode::UnknownMemberId, "it speaks the other protocol");
    assert_eq!(classic_beat(&mut world, &old, 7), ErrorCode::IllegalGeneration);
    assert_eq!(sync(&mut world, &old, 7, &[]).0.error, ErrorCode::IllegalGeneration);
    assert_eq!(sync(&mut world, &old, 1, &[]).0.error, ErrorCode::RebalanceInProgress);
    assert_eq!(sync(&mut world, "x", 1, &[]).0.error, ErrorCode::UnknownMemberId);

    (world.settings.upgrade_allowed, world.settings.downgrade_allowed) = (false, false);
    let (_, outcome) = world.send(Request::Join(ask()));
    assert_eq!(joined(&outcome).error, ErrorCode::InconsistentGroupProtocol);
    (world.settings.upgrade_allowed, world.settings.downgrade_allowed) = (true, true);
    world.settings.consumer_members_max = 2;
    let (_, outcome) = world.send(Request::Join(ask()));
    assert_eq!(joined(&outcome).error, ErrorCode::GroupMaxSizeReached);
}

#[test]
fn a_classic_member_gives_back_step_by_step() {
    let (mut world, old) = mixed();
    // A cooperative client still has both.
    let (_, outcome) = world.send(Request::Join(classic_join(&old, &["a"], &[("a", &[0, 1])])));
    assert_eq!(joined(&outcome).generation, 1);
    let written: Vec<String> = outcome.records.iter().map(show).collect();
    assert!(written.iter().any(|record| record.contains("unrevoked")), "{written:?}");
    let (reply, _) = sync(&mut world, &old, 1, &[]);
    let kept = given(&reply)[0].1.clone();
    assert_eq!(kept.len(), 1);
    assert_eq!(world.beat(beat("m", 2)).0.expect("known").assignment, None, "not given back yet");
    assert_eq!(classic_beat(&mut world, &old, 1), ErrorCode::RebalanceInProgress);
    let (_, outcome) = world.send(Request::Join(classic_join(&old, &["a"], &[("a", &kept)])));
    assert_eq!(joined(&outcome).generation, 2);
    assert_eq!(given(&sync(&mut world, &old, 2, &[]).0)[0].1, kept);
    assert!(world.beat(beat("m", 2)).0.expect("known").assignment.is_some());
    assert_eq!(world.state(), "Stable");
}

#[test]
fn a_classic_member_waits_for_others() {
    let (mut world, old) = balanced();
    // Another classic member comes and finds everything taken.
    let (_, outcome) = world.send(Request::Join(classic_join("", &["a"], &[])));
    let new = joined(&outcome).member_id.clone();
    assert_eq!(joined(&outcome).generation, 3);
    assert_eq!(given(&sync(&mut world, &new, 3, &[]).0), []);
    assert_eq!(classic_beat(&mut world, &new, 3), ErrorCode::None, "nothing is free yet");
    // One of three has nothing: who leaves makes room.
    world.beat(beat("m", -1)).0.expect("left");
    assert_eq!(world.state(), "classic", "no consumer member is left");
    assert_eq!(classic_beat(&mut world, &old, 3), ErrorCode::RebalanceInProgress);
}

#[test]
fn who_is_told_to_rejoin_must() {
    let (mut world, old) = mixed();
    assert_eq!(classic_beat(&mut world, &old, 1), ErrorCode::RebalanceInProgress);
    for _ in 0..2 {
        world.pass(9_999);
        world.beat(beat("m", 2)).0.expect("lives");
        classic_beat(&mut world, &old, 1);
    }
    assert_eq!(world.group().members.len(), 2);
    world.pass(2);
    assert_eq!(world.group().members.len(), 1, "its rebalance timeout is over");
}

#[test]
fn who_joins_must_sync() {
    let (mut world, old) = mixed();
    world.send(Request::Join(classic_join(&old, &["a"], &[])));
    for _ in 0..2 {
        world.pass(9_999);
        world.beat(beat("m", 2)).0.expect("lives");
        classic_beat(&mut world, &old, 2);
    }
    world.pass(2);
    assert_eq!(world.group().members.len(), 1);
}

#[test]
fn members_leave_by_the_classic_request() {
    let (mut world, old) = balanced();
    let leaving = |id: &str| LeavingMember { member_id: id.into(), instance_id: None, reason: None };
    let members = vec![
        leaving("x"),
        leaving(&old),
        leaving("m"),
        LeavingMember { instance_id: Some("i".into()), ..leaving("") },
    ];
    let (_, outcome) = world.send(Request::Leave(LeaveRequest { group_id: GROUP.into(), members }));
    let [(_, Reply::Leave(reply))] = &outcome.replies[..] else { panic!("{outcome:?}") };
    let codes: Vec<ErrorCode> = reply.members.iter().map(|(_, code)| *code).collect();
    let unknown = ErrorCode::UnknownMemberId;
    assert_eq!(codes, [unknown, ErrorCode::None, ErrorCode::None, unknown]);
    assert_eq!(outcome.records.iter().filter(|record| show(record).starts_with("epoch")).count(), 1);
    assert_eq!(world.state(), "Empty");
    // Nobody who is there: nothing happens.
    let members = vec![leaving("x")];
    let (_, outcome) = world.send(Request::Leave(LeaveRequest { group_id: GROUP.into(), members }));
    assert_eq!(outcome.records, []);
}

#[test]
fn a_static_member_changes_its_protocol_both_ways() {
    let (mut world, _) = classic();
    let instance_of = |request: JoinRequest| JoinRequest { instance_id: Some("i".into()), ..request };
    let consumer =
        |request| crate::group::ConsumerHeartbeatRequest { instance_id: Some("i".into()), ..request };
    // A consumer member joins as `i`; the group is upgraded.
    world.beat(consumer(join("m", &["a"]))).0.expect("joined");
    let epoch = world.group().epoch;
    // It comes back with the classic protocol: all are classic then.
    let (_, outcome) = world.send(Request::Join(instance_of(classic_join("", &["a"], &[]))));
    let reply = outcome.replies.iter().find_map(|(_, reply)| match reply {
        Reply::Join(reply) => Some(reply),
        _ => None,
    });
    let id = reply.expect("answered").member_id.clone();
    assert_eq!(world.state(), "classic");
    assert_eq!(outcome.records.iter().map(show).next_back(), Some(format!("classic {epoch} of 2")));
    // And back: a consumer member takes a classic one's place without asking.
    let refusal = world.beat(consumer(beat(&id, epoch))).0.expect_err("classic");
    assert_eq!(refusal.code, ErrorCode::GroupIdNotFound);
    let (reply, written) = world.beat(consumer(join("n", &["a"])));
    reply.expect("joined");
    assert!(written.contains(&format!("-member {id}")), "{written:?}");
    assert_eq!(world.group().instances["i"].as_ref(), "n");
}
