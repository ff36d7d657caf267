//! ConsumerGroupHeartbeat and ConsumerGroupDescribe (KIP-848).

use std::time::Duration;

use wire::messages::consumer_group_heartbeat_request::TopicPartitions;
use wire::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
};

use crate::ask::{prepare, text, topic};
use crate::groups::{group, join, joined, loaded};
use crate::groups_offsets::commit;
use crate::pair::{Answers, Pair};
use crate::side::Side;

/// From this version the members choose their ids.
const OWN_IDS_FROM: i16 = 1;

/// The steps.
pub async fn script(pair: &mut Pair) {
    loaded(pair).await;
    prepare(pair, "consumed", 2, &[]).await;
    pair.settle().await;
    refusals(pair).await;
    for version in 0..=1 {
        life(pair, version).await;
    }
    mixed(pair).await;
}

fn beat(name: &str, member: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group(name))
        .with_member_id(text(member))
        .with_member_epoch(epoch)
        .with_topic_partitions(None)
}

/// All that a member says when it joins.
fn first(name: &str, member: &str) -> ConsumerGroupHeartbeatRequest {
    beat(name, member, 0)
        .with_rebalance_timeout_ms(30_000)
        .with_subscribed_topic_names(Some(vec![topic("consumed")]))
        .with_topic_partitions(Some(Vec::new()))
}

async fn refusals(pair: &mut Pair) {
    let owned = TopicPartitions::default().with_topic_id(uuid::Uuid::from_u128(7)).with_partitions(vec![0]);
    let of = || first("refusing", "member");
    let cases: [(&str, ConsumerGroupHeartbeatRequest); 17] = [
        ("no group", first("", "member")),
        ("no member", first("refusing", "")),
        ("no member, epoch 1", beat("refusing", "", 1)),
        ("an empty instance", of().with_instance_id(Some(text("")))),
        ("an empty rack", of().with_rack_id(Some(text("")))),
        ("no timeout", of().with_rebalance_timeout_ms(-1)),
        ("a timeout of 0", of().with_rebalance_timeout_ms(0)),
        ("no topics", of().with_subscribed_topic_names(None)),
        ("nothing owned", of().with_topic_partitions(None)),
        ("something owned", of().with_topic_partitions(Some(vec![owned]))),
        ("an unknown assignor", of().with_server_assignor(Some(text("lottery")))),
        ("epoch -3", beat("refusing", "member", -3)),
        ("leave an unknown group", beat("refusing", "member", -1)),
        ("leave for a while without an instance", beat("refusing", "member", -2)),
        ("an unknown group", beat("refusing", "member", 3)),
        (
            "a bad pattern",
            of().with_subscribed_topic_names(None).with_subscribed_topic_regex(Some(text("["))),
        ),
        ("an empty topic", of().with_subscribed_topic_names(Some(vec![topic("")]))),
    ];
    for (step, request) in cases {
        pair.all(step, |_, _| request.clone()).await;
    }
}

async fn life(pair: &mut Pair, version: i16) {
    let name = &format!("consumer-{version}");
    let step = |what: &str| format!("{name}: {what}");
    let chosen = if version >= OWN_IDS_FROM { "an-id-of-its-own" } else { "" };
    let answers = pair.one(&step("first"), version, |_, _| first(name, chosen)).await;
    settled(pair, name, version, answers).await;
    pair.one(&step("nothing new"), version, |side, _| now(side, name)).await;
    pair.one(&step("what it owns"), version, |side, _| {
        let owned = TopicPartitions::default().with_topic_id(side.id("consumed")).with_partitions(vec![0, 1]);
        now(side, name).with_topic_partitions(Some(vec![owned]))
    })
    .await;
    for (what, plus) in [("old", -1), ("new", 1), ("newer", 9)] {
        pair.one(&step(&format!("{what} epoch")), version, |side, _| {
            beat(name, side.text("member"), side.number("epoch") as i32 + plus)
        })
        .await;
    }
    pair.one(&step("a stranger"), version, |_, _| beat(name, "stranger", 1)).await;
    pair.one(&step("a stranger leaves"), version, |_, _| beat(name, "stranger", -1)).await;
    pair.one(&step("all again"), version, |side, _| {
        first(name, side.text("member")).with_member_epoch(side.number("epoch") as i32)
    })
    .await;
    describe(pair, &[name], &step("described")).await;
    for (what, plus) in [("right", 0), ("old", -1), ("new", 1)] {
        pair.one(&step(&format!("commit of {what} epoch, {version}")), 9, |side, _| {
            commit(name, &[("consumed", 0, 5)])
                .with_generation_id_or_member_epoch(side.number("epoch") as i32 + plus)
                .with_member_id(text(side.text("member")))
        })
        .await;
    }
    pair.one(&step("commit of nobody"), 9, |_, _| commit(name, &[("consumed", 0, 5)])).await;
    pair.one(&step("a classic member"), 9, |_, _| join(name, "")).await;
    pair.one(&step("it leaves"), version, |side, _| beat(name, side.text("member"), -1)).await;
    pair.one(&step("it leaves again"), version, |side, _| beat(name, side.text("member"), -1)).await;
    pair.one(&step("beat afterwards"), version, |side, _| now(side, name)).await;
    describe(pair, &[name], &step("described afterwards")).await;
}

fn now(side: &Side, name: &str) -> ConsumerGroupHeartbeatRequest {
    beat(name, side.text("member"), side.number("epoch") as i32)
}

/// Until the member has its partitions: newer Kafkas assign some time after somebody has joined.
async fn settled(
    pair: &mut Pair,
    name: &str,
    version: i16,
    answers: Answers<ConsumerGroupHeartbeatResponse>,
) {
    for (side, answer) in pair.sides.iter_mut().zip(answers) {
        let mut answer = answer.unwrap_or_default();
        side.keep_text("member", answer.member_id.clone().unwrap_or_default().to_string());
        for _ in 0..40 {
            side.keep("epoch", i64::from(answer.member_epoch));
            if answer.assignment.is_some_and(|assignment| !assignment.topic_partitions.is_empty()) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            answer = side.call(version, &now(side, name)).await.unwrap_or_default();
        }
    }
}

async fn describe(pair: &mut Pair, names: &[&str], step: &str) {
    let ask = || {
        ConsumerGroupDescribeRequest::default().with_group_ids(names.iter().map(|name| group(name)).collect())
    };
    pair.all(step, |_, _| ask()).await;
    pair.all(&format!("{step}, with operations"), |_, _| ask().with_include_authorized_operations(true))
        .await;
}

/// Groups of the other protocol, and groups that do not exist.
async fn mixed(pair: &mut Pair) {
    joined(pair, "classic-too", 3).await;
    for names in [&["classic-too"][..], &["missing"], &[""], &["consumer-0", "missing", "consumer-1"], &[]] {
        describe(pair, names, &format!("{names:?}")).await;
    }
    pair.all("into a classic group", |_, _| first("classic-too", "member")).await;
}
