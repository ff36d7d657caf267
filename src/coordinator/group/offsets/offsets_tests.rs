//! Every answer, one by one. `model_tests` has the histories.

use super::*;
use crate::group::record::{
    Assignment, ClassicGroupValue, ClassicMemberMetadata, ClassicMemberValue, ConsumerGroupValue,
    CurrentAssignmentValue, Decoded, MemberKey, MemberValue,
};
use crate::group::{
    Client, JoinRequest, LeaveRequest, LeavingMember, Settings, SyncRequest, TopicFacts, Topics,
};
use bytes::Bytes;
use model::TopicId;
use model::codec::Writer;
use uuid::Uuid;

/// What the shell does, at once: appends, replays, keeps the bytes.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) shard: Shard,
    pub(super) settings: Settings,
    pub(super) log: Vec<Entry>,
    pub(super) now_ms: i64,
    /// What the wall clock is ahead by, which is not believed.
    ahead_ms: i64,
    tickets: u64,
}

/// What is on disk.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Record { key: Bytes, value: Option<Bytes>, stamp: Option<Stamp> },
    Marker { stamp: Stamp, commit: bool },
}

/// The wall clock when the monotonic one shows 0.
const WALL_MS: i64 = 1_700_000_000_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

#[derive(Debug)]
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

impl World {
    /// A partition that is loaded, with these records in it.
    pub(super) fn with(records: Vec<Record>) -> Self {
        let mut world = Self::default();
        for record in &records {
            world.append(record, None);
        }
        world.reload();
        world
    }

    pub(super) fn wall_ms(&self) -> i64 {
        WALL_MS + self.now_ms
    }

    fn append(&mut self, record: &Record, stamp: Option<Stamp>) {
        let (key, value) = record.encode().expect("short texts");
        self.log.push(Entry::Record { key, value, stamp });
    }

    pub(super) fn act(&mut self, act: impl FnOnce(&mut Shard, &Context) -> Step) -> Step {
        let wall_ms = self.wall_ms();
        let context = Context {
            now_ms: self.now_ms,
            wall_ms: wall_ms + self.ahead_ms,
            aging_ms: wall_ms,
            topics: &NoTopics,
            settings: &self.settings,
        };
        let step = act(&mut self.shard, &context);
        for record in &step.records {
            self.append(record, step.stamp);
            self.shard.replay(record.clone(), step.stamp);
        }
        step
    }

    pub(super) fn send(&mut self, request: Request) -> (Option<Reply>, Vec<Record>) {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let step = self.act(|shard, context| shard.step(context, ticket, request));
        let reply = step.replies.into_iter().find(|(to, _)| *to == ticket);
        (reply.map(|(_, reply)| reply), step.records)
    }

    pub(super) fn mark(&mut self, stamp: Stamp, commit: bool) {
        self.log.push(Entry::Marker { stamp, commit });
        self.shard.replay_marker(stamp, commit);
    }

    /// A new process reads what is on disk.
    pub(super) fn reload(&mut self) {
        self.shard = Shard::default();
        for entry in &self.log {
            match entry {
                Entry::Record { key, value, stamp } => match Record::decode(key, value.as_ref()) {
                    Ok(Decoded::Record(record)) => self.shard.replay(record, *stamp),
                    other => panic!("{other:?}"),
                },
                Entry::Marker { stamp, commit } => self.shard.replay_marker(*stamp, *commit),
            }
        }
        self.act(Shard::loaded);
    }

    /// Lets time pass, from deadline to deadline; gives what each tick wrote.
    pub(super) fn pass(&mut self, ms: i64) -> Vec<Vec<Record>> {
        let end_ms = self.now_ms + ms;
        let mut written = Vec::new();
        while let Some(at_ms) = self.shard.next_deadline_ms().filter(|at_ms| *at_ms <= end_ms) {
            self.now_ms = self.now_ms.max(at_ms);
            let step = self.act(Shard::tick);
            if !step.records.is_empty() {
                written.push(step.records);
            }
        }
        self.now_ms = end_ms;
        written
    }

    pub(super) fn topics_deleted(&mut self, names: &[&str]) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        self.act(|shard, context| {
            shard.topics_deleted(context, &names);
            Step::default()
        });
    }

    /// Commits 0-based offsets of one partition; gives the partition's code.
    fn commit(&mut self, by: By, topic: &str, offset: i64) -> ErrorCode {
        let request = by.commit(vec![commit_topic(topic, &[(0, offset)])]);
        code_of(self.send(Request::OffsetCommit(request)).0)
    }

    fn txn_commit(&mut self, by: By, producer_id: i64, topic: &str, offset: i64) -> ErrorCode {
        let request = by.txn_commit(producer_id, vec![commit_topic(topic, &[(0, offset)])]);
        code_of(self.send(Request::TxnOffsetCommit(request)).0)
    }

    /// The group's offset of partition 0.
    fn fetch(&self, group_id: &str, topic: &str) -> (i64, ErrorCode) {
        self.fetch_stable(group_id, topic, false)
    }

    fn fetch_stable(&self, group_id: &str, topic: &str, require_stable: bool) -> (i64, ErrorCode) {
        let topics = vec![FetchTopic { name: topic.into(), id: None, partitions: vec![0] }];
        let request = OffsetFetchRequest { require_stable, ..fetch_request(group_id, Some(topics)) };
        let fetched = self.shard.fetch_offsets(&request).expect("no refusal");
        (fetched[0].partitions[0].offset, fetched[0].partitions[0].error)
    }
}

