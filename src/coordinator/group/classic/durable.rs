//! What the log knows of a classic group: its last generation, as a whole.

use super::replace::Replaced;
use super::{Group, Member, State, Turn};
use crate::group::record::{ClassicGroupValue, Record};
use crate::group::shard::Group as AnyGroup;
use crate::group::{Context, Shard, Step};
use bytes::Bytes;
use model::ErrorCode;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a record that a step proposed means for the group in memory, which knows more than the record.
#[derive(Debug)]
pub(super) enum Proposal {
    /// The group is new.
    Created,
    /// The last member is gone. When that cannot be written, the generation before comes back after a restart, and its
    /// members' sessions end.
    Emptied,
    /// The leader has assigned.
    Assigned(BTreeMap<Arc<str>, Bytes>),
    /// A static member has a new id.
    Replaced(Replaced),
}

impl Shard {
    /// Lets a classic group act, if it is there.
    pub(in crate::group) fn with_classic(
        &mut self,
        context: &Context,
        group_id: &str,
        act: impl FnOnce(&mut Group, &mut Turn),
    ) -> Step {
        let mut step = Step::default();
        if let Some(AnyGroup::Classic(group)) = self.groups.get_mut(group_id) {
            act(group, &mut Turn { context, timers: &mut self.timers, step: &mut step });
        }
        step
    }

    pub(in crate::group) fn replay_classic_group(
        &mut self,
        group_id: String,
        value: Option<ClassicGroupValue>,
    ) {
        let known = match self.groups.get_mut(&group_id) {
            Some(AnyGroup::Classic(group)) => Some(group),
            _ => None,
        };
        match (known, value) {
            (Some(group), Some(value)) if group.proposal.is_some() => group.confirm(&value),
            (known, Some(value)) => {
                if let Some(group) = known {
                    group.cancel_alarms(&mut self.timers);
                }
                let group = Group::from_value(&group_id, value);
                self.groups.insert(group_id, AnyGroup::Classic(group));
            }
            (Some(group), None) => {
                group.cancel_alarms(&mut self.timers);
                self.groups.remove(&group_id);
            }
            // The group is a consumer group by now, or never was.
            (None, None) => {}
        }
    }

    /// Every member gets a session from now on. A group that is over a size that was lowered rebalances, so that it
    /// shrinks.
    pub(in crate::group) fn classic_groups_loaded(&mut self, context: &Context) -> Step {
        let mut step = Step::default();
        for group in self.groups.values_mut() {
            if let AnyGroup::Classic(group) = group {
                let mut turn = Turn { context, timers: &mut self.timers, step: &mut step };
                group.start_sessions(&mut turn);
                let members_max = usize::try_from(context.settings.classic_members_max).unwrap_or(0);
                if group.members.len() > members_max && group.state == State::Stable {
                    group.prepare_rebalance(&mut turn);
                }
            }
        }
        step
    }

    /// A consumer group has become this classic one (KIP-848's downgrade).
    pub(in crate::group) fn classic_group_downgraded(
        &mut self,
        context: &Context,
        group_id: &str,
        mut protocols: BTreeMap<String, Vec<(String, Bytes)>>,
        rebalance: bool,
    ) -> Step {
        self.with_classic(context, group_id, |group, turn| {
            let member_ids: Vec<Arc<str>> = group.members.keys().cloned().collect();
            for member_id in member_ids {
                if let Some(protocols) = protocols.remove(&*member_id) {
                    group.learn_protocols(&member_id, protocols);
                }
            }
            group.start_sessions(turn);
            if rebalance {
                group.prepare_rebalance(turn);
            }
        })
    }

    pub(in crate::group) fn classic_write_failed(&mut self, context: &Context, step: &Step) -> Step {
        let mut undone = Step::default();
        for record in &step.records {
            if let Record::ClassicGroup(group_id, _) = record {
                undone.extend(self.classic_record_failed(context, group_id));
            }
        }
        undone
    }

