use std::sync::Arc;
use std::task::Waker;

use model::Offset;
use storage::disk_mem::MemoryDisk;
use storage::{ReadRequest, ReadStep};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use wire::api_table::ApiKey;

use super::super::budget::Budget;
use super::*;
use crate::handlers::test_support::{TOPIC, TestBroker};

const BATCHES: i64 = 40;

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let timed = async {
        tokio::time::timeout(std::time::Duration::from_mins(1), test).await.expect("the test ends in time");
    };
    runtime.block_on(timed);
}

async fn filled(node: &TestBroker) {
    node.create(TOPIC, 1, &[]).await;
    for number in 0..BATCHES {
        let mut batch = records::BatchBuilder::new();
        let value: Vec<u8> = (0..90_000 + number).map(|at| (at * 31 + number) as u8).collect();
        batch.append(number, None, Some(&value), &[]);
        node.append(0, batch.build().unwrap()).await;
    }
}

/// The records of the partition from `offset` on, and the same bytes read.
fn range(node: &TestBroker, offset: i64) -> (ReadRange, Bytes) {
    let partition = node.partition(TOPIC, 0);
    let request = ReadRequest {
        offset: Offset::new(offset),
        bytes_max: usize::MAX,
        upper_bound: Offset::new(BATCHES),
        min_one_batch: true,
    };
    let read = partition.read(request).unwrap();
    let mut hint = None;
    loop {
        match partition.plan_read(request, hint).unwrap() {
            ReadStep::Plan(mut plan) => {
                assert!(partition.find_end(&mut plan).is_none());
                return (plan.range_to_send().expect("a range"), read.bytes);
            }
            ReadStep::Lookup(lookup) => hint = partition.look_up(*lookup).unwrap(),
        }
    }
}

/// Sends replies to a client that reads a little at a time; answers what it got.
async fn sent(node: &TestBroker, replies: Vec<Vec<Piece>>) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut outbox = Outbox::default();
    let budget = Budget::new(1 << 20);
    let now = tokio::time::Instant::now();
    for pieces in replies {
        outbox.push(pieces, budget.reservation(10), Timing::new((ApiKey::Fetch, 12), now, now));
    }
    let total = outbox.bytes();
    let broker = Arc::clone(&node.broker);
    let writes = async {
        while !outbox.is_empty() {
            let write = std::future::poll_fn(|context| outbox.poll_write(&mut stream, &broker, context));
            let written = write.await.unwrap();
            outbox.advance(written, |_| {});
        }
    };
    let reads = async {
        let mut got = Vec::new();
        while got.len() < total {
            let mut part = vec![0; 50_000];
            let count = client.read(&mut part).await.unwrap();
            assert!(count > 0);
            got.extend_from_slice(&part[..count]);
            tokio::task::yield_now().await;
        }
        got
    };
    let ((), got) = tokio::join!(writes, reads);
    got
}

#[test]
fn ranges_and_bytes_leave_in_their_order() {
    run(async {
        let node = TestBroker::start();
        filled(&node).await;
        let (first, first_bytes) = range(&node, 0);
        let (second, second_bytes) = range(&node, 30);
        let bytes = |text: &'static str| Piece::Bytes(Bytes::from_static(text.as_bytes()));
        let replies = vec![
            vec![bytes("head"), Piece::Range(first), bytes(""), bytes("tail")],
            vec![bytes("only bytes")],
            vec![Piece::Range(second.clone()), Piece::Range(second)],
        ];
        let expected = [b"head", &first_bytes[..], b"tailonly bytes", &second_bytes, &second_bytes].concat();
        assert!(sent(&node, replies).await == expected);
        node.stop();
    });
}

#[test]
fn what_cannot_be_sent_is_read_first() {
    run(async {
        // Its files have no descriptor.
        let disk = MemoryDisk::new();
        let node = TestBroker::start_on(&disk.shared(), Arc::new(tempfile::tempdir().unwrap()));
        filled(&node).await;
        let (range, bytes) = range(&node, 3);
        assert!(range.len > 3 * RANGE_BYTES_MAX && !range.can_be_sent(range.len));
        let got =
            sent(&node, vec![vec![Piece::Bytes(Bytes::from_static(b"head")), Piece::Range(range)]]).await;
        assert!(got == [b"head", &bytes[..]].concat());
        assert_eq!(node.broker.fetch_memory.used(), 0);
        node.stop();
    });
}

#[test]
fn nothing_is_read_for_a_client_that_takes_nothing() {
    run(async {
        let disk = MemoryDisk::new();
        let node = TestBroker::start_on(&disk.shared(), Arc::new(tempfile::tempdir().unwrap()));
        filled(&node).await;
        let (range, _) = range(&node, 0);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.writable().await.unwrap();
        let filling = vec![0; 100_000];
        while stream.try_write(&filling).is_ok() {}
        let mut outbox = Outbox::default();
        let now = tokio::time::Instant::now();
        let timing = Timing::new((ApiKey::Fetch, 12), now, now);
        outbox.push(vec![Piece::Range(range)], Budget::new(1 << 20).reservation(10), timing);
        let polled = outbox.poll_write(&mut stream, &node.broker, &mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        assert!(matches!(outbox.replies[0].segments[0], Segment::Range(_)));
        assert_eq!(node.broker.fetch_memory.used(), 0);
        node.stop();
    });
}

#[test]
fn a_file_that_is_shorter_than_its_range_ends_the_connection() {
    run(async {
        let node = TestBroker::start();
        filled(&node).await;
        let (mut range, _) = range(&node, 0);
        range.position += range.len as u64;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let send = std::future::poll_fn(|context| poll_send_range(&stream, &range, range.len, context));
        assert_eq!(send.await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        drop(client);
        node.stop();
    });
}