/// Who commits.
#[derive(Clone, Debug)]
struct By {
    group_id: &'static str,
    member_id: &'static str,
    generation: i32,
    instance_id: Option<&'static str>,
    version: i16,
}

const NOBODY: By = By { group_id: "g", member_id: "", generation: -1, instance_id: None, version: 9 };
const MEMBER: By = By { member_id: "m", generation: 3, ..NOBODY };

impl By {
    fn commit(self, topics: Vec<CommitTopic>) -> OffsetCommitRequest {
        OffsetCommitRequest {
            version: self.version,
            group_id: self.group_id.into(),
            generation: self.generation,
            member_id: self.member_id.into(),
            instance_id: self.instance_id.map(Into::into),
            retention_time_ms: -1,
            topics,
        }
    }

    fn txn_commit(self, producer_id: i64, topics: Vec<CommitTopic>) -> TxnOffsetCommitRequest {
        TxnOffsetCommitRequest {
            group_id: self.group_id.into(),
            producer_id,
            producer_epoch: 0,
            generation: self.generation,
            member_id: self.member_id.into(),
            instance_id: self.instance_id.map(Into::into),
            topics,
        }
    }
}

pub(super) fn commit_topic(name: &str, offsets: &[(i32, i64)]) -> CommitTopic {
    let partition =
        |&(index, offset): &(i32, i64)| CommitPartition { index, offset, leader_epoch: -1, metadata: None };
    CommitTopic { name: name.into(), id: None, partitions: offsets.iter().map(partition).collect() }
}

pub(super) fn fetch_request(group_id: &str, topics: Option<Vec<FetchTopic>>) -> OffsetFetchRequest {
    OffsetFetchRequest {
        group_id: group_id.into(),
        member_id: None,
        member_epoch: -1,
        require_stable: false,
        topics,
    }
}

pub(super) fn stamp(producer_id: i64) -> Stamp {
    Stamp { producer_id, producer_epoch: 0 }
}

fn code_of(reply: Option<Reply>) -> ErrorCode {
    match reply {
        Some(Reply::OffsetCommit(topics)) => topics[0].partitions[0].1,
        other => panic!("{other:?}"),
    }
}

/// A stable classic group `g` of one member `m` with instance id `i`, at generation 3.
fn classic_group(protocol_type: &str, topics: &[&str]) -> Record {
    let member = ClassicMemberValue {
        member_id: "m".into(),
        instance_id: Some("i".into()),
        client_id: "c".into(),
        client_host: "/127.0.0.1".into(),
        rebalance_timeout_ms: 60_000,
        session_timeout_ms: i32::MAX,
        subscription: subscription(topics),
        assignment: Bytes::new(),
    };
    Record::ClassicGroup(
        "g".into(),
        Some(ClassicGroupValue { members: vec![member], ..empty(protocol_type) }),
    )
}

/// What a consumer says when it joins, in version 0.
fn subscription(topics: &[&str]) -> Bytes {
    let mut writer = Writer::new();
    writer.i16(0);
    writer.array_len(topics.len());
    for topic in topics {
        writer.string(topic);
    }
    writer.nullable_bytes(None);
    writer.freeze()
}

fn empty(protocol_type: &str) -> ClassicGroupValue {
    ClassicGroupValue {
        protocol_type: protocol_type.into(),
        generation: 3,
        protocol: (!protocol_type.is_empty()).then(|| "range".into()),
        leader: (!protocol_type.is_empty()).then(|| "m".into()),
        state_timestamp_ms: WALL_MS,
        members: Vec::new(),
    }
}

fn empty_group(protocol_type: &str) -> Record {
    Record::ClassicGroup("g".into(), Some(empty(protocol_type)))
}

/// An offset of partition 0, committed `age_ms` before the beginning.
fn old_offset(topic: &str, age_ms: i64) -> Record {
    let key = OffsetKey { group_id: "g".into(), topic: topic.into(), partition: 0 };
    Record::Offset(key, Some(OffsetValue { commit_timestamp_ms: WALL_MS - age_ms, ..plain(7) }))
}

fn plain(offset: i64) -> OffsetValue {
    OffsetValue {
        offset,
        leader_epoch: -1,
        metadata: String::new(),
        commit_timestamp_ms: WALL_MS,
        expire_timestamp_ms: -1,
        topic_id: None,
    }
}

fn topic_tombstone(topic: &str) -> Record {
    tombstone("g", topic, 0)
}

fn group_tombstone() -> Record {
    Record::ClassicGroup("g".into(), None)
}

#[test]
fn commits_to_a_group_that_does_not_exist() {
    for (by, code) in [
        (NOBODY, ErrorCode::None),
        (By { version: 5, ..NOBODY }, ErrorCode::None),
        (MEMBER, ErrorCode::GroupIdNotFound),
        (By { version: 8, ..MEMBER }, ErrorCode::IllegalGeneration),
        (By { generation: 0, member_id: "", ..NOBODY }, ErrorCode::GroupIdNotFound),
        (By { group_id: "", ..NOBODY }, ErrorCode::None),
    ] {
        let mut world = World::with(vec![]);
        let group_id = by.group_id;
        assert_eq!(world.commit(by.clone(), "t", 5), code, "{by:?}");
        let committed = if code == ErrorCode::None { 5 } else { -1 };
        assert_eq!(world.fetch(group_id, "t"), (committed, ErrorCode::None), "{by:?}");
        assert_eq!(world.shard.groups.contains_key(group_id), code == ErrorCode::None, "{by:?}");
    }
}

