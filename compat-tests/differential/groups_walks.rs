//! Random walks: small groups whose members do whatever a seed says, in either protocol and from one to the other. Members
//! join, park, come back with old ids, lie about generations and epochs, commit, leave, and are deleted under way.
//!
//! A walk has two members where Kafka takes the next leader from a hash map, and one assignor, `range`, whose result does not
//! depend on one. It ends at its first difference, and shows how it got there. `WALKS=1-500` walks these seeds.

use std::fmt::Debug;
use std::time::Duration;

use bytes::{BufMut, Bytes};
use client::Connection;
use tokio::task::JoinHandle;
use wire::call::Call;
use wire::messages::consumer_group_heartbeat_request::TopicPartitions;
use wire::messages::join_group_request::JoinGroupRequestProtocol;
use wire::messages::leave_group_request::MemberIdentity;
use wire::messages::sync_group_request::SyncGroupRequestAssignment;
use wire::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, DeleteGroupsRequest, DescribeGroupsRequest,
    DescribeGroupsResponse, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest,
    SyncGroupRequest,
};

use crate::ask::{prepare, text, topic};
use crate::groups::{group, loaded};
use crate::groups_offsets::{commit, delete_offsets, fetch};
use crate::pair::Pair;
use crate::side::Side;
use crate::tree::Tree;

/// Walks of every run, and their length.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=6;
const STEPS: usize = 40;
/// How often one looks whether both have answered, and the pause before each look.
const LOOKS: usize = 600;
const PAUSE: Duration = Duration::from_millis(3);
/// How long an answer may take that others decide about.
const WAITED: Duration = Duration::from_mins(2);
/// Looks without a change after which nothing more is expected.
const CALM: usize = 2;
/// Characters of a line that is shown.
const LINE_MAX: usize = 300;
/// As long as nobody is to time out.
const LONG_MS: i32 = 600_000;

const UNKNOWN_MEMBER_ID: i16 = 25;
const REBALANCE_IN_PROGRESS: i16 = 27;
const MEMBER_ID_REQUIRED: i16 = 79;

/// The topics, and how many partitions they have.
const TOPICS: [(&str, i32); 2] = [("walked-a", 2), ("walked-b", 3)];

/// The steps.
pub async fn script(pair: &mut Pair) {
    loaded(pair).await;
    for (name, partitions) in TOPICS {
        prepare(pair, name, partitions, &[]).await;
    }
    pair.settle().await;
    for seed in seeds() {
        let Some(mut walk) = Walk::new(seed) else { continue };
        pair.number_members_alike();
        for _ in 0..STEPS {
            let failed = pair.failed();
            walk.step(pair).await;
            if pair.failed() > failed {
                walk.show();
                break;
            }
        }
    }
}

fn seeds() -> std::ops::RangeInclusive<u64> {
    let Ok(wanted) = std::env::var("WALKS") else { return SEEDS };
    let (first, last) = wanted.split_once('-').unwrap_or((&wanted, &wanted));
    first.parse().expect("a seed")..=last.parse().expect("a seed")
}

/// Which protocols the members of a walk speak.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Classic,
    Mixed,
    Consumer,
}

struct Walk {
    group: String,
    kind: Kind,
    rng: Rng,
    members: Vec<Walker>,
    waiting: Vec<Waiting>,
    steps: usize,
    /// Requests and answers so far.
    log: Vec<String>,
}

/// One member. Its id, generation and epoch are each broker's own: [`Side::text`] and [`Side::number`] of its key.
#[derive(Clone, Debug)]
struct Walker {
    key: String,
    instance: Option<&'static str>,
    protocols: Vec<&'static str>,
    topics: Vec<&'static str>,
    /// How often it has begun anew.
    lives: usize,
    /// What each broker has assigned.
    assigned: [Vec<TopicPartitions>; 2],
}

/// A request that may be answered later.
struct Waiting {
    key: String,
    step: String,
    version: i16,
    is_join: bool,
    answers: [JoinHandle<Option<Bytes>>; 2],
}

