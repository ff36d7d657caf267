//! The topic and the coordinator that a measurement needs.

use std::net::SocketAddr;
use std::time::Duration;

use client::Connection;
use model::ErrorCode;
use wire::StrBytes;
use wire::messages::FindCoordinatorRequest;

use anyhow::bail;
use uuid::Uuid;

use crate::topic::Topic;

/// How long any single call may take.
pub const CALL_TIMEOUT: Duration = Duration::from_mins(1);

const FIND_COORDINATOR: i16 = 3;
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
    let topic = Topic::create(address, &name, partitions, &[]).await?;
    Ok((topic.name, topic.id))
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
