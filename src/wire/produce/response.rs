use kafka_protocol::protocol::StrBytes;
use model::{BrokerId, ErrorCode, LeaderEpoch, Offset};

use super::{TOPIC_IDS_FROM, is_flexible};
use crate::cursor::Cursor;
use crate::error::{BadBytes, EncodeError};
use crate::out::Out;
use crate::topic_ref::TopicRef;

const LOG_START_OFFSET_FROM: i16 = 5;
const RECORD_ERRORS_FROM: i16 = 8;
/// Current leaders and their addresses come with the error (KIP-951).
const LEADERS_FROM: i16 = 10;
const CURRENT_LEADER_TAG: u32 = 0;
const NODE_ENDPOINTS_TAG: u32 = 0;

/// What became of a Produce request. Fields that the request's version lacks are left out when it is encoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProduceResponse {
    /// The topics, as the request referred to them.
    pub topics: Vec<ProduceTopicResponse>,
    /// Milliseconds the client shall pause.
    pub throttle_time_ms: i32,
    /// Addresses of the leaders named in the partitions.
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// What became of one topic's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProduceTopicResponse {
    /// The topic, as the request referred to it.
    pub topic: TopicRef,
    /// Its partitions.
    pub partitions: Vec<ProducePartitionResponse>,
}

/// What became of one partition's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducePartitionResponse {
    /// The partition.
    pub partition: i32,
    /// The outcome.
    pub error: ErrorCode,
    /// Offset of the first record, -1 with an error.
    pub base_offset: Offset,
    /// Milliseconds of the append on a topic of `LogAppendTime`, else -1.
    pub log_append_time_ms: i64,
    /// The log's first offset, -1 when unknown.
    pub log_start_offset: Offset,
    /// The records that made the batch fail.
    pub record_errors: Vec<RecordError>,
    /// What they have in common.
    pub error_message: Option<StrBytes>,
    /// Who leads the partition, with `NOT_LEADER_OR_FOLLOWER`.
    pub current_leader: Option<LeaderIdAndEpoch>,
}

/// One record that made its batch fail (KIP-467).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// Index of the record in its batch.
    pub batch_index: i32,
    /// What is wrong with it.
    pub message: Option<StrBytes>,
}

/// A partition's leader (KIP-951, KIP-595).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaderIdAndEpoch {
    /// The leader, or [`BrokerId::NONE`].
    pub leader_id: BrokerId,
    /// Its epoch, or [`LeaderEpoch::NONE`].
    pub leader_epoch: LeaderEpoch,
}

/// Address of a broker (KIP-951).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeEndpoint {
    /// The broker.
    pub node_id: BrokerId,
    /// Its host name or address.
    pub host: StrBytes,
    /// Its port.
    pub port: i32,
    /// Its rack, if it has one.
    pub rack: Option<StrBytes>,
}

impl ProducePartitionResponse {
    /// A partition whose records were refused.
    pub fn refused(partition: i32, error: ErrorCode) -> Self {
        Self {
            partition,
            error,
            base_offset: Offset::new(-1),
            log_append_time_ms: -1,
            log_start_offset: Offset::new(-1),
            record_errors: Vec::new(),
            error_message: None,
            current_leader: None,
        }
    }
}

impl ProduceResponse {
    pub(crate) fn size_hint(&self) -> usize {
        let topics = self.topics.iter();
        64 + topics.map(|t| 32 + t.topic.name().map_or(0, str::len) + 40 * t.partitions.len()).sum::<usize>()
    }

    pub(crate) fn encode(&self, out: &mut Out, version: i16) -> Result<(), EncodeError> {
        out.array(self.topics.len())?;
        for topic in &self.topics {
            topic.topic.encode(out, version >= TOPIC_IDS_FROM, version)?;
            out.array(topic.partitions.len())?;
            for partition in &topic.partitions {
                encode_partition(partition, out, version)?;
            }
            out.no_tagged_fields();
        }
        out.i32(self.throttle_time_ms);
        if version >= LEADERS_FROM && !self.node_endpoints.is_empty() {
            out.tagged_fields(1);
            encode_node_endpoints(NODE_ENDPOINTS_TAG, &self.node_endpoints, out)?;
        } else {
            out.no_tagged_fields();
        }
        Ok(())
    }

