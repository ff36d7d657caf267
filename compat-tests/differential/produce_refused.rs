//! Produce: what is refused.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use model::TopicId;
use model::batch::seal;
use records::builder::BatchBuilder;
use records::codec::Codec;
use uuid::Uuid;
use wire::TopicRef;

use crate::ask::{create, metadata, new_topic, prepare, text};
use crate::batches::{batch, compressed, produce, produce_to};
use crate::pair::Pair;
use crate::produce::read;
use crate::side::PATIENCE;

const SHORT: Duration = Duration::from_secs(1);
const DAY_MS: i64 = 86_400_000;

/// The steps.
pub async fn script(pair: &mut Pair) {
    let now_ms = pair.start_ms;
    prepare(pair, "refusing", 1, &[]).await;
    pair.all("unknown partition", |side, v| {
        produce_to(crate::batches::topic_ref(side, "refusing", v), 7, 1, Some(batch(now_ms, &["a"])))
    })
    .await;
    for version in 3..=13 {
        pair.one("unknown topic", version, |_, v| produce_to(stranger(v), 0, 1, Some(batch(now_ms, &["a"]))))
            .await;
    }
    for version in 3..=12 {
        let name = TopicRef::Name(text("a b"));
        pair.one("invalid topic", version, |_, _| {
            produce_to(name.clone(), 0, 1, Some(batch(now_ms, &["a"])))
        })
        .await;
    }
    pair.one("no topic id", 13, |_, _| {
        produce_to(TopicRef::Id(TopicId::ZERO), 0, 1, Some(batch(now_ms, &["a"])))
    })
    .await;
    for acks in [5, 2, -2] {
        pair.all(&format!("acks {acks}"), |side, v| {
            produce(side, v, "refusing", acks, Some(batch(now_ms, &["a"])))
        })
        .await;
    }
    // Kafka never answers it: one version has to do.
    pair.patience(SHORT);
    pair.newest("null records", |side, v| produce(side, v, "refusing", -1, None)).await;
    pair.patience(PATIENCE);
    // A topic for each: what one broker refuses and the other takes must not shift the offsets of the rest. Old records
    // stay, whenever either looks for some to delete.
    let cases = malformed(now_ms);
    let names: Vec<String> = (0..cases.len()).map(|i| format!("refusing-{i}")).collect();
    pair.newest("a topic for each", |_, _| {
        create(names.iter().map(|name| new_topic(name, 1, 1, &[("retention.ms", "-1")])).collect())
    })
    .await;
    for name in &names {
        pair.leads(name).await;
        pair.newest(&format!("prepared {name}"), |_, _| metadata(&[name])).await;
    }
    for (name, (step, records)) in names.iter().zip(&cases) {
        pair.all(step, |side, v| produce(side, v, name, -1, records.clone())).await;
        read(pair, name).await;
    }
    pair.all("transactional id without transaction", |side, v| {
        let mut request = produce(side, v, "refusing", -1, Some(batch(now_ms, &["a"])));
        request.transactional_id = Some(text("t"));
        request
    })
    .await;
    read(pair, "refusing").await;
    topics_with_rules(pair).await;
}

fn stranger(version: i16) -> TopicRef {
    if version >= 13 {
        TopicRef::Id(TopicId::new(Uuid::from_u128(5)))
    } else {
        TopicRef::Name(text("stranger"))
    }
}

