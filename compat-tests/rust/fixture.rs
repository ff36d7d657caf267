//! A real `ottla` process on a free port of the loopback address, and the calls that the tests make.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use bytes::Bytes;
use client::Connection;
use model::{Clock, ErrorCode, Offset};
use records::builder::BatchBuilder;
use tempfile::TempDir;
use wire::TopicRef;
use wire::fetch::{FetchPartition, FetchRequest, FetchTopic};
use wire::messages::{MetadataRequest, MetadataResponse};
use wire::produce::{
    ProducePartition, ProducePartitionResponse, ProduceRequest, ProduceTopic, TransactionSupport,
};

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// One broker process and its directory.
pub struct Broker {
    dir: TempDir,
    open_files: Option<u32>,
    overrides: Vec<String>,
    address: SocketAddr,
    process: Child,
}

impl Broker {
    /// Starts a broker with these settings on top of the defaults.
    pub async fn start(overrides: &[&str]) -> Self {
        Self::start_within(None, overrides).await
    }

    /// As [`Broker::start`], for a process that may have only so many files open.
    pub async fn start_within(open_files: Option<u32>, overrides: &[&str]) -> Self {
        Self::start_on(tempfile::tempdir().expect("a temporary directory"), open_files, overrides).await
    }

    /// As [`Broker::start_within`], where `dir` has the data already, in `data`.
    pub async fn start_on(dir: TempDir, open_files: Option<u32>, overrides: &[&str]) -> Self {
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        let address = free_address();
        let process = spawn(dir.path(), address, open_files, &overrides);
        let mut broker = Self { dir, open_files, overrides, address, process };
        broker.wait_until_ready().await;
        broker
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A new connection to it.
    pub async fn connect(&self) -> Connection {
        Connection::open(self.address, "test", PATIENCE).await.expect("the broker accepts")
    }

    /// Ends it as a power cut of the process would.
    pub fn kill(&mut self) {
        self.process.kill().expect("SIGKILL");
        self.process.wait().expect("the process ends");
    }

    /// As [`Broker::kill`], and starts it again.
    pub async fn kill_and_restart(&mut self) {
        self.kill();
        self.restart().await;
    }

    /// Ends it with a signal, such as `TERM`, and waits.
    pub fn signal_and_wait(&mut self, signal: &str) -> ExitStatus {
        let status = Command::new("kill").args([format!("-{signal}"), self.pid().to_string()]).status();
        assert!(status.expect("kill runs").success());
        self.process.wait().expect("the process ends")
    }

    /// Starts it again on the same directory and address.
    pub async fn restart(&mut self) {
        self.process = spawn(self.dir.path(), self.address, self.open_files, &self.overrides);
        self.wait_until_ready().await;
    }

    /// Resident memory, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the process runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
        let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().expect("a number");
        kib * 1024
    }

    async fn wait_until_ready(&mut self) {
        let clock = Clock::system();
        while clock.monotonic() < PATIENCE {
            if let Some(status) = self.process.try_wait().expect("the process can be watched") {
                panic!("the broker ended with {status}:\n{}", self.log());
            }
            // The socket listens before the node serves: only an answer says that it does.
            if let Ok(mut probe) = Connection::open(self.address, "probe", PATIENCE).await
                && probe.call(0, &MetadataRequest::default()).await.is_ok()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the broker did not accept within {PATIENCE:?}:\n{}", self.log());
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the broker ---\n{}", self.log());
        }
    }
}

/// A command that runs `ottla` with a clean environment.
pub fn ottla() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    command.env_clear().stdin(Stdio::null());
    command
}

fn spawn(dir: &Path, address: SocketAddr, open_files: Option<u32>, overrides: &[String]) -> Child {
    let log = File::options().create(true).append(true).open(dir.join("log")).expect("a log file");
    let mut command = match open_files {
        None => ottla(),
        Some(limit) => {
            let mut shell = Command::new("sh");
            shell.env_clear().stdin(Stdio::null());
            shell.args([
                "-c",
                &format!("ulimit -n {limit} && exec \"$0\" \"$@\""),
                env!("CARGO_BIN_EXE_ottla"),
            ]);
            shell
        }
    };
    command.arg("serve").args(["--override", &format!("listeners=PLAINTEXT://{address}")]);
    command.args(["--override", &format!("log.dirs={}", dir.join("data").display())]);
    for text in overrides {
        command.args(["--override", text]);
    }
    command.stdout(log.try_clone().expect("the log file")).stderr(log).spawn().expect("ottla starts")
}

