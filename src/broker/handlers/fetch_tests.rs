use std::time::Instant;

use model::{Offset, ProducerEpoch, ProducerId};
use records::{BatchBuilder, ControlType};
use uuid::Uuid;
use wire::fetch::{AbortedTransaction, FetchTopic, ForgottenTopic};

use super::*;
use crate::handlers::test_support::{TOPIC, TestBroker, batch_at, named, run};
use crate::partition::test_support::append_raw;

const SECOND: Duration = Duration::from_secs(1);

fn from(partition: i32, offset: i64) -> wire::fetch::FetchPartition {
    wire::fetch::FetchPartition::new(partition, Offset::new(offset), 1 << 20)
}

fn fetch(topic: TopicRef, partitions: Vec<wire::fetch::FetchPartition>) -> FetchRequest {
    FetchRequest {
        max_wait_ms: 0,
        min_bytes: 1,
        wants_topic_ids: topic.id().is_some(),
        topics: vec![FetchTopic { topic, partitions }],
        ..FetchRequest::default()
    }
}

fn one(partition: i32, offset: i64) -> FetchRequest {
    fetch(named(TOPIC), vec![from(partition, offset)])
}

async fn answer(node: &TestBroker, request: FetchRequest) -> FetchPartitionResponse {
    let mut response = handle(&node.broker, &node.context, request).await;
    assert_eq!(response.error, ErrorCode::None);
    response.topics.remove(0).partitions.remove(0)
}

#[allow(clippy::disallowed_methods, reason = "measures a wait")]
async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let start = Instant::now();
    let done = work.await;
    (done, start.elapsed())
}

async fn filled(partitions: i32, batches: usize) -> TestBroker {
    let node = TestBroker::start();
    node.create(TOPIC, partitions, &[]).await;
    for partition in 0..partitions {
        for _ in 0..batches {
            node.append(partition, batch_at(&[1, 2, 3])).await;
        }
    }
    node
}

fn size() -> usize {
    batch_at(&[1, 2, 3]).len()
}

#[test]
fn records_come_back_from_the_batch_that_holds_the_offset() {
    run(async {
        let node = filled(1, 3).await;
        for (offset, batches) in [(0, 3), (2, 3), (3, 2), (4, 2), (8, 1), (9, 0)] {
            let found = answer(&node, one(0, offset)).await;
            assert_eq!((found.error, found.records_len()), (ErrorCode::None, batches * size()), "{offset}");
            let end = Offset::new(9);
            assert_eq!((found.high_watermark, found.last_stable_offset), (end, end));
            assert_eq!((found.log_start_offset, found.aborted_transactions), (Offset::ZERO, None));
        }
        let bytes = answer(&node, one(0, 4)).await.records.concat();
        assert_eq!(bytes[..8], 3i64.to_be_bytes(), "the batch of offset 4 begins at 3");
        node.stop();
    });
}

#[test]
fn limits_yield_to_the_first_batch_only() {
    run(async {
        let node = filled(2, 3).await;
        let lengths = async |max_bytes: i32, partition_max: i32| {
            let mut partitions = vec![from(0, 0), from(1, 0)];
            for partition in &mut partitions {
                partition.partition_max_bytes = partition_max;
            }
            let request = FetchRequest { max_bytes, ..fetch(named(TOPIC), partitions) };
            let response = handle(&node.broker, &node.context, request).await;
            let partitions = &response.topics[0].partitions;
            partitions.iter().map(|p| p.records_len() / size()).collect::<Vec<_>>()
        };
        let size = i32::try_from(size()).unwrap();
        assert_eq!(lengths(1 << 20, 1 << 20).await, [3, 3]);
        assert_eq!(lengths(0, 1 << 20).await, [1, 0]);
        assert_eq!(lengths(1 << 20, 1).await, [1, 0], "only the first answer may exceed its limit");
        assert_eq!(lengths(1 << 20, size).await, [1, 1]);
        assert_eq!(lengths(4 * size, 1 << 20).await, [3, 1]);
        assert_eq!(lengths(4 * size + size / 2, 2 * size).await, [2, 2]);
        node.stop();
    });
}

