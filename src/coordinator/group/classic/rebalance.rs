//! From one generation to the next: the members join, the coordinator counts on, the leader is asked to assign.

use super::durable::Proposal;
use super::{Group, InitialDelay, State, Turn};
use crate::group::timers::{Entry, TimerKey};
use crate::group::{Reply, SyncReply};
use bytes::Bytes;
use model::ErrorCode;
use std::sync::Arc;

impl Group {
    /// Begins a rebalance, or goes on with the one that is under way.
    pub(super) fn rebalance(&mut self, turn: &mut Turn) {
        if self.is_preparing() {
            self.complete_join_if_all_joined(turn);
        } else {
            self.prepare_rebalance(turn);
        }
    }

    /// Everybody must join again.
    pub(super) fn prepare_rebalance(&mut self, turn: &mut Turn) {
        if self.state == State::CompletingRebalance {
            self.drop_assignment(turn, ErrorCode::RebalanceInProgress);
        }
        self.syncs_missing.clear();
        self.sync_alarm.cancel(turn.timers);
        let initial = self.state == State::Empty;
        self.transition(State::PreparingRebalance { initial }, turn);
        if initial {
            let delay_ms = turn.context.settings.initial_rebalance_delay_ms;
            let remaining_ms = self.rebalance_timeout_ms().saturating_sub(delay_ms).max(0);
            self.initial = Some(InitialDelay { delay_ms, remaining_ms, newcomer: false });
            self.end_join_in(turn, delay_ms);
        } else if self.all_joined() {
            self.complete_join(turn);
        } else {
            self.end_join_in(turn, self.rebalance_timeout_ms());
        }
    }

    /// The initial delay is sat out, whoever has joined.
    pub(super) fn complete_join_if_all_joined(&mut self, turn: &mut Turn) {
        if self.state == (State::PreparingRebalance { initial: false }) && self.all_joined() {
            self.complete_join(turn);
        }
    }

    /// Ends the join phase. Dynamic members that did not come are out; static ones keep their place until their session
    /// or the time for SyncGroup ends.
    pub(super) fn complete_join(&mut self, turn: &mut Turn) {
        self.join_alarm.cancel(turn.timers);
        let absent =
            self.members.values().filter(|member| member.join.is_none() && member.instance_id.is_none());
        let absent: Vec<Arc<str>> = absent.map(|member| member.id.clone()).collect();
        for member_id in absent {
            self.remove(turn, &member_id);
        }
        if !self.elect_leader() && !self.members.is_empty() {
            // Nobody came: their sessions decide.
            self.initial = None;
            return self.end_join_in(turn, self.rebalance_timeout_ms());
        }
        self.next_generation(turn);
    }

    /// Moves the generation on, and asks the leader to assign; a group that lost its last member is written down.
    fn next_generation(&mut self, turn: &mut Turn) {
        self.generation = self.generation.wrapping_add(1).max(0);
        self.initial = None;
        self.syncs_missing.clear();
        self.protocol = self.elect_protocol();
        self.subscribed = self.read_subscribed();
        if self.members.is_empty() {
            self.transition(State::Empty, turn);
            turn.step.records.push(self.record(|_| Bytes::new()));
            self.proposal = Some(Proposal::Emptied);
            return;
        }
        self.transition(State::CompletingRebalance, turn);
        let member_ids: Vec<Arc<str>> = self.members.keys().cloned().collect();
        for member_id in &member_ids {
            let reply = self.joined_reply(member_id);
            self.answer_join(turn, member_id, reply);
            self.restart_session(turn, member_id);
            if let Some(member) = self.members.get_mut(member_id) {
                member.is_new = false;
            }
        }
        self.syncs_missing.extend(member_ids);
        let deadline_ms = turn.in_ms(self.rebalance_timeout_ms());
        let group_id = &self.id;
        self.sync_alarm.set(turn.timers, deadline_ms, || TimerKey::ClassicSync(group_id.clone()));
    }

    /// Forgets what members own and answers their parked SyncGroups.
    pub(super) fn drop_assignment(&mut self, turn: &mut Turn, code: ErrorCode) {
        let mut waited = Vec::new();
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
            if let Some(ticket) = member.sync.take() {
                turn.reply(ticket, Reply::Sync(SyncReply::error(code)));
                waited.push(member.id.clone());
            }
        }
        // Their sessions may have run out while they waited.
        for member_id in waited {
            self.restart_session(turn, &member_id);
        }
    }

    pub(super) fn join_alarm(&mut self, turn: &mut Turn, entry: Entry, key: &TimerKey) {
        if !self.join_alarm.rings(turn.timers, turn.context.now_ms, entry, key) || !self.is_preparing() {
            return;
        }
        match &mut self.initial {
            Some(initial) if initial.newcomer && initial.remaining_ms > 0 => {
                let delay_ms = turn.context.settings.initial_rebalance_delay_ms.min(initial.remaining_ms);
                let remaining_ms = (initial.remaining_ms - initial.delay_ms).max(0);
                *initial = InitialDelay { delay_ms, remaining_ms, newcomer: false };
                self.end_join_in(turn, delay_ms);
            }
            _ => self.complete_join(turn),
        }
    }

    /// Members that joined and then sent no SyncGroup are out.
    pub(super) fn sync_alarm(&mut self, turn: &mut Turn, entry: Entry, key: &TimerKey) {
        if !self.sync_alarm.rings(turn.timers, turn.context.now_ms, entry, key) {
            return;
        }
        let in_sync_phase = matches!(self.state, State::CompletingRebalance | State::Stable);
        if in_sync_phase && !self.syncs_missing.is_empty() {
            for member_id in std::mem::take(&mut self.syncs_missing) {
                self.remove(turn, &member_id);
            }
            self.prepare_rebalance(turn);
        }
    }

    fn end_join_in(&mut self, turn: &mut Turn, delay_ms: i32) {
        let deadline_ms = turn.in_ms(delay_ms);
        let group_id = &self.id;
        self.join_alarm.set(turn.timers, deadline_ms, || TimerKey::ClassicJoin(group_id.clone()));
    }
}
