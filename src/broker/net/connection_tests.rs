use bytes::{Bytes, BytesMut};
use model::topic_name::TRANSACTION_STATE;
use model::{ErrorCode, Offset};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wire::StrBytes;
use wire::api_table::ApiKey;
use wire::call::{self, Call};
use wire::fetch::{FetchPartition, FetchPartitionResponse, FetchRequest, FetchTopic};
use wire::header::{ClientId, RequestHeader};
use wire::messages::create_topics_request::CreatableTopic;
use wire::messages::{CreateTopicsRequest, InitProducerIdRequest};
use wire::produce::{ProduceRequest, TransactionSupport};

use super::*;
use crate::handlers::test_support::{TOPIC, TestBroker, batch_at, named, produce};
use crate::handlers::txn_test_support::Producer;
use crate::partition::test_support::sync;

const PRODUCE_BY_NAME: i16 = 12;
const FETCH_BY_NAME: i16 = 12;

fn frame<C: Call>(version: i16, correlation_id: i32, request: &C) -> Bytes {
    let api_key = ApiKey::from_code(C::KEY).unwrap();
    let header =
        RequestHeader { api_key, api_version: version, correlation_id, client_id: ClientId::new("test") };
    call::encode(&header, request).unwrap().to_bytes()
}

fn create_topic(correlation_id: i32, name: &str) -> Bytes {
    let topic = CreatableTopic::default()
        .with_name(StrBytes::from_string(name.to_owned()).into())
        .with_num_partitions(1)
        .with_replication_factor(1);
    frame(7, correlation_id, &CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000))
}

fn fetch(correlation_id: i32, partition: i32, max_wait_ms: i32) -> Bytes {
    let partitions = vec![FetchPartition::new(partition, Offset::new(0), 1 << 20)];
    let request = FetchRequest {
        max_wait_ms,
        min_bytes: 1,
        topics: vec![FetchTopic { topic: named(TOPIC), partitions }],
        ..FetchRequest::default()
    };
    frame(FETCH_BY_NAME, correlation_id, &request)
}

/// Its client's end, and the connection, which nobody drives yet.
async fn connect(node: &TestBroker) -> (TcpStream, Connection) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let (running, stop) = watch::channel(false);
    // A sender that is gone counts as a stop.
    std::mem::forget(running);
    let settings = ConnectionSettings { frame_bytes_max: 1 << 20, idle: None };
    let info = Arc::clone(&node.context.connection);
    let budget = Budget::new(64 << 20);
    (client, Connection::new(Arc::clone(&node.broker), info, settings, budget, stream, stop))
}

pub(in crate::net) async fn receive<C: Call>(client: &mut TcpStream, version: i16) -> (i32, C::Response) {
    let len = client.read_i32().await.expect("a reply");
    let mut body = BytesMut::zeroed(len as usize);
    client.read_exact(&mut body).await.unwrap();
    call::decode::<C>(body.freeze(), version).unwrap()
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let test =
        async { tokio::time::timeout(Duration::from_secs(30), test).await.expect("the test ends in time") };
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

#[test]
fn requests_take_effect_in_the_order_in_which_they_came() {
    run(async {
        let node = TestBroker::start();
        let (mut client, connection) = connect(&node).await;
        tokio::task::spawn_local(connection.serve());
        let record = frame(PRODUCE_BY_NAME, 2, &produce(1, TOPIC, 0, batch_at(&[1])));
        client.write_all(&[create_topic(1, TOPIC), record].concat()).await.unwrap();
        let (first, created) = receive::<CreateTopicsRequest>(&mut client, 7).await;
        let (second, produced) = receive::<ProduceRequest>(&mut client, PRODUCE_BY_NAME).await;
        assert_eq!((first, created.topics[0].error_code, second), (1, 0, 2));
        assert!(
            produced.topics[0].partitions[0].error.is_none(),
            "the topic was created before: {produced:?}"
        );
        node.stop();
    });
}

#[test]
fn what_was_sent_before_an_end_of_the_stream_takes_effect() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 1, &[]).await;
        let (mut client, connection) = connect(&node).await;
        let records =
            (2..12).flat_map(|id| frame(PRODUCE_BY_NAME, id, &produce(0, TOPIC, 0, batch_at(&[1]))));
        let all: Vec<u8> = create_topic(1, "before").into_iter().chain(records).collect();
        client.write_all(&all).await.unwrap();
        client.shutdown().await.unwrap();
        connection.serve().await;
        let end = node.partition(TOPIC, 0).offsets().log_end;
        assert_eq!(end, Offset::new(10), "acks=0 producers send and leave");
        node.stop();
    });
}

