//! Conversions that the answers of the control plane share.

use std::time::Duration;

use controller::image::Partition;
use controller::{ApiError, Command, Reply};
use model::{BrokerId, ErrorCode};
use wire::StrBytes;
use wire::messages;

use crate::context::Broker;

/// Submits a command for a request that waits at most `timeout_ms`. As in Kafka nothing happens where that is over
/// already, and a command that takes longer may take effect nevertheless.
pub(super) async fn submit_within(
    broker: &Broker,
    timeout_ms: i32,
    command: Command,
) -> Result<Reply, ErrorCode> {
    let Some(timeout_ms) = u64::try_from(timeout_ms).ok().filter(|timeout_ms| *timeout_ms > 0) else {
        return Err(ErrorCode::RequestTimedOut);
    };
    let submitted = broker.metadata.submit(command);
    match tokio::time::timeout(Duration::from_millis(timeout_ms), submitted).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => Err(ErrorCode::RequestTimedOut),
    }
}

/// Error code and message as response structs carry them; 0 and null for a success.
pub(super) fn code_and_text(error: Option<ApiError>) -> (i16, Option<StrBytes>) {
    match error {
        None => (ErrorCode::None.code(), None),
        Some(error) => (error.code.code(), error.message.map(text)),
    }
}

/// A string in the form of the generated structs.
pub(super) fn text(value: impl Into<String>) -> StrBytes {
    StrBytes::from_string(value.into())
}

/// A topic name in the form of the generated structs.
pub(super) fn topic_name(value: impl Into<String>) -> messages::TopicName {
    messages::TopicName(text(value))
}

/// A broker id in the form of the generated structs.
pub(super) fn node(id: BrokerId) -> messages::BrokerId {
    messages::BrokerId(id.value())
}

/// Broker ids in the form of the generated structs.
pub(super) fn nodes(ids: &[BrokerId]) -> Vec<messages::BrokerId> {
    ids.iter().copied().map(node).collect()
}

/// Broker ids out of the generated structs.
pub(super) fn broker_ids(nodes: &[messages::BrokerId]) -> Vec<BrokerId> {
    nodes.iter().map(|node| BrokerId::new(node.0)).collect()
}

/// What is wrong with a topic name that no topic has: the code that Kafka answers for it.
pub(super) fn absent_topic_error(name: &str) -> ErrorCode {
    match model::topic_name::validate(name) {
        Ok(()) => ErrorCode::UnknownTopicOrPartition,
        Err(_) => ErrorCode::InvalidTopicException,
    }
}

/// Replicas whose broker is unknown, fenced, or has lost their directory.
pub(super) fn offline_replicas(image: &controller::Image, partition: &Partition) -> Vec<messages::BrokerId> {
    let is_offline = |id: &BrokerId| match image.broker(*id) {
        None => true,
        Some(broker) => {
            broker.fenced
                || partition.directory(*id).is_some_and(|directory| !has_directory(broker, directory))
        }
    };
    partition.replicas.iter().copied().filter(is_offline).map(node).collect()
}

/// `BrokerRegistration.hasOnlineDir`: a broker of before KIP-858 lists no directories and is taken at its word.
fn has_directory(broker: &controller::image::Broker, directory: uuid::Uuid) -> bool {
    use controller::image::{DIRECTORY_LOST, DIRECTORY_MIGRATING, DIRECTORY_UNASSIGNED};
    match directory {
        DIRECTORY_UNASSIGNED | DIRECTORY_MIGRATING => true,
        DIRECTORY_LOST => false,
        known => broker.log_dirs.is_empty() || broker.log_dirs.contains(&known),
    }
}

/// Kafka's text of `INVALID_REQUEST`, where it gives no other.
pub(super) const INVALID_REQUEST_TEXT: &str = ErrorCode::InvalidRequest.sentence();

/// Operations of KIP-430's bit fields: without an authorizer everybody may do all that the resource knows.
pub(super) mod operations {
    /// "Not asked for", and the schema's default.
    pub const OMITTED: i32 = i32::MIN;
    /// All of a topic's: READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, `DESCRIBE_CONFIGS`, `ALTER_CONFIGS`.
    pub const TOPIC: i32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;
    /// All of a group's: READ, DELETE, DESCRIBE, `DESCRIBE_CONFIGS`, `ALTER_CONFIGS`.
    pub const GROUP: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;
    /// All of the cluster's: CREATE, ALTER, DESCRIBE, `CLUSTER_ACTION`, `DESCRIBE_CONFIGS`, `ALTER_CONFIGS`,
    /// `IDEMPOTENT_WRITE`.
    pub const CLUSTER: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;
}
