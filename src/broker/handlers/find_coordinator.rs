//! FindCoordinator: the broker that coordinates a group, a transactional id or a share partition is the leader of
//! the partition of an internal topic that the key falls into (`KafkaApis.getCoordinator`).

use std::sync::Arc;

use model::topic_name::{GROUP_METADATA, SHARE_GROUP_STATE, TRANSACTION_STATE};
use model::{BrokerId, ErrorCode, TopicId};
use wire::StrBytes;
use wire::messages::find_coordinator_response::Coordinator;
use wire::messages::{FindCoordinatorRequest, FindCoordinatorResponse};

use super::answer::{INVALID_REQUEST_TEXT, node, text};
use super::auto_create;
use crate::context::{Broker, RequestContext};
use crate::groups::partition_of;

/// Answers a FindCoordinator request.
pub async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let mut coordinators = Vec::with_capacity(request.coordinator_keys.len());
    for key in request.coordinator_keys {
        let found = find(broker, request.key_type, &key).await;
        let mut answer = coordinator(broker, context, key, found);
        if !KEY_TYPES.contains(&request.key_type) {
            answer.error_message = Some(text(INVALID_REQUEST_TEXT));
        }
        coordinators.push(answer);
    }
    FindCoordinatorResponse::default().with_coordinators(coordinators)
}

/// `CoordinatorType`: groups, transactions, share partitions.
const KEY_TYPES: std::ops::RangeInclusive<i8> = 0..=2;

async fn find(broker: &Arc<Broker>, key_type: i8, key: &str) -> Result<BrokerId, ErrorCode> {
    let config = broker.metadata.config();
    let (topic, index) = match key_type {
        0 => (GROUP_METADATA, broker.groups.partition_of(key, config.offsets.partitions)),
        1 => (TRANSACTION_STATE, broker.transactions.partition_of(key, config.transactions.partitions)),
        2 if is_share_partition(key) => {
            (SHARE_GROUP_STATE, partition_of(key, config.share_coordinator.partitions))
        }
        _ => return Err(ErrorCode::InvalidRequest),
    };
    let image = broker.metadata.image();
    let Some(found) = image.topic(topic) else {
        // As Kafka: the first answer makes the client ask again, and by then the topic is there.
        auto_create::create(broker, std::iter::once(topic)).await;
        return Err(ErrorCode::CoordinatorNotAvailable);
    };
    found
        .partition(index)
        .and_then(|partition| image.broker(partition.leader))
        .filter(|leader| !leader.fenced)
        .map(|leader| leader.id)
        .ok_or(ErrorCode::CoordinatorNotAvailable)
}

/// Whether the key is `group:topic id:partition` (`SharePartitionKey.validate`).
fn is_share_partition(key: &str) -> bool {
    // Java's split drops empty parts at the end.
    let parts: Vec<&str> = key.trim_end_matches(':').split(':').collect();
    match parts[..] {
        [group, topic, partition] => {
            !group.trim().is_empty() && topic.parse::<TopicId>().is_ok() && partition.parse::<i32>().is_ok()
        }
        _ => false,
    }
}

fn coordinator(
    broker: &Broker,
    context: &RequestContext,
    key: StrBytes,
    found: Result<BrokerId, ErrorCode>,
) -> Coordinator {
    let answer = Coordinator::default().with_key(key);
    match found {
        Ok(id) => {
            let (host, port) = broker.endpoints.node_for(&context.connection);
            answer.with_node_id(node(id)).with_host(text(host)).with_port(i32::from(port))
        }
        Err(error) => answer
            .with_error_code(error.code())
            .with_error_message(Some(StrBytes::from_static_str("")))
            .with_node_id(node(BrokerId::NONE))
            .with_port(-1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_keys_have_three_parts() {
        assert!(is_share_partition("group:AAAAAAAAAAEAAAAAAAAAAg:3"));
        for key in [
            "",
            "group",
            "group:AAAAAAAAAAEAAAAAAAAAAg",
            " :AAAAAAAAAAEAAAAAAAAAAg:3",
            "g:x:3",
            "g:AAAAAAAAAAEAAAAAAAAAAg:x",
        ] {
            assert!(!is_share_partition(key), "{key}");
        }
    }
}