#[test]
fn the_brokers_own_limit_holds() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 1, &[]).await;
        for _ in 0..3 {
            let mut builder = BatchBuilder::new();
            builder.append(1, None, Some(&vec![7; 60_000]), &[]);
            node.append(0, builder.build().unwrap()).await;
        }
        let found = answer(&node, one(0, 0)).await;
        assert!((60_000..100_000).contains(&found.records_len()), "fetch.max.bytes is 100000");
        node.stop();
    });
}

#[test]
fn a_fetch_waits_for_records_and_is_woken_by_their_commit() {
    run(async {
        let node = filled(2, 0).await;
        let waiting =
            FetchRequest { max_wait_ms: 30_000, ..fetch(named(TOPIC), vec![from(0, 0), from(1, 0)]) };
        let work = async {
            tokio::join!(handle(&node.broker, &node.context, waiting), async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                node.append(1, batch_at(&[1])).await;
            })
        };
        let ((response, ()), took) = timed(work).await;
        let found: Vec<_> = response.topics[0].partitions.iter().map(|p| p.records_len() > 0).collect();
        assert_eq!(found, [false, true]);
        assert!((Duration::from_millis(40)..10 * SECOND).contains(&took), "{took:?}");
        node.stop();
    });
}

#[test]
fn a_fetch_waits_for_as_many_bytes_as_it_asks_for() {
    run(async {
        let node = filled(1, 1).await;
        let min_bytes = i32::try_from(2 * size()).unwrap();
        let waiting = FetchRequest { max_wait_ms: 30_000, min_bytes, ..one(0, 0) };
        let (response, ()) = tokio::join!(handle(&node.broker, &node.context, waiting), async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            node.append(0, batch_at(&[1, 2, 3])).await;
        });
        assert_eq!(response.topics[0].partitions[0].records_len(), 2 * size());
        let (short, took) =
            timed(answer(&node, FetchRequest { max_wait_ms: 50, min_bytes, ..one(0, 3) })).await;
        assert_eq!(short.records_len(), size(), "the time is up: what is there is answered");
        assert!(took >= Duration::from_millis(50), "{took:?}");
        node.stop();
    });
}

#[test]
fn an_idle_fetch_is_answered_empty_after_its_wait() {
    run(async {
        let node = filled(1, 1).await;
        let (found, took) = timed(answer(&node, FetchRequest { max_wait_ms: 60, ..one(0, 3) })).await;
        assert_eq!((found.error, found.records_len()), (ErrorCode::None, 0));
        assert!(took >= Duration::from_millis(60), "{took:?}");
        let (_, took) =
            timed(answer(&node, FetchRequest { max_wait_ms: 20_000, min_bytes: 0, ..one(0, 3) })).await;
        assert!(took < 10 * SECOND, "it waits for nothing");
        node.stop();
    });
}

#[test]
fn errors_end_the_wait_unless_the_partition_is_unknown() {
    run(async {
        let node = filled(1, 1).await;
        let fenced = |epoch| {
            let mut partition = from(0, 0);
            partition.current_leader_epoch = LeaderEpoch::new(epoch);
            FetchRequest { max_wait_ms: 20_000, ..fetch(named(TOPIC), vec![partition]) }
        };
        let cases = [
            (FetchRequest { max_wait_ms: 20_000, ..one(0, 4) }, ErrorCode::OffsetOutOfRange),
            (FetchRequest { max_wait_ms: 20_000, ..one(0, -1) }, ErrorCode::OffsetOutOfRange),
            (FetchRequest { max_wait_ms: 20_000, ..one(7, 0) }, ErrorCode::UnknownTopicOrPartition),
            (fenced(9), ErrorCode::UnknownLeaderEpoch),
        ];
        for (request, code) in cases {
            let (found, took) = timed(answer(&node, request)).await;
            assert_eq!(found.error, code);
            assert_eq!(found.high_watermark, Offset::new(-1));
            assert!(took < 10 * SECOND, "{code:?} {took:?}");
        }
        let both = fetch(named(TOPIC), vec![from(7, 0), from(0, 3)]);
        let (response, took) =
            timed(handle(&node.broker, &node.context, FetchRequest { max_wait_ms: 60, ..both })).await;
        assert!(took >= Duration::from_millis(60), "the known partition is waited for: {took:?}");
        let order: Vec<_> = response.topics[0].partitions.iter().map(|p| p.partition).collect();
        assert_eq!(order, [0, 7], "unknown partitions stand last");
        node.stop();
    });
}

