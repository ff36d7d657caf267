//! One change of one partition: which leader follows from the wanted ISR, replicas and reassignment, and the
//! record that says only what differs (`org.apache.kafka.controller.PartitionChangeBuilder`).

use std::collections::{BTreeMap, BTreeSet};

use model::{BrokerId, TopicId};
use uuid::Uuid;

use crate::feature::MetadataVersion;
use crate::image::{DIRECTORY_MIGRATING, Image, LeaderRecoveryState, Partition};
use crate::record::PartitionChangeRecord;

/// How far an election may go to find a leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Election {
    /// The first replica if it is in sync, else any that is.
    Preferred,
    /// Any replica in sync.
    Online,
    /// Any replica, if none is in sync.
    Unclean,
}

/// What a partition shall become.
pub(crate) struct PartitionChange<'a> {
    image: &'a Image,
    partition: &'a Partition,
    topic_id: TopicId,
    index: i32,
    min_isr: usize,
    metadata_version: MetadataVersion,
    elr_enabled: bool,
    /// Brokers that may lead; that their log directory is online is checked besides.
    acceptable: Box<dyn Fn(BrokerId) -> bool + 'a>,
    directories: BTreeMap<BrokerId, Uuid>,
    recovery_state: LeaderRecoveryState,
    elr: Vec<BrokerId>,
    pub(crate) election: Election,
    pub(crate) isr: Vec<BrokerId>,
    pub(crate) replicas: Vec<BrokerId>,
    pub(crate) removing: Vec<BrokerId>,
    pub(crate) adding: Vec<BrokerId>,
    /// Brokers that stopped without flushing: they cannot be eligible leaders (KIP-966).
    pub(crate) unclean_shutdown: Option<BrokerId>,
}

struct Elected {
    leader: BrokerId,
    unclean: bool,
}

impl<'a> PartitionChange<'a> {
    /// No change yet; `min_isr` is the topic's effective `min.insync.replicas`.
    pub(crate) fn new(
        image: &'a Image,
        topic_id: TopicId,
        index: i32,
        partition: &'a Partition,
        min_isr: usize,
    ) -> Self {
        let replicas = partition.replicas.iter().copied();
        Self {
            image,
            partition,
            topic_id,
            index,
            min_isr,
            metadata_version: image.record_version(),
            elr_enabled: image.elr_enabled(),
            acceptable: Box::new(|id| image.cluster().is_active(id)),
            directories: replicas.zip(partition.directories.iter().copied()).collect(),
            recovery_state: partition.leader_recovery_state,
            elr: partition.elr.clone(),
            election: Election::Online,
            isr: partition.isr.clone(),
            replicas: partition.replicas.clone(),
            removing: partition.removing_replicas.clone(),
            adding: partition.adding_replicas.clone(),
            unclean_shutdown: None,
        }
    }

    /// Replaces the rule for who may lead.
    pub(crate) fn accept(&mut self, acceptable: impl Fn(BrokerId) -> bool + 'a) {
        self.acceptable = Box::new(acceptable);
    }

    /// Puts the replica of `broker` into another log directory.
    pub(crate) fn set_directory(&mut self, broker: BrokerId, directory: Uuid) {
        self.directories.insert(broker, directory);
    }

    /// Sets whether the leader still recovers.
    pub(crate) fn set_recovery_state(&mut self, state: LeaderRecoveryState) {
        self.recovery_state = state;
    }

    /// The record that makes the change, `None` when nothing differs.
    pub(crate) fn build(mut self) -> Option<PartitionChangeRecord> {
        let mut record = PartitionChangeRecord {
            version: self.metadata_version.partition_record_version(),
            partition_id: self.index,
            topic_id: self.topic_id,
            ..PartitionChangeRecord::default()
        };
        self.complete_reassignment();
        self.populate_elr();
        self.elect(&mut record);
        // Replicas that go away must not be able to act on the old leader's epoch.
        if record.leader.is_none() && !contains_all(&self.replicas, &self.partition.replicas) {
            record.leader = Some(self.partition.leader);
        }
        self.update_elr(&mut record);
        // With ELR the ISR may become empty.
        let isr_is_legal = !self.isr.is_empty() || self.elr_enabled;
        if record.isr.is_none() && isr_is_legal && self.isr != self.partition.isr {
            record.isr = Some(self.isr.clone());
        }
        self.bump_epoch_for_isr_shrink(&mut record);
        self.update_last_known_leader(&mut record);
        self.assign(&mut record);
        if self.recovery_state != self.partition.leader_recovery_state {
            record.leader_recovery_state = Some(self.recovery_state.value());
        }
        (!record.is_no_op()).then_some(record)
    }

    /// Ends the reassignment once everybody who stays is in sync.
    fn complete_reassignment(&mut self) {
        if self.removing.is_empty() && self.adding.is_empty() {
            return;
        }
        let stays = |id: &BrokerId| !self.removing.contains(id);
        let isr: Vec<_> = self.isr.iter().copied().filter(stays).collect();
        let replicas: Vec<_> = self.replicas.iter().copied().filter(stays).collect();
        let emptied = !self.removing.is_empty() && (isr.is_empty() || replicas.is_empty());
        if emptied || !contains_all(&isr, &replicas) {
            return;
        }
        self.isr = isr;
        self.replicas = replicas;
        self.removing.clear();
        self.adding.clear();
    }

    /// Whoever leaves an ISR that is too small stays eligible to lead, unless it stopped uncleanly.
    fn populate_elr(&mut self) {
        if !self.elr_enabled {
            return;
        }
        if self.isr.len() >= self.min_isr {
            self.elr.clear();
            return;
        }
        let candidates: BTreeSet<_> = self.elr.iter().chain(&self.partition.isr).copied().collect();
        self.elr = candidates
            .into_iter()
            .filter(|id| !self.isr.contains(id) && self.unclean_shutdown != Some(*id))
            .collect();
    }