#[test]
fn commits_to_a_classic_group() {
    for (by, code, txn_code) in [
        (MEMBER, ErrorCode::None, ErrorCode::None),
        (By { instance_id: Some("i"), ..MEMBER }, ErrorCode::None, ErrorCode::None),
        (By { generation: 2, ..MEMBER }, ErrorCode::IllegalGeneration, ErrorCode::IllegalGeneration),
        (By { generation: 4, ..MEMBER }, ErrorCode::IllegalGeneration, ErrorCode::IllegalGeneration),
        (By { generation: -1, ..MEMBER }, ErrorCode::IllegalGeneration, ErrorCode::IllegalGeneration),
        (By { member_id: "x", ..MEMBER }, ErrorCode::UnknownMemberId, ErrorCode::UnknownMemberId),
        (
            By { member_id: "x", instance_id: Some("i"), ..MEMBER },
            ErrorCode::FencedInstanceId,
            ErrorCode::FencedInstanceId,
        ),
        (By { instance_id: Some("x"), ..MEMBER }, ErrorCode::UnknownMemberId, ErrorCode::UnknownMemberId),
        // Administrators may not move the offsets of a group that is at work; old producers name no member at all.
        (NOBODY, ErrorCode::UnknownMemberId, ErrorCode::None),
    ] {
        let mut world = World::with(vec![classic_group("consumer", &["t"])]);
        assert_eq!(world.commit(by.clone(), "t", 5), code, "{by:?}");
        let committed = if code == ErrorCode::None { 5 } else { -1 };
        assert_eq!(world.fetch("g", "t"), (committed, ErrorCode::None), "{by:?}");
        assert_eq!(world.txn_commit(by.clone(), 9, "u", 6), txn_code, "{by:?} in a transaction");
        world.mark(stamp(9), true);
        let committed = if txn_code == ErrorCode::None { 6 } else { -1 };
        assert_eq!(world.fetch("g", "u"), (committed, ErrorCode::None), "{by:?} in a transaction");
    }
}

#[test]
fn commits_to_an_empty_classic_group() {
    for (by, code) in [
        (NOBODY, ErrorCode::None),
        (By { generation: -1, ..MEMBER }, ErrorCode::None),
        (MEMBER, ErrorCode::UnknownMemberId),
        (By { member_id: "", ..MEMBER }, ErrorCode::UnknownMemberId),
    ] {
        let mut world = World::with(vec![empty_group("consumer")]);
        assert_eq!(world.commit(by.clone(), "t", 5), code, "{by:?}");
        assert_eq!(world.txn_commit(by.clone(), 9, "u", 6), code, "{by:?} in a transaction");
    }
}

#[test]
fn transactional_commits_to_a_group_that_does_not_exist() {
    for (by, code) in [
        (NOBODY, ErrorCode::None),
        (MEMBER, ErrorCode::IllegalGeneration),
        (By { group_id: "", ..NOBODY }, ErrorCode::InvalidGroupId),
    ] {
        let mut world = World::with(vec![]);
        assert_eq!(world.txn_commit(by.clone(), 9, "t", 5), code, "{by:?}");
    }
}

#[test]
fn a_commit_is_recorded_with_all_it_says() {
    let mut world = World::with(vec![]);
    world.now_ms = 500;
    let id = TopicId::new(Uuid::from_u128(77));
    let partition = CommitPartition { index: 4, offset: 12, leader_epoch: 3, metadata: Some("here".into()) };
    let topic = CommitTopic { name: "t".into(), id: Some(id), partitions: vec![partition.clone()] };
    let key = OffsetKey { group_id: "g".into(), topic: "t".into(), partition: 4 };
    let value = OffsetValue {
        offset: 12,
        leader_epoch: 3,
        metadata: "here".into(),
        commit_timestamp_ms: WALL_MS + 500,
        expire_timestamp_ms: -1,
        topic_id: Some(id),
    };
    let (reply, records) = world.send(Request::OffsetCommit(NOBODY.commit(vec![topic.clone()])));
    let partitions = vec![(4, ErrorCode::None)];
    let answer = CommittedTopic { name: "t".into(), id: Some(id), partitions };
    assert_eq!(reply, Some(Reply::OffsetCommit(vec![answer])));
    assert_eq!(records, [Record::Offset(key.clone(), Some(value.clone()))]);

    let kept_ms = OffsetCommitRequest { retention_time_ms: 1_000, ..NOBODY.commit(vec![topic.clone()]) };
    let (_, records) = world.send(Request::OffsetCommit(kept_ms));
    let expire_timestamp_ms = WALL_MS + 1_500;
    assert_eq!(
        records,
        [Record::Offset(key.clone(), Some(OffsetValue { expire_timestamp_ms, ..value.clone() }))]
    );

    let forever = OffsetCommitRequest { retention_time_ms: i64::MAX, ..NOBODY.commit(vec![topic.clone()]) };
    let (_, records) = world.send(Request::OffsetCommit(forever));
    let expire_timestamp_ms = i64::MAX;
    assert_eq!(
        records,
        [Record::Offset(key.clone(), Some(OffsetValue { expire_timestamp_ms, ..value.clone() }))]
    );

    let step = world.act(|shard, context| {
        shard.step(context, Ticket(99), Request::TxnOffsetCommit(NOBODY.txn_commit(9, vec![topic])))
    });
    assert_eq!(step.stamp, Some(stamp(9)));
    assert_eq!(step.records, [Record::Offset(key, Some(OffsetValue { topic_id: None, ..value }))]);
}

