//! The shell around a shard: its log, what waits for the log to be durable, and the partitions that get markers.

use super::super::world::{WALL_MS, partitions, producer, value};
use super::client::Produce;
use super::leaders::Waiting;
use super::seam::{Ended, Guard, Holder, Leader};
use super::{Answer, Bug, Event, FAULTS_MS, LATE_MS, Simulation};
use crate::test_support::Random;
use crate::txn::record::{Record, Status};
use crate::txn::{
    Context, Marker, OpenTransactions, ProducerIdAndEpoch, Reply, Request, Settings, Shard, Step, Ticket,
};
use bytes::Bytes;
use model::ErrorCode;
use std::collections::{BTreeMap, BTreeSet};

/// The last is one of `__consumer_offsets`.
const PARTITIONS: usize = 4;
pub const OFFSETS: usize = PARTITIONS - 1;

#[derive(Clone, Debug)]
pub struct Waiter {
    pub client: usize,
    pub attempt: u64,
    /// The record that waits for it, and what proves that it may be appended.
    pub produce: Option<(Produce, Guard)>,
}

/// By generation of the shard, producer id, end and partition. A transactional id would not do: one that has expired comes
/// back with another producer id and numbers its ends anew, so that the marker of an end after that would pass for a copy
/// of one before, and be acknowledged without being written.
/// What was left behind has no number, but an epoch.
pub type End = (u64, i64, i16, u64, usize);

pub struct Broker<L> {
    pub shard: Shard,
    pub log: Vec<(Bytes, Option<Bytes>)>,
    pub partitions: Vec<L>,
    /// What is answered once a partition's log is durable up to there.
    pub waiting: Vec<Vec<(u64, Waiting)>>,
    /// How often each of the leaders has crashed.
    pub lives: Vec<u64>,
    /// Up to where a reader of committed records has come.
    pub read_to: Vec<u64>,
    durable: usize,
    pending: Vec<Step>,
    /// Answers for what was written ahead of the coordinator's log: to be sent once that is durable.
    pub ahead: Vec<(u64, Waiting, usize)>,
    /// And where that was written.
    ahead_in: BTreeSet<usize>,
    waiters: BTreeMap<Ticket, Waiter>,
    tickets: u64,
    next_producer_id: i64,
    pub generation: u64,
    /// Partitions whose logs could not be opened at the start.
    pub away: BTreeSet<usize>,
    /// Transactions that were left behind, which nobody commits any more. Whoever was fenced since may go on with one until
    /// its end comes.
    pub behind: BTreeSet<(usize, Holder)>,
    pub written: BTreeSet<End>,
    acknowledged: BTreeSet<End>,
    rounds: BTreeMap<String, u64>,
    version: i16,
    settings: Settings,
}

impl<L: Leader> Broker<L> {
    pub fn new(random: &mut Random, version: i16) -> Self {
        let expiration_ms = if random.chance(300) { 4_000 } else { 604_800_000 };
        let settings =
            Settings { expiration_ms, expiration_check_ms: 500, abort_check_ms: 500, ..Settings::default() };
        let mut log = Vec::new();
        if random.chance(500) {
            // The end of the epochs is near.
            let mut value = value(Status::Empty);
            (value.producer_id, value.producer_epoch) = (999, i16::MAX - 5);
            value.last_update_ms = WALL_MS;
            let record = Record { transactional_id: "a".into(), value: Some(value) };
            log.push(record.encode(version).expect("short texts"));
        }
        Self {
            shard: Shard::default(),
            durable: log.len(),
            log,
            partitions: (0..PARTITIONS).map(|index| L::new(random, index)).collect(),
            waiting: (0..PARTITIONS).map(|_| Vec::new()).collect(),
            lives: vec![0; PARTITIONS],
            read_to: vec![0; PARTITIONS],
            pending: Vec::new(),
            ahead: Vec::new(),
            ahead_in: BTreeSet::new(),
            waiters: BTreeMap::new(),
            tickets: 0,
            next_producer_id: 1000,
            generation: 0,
            away: BTreeSet::new(),
            behind: BTreeSet::new(),
            written: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            rounds: BTreeMap::new(),
            version,
            settings,
        }
    }

