//! ListPartitionReassignments: moves of replicas that have not ended (KIP-455).

use std::sync::Arc;

use controller::image::OngoingReassignment;
use wire::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use wire::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};

use super::answer::{nodes, topic_name};
use crate::context::{Broker, RequestContext};

/// Answers a ListPartitionReassignments request.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    let asked: Option<Vec<_>> = request.topics.map(|topics| {
        topics.into_iter().map(|topic| (topic.name.to_string(), topic.partition_indexes)).collect()
    });
    let ongoing = broker.metadata.image().topics().ongoing_reassignments(asked.as_deref());
    let topics = ongoing.into_iter().map(|(name, partitions)| {
        OngoingTopicReassignment::default()
            .with_name(topic_name(&*name))
            .with_partitions(partitions.iter().map(listed).collect())
    });
    ListPartitionReassignmentsResponse::default().with_error_message(None).with_topics(topics.collect())
}

fn listed(partition: &OngoingReassignment) -> OngoingPartitionReassignment {
    OngoingPartitionReassignment::default()
        .with_partition_index(partition.partition)
        .with_replicas(nodes(&partition.replicas))
        .with_adding_replicas(nodes(&partition.adding_replicas))
        .with_removing_replicas(nodes(&partition.removing_replicas))
}
