//! Records about topics and partitions.

use model::codec::{ReadError, Reader, TaggedField, Writer};
use model::{BrokerId, LeaderEpoch, TopicId};
use uuid::Uuid;

use super::fields::{
    TagWriter, Tags, read_broker_ids, read_nullable_broker_ids, read_nullable_uuids, read_uuids,
    write_broker_ids, write_uuids,
};

/// A topic exists (api key 2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicRecord {
    /// Its name.
    pub name: String,
    /// Its id.
    pub topic_id: TopicId,
    /// Tagged fields of later versions.
    pub unknown: Vec<TaggedField>,
}

impl TopicRecord {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        Ok(Self {
            name: reader.compact_string()?,
            topic_id: TopicId::new(reader.uuid()?),
            unknown: reader.tagged_fields()?,
        })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.compact_string(&self.name);
        writer.uuid(self.topic_id.uuid());
        writer.tagged_fields(&self.unknown);
    }
}

/// A topic and its partitions and configs are gone (api key 9).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoveTopicRecord {
    /// The topic.
    pub topic_id: TopicId,
    /// Tagged fields of later versions.
    pub unknown: Vec<TaggedField>,
}

impl RemoveTopicRecord {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        Ok(Self { topic_id: TopicId::new(reader.uuid()?), unknown: reader.tagged_fields()? })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.uuid(self.topic_id.uuid());
        writer.tagged_fields(&self.unknown);
    }
}

/// The whole state of a partition (api key 3, versions 0-2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionRecord {
    /// Schema version to write.
    pub version: i16,
    /// Index within the topic.
    pub partition_id: i32,
    /// The topic.
    pub topic_id: TopicId,
    /// Brokers that hold it, the preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// Those of them in sync.
    pub isr: Vec<BrokerId>,
    /// Replicas that a reassignment takes away.
    pub removing_replicas: Vec<BrokerId>,
    /// Replicas that a reassignment adds.
    pub adding_replicas: Vec<BrokerId>,
    /// The leader, or none.
    pub leader: BrokerId,
    /// 1 while the leader recovers from an unclean election, else 0.
    pub leader_recovery_state: i8,
    /// Grows with each leader.
    pub leader_epoch: LeaderEpoch,
    /// Grows with each change.
    pub partition_epoch: i32,
    /// The log directory of each replica, in their order (KIP-858); empty in version 0.
    pub directories: Vec<Uuid>,
    /// Eligible leader replicas (KIP-966).
    pub eligible_leader_replicas: Option<Vec<BrokerId>>,
    /// Last known eligible leader replicas (KIP-966).
    pub last_known_elr: Option<Vec<BrokerId>>,
    /// Tagged fields of later versions.
    pub unknown: Vec<TaggedField>,
}

impl Default for PartitionRecord {
    fn default() -> Self {
        Self {
            version: 0,
            partition_id: -1,
            topic_id: TopicId::ZERO,
            replicas: Vec::new(),
            isr: Vec::new(),
            removing_replicas: Vec::new(),
            adding_replicas: Vec::new(),
            leader: BrokerId::NONE,
            leader_recovery_state: 0,
            leader_epoch: LeaderEpoch::NONE,
            partition_epoch: -1,
            directories: Vec::new(),
            eligible_leader_replicas: None,
            last_known_elr: None,
            unknown: Vec::new(),
        }
    }
}

impl PartitionRecord {
    pub(super) fn read(reader: &mut Reader, version: i16) -> Result<Self, ReadError> {
        let mut record = Self {
            version,
            partition_id: reader.i32()?,
            topic_id: TopicId::new(reader.uuid()?),
            replicas: read_broker_ids(reader)?,
            isr: read_broker_ids(reader)?,
            removing_replicas: read_broker_ids(reader)?,
            adding_replicas: read_broker_ids(reader)?,
            leader: BrokerId::new(reader.i32()?),
            leader_epoch: LeaderEpoch::new(reader.i32()?),
            partition_epoch: reader.i32()?,
            ..Self::default()
        };
        if version >= 1 {
            record.directories = read_uuids(reader)?;
        }
        let mut tags = Tags::read(reader)?;
        record.leader_recovery_state = tags.take(0, Reader::i8)?.unwrap_or(0);
        if version >= 2 {
            record.eligible_leader_replicas = tags.take(1, read_nullable_broker_ids)?.flatten();
            record.last_known_elr = tags.take(2, read_nullable_broker_ids)?.flatten();
        }
        record.unknown = tags.unknown();
        Ok(record)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.i32(self.partition_id);
        writer.uuid(self.topic_id.uuid());
        write_broker_ids(writer, &self.replicas);
        write_broker_ids(writer, &self.isr);
        write_broker_ids(writer, &self.removing_replicas);
        write_broker_ids(writer, &self.adding_replicas);
        writer.i32(self.leader.value());
        writer.i32(self.leader_epoch.value());
        writer.i32(self.partition_epoch);
        if self.version >= 1 {
            write_uuids(writer, &self.directories);
        }
        let mut tags = TagWriter::new(&self.unknown);
        if self.leader_recovery_state != 0 {
            tags.put(0, |writer| writer.i8(self.leader_recovery_state));
        }
        if self.version >= 2 {
            tags.put_broker_ids(1, self.eligible_leader_replicas.as_ref());
            tags.put_broker_ids(2, self.last_known_elr.as_ref());
        }
        tags.write(writer);
    }
}

