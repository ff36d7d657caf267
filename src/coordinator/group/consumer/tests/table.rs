//! One script for every cell of the consumer protocol's state table in `docs/GROUPS.md`, row by row: what is answered, where the
//! group is then, and what is written.
//!
//! Members `m` and `n` read topic `a` of four partitions. Stable: two each, in epoch 2. Reconciling: `n` has just joined, `m` has
//! all four still. Assigning: `n` has joined and left, and `m` has not been heard since.

use super::migration::{balanced, classic, classic_join, mixed};
use super::world::{GROUP, World, beat, join, owning, show, show_assignment};
use crate::group::consumer::embedded::Given;
use crate::group::consumer::member::Member;
use crate::group::{
    ConsumerHeartbeatRequest, HeartbeatRequest, JoinRequest, LeaveRequest, LeavingMember, Reply, Request,
    SyncRequest,
};
use model::ErrorCode;
use uuid::Uuid;

const STATES: [&str; 5] = ["none", "Empty", "Assigning", "Reconciling", "Stable"];

/// A group in each of the states; `instance` is that of `m`.
fn groups(instance: Option<&str>) -> [World; 5] {
    let of = |request: ConsumerHeartbeatRequest| ConsumerHeartbeatRequest {
        instance_id: instance.map(str::to_owned),
        ..request
    };
    let started = || {
        let mut world = World::with_topics(&[4]);
        world.settings.initial_rebalance_delay_ms = 0;
        world
    };
    let mut empty = started();
    empty.beat(of(join("m", &["a"]))).0.expect("joined");
    empty.beat(of(beat("m", -1))).0.expect("left");
    let reconciling = || {
        let mut world = started();
        world.beat(of(join("m", &["a"]))).0.expect("joined");
        world.beat(join("n", &["a"])).0.expect("joined");
        world
    };
    let mut assigning = reconciling();
    assigning.beat(beat("n", -1)).0.expect("left");
    let mut stable = reconciling();
    stable.beat(of(owning("m", 1, "1:0,1"))).0.expect("gave back");
    stable.beat(beat("n", 2)).0.expect("got it");
    let worlds = [started(), empty, assigning, reconciling(), stable];
    for (world, state) in worlds.iter().zip(STATES) {
        assert_eq!(world.state(), state);
    }
    worlds
}

/// What comes of a heartbeat: epoch and assignment, or the refusal; the state; the records.
fn comes_of(world: &mut World, request: ConsumerHeartbeatRequest) -> String {
    let (reply, records) = world.beat(request);
    let answer = match reply {
        Err(refusal) => format!("{:?}", refusal.code),
        Ok(reply) => {
            let given = reply
                .assignment
                .as_ref()
                .map_or(String::new(), |given| format!(" [{}]", show_assignment(given)));
            format!("{}{given}", reply.member_epoch)
        }
    };
    format!("{answer}; {}; {}", world.state(), records.join(", "))
}

/// What comes of anything else.
fn follows(world: &mut World, request: Request) -> String {
    let (_, outcome) = world.send(request);
    let answers: Vec<String> = outcome.replies.iter().map(|(_, reply)| answer(reply)).collect();
    let records: Vec<String> = outcome.records.iter().map(show).collect();
    format!("{}; {}; {}", answers.join(", "), world.state(), records.join(", "))
}

fn answer(reply: &Reply) -> String {
    match reply {
        Reply::Join(reply) if reply.error == ErrorCode::None => format!("joined {}", reply.generation),
        Reply::Join(reply) => format!("{:?}", reply.error),
        Reply::Sync(reply) if reply.error == ErrorCode::None => {
            let given = Given::decode(&reply.assignment).expect("well formed");
            format!("synced {:?}", given.partitions)
        }
        Reply::Sync(reply) => format!("{:?}", reply.error),
        Reply::Heartbeat(code) | Reply::DeleteGroup(code) => format!("{code:?}"),
        other => format!("{other:?}"),
    }
}

