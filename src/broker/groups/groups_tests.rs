//! The shell with a real log beneath it: what waits for the disk, and what a start finds.

use std::future::Future;
use std::os::unix::fs::FileExt as _;
use std::pin::pin;
use std::task::{Context as TaskContext, Poll, Waker};

use bytes::Bytes;
use coordinator::group::record::{OffsetKey, OffsetValue, Record};
use model::topic_name::GROUP_METADATA;
use model::{BatchHeader, ErrorCode, ProducerEpoch, ProducerId};
use records::{BatchBuilder, EndTxnMarker};
use storage::{Origin, TxnMarker};
use wire::StrBytes;
use wire::messages::join_group_request::JoinGroupRequestProtocol;
use wire::messages::leave_group_request::MemberIdentity;
use wire::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use wire::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use wire::messages::offset_fetch_response::OffsetFetchResponseGroup;
use wire::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use wire::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, DeleteGroupsRequest, DescribeGroupsRequest,
    FindCoordinatorRequest, GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest,
    ListGroupsRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, SyncGroupRequest,
    TopicName, TransactionalId, TxnOffsetCommitRequest,
};

use crate::handlers::test_support::{TOPIC, TestBroker, run};
use crate::handlers::{
    consumer_group_describe, consumer_group_heartbeat, delete_groups, describe_groups, find_coordinator,
    heartbeat, join_group, leave_group, list_groups, offset_commit, offset_delete, offset_fetch, sync_group,
    txn_offset_commit,
};
use crate::partition::{Acks, Partition};

const GROUP: &str = "group";
const OTHER: &str = "other";

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

/// A node with a topic and a coordinator.
async fn start() -> TestBroker {
    with_coordinator(TestBroker::start()).await
}

async fn with_coordinator(node: TestBroker) -> TestBroker {
    node.create(TOPIC, 4, &[]).await;
    for _ in 0..2 {
        let find = FindCoordinatorRequest::default().with_coordinator_keys(vec![text(GROUP)]);
        find_coordinator::handle(&node.broker, &node.context, find).await;
    }
    node
}

fn commit_request(partition: i32, offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(partition)
        .with_committed_offset(offset)
        .with_committed_metadata(Some(text("")));
    let topic = OffsetCommitRequestTopic::default()
        .with_name(TopicName(text(TOPIC)))
        .with_partitions(vec![partition]);
    OffsetCommitRequest::default().with_group_id(GroupId(text(GROUP))).with_topics(vec![topic])
}

async fn commit(node: &TestBroker, partition: i32, offset: i64) -> ErrorCode {
    let answer = offset_commit::handle(&node.broker, &node.context, commit_request(partition, offset)).await;
    ErrorCode::from_code(answer.topics[0].partitions[0].error_code)
}

/// All offsets of the group, by partition.
async fn fetch(node: &TestBroker) -> Result<Vec<(i32, i64)>, ErrorCode> {
    let group = OffsetFetchRequestGroup::default().with_group_id(GroupId(text(GROUP))).with_topics(None);
    let request = OffsetFetchRequest::default().with_groups(vec![group]);
    let mut answer = offset_fetch::handle(&node.broker, &node.context, request).await;
    let group = answer.groups.remove(0);
    match ErrorCode::from_code(group.error_code) {
        ErrorCode::None => {
            let partitions = group.topics.iter().flat_map(|topic| &topic.partitions);
            Ok(partitions.map(|one| (one.partition_index, one.committed_offset)).collect())
        }
        code => Err(code),
    }
}

