use kafka_protocol::protocol::StrBytes;
use model::{BrokerId, LeaderEpoch, Offset};
use uuid::Uuid;

use super::{LOG_START_OFFSET_FROM, PREFERRED_REPLICA_FROM, SESSIONS_FROM, TOPIC_IDS_FROM, is_flexible};
use crate::cursor::Cursor;
use crate::error::{BadBytes, EncodeError};
use crate::out::Out;
use crate::topic_ref::TopicRef;

/// The follower's epoch and log divergence (KIP-595).
const LAST_FETCHED_EPOCH_FROM: i16 = 12;
const CURRENT_LEADER_EPOCH_FROM: i16 = 9;
/// The replica id moves into a tagged field and gets an epoch (KIP-903).
const REPLICA_STATE_FROM: i16 = 15;
const LEADER_FROM: i16 = 16;
const REPLICA_DIRECTORY_FROM: i16 = 17;
const HIGH_WATERMARK_FROM: i16 = 18;

const CLUSTER_ID_TAG: u32 = 0;
const REPLICA_STATE_TAG: u32 = 1;
const REPLICA_DIRECTORY_TAG: u32 = 0;
const HIGH_WATERMARK_TAG: u32 = 1;

/// What a consumer or follower wants to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRequest {
    /// The cluster the sender believes in (controllers only).
    pub cluster_id: Option<StrBytes>,
    /// The follower, or [`BrokerId::NONE`] for a consumer.
    pub replica_id: BrokerId,
    /// Epoch of the follower's registration, or -1.
    pub replica_epoch: i64,
    /// Milliseconds to wait for `min_bytes`.
    pub max_wait_ms: i32,
    /// Bytes to wait for.
    pub min_bytes: i32,
    /// Most bytes of the whole answer; the first batch comes in any case (KIP-74).
    pub max_bytes: i32,
    /// What transactional records are visible; see [`FetchRequest::isolation`].
    pub isolation_level: i8,
    /// The session, 0 for none.
    pub session_id: i32,
    /// Order of the request in its session; -1 closes the session or does without, 0 opens one.
    pub session_epoch: i32,
    /// The partitions to read, or in a session the ones that are new or changed.
    pub topics: Vec<FetchTopic>,
    /// The partitions that leave the session.
    pub forgotten_topics: Vec<ForgottenTopic>,
    /// The consumer's rack, empty for none.
    pub rack_id: StrBytes,
    /// Whether the request's version refers to topics by id, also where it lists none.
    pub wants_topic_ids: bool,
    /// Whether the client can be sent to another replica (KIP-392).
    pub accepts_preferred_replica: bool,
    /// Whether the client is told the leader with an error that is about it (KIP-951).
    pub accepts_leader: bool,
}

/// What transactional records a reader sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsolationLevel {
    /// All below the high watermark.
    ReadUncommitted,
    /// Those below the last stable offset, with the list of aborted transactions.
    ReadCommitted,
}

/// What to read of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchTopic {
    /// The topic.
    pub topic: TopicRef,
    /// Its partitions, in the order in which bytes are to be spent on them.
    pub partitions: Vec<FetchPartition>,
}

/// What to read of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchPartition {
    /// The partition.
    pub partition: i32,
    /// The leader epoch the reader knows, or [`LeaderEpoch::NONE`]; another one is fenced (KIP-320).
    pub current_leader_epoch: LeaderEpoch,
    /// The first offset to read.
    pub fetch_offset: Offset,
    /// Epoch of the last record the reader has, or [`LeaderEpoch::NONE`]; divergence is found by it.
    pub last_fetched_epoch: LeaderEpoch,
    /// The follower's first offset, -1 from a consumer.
    pub log_start_offset: Offset,
    /// Most bytes from this partition; the first batch of the answer comes in any case.
    pub partition_max_bytes: i32,
    /// Directory of the follower's replica, or zero (KIP-853).
    pub replica_directory_id: Uuid,
    /// The high watermark the follower knows; `i64::MAX` from one that does not say (KIP-1166).
    pub high_watermark: i64,
}

/// Partitions of one topic that leave the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgottenTopic {
    /// The topic.
    pub topic: TopicRef,
    /// Its partitions.
    pub partitions: Vec<i32>,
}

impl FetchRequest {
    /// What transactional records are visible; `None` for a level that Kafka does not have.
    pub fn isolation(&self) -> Option<IsolationLevel> {
        IsolationLevel::from_code(self.isolation_level)
    }

    /// Whether a follower asks, not a consumer.
    pub fn is_from_follower(&self) -> bool {
        self.replica_id.value() >= 0
    }

