//! A shard with a log, a clock and topics around it, and a short way to write down what it says.

use crate::group::consumer::Group;
use crate::group::record::{Assignment, MemberKey, Record};
use crate::group::shard::Group as AnyGroup;
use crate::group::{
    Client, ConsumerHeartbeatReply, ConsumerHeartbeatRequest, Context, Refusal, Reply, Request, Settings,
    Shard, Step, Ticket, TopicFacts, Topics,
};
use model::{ErrorCode, TopicId};
use std::collections::BTreeMap;
use uuid::Uuid;

pub const GROUP: &str = "g";
pub const WALL_MS: i64 = 1_700_000_000_000;

/// Topics by name: id and partitions.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    pub topics: BTreeMap<String, (TopicId, i32)>,
    pub version: i64,
    pub created: i64,
    ids: u64,
}

impl Cluster {
    /// Creates a topic, or gives it more partitions.
    pub fn set(&mut self, name: &str, partitions: i32) {
        self.version += 1;
        if let Some(topic) = self.topics.get_mut(name) {
            topic.1 = partitions;
            return;
        }
        self.ids += 1;
        self.created = self.version;
        let id = TopicId::new(Uuid::from_u64_pair(0, self.ids));
        self.topics.insert(name.to_owned(), (id, partitions));
    }

    pub fn delete(&mut self, name: &str) {
        self.version += 1;
        self.topics.remove(name);
    }
}

impl Topics for Cluster {
    fn by_name(&self, name: &str) -> Option<TopicFacts> {
        let (id, partitions) = *self.topics.get(name)?;
        Some(TopicFacts { id, name: name.to_owned(), partitions })
    }

    fn by_id(&self, id: TopicId) -> Option<TopicFacts> {
        let name = self.topics.iter().find(|(_, topic)| topic.0 == id)?.0;
        self.by_name(name)
    }

    fn each_name(&self, visit: &mut dyn FnMut(&str)) {
        for name in self.topics.keys() {
            visit(name);
        }
    }

    fn racks(&self, _id: TopicId, _partition: i32) -> Vec<String> {
        Vec::new()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn last_creation(&self) -> i64 {
        self.created
    }
}

/// What the shell does, at once: appends, replays, lets replies go.
#[derive(Debug, Default)]
pub struct World {
    pub shard: Shard,
    pub settings: Settings,
    pub cluster: Cluster,
    pub log: Vec<Record>,
    pub now_ms: i64,
    pub fail_next_write: bool,
    tickets: u64,
}

/// What came out of a shard.
#[derive(Debug, Default)]
pub struct Outcome {
    pub replies: Vec<(Ticket, Reply)>,
    pub records: Vec<Record>,
}

impl World {
    /// With topics `a` of `partitions` and so on.
    pub fn with_topics(partitions: &[i32]) -> Self {
        let mut world = Self::default();
        for (name, partitions) in ["a", "b", "c"].iter().zip(partitions) {
            world.cluster.set(name, *partitions);
        }
        world
    }

    /// Sends a request and does what follows at once.
    pub fn send(&mut self, request: Request) -> (Ticket, Outcome) {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let mut outcome = self.act(|shard, context| shard.step(context, ticket, request));
        let later = self.run_due();
        outcome.replies.extend(later.replies);
        outcome.records.extend(later.records);
        (ticket, outcome)
    }

    /// A ConsumerGroupHeartbeat: its answer and the records.
    pub fn beat(
        &mut self,
        request: ConsumerHeartbeatRequest,
    ) -> (Result<ConsumerHeartbeatReply, Refusal>, Vec<String>) {
        let (ticket, outcome) = self.send(Request::ConsumerHeartbeat(request));
        let records = outcome.records.iter().map(show).collect();
        match outcome.replies.into_iter().find(|(other, _)| *other == ticket) {
            Some((_, Reply::ConsumerHeartbeat(reply))) => (reply, records),
            other => panic!("answered with {other:?}"),
        }
    }

    pub fn run_due(&mut self) -> Outcome {
        let mut all = Outcome::default();
        for _ in 0..10_000 {
            if self.shard.next_deadline_ms().is_none_or(|at_ms| at_ms > self.now_ms) {
                return all;
            }
            let outcome = self.act(Shard::tick);
            all.replies.extend(outcome.replies);
            all.records.extend(outcome.records);
        }
        panic!("a tick at {} leaves something due", self.now_ms);
    }

    /// Lets time pass, from deadline to deadline.
    pub fn pass(&mut self, ms: i64) -> Outcome {
        let end_ms = self.now_ms + ms;
        let mut all = self.run_due();
        while let Some(at_ms) = self.shard.next_deadline_ms().filter(|at_ms| *at_ms <= end_ms) {
            self.now_ms = at_ms;
            let outcome = self.run_due();
            all.replies.extend(outcome.replies);
            all.records.extend(outcome.records);
        }
        self.now_ms = end_ms;
        all
    }

    /// A new process reads the log.
    pub fn restart(&mut self) -> Outcome {
        self.shard = Shard::default();
        for record in self.log.clone() {
            self.shard.replay(record, None);
        }
        self.act(Shard::loaded)
    }

    pub fn group(&self) -> &Group {
        match self.shard.groups.get(GROUP) {
            Some(AnyGroup::Consumer(group)) => group,
            other => panic!("{other:?}"),
        }
    }