/// What time brings: the state, the records.
fn passes(world: &mut World, ms: i64) -> String {
    let records: Vec<String> = world.pass(ms).records.iter().map(show).collect();
    format!("{}; {}", world.state(), records.join(", "))
}

/// A row of the table: `act` in each state.
fn row(mut worlds: [World; 5], act: impl Fn(&mut World) -> String, meant: [&str; 5]) {
    let found: Vec<String> = worlds.iter_mut().map(act).collect();
    assert_eq!(found, meant, "in {STATES:?}");
}

fn instance(request: ConsumerHeartbeatRequest) -> ConsumerHeartbeatRequest {
    ConsumerHeartbeatRequest { instance_id: Some("i".into()), ..request }
}

fn other_topics(request: ConsumerHeartbeatRequest) -> ConsumerHeartbeatRequest {
    ConsumerHeartbeatRequest { subscribed_topics: Some(vec!["b".into()]), ..request }
}

/// The epoch that `m` is at, where there is one.
fn epoch(world: &World) -> i32 {
    if matches!(world.state(), "none" | "classic") {
        return 1;
    }
    world.group().member("m").map_or(1, Member::epoch)
}

#[test]
fn a_member_joins() {
    row(
        groups(None),
        |world| comes_of(world, join("o", &["a"])),
        [
            "1 [1:0,1,2,3]; Stable; member o, epoch 1, target o 1:0,1,2,3, targets 1, current o 1(0) stable 1:0,1,2,3 / -",
            "3 [1:0,1,2,3]; Stable; member o, epoch 3, target o 1:0,1,2,3, targets 3, current o 3(0) stable 1:0,1,2,3 / -",
            "4 [-]; Reconciling; member o, epoch 4, target o 1:2,3, targets 4, current o 4(0) unreleased - / -",
            "3 [-]; Reconciling; member o, epoch 3, target n 1:2, target o 1:3, targets 3, current o 3(0) unreleased - / -",
            "3 [-]; Reconciling; member o, epoch 3, target n 1:2, target o 1:3, targets 3, current o 3(0) unreleased - / -",
        ],
    );
}

#[test]
fn a_static_member_joins_whose_instance_has_left() {
    let back = |world: &mut World| {
        if !matches!(world.state(), "none" | "Empty") {
            world.beat(instance(beat("m", -2))).0.expect("left for a while");
        }
        comes_of(world, instance(join("o", &["a"])))
    };
    row(
        groups(Some("i")),
        back,
        [
            "1 [1:0,1,2,3]; Stable; member o, epoch 1, target o 1:0,1,2,3, targets 1, current o 1(0) stable 1:0,1,2,3 / -",
            "3 [1:0,1,2,3]; Stable; member o, epoch 3, target o 1:0,1,2,3, targets 3, current o 3(0) stable 1:0,1,2,3 / -",
            "3 [1:0,1,2,3]; Stable; -current m, -target m, -member m, member o, target o 1:0,1, current o 0(0) stable 1:0,1,2,3 / -, target o 1:0,1,2,3, targets 3, current o 3(0) stable 1:0,1,2,3 / -",
            "2 [1:0,1]; Reconciling; -current m, -target m, -member m, member o, target o 1:0,1, current o 0(0) stable 1:0,1,2,3 / -, current o 2(0) stable 1:0,1 / -",
            "2 [1:0,1]; Stable; -current m, -target m, -member m, member o, target o 1:0,1, current o 0(0) stable 1:0,1 / -, current o 2(0) stable 1:0,1 / -",
        ],
    );
}

