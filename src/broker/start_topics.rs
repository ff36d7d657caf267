//! `create.topics` (`KAFKA_CREATE_TOPICS` of the wurstmeister image): topics that exist when the first client comes.

use config::resolved::StartTopic;
use controller::command::{CreateTopics, NewTopic};
use controller::{Command, Reply};
use model::ErrorCode;

use crate::context::Broker;
use crate::metadata::random;

/// Creates the topics of `create.topics` that are missing. One that cannot be created is named in the log and does not
/// stop the start.
pub async fn create(broker: &Broker) {
    let topics: Vec<NewTopic> = broker.config.topics.create_at_start.iter().map(new_topic).collect();
    if topics.is_empty() {
        return;
    }
    let command =
        Command::CreateTopics(CreateTopics { topics, validate_only: false, seed: random::placement_seed() });
    match broker.metadata.submit(command).await {
        Ok(Reply::CreateTopics(created)) => {
            for topic in created {
                match topic.result {
                    Ok(_) => tracing::info!(target: "ottla.server", "create.topics: created {}", topic.name),
                    Err(error) if error.code == ErrorCode::TopicAlreadyExists => {}
                    Err(error) => {
                        tracing::warn!(target: "ottla.server", "create.topics: {}: {error}", topic.name);
                    }
                }
            }
        }
        Ok(other) => unreachable!("CreateTopics was answered {other:?}"),
        Err(error) => tracing::warn!(target: "ottla.server", "create.topics: {error}"),
    }
}

fn new_topic(topic: &StartTopic) -> NewTopic {
    let policy = topic.cleanup_policy.iter();
    NewTopic {
        partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        configs: policy.map(|policy| ("cleanup.policy".to_owned(), Some(policy.clone()))).collect(),
        ..NewTopic::new(&topic.name, random::topic_id())
    }
}
