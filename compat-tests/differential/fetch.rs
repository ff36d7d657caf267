//! Fetch without sessions.

use bytes::Bytes;
use model::{BrokerId, LeaderEpoch, Offset, TopicId};
use uuid::Uuid;
use wire::TopicRef;
use wire::fetch::{FetchPartition, FetchRequest, FetchTopic};

use crate::ask::{prepare, text};
use crate::batches::{batch, produce, show_fetch, topic_ref, wish};
use crate::pair::Pair;
use crate::side::Side;

/// The steps.
pub async fn script(pair: &mut Pair) {
    prepare(pair, "fetched", 2, &[]).await;
    fill(pair, "fetched").await;
    for offset in [0, 1, 4, 9, 10, 11, -1, -2, i64::MAX] {
        all(pair, &format!("from offset {offset}"), move |side, v| one(side, v, "fetched", wish(0, offset)))
            .await;
    }
    all(pair, "unknown partition", |side, v| one(side, v, "fetched", wish(9, 0))).await;
    all(pair, "negative partition", |side, v| one(side, v, "fetched", wish(-1, 0))).await;
    all(pair, "unknown topic", |_, v| of(stranger(v), vec![wish(0, 0)])).await;
    all(pair, "invalid topic", |_, v| {
        of(if v >= 13 { TopicRef::Id(TopicId::ZERO) } else { TopicRef::Name(text("a b")) }, vec![wish(0, 0)])
    })
    .await;
    all(pair, "two partitions", |side, v| of(topic_ref(side, "fetched", v), vec![wish(1, 0), wish(0, 8)]))
        .await;
    all(pair, "a partition twice", |side, v| of(topic_ref(side, "fetched", v), vec![wish(0, 0), wish(0, 8)]))
        .await;
    all(pair, "good and bad", |side, v| {
        of(topic_ref(side, "fetched", v), vec![wish(0, 8), wish(9, 0), wish(1, 50)])
    })
    .await;
    all(pair, "nothing", |_, _| FetchRequest::default()).await;
    limits(pair).await;
    epochs(pair).await;
    for level in [1, 2, -1] {
        all(pair, &format!("isolation level {level}"), move |side, v| FetchRequest {
            isolation_level: level,
            ..one(side, v, "fetched", wish(0, 4))
        })
        .await;
    }
    all(pair, "rack", |side, v| FetchRequest {
        rack_id: text("rack-1"),
        ..one(side, v, "fetched", wish(0, 9))
    })
    .await;
    waits(pair).await;
    followers(pair).await;
}

/// Compares a Fetch in every version.
pub async fn all(pair: &mut Pair, step: &str, build: impl Fn(&Side, i16) -> FetchRequest) {
    for version in 4..=18 {
        pair.shown(step, version, |side, v| build(side, v), show_fetch).await;
    }
}

/// Ten records in four batches of partition 0.
pub async fn fill(pair: &mut Pair, name: &str) {
    let start_ms = pair.start_ms;
    for (i, values) in
        [&["a", "b", "c"][..], &["d"], &["e", "f", "g", "h", "i"], &["j"]].into_iter().enumerate()
    {
        let records: Bytes = batch(start_ms + 1000 * i as i64, values);
        pair.newest(&format!("fill {name} {i}"), |side, v| produce(side, v, name, -1, Some(records.clone())))
            .await;
    }
}

fn stranger(version: i16) -> TopicRef {
    if version >= 13 {
        TopicRef::Id(TopicId::new(Uuid::from_u128(5)))
    } else {
        TopicRef::Name(text("stranger"))
    }
}

fn of(topic: TopicRef, partitions: Vec<FetchPartition>) -> FetchRequest {
    FetchRequest { topics: vec![FetchTopic { topic, partitions }], ..FetchRequest::default() }
}

fn one(side: &Side, version: i16, name: &str, partition: FetchPartition) -> FetchRequest {
    of(topic_ref(side, name, version), vec![partition])
}

async fn limits(pair: &mut Pair) {
    for bytes in [0, 1, 60, 100, 200, 300, -1] {
        all(pair, &format!("{bytes} bytes of the partition"), move |side, v| {
            one(side, v, "fetched", FetchPartition { partition_max_bytes: bytes, ..wish(0, 0) })
        })
        .await;
        all(pair, &format!("{bytes} bytes"), move |side, v| FetchRequest {
            max_bytes: bytes,
            ..of(topic_ref(side, "fetched", v), vec![wish(0, 0), wish(1, 0)])
        })
        .await;
    }
    prepare(pair, "fetched-too", 1, &[]).await;
    fill(pair, "fetched-too").await;
    all(pair, "one byte of two partitions with records", |side, v| {
        let mut request = one(side, v, "fetched", wish(0, 0));
        request
            .topics
            .push(FetchTopic { topic: topic_ref(side, "fetched-too", v), partitions: vec![wish(0, 0)] });
        FetchRequest { max_bytes: 1, ..request }
    })
    .await;
    all(pair, "two topics", |side, v| {
        let mut request = one(side, v, "fetched-too", wish(0, 4));
        request
            .topics
            .push(FetchTopic { topic: topic_ref(side, "fetched", v), partitions: vec![wish(0, 0)] });
        request
    })
    .await;
}

async fn epochs(pair: &mut Pair) {
    for epoch in [-1, 0, 1, 99, -2] {
        all(pair, &format!("leader epoch {epoch}"), move |side, v| {
            one(
                side,
                v,
                "fetched",
                FetchPartition { current_leader_epoch: LeaderEpoch::new(epoch), ..wish(0, 8) },
            )
        })
        .await;
        all(pair, &format!("last fetched epoch {epoch}"), move |side, v| {
            one(
                side,
                v,
                "fetched",
                FetchPartition { last_fetched_epoch: LeaderEpoch::new(epoch), ..wish(0, 8) },
            )
        })
        .await;
    }
    all(pair, "leader epoch 99, out of range", |side, v| {
        one(side, v, "fetched", FetchPartition { current_leader_epoch: LeaderEpoch::new(99), ..wish(0, 800) })
    })
    .await;
}

async fn waits(pair: &mut Pair) {
    all(pair, "min bytes at the end", |side, v| FetchRequest {
        min_bytes: 1,
        max_wait_ms: 30,
        ..one(side, v, "fetched", wish(0, 10))
    })
    .await;
    all(pair, "min bytes above what is there", |side, v| FetchRequest {
        min_bytes: 1 << 20,
        max_wait_ms: 30,
        ..one(side, v, "fetched", wish(0, 0))
    })
    .await;
    all(pair, "min bytes with an error", |side, v| FetchRequest {
        min_bytes: 1 << 20,
        max_wait_ms: 50,
        ..of(topic_ref(side, "fetched", v), vec![wish(0, 10), wish(9, 0)])
    })
    .await;
    all(pair, "negative wait", |side, v| FetchRequest {
        min_bytes: 1,
        max_wait_ms: -1,
        ..one(side, v, "fetched", wish(0, 10))
    })
    .await;
}

async fn followers(pair: &mut Pair) {
    for replica in [1, 2, -3] {
        all(pair, &format!("replica {replica}"), move |side, v| {
            let partition = FetchPartition { log_start_offset: Offset::new(0), ..wish(0, 8) };
            FetchRequest { replica_id: BrokerId::new(replica), ..one(side, v, "fetched", partition) }
        })
        .await;
    }
}
