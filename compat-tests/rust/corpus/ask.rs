//! Everything that clients can ask a node about, as sorted lines that do not change from start to start.

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use client::Connection;
use model::{BatchHeader, Clock, ErrorCode, Offset};
use records::open::OpenBatch;
use wire::TopicRef;
use wire::fetch::{FetchPartition, FetchPartitionResponse, FetchRequest, FetchTopic};
use wire::messages::describe_configs_request::DescribeConfigsResource;
use wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use wire::messages::offset_fetch_request::OffsetFetchRequestGroup;
use wire::messages::{
    ConsumerGroupDescribeRequest, DescribeConfigsRequest, DescribeGroupsRequest, DescribeTransactionsRequest,
    FindCoordinatorRequest, GroupId, ListGroupsRequest, ListOffsetsRequest, ListTransactionsRequest,
    MetadataRequest, OffsetFetchRequest, TopicName, TransactionalId,
};
use wire::{StrBytes, messages::describe_groups_response::DescribedGroup};

use super::fill::{OPEN, OPEN_GROUP};
use crate::fixture::{Broker, PATIENCE};

const CLUSTER_WIDE: i8 = 4;
const TOPIC: i8 = 2;
/// The timestamp that stands for the first offset.
const EARLIEST: i64 = -2;
const RECORD_BYTES_MAX: usize = 1 << 20;

/// Asks for everything.
pub async fn describe(broker: &Broker) -> String {
    let mut connection = broker.connect().await;
    loaded(&mut connection).await;
    let mut lines = topics(&mut connection).await;
    configs(&mut connection, CLUSTER_WIDE, "", &mut lines).await;
    groups(&mut connection, &mut lines).await;
    transactions(&mut connection, &mut lines).await;
    lines.sort();
    lines.iter().fold(String::new(), |text, line| text + line + "\n")
}

/// Waits until all coordinators have read their logs.
async fn loaded(connection: &mut Connection) {
    let clock = Clock::system();
    while clock.monotonic() < PATIENCE {
        let groups = connection.call(5, &ListGroupsRequest::default()).await.expect("ListGroups is answered");
        let transactions = connection.call(0, &ListTransactionsRequest::default()).await;
        let transactions = transactions.expect("ListTransactions is answered");
        let finds = [find(0, OPEN_GROUP), find(1, OPEN)];
        let mut found = Vec::new();
        for find in &finds {
            let answer = connection.call(6, find).await.expect("FindCoordinator is answered");
            found.push(answer.coordinators[0].error_code);
        }
        if (groups.error_code, transactions.error_code) == (0, 0) && found == [0, 0] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the coordinators have not read their logs within {PATIENCE:?}");
}

fn find(key_type: i8, key: &str) -> FindCoordinatorRequest {
    FindCoordinatorRequest::default().with_key_type(key_type).with_coordinator_keys(vec![text(key)])
}

pub fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

async fn topics(connection: &mut Connection) -> Vec<String> {
    let mut lines = Vec::new();
    let request = MetadataRequest::default().with_topics(None);
    let metadata = connection.call(12, &request).await.expect("Metadata is answered");
    for topic in &metadata.topics {
        let name = topic.name.as_ref().expect("a name").to_string();
        let partitions = topic.partitions.len();
        lines.push(format!("topic {name} id {} partitions {partitions}", topic.topic_id));
        configs(connection, TOPIC, &name, &mut lines).await;
        if !topic.is_internal {
            for partition in &topic.partitions {
                records(connection, &name, partition.partition_index, &mut lines).await;
            }
        }
    }
    lines
}

/// What was set, and not what it is without that.
async fn configs(connection: &mut Connection, kind: i8, name: &str, lines: &mut Vec<String>) {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let answer = connection.call(4, &request).await.expect("DescribeConfigs is answered");
    assert_eq!(answer.results[0].error_code, 0, "{kind} {name}");
    // DYNAMIC_TOPIC_CONFIG and DYNAMIC_DEFAULT_BROKER_CONFIG
    let set = answer.results[0].configs.iter().filter(|config| [1, 3].contains(&config.config_source));
    // A topic shows what is set for all, too.
    let own = set.filter(|config| kind != TOPIC || config.config_source == 1);
    lines.extend(own.map(|config| {
        format!("config {name:?} {} = {}", &*config.name, config.value.as_deref().unwrap_or("null"))
    }));
}

/// All records of a partition with their offsets, and the transactions that consumers leave out. What of the transaction that
/// is open when the node ends is not told: it may be aborted meanwhile.
async fn records(connection: &mut Connection, topic: &str, index: i32, lines: &mut Vec<String>) {
    let name = format!("{topic}-{index}");
    let mut offset = earliest(connection, topic, index).await;
    lines.push(format!("start {name} {offset}"));
    if topic != OPEN {
        aborted(connection, topic, index, offset, lines).await;
    }
    loop {
        let fetched = fetch(connection, topic, index, offset, false).await;
        assert_eq!(fetched.error, ErrorCode::None, "{name} at {offset}");
        let bytes: Bytes = fetched.records.concat().into();
        let after = batches(&name, bytes, offset, topic == OPEN, lines);
        if after >= fetched.high_watermark || after == offset {
            return;
        }
        offset = after;
    }
}

async fn earliest(connection: &mut Connection, topic: &str, index: i32) -> Offset {
    let partition = ListOffsetsPartition::default().with_partition_index(index).with_timestamp(EARLIEST);
    let topic =
        ListOffsetsTopic::default().with_name(TopicName(text(topic))).with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]);
    let answer = connection.call(7, &request).await.expect("ListOffsets is answered");
    let answer = &answer.topics[0].partitions[0];
    assert_eq!(answer.error_code, 0);
    Offset::new(answer.offset)
}

