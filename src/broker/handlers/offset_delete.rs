//! OffsetDelete: single offsets of a group are forgotten (KIP-496; `KafkaApis.handleOffsetDeleteRequest`).

use std::sync::Arc;

use coordinator::group::{CommittedTopic, OffsetDeleteRequest as GroupOffsetDelete, Reply, Request};
use model::ErrorCode;
use wire::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use wire::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use super::answer::topic_name;
use super::groups::{owned, partition_error};
use super::offset_commit::merged;
use crate::context::{Broker, RequestContext};

/// Answers an OffsetDelete request once it is on disk.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    let (topics, unknown) = sort_out(broker, &request);
    // Also without a topic that exists: whether the group does is answered in any case.
    let delete = GroupOffsetDelete { group_id: owned(&request.group_id), topics };
    match broker.groups.ask(Request::OffsetDelete(delete)).await {
        Ok(Reply::OffsetDelete(Ok(deleted))) => response(merged(unknown, deleted)),
        Ok(Reply::OffsetDelete(Err(code))) | Err(code) => {
            OffsetDeleteResponse::default().with_error_code(code.code())
        }
        Ok(other) => unreachable!("OffsetDelete was answered {other:?}"),
    }
}

fn sort_out(
    broker: &Broker,
    request: &OffsetDeleteRequest,
) -> (Vec<(String, Vec<i32>)>, Vec<CommittedTopic>) {
    let image = broker.metadata.image();
    let (mut topics, mut unknown) = (Vec::new(), Vec::new());
    for asked in &request.topics {
        let known = image.topic(&asked.name);
        let indexes = asked.partitions.iter().map(|partition| partition.partition_index);
        let (there, absent): (Vec<i32>, Vec<i32>) =
            indexes.partition(|index| partition_error(known.map(AsRef::as_ref), *index).is_none());
        let name = owned(&asked.name);
        if !absent.is_empty() || known.is_none() {
            let partitions = absent.into_iter().map(|index| (index, ErrorCode::UnknownTopicOrPartition));
            unknown.push(CommittedTopic { name: name.clone(), id: None, partitions: partitions.collect() });
        }
        if !there.is_empty() {
            topics.push((name, there));
        }
    }
    (topics, unknown)
}

fn response(topics: Vec<CommittedTopic>) -> OffsetDeleteResponse {
    let topics = topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|(index, code)| {
            OffsetDeleteResponsePartition::default().with_partition_index(index).with_error_code(code.code())
        });
        OffsetDeleteResponseTopic::default()
            .with_name(topic_name(topic.name))
            .with_partitions(partitions.collect())
    });
    OffsetDeleteResponse::default().with_topics(topics.collect())
}
