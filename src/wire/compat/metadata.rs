//! Metadata: "all topics", topic ids, and errors that old clients cannot read.

use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use kafka_protocol::messages::{MetadataRequest, MetadataResponse, TopicName};
use model::ErrorCode;

/// The field is there since version 10, but its use is allowed only here (KIP-516).
const TOPIC_IDS_FROM: i16 = 12;
const OFFLINE_REPLICAS_FROM: i16 = 1;
const LISTENER_NOT_FOUND_FROM: i16 = 6;
const AUTHORIZED_OPERATIONS_FROM: i16 = 8;
const CLUSTER_AUTHORIZED_OPERATIONS_UNTIL: i16 = 10;
/// "Not asked for."
const NO_OPERATIONS: i32 = i32::MIN;

/// After it, no list means all topics and an empty one means none.
pub(crate) fn upgrade(request: &mut MetadataRequest, version: i16) -> Result<(), Box<MetadataResponse>> {
    if version == 0 && request.topics.as_ref().is_some_and(Vec::is_empty) {
        request.topics = None;
    }
    let mut topics = request.topics.iter().flatten();
    if version < TOPIC_IDS_FROM && topics.any(|topic| topic.name.is_none() || !topic.topic_id.is_nil()) {
        return Err(Box::new(refusal(request, ErrorCode::InvalidRequest)));
    }
    Ok(())
}

pub(crate) fn downgrade(response: &mut MetadataResponse, version: i16) {
    if !(AUTHORIZED_OPERATIONS_FROM..=CLUSTER_AUTHORIZED_OPERATIONS_UNTIL).contains(&version) {
        response.cluster_authorized_operations = NO_OPERATIONS;
    }
    for topic in &mut response.topics {
        if version < AUTHORIZED_OPERATIONS_FROM {
            topic.topic_authorized_operations = NO_OPERATIONS;
        }
        if version < TOPIC_IDS_FROM && topic.name.is_none() {
            topic.name = Some(TopicName::default());
        }
        for partition in &mut topic.partitions {
            downgrade_partition(partition, version);
        }
    }
}

fn downgrade_partition(partition: &mut MetadataResponsePartition, version: i16) {
    if version < LISTENER_NOT_FOUND_FROM && partition.error_code == ErrorCode::ListenerNotFound.code() {
        partition.error_code = ErrorCode::LeaderNotAvailable.code();
    }
    // The oldest clients take every replica for reachable, so they are not shown the others.
    if version < OFFLINE_REPLICAS_FROM && !partition.offline_replicas.is_empty() {
        let offline = std::mem::take(&mut partition.offline_replicas);
        partition.replica_nodes.retain(|node| !offline.contains(node));
        partition.isr_nodes.retain(|node| !offline.contains(node));
        if partition.error_code == ErrorCode::None.code() {
            partition.error_code = ErrorCode::ReplicaNotAvailable.code();
        }
    }
}

fn refusal(request: &MetadataRequest, error: ErrorCode) -> MetadataResponse {
    let topics = request.topics.iter().flatten().map(|topic| {
        MetadataResponseTopic::default()
            .with_error_code(error.code())
            .with_name(Some(topic.name.clone().unwrap_or_default()))
            .with_topic_id(topic.topic_id)
    });
    MetadataResponse::default().with_error_code(error.code()).with_topics(topics.collect())
}