#[test]
fn metadata_has_a_limit() {
    let mut world = World::with(vec![]);
    world.settings.offset_metadata_bytes_max = 4;
    let metadata = ["1234", "12345", "ääää", "äääää", "𝄞𝄞", "𝄞𝄞1"];
    let partition = |(index, text): (i32, &str)| CommitPartition {
        index,
        offset: 1,
        leader_epoch: -1,
        metadata: Some(text.to_owned()),
    };
    let topic = || CommitTopic {
        name: "t".into(),
        id: None,
        partitions: (0..).zip(metadata).map(partition).collect(),
    };
    let (fits, is_too_large) = (ErrorCode::None, ErrorCode::OffsetMetadataTooLarge);
    let codes = [fits, is_too_large, fits, is_too_large, fits, is_too_large];
    for request in [
        Request::OffsetCommit(NOBODY.commit(vec![topic()])),
        Request::TxnOffsetCommit(NOBODY.txn_commit(9, vec![topic()])),
    ] {
        let (reply, records) = world.send(request);
        let Some(Reply::OffsetCommit(topics)) = reply else { panic!("{reply:?}") };
        assert_eq!(topics[0].partitions, (0..).zip(codes).collect::<Vec<_>>(), "UTF-16 units count");
        assert_eq!(records.len(), 3);
    }
}

#[test]
fn a_transaction_without_records_has_no_stamp() {
    let mut world = World::with(vec![]);
    let request = Request::TxnOffsetCommit(NOBODY.txn_commit(9, vec![]));
    let step = world.act(|shard, context| shard.step(context, Ticket(1), request));
    assert_eq!(step, Step::reply(Ticket(1), Reply::OffsetCommit(vec![])));
}

#[test]
fn a_transaction_is_visible_from_its_marker_on() {
    for commit in [true, false] {
        let mut world = World::with(vec![]);
        assert_eq!(world.commit(NOBODY, "t", 5), ErrorCode::None);
        assert_eq!(world.txn_commit(NOBODY, 9, "t", 8), ErrorCode::None);
        for _ in 0..2 {
            assert_eq!(world.fetch("g", "t"), (5, ErrorCode::None));
            assert_eq!(world.fetch_stable("g", "t", true), (-1, ErrorCode::UnstableOffsetCommit));
            world.mark(stamp(8), true);
            world.reload();
        }
        world.mark(stamp(9), commit);
        let now = if commit { 8 } else { 5 };
        for _ in 0..2 {
            assert_eq!(world.fetch_stable("g", "t", true), (now, ErrorCode::None));
            world.reload();
        }
        world.mark(stamp(9), true);
        assert_eq!(world.fetch_stable("g", "t", true), (now, ErrorCode::None), "a marker of nothing");
    }
}

#[test]
fn a_transaction_that_ends_late_takes_nothing_back() {
    let mut world = World::with(vec![]);
    world.txn_commit(NOBODY, 1, "t", 10);
    world.txn_commit(NOBODY, 2, "t", 20);
    world.commit(NOBODY, "u", 30);
    world.txn_commit(NOBODY, 1, "u", 40);
    world.commit(NOBODY, "u", 50);
    world.mark(stamp(2), true);
    assert_eq!(world.fetch_stable("g", "t", true), (-1, ErrorCode::UnstableOffsetCommit));
    assert_eq!(world.fetch("g", "t").0, 20);
    world.mark(stamp(1), true);
    assert_eq!(world.fetch_stable("g", "t", true), (20, ErrorCode::None), "2 wrote after 1");
    assert_eq!(world.fetch_stable("g", "u", true), (50, ErrorCode::None), "the commit came after 1");
}

#[test]
fn fetches() {
    let mut world = World::with(vec![]);
    let id = TopicId::new(Uuid::from_u128(77));
    let with_id = CommitTopic { id: Some(id), ..commit_topic("b", &[(3, 30), (1, 10)]) };
    world.send(Request::OffsetCommit(NOBODY.commit(vec![with_id, commit_topic("a", &[(0, 5)])])));
    world.txn_commit(NOBODY, 9, "c", 8);

    let all = world.shard.fetch_offsets(&fetch_request("g", None)).expect("no refusal");
    let found = |topics: &[FetchedTopic]| -> Vec<(String, i32, i64)> {
        let rows = topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(|one| (topic.name.clone(), one.index, one.offset)));
        rows.collect()
    };
    assert_eq!(found(&all), [("a".into(), 0, 5), ("b".into(), 1, 10), ("b".into(), 3, 30)]);
    let nothing = world.shard.fetch_offsets(&fetch_request("other", None)).expect("no refusal");
    assert_eq!(nothing, [], "a group that does not exist");

    let named = |name: &str, id, partitions| FetchTopic { name: name.into(), id, partitions };
    let topics = vec![named("b", Some(id), vec![3, 2]), named("x", None, vec![0]), named("b", None, vec![1])];
    let some = world.shard.fetch_offsets(&fetch_request("g", Some(topics))).expect("no refusal");
    assert_eq!(
        found(&some),
        [("b".into(), 3, 30), ("b".into(), 2, -1), ("x".into(), 0, -1), ("b".into(), 1, 10)]
    );
    assert_eq!((some[0].id, some[2].id), (Some(id), None));

    let other = Some(TopicId::new(Uuid::from_u128(78)));
    let topics = vec![named("b", other, vec![1]), named("a", other, vec![0])];
    let some = world.shard.fetch_offsets(&fetch_request("g", Some(topics))).expect("no refusal");
    assert_eq!(
        found(&some),
        [("b".into(), 1, -1), ("a".into(), 0, 5)],
        "another topic of the name; an unknown one"
    );
}