/// As [`fetch`], once the group is loaded. Until then nothing else is said.
async fn fetch_loaded(node: &TestBroker) -> Vec<(i32, i64)> {
    loop {
        match fetch(node).await {
            Ok(offsets) => return offsets,
            Err(code) => assert_eq!(code, ErrorCode::CoordinatorLoadInProgress),
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

/// What a group has in these partitions, or in all.
async fn offset_fetch_of(
    node: &TestBroker,
    group: &str,
    partitions: Option<Vec<i32>>,
    require_stable: bool,
) -> OffsetFetchResponseGroup {
    let topics = partitions.map(|partitions| {
        vec![OffsetFetchRequestTopics::default().with_name(name()).with_partition_indexes(partitions)]
    });
    let group = OffsetFetchRequestGroup::default().with_group_id(GroupId(text(group))).with_topics(topics);
    let request = OffsetFetchRequest::default().with_groups(vec![group]).with_require_stable(require_stable);
    offset_fetch::handle(&node.broker, &node.context, request).await.groups.remove(0)
}

fn group_id() -> GroupId {
    GroupId(text(GROUP))
}

fn name() -> TopicName {
    TopicName(text(TOPIC))
}

/// The error of each API's answer but those of fetches and heartbeats.
async fn errors(node: &TestBroker) -> Vec<(&'static str, i16)> {
    let (broker, mut context) = (&node.broker, node.context.clone());
    let committed = commit(node, 0, 9).await.code();
    context.header.api_version = 3;
    let in_transaction = TxnOffsetCommitRequestTopic::default()
        .with_name(name())
        .with_partitions(vec![TxnOffsetCommitRequestPartition::default().with_committed_offset(9)]);
    let in_transaction = TxnOffsetCommitRequest::default()
        .with_transactional_id(TransactionalId(text("transfers")))
        .with_group_id(group_id())
        .with_producer_id(wire::messages::ProducerId(7))
        .with_topics(vec![in_transaction]);
    let in_transaction = txn_offset_commit::handle(broker, &context, in_transaction).await;
    let joined = join_group::handle(broker, &context, join_request()).await;
    let sync = SyncGroupRequest::default().with_group_id(group_id());
    let leave = LeaveGroupRequest::default()
        .with_group_id(group_id())
        .with_members(vec![MemberIdentity::default().with_member_id(text("member"))]);
    let offsets = OffsetDeleteRequestTopic::default()
        .with_name(name())
        .with_partitions(vec![OffsetDeleteRequestPartition::default()]);
    let offsets = OffsetDeleteRequest::default().with_group_id(group_id()).with_topics(vec![offsets]);
    let delete = DeleteGroupsRequest::default().with_groups_names(vec![group_id()]);
    let describe = DescribeGroupsRequest::default().with_groups(vec![group_id()]);
    let beat = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group_id())
        .with_member_id(text("member"))
        .with_rebalance_timeout_ms(1000)
        .with_subscribed_topic_names(Some(vec![name()]))
        .with_topic_partitions(Some(Vec::new()));
    let described = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group_id()]);
    let ended = node.broker.groups.end_transaction(broker.groups.partition_of(GROUP, 0), &marker()).await;
    vec![
        ("OffsetCommit", committed),
        ("TxnOffsetCommit", in_transaction.topics[0].partitions[0].error_code),
        ("JoinGroup", joined.error_code),
        ("SyncGroup", sync_group::handle(broker, &context, sync).await.error_code),
        ("LeaveGroup", leave_group::handle(broker, &context, leave).await.error_code),
        ("OffsetDelete", offset_delete::handle(broker, &context, offsets).await.error_code),
        ("DeleteGroups", delete_groups::handle(broker, &context, delete).await.results[0].error_code),
        ("DescribeGroups", describe_groups::handle(broker, &context, describe).await.groups[0].error_code),
        ("ListGroups", list_groups::handle(broker, &context, ListGroupsRequest::default()).await.error_code),
        ("ConsumerGroupHeartbeat", consumer_group_heartbeat::handle(broker, &context, beat).await.error_code),
        (
            "ConsumerGroupDescribe",
            consumer_group_describe::handle(broker, &context, described).await.groups[0].error_code,
        ),
        ("WriteTxnMarkers", ended.map_or_else(ErrorCode::code, |()| 0)),
    ]
}

fn marker() -> TxnMarker {
    TxnMarker {
        producer_id: ProducerId::new(7),
        producer_epoch: ProducerEpoch::new(0),
        commit: true,
        coordinator_epoch: 0,
        transaction_version: 1,
    }
}

