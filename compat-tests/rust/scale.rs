//! Partitions by the thousand: what each takes while nobody uses it, and how long the node takes over all of them.

use std::time::Duration;

use client::Connection;
use model::{Clock, ErrorCode};
use wire::messages::create_topics_request::CreatableTopic;
use wire::messages::{CreateTopicsRequest, TopicName};
use wire::produce::ProducePartition;

use crate::fixture::{Broker, batch, ensure_topic, produce_request};

const PARTITIONS: i32 = 2_000;
const OPEN_FILES: u32 = 512;
/// What a partition may take, in bytes.
const EACH_MAX: u64 = 8 * 1024;
/// How long a busy machine may take over all of them.
const PATIENCE: Duration = Duration::from_mins(1);

/// Creates a topic and answers when its partitions serve.
async fn create(connection: &mut Connection, name: &str, partitions: i32) {
    let topic = CreatableTopic::default()
        .with_name(TopicName(wire::StrBytes::from_string(name.to_owned())))
        .with_num_partitions(partitions)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(60_000);
    let answer = connection.call(7, &request).await.expect("CreateTopics is answered");
    assert_eq!(answer.topics[0].error_code, 0, "{answer:?}");
    write(connection, name, partitions - 1..partitions).await;
}

/// A record to each of these partitions, some at a time.
async fn write(connection: &mut Connection, name: &str, partitions: std::ops::Range<i32>) {
    let all: Vec<i32> = partitions.collect();
    for some in all.chunks(100) {
        let mut left = some.to_vec();
        let clock = Clock::system();
        while !left.is_empty() {
            let mut request = produce_request(name, -1, batch(&[b"value"]));
            let one = |index: &i32| ProducePartition { partition: *index, records: Some(batch(&[b"value"])) };
            request.topics[0].partitions = left.iter().map(one).collect();
            let answer = connection.call(9, &request).await.expect("Produce is answered");
            let refused = answer.topics[0].partitions.iter().filter(|one| one.error != ErrorCode::None);
            left = refused.map(|one| one.partition).collect();
            assert!(clock.monotonic() < PATIENCE, "{left:?} do not serve");
        }
    }
}

fn open_files(broker: &Broker) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", broker.pid())).expect("the process runs").count()
}

/// Waits until a partition takes no more than it may. What was allocated for a moment is given back by then.
async fn assert_small(broker: &Broker, before: u64, what: &str) {
    let clock = Clock::system();
    loop {
        let each = broker.resident_bytes().saturating_sub(before) / PARTITIONS.unsigned_abs() as u64;
        if each <= EACH_MAX {
            eprintln!(
                "{what}: {each} bytes for each of {PARTITIONS} partitions, {} open files",
                open_files(broker)
            );
            break;
        }
        assert!(clock.monotonic() < PATIENCE, "{what}: {each} bytes for each partition");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(open_files(broker) <= OPEN_FILES as usize);
}

#[tokio::test]
async fn partitions_by_the_thousand_are_small_in_few_files() {
    let mut broker = Broker::start_within(Some(OPEN_FILES), &[]).await;
    let mut connection = broker.connect().await;
    // What the first ones load is not counted.
    create(&mut connection, "before", 200).await;
    ensure_topic(&mut connection, "before").await;
    let before = broker.resident_bytes();

    let clock = Clock::system();
    create(&mut connection, "many", PARTITIONS).await;
    eprintln!("{PARTITIONS} partitions are created and serve: {:?}", clock.monotonic());
    assert_small(&broker, before, "created").await;
    write(&mut connection, "many", 0..PARTITIONS).await;
    assert_small(&broker, before, "with a record").await;
    drop(connection);

    let clock = Clock::system();
    assert_eq!(broker.signal_and_wait("TERM").code(), Some(0), "{}", broker.log());
    eprintln!("clean stop: {:?}", clock.monotonic());
    let clock = Clock::system();
    broker.restart().await;
    let mut connection = broker.connect().await;
    write(&mut connection, "many", 0..1).await;
    eprintln!("start to the first acknowledged record: {:?}", clock.monotonic());
    assert_small(&broker, before, "after a clean start").await;

    broker.kill();
    let clock = Clock::system();
    broker.restart().await;
    let mut connection = broker.connect().await;
    write(&mut connection, "many", 0..1).await;
    eprintln!("the same after kill -9: {:?}", clock.monotonic());
    assert_small(&broker, before, "after kill -9").await;
}
