use bytes::Bytes;
use model::{BrokerId, ErrorCode, LeaderEpoch, Offset, ProducerId};

use super::{LOG_START_OFFSET_FROM, PREFERRED_REPLICA_FROM, SESSIONS_FROM, TOPIC_IDS_FROM, is_flexible};
use crate::cursor::Cursor;
use crate::error::{BadBytes, EncodeError};
use crate::out::Out;
use crate::produce::{
    LeaderIdAndEpoch, NodeEndpoint, decode_current_leader, decode_node_endpoints, encode_current_leader,
    encode_node_endpoints,
};
use crate::topic_ref::TopicRef;

/// Addresses of new leaders come with the error (KIP-951).
const NODE_ENDPOINTS_FROM: i16 = 16;
/// Clients before it take `KAFKA_STORAGE_ERROR` as fatal.
const STORAGE_ERROR_FROM: i16 = 6;

const NODE_ENDPOINTS_TAG: u32 = 0;
const DIVERGING_EPOCH_TAG: u32 = 0;
const CURRENT_LEADER_TAG: u32 = 1;
const SNAPSHOT_ID_TAG: u32 = 2;

/// What was read. Fields that the request's version lacks are left out when it is encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchResponse {
    /// Milliseconds the client shall pause.
    pub throttle_time_ms: i32,
    /// An error of the session or the whole request.
    pub error: ErrorCode,
    /// The session, 0 for none.
    pub session_id: i32,
    /// The topics, as the request or the session referred to them.
    pub topics: Vec<FetchTopicResponse>,
    /// Addresses of the leaders named in the partitions.
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// What was read of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchTopicResponse {
    /// The topic, as the request or the session referred to it.
    pub topic: TopicRef,
    /// Its partitions.
    pub partitions: Vec<FetchPartitionResponse>,
}

/// What was read of one partition. `log_start_offset <= last_stable_offset <= high_watermark`, where they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchPartitionResponse {
    /// The partition.
    pub partition: i32,
    /// The outcome.
    pub error: ErrorCode,
    /// The offset up to which records are committed, -1 when unknown.
    pub high_watermark: Offset,
    /// The offset up to which transactions are decided, -1 when unknown.
    pub last_stable_offset: Offset,
    /// The log's first offset, -1 when unknown.
    pub log_start_offset: Offset,
    /// Where the follower's log departs from this one.
    pub diverging_epoch: Option<EpochEndOffset>,
    /// Who leads the partition.
    pub current_leader: Option<LeaderIdAndEpoch>,
    /// The snapshot to fetch instead (controllers only).
    pub snapshot_id: Option<SnapshotId>,
    /// The aborted transactions among the records; `None` unless the reader asked for committed ones.
    pub aborted_transactions: Option<Vec<AbortedTransaction>>,
    /// The replica to read from next, or [`BrokerId::NONE`].
    pub preferred_read_replica: BrokerId,
    /// The record batches, in pieces that go to the socket as they are.
    pub records: Vec<Bytes>,
    /// Bytes of further record batches behind these, which whoever writes the reply takes from elsewhere: a
    /// [`Gap`](crate::frame::Gap) of its frame. 0 in what was decoded.
    pub records_elsewhere: usize,
}

/// An epoch and the offset after its last record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEndOffset {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// The offset after its last record.
    pub end_offset: Offset,
}

/// Name of a metadata snapshot (KIP-630).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotId {
    /// The offset after the last record in it.
    pub end_offset: Offset,
    /// The epoch of that record.
    pub epoch: LeaderEpoch,
}

/// A transaction whose records the reader skips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Its producer.
    pub producer_id: ProducerId,
    /// Its first offset.
    pub first_offset: Offset,
}

impl FetchResponse {
    /// An answer with an error and no partitions.
    pub fn refused(error: ErrorCode) -> Self {
        Self { throttle_time_ms: 0, error, session_id: 0, topics: Vec::new(), node_endpoints: Vec::new() }
    }

    pub(crate) fn size_hint(&self) -> usize {
        let topics = self.topics.iter();
        64 + topics.map(|t| 32 + t.topic.name().map_or(0, str::len) + 80 * t.partitions.len()).sum::<usize>()
    }

    pub(crate) fn encode(&self, out: &mut Out, version: i16) -> Result<(), EncodeError> {
        out.i32(self.throttle_time_ms);
        if version >= SESSIONS_FROM {
            out.i16(self.error.code());
            out.i32(self.session_id);
        }
        out.array(self.topics.len())?;
        for topic in &self.topics {
            topic.topic.encode(out, version >= TOPIC_IDS_FROM, version)?;
            out.array(topic.partitions.len())?;
            for partition in &topic.partitions {
                encode_partition(partition, out, version)?;
            }
            out.no_tagged_fields();
        }
        if version >= NODE_ENDPOINTS_FROM && !self.node_endpoints.is_empty() {
            out.tagged_fields(1);
            encode_node_endpoints(NODE_ENDPOINTS_TAG, &self.node_endpoints, out)
        } else {
            out.no_tagged_fields();
            Ok(())
        }
    }