    pub(crate) fn decode(cursor: &mut Cursor, version: i16) -> Result<Self, BadBytes> {
        let (by_id, flexible) = (version >= TOPIC_IDS_FROM, is_flexible(version));
        let count = cursor.array(TopicRef::bytes_min(by_id, flexible) + 1)?;
        let mut topics = Vec::with_capacity(count);
        for _ in 0..count {
            let topic = TopicRef::decode(cursor, by_id)?;
            let count = cursor.array(22)?;
            let mut partitions = Vec::with_capacity(count);
            for _ in 0..count {
                partitions.push(decode_partition(cursor, version)?);
            }
            cursor.skip_tagged_fields()?;
            topics.push(ProduceTopicResponse { topic, partitions });
        }
        let throttle_time_ms = cursor.i32()?;
        let mut node_endpoints = Vec::new();
        cursor.tagged_fields(|tag, value| match tag {
            NODE_ENDPOINTS_TAG if version >= LEADERS_FROM => {
                node_endpoints = decode_node_endpoints(value)?;
                Ok(true)
            }
            _ => Ok(false),
        })?;
        Ok(Self { topics, throttle_time_ms, node_endpoints })
    }
}

fn encode_partition(from: &ProducePartitionResponse, out: &mut Out, version: i16) -> Result<(), EncodeError> {
    out.i32(from.partition);
    out.i16(from.error.code());
    out.i64(from.base_offset.value());
    out.i64(from.log_append_time_ms);
    if version >= LOG_START_OFFSET_FROM {
        out.i64(from.log_start_offset.value());
    }
    if version >= RECORD_ERRORS_FROM {
        out.array(from.record_errors.len())?;
        for error in &from.record_errors {
            out.i32(error.batch_index);
            out.nullable_string(error.message.as_deref())?;
            out.no_tagged_fields();
        }
        out.nullable_string(from.error_message.as_deref())?;
    }
    match from.current_leader {
        Some(leader) if version >= LEADERS_FROM => {
            out.tagged_fields(1);
            encode_current_leader(CURRENT_LEADER_TAG, leader, out)
        }
        _ => {
            out.no_tagged_fields();
            Ok(())
        }
    }
}

fn decode_partition(cursor: &mut Cursor, version: i16) -> Result<ProducePartitionResponse, BadBytes> {
    let mut partition = ProducePartitionResponse::refused(cursor.i32()?, ErrorCode::from_code(cursor.i16()?));
    partition.base_offset = Offset::new(cursor.i64()?);
    partition.log_append_time_ms = cursor.i64()?;
    if version >= LOG_START_OFFSET_FROM {
        partition.log_start_offset = Offset::new(cursor.i64()?);
    }
    if version >= RECORD_ERRORS_FROM {
        for _ in 0..cursor.array(5)? {
            partition
                .record_errors
                .push(RecordError { batch_index: cursor.i32()?, message: cursor.nullable_string()? });
            cursor.skip_tagged_fields()?;
        }
        partition.error_message = cursor.nullable_string()?;
    }
    cursor.tagged_fields(|tag, value| match tag {
        CURRENT_LEADER_TAG if version >= LEADERS_FROM => {
            partition.current_leader = Some(decode_current_leader(value)?);
            Ok(true)
        }
        _ => Ok(false),
    })?;
    Ok(partition)
}

pub(crate) fn encode_current_leader(
    tag: u32,
    leader: LeaderIdAndEpoch,
    out: &mut Out,
) -> Result<(), EncodeError> {
    out.tagged_field(tag, |out| {
        out.i32(leader.leader_id.value());
        out.i32(leader.leader_epoch.value());
        out.no_tagged_fields();
        Ok(())
    })
}

pub(crate) fn decode_current_leader(cursor: &mut Cursor) -> Result<LeaderIdAndEpoch, BadBytes> {
    let leader = LeaderIdAndEpoch {
        leader_id: BrokerId::new(cursor.i32()?),
        leader_epoch: LeaderEpoch::new(cursor.i32()?),
    };
    cursor.skip_tagged_fields()?;
    Ok(leader)
}

pub(crate) fn encode_node_endpoints(
    tag: u32,
    nodes: &[NodeEndpoint],
    out: &mut Out,
) -> Result<(), EncodeError> {
    out.tagged_field(tag, |out| {
        out.array(nodes.len())?;
        for node in nodes {
            out.i32(node.node_id.value());
            out.string(&node.host)?;
            out.i32(node.port);
            out.nullable_string(node.rack.as_deref())?;
            out.no_tagged_fields();
        }
        Ok(())
    })
}

pub(crate) fn decode_node_endpoints(cursor: &mut Cursor) -> Result<Vec<NodeEndpoint>, BadBytes> {
    let count = cursor.array(11)?;
    let mut nodes = Vec::with_capacity(count);
    for _ in 0..count {
        nodes.push(NodeEndpoint {
            node_id: BrokerId::new(cursor.i32()?),
            host: cursor.string()?,
            port: cursor.i32()?,
            rack: cursor.nullable_string()?,
        });
        cursor.skip_tagged_fields()?;
    }
    Ok(nodes)
}