    pub fn act(&mut self, now_ms: i64, act: impl FnOnce(&mut Shard, &Context) -> Step) -> Step {
        let context = Context {
            now_ms,
            wall_ms: WALL_MS + now_ms,
            aging_ms: WALL_MS + now_ms,
            fresh_producer_id: self.next_producer_id,
            transaction_version: self.version,
            settings: &self.settings,
        };
        let step = act(&mut self.shard, &context);
        self.next_producer_id += i64::from(step.producer_id_taken);
        step
    }

    pub fn ask(&mut self, now_ms: i64, waiter: Waiter, request: Request) -> Step {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.waiters.insert(ticket, waiter);
        self.act(now_ms, |shard, context| shard.step(context, ticket, &request))
    }

    /// Some of what was not durable is gone, and a new shard starts from the rest.
    pub fn crash(&mut self, now_ms: i64, random: &mut Random, bug: Option<Bug>) -> Step {
        let left = random.within(self.durable as i64, self.log.len() as i64 + 1) as usize;
        self.log.truncate(left);
        self.durable = left;
        self.pending.clear();
        self.ahead.clear();
        self.waiters.clear();
        self.rounds.clear();
        self.generation += 1;
        if bug == Some(Bug::IdsAgain) {
            self.next_producer_id = 1000;
        }
        self.shard = Shard::default();
        for (key, value) in &self.log {
            self.shard.replay(Record::decode(key, value.as_ref()).expect("our own bytes"));
        }
        if bug == Some(Bug::LoadedForgotten) {
            return Step::default();
        }
        // Of an id that expires meanwhile, or gets another producer id, nobody knows what it has left behind.
        let stays = self.shard.list().iter().all(|id| id.producer.producer_epoch < i16::MAX / 2);
        let is_away = random.chance(500) && stays && self.settings.expiration_ms > FAULTS_MS as i32;
        let ahead_in = std::mem::take(&mut self.ahead_in);
        let chance = |index| if ahead_in.contains(&index) { 900 } else { 200 };
        self.away = (0..PARTITIONS).filter(|index| is_away && random.chance(chance(*index))).collect();
        let open = self.open((0..PARTITIONS).filter(|index| !self.away.contains(index)));
        self.act(now_ms, |shard, context| {
            if bug != Some(Bug::LostForGood) {
                shard.adopt(context, &open);
            }
            let mut step = shard.loaded(context);
            step.markers.retain(|marker| bug != Some(Bug::LeftBehind) || !marker.is_for_left_behind());
            step
        })
    }

    /// Whether nothing can be written there.
    pub fn is_away(&self, partition: usize) -> bool {
        self.away.contains(&partition)
    }

    /// What these partitions have open.
    fn open(&self, partitions: impl Iterator<Item = usize>) -> OpenTransactions {
        let mut open = OpenTransactions::default();
        for index in partitions {
            for (id, epoch) in self.partitions[index].open() {
                open.add(producer(id, epoch), "t", index as i32);
            }
        }
        open
    }
}

impl<L: Leader> Simulation<L> {
    /// Has the partitions opened that could not be at the start, unless a start comes before.
    pub fn opens_later(&mut self) {
        let generation = self.broker.generation;
        for partition in self.broker.away.clone() {
            self.after(50, 6_000, Event::Opened { generation, partition });
        }
    }

    pub fn opened(&mut self, generation: u64, partition: usize) {
        if generation != self.broker.generation {
            return;
        }
        let open = self.broker.open([partition].into_iter());
        if self.bug != Some(Bug::OpenedUnseen) {
            self.broker.act(self.now_ms, |shard, context| {
                shard.adopt(context, &open);
                Step::default()
            });
        }
        // Served from here on.
        self.broker.away.remove(&partition);
        if self.bug != Some(Bug::LeftBehind) {
            let step = self.broker.act(self.now_ms, |shard, _| shard.end_left_behind(&open));
            self.take(step);
        }
    }

