//! The state table of docs/GROUPS.md, cell by cell: what is written, what is answered, where the group is then.

use super::world::{World, assignment, beat, join, owning, show};
use crate::group::ConsumerHeartbeatRequest;
use crate::group::record::{CurrentAssignmentValue, MemberKey, Record};
use bytes::Bytes;
use model::ErrorCode;

/// Sends a heartbeat and checks the records, the epoch that is answered, the assignment that comes along, and the state.
fn check(
    world: &mut World,
    request: ConsumerHeartbeatRequest,
    records: &[&str],
    epoch: i32,
    given: &str,
    state: &str,
) {
    let what = format!("{} at {}", request.member_id, request.member_epoch);
    let (reply, written) = world.beat(request);
    let reply = reply.unwrap_or_else(|refusal| panic!("{what}: {refusal}"));
    assert_eq!(written, records, "{what}");
    let shown = reply.assignment.as_ref().map_or("none".to_owned(), super::world::show_assignment);
    assert_eq!((reply.member_epoch, shown.as_str(), world.state()), (epoch, given, state), "{what}");
}

fn instance(id: &str, request: ConsumerHeartbeatRequest) -> ConsumerHeartbeatRequest {
    ConsumerHeartbeatRequest { instance_id: Some(id.into()), ..request }
}

/// `m` has all four partitions of topic `a`.
fn stable() -> World {
    let mut world = World::with_topics(&[4]);
    let records =
        ["member m", "epoch 1", "target m 1:0,1,2,3", "targets 1", "current m 1(0) stable 1:0,1,2,3 / -"];
    check(&mut world, join("m", &["a"]), &records, 1, "1:0,1,2,3", "Stable");
    world
}

/// `n` has joined and waits for what `m` still has.
fn reconciling() -> World {
    let mut world = stable();
    let records = [
        "member n",
        "epoch 2",
        "target m 1:0,1",
        "target n 1:2,3",
        "targets 2",
        "current n 2(0) unreleased - / -",
    ];
    check(&mut world, join("n", &["a"]), &records, 2, "-", "Reconciling");
    world
}

#[test]
fn a_partition_changes_hands_in_three_moves() {
    let mut world = reconciling();
    check(&mut world, beat("n", 2), &["current n 2(2) unreleased - / -"], 2, "none", "Reconciling");
    check(&mut world, beat("n", 2), &[], 2, "none", "Reconciling");
    check(&mut world, beat("m", 1), &["current m 1(1) unrevoked 1:0,1 / 1:2,3"], 1, "1:0,1", "Reconciling");
    // It has not given them back as long as it does not say so.
    check(&mut world, beat("m", 1), &[], 1, "none", "Reconciling");
    check(&mut world, owning("m", 1, "1:0,1,3"), &[], 1, "none", "Reconciling");
    check(&mut world, beat("n", 2), &[], 2, "none", "Reconciling");
    check(
        &mut world,
        owning("m", 1, "1:0,1"),
        &["current m 2(1) stable 1:0,1 / -"],
        2,
        "none",
        "Reconciling",
    );
    check(&mut world, beat("n", 2), &["current n 2(2) stable 1:2,3 / -"], 2, "1:2,3", "Stable");
    // A full request is answered in full.
    let full =
        ConsumerHeartbeatRequest { member_epoch: 2, owned: Some(assignment("1:2,3")), ..join("n", &["a"]) };
    check(&mut world, full, &[], 2, "1:2,3", "Stable");
}

#[test]
fn a_member_that_shows_what_it_gave_back_moves_at_once() {
    let mut world = reconciling();
    check(
        &mut world,
        owning("m", 1, "1:0,1"),
        &["current m 2(1) stable 1:0,1 / -"],
        2,
        "1:0,1",
        "Reconciling",
    );
    // Its answer was lost: it comes with the epoch before and what it may have.
    check(&mut world, owning("m", 1, "1:0"), &[], 2, "none", "Reconciling");
    let refusal = world.beat(owning("m", 1, "1:0,3")).0.expect_err("it owns too much");
    assert_eq!(refusal.code, ErrorCode::FencedMemberEpoch);
}

