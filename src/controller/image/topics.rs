//! Topics and their partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::topic_name::{has_collision_chars, unify_collision_chars};
use model::{BrokerId, LeaderEpoch, TopicId};
use uuid::Uuid;

use crate::record::{PartitionChangeRecord, PartitionRecord};

/// Directory id of a replica whose directory is not known (`org.apache.kafka.common.DirectoryId`).
pub const DIRECTORY_MIGRATING: Uuid = Uuid::from_u64_pair(0, 0);
/// Directory id of a replica that has not been placed in a directory yet.
pub const DIRECTORY_UNASSIGNED: Uuid = Uuid::from_u64_pair(0, 1);
/// Directory id of a replica whose directory is offline.
pub const DIRECTORY_LOST: Uuid = Uuid::from_u64_pair(0, 2);

/// All topics, by name and by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topics {
    by_name: BTreeMap<Arc<str>, TopicId>,
    by_id: BTreeMap<TopicId, Arc<Topic>>,
    /// Names with `.` or `_`, under the form in which colliding names are equal.
    collisions: BTreeMap<String, BTreeSet<Arc<str>>>,
}

/// One topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: Arc<str>,
    /// Its id.
    pub id: TopicId,
    /// Its partitions, by index.
    pub partitions: BTreeMap<i32, Arc<Partition>>,
}

/// State of one partition (`org.apache.kafka.metadata.PartitionRegistration`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Brokers that hold it, the preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// The log directory of each replica, in their order.
    pub directories: Vec<Uuid>,
    /// Replicas in sync.
    pub isr: Vec<BrokerId>,
    /// Replicas that a reassignment takes away.
    pub removing_replicas: Vec<BrokerId>,
    /// Replicas that a reassignment adds.
    pub adding_replicas: Vec<BrokerId>,
    /// Eligible leader replicas (KIP-966).
    pub elr: Vec<BrokerId>,
    /// Last known eligible leader replicas (KIP-966).
    pub last_known_elr: Vec<BrokerId>,
    /// The leader, [`BrokerId::NONE`] when there is none.
    pub leader: BrokerId,
    /// Whether the leader still recovers from an unclean election.
    pub leader_recovery_state: LeaderRecoveryState,
    /// Grows with each leader.
    pub leader_epoch: LeaderEpoch,
    /// Grows with each change.
    pub partition_epoch: i32,
}

/// Whether a leader still recovers from an unclean election (KIP-704).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeaderRecoveryState {
    /// It has all that was acknowledged.
    #[default]
    Recovered,
    /// It was elected from outside the ISR.
    Recovering,
}

/// A reassignment that has not ended yet, as `ListPartitionReassignments` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OngoingReassignment {
    /// Index of the partition.
    pub partition: i32,
    /// All replicas.
    pub replicas: Vec<BrokerId>,
    /// Those that are added.
    pub adding_replicas: Vec<BrokerId>,
    /// Those that are taken away.
    pub removing_replicas: Vec<BrokerId>,
}

impl Topics {
    /// The topic of this name.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Topic>> {
        self.by_id(*self.by_name.get(name)?)
    }

    /// The topic of this id.
    pub fn by_id(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }

    /// All topics, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.by_name.values().filter_map(|id| self.by_id.get(id))
    }

    /// How many topics there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is no topic.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// An existing topic whose name differs from `name` in `.` and `_` only, or is the same.
    pub fn colliding(&self, name: &str) -> Option<&str> {
        if !has_collision_chars(name) {
            return None;
        }
        let names = self.collisions.get(&unify_collision_chars(name))?;
        names.first().map(AsRef::as_ref)
    }

    /// Reassignments that have not ended: of all topics, or of the named partitions; in the order of the
    /// question, names and indexes without an ongoing reassignment left out.
    pub fn ongoing_reassignments(
        &self,
        of: Option<&[(String, Vec<i32>)]>,
    ) -> Vec<(Arc<str>, Vec<OngoingReassignment>)> {
        let found: Vec<_> = match of {
            None => self
                .iter()
                .map(|topic| (topic.name.clone(), topic.ongoing(topic.partitions.keys().copied())))
                .collect(),
            Some(topics) => topics
                .iter()
                .filter_map(|(name, partitions)| Some((self.by_name(name)?, partitions)))
                .map(|(topic, partitions)| (topic.name.clone(), topic.ongoing(partitions.iter().copied())))
                .collect(),
        };
        found.into_iter().filter(|(_, ongoing)| !ongoing.is_empty()).collect()
    }

    pub(crate) fn insert(&mut self, topic: Topic) {
        if has_collision_chars(&topic.name) {
            let names = self.collisions.entry(unify_collision_chars(&topic.name)).or_default();
            names.insert(topic.name.clone());
        }
        self.by_name.insert(topic.name.clone(), topic.id);
        self.by_id.insert(topic.id, Arc::new(topic));
    }

    pub(crate) fn remove(&mut self, id: TopicId) -> Option<Arc<Topic>> {
        let topic = self.by_id.remove(&id)?;
        self.by_name.remove(&topic.name);
        let unified = unify_collision_chars(&topic.name);
        if let Some(names) = self.collisions.get_mut(&unified) {
            names.remove(&topic.name);
            if names.is_empty() {
                self.collisions.remove(&unified);
            }
        }
        Some(topic)
    }

    pub(crate) fn topic_mut(&mut self, id: TopicId) -> Option<&mut Topic> {
        self.by_id.get_mut(&id).map(Arc::make_mut)
    }

    pub(crate) fn topics_mut(&mut self) -> impl Iterator<Item = &mut Arc<Topic>> {
        self.by_id.values_mut()
    }
}

