//! The smaller APIs of the data plane, against a broker in this process.

use model::ErrorCode;
use wire::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use wire::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use wire::messages::describe_log_dirs_request::DescribableLogDirTopic;
use wire::messages::describe_producers_request::TopicRequest;
use wire::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use wire::messages::{
    AlterReplicaLogDirsRequest, DeleteRecordsRequest, DescribeLogDirsRequest, DescribeProducersRequest,
    InitProducerIdRequest, OffsetForLeaderEpochRequest,
};

use super::answer::{text, topic_name};
use super::test_support::{TOPIC, TestBroker, batch_at, run};

fn delete(topic: &str, partition: i32, offset: i64) -> DeleteRecordsRequest {
    let partition = DeleteRecordsPartition::default().with_partition_index(partition).with_offset(offset);
    let topic = DeleteRecordsTopic::default().with_name(topic_name(topic)).with_partitions(vec![partition]);
    DeleteRecordsRequest::default().with_topics(vec![topic])
}

async fn deleted(node: &TestBroker, request: DeleteRecordsRequest) -> (i16, i64) {
    let response = super::delete_records::handle(&node.broker, &node.context, request).await;
    let result = &response.topics[0].partitions[0];
    (result.error_code, result.low_watermark)
}

#[test]
fn deleted_records_stay_deleted() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 1, &[]).await;
        node.create("compacted", 1, &[("cleanup.policy", "compact")]).await;
        node.append(0, batch_at(&[1, 2, 3])).await;
        assert_eq!(deleted(&node, delete(TOPIC, 0, 2)).await, (0, 2));
        assert_eq!(deleted(&node, delete(TOPIC, 0, 9)).await, (ErrorCode::OffsetOutOfRange.code(), -1));
        let unknown = (ErrorCode::UnknownTopicOrPartition.code(), -1);
        assert_eq!(deleted(&node, delete(TOPIC, 1, 0)).await, unknown);
        let policy = (ErrorCode::PolicyViolation.code(), -1);
        assert_eq!(deleted(&node, delete("compacted", 0, 0)).await, policy);

        let node = node.restart();
        assert_eq!(node.partition(TOPIC, 0).offsets().log_start, model::Offset::new(2));
        assert_eq!(deleted(&node, delete(TOPIC, 0, -1)).await, (0, 3), "up to the high watermark");
        node.stop();
    });
}

#[test]
fn epochs_end_where_the_log_says() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 1, &[]).await;
        node.append(0, batch_at(&[1, 2])).await;
        let look_up = async |partition, current, epoch| {
            let asked = OffsetForLeaderPartition::default()
                .with_partition(partition)
                .with_current_leader_epoch(current)
                .with_leader_epoch(epoch);
            let topic =
                OffsetForLeaderTopic::default().with_topic(topic_name(TOPIC)).with_partitions(vec![asked]);
            let request = OffsetForLeaderEpochRequest::default().with_topics(vec![topic]);
            let response = super::offset_for_leader_epoch::handle(&node.broker, &node.context, request).await;
            let found = response.topics[0].partitions[0].clone();
            (found.error_code, found.leader_epoch, found.end_offset)
        };
        assert_eq!(look_up(0, -1, 0).await, (0, 0, 2));
        assert_eq!(look_up(0, 0, 7).await, (0, -1, -1));
        assert_eq!(look_up(0, 3, 0).await, (ErrorCode::UnknownLeaderEpoch.code(), -1, -1));
        assert_eq!(look_up(4, -1, 0).await, (ErrorCode::UnknownTopicOrPartition.code(), -1, -1));
        node.stop();
    });
}

#[test]
fn producer_ids_are_never_given_twice() {
    run(async {
        let node = TestBroker::start();
        let none = || {
            InitProducerIdRequest::default()
                .with_transactional_id(None)
                .with_producer_id((-1).into())
                .with_producer_epoch(-1)
        };
        let init = async |node: &TestBroker, request| {
            let response = super::init_producer_id::handle(&node.broker, &node.context, request).await;
            (response.error_code, response.producer_id.0, response.producer_epoch)
        };
        let (code, first, epoch) = init(&node, none()).await;
        assert_eq!((code, epoch), (0, 0));
        assert_eq!(init(&node, none()).await, (0, first + 1, 0));
        let known = none().with_producer_id(first.into()).with_producer_epoch(0);
        assert_eq!(init(&node, known).await, (0, first + 2, 0), "an id of its own means nothing");
        let half = none().with_producer_epoch(1);
        assert_eq!(init(&node, half).await, (ErrorCode::InvalidRequest.code(), -1, -1));
        let empty = none().with_transactional_id(Some(text("").into()));
        assert_eq!(init(&node, empty).await, (ErrorCode::InvalidRequest.code(), -1, -1));
        let transactional = none().with_transactional_id(Some(text("tx").into()));
        let timeless = init(&node, transactional.clone()).await;
        assert_eq!(timeless, (ErrorCode::InvalidTransactionTimeout.code(), -1, -1));
        let transactional = transactional.with_transaction_timeout_ms(1);
        assert_eq!(init(&node, transactional).await, (ErrorCode::NotCoordinator.code(), -1, -1));

        let node = node.restart();
        let (code, later, _) = init(&node, none()).await;
        assert!(code == 0 && later > first + 2, "{later} after {first}");
        node.stop();
    });
}

