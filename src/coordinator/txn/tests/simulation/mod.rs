//! Whole lives of two transactional ids, from one number: two producers each, of which one is the other's zombie, in both
//! protocols; requests that are lost, late and doubled; appends that fail; coordinators that end before their log is
//! durable; markers that come late and twice; leaders of partitions that end before theirs is, alone or together with the
//! coordinator, and are away for a while; readers of committed records all the time. One of the partitions has the offsets of
//! groups. `ledger` says what must hold.
//!
//! A client of the protocol before KIP-890 never has its EndTxn late or doubled: that protocol cannot tell one transaction's
//! from the next one's.
//! Nor does a TxnOffsetCommit of it come late or doubled, which has no sequence: where the next transaction is open by then, it
//! would be taken for a part of that, here as in Kafka.
//! Nor does one go over to KIP-890 under its epoch while the marker of its last transaction is missing anywhere: see
//! [`client::Client::upgrades`].

pub mod broker;
mod bug;
pub mod client;
mod leaders;
mod ledger;
pub mod seam;

use crate::test_support::Random;
use crate::txn::record::Status;
use crate::txn::{Marker, Request};
pub use broker::OFFSETS;
use broker::{Broker, Waiter};
pub use bug::Bug;
use client::{Ask, Client, Phase, Produce};
use ledger::Ledger;
use model::ErrorCode;
use seam::{Guard, Holder, Leader};
use std::collections::BTreeMap;

pub const FAULTS_MS: i64 = 60_000;
const PATIENCE_MS: i64 = 1_000;
const LATE_MS: i64 = 5_000;
/// After the faults: what is late arrives, what is open times out, and a failed abort is tried again.
const SETTLE_MS: i64 = LATE_MS + 3_000 + 3_000;
const TICK_MS: i64 = 50;

#[derive(Clone, Debug)]
pub enum Event {
    Arrive {
        client: usize,
        attempt: u64,
        ask: Ask,
    },
    Answer {
        client: usize,
        attempt: u64,
        answer: Answer,
    },
    Overdue {
        client: usize,
        attempt: u64,
    },
    Wake {
        client: usize,
    },
    /// The coordinator has let a transaction's first record into a partition, which hears of it.
    Verified {
        waiter: Waiter,
        produce: Produce,
        guard: Guard,
    },
    Durable,
    Mark {
        generation: u64,
        marker: Marker,
        partition: usize,
        again: bool,
    },
    Acknowledged {
        generation: u64,
        marker: Marker,
        partition: usize,
    },
    Tick,
    Crash {
        again: bool,
    },
    /// A partition's log is on disk.
    Synced {
        partition: usize,
        life: u64,
    },
    LeaderCrash {
        partition: usize,
    },
    /// One after the other, at any time.
    LeaderCrashes,
    /// A log that could not be opened at the start is.
    Opened {
        generation: u64,
        partition: usize,
    },
}

#[derive(Clone, Copy, Debug)]
pub enum Answer {
    Granted(Holder),
    Added,
    Produced,
    Ended(Option<Holder>),
    Failed(ErrorCode),
}

pub struct Simulation<L> {
    random: Random,
    pub now_ms: i64,
    queue: BTreeMap<(i64, u64), Event>,
    events: u64,
    pub broker: Broker<L>,
    clients: Vec<Client>,
    transactions: u64,
    ledger: Ledger,
    bug: Option<Bug>,
}