    pub(crate) fn decode(cursor: &mut Cursor, version: i16) -> Result<Self, BadBytes> {
        let mut request = Self {
            wants_topic_ids: version >= TOPIC_IDS_FROM,
            accepts_preferred_replica: version >= PREFERRED_REPLICA_FROM,
            accepts_leader: version >= LEADER_FROM,
            ..Self::default()
        };
        if version < REPLICA_STATE_FROM {
            request.replica_id = BrokerId::new(cursor.i32()?);
        }
        request.max_wait_ms = cursor.i32()?;
        request.min_bytes = cursor.i32()?;
        request.max_bytes = cursor.i32()?;
        request.isolation_level = cursor.i8()?;
        if version >= SESSIONS_FROM {
            request.session_id = cursor.i32()?;
            request.session_epoch = cursor.i32()?;
        }
        request.topics = decode_topics(cursor, version)?;
        if version >= SESSIONS_FROM {
            request.forgotten_topics = decode_forgotten(cursor, version)?;
        }
        if version >= PREFERRED_REPLICA_FROM {
            request.rack_id = cursor.string()?;
        }
        cursor.tagged_fields(|tag, value| match tag {
            CLUSTER_ID_TAG => {
                request.cluster_id = value.nullable_string()?;
                Ok(true)
            }
            REPLICA_STATE_TAG if version >= REPLICA_STATE_FROM => {
                request.replica_id = BrokerId::new(value.i32()?);
                request.replica_epoch = value.i64()?;
                value.skip_tagged_fields()?;
                Ok(true)
            }
            _ => Ok(false),
        })?;
        Ok(request)
    }

    pub(crate) fn size_hint(&self) -> usize {
        let topics = self.topics.iter();
        96 + topics.map(|t| 32 + t.topic.name().map_or(0, str::len) + 64 * t.partitions.len()).sum::<usize>()
    }

    pub(crate) fn encode(&self, out: &mut Out, version: i16) -> Result<(), EncodeError> {
        if version < REPLICA_STATE_FROM {
            out.i32(self.replica_id.value());
        }
        out.i32(self.max_wait_ms);
        out.i32(self.min_bytes);
        out.i32(self.max_bytes);
        out.i8(self.isolation_level);
        if version >= SESSIONS_FROM {
            out.i32(self.session_id);
            out.i32(self.session_epoch);
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
        if version >= SESSIONS_FROM {
            out.array(self.forgotten_topics.len())?;
            for topic in &self.forgotten_topics {
                topic.topic.encode(out, version >= TOPIC_IDS_FROM, version)?;
                out.array(topic.partitions.len())?;
                topic.partitions.iter().for_each(|partition| out.i32(*partition));
                out.no_tagged_fields();
            }
        }
        if version >= PREFERRED_REPLICA_FROM {
            out.string(&self.rack_id)?;
        }
        self.encode_tagged(out, version)
    }

    fn encode_tagged(&self, out: &mut Out, version: i16) -> Result<(), EncodeError> {
        if !out.is_flexible() {
            return Ok(());
        }
        let is_replica = self.replica_id != BrokerId::NONE || self.replica_epoch != -1;
        let has_state = version >= REPLICA_STATE_FROM && is_replica;
        out.tagged_fields(usize::from(self.cluster_id.is_some()) + usize::from(has_state));
        if let Some(cluster_id) = &self.cluster_id {
            out.tagged_field(CLUSTER_ID_TAG, |out| out.string(cluster_id))?;
        }
        if has_state {
            out.tagged_field(REPLICA_STATE_TAG, |out| {
                out.i32(self.replica_id.value());
                out.i64(self.replica_epoch);
                out.no_tagged_fields();
                Ok(())
            })?;
        }
        Ok(())
    }
}

impl Default for FetchRequest {
    /// A consumer's request without session, in the newest version.
    fn default() -> Self {
        Self {
            cluster_id: None,
            replica_id: BrokerId::NONE,
            replica_epoch: -1,
            max_wait_ms: 0,
            min_bytes: 0,
            max_bytes: i32::MAX,
            isolation_level: 0,
            session_id: 0,
            session_epoch: -1,
            topics: Vec::new(),
            forgotten_topics: Vec::new(),
            rack_id: StrBytes::new(),
            wants_topic_ids: true,
            accepts_preferred_replica: true,
            accepts_leader: true,
        }
    }
}

impl FetchPartition {
    /// A consumer's wish for records from `fetch_offset` on.
    pub fn new(partition: i32, fetch_offset: Offset, partition_max_bytes: i32) -> Self {
        Self {
            partition,
            current_leader_epoch: LeaderEpoch::NONE,
            fetch_offset,
            last_fetched_epoch: LeaderEpoch::NONE,
            log_start_offset: Offset::new(-1),
            partition_max_bytes,
            replica_directory_id: Uuid::nil(),
            high_watermark: i64::MAX,
        }
    }
}

impl IsolationLevel {
    /// The level of a number on the wire.
    pub fn from_code(code: i8) -> Option<Self> {
        match code {
            0 => Some(Self::ReadUncommitted),
            1 => Some(Self::ReadCommitted),
            _ => None,
        }
    }

