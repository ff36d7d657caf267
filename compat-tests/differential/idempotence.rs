//! Idempotent producers: InitProducerId, duplicates, gaps, epochs, DescribeProducers.

use wire::messages::describe_producers_request::TopicRequest;
use wire::messages::{DescribeProducersRequest, InitProducerIdRequest, ProducerId, TransactionalId};

use crate::ask::{prepare, text, topic};
use crate::batches::{idempotent, produce};
use crate::pair::Pair;
use crate::produce::read;
use crate::side::PATIENCE;

/// The steps.
pub async fn script(pair: &mut Pair) {
    init(pair).await;
    prepare(pair, "idempotent", 2, &[]).await;
    sequences(pair).await;
    describe(pair).await;
    read(pair, "idempotent").await;
}

async fn init(pair: &mut Pair) {
    let ask = |id: Option<&str>, timeout_ms: i32, producer: (i64, i16)| {
        InitProducerIdRequest::default()
            .with_transactional_id(id.map(|id| TransactionalId(text(id))))
            .with_transaction_timeout_ms(timeout_ms)
            .with_producer_id(ProducerId(producer.0))
            .with_producer_epoch(producer.1)
    };
    // Kafka answers COORDINATOR_LOAD_IN_PROGRESS until it has its first block of ids.
    for side in &mut pair.sides {
        for _ in 0..50 {
            let answer = side.call(5, &ask(None, 1000, (-1, -1))).await;
            if answer.is_ok_and(|answer| answer.error_code == 0) {
                break;
            }
            tokio::time::sleep(PATIENCE / 100).await;
        }
    }
    pair.all("new producer", |_, _| ask(None, i32::MAX, (-1, -1))).await;
    pair.all("timeout 0", |_, _| ask(None, 0, (-1, -1))).await;
    pair.all("empty transactional id", |_, _| ask(Some(""), 1000, (-1, -1))).await;
    pair.all("own id and epoch", |_, _| ask(None, 1000, (4, 2))).await;
    pair.all("id without epoch", |_, _| ask(None, 1000, (4, -1))).await;
    pair.all("epoch without id", |_, _| ask(None, 1000, (-1, 3))).await;
    for (name, value) in [("first", 1_000_001), ("second", 1_000_002)] {
        // The ids are the client's own: a broker takes any id that it has not seen.
        for side in &mut pair.sides {
            side.keep(name, value);
        }
    }
}

async fn sequences(pair: &mut Pair) {
    let now_ms = pair.start_ms;
    // (name, producer, epoch, sequence, records)
    let cases: [(&str, &str, i16, i32, usize); 27] = [
        ("first of a new producer", "first", 0, 0, 2),
        ("its duplicate", "first", 0, 0, 2),
        ("next", "first", 0, 2, 1),
        ("third", "first", 0, 3, 1),
        ("fourth", "first", 0, 4, 1),
        ("fifth", "first", 0, 5, 1),
        ("oldest of the window again", "first", 0, 0, 2),
        ("sixth", "first", 0, 6, 3),
        ("fallen out of the window", "first", 0, 0, 2),
        ("newest again", "first", 0, 6, 3),
        ("part of a batch again", "first", 0, 6, 2),
        ("overlap", "first", 0, 7, 4),
        ("gap", "first", 0, 20, 1),
        ("sequence -1", "first", 0, -1, 1),
        ("new epoch, not from 0", "first", 1, 9, 1),
        ("new epoch", "first", 1, 0, 1),
        ("old epoch", "first", 0, 9, 1),
        ("old epoch, duplicate", "first", 0, 6, 3),
        ("epoch -1", "first", -1, 0, 1),
        ("epoch far ahead", "first", 30000, 0, 1),
        ("unknown producer, not from 0", "second", 0, 5, 1),
        ("unknown producer goes on", "second", 0, 6, 1),
        ("unknown producer, gap", "second", 0, 9, 1),
        ("almost the last sequence", "third", 0, i32::MAX - 1, 2),
        ("sequence wraps", "third", 0, 0, 1),
        ("wraps inside a batch", "fourth", 0, i32::MAX, 3),
        ("after the wrap", "fourth", 0, 2, 1),
    ];
    for side in &mut pair.sides {
        side.keep("third", 1_000_003);
        side.keep("fourth", 1_000_004);
    }
    for (step, producer, epoch, sequence, count) in cases {
        let values = vec!["value"; count];
        pair.newest(step, |side, v| {
            let records = idempotent((side.number(producer), epoch, sequence), now_ms, &values);
            produce(side, v, "idempotent", -1, Some(records))
        })
        .await;
    }
    // Every version: the same batch again and again is one batch.
    pair.all("duplicates in every version", |side, v| {
        produce(side, v, "idempotent", -1, Some(idempotent((1_000_009, 0, 0), now_ms, &["a", "b"])))
    })
    .await;
    pair.all("gaps in every version", |side, v| {
        produce(side, v, "idempotent", -1, Some(idempotent((1_000_009, 0, 50), now_ms, &["a"])))
    })
    .await;
    pair.all("stale epochs in every version", |side, v| {
        produce(side, v, "idempotent", -1, Some(idempotent((1_000_001, 0, 50), now_ms, &["a"])))
    })
    .await;
    pair.all("negative producer", |side, v| {
        produce(side, v, "idempotent", -1, Some(idempotent((-5, 0, 0), now_ms, &["a"])))
    })
    .await;
}

async fn describe(pair: &mut Pair) {
    let cases: [(&str, &[i32]); 6] = [
        ("idempotent", &[0, 1]),
        ("idempotent", &[9]),
        ("idempotent", &[]),
        ("missing", &[0]),
        ("", &[0]),
        ("a b", &[0]),
    ];
    for (name, partitions) in cases {
        pair.all(&format!("producers of {name:?} {partitions:?}"), |_, _| {
            let asked =
                TopicRequest::default().with_name(topic(name)).with_partition_indexes(partitions.to_vec());
            DescribeProducersRequest::default().with_topics(vec![asked])
        })
        .await;
    }
    pair.all("producers of nothing", |_, _| DescribeProducersRequest::default()).await;
}
