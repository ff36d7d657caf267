//! OffsetCommit (`KafkaApis.handleOffsetCommitRequest`).

use std::sync::Arc;

use coordinator::group::{
    CommitPartition, CommitTopic, CommittedTopic, OffsetCommitRequest as GroupCommit, Reply, Request,
};
use model::ErrorCode;
use wire::messages::offset_commit_request::OffsetCommitRequestTopic;
use wire::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use wire::messages::{OffsetCommitRequest, OffsetCommitResponse};

use super::answer::topic_name;
use super::groups::{owned, owned_option, partition_error};
use crate::context::{Broker, RequestContext};

/// Answers an OffsetCommit request once the offsets are on disk.
pub async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let (topics, unknown) = sort_out(broker, request.topics.iter().map(asked));
    if topics.is_empty() {
        return response(unknown);
    }
    let commit = GroupCommit {
        version: context.header.api_version,
        group_id: owned(&request.group_id),
        generation: request.generation_id_or_member_epoch,
        member_id: owned(&request.member_id),
        instance_id: owned_option(request.group_instance_id.as_ref()),
        retention_time_ms: request.retention_time_ms,
        topics,
    };
    match broker.groups.ask(Request::OffsetCommit(commit)).await {
        Ok(Reply::OffsetCommit(committed)) => response(merged(unknown, committed)),
        Ok(other) => unreachable!("OffsetCommit was answered {other:?}"),
        Err(code) => refusal(&request.topics, code),
    }
}

fn asked(topic: &OffsetCommitRequestTopic) -> CommitTopic {
    let partitions = topic.partitions.iter().map(|partition| CommitPartition {
        index: partition.partition_index,
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: owned_option(partition.committed_metadata.as_ref()),
    });
    CommitTopic { name: owned(&topic.name), id: None, partitions: partitions.collect() }
}

/// What can be committed, and what is answered of topics and partitions that do not exist.
pub(super) fn sort_out(
    broker: &Broker,
    asked: impl Iterator<Item = CommitTopic>,
) -> (Vec<CommitTopic>, Vec<CommittedTopic>) {
    let image = broker.metadata.image();
    let (mut topics, mut unknown) = (Vec::new(), Vec::new());
    for CommitTopic { name, id, mut partitions } in asked {
        let known = image.topic(&name);
        let mut refused = Vec::new();
        partitions.retain(|partition| {
            let error = partition_error(known.map(AsRef::as_ref), partition.index);
            refused.extend(error.map(|code| (partition.index, code)));
            error.is_none()
        });
        if !refused.is_empty() || known.is_none() {
            unknown.push(CommittedTopic { name: name.clone(), id, partitions: refused });
        }
        if !partitions.is_empty() {
            topics.push(CommitTopic { name, id, partitions });
        }
    }
    (topics, unknown)
}

/// What was refused comes first, and partitions of one topic stand together then. Where nothing was refused, the topics
/// stand as they were asked for, as in Kafka.
pub(super) fn merged(mut answers: Vec<CommittedTopic>, more: Vec<CommittedTopic>) -> Vec<CommittedTopic> {
    if answers.is_empty() {
        return more;
    }
    for topic in more {
        match answers.iter_mut().find(|known| known.name == topic.name) {
            Some(known) => known.partitions.extend(topic.partitions),
            None => answers.push(topic),
        }
    }
    answers
}

fn response(topics: Vec<CommittedTopic>) -> OffsetCommitResponse {
    let topics = topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|(index, code)| answer(index, code));
        OffsetCommitResponseTopic::default()
            .with_name(topic_name(topic.name))
            .with_partitions(partitions.collect())
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}

fn refusal(topics: &[OffsetCommitRequestTopic], code: ErrorCode) -> OffsetCommitResponse {
    let topics = topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| answer(partition.partition_index, code));
        OffsetCommitResponseTopic::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}

fn answer(index: i32, code: ErrorCode) -> OffsetCommitResponsePartition {
    OffsetCommitResponsePartition::default().with_partition_index(index).with_error_code(code.code())
}