#[test]
fn a_static_member_comes_back_and_wants_other_topics() {
    let back = |world: &mut World| {
        world.cluster.set("b", 1);
        if !matches!(world.state(), "none" | "Empty") {
            world.beat(instance(beat("m", -2))).0.expect("left for a while");
        }
        comes_of(world, instance(join("o", &["b"])))
    };
    row(
        groups(Some("i")),
        back,
        [
            "1 [2:0]; Stable; member o, epoch 1, target o 2:0, targets 1, current o 1(0) stable 2:0 / -",
            "3 [2:0]; Stable; member o, epoch 3, target o 2:0, targets 3, current o 3(0) stable 2:0 / -",
            "4 [2:0]; Stable; -current m, -target m, -member m, member o, target o 1:0,1, current o 0(0) stable 1:0,1,2,3 / -, member o, epoch 4, target o 2:0, targets 4, current o 4(0) stable 2:0 / -",
            "3 [2:0]; Reconciling; -current m, -target m, -member m, member o, target o 1:0,1, current o 0(0) stable 1:0,1,2,3 / -, member o, epoch 3, target n 1:0,1,2,3, target o 2:0, targets 3, current o 3(0) stable 2:0 / -",
            "3 [2:0]; Reconciling; -current m, -target m, -member m, member o, target o 1:0,1, current o 0(0) stable 1:0,1 / -, member o, epoch 3, target n 1:0,1,2,3, target o 2:0, targets 3, current o 3(0) stable 2:0 / -",
        ],
    );
}

#[test]
fn a_static_member_joins_whose_instance_is_here() {
    row(
        groups(Some("i")),
        |world| comes_of(world, instance(join("o", &["a"]))),
        [
            "1 [1:0,1,2,3]; Stable; member o, epoch 1, target o 1:0,1,2,3, targets 1, current o 1(0) stable 1:0,1,2,3 / -",
            "3 [1:0,1,2,3]; Stable; member o, epoch 3, target o 1:0,1,2,3, targets 3, current o 3(0) stable 1:0,1,2,3 / -",
            "UnreleasedInstanceId; Assigning; ",
            "UnreleasedInstanceId; Reconciling; ",
            "UnreleasedInstanceId; Stable; ",
        ],
    );
}

#[test]
fn a_heartbeat_at_its_epoch() {
    row(
        groups(None),
        |world| comes_of(world, beat("m", epoch(world))),
        [
            "GroupIdNotFound; none; ",
            "UnknownMemberId; Empty; ",
            "3; Stable; target m 1:0,1,2,3, targets 3, current m 3(1) stable 1:0,1,2,3 / -",
            "1 [1:0,1]; Reconciling; current m 1(1) unrevoked 1:0,1 / 1:2,3",
            "2; Stable; ",
        ],
    );
}

#[test]
fn a_heartbeat_one_epoch_behind_with_no_more_than_it_may_own() {
    let behind = |world: &mut World| {
        let before = if matches!(world.state(), "none" | "Empty") { 1 } else { epoch(world) };
        if world.state() != "none" && before > 0 && !world.group().is_empty() {
            // Its answer is lost: a step that it does not know of.
            world.beat(owning("m", before, "1:0,1")).0.expect("it moves on");
        }
        comes_of(world, owning("m", before, "1:0"))
    };
    row(
        groups(None),
        behind,
        [
            "GroupIdNotFound; none; ",
            "UnknownMemberId; Empty; ",
            "3; Stable; ",
            "2; Reconciling; ",
            "2; Stable; ",
        ],
    );
}

#[test]
fn a_heartbeat_ahead() {
    row(
        groups(None),
        |world| comes_of(world, beat("m", epoch(world) + 1)),
        [
            "GroupIdNotFound; none; ",
            "UnknownMemberId; Empty; ",
            "FencedMemberEpoch; Assigning; ",
            "FencedMemberEpoch; Reconciling; ",
            "FencedMemberEpoch; Stable; ",
        ],
    );
}

