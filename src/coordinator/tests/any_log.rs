//! Whatever the log holds, the shard stays on its feet: records of both protocols in any order, as damage, another
//! broker or a compaction may leave them, and requests upon that.
//!
//! `PROPTEST_CASES` sets how many logs.

use bytes::Bytes;
use coordinator::group::record::{
    Assignment, ClassicGroupValue, ClassicMemberMetadata, ClassicMemberValue, ConsumerGroupValue,
    CurrentAssignmentValue, Decoded, MemberKey, MemberValue, OffsetKey, OffsetValue, Record,
    RegularExpressionKey, RegularExpressionValue,
};
use coordinator::group::{
    Client, CommitPartition, CommitTopic, ConsumerHeartbeatRequest, Context, HeartbeatRequest, JoinRequest,
    LeaveRequest, LeavingMember, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, Request,
    Settings, Shard, Stamp, Step, SyncRequest, Ticket, TopicFacts, Topics,
};
use model::TopicId;
use proptest::prelude::*;
use uuid::Uuid;

const GROUPS: [&str; 2] = ["g", "h"];
const MEMBERS: [&str; 3] = ["m", "n", ""];
const TOPICS: [&str; 2] = ["t", "u"];

proptest! {
    #[test]
    fn no_log_makes_the_shard_panic(
        log in prop::collection::vec(any_entry(), 0..40),
        acts in prop::collection::vec(any_act(), 0..20),
    ) {
        let settings = Settings { initial_rebalance_delay_ms: 0, ..Settings::default() };
        let mut world = World { shard: Shard::default(), settings, log, now_ms: 0, tickets: 0 };
        world.load();
        world.look();
        for act in acts {
            match act {
                Act::Pass(ms) => world.pass(ms),
                Act::Ask(request) => world.ask(request),
                Act::Load => world.load(),
                Act::DeleteTopic(name) => {
                    world.act(|shard, context| {
                        shard.topics_deleted(context, &[name.to_owned()]);
                        Step::default()
                    });
                }
            }
            world.look();
        }
    }
}

/// What is in a log.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "a few dozen of them")]
enum Entry {
    Record(Record, Option<Stamp>),
    Marker(Stamp, bool),
}

#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "a few dozen of them")]
enum Act {
    Pass(i64),
    Ask(Request),
    Load,
    DeleteTopic(&'static str),
}

struct World {
    shard: Shard,
    settings: Settings,
    log: Vec<Entry>,
    now_ms: i64,
    tickets: u64,
}

impl World {
    fn load(&mut self) {
        self.shard = Shard::default();
        for entry in self.log.clone() {
            match entry {
                Entry::Record(record, stamp) => self.replay(&record, stamp),
                Entry::Marker(stamp, commit) => self.shard.replay_marker(stamp, commit),
            }
        }
        self.act(Shard::loaded);
    }

    /// By way of the bytes.
    fn replay(&mut self, record: &Record, stamp: Option<Stamp>) {
        let (key, value) = record.encode().expect("short texts");
        match Record::decode(&key, value.as_ref()) {
            Ok(Decoded::Record(read)) => self.shard.replay(read, stamp),
            other => panic!("{record:?} is read as {other:?}"),
        }
    }

    fn act(&mut self, act: impl FnOnce(&mut Shard, &Context) -> Step) {
        let context = Context {
            now_ms: self.now_ms,
            wall_ms: 1_700_000_000_000 + self.now_ms,
            aging_ms: 1_700_000_000_000 + self.now_ms,
            topics: &TwoTopics,
            settings: &self.settings,
        };
        let step = act(&mut self.shard, &context);
        for record in step.records {
            self.replay(&record, step.stamp);
            self.log.push(Entry::Record(record, step.stamp));
        }
    }

    fn ask(&mut self, request: Request) {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.act(|shard, context| shard.step(context, ticket, request));
    }

    fn pass(&mut self, ms: i64) {
        let end_ms = self.now_ms + ms;
        for _ in 0..1_000 {
            let Some(at_ms) = self.shard.next_deadline_ms().filter(|at_ms| *at_ms <= end_ms) else { break };
            self.now_ms = self.now_ms.max(at_ms);
            self.act(Shard::tick);
        }
        self.now_ms = end_ms;
    }