/// And where the partition ends.
async fn aborted(
    connection: &mut Connection,
    topic: &str,
    index: i32,
    from: Offset,
    lines: &mut Vec<String>,
) {
    let committed = fetch(connection, topic, index, from, true).await;
    assert_eq!(committed.last_stable_offset, committed.high_watermark, "{topic}-{index}: nothing is open");
    lines.push(format!("end {topic}-{index} {}", committed.high_watermark));
    lines.extend(committed.aborted_transactions.unwrap_or_default().iter().map(|aborted| {
        format!("aborted {topic}-{index} from {} by {}", aborted.first_offset, aborted.producer_id.value())
    }));
}

/// One answer about one partition.
pub async fn fetch(
    connection: &mut Connection,
    topic: &str,
    index: i32,
    offset: Offset,
    is_committed: bool,
) -> FetchPartitionResponse {
    let partition = FetchPartition::new(index, offset, 16 << 20);
    let topics = vec![FetchTopic { topic: TopicRef::Name(text(topic)), partitions: vec![partition] }];
    let isolation_level = i8::from(is_committed);
    let request = FetchRequest { wants_topic_ids: false, isolation_level, topics, ..FetchRequest::default() };
    let response = connection.call(11, &request).await.expect("Fetch is answered");
    response.topics[0].partitions[0].clone()
}

fn batches(
    name: &str,
    mut bytes: Bytes,
    mut offset: Offset,
    is_open: bool,
    lines: &mut Vec<String>,
) -> Offset {
    while let Ok(header) = BatchHeader::parse(&bytes) {
        if header.size() > bytes.len() {
            break;
        }
        let whole = bytes.split_to(header.size());
        assert!(model::batch::crc_matches(&whole), "{name} at {}", header.base_offset);
        offset = header.last_offset().next();
        if is_open && header.is_control() {
            continue;
        }
        let open = OpenBatch::new(&whole, RECORD_BYTES_MAX).expect("a sound batch");
        for record in open.records() {
            let record = record.expect("a record");
            let mut line =
                format!("record {name} {} at {}", open.offset_of(&record), open.timestamp_of(&record));
            let kind = if header.is_control() { " control" } else { "" };
            let (id, epoch) = (header.producer_id.value(), header.producer_epoch.value());
            write!(line, "{kind} by {id}/{epoch}: {} = {}", shown(record.key), shown(record.value))
                .expect("text");
            for header in record.headers.iter() {
                write!(line, ", {} {}", shown(Some(header.key)), shown(header.value)).expect("text");
            }
            lines.push(line);
        }
    }
    offset
}

/// As one word.
pub fn shown(bytes: Option<&[u8]>) -> String {
    bytes.map_or("null".to_owned(), |bytes| format!("\"{}\"", bytes.escape_ascii()))
}

