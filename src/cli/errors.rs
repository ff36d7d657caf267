//! What Kafka's client says of an error for which the broker sent no words. Scripts look for these sentences.

use client::ClusterError;
use model::ErrorCode;

use crate::kafka::Trouble;

/// The sentence of an error, or its name where no tool shows one.
pub fn sentence(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::UnknownServerError => {
            "The server experienced an unexpected error when processing the request."
        }
        ErrorCode::OffsetOutOfRange => {
            "The requested offset is not within the range of offsets maintained by the server."
        }
        ErrorCode::UnknownTopicOrPartition => "This server does not host this topic-partition.",
        ErrorCode::LeaderNotAvailable => {
            "There is no leader for this topic-partition as we are in the middle of a leadership election."
        }
        ErrorCode::NotLeaderOrFollower => {
            "For requests intended only for the leader, this error indicates that the broker is not the current \
             leader. For requests intended for any replica, this error indicates that the broker is not a replica of \
             the topic partition."
        }
        ErrorCode::RequestTimedOut => "The request timed out.",
        ErrorCode::MessageTooLarge => {
            "The request included a message larger than the max message size the server will accept."
        }
        ErrorCode::CoordinatorNotAvailable => "The coordinator is not available.",
        ErrorCode::NotCoordinator => "This is not the correct coordinator.",
        ErrorCode::InvalidTopicException => {
            "The request attempted to perform an operation on an invalid topic."
        }
        ErrorCode::InvalidGroupId => "The group id is invalid.",
        ErrorCode::UnknownMemberId => "The coordinator is not aware of this member.",
        ErrorCode::TopicAuthorizationFailed => "Topic authorization failed.",
        ErrorCode::GroupAuthorizationFailed => "Group authorization failed.",
        ErrorCode::ClusterAuthorizationFailed => "Cluster authorization failed.",
        ErrorCode::UnsupportedVersion => "The version of API is not supported.",
        ErrorCode::TopicAlreadyExists => "Topic with this name already exists.",
        ErrorCode::InvalidPartitions => "Number of partitions is below 1.",
        ErrorCode::InvalidReplicationFactor => {
            "Replication factor is below 1 or larger than the number of available brokers."
        }
        ErrorCode::InvalidReplicaAssignment => "Replica assignment is invalid.",
        ErrorCode::InvalidConfig => "Configuration is invalid.",
        ErrorCode::NotController => "This is not the correct controller for this cluster.",
        ErrorCode::PolicyViolation => "Request parameters do not satisfy the configured policy.",
        ErrorCode::SecurityDisabled => "Security features are disabled.",
        ErrorCode::NonEmptyGroup => "The group is not empty.",
        ErrorCode::GroupIdNotFound => "The group id does not exist.",
        ErrorCode::GroupSubscribedToTopic => {
            "Deleting offsets of a topic is forbidden while the consumer group is actively subscribed to it."
        }
        ErrorCode::TransactionalIdNotFound => "The transactionalId could not be found",
        ErrorCode::InvalidProducerEpoch => "Producer attempted to produce with an old epoch.",
        ErrorCode::ReassignmentInProgress => "A partition reassignment is in progress.",
        ErrorCode::NoReassignmentInProgress => "No partition reassignment is in progress.",
        ErrorCode::TopicDeletionDisabled => "Topic deletion is disabled.",
        ErrorCode::UnknownTopicId => "This server does not host this topic ID.",
        ErrorCode::FeatureUpdateFailed => {
            "Unable to update finalized features due to an unexpected server error."
        }
        other => other.sentence(),
    }
}

/// The class of Kafka's exception and `: `, where a tool prints an exception with its class; empty for errors that no
/// tool shows so.
pub fn java_class(code: Option<ErrorCode>) -> &'static str {
    match code {
        Some(ErrorCode::GroupIdNotFound) => "org.apache.kafka.common.errors.GroupIdNotFoundException: ",
        Some(ErrorCode::NonEmptyGroup) => "org.apache.kafka.common.errors.GroupNotEmptyException: ",
        Some(ErrorCode::GroupSubscribedToTopic) => {
            "org.apache.kafka.common.errors.GroupSubscribedToTopicException: "
        }
        Some(ErrorCode::UnknownTopicOrPartition) => {
            "org.apache.kafka.common.errors.UnknownTopicOrPartitionException: "
        }
        Some(ErrorCode::UnknownMemberId) => "org.apache.kafka.common.errors.UnknownMemberIdException: ",
        Some(ErrorCode::InvalidGroupId) => "org.apache.kafka.common.errors.InvalidGroupIdException: ",
        Some(ErrorCode::InvalidConfig) => "org.apache.kafka.common.errors.InvalidConfigurationException: ",
        Some(ErrorCode::InvalidRequest) => "org.apache.kafka.common.errors.InvalidRequestException: ",
        Some(ErrorCode::UnsupportedVersion) => "org.apache.kafka.common.errors.UnsupportedVersionException: ",
        Some(ErrorCode::TransactionalIdNotFound) => {
            "org.apache.kafka.common.errors.TransactionalIdNotFoundException: "
        }
        Some(ErrorCode::MismatchedEndpointType) => {
            "org.apache.kafka.common.errors.MismatchedEndpointTypeException: "
        }
        Some(ErrorCode::UnsupportedEndpointType) => {
            "org.apache.kafka.common.errors.UnsupportedEndpointTypeException: "
        }
        Some(ErrorCode::SecurityDisabled) => "org.apache.kafka.common.errors.SecurityDisabledException: ",
        Some(ErrorCode::TopicAuthorizationFailed) => {
            "org.apache.kafka.common.errors.TopicAuthorizationException: "
        }
        Some(ErrorCode::GroupAuthorizationFailed) => {
            "org.apache.kafka.common.errors.GroupAuthorizationException: "
        }
        Some(ErrorCode::ClusterAuthorizationFailed) => {
            "org.apache.kafka.common.errors.ClusterAuthorizationException: "
        }
        _ => "",
    }
}

/// The same of whatever a call failed for.
pub fn class_of(trouble: &Trouble) -> &'static str {
    match trouble {
        Trouble::Client(ClusterError::Unsupported(_)) => java_class(Some(ErrorCode::UnsupportedVersion)),
        Trouble::Client(ClusterError::NoNode(_)) => "org.apache.kafka.common.errors.TimeoutException: ",
        other => java_class(other.code()),
    }
}
