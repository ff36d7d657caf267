//! Memory of classic groups, in a process of its own: resident pages are what is measured.

use bytes::Bytes;
use coordinator::group::record::Record;
use coordinator::group::{
    Client, Context, HeartbeatRequest, JoinReply, JoinRequest, Reply, Request, Settings, Shard, Step,
    SyncRequest, Ticket, TopicFacts, Topics,
};
use model::TopicId;
use std::collections::BTreeMap;
use uuid::Uuid;

mod resident;

use resident::resident_bytes;

const GROUPS: usize = 5_000;
const MEMBERS: usize = 4;

#[test]
fn memory_per_member() {
    let before = resident_bytes();
    let settings = Settings { initial_rebalance_delay_ms: 0, ..Settings::default() };
    let mut broker =
        Broker { shard: Shard::default(), settings, now_ms: 0, tickets: 0, answers: BTreeMap::new() };
    for group in 0..GROUPS {
        broker.settle(&format!("group-{group:06}"));
    }
    let settled = resident_bytes().saturating_sub(before) / (GROUPS * MEMBERS);
    let figures = broker.shard.figures();
    println!("{settled} bytes per member of {GROUPS} groups of {MEMBERS}: {figures:?}");
    assert_eq!((figures.members, figures.parked), (GROUPS * MEMBERS, 0));
    // A quarter of its group, its names, 60 bytes for each of two protocols, its assignment, its deadline.
    assert!(settled <= 2_000, "{settled} bytes per member");
    // Every member has a session; a group may have its two phases in the queue.
    assert!(figures.deadlines <= GROUPS * (MEMBERS + 2), "{figures:?}");
    for _ in 0..20 {
        broker.now_ms += 3_000;
        broker.everybody_beats();
    }
    let later = broker.shard.figures();
    assert_eq!(later.members, GROUPS * MEMBERS, "heartbeats keep everybody");
    assert!(later.deadlines <= figures.deadlines, "heartbeats queue nothing: {later:?}");
}

struct Broker {
    shard: Shard,
    settings: Settings,
    now_ms: i64,
    tickets: u64,
    answers: BTreeMap<Ticket, Reply>,
}

impl Broker {
    /// Brings a group to its first assignment.
    fn settle(&mut self, group_id: &str) {
        let joins: Vec<Ticket> = (0..MEMBERS).map(|member| self.ask(join(group_id, member))).collect();
        self.tick();
        let mut joined: Vec<JoinReply> = joins.iter().map(|ticket| self.joined(*ticket)).collect();
        // The leader comes last: it answers for all.
        joined.sort_by_key(|reply| reply.members.len());
        for reply in joined {
            let assign = |member: &coordinator::group::JoinedMember| {
                (member.member_id.clone(), Bytes::from_static(&[1; 60]))
            };
            self.ask(Request::Sync(SyncRequest {
                group_id: group_id.to_owned(),
                generation: reply.generation,
                member_id: reply.member_id.clone(),
                instance_id: None,
                protocol_type: None,
                protocol_name: None,
                assignments: reply.members.iter().map(assign).collect(),
            }));
        }
        self.answers.clear();
    }

    fn everybody_beats(&mut self) {
        for group in self.shard.list(&[], &[]) {
            let described = self.shard.describe_classic(&group.group_id).expect("a classic group");
            for member in described.members {
                self.ask(Request::Heartbeat(HeartbeatRequest {
                    group_id: group.group_id.clone(),
                    generation: 1,
                    member_id: member.member_id,
                    instance_id: None,
                }));
            }
        }
        self.tick();
        self.answers.clear();
    }

    fn joined(&mut self, ticket: Ticket) -> JoinReply {
        match self.answers.remove(&ticket) {
            Some(Reply::Join(reply)) => reply,
            other => panic!("no generation yet: {other:?}"),
        }
    }

    fn ask(&mut self, request: Request) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.act(|shard, context| shard.step(context, ticket, request));
        ticket
    }

    fn tick(&mut self) {
        while self.shard.next_deadline_ms().is_some_and(|at_ms| at_ms <= self.now_ms) {
            self.act(Shard::tick);
        }
    }

    fn act(&mut self, act: impl FnOnce(&mut Shard, &Context<'_>) -> Step) {
        let context = Context {
            now_ms: self.now_ms,
            wall_ms: self.now_ms,
            aging_ms: self.now_ms,
            topics: &NoTopics,
            settings: &self.settings,
        };
        let step = act(&mut self.shard, &context);
        for record in step.records {
            assert!(matches!(record, Record::ClassicGroup(..)));
            self.shard.replay(record, None);
        }
        self.answers.extend(step.replies);
    }
}

fn join(group_id: &str, member: usize) -> Request {
    let metadata = |name: &str| (name.to_owned(), Bytes::from_static(&[2; 60]));
    Request::Join(JoinRequest {
        client: Client { id: format!("consumer-{member}"), host: "/127.0.0.1".to_owned() },
        group_id: group_id.to_owned(),
        member_id: String::new(),
        fresh_id: Uuid::from_u64_pair(1, member as u64),
        instance_id: None,
        session_timeout_ms: 45_000,
        rebalance_timeout_ms: 300_000,
        protocol_type: "consumer".to_owned(),
        protocols: vec![metadata("range"), metadata("cooperative-sticky")],
        reason: None,
        member_id_required: false,
        skip_assignment_known: true,
    })
}

struct NoTopics;

impl Topics for NoTopics {
    fn by_name(&self, _name: &str) -> Option<TopicFacts> {
        None
    }

    fn by_id(&self, _id: TopicId) -> Option<TopicFacts> {
        None
    }

    fn each_name(&self, _visit: &mut dyn FnMut(&str)) {}

    fn racks(&self, _id: TopicId, _partition: i32) -> Vec<String> {
        Vec::new()
    }

    fn version(&self) -> i64 {
        1
    }
}