    /// Every question that changes nothing.
    fn look(&mut self) {
        self.shard.list(&[], &[]);
        self.shard.figures();
        for group_id in GROUPS {
            let _ = self.shard.describe_classic(group_id);
            let _ = self.shard.describe_consumer_group(group_id, &TwoTopics, &self.settings);
            let request = OffsetFetchRequest {
                group_id: group_id.into(),
                member_id: None,
                member_epoch: -1,
                require_stable: true,
                topics: None,
            };
            self.shard.fetch_offsets(&request).expect("anybody may");
        }
    }
}

/// `t` and `u`, of three partitions each.
struct TwoTopics;

fn topic_id(topic: &str) -> TopicId {
    TopicId::new(Uuid::from_u128(u128::from(topic.as_bytes()[0])))
}

impl Topics for TwoTopics {
    fn by_name(&self, name: &str) -> Option<TopicFacts> {
        TOPICS.contains(&name).then(|| TopicFacts { id: topic_id(name), name: name.into(), partitions: 3 })
    }

    fn by_id(&self, id: TopicId) -> Option<TopicFacts> {
        TOPICS.iter().find(|name| topic_id(name) == id).and_then(|name| self.by_name(name))
    }

    fn each_name(&self, visit: &mut dyn FnMut(&str)) {
        for name in TOPICS {
            visit(name);
        }
    }

    fn racks(&self, _id: TopicId, _partition: i32) -> Vec<String> {
        Vec::new()
    }

    fn version(&self) -> i64 {
        1
    }
}

fn group() -> impl Strategy<Value = String> {
    prop::sample::select(&GROUPS[..]).prop_map(Into::into)
}

fn member() -> impl Strategy<Value = String> {
    prop::sample::select(&MEMBERS[..]).prop_map(Into::into)
}

fn topic() -> impl Strategy<Value = String> {
    prop::sample::select(&TOPICS[..]).prop_map(Into::into)
}

fn instance() -> impl Strategy<Value = Option<String>> {
    prop::option::of(Just("i".to_owned()))
}

/// Small as they are mostly, and as no broker writes them.
fn number() -> impl Strategy<Value = i32> {
    prop_oneof![8 => -3i32..6, 1 => any::<i32>()]
}

fn moment() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => 1_600_000_000_000i64..1_700_000_000_000,
        2 => Just(-1i64),
        1 => any::<i64>(),
    ]
}

/// A subscription, an assignment, or what else clients put there.
fn embedded() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        Just(Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff")),
        Just(Bytes::from_static(b"\0\x01\0\0\0\x01\0\x01u\0\0\0\x01\0\0\0\0\xff\xff\xff\xff")),
        prop::collection::vec(any::<u8>(), 0..24).prop_map(Bytes::from),
    ]
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let stamp = || (0i64..3).prop_map(|producer_id| Stamp { producer_id, producer_epoch: 0 });
    prop_oneof![
        8 => any_record().prop_map(|record| Entry::Record(record, None)),
        1 => (any_offset(), stamp()).prop_map(|(record, stamp)| Entry::Record(record, Some(stamp))),
        1 => (stamp(), any::<bool>()).prop_map(|(stamp, commit)| Entry::Marker(stamp, commit)),
    ]
}

fn any_record() -> impl Strategy<Value = Record> {
    let epoch = (number(), any::<i64>())
        .prop_map(|(epoch, metadata_hash)| ConsumerGroupValue { epoch, metadata_hash });
    let regex = prop::sample::select(&["t.*", "(", ""][..]);
    let resolved = (prop::collection::vec(topic(), 0..2), moment(), moment());
    let resolved = resolved.prop_map(|(topics, version, timestamp_ms)| RegularExpressionValue {
        topics,
        version,
        timestamp_ms,
    });
    prop_oneof![
        any_offset(),
        any_classic_group(),
        (group(), prop::option::weighted(0.8, epoch))
            .prop_map(|(id, value)| Record::ConsumerGroup(id, value)),
        (group(), any::<bool>()).prop_map(|(id, set)| Record::PartitionMetadata(
            id,
            set.then(|| Bytes::from_static(&[0, 0, 1, 0]))
        )),
        any_member(),
        (group(), prop::option::weighted(0.8, number()))
            .prop_map(|(id, value)| Record::TargetEpoch(id, value)),
        (member_key(), prop::option::weighted(0.8, assignment()))
            .prop_map(|(key, value)| Record::TargetMember(key, value)),
        any_current_assignment(),
        (group(), regex, prop::option::weighted(0.8, resolved)).prop_map(|(group_id, regex, value)| {
            Record::RegularExpression(RegularExpressionKey { group_id, regex: regex.into() }, value)
        }),
    ]
}