#[test]
fn producers_are_described() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 1, &[]).await;
        let producer =
            records::BatchBuilder::new().producer(model::ProducerId::new(4), model::ProducerEpoch::new(1), 0);
        let mut batch = producer;
        batch.append(77, Some(b"key"), Some(b"value"), &[]);
        node.append(0, batch.build().unwrap()).await;
        let describe = async |topic: &str, partition| {
            let topic =
                TopicRequest::default().with_name(topic_name(topic)).with_partition_indexes(vec![partition]);
            let request = DescribeProducersRequest::default().with_topics(vec![topic]);
            let response = super::describe_producers::handle(&node.broker, &node.context, request).await;
            response.topics[0].partitions[0].clone()
        };
        let found = describe(TOPIC, 0).await;
        assert_eq!((found.error_code, found.active_producers.len()), (0, 1));
        let producer = &found.active_producers[0];
        assert_eq!((producer.producer_id.0, producer.producer_epoch, producer.last_sequence), (4, 1, 0));
        assert_eq!((producer.coordinator_epoch, producer.current_txn_start_offset), (-1, -1));
        let missing = describe(TOPIC, 1).await;
        let unknown = ErrorCode::UnknownTopicOrPartition.code();
        assert_eq!((missing.error_code, missing.error_message), (unknown, None));
        let absent = describe("absent", 0).await;
        assert_eq!(absent.error_code, unknown);
        assert!(absent.error_message.is_some());
        assert_eq!(describe("no/name", 0).await.error_code, ErrorCode::InvalidTopicException.code());
        node.stop();
    });
}

#[test]
fn log_directories_are_described_with_their_partitions() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 2, &[]).await;
        node.append(1, batch_at(&[1, 2])).await;
        let describe = async |request| {
            super::describe_log_dirs::handle(&node.broker, &node.context, request).await.results.remove(0)
        };
        let all = describe(DescribeLogDirsRequest::default().with_topics(None)).await;
        assert_eq!((all.error_code, all.topics.len(), all.topics[0].partitions.len()), (0, 1, 2));
        assert_eq!(all.topics[0].partitions[1].partition_size, batch_at(&[1, 2]).len() as i64);
        assert!(all.total_bytes >= all.usable_bytes && all.usable_bytes > 0);
        assert!(all.log_dir.starts_with('/'));
        let one = DescribableLogDirTopic::default().with_topic(topic_name(TOPIC)).with_partitions(vec![1, 9]);
        let some = describe(DescribeLogDirsRequest::default().with_topics(Some(vec![one]))).await;
        assert_eq!(some.topics[0].partitions.len(), 1);
        let none = describe(DescribeLogDirsRequest::default().with_topics(Some(vec![]))).await;
        assert!(none.topics.is_empty());

        let alter = async |path: &str, topic: &str, partition| {
            let topic = AlterReplicaLogDirTopic::default()
                .with_name(topic_name(topic))
                .with_partitions(vec![partition]);
            let dir = AlterReplicaLogDir::default().with_path(text(path)).with_topics(vec![topic]);
            let request = AlterReplicaLogDirsRequest::default().with_dirs(vec![dir]);
            let response = super::alter_replica_log_dirs::handle(&node.broker, &node.context, request).await;
            ErrorCode::from_code(response.results[0].partitions[0].error_code)
        };
        let here = all.log_dir.to_string();
        assert_eq!(alter(&here, TOPIC, 0).await, ErrorCode::None, "it is there already");
        assert_eq!(alter("/elsewhere", TOPIC, 0).await, ErrorCode::LogDirNotFound);
        assert_eq!(alter(&here, TOPIC, 7).await, ErrorCode::UnknownTopicOrPartition);
        assert_eq!(alter(&here, &"x".repeat(240), 0).await, ErrorCode::InvalidTopicException);
        node.stop();
    });
}