impl Topic {
    /// The partition of this index.
    pub fn partition(&self, index: i32) -> Option<&Arc<Partition>> {
        self.partitions.get(&index)
    }

    fn ongoing(&self, partitions: impl Iterator<Item = i32>) -> Vec<OngoingReassignment> {
        partitions
            .filter_map(|index| {
                let partition = self.partition(index)?;
                partition.is_reassigning().then(|| OngoingReassignment {
                    partition: index,
                    replicas: partition.replicas.clone(),
                    adding_replicas: partition.adding_replicas.clone(),
                    removing_replicas: partition.removing_replicas.clone(),
                })
            })
            .collect()
    }
}

impl Partition {
    /// Whether there is a leader.
    pub fn has_leader(&self) -> bool {
        self.leader != BrokerId::NONE
    }

    /// Whether the leader is the first replica.
    pub fn has_preferred_leader(&self) -> bool {
        self.replicas.first() == Some(&self.leader)
    }

    /// Whether a reassignment has not ended yet.
    pub fn is_reassigning(&self) -> bool {
        !self.removing_replicas.is_empty() || !self.adding_replicas.is_empty()
    }

    /// The log directory of this replica; `None` when the broker holds none.
    pub fn directory(&self, replica: BrokerId) -> Option<Uuid> {
        let position = self.replicas.iter().position(|id| *id == replica)?;
        self.directories.get(position).copied()
    }
}

impl Partition {
    pub(crate) fn from_record(record: &PartitionRecord) -> Result<Self, String> {
        Ok(Self {
            replicas: record.replicas.clone(),
            directories: directories_of(record.directories.clone(), record.replicas.len())?,
            isr: record.isr.clone(),
            removing_replicas: record.removing_replicas.clone(),
            adding_replicas: record.adding_replicas.clone(),
            elr: record.eligible_leader_replicas.clone().unwrap_or_default(),
            last_known_elr: record.last_known_elr.clone().unwrap_or_default(),
            leader: record.leader,
            leader_recovery_state: LeaderRecoveryState::from_value(record.leader_recovery_state)?,
            leader_epoch: record.leader_epoch,
            partition_epoch: record.partition_epoch,
        })
    }

    /// The partition after `change`. A named leader, also the same one, begins a new leader epoch.
    pub(crate) fn merge(&self, change: &PartitionChangeRecord) -> Result<Self, String> {
        let replicas = change.replicas.as_ref().unwrap_or(&self.replicas).clone();
        let directories = change.directories.as_ref().unwrap_or(&self.directories).clone();
        Ok(Self {
            directories: directories_of(directories, replicas.len())?,
            replicas,
            isr: change.isr.as_ref().unwrap_or(&self.isr).clone(),
            removing_replicas: change.removing_replicas.as_ref().unwrap_or(&self.removing_replicas).clone(),
            adding_replicas: change.adding_replicas.as_ref().unwrap_or(&self.adding_replicas).clone(),
            elr: change.eligible_leader_replicas.as_ref().unwrap_or(&self.elr).clone(),
            last_known_elr: change.last_known_elr.as_ref().unwrap_or(&self.last_known_elr).clone(),
            leader: change.leader.unwrap_or(self.leader),
            leader_recovery_state: match change.leader_recovery_state {
                None => self.leader_recovery_state,
                Some(value) => LeaderRecoveryState::from_value(value)?,
            },
            leader_epoch: match change.leader {
                None => self.leader_epoch,
                Some(_) => LeaderEpoch::new(self.leader_epoch.value().wrapping_add(1)),
            },
            partition_epoch: self.partition_epoch.wrapping_add(1),
        })
    }

    pub(crate) fn to_record(&self, topic_id: TopicId, index: i32, version: i16) -> PartitionRecord {
        let when_any = |ids: &Vec<BrokerId>| (version >= 2 && !ids.is_empty()).then(|| ids.clone());
        PartitionRecord {
            version,
            partition_id: index,
            topic_id,
            replicas: self.replicas.clone(),
            isr: self.isr.clone(),
            removing_replicas: self.removing_replicas.clone(),
            adding_replicas: self.adding_replicas.clone(),
            leader: self.leader,
            leader_recovery_state: self.leader_recovery_state.value(),
            leader_epoch: self.leader_epoch,
            partition_epoch: self.partition_epoch,
            directories: if version >= 1 { self.directories.clone() } else { Vec::new() },
            eligible_leader_replicas: when_any(&self.elr),
            last_known_elr: when_any(&self.last_known_elr),
            unknown: Vec::new(),
        }
    }
}

impl LeaderRecoveryState {
    /// The number in records and requests.
    pub fn value(self) -> i8 {
        match self {
            Self::Recovered => 0,
            Self::Recovering => 1,
        }
    }

    pub(crate) fn from_value(value: i8) -> Result<Self, String> {
        match value {
            0 => Ok(Self::Recovered),
            1 => Ok(Self::Recovering),
            other => Err(format!("{other} is not a leader recovery state")),
        }
    }
}

/// Whether the directory id is one of the first hundred, which never name a real directory.
pub(crate) fn is_reserved_directory(directory: Uuid) -> bool {
    directory.as_u128() < 100
}

/// Directories as a partition keeps them: one for each replica, all MIGRATING when none is known.
fn directories_of(directories: Vec<Uuid>, replicas: usize) -> Result<Vec<Uuid>, String> {
    if directories.iter().all(|directory| *directory == DIRECTORY_MIGRATING) {
        return Ok(vec![DIRECTORY_MIGRATING; replicas]);
    }
    if directories.len() != replicas {
        return Err(format!("{replicas} replicas have {} directories", directories.len()));
    }
    Ok(directories)
}