#[test]
fn deletes_of_single_offsets() {
    let delete = |group_id: &str| {
        let topics = vec![("t".to_owned(), vec![0, 1]), ("u".to_owned(), vec![0])];
        Request::OffsetDelete(OffsetDeleteRequest { group_id: group_id.into(), topics })
    };
    let refused = |code| Some(Reply::OffsetDelete(Err(code)));
    let answered = |t, u| {
        let topic = |name: &str, partitions| CommittedTopic { name: name.into(), id: None, partitions };
        Some(Reply::OffsetDelete(Ok(vec![topic("t", vec![(0, t), (1, t)]), topic("u", vec![(0, u)])])))
    };
    let (done, is_read) = (ErrorCode::None, ErrorCode::GroupSubscribedToTopic);

    let mut world = World::with(vec![]);
    assert_eq!(world.send(delete("g")), (refused(ErrorCode::GroupIdNotFound), vec![]));
    assert_eq!(world.send(delete("")), (refused(ErrorCode::InvalidGroupId), vec![]));
    world.commit(NOBODY, "t", 5);
    world.txn_commit(NOBODY, 9, "u", 6);
    let (reply, records) = world.send(delete("g"));
    assert_eq!((reply, records), (answered(done, done), vec![topic_tombstone("t"), topic_tombstone("u")]));
    world.mark(stamp(9), true);
    assert_eq!(
        (world.fetch("g", "t").0, world.fetch_stable("g", "u", true).0),
        (-1, -1),
        "it does not come back"
    );

    for (group, reply, records) in [
        (classic_group("connect", &["t"]), refused(ErrorCode::NonEmptyGroup), vec![]),
        (classic_group("consumer", &["u"]), answered(done, is_read), vec![topic_tombstone("t")]),
        (empty_group("connect"), answered(done, done), vec![topic_tombstone("t"), topic_tombstone("u")]),
        (empty_group("consumer"), answered(done, done), vec![topic_tombstone("t"), topic_tombstone("u")]),
    ] {
        let mut world = World::with(vec![group.clone(), old_offset("t", 0), old_offset("u", 0)]);
        assert_eq!(world.send(delete("g")), (reply, records), "{group:?}");
    }
}

#[test]
fn a_deleted_group_takes_its_offsets_along() {
    let mut world = World::with(vec![empty_group("consumer")]);
    world.commit(NOBODY, "b", 5);
    world.txn_commit(NOBODY, 9, "b", 6);
    world.txn_commit(NOBODY, 9, "a", 6);
    let (reply, records) = world.send(Request::DeleteGroup { group_id: "g".into() });
    assert_eq!(reply, Some(Reply::DeleteGroup(ErrorCode::None)));
    assert_eq!(records, [topic_tombstone("a"), topic_tombstone("b"), group_tombstone()]);
    world.mark(stamp(9), true);
    assert!(world.shard.groups.is_empty() && world.shard.offsets.groups.is_empty());
    assert!(world.shard.offsets.transactions.is_empty());
}

#[test]
fn a_deleted_topic_takes_its_offsets_along() {
    let mut world = World::with(vec![classic_group("consumer", &["t"])]);
    for index in 0..2_500 {
        let request = MEMBER.commit(vec![commit_topic("t", &[(index, 5)]), commit_topic("u", &[(index, 5)])]);
        world.send(Request::OffsetCommit(request));
    }
    world.txn_commit(MEMBER, 9, "v", 8);
    world.topics_deleted(&["t", "v", "unknown"]);
    let commit = MEMBER.commit(vec![commit_topic("t", &[(2_400, 1)])]);
    world.send(Request::OffsetCommit(commit));
    let written = world.pass(1_000);
    let sizes: Vec<usize> = written.iter().map(Vec::len).collect();
    assert_eq!(sizes, [1_000, 1_000, 500], "bounded steps");
    world.mark(stamp(9), true);
    let left = world.shard.fetch_offsets(&fetch_request("g", None)).expect("no refusal");
    assert_eq!(left.len(), 2, "nothing of v");
    assert_eq!(left[0].partitions.len(), 1, "the topic is back, and so is an offset");
    assert_eq!((left[0].partitions[0].index, left[0].partitions[0].offset), (2_400, 1));
    assert_eq!(left[1].partitions.len(), 2_500);
    assert_eq!(world.pass(1_000), [] as [Vec<Record>; 0]);
}

/// What the first look after `days` removes; offsets are 3 days old at the beginning, retention is 7 days.
fn expired_after(days: i64, mut records: Vec<Record>) -> Vec<Record> {
    records.push(old_offset("t", 3 * DAY_MS));
    let mut world = World::with(records);
    // Nothing expires by a clock that has jumped.
    world.ahead_ms = 3_652 * DAY_MS;
    world.settings.offsets_retention_check_ms = days * DAY_MS;
    world.reload();
    world.pass(days * DAY_MS).concat()
}