#[test]
fn a_heartbeat_behind_of_one_that_owns_too_much() {
    let [none, empty, .., stable] = groups(None);
    let [.., mut reconciling] = groups(None);
    reconciling.beat(join("o", &["a"])).0.expect("joined");
    let [.., mut assigning] = groups(None);
    assigning.beat(join("o", &["a"])).0.expect("joined");
    assigning.beat(beat("o", -1)).0.expect("left");
    row(
        [none, empty, assigning, reconciling, stable],
        |world| comes_of(world, owning("m", 1, "1:0,1,2,3")),
        [
            "GroupIdNotFound; none; ",
            "UnknownMemberId; Empty; ",
            "FencedMemberEpoch; Assigning; ",
            "FencedMemberEpoch; Reconciling; ",
            "FencedMemberEpoch; Stable; ",
        ],
    );
}

#[test]
fn a_member_wants_other_topics() {
    let wants = |world: &mut World| {
        world.cluster.set("b", 1);
        comes_of(world, other_topics(beat("m", epoch(world))))
    };
    row(
        groups(None),
        wants,
        [
            "GroupIdNotFound; none; ",
            "UnknownMemberId; Empty; ",
            "1 [-]; Reconciling; member m, epoch 4, target m 2:0, targets 4, current m 1(1) unrevoked - / 1:0,1,2,3",
            "1 [-]; Reconciling; member m, epoch 3, target m 2:0, target n 1:0,1,2,3, targets 3, current m 1(1) unrevoked - / 1:0,1,2,3",
            "2 [-]; Reconciling; member m, epoch 3, target m 2:0, target n 1:0,1,2,3, targets 3, current m 2(2) unrevoked - / 1:0,1",
        ],
    );
}

#[test]
fn a_topic_changed() {
    let changed = |world: &mut World| {
        world.cluster.set("a", 6);
        comes_of(world, beat("m", epoch(world)))
    };
    row(
        groups(None),
        changed,
        [
            "GroupIdNotFound; none; ",
            "UnknownMemberId; Empty; ",
            "4 [1:0,1,2,3,4,5]; Stable; epoch 4, target m 1:0,1,2,3,4,5, targets 4, current m 4(1) stable 1:0,1,2,3,4,5 / -",
            "1 [1:0,1]; Reconciling; epoch 3, target m 1:0,1,4, target n 1:2,3,5, targets 3, current m 1(1) unrevoked 1:0,1 / 1:2,3",
            "3 [1:0,1,4]; Reconciling; epoch 3, target m 1:0,1,4, target n 1:2,3,5, targets 3, current m 3(2) stable 1:0,1,4 / -",
        ],
    );
}

#[test]
fn a_new_regular_expression() {
    let matching = |world: &mut World| {
        let request = beat("m", epoch(world));
        comes_of(world, ConsumerHeartbeatRequest { subscribed_regex: Some("a|b".into()), ..request })
    };
    row(
        groups(None),
        matching,
        [
            "GroupIdNotFound; none; ",
            "UnknownMemberId; Empty; ",
            "3; Assigning; member m, target m 1:0,1,2,3, targets 3, current m 3(1) stable 1:0,1,2,3 / -, regex a|b a, epoch 4",
            "1 [1:0,1]; Assigning; member m, current m 1(1) unrevoked 1:0,1 / 1:2,3, regex a|b a, epoch 3",
            "2; Assigning; member m, regex a|b a, epoch 3",
        ],
    );
}

#[test]
fn a_member_leaves() {
    row(
        groups(None),
        |world| comes_of(world, beat("m", -1)),
        [
            "GroupIdNotFound; none; ",
            "UnknownMemberId; Empty; ",
            "-1; Empty; -current m, -target m, -member m, epoch 4",
            "-1; Assigning; -current m, -target m, -member m, epoch 3",
            "-1; Assigning; -current m, -target m, -member m, epoch 3",
        ],
    );
}

#[test]
fn a_session_ends() {
    let silent = |world: &mut World| {
        assert_eq!(world.pass(20_000).records, []);
        if world.state() == "Reconciling" || world.state() == "Stable" {
            world.beat(beat("n", 2)).0.expect("lives");
        }
        assert_eq!(world.pass(24_999).records, []);
        passes(world, 1)
    };
    row(
        groups(None),
        silent,
        [
            "none; ",
            "Empty; ",
            "Empty; -current m, -target m, -member m, epoch 4",
            "Assigning; -current m, -target m, -member m, epoch 3",
            "Assigning; -current m, -target m, -member m, epoch 3",
        ],
    );
}

