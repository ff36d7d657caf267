//! ConsumerGroupHeartbeat: how members join, follow and leave a group.
//!
//! Three steps, as in `GroupMetadataManager.consumerGroupHeartbeat`: the member and the group's epoch, the target
//! assignment of that epoch, and the member's own way to its target. The order of the records is Kafka's.

use super::alarms::{AlarmChange, AlarmKind, AlarmTo};
use super::assignor::Subscriptions;
use super::fence::Fenced;
use super::group::{Checked, Group, refusal};
use super::member::{EPOCH_LEAVE, EPOCH_STATIC_LEAVE, Member, MemberState, normalized, sorted_names};
use super::reconcile::{Goal, is_subset};
use super::validate::validate;
use crate::group::record::{Assignment, ConsumerGroupValue, Record};
use crate::group::shard::Group as AnyGroup;
use crate::group::{
    ConsumerHeartbeatReply, ConsumerHeartbeatRequest, Context, Refusal, Reply, Shard, Step, Ticket,
};
use model::ErrorCode;
use model::ids::uuid_to_base64;
use std::sync::Arc;

/// What a step is going to change.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub records: Vec<Record>,
    /// To be made once the records are in the log.
    pub alarms: Vec<AlarmChange>,
    /// The regular expressions are to be resolved.
    pub refresh: bool,
}

impl Draft {
    pub(super) fn alarm(&mut self, member_id: &Arc<str>, kind: AlarmKind, to: AlarmTo) {
        self.alarms.push(AlarmChange { member_id: member_id.clone(), kind, to });
    }
}

/// The group's epoch after a member has said something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    pub epoch: i32,
    /// How alike the subscriptions are then.
    pub subscriptions: Subscriptions,
    /// It grew by what the member said, and not by a change of the topics alone.
    pub by_member: bool,
}

/// What a member shall own, and from which epoch on.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub epoch: i32,
    pub assignment: Assignment,
}

impl Shard {
    /// ConsumerGroupHeartbeat (KIP-848).
    pub(in crate::group) fn consumer_heartbeat(
        &mut self,
        context: &Context,
        ticket: Ticket,
        mut request: ConsumerHeartbeatRequest,
    ) -> Step {
        request.subscribed_topics = request.subscribed_topics.map(sorted_names);
        let result = validate(&request, &context.settings.consumer_assignors).and_then(|()| {
            if matches!(request.member_epoch, EPOCH_LEAVE | EPOCH_STATIC_LEAVE) {
                self.leave_by_heartbeat(context, &request)
            } else {
                self.beat(context, &request)
            }
        });
        match result {
            Ok((reply, mut step)) => {
                step.replies.push((ticket, Reply::ConsumerHeartbeat(Ok(reply))));
                step
            }
            Err(refusal) => Step::reply(ticket, Reply::ConsumerHeartbeat(Err(refusal))),
        }
    }

    fn beat(
        &mut self,
        context: &Context,
        request: &ConsumerHeartbeatRequest,
    ) -> Result<(ConsumerHeartbeatReply, Step), Refusal> {
        let group_id = &request.group_id;
        let joining = request.member_epoch == 0;
        let mut draft = Draft::default();
        let mut step = Step::default();
        let reply = match self.groups.get_mut(group_id) {
            Some(AnyGroup::Consumer(group)) => group.beat(context, request, &mut draft)?,
            Some(AnyGroup::Classic(_)) if !joining => {
                let message = format!("Group {group_id} is not a consumer group.");
                return Err(refusal(ErrorCode::GroupIdNotFound, message));
            }
            Some(AnyGroup::Classic(classic)) => {
                let mut group = classic.upgraded(context, &mut draft)?;
                let reply = group.beat(context, request, &mut draft)?;
                // Who waits in the old group's rebalance has to join the new one.
                let turn =
                    &mut crate::group::classic::Turn { context, timers: &mut self.timers, step: &mut step };
                classic.answer_all(turn, ErrorCode::RebalanceInProgress);
                reply
            }
            None if !joining => {
                let message = format!("Consumer group {group_id} not found.");
                return Err(refusal(ErrorCode::GroupIdNotFound, message));
            }
            None => Group::new(group_id).beat(context, request, &mut draft)?,
        };
        step.extend(self.propose(context, group_id, draft));
        Ok((reply, step))
    }