    pub(crate) fn decode(cursor: &mut Cursor, version: i16) -> Result<Self, BadBytes> {
        let mut response = Self::refused(ErrorCode::None);
        response.throttle_time_ms = cursor.i32()?;
        if version >= SESSIONS_FROM {
            response.error = ErrorCode::from_code(cursor.i16()?);
            response.session_id = cursor.i32()?;
        }
        let (by_id, flexible) = (version >= TOPIC_IDS_FROM, is_flexible(version));
        let count = cursor.array(TopicRef::bytes_min(by_id, flexible) + 1)?;
        for _ in 0..count {
            let topic = TopicRef::decode(cursor, by_id)?;
            let count = cursor.array(23)?;
            let mut partitions = Vec::with_capacity(count);
            for _ in 0..count {
                partitions.push(decode_partition(cursor, version)?);
            }
            cursor.skip_tagged_fields()?;
            response.topics.push(FetchTopicResponse { topic, partitions });
        }
        cursor.tagged_fields(|tag, value| match tag {
            NODE_ENDPOINTS_TAG if version >= NODE_ENDPOINTS_FROM => {
                response.node_endpoints = decode_node_endpoints(value)?;
                Ok(true)
            }
            _ => Ok(false),
        })?;
        Ok(response)
    }
}

impl FetchPartitionResponse {
    /// A partition with nothing but an error, as Kafka's `FetchResponse.partitionResponse`.
    pub fn refused(partition: i32, error: ErrorCode) -> Self {
        Self {
            partition,
            error,
            high_watermark: Offset::new(-1),
            last_stable_offset: Offset::new(-1),
            log_start_offset: Offset::new(-1),
            diverging_epoch: None,
            current_leader: None,
            snapshot_id: None,
            aborted_transactions: None,
            preferred_read_replica: BrokerId::NONE,
            records: Vec::new(),
            records_elsewhere: 0,
        }
    }

    /// Bytes of the records, wherever they are.
    pub fn records_len(&self) -> usize {
        self.records.iter().map(Bytes::len).sum::<usize>() + self.records_elsewhere
    }
}

fn encode_partition(from: &FetchPartitionResponse, out: &mut Out, version: i16) -> Result<(), EncodeError> {
    out.i32(from.partition);
    out.i16(match from.error {
        ErrorCode::KafkaStorageError if version < STORAGE_ERROR_FROM => ErrorCode::NotLeaderOrFollower.code(),
        error => error.code(),
    });
    out.i64(from.high_watermark.value());
    out.i64(from.last_stable_offset.value());
    if version >= LOG_START_OFFSET_FROM {
        out.i64(from.log_start_offset.value());
    }
    let aborted = from.aborted_transactions.as_deref();
    out.nullable_array(aborted.map(<[_]>::len))?;
    for transaction in aborted.unwrap_or_default() {
        out.i64(transaction.producer_id.value());
        out.i64(transaction.first_offset.value());
        out.no_tagged_fields();
    }
    if version >= PREFERRED_REPLICA_FROM {
        out.i32(from.preferred_read_replica.value());
    }
    out.records_and_gap(&from.records, from.records_elsewhere)?;
    encode_tagged(from, out)
}

fn encode_tagged(from: &FetchPartitionResponse, out: &mut Out) -> Result<(), EncodeError> {
    if !out.is_flexible() {
        return Ok(());
    }
    let count = [from.diverging_epoch.is_some(), from.current_leader.is_some(), from.snapshot_id.is_some()];
    out.tagged_fields(count.into_iter().map(usize::from).sum());
    if let Some(diverging) = from.diverging_epoch {
        out.tagged_field(DIVERGING_EPOCH_TAG, |out| {
            out.i32(diverging.epoch.value());
            out.i64(diverging.end_offset.value());
            out.no_tagged_fields();
            Ok(())
        })?;
    }
    if let Some(leader) = from.current_leader {
        encode_current_leader(CURRENT_LEADER_TAG, leader, out)?;
    }
    if let Some(snapshot) = from.snapshot_id {
        out.tagged_field(SNAPSHOT_ID_TAG, |out| {
            out.i64(snapshot.end_offset.value());
            out.i32(snapshot.epoch.value());
            out.no_tagged_fields();
            Ok(())
        })?;
    }
    Ok(())
}

fn decode_partition(cursor: &mut Cursor, version: i16) -> Result<FetchPartitionResponse, BadBytes> {
    let mut partition = FetchPartitionResponse::refused(cursor.i32()?, ErrorCode::from_code(cursor.i16()?));
    partition.high_watermark = Offset::new(cursor.i64()?);
    partition.last_stable_offset = Offset::new(cursor.i64()?);
    if version >= LOG_START_OFFSET_FROM {
        partition.log_start_offset = Offset::new(cursor.i64()?);
    }
    if let Some(count) = cursor.nullable_array(16)? {
        let mut aborted = Vec::with_capacity(count);
        for _ in 0..count {
            aborted.push(AbortedTransaction {
                producer_id: ProducerId::new(cursor.i64()?),
                first_offset: Offset::new(cursor.i64()?),
            });
            cursor.skip_tagged_fields()?;
        }
        partition.aborted_transactions = Some(aborted);
    }
    if version >= PREFERRED_REPLICA_FROM {
        partition.preferred_read_replica = BrokerId::new(cursor.i32()?);
    }
    partition.records = cursor.nullable_bytes()?.into_iter().filter(|r| !r.is_empty()).collect();
    cursor.tagged_fields(|tag, value| match tag {
        DIVERGING_EPOCH_TAG => {
            partition.diverging_epoch = Some(EpochEndOffset {
                epoch: LeaderEpoch::new(value.i32()?),
                end_offset: Offset::new(value.i64()?),
            });
            value.skip_tagged_fields()?;
            Ok(true)
        }
        CURRENT_LEADER_TAG => {
            partition.current_leader = Some(decode_current_leader(value)?);
            Ok(true)
        }
        SNAPSHOT_ID_TAG => {
            partition.snapshot_id = Some(SnapshotId {
                end_offset: Offset::new(value.i64()?),
                epoch: LeaderEpoch::new(value.i32()?),
            });
            value.skip_tagged_fields()?;
            Ok(true)
        }
        _ => Ok(false),
    })?;
    Ok(partition)
}
