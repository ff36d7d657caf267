//! A member of a consumer group.

use crate::group::record::{Assignment, CurrentAssignmentValue, MemberKey, MemberValue, Record};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A static member that went away for a while (KIP-848).
pub(super) const EPOCH_STATIC_LEAVE: i32 = -2;
/// A member that is gone.
pub(super) const EPOCH_LEAVE: i32 = -1;

/// A member, as the log knows it: what its records of type 5 and 8 say.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    pub id: Arc<str>,
    /// How it described itself; its topics are sorted, without duplicates.
    pub about: MemberValue,
    /// What it owns, and at which epoch.
    pub current: CurrentAssignmentValue,
}

/// Where a member is on its way to its target (`MemberState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemberState {
    /// It has got all that it is to have in its epoch.
    Stable,
    /// It must give partitions back before it may move on.
    UnrevokedPartitions,
    /// It waits for partitions that others still own.
    UnreleasedPartitions,
    /// A state of a newer broker: the member starts again.
    Unknown,
}

impl MemberState {
    pub(super) fn code(self) -> i8 {
        match self {
            Self::Stable => 0,
            Self::UnrevokedPartitions => 1,
            Self::UnreleasedPartitions => 2,
            Self::Unknown => 127,
        }
    }
}

impl Member {
    /// A member that has said nothing yet.
    pub(super) fn new(id: Arc<str>) -> Self {
        Self {
            id,
            about: MemberValue {
                instance_id: None,
                rack_id: None,
                client_id: String::new(),
                client_host: String::new(),
                subscribed_topics: Vec::new(),
                subscribed_regex: Some(String::new()),
                rebalance_timeout_ms: -1,
                server_assignor: None,
                classic: None,
            },
            current: CurrentAssignmentValue {
                member_epoch: 0,
                previous_member_epoch: -1,
                state: MemberState::Stable.code(),
                assigned: Assignment::new(),
                pending_revocation: Assignment::new(),
            },
        }
    }

    pub(super) fn epoch(&self) -> i32 {
        self.current.member_epoch
    }

    pub(super) fn state(&self) -> MemberState {
        match self.current.state {
            0 => MemberState::Stable,
            1 => MemberState::UnrevokedPartitions,
            2 => MemberState::UnreleasedPartitions,
            _ => MemberState::Unknown,
        }
    }

    /// It speaks the classic protocol (KIP-848, online upgrade).
    pub(super) fn is_classic(&self) -> bool {
        self.about.classic.is_some()
    }

    /// The regular expression that it subscribes with.
    pub(super) fn regex(&self) -> Option<&str> {
        self.about.subscribed_regex.as_deref().filter(|regex| !regex.is_empty())
    }

    pub(super) fn is_reconciled_to(&self, target_epoch: i32) -> bool {
        self.state() == MemberState::Stable && self.epoch() == target_epoch
    }

    /// The names of the classic protocols that it speaks; one that a client repeats counts once.
    pub(super) fn classic_protocols(&self) -> BTreeSet<&str> {
        let protocols = self.about.classic.iter().flat_map(|classic| &classic.protocols);
        protocols.map(|(name, _)| name.as_str()).collect()
    }

    /// The classic protocol that it is told to use: its first.
    pub(super) fn first_protocol(&self) -> Option<&(String, bytes::Bytes)> {
        self.about.classic.as_ref()?.protocols.first()
    }

    pub(super) fn key(&self, group_id: &str) -> MemberKey {
        member_key(group_id, &self.id)
    }

    pub(super) fn about_record(&self, group_id: &str) -> Record {
        Record::Member(self.key(group_id), Some(self.about.clone()))
    }

    pub(super) fn current_record(&self, group_id: &str) -> Record {
        Record::CurrentAssignment(self.key(group_id), Some(self.current.clone()))
    }
}

pub(super) fn member_key(group_id: &str, member_id: &str) -> MemberKey {
    MemberKey { group_id: group_id.to_owned(), member_id: member_id.to_owned() }
}

/// Puts a list of names into the order of the records, each once.
pub(super) fn sorted_names(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether `assignment` has the partition; its lists are sorted.
pub(super) fn contains(assignment: &Assignment, topic: model::TopicId, partition: i32) -> bool {
    assignment.get(&topic).is_some_and(|partitions| partitions.binary_search(&partition).is_ok())
}

/// Sorts the partitions of each topic, drops duplicates and topics without partitions: how assignments are compared.
pub(super) fn normalized(mut assignment: Assignment) -> Assignment {
    assignment.retain(|_, partitions| {
        partitions.sort_unstable();
        partitions.dedup();
        !partitions.is_empty()
    });
    assignment
}