#[test]
fn nothing_is_said_of_groups_before_they_are_loaded() {
    run(async {
        let settings = ["transaction.partition.verification.enable=false"];
        let dir = std::sync::Arc::new(tempfile::tempdir().expect("a directory"));
        let node = TestBroker::start_with(&storage::SystemDisk::shared(), dir, &settings);
        let node = with_coordinator(node).await;
        for (partition, offset) in [(0, 1), (1, 5), (0, 3)] {
            assert_eq!(commit(&node, partition, offset).await, ErrorCode::None);
        }
        let end = log_of(&node).offsets().log_end;

        let node = node.restart_without_loading();
        let loading = ErrorCode::CoordinatorLoadInProgress.code();
        for (partitions, require_stable) in
            [(Some(vec![0, 1, 3]), false), (Some(vec![0, 1, 3]), true), (None, false), (None, true)]
        {
            let group = offset_fetch_of(&node, GROUP, partitions, require_stable).await;
            assert_eq!(group.error_code, loading);
            // Nobody takes this for a partition without an offset, who looks at these alone.
            let partitions = group.topics.iter().flat_map(|topic| &topic.partitions);
            assert!(partitions.clone().all(|partition| partition.error_code == loading), "{group:?}");
        }
        for (api, error) in errors(&node).await {
            assert_eq!(error, loading, "{api}");
        }
        let beat = HeartbeatRequest::default().with_group_id(group_id()).with_member_id(text("member"));
        let beat = heartbeat::handle(&node.broker, &node.context, beat).await;
        assert_eq!(beat.error_code, 0, "members stay until it is known whether they are");
        assert_eq!(log_of(&node).offsets().log_end, end, "nothing was written");

        node.broker.groups.start().expect("starts");
        assert_eq!(fetch_loaded(&node).await, [(0, 3), (1, 5)]);
        let group = offset_fetch_of(&node, GROUP, Some(vec![0, 1, 3]), true).await;
        let partitions = group.topics[0].partitions.iter();
        let found: Vec<_> = partitions.map(|one| (one.committed_offset, one.error_code)).collect();
        assert_eq!(found, [(3, 0), (5, 0), (-1, 0)]);
        node.stop();
    });
}

fn log_of(node: &TestBroker) -> std::sync::Arc<Partition> {
    node.partition(GROUP_METADATA, node.broker.groups.partition_of(GROUP, 0))
}

fn write(node: &TestBroker, batch: Bytes) {
    log_of(node).append_from(Origin::Coordinator, batch, Acks::Committed, 1).expect("written");
}

/// Whether a future ends when it is polled once.
fn ends_at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut TaskContext::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

#[test]
fn a_commit_is_answered_from_the_disk_and_a_read_that_waits_for_nothing_at_once() {
    run(async {
        let node = start().await;
        assert_eq!(commit(&node, 0, 7).await, ErrorCode::None);
        assert_eq!(ends_at_once(fetch(&node)), Some(Ok(vec![(0, 7)])));
        let offsets = log_of(&node).offsets();
        assert_eq!((offsets.high_watermark, offsets.log_end.value()), (offsets.log_end, 1));

        node.stop_syncing();
        assert!(ends_at_once(commit(&node, 0, 9)).is_none(), "it took effect, and is not on disk");
        assert!(ends_at_once(fetch(&node)).is_none(), "nobody is shown what a crash could take back");
        assert_eq!(commit(&node, 1, 1).await, ErrorCode::CoordinatorNotAvailable, "after its timeout");
        assert_eq!(fetch(&node).await, Err(ErrorCode::NotCoordinator));
        node.stop();
    });
}

#[test]
fn a_start_finds_what_was_committed() {
    run(async {
        let node = start().await;
        for (partition, offset) in [(0, 1), (1, 5), (0, 3)] {
            assert_eq!(commit(&node, partition, offset).await, ErrorCode::None);
        }
        let node = node.restart();
        assert_eq!(fetch_loaded(&node).await, [(0, 3), (1, 5)]);
        assert_eq!(commit(&node, 0, 4).await, ErrorCode::None);
        assert_eq!(fetch(&node).await, Ok(vec![(0, 4), (1, 5)]));
        node.stop();
    });
}

