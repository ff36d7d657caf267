//! The classic group protocol: JoinGroup, SyncGroup, Heartbeat, LeaveGroup, from the first member to the last.

use client::Connection;
use wire::messages::join_group_request::JoinGroupRequestProtocol;
use wire::messages::leave_group_request::MemberIdentity;
use wire::messages::sync_group_request::SyncGroupRequestAssignment;
use wire::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest, OffsetFetchRequest,
    SyncGroupRequest,
};

use crate::ask::{prepare, text};
use crate::groups_offsets::commit;
use crate::pair::Pair;
use crate::side::{PATIENCE, Side};
use crate::tree::Tree;

/// Versions from which a member first gets an id and joins with it, and from which it leaves in a list.
const IDS_FIRST: i16 = 4;
const LISTS_FROM: i16 = 3;
const STATIC_FROM: i16 = 5;

/// The steps.
pub async fn script(pair: &mut Pair) {
    loaded(pair).await;
    prepare(pair, "grouped", 2, &[]).await;
    pair.settle().await;
    refused_joins(pair).await;
    for version in 0..=9 {
        life(pair, version).await;
    }
    for version in STATIC_FROM..=9 {
        static_member(pair, version).await;
    }
    second_member(pair).await;
    strangers(pair).await;
}

/// A group's name as the generated structs hold it.
pub fn group(name: &str) -> GroupId {
    GroupId(text(name))
}

/// Until both coordinate groups.
pub async fn loaded(pair: &mut Pair) {
    let ask = OffsetFetchRequest::default().with_group_id(group("loaded")).with_topics(Some(Vec::new()));
    for side in &mut pair.sides {
        for _ in 0..100 {
            let found = wire::messages::FindCoordinatorRequest::default().with_key(text("loaded"));
            let is_there = side.call(1, &found).await.is_ok_and(|answer| answer.error_code == 0);
            if is_there && side.call(2, &ask).await.is_ok_and(|answer| answer.error_code == 0) {
                break;
            }
            tokio::time::sleep(PATIENCE / 100).await;
        }
    }
}

/// A consumer that joins.
pub fn join(name: &str, member: &str) -> JoinGroupRequest {
    JoinGroupRequest::default()
        .with_group_id(group(name))
        .with_session_timeout_ms(600_000)
        .with_rebalance_timeout_ms(600_000)
        .with_member_id(text(member))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol("range"), protocol("roundrobin")])
}

fn protocol(name: &str) -> JoinGroupRequestProtocol {
    JoinGroupRequestProtocol::default()
        .with_name(text(name))
        .with_metadata(name.to_owned().into_bytes().into())
}

fn sync(name: &str, member: &str, generation: i32) -> SyncGroupRequest {
    let assignment = SyncGroupRequestAssignment::default()
        .with_member_id(text(member))
        .with_assignment(b"assigned"[..].to_vec().into());
    SyncGroupRequest::default()
        .with_group_id(group(name))
        .with_generation_id(generation)
        .with_member_id(text(member))
        .with_assignments(vec![assignment])
}

fn beat(name: &str, member: &str, generation: i32) -> HeartbeatRequest {
    HeartbeatRequest::default()
        .with_group_id(group(name))
        .with_generation_id(generation)
        .with_member_id(text(member))
}

fn leave(name: &str, member: &str, version: i16) -> LeaveGroupRequest {
    let request = LeaveGroupRequest::default().with_group_id(group(name));
    if version < LISTS_FROM {
        return request.with_member_id(text(member));
    }
    request.with_members(vec![MemberIdentity::default().with_member_id(text(member))])
}

/// Joins as the only member, and keeps its id as `member`.
pub async fn joined(pair: &mut Pair, name: &str, version: i16) {
    let answers = pair.one(&format!("{name}: no id"), version, |_, _| join(name, "")).await;
    for (side, answer) in pair.sides.iter_mut().zip(answers) {
        side.keep_text("member", answer.map(|answer| answer.member_id.to_string()).unwrap_or_default());
    }
    if version >= IDS_FIRST {
        pair.one(&format!("{name}: its id"), version, |side, _| join(name, side.text("member"))).await;
    }
    listed(pair, name).await;
}

/// Waits until either side lists the group: Kafka answers a join before its list, which shows what is committed, has the
/// group.
async fn listed(pair: &mut Pair, name: &str) {
    for side in &mut pair.sides {
        for _ in 0..100 {
            let answer = side.call(0, &ListGroupsRequest::default()).await;
            if answer.is_ok_and(|answer| answer.groups.iter().any(|group| &**group.group_id == name)) {
                break;
            }
            tokio::time::sleep(PATIENCE / 100).await;
        }
    }
}

/// The version of an API that goes with one of JoinGroup.
fn as_old(version: i16, newest: i16) -> i16 {
    version.min(newest)
}

