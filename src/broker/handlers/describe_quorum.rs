//! DescribeQuorum: the state of the metadata log's quorum, here one node that is leader and only voter (KIP-595).

use std::sync::Arc;

use model::ErrorCode;
use model::topic_name::CLUSTER_METADATA;
use wire::messages::describe_quorum_response::{Listener, Node, PartitionData, ReplicaState, TopicData};
use wire::messages::{DescribeQuorumRequest, DescribeQuorumResponse};

use super::answer::{node, text, topic_name};
use crate::context::{Broker, RequestContext};

/// Answers a DescribeQuorum request.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: DescribeQuorumRequest,
) -> DescribeQuorumResponse {
    if !asks_for_metadata_log(&request) {
        return unknown_partitions(&request);
    }
    let quorum = broker.metadata.quorum();
    // The leader has always caught up with itself.
    let now_ms = broker.clock.wall_ms();
    let voter = ReplicaState::default()
        .with_replica_id(node(broker.node_id))
        .with_replica_directory_id(quorum.directory_id)
        .with_log_end_offset(quorum.log_end_offset.value())
        .with_last_fetch_timestamp(now_ms)
        .with_last_caught_up_timestamp(now_ms);
    let partition = PartitionData::default()
        .with_partition_index(0)
        .with_leader_id(node(broker.node_id))
        .with_leader_epoch(quorum.leader_epoch.value())
        .with_high_watermark(quorum.high_watermark.value())
        .with_current_voters(vec![voter]);
    let listeners = quorum.listeners.iter().map(|listener| {
        Listener::default()
            .with_name(text(&*listener.name))
            .with_host(text(&*listener.host))
            .with_port(listener.port)
    });
    DescribeQuorumResponse::default()
        .with_topics(vec![
            TopicData::default()
                .with_topic_name(topic_name(CLUSTER_METADATA))
                .with_partitions(vec![partition]),
        ])
        .with_nodes(vec![
            Node::default().with_node_id(node(broker.node_id)).with_listeners(listeners.collect()),
        ])
}

fn asks_for_metadata_log(request: &DescribeQuorumRequest) -> bool {
    match &request.topics[..] {
        [topic] => {
            &**topic.topic_name == CLUSTER_METADATA
                && matches!(&topic.partitions[..], [partition] if partition.partition_index == 0)
        }
        _ => false,
    }
}

fn unknown_partitions(request: &DescribeQuorumRequest) -> DescribeQuorumResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            PartitionData::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(ErrorCode::UnknownTopicOrPartition.code())
                .with_error_message(Some(text("This server does not host this topic-partition.")))
        });
        TopicData::default().with_topic_name(topic.topic_name.clone()).with_partitions(partitions.collect())
    });
    DescribeQuorumResponse::default().with_topics(topics.collect())
}