    fn elect(&mut self, record: &mut PartitionChangeRecord) {
        let Elected { leader, unclean } = match self.election {
            Election::Preferred => self.preferred_leader(),
            Election::Online | Election::Unclean => self.any_leader(),
        };
        if leader == self.partition.leader {
            return;
        }
        if self.elr.contains(&leader) {
            self.isr = vec![leader];
            self.elr.retain(|id| *id != leader);
        }
        record.leader = Some(leader);
        if unclean {
            // Whatever the others have beyond the new leader is lost.
            record.isr = Some(vec![leader]);
            if self.partition.leader_recovery_state != LeaderRecoveryState::Recovering {
                record.leader_recovery_state = Some(LeaderRecoveryState::Recovering.value());
            }
        }
    }

    fn preferred_leader(&self) -> Elected {
        let first = self.replicas.first().copied();
        let others = self.replicas.iter().skip(1).copied();
        first
            .into_iter()
            .chain([self.partition.leader])
            .chain(others)
            .find(|id| self.may_lead(*id))
            .map_or_else(|| self.last_resort(), clean)
    }

    fn any_leader(&self) -> Elected {
        [self.partition.leader]
            .into_iter()
            .chain(self.replicas.iter().copied())
            .find(|id| self.may_lead(*id))
            .map_or_else(|| self.last_resort(), clean)
    }

    /// A leader when no replica in sync is alive.
    fn last_resort(&self) -> Elected {
        let leader = self.last_known_leader().or_else(|| {
            let candidates = self.replicas.iter().copied();
            (self.election == Election::Unclean)
                .then(|| candidates.into_iter().find(|id| self.is_acceptable(*id)))
                .flatten()
        });
        Elected { leader: leader.unwrap_or(BrokerId::NONE), unclean: leader.is_some() }
    }

    /// With ELR, the last leader may come back when the ISR and the ELR are both empty.
    fn last_known_leader(&self) -> Option<BrokerId> {
        if !self.elr_enabled || !self.elr.is_empty() || !self.isr.is_empty() {
            return None;
        }
        match self.partition.last_known_elr.as_slice() {
            [leader] if self.is_acceptable(*leader) => Some(*leader),
            _ => None,
        }
    }

    fn may_lead(&self, id: BrokerId) -> bool {
        let in_sync = self.isr.contains(&id) || (self.isr.is_empty() && self.elr.contains(&id));
        in_sync && self.is_acceptable(id)
    }

    fn is_acceptable(&self, id: BrokerId) -> bool {
        (self.acceptable)(id)
            && self.image.broker(id).is_some_and(|broker| {
                self.partition.directory(id).is_some_and(|directory| broker.has_online_dir(directory))
            })
    }

    fn update_elr(&mut self, record: &mut PartitionChangeRecord) {
        let clean_election = record.isr.is_none();
        if !clean_election || !self.elr_enabled {
            self.elr.clear();
        }
        if self.elr != self.partition.elr {
            record.eligible_leader_replicas = Some(self.elr.clone());
        }
    }

    /// Before 3.6-IV0 brokers relied on a new leader epoch when the ISR shrinks (KAFKA-15021).
    fn bump_epoch_for_isr_shrink(&self, record: &mut PartitionChangeRecord) {
        let shrinks = record.isr.as_ref().is_some_and(|isr| !contains_all(isr, &self.partition.isr));
        if self.metadata_version.bumps_leader_epoch_on_isr_shrink() && record.leader.is_none() && shrinks {
            record.leader = Some(self.partition.leader);
        }
    }

    /// The leader that a partition had when it lost all its replicas in sync is remembered, until there is a
    /// leader again.
    fn update_last_known_leader(&self, record: &mut PartitionChangeRecord) {
        if !self.elr_enabled {
            return;
        }
        let known = !self.partition.last_known_elr.is_empty();
        match record.leader {
            Some(BrokerId::NONE) if !known => record.last_known_elr = Some(vec![self.partition.leader]),
            Some(leader) if leader != BrokerId::NONE && known => record.last_known_elr = Some(Vec::new()),
            _ => {}
        }
    }

    fn assign(&self, record: &mut PartitionChangeRecord) {
        if !self.replicas.is_empty() {
            if self.metadata_version.has_directories() {
                let placed = self.replicas.iter().map(|id| {
                    let known = self.directories.get(id).copied();
                    known.unwrap_or_else(|| self.image.default_dir(*id))
                });
                let directories: Vec<_> = placed.collect();
                if directories != self.partition.directories {
                    record.directories = Some(directories);
                }
            }
            if self.replicas != self.partition.replicas {
                record.replicas = Some(self.replicas.clone());
            }
        }
        if self.removing != self.partition.removing_replicas {
            record.removing_replicas = Some(self.removing.clone());
        }
        if self.adding != self.partition.adding_replicas {
            record.adding_replicas = Some(self.adding.clone());
        }
    }
}

impl Image {
    /// The directory that a new replica on this broker is placed in.
    pub(crate) fn default_dir(&self, id: BrokerId) -> Uuid {
        if !self.record_version().has_directories() {
            return DIRECTORY_MIGRATING;
        }
        self.broker(id).map_or(crate::image::DIRECTORY_UNASSIGNED, |broker| broker.default_dir())
    }
}

pub(crate) fn contains_all(all: &[BrokerId], some: &[BrokerId]) -> bool {
    some.iter().all(|id| all.contains(id))
}

fn clean(leader: BrokerId) -> Elected {
    Elected { leader, unclean: false }
}

#[cfg(test)]
#[path = "partition_change_tests.rs"]
mod tests;
