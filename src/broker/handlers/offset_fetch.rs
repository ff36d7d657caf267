//! OffsetFetch: the committed offsets of groups (KIP-709; `KafkaApis.handleOffsetFetchRequest`).

use std::sync::Arc;

use coordinator::group::{FetchTopic, FetchedPartition, FetchedTopic, OffsetFetchRequest as GroupFetch};
use model::ErrorCode;
use wire::messages::offset_fetch_request::OffsetFetchRequestGroup;
use wire::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use wire::messages::{OffsetFetchRequest, OffsetFetchResponse};

use super::answer::{text, topic_name};
use super::groups::{owned, owned_option};
use crate::context::{Broker, RequestContext};

/// Answers an OffsetFetch request.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    let mut groups = Vec::with_capacity(request.groups.len());
    for asked in request.groups {
        let answer = OffsetFetchResponseGroup::default().with_group_id(asked.group_id.clone());
        let fetch = group_fetch(&asked, request.require_stable);
        let looked = broker.groups.look(&fetch.group_id, |shard, _context| shard.fetch_offsets(&fetch)).await;
        groups.push(match looked.and_then(|fetched| fetched) {
            Ok(topics) => answer.with_topics(topics.into_iter().map(topic).collect()),
            Err(code) => answer.with_error_code(code.code()).with_topics(refused(&asked, code)),
        });
    }
    OffsetFetchResponse::default().with_groups(groups)
}

fn group_fetch(asked: &OffsetFetchRequestGroup, require_stable: bool) -> GroupFetch {
    let topics = asked.topics.as_ref().map(|topics| {
        let topics = topics.iter().map(|topic| FetchTopic {
            name: owned(&topic.name),
            id: None,
            partitions: topic.partition_indexes.clone(),
        });
        topics.collect()
    });
    GroupFetch {
        group_id: owned(&asked.group_id),
        member_id: owned_option(asked.member_id.as_ref()),
        member_epoch: asked.member_epoch,
        require_stable,
        topics,
    }
}

fn topic(fetched: FetchedTopic) -> OffsetFetchResponseTopics {
    let partitions = fetched.partitions.into_iter().map(
        |FetchedPartition { index, offset, leader_epoch, metadata, error }| {
            OffsetFetchResponsePartitions::default()
                .with_partition_index(index)
                .with_committed_offset(offset)
                .with_committed_leader_epoch(leader_epoch)
                .with_metadata(Some(text(metadata)))
                .with_error_code(error.code())
        },
    );
    OffsetFetchResponseTopics::default()
        .with_name(topic_name(fetched.name))
        .with_partitions(partitions.collect())
}

/// An error of the whole group, as the oldest versions have it: at each partition.
fn refused(asked: &OffsetFetchRequestGroup, code: ErrorCode) -> Vec<OffsetFetchResponseTopics> {
    let topics = asked.topics.iter().flatten().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|index| {
            OffsetFetchResponsePartitions::default()
                .with_partition_index(*index)
                .with_committed_offset(-1)
                .with_metadata(Some(text("")))
                .with_error_code(code.code())
        });
        OffsetFetchResponseTopics::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    topics.collect()
}