    /// Appends what a step proposes, or fails to.
    pub fn take(&mut self, mut step: Step) {
        if self.bug == Some(Bug::NoBump) {
            unbump(&mut step);
        }
        for marker in step.markers.iter().filter(|marker| marker.is_for_left_behind()) {
            let holder = (marker.producer_id, marker.producer_epoch - 1);
            let places = marker.partitions.values().flatten().map(|index| (*index as usize, holder));
            self.broker.behind.extend(places);
        }
        if !step.records.is_empty() && self.faulty(40) {
            if self.bug != Some(Bug::FailureForgotten) {
                self.broker.act(self.now_ms, |shard, context| shard.write_failed(context, &step));
            }
            for (ticket, _) in step.replies {
                if let Some(waiter) = self.broker.waiters.remove(&ticket) {
                    let answer = Answer::Failed(ErrorCode::CoordinatorNotAvailable);
                    self.answer(waiter.client, waiter.attempt, answer);
                }
            }
            return;
        }
        for record in std::mem::take(&mut step.records) {
            self.ledger.recorded(&record);
            self.broker.log.push(record.encode(self.broker.version).expect("short texts"));
            self.broker.shard.replay(record);
        }
        self.goes_ahead(&mut step);
        if self.bug == Some(Bug::RepliesBeforeDurable) {
            self.release(std::mem::take(&mut step.replies));
        }
        if self.bug == Some(Bug::MarkersBeforeDurable) {
            self.spread(std::mem::take(&mut step.markers));
        }
        self.broker.pending.push(step);
        self.after(0, 30, Event::Durable);
    }

    /// Has the records of a Produce written at once, where that is allowed.
    fn goes_ahead(&mut self, step: &mut Step) {
        let is_allowed = match self.bug {
            Some(Bug::AheadInAnyEpoch) => true,
            _ => step.goes_ahead,
        };
        let Some((ticket, Reply::AddPartitions(Ok(errors)))) = step.replies.first() else { return };
        let Some(waiter) = self.broker.waiters.get(ticket) else { return };
        let Some((produce, guard)) = waiter.produce.filter(|_| is_allowed && errors[0].1[0].1.is_none())
        else {
            return;
        };
        if produce.kip_890 && self.random.chance(800) {
            let Waiter { client, attempt, .. } = *waiter;
            self.broker.waiters.remove(ticket);
            step.replies.clear();
            match self.written(client, produce, Some(guard)) {
                Err(code) => self.answer(client, attempt, Answer::Failed(code)),
                Ok(end) => {
                    let waiting = Waiting::Answer { client, attempt, answer: Answer::Produced };
                    self.broker.ahead.push((end, waiting, produce.partition));
                }
            }
            self.broker.ahead_in.insert(produce.partition);
            // While it matters most: by chance it would hardly ever be then.
            if self.faulty(60) {
                self.after(0, 5, Event::Crash { again: false });
            }
        }
    }

    pub fn durable(&mut self) {
        self.broker.durable = self.broker.log.len();
        self.broker.ahead_in.clear();
        for (end, waiting, partition) in std::mem::take(&mut self.broker.ahead) {
            self.waits(partition, end, waiting);
        }
        for step in std::mem::take(&mut self.broker.pending) {
            self.release(step.replies);
            self.spread(step.markers);
        }
    }

    fn release(&mut self, replies: Vec<(Ticket, Reply)>) {
        for (ticket, reply) in replies {
            let Some(waiter) = self.broker.waiters.remove(&ticket) else { continue };
            let Waiter { client, attempt, produce } = waiter;
            let answer = match reply {
                Reply::InitProducerId(Ok(producer)) => {
                    self.ledger.initialized(&self.clients[client].transactional_id, pair(producer));
                    self.ledger.granted(client, pair(producer));
                    Answer::Granted(pair(producer))
                }
                Reply::AddPartitions(Ok(errors)) => match (errors[0].1[0].1, produce) {
                    (ErrorCode::None, None) => Answer::Added,
                    (ErrorCode::None, Some((produce, guard))) => {
                        let waiter = Waiter { client, attempt, produce: None };
                        let may_be_late = produce.kip_890 || produce.partition != OFFSETS;
                        let high_ms = if may_be_late && self.faulty(100) { LATE_MS } else { 20 };
                        self.after(1, high_ms, Event::Verified { waiter, produce, guard });
                        continue;
                    }
                    (code, _) => Answer::Failed(code),
                },
                Reply::EndTxn(Ok(next)) => {
                    if let Some(next) = next {
                        self.ledger.granted(client, pair(next));
                    }
                    Answer::Ended(next.map(pair))
                }
                Reply::InitProducerId(Err(code))
                | Reply::AddPartitions(Err(code))
                | Reply::EndTxn(Err(code)) => Answer::Failed(code),
            };
            self.answer(client, attempt, answer);
        }
    }

