//! Groups and committed offsets through the sockets of a real process, across crashes and restarts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use client::{CallError, Connection};
use model::{Clock, ErrorCode};
use wire::StrBytes;
use wire::messages::join_group_request::JoinGroupRequestProtocol;
use wire::messages::leave_group_request::MemberIdentity;
use wire::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use wire::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use wire::messages::sync_group_request::SyncGroupRequestAssignment;
use wire::messages::{
    DeleteGroupsRequest, DeleteTopicsRequest, DescribeGroupsRequest, FindCoordinatorRequest, GroupId,
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, ListGroupsRequest,
    OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, SyncGroupRequest, SyncGroupResponse,
    TopicName,
};

use crate::fixture::{Broker, PATIENCE, ensure_topic};

const PROMPT: &str = "group.initial.rebalance.delay.ms=0";
const TOPIC: &str = "orders";

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

fn group(value: &str) -> GroupId {
    GroupId(text(value))
}

fn topic(value: &str) -> TopicName {
    TopicName(text(value))
}

/// Waits until the group's coordinator is here and has loaded its groups.
async fn ready(connection: &mut Connection, id: &str) {
    let find = FindCoordinatorRequest::default().with_coordinator_keys(vec![text(id)]);
    let clock = Clock::system();
    while clock.monotonic() < PATIENCE {
        let found = connection.call(6, &find).await.expect("FindCoordinator is answered");
        if found.coordinators[0].error_code == 0
            && !retriable(describe(connection, id).await.expect("DescribeGroups is answered").1)
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("no coordinator of {id} within {PATIENCE:?}");
}

fn retriable(code: i16) -> bool {
    [ErrorCode::CoordinatorLoadInProgress, ErrorCode::NotCoordinator, ErrorCode::CoordinatorNotAvailable]
        .iter()
        .any(|retriable| retriable.code() == code)
}

async fn describe(connection: &mut Connection, id: &str) -> Result<(String, i16), CallError> {
    let request = DescribeGroupsRequest::default().with_groups(vec![group(id)]);
    let described = connection.call(6, &request).await?;
    Ok((described.groups[0].group_state.to_string(), described.groups[0].error_code))
}

fn join(id: &str, member: &str, instance: Option<&str>) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from_static(b"\0\0\0\0\0\x01\0\x06orders\0\0\0\0"));
    JoinGroupRequest::default()
        .with_group_id(group(id))
        .with_member_id(text(member))
        .with_group_instance_id(instance.map(text))
        .with_session_timeout_ms(30_000)
        .with_rebalance_timeout_ms(30_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

/// Joins as a client does: with the id it is given, when it has to.
async fn joined(connection: &mut Connection, id: &str) -> JoinGroupResponse {
    let first = connection.call(9, &join(id, "", None)).await.expect("JoinGroup is answered");
    assert_eq!(first.error_code, ErrorCode::MemberIdRequired.code());
    let member = first.member_id.to_string();
    connection.call(9, &join(id, &member, None)).await.expect("JoinGroup is answered")
}

fn sync(id: &str, joined: &JoinGroupResponse, assignments: &[(&str, &'static [u8])]) -> SyncGroupRequest {
    let assignments = assignments.iter().map(|(member, assignment)| {
        SyncGroupRequestAssignment::default()
            .with_member_id(text(member))
            .with_assignment(Bytes::from_static(assignment))
    });
    SyncGroupRequest::default()
        .with_group_id(group(id))
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_protocol_type(Some(text("consumer")))
        .with_protocol_name(Some(text("range")))
        .with_assignments(assignments.collect())
}

async fn heartbeat(connection: &mut Connection, id: &str, joined: &JoinGroupResponse) -> ErrorCode {
    let request = HeartbeatRequest::default()
        .with_group_id(group(id))
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone());
    ErrorCode::from_code(connection.call(4, &request).await.expect("Heartbeat is answered").error_code)
}

fn commit(id: &str, offsets: &[(i32, i64)]) -> OffsetCommitRequest {
    let partitions = offsets.iter().map(|(partition, offset)| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(*partition)
            .with_committed_offset(*offset)
            .with_committed_metadata(Some(text("note")))
    });
    let topics = vec![
        OffsetCommitRequestTopic::default().with_name(topic(TOPIC)).with_partitions(partitions.collect()),
    ];
    OffsetCommitRequest::default().with_group_id(group(id)).with_topics(topics)
}

/// The error codes of the partitions of the first topic.
async fn committed(
    connection: &mut Connection,
    request: &OffsetCommitRequest,
) -> Result<Vec<i16>, CallError> {
    let answer = connection.call(9, request).await?;
    Ok(answer.topics[0].partitions.iter().map(|partition| partition.error_code).collect())
}

fn fetch_all(id: &str) -> OffsetFetchRequest {
    let asked = OffsetFetchRequestGroup::default().with_group_id(group(id)).with_topics(None);
    OffsetFetchRequest::default().with_groups(vec![asked])
}

/// All offsets of the group by partition, or the group's error.
async fn fetched(
    connection: &mut Connection,
    id: &str,
) -> Result<Result<BTreeMap<i32, i64>, i16>, CallError> {
    let answer = connection.call(9, &fetch_all(id)).await?;
    let found = &answer.groups[0];
    if found.error_code != 0 {
        return Ok(Err(found.error_code));
    }
    let partitions = found.topics.iter().flat_map(|topic| &topic.partitions);
    Ok(Ok(partitions.map(|partition| (partition.partition_index, partition.committed_offset)).collect()))
}

#[tokio::test]
async fn a_classic_group_lives_and_goes() {
    let broker = Broker::start(&[PROMPT, "num.partitions=4"]).await;
    let (mut one, mut two) = (broker.connect().await, broker.connect().await);
    ensure_topic(&mut one, TOPIC).await;
    ready(&mut one, "g").await;

    let first = joined(&mut one, "g").await;
    assert_eq!((first.error_code, &first.leader), (0, &first.member_id));
    let synced: SyncGroupResponse =
        one.call(5, &sync("g", &first, &[(&first.member_id, b"all")])).await.expect("answered");
    assert_eq!((synced.error_code, &synced.assignment[..]), (0, &b"all"[..]));
    assert_eq!(heartbeat(&mut one, "g", &first).await, ErrorCode::None);

    // A second member: the first is told to rejoin, and both are in the next generation.
    let waiting = tokio::spawn(async move {
        let joined = joined(&mut two, "g").await;
        (two, joined)
    });
    while heartbeat(&mut one, "g", &first).await != ErrorCode::RebalanceInProgress {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let leader = one.call(9, &join("g", &first.member_id, None)).await.expect("answered");
    let (mut two, follower) = waiting.await.expect("the second joins");
    assert_eq!((leader.generation_id, follower.generation_id), (2, 2));
    assert_eq!((leader.members.len(), follower.members.len()), (2, 0));
    let waiting = {
        let request = sync("g", &follower, &[]);
        tokio::spawn(async move { (two.call(5, &request).await.expect("answered"), two) })
    };
    let shares: [(&str, &'static [u8]); 2] = [(&leader.member_id, b"1"), (&follower.member_id, b"2")];
    let own = one.call(5, &sync("g", &leader, &shares)).await.expect("answered");
    let (theirs, mut two) = waiting.await.expect("the second syncs");
    assert_eq!((&own.assignment[..], &theirs.assignment[..]), (&b"1"[..], &b"2"[..]));

    let request =
        commit("g", &[(0, 5)]).with_generation_id_or_member_epoch(2).with_member_id(leader.member_id.clone());
    assert_eq!(committed(&mut one, &request).await.expect("answered"), [0]);
    let stale = request.clone().with_generation_id_or_member_epoch(1);
    let refused = committed(&mut one, &stale).await.expect("answered");
    assert_eq!(refused, [ErrorCode::IllegalGeneration.code()]);

    let described = describe(&mut one, "g").await.expect("answered");
    assert_eq!(described, ("Stable".to_owned(), 0));
    let listed = one.call(5, &ListGroupsRequest::default()).await.expect("answered");
    let listed = &listed.groups[0];
    assert_eq!(
        (&*listed.protocol_type, &*listed.group_state, &*listed.group_type),
        ("consumer", "Stable", "classic")
    );

    let names = DeleteGroupsRequest::default().with_groups_names(vec![group("g")]);
    let refused = one.call(2, &names).await.expect("answered");
    assert_eq!(refused.results[0].error_code, ErrorCode::NonEmptyGroup.code());
    for (connection, member) in [(&mut one, &leader), (&mut two, &follower)] {
        let leaving = MemberIdentity::default().with_member_id(member.member_id.clone());
        let request = LeaveGroupRequest::default().with_group_id(group("g")).with_members(vec![leaving]);
        let left = connection.call(5, &request).await.expect("answered");
        assert_eq!((left.error_code, left.members[0].error_code), (0, 0));
    }
    assert_eq!(describe(&mut one, "g").await.expect("answered"), ("Empty".to_owned(), 0));
    let deleted = one.call(2, &names).await.expect("answered");
    assert_eq!(deleted.results[0].error_code, 0);
    assert_eq!(fetched(&mut one, "g").await.expect("answered"), Ok(BTreeMap::new()));
    let gone = describe(&mut one, "g").await.expect("answered");
    assert_eq!(gone, ("Dead".to_owned(), ErrorCode::GroupIdNotFound.code()));
}

#[tokio::test]
async fn old_versions_join_and_fetch_as_they_did() {
    let broker = Broker::start(&[PROMPT, "num.partitions=2"]).await;
    let mut connection = broker.connect().await;
    ensure_topic(&mut connection, TOPIC).await;
    ready(&mut connection, "old").await;
    let request = join("old", "", None).with_rebalance_timeout_ms(-1);
    let joined = connection.call(0, &request).await.expect("answered");
    assert_eq!((joined.error_code, joined.generation_id), (0, 1), "no second round before version 4");
    let request =
        sync("old", &joined, &[(&joined.member_id, b"x")]).with_protocol_type(None).with_protocol_name(None);
    assert_eq!(connection.call(0, &request).await.expect("answered").error_code, 0);
    let request = commit("old", &[(0, 7), (9, 1)])
        .with_generation_id_or_member_epoch(1)
        .with_member_id(joined.member_id.clone());
    let answer = connection.call(2, &request).await.expect("answered");
    let codes: BTreeMap<i32, i16> =
        answer.topics[0].partitions.iter().map(|p| (p.partition_index, p.error_code)).collect();
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!(codes, BTreeMap::from([(0, 0), (9, unknown)]));
    let asked = OffsetFetchRequestTopic::default().with_name(topic(TOPIC)).with_partition_indexes(vec![0, 1]);
    let request = OffsetFetchRequest::default().with_group_id(group("old")).with_topics(Some(vec![asked]));
    let answer = connection.call(1, &request).await.expect("answered");
    let offsets: Vec<_> =
        answer.topics[0].partitions.iter().map(|p| (p.committed_offset, p.metadata.as_deref())).collect();
    assert_eq!(offsets, [(7, Some("note")), (-1, Some(""))]);
    let leave = LeaveGroupRequest::default().with_group_id(group("old")).with_member_id(joined.member_id);
    assert_eq!(connection.call(0, &leave).await.expect("answered").error_code, 0);
}

#[tokio::test]
async fn offsets_are_forgotten_one_by_one_and_with_their_topic() {
    let broker = Broker::start(&["num.partitions=4"]).await;
    let mut connection = broker.connect().await;
    ensure_topic(&mut connection, TOPIC).await;
    ready(&mut connection, "simple").await;
    let request = commit("simple", &[(0, 1), (1, 2), (2, 3)]);
    assert_eq!(committed(&mut connection, &request).await.expect("answered"), [0, 0, 0]);
    let partition = OffsetDeleteRequestPartition::default().with_partition_index(1);
    let named = OffsetDeleteRequestTopic::default().with_name(topic(TOPIC)).with_partitions(vec![partition]);
    let request = OffsetDeleteRequest::default().with_group_id(group("simple")).with_topics(vec![named]);
    let answer = connection.call(0, &request).await.expect("answered");
    assert_eq!((answer.error_code, answer.topics[0].partitions[0].error_code), (0, 0));
    let left = fetched(&mut connection, "simple").await.expect("answered");
    assert_eq!(left, Ok(BTreeMap::from([(0, 1), (2, 3)])));

    let request = DeleteTopicsRequest::default().with_topic_names(vec![topic(TOPIC)]).with_timeout_ms(10_000);
    assert_eq!(connection.call(5, &request).await.expect("answered").responses[0].error_code, 0);
    let clock = Clock::system();
    while fetched(&mut connection, "simple").await.expect("answered") != Ok(BTreeMap::new()) {
        assert!(clock.monotonic() < PATIENCE, "the offsets of a deleted topic go with it");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_member_that_hangs_up_while_it_joins_leaves_the_group_whole() {
    let broker = Broker::start(&["group.initial.rebalance.delay.ms=300"]).await;
    let mut connection = broker.connect().await;
    ensure_topic(&mut connection, TOPIC).await;
    ready(&mut connection, "hasty").await;
    for _ in 0..20 {
        let mut hasty = broker.connect().await;
        hasty.send(3, &join("hasty", "", None)).await.expect("sent");
    }
    // Ghosts of a version without a second round stay until their session ends, and keep nobody from being answered.
    let joined = connection.call(3, &join("hasty", "", None)).await.expect("answered");
    assert_eq!(joined.error_code, 0);
}

#[tokio::test]
async fn a_stable_group_stays_stable_over_a_crash() {
    let mut broker = Broker::start(&[PROMPT]).await;
    let mut connection = broker.connect().await;
    ensure_topic(&mut connection, TOPIC).await;
    let mut members = Vec::new();
    for number in 0..20 {
        let id = format!("stable-{number}");
        ready(&mut connection, &id).await;
        let joined = joined(&mut connection, &id).await;
        let request = sync(&id, &joined, &[(&joined.member_id, b"mine")]);
        assert_eq!(connection.call(5, &request).await.expect("answered").error_code, 0);
        members.push((id, joined));
    }
    broker.kill_and_restart().await;
    let mut connection = broker.connect().await;
    for (id, joined) in &members {
        ready(&mut connection, id).await;
        assert_eq!(heartbeat(&mut connection, id, joined).await, ErrorCode::None, "{id}");
        let again = connection.call(5, &sync(id, joined, &[])).await.expect("answered");
        assert_eq!(&again.assignment[..], b"mine");
        assert_eq!(describe(&mut connection, id).await.expect("answered"), ("Stable".to_owned(), 0));
    }
}

const PARTITIONS: i32 = 3;

/// What has been promised of one group's offsets: the largest that was acknowledged, or shown, per partition.
#[derive(Default)]
struct Promised([AtomicI64; PARTITIONS as usize]);

impl Promised {
    fn note(&self, partition: i32, offset: i64) {
        self.0[partition as usize].fetch_max(offset, Ordering::SeqCst);
    }

    fn of(&self, partition: i32) -> i64 {
        self.0[partition as usize].load(Ordering::SeqCst)
    }
}

/// Commits ever larger offsets until the broker is gone.
async fn commit_on(mut connection: Connection, id: String, promised: Arc<Promised>, from: i64) {
    for offset in from.. {
        let offsets: Vec<(i32, i64)> = (0..PARTITIONS).map(|partition| (partition, offset)).collect();
        let Ok(codes) = committed(&mut connection, &commit(&id, &offsets)).await else { return };
        for (code, (partition, offset)) in codes.iter().zip(&offsets) {
            if *code == 0 {
                promised.note(*partition, *offset);
            }
        }
    }
}

/// Reads offsets until the broker is gone: what somebody has seen must not go back either.
async fn watch(mut connection: Connection, id: String, promised: Arc<Promised>) {
    while let Ok(seen) = fetched(&mut connection, &id).await {
        for (partition, offset) in seen.unwrap_or_default() {
            promised.note(partition, offset);
        }
    }
}

#[tokio::test]
async fn no_committed_offset_goes_back_over_kill_9() {
    const GROUPS: usize = 8;
    let mut broker = Broker::start(&["num.partitions=3"]).await;
    let mut connection = broker.connect().await;
    ensure_topic(&mut connection, TOPIC).await;
    let groups: Vec<(String, Arc<Promised>)> =
        (0..GROUPS).map(|number| (format!("g{number}"), Arc::default())).collect();
    for round in 1..=5 {
        let mut running = tokio::task::JoinSet::new();
        for (id, promised) in &groups {
            ready(&mut connection, id).await;
            let from = promised.of(0).max(promised.of(1)).max(promised.of(2)) + 1_000;
            running.spawn(commit_on(broker.connect().await, id.clone(), Arc::clone(promised), from));
            running.spawn(watch(broker.connect().await, id.clone(), Arc::clone(promised)));
        }
        tokio::time::sleep(Duration::from_millis(50 * round)).await;
        broker.kill_and_restart().await;
        while running.join_next().await.is_some() {}

        connection = broker.connect().await;
        for (id, promised) in &groups {
            let clock = Clock::system();
            // From the first moment on: an error, or the truth.
            let offsets = loop {
                match fetched(&mut connection, id).await.expect("OffsetFetch is answered") {
                    Ok(offsets) => break offsets,
                    Err(code) => assert!(retriable(code), "{id}: {code}"),
                }
                assert!(clock.monotonic() < PATIENCE, "the groups are loaded in time");
                tokio::time::sleep(Duration::from_millis(1)).await;
            };
            for partition in 0..PARTITIONS {
                let (found, promised) = (offsets.get(&partition).copied(), promised.of(partition));
                assert!(
                    promised == 0 || found.is_some_and(|found| found >= promised),
                    "{id}, partition {partition}: {promised} was promised, {found:?} is there after crash {round}"
                );
            }
            let named = OffsetFetchRequestTopics::default()
                .with_name(topic(TOPIC))
                .with_partition_indexes((0..PARTITIONS).collect());
            let asked =
                OffsetFetchRequestGroup::default().with_group_id(group(id)).with_topics(Some(vec![named]));
            let request = OffsetFetchRequest::default().with_groups(vec![asked]).with_require_stable(true);
            let answer = connection.call(9, &request).await.expect("answered");
            let by_name = answer.groups[0].topics[0].partitions.iter();
            let by_name: BTreeMap<i32, i64> =
                by_name.map(|partition| (partition.partition_index, partition.committed_offset)).collect();
            assert_eq!(by_name, offsets, "all and each are the same");
        }
    }
}