#[test]
fn a_request_behind_a_parked_fetch_keeps_nobody_waiting() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 1, &[]).await;
        let init = |id| frame(4, id, &InitProducerIdRequest::default().with_transactional_id(None));
        let (mut parked, connection) = connect(&node).await;
        tokio::task::spawn_local(connection.serve());
        parked.write_all(&[fetch(1, 0, 1_000_000), init(2)].concat()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let (mut other, connection) = connect(&node).await;
        tokio::task::spawn_local(connection.serve());
        other.write_all(&init(1)).await.unwrap();
        let answer = receive::<InitProducerIdRequest>(&mut other, 4);
        let (_, answer) = tokio::time::timeout(Duration::from_secs(5), answer).await.expect("an id");
        assert_eq!(answer.error_code, 0);
        node.stop();
    });
}

#[test]
fn replies_that_wait_for_an_older_one_are_counted() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 2, &[]).await;
        let mut large = records::BatchBuilder::new();
        large.append(1, None, Some(&vec![7; 90_000]), &[]);
        node.append(1, large.build().unwrap()).await;
        let (mut client, mut connection) = connect(&node).await;
        let fetches = (2..100).flat_map(|id| fetch(id, 1, 0));
        let all: Vec<u8> = fetch(1, 0, 1_000_000).into_iter().chain(fetches).collect();
        client.write_all(&all).await.unwrap();
        for _ in 0..50 {
            let polled =
                std::future::poll_fn(|context| Poll::Ready(connection.poll(context).is_ready())).await;
            assert!(!polled, "the connection goes on");
            tokio::task::yield_now().await;
        }
        assert!(connection.held_bytes >= REPLY_BYTES_UNSENT_MAX, "{} bytes", connection.held_bytes);
        assert!(connection.held_bytes < REPLY_BYTES_UNSENT_MAX + 100_000, "{} bytes", connection.held_bytes);
        drop(connection);
        node.stop();
    });
}

#[test]
fn fetches_of_one_session_follow_each_other() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 1, &[]).await;
        let (mut client, connection) = connect(&node).await;
        tokio::task::spawn_local(connection.serve());
        let step = |correlation_id, session_id, session_epoch, max_wait_ms| {
            let partitions = vec![FetchPartition::new(0, Offset::ZERO, 1 << 20)];
            let topics = vec![FetchTopic { topic: named(TOPIC), partitions }];
            let request = FetchRequest {
                session_id,
                session_epoch,
                max_wait_ms,
                min_bytes: 1,
                topics: if session_epoch == 0 { topics } else { Vec::new() },
                ..FetchRequest::default()
            };
            frame(FETCH_BY_NAME, correlation_id, &request)
        };
        client.write_all(&step(1, 0, 0, 0)).await.unwrap();
        let (_, opened) = receive::<FetchRequest>(&mut client, FETCH_BY_NAME).await;
        let id = opened.session_id;
        assert!(id > 0);
        // The first parks; the third request is another one's step of the order.
        let record = frame(PRODUCE_BY_NAME, 4, &produce(1, TOPIC, 0, batch_at(&[1])));
        let all = [step(2, id, 1, 300), step(3, id, 2, 300), record, step(5, id, 3, 10_000)].concat();
        client.write_all(&all).await.unwrap();
        for correlation_id in [2, 3] {
            let (answered, found) = receive::<FetchRequest>(&mut client, FETCH_BY_NAME).await;
            assert_eq!((answered, found.error, found.session_id), (correlation_id, ErrorCode::None, id));
            let found: usize = found
                .topics
                .iter()
                .flat_map(|topic| &topic.partitions)
                .map(FetchPartitionResponse::records_len)
                .sum();
            assert_eq!(found, batch_len(correlation_id));
        }
        assert_eq!(receive::<ProduceRequest>(&mut client, PRODUCE_BY_NAME).await.0, 4);
        let (answered, found) = receive::<FetchRequest>(&mut client, FETCH_BY_NAME).await;
        assert_eq!((answered, found.error), (5, ErrorCode::None));
        node.stop();
    });
}