#[test]
fn offsets_outside_any_group_expire_after_their_commit() {
    assert_eq!(expired_after(3, vec![]), []);
    assert_eq!(expired_after(4, vec![]), [topic_tombstone("t"), group_tombstone()]);
    assert_eq!(expired_after(4, vec![empty_group("")]), [topic_tombstone("t"), group_tombstone()]);
    assert_eq!(
        expired_after(4, vec![old_offset("s", 2 * DAY_MS)]),
        [topic_tombstone("t")],
        "the group stays with its last offset"
    );
}

#[test]
fn offsets_of_an_empty_group_expire_after_its_last_member() {
    for protocol_type in ["consumer", "connect"] {
        assert_eq!(expired_after(6, vec![empty_group(protocol_type)]), []);
        let gone = [topic_tombstone("t"), group_tombstone()];
        assert_eq!(expired_after(7, vec![empty_group(protocol_type)]), gone);
        // Old brokers did not record since when.
        let value = ClassicGroupValue { state_timestamp_ms: -1, ..empty(protocol_type) };
        assert_eq!(expired_after(4, vec![Record::ClassicGroup("g".into(), Some(value))]), gone);
    }
}

/// The live classic group loses its last member, and the age of what it committed does not matter any more.
#[test]
fn the_last_member_goes_and_retention_counts_from_then() {
    for by_session in [false, true] {
        let Record::ClassicGroup(id, Some(mut group)) = classic_group("consumer", &["t"]) else { panic!() };
        group.members[0].session_timeout_ms = 20_000;
        let group = Record::ClassicGroup(id, Some(group));
        let mut world = World::with(vec![group, old_offset("t", 10 * DAY_MS)]);
        world.pass(15_000);
        let written = if by_session {
            world.pass(5_000).concat()
        } else {
            let leaving = LeavingMember { member_id: "m".into(), instance_id: None, reason: None };
            world.send(Request::Leave(LeaveRequest { group_id: "g".into(), members: vec![leaving] })).1
        };
        let [Record::ClassicGroup(_, Some(value))] = &written[..] else { panic!("{written:?}") };
        assert_eq!((value.state_timestamp_ms, value.members.len()), (world.wall_ms(), 0), "{by_session}");
        for reload in [false, true] {
            if reload {
                world.reload();
            }
            assert_eq!(world.pass(3 * DAY_MS).concat(), [], "{by_session}");
        }
        assert_eq!(world.pass(DAY_MS - 1).concat(), [], "{by_session}");
        // The next look finds it.
        let gone = [topic_tombstone("t"), group_tombstone()];
        assert_eq!(world.pass(600_001).concat(), gone, "{by_session}");
    }
}

#[test]
fn offsets_of_topics_that_members_read_do_not_expire() {
    assert_eq!(expired_after(20, vec![classic_group("consumer", &["t", "u"])]), []);
    assert_eq!(expired_after(3, vec![classic_group("consumer", &["u"])]), []);
    assert_eq!(expired_after(4, vec![classic_group("consumer", &["u"])]), [topic_tombstone("t")]);
    assert_eq!(expired_after(20, vec![classic_group("connect", &["u"])]), [], "nobody knows what it reads");
}

/// Whoever joins may read what nobody has read so far.
#[test]
fn offsets_of_a_group_that_rebalances_do_not_expire() {
    let mut world = World::with(vec![classic_group("consumer", &["u"]), old_offset("t", 10 * DAY_MS)]);
    world.settings.offsets_retention_check_ms = 1_000;
    let state = |world: &World| match world.shard.groups.get("g") {
        Some(Group::Classic(group)) => group.state().name(),
        other => panic!("{other:?}"),
    };
    let rejoin = JoinRequest {
        client: Client { id: "c".into(), host: "/127.0.0.1".into() },
        group_id: "g".into(),
        member_id: "m".into(),
        fresh_id: Uuid::from_u128(1),
        instance_id: Some("i".into()),
        session_timeout_ms: 60_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: "consumer".into(),
        protocols: vec![("range".into(), subscription(&["u", "v"]))],
        reason: None,
        member_id_required: false,
        skip_assignment_known: true,
    };
    let other = JoinRequest {
        member_id: String::new(),
        instance_id: None,
        protocols: vec![("range".into(), subscription(&["u"]))],
        ..rejoin.clone()
    };
    world.reload();
    assert_eq!(world.send(Request::Join(other)), (None, vec![]));
    assert_eq!(state(&world), "PreparingRebalance");
    assert_eq!(world.pass(10_000).concat(), []);
    world.send(Request::Join(rejoin));
    assert_eq!(state(&world), "CompletingRebalance");
    assert_eq!(world.pass(10_000).concat(), []);
    let sync = SyncRequest {
        group_id: "g".into(),
        generation: 4,
        member_id: "m".into(),
        instance_id: Some("i".into()),
        protocol_type: None,
        protocol_name: None,
        assignments: Vec::new(),
    };
    world.send(Request::Sync(sync));
    assert_eq!(state(&world), "Stable");
    assert_eq!(world.pass(10_000).concat(), [topic_tombstone("t")]);
}

#[test]
fn offsets_of_old_clients_expire_when_they_said() {
    let mut world = World::with(vec![]);
    let topic = commit_topic("t", &[(0, 5)]);
    let request = OffsetCommitRequest { retention_time_ms: 60_000, ..NOBODY.commit(vec![topic]) };
    world.send(Request::OffsetCommit(request));
    world.settings.offsets_retention_check_ms = 30_000;
    world.reload();
    assert_eq!(world.pass(59_999).concat(), []);
    assert_eq!(world.pass(1).concat(), [topic_tombstone("t"), group_tombstone()]);
}

