//! DeleteTopics (`ControllerApis.deleteTopics`).

use std::sync::Arc;

use controller::command::{DeleteTopics, DeletedTopic, TopicReference};
use controller::{ApiError, Command, Reply};
use model::{ErrorCode, TopicId};
use wire::messages::delete_topics_response::DeletableTopicResult;
use wire::messages::{DeleteTopicsRequest, DeleteTopicsResponse};

use super::answer::{code_and_text, submit_within, topic_name};
use crate::context::{Broker, RequestContext};

/// Answers a DeleteTopics request once the topics are durably gone; their files go later.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    if !broker.metadata.config().topics.delete_enabled {
        return refusal(&request, ErrorCode::TopicDeletionDisabled);
    }
    if request.topics.is_empty() {
        return DeleteTopicsResponse::default();
    }
    let topics = request
        .topics
        .iter()
        .map(|topic| TopicReference {
            name: topic.name.as_ref().map(|name| name.to_string()),
            id: TopicId::new(topic.topic_id),
        })
        .collect();
    let command = Command::DeleteTopics(DeleteTopics { topics });
    match submit_within(broker, request.timeout_ms, command).await {
        Ok(Reply::DeleteTopics(deleted)) => {
            DeleteTopicsResponse::default().with_responses(deleted.into_iter().map(result).collect())
        }
        Ok(other) => unreachable!("DeleteTopics was answered {other:?}"),
        Err(code) => refusal(&request, code),
    }
}

fn result(topic: DeletedTopic) -> DeletableTopicResult {
    let (code, message) = code_and_text(topic.error);
    DeletableTopicResult::default()
        .with_name(topic.name.map(topic_name))
        .with_topic_id(topic.id.uuid())
        .with_error_code(code)
        .with_error_message(message)
}

/// The same answer for every topic; Kafka gives it no text.
fn refusal(request: &DeleteTopicsRequest, code: ErrorCode) -> DeleteTopicsResponse {
    let refused = |topic: &wire::messages::delete_topics_request::DeleteTopicState| DeletedTopic {
        name: topic.name.as_ref().map(|name| name.to_string()),
        id: TopicId::new(topic.topic_id),
        error: Some(ApiError::silent(code)),
    };
    let responses = request.topics.iter().map(|topic| result(refused(topic))).collect();
    DeleteTopicsResponse::default().with_responses(responses)
}