fn malformed(now_ms: i64) -> Vec<(String, Option<Bytes>)> {
    let good = batch(now_ms, &["a", "b", "c"]);
    let other = batch(now_ms, &["d"]);
    let mut cases: Vec<(String, Option<Bytes>)> = vec![
        ("no records".to_owned(), Some(Bytes::new())),
        ("two batches".to_owned(), Some([&good[..], &other[..]].concat().into())),
        ("a batch and a byte".to_owned(), Some([&good[..], &[0]].concat().into())),
        ("half a batch".to_owned(), Some(good.slice(..good.len() / 2))),
        ("less than a header".to_owned(), Some(good.slice(..40))),
        ("twelve bytes".to_owned(), Some(good.slice(..12))),
        ("batch without records".to_owned(), Some(BatchBuilder::new().build().expect("a batch"))),
        ("magic 1 message set".to_owned(), Some(message_set(1))),
        ("magic 0 message set".to_owned(), Some(message_set(0))),
        ("garbage".to_owned(), Some(Bytes::from_static(&[0x5a; 100]))),
    ];
    // (name, position, value, whether the CRC is made right again)
    let patches: [(&str, usize, &[u8], bool); 22] = [
        ("crc", 17, &[1, 2, 3, 4], false),
        ("a flipped bit", 70, &[0xff], false),
        ("magic 1", 16, &[1], true),
        ("magic 3", 16, &[3], true),
        ("magic -1", 16, &[0xff], true),
        ("length 0", 8, &[0, 0, 0, 0], false),
        ("length 48", 8, &[0, 0, 0, 48], false),
        ("length -1", 8, &[0xff, 0xff, 0xff, 0xff], false),
        ("length far beyond", 8, &[0, 0xff, 0, 0], false),
        ("base offset 5", 0, &[0, 0, 0, 0, 0, 0, 0, 5], false),
        ("leader epoch 9", 12, &[0, 0, 0, 9], false),
        ("count 2 of 3", 57, &[0, 0, 0, 2], true),
        ("count 4 of 3", 57, &[0, 0, 0, 4], true),
        ("count -1", 57, &[0xff, 0xff, 0xff, 0xff], true),
        ("count 0", 57, &[0, 0, 0, 0], true),
        ("last offset delta 5", 23, &[0, 0, 0, 5], true),
        ("last offset delta -1", 23, &[0xff, 0xff, 0xff, 0xff], true),
        ("codec 5", 21, &[0, 5], true),
        ("codec gzip on plain records", 21, &[0, 1], true),
        ("control batch", 21, &[0, 0x20], true),
        ("transactional without producer", 21, &[0, 0x10], true),
        ("log append time from a client", 21, &[0, 8], true),
    ];
    for (step, position, value, sealed) in patches {
        cases.push((step.to_owned(), Some(patched(&good, position, value, sealed))));
    }
    cases.push(("delete horizon from a client".to_owned(), Some(patched(&good, 21, &[0, 0x40], true))));
    cases.push(("unused attribute bits".to_owned(), Some(patched(&good, 21, &[0xff, 0x80], true))));
    cases.push((
        "max timestamp too small".to_owned(),
        Some(patched(&good, 35, &(now_ms - 9).to_be_bytes(), true)),
    ));
    cases.push((
        "max timestamp too large".to_owned(),
        Some(patched(&good, 35, &(now_ms + 9).to_be_bytes(), true)),
    ));
    cases.push(("max timestamp -1".to_owned(), Some(patched(&good, 35, &(-1_i64).to_be_bytes(), true))));
    cases.push(("no timestamps".to_owned(), Some(batch(-1, &["a"]))));
    cases.push(("timestamp -2".to_owned(), Some(batch(-2, &["a"]))));
    for (step, shift) in
        [("two hours ahead", DAY_MS / 12), ("half an hour ahead", DAY_MS / 48), ("a year old", -365 * DAY_MS)]
    {
        cases.push((step.to_owned(), Some(batch(now_ms + shift, &["a", "b"]))));
    }
    let zipped = compressed(Codec::Gzip, now_ms, &["value"; 20]);
    cases.push(("damaged gzip".to_owned(), Some(patched(&zipped, 75, &[0xff, 0xff, 0xff], true))));
    cases.push((
        "gzip, two hours ahead".to_owned(),
        Some(compressed(Codec::Gzip, now_ms + DAY_MS / 12, &["a", "b"])),
    ));
    let large = "x".repeat(1_100_000);
    cases.push(("larger than max.message.bytes".to_owned(), Some(batch(now_ms, &[&large]))));
    cases
}

/// A batch with some bytes changed.
fn patched(batch: &Bytes, position: usize, value: &[u8], sealed: bool) -> Bytes {
    let mut bytes = batch.to_vec();
    bytes[position..position + value.len()].copy_from_slice(value);
    if sealed {
        seal(&mut bytes);
    }
    bytes.into()
}

/// One message in the formats before record batches; the CRC is not right, nobody comes to look at it.
fn message_set(magic: u8) -> Bytes {
    let mut bytes = BytesMut::new();
    let timestamp = if magic == 1 { 8 } else { 0 };
    bytes.put_i64(0);
    bytes.put_i32(4 + 1 + 1 + timestamp + 4 + 4 + 1);
    bytes.put_i32(0);
    bytes.put_u8(magic);
    bytes.put_u8(0);
    bytes.put_bytes(0, timestamp as usize);
    bytes.put_i32(-1);
    bytes.put_i32(1);
    bytes.put_u8(b'a');
    bytes.freeze()
}

async fn topics_with_rules(pair: &mut Pair) {
    let now_ms = pair.start_ms;
    prepare(pair, "compacted", 1, &[("cleanup.policy", "compact")]).await;
    for (step, keys) in [
        ("one without key", [true, false, true]),
        ("none with key", [false; 3]),
        ("all with keys", [true; 3]),
    ] {
        let mut builder = BatchBuilder::new();
        for has_key in keys {
            builder.append(now_ms, has_key.then_some(&b"k"[..]), Some(b"v"), &[]);
        }
        let records = builder.build().expect("a batch");
        pair.all(step, |side, v| produce(side, v, "compacted", -1, Some(records.clone()))).await;
    }
    read(pair, "compacted").await;
    prepare(
        pair,
        "bounded",
        1,
        &[("message.timestamp.before.max.ms", "1000000"), ("message.timestamp.after.max.ms", "1000000")],
    )
    .await;
    for shift in [0, -900_000, -2_000_000, 500_000, 2_000_000] {
        let records = batch(now_ms + shift, &["a", "b", "c"]);
        pair.all(&format!("shifted by {shift} ms"), |side, v| {
            produce(side, v, "bounded", -1, Some(records.clone()))
        })
        .await;
    }
    prepare(pair, "small", 1, &[("max.message.bytes", "200")]).await;
    for length in [10, 100, 300] {
        let value = "x".repeat(length);
        pair.all(&format!("{length} bytes of at most 200"), |side, v| {
            produce(side, v, "small", -1, Some(batch(now_ms, &[&value])))
        })
        .await;
    }
    prepare(pair, "two-in-sync", 1, &[("min.insync.replicas", "2")]).await;
    for acks in [1, -1] {
        pair.all(&format!("too few in sync, acks {acks}"), |side, v| {
            produce(side, v, "two-in-sync", acks, Some(batch(now_ms, &["a"])))
        })
        .await;
    }
    read(pair, "two-in-sync").await;
}