#[test]
fn offsets_in_a_transaction_do_not_expire() {
    let mut world = World::with(vec![old_offset("t", 30 * DAY_MS), old_offset("u", 30 * DAY_MS)]);
    world.txn_commit(NOBODY, 9, "t", 8);
    assert_eq!(world.pass(DAY_MS).concat(), [topic_tombstone("u")]);
    world.mark(stamp(9), false);
    assert_eq!(world.pass(DAY_MS).concat(), [topic_tombstone("t"), group_tombstone()]);
}

#[test]
fn a_group_whose_only_offsets_are_in_a_transaction_stays() {
    let mut world = World::with(vec![]);
    world.txn_commit(NOBODY, 9, "t", 8);
    assert_eq!(world.pass(30 * DAY_MS).concat(), []);
    world.mark(stamp(9), true);
    assert_eq!(world.fetch("g", "t").0, 8);
}

#[test]
fn an_empty_group_without_offsets_goes_at_the_next_look() {
    let mut world = World::with(vec![empty_group("consumer")]);
    assert_eq!(world.pass(599_999).concat(), []);
    assert_eq!(world.pass(1).concat(), [group_tombstone()]);
    assert!(world.shard.groups.is_empty());
    assert!(world.shard.next_deadline_ms().is_some(), "the next look is set");
}

#[test]
fn expiry_is_done_in_bounded_steps() {
    let offset = |group: usize, partition| {
        let key = OffsetKey { group_id: format!("g{group:03}"), topic: "t".into(), partition };
        let commit_timestamp_ms = WALL_MS - 30 * DAY_MS;
        Record::Offset(key, Some(OffsetValue { commit_timestamp_ms, ..plain(7) }))
    };
    // One group alone needs three steps; the others share.
    let mut records: Vec<Record> = (0..2_600).map(|partition| offset(0, partition)).collect();
    records.extend((1..300).flat_map(|group| (0..10).map(move |partition| offset(group, partition))));
    let mut world = World::with(records);
    let written = world.pass(DAY_MS);
    assert!(
        written.iter().all(|step| step.len() <= 1_100),
        "a step of {:?}",
        written.iter().map(Vec::len).max()
    );
    assert_eq!(written.concat().len(), 2_600 + 299 * 10 + 300);
    assert!(world.shard.groups.is_empty());
    assert!(written.len() <= 8, "{} steps", written.len());
}

#[test]
fn long_names_make_small_steps() {
    let key = |partition| OffsetKey { group_id: "g".repeat(30_000), topic: "t".into(), partition };
    let old = OffsetValue { commit_timestamp_ms: 0, ..plain(7) };
    let mut world = World::with((0..20).map(|index| Record::Offset(key(index), Some(old.clone()))).collect());
    let sizes: Vec<usize> = world.pass(DAY_MS).iter().map(Vec::len).collect();
    assert_eq!(sizes, [9, 9, 3]);
}

#[test]
fn a_look_whose_records_are_not_written_is_repeated() {
    let mut world = World::with(vec![old_offset("t", 30 * DAY_MS)]);
    world.now_ms = 600_000;
    let context = Context {
        now_ms: world.now_ms,
        wall_ms: world.wall_ms(),
        aging_ms: world.wall_ms(),
        topics: &NoTopics,
        settings: &world.settings,
    };
    let step = world.shard.tick(&context);
    assert_eq!(step.records.len(), 2);
    world.shard.write_failed(&context, &step);
    assert_eq!(world.fetch("g", "t").0, 7);
    assert_eq!(world.pass(600_000).concat(), step.records);
}

#[test]
fn a_committed_offset_is_small() {
    assert_eq!(size_of::<store::Committed>(), 48);
}

/// A consumer group `g` at epoch 3: `m` speaks its protocol, `old` the classic one; both read `t`.
fn consumer_group() -> Vec<Record> {
    let mut records = Vec::new();
    for (member_id, classic) in [("m", None), ("old", Some(ClassicMemberMetadata::default()))] {
        let key = MemberKey { group_id: "g".into(), member_id: member_id.into() };
        let member = MemberValue {
            instance_id: None,
            rack_id: None,
            client_id: "c".into(),
            client_host: "/127.0.0.1".into(),
            subscribed_topics: vec!["t".into()],
            subscribed_regex: None,
            rebalance_timeout_ms: i32::MAX,
            server_assignor: None,
            classic: classic.map(|classic| ClassicMemberMetadata { session_timeout_ms: i32::MAX, ..classic }),
        };
        let current = CurrentAssignmentValue {
            member_epoch: 3,
            previous_member_epoch: 2,
            state: 0,
            assigned: Assignment::new(),
            pending_revocation: Assignment::new(),
        };
        records.push(Record::Member(key.clone(), Some(member)));
        records.push(Record::TargetMember(key.clone(), Some(Assignment::new())));
        records.push(Record::CurrentAssignment(key, Some(current)));
    }
    let epoch = ConsumerGroupValue { epoch: 3, metadata_hash: 0 };
    records.push(Record::ConsumerGroup("g".into(), Some(epoch)));
    records.push(Record::TargetEpoch("g".into(), Some(3)));
    records
}

