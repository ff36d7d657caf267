//! ConsumerGroupDescribe (KIP-848, KIP-1099; `KafkaApis.handleConsumerGroupDescribe`).

use std::sync::Arc;

use coordinator::group::{ConsumerGroupDescription, ConsumerMemberDescription, DescribedPartitions, Refusal};
use model::ErrorCode;
use wire::messages::consumer_group_describe_response::{Assignment, DescribedGroup, Member, TopicPartitions};
use wire::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};

use super::answer::{operations, text, topic_name};
use super::consumer_group_heartbeat::consumer_groups_enabled;
use crate::context::{Broker, RequestContext};

/// Answers a ConsumerGroupDescribe request.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: ConsumerGroupDescribeRequest,
) -> ConsumerGroupDescribeResponse {
    let enabled = consumer_groups_enabled(broker);
    let allowed = if request.include_authorized_operations { operations::GROUP } else { operations::OMITTED };
    let mut groups = Vec::with_capacity(request.group_ids.len());
    for id in request.group_ids {
        let found =
            if enabled { describe(broker, &id).await } else { Err(ErrorCode::UnsupportedVersion.into()) };
        let answer = DescribedGroup::default().with_group_id(id);
        groups.push(match found {
            Ok(group) => described(answer, group).with_authorized_operations(allowed),
            Err(Refusal { code, message }) => {
                answer.with_error_code(code.code()).with_error_message(message.map(text))
            }
        });
    }
    ConsumerGroupDescribeResponse::default().with_groups(groups)
}

async fn describe(broker: &Broker, id: &str) -> Result<ConsumerGroupDescription, Refusal> {
    if id.is_empty() {
        return Err(ErrorCode::InvalidGroupId.into());
    }
    let looked = broker
        .groups
        .look(id, |shard, context| shard.describe_consumer_group(id, context.topics, context.settings));
    looked.await.map_err(Refusal::from)?
}

fn described(answer: DescribedGroup, group: ConsumerGroupDescription) -> DescribedGroup {
    answer
        .with_group_state(text(group.state))
        .with_group_epoch(group.epoch)
        .with_assignment_epoch(group.assignment_epoch)
        .with_assignor_name(text(group.assignor))
        .with_members(group.members.into_iter().map(member).collect())
}

fn member(member: ConsumerMemberDescription) -> Member {
    let topics = member.subscribed_topics.into_iter().map(topic_name);
    Member::default()
        .with_member_id(text(member.member_id))
        .with_instance_id(member.instance_id.map(text))
        .with_rack_id(member.rack_id.map(text))
        .with_member_epoch(member.member_epoch)
        .with_client_id(text(member.client_id))
        .with_client_host(text(member.client_host))
        .with_subscribed_topic_names(topics.collect())
        .with_subscribed_topic_regex(member.subscribed_regex.map(text))
        .with_assignment(assignment(member.assigned))
        .with_target_assignment(assignment(member.target))
        .with_member_type(i8::from(!member.classic))
}

fn assignment(partitions: Vec<DescribedPartitions>) -> Assignment {
    let topics = partitions.into_iter().map(|described| {
        TopicPartitions::default()
            .with_topic_id(described.topic_id.uuid())
            .with_topic_name(topic_name(described.topic))
            .with_partitions(described.partitions)
    });
    Assignment::default().with_topic_partitions(topics.collect())
}
