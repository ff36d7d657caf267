//! LeaveGroup (KIP-345, KIP-800).

use super::{Group, State, Turn};
use crate::group::shard::Group as AnyGroup;
use crate::group::{Context, LeaveReply, LeaveRequest, LeavingMember, Reply, Shard, Step, Ticket};
use model::ErrorCode;

impl Shard {
    /// LeaveGroup, to a group of either protocol.
    pub(in crate::group) fn leave(
        &mut self,
        context: &Context,
        ticket: Ticket,
        request: LeaveRequest,
    ) -> Step {
        if request.group_id.is_empty() {
            return Step::reply(ticket, Reply::Leave(request.refused(ErrorCode::InvalidGroupId)));
        }
        match self.groups.get(&request.group_id) {
            None => Step::reply(ticket, Reply::Leave(request.refused(ErrorCode::UnknownMemberId))),
            Some(AnyGroup::Consumer(_)) => self.leave_consumer_group(context, ticket, request),
            Some(AnyGroup::Classic(_)) => self
                .with_classic(context, &request.group_id, |group, turn| group.leave(turn, ticket, &request)),
        }
    }
}

impl Group {
    fn leave(&mut self, turn: &mut Turn, ticket: Ticket, request: &LeaveRequest) {
        let outcome = |leaving: &LeavingMember| (leaving.clone(), self.leave_one(turn, leaving));
        let members: Vec<(LeavingMember, ErrorCode)> = request.members.iter().map(outcome).collect();
        if members.iter().any(|(_, code)| *code == ErrorCode::None) {
            match self.state {
                State::Stable | State::CompletingRebalance => self.prepare_rebalance(turn),
                State::PreparingRebalance { .. } => self.complete_join_if_all_joined(turn),
                State::Empty => {}
            }
        }
        turn.reply(ticket, Reply::Leave(LeaveReply { error: ErrorCode::None, members }));
    }

    fn leave_one(&mut self, turn: &mut Turn, leaving: &LeavingMember) -> ErrorCode {
        let instance_id = leaving.instance_id.as_deref();
        let member_id = if leaving.member_id.is_empty() {
            // An administrator removes an instance, whatever its member id.
            match instance_id.and_then(|instance_id| self.instances.get(instance_id)) {
                Some(member_id) => member_id.clone(),
                None => return ErrorCode::UnknownMemberId,
            }
        } else {
            if !self.pending.contains_key(leaving.member_id.as_str())
                && let Err(code) = self.validate_member(&leaving.member_id, instance_id)
            {
                return code;
            }
            leaving.member_id.as_str().into()
        };
        self.remove(turn, &member_id);
        ErrorCode::None
    }
}
