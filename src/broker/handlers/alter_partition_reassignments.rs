//! AlterPartitionReassignments: other replicas for partitions (KIP-455).

use std::sync::Arc;

use controller::command::{AlterPartitionReassignments, TopicPartitionResults};
use controller::{ApiError, Command, Reply};
use wire::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use wire::messages::{AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse};

use super::answer::{broker_ids, code_and_text, submit_within, topic_name};
use crate::context::{Broker, RequestContext};

/// Answers an AlterPartitionReassignments request.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    let response = AlterPartitionReassignmentsResponse::default();
    if request.topics.is_empty() {
        return response.with_allow_replication_factor_change(true);
    }
    let command = Command::AlterPartitionReassignments(AlterPartitionReassignments {
        topics: request
            .topics
            .iter()
            .map(|topic| {
                let partitions = topic.partitions.iter().map(|partition| {
                    (partition.partition_index, partition.replicas.as_deref().map(broker_ids))
                });
                (topic.name.to_string(), partitions.collect())
            })
            .collect(),
        allow_replication_factor_change: request.allow_replication_factor_change,
    });
    match submit_within(broker, request.timeout_ms, command).await {
        Ok(Reply::AlterPartitionReassignments(results)) => response
            .with_error_message(None)
            .with_allow_replication_factor_change(request.allow_replication_factor_change)
            .with_responses(results.into_iter().map(altered).collect()),
        Ok(other) => unreachable!("AlterPartitionReassignments was answered {other:?}"),
        Err(code) => {
            let error = ApiError::silent(code);
            let topics = request.topics.iter().map(|topic| {
                altered(TopicPartitionResults {
                    name: topic.name.to_string(),
                    partitions: topic
                        .partitions
                        .iter()
                        .map(|partition| (partition.partition_index, Some(error.clone())))
                        .collect(),
                })
            });
            response.with_error_code(code.code()).with_error_message(None).with_responses(topics.collect())
        }
    }
}

fn altered(topic: TopicPartitionResults) -> ReassignableTopicResponse {
    let partitions = topic.partitions.into_iter().map(|(index, error)| {
        let (code, message) = code_and_text(error);
        ReassignablePartitionResponse::default()
            .with_partition_index(index)
            .with_error_code(code)
            .with_error_message(message)
    });
    ReassignableTopicResponse::default()
        .with_name(topic_name(topic.name))
        .with_partitions(partitions.collect())
}
