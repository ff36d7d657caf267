//! Whole lives of consumer groups, from a seed: members of both protocols come, crash, hang and leave, requests and
//! answers are lost, repeated and late, writes fail, the shard is loaded again, topics change.
//!
//! Whatever happens, a partition is given to nobody as long as a member has it that is not fenced; what was committed is what
//! is read, and only members commit; and when the faults end, every partition is soon read by one member.
//!
//! `OTTLA_SEEDS=5000 cargo test -p coordinator whole_lives` runs more of them, `OTTLA_SEED` a single one.

mod client;

use super::world::{GROUP, Outcome, World};
use crate::group::classic::State;
use crate::group::consumer::Group;
use crate::group::record::Record;
use crate::group::shard::Group as AnyGroup;
use crate::group::{OffsetCommitRequest, OffsetFetchRequest, Reply, Request, Shard, Ticket};
use client::{Client, Partitions, flat};
use model::ErrorCode;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const SESSION_MS: i32 = 10_000;
const REBALANCE_MS: i32 = 6_000;
/// How long faults happen.
const TROUBLE_MS: i64 = 90_000;
/// How long the group may take to settle then: a session, a rebalance and a refresh of expressions follow each other.
const SETTLE_MS: i64 = 90_000;

const SEEDS: u64 = 300;

#[test]
fn whole_lives() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("OTTLA_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..number("OTTLA_SEEDS").unwrap_or(SEEDS) + 1,
    };
    for seed in seeds {
        println!("OTTLA_SEED={seed}");
        let mut life = Life::new(seed);
        life.commits = Some(Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1));
        life.run();
    }
}

/// Removed while the group was classic, it joined with its old id when that was a consumer group, and did not know.
#[test]
fn who_was_out_of_a_classic_group_claims_nothing() {
    Life::new(4527).run();
}

/// xorshift64*.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % end.max(1)
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

enum Message {
    /// To the broker; sent by that client with that number.
    Ask(usize, u64, Request),
    Answer(usize, u64, Reply),
}

