//! A consumer group: what the log knows of it, and what is counted from that.

use super::alarms::{Alarms, Slot};
use super::assignor::Subscriptions;
use super::hash::TopicHashes;
use super::member::{Member, contains};
use super::subscriptions::{Wanted, decrement, increment};
use crate::group::record::{Assignment, RegularExpressionValue};
use crate::group::timers::{Alarm, Timers};
use crate::group::{Refusal, Topics};
use model::{ErrorCode, TopicId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// From this version on OffsetCommit carries a member epoch.
const OFFSET_COMMIT_WITH_EPOCH: i16 = 9;

/// A consumer group (`ConsumerGroup`).
#[derive(Debug)]
pub struct Group {
    pub(super) id: Arc<str>,
    /// Grows with every change of members, subscriptions or topics.
    pub(super) epoch: i32,
    pub(super) metadata_hash: i64,
    /// The epoch that `targets` belong to: at most `epoch`; -1 once it is deleted.
    pub(super) target_epoch: i32,
    /// By member id.
    pub(super) members: BTreeMap<Arc<str>, Slot>,
    /// What each member shall own.
    pub(super) targets: BTreeMap<Arc<str>, Assignment>,
    /// `targets` the other way round.
    pub(super) target_owners: BTreeMap<TopicId, BTreeMap<i32, Arc<str>>>,
    /// Partitions that somebody owns or has not given back, and the epoch of that member.
    pub(super) partition_epochs: BTreeMap<TopicId, BTreeMap<i32, i32>>,
    /// Member ids by `group.instance.id`.
    pub(super) instances: BTreeMap<String, Arc<str>>,
    pub(super) wanted: Wanted,
    /// Members per assignor that they ask for.
    pub(super) assignors: BTreeMap<String, usize>,
    /// What regular expressions stand for.
    pub(super) resolved: BTreeMap<String, RegularExpressionValue>,
    /// Members that speak the classic protocol.
    pub(super) classic_members: usize,
    /// How many of them speak each embedded protocol.
    pub(super) classic_protocols: BTreeMap<String, usize>,
    /// A record from before KIP-1101 is there and must be removed.
    pub(super) has_partition_metadata: bool,
    /// When the topics were last looked at.
    pub(super) checked: Checked,
    pub(super) hashes: TopicHashes,
    /// Regular expressions are to be resolved.
    pub(super) refresh: Alarm,
}

/// The state of the topics that a group's epoch takes into account. Lost with the process: then they are looked at again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Checked {
    /// The version of the metadata image; `None` when it must be looked at anew.
    pub version: Option<i64>,
    /// The group's epoch that followed. A smaller one says that the record was not written.
    pub epoch: i32,
}

/// Where a consumer group is (`ConsumerGroupState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No members.
    Empty,
    /// The target assignment is older than the group.
    Assigning,
    /// Some member has not got its target.
    Reconciling,
    /// Every member has its target.
    Stable,
}

impl State {
    /// As Kafka shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

impl Group {
    pub(super) fn new(id: &str) -> Self {
        Self {
            id: id.into(),
            epoch: 0,
            metadata_hash: 0,
            target_epoch: 0,
            members: BTreeMap::new(),
            targets: BTreeMap::new(),
            target_owners: BTreeMap::new(),
            partition_epochs: BTreeMap::new(),
            instances: BTreeMap::new(),
            wanted: Wanted::default(),
            assignors: BTreeMap::new(),
            resolved: BTreeMap::new(),
            classic_members: 0,
            classic_protocols: BTreeMap::new(),
            has_partition_metadata: false,
            checked: Checked::default(),
            hashes: TopicHashes::default(),
            refresh: Alarm::default(),
        }
    }

    /// Where it is.
    pub fn state(&self) -> State {
        if self.members.is_empty() {
            State::Empty
        } else if self.epoch > self.target_epoch {
            State::Assigning
        } else if self.members.values().all(|slot| slot.member.is_reconciled_to(self.target_epoch)) {
            State::Stable
        } else {
            State::Reconciling
        }
    }

    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Its state as Kafka shows it.
    pub fn state_name(&self) -> &'static str {
        self.state().name()
    }

