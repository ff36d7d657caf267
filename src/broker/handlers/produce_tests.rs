use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use model::{ProducerEpoch, ProducerId, TopicId};
use records::BatchBuilder;
use uuid::Uuid;

use super::*;
use crate::handlers::test_support::{TOPIC, TestBroker, batch_at, context_of, named, produce, run};

const NOW: &[i64] = &[1, 2, 3];

async fn respond(node: &TestBroker, request: ProduceRequest) -> ProduceResponse {
    match handle(&node.broker, &node.context, request, None).await {
        ProduceOutcome::Respond(response) => response,
        other => panic!("{other:?}"),
    }
}

async fn answer(node: &TestBroker, request: ProduceRequest) -> ProducePartitionResponse {
    let mut response = respond(node, request).await;
    response.topics.remove(0).partitions.remove(0)
}

fn keyless() -> Bytes {
    let mut builder = BatchBuilder::new();
    builder.append(1, Some(b"key"), Some(b"value"), &[]).append(1, None, Some(b"value"), &[]);
    builder.build().unwrap()
}

fn transactional() -> Bytes {
    let producer = BatchBuilder::new().producer(ProducerId::new(4), ProducerEpoch::new(0), 0).transactional();
    let mut builder = producer;
    builder.append(1, Some(b"key"), Some(b"value"), &[]);
    builder.build().unwrap()
}

#[test]
fn acknowledged_records_have_their_offsets_and_are_committed() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 1, &[]).await;
        for (acks, base) in [(-1, 0), (1, 3), (-1, 6)] {
            let answer = answer(&node, produce(acks, TOPIC, 0, batch_at(NOW))).await;
            assert_eq!(answer.error, ErrorCode::None);
            assert_eq!((answer.base_offset, answer.log_start_offset), (Offset::new(base), Offset::ZERO));
            assert_eq!((answer.log_append_time_ms, answer.error_message), (-1, None));
        }
        assert!(node.partition(TOPIC, 0).is_committed(Offset::new(9)));
        node.stop();
    });
}

#[test]
fn all_appends_happen_before_the_first_wait() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 2, &[]).await;
        let mut request = produce(-1, TOPIC, 0, batch_at(NOW));
        let second = produce(-1, TOPIC, 1, batch_at(NOW)).topics.remove(0).partitions.remove(0);
        request.topics[0].partitions.push(second);
        {
            let mut handling = pin!(handle(&node.broker, &node.context, request, None));
            let polled = handling.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            for index in 0..2 {
                assert_eq!(node.partition(TOPIC, index).offsets().log_end, Offset::new(3));
            }
            assert!(matches!(polled, Poll::Pending | Poll::Ready(ProduceOutcome::Respond(_))));
        }
        node.stop();
    });
}

#[test]
fn acks_0_is_silent_and_an_error_closes_the_connection() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 1, &[]).await;
        let fine = handle(&node.broker, &node.context, produce(0, TOPIC, 0, batch_at(NOW)), None).await;
        assert!(matches!(fine, ProduceOutcome::Silent));
        assert_eq!(node.partition(TOPIC, 0).offsets().log_end, Offset::new(3));
        let failed = handle(&node.broker, &node.context, produce(0, "absent", 0, batch_at(NOW)), None).await;
        let ProduceOutcome::Close(why) = failed else { panic!("{failed:?}") };
        assert!(why.contains("absent") && why.contains("UNKNOWN_TOPIC_OR_PARTITION"), "{why}");
        node.stop();
    });
}

#[test]
fn each_refusal_has_kafkas_code() {
    run(async {
        let node = TestBroker::start();
        let id = node.create(TOPIC, 1, &[]).await;
        let batch = || batch_at(NOW);
        let code = async |request| answer(&node, request).await.error;
        assert_eq!(code(produce(1, "absent", 0, batch())).await, ErrorCode::UnknownTopicOrPartition);
        assert_eq!(code(produce(1, TOPIC, 1, batch())).await, ErrorCode::UnknownTopicOrPartition);
        assert_eq!(code(produce(1, TOPIC, -1, batch())).await, ErrorCode::UnknownTopicOrPartition);
        assert_eq!(code(produce(2, TOPIC, 0, batch())).await, ErrorCode::InvalidRequiredAcks);
        assert_eq!(code(produce(1, TOPIC, 0, Bytes::new())).await, ErrorCode::InvalidRecord);

        let by_id = |id| {
            let mut request = produce(1, TOPIC, 0, batch());
            request.topics[0].topic = TopicRef::Id(id);
            request
        };
        assert_eq!(code(by_id(id)).await, ErrorCode::None);
        assert_eq!(code(by_id(TopicId::ZERO)).await, ErrorCode::UnknownTopicId);
        assert_eq!(code(by_id(TopicId::new(Uuid::from_u128(9)))).await, ErrorCode::UnknownTopicId);

        let mut corrupt = batch_at(NOW).to_vec();
        *corrupt.last_mut().unwrap() ^= 1;
        assert_eq!(code(produce(1, TOPIC, 0, corrupt.into())).await, ErrorCode::CorruptMessage);
        node.stop();
    });
}

