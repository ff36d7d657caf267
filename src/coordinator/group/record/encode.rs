//! Records to keys and values: the versions that Kafka 4.1 writes (`GroupCoordinatorRecordHelpers`).

use super::{
    Assignment, ClassicGroupValue, ClassicMemberMetadata, ConsumerGroupValue, CurrentAssignmentValue,
    MemberKey, MemberValue, OffsetValue, Record, RecordError, RegularExpressionValue, key,
};
use bytes::Bytes;
use model::codec::{TaggedField, Writer};

impl Record {
    /// The key and the value to append; no value for a tombstone. Fails only for texts that the format cannot hold.
    pub fn encode(&self) -> Result<(Bytes, Option<Bytes>), RecordError> {
        let mut key = Out::with_capacity(self.key_type(), self.key_bytes());
        let value = match self {
            Self::Offset(name, value) => {
                key.string(&name.group_id)?;
                key.string(&name.topic)?;
                key.writer.i32(name.partition);
                value.as_ref().map(offset).transpose()?
            }
            Self::ClassicGroup(group_id, value) => {
                key.string(group_id)?;
                value.as_ref().map(classic_group).transpose()?
            }
            Self::ConsumerGroup(group_id, value) => {
                key.string(group_id)?;
                value.as_ref().map(consumer_group)
            }
            Self::PartitionMetadata(group_id, value) => {
                key.string(group_id)?;
                value.clone()
            }
            Self::Member(name, value) => {
                key.member(name)?;
                value.as_ref().map(member)
            }
            Self::TargetEpoch(group_id, value) => {
                key.string(group_id)?;
                value.map(target_epoch)
            }
            Self::TargetMember(name, value) => {
                key.member(name)?;
                value.as_ref().map(target_member)
            }
            Self::CurrentAssignment(name, value) => {
                key.member(name)?;
                value.as_ref().map(current_assignment)
            }
            Self::RegularExpression(name, value) => {
                key.string(&name.group_id)?;
                key.string(&name.regex)?;
                value.as_ref().map(regular_expression)
            }
        };
        Ok((key.writer.freeze(), value))
    }

    /// How long the key is; of those that are written rarely, about.
    fn key_bytes(&self) -> usize {
        match self {
            Self::Offset(name, _) => 2 + (2 + name.group_id.len()) + (2 + name.topic.len()) + 4,
            _ => 64,
        }
    }

    fn key_type(&self) -> i16 {
        match self {
            Self::Offset(..) => key::OFFSET,
            Self::ClassicGroup(..) => key::CLASSIC_GROUP,
            Self::ConsumerGroup(..) => key::CONSUMER_GROUP,
            Self::PartitionMetadata(..) => key::PARTITION_METADATA,
            Self::Member(..) => key::MEMBER,
            Self::TargetEpoch(..) => key::TARGET_EPOCH,
            Self::TargetMember(..) => key::TARGET_MEMBER,
            Self::CurrentAssignment(..) => key::CURRENT_ASSIGNMENT,
            Self::RegularExpression(..) => key::REGULAR_EXPRESSION,
        }
    }
}

/// Versions that are not flexible hold texts of at most 32,767 bytes.
struct Out {
    key_type: i16,
    writer: Writer,
}

impl Out {
    /// A key.
    fn with_capacity(key_type: i16, bytes: usize) -> Self {
        let mut out = Self { key_type, writer: Writer::with_capacity(bytes) };
        out.writer.i16(key_type);
        out
    }

    /// The value of such a key.
    fn value(key_type: i16, version: i16, bytes: usize) -> Self {
        let mut out = Self { key_type, writer: Writer::with_capacity(bytes) };
        out.writer.i16(version);
        out
    }

    fn string(&mut self, text: &str) -> Result<(), RecordError> {
        self.nullable_string(Some(text))
    }

    fn nullable_string(&mut self, text: Option<&str>) -> Result<(), RecordError> {
        let bytes = text.map_or(0, str::len);
        if bytes > i16::MAX as usize {
            return Err(RecordError::TooLong { key_type: self.key_type, bytes });
        }
        self.writer.nullable_string(text);
        Ok(())
    }

    fn member(&mut self, key: &MemberKey) -> Result<(), RecordError> {
        self.string(&key.group_id)?;
        self.string(&key.member_id)
    }
}

/// Version 1 holds the expiry of an old client's commit and nothing that came later; all others are version 4, which is
/// 24 bytes long beside the metadata where neither is long nor a topic id is known.
fn offset(value: &OffsetValue) -> Result<Bytes, RecordError> {
    let has_expiry = value.expire_timestamp_ms != -1;
    let mut out = Out::value(key::OFFSET, if has_expiry { 1 } else { 4 }, 24 + value.metadata.len());
    out.writer.i64(value.offset);
    if has_expiry {
        out.string(&value.metadata)?;
        out.writer.i64(value.commit_timestamp_ms);
        out.writer.i64(value.expire_timestamp_ms);
        return Ok(out.writer.freeze());
    }
    out.writer.i32(value.leader_epoch);
    out.writer.compact_string(&value.metadata);
    out.writer.i64(value.commit_timestamp_ms);
    let topic_id = value.topic_id.filter(|id| !id.is_zero());
    tagged(&mut out.writer, topic_id.map(|id| Bytes::copy_from_slice(id.uuid().as_bytes())));
    Ok(out.writer.freeze())
}

