//! What is wrong with a ConsumerGroupHeartbeat by itself
//! (`GroupCoordinatorService.throwIfConsumerGroupHeartbeatRequestIsInvalid`): Kafka's order and Kafka's sentences.

use super::group::refusal;
use super::member::{EPOCH_LEAVE, EPOCH_STATIC_LEAVE};
use crate::group::{ConsumerHeartbeatRequest, Refusal};
use model::ErrorCode;

/// From this version on a member brings its own id (KIP-1082).
const VERSION_OWN_MEMBER_ID: i16 = 1;

pub(super) fn validate(request: &ConsumerHeartbeatRequest, assignors: &[String]) -> Result<(), Refusal> {
    let epoch = request.member_epoch;
    if request.version >= VERSION_OWN_MEMBER_ID || epoch > 0 || epoch == EPOCH_LEAVE {
        not_blank(Some(&request.member_id), "MemberId can't be empty.")?;
    }
    not_blank(Some(&request.group_id), "GroupId can't be empty.")?;
    not_blank(request.instance_id.as_deref(), "InstanceId can't be empty.")?;
    not_blank(request.rack_id.as_deref(), "RackId can't be empty.")?;
    if epoch == 0 {
        if request.rebalance_timeout_ms == -1 {
            return invalid("RebalanceTimeoutMs must be provided in first request.");
        }
        if request.owned.as_ref().is_none_or(|owned| !owned.is_empty()) {
            return invalid("TopicPartitions must be empty when (re-)joining.");
        }
        if request.subscribed_topics.is_none() && request.subscribed_regex.is_none() {
            return invalid(
                "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
            );
        }
    } else if epoch == EPOCH_STATIC_LEAVE && request.instance_id.is_none() {
        return invalid("InstanceId can't be null.");
    } else if epoch < EPOCH_STATIC_LEAVE {
        return invalid("MemberEpoch is invalid.");
    }
    match &request.server_assignor {
        Some(assignor) if !assignors.contains(assignor) => {
            let known = assignors.join(", ");
            let message =
                format!("ServerAssignor {assignor} is not supported. Supported assignors: {known}.");
            Err(refusal(ErrorCode::UnsupportedAssignor, message))
        }
        _ => Ok(()),
    }
}

/// Java's `trim` takes away everything up to the space.
fn not_blank(value: Option<&str>, message: &str) -> Result<(), Refusal> {
    let blank = value.is_some_and(|value| value.chars().all(|character| character <= ' '));
    if blank { invalid(message) } else { Ok(()) }
}

fn invalid(message: &str) -> Result<(), Refusal> {
    Err(refusal(ErrorCode::InvalidRequest, message))
}