    fn classic_record_failed(&mut self, context: &Context, group_id: &str) -> Step {
        let mut step = Step::default();
        let Some(AnyGroup::Classic(group)) = self.groups.get_mut(group_id) else { return step };
        let mut turn = Turn { context, timers: &mut self.timers, step: &mut step };
        match group.proposal.take() {
            Some(Proposal::Created) => {
                group.answer_all(&mut turn, ErrorCode::CoordinatorNotAvailable);
                group.cancel_alarms(&mut self.timers);
                self.groups.remove(group_id);
                if let Some(displaced) = self.displaced.take() {
                    self.groups.insert(group_id.to_owned(), displaced);
                }
            }
            Some(Proposal::Assigned(_)) => {
                group.drop_assignment(&mut turn, ErrorCode::CoordinatorNotAvailable);
                group.rebalance(&mut turn);
            }
            Some(Proposal::Replaced(replaced)) => group.undo_replacement(&mut turn, replaced),
            Some(Proposal::Emptied) | None => {}
        }
        step
    }
}

impl Group {
    pub(super) fn propose_created(&mut self) {
        self.proposal = Some(Proposal::Created);
    }

    /// What a group is written down as before anybody joined.
    pub(super) fn created_record(&self) -> Record {
        let value = ClassicGroupValue {
            protocol_type: String::new(),
            generation: 0,
            protocol: None,
            leader: None,
            state_timestamp_ms: self.state_since_ms.unwrap_or(-1),
            members: Vec::new(),
        };
        Record::ClassicGroup(self.id.to_string(), Some(value))
    }

    /// The group in its generation, with these assignments.
    pub(super) fn record(&self, assignment: impl Fn(&Member) -> Bytes) -> Record {
        let protocol = self.protocol.as_deref();
        let member = |member: &Member| member.to_value(protocol, assignment(member));
        let value = ClassicGroupValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.as_deref().map(str::to_owned),
            state_timestamp_ms: self.state_since_ms.unwrap_or(-1),
            members: self.members().map(member).collect(),
        };
        Record::ClassicGroup(self.id.to_string(), Some(value))
    }

    /// The group as the log knows it.
    fn from_value(group_id: &str, value: ClassicGroupValue) -> Self {
        let state_since_ms = Some(value.state_timestamp_ms).filter(|at_ms| *at_ms != -1);
        let mut group = Self::new(group_id, state_since_ms);
        group.state = if value.members.is_empty() { State::Empty } else { State::Stable };
        group.generation = value.generation;
        group.protocol_type = Some(value.protocol_type.clone()).filter(|name| !name.is_empty());
        group.leader = value.leader.map(Into::into);
        let protocol = value.protocol.as_deref().unwrap_or_default();
        for member in value.members {
            let instance_id = member.instance_id.as_deref();
            let is_taken = instance_id.is_some_and(|id| group.instances.contains_key(id));
            // A damaged record: the first of a name counts.
            if !is_taken && !group.members.contains_key(member.member_id.as_str()) {
                group.add(Member::from_value(member, protocol), &value.protocol_type);
            }
        }
        group.protocol = value.protocol;
        group.subscribed = group.read_subscribed();
        group
    }

    /// The record that this group proposed is in the log.
    fn confirm(&mut self, value: &ClassicGroupValue) {
        debug_assert_eq!(
            self.generation, value.generation,
            "a proposal is replayed before the group moves on"
        );
        if let Some(Proposal::Assigned(mut assignments)) = self.proposal.take() {
            for member in self.members.values_mut() {
                member.assignment = assignments.remove(&member.id).unwrap_or_default();
            }
            self.state = State::Stable;
        }
    }

    fn start_sessions(&mut self, turn: &mut Turn) {
        let member_ids: Vec<Arc<str>> = self.members.keys().cloned().collect();
        for member_id in member_ids {
            self.restart_session(turn, &member_id);
        }
    }
}