fn classic_group(value: &ClassicGroupValue) -> Result<Bytes, RecordError> {
    let mut out = Out::value(key::CLASSIC_GROUP, 3, 256);
    out.string(&value.protocol_type)?;
    out.writer.i32(value.generation);
    out.nullable_string(value.protocol.as_deref())?;
    out.nullable_string(value.leader.as_deref())?;
    out.writer.i64(value.state_timestamp_ms);
    out.writer.array_len(value.members.len());
    for member in &value.members {
        out.string(&member.member_id)?;
        out.nullable_string(member.instance_id.as_deref())?;
        out.string(&member.client_id)?;
        out.string(&member.client_host)?;
        out.writer.i32(member.rebalance_timeout_ms);
        out.writer.i32(member.session_timeout_ms);
        out.writer.nullable_bytes(Some(&member.subscription));
        out.writer.nullable_bytes(Some(&member.assignment));
    }
    Ok(out.writer.freeze())
}

fn consumer_group(value: &ConsumerGroupValue) -> Bytes {
    let mut writer = flexible();
    writer.i32(value.epoch);
    let hash = (value.metadata_hash != 0).then(|| Bytes::copy_from_slice(&value.metadata_hash.to_be_bytes()));
    tagged(&mut writer, hash);
    writer.freeze()
}

fn member(value: &MemberValue) -> Bytes {
    let mut writer = flexible();
    writer.compact_nullable_string(value.instance_id.as_deref());
    writer.compact_nullable_string(value.rack_id.as_deref());
    writer.compact_string(&value.client_id);
    writer.compact_string(&value.client_host);
    strings(&mut writer, &value.subscribed_topics);
    writer.compact_nullable_string(value.subscribed_regex.as_deref());
    writer.i32(value.rebalance_timeout_ms);
    writer.compact_nullable_string(value.server_assignor.as_deref());
    let classic = match &value.classic {
        None => Some(Bytes::from_static(&[0])),
        Some(classic) if *classic == ClassicMemberMetadata::default() => None,
        Some(classic) => Some(classic_metadata(classic)),
    };
    tagged(&mut writer, classic);
    writer.freeze()
}

/// The field's default is an empty structure, not null: a null is a byte of its own.
fn classic_metadata(value: &ClassicMemberMetadata) -> Bytes {
    let mut writer = Writer::new();
    writer.unsigned_varint(1);
    writer.i32(value.session_timeout_ms);
    writer.compact_array_len(value.protocols.len());
    for (name, metadata) in &value.protocols {
        writer.compact_string(name);
        writer.compact_nullable_bytes(Some(metadata));
        writer.tagged_fields(&[]);
    }
    writer.tagged_fields(&[]);
    writer.freeze()
}

fn target_epoch(epoch: i32) -> Bytes {
    let mut writer = flexible();
    writer.i32(epoch);
    writer.tagged_fields(&[]);
    writer.freeze()
}

fn target_member(target: &Assignment) -> Bytes {
    let mut writer = flexible();
    assignment(&mut writer, target);
    writer.tagged_fields(&[]);
    writer.freeze()
}

fn current_assignment(value: &CurrentAssignmentValue) -> Bytes {
    let mut writer = flexible();
    writer.i32(value.member_epoch);
    writer.i32(value.previous_member_epoch);
    writer.i8(value.state);
    assignment(&mut writer, &value.assigned);
    assignment(&mut writer, &value.pending_revocation);
    writer.tagged_fields(&[]);
    writer.freeze()
}

fn regular_expression(value: &RegularExpressionValue) -> Bytes {
    let mut writer = flexible();
    strings(&mut writer, &value.topics);
    writer.i64(value.version);
    writer.i64(value.timestamp_ms);
    writer.tagged_fields(&[]);
    writer.freeze()
}

/// Every value of a consumer group is of version 0, and flexible.
fn flexible() -> Writer {
    let mut writer = Writer::new();
    writer.i16(0);
    writer
}

fn assignment(writer: &mut Writer, assignment: &Assignment) {
    writer.compact_array_len(assignment.len());
    for (topic, partitions) in assignment {
        writer.uuid(topic.uuid());
        writer.compact_array_len(partitions.len());
        for &partition in partitions {
            writer.i32(partition);
        }
        writer.tagged_fields(&[]);
    }
}

fn strings(writer: &mut Writer, texts: &[String]) {
    writer.compact_array_len(texts.len());
    for text in texts {
        writer.compact_string(text);
    }
}

/// The end of a structure that has one tagged field, of tag 0; it is left out at its default.
fn tagged(writer: &mut Writer, value: Option<Bytes>) {
    let fields: Vec<_> = value.into_iter().map(|value| TaggedField { tag: 0, value }).collect();
    writer.tagged_fields(&fields);
}
