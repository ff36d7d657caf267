//! What the directories of the corpus hold: something of everything that a node keeps.

use std::time::Duration;

use bytes::Bytes;
use client::Connection;
use model::{Clock, ErrorCode, ProducerEpoch, ProducerId};
use records::builder::BatchBuilder;
use records::codec::Codec;
use records::iter::Header;
use wire::TopicRef;
use wire::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use wire::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use wire::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use wire::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use wire::messages::join_group_request::JoinGroupRequestProtocol;
use wire::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::messages::sync_group_request::SyncGroupRequestAssignment;
use wire::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use wire::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, ConsumerGroupHeartbeatRequest, CreateTopicsRequest,
    DeleteRecordsRequest, DeleteTopicsRequest, EndTxnRequest, FindCoordinatorRequest, GroupId,
    IncrementalAlterConfigsRequest, InitProducerIdRequest, InitProducerIdResponse, JoinGroupRequest,
    OffsetCommitRequest, SyncGroupRequest, TopicName, TransactionalId, TxnOffsetCommitRequest,
};
use wire::produce::{
    ProducePartition, ProducePartitionResponse, ProduceRequest, ProduceTopic, TransactionSupport,
};

use super::ask::text;
use crate::fixture::{Broker, PATIENCE};

/// A transactional id whose transaction nobody ends, the topic it is in, and the group whose offsets are in it.
pub const OPEN: &str = "open";
/// See [`OPEN`].
pub const OPEN_GROUP: &str = "open-group";
/// Holds one producer's batches, each of one record, with sequences from 0.
pub const IDEMPOTENT: &str = "idempotent";
/// Far ahead: what goes by records' timestamps, as the state of producers does, does not grow old.
pub const TIME_MS: i64 = 4_000_000_000_000;

/// Keys and values.
type Configs = &'static [(&'static str, &'static str)];

const TOPICS: &[(&str, i32, Configs)] = &[
    ("plain", 2, &[("retention.ms", "-1"), ("max.message.bytes", "2000000")]),
    ("compacted", 1, COMPACTED),
    ("trimmed", 1, &[("retention.bytes", "123456789")]),
    ("cached", 1, &[("write.caching", "true")]),
    ("stamped", 1, &[("message.timestamp.type", "LogAppendTime")]),
    ("transactional", 2, &[]),
    (IDEMPOTENT, 1, &[]),
    (OPEN, 1, &[]),
    ("gone", 1, &[]),
];
/// Every batch begins a segment, and all but the last are compacted at once. Tombstones stay.
const COMPACTED: Configs = &[
    ("cleanup.policy", "compact"),
    ("segment.ms", "1"),
    ("min.cleanable.dirty.ratio", "0.01"),
    ("delete.retention.ms", "9223372036854775807"),
];
/// Half an hour, the most that a group may have.
const SESSION_MS: i32 = 1_800_000;

/// What goes on from one broker to the next.
#[derive(Default)]
pub struct Sent {
    idempotent: Option<InitProducerIdResponse>,
    sequence: i32,
    consumer: Option<(String, i32)>,
}

/// The first broker of a directory.
pub async fn fill(broker: &Broker, sent: &mut Sent) {
    let mut connection = broker.connect().await;
    create(&mut connection).await;
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let values = [Some(&b"a value, and again a value"[..]), None, Some(b"")];
        let batch = records(BatchBuilder::new().codec(codec, None), TIME_MS, b"key", &values);
        append(&mut connection, "plain", i32::from(codec == Codec::Lz4), None, batch).await;
    }
    for (number, (key, value)) in
        [("a", "1"), ("b", "2"), ("a", "3"), ("c", ""), ("b", "4"), ("d", "5")].iter().enumerate()
    {
        let value = Some(value.as_bytes()).filter(|value| !value.is_empty());
        let time_ms = TIME_MS + 1_000 * number as i64;
        let batch = records(BatchBuilder::new(), time_ms, key.as_bytes(), &[value]);
        append(&mut connection, "compacted", 0, None, batch).await;
    }
    for topic in ["trimmed", "cached", "stamped", "gone"] {
        for value in [b"one", b"two", b"six"] {
            let batch = records(BatchBuilder::new(), TIME_MS, b"key", &[Some(value)]);
            append(&mut connection, topic, 0, None, batch).await;
        }
    }
    delete(&mut connection).await;
    alter(&mut connection, 2, "plain", "retention.ms", "86400000000").await;
    alter(&mut connection, 4, "", "log.cleaner.dedupe.buffer.size", "8388608").await;

    let producer = initialize(&mut connection, None, 60_000).await;
    in_sequence(&mut connection, &producer, 0..3).await;
    (sent.idempotent, sent.sequence) = (Some(producer), 3);
    transaction(&mut connection, "committed", true).await;
    transaction(&mut connection, "aborted", false).await;
    commit(&mut connection, "simple", "", -1, &[(0, 3), (1, 1)]).await;
    classic_member(&mut connection, "classic").await;
    sent.consumer = Some(consumer_member(&mut connection, "modern").await);
    compacted(broker).await;
}

