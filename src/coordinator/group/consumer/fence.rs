//! The end of members: they left, went silent, or did not give their partitions back in time.

use super::group::Group;
use super::heartbeat::Draft;
use super::member::Member;
use super::subscriptions::increment;
use crate::group::Context;
use crate::group::record::{ConsumerGroupValue, Record};
use crate::group::shard::FollowUp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What becomes of a group that members were removed from.
pub(super) enum Fenced {
    /// It stays what it is.
    Removed(Draft),
    /// Only classic members are left: it becomes a classic group.
    Downgraded { records: Vec<Record>, follow_up: FollowUp },
}

impl Group {
    /// Removes members; the group's epoch grows (`consumerGroupFenceMembers`).
    pub(super) fn fence(&mut self, context: &Context, member_ids: &[Arc<str>]) -> Fenced {
        let ids: BTreeSet<&Arc<str>> = member_ids.iter().collect();
        let gone: Vec<&Member> = self.all_members().filter(|member| ids.contains(&member.id)).collect();
        let mut draft = Draft::default();
        if gone.is_empty() {
            return Fenced::Removed(draft);
        }
        if self.may_downgrade(context, &gone) {
            let (records, follow_up) = self.downgrade(context, &gone, None, true);
            return Fenced::Downgraded { records, follow_up };
        }
        let mut wanted = self.wanted.clone();
        let mut regexes = BTreeMap::new();
        for member in &gone {
            self.removal(&member.id, &mut draft.records);
            wanted.remove_member(member);
            if let Some(regex) = member.regex() {
                increment(&mut regexes, regex);
            }
        }
        for (regex, count) in regexes {
            if self.wanted.subscribers(&regex) == count {
                draft.records.push(self.regex_record(&regex, None));
                if let Some(resolved) = self.resolved.get(&regex) {
                    wanted.remove_resolved(resolved);
                }
            }
        }
        let metadata_hash = self.hashes.group_hash(&wanted, context.topics);
        let value = ConsumerGroupValue { epoch: self.epoch.saturating_add(1), metadata_hash };
        draft.records.push(Record::ConsumerGroup(self.id.to_string(), Some(value)));
        Fenced::Removed(draft)
    }

    /// The tombstones of the group (`createGroupTombstoneRecords`). A member that `renamed` names has got its second id
    /// in records before these.
    pub(super) fn tombstones(&self, renamed: Option<(&str, &str)>) -> Vec<Record> {
        let keys = || {
            self.members.keys().map(|id| {
                let id = renamed.filter(|(old, _)| **old == **id).map_or(&**id, |(_, new)| new);
                super::member::member_key(&self.id, id)
            })
        };
        let id = || self.id.to_string();
        let mut records: Vec<Record> = keys().map(|key| Record::CurrentAssignment(key, None)).collect();
        records.extend(keys().map(|key| Record::TargetMember(key, None)));
        records.push(Record::TargetEpoch(id(), None));
        records.extend(keys().map(|key| Record::Member(key, None)));
        records.extend(self.resolved.keys().map(|regex| self.regex_record(regex, None)));
        records.push(Record::PartitionMetadata(id(), None));
        records.push(Record::ConsumerGroup(id(), None));
        records
    }
}
