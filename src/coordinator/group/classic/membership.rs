//! Who is in a group, and what they have in common.

use super::{Group, Member, State, Turn};
use crate::group::timers::Timers;
use crate::group::{JoinReply, Reply, SyncReply, Ticket};
use bytes::Bytes;
use model::ErrorCode;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Group {
    /// Takes a member in; the first one brings the protocol type and leads.
    pub(super) fn add(&mut self, member: Member, protocol_type: &str) {
        debug_assert!(!self.members.contains_key(&member.id), "a member is added once");
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.to_owned());
        }
        if let Some(instance_id) = &member.instance_id {
            self.instances.insert(instance_id.clone(), member.id.clone());
        }
        self.leader.get_or_insert_with(|| member.id.clone());
        self.count(&member, 1);
        self.joins_parked += usize::from(member.join.is_some());
        self.members.insert(member.id.clone(), Box::new(member));
    }

    /// Removes a member or a pending one. Whoever it still has waiting is told that the id is not known any more.
    pub(super) fn remove(&mut self, turn: &mut Turn, member_id: &str) {
        if let Some(mut member) = self.members.remove(member_id) {
            self.count(&member, -1);
            member.session.cancel(turn.timers);
            if let Some(instance_id) = &member.instance_id {
                self.instances.remove(instance_id);
            }
            if let Some(ticket) = member.join.take() {
                self.joins_parked -= 1;
                turn.reply(ticket, Reply::Join(JoinReply::error(ErrorCode::UnknownMemberId, String::new())));
            }
            if let Some(ticket) = member.sync.take() {
                turn.reply(ticket, Reply::Sync(SyncReply::error(ErrorCode::UnknownMemberId)));
            }
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        if let Some(mut alarm) = self.pending.remove(member_id) {
            alarm.cancel(turn.timers);
        }
        self.syncs_missing.remove(member_id);
    }

    /// Gives a static member's place to a new id (KIP-345). Whoever waits under the old one is fenced.
    pub(super) fn rename(&mut self, turn: &mut Turn, old_id: &str, new_id: &Arc<str>) {
        let Some(mut member) = self.members.remove(old_id) else { return };
        if let Some(ticket) = member.join.take() {
            self.joins_parked -= 1;
            turn.reply(ticket, Reply::Join(JoinReply::error(ErrorCode::FencedInstanceId, old_id.to_owned())));
        }
        if let Some(ticket) = member.sync.take() {
            turn.reply(ticket, Reply::Sync(SyncReply::error(ErrorCode::FencedInstanceId)));
        }
        member.session.cancel(turn.timers);
        member.id = new_id.clone();
        member.is_new = false;
        if self.is_leader(old_id) {
            self.leader = Some(new_id.clone());
        }
        if let Some(instance_id) = &member.instance_id {
            self.instances.insert(instance_id.clone(), new_id.clone());
        }
        self.members.insert(new_id.clone(), member);
    }

    /// Takes over what a member that joins again says of itself.
    pub(super) fn update(&mut self, member_id: &str, protocols: Vec<(String, Bytes)>, timeouts: Timeouts) {
        let Some(mut member) = self.members.remove(member_id) else { return };
        self.count(&member, -1);
        member.protocols = protocols;
        member.rebalance_timeout_ms = timeouts.rebalance_ms;
        member.session_timeout_ms = timeouts.session_ms;
        self.count(&member, 1);
        self.members.insert(member.id.clone(), member);
    }

    /// Parks a JoinGroup. One that the same member parked before is answered: its connection is most likely gone.
    pub(super) fn park_join(&mut self, turn: &mut Turn, member_id: &str, ticket: Ticket) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        if let Some(before) = member.join.replace(ticket) {
            let reply = JoinReply::error(ErrorCode::RebalanceInProgress, member_id.to_owned());
            turn.reply(before, Reply::Join(reply));
        } else {
            self.joins_parked += 1;
        }
    }

    /// Answers a member's parked JoinGroup.
    pub(super) fn answer_join(&mut self, turn: &mut Turn, member_id: &str, reply: JoinReply) {
        let ticket = self.members.get_mut(member_id).and_then(|member| member.join.take());
        if let Some(ticket) = ticket {
            self.joins_parked -= 1;
            turn.reply(ticket, Reply::Join(reply));
        }
    }

    pub(super) fn all_joined(&self) -> bool {
        self.members.len() == self.joins_parked && self.pending.is_empty()
    }

    /// Whether the old leader joined, or one of those who did takes over.
    pub(super) fn elect_leader(&mut self) -> bool {
        let Some(leader) = &self.leader else { return false };
        if self.members.get(leader).is_some_and(|member| member.join.is_some()) {
            return true;
        }
        let joined = self.members.values().find(|member| member.join.is_some());
        match joined.map(|member| member.id.clone()) {
            Some(id) => {
                self.leader = Some(id);
                true
            }
            None => false,
        }
    }

    /// Could somebody with these protocols join? An empty group takes whoever names a type and a protocol; any other
    /// wants its own type, and one protocol that everybody speaks.
    pub(super) fn supports(&self, protocol_type: &str, protocols: &[(String, Bytes)]) -> bool {
        if self.state == State::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let common = |name: &str| self.speakers.get(name).copied().unwrap_or(0) == self.members.len();
        self.protocol_type.as_deref() == Some(protocol_type) && protocols.iter().any(|(name, _)| common(name))
    }

    /// The protocol of the next generation: each member votes for its best among those that all speak. A tie goes to
    /// the first name, so that every replay and every run chooses the same.
    pub(super) fn elect_protocol(&self) -> Option<String> {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let common = |name: &str| self.speakers.get(name).copied().unwrap_or(0) == self.members.len();
            if let Some((name, _)) = member.protocols.iter().find(|(name, _)| common(name)) {
                *votes.entry(name).or_default() += 1;
            }
        }
        let most = votes.values().copied().max()?;
        votes.into_iter().find(|(_, count)| *count == most).map(|(name, _)| name.to_owned())
    }

    /// Is this the member it says it is (`ClassicGroup.validateMember`)?
    pub(super) fn validate_member(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.instances.get(instance_id) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(current) if **current != *member_id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    /// Everybody who waits is told `code`, because the group ends here.
    pub(in crate::group) fn answer_all(&mut self, turn: &mut Turn, code: ErrorCode) {
        for member in self.members.values_mut() {
            if let Some(ticket) = member.join.take() {
                turn.reply(ticket, Reply::Join(JoinReply::error(code, member.id.to_string())));
            }
            if let Some(ticket) = member.sync.take() {
                turn.reply(ticket, Reply::Sync(SyncReply::error(code)));
            }
        }
        self.joins_parked = 0;
    }

    /// Takes its deadlines out of the queue, because the group ends here.
    pub(in crate::group) fn cancel_alarms(&mut self, timers: &mut Timers) {
        self.join_alarm.cancel(timers);
        self.sync_alarm.cancel(timers);
        for alarm in
            self.pending.values_mut().chain(self.members.values_mut().map(|member| &mut member.session))
        {
            alarm.cancel(timers);
        }
    }

    /// What a member can speak beside the protocol that its record names.
    pub(super) fn learn_protocols(&mut self, member_id: &str, protocols: Vec<(String, Bytes)>) {
        let Some(member) = self.members.get(member_id) else { return };
        let timeouts =
            Timeouts { rebalance_ms: member.rebalance_timeout_ms, session_ms: member.session_timeout_ms };
        self.update(member_id, protocols, timeouts);
    }

    fn count(&mut self, member: &Member, change: isize) {
        for name in member.spoken() {
            let count = self.speakers.entry(name.to_owned()).or_default();
            *count = count.saturating_add_signed(change);
            if *count == 0 {
                self.speakers.remove(name);
            }
        }
    }
}

/// A member's timeouts, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timeouts {
    pub rebalance_ms: i32,
    pub session_ms: i32,
}