impl Walk {
    fn new(seed: u64) -> Option<Self> {
        let kind = [Kind::Classic, Kind::Mixed, Kind::Consumer][(seed % 3) as usize];
        // Newer releases assign some time after a member has joined.
        let compares_epochs = std::env::var("KAFKA_VERSION").is_ok_and(|version| version.starts_with("4.1"));
        if kind != Kind::Classic && !compares_epochs {
            return None;
        }
        let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // Members are assigned in the order of their ids, which brokers draw, where these name no instance.
        let all_static = kind == Kind::Mixed;
        let same = !all_static && rng.one_in(8);
        let count = if kind == Kind::Consumer { 3 } else { 2 };
        let members = (0..count).map(|number| Walker {
            key: format!("walk-{seed}/{number}"),
            instance: (all_static || rng.one_in(2)).then_some(if same {
                "twin"
            } else {
                ["i0", "i1", "i2"][number]
            }),
            protocols: vec!["a", "b", "c"],
            topics: vec!["walked-a", "walked-b"],
            lives: 0,
            assigned: Default::default(),
        });
        let members: Vec<_> = members.collect();
        Some(Self {
            group: format!("walk-{seed}"),
            kind,
            rng,
            members,
            waiting: Vec::new(),
            steps: 0,
            log: Vec::new(),
        })
    }

    fn show(&self) {
        println!("-- {} ({:?}) came there so:", self.group, self.kind);
        for line in &self.log {
            println!("   {}", line.chars().take(LINE_MAX).collect::<String>());
        }
    }

    async fn step(&mut self, pair: &mut Pair) {
        self.steps += 1;
        let who = self.rng.below(self.members.len());
        let classic = match self.kind {
            Kind::Classic => true,
            // The first member is classic, the second does both.
            Kind::Mixed => who == 0 || self.rng.one_in(3),
            Kind::Consumer => self.rng.one_in(20),
        };
        match self.rng.below(20) {
            0..=5 if classic => self.join(pair, who).await,
            6..=9 if classic => self.sync(pair, who).await,
            10..=11 if classic => self.beat(pair, who).await,
            0..=11 => self.consume(pair, who).await,
            12 => self.leave(pair, who).await,
            13..=14 => self.commit(pair, who).await,
            15 => self.fetch(pair, who).await,
            16 if self.kind == Kind::Classic || self.rng.one_in(2) => self.describe(pair).await,
            16 => self.describe_consumer(pair).await,
            17 => self.list(pair).await,
            18 => self.delete_offsets(pair).await,
            _ if self.rng.one_in(2) => self.delete(pair).await,
            _ => self.describe(pair).await,
        }
    }

    fn name(&mut self, what: &str) -> String {
        format!("{} step {}: {what}", self.group, self.steps)
    }

    async fn one<C>(
        &mut self,
        pair: &mut Pair,
        what: &str,
        version: i16,
        build: impl Fn(&Side, usize) -> C,
    ) -> [Option<C::Response>; 2]
    where
        C: Call,
        C::Response: Debug,
    {
        let step = self.name(what);
        let answers = pair.one(&step, version, |side, _| build(side, index(side))).await;
        let shown = |answer: &Option<C::Response>| {
            answer.as_ref().map_or("nothing".to_owned(), |answer| Tree::of(answer).line())
        };
        self.log.push(format!("{step} (v{version}): {}", shown(&answers[0])));
        answers
    }

