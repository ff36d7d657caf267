//! What is thrown away unread is told apart from what is read as well as if all of it were read.

use std::net::TcpListener;
use std::thread::JoinHandle;

use bytes::Bytes;
use model::{Offset, TopicId};
use records::BatchBuilder;
use uuid::Uuid;
use wire::api_table::ApiKey;
use wire::fetch::{AbortedTransaction, FetchPartitionResponse, FetchResponse, FetchTopicResponse};
use wire::header::{ClientId, RequestHeader};
use wire::{Response, TopicRef, response};

use super::*;
use crate::verify::FETCH;

fn batch(base: i64, records: usize, bytes: usize) -> Bytes {
    let mut batch = BatchBuilder::new().base_offset(Offset::new(base));
    for _ in 0..records {
        batch.append(5, None, Some(&vec![b'x'; bytes]), &[]);
    }
    batch.build().unwrap()
}

fn partition(number: i32, records: Vec<Bytes>) -> FetchPartitionResponse {
    let mut partition = FetchPartitionResponse::refused(number, ErrorCode::None);
    partition.records = records;
    partition
}

fn frame(partitions: Vec<FetchPartitionResponse>) -> Bytes {
    let header = RequestHeader {
        api_key: ApiKey::Fetch,
        api_version: FETCH,
        correlation_id: 7,
        client_id: ClientId::new("test"),
    };
    let topic = FetchTopicResponse { topic: TopicRef::Id(TopicId::new(Uuid::from_u128(9))), partitions };
    let mut answer = FetchResponse::refused(ErrorCode::None);
    answer.session_id = 42;
    answer.topics.push(topic);
    response::encode(&header, Response::Fetch(answer)).unwrap().to_bytes()
}

/// A reader, and the thread that serves it these bytes in pieces of an odd size.
fn serving(bytes: Bytes, sample: u64) -> (Discard, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for piece in bytes.chunks(7_919) {
            // A reader that has seen enough hangs up.
            if stream.write_all(piece).is_err() {
                return;
            }
        }
    });
    (Discard::open(address, sample).unwrap(), server)
}

#[test]
fn offsets_and_counts_are_those_of_the_batches() {
    let small: Vec<Bytes> = (0..300).map(|index| batch(index * 2, 2, 100)).collect();
    let large = vec![batch(40, 3, 100_000), batch(43, 1, 2_000_000), batch(44, 1, 10)];
    let mut cut = batch(5, 1, 30_000).to_vec();
    cut.truncate(20_000);
    let mut aborted = partition(3, vec![batch(4, 1, 50), Bytes::from(cut)]);
    aborted.aborted_transactions = Some(vec![AbortedTransaction {
        producer_id: model::ProducerId::new(1),
        first_offset: Offset::new(4),
    }]);
    let whole: usize = small.iter().chain(&large).map(Bytes::len).sum::<usize>() + batch(4, 1, 50).len();
    let partitions = vec![partition(0, small), partition(1, vec![]), partition(2, large), aborted];
    for sample in [0, 1, 50] {
        let (mut reader, server) = serving(frame(partitions.clone()), sample);
        let answer = reader.answer(|partition| Some([0, 8, 40, 4][partition as usize])).unwrap();
        server.join().unwrap();
        assert_eq!(
            answer,
            Answer { correlation_id: 7, session_id: 42, moved: vec![(0, 600), (2, 45), (3, 5)] }
        );
        let counts = reader.counts;
        assert_eq!((counts.bytes, counts.batches, counts.records), (whole as u64, 304, 606));
        assert_eq!(counts.checked, 304u64.checked_div(sample).unwrap_or(0), "one in {sample}");
    }
}

#[test]
fn a_gap_is_seen() {
    let (mut reader, server) = serving(frame(vec![partition(0, vec![batch(0, 2, 10), batch(3, 1, 10)])]), 0);
    let error = reader.answer(|_| Some(0)).unwrap_err();
    assert_eq!(error.to_string(), "offset 3 follows 2");
    drop(reader);
    server.join().unwrap();
}

#[test]
fn a_flipped_bit_is_seen_in_a_batch_that_is_read() {
    let mut bytes = batch(0, 1, 100_000).to_vec();
    bytes[5_000] ^= 1;
    let (mut reader, server) = serving(frame(vec![partition(0, vec![Bytes::from(bytes)])]), 1);
    assert!(reader.answer(|_| Some(0)).unwrap_err().to_string().contains("CRC"));
    drop(reader);
    server.join().unwrap();
}

#[test]
fn an_error_of_a_partition_ends_the_run() {
    let mut refused = partition(0, vec![]);
    refused.error = ErrorCode::OffsetOutOfRange;
    let (mut reader, server) = serving(frame(vec![refused]), 0);
    assert!(reader.answer(|_| Some(0)).unwrap_err().to_string().contains("a partition was refused"));
    drop(reader);
    server.join().unwrap();
}