#[test]
fn a_static_member_leaves_for_a_while() {
    row(
        groups(Some("i")),
        |world| comes_of(world, instance(beat("m", -2))),
        [
            "GroupIdNotFound; none; ",
            "UnknownMemberId; Empty; ",
            "-2; Assigning; current m -2(0) stable 1:0,1,2,3 / -",
            "-2; Reconciling; current m -2(0) stable 1:0,1,2,3 / -",
            "-2; Reconciling; current m -2(1) stable 1:0,1 / -",
        ],
    );
}

#[test]
fn a_member_does_not_give_back() {
    let keeps = |world: &mut World| {
        let _told = world.beat(beat("m", epoch(world)));
        passes(world, 5_000)
    };
    row(
        groups(None),
        keeps,
        ["none; ", "Empty; ", "Stable; ", "Assigning; -current m, -target m, -member m, epoch 3", "Stable; "],
    );
}

/// Heartbeats that do not list what it owns show nothing, and keep its session alone.
#[test]
fn a_member_that_was_told_to_does_not_give_back() {
    let told = |mut world: World| {
        world.beat(beat("m", 1)).0.expect("told to give back");
        world
    };
    let [.., reconciling, _] = groups(None);
    let [.., before, _] = groups(None);
    let mut assigning = told(before);
    assigning.beat(beat("n", -1)).0.expect("left");
    assert_eq!(assigning.state(), "Assigning");
    let [.., before, _] = groups(None);
    let mut silent = told(before);
    silent.beat(beat("n", -1)).0.expect("left");
    assert_eq!(passes(&mut silent, 4_999), "Assigning; ");
    assert_eq!(passes(&mut silent, 1), "Empty; -current m, -target m, -member m, epoch 4");

    let keeps = |world: &mut World| {
        let mut found = Vec::new();
        for _ in 0..2 {
            found.push(passes(world, 2_000));
            found.push(comes_of(world, beat("m", 1)));
        }
        found.push(passes(world, 1_000));
        found
    };
    assert_eq!(
        keeps(&mut told(reconciling)),
        [
            "Reconciling; ",
            "1; Reconciling; ",
            "Reconciling; ",
            "1; Reconciling; ",
            "Assigning; -current m, -target m, -member m, epoch 3",
        ]
    );
    // Its target is all that it has by now. It does not get that back before it has shown what it gave up.
    assert_eq!(
        keeps(&mut assigning),
        [
            "Assigning; ",
            "1; Reconciling; target m 1:0,1,2,3, targets 3",
            "Reconciling; ",
            "1; Reconciling; ",
            "Empty; -current m, -target m, -member m, epoch 4",
        ]
    );
}

#[test]
fn the_group_is_deleted() {
    let delete = || Request::DeleteGroup { group_id: GROUP.into() };
    row(
        groups(None),
        |world| follows(world, delete()),
        [
            "GroupIdNotFound; none; ",
            "None; none; -targets, -metadata, -epoch",
            "NonEmptyGroup; Assigning; ",
            "NonEmptyGroup; Reconciling; ",
            "NonEmptyGroup; Stable; ",
        ],
    );
}