    async fn join(&mut self, pair: &mut Pair, who: usize) {
        if self.is_waiting(who) {
            return;
        }
        let version = [9, 9, 7, 5, 4, 3, 2, 0][self.rng.below(8)];
        let rng = &mut self.rng;
        let member = &mut self.members[who];
        if rng.one_in(4) {
            member.protocols = ["a", "b", "c"].into_iter().filter(|_| rng.one_in(2)).collect();
            if member.protocols.is_empty() {
                member.protocols.push("b");
            }
        }
        if rng.one_in(4) {
            member.topics = [&["walked-a"][..], &["walked-b"], &["walked-a", "walked-b"], &["nowhere"]]
                [rng.below(4)]
            .to_vec();
        }
        let key = member.key.clone();
        let has_id = !pair.sides[0].text(&key).is_empty();
        let instance =
            if has_id && rng.one_in(12) { Some("other") } else { member.instance }.filter(|_| version >= 5);
        // A dynamic member that has an id and forgets it would stay for as long as its session lasts.
        let may_forget = !has_id || (instance.is_some() && instance == member.instance);
        let claim = match rng.below(12) {
            0 => Claim::Stranger,
            1..=3 if may_forget => Claim::Nobody,
            _ => Claim::Own,
        };
        let kind = if rng.one_in(15) { "connect" } else { "consumer" };
        // An upgrade that fails for it lets Kafka's waiting members go all the same.
        let garbage = rng.one_in(15) && self.kind == Kind::Classic;
        // Kafka never answers where a length says more than there is.
        let metadata = if garbage { Bytes::from_static(b"\0\0") } else { subscription(&member.topics) };
        let protocols: Vec<_> = member
            .protocols
            .iter()
            .map(|name| {
                JoinGroupRequestProtocol::default().with_name(text(*name)).with_metadata(metadata.clone())
            })
            .collect();
        let what = format!(
            "{who} joins as {claim:?}, {instance:?}, {:?}, {:?}, {kind}, garbage {garbage}",
            member.protocols, member.topics
        );
        let group_id = group(&self.group);
        let build = |side: &Side| {
            let request = JoinGroupRequest::default()
                .with_group_id(group_id.clone())
                .with_session_timeout_ms(LONG_MS)
                .with_member_id(text(claim.id(side, &key)))
                .with_group_instance_id(instance.map(text))
                .with_protocol_type(text(kind))
                .with_protocols(protocols.clone());
            if version >= 1 { request.with_rebalance_timeout_ms(LONG_MS) } else { request }
        };
        self.send(pair, who, &what, version, true, build).await;
    }

    async fn sync(&mut self, pair: &mut Pair, who: usize) {
        if self.is_waiting(who) {
            return;
        }
        let version = [5, 5, 4, 3, 2, 0][self.rng.below(6)];
        let shift = self.rng.shift();
        let claim = self.rng.claim();
        let key = self.members[who].key.clone();
        let instance = self.members[who].instance.filter(|_| version >= 3 && !self.rng.one_in(6));
        let chosen = (version >= 5 && !self.rng.one_in(4)).then(|| ["a", "b", "c"][self.rng.below(3)]);
        let kind = if self.rng.one_in(12) { "connect" } else { "consumer" };
        let keys: Vec<String> = self.members.iter().map(|member| member.key.clone()).collect();
        let (garbage, forgets) = (self.rng.one_in(10) && self.kind == Kind::Classic, self.rng.one_in(6));
        let what = format!(
            "{who} syncs as {claim:?}, {instance:?}, {shift:+}, {kind} {chosen:?}, garbage {garbage}"
        );
        let group_id = group(&self.group);
        let build = |side: &Side| {
            let assignments = keys
                .iter()
                .enumerate()
                .filter(|(number, key)| !(side.text(key).is_empty() || forgets && *number == 0));
            let assignments = assignments.map(|(number, key)| {
                let bytes =
                    if garbage { Bytes::from_static(b"\0\0") } else { assignment(TOPICS[number % 2]) };
                SyncGroupRequestAssignment::default()
                    .with_member_id(text(side.text(key)))
                    .with_assignment(bytes)
            });
            let request = SyncGroupRequest::default()
                .with_group_id(group_id.clone())
                .with_generation_id(generation(side, &key) + shift)
                .with_member_id(text(claim.id(side, &key)))
                .with_group_instance_id(instance.map(text))
                .with_assignments(assignments.collect());
            match chosen {
                Some(chosen) => {
                    request.with_protocol_type(Some(text(kind))).with_protocol_name(Some(text(chosen)))
                }
                None => request,
            }
        };
        // From version 5 on both must be named.
        if version >= 5 && chosen.is_none() {
            return;
        }
        self.send(pair, who, &what, version, false, build).await;
    }