#[test]
fn while_one_revokes_the_group_goes_on() {
    let mut world = reconciling();
    world.beat(beat("m", 1)).0.expect("told to revoke");
    let records = [
        "member o",
        "epoch 3",
        "target n 1:2",
        "target o 1:3",
        "targets 3",
        "current o 3(0) unreleased - / -",
    ];
    check(&mut world, join("o", &["a"]), &records, 3, "-", "Reconciling");
    // It skips the epoch in which it revoked.
    check(
        &mut world,
        owning("m", 1, "1:0,1"),
        &["current m 3(1) stable 1:0,1 / -"],
        3,
        "none",
        "Reconciling",
    );
    check(&mut world, beat("n", 2), &["current n 3(2) stable 1:2 / -"], 3, "1:2", "Reconciling");
    check(&mut world, beat("o", 3), &["current o 3(3) stable 1:3 / -"], 3, "1:3", "Stable");
}

#[test]
fn leaving() {
    let mut world = reconciling();
    let gone = |id: &str| [format!("-current {id}"), format!("-target {id}"), format!("-member {id}")];
    let with = |id: &str, more: &str| {
        let mut records = gone(id).to_vec();
        records.push(more.to_owned());
        records
    };
    let (reply, written) = world.beat(beat("m", -1));
    let reply = reply.expect("left");
    assert_eq!((reply.member_id.as_str(), reply.member_epoch, reply.heartbeat_interval_ms), ("m", -1, 0));
    assert_eq!((written, world.state()), (with("m", "epoch 3"), "Assigning"));
    let records = ["target n 1:0,1,2,3", "targets 3", "current n 3(2) stable 1:0,1,2,3 / -"];
    check(&mut world, beat("n", 2), &records, 3, "1:0,1,2,3", "Stable");
    let (_, written) = world.beat(beat("n", -1));
    assert_eq!((written, world.state()), (with("n", "epoch 4"), "Empty"));
    // An empty group goes on from where it was.
    let records =
        ["member m", "epoch 5", "target m 1:0,1,2,3", "targets 5", "current m 5(0) stable 1:0,1,2,3 / -"];
    check(&mut world, join("m", &["a"]), &records, 5, "1:0,1,2,3", "Stable");
}

#[test]
fn assigning() {
    let mut world = reconciling();
    world.beat(beat("n", -1)).0.expect("left");
    assert_eq!(world.state(), "Assigning");
    // A newcomer brings a new epoch, and the targets are of that one.
    let (reply, written) = world.beat(join("o", &["a"]));
    reply.expect("joined");
    assert_eq!(written[..3], ["member o", "epoch 4", "target o 1:2,3"]);
    assert_eq!(world.state(), "Reconciling");
    // A silent member of a group that must be assigned.
    world.beat(beat("o", -1)).0.expect("left");
    assert_eq!(world.state(), "Assigning");
    let outcome = world.pass(45_000);
    let written: Vec<String> = outcome.records.iter().map(show).collect();
    assert_eq!(written, ["-current m", "-target m", "-member m", "epoch 6"]);
    assert_eq!(world.state(), "Empty");
}

#[test]
fn a_silent_member_is_fenced() {
    let mut world = reconciling();
    world.pass(30_000);
    world.beat(beat("n", 2)).0.expect("lives");
    let outcome = world.pass(15_000);
    let written: Vec<String> = outcome.records.iter().map(show).collect();
    assert_eq!(written, ["-current m", "-target m", "-member m", "epoch 3"]);
    assert_eq!(world.state(), "Assigning");
    let refusal = world.beat(beat("m", 1)).0.expect_err("fenced");
    assert_eq!(refusal.code, ErrorCode::UnknownMemberId);
    assert_eq!(world.pass(29_999).records, []);
    assert_eq!(world.pass(1).records.len(), 4);
    assert_eq!(world.pass(1_000_000).records, []);
}

#[test]
fn who_does_not_give_back_in_time_is_fenced() {
    let mut world = reconciling();
    world.beat(beat("m", 1)).0.expect("told to revoke");
    world.pass(4_999);
    world.beat(beat("m", 1)).0.expect("alive, but it still has them");
    assert_eq!(world.state(), "Reconciling");
    let written: Vec<String> = world.pass(1).records.iter().map(show).collect();
    assert_eq!(written, ["-current m", "-target m", "-member m", "epoch 3"]);
    // Who gives back in time is not.
    let mut world = reconciling();
    world.beat(beat("m", 1)).0.expect("told to revoke");
    world.beat(owning("m", 1, "1:0,1")).0.expect("gave back");
    assert_eq!(world.pass(40_000).records, []);
}

