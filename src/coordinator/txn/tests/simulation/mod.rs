//! Whole lives of two transactional ids, from one number: two producers each, of which one is the other's zombie, in both
//! protocols; requests that are lost, late and doubled; appends that fail; coordinators that end before their log is
//! durable; markers that come late and twice; partitions that are opened some time after the coordinator. `ledger` says what must hold.
//!
//! A client of the protocol before KIP-890 never has its EndTxn late or doubled: that protocol cannot tell one transaction's
//! from the next one's.
//! Nor does one go over to KIP-890 under its epoch while the marker of its last transaction is missing anywhere: see
//! [`client::Client::upgrades`].
//!
//! `OTTLA_SEEDS=10000 cargo test -p coordinator txn::tests::simulation` runs more of them.

mod broker;
mod client;
mod ledger;
mod partition;

use crate::test_support::Random;
use crate::txn::record::Status;
use crate::txn::tests::world::partitions;
use crate::txn::{Marker, Request};
use broker::{Broker, Waiter};
use client::{Ask, Client, Phase, Produce};
use ledger::Ledger;
use model::ErrorCode;
use partition::{Appended, Entry, Holder};
use std::collections::BTreeMap;

/// Runs in every test run.
const SEEDS: u64 = 300;
const FAULTS_MS: i64 = 60_000;
const PATIENCE_MS: i64 = 1_000;
const LATE_MS: i64 = 5_000;
/// After the faults: what is late arrives, what is open times out, and a failed abort is tried again.
const SETTLE_MS: i64 = LATE_MS + 3_000 + 3_000;
const TICK_MS: i64 = 50;

/// Something that a coordinator, its shell or a partition could do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    NoEpochCheck,
    NoVerification,
    NoBump,
    RepliesBeforeDurable,
    MarkersBeforeDurable,
    AcknowledgedUnwritten,
    AnyRound,
    IdsAgain,
    LoadedForgotten,
    FailureForgotten,
    MarkersOnce,
    LostForGood,
    AheadInAnyEpoch,
    LeftBehind,
    TakenAlong,
    OpenedUnseen,
}