    fn leave_by_heartbeat(
        &mut self,
        context: &Context,
        request: &ConsumerHeartbeatRequest,
    ) -> Result<(ConsumerHeartbeatReply, Step), Refusal> {
        let group = self.known_consumer_group(&request.group_id)?;
        let member = match &request.instance_id {
            None => group.known_member(&request.member_id)?,
            Some(instance_id) => group.own_static_member(instance_id, &request.member_id)?,
        };
        let reply = ConsumerHeartbeatReply {
            member_id: request.member_id.clone(),
            member_epoch: request.member_epoch,
            heartbeat_interval_ms: 0,
            assignment: None,
        };
        if request.instance_id.is_some() && request.member_epoch == EPOCH_STATIC_LEAVE {
            let mut leaving = member.clone();
            leaving.current.member_epoch = EPOCH_STATIC_LEAVE;
            leaving.current.pending_revocation.clear();
            let records = vec![leaving.current_record(&request.group_id)];
            return Ok((reply, Step { records, ..Step::default() }));
        }
        let member_ids = vec![member.id.clone()];
        let step = self.fence(context, &request.group_id, &member_ids);
        Ok((reply, step))
    }

    /// The consumer group of that id, or the refusal that Kafka gives.
    pub(super) fn known_consumer_group(&self, group_id: &str) -> Result<&Group, Refusal> {
        match self.groups.get(group_id) {
            Some(AnyGroup::Consumer(group)) => Ok(group),
            Some(AnyGroup::Classic(_)) => {
                let message = format!("Group {group_id} is not a consumer group.");
                Err(refusal(ErrorCode::GroupIdNotFound, message))
            }
            None => Err(refusal(ErrorCode::GroupIdNotFound, format!("Group {group_id} not found."))),
        }
    }

    /// Removes members that left or went silent; a group that is left with classic members alone becomes classic.
    pub(super) fn fence(&mut self, context: &Context, group_id: &str, member_ids: &[Arc<str>]) -> Step {
        let Some(AnyGroup::Consumer(group)) = self.groups.get_mut(group_id) else { return Step::default() };
        match group.fence(context, member_ids) {
            Fenced::Removed(draft) => self.propose(context, group_id, draft),
            Fenced::Downgraded { records, follow_up } => {
                self.follow_ups.push(follow_up);
                Step { records, ..Step::default() }
            }
        }
    }
}

impl Group {
    /// A heartbeat of a member that joins or stays.
    fn beat(
        &mut self,
        context: &Context,
        request: &ConsumerHeartbeatRequest,
        draft: &mut Draft,
    ) -> Result<ConsumerHeartbeatReply, Refusal> {
        let owned = request.owned.clone().map(normalized);
        self.refuse_when_full(context, &request.member_id)?;
        let fresh_id;
        let member_id = if request.member_id.is_empty() {
            fresh_id = uuid_to_base64(request.fresh_id);
            &fresh_id
        } else {
            &request.member_id
        };
        let joining = request.member_epoch == 0;
        let member = match &request.instance_id {
            None => self.dynamic_member(member_id, joining)?,
            Some(instance_id) if joining => {
                self.joining_static_member(instance_id, member_id, false, draft)?
            }
            Some(instance_id) => self.own_static_member(instance_id, member_id)?.clone(),
        };
        if request.instance_id.is_none() || !joining {
            check_epoch(&member, request.member_epoch, request.owned.as_ref())?;
        }
        let updated = described(&member, request);
        // A new group leaves epoch 0 at once.
        let growth = self.update_epoch(context, &member, &updated, self.epoch == 0, draft)?;
        let goal = self.update_target(context, &member, &updated, growth, draft)?;
        let updated = self.reconcile(context, updated, &goal, owned.as_ref(), draft)?;
        let session_ms = i64::from(context.settings.consumer_session_timeout_ms(&self.id));
        draft.alarm(&updated.id, AlarmKind::Session, AlarmTo::At(context.now_ms + session_ms));
        let full = request.rebalance_timeout_ms != -1
            && (request.subscribed_topics.is_some() || request.subscribed_regex.is_some())
            && request.owned.is_some();
        let changed = updated.current.assigned != member.current.assigned;
        Ok(ConsumerHeartbeatReply {
            member_id: updated.id.to_string(),
            member_epoch: updated.epoch(),
            heartbeat_interval_ms: context.settings.consumer_heartbeat_interval_ms(&self.id),
            assignment: (joining || full || changed).then_some(updated.current.assigned),
        })
    }