/// An address of the loopback network that was free a moment ago.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address")
}

/// Asks for a topic by name, creating it on the way, until it has a leader.
pub async fn ensure_topic(connection: &mut Connection, name: &str) -> MetadataResponse {
    let topic = wire::messages::metadata_request::MetadataRequestTopic::default()
        .with_name(Some(wire::messages::TopicName(wire::StrBytes::from_string(name.to_owned()))));
    let request =
        MetadataRequest::default().with_topics(Some(vec![topic])).with_allow_auto_topic_creation(true);
    let clock = Clock::system();
    while clock.monotonic() < PATIENCE {
        let response = connection.call(12, &request).await.expect("Metadata is answered");
        if response.topics[0].error_code == 0 && response.topics[0].partitions[0].error_code == 0 {
            return response;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("topic {name} did not appear within {PATIENCE:?}");
}

/// A batch of records with these values.
pub fn batch(values: &[&[u8]]) -> Bytes {
    let mut builder = BatchBuilder::new();
    let now_ms = Clock::system().wall_ms();
    for value in values {
        builder.append(now_ms, None, Some(value), &[]);
    }
    builder.build().expect("a batch")
}

/// Appends a batch to partition 0 of a topic.
pub async fn produce(
    connection: &mut Connection,
    topic: &str,
    acks: i16,
    records: Bytes,
) -> ProducePartitionResponse {
    let request = produce_request(topic, acks, records);
    let response = connection.call(9, &request).await.expect("Produce is answered");
    response.topics[0].partitions[0].clone()
}

/// A Produce request for partition 0 of a topic.
pub fn produce_request(topic: &str, acks: i16, records: Bytes) -> ProduceRequest {
    let partitions = vec![ProducePartition { partition: 0, records: Some(records) }];
    let topics = vec![ProduceTopic { topic: by_name(topic), partitions }];
    ProduceRequest {
        transactional_id: None,
        acks,
        timeout_ms: 10_000,
        topics,
        zstd_allowed: true,
        transaction_support: TransactionSupport::Classic,
    }
}

/// Reads the values of all records of partition 0, from the beginning to the high watermark.
pub async fn consume_all(connection: &mut Connection, topic: &str) -> Vec<Vec<u8>> {
    let mut values = Vec::new();
    let mut offset = Offset::ZERO;
    loop {
        let partition = FetchPartition::new(0, offset, 16 * 1024 * 1024);
        let topics = vec![FetchTopic { topic: by_name(topic), partitions: vec![partition] }];
        let request = FetchRequest { wants_topic_ids: false, topics, ..FetchRequest::default() };
        let response = connection.call(11, &request).await.expect("Fetch is answered");
        let fetched = &response.topics[0].partitions[0];
        assert_eq!(fetched.error, ErrorCode::None);
        let bytes: Bytes = fetched.records.concat().into();
        offset = read_values(&bytes, offset, &mut values);
        if offset >= fetched.high_watermark {
            return values;
        }
        assert!(!bytes.is_empty(), "nothing more comes at {offset} below {}", fetched.high_watermark);
    }
}

/// Adds the values of whole, uncompressed batches, and gives the offset after them.
fn read_values(mut bytes: &[u8], mut offset: Offset, values: &mut Vec<Vec<u8>>) -> Offset {
    while let Ok(header) = model::BatchHeader::parse(bytes) {
        let Some(whole) = bytes.get(..header.size()) else { break };
        assert!(model::batch::crc_matches(whole), "the bytes are the producer's");
        for record in
            records::iter::RecordIter::new(&whole[model::batch::HEADER_BYTES..], header.record_count)
        {
            values.push(record.expect("a record").value.expect("a value").to_vec());
        }
        offset = header.last_offset().next();
        bytes = &bytes[header.size()..];
    }
    offset
}

fn by_name(topic: &str) -> TopicRef {
    TopicRef::Name(wire::StrBytes::from_string(topic.to_owned()))
}