/// The second, which ends in the way of the entry, twice: small appends to logs that are there.
pub async fn fill_on(broker: &Broker, sent: &mut Sent) {
    let mut connection = broker.connect().await;
    let (producer, sequence) = (sent.idempotent.clone().expect("the first has made one"), sent.sequence);
    in_sequence(&mut connection, &producer, sequence..sequence + 3).await;
    sent.sequence += 3;
    for topic in ["plain", OPEN] {
        let batch = records(BatchBuilder::new(), TIME_MS, b"late", &[Some(b"a value of the second broker")]);
        append(&mut connection, topic, 0, None, batch).await;
    }
    transaction(&mut connection, "committed", true).await;
    transaction(&mut connection, "late", true).await;
    commit(&mut connection, "simple", "", -1, &[(1, 2)]).await;
    let (member, epoch) = sent.consumer.clone().expect("the first has made one");
    commit(&mut connection, "modern", &member, epoch, &[(0, i64::from(sequence))]).await;
}

/// And its last: a transaction that nobody ends.
pub async fn leave_open(broker: &Broker) {
    begin(&mut broker.connect().await, OPEN, OPEN, OPEN_GROUP).await;
}

async fn create(connection: &mut Connection) {
    let topics = TOPICS.iter().map(|(name, partitions, configs)| {
        let configs = configs.iter().map(|(key, value)| {
            CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value)))
        });
        CreatableTopic::default()
            .with_name(TopicName(text(name)))
            .with_num_partitions(*partitions)
            .with_replication_factor(1)
            .with_configs(configs.collect())
    });
    let request = CreateTopicsRequest::default().with_topics(topics.collect()).with_timeout_ms(10_000);
    let answer = connection.call(7, &request).await.expect("CreateTopics is answered");
    assert!(answer.topics.iter().all(|topic| topic.error_code == 0), "{answer:?}");
}

/// Records below offset 2, and a topic.
async fn delete(connection: &mut Connection) {
    let partition = DeleteRecordsPartition::default().with_partition_index(0).with_offset(2);
    let topic =
        DeleteRecordsTopic::default().with_name(TopicName(text("trimmed"))).with_partitions(vec![partition]);
    let request = DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
    let answer = connection.call(2, &request).await.expect("DeleteRecords is answered");
    assert_eq!(answer.topics[0].partitions[0].low_watermark, 2);
    let request = DeleteTopicsRequest::default()
        .with_topic_names(vec![TopicName(text("gone"))])
        .with_timeout_ms(10_000);
    let answer = connection.call(5, &request).await.expect("DeleteTopics is answered");
    assert_eq!(answer.responses[0].error_code, 0);
}

async fn alter(connection: &mut Connection, kind: i8, name: &str, key: &str, value: &str) {
    let config = AlterableConfig::default().with_name(text(key)).with_value(Some(text(value)));
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let answer = connection.call(1, &request).await.expect("IncrementalAlterConfigs is answered");
    assert_eq!(answer.responses[0].error_code, 0, "{answer:?}");
}

fn records(mut builder: BatchBuilder, time_ms: i64, key: &[u8], values: &[Option<&[u8]>]) -> Bytes {
    let twice = [Header { key: b"h", value: Some(b"1") }, Header { key: b"h", value: None }];
    for value in values {
        builder.append(time_ms, Some(key), *value, &twice);
    }
    builder.build().expect("a batch")
}

/// A batch as a producer with acks=all sends it.
pub async fn append(
    connection: &mut Connection,
    topic: &str,
    partition: i32,
    transactional_id: Option<&str>,
    batch: Bytes,
) -> ProducePartitionResponse {
    let partitions = vec![ProducePartition { partition, records: Some(batch) }];
    let request = ProduceRequest {
        transactional_id: transactional_id.map(text),
        acks: -1,
        timeout_ms: 10_000,
        topics: vec![ProduceTopic { topic: TopicRef::Name(text(topic)), partitions }],
        zstd_allowed: true,
        transaction_support: TransactionSupport::Classic,
    };
    let answer = connection.call(9, &request).await.expect("Produce is answered");
    let answer = answer.topics[0].partitions[0].clone();
    assert_eq!(answer.error, ErrorCode::None, "{topic}-{partition}");
    answer
}

