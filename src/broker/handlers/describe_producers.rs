//! DescribeProducers: the producers that a partition's log remembers (KIP-664).

use std::sync::Arc;

use model::{ErrorCode, Offset};
use storage::ProducerSummary;
use wire::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use wire::messages::{DescribeProducersRequest, DescribeProducersResponse};

use super::answer::text;
use crate::context::{Broker, RequestContext};

/// Answers a DescribeProducers request.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let refusal = topic_refusal(broker, &topic.name);
        let partitions = topic.partition_indexes.iter().map(|index| match &refusal {
            Some((code, message)) => PartitionResponse::default()
                .with_partition_index(*index)
                .with_error_code(code.code())
                .with_error_message(Some(text(message.clone()))),
            None => describe(broker, &topic.name, *index),
        });
        TopicResponse::default().with_partitions(partitions.collect()).with_name(topic.name.clone())
    });
    DescribeProducersResponse::default().with_topics(topics.collect())
}

/// Only an error of the whole topic comes with a text.
fn topic_refusal(broker: &Broker, topic: &str) -> Option<(ErrorCode, String)> {
    if let Err(invalid) = model::topic_name::validate(topic) {
        return Some((ErrorCode::InvalidTopicException, invalid.to_string()));
    }
    let is_known = broker.partitions.snapshot().named(topic).is_some();
    (!is_known).then(|| {
        (ErrorCode::UnknownTopicOrPartition, "This server does not host this topic-partition.".to_owned())
    })
}

fn describe(broker: &Broker, topic: &str, index: i32) -> PartitionResponse {
    let producers = broker
        .partitions
        .find(topic, index)
        .and_then(|partition| partition.producers().map_err(|error| error.code()));
    let error = producers.as_ref().err().copied().unwrap_or(ErrorCode::None);
    let producers = producers.unwrap_or_default().iter().map(producer_state).collect();
    PartitionResponse::default()
        .with_partition_index(index)
        .with_error_code(error.code())
        .with_active_producers(producers)
}

fn producer_state(producer: &ProducerSummary) -> ProducerState {
    ProducerState::default()
        .with_producer_id(producer.producer_id.value().into())
        .with_producer_epoch(producer.producer_epoch.value().into())
        .with_last_sequence(producer.last_sequence)
        .with_last_timestamp(producer.last_timestamp)
        .with_coordinator_epoch(producer.coordinator_epoch)
        .with_current_txn_start_offset(producer.transaction_start.map_or(-1, Offset::value))
}
