//! Members of a consumer group that speak the classic protocol (KIP-848, online upgrade).
//!
//! Each of them rebalances by itself: a heartbeat tells it to rejoin, JoinGroup shows what it gave back and SyncGroup
//! tells it what it has. The member epoch is its generation; there is no leader.

use super::PROTOCOL_TYPE;
use super::alarms::{AlarmKind, AlarmTo};
use super::embedded::{Subscription, encode_assignment, version};
use super::group::Group;
use super::heartbeat::{Draft, Target};
use super::member::{Member, MemberState, normalized, sorted_names};
use crate::group::record::{Assignment, ClassicMemberMetadata};
use crate::group::shard::Group as AnyGroup;
use crate::group::{
    Context, HeartbeatRequest, JoinReply, JoinRequest, LeaveReply, LeaveRequest, LeavingMember, Reply, Shard,
    Step, SyncReply, SyncRequest, Ticket, Topics,
};
use bytes::Bytes;
use model::ErrorCode;
use model::ids::uuid_to_base64;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Shard {
    /// JoinGroup to a consumer group that has members (`classicGroupJoinToConsumerGroup`).
    pub(in crate::group) fn join_consumer_group(
        &mut self,
        context: &Context,
        ticket: Ticket,
        request: JoinRequest,
    ) -> Step {
        let Some(AnyGroup::Consumer(group)) = self.groups.get_mut(&request.group_id) else {
            return Step::reply(
                ticket,
                Reply::Join(JoinReply::error(ErrorCode::UnknownMemberId, String::new())),
            );
        };
        let mut draft = Draft::default();
        match group.join_classic(context, &request, &mut draft) {
            Ok((reply, follow_up)) => {
                let mut step = self.propose(context, &request.group_id, draft);
                self.follow_ups.extend(follow_up);
                step.replies.push((ticket, Reply::Join(reply)));
                step
            }
            Err(code) => Step::reply(ticket, Reply::Join(JoinReply::error(code, String::new()))),
        }
    }

    /// SyncGroup to a consumer group that has members (`classicGroupSyncToConsumerGroup`).
    pub(in crate::group) fn sync_consumer_group(
        &mut self,
        context: &Context,
        ticket: Ticket,
        request: SyncRequest,
    ) -> Step {
        let mut draft = Draft::default();
        let reply = match self.groups.get(&request.group_id) {
            Some(AnyGroup::Consumer(group)) => group.sync_classic(context, &request, &mut draft),
            _ => Err(ErrorCode::UnknownMemberId),
        };
        let mut step = self.propose(context, &request.group_id, draft);
        step.replies.push((ticket, Reply::Sync(reply.unwrap_or_else(SyncReply::error))));
        step
    }

    /// Heartbeat to a consumer group (`classicGroupHeartbeatToConsumerGroup`).
    pub(in crate::group) fn heartbeat_consumer_group(
        &mut self,
        context: &Context,
        ticket: Ticket,
        request: HeartbeatRequest,
    ) -> Step {
        let mut draft = Draft::default();
        let code = match self.groups.get(&request.group_id) {
            Some(AnyGroup::Consumer(group)) => group.heartbeat_classic(context, &request, &mut draft),
            _ => ErrorCode::UnknownMemberId,
        };
        let mut step = self.propose(context, &request.group_id, draft);
        step.replies.push((ticket, Reply::Heartbeat(code)));
        step
    }

    /// LeaveGroup to a consumer group (`classicGroupLeaveToConsumerGroup`): members of either protocol.
    pub(in crate::group) fn leave_consumer_group(
        &mut self,
        context: &Context,
        ticket: Ticket,
        request: LeaveRequest,
    ) -> Step {
        let Some(AnyGroup::Consumer(group)) = self.groups.get(&request.group_id) else {
            return Step::reply(ticket, Reply::Leave(request.refused(ErrorCode::UnknownMemberId)));
        };
        let mut gone: Vec<Arc<str>> = Vec::new();
        let mut members = Vec::with_capacity(request.members.len());
        for leaving in request.members {
            let code = match group.leaving_member(&leaving) {
                Ok(member) => {
                    gone.push(member.id.clone());
                    ErrorCode::None
                }
                Err(code) => code,
            };
            members.push((leaving, code));
        }
        let mut step = self.fence(context, &request.group_id, &gone);
        step.replies.push((ticket, Reply::Leave(LeaveReply { error: ErrorCode::None, members })));
        step
    }
}