    pub fn state(&self) -> &'static str {
        match self.shard.groups.get(GROUP) {
            Some(AnyGroup::Consumer(group)) => group.state_name(),
            Some(AnyGroup::Classic(_)) => "classic",
            None => "none",
        }
    }

    pub fn act(&mut self, act: impl FnOnce(&mut Shard, &Context) -> Step) -> Outcome {
        let context = Context {
            now_ms: self.now_ms,
            wall_ms: WALL_MS + self.now_ms,
            aging_ms: WALL_MS + self.now_ms,
            topics: &self.cluster,
            settings: &self.settings,
        };
        let step = act(&mut self.shard, &context);
        if step.records.is_empty() {
            return Outcome { replies: step.replies, records: Vec::new() };
        }
        if std::mem::take(&mut self.fail_next_write) {
            let undone = self.shard.write_failed(&context, &step);
            assert!(undone.records.is_empty(), "nothing can be written after a write failed");
            let failed =
                |(ticket, reply): (Ticket, Reply)| (ticket, reply.failed(ErrorCode::NotEnoughReplicas));
            let replies = step.replies.into_iter().map(failed).chain(undone.replies).collect();
            return Outcome { replies, records: Vec::new() };
        }
        for record in &step.records {
            self.log.push(record.clone());
            self.shard.replay(record.clone(), None);
        }
        Outcome { replies: step.replies, records: step.records }
    }
}

/// A request of member `id` that says nothing else.
pub fn beat(id: &str, epoch: i32) -> ConsumerHeartbeatRequest {
    ConsumerHeartbeatRequest {
        client: Client { id: "client".into(), host: "/127.0.0.1".into() },
        version: 1,
        group_id: GROUP.into(),
        member_id: id.into(),
        fresh_id: Uuid::from_u64_pair(7, 7),
        member_epoch: epoch,
        instance_id: None,
        rack_id: None,
        rebalance_timeout_ms: -1,
        subscribed_topics: None,
        subscribed_regex: None,
        server_assignor: None,
        owned: None,
    }
}

/// A request of member `id` that wants to join and read `topics`.
pub fn join(id: &str, topics: &[&str]) -> ConsumerHeartbeatRequest {
    ConsumerHeartbeatRequest {
        rebalance_timeout_ms: 5_000,
        subscribed_topics: Some(topics.iter().map(|topic| (*topic).to_owned()).collect()),
        owned: Some(Assignment::new()),
        ..beat(id, 0)
    }
}

/// `1:0,1 2:5` is partitions 0 and 1 of the first topic that was created, and 5 of the second.
pub fn assignment(text: &str) -> Assignment {
    let topic = |part: &str| {
        let (id, partitions) = part.split_once(':')?;
        let id = TopicId::new(Uuid::from_u64_pair(0, id.parse().ok()?));
        Some((id, partitions.split(',').map(|index| index.parse().expect("a number")).collect()))
    };
    text.split(' ').filter_map(topic).collect()
}

pub fn owning(id: &str, epoch: i32, owned: &str) -> ConsumerHeartbeatRequest {
    ConsumerHeartbeatRequest { owned: Some(assignment(owned)), ..beat(id, epoch) }
}

pub fn show_assignment(assignment: &Assignment) -> String {
    let topic = |(id, partitions): (&TopicId, &Vec<i32>)| {
        let partitions: Vec<String> = partitions.iter().map(ToString::to_string).collect();
        format!("{}:{}", id.uuid().as_u64_pair().1, partitions.join(","))
    };
    let topics: Vec<String> = assignment.iter().map(topic).collect();
    if topics.is_empty() { "-".into() } else { topics.join(" ") }
}

pub fn show(record: &Record) -> String {
    let id = |key: &MemberKey| key.member_id.clone();
    match record {
        Record::Member(key, Some(_)) => format!("member {}", id(key)),
        Record::Member(key, None) => format!("-member {}", id(key)),
        Record::ConsumerGroup(_, Some(value)) => format!("epoch {}", value.epoch),
        Record::ConsumerGroup(_, None) => "-epoch".into(),
        Record::PartitionMetadata(_, None) => "-metadata".into(),
        Record::PartitionMetadata(_, Some(_)) => "metadata".into(),
        Record::TargetMember(key, Some(target)) => format!("target {} {}", id(key), show_assignment(target)),
        Record::TargetMember(key, None) => format!("-target {}", id(key)),
        Record::TargetEpoch(_, Some(epoch)) => format!("targets {epoch}"),
        Record::TargetEpoch(_, None) => "-targets".into(),
        Record::CurrentAssignment(key, Some(value)) => {
            let state = ["stable", "unrevoked", "unreleased"].get(value.state as usize).unwrap_or(&"unknown");
            let (epoch, previous) = (value.member_epoch, value.previous_member_epoch);
            let assigned = show_assignment(&value.assigned);
            let pending = show_assignment(&value.pending_revocation);
            format!("current {} {epoch}({previous}) {state} {assigned} / {pending}", id(key))
        }
        Record::CurrentAssignment(key, None) => format!("-current {}", id(key)),
        Record::RegularExpression(key, Some(value)) => {
            format!("regex {} {}", key.regex, value.topics.join(","))
        }
        Record::RegularExpression(key, None) => format!("-regex {}", key.regex),
        Record::ClassicGroup(_, Some(value)) => {
            format!("classic {} of {}", value.generation, value.members.len())
        }
        Record::ClassicGroup(_, None) => "-classic".into(),
        Record::Offset(..) => "offset".into(),
    }
}
