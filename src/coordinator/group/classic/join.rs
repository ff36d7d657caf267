//! JoinGroup (KIP-62, 345, 394, 814).

use super::member::own;
use super::membership::Timeouts;
use super::replace::Replacement;
use super::{Group, Member, State, Turn};
use crate::group::shard::Group as AnyGroup;
use crate::group::timers::Alarm;
use crate::group::{Context, JoinReply, JoinRequest, Reply, Shard, Step, Ticket};
use model::ErrorCode;
use std::sync::Arc;

/// How long a new member may wait for its first answer (`GroupCoordinatorConfig.CLASSIC_GROUP_NEW_MEMBER_JOIN_TIMEOUT_MS`).
/// It has no member id to send heartbeats with, and a client that gave up and came again would else leave one ghost
/// behind with every try.
const NEW_MEMBER_TIMEOUT_MS: i32 = 5 * 60 * 1_000;

impl Shard {
    /// JoinGroup, to a group of either protocol.
    pub(in crate::group) fn join(&mut self, context: &Context, ticket: Ticket, request: JoinRequest) -> Step {
        if let Err(code) = validate(context, &request) {
            return Step::reply(ticket, Reply::Join(request.refused(code)));
        }
        let replaces_empty = match self.groups.get(&request.group_id) {
            Some(AnyGroup::Consumer(group)) if !group.is_empty() => {
                return self.join_consumer_group(context, ticket, request);
            }
            Some(AnyGroup::Consumer(_)) => true,
            Some(AnyGroup::Classic(_)) => false,
            None if request.member_id.is_empty() => return self.join_new_group(context, ticket, &request),
            None => return Step::reply(ticket, Reply::Join(request.refused(ErrorCode::UnknownMemberId))),
        };
        if replaces_empty {
            return self.replace_empty_consumer_group(context, ticket, &request);
        }
        self.with_classic(context, &request.group_id, |group, turn| group.join(turn, ticket, &request))
    }

    /// A consumer group without members becomes a classic one.
    fn replace_empty_consumer_group(
        &mut self,
        context: &Context,
        ticket: Ticket,
        request: &JoinRequest,
    ) -> Step {
        if !request.member_id.is_empty() {
            return Step::reply(ticket, Reply::Join(request.refused(ErrorCode::UnknownMemberId)));
        }
        let records = self.consumer_group_tombstones(&request.group_id);
        self.displaced = self.groups.remove(&request.group_id);
        let mut step = Step { records, ..Step::default() };
        step.extend(self.join_new_group(context, ticket, request));
        step
    }

    /// The group is written down as it is before its first member joins.
    fn join_new_group(&mut self, context: &Context, ticket: Ticket, request: &JoinRequest) -> Step {
        let group = Group::new(&request.group_id, Some(context.wall_ms));
        let record = group.created_record();
        self.groups.insert(request.group_id.clone(), AnyGroup::Classic(group));
        let mut step = self.with_classic(context, &request.group_id, |group, turn| {
            group.join(turn, ticket, request);
            group.propose_created();
        });
        step.records.push(record);
        step
    }
}

fn validate(context: &Context, request: &JoinRequest) -> Result<(), ErrorCode> {
    let settings = context.settings;
    if request.group_id.is_empty() {
        return Err(ErrorCode::InvalidGroupId);
    }
    if !(settings.session_timeout_min_ms..=settings.session_timeout_max_ms)
        .contains(&request.session_timeout_ms)
    {
        return Err(ErrorCode::InvalidSessionTimeout);
    }
    Ok(())
}

impl Group {
    fn join(&mut self, turn: &mut Turn, ticket: Ticket, request: &JoinRequest) {
        if !self.accepts(turn, &request.member_id) {
            self.remove(turn, &request.member_id);
            let reply = JoinReply::error(ErrorCode::GroupMaxSizeReached, String::new());
            turn.reply(ticket, Reply::Join(reply));
            self.complete_join_if_all_joined(turn);
        } else if !self.supports(&request.protocol_type, &request.protocols) {
            turn.reply(ticket, Reply::Join(request.refused(ErrorCode::InconsistentGroupProtocol)));
        } else if request.member_id.is_empty() {
            self.join_new_member(turn, ticket, request);
        } else {
            self.join_known_member(turn, ticket, request);
        }
    }

    /// Is there room under `group.max.size`? While members join, those who did are counted: the size may be above the
    /// limit, when that was lowered, and then the last to join again must go.
    fn accepts(&self, turn: &Turn, member_id: &str) -> bool {
        let members_max = usize::try_from(turn.context.settings.classic_members_max).unwrap_or(0);
        let member = self.members.get(member_id);
        match self.state {
            State::Empty => true,
            State::PreparingRebalance { .. } => {
                member.is_some_and(|member| member.join.is_some()) || self.joins_parked < members_max
            }
            State::CompletingRebalance | State::Stable => {
                member.is_some() || self.members.len() < members_max
            }
        }
    }