impl<L: Leader> Simulation<L> {
    pub fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut random = Random(seed);
        let version = [0, 1, 2, 2, 2][random.within(0, 5) as usize];
        let broker = Broker::new(&mut random, version);
        let mut clients = Vec::new();
        for id in ["a", "a", "b", "b"] {
            clients.push(Client::new(id.into(), version == 2 && random.chance(700), version == 2));
        }
        let (queue, ledger) = (BTreeMap::new(), Ledger::default());
        Self { random, now_ms: 0, queue, events: 0, broker, clients, transactions: 0, ledger, bug }
    }

    /// How many commits were acknowledged, or what was violated.
    pub fn run(mut self) -> Result<usize, String> {
        self.go()?;
        Ok(self.ledger.committed)
    }

    pub fn go(&mut self) -> Result<(), String> {
        for client in 0..self.clients.len() {
            let at_ms = self.random.within(0, 2_000);
            self.at(at_ms, Event::Wake { client });
        }
        self.at(0, Event::Tick);
        self.at(500, Event::Crash { again: true });
        self.at(700, Event::LeaderCrashes);
        while let Some(((at_ms, _), event)) = self.queue.pop_first() {
            if at_ms > FAULTS_MS + SETTLE_MS {
                break;
            }
            self.now_ms = at_ms;
            self.happens(event);
            self.hear_faults();
            if let Some(what) = &self.ledger.violation {
                return Err(what.clone());
            }
        }
        self.settled();
        self.ledger.violation.take().map_or(Ok(()), Err)
    }

    fn settled(&mut self) {
        for shown in self.broker.shard.list() {
            if shown.status == Status::Ongoing || is_prepared(shown.status) {
                self.ledger.violated(format!(
                    "{} is {} for ever",
                    shown.transactional_id,
                    shown.status.name()
                ));
            }
        }
        if self.broker.partitions.iter().any(|leader| !leader.open().is_empty()) {
            self.ledger.violated("a transaction hangs in a partition".into());
        }
        let logs: Vec<_> =
            self.broker.partitions.iter_mut().map(|leader| (leader.entries(), leader.read(0).1)).collect();
        // They were asked for all that they have: what only they can see in that comes before what the ledger makes of it.
        self.hear_faults();
        self.ledger.check(&logs);
    }

    fn hear_faults(&mut self) {
        if let Some(what) = self.broker.partitions.iter_mut().find_map(L::fault) {
            self.ledger.violated(what);
        }
    }

    fn at(&mut self, at_ms: i64, event: Event) {
        self.events += 1;
        self.queue.insert((at_ms, self.events), event);
    }

    fn after(&mut self, low_ms: i64, high_ms: i64, event: Event) {
        let at_ms = self.now_ms + self.random.within(low_ms, high_ms);
        self.at(at_ms, event);
    }

    fn faulty(&mut self, per_mille: u64) -> bool {
        self.random.chance(per_mille) && self.now_ms < FAULTS_MS
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrive { client, attempt, ask } => self.arrives(client, attempt, ask),
            Event::Answer { client, attempt, answer } => self.answered(client, attempt, answer),
            Event::Overdue { client, attempt } => {
                if self.clients[client].attempt == attempt {
                    if self.clients[client].waits_for_record() && self.random.chance(300) {
                        self.clients[client].gives_up();
                    }
                    self.send(client);
                }
            }
            Event::Wake { client } => self.send(client),
            Event::Verified { waiter: Waiter { client, attempt, .. }, produce, guard } => {
                if self.broker.is_away(produce.partition) {
                    self.answer(client, attempt, Answer::Failed(ErrorCode::KafkaStorageError));
                } else {
                    self.append(client, attempt, produce, Some(guard));
                }
            }
            Event::Opened { generation, partition } => self.opened(generation, partition),
            Event::Durable => self.durable(),
            Event::Synced { partition, life } => self.synced(partition, life),
            Event::LeaderCrash { partition } => {
                if self.now_ms < FAULTS_MS {
                    self.leader_crashes(partition);
                }
            }
            Event::LeaderCrashes => {
                if self.now_ms < FAULTS_MS {
                    let partition = self.random.within(0, self.broker.partitions.len() as i64) as usize;
                    self.leader_crashes(partition);
                    self.after(100, 4_000, Event::LeaderCrashes);
                }
            }
            Event::Mark { generation, marker, partition, again } => {
                self.marks(generation, marker, partition, again);
            }
            Event::Acknowledged { generation, marker, partition } => {
                self.acknowledged(generation, marker, partition);
            }
            Event::Tick => {
                self.after(TICK_MS, TICK_MS + 1, Event::Tick);
                let now_ms = self.now_ms;
                if self.broker.shard.next_deadline_ms().is_some_and(|at_ms| at_ms <= now_ms) {
                    let step = self.broker.act(now_ms, crate::txn::Shard::tick);
                    self.take(step);
                }
            }
            Event::Crash { again } => {
                if self.now_ms < FAULTS_MS {
                    // With the coordinator's machine perhaps.
                    if self.random.chance(500) {
                        (0..self.broker.partitions.len()).for_each(|partition| self.loses(partition));
                    }
                    let step = self.broker.crash(self.now_ms, &mut self.random, self.bug);
                    self.take(step);
                    self.opens_later();
                    if again {
                        self.after(100, 8_000, Event::Crash { again });
                    }
                }
            }
        }
    }

    fn send(&mut self, client: usize) {
        if self.now_ms >= FAULTS_MS {
            return;
        }
        if self.clients[client].awaits_markers {
            // A marker that is in a log may be lost again until the whole end is complete.
            let known = &self.clients[client];
            let is_open = |leader: &L| leader.open().into_iter().any(|open| Some(open) == known.holder);
            let shown = self.broker.shard.describe(&known.transactional_id);
            if shown.is_some_and(|shown| is_prepared(shown.status))
                || self.broker.partitions.iter().any(is_open)
            {
                self.after(1, 20, Event::Wake { client });
                return;
            }
            self.clients[client].awaits_markers = false;
        }
        self.clients[client].attempt += 1;
        let attempt = self.clients[client].attempt;
        self.after(PATIENCE_MS, PATIENCE_MS + 1, Event::Overdue { client, attempt });
        let ask = self.clients[client].ask();
        if let Ask::Coordinator(Request::EndTxn(end)) = &ask
            && end.commit
        {
            self.ledger.commit_asked(self.clients[client].transaction);
        }
        let is_plain = match &ask {
            Ask::Coordinator(request) => matches!(request, Request::EndTxn(_)),
            Ask::Produce(produce) => produce.partition == OFFSETS,
        };
        let may_be_late = self.clients[client].kip_890 || !is_plain;
        if self.faulty(40) {
            return;
        }
        let arrive = Event::Arrive { client, attempt, ask };
        if may_be_late && self.faulty(60) {
            // Soon enough that it is known still, or when nobody thinks of it any more.
            let high_ms = if self.random.chance(500) { 400 } else { LATE_MS };
            self.after(1, high_ms, arrive.clone());
        }
        if may_be_late && self.faulty(40) {
            self.after(1, LATE_MS, arrive);
        } else {
            self.after(1, 20, arrive);
        }
    }

    fn arrives(&mut self, client: usize, attempt: u64, ask: Ask) {
        match ask {
            Ask::Coordinator(request) => {
                let waiter = Waiter { client, attempt, produce: None };
                let step = self.broker.ask(self.now_ms, waiter, request);
                self.take(step);
            }
            Ask::Produce(produce) if self.broker.is_away(produce.partition) => {
                self.answer(client, attempt, Answer::Failed(ErrorCode::KafkaStorageError));
            }
            Ask::Produce(produce) => {
                let guard = match self.broker.partitions[produce.partition].ask(&produce, self.bug) {
                    Err(_fenced) => {
                        return self.answer(client, attempt, Answer::Failed(ErrorCode::InvalidProducerEpoch));
                    }
                    Ok(Some(guard)) if self.bug != Some(Bug::NoVerification) => guard,
                    Ok(guard) => return self.append(client, attempt, produce, guard),
                };
                let known = &self.clients[client];
                let request = known.first_record(&produce);
                let waiter = Waiter { client, attempt, produce: Some((produce, guard)) };
                let step = self.broker.ask(self.now_ms, waiter, Request::AddPartitions(request));
                self.take(step);
            }
        }
    }

    fn answer(&mut self, client: usize, attempt: u64, answer: Answer) {
        if !self.faulty(40) {
            self.after(1, 20, Event::Answer { client, attempt, answer });
        }
    }

    fn answered(&mut self, client: usize, attempt: u64, answer: Answer) {
        let (random, known) = (&mut self.random, &mut self.clients[client]);
        if known.attempt != attempt {
            return;
        }
        known.attempt += 1;
        let mut wait_ms = (1, 30);
        match answer {
            Answer::Granted(holder) => {
                known.granted(holder);
                self.transactions += 1;
                known.begin(random, self.transactions, self.broker.partitions.len());
            }
            Answer::Added => known.added(),
            Answer::Produced => known.produced(random),
            Answer::Ended(next) => {
                let Phase::End { commit } = known.phase else { return };
                self.ledger.ended(known.transaction, commit, &known.written);
                if let Some(holder) = next {
                    known.granted(holder);
                }
                if !known.ended() && !known.upgrades(random) {
                    self.transactions += 1;
                    known.begin(random, self.transactions, self.broker.partitions.len());
                }
                wait_ms = if random.chance(30) { (1, 9_000) } else { (1, 200) };
            }
            Answer::Failed(code) => {
                let again = known.failed(random, code);
                wait_ms = if again { (20, 100) } else { (100, 4_000) };
            }
        }
        if self.faulty(10) {
            self.clients[client].restarts(&mut self.random);
        }
        if self.faulty(15) {
            wait_ms = (1, 6_000);
        }
        self.after(wait_ms.0, wait_ms.1, Event::Wake { client });
    }
}

fn is_prepared(status: Status) -> bool {
    matches!(status, Status::PrepareCommit | Status::PrepareAbort)
}
