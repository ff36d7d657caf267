//! ElectLeaders: preferred and unclean elections (KIP-460).

use std::sync::Arc;

use controller::command::{ElectLeaders, ElectionType, TopicPartitionResults};
use controller::{ApiError, Command, Reply};
use model::ErrorCode;
use wire::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use wire::messages::{ElectLeadersRequest, ElectLeadersResponse};

use super::answer::{code_and_text, submit_within, topic_name};
use crate::context::{Broker, RequestContext};

/// Answers an ElectLeaders request.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: ElectLeadersRequest,
) -> ElectLeadersResponse {
    if request.topic_partitions.as_ref().is_some_and(Vec::is_empty) {
        return ElectLeadersResponse::default();
    }
    let election = match request.election_type {
        // Kafka's controller comes to see the type only in time.
        _ if request.timeout_ms <= 0 => {
            return refusal(&request, &ApiError::silent(ErrorCode::RequestTimedOut));
        }
        0 => ElectionType::Preferred,
        1 => ElectionType::Unclean,
        other => {
            let message = format!("Unknown election type {other}");
            return refusal(&request, &ApiError::new(ErrorCode::InvalidRequest, message));
        }
    };
    let partitions = request.topic_partitions.as_ref().map(|topics| {
        topics.iter().map(|topic| (topic.topic.to_string(), topic.partitions.clone())).collect::<Vec<_>>()
    });
    let command = Command::ElectLeaders(ElectLeaders { election, partitions });
    match submit_within(broker, request.timeout_ms, command).await {
        Ok(Reply::ElectLeaders(results)) => ElectLeadersResponse::default()
            .with_replica_election_results(results.into_iter().map(result).collect()),
        Ok(other) => unreachable!("ElectLeaders was answered {other:?}"),
        Err(code) => refusal(&request, &ApiError::silent(code)),
    }
}

fn result(topic: TopicPartitionResults) -> ReplicaElectionResult {
    let partitions = topic.partitions.into_iter().map(|(index, error)| {
        let (code, message) = code_and_text(error);
        PartitionResult::default().with_partition_id(index).with_error_code(code).with_error_message(message)
    });
    ReplicaElectionResult::default()
        .with_topic(topic_name(topic.name))
        .with_partition_result(partitions.collect())
}

fn refusal(request: &ElectLeadersRequest, error: &ApiError) -> ElectLeadersResponse {
    let topics = request.topic_partitions.iter().flatten().map(|topic| {
        result(TopicPartitionResults {
            name: topic.topic.to_string(),
            partitions: topic.partitions.iter().map(|index| (*index, Some(error.clone()))).collect(),
        })
    });
    ElectLeadersResponse::default()
        .with_error_code(error.code.code())
        .with_replica_election_results(topics.collect())
}