fn any_offset() -> impl Strategy<Value = Record> {
    let value = (any::<i64>(), number(), moment(), moment());
    let value =
        value.prop_map(|(offset, leader_epoch, commit_timestamp_ms, expire_timestamp_ms)| OffsetValue {
            offset,
            leader_epoch,
            metadata: String::new(),
            commit_timestamp_ms,
            expire_timestamp_ms,
            topic_id: None,
        });
    let key = (group(), topic(), number());
    (key, prop::option::weighted(0.8, value)).prop_map(|((group_id, topic, partition), value)| {
        Record::Offset(OffsetKey { group_id, topic, partition }, value)
    })
}

fn any_classic_group() -> impl Strategy<Value = Record> {
    let member = (member(), instance(), number(), number(), embedded(), embedded());
    let member = member.prop_map(|(member_id, instance_id, rebalance, session, subscription, assignment)| {
        ClassicMemberValue {
            member_id,
            instance_id,
            client_id: "c".into(),
            client_host: "/".into(),
            rebalance_timeout_ms: rebalance,
            session_timeout_ms: session,
            subscription,
            assignment,
        }
    });
    let kind = prop::sample::select(&["consumer", "connect", ""][..]);
    let protocol = prop::option::of(Just("range".to_owned()));
    let value = (kind, number(), protocol, prop::option::of(member_id()), moment());
    let value = (value, prop::collection::vec(member, 0..4));
    let value = value.prop_map(|((kind, generation, protocol, leader, state_timestamp_ms), members)| {
        ClassicGroupValue {
            protocol_type: kind.into(),
            generation,
            protocol,
            leader,
            state_timestamp_ms,
            members,
        }
    });
    (group(), prop::option::weighted(0.7, value)).prop_map(|(id, value)| Record::ClassicGroup(id, value))
}

fn member_id() -> impl Strategy<Value = String> {
    member()
}

fn member_key() -> impl Strategy<Value = MemberKey> {
    (group(), member()).prop_map(|(group_id, member_id)| MemberKey { group_id, member_id })
}

fn assignment() -> impl Strategy<Value = Assignment> {
    let partitions = prop::collection::btree_set(number(), 0..4);
    let topic = prop_oneof![topic(), Just("gone".to_owned())];
    prop::collection::btree_map(topic.prop_map(|topic| topic_id(&topic)), partitions, 0..3).prop_map(
        |topics| topics.into_iter().map(|(id, partitions)| (id, partitions.into_iter().collect())).collect(),
    )
}

fn any_member() -> impl Strategy<Value = Record> {
    let classic = (number(), prop::collection::vec((Just("range".to_owned()), embedded()), 0..2));
    let classic = classic
        .prop_map(|(session_timeout_ms, protocols)| ClassicMemberMetadata { session_timeout_ms, protocols });
    let regex = prop::option::of(prop::sample::select(&["t.*", "(", ""][..]));
    let assignor = prop::option::of(prop::sample::select(&["uniform", "range", "none"][..]));
    let value = (
        instance(),
        prop::collection::vec(topic(), 0..3),
        regex,
        number(),
        assignor,
        prop::option::of(classic),
    );
    let value =
        value.prop_map(|(instance_id, subscribed_topics, regex, timeout, assignor, classic)| MemberValue {
            instance_id,
            rack_id: None,
            client_id: "c".into(),
            client_host: "/".into(),
            subscribed_topics,
            subscribed_regex: regex.map(Into::into),
            rebalance_timeout_ms: timeout,
            server_assignor: assignor.map(Into::into),
            classic,
        });
    (member_key(), prop::option::weighted(0.8, value)).prop_map(|(key, value)| Record::Member(key, value))
}