impl Group {
    fn join_classic(
        &mut self,
        context: &Context,
        request: &JoinRequest,
        draft: &mut Draft,
    ) -> Result<(JoinReply, Option<crate::group::shard::FollowUp>), ErrorCode> {
        let settings = context.settings;
        if !settings.upgrade_allowed && !settings.downgrade_allowed {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        let is_unknown = request.member_id.is_empty();
        let member_id = if is_unknown { uuid_to_base64(request.fresh_id) } else { request.member_id.clone() };
        self.refuse_when_full(context, &member_id).map_err(|refusal| refusal.code)?;
        let names: BTreeSet<&str> = request.protocols.iter().map(|(name, _)| name.as_str()).collect();
        if !self.supports_classic(&request.protocol_type, &names) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        if is_unknown && request.member_id_required && request.instance_id.is_none() {
            return Ok((JoinReply::error(ErrorCode::MemberIdRequired, member_id), None));
        }
        let member = match &request.instance_id {
            None => self.dynamic_member(&member_id, true),
            Some(instance_id) if is_unknown => {
                self.joining_static_member(instance_id, &member_id, true, draft)
            }
            Some(instance_id) => self.own_static_member(instance_id, &member_id).cloned(),
        };
        let member = member.map_err(|refusal| refusal.code)?;
        let replaced =
            request.instance_id.as_ref().and_then(|instance_id| self.static_member(instance_id)).cloned();
        let downgrades = replaced.as_ref().is_some_and(|old| self.may_downgrade_by_replacing(context, old));
        let (_, metadata) = request.protocols.first().ok_or(ErrorCode::InconsistentGroupProtocol)?;
        let subscription =
            Subscription::decode(metadata).map_err(|_malformed| ErrorCode::UnknownServerError)?;
        let owned = ids(&subscription.owned, context.topics);
        let updated = described(&member, request, subscription);
        // Whoever replaces a member with a regular expression has another subscription.
        let grow = member.regex().is_some();
        let failed = |refusal: crate::group::Refusal| refusal.code;
        let growth = self.update_epoch(context, &member, &updated, grow, draft).map_err(failed)?;
        let mut follow_up = None;
        let updated = if downgrades {
            let mut updated = updated;
            if !growth.by_member {
                let target = Target { epoch: self.target_epoch, assignment: self.target_of(&updated) };
                updated = self.reconcile(context, updated, &target, Some(&owned), draft).map_err(failed)?;
            }
            let (records, then) = self.downgrade(context, &[], Some(&updated), growth.by_member);
            draft.records.extend(records);
            draft.alarms.clear();
            draft.refresh = false;
            follow_up = Some(then);
            updated
        } else {
            let target = self.update_target(context, &member, &updated, growth, draft).map_err(failed)?;
            let updated = self.reconcile(context, updated, &target, Some(&owned), draft).map_err(failed)?;
            let within = |delay_ms: i32| AlarmTo::At(context.now_ms + i64::from(delay_ms.max(0)));
            draft.alarm(&updated.id, AlarmKind::Join, AlarmTo::Off);
            draft.alarm(&updated.id, AlarmKind::Session, within(request.session_timeout_ms));
            draft.alarm(&updated.id, AlarmKind::Sync, within(request.rebalance_timeout_ms));
            updated
        };
        Ok((joined(&updated), follow_up))
    }

    fn sync_classic(
        &self,
        context: &Context,
        request: &SyncRequest,
        draft: &mut Draft,
    ) -> Result<SyncReply, ErrorCode> {
        let member =
            self.classic_member(&request.member_id, request.instance_id.as_deref(), request.generation)?;
        let (name, metadata) = member.first_protocol().ok_or(ErrorCode::UnknownServerError)?;
        let other_type = request.protocol_type.as_ref().is_some_and(|asked| asked != PROTOCOL_TYPE);
        if other_type || request.protocol_name.as_ref().is_some_and(|asked| asked != name) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        if self.epoch > member.epoch() && member.state() != MemberState::UnrevokedPartitions {
            expect_join(context, member, draft);
            return Err(ErrorCode::RebalanceInProgress);
        }
        draft.alarm(&member.id, AlarmKind::Sync, AlarmTo::Off);
        expect_heartbeat(context, member, draft);
        Ok(SyncReply {
            error: ErrorCode::None,
            protocol_type: request.protocol_type.clone(),
            protocol_name: request.protocol_name.clone(),
            assignment: embed(&member.current.assigned, metadata, context.topics),
        })
    }

    fn heartbeat_classic(
        &self,
        context: &Context,
        request: &HeartbeatRequest,
        draft: &mut Draft,
    ) -> ErrorCode {
        let member =
            self.classic_member(&request.member_id, request.instance_id.as_deref(), request.generation);
        let member = match member {
            Ok(member) => member,
            Err(code) => return code,
        };
        expect_heartbeat(context, member, draft);
        let must_rejoin = member.epoch() < self.epoch
            || match member.state() {
                MemberState::UnrevokedPartitions => true,
                MemberState::UnreleasedPartitions => !self.waits_for_others(member),
                MemberState::Stable | MemberState::Unknown => false,
            };
        if must_rejoin {
            expect_join(context, member, draft);
            return ErrorCode::RebalanceInProgress;
        }
        ErrorCode::None
    }

    /// The classic member that asks, at its generation.
    fn classic_member(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
    ) -> Result<&Member, ErrorCode> {
        let member = match instance_id {
            None => self.member(member_id).ok_or(ErrorCode::UnknownMemberId)?,
            Some(instance_id) => {
                self.own_static_member(instance_id, member_id).map_err(|refusal| refusal.code)?
            }
        };
        if !member.is_classic() {
            return Err(ErrorCode::UnknownMemberId);
        }
        if member.epoch() == generation { Ok(member) } else { Err(ErrorCode::IllegalGeneration) }
    }

    /// An administrator may name the instance alone (KIP-345).
    fn leaving_member(&self, leaving: &LeavingMember) -> Result<&Member, ErrorCode> {
        match &leaving.instance_id {
            None => self.member(&leaving.member_id).ok_or(ErrorCode::UnknownMemberId),
            Some(instance_id) if leaving.member_id.is_empty() => {
                self.static_member(instance_id).ok_or(ErrorCode::UnknownMemberId)
            }
            Some(instance_id) => {
                self.own_static_member(instance_id, &leaving.member_id).map_err(|refusal| refusal.code)
            }
        }
    }
}

/// What a joiner is told: nobody leads, the coordinator assigns.
fn joined(member: &Member) -> JoinReply {
    JoinReply {
        error: ErrorCode::None,
        generation: member.epoch(),
        protocol_type: Some(PROTOCOL_TYPE.to_owned()),
        protocol_name: member.first_protocol().map(|(name, _)| name.clone()),
        leader: String::new(),
        skip_assignment: false,
        member_id: member.id.to_string(),
        members: Vec::new(),
    }
}

fn described(member: &Member, request: &JoinRequest, subscription: Subscription) -> Member {
    let mut updated = member.clone();
    let about = &mut updated.about;
    if request.instance_id.is_some() {
        about.instance_id.clone_from(&request.instance_id);
    }
    if subscription.rack_id.is_some() {
        about.rack_id = subscription.rack_id;
    }
    if request.rebalance_timeout_ms != -1 {
        about.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    about.subscribed_topics = sorted_names(subscription.topics);
    about.subscribed_regex = Some(String::new());
    about.client_id.clone_from(&request.client.id);
    about.client_host.clone_from(&request.client.host);
    let protocols = request.protocols.clone();
    about.classic = Some(ClassicMemberMetadata { session_timeout_ms: request.session_timeout_ms, protocols });
    updated
}

fn expect_heartbeat(context: &Context, member: &Member, draft: &mut Draft) {
    let session_ms = member.about.classic.as_ref().map_or(0, |classic| classic.session_timeout_ms);
    draft.alarm(&member.id, AlarmKind::Session, AlarmTo::At(context.now_ms + i64::from(session_ms.max(0))));
}

fn expect_join(context: &Context, member: &Member, draft: &mut Draft) {
    let rebalance_ms = i64::from(member.about.rebalance_timeout_ms.max(0));
    draft.alarm(&member.id, AlarmKind::Join, AlarmTo::AtMost(context.now_ms + rebalance_ms));
}

/// Partitions by topic id; of topics that exist.
pub(super) fn ids(partitions: &[(String, Vec<i32>)], topics: &dyn Topics) -> Assignment {
    let mut assignment = Assignment::new();
    for (name, indexes) in partitions {
        if let Some(facts) = topics.by_name(name) {
            assignment.entry(facts.id).or_default().extend(indexes);
        }
    }
    normalized(assignment)
}

/// An assignment in the embedded protocol, in the version that the member's `metadata` has.
pub(super) fn embed(assignment: &Assignment, metadata: &[u8], topics: &dyn Topics) -> Bytes {
    let named: Vec<(String, &[i32])> = assignment
        .iter()
        .filter_map(|(id, partitions)| Some((topics.by_id(*id)?.name, partitions.as_slice())))
        .collect();
    encode_assignment(version(metadata).unwrap_or(0), &named)
}
