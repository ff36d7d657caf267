//! Keys and values to records: every version that Kafka ever wrote.

use super::{
    Assignment, ClassicGroupValue, ClassicMemberMetadata, ClassicMemberValue, ConsumerGroupValue,
    CurrentAssignmentValue, MemberKey, MemberValue, OffsetKey, OffsetValue, Record, RegularExpressionKey,
    RegularExpressionValue, key,
};
use bytes::Bytes;
use model::TopicId;
use model::codec::{ReadError, Reader, TaggedField};

/// Why a record of `__consumer_offsets` could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The key's bytes are not what its type says.
    #[error("the key of a record of type {key_type} cannot be read: {source}")]
    Key {
        /// The key's type, -1 when not even that could be read.
        key_type: i16,
        /// What was wrong.
        source: ReadError,
    },
    /// The value's bytes are not what its version says.
    #[error("the value (version {version}) of a record of type {key_type} cannot be read: {source}")]
    Value {
        /// The key's type.
        key_type: i16,
        /// The value's version, -1 when not even that could be read.
        version: i16,
        /// What was wrong.
        source: ReadError,
    },
    /// The value is of a version later than this release knows.
    #[error("a record of type {key_type} has version {version}, which is not known here")]
    Version {
        /// The key's type.
        key_type: i16,
        /// The value's version.
        version: i16,
    },
    /// A text of more bytes than the format can hold.
    #[error("a record of type {key_type} cannot hold a text of {bytes} bytes")]
    TooLong {
        /// The key's type.
        key_type: i16,
        /// The text's length.
        bytes: usize,
    },
}

/// What a key and a value mean.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "one at a time, on its way to the replay")]
pub enum Decoded {
    /// A record that the coordinator replays.
    Record(Record),
    /// A key type that is not served here (share groups, streams groups, later releases): replay skips it, as Kafka does
    /// with types that it does not know.
    Unknown(i16),
}

impl Record {
    /// Reads a record of the log; no value is a tombstone. What later minor versions append (tagged fields, trailing
    /// bytes) is skipped.
    pub fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<Decoded, RecordError> {
        let mut key = Reader::new(key.clone());
        let key_type = key.i16().map_err(|source| RecordError::Key { key_type: -1, source })?;
        let named = match name(key_type, &mut key) {
            Ok(Some(named)) => named,
            Ok(None) => return Ok(Decoded::Unknown(key_type)),
            Err(source) => return Err(RecordError::Key { key_type, source }),
        };
        let Some(whole) = value else {
            return Ok(Decoded::Record(named.tombstone()));
        };
        let mut left = Reader::new(whole.clone());
        let version = left.i16().map_err(|source| RecordError::Value { key_type, version: -1, source })?;
        if !(0..=version_max(key_type)).contains(&version) {
            return Err(RecordError::Version { key_type, version });
        }
        let record = named.with_value(whole, version, &mut left);
        record.map(Decoded::Record).map_err(|source| RecordError::Value { key_type, version, source })
    }
}

/// A key of a type that is known here.
enum Named {
    Offset(OffsetKey),
    ClassicGroup(String),
    ConsumerGroup(String),
    PartitionMetadata(String),
    Member(MemberKey),
    TargetEpoch(String),
    TargetMember(MemberKey),
    CurrentAssignment(MemberKey),
    RegularExpression(RegularExpressionKey),
}

impl Named {
    fn tombstone(self) -> Record {
        match self {
            Self::Offset(key) => Record::Offset(key, None),
            Self::ClassicGroup(group_id) => Record::ClassicGroup(group_id, None),
            Self::ConsumerGroup(group_id) => Record::ConsumerGroup(group_id, None),
            Self::PartitionMetadata(group_id) => Record::PartitionMetadata(group_id, None),
            Self::Member(key) => Record::Member(key, None),
            Self::TargetEpoch(group_id) => Record::TargetEpoch(group_id, None),
            Self::TargetMember(key) => Record::TargetMember(key, None),
            Self::CurrentAssignment(key) => Record::CurrentAssignment(key, None),
            Self::RegularExpression(key) => Record::RegularExpression(key, None),
        }
    }

