//! SyncGroup: the leader's assignment is written down, then everybody hears its own.

use super::durable::Proposal;
use super::{Group, State, Turn};
use crate::group::shard::Group as AnyGroup;
use crate::group::{Context, Reply, Shard, Step, SyncReply, SyncRequest, Ticket};
use bytes::Bytes;
use model::ErrorCode;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Shard {
    /// SyncGroup, to a group of either protocol.
    pub(in crate::group) fn sync(&mut self, context: &Context, ticket: Ticket, request: SyncRequest) -> Step {
        if request.group_id.is_empty() {
            return Step::reply(ticket, Reply::Sync(request.refused(ErrorCode::InvalidGroupId)));
        }
        match self.groups.get(&request.group_id) {
            Some(AnyGroup::Consumer(group)) if !group.is_empty() => {
                self.sync_consumer_group(context, ticket, request)
            }
            Some(AnyGroup::Classic(group)) if !group.is_empty() => {
                self.with_classic(context, &request.group_id, |group, turn| {
                    group.sync(turn, ticket, &request);
                })
            }
            _ => Step::reply(ticket, Reply::Sync(request.refused(ErrorCode::UnknownMemberId))),
        }
    }
}

impl Group {
    fn sync(&mut self, turn: &mut Turn, ticket: Ticket, request: &SyncRequest) {
        if let Err(code) = self.validate_sync(request) {
            return turn.reply(ticket, Reply::Sync(request.refused(code)));
        }
        match self.state {
            State::Empty => turn.reply(ticket, Reply::Sync(request.refused(ErrorCode::UnknownMemberId))),
            State::PreparingRebalance { .. } => {
                turn.reply(ticket, Reply::Sync(request.refused(ErrorCode::RebalanceInProgress)));
            }
            State::CompletingRebalance => {
                self.park_sync(turn, ticket, &request.member_id);
                self.synced(turn, &request.member_id);
                if self.is_leader(&request.member_id) {
                    self.assign(turn, &request.assignments);
                }
            }
            State::Stable => {
                self.synced(turn, &request.member_id);
                let member = self.members.get(request.member_id.as_str());
                let assignment = member.map(|member| member.assignment.clone()).unwrap_or_default();
                let reply = self.synced_reply(assignment);
                turn.reply(ticket, Reply::Sync(reply));
            }
        }
    }

    fn validate_sync(&self, request: &SyncRequest) -> Result<(), ErrorCode> {
        self.validate_member(&request.member_id, request.instance_id.as_deref())?;
        if request.generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        // Old versions name neither.
        let differ =
            |said: &Option<String>, own: &Option<String>| said.is_some() && own.is_some() && said != own;
        if differ(&request.protocol_type, &self.protocol_type)
            || differ(&request.protocol_name, &self.protocol)
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        Ok(())
    }

    /// Parks a SyncGroup. One that the same member parked before is answered: its connection is most likely gone.
    fn park_sync(&mut self, turn: &mut Turn, ticket: Ticket, member_id: &str) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        if let Some(before) = member.sync.replace(ticket) {
            turn.reply(before, Reply::Sync(SyncReply::error(ErrorCode::RebalanceInProgress)));
        }
    }

    fn synced(&mut self, turn: &mut Turn, member_id: &str) {
        self.syncs_missing.remove(member_id);
        if self.syncs_missing.is_empty() {
            self.sync_alarm.cancel(turn.timers);
        }
    }

    /// Proposes the leader's assignment; whoever it forgot owns nothing. Everybody who waits is answered along with it.
    fn assign(&mut self, turn: &mut Turn, assignments: &[(String, Bytes)]) {
        let by_member: BTreeMap<&str, &Bytes> =
            assignments.iter().map(|(member_id, assignment)| (member_id.as_str(), assignment)).collect();
        let own = |member_id: &Arc<str>| {
            let assignment = by_member.get(&**member_id).map(|assignment| Bytes::copy_from_slice(assignment));
            (member_id.clone(), assignment.unwrap_or_default())
        };
        let assignments: BTreeMap<Arc<str>, Bytes> = self.members.keys().map(own).collect();
        turn.step
            .records
            .push(self.record(|member| assignments.get(&member.id).cloned().unwrap_or_default()));
        for (member_id, assignment) in &assignments {
            let ticket = self.members.get_mut(member_id).and_then(|member| member.sync.take());
            if let Some(ticket) = ticket {
                let reply = self.synced_reply(assignment.clone());
                turn.reply(ticket, Reply::Sync(reply));
                // Its session may have run out while it waited.
                self.restart_session(turn, member_id);
            }
        }
        self.proposal = Some(Proposal::Assigned(assignments));
    }

    fn synced_reply(&self, assignment: Bytes) -> SyncReply {
        SyncReply {
            error: ErrorCode::None,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            assignment,
        }
    }
}