#[test]
fn a_classic_member_joins() {
    row(
        groups(None),
        |world| follows(world, Request::Join(classic_join("", &["a"], &[]))),
        [
            "joined 1; classic; classic 0 of 0",
            "joined 1; classic; -targets, -metadata, -epoch, classic 0 of 0",
            "joined 4; Reconciling; member AAAAAAAAAAkAAAAAAAAACQ, epoch 4, target AAAAAAAAAAkAAAAAAAAACQ 1:2,3, targets 4, current AAAAAAAAAAkAAAAAAAAACQ 4(0) unreleased - / -",
            "joined 3; Reconciling; member AAAAAAAAAAkAAAAAAAAACQ, epoch 3, target AAAAAAAAAAkAAAAAAAAACQ 1:3, target n 1:2, targets 3, current AAAAAAAAAAkAAAAAAAAACQ 3(0) unreleased - / -",
            "joined 3; Reconciling; member AAAAAAAAAAkAAAAAAAAACQ, epoch 3, target AAAAAAAAAAkAAAAAAAAACQ 1:3, target n 1:2, targets 3, current AAAAAAAAAAkAAAAAAAAACQ 3(0) unreleased - / -",
        ],
    );
}

/// A group of a classic member and `m`, who share topic `a` of two partitions; the classic member's id and generation.
fn groups_of_both() -> [(World, String, i32); 3] {
    let (mut assigning, old) = mixed();
    assigning.beat(join("n", &["a"])).0.expect("joined");
    assigning.beat(beat("n", -1)).0.expect("left");
    let (reconciling, _) = mixed();
    let (stable, _) = balanced();
    let worlds = [(assigning, old.clone(), 1), (reconciling, old.clone(), 1), (stable, old, 2)];
    for ((world, ..), state) in worlds.iter().zip(&STATES[2..]) {
        assert_eq!(world.state(), *state);
    }
    worlds
}

/// A row of the table about a classic member.
fn classic_row(act: impl Fn(&mut World, &str, i32) -> String, meant: [&str; 5]) {
    let [mut none, mut empty, ..] = groups(None);
    let mut found = vec![act(&mut none, "nobody", 1), act(&mut empty, "nobody", 1)];
    for (mut world, old, generation) in groups_of_both() {
        found.push(act(&mut world, &old, generation));
    }
    assert_eq!(found, meant, "in {STATES:?}");
}

#[test]
fn a_classic_members_heartbeat() {
    let beats = |world: &mut World, member_id: &str, generation: i32| {
        let (group_id, member_id) = (GROUP.to_owned(), member_id.to_owned());
        follows(
            world,
            Request::Heartbeat(HeartbeatRequest { group_id, member_id, generation, instance_id: None }),
        )
    };
    classic_row(
        beats,
        [
            "UnknownMemberId; none; ",
            "UnknownMemberId; Empty; ",
            "RebalanceInProgress; Assigning; ",
            "RebalanceInProgress; Reconciling; ",
            "None; Stable; ",
        ],
    );
}

#[test]
fn a_classic_members_sync() {
    let syncs = |world: &mut World, member_id: &str, generation: i32| {
        follows(
            world,
            Request::Sync(SyncRequest {
                group_id: GROUP.into(),
                member_id: member_id.into(),
                generation,
                instance_id: None,
                protocol_type: None,
                protocol_name: None,
                assignments: Vec::new(),
            }),
        )
    };
    classic_row(
        syncs,
        [
            "UnknownMemberId; none; ",
            "UnknownMemberId; Empty; ",
            "RebalanceInProgress; Assigning; ",
            "RebalanceInProgress; Reconciling; ",
            "synced [(\"a\", [0])]; Stable; ",
        ],
    );
}

#[test]
fn the_last_consumer_member_leaves_classic_ones() {
    classic_row(
        |world, _, _| comes_of(world, beat("m", -1)),
        [
            "GroupIdNotFound; none; ",
            "UnknownMemberId; Empty; ",
            "-1; classic; -current m, -current old-00000000-0000-0009-0000-000000000009, -target m, -target old-00000000-0000-0009-0000-000000000009, -targets, -member m, -member old-00000000-0000-0009-0000-000000000009, -metadata, -epoch, classic 4 of 1",
            "-1; classic; -current m, -current old-00000000-0000-0009-0000-000000000009, -target m, -target old-00000000-0000-0009-0000-000000000009, -targets, -member m, -member old-00000000-0000-0009-0000-000000000009, -metadata, -epoch, classic 2 of 1",
            "-1; classic; -current m, -current old-00000000-0000-0009-0000-000000000009, -target m, -target old-00000000-0000-0009-0000-000000000009, -targets, -member m, -member old-00000000-0000-0009-0000-000000000009, -metadata, -epoch, classic 2 of 1",
        ],
    );
}