fn offset(partition: i32, offset: i64) -> (Bytes, Option<Bytes>) {
    let key = OffsetKey { group_id: GROUP.to_owned(), topic: TOPIC.to_owned(), partition };
    let value = OffsetValue {
        offset,
        leader_epoch: -1,
        metadata: String::new(),
        commit_timestamp_ms: i64::MAX / 2,
        expire_timestamp_ms: -1,
        topic_id: None,
    };
    Record::Offset(key, Some(value)).encode().expect("encoded")
}

fn batch(builder: BatchBuilder, records: &[(Bytes, Option<Bytes>)]) -> Bytes {
    let mut builder = builder;
    for (key, value) in records {
        builder.append(1, Some(key), value.as_deref(), &[]);
    }
    builder.build().expect("built")
}

#[test]
fn a_start_passes_over_types_it_does_not_know() {
    run(async {
        let node = start().await;
        assert_eq!(commit(&node, 0, 1).await, ErrorCode::None);
        let later_type = Bytes::from_static(b"\0\x63later");
        let plain = BatchBuilder::new;
        write(&node, batch(plain(), &[(later_type, Some(Bytes::from_static(b"\0\0"))), offset(0, 1)]));
        write(&node, batch(plain().codec(records::Codec::Zstd, None), &[offset(1, 8)]));
        // Transactions: one is committed, one aborted, one open.
        for (producer, partition, end) in [(50, 2, Some(true)), (51, 3, Some(false)), (52, 1, None)] {
            let (id, epoch) = (ProducerId::new(producer), ProducerEpoch::new(0));
            let builder = plain().producer(id, epoch, -1).transactional();
            let log = log_of(&node);
            let guard = log.begin_verification(id, epoch, -1, false, 1).expect("asked");
            let batch = batch(builder, &[offset(partition, 100 + producer)]);
            log.append_verified(Origin::Coordinator, batch, Acks::Committed, 1, guard).expect("written");
            if let Some(commit) = end {
                let marker = EndTxnMarker { commit, coordinator_epoch: 0 };
                write(&node, marker.batch(1, id, epoch).expect("built"));
            }
        }
        let node = node.restart();
        assert_eq!(fetch_loaded(&node).await, [(0, 1), (1, 8), (2, 150)]);
        node.stop();
    });
}

/// Where the group's log ends, if it could be opened.
fn log_end(node: &TestBroker) -> Option<i64> {
    let index = node.broker.groups.partition_of(GROUP, 0);
    let partition = node.broker.partitions.by_name(GROUP_METADATA, index);
    partition.map(|partition| partition.offsets().log_end.value())
}

/// Of a log that cannot be read nobody is told anything, and nothing is added to it; other logs are served.
async fn assert_not_served(node: &TestBroker, what: &str) {
    let fetched = loaded(node, GROUP).await;
    assert_eq!((fetched.error_code, fetched.topics), (ErrorCode::NotCoordinator.code(), vec![]), "{what}");
    let end = log_end(node);
    assert_eq!(commit(node, 0, 9).await, ErrorCode::NotCoordinator, "{what}");
    assert_eq!(log_end(node), end, "{what}");
    let other = loaded(node, OTHER).await;
    let found = other.topics.iter().flat_map(|topic| &topic.partitions).map(|one| one.committed_offset);
    assert_eq!((other.error_code, found.collect()), (0, vec![5]), "{what}");
}