#[test]
fn bytes_that_cannot_be_a_batch_fail_the_whole_request() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 2, &[]).await;
        let mut bad = batch_at(NOW).to_vec();
        bad[16] = 9;
        let mut request = produce(1, TOPIC, 0, batch_at(NOW));
        request.topics[0].partitions.extend(produce(1, TOPIC, 1, bad.into()).topics.remove(0).partitions);
        let response = respond(&node, request.clone()).await;
        for answer in &response.topics[0].partitions {
            assert_eq!(answer.error, ErrorCode::CorruptMessage);
            assert_eq!(answer.error_message.as_deref(), Some("Invalid magic found in record: 9"));
        }
        assert_eq!(node.partition(TOPIC, 0).offsets().log_end, Offset::ZERO);
        // Kafka looks no further than the first batch of a transaction.
        request.transactional_id = Some("tx".into());
        request.topics[0].partitions[0].records = Some(transactional());
        let response = respond(&node, request).await;
        let errors: Vec<_> = response.topics[0].partitions.iter().map(|answer| answer.error).collect();
        assert_ne!(errors[0], ErrorCode::CorruptMessage);
        assert_eq!(errors[1], ErrorCode::CorruptMessage);
        assert_eq!(response.topics[0].partitions[1].error_message, None);
        node.stop();
    });
}

#[test]
fn one_refused_partition_does_not_hold_up_the_others() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 1, &[]).await;
        let mut request = produce(-1, "absent", 0, batch_at(NOW));
        request.topics.push(produce(-1, TOPIC, 0, batch_at(NOW)).topics.remove(0));
        let response = respond(&node, request).await;
        assert_eq!((&response.topics[0].topic, &response.topics[1].topic), (&named("absent"), &named(TOPIC)));
        assert_eq!(response.topics[0].partitions[0].error, ErrorCode::UnknownTopicOrPartition);
        assert_eq!(response.topics[1].partitions[0].error, ErrorCode::None);
        node.stop();
    });
}

#[test]
fn of_a_partition_named_twice_the_last_records_count() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 2, &[]).await;
        let mut request = produce(-1, TOPIC, 0, batch_at(NOW));
        request.topics[0]
            .partitions
            .extend(produce(-1, TOPIC, 1, batch_at(&[1])).topics.remove(0).partitions);
        request.topics.push(produce(-1, TOPIC, 0, batch_at(&[1, 2])).topics.remove(0));
        let response = respond(&node, request).await;
        let answered: Vec<_> = response.topics[0].partitions.iter().map(|p| p.partition).collect();
        assert_eq!((response.topics.len(), answered), (1, vec![0, 1]));
        assert_eq!(node.partition(TOPIC, 0).offsets().log_end, Offset::new(2));
        node.stop();
    });
}

#[test]
fn internal_topics_take_records_of_the_admin_client_only() {
    run(async {
        let mut node = TestBroker::start();
        node.create("__consumer_offsets", 1, &[]).await;
        let request = || produce(1, "__consumer_offsets", 0, batch_at(NOW));
        assert_eq!(answer(&node, request()).await.error, ErrorCode::InvalidTopicException);
        node.context = context_of("__admin_client");
        assert_eq!(answer(&node, request()).await.error, ErrorCode::None);
        node.stop();
    });
}