#[test]
fn an_old_epoch_is_told_the_leader() {
    run(async {
        let node = filled(1, 1).await;
        let id = node.broker.metadata.image().topic(TOPIC).unwrap().id;
        node.broker.partitions.update_leader_epoch(id, 0, LeaderEpoch::new(4));
        let mut partition = from(0, 0);
        partition.current_leader_epoch = LeaderEpoch::new(0);
        let response = handle(&node.broker, &node.context, fetch(named(TOPIC), vec![partition])).await;
        let found = &response.topics[0].partitions[0];
        assert_eq!(found.error, ErrorCode::FencedLeaderEpoch);
        let leader = found.current_leader.unwrap();
        assert_eq!((leader.leader_id, leader.leader_epoch), (node.broker.node_id, LeaderEpoch::new(4)));
        assert_eq!(
            (&*response.node_endpoints[0].host, response.node_endpoints[0].port),
            ("broker.test", 9092)
        );
        node.stop();
    });
}

#[test]
fn topics_are_found_by_id() {
    run(async {
        let node = filled(1, 1).await;
        let id = node.broker.metadata.image().topic(TOPIC).unwrap().id;
        let found = answer(&node, fetch(TopicRef::Id(id), vec![from(0, 0)])).await;
        assert_eq!(found.records_len(), size());
        let unknown = TopicRef::Id(TopicId::new(Uuid::from_u128(5)));
        let missing = answer(&node, fetch(unknown, vec![from(0, 0)])).await;
        assert_eq!(missing.error, ErrorCode::UnknownTopicId);
        assert_eq!(missing.aborted_transactions, Some(Vec::new()));
        node.stop();
    });
}

#[test]
fn who_poses_as_a_follower_is_refused() {
    run(async {
        let node = filled(1, 1).await;
        let follower = |epoch| {
            let mut partition = from(0, 0);
            partition.current_leader_epoch = LeaderEpoch::new(epoch);
            FetchRequest { replica_id: model::BrokerId::new(1), ..fetch(named(TOPIC), vec![partition]) }
        };
        assert_eq!(answer(&node, follower(-1)).await.error, ErrorCode::NotLeaderOrFollower);
        assert_eq!(answer(&node, follower(0)).await.error, ErrorCode::UnknownLeaderEpoch);
        node.stop();
    });
}

#[test]
fn a_reader_whose_log_departs_is_told_where() {
    run(async {
        let node = filled(1, 2).await;
        let with_epoch = |offset, epoch| {
            let mut partition = from(0, offset);
            partition.last_fetched_epoch = LeaderEpoch::new(epoch);
            fetch(named(TOPIC), vec![partition])
        };
        let agrees = answer(&node, with_epoch(3, 0)).await;
        assert_eq!((agrees.diverging_epoch, agrees.records_len()), (None, size()));
        let beyond = answer(&node, with_epoch(8, 0)).await;
        let end = beyond.diverging_epoch.unwrap();
        assert_eq!((end.epoch, end.end_offset), (LeaderEpoch::new(0), Offset::new(6)));
        assert_eq!((beyond.error, beyond.high_watermark), (ErrorCode::None, Offset::new(6)));
        let unknown = answer(&node, with_epoch(3, 5)).await;
        assert_eq!(unknown.error, ErrorCode::OffsetOutOfRange);
        node.stop();
    });
}

