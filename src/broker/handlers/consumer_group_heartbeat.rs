//! ConsumerGroupHeartbeat (KIP-848; `KafkaApis.handleConsumerGroupHeartbeat`).

use std::sync::Arc;

use coordinator::group::record::Assignment as GroupAssignment;
use coordinator::group::{ConsumerHeartbeatReply, ConsumerHeartbeatRequest, Refusal, Reply, Request};
use model::{ErrorCode, TopicId};
use wire::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use wire::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use super::answer::text;
use super::groups::{client, fresh_id, owned, owned_option};
use crate::context::{Broker, RequestContext};
use crate::metadata::GROUP_VERSION;

/// Answers a ConsumerGroupHeartbeat request.
pub async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: ConsumerGroupHeartbeatRequest,
) -> ConsumerGroupHeartbeatResponse {
    if !consumer_groups_enabled(broker) {
        return refusal(ErrorCode::UnsupportedVersion.into());
    }
    let heartbeat = heartbeat(context, &request);
    match broker.groups.ask(Request::ConsumerHeartbeat(heartbeat)).await {
        Ok(Reply::ConsumerHeartbeat(Ok(reply))) => response(reply),
        Ok(Reply::ConsumerHeartbeat(Err(refused))) => refusal(refused),
        Ok(other) => unreachable!("ConsumerGroupHeartbeat was answered {other:?}"),
        Err(code) => refusal(code.into()),
    }
}

/// Whether `group.version` is finalized and `group.coordinator.rebalance.protocols` names them
/// (`KafkaApis.isConsumerGroupProtocolEnabled`).
pub(super) fn consumer_groups_enabled(broker: &Broker) -> bool {
    broker.config.groups.consumer_enabled && broker.metadata.image().features().level(GROUP_VERSION) >= 1
}

fn heartbeat(context: &RequestContext, request: &ConsumerGroupHeartbeatRequest) -> ConsumerHeartbeatRequest {
    let topics = request.subscribed_topic_names.as_ref();
    let owned_partitions = request.topic_partitions.as_ref().map(|topics| {
        let mut assignment = GroupAssignment::new();
        for topic in topics {
            assignment.entry(TopicId::new(topic.topic_id)).or_default().extend(&topic.partitions);
        }
        assignment
    });
    ConsumerHeartbeatRequest {
        client: client(context),
        version: context.header.api_version,
        group_id: owned(&request.group_id),
        member_id: owned(&request.member_id),
        fresh_id: fresh_id(&request.member_id),
        member_epoch: request.member_epoch,
        instance_id: owned_option(request.instance_id.as_ref()),
        rack_id: owned_option(request.rack_id.as_ref()),
        rebalance_timeout_ms: request.rebalance_timeout_ms,
        subscribed_topics: topics.map(|names| names.iter().map(|name| owned(name)).collect()),
        subscribed_regex: owned_option(request.subscribed_topic_regex.as_ref()),
        server_assignor: owned_option(request.server_assignor.as_ref()),
        owned: owned_partitions,
    }
}

fn response(reply: ConsumerHeartbeatReply) -> ConsumerGroupHeartbeatResponse {
    let assignment = reply.assignment.map(|assignment| {
        let topics = assignment.into_iter().map(|(id, partitions)| {
            TopicPartitions::default().with_topic_id(id.uuid()).with_partitions(partitions)
        });
        Assignment::default().with_topic_partitions(topics.collect())
    });
    ConsumerGroupHeartbeatResponse::default()
        .with_member_id(Some(text(reply.member_id)))
        .with_member_epoch(reply.member_epoch)
        .with_heartbeat_interval_ms(reply.heartbeat_interval_ms)
        .with_assignment(assignment)
}

fn refusal(refused: Refusal) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse::default()
        .with_error_code(refused.code.code())
        .with_error_message(refused.message.map(text))
}