struct Life {
    seed: u64,
    random: Random,
    world: World,
    clients: Vec<Client>,
    /// On the way, and when they arrive.
    messages: Vec<(i64, Message)>,
    tickets: BTreeMap<Ticket, (usize, u64)>,
    asked: u64,
    trouble: bool,
    /// The group's epoch when it was last seen.
    epoch: Option<i32>,
    /// Who commits when, if anybody does.
    commits: Option<Random>,
    /// What the log says of offsets, by topic and partition.
    committed: BTreeMap<(String, i32), i64>,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let mut world = World::with_topics(&[]);
        for name in ["a", "b", "c"].iter().take(1 + random.below(3) as usize) {
            world.cluster.set(name, 1 + random.below(6) as i32);
        }
        let settings = &mut world.settings;
        settings.consumer_session_timeout_ms = SESSION_MS;
        settings.consumer_heartbeat_interval_ms = 1_000;
        settings.initial_rebalance_delay_ms = random.below(2) as i32 * 1_000;
        let cooperative = random.one_in(2);
        // Of one protocol, of the other, or of both.
        let kinds = random.below(3);
        let count = 2 + random.below(5);
        let mut clients = Vec::new();
        for number in 0..count {
            let classic = kinds == 1 && random.one_in(2) || kinds == 2 && random.below(4) != 0;
            let all = || ["a", "b", "c"].map(str::to_owned).to_vec();
            let topics = if random.one_in(3) { all().split_off(random.below(3) as usize) } else { all() };
            clients.push(Client {
                classic,
                cooperative,
                instance_id: random.one_in(4).then(|| format!("i{number}")),
                topics,
                regex: (!classic && random.one_in(4))
                    .then(|| ["a|b|c", "[a-d]", ".*"][random.below(3) as usize].to_owned()),
                ..Client::default()
            });
        }
        Self {
            seed,
            random,
            world,
            clients,
            messages: Vec::new(),
            tickets: BTreeMap::new(),
            asked: 0,
            trouble: true,
            epoch: None,
            commits: None,
            committed: BTreeMap::new(),
        }
    }

    fn run(mut self) {
        for index in 0..self.clients.len() {
            let (at_ms, id) = (self.random.below(5_000) as i64, self.fresh_id());
            self.clients[index].start(at_ms, id);
        }
        while self.world.now_ms < TROUBLE_MS {
            self.advance(TROUBLE_MS);
            self.trouble();
        }
        self.trouble = false;
        self.world.fail_next_write = false;
        for index in 0..self.clients.len() {
            if !self.clients[index].running {
                let id = self.fresh_id();
                self.clients[index].start(self.world.now_ms, id);
            }
        }
        let end_ms = TROUBLE_MS + SETTLE_MS;
        while self.world.now_ms < end_ms {
            self.advance(end_ms);
        }
        self.check_settled();
        self.check_reload();
        self.check_offsets(&self.world.shard);
        let reads = self.clients.iter().any(|client| !client.owned.is_empty());
        assert!(self.commits.is_none() || !reads || !self.committed.is_empty(), "seed {}", self.seed);
    }

    /// Does what is next, at its time.
    fn advance(&mut self, end_ms: i64) {
        let clients = self.clients.iter().filter(|client| client.running);
        let next = clients.map(|client| client.waiting.map_or(client.next_ms, |(_, until_ms)| until_ms));
        let next = next
            .chain(self.messages.iter().map(|(at_ms, _)| *at_ms))
            .chain(self.world.shard.next_deadline_ms());
        self.world.now_ms = next.min().unwrap_or(end_ms).clamp(self.world.now_ms, end_ms);
        let now_ms = self.world.now_ms;
        let before = self.holdings();
        let outcome = self.world.run_due();
        self.take(outcome, &before);
        if let Some(index) = self.messages.iter().position(|(at_ms, _)| *at_ms <= now_ms) {
            match self.messages.swap_remove(index).1 {
                Message::Ask(client, asked, request) => self.ask(client, asked, request),
                Message::Answer(client, asked, reply) => self.answer(client, asked, &reply),
            }
            return;
        }
        for index in 0..self.clients.len() {
            let client = &mut self.clients[index];
            if !client.running {
                continue;
            }
            match client.waiting {
                Some((_, until_ms)) if until_ms <= now_ms => {
                    client.timed_out();
                    client.next_ms = now_ms;
                    self.disconnect(index);
                }
                None if client.next_ms <= now_ms => self.client_acts(index),
                _ => {}
            }
        }
    }

    fn client_acts(&mut self, index: usize) {
        let (now_ms, id) = (self.world.now_ms, self.fresh_id());
        let request = self.clients[index].act(now_ms, &self.world.cluster, id);
        self.asked += 1;
        let patience_ms = if matches!(request, Request::Join(_) | Request::Sync(_)) { 12_000 } else { 2_000 };
        self.clients[index].waiting = Some((self.asked, now_ms + patience_ms));
        self.post(Message::Ask(index, self.asked, request));
        self.client_commits(index);
    }

    /// On a way of its own, so that it may come late.
    fn client_commits(&mut self, index: usize) {
        let Some(random) = &mut self.commits else { return };
        if !random.one_in(4) {
            return;
        }
        let latest_ms = if random.one_in(4) { 10_000 } else { 50 };
        let at_ms = self.world.now_ms + random.below(latest_ms) as i64;
        if let Some(request) = self.clients[index].commit(&self.world.cluster, self.asked as i64) {
            self.messages.push((at_ms, Message::Ask(usize::MAX, 0, request)));
        }
    }

    /// The client opens a new connection: what was on the old one is lost. (A request that overtakes a later one of the
    /// same member could show partitions as given back that it has got since: no version of the protocol sees that.)
    fn disconnect(&mut self, index: usize) {
        self.messages.retain(|(_, message)| !matches!(message, Message::Ask(sender, ..) if *sender == index));
    }

    fn post(&mut self, message: Message) {
        if self.trouble && self.random.one_in(20) {
            return;
        }
        let delay_ms =
            1 + if self.random.one_in(10) { self.random.below(3_000) } else { self.random.below(50) };
        self.messages.push((self.world.now_ms + delay_ms as i64, message));
    }

    /// The broker gets a request, perhaps twice.
    fn ask(&mut self, client: usize, asked: u64, request: Request) {
        let copies = if self.trouble && self.random.one_in(15) { 2 } else { 1 };
        for _ in 0..copies {
            self.world.fail_next_write = self.trouble && self.random.one_in(25);
            let before = self.holdings();
            let may_commit = match &request {
                Request::OffsetCommit(commit) => Some(self.may_commit(commit)),
                _ => None,
            };
            let (ticket, outcome) = self.world.send(request.clone());
            self.world.fail_next_write = false;
            if let Some(may_commit) = may_commit {
                self.check_commit(may_commit, ticket, &outcome);
            }
            self.tickets.insert(ticket, (client, asked));
            self.take(outcome, &before);
        }
    }

    fn answer(&mut self, client: usize, asked: u64, reply: &Reply) {
        let (now_ms, cluster) = (self.world.now_ms, &self.world.cluster);
        let client = &mut self.clients[client];
        if client.running && client.waiting.is_some_and(|(waiting, _)| waiting == asked) {
            client.next_ms = now_ms + client.answered(reply, now_ms, cluster, &mut self.random);
        }
    }

    /// Looks at what the broker did and sends its answers off.
    fn take(&mut self, outcome: Outcome, before: &Holdings) {
        for record in &outcome.records {
            let is_out = |member_id: &str| match record {
                Record::Member(key, None) => key.member_id == member_id,
                // A classic group writes down who is left.
                Record::ClassicGroup(_, Some(group)) => {
                    group.members.iter().all(|member| member.member_id != member_id)
                }
                _ => false,
            };
            for client in self.clients.iter_mut().filter(|client| is_out(&client.member_id)) {
                client.void.clone_from(&client.owned);
            }
        }
        self.note_offsets(&outcome.records);
        self.note_upgrade(&outcome.records);
        self.check_grants(before, &outcome.records);
        if !outcome.records.is_empty() {
            self.check_group();
        }
        for (ticket, reply) in outcome.replies {
            if let Some((client, asked)) = self.tickets.remove(&ticket)
                && client < self.clients.len()
            {
                self.post(Message::Answer(client, asked, reply));
            }
        }
    }

    /// Nothing is old enough to expire, and no deleted topic is announced. A group takes its offsets along when it changes its
    /// protocol.
    fn note_offsets(&mut self, records: &[Record]) {
        for record in records {
            let Record::Offset(key, value) = record else { continue };
            let value = value.as_ref().unwrap_or_else(|| panic!("seed {}: {key:?} is gone", self.seed));
            self.committed.insert((key.topic.clone(), key.partition), value.offset);
        }
        if records.iter().any(|record| matches!(record, Record::ClassicGroup(..))) {
            self.check_offsets(&self.world.shard);
        }
    }

    /// What was committed is what is read.
    fn check_offsets(&self, shard: &Shard) {
        let request = OffsetFetchRequest {
            group_id: GROUP.into(),
            member_id: None,
            member_epoch: -1,
            topics: None,
            require_stable: false,
        };
        let mut read = BTreeMap::new();
        for topic in shard.fetch_offsets(&request).expect("no refusal") {
            for partition in topic.partitions {
                read.insert((topic.name.clone(), partition.index), partition.offset);
            }
        }
        assert_eq!(read, self.committed, "seed {}, at {}", self.seed, self.world.now_ms);
    }

    /// Is this committer a member, and does it know the epoch or generation that it is in?
    fn may_commit(&self, commit: &OffsetCommitRequest) -> bool {
        match self.world.shard.groups.get(GROUP) {
            None => false,
            Some(AnyGroup::Consumer(group)) => {
                group.member(&commit.member_id).is_some_and(|member| member.epoch() == commit.generation)
            }
            Some(AnyGroup::Classic(group)) => {
                let mut members = group.members();
                let is_member = members.any(|member| {
                    *member.id == *commit.member_id
                        && (commit.instance_id.is_none() || member.instance_id == commit.instance_id)
                });
                is_member
                    && group.generation == commit.generation
                    && group.state() != State::CompletingRebalance
            }
        }
    }

    fn check_commit(&self, may_commit: bool, ticket: Ticket, outcome: &Outcome) {
        let reply = outcome.replies.iter().find(|(other, _)| *other == ticket);
        let Some((_, Reply::OffsetCommit(topics))) = reply else { panic!("seed {}: {reply:?}", self.seed) };
        for (_, code) in topics.iter().flat_map(|topic| &topic.partitions) {
            // What cannot be written is told so.
            let taken = *code == ErrorCode::None || *code == ErrorCode::CoordinatorNotAvailable;
            assert_eq!(taken, may_commit, "seed {}, at {}: {code:?}", self.seed, self.world.now_ms);
        }
        let written = outcome.records.iter().any(|record| matches!(record, Record::Offset(..)));
        assert!(may_commit || !written, "seed {}", self.seed);
    }

    /// What the leader of a classic group took from a member that has not got its SyncGroup answer yet is free when the
    /// group is upgraded right then; in Kafka too.
    fn note_upgrade(&mut self, records: &[Record]) {
        let Some(AnyGroup::Consumer(group)) = self.world.shard.groups.get(GROUP) else { return };
        if !matches!(records.first(), Some(Record::ClassicGroup(_, None))) {
            return;
        }
        for client in &mut self.clients {
            if let Some(member) = group.member(&client.member_id) {
                client.void = client.owned.difference(&flat(&member.current.assigned)).copied().collect();
            }
        }
    }

    fn trouble(&mut self) {
        if !self.random.one_in(40) {
            return;
        }
        let index = self.random.below(self.clients.len() as u64) as usize;
        let now_ms = self.world.now_ms;
        match self.random.below(10) {
            // It crashes, or comes back.
            0 | 1 => {
                let id = self.fresh_id();
                let client = &mut self.clients[index];
                if client.running {
                    client.stop();
                    if self.random.one_in(2) {
                        client.start(now_ms + self.random.below(15_000) as i64, id);
                    }
                } else {
                    client.start(now_ms, id);
                }
            }
            // It leaves; one that comes back may speak the other protocol.
            2 | 3 => {
                let id = self.fresh_id();
                if let Some(request) = self.clients[index].leave(&mut self.random) {
                    self.post(Message::Ask(usize::MAX, 0, request));
                }
                let client = &mut self.clients[index];
                if client.regex.is_none() && self.random.one_in(2) {
                    client.classic = !client.classic;
                }
                if self.random.one_in(2) {
                    client.start(now_ms + self.random.below(15_000) as i64, id);
                }
            }
            // It hangs.
            4 | 5 => {
                let client = &mut self.clients[index];
                client.next_ms = client.next_ms.max(now_ms) + self.random.below(20_000) as i64;
            }
            6 => {
                let names = ["a", "b", "c", "d"];
                let name = names[self.random.below(4) as usize];
                match self.world.cluster.topics.get(name) {
                    Some(_) if self.random.one_in(4) => self.world.cluster.delete(name),
                    Some((_, partitions)) => {
                        let more = partitions + 1 + self.random.below(2) as i32;
                        self.world.cluster.set(name, more.min(9));
                    }
                    None => self.world.cluster.set(name, 1 + self.random.below(4) as i32),
                }
            }
            7 => {
                self.check_reload();
                let outcome = self.world.restart();
                assert_eq!(outcome.records, [], "loading writes nothing");
                self.check_offsets(&self.world.shard);
                self.tickets.clear();
            }
            _ => {
                let client = &mut self.clients[index];
                if client.regex.is_none() {
                    let topics = ["a", "b", "c"].map(str::to_owned).to_vec();
                    let skipped = self.random.below(3) as usize;
                    client.subscribe(topics.into_iter().skip(skipped).collect(), now_ms);
                    self.disconnect(index);
                }
            }
        }
    }

    fn fresh_id(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.random.below(1 << 31), self.random.below(1 << 31))
    }

    /// What each member may have, by member id.
    fn holdings(&self) -> Holdings {
        let Some(AnyGroup::Consumer(group)) = self.world.shard.groups.get(GROUP) else {
            return Holdings::new();
        };
        let held = |member: &super::super::member::Member| {
            let mut held = flat(&member.current.assigned);
            held.extend(flat(&member.current.pending_revocation));
            (member.id.to_string(), (member.about.instance_id.clone(), held))
        };
        group.all_members().map(held).collect()
    }

    /// A partition that a member gets is with nobody who is not fenced.
    fn check_grants(&self, before: &Holdings, records: &[Record]) {
        let Some(AnyGroup::Consumer(group)) = self.world.shard.groups.get(GROUP) else { return };
        for record in records {
            let Record::CurrentAssignment(key, Some(value)) = record else { continue };
            if before.is_empty() && value.previous_member_epoch == value.member_epoch {
                // The group was classic until now: it has what its leader gave it.
                continue;
            }
            let had = before.get(&key.member_id).map(|held| &held.1);
            for partition in flat(&value.assigned) {
                if had.is_some_and(|had| had.contains(&partition)) {
                    continue;
                }
                for client in &self.clients {
                    let same = client.member_id == key.member_id
                        || client.instance_id.is_some()
                            && group
                                .member(&key.member_id)
                                .is_some_and(|m| m.about.instance_id == client.instance_id);
                    let known = group.member(&client.member_id).is_some_and(|member| {
                        client.epoch == member.epoch() || client.epoch == member.current.previous_member_epoch
                    });
                    assert!(
                        same || !known
                            || !client.owned.contains(&partition)
                            || client.void.contains(&partition),
                        "seed {}: {partition:?} goes to {} while {client:?} has it, at {}",
                        self.seed,
                        key.member_id,
                        self.world.now_ms
                    );
                }
            }
        }
    }

    /// No partition is held by two members, nor meant for two; epochs only grow.
    fn check_group(&mut self) {
        let Some(AnyGroup::Consumer(group)) = self.world.shard.groups.get(GROUP) else {
            self.epoch = None;
            return;
        };
        let mut held = Partitions::new();
        for member in group.all_members() {
            for partition in flat(&member.current.assigned).union(&flat(&member.current.pending_revocation)) {
                assert!(held.insert(*partition), "seed {}: two members hold {partition:?}", self.seed);
            }
        }
        let mut meant = Partitions::new();
        for target in group.targets.values() {
            for partition in flat(target) {
                assert!(meant.insert(partition), "seed {}: {partition:?} is meant for two", self.seed);
            }
        }
        assert!(group.target_epoch <= group.epoch);
        assert!(group.all_members().all(|member| member.epoch() <= group.epoch), "seed {}", self.seed);
        assert!(self.epoch.is_none_or(|before| before <= group.epoch), "seed {}", self.seed);
        self.epoch = Some(group.epoch);
    }

    /// Every partition that somebody wants is read by one member, and the group says so too.
    fn check_settled(&self) {
        let seed = self.seed;
        let cluster = &self.world.cluster;
        let wants = |client: &Client, name: &str| match client.regex.as_deref() {
            None => client.topics.iter().any(|topic| topic == name),
            Some("a|b|c") => "abc".contains(name),
            Some(_) => true,
        };
        let mut expected = Partitions::new();
        for (name, (id, partitions)) in &cluster.topics {
            if self.clients.iter().any(|client| client.running && wants(client, name)) {
                expected.extend((0..*partitions).map(|partition| (*id, partition)));
            }
        }
        let mut read = Partitions::new();
        for client in &self.clients {
            for partition in &client.owned {
                let (name, _) =
                    cluster.topics.iter().find(|(_, topic)| topic.0 == partition.0).expect("it exists");
                assert!(wants(client, name), "seed {seed}: {client:?} reads what it does not want");
                assert!(read.insert(*partition), "seed {seed}: {partition:?} is read twice");
            }
        }
        assert_eq!(
            read,
            expected,
            "seed {seed}: {:#?} {:#?}",
            self.clients,
            self.world.shard.groups.get(GROUP)
        );
        let state = match self.world.shard.groups.get(GROUP) {
            Some(AnyGroup::Consumer(group)) => group.state_name(),
            Some(AnyGroup::Classic(group)) => group.state().name(),
            None => "none",
        };
        assert_eq!(state, "Stable", "seed {seed}");
    }

    /// The log, also a compacted one, says what the shard knows.
    fn check_reload(&self) {
        let Some(AnyGroup::Consumer(group)) = self.world.shard.groups.get(GROUP) else { return };
        let mut last = BTreeMap::new();
        for (index, record) in self.world.log.iter().enumerate() {
            last.insert(key(record), index);
        }
        let kept: BTreeSet<usize> = last.into_values().collect();
        let log = self.world.log.iter().enumerate();
        for compacted in [false, true] {
            let mut shard = Shard::default();
            for (_, record) in log.clone().filter(|(index, _)| !compacted || kept.contains(index)) {
                shard.replay(record.clone(), None);
            }
            self.check_offsets(&shard);
            let Some(AnyGroup::Consumer(loaded)) = shard.groups.get(GROUP) else { panic!("it is there") };
            assert_eq!(durable(loaded), durable(group), "seed {}, compacted {compacted}", self.seed);
        }
    }
}

type Holdings = BTreeMap<String, (Option<String>, Partitions)>;

/// All that comes from the log.
fn durable(group: &Group) -> String {
    let members: Vec<_> = group.all_members().collect();
    let counts = (group.classic_members, &group.classic_protocols, &group.assignors, &group.wanted);
    let targets = (group.target_epoch, &group.targets, &group.target_owners);
    let rest = (&group.partition_epochs, &group.instances, &group.resolved, group.has_partition_metadata);
    format!("{:#?}", (group.epoch, group.metadata_hash, members, targets, counts, rest))
}

fn key(record: &Record) -> String {
    match record {
        Record::Offset(key, _) => format!("offset {key:?}"),
        Record::ClassicGroup(id, _) => format!("classic {id}"),
        Record::ConsumerGroup(id, _) => format!("group {id}"),
        Record::PartitionMetadata(id, _) => format!("metadata {id}"),
        Record::TargetEpoch(id, _) => format!("targets {id}"),
        Record::Member(key, _) => format!("member {key:?}"),
        Record::TargetMember(key, _) => format!("target {key:?}"),
        Record::CurrentAssignment(key, _) => format!("current {key:?}"),
        Record::RegularExpression(key, _) => format!("regex {key:?}"),
    }
}
