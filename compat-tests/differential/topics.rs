//! CreateTopics and DeleteTopics.

use uuid::Uuid;
use wire::messages::DeleteTopicsRequest;
use wire::messages::create_topics_request::CreatableTopic;
use wire::messages::delete_topics_request::DeleteTopicState;

use crate::ask::{NO_TIME, assigned_topic, create, metadata, new_topic, prepare, topic};
use crate::pair::Pair;

/// A partition and its brokers.
type Replicas<'a> = (i32, &'a [i32]);

/// The steps.
pub async fn script(pair: &mut Pair) {
    pair.all("new", |_, v| create(vec![new_topic(&format!("new-{v}"), 3, 1, &[("retention.ms", "60000")])]))
        .await;
    pair.all("defaults", |_, v| create(vec![new_topic(&format!("defaults-{v}"), -1, -1, &[])])).await;
    pair.all("assigned", |_, v| {
        create(vec![assigned_topic(&format!("assigned-{v}"), -1, &[(0, &[1]), (1, &[1])])])
    })
    .await;
    pair.all("validate only", |_, v| {
        create(vec![new_topic(&format!("valid-{v}"), 2, 1, &[])]).with_validate_only(true)
    })
    .await;
    pair.all("several", |_, v| {
        create(vec![
            new_topic(&format!("several-{v}-a"), 1, 1, &[]),
            new_topic("bad name", 1, 1, &[]),
            new_topic(&format!("several-{v}-b"), 1, 1, &[]),
        ])
    })
    .await;
    pair.settle().await;
    pair.all("exists", |_, v| create(vec![new_topic(&format!("new-{v}"), 1, 1, &[])])).await;
    pair.all("exists, validate only", |_, v| {
        create(vec![new_topic(&format!("new-{v}"), 1, 1, &[])]).with_validate_only(true)
    })
    .await;
    pair.all("listed twice", |_, v| {
        create(vec![new_topic(&format!("twice-{v}"), 1, 1, &[]), new_topic(&format!("twice-{v}"), 2, 1, &[])])
    })
    .await;
    pair.all("none", |_, _| create(Vec::new())).await;
    for timeout_ms in NO_TIME {
        pair.all(&format!("timeout {timeout_ms}"), |_, v| {
            let topics = [&*format!("timeout-{v}"), "a b"].map(|name| new_topic(name, 1, 1, &[]));
            create(topics.to_vec()).with_timeout_ms(timeout_ms)
        })
        .await;
    }
    for (step, refused) in refusals() {
        pair.all(&step, |_, _| create(vec![refused.clone()])).await;
        pair.newest(&format!("{step}, validate only"), |_, _| {
            create(vec![refused.clone()]).with_validate_only(true)
        })
        .await;
    }
    pair.settle().await;
    pair.newest("state after creations", |_, _| {
        metadata(&["new-7", "defaults-7", "assigned-7", "valid-7", "twice-7", "several-7-a"])
    })
    .await;
    delete(pair).await;
}

/// One topic that each rule refuses.
fn refusals() -> Vec<(String, CreatableTopic)> {
    let long = "x".repeat(250);
    let mut cases: Vec<(String, CreatableTopic)> = Vec::new();
    for name in ["", ".", "..", "a b", "ä", "a/b", "__cluster_metadata", "a\u{0}b", &long] {
        cases.push((format!("name {name:.20?}"), new_topic(name, 1, 1, &[])));
    }
    for (partitions, factor) in
        [(0, 1), (-2, 1), (1, 0), (1, -2), (1, 2), (1, 32767), (-1, 2), (0, 0), (i32::MAX, 1), (10_001, 1)]
    {
        cases.push((
            format!("{partitions} partitions, factor {factor}"),
            new_topic("refused", partitions, factor, &[]),
        ));
    }
    let assignments: [(&str, &[Replicas]); 9] = [
        ("unknown broker", &[(0, &[9])]),
        ("a broker twice", &[(0, &[1, 1])]),
        ("no broker", &[(0, &[])]),
        ("partition twice", &[(0, &[1]), (0, &[1])]),
        ("a gap", &[(0, &[1]), (2, &[1])]),
        ("not from 0", &[(1, &[1])]),
        ("negative partition", &[(-1, &[1])]),
        ("negative broker", &[(0, &[-1])]),
        ("different factors", &[(0, &[1]), (1, &[1, 2])]),
    ];
    for (step, assignments) in assignments {
        cases.push((format!("assignment with {step}"), assigned_topic("refused", -1, assignments)));
    }
    cases.push(("assignment and partitions".to_owned(), assigned_topic("refused", 1, &[(0, &[1])])));
    cases.push((
        "assignment and factor".to_owned(),
        assigned_topic("refused", -1, &[(0, &[1])]).with_replication_factor(1),
    ));
    for (key, value) in BAD_CONFIGS {
        cases.push((format!("config {key}={value}"), new_topic("refused", 1, 1, &[(key, value)])));
    }
    cases.push((
        "two bad configs".to_owned(),
        new_topic("refused", 1, 1, &[("no.such", "1"), ("segment.bytes", "x")]),
    ));
    cases.push(("bad config and exists".to_owned(), new_topic("new-7", 1, 1, &[("segment.bytes", "x")])));
    let null = new_topic("null-config", 1, 1, &[("segment.bytes", "")]);
    let configs = null.configs.iter().map(|config| config.clone().with_value(None)).collect();
    cases.push(("null config".to_owned(), null.with_configs(configs)));
    cases
}