#[test]
fn a_fence_that_cannot_be_written_is_tried_again() {
    let mut world = stable();
    world.fail_next_write = true;
    assert_eq!(world.pass(45_000).records, []);
    assert_eq!(world.state(), "Stable");
    assert_eq!(world.pass(499).records, []);
    assert_eq!(world.pass(1).records.len(), 4);
    assert_eq!(world.state(), "Empty");
}

#[test]
fn a_join_that_cannot_be_written_leaves_nothing() {
    let mut world = World::with_topics(&[4]);
    world.fail_next_write = true;
    let refusal = world.beat(join("m", &["a"])).0.expect_err("not written");
    assert_eq!(refusal.code, ErrorCode::CoordinatorNotAvailable);
    assert_eq!((world.state(), world.shard.next_deadline_ms()), ("none", None));
    let mut world = stable();
    world.fail_next_write = true;
    world.cluster.set("a", 6);
    world.beat(beat("m", 1)).0.expect_err("not written");
    let records =
        ["epoch 2", "target m 1:0,1,2,3,4,5", "targets 2", "current m 2(1) stable 1:0,1,2,3,4,5 / -"];
    check(&mut world, beat("m", 1), &records, 2, "1:0,1,2,3,4,5", "Stable");
}

#[test]
fn a_deadline_begins_when_its_record_is_written() {
    let mut world = reconciling();
    world.fail_next_write = true;
    world.beat(beat("m", 1)).0.expect_err("not told to revoke");
    assert_eq!(world.pass(6_000).records, []);
    world.beat(beat("m", 1)).0.expect("told to revoke");
    assert_eq!(world.pass(5_000).records.len(), 4);
}

#[test]
fn an_old_owner_releases_nothing_of_the_next() {
    let mut world = stable();
    let Some(Record::CurrentAssignment(key, Some(value))) = world.log.last().cloned() else {
        panic!("it ends so")
    };
    let topic = *value.assigned.keys().next().expect("a topic");
    let mut replay = |member_id: &str, member_epoch, assigned| {
        let key = MemberKey { member_id: member_id.into(), ..key.clone() };
        let value = CurrentAssignmentValue { member_epoch, assigned: assignment(assigned), ..value.clone() };
        world.shard.replay(Record::CurrentAssignment(key, Some(value)), None);
        world.group().is_owned(topic, 0)
    };
    assert!(replay("n", 2, "1:0"));
    assert!(replay("m", 2, "1:1"), "`n` has it");
    assert!(!replay("n", 3, "1:2"));
}

#[test]
fn a_static_member_goes_and_comes_back() {
    let mut world = World::with_topics(&[4]);
    world.beat(instance("i", join("m", &["a"]))).0.expect("joined");
    let records = ["current m -2(0) stable 1:0,1,2,3 / -"];
    check(&mut world, instance("i", beat("m", -2)), &records, -2, "none", "Reconciling");
    world.pass(44_000);
    let records = [
        "-current m",
        "-target m",
        "-member m",
        "member n",
        "target n 1:0,1,2,3",
        "current n 0(0) stable 1:0,1,2,3 / -",
        "current n 1(0) stable 1:0,1,2,3 / -",
    ];
    check(&mut world, instance("i", join("n", &["a"])), &records, 1, "1:0,1,2,3", "Stable");
    world.pass(44_000);
    assert_eq!(world.state(), "Stable", "its session is its own");
    let refusal = world.beat(instance("i", beat("m", 1))).0.expect_err("fenced");
    let message = "Static member m with instance id i was fenced by member n.";
    assert_eq!((refusal.code, refusal.message.as_deref()), (ErrorCode::FencedInstanceId, Some(message)));
    let refusal = world.beat(instance("i", join("o", &["a"]))).0.expect_err("n has not left");
    let message = "Static member o with instance id i cannot join the group because the instance id is owned by n member.";
    assert_eq!((refusal.code, refusal.message.as_deref()), (ErrorCode::UnreleasedInstanceId, Some(message)));
    // Gone for longer than its session it is out.
    world.beat(instance("i", beat("n", -2))).0.expect("left for a while");
    world.pass(45_000);
    assert_eq!(world.state(), "Empty");
}