/// Batch number `sequence` of the producer of [`IDEMPOTENT`].
pub fn idempotent(producer: (i64, i16), sequence: i32) -> Bytes {
    let (id, epoch) = (ProducerId::new(producer.0), ProducerEpoch::new(producer.1));
    let value = format!("value {sequence}");
    records(BatchBuilder::new().producer(id, epoch, sequence), TIME_MS, b"key", &[Some(value.as_bytes())])
}

async fn in_sequence(
    connection: &mut Connection,
    producer: &InitProducerIdResponse,
    sequences: std::ops::Range<i32>,
) {
    for sequence in sequences {
        let batch = idempotent((producer.producer_id.0, producer.producer_epoch), sequence);
        let answer = append(connection, IDEMPOTENT, 0, None, batch).await;
        assert_eq!(answer.base_offset.value(), i64::from(sequence));
    }
}

/// A producer's id and epoch, as soon as there is a coordinator.
pub async fn initialize(
    connection: &mut Connection,
    id: Option<&str>,
    timeout_ms: i32,
) -> InitProducerIdResponse {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(id.map(|id| TransactionalId(text(id))))
        .with_transaction_timeout_ms(timeout_ms)
        .with_producer_id((-1).into())
        .with_producer_epoch(-1);
    let clock = Clock::system();
    loop {
        if let Some(id) = id {
            coordinated(connection, 1, id).await;
        }
        let answer = connection.call(4, &request).await.expect("InitProducerId is answered");
        if answer.error_code == 0 {
            return answer;
        }
        assert!(clock.monotonic() < PATIENCE, "{id:?}: {answer:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until there is a coordinator.
async fn coordinated(connection: &mut Connection, key_type: i8, key: &str) {
    let find =
        FindCoordinatorRequest::default().with_key_type(key_type).with_coordinator_keys(vec![text(key)]);
    let clock = Clock::system();
    loop {
        let found = connection.call(6, &find).await.expect("FindCoordinator is answered");
        if found.coordinators[0].error_code == 0 {
            return;
        }
        assert!(clock.monotonic() < PATIENCE, "{key}: {found:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// One record in each partition of `transactional` and an offset, and their end.
async fn transaction(connection: &mut Connection, id: &str, is_committed: bool) {
    let (producer_id, epoch) = begin(connection, id, "transactional", "in-transactions").await;
    let request = EndTxnRequest::default()
        .with_transactional_id(TransactionalId(text(id)))
        .with_producer_id(producer_id.into())
        .with_producer_epoch(epoch)
        .with_committed(is_committed);
    let answer = connection.call(3, &request).await.expect("EndTxn is answered");
    assert_eq!(answer.error_code, 0, "{id}");
    // Its markers are there once the next is initialized; nothing comes of that but an epoch.
    initialize(connection, Some(id), SESSION_MS / 2).await;
}

async fn begin(connection: &mut Connection, id: &str, topic: &str, group: &str) -> (i64, i16) {
    let begun = initialize(connection, Some(id), SESSION_MS / 2).await;
    let (producer_id, epoch) = (begun.producer_id, begun.producer_epoch);
    let partitions = if topic == OPEN { vec![0] } else { vec![0, 1] };
    let added = AddPartitionsToTxnTopic::default()
        .with_name(TopicName(text(topic)))
        .with_partitions(partitions.clone());
    let request = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(TransactionalId(text(id)))
        .with_v3_and_below_producer_id(producer_id)
        .with_v3_and_below_producer_epoch(epoch)
        .with_v3_and_below_topics(vec![added]);
    let answer = connection.call(3, &request).await.expect("AddPartitionsToTxn is answered");
    let results = &answer.results_by_topic_v3_and_below[0].results_by_partition;
    assert!(results.iter().all(|result| result.partition_error_code == 0), "{answer:?}");
    for partition in partitions {
        let builder =
            BatchBuilder::new().producer(ProducerId::new(producer_id.0), ProducerEpoch::new(epoch), 0);
        let batch = records(builder.transactional(), TIME_MS, b"key", &[Some(id.as_bytes())]);
        append(connection, topic, partition, Some(id), batch).await;
    }
    offset_in_transaction(connection, id, group, &begun).await;
    (producer_id.0, epoch)
}

async fn offset_in_transaction(
    connection: &mut Connection,
    id: &str,
    group: &str,
    begun: &InitProducerIdResponse,
) {
    let request = AddOffsetsToTxnRequest::default()
        .with_transactional_id(TransactionalId(text(id)))
        .with_producer_id(begun.producer_id)
        .with_producer_epoch(begun.producer_epoch)
        .with_group_id(GroupId(text(group)));
    let answer = connection.call(3, &request).await.expect("AddOffsetsToTxn is answered");
    assert_eq!(answer.error_code, 0, "{id}");
    coordinated(connection, 0, group).await;
    let partition = TxnOffsetCommitRequestPartition::default()
        .with_partition_index(0)
        .with_committed_offset(3)
        .with_committed_metadata(Some(text(id)));
    let topic = TxnOffsetCommitRequestTopic::default()
        .with_name(TopicName(text("plain")))
        .with_partitions(vec![partition]);
    let request = TxnOffsetCommitRequest::default()
        .with_transactional_id(TransactionalId(text(id)))
        .with_group_id(GroupId(text(group)))
        .with_producer_id(begun.producer_id)
        .with_producer_epoch(begun.producer_epoch)
        .with_generation_id(-1)
        .with_topics(vec![topic]);
    let clock = Clock::system();
    loop {
        let answer = connection.call(3, &request).await.expect("TxnOffsetCommit is answered");
        if answer.topics[0].partitions[0].error_code == 0 {
            return;
        }
        assert!(clock.monotonic() < PATIENCE, "{id}: {answer:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Commits offsets of `plain`: as nobody's member with epoch -1.
async fn commit(connection: &mut Connection, group: &str, member: &str, epoch: i32, offsets: &[(i32, i64)]) {
    coordinated(connection, 0, group).await;
    let partitions = offsets.iter().map(|(partition, offset)| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(*partition)
            .with_committed_offset(*offset)
            .with_committed_leader_epoch(0)
            .with_committed_metadata(Some(text("a note")))
    });
    let topic = OffsetCommitRequestTopic::default()
        .with_name(TopicName(text("plain")))
        .with_partitions(partitions.collect());
    let request = OffsetCommitRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_member_id(text(member))
        .with_generation_id_or_member_epoch(epoch)
        .with_topics(vec![topic]);
    let clock = Clock::system();
    loop {
        let answer = connection.call(9, &request).await.expect("OffsetCommit is answered");
        if answer.topics[0].partitions.iter().all(|partition| partition.error_code == 0) {
            return;
        }
        assert!(clock.monotonic() < PATIENCE, "{group}: {answer:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A member with a name of its own, which stays.
async fn classic_member(connection: &mut Connection, group: &str) {
    commit(connection, group, "", -1, &[(0, 1)]).await;
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from_static(b"\0\0\0\0\0\x01\0\x05plain\0\0\0\0"));
    let request = JoinGroupRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_group_instance_id(Some(text("instance")))
        .with_session_timeout_ms(SESSION_MS)
        .with_rebalance_timeout_ms(SESSION_MS)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol]);
    let joined = connection.call(9, &request).await.expect("JoinGroup is answered");
    assert_eq!(joined.error_code, 0, "{joined:?}");
    let share = SyncGroupRequestAssignment::default()
        .with_member_id(joined.member_id.clone())
        .with_assignment(Bytes::from_static(b"both"));
    let request = SyncGroupRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id)
        .with_group_instance_id(Some(text("instance")))
        .with_protocol_type(Some(text("consumer")))
        .with_protocol_name(Some(text("range")))
        .with_assignments(vec![share]);
    let synced = connection.call(5, &request).await.expect("SyncGroup is answered");
    assert_eq!(synced.error_code, 0, "{synced:?}");
}

/// A member of a group of the new protocol, which stays; its name and epoch.
async fn consumer_member(connection: &mut Connection, group: &str) -> (String, i32) {
    coordinated(connection, 0, group).await;
    let mut member = (String::new(), 0);
    let clock = Clock::system();
    loop {
        let is_first = member.0.is_empty();
        let request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_member_id(text(&member.0))
            .with_member_epoch(member.1)
            .with_rebalance_timeout_ms(if is_first { SESSION_MS } else { -1 })
            .with_subscribed_topic_names(is_first.then(|| vec![TopicName(text("plain"))]))
            .with_topic_partitions(is_first.then(Vec::new));
        let answer = connection.call(0, &request).await.expect("ConsumerGroupHeartbeat is answered");
        if answer.error_code == 0 {
            let is_assigned = answer.assignment.is_some_and(|share| !share.topic_partitions.is_empty());
            member = (answer.member_id.map_or(member.0, |id| id.to_string()), answer.member_epoch);
            if is_assigned {
                return member;
            }
        }
        assert!(clock.monotonic() < PATIENCE, "{group} has no share");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until everything before the last segment is compacted.
async fn compacted(broker: &Broker) {
    let clock = Clock::system();
    while clock.monotonic() < PATIENCE {
        let names = std::fs::read_dir(broker.data().join("compacted-0")).expect("the log's directory");
        let names = names.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        let bases = names.filter_map(|name| name.strip_suffix(".log")?.parse::<u64>().ok());
        let last = bases.max().expect("a segment");
        let done = std::fs::read_to_string(broker.data().join("cleaner-offset-checkpoint"));
        if done.unwrap_or_default().lines().any(|line| line == format!("compacted 0 {last}")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not compacted within {PATIENCE:?}");
}
