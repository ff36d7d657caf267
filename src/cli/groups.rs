//! Committed offsets of groups: read, written and deleted at the coordinator.

use std::collections::BTreeMap;

use client::{Cluster, Target};
use wire::messages::GroupId;
use wire::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use wire::messages::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};

use crate::kafka::{TopicPartition, Trouble, check, text, topic_name};

/// What a group has committed of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to read.
    pub offset: i64,
    /// Leader epoch of the last record read; `None` where it was not told.
    pub leader_epoch: Option<i32>,
}

/// A member that commits: id, generation, static name.
pub type Committer<'a> = (&'a str, i32, Option<&'a str>);

/// What the group has committed: of these partitions, or of all. Partitions without a commit are left out.
///
/// # Errors
/// See [`Trouble`].
pub async fn committed_offsets(
    cluster: &mut Cluster,
    coordinator: Target,
    group: &str,
    partitions: Option<&[TopicPartition]>,
) -> Result<BTreeMap<TopicPartition, Committed>, Trouble> {
    if partitions.is_some_and(<[_]>::is_empty) {
        return Ok(BTreeMap::new());
    }
    let by_topic = partitions.map(by_topic);
    let id = GroupId(text(group));
    let answer = cluster
        .call_capped(coordinator, OFFSET_FETCH_MAX, |version| {
            if version < GROUPS_FROM {
                let topics = by_topic.as_ref().map(|topics| {
                    let topics = topics.iter().map(|(name, indexes)| {
                        OffsetFetchRequestTopic::default()
                            .with_name(topic_name(name.as_str()))
                            .with_partition_indexes(indexes.clone())
                    });
                    topics.collect()
                });
                return OffsetFetchRequest::default().with_group_id(id.clone()).with_topics(topics);
            }
            let topics = by_topic.as_ref().map(|topics| {
                let topics = topics.iter().map(|(name, indexes)| {
                    OffsetFetchRequestTopics::default()
                        .with_name(topic_name(name.as_str()))
                        .with_partition_indexes(indexes.clone())
                });
                topics.collect()
            });
            let group = OffsetFetchRequestGroup::default().with_group_id(id.clone()).with_topics(topics);
            OffsetFetchRequest::default().with_groups(vec![group])
        })
        .await?;
    check(answer.error_code, None)?;
    let mut found = BTreeMap::new();
    let mut take = |topic: &str, partition: i32, offset: i64, epoch: i32| {
        if offset >= 0 {
            let leader_epoch = Some(epoch).filter(|epoch| *epoch >= 0);
            found.insert((topic.to_owned(), partition), Committed { offset, leader_epoch });
        }
    };
    for topic in &answer.topics {
        for partition in &topic.partitions {
            check(partition.error_code, None)?;
            let epoch = partition.committed_leader_epoch;
            take(&topic.name, partition.partition_index, partition.committed_offset, epoch);
        }
    }
    for group in &answer.groups {
        check(group.error_code, None)?;
        for topic in &group.topics {
            for partition in &topic.partitions {
                check(partition.error_code, None)?;
                let epoch = partition.committed_leader_epoch;
                take(&topic.name, partition.partition_index, partition.committed_offset, epoch);
            }
        }
    }
    Ok(found)
}

/// Commits these offsets, as a member or from outside; the result of each partition.
///
/// # Errors
/// See [`Trouble`].
pub async fn commit_offsets(
    cluster: &mut Cluster,
    coordinator: Target,
    group: &str,
    member: Option<Committer<'_>>,
    offsets: &[(TopicPartition, Committed)],
) -> Result<Vec<(TopicPartition, Result<(), Trouble>)>, Trouble> {
    let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for ((topic, partition), committed) in offsets {
        let one = OffsetCommitRequestPartition::default()
            .with_partition_index(*partition)
            .with_committed_offset(committed.offset)
            .with_committed_leader_epoch(committed.leader_epoch.unwrap_or(-1))
            .with_committed_metadata(Some(text("")));
        topics.entry(topic).or_default().push(one);
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        OffsetCommitRequestTopic::default().with_name(topic_name(name)).with_partitions(partitions)
    });
    let topics: Vec<OffsetCommitRequestTopic> = topics.collect();
    let (member_id, generation, instance) = member.unwrap_or(("", -1, None));
    let answer = cluster
        .call_capped(coordinator, OFFSET_COMMIT_MAX, |version| {
            let request = OffsetCommitRequest::default()
                .with_group_id(GroupId(text(group)))
                .with_generation_id_or_member_epoch(generation)
                .with_member_id(text(member_id))
                .with_topics(if version >= 6 { topics.clone() } else { without_epochs(&topics) });
            if version >= 7 { request.with_group_instance_id(instance.map(text)) } else { request }
        })
        .await?;
    let mut results = Vec::new();
    for topic in &answer.topics {
        for partition in &topic.partitions {
            let key = (topic.name.0.to_string(), partition.partition_index);
            results.push((key, check(partition.error_code, None)));
        }
    }
    Ok(results)
}

/// The same for versions that cannot say the epoch.
fn without_epochs(topics: &[OffsetCommitRequestTopic]) -> Vec<OffsetCommitRequestTopic> {
    let mut topics = topics.to_vec();
    for partition in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        partition.committed_leader_epoch = -1;
    }
    topics
}

/// Partition indexes by topic.
pub fn by_topic(partitions: &[TopicPartition]) -> BTreeMap<String, Vec<i32>> {
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in partitions {
        topics.entry(topic.clone()).or_default().push(*partition);
    }
    topics
}

/// Newest versions whose topics have names.
const OFFSET_FETCH_MAX: i16 = 8;
const OFFSET_COMMIT_MAX: i16 = 8;
/// First version that asks for several groups.
const GROUPS_FROM: i16 = 8;