#[test]
fn a_static_member_that_comes_back_with_other_topics() {
    let mut world = World::with_topics(&[2, 2]);
    world.beat(instance("i", join("m", &["a"]))).0.expect("joined");
    world.beat(instance("i", beat("m", -2))).0.expect("left for a while");
    let (reply, written) = world.beat(instance("i", join("n", &["b"])));
    assert_eq!(reply.expect("joined").assignment, Some(assignment("2:0,1")));
    assert_eq!(
        written[6..],
        ["member n", "epoch 2", "target n 2:0,1", "targets 2", "current n 2(0) stable 2:0,1 / -"]
    );
}

#[test]
fn topics_change() {
    let mut world = stable();
    world.cluster.set("other", 1);
    check(&mut world, beat("m", 1), &[], 1, "none", "Stable");
    world.cluster.set("a", 5);
    let records = ["epoch 2", "target m 1:0,1,2,3,4", "targets 2", "current m 2(1) stable 1:0,1,2,3,4 / -"];
    check(&mut world, beat("m", 1), &records, 2, "1:0,1,2,3,4", "Stable");
    check(&mut world, beat("m", 2), &[], 2, "none", "Stable");
    world.cluster.delete("a");
    let records = ["epoch 3", "target m -", "targets 3", "current m 2(2) unrevoked - / 1:0,1,2,3,4"];
    check(&mut world, beat("m", 2), &records, 2, "-", "Reconciling");
    check(&mut world, owning("m", 2, ""), &["current m 3(2) stable - / -"], 3, "none", "Stable");
    world.cluster.set("a", 1);
    let records = ["epoch 4", "target m 3:0", "targets 4", "current m 4(3) stable 3:0 / -"];
    check(&mut world, beat("m", 3), &records, 4, "3:0", "Stable");
}

#[test]
fn a_member_says_something_else_of_itself() {
    let mut world = stable();
    let rack = ConsumerHeartbeatRequest { rack_id: Some("r".into()), ..beat("m", 1) };
    check(&mut world, rack.clone(), &["member m"], 1, "none", "Stable");
    check(&mut world, rack, &[], 1, "none", "Stable");
    world.cluster.set("b", 1);
    let other =
        ConsumerHeartbeatRequest { subscribed_topics: Some(vec!["b".into(), "a".into()]), ..beat("m", 1) };
    let records = [
        "member m",
        "epoch 2",
        "target m 1:0,1,2,3 2:0",
        "targets 2",
        "current m 2(1) stable 1:0,1,2,3 2:0 / -",
    ];
    check(&mut world, other, &records, 2, "1:0,1,2,3 2:0", "Stable");
}

fn matching(id: &str, epoch: i32, regex: &str) -> ConsumerHeartbeatRequest {
    let full = if epoch == 0 { join(id, &[]) } else { beat(id, epoch) };
    ConsumerHeartbeatRequest { subscribed_topics: None, subscribed_regex: Some(regex.into()), ..full }
}

#[test]
fn regular_expressions() {
    let mut world = World::with_topics(&[1, 1, 1]);
    let records = [
        "member m",
        "epoch 1",
        "target m -",
        "targets 1",
        "current m 1(0) stable - / -",
        "regex a|b a,b",
        "epoch 2",
    ];
    check(&mut world, matching("m", 0, "a|b"), &records, 1, "-", "Assigning");
    let records = ["target m 1:0 2:0", "targets 2", "current m 2(1) stable 1:0 2:0 / -"];
    check(&mut world, beat("m", 1), &records, 2, "1:0 2:0", "Stable");
    // Who brings a known expression shares its topics at once.
    let (reply, written) = world.beat(matching("n", 0, "a|b"));
    assert_eq!(reply.expect("joined").member_epoch, 3);
    assert_eq!(written[..2], ["member n", "epoch 3"]);
    // A new topic is seen, though not more than once in ten seconds.
    world.cluster.set("d", 1);
    world.beat(beat("n", 3)).0.expect("known");
    world.pass(10_001);
    let (_, written) = world.beat(beat("n", 3));
    assert_eq!(written, ["regex a|b a,b"], "the same topics: no new epoch");
    let (_, written) = world.beat(matching("m", 2, "a|c"));
    assert_eq!(written, ["member m", "current m 2(2) unrevoked 1:0 / 2:0"]);
    check(&mut world, owning("m", 2, "1:0"), &["current m 3(2) stable 1:0 / -"], 3, "none", "Reconciling");
    world.pass(10_001);
    let (_, written) = world.beat(beat("n", 3));
    assert_eq!(written.last().map(String::as_str), Some("epoch 4"), "{written:?}");
    assert!(written.contains(&"regex a|c a,c".to_owned()), "{written:?}");
    // The last one that used it takes an expression along.
    let (_, written) = world.beat(beat("n", -1));
    assert_eq!(written, ["-current n", "-target n", "-member n", "-regex a|b", "epoch 5"]);
    // After ten minutes they are looked at again in any case.
    let mut epoch = 3;
    for _ in 0..21 {
        world.pass(30_000);
        let request = owning("m", epoch, "1:0");
        if let Ok(reply) = world.beat(request).0 {
            epoch = reply.member_epoch;
        }
    }
    let looks = world.log.iter().filter(|record| show(record) == "regex a|c a,c").count();
    assert_eq!(looks, 2);
    // No expression any more.
    let (_, written) =
        world.beat(ConsumerHeartbeatRequest { subscribed_regex: Some(String::new()), ..beat("m", epoch) });
    assert_eq!(written[..3], ["member m", "-regex a|c", "epoch 6"]);
}