    async fn beat(&mut self, pair: &mut Pair, who: usize) {
        let version = [4, 3, 1, 0][self.rng.below(4)];
        let (shift, claim) = (self.rng.shift(), self.rng.claim());
        let member = self.members[who].clone();
        let instance = member.instance.filter(|_| version >= 3 && !self.rng.one_in(6));
        let group_id = group(&self.group);
        let what = format!("{who} beats as {claim:?}, {instance:?}, {shift:+}");
        self.one(pair, &what, version, |side, _| {
            HeartbeatRequest::default()
                .with_group_id(group_id.clone())
                .with_generation_id(generation(side, &member.key) + shift)
                .with_member_id(text(claim.id(side, &member.key)))
                .with_group_instance_id(instance.map(text))
        })
        .await;
        self.gather(pair).await;
    }

    async fn leave(&mut self, pair: &mut Pair, who: usize) {
        let version = [5, 4, 3, 2, 0][self.rng.below(5)];
        let claim = if self.rng.one_in(5) { Claim::Nobody } else { self.rng.claim() };
        let member = self.members[who].clone();
        let other = self.members[(who + 1) % self.members.len()].clone();
        let instance = member.instance.filter(|_| !self.rng.one_in(6));
        let (both, twice) = (self.rng.one_in(6), self.rng.one_in(10));
        let group_id = group(&self.group);
        let what = format!("{who} leaves as {claim:?}, {instance:?}, both {both}, twice {twice}");
        self.one(pair, &what, version, |side, _| {
            let request = LeaveGroupRequest::default().with_group_id(group_id.clone());
            if version < 3 {
                return request.with_member_id(text(claim.id(side, &member.key)));
            }
            let one = MemberIdentity::default()
                .with_member_id(text(claim.id(side, &member.key)))
                .with_group_instance_id(instance.map(text));
            let mut members = vec![one.clone()];
            if both {
                members.push(MemberIdentity::default().with_member_id(text(side.text(&other.key))));
            }
            if twice {
                members.push(one);
            }
            request.with_members(members)
        })
        .await;
        self.gather(pair).await;
    }

    async fn commit(&mut self, pair: &mut Pair, who: usize) {
        let version = [9, 9, 8, 7, 5, 2][self.rng.below(6)];
        let (shift, claim) =
            (self.rng.shift(), if self.rng.one_in(5) { Claim::Nobody } else { self.rng.claim() });
        let key = self.members[who].key.clone();
        let instance = self.members[who].instance.filter(|_| version >= 7 && !self.rng.one_in(4));
        let by_nobody = claim == Claim::Nobody && self.rng.one_in(2);
        let name = self.group.clone();
        let steps = self.steps as i64;
        let partition = self.rng.below(3) as i32;
        let what =
            format!("{who} commits {partition} as {claim:?}, {instance:?}, {shift:+}, by nobody {by_nobody}");
        self.one(pair, &what, version, |side, _| {
            let generation = if by_nobody { -1 } else { generation(side, &key) + shift };
            commit(&name, &[("walked-a", partition, steps), ("walked-b", partition, steps)])
                .with_generation_id_or_member_epoch(generation)
                .with_member_id(text(claim.id(side, &key)))
                .with_group_instance_id(instance.map(text))
        })
        .await;
    }