#[test]
fn a_session_answers_only_what_changed() {
    run(async {
        let node = filled(2, 1).await;
        let first = FetchRequest { session_epoch: 0, ..fetch(named(TOPIC), vec![from(0, 0), from(1, 3)]) };
        let opened = handle(&node.broker, &node.context, first).await;
        assert_eq!(opened.topics[0].partitions.len(), 2);
        let id = opened.session_id;
        assert!(id > 0);
        let next = |session_epoch, partitions| FetchRequest {
            session_id: id,
            session_epoch,
            ..fetch(named(TOPIC), partitions)
        };
        let quiet = handle(&node.broker, &node.context, next(1, vec![from(0, 3)])).await;
        assert_eq!((quiet.error, quiet.session_id, quiet.topics.len()), (ErrorCode::None, id, 0));
        node.append(1, batch_at(&[1])).await;
        let news =
            handle(&node.broker, &node.context, FetchRequest { topics: vec![], ..next(2, vec![]) }).await;
        let partitions: Vec<_> = news.topics[0].partitions.iter().map(|p| p.partition).collect();
        assert_eq!(partitions, [1]);

        let stale = handle(&node.broker, &node.context, next(2, vec![])).await;
        assert_eq!((stale.error, stale.session_id), (ErrorCode::InvalidFetchSessionEpoch, 0));
        let lost =
            handle(&node.broker, &node.context, FetchRequest { session_id: id + 1, ..next(3, vec![]) }).await;
        assert_eq!(lost.error, ErrorCode::FetchSessionIdNotFound);
        let with_ids = FetchRequest { wants_topic_ids: true, ..next(3, vec![]) };
        let mixed = handle(&node.broker, &node.context, FetchRequest { topics: vec![], ..with_ids }).await;
        assert_eq!(mixed.error, ErrorCode::FetchSessionTopicIdError);

        let forgotten_topics = vec![ForgottenTopic { topic: named(TOPIC), partitions: vec![0, 1] }];
        let last = FetchRequest { forgotten_topics, topics: vec![], ..next(3, vec![]) };
        assert_eq!(handle(&node.broker, &node.context, last).await.session_id, 0);
        assert!(node.broker.fetch_sessions.is_empty());
        node.stop();
    });
}

#[test]
fn a_topic_made_anew_is_told_from_the_one_the_session_knew() {
    run(async {
        let node = filled(1, 1).await;
        let id = node.broker.metadata.image().topic(TOPIC).unwrap().id;
        let first = FetchRequest { session_epoch: 0, ..fetch(TopicRef::Id(id), vec![from(0, 3)]) };
        let session_id = handle(&node.broker, &node.context, first).await.session_id;
        let next = |session_epoch| FetchRequest {
            session_id,
            session_epoch,
            topics: vec![],
            ..fetch(TopicRef::Id(id), vec![])
        };
        node.broker.partitions.delete_topics(&[id]).unwrap();
        let gone = answer(&node, next(1)).await;
        assert_eq!(gone.error, ErrorCode::UnknownTopicOrPartition);
        let settings = crate::partition::test_support::settings(|_| {});
        let other = TopicId::new(Uuid::from_u128(77));
        node.broker.partitions.create(TOPIC, other, 0, LeaderEpoch::new(0), settings).unwrap();
        assert_eq!(answer(&node, next(2)).await.error, ErrorCode::InconsistentTopicId);
        node.stop();
    });
}

#[test]
fn a_fetch_parked_at_a_deleted_topic_is_answered() {
    run(async {
        let node = filled(1, 1).await;
        let id = node.broker.metadata.image().topic(TOPIC).unwrap().id;
        let waiting = FetchRequest { max_wait_ms: 30_000, ..one(0, 3) };
        let ((found, ()), took) = timed(async {
            tokio::join!(answer(&node, waiting), async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                node.broker.partitions.delete_topics(&[id]).unwrap();
            })
        })
        .await;
        assert_eq!(found.error, ErrorCode::UnknownTopicOrPartition);
        assert!(took < 10 * SECOND);
        node.stop();
    });
}