    fn join_new_member(&mut self, turn: &mut Turn, ticket: Ticket, request: &JoinRequest) {
        let name = request.instance_id.as_ref().unwrap_or(&request.client.id);
        let new_id: Arc<str> = format!("{name}-{}", request.fresh_id).into();
        let old_id = request.instance_id.as_ref().and_then(|instance_id| self.instances.get(instance_id));
        match old_id.cloned() {
            Some(old_id) => self.replace_static(turn, Replacement { ticket, request, old_id, new_id }),
            None if request.instance_id.is_none() && request.member_id_required => {
                self.expect_back(turn, &new_id, request.session_timeout_ms);
                let reply = JoinReply::error(ErrorCode::MemberIdRequired, new_id.to_string());
                turn.reply(ticket, Reply::Join(reply));
            }
            None => self.add_joining(turn, ticket, request, new_id),
        }
    }

    /// KIP-394: a dynamic member is only taken in when it comes back with its id.
    fn expect_back(&mut self, turn: &mut Turn, new_id: &Arc<str>, session_timeout_ms: i32) {
        let deadline_ms = turn.in_ms(session_timeout_ms);
        let mut alarm = Alarm::default();
        alarm.set(turn.timers, deadline_ms, || self.session_key(new_id));
        self.pending.insert(new_id.clone(), alarm);
    }

    fn join_known_member(&mut self, turn: &mut Turn, ticket: Ticket, request: &JoinRequest) {
        let member_id = request.member_id.as_str();
        if let Some((id, mut alarm)) = self.pending.remove_entry(member_id) {
            if request.instance_id.is_some() {
                // A pending member is dynamic: the request contradicts itself.
                self.pending.insert(id, alarm);
                let reply = JoinReply::error(ErrorCode::UnknownServerError, String::new());
                return turn.reply(ticket, Reply::Join(reply));
            }
            alarm.cancel(turn.timers);
            return self.add_joining(turn, ticket, request, id);
        }
        if let Err(code) = self.validate_member(member_id, request.instance_id.as_deref()) {
            return turn.reply(ticket, Reply::Join(request.refused(code)));
        }
        let unchanged =
            self.members.get(member_id).is_some_and(|member| member.protocols == request.protocols);
        match self.state {
            State::Empty => turn.reply(ticket, Reply::Join(request.refused(ErrorCode::UnknownMemberId))),
            // The member lost our answer.
            State::CompletingRebalance if unchanged => {
                let reply = self.joined_reply(member_id);
                turn.reply(ticket, Reply::Join(reply));
            }
            // A follower with nothing new may go on to SyncGroup; a leader that comes wants to assign anew.
            State::Stable if unchanged && !self.is_leader(member_id) => {
                let reply = self.joined_reply(member_id);
                turn.reply(ticket, Reply::Join(reply));
            }
            State::PreparingRebalance { .. } | State::CompletingRebalance | State::Stable => {
                self.update(member_id, own(&request.protocols), Timeouts::of(request));
                self.park_join(turn, member_id, ticket);
                self.rebalance(turn);
            }
        }
    }

    fn add_joining(&mut self, turn: &mut Turn, ticket: Ticket, request: &JoinRequest, id: Arc<str>) {
        if let Some(initial) = &mut self.initial {
            initial.newcomer = true;
        }
        let mut member = Member::new(id.clone(), request);
        member.join = Some(ticket);
        self.add(member, &request.protocol_type);
        self.expect_within(turn, &id, NEW_MEMBER_TIMEOUT_MS);
        self.rebalance(turn);
    }

    /// What a member of this generation is told; the leader alone hears of the others.
    pub(super) fn joined_reply(&self, member_id: &str) -> JoinReply {
        let protocol = self.protocol.as_deref();
        let members = if self.is_leader(member_id) {
            self.members.values().map(|member| member.joined(protocol)).collect()
        } else {
            Vec::new()
        };
        JoinReply {
            error: ErrorCode::None,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            leader: self.leader.as_deref().unwrap_or_default().to_owned(),
            skip_assignment: false,
            member_id: member_id.to_owned(),
            members,
        }
    }
}

impl Timeouts {
    pub(super) fn of(request: &JoinRequest) -> Self {
        Self { rebalance_ms: request.rebalance_timeout_ms, session_ms: request.session_timeout_ms }
    }
}
