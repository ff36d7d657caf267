//! Produce, the coordinator and the log together.

use std::time::Duration;

use model::topic_name::TRANSACTION_STATE;
use model::{ErrorCode, Offset};
use wire::fetch::{FetchPartition, FetchRequest, FetchTopic};
use wire::messages::ListOffsetsRequest;
use wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use wire::produce::TransactionSupport::{AbortableError, AddsPartitions, Classic};

use crate::handlers::answer::topic_name;
use crate::handlers::test_support::{TOPIC, TestBroker, batch_at, named, run};
use crate::handlers::txn_test_support::{Producer, committed};
use crate::handlers::{fetch, list_offsets};
use crate::partition::test_support::sync;

async fn node() -> TestBroker {
    let node = TestBroker::start();
    node.create(TOPIC, 2, &[]).await;
    node
}

fn last_stable(node: &TestBroker) -> i64 {
    node.partition(TOPIC, 0).offsets().last_stable.value()
}

/// Until everything appended is committed.
async fn settle(node: &TestBroker) {
    let partition = node.partition(TOPIC, 0);
    partition.hurry();
    while !partition.is_committed(partition.offsets().log_end) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn a_record_is_committed_when_its_transaction_is() {
    run(async {
        let node = node().await;
        for support in [Classic, AddsPartitions] {
            let id = if support == Classic { "classic" } else { "bumps" };
            let mut producer = Producer::start(&node, id, support).await;
            let before = last_stable(&node);
            producer.write(&node, 0, "committed").await;
            producer.write(&node, 0, "too").await;
            node.append(0, batch_at(&[node.broker.clock.wall_ms()])).await;
            assert_eq!(last_stable(&node), before, "open");
            producer.end(&node, true).await;
            assert_eq!(last_stable(&node), before + 4);
            producer.write(&node, 0, "aborted").await;
            producer.end(&node, false).await;
            producer.write(&node, 0, "next").await;
            producer.end(&node, true).await;
            assert_eq!(last_stable(&node), before + 8);
        }
        let once = ["committed", "too", "value", "next"];
        assert_eq!(committed(&node.partition(TOPIC, 0)), [once, once].concat());
        let partitions = vec![FetchPartition::new(0, Offset::ZERO, 1 << 20)];
        let topics = vec![FetchTopic { topic: named(TOPIC), partitions }];
        let request =
            FetchRequest { isolation_level: 1, max_bytes: 1 << 20, topics, ..FetchRequest::default() };
        let found = &fetch::handle(&node.broker, &node.context, request).await.topics[0].partitions[0];
        let aborted = found.aborted_transactions.as_ref().unwrap();
        assert_eq!(aborted.iter().map(|txn| txn.first_offset.value()).collect::<Vec<_>>(), [4, 12]);
        assert_eq!((found.last_stable_offset, found.high_watermark), (Offset::new(16), Offset::new(16)));
        node.stop();
    });
}

/// The record and the coordinator's word of it go to disk together; neither alone is enough.
#[test]
fn the_first_record_is_answered_when_the_coordinators_word_is_on_disk_too() {
    run(async {
        for record_first in [true, false] {
            let node = node().await;
            let producer = Producer::start(&node, "id", AddsPartitions).await;
            node.stop_syncing();
            let index = node.broker.transactions.partition_of("id", 0);
            let (record, word) = (node.partition(TOPIC, 0), node.partition(TRANSACTION_STATE, index));
            let (first, second) = if record_first { (record, word) } else { (word, record) };
            let mut sending = Box::pin(producer.send(&node, 0, 0, "first"));
            for partition in [first, second] {
                let soon = tokio::time::timeout(Duration::from_millis(20), sending.as_mut()).await;
                assert!(soon.is_err(), "{} is not on disk", partition.dir_name());
                sync(&partition);
            }
            assert!(sending.await.error.is_none());
            node.stop();
        }
    });
}

#[test]
fn a_partition_that_was_not_added_is_refused() {
    run(async {
        let node = node().await;
        for (id, support, code) in [
            ("a", Classic, ErrorCode::InvalidTxnState),
            ("b", AbortableError, ErrorCode::TransactionAbortable),
        ] {
            let mut producer = Producer::start(&node, id, support).await;
            assert_eq!(producer.send(&node, 0, 0, "nothing was added").await.error, code);
            producer.add(&node, 1).await.unwrap();
            assert_eq!(producer.send(&node, 0, 0, "another was added").await.error, code);
            producer.write(&node, 0, "it was added").await;
            producer.end(&node, true).await;
            assert_eq!(producer.send(&node, 0, 1, "late").await.error, code, "Jepsen's torn transaction");
        }
        let mut stranger = Producer::start(&node, "c", AddsPartitions).await;
        stranger.id = "nobody";
        let refused = stranger.send(&node, 0, 0, "unknown").await;
        assert_eq!(refused.error, ErrorCode::InvalidProducerIdMapping);
        assert_eq!(committed(&node.partition(TOPIC, 0)), ["it was added", "it was added"]);
        assert_eq!(last_stable(&node), 4);
        node.stop();
    });
}

/// Its coordinator does not know of it, and aborts it when somebody comes across it.
#[test]
fn a_transaction_that_nobody_ends_is_in_nobodys_way() {
    run(async {
        for support in [Classic, AddsPartitions] {
            let node = node().await;
            let lost = Producer::start(&node, "id", AddsPartitions).await;
            let partition = node.partition(TOPIC, 0);
            let batch = lost.batch(0, "lost");
            let header = model::BatchHeader::parse(&batch).unwrap();
            let (id, epoch) = (header.producer_id, header.producer_epoch);
            let now_ms = node.broker.clock.wall_ms();
            let guard = partition.begin_verification(id, epoch, 0, true, now_ms).unwrap();
            let (origin, acks) = (storage::Origin::Client, crate::partition::Acks::Committed);
            partition.append_verified(origin, batch, acks, now_ms, guard).unwrap();

            let mut next = Producer::start(&node, "id", support).await;
            if support == Classic {
                next.add(&node, 0).await.unwrap();
            }
            let mut refused = 0;
            while next.send(&node, 0, 0, "next").await.error == ErrorCode::NotEnoughReplicas {
                refused += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert!(refused > 0, "it would have been taken along");
            next.end(&node, true).await;
            settle(&node).await;
            assert_eq!(committed(&partition), ["next"]);
            node.stop();
        }
    });
}

#[test]
fn what_comes_after_the_end_is_fenced() {
    run(async {
        let node = node().await;
        let mut producer = Producer::start(&node, "id", AddsPartitions).await;
        producer.write(&node, 0, "first").await;
        let before = producer.clone();
        producer.decide(&node, true).await.unwrap();
        // Its admission waits until the first transaction's end is everywhere.
        producer.write(&node, 0, "second").await;
        assert_eq!(before.send(&node, 0, 1, "late").await.error, ErrorCode::InvalidProducerEpoch);
        // Where the first transaction has left nothing, the coordinator knows.
        assert_eq!(before.send(&node, 1, 0, "elsewhere").await.error, ErrorCode::InvalidProducerEpoch);
        producer.end(&node, true).await;

        // A successor fences them all.
        producer.write(&node, 0, "third").await;
        let mut successor = Producer::start(&node, "id", AddsPartitions).await;
        assert_eq!(producer.send(&node, 0, 1, "zombie").await.error, ErrorCode::InvalidProducerEpoch);
        successor.write(&node, 0, "fourth").await;
        successor.end(&node, true).await;
        assert_eq!(committed(&node.partition(TOPIC, 0)), ["first", "second", "fourth"]);
        node.stop();
    });
}

#[test]
fn everything_is_known_again_after_a_start() {
    run(async {
        let mut node = node().await;
        let mut producers = [
            Producer::start(&node, "classic", Classic).await,
            Producer::start(&node, "bumps", AddsPartitions).await,
        ];
        for producer in &mut producers {
            producer.write(&node, 0, "aborted").await;
            producer.end(&node, false).await;
            producer.write(&node, 0, "open").await;
        }
        node = node.restart();
        let ready = Producer::start(&node, "other", Classic).await;
        assert_eq!(last_stable(&node), 2, "the first open transaction");
        assert!(committed(&node.partition(TOPIC, 0)).is_empty());
        for producer in &mut producers {
            let before = producer.clone();
            producer.write(&node, 0, "goes on").await;
            producer.end(&node, true).await;
            assert!(!before.send(&node, 0, 2, "late").await.error.is_none());
        }
        drop(ready);
        settle(&node).await;
        let values = committed(&node.partition(TOPIC, 0));
        assert_eq!(values, ["open", "open", "goes on", "goes on"]);
        node.stop();
    });
}

/// ListOffsets at both isolation levels, and DeleteRecords within the open transaction.
#[test]
fn an_open_transaction_is_where_committed_records_end() {
    run(async {
        let node = node().await;
        let mut producer = Producer::start(&node, "id", AddsPartitions).await;
        let latest = async |isolation_level: i8| {
            let asked = ListOffsetsPartition::default().with_timestamp(-1).with_current_leader_epoch(-1);
            let topic = ListOffsetsTopic::default().with_name(topic_name(TOPIC)).with_partitions(vec![asked]);
            let request = ListOffsetsRequest::default()
                .with_replica_id((-1).into())
                .with_isolation_level(isolation_level)
                .with_topics(vec![topic]);
            list_offsets::handle(&node.broker, &node.context, request).await.topics[0].partitions[0].offset
        };
        node.append(0, batch_at(&[node.broker.clock.wall_ms()])).await;
        for value in ["a", "b", "c"] {
            producer.write(&node, 0, value).await;
        }
        assert_eq!((latest(0).await, latest(1).await), (4, 1));
        let deleted = node.partition(TOPIC, 0).advance_log_start(Some(Offset::new(2))).unwrap();
        assert_eq!((deleted, latest(1).await), (Offset::new(2), 2), "never below the log's start");
        producer.end(&node, true).await;
        assert_eq!((latest(0).await, latest(1).await), (5, 5));
        assert_eq!(committed(&node.partition(TOPIC, 0)), ["b", "c"]);
        node.stop();
    });
}