    fn with_value(self, whole: &Bytes, version: i16, left: &mut Reader) -> Result<Record, ReadError> {
        Ok(match self {
            Self::Offset(key) => Record::Offset(key, Some(offset(version, left)?)),
            Self::ClassicGroup(group_id) => {
                Record::ClassicGroup(group_id, Some(classic_group(version, left)?))
            }
            Self::ConsumerGroup(group_id) => Record::ConsumerGroup(group_id, Some(consumer_group(left)?)),
            Self::PartitionMetadata(group_id) => Record::PartitionMetadata(group_id, Some(whole.clone())),
            Self::Member(key) => Record::Member(key, Some(member(left)?)),
            Self::TargetEpoch(group_id) => Record::TargetEpoch(group_id, Some(flexible(left, Reader::i32)?)),
            Self::TargetMember(key) => Record::TargetMember(key, Some(flexible(left, assignment)?)),
            Self::CurrentAssignment(key) => {
                Record::CurrentAssignment(key, Some(flexible(left, current_assignment)?))
            }
            Self::RegularExpression(key) => {
                Record::RegularExpression(key, Some(flexible(left, regular_expression)?))
            }
        })
    }
}

fn name(key_type: i16, left: &mut Reader) -> Result<Option<Named>, ReadError> {
    Ok(Some(match key_type {
        key::LEGACY_OFFSET | key::OFFSET => Named::Offset(OffsetKey {
            group_id: left.string()?,
            topic: left.string()?,
            partition: left.i32()?,
        }),
        key::CLASSIC_GROUP => Named::ClassicGroup(left.string()?),
        key::CONSUMER_GROUP => Named::ConsumerGroup(left.string()?),
        key::PARTITION_METADATA => Named::PartitionMetadata(left.string()?),
        key::MEMBER => Named::Member(member_key(left)?),
        key::TARGET_EPOCH => Named::TargetEpoch(left.string()?),
        key::TARGET_MEMBER => Named::TargetMember(member_key(left)?),
        key::CURRENT_ASSIGNMENT => Named::CurrentAssignment(member_key(left)?),
        key::REGULAR_EXPRESSION => {
            Named::RegularExpression(RegularExpressionKey { group_id: left.string()?, regex: left.string()? })
        }
        _ => return Ok(None),
    }))
}

/// The latest value version per key type.
fn version_max(key_type: i16) -> i16 {
    match key_type {
        key::OFFSET | key::CLASSIC_GROUP => 4,
        _ => 0,
    }
}

fn member_key(left: &mut Reader) -> Result<MemberKey, ReadError> {
    Ok(MemberKey { group_id: left.string()?, member_id: left.string()? })
}

/// `OffsetCommitValue`: 1 alone has the expiry, 3 brought the leader epoch (KIP-320), 4 is flexible and brought the
/// topic id (KIP-848). `LegacyOffsetCommitValue` 0 has the fields of 0.
fn offset(version: i16, left: &mut Reader) -> Result<OffsetValue, ReadError> {
    let is_flexible = version >= 4;
    let mut value = OffsetValue {
        offset: left.i64()?,
        leader_epoch: if version >= 3 { left.i32()? } else { -1 },
        metadata: if is_flexible { left.compact_string()? } else { left.string()? },
        commit_timestamp_ms: left.i64()?,
        expire_timestamp_ms: if version == 1 { left.i64()? } else { -1 },
        topic_id: None,
    };
    if is_flexible && let Some(id) = tagged(left.tagged_fields()?, 0) {
        value.topic_id = Some(TopicId::new(id.clone().uuid()?)).filter(|id| !id.is_zero());
    }
    Ok(value)
}

/// `GroupMetadataValue`: 1 brought rebalance timeouts, 2 the state's timestamp, 3 instance ids, 4 is flexible.
fn classic_group(version: i16, left: &mut Reader) -> Result<ClassicGroupValue, ReadError> {
    let is_flexible = version >= 4;
    let mut value = ClassicGroupValue {
        protocol_type: if is_flexible { left.compact_string()? } else { left.string()? },
        generation: left.i32()?,
        protocol: nullable_string(is_flexible, left)?,
        leader: nullable_string(is_flexible, left)?,
        state_timestamp_ms: if version >= 2 { left.i64()? } else { -1 },
        members: Vec::new(),
    };
    let count = if is_flexible { left.compact_array_len()? } else { left.array_len()? };
    for _ in 0..count.ok_or(ReadError::Length(-1))? {
        value.members.push(classic_member(version, left)?);
    }
    if is_flexible {
        left.tagged_fields()?;
    }
    Ok(value)
}

fn classic_member(version: i16, left: &mut Reader) -> Result<ClassicMemberValue, ReadError> {
    let is_flexible = version >= 4;
    let string = |left: &mut Reader| if is_flexible { left.compact_string() } else { left.string() };
    let bytes = |left: &mut Reader| {
        let bytes = if is_flexible { left.compact_nullable_bytes()? } else { left.nullable_bytes()? };
        bytes.ok_or(ReadError::Length(-1))
    };
    let member = ClassicMemberValue {
        member_id: string(left)?,
        instance_id: if version >= 3 { nullable_string(is_flexible, left)? } else { None },
        client_id: string(left)?,
        client_host: string(left)?,
        rebalance_timeout_ms: if version >= 1 { left.i32()? } else { -1 },
        session_timeout_ms: left.i32()?,
        subscription: bytes(left)?,
        assignment: bytes(left)?,
    };
    if is_flexible {
        left.tagged_fields()?;
    }
    Ok(member)
}