async fn life(pair: &mut Pair, version: i16) {
    let name = &format!("classic-{version}");
    let step = |what: &str| format!("{name}: {what}");
    let beats = as_old(version, 4);
    let syncs = as_old(version, 5);
    joined(pair, name, version).await;
    pair.one(&step("once more"), version, |side, _| join(name, side.text("member"))).await;
    pair.one(&step("beat before sync"), beats, |side, _| beat(name, side.text("member"), 1)).await;
    for (what, generation) in [("old", 0), ("new", 2), ("none", -1)] {
        let step = step(&format!("sync of {what} generation"));
        pair.one(&step, syncs, |side, _| sync(name, side.text("member"), generation)).await;
    }
    for member in ["stranger", ""] {
        pair.one(&step(&format!("sync of {member:?}")), syncs, |_, _| sync(name, member, 1)).await;
    }
    if syncs == 5 {
        for (kind, chosen) in [("consumer", "roundrobin"), ("connect", "range"), ("consumer", "x")] {
            pair.one(&step(&format!("sync for {kind} {chosen}")), syncs, |side, _| {
                sync(name, side.text("member"), 1)
                    .with_protocol_type(Some(text(kind)))
                    .with_protocol_name(Some(text(chosen)))
            })
            .await;
        }
    }
    let good = |side: &Side, version: i16| {
        let request = sync(name, side.text("member"), 1);
        if version < 5 {
            return request;
        }
        request.with_protocol_type(Some(text("consumer"))).with_protocol_name(Some(text("range")))
    };
    pair.one(&step("sync"), syncs, good).await;
    pair.one(&step("sync again"), syncs, good).await;
    for (what, generation) in [("right", 1), ("old", 0), ("new", 2), ("none", -1)] {
        let step = step(&format!("beat of {what} generation"));
        pair.one(&step, beats, |side, _| beat(name, side.text("member"), generation)).await;
    }
    pair.one(&step("beat of a stranger"), beats, |_, _| beat(name, "stranger", 1)).await;
    for (what, generation) in [("right", 1), ("old", 0), ("new", 2), ("none", -1)] {
        let commits = as_old(version + 2, 9);
        let step = step(&format!("commit of {what} generation"));
        pair.one(&step, commits, |side, _| {
            commit(name, &[("grouped", 0, 5)])
                .with_generation_id_or_member_epoch(generation)
                .with_member_id(text(side.text("member")))
        })
        .await;
    }
    pair.one(&step("commit of a stranger"), as_old(version + 2, 9), |_, _| {
        commit(name, &[("grouped", 0, 5)])
            .with_generation_id_or_member_epoch(1)
            .with_member_id(text("stranger"))
    })
    .await;
    pair.one(&step("commit of nobody"), as_old(version + 2, 9), |_, _| commit(name, &[("grouped", 0, 5)]))
        .await;
    pair.one(&step("other protocols"), version, |side, _| {
        join(name, side.text("member")).with_protocols(vec![protocol("sticky")])
    })
    .await;
    pair.one(&step("another type"), version, |side, _| {
        join(name, side.text("member")).with_protocol_type(text("connect"))
    })
    .await;
    leaving(pair, name, version).await;
}

async fn leaving(pair: &mut Pair, name: &str, version: i16) {
    let step = |what: &str| format!("{name}: {what}");
    let leaves = as_old(version, 5);
    pair.one(&step("a stranger leaves"), leaves, |_, v| leave(name, "stranger", v)).await;
    if leaves >= LISTS_FROM {
        pair.one(&step("nobody leaves"), leaves, |_, v| leave(name, "", v).with_members(Vec::new())).await;
        pair.one(&step("an instance leaves"), leaves, |_, _| {
            let instance = MemberIdentity::default().with_group_instance_id(Some(text("instance")));
            LeaveGroupRequest::default().with_group_id(group(name)).with_members(vec![instance])
        })
        .await;
    }
    pair.one(&step("it leaves"), leaves, |side, v| leave(name, side.text("member"), v)).await;
    pair.one(&step("it leaves again"), leaves, |side, v| leave(name, side.text("member"), v)).await;
    let beats = as_old(version, 4);
    pair.one(&step("beat afterwards"), beats, |side, _| beat(name, side.text("member"), 1)).await;
    pair.one(&step("return"), version, |side, _| join(name, side.text("member"))).await;
}

async fn static_member(pair: &mut Pair, version: i16) {
    let name = &format!("static-{version}");
    let step = |what: &str| format!("{name}: {what}");
    let of = |member: &str| join(name, member).with_group_instance_id(Some(text("instance")));
    for which in ["first", "second"] {
        let answers = pair.one(&step(which), version, |_, _| of("")).await;
        for (side, answer) in pair.sides.iter_mut().zip(answers) {
            side.keep_text(which, answer.map(|answer| answer.member_id.to_string()).unwrap_or_default());
        }
        pair.one(&step(&format!("sync of the {which}")), 3, |side, _| {
            sync(name, side.text(which), 1).with_group_instance_id(Some(text("instance")))
        })
        .await;
    }
    for which in ["first", "second"] {
        pair.one(&step(&format!("beat of the {which}")), 4, |side, _| {
            beat(name, side.text(which), 1).with_group_instance_id(Some(text("instance")))
        })
        .await;
        pair.one(&step(&format!("the {which} without instance")), 4, |side, _| {
            beat(name, side.text(which), 1)
        })
        .await;
        pair.one(&step(&format!("the {which} with another instance")), 4, |side, _| {
            beat(name, side.text(which), 1).with_group_instance_id(Some(text("other")))
        })
        .await;
    }
    pair.one(&step("the first joins"), version, |side, _| of(side.text("first"))).await;
    for (i, member) in ["first", "second", ""].into_iter().enumerate() {
        pair.one(&step(&format!("the {member:?} leaves, {i}")), 5, |side, _| {
            let member = if member.is_empty() { "" } else { side.text(member) };
            let member = MemberIdentity::default()
                .with_member_id(text(member))
                .with_group_instance_id(Some(text("instance")));
            LeaveGroupRequest::default().with_group_id(group(name)).with_members(vec![member])
        })
        .await;
    }
}