    fn spread(&mut self, markers: Vec<Marker>) {
        let generation = self.broker.generation;
        for marker in markers {
            if !marker.is_for_left_behind() {
                self.broker.rounds.insert(marker.transactional_id.clone(), marker.round);
            }
            for index in marker.partitions.values().flatten() {
                let mark = Event::Mark {
                    generation,
                    marker: marker.clone(),
                    partition: *index as usize,
                    again: true,
                };
                // In no hurry: what comes there meanwhile must not be taken for a part of it.
                let high_ms = if marker.is_for_left_behind() { 2_000 } else { 50 };
                self.after(0, high_ms, mark);
            }
        }
    }

    pub fn marks(&mut self, generation: u64, marker: Marker, partition: usize, again: bool) {
        let end = (generation, marker.producer_id, marker.producer_epoch, marker.round, partition);
        if again && generation == self.broker.generation && !self.broker.acknowledged.contains(&end) {
            if self.bug != Some(Bug::MarkersOnce) {
                self.after(100, 500, Event::Mark { generation, marker: marker.clone(), partition, again });
            }
            if marker.transaction_version >= 2 && self.faulty(100) {
                let late = Event::Mark { generation, marker: marker.clone(), partition, again: false };
                self.after(0, LATE_MS, late);
            }
        }
        if self.broker.is_away(partition) || self.faulty(100) {
            if self.bug == Some(Bug::AcknowledgedUnwritten) {
                self.after(0, 50, Event::Acknowledged { generation, marker, partition });
            }
            return;
        }
        // Before KIP-890 nothing tells a second copy from the marker of the next transaction: there is none.
        let is_copy = marker.transaction_version < 2 && !self.broker.written.insert(end);
        let leader = &mut self.broker.partitions[partition];
        let is_over = |&(id, epoch): &Holder| id != marker.producer_id || epoch >= marker.producer_epoch;
        let is_needless = marker.is_for_left_behind() && leader.open().iter().all(is_over);
        let ended =
            if is_copy || is_needless { Ended::Yes } else { leader.end(&marker, generation, self.bug) };
        let acknowledgement = Waiting::Acknowledgement { generation, marker, end, is_new: !is_copy };
        match ended {
            Ended::No => _ = self.broker.written.remove(&end),
            Ended::Failed => {
                self.broker.written.remove(&end);
                self.leader_crashes(partition);
            }
            Ended::NotNeeded => self.release_one(acknowledgement),
            Ended::Yes => {
                let end_offset = self.broker.partitions[partition].end_offset();
                self.waits(partition, end_offset, acknowledgement);
                if self.faulty(40) {
                    self.after(0, 5, Event::LeaderCrash { partition });
                }
            }
        }
    }

    pub fn acknowledged(&mut self, generation: u64, mut marker: Marker, partition: usize) {
        if generation != self.broker.generation {
            return;
        }
        let end = (generation, marker.producer_id, marker.producer_epoch, marker.round, partition);
        self.broker.acknowledged.insert(end);
        if self.bug == Some(Bug::AnyRound) && !marker.is_for_left_behind() {
            marker.round = self.broker.rounds[&marker.transactional_id];
        }
        let at = partitions(&[partition as i32]);
        let step =
            self.broker.act(self.now_ms, |shard, context| shard.markers_written(context, &marker, &at));
        self.take(step);
    }
}

/// An EndTxn of KIP-890 that keeps the epoch.
fn unbump(step: &mut Step) {
    let Some((_, Reply::EndTxn(Ok(Some(next))))) = step.replies.first_mut() else { return };
    if step.records.is_empty() || next.producer_epoch == 0 {
        return;
    }
    next.producer_epoch -= 1;
    for value in step.records.iter_mut().filter_map(|record| record.value.as_mut()) {
        value.producer_epoch -= 1;
        value.last_producer_epoch = -1;
    }
    for marker in &mut step.markers {
        marker.producer_epoch -= 1;
        marker.transaction_version = 0;
    }
}

pub fn pair(producer: ProducerIdAndEpoch) -> Holder {
    (producer.producer_id, producer.producer_epoch)
}
