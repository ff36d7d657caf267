//! What the log makes of consumer groups, and the deadlines that follow from it.

use super::alarms::{AlarmChange, AlarmKind, AlarmTo, Slot};
use super::group::Group;
use super::heartbeat::Draft;
use super::member::{EPOCH_LEAVE, Member, MemberState, normalized, sorted_names};
use crate::group::record::{Assignment, CurrentAssignmentValue, MemberKey, MemberValue, Record};
use crate::group::shard::{FollowUp, Group as AnyGroup};
use crate::group::timers::{Entry, TimerKey, Timers};
use crate::group::{Context, Shard, Step};
use bytes::Bytes;

/// When a change that a deadline asks for could not be written, it is tried again.
const RETRY_MS: i64 = 500;

impl Shard {
    /// Every record but offsets and classic groups. A tombstone of what is not there means nothing.
    pub(in crate::group) fn replay_consumer_record(&mut self, record: Record) {
        let Some((group_id, creates)) = subject(&record) else { return };
        if let Record::ConsumerGroup(group_id, None) = &record {
            if let Some(AnyGroup::Consumer(_)) = self.groups.get(group_id)
                && let Some(AnyGroup::Consumer(group)) = self.groups.remove(group_id)
            {
                group.cancel_alarms(&mut self.timers);
            }
            return;
        }
        match self.groups.get_mut(group_id) {
            Some(AnyGroup::Consumer(group)) => group.replay(&mut self.timers, record),
            known if creates => {
                // A group that only holds offsets has no record of its own.
                if let Some(AnyGroup::Classic(classic)) = known {
                    classic.cancel_alarms(&mut self.timers);
                }
                let mut group = Group::new(group_id);
                let group_id = group_id.to_owned();
                group.replay(&mut self.timers, record);
                self.groups.insert(group_id, AnyGroup::Consumer(group));
            }
            _ => {}
        }
    }

    /// Every member gets a session from now on.
    pub(in crate::group) fn consumer_groups_loaded(&mut self, context: &Context) -> Step {
        for group in self.groups.values_mut() {
            let AnyGroup::Consumer(group) = group else { continue };
            let session_ms = context.settings.consumer_session_timeout_ms(&group.id);
            for slot in group.members.values_mut() {
                let mut within = |kind, delay_ms: i32| {
                    let at_ms = context.now_ms + i64::from(delay_ms.max(0));
                    slot.change(&mut self.timers, &group.id, kind, AlarmTo::At(at_ms));
                };
                within(AlarmKind::Session, session_ms);
                if slot.member.state() == MemberState::UnrevokedPartitions {
                    let rebalance_ms = slot.member.about.rebalance_timeout_ms;
                    let at_ms = context.now_ms + i64::from(rebalance_ms.max(0));
                    slot.change(&mut self.timers, &group.id, AlarmKind::Rebalance, AlarmTo::At(at_ms));
                }
            }
        }
        Step::default()
    }

    /// A deadline of a consumer group.
    pub(in crate::group) fn consumer_alarm(
        &mut self,
        context: &Context,
        entry: Entry,
        key: &TimerKey,
    ) -> Step {
        let (group_id, member) = match key {
            TimerKey::ConsumerRefresh(group_id) => (group_id, None),
            TimerKey::ConsumerSession(group_id, id) => (group_id, Some((id, AlarmKind::Session))),
            TimerKey::ConsumerRebalance(group_id, id) => (group_id, Some((id, AlarmKind::Rebalance))),
            TimerKey::ConsumerJoin(group_id, id) => (group_id, Some((id, AlarmKind::Join))),
            TimerKey::ConsumerSync(group_id, id) => (group_id, Some((id, AlarmKind::Sync))),
            _ => return Step::default(),
        };
        let Some(AnyGroup::Consumer(group)) = self.groups.get_mut(&**group_id) else {
            return Step::default();
        };
        let Some((member_id, kind)) = member else {
            let due = group.refresh.rings(&mut self.timers, context.now_ms, entry, key);
            let records = if due { group.refresh_regexes(context) } else { Vec::new() };
            return Step { records, ..Step::default() };
        };
        let Some(slot) = group.members.get_mut(member_id) else { return Step::default() };
        if !slot.alarms.of(kind).rings(&mut self.timers, context.now_ms, entry, key) {
            return Step::default();
        }
        if kind == AlarmKind::Rebalance && slot.alarms.rebalance_epoch != slot.member.epoch() {
            return Step::default();
        }
        slot.change(&mut self.timers, &group.id, kind, AlarmTo::At(context.now_ms + RETRY_MS));
        self.fence(context, group_id, std::slice::from_ref(member_id))
    }

    /// The tombstones of a consumer group, offsets apart.
    pub(in crate::group) fn consumer_group_tombstones(&self, group_id: &str) -> Vec<Record> {
        match self.groups.get(group_id) {
            Some(AnyGroup::Consumer(group)) => group.tombstones(None),
            _ => Vec::new(),
        }
    }