    async fn fetch(&mut self, pair: &mut Pair, who: usize) {
        let version = [9, 9, 9, 8, 7, 5, 1][self.rng.below(7)];
        let named = version >= 9 && self.rng.one_in(2);
        let (shift, claim) = (self.rng.shift(), self.rng.claim());
        let all = version >= 2 && self.rng.one_in(2);
        let key = self.members[who].key.clone();
        let name = self.group.clone();
        let what = format!("{who} fetches, all {all}, named {named}, {claim:?} {shift:+}");
        self.one(pair, &what, version, |side, _| {
            let topics: Option<&[(&str, &[i32])]> =
                if all { None } else { Some(&[("walked-a", &[0, 1, 7]), ("walked-b", &[2])]) };
            let mut request = fetch(&[&name], topics, version);
            if named {
                request.groups[0].member_id = Some(text(claim.id(side, &key)));
                request.groups[0].member_epoch = generation(side, &key) + shift;
            }
            request
        })
        .await;
    }

    async fn describe(&mut self, pair: &mut Pair) {
        let version = [6, 5, 3, 0][self.rng.below(4)];
        let group_id = group(&self.group);
        let step = self.name("described");
        let shown = |answer: &DescribeGroupsResponse| {
            let mut answer = answer.clone();
            for group in &mut answer.groups {
                // Members are numbered as they come.
                group.members.sort_by(|a, b| a.group_instance_id.cmp(&b.group_instance_id));
                for member in &mut group.members {
                    member.member_assignment = sorted(&member.member_assignment);
                }
            }
            Tree::of(&answer)
        };
        let ask = |_: &Side, _| DescribeGroupsRequest::default().with_groups(vec![group_id.clone()]);
        let answers = pair.shown(&step, version, ask, shown).await;
        self.log.push(format!(
            "{step} (v{version}): {:?}",
            answers[0].as_ref().map(|answer| shown(answer).line())
        ));
    }

    async fn describe_consumer(&mut self, pair: &mut Pair) {
        let version = self.rng.below(2) as i16;
        let group_id = group(&self.group);
        self.one(pair, "described as a consumer group", version, |_, _| {
            ConsumerGroupDescribeRequest::default().with_group_ids(vec![group_id.clone()])
        })
        .await;
    }

    async fn list(&mut self, pair: &mut Pair) {
        let version = [5, 4, 0][self.rng.below(3)];
        let (step, own) = (self.name("listed"), self.group.clone());
        let listed = |answer: &wire::messages::ListGroupsResponse| {
            let groups = answer.groups.iter().filter(|group| *group.group_id == *own);
            Tree::List(groups.map(Tree::of).collect())
        };
        // Kafka lists what is committed, which is a little behind what it has answered.
        for _ in 0..LOOKS / 10 {
            let mut seen = Vec::new();
            for side in &mut pair.sides {
                let answer = side.call(version, &ListGroupsRequest::default()).await;
                seen.push(answer.ok().map(|answer| listed(&answer)));
            }
            if seen[0] == seen[1] {
                break;
            }
            pair.settle().await;
        }
        let answers = pair.shown(&step, version, |_, _| ListGroupsRequest::default(), listed).await;
        self.log.push(format!("{step}: {:?}", answers[0].as_ref().map(|answer| listed(answer).line())));
    }

    async fn delete(&mut self, pair: &mut Pair) {
        let group_id = group(&self.group);
        self.one(pair, "deleted", 2, |_, _| {
            DeleteGroupsRequest::default().with_groups_names(vec![group_id.clone()])
        })
        .await;
        self.gather(pair).await;
    }

    async fn delete_offsets(&mut self, pair: &mut Pair) {
        let name = self.group.clone();
        self.one(pair, "offsets deleted", 0, |_, _| {
            delete_offsets(&name, &[("walked-a", &[0, 7]), ("nowhere", &[0])])
        })
        .await;
    }