    /// The number on the wire.
    pub const fn code(self) -> i8 {
        match self {
            Self::ReadUncommitted => 0,
            Self::ReadCommitted => 1,
        }
    }
}

fn decode_topics(cursor: &mut Cursor, version: i16) -> Result<Vec<FetchTopic>, BadBytes> {
    let (by_id, flexible) = (version >= TOPIC_IDS_FROM, is_flexible(version));
    let count = cursor.array(TopicRef::bytes_min(by_id, flexible) + if flexible { 2 } else { 4 })?;
    let mut topics = Vec::with_capacity(count);
    for _ in 0..count {
        let topic = TopicRef::decode(cursor, by_id)?;
        // Partition, offset and size limit stand in every version.
        let count = cursor.array(16)?;
        let mut partitions = Vec::with_capacity(count);
        for _ in 0..count {
            partitions.push(decode_partition(cursor, version)?);
        }
        cursor.skip_tagged_fields()?;
        topics.push(FetchTopic { topic, partitions });
    }
    Ok(topics)
}

fn decode_partition(cursor: &mut Cursor, version: i16) -> Result<FetchPartition, BadBytes> {
    let mut partition = FetchPartition::new(cursor.i32()?, Offset::ZERO, 0);
    if version >= CURRENT_LEADER_EPOCH_FROM {
        partition.current_leader_epoch = LeaderEpoch::new(cursor.i32()?);
    }
    partition.fetch_offset = Offset::new(cursor.i64()?);
    if version >= LAST_FETCHED_EPOCH_FROM {
        partition.last_fetched_epoch = LeaderEpoch::new(cursor.i32()?);
    }
    if version >= LOG_START_OFFSET_FROM {
        partition.log_start_offset = Offset::new(cursor.i64()?);
    }
    partition.partition_max_bytes = cursor.i32()?;
    cursor.tagged_fields(|tag, value| match tag {
        REPLICA_DIRECTORY_TAG if version >= REPLICA_DIRECTORY_FROM => {
            partition.replica_directory_id = value.uuid()?;
            Ok(true)
        }
        HIGH_WATERMARK_TAG if version >= HIGH_WATERMARK_FROM => {
            partition.high_watermark = value.i64()?;
            Ok(true)
        }
        _ => Ok(false),
    })?;
    Ok(partition)
}

fn encode_partition(from: &FetchPartition, out: &mut Out, version: i16) -> Result<(), EncodeError> {
    out.i32(from.partition);
    if version >= CURRENT_LEADER_EPOCH_FROM {
        out.i32(from.current_leader_epoch.value());
    }
    out.i64(from.fetch_offset.value());
    if version >= LAST_FETCHED_EPOCH_FROM {
        out.i32(from.last_fetched_epoch.value());
    }
    if version >= LOG_START_OFFSET_FROM {
        out.i64(from.log_start_offset.value());
    }
    out.i32(from.partition_max_bytes);
    if !out.is_flexible() {
        return Ok(());
    }
    let has_directory = version >= REPLICA_DIRECTORY_FROM && !from.replica_directory_id.is_nil();
    let has_watermark = version >= HIGH_WATERMARK_FROM && from.high_watermark != i64::MAX;
    out.tagged_fields(usize::from(has_directory) + usize::from(has_watermark));
    if has_directory {
        out.tagged_field(REPLICA_DIRECTORY_TAG, |out| {
            out.uuid(from.replica_directory_id);
            Ok(())
        })?;
    }
    if has_watermark {
        out.tagged_field(HIGH_WATERMARK_TAG, |out| {
            out.i64(from.high_watermark);
            Ok(())
        })?;
    }
    Ok(())
}

fn decode_forgotten(cursor: &mut Cursor, version: i16) -> Result<Vec<ForgottenTopic>, BadBytes> {
    let (by_id, flexible) = (version >= TOPIC_IDS_FROM, is_flexible(version));
    let count = cursor.array(TopicRef::bytes_min(by_id, flexible) + if flexible { 2 } else { 4 })?;
    let mut topics = Vec::with_capacity(count);
    for _ in 0..count {
        let topic = TopicRef::decode(cursor, by_id)?;
        let count = cursor.array(4)?;
        let mut partitions = Vec::with_capacity(count);
        for _ in 0..count {
            partitions.push(cursor.i32()?);
        }
        cursor.skip_tagged_fields()?;
        topics.push(ForgottenTopic { topic, partitions });
    }
    Ok(topics)
}
