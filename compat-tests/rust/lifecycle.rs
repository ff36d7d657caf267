//! The process as its users see it: start, stop, restart, crash, bad configuration.

use std::process::Output;
use std::time::Duration;

use wire::produce::ProducePartition;

use crate::fixture::{
    Broker, PATIENCE, batch, consume_all, ensure_topic, free_address, ottla, produce, produce_request,
};
use model::{Clock, ErrorCode};

fn run_with(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut command = ottla();
    command.args(arguments).envs(environment.iter().copied()).current_dir(dir.path());
    command.output().expect("ottla runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn records_survive_a_clean_restart() {
    let mut broker = Broker::start(&[]).await;
    let mut connection = broker.connect().await;
    let topic = ensure_topic(&mut connection, "kept").await.topics[0].topic_id;
    let answer = produce(&mut connection, "kept", -1, batch(&[b"one", b"two"])).await;
    assert_eq!((answer.error, answer.base_offset.value()), (ErrorCode::None, 0));

    let status = broker.signal_and_wait("TERM");
    assert_eq!(status.code(), Some(0), "a clean stop exits with 0:\n{}", broker.log());
    assert!(broker.data().join(".kafka_cleanshutdown").exists(), "a clean stop leaves Kafka's marker");

    broker.restart().await;
    let mut connection = broker.connect().await;
    assert_eq!(consume_all(&mut connection, "kept").await, [b"one", b"two"]);
    let answer = produce(&mut connection, "kept", -1, batch(&[b"three"])).await;
    assert_eq!(answer.base_offset.value(), 2);
    assert_eq!(ensure_topic(&mut connection, "kept").await.topics[0].topic_id, topic);
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let mut broker = Broker::start(&[]).await;
    let mut acknowledged = Vec::new();
    for round in 0..5 {
        let mut connection = broker.connect().await;
        ensure_topic(&mut connection, "crashed").await;
        for number in 0..20 {
            let value = format!("{round}-{number}").into_bytes();
            let answer = produce(&mut connection, "crashed", -1, batch(&[&value])).await;
            assert_eq!(answer.error, ErrorCode::None);
            acknowledged.push(value);
        }
        broker.kill_and_restart().await;
        let mut connection = broker.connect().await;
        assert_eq!(consume_all(&mut connection, "crashed").await, acknowledged, "after crash {round}");
    }
}

#[tokio::test]
async fn few_descriptors_slow_a_node_down_and_do_not_end_it() {
    const PARTITIONS: i32 = 250;
    let partitions = format!("num.partitions={PARTITIONS}");
    let mut broker = Broker::start_within(Some(128), &[&partitions, "max.connections=1000"]).await;
    assert!(broker.log().contains("max.connections is 1000, and 48 are taken"), "{}", broker.log());
    let mut connection = broker.connect().await;
    ensure_topic(&mut connection, "wide").await;
    let request = |indexes: &[i32]| {
        let mut request = produce_request("wide", -1, batch(&[b"value"]));
        request.topics[0].partitions = indexes
            .iter()
            .map(|index| ProducePartition { partition: *index, records: Some(batch(&[b"value"])) })
            .collect();
        request
    };
    // More logs than the process can have files, some at a time: nobody is refused.
    let all: Vec<i32> = (0..PARTITIONS).collect();
    for some in all.chunks(10) {
        let answer = connection.call(9, &request(some)).await.expect("Produce is answered");
        assert!(answer.topics[0].partitions.iter().all(|partition| partition.error == ErrorCode::None));
    }
    // Again, some and then all at once: now each is durable by way of the journal, and its file stays open until it is
    // settled. What comes faster than that finds no descriptor and is refused for now.
    for some in all.chunks(10).chain([&all[..]]) {
        let mut left = some.to_vec();
        let clock = Clock::system();
        while !left.is_empty() {
            let answer = connection.call(9, &request(&left)).await.expect("Produce is answered");
            let partitions = &answer.topics[0].partitions;
            let refused = partitions.iter().filter(|partition| partition.error != ErrorCode::None);
            assert!(refused.clone().all(|partition| partition.error == ErrorCode::KafkaStorageError));
            left = refused.map(|partition| partition.partition).collect();
            assert!(clock.monotonic() < PATIENCE, "{left:?} find no place");
            // As a client that comes again.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    assert_eq!(broker.signal_and_wait("TERM").code(), Some(0), "{}", broker.log());
    broker.restart().await;
    let mut connection = broker.connect().await;
    assert_eq!(consume_all(&mut connection, "wide").await, [b"value", b"value", b"value"]);
}

#[tokio::test]
async fn the_log_says_what_people_wait_for() {
    let mut broker = Broker::start(&[]).await;
    assert_eq!(broker.signal_and_wait("INT").code(), Some(0));
    broker.restart().await;
    assert_eq!(broker.signal_and_wait("HUP").code(), Some(0));
    let log = broker.log();
    for line in
        ["Transitioning from RECOVERY to RUNNING", "Kafka Server started", "(kafka.server.KafkaRaftServer)"]
    {
        assert!(log.contains(line), "{line} is missing:\n{log}");
    }
    let first = log.lines().next().expect("a line");
    let (date, rest) = (&first[..25], &first[25..]);
    assert!(
        date.starts_with("[20") && date.ends_with(']') && rest.starts_with(" INFO "),
        "Kafka's pattern: {first}"
    );
}

#[tokio::test]
async fn topics_of_create_topics_exist_for_the_first_client() {
    let mut broker =
        Broker::start(&["create.topics=first:3:1,second:1:1:compact", "auto.create.topics.enable=false"])
            .await;
    for _ in 0..2 {
        let mut connection = broker.connect().await;
        let first = ensure_topic(&mut connection, "first").await;
        assert_eq!(first.topics[0].partitions.len(), 3);
        let unkeyed = produce(&mut connection, "second", -1, batch(&[b"a compacted topic wants keys"])).await;
        assert_eq!(unkeyed.error, ErrorCode::InvalidRecord);
        broker.kill_and_restart().await;
    }
}

#[test]
fn a_bad_value_names_key_value_and_origin() {
    let output = run_with(&["serve", "--override", "num.partitions=none"], &[]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1));
    for part in ["num.partitions", "none", "--override"] {
        assert!(said.contains(part), "{part} is missing: {said}");
    }
    let output = run_with(&["serve"], &[("KAFKA_LISTENERS", "PLAINTEXT://:99999")]);
    assert!(stderr(&output).contains("KAFKA_LISTENERS"), "{}", stderr(&output));
}

#[test]
fn a_taken_port_is_named_and_no_file_is_touched() {
    let address = free_address();
    let _taken = std::net::TcpListener::bind(address).expect("the port is free");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = dir.path().join("data");
    let listeners = format!("listeners=PLAINTEXT://{address}");
    let log_dirs = format!("log.dirs={}", data.display());
    let output = run_with(&["serve", "--override", &listeners, "--override", &log_dirs], &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains(&address.to_string()), "{said}");
    assert_eq!(said.matches("in use").count(), 1, "the cause is told once: {said}");
    assert!(!data.exists(), "the data directory was not created");
}

#[test]
fn a_directory_that_is_named_twice_is_refused() {
    let listeners = format!("listeners=PLAINTEXT://{}", free_address());
    let output = run_with(&["serve", "--override", &listeners, "--override", "log.dirs=data,./data"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("more than once in log.dirs"), "{}", stderr(&output));
}

#[tokio::test]
async fn one_directory_has_one_owner() {
    let broker = Broker::start(&[]).await;
    let listeners = format!("listeners=PLAINTEXT://{}", free_address());
    let log_dirs = format!("log.dirs={}", broker.data().display());
    let output = run_with(&["serve", "--override", &listeners, "--override", &log_dirs], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("lock"), "{}", stderr(&output));
}

/// `ottla storage STEP DIR`: status, standard output and standard error.
fn storage(step: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = run_with(&[&["storage", step], arguments].concat(), &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), said, stderr(&output))
}

#[tokio::test]
async fn a_directory_is_checked_and_handed_back() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let new = dir.path().display().to_string();
    let (code, said, _) = storage("check", &[&new]);
    assert_eq!(code, Some(0));
    assert!(said.contains("new: a start formats it") && said.contains("begins a new cluster"), "{said}");
    assert_eq!(std::fs::read_dir(dir.path()).expect("the directory").count(), 0, "nothing was written");
    let (code, _, said) = storage("hand-back", &[&new]);
    assert!(code == Some(1) && said.contains("nothing to hand back"), "{said}");

    let mut broker = Broker::start(&["node.id=5"]).await;
    let mut connection = broker.connect().await;
    ensure_topic(&mut connection, "kept").await;
    let data = broker.data().display().to_string();
    assert!(storage("hand-back", &[&data]).2.contains("did not close its logs"));
    assert_eq!(broker.signal_and_wait("TERM").code(), Some(0));
    let (code, said, _) = storage("check", &[&data]);
    assert_eq!(code, Some(0));
    assert!(
        said.contains("closed: a start reads no records") && said.contains("1 topics with 1 partitions"),
        "{said}"
    );
    let (code, _, said) = storage("check", &[&data, "--override", "node.id=6"]);
    assert!(code == Some(1) && said.contains("belongs to node 5"), "{said}");
    let (code, said, why) = storage("hand-back", &[&data]);
    assert_eq!(code, Some(0), "{why}");
    assert!(said.contains("as Apache Kafka knows them"), "{said}");
    assert!(broker.data().join(".kafka_cleanshutdown").exists());
    broker.restart().await;
    assert!(broker.data().join(".ottla-reserve").exists(), "it is taken up again");
}