async fn groups(connection: &mut Connection, lines: &mut Vec<String>) {
    let listed = connection.call(5, &ListGroupsRequest::default()).await.expect("ListGroups is answered");
    for group in listed.groups.iter().filter(|group| &*group.group_id.0 != OPEN_GROUP) {
        let id = &group.group_id;
        let (kind, state, protocol) = (&*group.group_type, &*group.group_state, &*group.protocol_type);
        lines.push(format!("group {} {kind} {state} {protocol:?}", &*id.0));
        offsets(connection, id, lines).await;
        match kind {
            "consumer" => consumer_group(connection, id, lines).await,
            _ => classic_group(connection, id, lines).await,
        }
    }
}

async fn offsets(connection: &mut Connection, id: &GroupId, lines: &mut Vec<String>) {
    let asked = OffsetFetchRequestGroup::default().with_group_id(id.clone()).with_topics(None);
    let request = OffsetFetchRequest::default().with_groups(vec![asked]).with_require_stable(true);
    let answer = connection.call(9, &request).await.expect("OffsetFetch is answered");
    assert_eq!(answer.groups[0].error_code, 0, "{id:?}");
    for topic in &answer.groups[0].topics {
        for partition in &topic.partitions {
            assert_eq!(partition.error_code, 0, "{id:?}");
            lines.push(format!(
                "offset {} {}-{} {} epoch {} {:?}",
                &*id.0,
                &*topic.name.0,
                partition.partition_index,
                partition.committed_offset,
                partition.committed_leader_epoch,
                partition.metadata.as_deref().unwrap_or_default(),
            ));
        }
    }
}

async fn classic_group(connection: &mut Connection, id: &GroupId, lines: &mut Vec<String>) {
    let request = DescribeGroupsRequest::default().with_groups(vec![id.clone()]);
    let answer = connection.call(5, &request).await.expect("DescribeGroups is answered");
    let DescribedGroup { error_code, protocol_data, members, .. } = &answer.groups[0];
    assert_eq!(*error_code, 0, "{id:?}");
    for member in members {
        lines.push(format!(
            "member {} {} instance {:?} protocol {}: {} {}",
            &*id.0,
            &*member.member_id,
            member.group_instance_id.as_deref(),
            &**protocol_data,
            shown(Some(&member.member_metadata)),
            shown(Some(&member.member_assignment)),
        ));
    }
}

async fn consumer_group(connection: &mut Connection, id: &GroupId, lines: &mut Vec<String>) {
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![id.clone()]);
    let answer = connection.call(0, &request).await.expect("ConsumerGroupDescribe is answered");
    let group = &answer.groups[0];
    assert_eq!(group.error_code, 0, "{id:?}");
    let (epoch, assigned) = (group.group_epoch, group.assignment_epoch);
    lines.push(format!("epochs {} {epoch} {assigned} {}", &*id.0, &*group.assignor_name));
    for member in &group.members {
        let shares = member.assignment.topic_partitions.iter();
        let shares: Vec<_> =
            shares.map(|share| format!("{} {:?}", &*share.topic_name.0, share.partitions)).collect();
        let topics: Vec<_> = member.subscribed_topic_names.iter().map(|name| &*name.0).collect();
        let (name, epoch) = (&*member.member_id, member.member_epoch);
        lines.push(format!("member {} {name} epoch {epoch} of {topics:?}: {shares:?}", &*id.0));
    }
}

async fn transactions(connection: &mut Connection, lines: &mut Vec<String>) {
    let listed = connection.call(0, &ListTransactionsRequest::default()).await;
    for listed in listed.expect("ListTransactions is answered").transaction_states {
        let id = &*listed.transactional_id.0;
        let producer = listed.producer_id.0;
        if id == OPEN {
            lines.push(format!("transaction {id} of {producer}"));
            continue;
        }
        let request =
            DescribeTransactionsRequest::default().with_transactional_ids(vec![TransactionalId(text(id))]);
        let answer = connection.call(0, &request).await.expect("DescribeTransactions is answered");
        let found = &answer.transaction_states[0];
        let (state, epoch) = (&*found.transaction_state, found.producer_epoch);
        let (timeout_ms, left) = (found.transaction_timeout_ms, found.topics.len());
        lines.push(format!("transaction {id} of {producer}/{epoch} {state} {timeout_ms} ms, {left} topics"));
    }
}