    /// Writes down what a member says of itself, and the group's epoch when it grows by that. `grow` says that it must.
    pub(super) fn update_epoch(
        &mut self,
        context: &Context,
        member: &Member,
        updated: &Member,
        mut grow: bool,
        draft: &mut Draft,
    ) -> Result<Growth, Refusal> {
        if updated.about != member.about {
            draft.records.push(updated.about_record(&self.id));
            grow |= updated.about.subscribed_topics != member.about.subscribed_topics;
        }
        grow |= self.update_regexes(context, member, updated, draft)?;
        if !grow && !self.must_check(context.topics) {
            return Ok(Growth { epoch: self.epoch, subscriptions: self.subscriptions(), by_member: false });
        }
        let mut wanted = self.wanted.clone();
        wanted.remove_member(member);
        wanted.add_member(updated);
        if let Some(regex) = member.regex()
            && Some(regex) != updated.regex()
            && self.wanted.subscribers(regex) == 1
            && let Some(resolved) = self.resolved.get(regex)
        {
            wanted.remove_resolved(resolved);
        }
        let metadata_hash = self.hashes.group_hash(&wanted, context.topics);
        let is_new =
            self.member(&updated.id).is_none() && !self.has_instance(updated.about.instance_id.as_deref());
        let subscriptions = wanted.kind(self.members.len() + usize::from(is_new));
        let mut epoch = self.epoch;
        if grow || metadata_hash != self.metadata_hash {
            epoch = epoch.saturating_add(1);
            let value = ConsumerGroupValue { epoch, metadata_hash };
            draft.records.push(Record::ConsumerGroup(self.id.to_string(), Some(value)));
        }
        self.checked = Checked { version: Some(context.topics.version()), epoch };
        if self.has_partition_metadata {
            draft.records.push(Record::PartitionMetadata(self.id.to_string(), None));
        }
        Ok(Growth { epoch, subscriptions, by_member: grow })
    }

    /// The targets of the group's epoch; new ones when it has grown.
    pub(super) fn update_target(
        &self,
        context: &Context,
        member: &Member,
        updated: &Member,
        growth: Growth,
        draft: &mut Draft,
    ) -> Result<Target, Refusal> {
        if growth.epoch <= self.target_epoch {
            return Ok(Target { epoch: self.target_epoch, assignment: self.target_of(updated) });
        }
        let assignment = self.assign(context, growth, (member, updated), &mut draft.records)?;
        Ok(Target { epoch: growth.epoch, assignment })
    }

    /// Moves the member towards its target as far as it goes now (`maybeReconcile`).
    pub(super) fn reconcile(
        &self,
        context: &Context,
        mut member: Member,
        target: &Target,
        owned: Option<&Assignment>,
        draft: &mut Draft,
    ) -> Result<Member, Refusal> {
        if member.is_reconciled_to(target.epoch) {
            return Ok(member);
        }
        let is_owned = |topic, partition| self.is_owned(topic, partition);
        let goal =
            Goal { target_epoch: target.epoch, target: &target.assignment, owned, is_owned: &is_owned };
        let next = goal.advance(&member).map_err(|_must_rejoin| {
            let message = "The consumer group member is in a unknown state. \
                           The member must abandon all its partitions and rejoin.";
            refusal(ErrorCode::FencedMemberEpoch, message)
        })?;
        let Some(next) = next else { return Ok(member) };
        member.current = next;
        draft.records.push(member.current_record(&self.id));
        // Classic members have deadlines for rejoining instead.
        if !member.is_classic() {
            let to = if member.state() == MemberState::UnrevokedPartitions {
                AlarmTo::At(context.now_ms + i64::from(member.about.rebalance_timeout_ms.max(0)))
            } else {
                AlarmTo::Off
            };
            draft.alarm(&member.id, AlarmKind::Rebalance, to);
        }
        Ok(member)
    }
}

/// The member as the request describes it. What a request does not say stays as it is.
fn described(member: &Member, request: &ConsumerHeartbeatRequest) -> Member {
    let mut updated = member.clone();
    let about = &mut updated.about;
    if request.instance_id.is_some() {
        about.instance_id.clone_from(&request.instance_id);
    }
    if request.rack_id.is_some() {
        about.rack_id.clone_from(&request.rack_id);
    }
    if request.rebalance_timeout_ms != -1 {
        about.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    if request.server_assignor.is_some() {
        about.server_assignor.clone_from(&request.server_assignor);
    }
    if let Some(topics) = &request.subscribed_topics {
        about.subscribed_topics.clone_from(topics);
    }
    if request.subscribed_regex.is_some() {
        about.subscribed_regex.clone_from(&request.subscribed_regex);
    }
    about.client_id.clone_from(&request.client.id);
    about.client_host.clone_from(&request.client.host);
    about.classic = None;
    updated
}

/// A member may be one epoch behind, as long as it owns no more than it may: our last answer may be lost.
fn check_epoch(member: &Member, epoch: i32, owned: Option<&Assignment>) -> Result<(), Refusal> {
    let known = member.epoch();
    let relation = if epoch > known {
        "greater"
    } else if epoch < known
        && (epoch != member.current.previous_member_epoch || !is_subset(owned, &member.current.assigned))
    {
        "smaller"
    } else {
        return Ok(());
    };
    let message = format!(
        "The consumer group member has a {relation} member epoch ({epoch}) than the one known by the group coordinator \
         ({known}). The member must abandon all its partitions and rejoin."
    );
    Err(refusal(ErrorCode::FencedMemberEpoch, message))
}
