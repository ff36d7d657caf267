//! Whole lives of a group, from one number: members that join, crash, pause, ask twice, come back with old ids; messages
//! that are lost, late and doubled; appends that fail; processes that end and read their log. `ledger` says what must
//! hold all the time, and what must hold once the faults have stopped.
//!
//! `OTTLA_SEEDS=5000 cargo test -p coordinator simulation` runs more of them.

mod ledger;
mod member;

use super::world::{Outcome, World};
use crate::group::{Reply, Request, Settings, Ticket};
use crate::test_support::Random;
use bytes::Bytes;
use ledger::{Ledger, read};
use member::{Member, Phase};
use model::ErrorCode;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use uuid::Uuid;

/// Runs in every test run.
const SEEDS: u64 = 300;
/// How long faults happen.
const FAULTS_MS: i64 = 120_000;
/// How long the group may take to settle after them: a session, a join phase and a time for SyncGroup of the slowest
/// member, twice, for one that left with the faults' last breath.
const SETTLE_MS: i64 = 2 * (10_000 + 20_000 + 20_000);
/// How long an answer may take; longer than any join phase.
const PATIENCE_MS: i64 = 30_000;

#[test]
fn groups_survive() {
    let seeds = std::env::var("OTTLA_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS);
    for seed in 0..seeds {
        let run = std::panic::catch_unwind(|| Simulation::new(seed).run());
        assert!(run.is_ok(), "seed {seed} fails: run it alone with OTTLA_SEED={seed}");
    }
}

#[test]
fn one_seed() {
    if let Some(seed) = std::env::var("OTTLA_SEED").ok().and_then(|text| text.parse().ok()) {
        Simulation::new(seed).run();
    }
}

#[test]
fn a_seed_is_a_whole_run() {
    for seed in [1, 77, 4_711] {
        assert_eq!(
            Simulation::new(seed).run(),
            Simulation::new(seed).run(),
            "seed {seed} runs the same twice"
        );
    }
}

#[derive(Debug)]
enum Event {
    /// A request gets to the broker.
    Arrive { member: usize, attempt: u64, request: Request },
    /// A reply gets to the member.
    Answer { member: usize, attempt: u64, reply: Reply },
    /// A member looks at what it has to do.
    Wake { member: usize },
    /// A member's patience ends.
    Overdue { member: usize, attempt: u64 },
    /// Something breaks.
    Fault,
}

#[derive(Debug)]
struct Simulation {
    random: Random,
    world: World,
    queue: BTreeMap<(i64, u64), Event>,
    events: u64,
    members: Vec<Member>,
    /// Who waits for which ticket.
    outstanding: BTreeMap<Ticket, (usize, u64)>,
    ledger: Ledger,
    /// When each member's last commit gets to the broker: those of one connection stay in order.
    commit_at_ms: BTreeMap<usize, i64>,
    /// How many messages of a thousand are lost or doubled.
    lost: u64,
    doubled: u64,
    delay_ms: i64,
    faults_until_ms: i64,
    trace: DefaultHasher,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let settings = Settings {
            initial_rebalance_delay_ms: if random.chance(300) { 0 } else { 3_000 },
            ..Settings::default()
        };
        let mut members = Vec::new();
        for index in 0..random.within(1, 8) {
            let instance_id = random.chance(300).then(|| format!("i{index}"));
            members.push(Member::new(format!("m{index}"), instance_id, &mut random));
        }
        let mut simulation = Self {
            world: World::new(settings),
            queue: BTreeMap::new(),
            events: 0,
            outstanding: BTreeMap::new(),
            ledger: Ledger::default(),
            commit_at_ms: BTreeMap::new(),
            lost: random.next() % 200,
            doubled: random.next() % 100,
            delay_ms: random.within(1, 3_000),
            faults_until_ms: FAULTS_MS,
            trace: DefaultHasher::new(),
            members,
            random,
        };
        for member in 0..simulation.members.len() {
            let start_ms = simulation.random.within(0, 20_000);
            simulation.at(start_ms, Event::Wake { member });
        }
        simulation.at(1_000, Event::Fault);
        simulation
    }

    /// Gives a number that stands for everything that happened.
    fn run(mut self) -> u64 {
        let end_ms = FAULTS_MS + SETTLE_MS;
        loop {
            let event_ms = self.queue.keys().next().map_or(i64::MAX, |(at_ms, _)| *at_ms);
            let tick_ms = self.world.shard.next_deadline_ms().unwrap_or(i64::MAX);
            if event_ms.min(tick_ms) > end_ms {
                break;
            }
            if tick_ms <= event_ms {
                self.world.now_ms = self.world.now_ms.max(tick_ms);
                let outcome = self.world.run_due_once();
                self.take(outcome);
            } else {
                let (key, event) = self.queue.pop_first().expect("an event is there");
                self.world.now_ms = key.0;
                self.happen(event);
            }
        }
        self.ledger.check_settled(&self.world, &self.members);
        self.trace.finish()
    }

    fn faulty(&self) -> bool {
        self.world.now_ms < self.faults_until_ms
    }

    fn at(&mut self, at_ms: i64, event: Event) {
        self.events += 1;
        self.queue.insert((at_ms, self.events), event);
    }

    fn latency_ms(&mut self) -> i64 {
        let most_ms = if self.faulty() { self.delay_ms } else { 20 };
        1 + self.random.within(0, most_ms.max(1))
    }

    fn happen(&mut self, event: Event) {
        format!("{} {event:?}", self.world.now_ms).hash(&mut self.trace);
        match event {
            Event::Arrive { member, attempt, mut request } => {
                if let Request::Join(request) = &mut request {
                    request.fresh_id = Uuid::from_u64_pair(self.random.next(), self.random.next());
                }
                let (ticket, outcome) = self.world.send(request);
                self.outstanding.insert(ticket, (member, attempt));
                self.take(outcome);
            }
            Event::Answer { member, attempt, reply } => self.answer(member, attempt, reply),
            Event::Wake { member } => self.wake(member),
            Event::Overdue { member, attempt } => {
                let late = &mut self.members[member];
                if late.attempt == attempt && matches!(late.phase, Phase::Joining | Phase::Syncing) {
                    late.phase = Phase::Out { until_ms: self.world.now_ms };
                }
            }
            Event::Fault => self.fault(),
        }
    }

    /// Sends replies on their way, and checks what must hold.
    fn take(&mut self, outcome: Outcome) {
        for (ticket, reply) in &outcome.replies {
            let (member, attempt) = self.outstanding.remove(ticket).expect("a ticket is answered once");
            if self.faulty() && self.random.chance(self.lost) {
                continue;
            }
            let at_ms = self.world.now_ms + self.latency_ms();
            self.at(at_ms, Event::Answer { member, attempt, reply: reply.clone() });
        }
        self.ledger.check(&self.world, &outcome, self.outstanding.len());
    }

    fn send(&mut self, member: usize, attempt: u64, request: Request) {
        let mut at_ms = self.world.now_ms + self.latency_ms();
        let ordered = matches!(request, Request::OffsetCommit(_));
        if ordered {
            at_ms = at_ms.max(self.commit_at_ms.get(&member).copied().unwrap_or(0));
            self.commit_at_ms.insert(member, at_ms);
        }
        if self.faulty() && self.random.chance(self.lost) {
            return;
        }
        if self.faulty() && !ordered && self.random.chance(self.doubled) {
            let again_ms = at_ms + self.latency_ms();
            self.at(again_ms, Event::Arrive { member, attempt: 0, request: request.clone() });
        }
        self.at(at_ms, Event::Arrive { member, attempt, request });
    }

    /// Sends a JoinGroup or SyncGroup, and waits for it.
    fn ask(&mut self, member: usize, request: Request) {
        self.events += 1;
        let attempt = self.events;
        self.members[member].attempt = attempt;
        let overdue_ms = self.world.now_ms + PATIENCE_MS;
        self.at(overdue_ms, Event::Overdue { member, attempt });
        self.send(member, attempt, request);
    }

    fn wake(&mut self, index: usize) {
        let (now_ms, faulty) = (self.world.now_ms, self.faulty());
        let member = &mut self.members[index];
        if member.gone && !member.stuck {
            return;
        }
        if member.stuck {
            let request = member.heartbeat_request();
            self.send(index, 0, request);
        } else if member.paused_until_ms <= now_ms {
            match member.phase {
                Phase::Out { until_ms } if until_ms <= now_ms => {
                    member.phase = Phase::Joining;
                    member.owned.clear();
                    let request = member.join_request();
                    self.ask(index, request);
                }
                Phase::In => self.live(index),
                Phase::Joining if faulty && self.random.chance(5) => self.leave(index),
                _ => {}
            }
        }
        let next_ms = now_ms + self.random.within(100, 700);
        self.at(next_ms, Event::Wake { member: index });
    }

    /// What a member does while it owns something.
    fn live(&mut self, index: usize) {
        let now_ms = self.world.now_ms;
        let faulty = self.faulty();
        let member = &mut self.members[index];
        if member.next_beat_ms <= now_ms {
            member.next_beat_ms = now_ms + 2_000;
            let request = member.heartbeat_request();
            self.send(index, 0, request);
        }
        let member = &mut self.members[index];
        if self.random.chance(200) {
            for offset in member.owned.values_mut() {
                *offset += self.random.within(0, 10);
            }
            let owned = member.owned.clone();
            member.read.extend(owned);
            let request = member.commit_request();
            self.send(index, 0, request);
        } else if member.restless || faulty && self.random.chance(10) {
            member.restless = false;
            member.subscription += 1;
            member.phase = Phase::Out { until_ms: now_ms };
        } else if faulty && self.random.chance(5) {
            self.leave(index);
        }
    }

    fn leave(&mut self, index: usize) {
        let member = &mut self.members[index];
        let request = member.leave_request();
        member.phase = Phase::Out { until_ms: self.world.now_ms + self.random.within(0, 20_000) };
        member.owned.clear();
        member.member_id.clear();
        self.send(index, 0, request);
    }

    fn answer(&mut self, index: usize, attempt: u64, reply: Reply) {
        let now_ms = self.world.now_ms;
        let member = &mut self.members[index];
        if let Reply::Heartbeat(code) = reply
            && !matches!(code, ErrorCode::None | ErrorCode::RebalanceInProgress)
        {
            member.stuck = false;
        }
        if member.gone || member.paused_until_ms > now_ms {
            return;
        }
        match reply {
            Reply::Join(reply) if member.attempt == attempt && member.phase == Phase::Joining => {
                let request = member.joined(&reply, now_ms, &mut self.random);
                // Whoever is told a stable generation again is not asked for a SyncGroup.
                if member.phase == Phase::Syncing && member.hangs && self.ledger.is_completing() {
                    member.gone = true;
                    member.stuck = true;
                } else if let Some(request) = request {
                    self.ask(index, request);
                }
            }
            Reply::Sync(reply)
                if member.attempt == attempt
                    && member.phase == Phase::Syncing
                    && member.synced(&reply, now_ms, &mut self.random) =>
            {
                self.own(index, &reply.assignment);
            }
            Reply::Heartbeat(code) if member.phase == Phase::In && code != ErrorCode::None => {
                member.fell_out(code, now_ms, &mut self.random);
            }
            _ => {}
        }
    }

    /// Goes on where the last owner committed, or where itself has been before.
    fn own(&mut self, index: usize, assignment: &Bytes) {
        let member = &mut self.members[index];
        self.ledger.assigned(member, assignment);
        for (partition, offset) in &mut member.owned {
            let seen = member.read.entry(*partition).or_default();
            *offset = read(&self.world, *partition).unwrap_or(0).max(*seen);
            *seen = *offset;
        }
    }

    fn fault(&mut self) {
        if !self.faulty() {
            return self.last_fault();
        }
        let index = self.random.within(0, self.members.len() as i64) as usize;
        match self.random.within(0, 10) {
            0 | 1 => self.crash(index),
            2 | 3 => {
                let most_ms = 2 * i64::from(self.members[index].session_timeout_ms);
                self.members[index].paused_until_ms = self.world.now_ms + self.random.within(100, most_ms);
            }
            4 => self.twin(index),
            5 | 6 => self.world.fail_next_write = true,
            7 | 8 => self.restart(),
            _ => {}
        }
        let next_ms = self.world.now_ms + self.random.within(500, 8_000);
        self.at(next_ms, Event::Fault);
    }

    fn living(&self) -> Vec<usize> {
        (0..self.members.len()).filter(|index| !self.members[*index].gone).collect()
    }

    /// With the last fault, somebody goes for good and nobody sees it: the broker has just begun anew, or nothing else
    /// happens any more.
    fn last_fault(&mut self) {
        self.world.fail_next_write = false;
        let living = self.living();
        if living.len() > 1 {
            let index = living[self.random.within(0, living.len() as i64) as usize];
            let (member, how) = (&mut self.members[index], self.random.within(0, 5));
            member.gone = how <= 1;
            member.stuck = how == 1;
            member.hangs = how == 2;
            // The others want a rebalance that it takes no part in, or goes half the way.
            for other in living.into_iter().filter(|other| *other != index) {
                self.members[other].restless = how >= 1;
            }
        }
        if self.random.chance(500) {
            self.restart();
        }
    }

    /// The process ends. Most come again, some with their old id.
    fn crash(&mut self, index: usize) {
        let later_ms = self.world.now_ms + self.random.within(500, 30_000);
        let member = &mut self.members[index];
        member.owned.clear();
        member.phase = Phase::Out { until_ms: later_ms };
        member.attempt = 0;
        if !self.random.chance(300) {
            member.member_id.clear();
            member.generation = -1;
        }
        if self.living().len() > 1 && self.random.chance(200) {
            self.members[index].gone = true;
        }
    }

    /// A second process comes up as the same instance, or beside a member without one.
    fn twin(&mut self, index: usize) {
        if self.living().len() >= 10 {
            return;
        }
        let instance_id = self.members[index].instance_id.clone();
        let twin = Member::new(format!("m{}", self.members.len()), instance_id, &mut self.random);
        self.members.push(twin);
        let member = self.members.len() - 1;
        let start_ms = self.world.now_ms + 1;
        self.at(start_ms, Event::Wake { member });
    }

    /// The broker's process ends and comes again; whoever waits for it waits in vain.
    fn restart(&mut self) {
        self.outstanding.clear();
        self.world.fail_next_write = false;
        let outcome = self.world.restart();
        self.ledger.reloaded(&self.world);
        self.take(outcome);
    }
}
