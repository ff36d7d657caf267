//! A static member that comes back under a new member id (KIP-345).

use super::durable::Proposal;
use super::member::own;
use super::membership::Timeouts;
use super::{Group, Member, State, Turn};
use crate::group::{JoinReply, JoinRequest, Reply, Ticket};
use bytes::Bytes;
use std::sync::Arc;

/// Who comes back, and as whom.
#[derive(Debug)]
pub(super) struct Replacement<'a> {
    pub ticket: Ticket,
    pub request: &'a JoinRequest,
    pub old_id: Arc<str>,
    pub new_id: Arc<str>,
}

/// What a replacement changed, should it not get into the log.
#[derive(Debug)]
pub(super) struct Replaced {
    new_id: Arc<str>,
    before: Box<Member>,
}

impl Group {
    /// Gives the instance's place to the new id. In a stable group that is all, as long as the choice of protocol stays
    /// what it is: nothing is rebalanced, the assignment stays.
    pub(super) fn replace_static(&mut self, turn: &mut Turn, replacement: Replacement) {
        let Replacement { ticket, request, old_id, new_id } = replacement;
        let leader_before = self.leader.clone();
        let Some(before) = self.members.get(&old_id).cloned() else { return };
        self.rename(turn, &old_id, &new_id);
        self.restart_session(turn, &new_id);
        self.update(&new_id, own(&request.protocols), Timeouts::of(request));
        match self.state {
            State::Stable if self.elect_protocol() == self.protocol => {
                let mut reply = self.joined_reply(&new_id);
                if request.skip_assignment_known {
                    reply.skip_assignment = self.is_leader(&new_id);
                } else {
                    // A client that cannot be told to skip the assignment must not take itself for the leader.
                    reply = JoinReply {
                        leader: leader_before.as_deref().unwrap_or_default().to_owned(),
                        members: Vec::new(),
                        ..reply
                    };
                }
                turn.reply(ticket, Reply::Join(reply));
                turn.step.records.push(self.record(|member| member.assignment.clone()));
                self.proposal = Some(Proposal::Replaced(Replaced { new_id, before }));
            }
            State::Stable => {
                self.park_join(turn, &new_id, ticket);
                self.rebalance(turn);
            }
            // The leader may be assigning to the old id right now.
            State::CompletingRebalance => {
                self.park_join(turn, &new_id, ticket);
                self.prepare_rebalance(turn);
            }
            State::PreparingRebalance { .. } | State::Empty => {
                self.park_join(turn, &new_id, ticket);
                self.complete_join_if_all_joined(turn);
            }
        }
    }

    /// The old member has its place back.
    pub(super) fn undo_replacement(&mut self, turn: &mut Turn, replaced: Replaced) {
        let Replaced { new_id, before } = replaced;
        let timeouts =
            Timeouts { rebalance_ms: before.rebalance_timeout_ms, session_ms: before.session_timeout_ms };
        let protocols: Vec<(String, Bytes)> = before.protocols;
        self.update(&new_id, protocols, timeouts);
        self.rename(turn, &new_id, &before.id);
        self.restart_session(turn, &before.id);
    }
}