#[test]
fn readers_of_committed_records_stop_at_open_transactions_and_learn_of_aborted_ones() {
    run(async {
        let node = filled(1, 1).await;
        let partition = node.partition(TOPIC, 0);
        let producer = || BatchBuilder::new().producer(ProducerId::new(9), ProducerEpoch::new(0), 0);
        let mut batch = producer().transactional();
        batch.append(1, Some(b"key"), Some(b"undecided"), &[]);
        append_raw(&partition, storage::Origin::Client, batch.build().unwrap());
        node.append(0, batch_at(&[5])).await;

        let committed = || FetchRequest { isolation_level: 1, ..one(0, 0) };
        let open = answer(&node, committed()).await;
        assert_eq!(open.records_len(), size(), "the open transaction begins at 3");
        assert_eq!((open.last_stable_offset, open.high_watermark), (Offset::new(3), Offset::new(5)));
        assert_eq!(open.aborted_transactions, Some(Vec::new()));
        assert!(answer(&node, one(0, 0)).await.records_len() > 2 * size(), "others see all");

        let waiting = FetchRequest { isolation_level: 1, max_wait_ms: 30_000, ..one(0, 3) };
        let ((decided, ()), took) = timed(async {
            tokio::join!(answer(&node, waiting), async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                let mut marker = BatchBuilder::new()
                    .producer(ProducerId::new(9), ProducerEpoch::new(0), -1)
                    .transactional();
                marker.append_control(2, ControlType::Abort, &[0, 0, 0, 0, 0, 0]);
                append_raw(&partition, storage::Origin::Coordinator, marker.build().unwrap());
            })
        })
        .await;
        assert!(took < 10 * SECOND, "the marker ends the wait");
        let aborted = AbortedTransaction { producer_id: ProducerId::new(9), first_offset: Offset::new(3) };
        assert_eq!(decided.aborted_transactions, Some(vec![aborted]));
        assert_eq!(decided.last_stable_offset, Offset::new(6));
        node.stop();
    });
}

#[test]
fn nonsense_is_refused_as_kafka_refuses_it() {
    run(async {
        let node = filled(1, 1).await;
        let unknown_level = FetchRequest { isolation_level: 7, session_id: 9, ..one(0, 0) };
        let response = handle(&node.broker, &node.context, unknown_level).await;
        assert_eq!((response.error, response.session_id), (ErrorCode::UnknownServerError, 9));
        assert_eq!(response.topics[0].partitions[0].error, ErrorCode::UnknownServerError);

        let mut negative = one(0, 0);
        negative.topics[0].partitions[0].partition_max_bytes = -1;
        assert_eq!(answer(&node, negative.clone()).await.error, ErrorCode::UnknownServerError);
        negative.topics[0].partitions[0].fetch_offset = Offset::new(3);
        assert_eq!(answer(&node, negative).await.error, ErrorCode::None, "there is nothing to trip over");
        let negative = FetchRequest { max_bytes: -1, ..one(0, 0) };
        assert_eq!(answer(&node, negative).await.error, ErrorCode::UnknownServerError);

        let twice = fetch(named(TOPIC), vec![from(0, 0), from(0, 3)]);
        let response = handle(&node.broker, &node.context, twice).await;
        let lengths: Vec<_> =
            response.topics[0].partitions.iter().map(FetchPartitionResponse::records_len).collect();
        assert_eq!(lengths, [0], "answered once, as it was wanted last");
        node.stop();
    });
}

#[test]
fn a_busy_reader_hurries_what_it_waits_for() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 2, &[("flush.ms", "3600000")]).await;
        node.append(0, batch_at(&[1, 2, 3])).await;
        let idle = node.partition(TOPIC, 1);
        idle.append(batch_at(&[1]), crate::partition::Acks::Written, 1).unwrap();
        let both = fetch(named(TOPIC), vec![from(0, 0), from(1, 0)]);
        let both = FetchRequest { max_wait_ms: 10_000, ..both };
        // It never parks: the other partition always has something for it.
        for _ in 0..500 {
            handle(&node.broker, &node.context, both.clone()).await;
            if idle.is_committed(Offset::new(1)) {
                return node.stop();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the record is acknowledged, and nobody is shown it");
    });
}