#[test]
fn a_restart_forgets_nothing_and_gives_everybody_a_session() {
    let mut world = reconciling();
    world.beat(beat("m", 1)).0.expect("told to revoke");
    world.pass(4_000);
    world.restart();
    assert_eq!(world.pass(4_999).records, []);
    check(
        &mut world,
        owning("m", 1, "1:0,1"),
        &["current m 2(1) stable 1:0,1 / -"],
        2,
        "none",
        "Reconciling",
    );
    check(&mut world, beat("n", 2), &["current n 2(2) stable 1:2,3 / -"], 2, "1:2,3", "Stable");
    world.restart();
    world.pass(44_999);
    assert_eq!(world.state(), "Stable");
    world.pass(1);
    assert_eq!(world.state(), "Empty");
}

#[test]
fn a_record_of_before_the_hash_is_removed() {
    let mut world = stable();
    world.log.push(Record::PartitionMetadata("g".into(), Some(Bytes::new())));
    world.restart();
    let (_, written) = world.beat(beat("m", 1));
    assert_eq!(written, ["-metadata"]);
    assert_eq!(world.beat(beat("m", 1)).1, [""; 0]);
}

#[test]
fn a_state_of_a_newer_broker_makes_the_member_start_again() {
    let mut world = stable();
    let Some(Record::CurrentAssignment(key, Some(mut value))) = world.log.last().cloned() else {
        panic!("it ends so")
    };
    value.state = 3;
    world.log.push(Record::CurrentAssignment(key, Some(value)));
    world.restart();
    let refusal = world.beat(beat("m", 1)).0.expect_err("fenced");
    assert_eq!(refusal.code, ErrorCode::FencedMemberEpoch);
    check(&mut world, owning("m", 1, ""), &["current m 1(1) stable 1:0,1,2,3 / -"], 1, "none", "Stable");
}

#[test]
fn describing() {
    let mut world = reconciling();
    world.beat(beat("m", 1)).0.expect("told to revoke");
    let described = world.shard.describe_consumer_group("g", &world.cluster, &world.settings).expect("there");
    assert_eq!((described.state, described.epoch, described.assignment_epoch), ("Reconciling", 2, 2));
    let member = &described.members[0];
    assert_eq!((member.member_id.as_str(), member.member_epoch, member.classic), ("m", 1, false));
    assert_eq!((member.client_id.as_str(), member.client_host.as_str()), ("client", "/127.0.0.1"));
    assert_eq!(member.subscribed_topics, ["a"]);
    let [assigned] = &member.assigned[..] else { panic!("{member:?}") };
    assert_eq!((assigned.topic.as_str(), assigned.partitions.as_slice()), ("a", &[0, 1][..]));
    assert_eq!(described.members[1].target[0].partitions, [2, 3]);
    let refusal =
        world.shard.describe_consumer_group("x", &world.cluster, &world.settings).expect_err("none");
    assert_eq!(
        (refusal.code, refusal.message.as_deref()),
        (ErrorCode::GroupIdNotFound, Some("Group x not found."))
    );
}