/// What was sent behind a transaction's first records, which wait for their coordinator, waits as well; others do not.
#[test]
fn a_produce_that_waits_for_its_admission_keeps_its_place() {
    for acks in [0, 1] {
        run(async {
            let node = TestBroker::start();
            node.create(TOPIC, 2, &[]).await;
            let partition = node.partition(TOPIC, 0);
            let end = || partition.offsets().log_end.value();
            // In the epoch of a transaction of before KIP-890 nothing is written ahead of the coordinator's word.
            let mut producer = Producer::start(&node, "id", TransactionSupport::Classic).await;
            producer.add(&node, 1).await.unwrap();
            producer.end(&node, true).await;
            producer.support = TransactionSupport::AddsPartitions;
            node.stop_syncing();
            let (mut client, connection) = connect(&node).await;
            tokio::task::spawn_local(connection.serve());
            let in_transaction = |id, sequence| {
                frame(PRODUCE_BY_NAME, id, &producer.request(acks, 0, producer.batch(sequence, "value")))
            };
            let plain = |id| frame(PRODUCE_BY_NAME, id, &produce(1, TOPIC, 0, batch_at(&[1, 2, 3])));
            client.write_all(&[in_transaction(1, 0), in_transaction(2, 1), plain(3)].concat()).await.unwrap();
            let (mut other, connection) = connect(&node).await;
            tokio::task::spawn_local(connection.serve());
            other.write_all(&plain(1)).await.unwrap();
            assert_eq!(receive::<ProduceRequest>(&mut other, PRODUCE_BY_NAME).await.0, 1);
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert_eq!(end(), 3, "the coordinator has not written yet that it admits the partition");

            sync(&node.partition(TRANSACTION_STATE, 0));
            let mut offsets = Vec::new();
            for id in if acks == 0 { 3..=3 } else { 1..=3 } {
                let (answered, response) = receive::<ProduceRequest>(&mut client, PRODUCE_BY_NAME).await;
                let answer = &response.topics[0].partitions[0];
                assert_eq!((answered, answer.error), (id, ErrorCode::None));
                offsets.push(answer.base_offset.value());
            }
            assert_eq!(offsets, if acks == 0 { vec![5] } else { vec![3, 4, 5] });
            assert_eq!(end(), 8);
            node.stop();
        });
    }
}

/// A transaction that is open in the partition already is not asked about: its records are pipelined.
#[test]
fn an_open_transaction_is_pipelined() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 1, &[]).await;
        let mut producer = Producer::start(&node, "id", TransactionSupport::AddsPartitions).await;
        producer.write(&node, 0, "first").await;
        node.stop_syncing();
        let (mut client, connection) = connect(&node).await;
        tokio::task::spawn_local(connection.serve());
        for sequence in 1..5 {
            let request = producer.request(-1, 0, producer.batch(sequence, "value"));
            client.write_all(&frame(PRODUCE_BY_NAME, sequence, &request)).await.unwrap();
        }
        while node.partition(TOPIC, 0).offsets().log_end < Offset::new(5) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        node.stop();
    });
}

/// The Produce behind the second fetch of the session wakes it.
fn batch_len(correlation_id: i32) -> usize {
    if correlation_id == 3 { batch_at(&[1]).len() } else { 0 }
}
