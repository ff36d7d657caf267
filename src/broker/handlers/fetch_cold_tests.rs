//! Fetches of what is not in memory, from a disk that can be told to be slow.

use std::future::poll_fn;
use std::task::Poll;

use model::Offset;
use storage::disk_mem::MemoryDisk;
use wire::fetch::FetchTopic;
use wire::messages::ListOffsetsRequest;
use wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};

use super::*;
use crate::handlers::answer::topic_name;
use crate::handlers::list_offsets;
use crate::handlers::test_support::{TOPIC, TestBroker, batch_at, named, run};

const SMALL: &[(&str, &str)] = &[("segment.index.bytes", "4096")];

fn start(disk: &MemoryDisk) -> TestBroker {
    TestBroker::start_on(&disk.shared(), Arc::new(tempfile::tempdir().unwrap()))
}

async fn filled(disk: &MemoryDisk) -> TestBroker {
    let node = start(disk);
    node.create(TOPIC, 2, SMALL).await;
    for partition in [0, 1] {
        for _ in 0..3 {
            node.append(partition, batch_at(&[1, 2, 3])).await;
        }
    }
    node
}

fn request(offset: i64, partition_max_bytes: i32) -> FetchRequest {
    let partition = |index| wire::fetch::FetchPartition::new(index, Offset::new(offset), partition_max_bytes);
    FetchRequest {
        min_bytes: 1,
        topics: vec![FetchTopic { topic: named(TOPIC), partitions: vec![partition(0), partition(1)] }],
        ..FetchRequest::default()
    }
}

async fn records(node: &TestBroker, request: FetchRequest) -> Vec<Vec<u8>> {
    let response = handle(&node.broker, &node.context, request).await;
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    partitions
        .map(|answer| {
            assert_eq!(answer.error, ErrorCode::None);
            answer.records.concat()
        })
        .collect()
}

#[test]
fn a_reader_of_what_is_in_memory_needs_no_thread() {
    run(async {
        let disk = MemoryDisk::new();
        let node = filled(&disk).await;
        let size = i32::try_from(batch_at(&[1, 2, 3]).len()).unwrap();
        for offset in [0, 3, 6] {
            let found = records(&node, request(offset, size + 5)).await;
            assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [size.unsigned_abs() as usize; 2]);
        }
        assert_eq!(node.broker.partitions.io().started(), 0);
        node.stop();
    });
}

#[test]
fn a_sequential_reader_reads_once_per_partition() {
    run(async {
        let disk = MemoryDisk::new();
        let node = filled(&disk).await;
        let size = i32::try_from(batch_at(&[1, 2, 3]).len()).unwrap();
        records(&node, request(0, size + 5)).await;
        for offset in [3, 6] {
            let before = disk.looks();
            records(&node, request(offset, size + 5)).await;
            assert_eq!(disk.looks() - before, 2, "one read for each of two partitions, from offset {offset}");
        }
        node.stop();
    });
}

#[test]
fn what_is_cold_is_the_same() {
    run(async {
        let disk = MemoryDisk::new();
        let node = filled(&disk).await;
        for (offset, bytes_max) in [(0, 1), (2, 1 << 20), (4, 150), (7, 1 << 20)] {
            let warm = records(&node, request(offset, bytes_max)).await;
            for cold_from in [0, 100, 300] {
                disk.set_cold_from(Some(cold_from));
                assert_eq!(records(&node, request(offset, bytes_max)).await, warm, "cold from {cold_from}");
            }
            disk.set_cold_from(None);
        }
        assert!(node.broker.partitions.io().started() > 0);
        node.stop();
    });
}

#[test]
fn nobody_else_waits_for_a_slow_read() {
    run(async {
        let disk = MemoryDisk::new();
        let node = filled(&disk).await;
        disk.set_cold_from(Some(0));
        disk.hold_reads(true);
        // One reader has a place, one has none, and one searches by time.
        let mut sequential = Box::pin(records(&node, request(0, 1 << 20)));
        let mut lost = Box::pin(records(&node, request(4, 1 << 20)));
        let asked = ListOffsetsPartition::default().with_timestamp(2).with_current_leader_epoch(-1);
        let topic = ListOffsetsTopic::default().with_name(topic_name(TOPIC)).with_partitions(vec![asked]);
        let by_time = ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]);
        let mut by_time = Box::pin(list_offsets::handle(&node.broker, &node.context, by_time));
        for _ in 0..3 {
            poll_fn(|context| {
                assert!(sequential.as_mut().poll(context).is_pending());
                assert!(lost.as_mut().poll(context).is_pending());
                assert!(by_time.as_mut().poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
            // The partition's lock is free, and so is this thread.
            assert_eq!(node.append(0, batch_at(&[1])).await.value() / 9, 1);
        }
        disk.hold_reads(false);
        assert_eq!(sequential.await.len(), 2);
        assert_eq!(lost.await.len(), 2);
        assert_eq!(by_time.await.topics[0].partitions[0].offset, 1);
        node.stop();
    });
}