    /// ConsumerGroupHeartbeat.
    async fn consume(&mut self, pair: &mut Pair, who: usize) {
        let rng = &mut self.rng;
        let version = i16::from(!rng.one_in(4));
        let member = &mut self.members[who];
        let key = member.key.clone();
        let epoch = match rng.below(20) {
            0..=3 => Epoch::Join,
            4 => Epoch::Leave,
            5 => Epoch::LeaveForAWhile,
            6 => Epoch::Shifted(1),
            7 => Epoch::Shifted(-1),
            8 => Epoch::Shifted(-2),
            _ => Epoch::Own,
        };
        // Whoever was a classic member comes as another one: Kafka lets go those who wait for its group to become a consumer
        // group also when that is refused.
        let was_classic = pair.sides.iter().any(|side| !side.text(&key).starts_with("walk-"));
        let is_new = was_classic || (epoch == Epoch::Join && rng.one_in(3));
        if is_new {
            member.lives += 1;
            let id = format!("{}/{}", key, member.lives);
            for side in &mut pair.sides {
                side.keep_text(&key, id.clone());
                side.keep(&key, 0);
            }
        }
        let epoch = if is_new { Epoch::Join } else { epoch };
        let joins = epoch == Epoch::Join;
        if rng.one_in(4) {
            member.topics = [&["walked-a"][..], &["walked-b"], &["walked-a", "walked-b"], &["nowhere"]]
                [rng.below(4)]
            .to_vec();
        }
        let says_topics = joins || rng.one_in(4);
        let owned = if joins {
            Owned::Nothing
        } else {
            [Owned::All, Owned::All, Owned::Half, Owned::Nothing, Owned::Silent, Owned::Silent][rng.below(6)]
        };
        let (topics, assigned) = (member.topics.clone(), member.assigned.clone());
        let instance = member.instance.filter(|_| joins || !rng.one_in(12));
        let timeout_ms = if joins || rng.one_in(4) { LONG_MS } else { -1 };
        let assignor = if joins || rng.one_in(4) { Some("range") } else { None };
        let what = format!(
            "{who} beats at {epoch:?}, life {}, {instance:?}, {:?}, owns {owned:?}",
            member.lives,
            says_topics.then_some(&topics)
        );
        let group_id = group(&self.group);
        let answers = self
            .one(pair, &what, version, |side, index| {
                let known = side.number(&key) as i32;
                let owned = match owned {
                    Owned::Silent => None,
                    Owned::Nothing => Some(Vec::new()),
                    Owned::All => Some(assigned[index].clone()),
                    Owned::Half => Some(assigned[index].iter().take(1).cloned().collect()),
                };
                ConsumerGroupHeartbeatRequest::default()
                    .with_group_id(group_id.clone())
                    .with_member_id(text(side.text(&key)))
                    .with_member_epoch(match epoch {
                        Epoch::Own => known,
                        Epoch::Shifted(by) => (known + by).max(0),
                        Epoch::Join => 0,
                        Epoch::Leave => -1,
                        Epoch::LeaveForAWhile => -2,
                    })
                    .with_instance_id(instance.map(text))
                    .with_rebalance_timeout_ms(timeout_ms)
                    .with_server_assignor(assignor.map(text))
                    .with_subscribed_topic_names(
                        says_topics.then(|| topics.iter().map(|name| topic(name)).collect()),
                    )
                    .with_topic_partitions(owned)
            })
            .await;
        for (at, answer) in answers.into_iter().enumerate() {
            let Some(answer) = answer.filter(|answer| answer.error_code == 0) else { continue };
            pair.sides[at].keep(&key, i64::from(answer.member_epoch));
            if answer.member_epoch < 0 {
                if answer.member_epoch == -1 {
                    pair.sides[at].keep_text(&key, String::new());
                }
                self.members[who].assigned[at].clear();
            }
            if let Some(assignment) = answer.assignment {
                let topics = assignment.topic_partitions.into_iter();
                self.members[who].assigned[at] = topics
                    .map(|one| {
                        TopicPartitions::default().with_topic_id(one.topic_id).with_partitions(one.partitions)
                    })
                    .collect();
                // The ids are random, and so is their order.
                let first = pair.sides[at].id("walked-a");
                self.members[who].assigned[at].sort_by_key(|one| one.topic_id != first);
            }
        }
        self.gather(pair).await;
    }

