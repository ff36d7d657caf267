//! Heartbeat, and what happens without.

use super::{Group, State, Turn};
use crate::group::shard::Group as AnyGroup;
use crate::group::timers::{Entry, TimerKey};
use crate::group::{Context, HeartbeatRequest, Reply, Shard, Step, Ticket};
use model::ErrorCode;

impl Shard {
    /// Heartbeat, to a group of either protocol.
    pub(in crate::group) fn heartbeat(
        &mut self,
        context: &Context,
        ticket: Ticket,
        request: HeartbeatRequest,
    ) -> Step {
        let code = if request.group_id.is_empty() {
            ErrorCode::InvalidGroupId
        } else {
            match self.groups.get_mut(&request.group_id) {
                None => ErrorCode::UnknownMemberId,
                Some(AnyGroup::Consumer(_)) => {
                    return self.heartbeat_consumer_group(context, ticket, request);
                }
                Some(AnyGroup::Classic(group)) => {
                    let mut step = Step::default();
                    let mut turn = Turn { context, timers: &mut self.timers, step: &mut step };
                    group.heartbeat(&mut turn, &request)
                }
            }
        };
        Step::reply(ticket, Reply::Heartbeat(code))
    }

    /// A deadline of a classic group.
    pub(in crate::group) fn classic_alarm(
        &mut self,
        context: &Context,
        entry: Entry,
        key: &TimerKey,
    ) -> Step {
        let (TimerKey::ClassicJoin(group_id)
        | TimerKey::ClassicSync(group_id)
        | TimerKey::ClassicSession(group_id, _)) = key
        else {
            return Step::default();
        };
        self.with_classic(context, group_id, |group, turn| match key {
            TimerKey::ClassicJoin(_) => group.join_alarm(turn, entry, key),
            TimerKey::ClassicSync(_) => group.sync_alarm(turn, entry, key),
            TimerKey::ClassicSession(_, member_id) => group.session_alarm(turn, entry, key, member_id),
            _ => {}
        })
    }

    /// A commit shows that the member lives, as a heartbeat does (`OffsetMetadataManager.commitOffset`).
    pub(in crate::group) fn classic_member_committed(
        &mut self,
        context: &Context,
        group_id: &str,
        member_id: &str,
    ) {
        self.with_classic(context, group_id, |group, turn| {
            if group.is_preparing() || group.state == State::Stable {
                group.restart_session(turn, member_id);
            }
        });
    }
}

impl Group {
    fn heartbeat(&mut self, turn: &mut Turn, request: &HeartbeatRequest) -> ErrorCode {
        if let Err(code) = self.validate_member(&request.member_id, request.instance_id.as_deref()) {
            return code;
        }
        if request.generation != self.generation {
            return ErrorCode::IllegalGeneration;
        }
        self.restart_session(turn, &request.member_id);
        if self.is_preparing() { ErrorCode::RebalanceInProgress } else { ErrorCode::None }
    }

    fn session_alarm(&mut self, turn: &mut Turn, entry: Entry, key: &TimerKey, member_id: &str) {
        let now_ms = turn.context.now_ms;
        if let Some(alarm) = self.pending.get_mut(member_id) {
            if alarm.rings(turn.timers, now_ms, entry, key) {
                self.remove(turn, member_id);
                self.complete_join_without(turn);
            }
        } else if let Some(member) = self.members.get_mut(member_id)
            && member.session.rings(turn.timers, now_ms, entry, key)
            && !member.is_excused()
        {
            self.remove(turn, member_id);
            match self.state {
                State::Stable | State::CompletingRebalance => self.prepare_rebalance(turn),
                State::PreparingRebalance { .. } | State::Empty => self.complete_join_without(turn),
            }
        }
    }

    /// Somebody is not waited for any more. Unlike after a LeaveGroup, an initial delay is cut short by it.
    fn complete_join_without(&mut self, turn: &mut Turn) {
        if self.is_preparing() && self.all_joined() {
            self.complete_join(turn);
        }
    }
}
