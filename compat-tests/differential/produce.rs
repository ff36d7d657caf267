//! Produce: what is accepted, and what a reader then sees of it.

use records::codec::Codec;
use wire::TopicRef;
use wire::fetch::{FetchRequest, FetchTopic};
use wire::produce::{ProducePartition, ProduceTopic};

use crate::ask::prepare;
use crate::batches::{batch, compressed, produce, show_fetch, topic_ref, wish};
use crate::pair::Pair;

/// The steps.
pub async fn script(pair: &mut Pair) {
    let now_ms = pair.start_ms;
    prepare(pair, "produced", 2, &[]).await;
    for acks in [1, -1] {
        pair.all(&format!("acks {acks}"), |side, v| {
            produce(side, v, "produced", acks, Some(batch(now_ms, &["a", "b"])))
        })
        .await;
    }
    for version in 3..=13 {
        without_answer(pair, version).await;
    }
    pair.all("two partitions", |side, v| {
        let mut request = produce(side, v, "produced", 1, Some(batch(now_ms, &["a"])));
        let more = ProducePartition { partition: 1, records: Some(batch(now_ms, &["b"])) };
        request.topics[0].partitions.push(more);
        request
    })
    .await;
    in_sight(pair, "produced").await;
    read(pair, "produced").await;
    for (codec, name) in CODECS {
        let topic = format!("produced-{name}");
        prepare(pair, &topic, 1, &[]).await;
        pair.all(&format!("codec {name}"), |side, v| {
            produce(side, v, &topic, -1, Some(compressed(codec, now_ms, &["value"; 20])))
        })
        .await;
        read(pair, &topic).await;
    }
    for (target, _) in [("gzip", 0), ("snappy", 0), ("lz4", 0), ("zstd", 0), ("uncompressed", 0)] {
        recompressed(pair, target).await;
    }
    stamped(pair).await;
}

const CODECS: [(Codec, &str); 5] = [
    (Codec::None, "none"),
    (Codec::Gzip, "gzip"),
    (Codec::Snappy, "snappy"),
    (Codec::Lz4, "lz4"),
    (Codec::Zstd, "zstd"),
];

/// With acks 0 the next answer on the connection is that of the next request.
async fn without_answer(pair: &mut Pair, version: i16) {
    let records = batch(pair.start_ms, &["unanswered"]);
    for side in &mut pair.sides {
        let request = produce(side, version, "produced", 0, Some(records.clone()));
        side.connection().await.send(version, &request).await.expect("it can be sent");
    }
    pair.one("after acks 0", version, |side, v| produce(side, v, "produced", 1, Some(records.clone()))).await;
}

async fn recompressed(pair: &mut Pair, target: &str) {
    let now_ms = pair.start_ms;
    let topic = format!("stored-as-{target}");
    prepare(pair, &topic, 1, &[("compression.type", target)]).await;
    for (codec, name) in CODECS {
        pair.newest(&format!("{name} stored as {target}"), |side, v| {
            produce(side, v, &topic, -1, Some(compressed(codec, now_ms, &["value"; 20])))
        })
        .await;
    }
    read(pair, &topic).await;
}

async fn stamped(pair: &mut Pair) {
    let now_ms = pair.start_ms;
    prepare(pair, "stamped", 1, &[("message.timestamp.type", "LogAppendTime")]).await;
    pair.all("log append time", |side, v| {
        produce(side, v, "stamped", -1, Some(batch(now_ms - 5, &["a", "b"])))
    })
    .await;
    for (codec, name) in CODECS {
        pair.newest(&format!("log append time, {name}"), |side, v| {
            produce(side, v, "stamped", -1, Some(compressed(codec, now_ms - 5, &["a", "b"])))
        })
        .await;
    }
    read(pair, "stamped").await;
    for name in ["twice", "many"] {
        prepare(pair, name, 3, &[]).await;
    }
    pair.all("a partition twice", |side, v| {
        let mut request = produce(side, v, "many", 1, Some(batch(now_ms, &["a"])));
        request.topics[0]
            .partitions
            .push(ProducePartition { partition: 0, records: Some(batch(now_ms, &["b"])) });
        request
    })
    .await;
    pair.all("a topic twice", |side, v| {
        let mut request = produce(side, v, "many", 1, Some(batch(now_ms, &["a"])));
        let partitions = vec![ProducePartition { partition: 1, records: Some(batch(now_ms, &["b"])) }];
        request.topics.push(ProduceTopic { topic: topic_ref(side, "many", v), partitions });
        request
    })
    .await;
    in_sight(pair, "many").await;
    read(pair, "many").await;
}

/// Ottla shows readers what is on the disk. Where a record is whose producer waits for that, all before it are.
async fn in_sight(pair: &mut Pair, name: &str) {
    let now_ms = pair.start_ms;
    pair.newest(&format!("{name}: in sight"), |side, v| {
        produce(side, v, name, -1, Some(batch(now_ms, &["in sight"])))
    })
    .await;
}

/// Everything in partition 0 as a consumer sees it.
pub async fn read(pair: &mut Pair, name: &str) {
    let build = |side: &crate::side::Side, version: i16| {
        let topic: TopicRef = topic_ref(side, name, version);
        let topics = vec![FetchTopic { topic, partitions: vec![wish(0, 0)] }];
        FetchRequest { topics, ..FetchRequest::default() }
    };
    pair.shown(&format!("all of {name}"), 17, build, show_fetch).await;
}