fn nullable_string(is_flexible: bool, left: &mut Reader) -> Result<Option<String>, ReadError> {
    if is_flexible { left.compact_nullable_string() } else { left.nullable_string() }
}

fn consumer_group(left: &mut Reader) -> Result<ConsumerGroupValue, ReadError> {
    let epoch = left.i32()?;
    let metadata_hash = match tagged(left.tagged_fields()?, 0) {
        Some(mut hash) => hash.i64()?,
        None => 0,
    };
    Ok(ConsumerGroupValue { epoch, metadata_hash })
}

fn member(left: &mut Reader) -> Result<MemberValue, ReadError> {
    let mut value = MemberValue {
        instance_id: left.compact_nullable_string()?,
        rack_id: left.compact_nullable_string()?,
        client_id: left.compact_string()?,
        client_host: left.compact_string()?,
        subscribed_topics: strings(left)?,
        subscribed_regex: left.compact_nullable_string()?,
        rebalance_timeout_ms: left.i32()?,
        server_assignor: left.compact_nullable_string()?,
        classic: None,
    };
    value.classic = match tagged(left.tagged_fields()?, 0) {
        Some(mut classic) => classic_metadata(&mut classic)?,
        None => Some(ClassicMemberMetadata::default()),
    };
    Ok(value)
}

/// A tagged structure starts with 0 for null. Its default is an empty structure: that is what a value without the tag
/// means, and a null is always written out.
fn classic_metadata(left: &mut Reader) -> Result<Option<ClassicMemberMetadata>, ReadError> {
    if left.unsigned_varint()? == 0 {
        return Ok(None);
    }
    let session_timeout_ms = left.i32()?;
    let protocols = array(left, |left| {
        let metadata = |left: &mut Reader| left.compact_nullable_bytes()?.ok_or(ReadError::Length(-1));
        flexible(left, |left| Ok((left.compact_string()?, metadata(left)?)))
    })?;
    left.tagged_fields()?;
    Ok(Some(ClassicMemberMetadata { session_timeout_ms, protocols }))
}

fn current_assignment(left: &mut Reader) -> Result<CurrentAssignmentValue, ReadError> {
    Ok(CurrentAssignmentValue {
        member_epoch: left.i32()?,
        previous_member_epoch: left.i32()?,
        state: left.i8()?,
        assigned: assignment(left)?,
        pending_revocation: assignment(left)?,
    })
}

fn regular_expression(left: &mut Reader) -> Result<RegularExpressionValue, ReadError> {
    Ok(RegularExpressionValue { topics: strings(left)?, version: left.i64()?, timestamp_ms: left.i64()? })
}

/// Kafka writes topics and partitions in the order of its hash maps; here they are sorted.
fn assignment(left: &mut Reader) -> Result<Assignment, ReadError> {
    let topics = array(left, |left| {
        flexible(left, |left| Ok((TopicId::new(left.uuid()?), array(left, Reader::i32)?)))
    })?;
    let mut assignment = Assignment::new();
    for (topic, partitions) in topics {
        assignment.entry(topic).or_default().extend(partitions);
    }
    for partitions in assignment.values_mut() {
        partitions.sort_unstable();
        partitions.dedup();
    }
    Ok(assignment)
}

fn strings(left: &mut Reader) -> Result<Vec<String>, ReadError> {
    array(left, Reader::compact_string)
}

/// An array that may not be null. It grows as its elements are read: a count alone takes no memory.
fn array<T>(
    left: &mut Reader,
    mut element: impl FnMut(&mut Reader) -> Result<T, ReadError>,
) -> Result<Vec<T>, ReadError> {
    let count = left.compact_array_len()?.ok_or(ReadError::Length(-1))?;
    let mut elements = Vec::new();
    for _ in 0..count {
        elements.push(element(left)?);
    }
    Ok(elements)
}

/// A structure without tagged fields that are known here.
fn flexible<T>(
    left: &mut Reader,
    fields: impl FnOnce(&mut Reader) -> Result<T, ReadError>,
) -> Result<T, ReadError> {
    let value = fields(left)?;
    left.tagged_fields()?;
    Ok(value)
}

fn tagged(fields: Vec<TaggedField>, tag: u32) -> Option<Reader> {
    let field = fields.into_iter().find(|field| field.tag == tag)?;
    Some(Reader::new(field.value))
}
