//! The groups of one partition of `__consumer_offsets`.

use super::offsets::Offsets;
use super::record::Record;
use super::timers::{Entry, TimerKey, Timers};
use super::{Context, Request, Stamp, Step, Ticket, classic, consumer};
use bytes::Bytes;
use model::ErrorCode;
use std::collections::{BTreeMap, VecDeque};

/// Due alarms that one tick looks at.
const ALARMS_PER_TICK: usize = 1_000;

/// A machine; see [`crate`] for its contract with the shell.
///
/// The shell takes one step at a time: it appends the records of a [`Step`] and calls [`Shard::replay`] for each of
/// them, or [`Shard::write_failed`], before it asks for the next.
#[derive(Debug, Default)]
pub struct Shard {
    /// By group id.
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) offsets: Offsets,
    pub(super) timers: Timers,
    /// To be done once the records of the last step are replayed; undone when they could not be written.
    pub(super) follow_ups: Vec<FollowUp>,
    /// Of earlier steps, whose records are replayed.
    due: VecDeque<FollowUp>,
    /// The empty group that the last step put another in the place of, should that not get into the log.
    pub(super) displaced: Option<Group>,
}

/// A group of either protocol.
#[derive(Debug)]
pub(super) enum Group {
    /// KIP-62 and after; also a group that only holds offsets.
    Classic(classic::Group),
    /// KIP-848.
    Consumer(consumer::Group),
}

/// Something that needs the clock and the state that a replay makes.
#[derive(Debug)]
pub(super) enum FollowUp {
    /// A consumer group became classic: its members' sessions start.
    Downgraded {
        /// Which.
        group_id: String,
        /// What the members can speak, by member id: the record holds the chosen protocol only.
        protocols: BTreeMap<String, Vec<(String, Bytes)>>,
        /// Whether its members must rejoin.
        rebalance: bool,
    },
    /// Members of a consumer group have new deadlines.
    ConsumerAlarms {
        /// Of which group.
        group_id: String,
        /// Which deadlines.
        changes: Vec<consumer::AlarmChange>,
        /// Its regular expressions are to be resolved.
        refresh: bool,
    },
    /// A request that waits for the group to be what the records make it.
    Request(Ticket, Box<Request>),
}

impl Shard {
    /// Answers a request, or parks it until another step answers its ticket.
    pub fn step(&mut self, context: &Context, ticket: Ticket, request: Request) -> Step {
        let mut step = self.follow_up(context);
        if step.records.is_empty() {
            step.extend(self.dispatch(context, ticket, request));
        } else {
            self.due.push_back(FollowUp::Request(ticket, Box::new(request)));
        }
        step
    }

    /// Does what is due: sessions, rebalances, initial delays, offset expiry, regular expressions, changed topics.
    /// Returns at the first change that must be written, since the next one builds on it; when more is due,
    /// [`Shard::next_deadline_ms`] says so.
    pub fn tick(&mut self, context: &Context) -> Step {
        let mut step = self.follow_up(context);
        for _ in 0..ALARMS_PER_TICK {
            if !step.records.is_empty() {
                break;
            }
            let Some((entry, key)) = self.timers.pop(context.now_ms) else { break };
            step.extend(self.alarm(context, entry, key));
        }
        step
    }

    /// When [`Shard::tick`] has something to do, on the monotonic clock; never polled. The tick may find that a
    /// deadline has moved on meanwhile.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        if self.is_unsettled() { Some(i64::MIN) } else { self.timers.next_ms() }
    }

    /// Something waited for the records of the last step, which are replayed now: [`Shard::tick`] does it, and should at
    /// once.
    pub fn is_unsettled(&self) -> bool {
        !self.due.is_empty() || !self.follow_ups.is_empty()
    }

    /// Takes in a record that is in the log: just appended, or read when the partition is loaded. `stamp` is the
    /// transaction it belongs to.
    pub fn replay(&mut self, record: Record, stamp: Option<Stamp>) {
        match record {
            Record::Offset(key, value) => self.replay_offset(key, value, stamp),
            Record::ClassicGroup(group_id, value) => self.replay_classic_group(group_id, value),
            other => self.replay_consumer_record(other),
        }
    }

    /// Takes in the end of a transaction: its offsets become visible, or never were (KIP-98).
    pub fn replay_marker(&mut self, stamp: Stamp, commit: bool) {
        self.replay_offsets_marker(stamp, commit);
    }

    /// The partition is loaded: every member gets a full session from now.
    pub fn loaded(&mut self, context: &Context) -> Step {
        let mut step = self.classic_groups_loaded(context);
        step.extend(self.consumer_groups_loaded(context));
        step.extend(self.offsets_loaded(context));
        step
    }

    /// The records of a step could not be written: what waited for them is undone. The shell has told the step's own
    /// tickets.
    pub fn write_failed(&mut self, context: &Context, step: &Step) -> Step {
        let mut undone = self.classic_write_failed(context, step);
        for follow_up in std::mem::take(&mut self.follow_ups) {
            if let FollowUp::Request(ticket, request) = follow_up {
                undone.replies.push((ticket, request.refused(ErrorCode::CoordinatorNotAvailable)));
            }
        }
        undone
    }

    fn dispatch(&mut self, context: &Context, ticket: Ticket, request: Request) -> Step {
        match request {
            Request::Join(request) => self.join(context, ticket, request),
            Request::Sync(request) => self.sync(context, ticket, request),
            Request::Heartbeat(request) => self.heartbeat(context, ticket, request),
            Request::Leave(request) => self.leave(context, ticket, request),
            Request::ConsumerHeartbeat(request) => self.consumer_heartbeat(context, ticket, request),
            Request::OffsetCommit(request) => self.offset_commit(context, ticket, request),
            Request::TxnOffsetCommit(request) => self.txn_offset_commit(context, ticket, request),
            Request::OffsetDelete(request) => self.offset_delete(context, ticket, request),
            Request::DeleteGroup { group_id } => self.delete_group(context, ticket, &group_id),
        }
    }

    /// Runs what waited for earlier records, up to the first that needs records of its own.
    fn follow_up(&mut self, context: &Context) -> Step {
        self.due.extend(self.follow_ups.drain(..));
        self.displaced = None;
        let mut step = Step::default();
        while step.records.is_empty() {
            let Some(follow_up) = self.due.pop_front() else { break };
            step.extend(match follow_up {
                FollowUp::Downgraded { group_id, protocols, rebalance } => {
                    self.classic_group_downgraded(context, &group_id, protocols, rebalance)
                }
                FollowUp::ConsumerAlarms { group_id, changes, refresh } => {
                    self.follow_consumer_group(context, &group_id, changes, refresh);
                    Step::default()
                }
                FollowUp::Request(ticket, request) => self.dispatch(context, ticket, *request),
            });
        }
        step
    }

    fn alarm(&mut self, context: &Context, entry: Entry, key: TimerKey) -> Step {
        match &key {
            TimerKey::ClassicJoin(_) | TimerKey::ClassicSync(_) | TimerKey::ClassicSession(..) => {
                self.classic_alarm(context, entry, &key)
            }
            TimerKey::OffsetExpiry => self.offset_expiry_alarm(context, entry, &key),
            TimerKey::ConsumerSession(..)
            | TimerKey::ConsumerRebalance(..)
            | TimerKey::ConsumerJoin(..)
            | TimerKey::ConsumerSync(..)
            | TimerKey::ConsumerRefresh(_) => self.consumer_alarm(context, entry, &key),
        }
    }
}
