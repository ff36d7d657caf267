//! Classic groups (KIP-62 and after): the members' leader assigns, the coordinator keeps the members in step.
//!
//! What happens in which state is the table of `docs/GROUPS.md`. Start reading at [`Group`], then `join`, `rebalance`,
//! `sync`; `durable` is what the log knows.

mod durable;
mod heartbeat;
mod join;
mod leave;
mod member;
mod membership;
mod offsets;
mod rebalance;
mod replace;
mod subscription;
mod sync;

pub use member::Member;
pub use offsets::OffsetExpiry;

use super::timers::{Alarm, TimerKey, Timers};
use super::{Context, Reply, Step, Ticket};
use durable::Proposal;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A classic group. A group that only holds offsets is one too.
#[derive(Debug)]
pub struct Group {
    pub(in crate::group) id: Arc<str>,
    state: State,
    /// When it got there, milliseconds since the Unix epoch; unknown in records of old brokers.
    state_since_ms: Option<i64>,
    pub(in crate::group) generation: i32,
    pub(in crate::group) protocol_type: Option<String>,
    /// The protocol that was chosen for this generation.
    protocol: Option<String>,
    leader: Option<Arc<str>>,
    /// By member id; boxed, since a map makes room for eleven of what it holds.
    members: BTreeMap<Arc<str>, Box<Member>>,
    /// Member ids by `group.instance.id` (KIP-345).
    instances: BTreeMap<String, Arc<str>>,
    /// Ids that were given out and did not join yet (KIP-394), and until when they may.
    pending: BTreeMap<Arc<str>, Alarm>,
    /// How many members speak each protocol.
    speakers: BTreeMap<String, usize>,
    /// How many members have a JoinGroup parked.
    joins_parked: usize,
    /// Members that did not send a SyncGroup in this generation yet.
    syncs_missing: BTreeSet<Arc<str>>,
    /// Topics that the members read, where they can be known.
    subscribed: Option<BTreeSet<String>>,
    /// What stretches the join phase of a group that was empty.
    initial: Option<InitialDelay>,
    /// The end of the join phase.
    join_alarm: Alarm,
    /// The end of the time to send SyncGroup.
    sync_alarm: Alarm,
    /// What the record of the last step means for this group, until it is replayed or failed.
    proposal: Option<Proposal>,
}

/// Where a group is in its rebalance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No members.
    Empty,
    /// The members are joining; `initial` when the group was empty before.
    PreparingRebalance {
        /// Then the phase lasts its delay, whoever has joined.
        initial: bool,
    },
    /// The leader is assigning.
    CompletingRebalance,
    /// Everybody knows its assignment.
    Stable,
}

/// `group.initial.rebalance.delay.ms` at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct InitialDelay {
    /// The delay that is running.
    delay_ms: i32,
    /// How far it may still be extended.
    remaining_ms: i32,
    /// A member came since it began: it is extended.
    newcomer: bool,
}

/// What one call of the shard gives a group to look at and to add to.
pub(super) struct Turn<'a> {
    pub context: &'a Context<'a>,
    pub timers: &'a mut Timers,
    pub step: &'a mut Step,
}

impl Turn<'_> {
    fn reply(&mut self, ticket: Ticket, reply: Reply) {
        self.step.replies.push((ticket, reply));
    }

    fn in_ms(&self, delay_ms: i32) -> i64 {
        self.context.now_ms + i64::from(delay_ms.max(0))
    }
}

impl State {
    /// As Kafka shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance { .. } => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

impl Group {
    /// A group without members.
    pub(super) fn new(id: &str, state_since_ms: Option<i64>) -> Self {
        Self {
            id: id.into(),
            state: State::Empty,
            state_since_ms,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            instances: BTreeMap::new(),
            pending: BTreeMap::new(),
            speakers: BTreeMap::new(),
            joins_parked: 0,
            syncs_missing: BTreeSet::new(),
            subscribed: None,
            initial: None,
            join_alarm: Alarm::default(),
            sync_alarm: Alarm::default(),
            proposal: None,
        }
    }

    /// A group that holds offsets only: made by a commit outside any group protocol.
    pub fn simple(id: &str) -> Self {
        Self::new(id, None)
    }

    /// Where it is in its rebalance.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        self.state == State::Empty
    }

    /// Its members, by id.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values().map(|member| &**member)
    }

    /// The protocol that was chosen for this generation.
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// How many ids were given out that did not join yet.
    pub fn pending_count(&self) -> usize {
        self.pending.len()
    }

    /// How many of its members' requests wait for an answer.
    pub fn parked_count(&self) -> usize {
        self.joins_parked + self.members.values().filter(|member| member.sync.is_some()).count()
    }

    fn transition(&mut self, state: State, turn: &Turn) {
        self.state = state;
        self.state_since_ms = Some(turn.context.wall_ms);
    }

    fn is_preparing(&self) -> bool {
        matches!(self.state, State::PreparingRebalance { .. })
    }

    fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    /// The longest rebalance timeout of its members.
    fn rebalance_timeout_ms(&self) -> i32 {
        self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0).max(0)
    }

    fn session_key(&self, member_id: &Arc<str>) -> TimerKey {
        TimerKey::ClassicSession(self.id.clone(), member_id.clone())
    }

    /// The member has `timeout_ms` from now to show that it lives.
    fn expect_within(&mut self, turn: &mut Turn, member_id: &str, timeout_ms: i32) {
        let deadline_ms = turn.in_ms(timeout_ms);
        if let Some(member) = self.members.get_mut(member_id) {
            let (group_id, member_id) = (&self.id, &member.id);
            let key = || TimerKey::ClassicSession(group_id.clone(), member_id.clone());
            member.session.set(turn.timers, deadline_ms, key);
        }
    }

    /// The member was heard: a new session begins.
    pub(in crate::group) fn restart_session(&mut self, turn: &mut Turn, member_id: &str) {
        if let Some(timeout_ms) = self.members.get(member_id).map(|member| member.session_timeout_ms) {
            self.expect_within(turn, member_id, timeout_ms);
        }
    }
}
