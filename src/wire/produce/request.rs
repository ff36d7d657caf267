use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;

use super::{TOPIC_IDS_FROM, is_flexible};
use crate::cursor::Cursor;
use crate::error::{BadBytes, EncodeError};
use crate::out::Out;
use crate::topic_ref::TopicRef;

/// Records for any number of partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProduceRequest {
    /// The transactional producer, if it is one.
    pub transactional_id: Option<StrBytes>,
    /// 0: no answer is awaited; 1: the leader's append; -1: all in-sync replicas. Other values are the client's
    /// mistake (`INVALID_REQUIRED_ACKS`).
    pub acks: i16,
    /// Milliseconds the client is ready to wait for the replicas.
    pub timeout_ms: i32,
    /// The topics, in the client's order.
    pub topics: Vec<ProduceTopic>,
    /// Whether the client may send zstd; before version 7 such a batch is `UNSUPPORTED_COMPRESSION_TYPE` (KIP-110).
    pub zstd_allowed: bool,
    /// What the client's version says about transactions.
    pub transaction_support: TransactionSupport,
}

/// What a Produce request of a transaction may do and be answered (KIP-890).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransactionSupport {
    /// The client does not know `TRANSACTION_ABORTABLE`.
    Classic,
    /// The client understands `TRANSACTION_ABORTABLE`.
    AbortableError,
    /// The request itself adds its partitions to the transaction.
    AddsPartitions,
}

/// The records for one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProduceTopic {
    /// The topic.
    pub topic: TopicRef,
    /// Its partitions, in the client's order.
    pub partitions: Vec<ProducePartition>,
}

/// The records for one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducePartition {
    /// The partition.
    pub partition: i32,
    /// The record batches as they came, a slice of the frame; not checked. `None` is the client's mistake.
    pub records: Option<Bytes>,
}

impl ProduceRequest {
    /// Whether topics are named by id.
    pub fn wants_topic_ids(&self) -> bool {
        self.topics.iter().any(|topic| topic.topic.id().is_some())
    }

    /// Whether the client waits for an answer. With acks 0 it gets none, not even an error.
    pub fn expects_reply(&self) -> bool {
        self.acks != 0
    }

    pub(crate) fn decode(cursor: &mut Cursor, version: i16) -> Result<Self, BadBytes> {
        let transactional_id = cursor.nullable_string()?;
        let acks = cursor.i16()?;
        let timeout_ms = cursor.i32()?;
        let (by_id, flexible) = (version >= TOPIC_IDS_FROM, is_flexible(version));
        let topic_bytes_min = TopicRef::bytes_min(by_id, flexible) + if flexible { 2 } else { 4 };
        let count = cursor.array(topic_bytes_min)?;
        let mut topics = Vec::with_capacity(count);
        for _ in 0..count {
            topics.push(decode_topic(cursor, by_id, flexible)?);
        }
        cursor.skip_tagged_fields()?;
        Ok(Self {
            transactional_id,
            acks,
            timeout_ms,
            topics,
            zstd_allowed: version >= 7,
            transaction_support: match version {
                ..=10 => TransactionSupport::Classic,
                11 => TransactionSupport::AbortableError,
                12.. => TransactionSupport::AddsPartitions,
            },
        })
    }

    pub(crate) fn size_hint(&self) -> usize {
        let of_topic = |t: &ProduceTopic| 32 + t.topic.name().map_or(0, str::len) + 16 * t.partitions.len();
        let topics: usize = self.topics.iter().map(of_topic).sum();
        64 + self.transactional_id.as_ref().map_or(0, |id| id.len()) + topics
    }

    pub(crate) fn encode(&self, out: &mut Out, version: i16) -> Result<(), EncodeError> {
        out.nullable_string(self.transactional_id.as_deref())?;
        out.i16(self.acks);
        out.i32(self.timeout_ms);
        out.array(self.topics.len())?;
        for topic in &self.topics {
            topic.topic.encode(out, version >= TOPIC_IDS_FROM, version)?;
            out.array(topic.partitions.len())?;
            for partition in &topic.partitions {
                out.i32(partition.partition);
                out.records(partition.records.as_ref().map(std::slice::from_ref))?;
                out.no_tagged_fields();
            }
            out.no_tagged_fields();
        }
        out.no_tagged_fields();
        Ok(())
    }
}

fn decode_topic(cursor: &mut Cursor, by_id: bool, flexible: bool) -> Result<ProduceTopic, BadBytes> {
    let topic = TopicRef::decode(cursor, by_id)?;
    let count = cursor.array(if flexible { 6 } else { 8 })?;
    let mut partitions = Vec::with_capacity(count);
    for _ in 0..count {
        partitions.push(ProducePartition { partition: cursor.i32()?, records: cursor.nullable_bytes()? });
        cursor.skip_tagged_fields()?;
    }
    cursor.skip_tagged_fields()?;
    Ok(ProduceTopic { topic, partitions })
}