    /// Whether a member is subscribed to the topic, by name or by regular expression.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        self.wanted.topics.contains_key(topic)
    }

    pub(super) fn member(&self, member_id: &str) -> Option<&Member> {
        self.members.get(member_id).map(|slot| &slot.member)
    }

    /// How many members it has.
    pub(in crate::group) fn member_count(&self) -> usize {
        self.members.len()
    }

    pub(super) fn all_members(&self) -> impl Iterator<Item = &Member> {
        self.members.values().map(|slot| &slot.member)
    }

    /// The member of that id, or the refusal that Kafka gives.
    pub(super) fn known_member(&self, member_id: &str) -> Result<&Member, Refusal> {
        self.member(member_id).ok_or_else(|| {
            refusal(
                ErrorCode::UnknownMemberId,
                format!("Member {member_id} is not a member of group {}.", self.id),
            )
        })
    }

    pub(super) fn static_member(&self, instance_id: &str) -> Option<&Member> {
        self.member(self.instances.get(instance_id)?)
    }

    pub(super) fn has_instance(&self, instance_id: Option<&str>) -> bool {
        instance_id.is_some_and(|instance_id| self.instances.contains_key(instance_id))
    }

    /// What the member, or the one whose place it takes, shall own (`targetAssignment(memberId, instanceId)`).
    pub(super) fn target_of(&self, member: &Member) -> Assignment {
        let id = match &member.about.instance_id {
            None => Some(&member.id),
            Some(instance_id) => self.instances.get(instance_id),
        };
        id.and_then(|id| self.targets.get(id)).cloned().unwrap_or_default()
    }

    /// Whether anybody owns the partition or still has to give it back.
    pub(super) fn is_owned(&self, topic: TopicId, partition: i32) -> bool {
        self.partition_epochs.get(&topic).is_some_and(|partitions| partitions.contains_key(&partition))
    }

    pub(super) fn subscriptions(&self) -> Subscriptions {
        self.wanted.kind(self.members.len())
    }

    /// The topics may have changed since the group's epoch was made.
    pub(super) fn must_check(&self, topics: &dyn Topics) -> bool {
        self.checked.version != Some(topics.version()) || self.epoch < self.checked.epoch
    }

    /// Takes in what a member is now.
    pub(super) fn update_member(&mut self, timers: &mut Timers, member: Member) {
        let alarms = self.forget(&member.id);
        self.count_in(&member);
        let alarms = alarms.unwrap_or_default();
        if let Some(displaced) = self.members.insert(member.id.clone(), Slot { member, alarms }) {
            displaced.alarms.cancel(timers);
        }
    }

    /// Takes a member out for good.
    pub(super) fn remove_member(&mut self, timers: &mut Timers, member_id: &str) {
        let instance_id = self.member(member_id).and_then(|member| member.about.instance_id.clone());
        if let Some(alarms) = self.forget(member_id) {
            alarms.cancel(timers);
        }
        if let Some(instance_id) = instance_id
            && self.instances.get(&instance_id).is_some_and(|id| **id == *member_id)
        {
            self.instances.remove(&instance_id);
        }
    }

    pub(super) fn set_target(&mut self, member_id: &str, target: Assignment) {
        self.remove_target(member_id);
        let id: Arc<str> = match self.members.get_key_value(member_id) {
            Some((id, _)) => id.clone(),
            None => member_id.into(),
        };
        for (topic, partitions) in &target {
            let owners = self.target_owners.entry(*topic).or_default();
            owners.extend(partitions.iter().map(|partition| (*partition, id.clone())));
        }
        self.targets.insert(id, target);
    }

    /// Partitions that another member's target has taken over meanwhile stay there.
    pub(super) fn remove_target(&mut self, member_id: &str) {
        let Some(target) = self.targets.remove(member_id) else { return };
        for (topic, partitions) in target {
            let Some(owners) = self.target_owners.get_mut(&topic) else { continue };
            for partition in partitions {
                if owners.get(&partition).is_some_and(|owner| **owner == *member_id) {
                    owners.remove(&partition);
                }
            }
            if owners.is_empty() {
                self.target_owners.remove(&topic);
            }
        }
    }

    pub(super) fn set_resolved(&mut self, regex: String, value: Option<RegularExpressionValue>) {
        if let Some(old) = self.resolved.remove(&regex) {
            self.wanted.remove_resolved(&old);
        }
        if let Some(value) = value {
            self.wanted.add_resolved(&value);
            self.resolved.insert(regex, value);
        }
    }

    /// Whether a classic member that speaks `protocols` could work with the others
    /// (`ConsumerGroup.supportsClassicProtocols`).
    pub(super) fn supports_classic(&self, protocol_type: &str, protocols: &BTreeSet<&str>) -> bool {
        let spoken_by_all =
            |name: &&str| self.classic_protocols.get(*name).copied().unwrap_or(0) == self.classic_members;
        let common =
            if self.is_empty() { !protocols.is_empty() } else { protocols.iter().any(spoken_by_all) };
        protocol_type == super::PROTOCOL_TYPE && common
    }

    /// Whether partitions of the member's target are still with others.
    pub(super) fn waits_for_others(&self, member: &Member) -> bool {
        let Some(target) = self.targets.get(&member.id) else { return false };
        target.iter().any(|(topic, partitions)| {
            let missing = |partition: &&i32| !contains(&member.current.assigned, *topic, **partition);
            partitions.iter().filter(missing).any(|partition| self.is_owned(*topic, *partition))
        })
    }

    /// May this committer commit (`ConsumerGroup.validateOffsetCommit`)? `version` is OffsetCommit's.
    pub fn validate_offset_commit(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        member_epoch: i32,
        transactional: bool,
        version: i16,
    ) -> Result<(), ErrorCode> {
        // Administrators, and consumers that assign themselves.
        if member_epoch < 0 && self.is_empty() {
            return Ok(());
        }
        if transactional && member_epoch == -1 && member_id.is_empty() && instance_id.is_none() {
            return Ok(());
        }
        let member = self.member(member_id).ok_or(ErrorCode::UnknownMemberId)?;
        if !transactional && !member.is_classic() && version < OFFSET_COMMIT_WITH_EPOCH {
            return Err(ErrorCode::UnsupportedVersion);
        }
        validate_epoch(member, member_epoch)
    }

    /// May this reader see the offsets (`ConsumerGroup.validateOffsetFetch`)? Without a member id and epoch, anybody may.
    pub fn validate_offset_fetch(&self, member_id: Option<&str>, member_epoch: i32) -> Result<(), ErrorCode> {
        if member_id.is_none() && member_epoch < 0 {
            return Ok(());
        }
        let member = member_id.and_then(|id| self.member(id)).ok_or(ErrorCode::UnknownMemberId)?;
        validate_epoch(member, member_epoch)
    }

    fn forget(&mut self, member_id: &str) -> Option<Alarms> {
        let Slot { member, alarms } = self.members.remove(member_id)?;
        self.wanted.remove_member(&member);
        if let Some(assignor) = &member.about.server_assignor {
            decrement(&mut self.assignors, assignor);
        }
        if member.is_classic() {
            self.classic_members -= 1;
        }
        for protocol in member.classic_protocols() {
            decrement(&mut self.classic_protocols, protocol);
        }
        let epoch = member.epoch();
        for assignment in [&member.current.assigned, &member.current.pending_revocation] {
            self.release(assignment, epoch);
        }
        Some(alarms)
    }

    fn count_in(&mut self, member: &Member) {
        self.wanted.add_member(member);
        if let Some(assignor) = &member.about.server_assignor {
            increment(&mut self.assignors, assignor);
        }
        self.classic_members += usize::from(member.is_classic());
        for protocol in member.classic_protocols() {
            increment(&mut self.classic_protocols, protocol);
        }
        if let Some(instance_id) = &member.about.instance_id {
            self.instances.insert(instance_id.clone(), member.id.clone());
        }
        for assignment in [&member.current.assigned, &member.current.pending_revocation] {
            for (topic, partitions) in assignment {
                let epochs = self.partition_epochs.entry(*topic).or_default();
                epochs.extend(partitions.iter().map(|partition| (*partition, member.epoch())));
            }
        }
    }

    /// Only what is still held at `epoch`: the next owner may have been replayed before this one's release.
    fn release(&mut self, assignment: &Assignment, epoch: i32) {
        for (topic, partitions) in assignment {
            let Some(epochs) = self.partition_epochs.get_mut(topic) else { continue };
            for partition in partitions {
                if epochs.get(partition) == Some(&epoch) {
                    epochs.remove(partition);
                }
            }
            if epochs.is_empty() {
                self.partition_epochs.remove(topic);
            }
        }
    }
}

fn validate_epoch(member: &Member, epoch: i32) -> Result<(), ErrorCode> {
    if member.epoch() == epoch {
        Ok(())
    } else if member.is_classic() {
        Err(ErrorCode::IllegalGeneration)
    } else {
        Err(ErrorCode::StaleMemberEpoch)
    }
}

pub(super) fn refusal(code: ErrorCode, message: impl Into<String>) -> Refusal {
    Refusal { code, message: Some(message.into()) }
}
