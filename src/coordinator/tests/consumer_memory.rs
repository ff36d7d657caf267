//! Memory of consumer groups (KIP-848), in a process of its own: resident pages are what is measured.

use coordinator::group::record::Assignment;
use coordinator::group::{
    Client, ConsumerHeartbeatReply, ConsumerHeartbeatRequest, Context, Reply, Request, Settings, Shard, Step,
    Ticket, TopicFacts, Topics,
};
use model::TopicId;
use uuid::Uuid;

mod resident;

use resident::resident_bytes;

const GROUPS: usize = 1_000;
const MEMBERS: usize = 4;
const PARTITIONS: i32 = 8;

#[test]
fn memory_per_member() {
    let before = resident_bytes();
    let mut broker = Broker { shard: Shard::default(), settings: Settings::default(), now_ms: 0 };
    for group in 0..GROUPS {
        broker.settle(&format!("group-{group:06}"));
    }
    let settled = resident_bytes().saturating_sub(before) / (GROUPS * MEMBERS);
    let figures = broker.shard.figures();
    println!("{settled} bytes per member of {GROUPS} groups of {MEMBERS}: {figures:?}");
    assert_eq!(figures.members, GROUPS * MEMBERS);
    // A quarter of its group, its names, its subscription, what it owns and shall own, its deadline.
    assert!(settled <= 5_000, "{settled} bytes per member");
    assert!(figures.deadlines <= GROUPS * (MEMBERS + 1), "a session each, a refresh: {figures:?}");
    for _ in 0..20 {
        broker.now_ms += 5_000;
        for group in 0..GROUPS {
            (0..MEMBERS).for_each(|member| drop(broker.beat(&format!("group-{group:06}"), member)));
        }
        broker.tick();
    }
    let later = broker.shard.figures();
    assert_eq!(later.members, GROUPS * MEMBERS, "heartbeats keep everybody");
    assert!(later.deadlines <= figures.deadlines, "heartbeats queue nothing: {later:?}");
    let grown = resident_bytes().saturating_sub(before) / (GROUPS * MEMBERS);
    println!("{grown} bytes per member after 20 heartbeats of each");
    assert!(grown <= settled + settled / 4 + 100, "heartbeats keep nothing: {grown} bytes per member");
}

struct Broker {
    shard: Shard,
    settings: Settings,
    now_ms: i64,
}

impl Broker {
    /// Brings a group to its balance: the first member gives back, the others get.
    fn settle(&mut self, group_id: &str) {
        for member in 0..MEMBERS {
            self.ask(joining(group_id, member));
        }
        for _ in 0..MEMBERS {
            for member in 0..MEMBERS {
                self.beat(group_id, member);
            }
        }
        let described = self.shard.describe_consumer_group(group_id, &OneTopic, &self.settings);
        assert_eq!(described.expect("it is there").state, "Stable");
    }

    /// The member says at once that it owns what it may.
    fn beat(&mut self, group_id: &str, member: usize) -> ConsumerHeartbeatReply {
        let described = self.shard.describe_consumer_group(group_id, &OneTopic, &self.settings);
        let described = described.expect("it is there").members.swap_remove(member);
        let owned = described.assigned.iter().map(|topic| (topic.topic_id, topic.partitions.clone()));
        let request = ConsumerHeartbeatRequest {
            member_epoch: described.member_epoch,
            rebalance_timeout_ms: -1,
            subscribed_topics: None,
            owned: Some(owned.collect()),
            ..joining(group_id, member)
        };
        self.ask(request)
    }

    fn ask(&mut self, request: ConsumerHeartbeatRequest) -> ConsumerHeartbeatReply {
        let step =
            self.act(|shard, context| shard.step(context, Ticket(1), Request::ConsumerHeartbeat(request)));
        self.tick();
        match step.replies.into_iter().next() {
            Some((_, Reply::ConsumerHeartbeat(Ok(reply)))) => reply,
            other => panic!("{other:?}"),
        }
    }

    fn tick(&mut self) {
        while self.shard.next_deadline_ms().is_some_and(|at_ms| at_ms <= self.now_ms) {
            self.act(Shard::tick);
        }
    }

    fn act(&mut self, act: impl FnOnce(&mut Shard, &Context<'_>) -> Step) -> Step {
        let context = Context {
            now_ms: self.now_ms,
            wall_ms: self.now_ms,
            aging_ms: self.now_ms,
            topics: &OneTopic,
            settings: &self.settings,
        };
        let mut step = act(&mut self.shard, &context);
        for record in std::mem::take(&mut step.records) {
            self.shard.replay(record, None);
        }
        step
    }
}

fn joining(group_id: &str, member: usize) -> ConsumerHeartbeatRequest {
    ConsumerHeartbeatRequest {
        client: Client { id: format!("consumer-{member}"), host: "/127.0.0.1".to_owned() },
        version: 1,
        group_id: group_id.to_owned(),
        member_id: Uuid::from_u64_pair(1, member as u64).to_string(),
        fresh_id: Uuid::from_u64_pair(1, member as u64),
        member_epoch: 0,
        instance_id: None,
        rack_id: None,
        rebalance_timeout_ms: 300_000,
        subscribed_topics: Some(vec!["topic".to_owned()]),
        subscribed_regex: None,
        server_assignor: None,
        owned: Some(Assignment::new()),
    }
}

/// `topic`, and nothing else.
struct OneTopic;

impl OneTopic {
    fn id() -> TopicId {
        TopicId::new(Uuid::from_u64_pair(0, 1))
    }
}

impl Topics for OneTopic {
    fn by_name(&self, name: &str) -> Option<TopicFacts> {
        let facts = || TopicFacts { id: Self::id(), name: "topic".to_owned(), partitions: PARTITIONS };
        (name == "topic").then(facts)
    }

    fn by_id(&self, id: TopicId) -> Option<TopicFacts> {
        (id == Self::id()).then(|| self.by_name("topic")).flatten()
    }

    fn each_name(&self, visit: &mut dyn FnMut(&str)) {
        visit("topic");
    }

    fn racks(&self, _id: TopicId, _partition: i32) -> Vec<String> {
        Vec::new()
    }

    fn version(&self) -> i64 {
        1
    }
}
