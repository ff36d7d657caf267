//! The topic and the coordinator that a measurement needs.

use std::net::SocketAddr;
use std::time::Duration;

use client::Connection;
use model::ErrorCode;
use wire::StrBytes;
use wire::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use wire::messages::{FindCoordinatorRequest, MetadataRequest, TopicName};

use anyhow::{bail, ensure};
use uuid::Uuid;

/// How long any single call may take.
pub const CALL_TIMEOUT: Duration = Duration::from_mins(1);

const FIND_COORDINATOR: i16 = 3;
const CREATE_TOPICS: i16 = 5;
const METADATA: i16 = 10;
const ATTEMPTS_MAX: usize = 300;

/// A string of the protocol.
pub fn text(value: impl Into<String>) -> StrBytes {
    StrBytes::from_string(value.into())
}

/// Opens a connection.
pub async fn connect(address: SocketAddr, name: &str) -> anyhow::Result<Connection> {
    Ok(Connection::open(address, name, CALL_TIMEOUT).await?)
}

/// Creates a fresh topic and gives its name and id.
pub async fn topic(address: SocketAddr, partitions: i32) -> anyhow::Result<(String, Uuid)> {
    let name = format!("bench-{}", Uuid::new_v4().simple());
    let mut connection = connect(address, "kbench").await?;
    let topic = CreatableTopic::default()
        .with_name(TopicName(text(name.as_str())))
        .with_num_partitions(partitions)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(30_000);
    let answer = connection.call(CREATE_TOPICS, &request).await?;
    let code = answer.topics.first().map_or(-1, |topic| topic.error_code);
    ensure!(code == 0, "the topic {name} was not created: error {code}");
    let asked = wire::messages::metadata_request::MetadataRequestTopic::default()
        .with_name(Some(TopicName(text(name.as_str()))));
    let request = MetadataRequest::default().with_topics(Some(vec![asked]));
    let answer = connection.call(METADATA, &request).await?;
    let id = answer.topics.first().map_or_else(Uuid::nil, |topic| topic.topic_id);
    Ok((name, id))
}

/// Waits until the coordinator of `group` answers.
pub async fn coordinator(address: SocketAddr, group: &str) -> anyhow::Result<()> {
    let mut connection = connect(address, "kbench").await?;
    let request = FindCoordinatorRequest::default().with_key(text(group));
    for _ in 0..ATTEMPTS_MAX {
        if connection.call(FIND_COORDINATOR, &request).await?.error_code == 0 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("the coordinator of {group} is not available")
}

/// Is this an answer to ask again after: a coordinator that is not there yet?
pub fn is_not_ready(code: i16) -> bool {
    const NOT_READY: [ErrorCode; 3] =
        [ErrorCode::CoordinatorLoadInProgress, ErrorCode::CoordinatorNotAvailable, ErrorCode::NotCoordinator];
    NOT_READY.iter().any(|error| *error as i16 == code)
}
