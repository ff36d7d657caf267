//! TxnOffsetCommit: offsets that are a group's once a transaction is committed (KIP-98, KIP-447, KIP-890;
//! `KafkaApis.handleTxnOffsetCommitRequest`).

use std::sync::Arc;

use coordinator::group::{
    CommitPartition, CommitTopic, CommittedTopic, Reply, TxnOffsetCommitRequest as GroupCommit,
};
use model::ErrorCode;
use wire::compat::txn_offset_commit::adds_group;
use wire::messages::txn_offset_commit_request::TxnOffsetCommitRequestTopic;
use wire::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use wire::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};

use super::answer::topic_name;
use super::groups::{owned, owned_option};
use super::offset_commit::{merged, sort_out};
use crate::context::{Broker, RequestContext};
use crate::transactions::Admission;

/// Answers a TxnOffsetCommit request once the offsets are on disk, to be committed or dropped with the transaction.
pub async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: TxnOffsetCommitRequest,
) -> TxnOffsetCommitResponse {
    let (topics, unknown) = sort_out(broker, request.topics.iter().map(asked));
    if topics.is_empty() {
        return response(unknown);
    }
    if request.group_id.is_empty() {
        return response(merged(unknown, refused(&topics, ErrorCode::InvalidGroupId)));
    }
    let how = if adds_group(context.header.api_version) { Admission::Add } else { Admission::Verify };
    let commit = GroupCommit {
        group_id: owned(&request.group_id),
        producer_id: request.producer_id.0,
        producer_epoch: request.producer_epoch,
        generation: request.generation_id,
        member_id: owned(&request.member_id),
        instance_id: owned_option(request.group_instance_id.as_ref()),
        topics,
    };
    let committing = commit.topics.clone();
    let committed =
        broker.groups.commit_in_transaction(&broker.transactions, &request.transactional_id, commit, how);
    match committed.await {
        Ok(Reply::OffsetCommit(committed)) => response(merged(unknown, committed)),
        Ok(other) => unreachable!("TxnOffsetCommit was answered {other:?}"),
        Err(code) => response(merged(unknown, refused(&committing, as_told(code)))),
    }
}

/// A transaction coordinator's word for an old epoch is the partition's word to whoever writes there.
fn as_told(code: ErrorCode) -> ErrorCode {
    match code {
        ErrorCode::ProducerFenced => ErrorCode::InvalidProducerEpoch,
        code => code,
    }
}

fn asked(topic: &TxnOffsetCommitRequestTopic) -> CommitTopic {
    let partitions = topic.partitions.iter().map(|partition| CommitPartition {
        index: partition.partition_index,
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: owned_option(partition.committed_metadata.as_ref()),
    });
    CommitTopic { name: owned(&topic.name), id: None, partitions: partitions.collect() }
}

fn refused(topics: &[CommitTopic], code: ErrorCode) -> Vec<CommittedTopic> {
    let topics = topics.iter().map(|topic| CommittedTopic {
        name: topic.name.clone(),
        id: None,
        partitions: topic.partitions.iter().map(|partition| (partition.index, code)).collect(),
    });
    topics.collect()
}

fn response(topics: Vec<CommittedTopic>) -> TxnOffsetCommitResponse {
    let topics = topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|(index, code)| {
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(index)
                .with_error_code(code.code())
        });
        TxnOffsetCommitResponseTopic::default()
            .with_name(topic_name(topic.name))
            .with_partitions(partitions.collect())
    });
    TxnOffsetCommitResponse::default().with_topics(topics.collect())
}
