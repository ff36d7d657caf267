//! Share groups from outside (KIP-932): state, members, and the offsets at which their shares begin.

use std::collections::BTreeMap;

use client::{Cluster, ClusterError, CoordinatorOf, Node, Target};
use wire::messages::alter_share_group_offsets_request::{
    AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsRequestPartition, AlterShareGroupOffsetsRequestTopic,
};
use wire::messages::delete_share_group_offsets_request::{
    DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsRequestTopic,
};
use wire::messages::describe_share_group_offsets_request::{
    DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsRequestGroup,
};
use wire::messages::{GroupId, ShareGroupDescribeRequest};

use crate::kafka::{TopicPartition, Trouble, check, text, topic_name};

/// A share group as its coordinator describes it.
#[derive(Clone, Debug)]
pub struct Described {
    /// Its id.
    pub id: String,
    /// `Stable`, `Empty` or `Dead`.
    pub state: String,
    /// Epoch of the group, and of its assignment.
    pub epochs: (i32, i32),
    /// Who coordinates it.
    pub coordinator: Node,
    /// Who reads.
    pub members: Vec<Member>,
}

/// One member.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its id.
    pub id: String,
    /// Where it is.
    pub host: String,
    /// The client's name for itself.
    pub client: String,
    /// Its epoch.
    pub epoch: i32,
    /// What it reads.
    pub partitions: Vec<TopicPartition>,
}

/// Where a share begins, and the epoch of that record's leader; neither where nothing was read yet.
pub type Start = Option<(i64, Option<i32>)>;

/// What became of each of several things.
pub type Results = Vec<(String, Result<(), Trouble>)>;

async fn coordinator(cluster: &mut Cluster, group: &str) -> Result<(i32, Target), Trouble> {
    let node = cluster.coordinator(CoordinatorOf::Group(group)).await?;
    Ok((node, Target::Node(node)))
}

/// One group.
///
/// # Errors
/// See [`Trouble`]; `GROUP_ID_NOT_FOUND` for none.
pub async fn describe(cluster: &mut Cluster, group: &str) -> Result<Described, Trouble> {
    let (node, at) = coordinator(cluster, group).await?;
    let answer = cluster
        .call(at, |_version| ShareGroupDescribeRequest::default().with_group_ids(vec![GroupId(text(group))]))
        .await?;
    let found = answer.groups.into_iter().next().unwrap_or_default();
    check(found.error_code, found.error_message.as_deref())?;
    let members = found.members.iter().map(|member| Member {
        id: member.member_id.to_string(),
        host: member.client_host.to_string(),
        client: member.client_id.to_string(),
        epoch: member.member_epoch,
        partitions: member
            .assignment
            .topic_partitions
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(|one| (topic.topic_name.0.to_string(), *one)))
            .collect(),
    });
    let unknown = || Node { id: node, host: String::new(), port: 0, rack: None };
    Ok(Described {
        id: found.group_id.0.to_string(),
        state: found.group_state.to_string(),
        epochs: (found.group_epoch, found.assignment_epoch),
        members: members.collect(),
        coordinator: cluster.node(node).cloned().unwrap_or_else(unknown),
    })
}

/// Where the group's shares of all its partitions begin.
///
/// # Errors
/// See [`Trouble`].
pub async fn starts(cluster: &mut Cluster, group: &str) -> Result<BTreeMap<TopicPartition, Start>, Trouble> {
    let (_, at) = coordinator(cluster, group).await?;
    let asked = DescribeShareGroupOffsetsRequestGroup::default()
        .with_group_id(GroupId(text(group)))
        .with_topics(None);
    let answer = cluster
        .call(at, |_version| DescribeShareGroupOffsetsRequest::default().with_groups(vec![asked.clone()]))
        .await?;
    let mut starts = BTreeMap::new();
    for group in &answer.groups {
        check(group.error_code, group.error_message.as_deref())?;
        for topic in &group.topics {
            for partition in &topic.partitions {
                check(partition.error_code, partition.error_message.as_deref())?;
                let epoch = Some(partition.leader_epoch).filter(|epoch| *epoch >= 0);
                let start = (partition.start_offset >= 0).then_some((partition.start_offset, epoch));
                starts.insert((topic.topic_name.0.to_string(), partition.partition_index), start);
            }
        }
    }
    Ok(starts)
}

/// Lets shares begin elsewhere; a group that is not there is made.
///
/// # Errors
/// See [`Trouble`].
pub async fn alter_starts(
    cluster: &mut Cluster,
    group: &str,
    offsets: &BTreeMap<TopicPartition, i64>,
) -> Result<(), Trouble> {
    let (_, at) = coordinator(cluster, group).await?;
    let mut topics: BTreeMap<&str, Vec<AlterShareGroupOffsetsRequestPartition>> = BTreeMap::new();
    for ((topic, partition), offset) in offsets {
        let one = AlterShareGroupOffsetsRequestPartition::default()
            .with_partition_index(*partition)
            .with_start_offset(*offset);
        topics.entry(topic).or_default().push(one);
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        AlterShareGroupOffsetsRequestTopic::default()
            .with_topic_name(topic_name(name))
            .with_partitions(partitions)
    });
    let request = AlterShareGroupOffsetsRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_topics(topics.collect());
    let answer = cluster.call(at, |_version| request.clone()).await?;
    check(answer.error_code, answer.error_message.as_deref())?;
    for topic in &answer.responses {
        for partition in &topic.partitions {
            check(partition.error_code, partition.error_message.as_deref())?;
        }
    }
    Ok(())
}

/// Forgets where the shares of topics begin; the result of each topic.
///
/// # Errors
/// See [`Trouble`].
pub async fn delete_starts(
    cluster: &mut Cluster,
    group: &str,
    topics: &[String],
) -> Result<Results, Trouble> {
    let (_, at) = coordinator(cluster, group).await?;
    let each = topics.iter().map(|name| {
        DeleteShareGroupOffsetsRequestTopic::default().with_topic_name(topic_name(name.as_str()))
    });
    let request = DeleteShareGroupOffsetsRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_topics(each.collect());
    let answer = cluster.call(at, |_version| request.clone()).await?;
    check(answer.error_code, answer.error_message.as_deref())?;
    let results = answer
        .responses
        .iter()
        .map(|one| (one.topic_name.0.to_string(), check(one.error_code, one.error_message.as_deref())));
    Ok(results.collect())
}

/// Whether the cluster lacks what was asked for, rather than refuses it.
pub fn is_unsupported(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Client(ClusterError::Unsupported(_)))
}