/// All offsets of a group, or why there are none, once its log was read.
async fn loaded(node: &TestBroker, group: &str) -> OffsetFetchResponseGroup {
    loop {
        let answer = offset_fetch_of(node, group, None, true).await;
        if answer.error_code != ErrorCode::CoordinatorLoadInProgress.code() {
            return answer;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

/// A node with three commits of the group, and one of another in another log.
async fn start_with_commits() -> TestBroker {
    let node = start().await;
    assert_ne!(node.broker.groups.partition_of(GROUP, 0), node.broker.groups.partition_of(OTHER, 0));
    let other = commit_request(0, 5).with_group_id(GroupId(text(OTHER)));
    let answer = offset_commit::handle(&node.broker, &node.context, other).await;
    assert_eq!(answer.topics[0].partitions[0].error_code, 0);
    for (partition, offset) in [(0, 1), (1, 5), (0, 3)] {
        assert_eq!(commit(&node, partition, offset).await, ErrorCode::None);
    }
    node
}

#[test]
fn a_log_with_a_record_that_cannot_be_read_is_not_served() {
    run(async {
        let (key, value) = offset(0, 2);
        let later_version = Some(Bytes::from_static(b"\0\x7f"));
        let mut without_key = BatchBuilder::new();
        without_key.append(1, None, Some(b"value"), &[]);
        for (what, written) in [
            ("a key", batch(BatchBuilder::new(), &[(key.slice(..4), value)])),
            ("a version", batch(BatchBuilder::new(), &[(key, later_version)])),
            ("no key", without_key.build().expect("built")),
        ] {
            let node = start_with_commits().await;
            write(&node, written);
            assert_eq!(commit(&node, 2, 8).await, ErrorCode::None);
            let node = node.restart();
            assert_not_served(&node, what).await;
            node.stop();
        }
    });
}

/// What is damaged in the second of three batches, and how many bytes into it.
const DAMAGES: [(&str, usize); 5] =
    [("base offset", 0), ("length", 8), ("magic", 16), ("CRC", 17), ("value", 100)];

fn damage(log: &std::path::Path, at: usize) {
    let path = log.join("00000000000000000000.log");
    let bytes = std::fs::read(&path).expect("read");
    let at = BatchHeader::parse(&bytes).expect("a batch").size() + at;
    let file = std::fs::File::options().write(true).open(&path).expect("opened");
    file.write_all_at(&[bytes[at] ^ 0x40], at as u64).expect("written");
}

#[test]
fn a_log_with_a_damaged_batch_is_not_served() {
    run(async {
        for (what, at) in DAMAGES {
            let node = start_with_commits().await;
            let log = log_of(&node).dir_name();
            // Once the log is open, so that it is the coordinator who finds it.
            let mut dir = std::path::PathBuf::new();
            let node = node.restart_after(|own| own.clone_into(&mut dir)).restart_without_loading();
            damage(&dir.join(log), at);
            node.broker.groups.start().expect("starts");
            assert_eq!(log_end(&node), Some(3));
            assert_not_served(&node, what).await;
            node.stop();
        }
    });
}

#[test]
fn a_log_that_was_damaged_between_two_lives_is_not_served() {
    run(async {
        for (what, at) in DAMAGES {
            let node = start_with_commits().await;
            let log = log_of(&node).dir_name();
            let node = node.restart_after(|dir| damage(&dir.join(log), at));
            // The stop was clean: the log is opened as it stands, or not at all.
            assert!(log_end(&node).is_none_or(|end| end == 3), "{what}");
            assert_not_served(&node, what).await;
            // And so it is after the next start.
            let node = node.restart();
            assert_not_served(&node, what).await;
            node.stop();
        }
    });
}

#[test]
fn a_group_that_nobody_coordinates_is_told_so() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 1, &[]).await;
        assert_eq!(commit(&node, 0, 1).await, ErrorCode::NotCoordinator);
        let request = HeartbeatRequest::default().with_group_id(GroupId(text(GROUP)));
        let answer = heartbeat::handle(&node.broker, &node.context, request).await;
        assert_eq!(answer.error_code, ErrorCode::NotCoordinator.code());
        node.stop();
    });
}

/// A new member, of an old client that needs no id first.
fn join_request() -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default().with_name(text("range"));
    JoinGroupRequest::default()
        .with_group_id(GroupId(text(GROUP)))
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(300_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

#[test]
fn who_resigns_lets_go_whoever_waits_for_others() {
    run(async {
        let node = start().await;
        let mut context = node.context.clone();
        context.header.api_version = 3;
        {
            let mut join = pin!(join_group::handle(&node.broker, &context, join_request()));
            assert!(ends_at_once(join.as_mut()).is_none(), "the initial delay");
            node.broker.groups.resign();
            let answer = ends_at_once(join).expect("answered");
            assert_eq!(answer.error_code, ErrorCode::NotCoordinator.code());
        }
        let late =
            ends_at_once(join_group::handle(&node.broker, &context, join_request())).expect("answered");
        assert_eq!(late.error_code, ErrorCode::NotCoordinator.code());
        node.stop();
    });
}