    fn is_waiting(&self, who: usize) -> bool {
        self.waiting.iter().any(|waiting| waiting.key == self.members[who].key)
    }

    /// Sends what may be answered later, on connections of its own.
    async fn send<C: Call>(
        &mut self,
        pair: &mut Pair,
        who: usize,
        what: &str,
        version: i16,
        is_join: bool,
        build: impl Fn(&Side) -> C,
    ) {
        let step = self.name(what);
        self.log.push(format!("{step} (v{version}) is sent"));
        let mut answers = Vec::new();
        for side in &pair.sides {
            let mut connection =
                Connection::open(side.address, "differential", WAITED).await.expect("a connection");
            connection.send(version, &build(side)).await.expect("it can be sent");
            answers.push(tokio::spawn(async move { connection.receive().await.ok() }));
        }
        let answers = answers.try_into().unwrap_or_else(|_| panic!("two brokers"));
        self.waiting.push(Waiting { key: self.members[who].key.clone(), step, version, is_join, answers });
        self.gather(pair).await;
    }

    /// Takes the answers that both have given, once both have nothing more to say.
    async fn gather(&mut self, pair: &mut Pair) {
        if self.waiting.is_empty() {
            return;
        }
        let (mut before, mut calm) = (Vec::new(), 0);
        for _ in 0..LOOKS {
            tokio::time::sleep(PAUSE).await;
            let done = self.waiting.iter().map(|waiting| [0, 1].map(|at| waiting.answers[at].is_finished()));
            let done: Vec<[bool; 2]> = done.collect();
            let states =
                [state(&mut pair.sides[0], &self.group).await, state(&mut pair.sides[1], &self.group).await];
            let alike = states[0] == states[1] && done.iter().all(|done| done[0] == done[1]);
            let seen = vec![format!("{done:?} {states:?}")];
            calm = if seen == before { calm + 1 } else { 0 };
            before = seen;
            // Kafka forgets requests whose member is removed, and so nothing more comes.
            if (alike && calm >= CALM)
                || (calm >= 20 * CALM && done.iter().all(|done| done[0] == done[1] || done[1]))
            {
                break;
            }
        }
        for waiting in std::mem::take(&mut self.waiting) {
            if waiting.answers.iter().any(JoinHandle::is_finished) {
                self.answered(pair, waiting).await;
            } else {
                self.waiting.push(waiting);
            }
        }
    }

