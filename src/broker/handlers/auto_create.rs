//! Topics that come into being because somebody asked for them: user topics named by a Metadata request, and the
//! broker's own topics (`AutoTopicCreationManager`).

use std::sync::Arc;

use controller::command::{CreateTopics, CreatedTopic, NewTopic};
use controller::{Command, Reply};
use model::ErrorCode;
use model::topic_name::{GROUP_METADATA, SHARE_GROUP_STATE, TRANSACTION_STATE};

use crate::context::Broker;
use crate::metadata::random;

/// Creates the topics and waits until they exist or were refused. A refusal is logged only: whoever asks again
/// finds the topic still missing, as with Kafka.
pub(super) async fn create(broker: &Arc<Broker>, names: impl Iterator<Item = &str>) {
    let topics: Vec<NewTopic> = names.map(|name| new_topic(broker, name)).collect();
    let command =
        Command::CreateTopics(CreateTopics { topics, validate_only: false, seed: random::placement_seed() });
    match broker.metadata.submit(command).await {
        Ok(Reply::CreateTopics(created)) => created.iter().for_each(log_outcome),
        Ok(other) => unreachable!("CreateTopics was answered {other:?}"),
        Err(error) => tracing::debug!(target: "ottla.metadata", "auto topic creation was not tried: {error}"),
    }
}

/// The topic as auto-creation makes it; internal topics have counts and configs of their own.
fn new_topic(broker: &Broker, name: &str) -> NewTopic {
    let config = broker.metadata.config();
    let topic = NewTopic::new(name, random::topic_id());
    let own = |partitions: i32, replication_factor: i16, configs: &[(&str, String)]| NewTopic {
        partitions,
        replication_factor,
        configs: configs.iter().map(|(key, value)| ((*key).to_owned(), Some(value.clone()))).collect(),
        clamp_replication: true,
        ..topic.clone()
    };
    match name {
        GROUP_METADATA => own(
            config.offsets.partitions,
            config.offsets.replication_factor,
            &[
                ("cleanup.policy", "compact".to_owned()),
                ("compression.type", "producer".to_owned()),
                ("segment.bytes", segment_bytes(name, config.offsets.segment_bytes)),
            ],
        ),
        TRANSACTION_STATE => own(
            config.transactions.partitions,
            config.transactions.replication_factor,
            &[
                ("unclean.leader.election.enable", "false".to_owned()),
                ("compression.type", "uncompressed".to_owned()),
                ("cleanup.policy", "compact".to_owned()),
                ("min.insync.replicas", config.transactions.min_isr.to_string()),
                ("segment.bytes", segment_bytes(name, config.transactions.segment_bytes)),
            ],
        ),
        SHARE_GROUP_STATE => own(
            config.share_coordinator.partitions,
            config.share_coordinator.replication_factor,
            &[
                ("cleanup.policy", "delete".to_owned()),
                ("compression.type", "producer".to_owned()),
                ("segment.bytes", segment_bytes(name, config.share_coordinator.segment_bytes)),
                ("min.insync.replicas", config.share_coordinator.min_isr.to_string()),
                ("retention.ms", "-1".to_owned()),
            ],
        ),
        _ => NewTopic {
            partitions: config.topics.partitions,
            replication_factor: i16::try_from(config.topics.replication_factor).unwrap_or(i16::MAX),
            ..topic
        },
    }
}

/// The smallest `segment.bytes` that a topic may have (`LogConfig`).
const SEGMENT_BYTES_MIN: i32 = 1 << 20;

/// What a coordinator's topic gets. Its broker setting may be smaller than any topic's may be: Kafka then never gets the
/// topic, and its coordinator serves nobody.
fn segment_bytes(name: &str, configured: i32) -> String {
    if configured < SEGMENT_BYTES_MIN {
        tracing::warn!(
            target: "ottla.metadata", "topic {name} is created with segment.bytes {SEGMENT_BYTES_MIN}, the smallest that a topic may have, instead \
             of {configured}"
        );
    }
    configured.max(SEGMENT_BYTES_MIN).to_string()
}

fn log_outcome(topic: &CreatedTopic) {
    match &topic.result {
        Ok(shape) => {
            if let Some(wanted) = shape.clamped_from {
                tracing::info!(
                    target: "ottla.metadata", "internal topic {} is created with replication factor {} instead of {wanted}: that is how many \
                     brokers there are",
                    topic.name,
                    shape.replication_factor
                );
            }
        }
        // Two clients have asked at the same time, and both find it.
        Err(error) if error.code == ErrorCode::TopicAlreadyExists => {}
        Err(error) => {
            tracing::info!(target: "ottla.metadata", "topic {} was not auto-created: {error}", topic.name);
        }
    }
}