    /// Proposes the records of `draft`. Its deadlines are set when they are in the log; a session that runs already
    /// goes on from now in any case.
    pub(super) fn propose(&mut self, context: &Context, group_id: &str, draft: Draft) -> Step {
        let Draft { records, alarms, refresh } = draft;
        let (now, later): (Vec<_>, Vec<_>) = if records.is_empty() {
            (alarms, Vec::new())
        } else {
            alarms.into_iter().partition(|change| change.kind == AlarmKind::Session)
        };
        let later: Vec<_> = self
            .change_alarms(group_id, now)
            .into_iter()
            .filter(|_| !records.is_empty())
            .chain(later)
            .collect();
        if records.is_empty() {
            self.follow_consumer_group(context, group_id, Vec::new(), refresh);
        } else if refresh || !later.is_empty() {
            let group_id = group_id.to_owned();
            self.follow_ups.push(FollowUp::ConsumerAlarms { group_id, changes: later, refresh });
        }
        Step { records, ..Step::default() }
    }

    /// The records of a step are in the log: its deadlines begin.
    pub(in crate::group) fn follow_consumer_group(
        &mut self,
        context: &Context,
        group_id: &str,
        changes: Vec<AlarmChange>,
        refresh: bool,
    ) {
        self.change_alarms(group_id, changes);
        if refresh && let Some(AnyGroup::Consumer(group)) = self.groups.get_mut(group_id) {
            let id = &group.id;
            group.refresh.set(&mut self.timers, context.now_ms, || TimerKey::ConsumerRefresh(id.clone()));
        }
    }

    /// Changes the deadlines of members that are there; returns the others'.
    fn change_alarms(&mut self, group_id: &str, changes: Vec<AlarmChange>) -> Vec<AlarmChange> {
        let Some(AnyGroup::Consumer(group)) = self.groups.get_mut(group_id) else { return changes };
        let mut others = Vec::new();
        for change in changes {
            match group.members.get_mut(&change.member_id) {
                Some(slot) => slot.change(&mut self.timers, &group.id, change.kind, change.to),
                None => others.push(change),
            }
        }
        others
    }
}

impl Group {
    /// Takes in a record of this group; its end is the shard's to do.
    pub(in crate::group) fn replay(&mut self, timers: &mut Timers, record: Record) {
        match record {
            Record::Member(key, Some(value)) => {
                let mut member = self.member_or_new(&key);
                member.about = owned(value);
                self.update_member(timers, member);
            }
            Record::Member(key, None) => self.remove_member(timers, &key.member_id),
            Record::CurrentAssignment(key, Some(value)) => {
                let mut member = self.member_or_new(&key);
                let assigned = normalized(value.assigned);
                let pending_revocation = normalized(value.pending_revocation);
                member.current = CurrentAssignmentValue { assigned, pending_revocation, ..value };
                self.update_member(timers, member);
            }
            Record::CurrentAssignment(key, None) => {
                let Some(mut member) = self.member(&key.member_id).cloned() else { return };
                member.current = CurrentAssignmentValue {
                    member_epoch: EPOCH_LEAVE,
                    previous_member_epoch: EPOCH_LEAVE,
                    state: member.current.state,
                    assigned: Assignment::new(),
                    pending_revocation: Assignment::new(),
                };
                self.update_member(timers, member);
            }
            Record::ConsumerGroup(_, Some(value)) => {
                self.epoch = value.epoch;
                self.metadata_hash = value.metadata_hash;
            }
            Record::PartitionMetadata(_, value) => self.has_partition_metadata = value.is_some(),
            Record::TargetEpoch(_, epoch) => self.target_epoch = epoch.unwrap_or(-1),
            Record::TargetMember(key, Some(target)) => self.set_target(&key.member_id, normalized(target)),
            Record::TargetMember(key, None) => self.remove_target(&key.member_id),
            Record::RegularExpression(key, value) => {
                let value = value.map(|mut value| {
                    value.topics = sorted_names(value.topics);
                    value
                });
                self.set_resolved(key.regex, value);
            }
            Record::ConsumerGroup(_, None) | Record::Offset(..) | Record::ClassicGroup(..) => {}
        }
    }

    fn member_or_new(&self, key: &MemberKey) -> Member {
        self.member(&key.member_id).cloned().unwrap_or_else(|| Member::new(key.member_id.as_str().into()))
    }

    fn cancel_alarms(mut self, timers: &mut Timers) {
        self.refresh.cancel(timers);
        for Slot { alarms, .. } in self.members.into_values() {
            alarms.cancel(timers);
        }
    }
}

/// The group that a record is about, and whether the record makes it.
fn subject(record: &Record) -> Option<(&str, bool)> {
    Some(match record {
        Record::ConsumerGroup(group_id, value) => (group_id, value.is_some()),
        Record::PartitionMetadata(group_id, value) => (group_id, value.is_some()),
        Record::TargetEpoch(group_id, value) => (group_id, value.is_some()),
        Record::Member(key, value) => (&key.group_id, value.is_some()),
        Record::TargetMember(key, value) => (&key.group_id, value.is_some()),
        Record::CurrentAssignment(key, value) => (&key.group_id, value.is_some()),
        Record::RegularExpression(key, value) => (&key.group_id, value.is_some()),
        Record::Offset(..) | Record::ClassicGroup(..) => return None,
    })
}

/// The group's own copy: a slice of a request or of a log segment would keep all of it alive.
fn owned(mut value: MemberValue) -> MemberValue {
    value.subscribed_topics = sorted_names(value.subscribed_topics);
    for (_, metadata) in value.classic.iter_mut().flat_map(|classic| &mut classic.protocols) {
        *metadata = Bytes::copy_from_slice(metadata);
    }
    value
}