#[test]
fn a_consumer_member_joins_a_classic_group() {
    // Empty, rebalancing, stable.
    let (stable, old) = classic();
    let (mut empty, _) = classic();
    let members = vec![LeavingMember { member_id: old, instance_id: None, reason: None }];
    empty.send(Request::Leave(LeaveRequest { group_id: GROUP.into(), members }));
    let (mut preparing, _) = classic();
    let second = JoinRequest { fresh_id: Uuid::from_u64_pair(9, 10), ..classic_join("", &["a"], &[]) };
    preparing.send(Request::Join(second));
    let found: Vec<String> = [empty, preparing, stable]
        .map(|mut world| follows(&mut world, Request::ConsumerHeartbeat(join("m", &["a"]))))
        .to_vec();
    assert_eq!(
        found,
        [
            "ConsumerHeartbeat(Ok(ConsumerHeartbeatReply { member_id: \"m\", member_epoch: 1, heartbeat_interval_ms: 5000, assignment: Some({TopicId(00000000-0000-0000-0000-000000000001): [0, 1]}) })); Stable; -classic, member m, epoch 1, target m 1:0,1, targets 1, current m 1(0) stable 1:0,1 / -",
            "RebalanceInProgress, ConsumerHeartbeat(Ok(ConsumerHeartbeatReply { member_id: \"m\", member_epoch: 2, heartbeat_interval_ms: 5000, assignment: Some({}) })); Reconciling; -classic, member old-00000000-0000-0009-0000-000000000009, member old-00000000-0000-0009-0000-00000000000a, epoch 1, target old-00000000-0000-0009-0000-000000000009 1:0,1, target old-00000000-0000-0009-0000-00000000000a -, targets 1, current old-00000000-0000-0009-0000-000000000009 1(1) stable 1:0,1 / -, current old-00000000-0000-0009-0000-00000000000a 1(1) stable - / -, member m, epoch 2, target m -, target old-00000000-0000-0009-0000-000000000009 1:0, target old-00000000-0000-0009-0000-00000000000a 1:1, targets 2, current m 2(0) stable - / -",
            "ConsumerHeartbeat(Ok(ConsumerHeartbeatReply { member_id: \"m\", member_epoch: 2, heartbeat_interval_ms: 5000, assignment: Some({}) })); Reconciling; -classic, member old-00000000-0000-0009-0000-000000000009, epoch 1, target old-00000000-0000-0009-0000-000000000009 1:0,1, targets 1, current old-00000000-0000-0009-0000-000000000009 1(1) stable 1:0,1 / -, member m, epoch 2, target m 1:1, target old-00000000-0000-0009-0000-000000000009 1:0, targets 2, current m 2(0) unreleased - / -",
        ]
    );
}

