//! Record batches to send, and what is to be seen of batches that come back.

use bytes::Bytes;
use model::BatchHeader;
use model::batch::HEADER_BYTES;
use model::{ProducerEpoch, ProducerId, TopicId};
use records::builder::BatchBuilder;
use records::codec::{Codec, decompress};
use records::iter::{Header, RecordIter};
use wire::TopicRef;
use wire::fetch::{FetchPartition, FetchResponse};
use wire::produce::{ProducePartition, ProduceRequest, ProduceTopic, TransactionSupport};

use crate::ask::text;
use crate::side::Side;
use crate::tree::Tree;

const DECOMPRESSED_BYTES_MAX: usize = 64 << 20;
/// Versions from which these two APIs name topics by id.
const IDS_FROM: i16 = 13;

/// Records with these values.
pub fn batch(now_ms: i64, values: &[&str]) -> Bytes {
    compressed(Codec::None, now_ms, values)
}

/// The same, compressed.
pub fn compressed(codec: Codec, now_ms: i64, values: &[&str]) -> Bytes {
    filled(BatchBuilder::new().codec(codec, None), now_ms, values)
}

/// The same from an idempotent producer.
pub fn idempotent(producer: (i64, i16, i32), now_ms: i64, values: &[&str]) -> Bytes {
    let (id, epoch, sequence) = producer;
    let builder = BatchBuilder::new().producer(ProducerId::new(id), ProducerEpoch::new(epoch), sequence);
    filled(builder, now_ms, values)
}

/// The same in its transaction.
pub fn transactional(producer: (i64, i16, i32), now_ms: i64, values: &[&str]) -> Bytes {
    let (id, epoch, sequence) = producer;
    let builder = BatchBuilder::new().producer(ProducerId::new(id), ProducerEpoch::new(epoch), sequence);
    filled(builder.transactional(), now_ms, values)
}

fn filled(mut builder: BatchBuilder, now_ms: i64, values: &[&str]) -> Bytes {
    let header = Header { key: b"h", value: Some(b"1") };
    for (i, value) in values.iter().enumerate() {
        builder.append(now_ms + i as i64, Some(b"key"), Some(value.as_bytes()), &[header, header]);
    }
    builder.build().expect("a batch")
}

/// A topic as this version of Produce or Fetch names it.
pub fn topic_ref(side: &Side, name: &str, version: i16) -> TopicRef {
    if version >= IDS_FROM { TopicRef::Id(TopicId::new(side.id(name))) } else { TopicRef::Name(text(name)) }
}

/// Records for one partition.
pub fn produce(side: &Side, version: i16, name: &str, acks: i16, records: Option<Bytes>) -> ProduceRequest {
    produce_to(topic_ref(side, name, version), 0, acks, records)
}

/// Records for any partition.
pub fn produce_to(topic: TopicRef, partition: i32, acks: i16, records: Option<Bytes>) -> ProduceRequest {
    let partitions = vec![ProducePartition { partition, records }];
    let topics = vec![ProduceTopic { topic, partitions }];
    ProduceRequest {
        transactional_id: None,
        acks,
        timeout_ms: 10_000,
        topics,
        // Both follow from the version; a client does not say them.
        zstd_allowed: true,
        transaction_support: TransactionSupport::Classic,
    }
}

/// A consumer's wish for a partition.
pub fn wish(partition: i32, offset: i64) -> FetchPartition {
    FetchPartition::new(partition, model::Offset::new(offset), 1 << 20)
}

/// The fields of a Fetch answer, with its batches taken apart.
pub fn show_fetch(response: &FetchResponse) -> Tree {
    let mut shown = response.clone();
    let mut all = Vec::new();
    for topic in &mut shown.topics {
        for partition in &mut topic.partitions {
            let bytes = std::mem::take(&mut partition.records).concat();
            all.push(show_batches(&bytes));
        }
    }
    let mut tree = Tree::of(&shown);
    if let Tree::Fields(fields) = &mut tree {
        fields.push(("batches".to_owned(), Tree::List(all)));
    }
    tree
}

fn show_batches(mut bytes: &[u8]) -> Tree {
    let mut batches = Vec::new();
    while let Some((header, whole)) = first_batch(bytes) {
        let mut tree = Tree::of(&header);
        if let Tree::Fields(fields) = &mut tree {
            fields
                .push(("crc_is_right".to_owned(), Tree::Leaf(model::batch::crc_matches(whole).to_string())));
            fields.push(("records".to_owned(), show_records(&header, &whole[HEADER_BYTES..])));
        }
        batches.push(tree);
        bytes = &bytes[header.size()..];
    }
    Tree::Fields(vec![
        ("whole".to_owned(), Tree::List(batches)),
        ("bytes_of_a_part".to_owned(), Tree::Leaf(bytes.len().to_string())),
    ])
}

fn first_batch(bytes: &[u8]) -> Option<(BatchHeader, &[u8])> {
    let header = BatchHeader::parse(bytes).ok()?;
    Some((header, bytes.get(..header.size())?))
}

fn show_records(header: &BatchHeader, section: &[u8]) -> Tree {
    let codecs = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
    let Some(codec) = codecs.iter().find(|codec| codec.bits() == header.codec_bits()) else {
        return Tree::Leaf(format!("codec {}", header.codec_bits()));
    };
    let plain = match decompress(*codec, section, DECOMPRESSED_BYTES_MAX) {
        Ok(plain) => plain,
        Err(error) => return Tree::Leaf(error.to_string()),
    };
    let records = RecordIter::new(&plain, header.record_count).map(|record| match record {
        Ok(record) => Tree::Leaf(format!(
            "+{} at +{} ms: {} = {} {}",
            record.offset_delta,
            record.timestamp_delta,
            shown(record.key),
            shown(record.value),
            record
                .headers
                .iter()
                .map(|h| format!("{}:{}", shown(Some(h.key)), shown(h.value)))
                .collect::<Vec<_>>()
                .join(" "),
        )),
        Err(error) => Tree::Leaf(error.to_string()),
    });
    Tree::List(records.collect())
}

fn shown(bytes: Option<&[u8]>) -> String {
    const LENGTH_MAX: usize = 40;
    match bytes {
        None => "null".to_owned(),
        Some(bytes) if bytes.len() > LENGTH_MAX => format!("{} bytes", bytes.len()),
        Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}
