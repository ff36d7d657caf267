//! `OffsetFetch`: one group before version 8, many since (KIP-709), and an error for all of it since version 2.

use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};
use kafka_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};

const GROUPS_FROM: i16 = 8;
const GROUP_ERROR_FROM: i16 = 2;

pub(crate) fn upgrade(request: &mut OffsetFetchRequest, version: i16) {
    if version >= GROUPS_FROM {
        return;
    }
    let topics = request.topics.take().map(|topics| {
        let renamed = topics.into_iter().map(|topic| {
            OffsetFetchRequestTopics::default()
                .with_name(topic.name)
                .with_partition_indexes(topic.partition_indexes)
        });
        renamed.collect()
    });
    let only = OffsetFetchRequestGroup::default()
        .with_group_id(std::mem::take(&mut request.group_id))
        .with_topics(topics);
    request.groups = vec![only];
    // The default, which newer versions encode.
    request.topics = Some(Vec::new());
}

/// Handlers name an error of a whole group at the group and at each partition that was asked for.
pub(crate) fn downgrade(response: &mut OffsetFetchResponse, version: i16) {
    // Of these two, only the shape of the newest version says something.
    response.topics.clear();
    response.error_code = 0;
    if version >= GROUP_ERROR_FROM {
        for group in response.groups.iter_mut().filter(|group| group.error_code != 0) {
            group.topics.clear();
        }
    }
    if version >= GROUPS_FROM {
        return;
    }
    let Some(only) = std::mem::take(&mut response.groups).into_iter().next() else { return };
    if version >= GROUP_ERROR_FROM {
        response.error_code = only.error_code;
    }
    let topics = only.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|partition| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_committed_offset(partition.committed_offset)
                .with_committed_leader_epoch(partition.committed_leader_epoch)
                .with_metadata(partition.metadata)
                .with_error_code(partition.error_code)
        });
        OffsetFetchResponseTopic::default().with_name(topic.name).with_partitions(partitions.collect())
    });
    response.topics = topics.collect();
}