/// A key and a value it does not take.
pub const BAD_CONFIGS: [(&str, &str); 22] = [
    ("no.such.config", "1"),
    ("cleanup.policy", "shred"),
    ("cleanup.policy", ""),
    ("compression.type", "brotli"),
    ("compression.gzip.level", "10"),
    ("compression.lz4.level", "0"),
    ("compression.zstd.level", "23"),
    ("segment.bytes", "abc"),
    ("segment.bytes", "13"),
    ("segment.bytes", "2147483648"),
    ("segment.ms", "0"),
    ("retention.ms", "-2"),
    ("retention.bytes", "1.5"),
    ("max.message.bytes", "-1"),
    ("min.insync.replicas", "0"),
    ("min.cleanable.dirty.ratio", "1.5"),
    ("unclean.leader.election.enable", "maybe"),
    ("message.timestamp.type", "Whenever"),
    ("message.timestamp.after.max.ms", "-1"),
    ("local.retention.ms", "99999999999"),
    ("max.compaction.lag.ms", "0"),
    ("flush.messages", "0"),
];

async fn delete(pair: &mut Pair) {
    pair.all("delete by name", |_, v| {
        by_names(&[&format!("new-{v}"), &format!("several-{v}-a"), "missing"], v)
    })
    .await;
    for timeout_ms in NO_TIME {
        pair.all(&format!("delete with timeout {timeout_ms}"), |_, v| {
            by_names(&[&format!("assigned-{v}"), "missing"], v).with_timeout_ms(timeout_ms)
        })
        .await;
    }
    pair.all("delete again", |_, v| by_names(&[&format!("new-{v}")], v)).await;
    pair.all("delete none", |_, v| by_names(&[], v)).await;
    pair.all("delete twice in one", |_, v| {
        by_names(&[&format!("defaults-{v}"), &format!("defaults-{v}")], v)
    })
    .await;
    for name in ["", "a b", "__cluster_metadata"] {
        pair.all(&format!("delete {name:?}"), |_, v| by_names(&[name], v)).await;
    }
    prepare(pair, "delete-by-id", 1, &[]).await;
    pair.newest("delete by unknown id", |_, _| by_ids(&[(None, Uuid::from_u128(9))])).await;
    pair.newest("delete by name and id", |side, _| {
        by_ids(&[(Some("delete-by-id"), side.id("delete-by-id"))])
    })
    .await;
    pair.newest("delete by neither", |_, _| by_ids(&[(None, Uuid::nil())])).await;
    pair.newest("delete by id twice in one", |side, _| {
        by_ids(&[(None, side.id("delete-by-id")), (None, side.id("delete-by-id"))])
    })
    .await;
    pair.newest("delete by id and by name", |side, _| {
        by_ids(&[(None, side.id("delete-by-id")), (Some("delete-by-id"), Uuid::nil())])
    })
    .await;
    pair.newest("delete by id", |side, _| by_ids(&[(None, side.id("delete-by-id"))])).await;
    pair.settle().await;
    pair.newest("delete by id again", |side, _| by_ids(&[(None, side.id("delete-by-id"))])).await;
    pair.newest("state after deletions", |_, _| metadata(&["new-6", "new-7", "delete-by-id"])).await;
    pair.newest("made again", |_, _| create(vec![new_topic("new-6", 1, 1, &[])])).await;
}

fn by_names(names: &[&str], version: i16) -> DeleteTopicsRequest {
    let request = DeleteTopicsRequest::default().with_timeout_ms(5_000);
    if version >= 6 {
        let topics = names.iter().map(|name| DeleteTopicState::default().with_name(Some(topic(name))));
        return request.with_topics(topics.collect());
    }
    request.with_topic_names(names.iter().map(|name| topic(name)).collect())
}

fn by_ids(topics: &[(Option<&str>, Uuid)]) -> DeleteTopicsRequest {
    let topics = topics
        .iter()
        .map(|(name, id)| DeleteTopicState::default().with_name(name.map(topic)).with_topic_id(*id));
    DeleteTopicsRequest::default().with_timeout_ms(5_000).with_topics(topics.collect())
}
