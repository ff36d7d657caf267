//! CreatePartitions (`ControllerApis.createPartitions`).

use std::sync::Arc;

use controller::command::{CreatePartitions, NamedResult, NewPartitions};
use controller::{ApiError, Command, Reply};
use wire::messages::create_partitions_response::CreatePartitionsTopicResult;
use wire::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

use super::answer::{broker_ids, code_and_text, submit_within, topic_name};
use crate::context::{Broker, RequestContext};
use crate::metadata::random;

/// Answers a CreatePartitions request once the partitions are durable.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    if request.topics.is_empty() {
        return CreatePartitionsResponse::default();
    }
    let topics: Vec<_> = request
        .topics
        .iter()
        .map(|topic| NewPartitions {
            name: topic.name.to_string(),
            count: topic.count,
            assignments: topic.assignments.as_ref().map(|assignments| {
                assignments.iter().map(|assignment| broker_ids(&assignment.broker_ids)).collect()
            }),
        })
        .collect();
    let command = Command::CreatePartitions(CreatePartitions {
        topics,
        validate_only: request.validate_only,
        seed: random::placement_seed(),
    });
    let results = match submit_within(broker, request.timeout_ms, command).await {
        Ok(Reply::CreatePartitions(results)) => results,
        Ok(other) => unreachable!("CreatePartitions was answered {other:?}"),
        Err(code) => request
            .topics
            .iter()
            .map(|topic| NamedResult { name: topic.name.to_string(), error: Some(ApiError::silent(code)) })
            .collect(),
    };
    CreatePartitionsResponse::default().with_results(results.into_iter().map(result).collect())
}

fn result(topic: NamedResult) -> CreatePartitionsTopicResult {
    let (code, message) = code_and_text(topic.error);
    CreatePartitionsTopicResult::default()
        .with_name(topic_name(topic.name))
        .with_error_code(code)
        .with_error_message(message)
}