/// The leader has not assigned, and a follower waits for it.
#[test]
fn a_consumer_member_joins_a_classic_group_that_completes_its_rebalance() {
    let (mut world, old) = classic();
    let second = JoinRequest { fresh_id: Uuid::from_u64_pair(9, 10), ..classic_join("", &["a"], &[]) };
    world.send(Request::Join(second));
    let rejoin = Request::Join(classic_join(&old, &["a"], &[("a", &[0, 1])]));
    assert_eq!(follows(&mut world, rejoin), "joined 2, joined 2; classic; ");
    let new = "old-00000000-0000-0009-0000-00000000000a";
    let sync = |member_id: &str| {
        Request::Sync(SyncRequest {
            group_id: GROUP.into(),
            member_id: member_id.into(),
            generation: 2,
            instance_id: None,
            protocol_type: None,
            protocol_name: None,
            assignments: Vec::new(),
        })
    };
    let (parked, outcome) = world.send(sync(new));
    assert_eq!(outcome.replies, []);
    let (_, outcome) = world.send(Request::ConsumerHeartbeat(join("m", &["a"])));
    let told: Vec<String> =
        outcome.replies.iter().filter(|(to, _)| *to == parked).map(|(_, r)| answer(r)).collect();
    assert_eq!(told, ["RebalanceInProgress"]);
    let written: Vec<String> = outcome.records.iter().map(show).collect();
    // Everybody is where the generation before left it.
    for record in [
        "-classic".to_owned(),
        "epoch 2".to_owned(),
        "epoch 3".to_owned(),
        format!("current {old} 2(2) stable 1:0,1 / -"),
        format!("current {new} 2(2) stable - / -"),
    ] {
        assert!(written.contains(&record), "{record} in {written:?}");
    }
    assert_eq!(world.state(), "Reconciling");
    // The leader's assignment comes too late.
    assert_eq!(follows(&mut world, sync(&old)), "RebalanceInProgress; Reconciling; ");
}

#[test]
fn a_restart() {
    let restart = |world: &mut World| {
        world.pass(44_000);
        let state = world.state();
        world.restart();
        assert_eq!(world.state(), state);
        passes(world, 44_999)
    };
    row(groups(None), restart, ["none; ", "Empty; ", "Assigning; ", "Reconciling; ", "Stable; "]);
}

#[test]
fn a_write_fails() {
    let fails = |world: &mut World| {
        let (before, state) = (world.log.len(), world.state());
        world.fail_next_write = true;
        let answered = comes_of(world, join("o", &["a"]));
        assert_eq!((world.log.len(), world.state()), (before, state));
        answered
    };
    row(
        groups(None),
        fails,
        [
            "CoordinatorNotAvailable; none; ",
            "CoordinatorNotAvailable; Empty; ",
            "CoordinatorNotAvailable; Assigning; ",
            "CoordinatorNotAvailable; Reconciling; ",
            "CoordinatorNotAvailable; Stable; ",
        ],
    );
}

#[test]
fn a_write_of_a_leave_or_a_revocation_fails() {
    let fails = |request: fn() -> ConsumerHeartbeatRequest| {
        move |world: &mut World| {
            let (before, state) = (world.log.len(), world.state());
            world.fail_next_write = true;
            let failed = comes_of(world, request());
            assert_eq!((world.log.len(), world.state()), (before, state));
            world.fail_next_write = false;
            format!("{failed}then {}", comes_of(world, request()))
        }
    };
    row(
        groups(None),
        fails(|| beat("m", -1)),
        [
            "GroupIdNotFound; none; then GroupIdNotFound; none; ",
            "UnknownMemberId; Empty; then UnknownMemberId; Empty; ",
            "CoordinatorNotAvailable; Assigning; then -1; Empty; -current m, -target m, -member m, epoch 4",
            "CoordinatorNotAvailable; Reconciling; then -1; Assigning; -current m, -target m, -member m, epoch 3",
            "CoordinatorNotAvailable; Stable; then -1; Assigning; -current m, -target m, -member m, epoch 3",
        ],
    );
    // It is told to give back, and it has given back.
    let [.., mut world, _] = groups(None);
    assert_eq!(
        fails(|| beat("m", 1))(&mut world),
        "CoordinatorNotAvailable; Reconciling; then 1 [1:0,1]; Reconciling; current m 1(1) unrevoked 1:0,1 / 1:2,3"
    );
    assert_eq!(
        fails(|| owning("m", 1, "1:0,1"))(&mut world),
        "CoordinatorNotAvailable; Reconciling; then 2; Reconciling; current m 2(1) stable 1:0,1 / -"
    );
    // No deadline is left of the step that failed.
    assert_eq!(comes_of(&mut world, beat("n", 2)), "2 [1:2,3]; Stable; current n 2(2) stable 1:2,3 / -");
    assert_eq!(passes(&mut world, 44_999), "Stable; ");
}