fn any_current_assignment() -> impl Strategy<Value = Record> {
    let state = prop_oneof![4 => 0i8..4, 1 => any::<i8>()];
    let value = (number(), number(), state, assignment(), assignment());
    let value =
        value.prop_map(|(member_epoch, previous_member_epoch, state, assigned, pending_revocation)| {
            CurrentAssignmentValue {
                member_epoch,
                previous_member_epoch,
                state,
                assigned,
                pending_revocation,
            }
        });
    (member_key(), prop::option::weighted(0.8, value))
        .prop_map(|(key, value)| Record::CurrentAssignment(key, value))
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => prop_oneof![Just(0i64), 1i64..60_000, Just(8 * 24 * 3_600_000)].prop_map(Act::Pass),
        8 => any_request().prop_map(Act::Ask),
        1 => Just(Act::Load),
        1 => prop::sample::select(&TOPICS[..]).prop_map(Act::DeleteTopic),
    ]
}

fn any_request() -> impl Strategy<Value = Request> {
    prop_oneof![
        any_join(),
        (group(), number(), member(), instance()).prop_map(
            |(group_id, generation, member_id, instance_id)| {
                let assignments = vec![(member_id.clone(), Bytes::from_static(b"a"))];
                let (protocol_type, protocol_name) = (None, None);
                Request::Sync(SyncRequest {
                    group_id,
                    generation,
                    member_id,
                    instance_id,
                    protocol_type,
                    protocol_name,
                    assignments,
                })
            }
        ),
        (group(), number(), member(), instance()).prop_map(
            |(group_id, generation, member_id, instance_id)| {
                Request::Heartbeat(HeartbeatRequest { group_id, generation, member_id, instance_id })
            }
        ),
        (group(), member(), instance()).prop_map(|(group_id, member_id, instance_id)| {
            let members = vec![LeavingMember { member_id, instance_id, reason: None }];
            Request::Leave(LeaveRequest { group_id, members })
        }),
        any_consumer_heartbeat(),
        (group(), number(), member(), topic(), number()).prop_map(commit),
        (group(), topic()).prop_map(|(group_id, topic)| {
            Request::OffsetDelete(OffsetDeleteRequest { group_id, topics: vec![(topic, vec![0, 1])] })
        }),
        group().prop_map(|group_id| Request::DeleteGroup { group_id }),
    ]
}

fn commit((group_id, generation, member_id, name, index): (String, i32, String, String, i32)) -> Request {
    let partition = CommitPartition { index, offset: 1, leader_epoch: -1, metadata: None };
    Request::OffsetCommit(OffsetCommitRequest {
        version: 9,
        group_id,
        generation,
        member_id,
        instance_id: None,
        retention_time_ms: -1,
        topics: vec![CommitTopic { name, id: None, partitions: vec![partition] }],
    })
}

fn any_join() -> impl Strategy<Value = Request> {
    let kind = prop::sample::select(&["consumer", "connect"][..]);
    let asked = (group(), member(), instance(), kind, embedded(), any::<(u128, bool)>());
    asked.prop_map(|(group_id, member_id, instance_id, kind, metadata, (fresh_id, required))| {
        Request::Join(JoinRequest {
            client: Client { id: "c".into(), host: "/".into() },
            group_id,
            member_id,
            fresh_id: Uuid::from_u128(fresh_id),
            instance_id,
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 20_000,
            protocol_type: kind.into(),
            protocols: vec![("range".into(), metadata)],
            reason: None,
            member_id_required: required,
            skip_assignment_known: true,
        })
    })
}

fn any_consumer_heartbeat() -> impl Strategy<Value = Request> {
    let asked =
        (group(), member(), instance(), number(), prop::option::of(assignment()), any::<(u128, bool)>());
    asked.prop_map(|(group_id, member_id, instance_id, member_epoch, owned, (fresh_id, first))| {
        Request::ConsumerHeartbeat(ConsumerHeartbeatRequest {
            client: Client { id: "c".into(), host: "/".into() },
            version: 1,
            group_id,
            member_id,
            fresh_id: Uuid::from_u128(fresh_id),
            member_epoch: if first { 0 } else { member_epoch },
            instance_id,
            rack_id: None,
            rebalance_timeout_ms: 20_000,
            subscribed_topics: Some(vec!["t".into()]),
            subscribed_regex: (!first).then(|| "u.*".into()),
            server_assignor: None,
            owned: if first { Some(Assignment::new()) } else { owned },
        })
    })
}