/// Parts of a partition have changed (api key 5, versions 0-2); `None` is "as before".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionChangeRecord {
    /// Schema version to write.
    pub version: i16,
    /// Index within the topic.
    pub partition_id: i32,
    /// The topic.
    pub topic_id: TopicId,
    /// Replicas in sync.
    pub isr: Option<Vec<BrokerId>>,
    /// The leader, [`BrokerId::NONE`] for none; naming one always begins a new leader epoch.
    pub leader: Option<BrokerId>,
    /// All replicas.
    pub replicas: Option<Vec<BrokerId>>,
    /// Replicas that a reassignment takes away.
    pub removing_replicas: Option<Vec<BrokerId>>,
    /// Replicas that a reassignment adds.
    pub adding_replicas: Option<Vec<BrokerId>>,
    /// 1 while the leader recovers from an unclean election, else 0.
    pub leader_recovery_state: Option<i8>,
    /// Log directory of each replica (KIP-858).
    pub directories: Option<Vec<Uuid>>,
    /// Eligible leader replicas (KIP-966).
    pub eligible_leader_replicas: Option<Vec<BrokerId>>,
    /// Last known eligible leader replicas (KIP-966).
    pub last_known_elr: Option<Vec<BrokerId>>,
    /// Tagged fields of later versions.
    pub unknown: Vec<TaggedField>,
}

/// On disk "the leader did not change".
const LEADER_UNCHANGED: i32 = -2;
/// On disk "the recovery state did not change".
const RECOVERY_UNCHANGED: i8 = -1;

impl PartitionChangeRecord {
    /// Whether the record changes anything.
    pub fn is_no_op(&self) -> bool {
        self.isr.is_none()
            && self.leader.is_none()
            && self.replicas.is_none()
            && self.removing_replicas.is_none()
            && self.adding_replicas.is_none()
            && self.leader_recovery_state.is_none()
            && self.directories.is_none()
            && self.eligible_leader_replicas.is_none()
            && self.last_known_elr.is_none()
    }

    pub(super) fn read(reader: &mut Reader, version: i16) -> Result<Self, ReadError> {
        let mut record = Self {
            version,
            partition_id: reader.i32()?,
            topic_id: TopicId::new(reader.uuid()?),
            ..Self::default()
        };
        let mut tags = Tags::read(reader)?;
        record.isr = tags.take(0, read_nullable_broker_ids)?.flatten();
        record.leader =
            tags.take(1, Reader::i32)?.filter(|leader| *leader != LEADER_UNCHANGED).map(BrokerId::new);
        record.replicas = tags.take(2, read_nullable_broker_ids)?.flatten();
        record.removing_replicas = tags.take(3, read_nullable_broker_ids)?.flatten();
        record.adding_replicas = tags.take(4, read_nullable_broker_ids)?.flatten();
        record.leader_recovery_state = tags.take(5, Reader::i8)?.filter(|state| *state != RECOVERY_UNCHANGED);
        if version >= 1 {
            record.directories = tags.take(8, read_nullable_uuids)?.flatten();
        }
        if version >= 2 {
            record.eligible_leader_replicas = tags.take(6, read_nullable_broker_ids)?.flatten();
            record.last_known_elr = tags.take(7, read_nullable_broker_ids)?.flatten();
        }
        record.unknown = tags.unknown();
        Ok(record)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.i32(self.partition_id);
        writer.uuid(self.topic_id.uuid());
        let mut tags = TagWriter::new(&self.unknown);
        tags.put_broker_ids(0, self.isr.as_ref());
        if let Some(leader) = self.leader {
            tags.put(1, |writer| writer.i32(leader.value()));
        }
        tags.put_broker_ids(2, self.replicas.as_ref());
        tags.put_broker_ids(3, self.removing_replicas.as_ref());
        tags.put_broker_ids(4, self.adding_replicas.as_ref());
        if let Some(state) = self.leader_recovery_state {
            tags.put(5, |writer| writer.i8(state));
        }
        if self.version >= 2 {
            tags.put_broker_ids(6, self.eligible_leader_replicas.as_ref());
            tags.put_broker_ids(7, self.last_known_elr.as_ref());
        }
        if let Some(directories) = self.directories.as_ref().filter(|_| self.version >= 1) {
            tags.put(8, |writer| write_uuids(writer, directories));
        }
        tags.write(writer);
    }
}
