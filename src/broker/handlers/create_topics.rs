//! CreateTopics (`ControllerApis.createTopics`).

use std::collections::BTreeMap;
use std::sync::Arc;

use controller::command::{CreateTopics, CreatedTopic, NewTopic};
use controller::{ApiError, Command, Reply};
use wire::messages::create_topics_request::CreatableTopic;
use wire::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use wire::messages::{CreateTopicsRequest, CreateTopicsResponse};

use super::answer::{broker_ids, code_and_text, submit_within, text, topic_name};
use crate::context::{Broker, RequestContext};
use crate::metadata::random;

/// Answers a CreateTopics request once the topics are durable.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    if request.topics.is_empty() {
        return CreateTopicsResponse::default();
    }
    let command = Command::CreateTopics(CreateTopics {
        topics: request.topics.iter().map(new_topic).collect(),
        validate_only: request.validate_only,
        seed: random::placement_seed(),
    });
    let topics = match submit_within(broker, request.timeout_ms, command).await {
        Ok(Reply::CreateTopics(created)) => {
            created.into_iter().map(|topic| result(broker, &request, topic)).collect()
        }
        Ok(other) => unreachable!("CreateTopics was answered {other:?}"),
        Err(code) => {
            request.topics.iter().map(|topic| refusal(&topic.name, ApiError::silent(code))).collect()
        }
    };
    CreateTopicsResponse::default().with_topics(topics)
}

fn new_topic(topic: &CreatableTopic) -> NewTopic {
    NewTopic {
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: topic
            .assignments
            .iter()
            .map(|assignment| (assignment.partition_index, broker_ids(&assignment.broker_ids)))
            .collect(),
        configs: topic
            .configs
            .iter()
            .map(|config| (config.name.to_string(), config.value.as_ref().map(ToString::to_string)))
            .collect(),
        ..NewTopic::new(&topic.name, random::topic_id())
    }
}

fn result(broker: &Broker, request: &CreateTopicsRequest, created: CreatedTopic) -> CreatableTopicResult {
    match created.result {
        Ok(shape) => CreatableTopicResult::default()
            .with_name(topic_name(&*created.name))
            .with_topic_id(shape.topic_id.uuid())
            .with_error_message(None)
            .with_num_partitions(shape.partitions)
            .with_replication_factor(shape.replication_factor)
            .with_configs(Some(effective_configs(broker, request, &created.name))),
        Err(error) => refusal(&created.name, error),
    }
}

fn refusal(name: &str, error: ApiError) -> CreatableTopicResult {
    let (code, message) = code_and_text(Some(error));
    CreatableTopicResult::default()
        .with_name(topic_name(name))
        .with_error_code(code)
        .with_error_message(message)
        .with_num_partitions(-1)
        .with_replication_factor(-1)
}

/// All configs of the topic as it was created, by name (KIP-525).
fn effective_configs(
    broker: &Broker,
    request: &CreateTopicsRequest,
    name: &str,
) -> Vec<CreatableTopicConfigs> {
    let asked = request.topics.iter().find(|topic| **topic.name == *name);
    let overrides: BTreeMap<String, String> = asked
        .into_iter()
        .flat_map(|topic| &topic.configs)
        .filter_map(|config| Some((config.name.to_string(), config.value.as_ref()?.to_string())))
        .collect();
    config::describe::topic(broker.metadata.view().layers(), &overrides)
        .into_iter()
        .map(|entry| {
            CreatableTopicConfigs::default()
                .with_name(text(entry.name))
                .with_value(entry.value.map(text))
                .with_config_source(entry.source.id())
                .with_is_sensitive(entry.is_sensitive)
        })
        .collect()
}