#[test]
fn transactions_hold() {
    let seeds = std::env::var("OTTLA_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS);
    let mut committed = 0;
    for seed in 0..seeds {
        committed += Simulation::new(seed, None)
            .run()
            .unwrap_or_else(|what| panic!("seed {seed}: {what}; run it alone with OTTLA_SEED={seed}"));
    }
    assert!(committed as u64 > 20 * seeds, "the producers get something done: {committed}");
}

#[test]
fn one_seed() {
    if let Some(seed) = std::env::var("OTTLA_SEED").ok().and_then(|text| text.parse().ok()) {
        Simulation::new(seed, None).run().expect("nothing is violated");
    }
}

#[test]
fn planted_bugs_are_found() {
    use Bug::*;
    let bugs = [
        NoEpochCheck,
        NoVerification,
        NoBump,
        RepliesBeforeDurable,
        MarkersBeforeDurable,
        AcknowledgedUnwritten,
        AnyRound,
        IdsAgain,
        LoadedForgotten,
        FailureForgotten,
        MarkersOnce,
        LostForGood,
        AheadInAnyEpoch,
        LeftBehind,
        TakenAlong,
        OpenedUnseen,
    ];
    let is_found = |bug| {
        let found = (0..SEEDS).find_map(|seed| {
            let violated = Simulation::new(seed, Some(bug)).run().err();
            violated.map(|what| format!("seed {seed}: {what}"))
        });
        println!("{bug:?}: {found:?}");
        found.is_some()
    };
    let missed: Vec<Bug> = bugs.into_iter().filter(|bug| !is_found(*bug)).collect();
    assert_eq!(missed, [], "are not found");
}

#[test]
fn a_seed_is_a_whole_run() {
    let log = |seed| {
        let mut simulation = Simulation::new(seed, None);
        simulation.go().expect("nothing is violated");
        let logs: Vec<_> = simulation.broker.partitions.into_iter().map(|partition| partition.log).collect();
        (simulation.broker.log, logs)
    };
    for seed in [1, 77, 4_711] {
        assert_eq!(log(seed), log(seed), "seed {seed} runs the same twice");
    }
}

/// Which numbers its ends anew: the simulation must not take its marker for a copy.
#[test]
fn an_id_that_has_expired_and_come_back_gets_its_markers() {
    let mut simulation = Simulation::new(0, None);
    simulation.now_ms = FAULTS_MS;
    for producer_id in [1000, 1001] {
        let marker = Marker {
            transactional_id: "a".into(),
            producer_id,
            producer_epoch: 0,
            commit: true,
            transaction_version: 0,
            round: 1,
            partitions: partitions(&[0]),
        };
        simulation.marks(0, marker.clone(), 0, true);
        simulation.marks(0, marker, 0, true);
    }
    let end = |producer_id| Entry::End { producer: (producer_id, 0), commit: true };
    assert_eq!(simulation.broker.partitions[0].log, [end(1000), end(1001)], "one each, and no copies");
}

#[derive(Clone, Debug)]
enum Event {
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
        guard: u64,
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
    /// A log that could not be opened at the start is.
    Opened {
        generation: u64,
        partition: usize,
    },
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Granted(Holder),
    Added,
    Produced,
    Ended(Option<Holder>),
    Failed(ErrorCode),
}

struct Simulation {
    random: Random,
    now_ms: i64,
    queue: BTreeMap<(i64, u64), Event>,
    events: u64,
    broker: Broker,
    clients: Vec<Client>,
    transactions: u64,
    ledger: Ledger,
    bug: Option<Bug>,
}

impl Simulation {
    fn new(seed: u64, bug: Option<Bug>) -> Self {
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
    fn run(mut self) -> Result<usize, String> {
        self.go()?;
        Ok(self.ledger.committed)
    }

    fn go(&mut self) -> Result<(), String> {
        for client in 0..self.clients.len() {
            let at_ms = self.random.within(0, 2_000);
            self.at(at_ms, Event::Wake { client });
        }
        self.at(0, Event::Tick);
        self.at(500, Event::Crash { again: true });
        while let Some(((at_ms, _), event)) = self.queue.pop_first() {
            if at_ms > FAULTS_MS + SETTLE_MS {
                break;
            }
            self.now_ms = at_ms;
            self.happens(event);
            if let Some(what) = &self.ledger.violation {
                return Err(what.clone());
            }
        }
        self.settled();
        self.ledger.violation.take().map_or(Ok(()), Err)
    }

    fn settled(&mut self) {
        for shown in self.broker.shard.list() {
            if matches!(shown.status, Status::Ongoing | Status::PrepareCommit | Status::PrepareAbort) {
                self.ledger.violated(format!(
                    "{} is {} for ever",
                    shown.transactional_id,
                    shown.status.name()
                ));
            }
        }
        if self.broker.partitions.iter().any(|partition| partition.hanging() > 0) {
            self.ledger.violated("a transaction hangs in a partition".into());
        }
        self.ledger.check(&self.broker.partitions);
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
                    self.send(client);
                }
            }
            Event::Wake { client } => self.send(client),
            Event::Verified { waiter: Waiter { client, attempt, .. }, produce, guard } => {
                if self.broker.is_away(produce.partition) {
                    self.answer(client, attempt, Answer::Failed(ErrorCode::KafkaStorageError));
                } else if self.broker.partitions[produce.partition].guard(produce.holder.0) == guard {
                    self.append(client, attempt, produce);
                } else {
                    let answer = Answer::Failed(ErrorCode::ConcurrentTransactions);
                    self.answer(client, attempt, answer);
                }
            }
            Event::Opened { generation, partition } => self.opened(generation, partition),
            Event::Durable => self.durable(),
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
            let holder = self.clients[client].holder;
            if self.broker.partitions.iter().any(|it| it.open().any(|open| Some(open) == holder)) {
                self.after(1, 20, Event::Wake { client });
                return;
            }
            self.clients[client].awaits_markers = false;
        }
        self.clients[client].attempt += 1;
        let attempt = self.clients[client].attempt;
        self.after(PATIENCE_MS, PATIENCE_MS + 1, Event::Overdue { client, attempt });
        let ask = self.clients[client].ask();
        let is_end = matches!(ask, Ask::Coordinator(Request::EndTxn(_)));
        let may_be_late = self.clients[client].kip_890 || !is_end;
        if self.faulty(40) {
            return;
        }
        let arrive = Event::Arrive { client, attempt, ask };
        if may_be_late && self.faulty(60) {
            self.after(1, LATE_MS, arrive.clone());
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
                let partition = &self.broker.partitions[produce.partition];
                let is_open = partition.is_open(produce.holder, self.bug);
                if is_open || self.bug == Some(Bug::NoVerification) {
                    self.append(client, attempt, produce);
                    return;
                }
                let guard = partition.guard(produce.holder.0);
                let known = &self.clients[client];
                let request = known.first_record(&produce);
                let waiter = Waiter { client, attempt, produce: Some((produce, guard)) };
                let step = self.broker.ask(self.now_ms, waiter, Request::AddPartitions(request));
                self.take(step);
            }
        }
    }

    fn append(&mut self, client: usize, attempt: u64, produce: Produce) {
        let answer = self.written(client, produce);
        self.answer(client, attempt, answer);
    }

    fn written(&mut self, client: usize, produce: Produce) -> Answer {
        let data = (produce.transaction, produce.value);
        let partition = &mut self.broker.partitions[produce.partition];
        match partition.append(produce.holder, produce.sequence, data, self.bug) {
            Appended::Yes if self.broker.behind.contains(&(produce.partition, produce.holder)) => {
                Answer::Produced
            }
            Appended::Yes => {
                self.ledger.appended(&self.clients[client].transactional_id, produce.holder);
                Answer::Produced
            }
            Appended::Again => Answer::Produced,
            Appended::Fenced => Answer::Failed(ErrorCode::InvalidProducerEpoch),
            Appended::OutOfOrder => Answer::Failed(ErrorCode::OutOfOrderSequenceNumber),
            Appended::Earlier => Answer::Failed(ErrorCode::NotEnoughReplicas),
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
                if !known.upgrades(random) {
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