#[test]
fn min_insync_replicas_above_one_refuses_acks_all() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 1, &[("min.insync.replicas", "2")]).await;
        let refused = answer(&node, produce(-1, TOPIC, 0, batch_at(NOW))).await;
        assert_eq!((refused.error, refused.log_start_offset), (ErrorCode::NotEnoughReplicas, Offset::ZERO));
        assert_eq!(answer(&node, produce(1, TOPIC, 0, batch_at(NOW))).await.error, ErrorCode::None);
        node.stop();
    });
}

#[test]
fn a_topics_rules_reach_its_batches() {
    run(async {
        let node = TestBroker::start();
        node.create("small", 1, &[("max.message.bytes", "80")]).await;
        let large = answer(&node, produce(1, "small", 0, batch_at(NOW))).await;
        assert_eq!((large.error, large.log_start_offset), (ErrorCode::MessageTooLarge, Offset::new(-1)));

        node.create("stamped", 1, &[("message.timestamp.type", "LogAppendTime")]).await;
        let before = node.broker.clock.wall_ms();
        let stamped = answer(&node, produce(1, "stamped", 0, batch_at(NOW))).await;
        assert!(stamped.log_append_time_ms >= before, "{stamped:?}");

        node.create("recent", 1, &[("message.timestamp.before.max.ms", "1000")]).await;
        let old = answer(&node, produce(1, "recent", 0, batch_at(NOW))).await;
        assert_eq!((old.error, old.log_start_offset), (ErrorCode::InvalidTimestamp, Offset::ZERO));
        assert!(old.error_message.is_some() && old.record_errors.len() == 3, "{old:?}");

        node.create("keyed", 1, &[("cleanup.policy", "compact")]).await;
        let bare = answer(&node, produce(1, "keyed", 0, keyless())).await;
        assert_eq!((bare.error, bare.record_errors.len()), (ErrorCode::InvalidRecord, 1));
        assert_eq!(bare.record_errors[0].batch_index, 1);
        node.stop();
    });
}

#[test]
fn records_of_an_unknown_transaction_are_refused() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 1, &[]).await;
        let nameless = produce(-1, TOPIC, 0, transactional());
        let mut with_id = nameless.clone();
        with_id.transactional_id = Some("tx".into());
        let refused = answer(&node, nameless).await;
        assert_eq!(refused.error, ErrorCode::TransactionalIdAuthorizationFailed);
        assert!(!answer(&node, with_id).await.error.is_none());
        assert_eq!(node.partition(TOPIC, 0).offsets().log_end, Offset::ZERO);
        node.stop();
    });
}

#[test]
fn a_retry_is_answered_with_the_original_offset() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 1, &[]).await;
        let batch = |sequence| {
            let producer = BatchBuilder::new().producer(ProducerId::new(4), ProducerEpoch::new(1), sequence);
            let mut builder = producer;
            builder.append(77, Some(b"key"), Some(b"value"), &[]);
            builder.build().unwrap()
        };
        for sequence in 0..3 {
            answer(&node, produce(-1, TOPIC, 0, batch(sequence))).await;
        }
        let again = answer(&node, produce(-1, TOPIC, 0, batch(1))).await;
        assert_eq!((again.error, again.base_offset), (ErrorCode::None, Offset::new(1)));
        let gap = answer(&node, produce(-1, TOPIC, 0, batch(9))).await;
        assert_eq!((gap.error, gap.log_start_offset), (ErrorCode::OutOfOrderSequenceNumber, Offset::ZERO));
        node.stop();
    });
}

#[test]
fn a_commit_that_does_not_come_in_time_is_a_timeout_with_the_offset() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 1, &[]).await;
        node.stop_syncing();
        let mut request = produce(-1, TOPIC, 0, batch_at(NOW));
        request.timeout_ms = 30;
        let late = answer(&node, request).await;
        assert_eq!((late.error, late.base_offset), (ErrorCode::RequestTimedOut, Offset::ZERO));
        node.stop();
    });
}

#[test]
fn deleting_the_topic_ends_the_wait() {
    run(async {
        let node = TestBroker::start();
        let id = node.create(TOPIC, 1, &[]).await;
        node.stop_syncing();
        let (answer, ()) = tokio::join!(answer(&node, produce(-1, TOPIC, 0, batch_at(NOW))), async {
            tokio::task::yield_now().await;
            node.broker.partitions.delete_topics(&[id]).unwrap();
        });
        assert_eq!(answer.error, ErrorCode::UnknownTopicOrPartition);
        node.stop();
    });
}