    async fn answered(&mut self, pair: &mut Pair, waiting: Waiting) {
        let Waiting { key, step, version, is_join, answers } = waiting;
        let mut trees = Vec::new();
        let mut codes = Vec::new();
        for (side, answer) in pair.sides.iter_mut().zip(answers) {
            if !answer.is_finished() {
                answer.abort();
                trees.push(Tree::Leaf("<waits>".to_owned()));
                codes.push(-1);
                continue;
            }
            let frame = answer.await.ok().flatten().expect("an answer");
            if is_join {
                let answer = wire::call::decode::<JoinGroupRequest>(frame, version).expect("an answer").1;
                if matches!(answer.error_code, 0 | MEMBER_ID_REQUIRED) {
                    side.keep_text(&key, answer.member_id.to_string());
                    side.keep(&key, i64::from(answer.generation_id));
                } else if answer.error_code == UNKNOWN_MEMBER_ID {
                    side.keep_text(&key, String::new());
                }
                codes.push(answer.error_code);
                trees.push(Tree::of(&answer));
            } else {
                let mut answer = wire::call::decode::<SyncGroupRequest>(frame, version).expect("an answer").1;
                answer.assignment = sorted(&answer.assignment);
                codes.push(answer.error_code);
                trees.push(Tree::of(&answer));
            }
        }
        let is_forgotten = codes[0] == -1 && matches!(codes[1], UNKNOWN_MEMBER_ID | REBALANCE_IN_PROGRESS);
        self.log.push(format!("{step} is answered: {}", trees[0].line()));
        if !is_forgotten {
            let api = if is_join { "JoinGroup" } else { "SyncGroup" };
            let [a, b] = <[Tree; 2]>::try_from(trees).expect("two brokers");
            pair.compare(api, version, &step, [a, b]);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Claim {
    Own,
    Nobody,
    Stranger,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Epoch {
    Own,
    Shifted(i32),
    Join,
    Leave,
    LeaveForAWhile,
}

#[derive(Clone, Copy, Debug)]
enum Owned {
    Silent,
    Nothing,
    Half,
    All,
}

impl Claim {
    fn id(self, side: &Side, key: &str) -> String {
        match self {
            Self::Own => side.text(key).to_owned(),
            Self::Nobody => String::new(),
            Self::Stranger => "stranger".to_owned(),
        }
    }
}

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    /// Mostly the right generation.
    fn shift(&mut self) -> i32 {
        [0, 0, 0, 0, 0, 0, 0, 0, 1, -1][self.below(10)]
    }

    fn claim(&mut self) -> Claim {
        if self.one_in(12) { Claim::Stranger } else { Claim::Own }
    }
}

fn index(side: &Side) -> usize {
    usize::from(side.name != "REFERENCE")
}

fn generation(side: &Side, key: &str) -> i32 {
    side.number(key) as i32
}

/// The group's state in words.
async fn state(side: &mut Side, name: &str) -> String {
    let ask = DescribeGroupsRequest::default().with_groups(vec![group(name)]);
    let Ok(answer) = side.call(5, &ask).await else { return String::new() };
    answer
        .groups
        .first()
        .map(|group| format!("{} {}", &*group.group_state, group.members.len()))
        .unwrap_or_default()
}

/// A `ConsumerProtocolAssignment` without user data with its topics in order, which brokers take from a map of random ids;
/// what is none stays as it is.
fn sorted(bytes: &Bytes) -> Bytes {
    let Some(mut topics) = topics_of(bytes) else { return bytes.clone() };
    topics.sort();
    let mut sorted = bytes[..6].to_vec();
    for topic in topics {
        sorted.extend_from_slice(topic);
    }
    sorted.extend_from_slice(&bytes[sorted.len()..]);
    sorted.into()
}

/// Its topics, each as it stands there.
fn topics_of(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let count = i32::from_be_bytes(bytes.get(2..6)?.try_into().ok()?);
    let mut rest = &bytes[6..];
    let mut topics = Vec::new();
    for _ in 0..count {
        let name = usize::from(u16::from_be_bytes(rest.get(..2)?.try_into().ok()?));
        let partitions = u32::from_be_bytes(rest.get(2 + name..6 + name)?.try_into().ok()?) as usize;
        let (topic, after) = rest.split_at_checked(6 + name + 4 * partitions)?;
        topics.push(topic);
        rest = after;
    }
    Some(topics)
}

/// `ConsumerProtocolSubscription`, version 0.
fn subscription(topics: &[&str]) -> Bytes {
    let mut bytes = Vec::new();
    bytes.put_i16(0);
    bytes.put_i32(topics.len() as i32);
    for name in topics {
        bytes.put_i16(name.len() as i16);
        bytes.put_slice(name.as_bytes());
    }
    bytes.put_i32(-1);
    bytes.into()
}

/// `ConsumerProtocolAssignment`, version 0: a whole topic.
fn assignment((name, partitions): (&str, i32)) -> Bytes {
    let mut bytes = Vec::new();
    bytes.put_i16(0);
    bytes.put_i32(1);
    bytes.put_i16(name.len() as i16);
    bytes.put_slice(name.as_bytes());
    bytes.put_i32(partitions);
    for partition in 0..partitions {
        bytes.put_i32(partition);
    }
    bytes.put_i32(-1);
    bytes.into()
}