async fn refused_joins(pair: &mut Pair) {
    let name = "refused";
    let cases: [(&str, JoinGroupRequest); 10] = [
        ("no group", join("", "")),
        ("a session of 1 ms", join(name, "").with_session_timeout_ms(1)),
        ("a session of a year", join(name, "").with_session_timeout_ms(i32::MAX)),
        ("a negative session", join(name, "").with_session_timeout_ms(-1)),
        ("no protocols", join(name, "").with_protocols(Vec::new())),
        ("no type", join(name, "").with_protocol_type(text(""))),
        ("an unknown member", join(name, "stranger")),
        ("an unknown member of a known group", join("loaded", "stranger")),
        ("an empty instance", join(name, "stranger").with_group_instance_id(Some(text("")))),
        ("an unknown member of an instance", join(name, "stranger").with_group_instance_id(Some(text("i")))),
    ];
    for (step, request) in cases {
        pair.all(step, |_, _| request.clone()).await;
    }
}

/// A group or a member that does not exist.
async fn strangers(pair: &mut Pair) {
    for name in ["", "missing"] {
        pair.all(&format!("sync in {name:?}"), |_, v| {
            let request = sync(name, "stranger", 1);
            if v < 5 {
                return request;
            }
            request.with_protocol_type(Some(text("consumer"))).with_protocol_name(Some(text("range")))
        })
        .await;
        pair.all(&format!("beat in {name:?}"), |_, _| beat(name, "stranger", 1)).await;
        pair.all(&format!("beat of nobody in {name:?}"), |_, _| beat(name, "", -1)).await;
        pair.all(&format!("leave {name:?}"), |_, v| leave(name, "stranger", v)).await;
        pair.all(&format!("leave {name:?} as nobody"), |_, v| leave(name, "", v)).await;
    }
}

/// A second member, on a connection of its own, has the first rejoin.
async fn second_member(pair: &mut Pair) {
    let name = "two";
    joined(pair, name, 3).await;
    pair.one("two: sync", 3, |side, _| sync(name, side.text("member"), 1)).await;
    let mut others = Vec::new();
    for side in &pair.sides {
        let mut other = Connection::open(side.address, "other", PATIENCE).await.expect("a connection");
        other.send(3, &join(name, "")).await.expect("it can be sent");
        others.push(other);
    }
    pair.settle().await;
    pair.one("two: beat in a rebalance", 4, |side, _| beat(name, side.text("member"), 1)).await;
    pair.one("two: commit in a rebalance", 7, |side, _| {
        commit(name, &[("grouped", 0, 5)])
            .with_generation_id_or_member_epoch(1)
            .with_member_id(text(side.text("member")))
    })
    .await;
    pair.one("two: sync in a rebalance", 3, |side, _| sync(name, side.text("member"), 1)).await;
    pair.one("two: rejoin", 3, |side, _| join(name, side.text("member"))).await;
    let mut trees = Vec::new();
    for (side, other) in pair.sides.iter_mut().zip(&mut others) {
        let frame = other.receive().await.expect("an answer");
        let (_, answer) = wire::call::decode::<JoinGroupRequest>(frame, 3).expect("an answer");
        side.keep_text("other", answer.member_id.to_string());
        trees.push(Tree::of(&answer));
    }
    let [a, b] = <[Tree; 2]>::try_from(trees).expect("two brokers");
    pair.compare("JoinGroup", 3, "two: the second", [a, b]);
    // The leader's sync answers the follower's.
    for (side, other) in pair.sides.iter_mut().zip(&mut others) {
        let mut request = sync(name, side.text("other"), 2);
        request.assignments.clear();
        other.send(3, &request).await.expect("it can be sent");
    }
    pair.settle().await;
    pair.one("two: the leader syncs", 3, |side, _| sync(name, side.text("member"), 2)).await;
    let mut trees = Vec::new();
    for other in &mut others {
        let frame = other.receive().await.expect("an answer");
        trees.push(Tree::of(&wire::call::decode::<SyncGroupRequest>(frame, 3).expect("an answer").1));
    }
    let [a, b] = <[Tree; 2]>::try_from(trees).expect("two brokers");
    pair.compare("SyncGroup", 3, "two: the second", [a, b]);
    pair.one("two: the second leaves", 2, |side, v| leave(name, side.text("other"), v)).await;
    pair.one("two: beat after it", 4, |side, _| beat(name, side.text("member"), 2)).await;
}