/// The same without members.
fn empty_consumer_group() -> Vec<Record> {
    let epoch = ConsumerGroupValue { epoch: 4, metadata_hash: 0 };
    vec![Record::ConsumerGroup("g".into(), Some(epoch)), Record::TargetEpoch("g".into(), Some(4))]
}

#[test]
fn commits_to_a_consumer_group() {
    let old = By { member_id: "old", ..MEMBER };
    for (by, code, txn_code) in [
        (MEMBER, ErrorCode::None, ErrorCode::None),
        (By { version: 8, ..MEMBER }, ErrorCode::UnsupportedVersion, ErrorCode::None),
        (By { generation: 2, ..MEMBER }, ErrorCode::StaleMemberEpoch, ErrorCode::IllegalGeneration),
        (By { generation: 4, ..MEMBER }, ErrorCode::StaleMemberEpoch, ErrorCode::IllegalGeneration),
        (By { generation: -1, ..MEMBER }, ErrorCode::StaleMemberEpoch, ErrorCode::IllegalGeneration),
        (By { member_id: "x", ..MEMBER }, ErrorCode::UnknownMemberId, ErrorCode::UnknownMemberId),
        (NOBODY, ErrorCode::UnknownMemberId, ErrorCode::None),
        (By { version: 8, ..old }, ErrorCode::None, ErrorCode::None),
        (By { generation: 2, ..old }, ErrorCode::IllegalGeneration, ErrorCode::IllegalGeneration),
    ] {
        let mut world = World::with(consumer_group());
        assert_eq!(world.commit(by.clone(), "t", 5), code, "{by:?}");
        let committed = if code == ErrorCode::None { 5 } else { -1 };
        assert_eq!(world.fetch("g", "t"), (committed, ErrorCode::None), "{by:?}");
        assert_eq!(world.txn_commit(by.clone(), 9, "u", 6), txn_code, "{by:?} in a transaction");
    }
    for (by, code) in [
        (NOBODY, ErrorCode::None),
        (By { generation: -1, ..MEMBER }, ErrorCode::None),
        (MEMBER, ErrorCode::UnknownMemberId),
    ] {
        let mut world = World::with(empty_consumer_group());
        assert_eq!(world.commit(by.clone(), "t", 5), code, "{by:?} to an empty group");
        assert_eq!(world.txn_commit(by.clone(), 9, "t", 5), code, "{by:?} to an empty group");
    }
}

#[test]
fn fetches_of_a_consumer_group() {
    let mut world = World::with(consumer_group());
    world.commit(MEMBER, "t", 5);
    for (member_id, member_epoch, refusal) in [
        (None, -1, None),
        (Some("m"), 3, None),
        (Some("m"), 2, Some(ErrorCode::StaleMemberEpoch)),
        (Some("m"), -1, Some(ErrorCode::StaleMemberEpoch)),
        (Some("x"), 3, Some(ErrorCode::UnknownMemberId)),
        (None, 3, Some(ErrorCode::UnknownMemberId)),
        (Some("old"), 3, None),
        (Some("old"), 2, Some(ErrorCode::IllegalGeneration)),
    ] {
        for topics in [None, Some(vec![FetchTopic { name: "t".into(), id: None, partitions: vec![0] }])] {
            let member_id = member_id.map(str::to_owned);
            let request = OffsetFetchRequest { member_id, member_epoch, ..fetch_request("g", topics) };
            let fetched = world.shard.fetch_offsets(&request);
            assert_eq!(fetched.as_ref().err(), refusal.as_ref(), "{request:?}");
            assert!(fetched.is_err() || fetched.is_ok_and(|topics| topics[0].partitions[0].offset == 5));
        }
    }
}

#[test]
fn deletes_of_a_consumer_group() {
    let mut records = consumer_group();
    records.extend([old_offset("t", 0), old_offset("u", 0)]);
    let mut world = World::with(records);
    let topics = vec![("t".to_owned(), vec![0]), ("u".to_owned(), vec![0])];
    let request = OffsetDeleteRequest { group_id: "g".into(), topics };
    let (reply, records) = world.send(Request::OffsetDelete(request));
    let answer =
        |name: &str, code| CommittedTopic { name: name.into(), id: None, partitions: vec![(0, code)] };
    let answers = vec![answer("t", ErrorCode::GroupSubscribedToTopic), answer("u", ErrorCode::None)];
    assert_eq!((reply, records), (Some(Reply::OffsetDelete(Ok(answers))), vec![topic_tombstone("u")]));
}

#[test]
fn offsets_of_a_consumer_group_expire_after_their_commit() {
    let settings = Settings { consumer_session_timeout_ms: i32::MAX, ..Settings::default() };
    for (group, days, meant) in [
        (consumer_group(), 6, vec![]),
        (consumer_group(), 7, vec![topic_tombstone("u")]),
        (empty_consumer_group(), 6, vec![]),
        (
            empty_consumer_group(),
            7,
            vec![
                topic_tombstone("t"),
                topic_tombstone("u"),
                Record::TargetEpoch("g".into(), None),
                Record::PartitionMetadata("g".into(), None),
                Record::ConsumerGroup("g".into(), None),
            ],
        ),
    ] {
        let mut world = World::with([group, vec![old_offset("t", 0), old_offset("u", 0)]].concat());
        world.settings = Settings { offsets_retention_check_ms: days * DAY_MS, ..settings.clone() };
        world.reload();
        assert_eq!(world.pass(days * DAY_MS).concat(), meant, "{days} days");
    }
}
