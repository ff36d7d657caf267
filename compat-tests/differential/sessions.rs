//! Fetch sessions (KIP-227).

use wire::fetch::{FetchRequest, FetchTopic, ForgottenTopic};

use crate::ask::prepare;
use crate::batches::{batch, produce, show_fetch, topic_ref, wish};
use crate::fetch::fill;
use crate::pair::Pair;
use crate::side::Side;

/// The steps.
pub async fn script(pair: &mut Pair) {
    prepare(pair, "session", 3, &[]).await;
    fill(pair, "session").await;
    for version in 4..=18 {
        life(pair, version).await;
        errors(pair, version).await;
    }
}

fn request(side: &Side, version: i16, epoch: i32, wishes: &[(i32, i64)]) -> FetchRequest {
    let partitions: Vec<_> = wishes.iter().map(|(partition, offset)| wish(*partition, *offset)).collect();
    let topics = if partitions.is_empty() {
        Vec::new()
    } else {
        vec![FetchTopic { topic: topic_ref(side, "session", version), partitions }]
    };
    FetchRequest {
        session_id: side.number("session") as i32,
        session_epoch: epoch,
        topics,
        ..FetchRequest::default()
    }
}

async fn open(pair: &mut Pair, step: &str, version: i16) {
    for side in &mut pair.sides {
        side.keep("session", 0);
    }
    let answers =
        pair.shown(step, version, |side, v| request(side, v, 0, &[(0, 0), (1, 0), (2, 5)]), show_fetch).await;
    for (side, answer) in pair.sides.iter_mut().zip(answers) {
        side.keep("session", answer.map_or(0, |answer| i64::from(answer.session_id)));
    }
}

async fn life(pair: &mut Pair, version: i16) {
    let start_ms = pair.start_ms;
    open(pair, "opened", version).await;
    pair.shown("nothing new", version, |side, v| request(side, v, 1, &[]), show_fetch).await;
    pair.shown("moved on", version, |side, v| request(side, v, 2, &[(0, 10)]), show_fetch).await;
    pair.one(&format!("meanwhile, session of {version}"), version.min(13), |side, v| {
        produce(side, v, "session", -1, Some(batch(start_ms, &["new"])))
    })
    .await;
    pair.shown("one changed", version, |side, v| request(side, v, 3, &[]), show_fetch).await;
    pair.shown("unknown partition added", version, |side, v| request(side, v, 4, &[(9, 0)]), show_fetch)
        .await;
    pair.shown("unknown partition stays", version, |side, v| request(side, v, 5, &[]), show_fetch).await;
    pair.shown(
        "forgotten",
        version,
        |side, v| {
            let forgotten = ForgottenTopic { topic: topic_ref(side, "session", v), partitions: vec![0, 9] };
            FetchRequest { forgotten_topics: vec![forgotten], ..request(side, v, 6, &[]) }
        },
        show_fetch,
    )
    .await;
    pair.shown("after forgetting", version, |side, v| request(side, v, 7, &[]), show_fetch).await;
    pair.shown("closed", version, |side, v| request(side, v, -1, &[(0, 9)]), show_fetch).await;
    pair.shown("after close", version, |side, v| request(side, v, 8, &[]), show_fetch).await;
}

async fn errors(pair: &mut Pair, version: i16) {
    open(pair, "opened again", version).await;
    pair.shown("wrong epoch", version, |side, v| request(side, v, 7, &[]), show_fetch).await;
    pair.shown("right epoch after a wrong one", version, |side, v| request(side, v, 1, &[]), show_fetch)
        .await;
    pair.shown("the same epoch again", version, |side, v| request(side, v, 1, &[]), show_fetch).await;
    pair.shown(
        "unknown id",
        version,
        |side, v| FetchRequest { session_id: 123_456, ..request(side, v, 1, &[]) },
        show_fetch,
    )
    .await;
    pair.shown(
        "unknown id, last epoch",
        version,
        |side, v| FetchRequest { session_id: 123_456, ..request(side, v, -1, &[(0, 9)]) },
        show_fetch,
    )
    .await;
    pair.shown(
        "no id, epoch 5",
        version,
        |side, v| FetchRequest { session_id: 0, ..request(side, v, 5, &[(0, 9)]) },
        show_fetch,
    )
    .await;
    pair.shown("epoch -2", version, |side, v| request(side, v, -2, &[]), show_fetch).await;
    let other = if version >= 13 { 12 } else { 13 };
    pair.shown(
        &format!("a session of {version} in another version"),
        other,
        |side, v| request(side, v, 2, &[]),
        show_fetch,
    )
    .await;
    pair.shown("opened in place of another", version, |side, v| request(side, v, 0, &[(0, 10)]), show_fetch)
        .await;
}
