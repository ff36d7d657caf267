//! What a group has read of its partitions, and what not.

use std::collections::BTreeMap;

use client::{Cluster, CoordinatorOf, Target};

use crate::group_admin::{Described, Member};
use crate::groups::{Committed, committed_offsets};
use crate::kafka::{self, LATEST, TopicPartition, Trouble};

/// One partition of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Which.
    pub partition: Option<TopicPartition>,
    /// What the group has committed of it.
    pub committed: Option<Committed>,
    /// Where its log ends, where it has a leader.
    pub end: Option<i64>,
    /// Id, host and client of the member that reads it.
    pub reader: Option<(String, String, String)>,
}

impl Row {
    /// How many records the group has not read yet, as far as offsets tell.
    pub fn lag(&self) -> Option<i64> {
        Some(self.end? - self.committed.as_ref()?.offset)
    }
}

/// Every partition of a group: those of its members, largest member first, then what is committed besides.
///
/// # Errors
/// See [`Trouble`].
pub async fn rows(cluster: &mut Cluster, group: &Described) -> Result<Vec<Row>, Trouble> {
    let at = Target::Node(cluster.coordinator(CoordinatorOf::Group(&group.id)).await?);
    let committed = committed_offsets(cluster, at, &group.id, None).await?;
    let mut members: Vec<&Member> = group.members.iter().filter(|one| !one.partitions.is_empty()).collect();
    members.sort_by_key(|member| std::cmp::Reverse(member.partitions.len()));
    let mut wanted: Vec<TopicPartition> = committed.keys().cloned().collect();
    wanted.extend(members.iter().flat_map(|member| member.partitions.clone()));
    wanted.sort();
    wanted.dedup();
    let ends = ends(cluster, &wanted).await?;
    let row = |partition: &TopicPartition, reader: Option<(String, String, String)>| Row {
        partition: Some(partition.clone()),
        committed: committed.get(partition).cloned(),
        end: ends.get(partition).copied(),
        reader,
    };
    let mut rows = Vec::new();
    for member in &members {
        let mut partitions = member.partitions.clone();
        partitions.sort();
        let reader = (member.id.clone(), member.host.clone(), member.client.clone());
        rows.extend(partitions.iter().map(|partition| row(partition, Some(reader.clone()))));
    }
    let unread = committed.keys().filter(|key| !members.iter().any(|member| member.partitions.contains(key)));
    rows.extend(unread.map(|partition| row(partition, None)));
    Ok(rows)
}

/// The end of each log that has a leader.
///
/// # Errors
/// See [`Trouble`].
pub async fn ends(
    cluster: &mut Cluster,
    partitions: &[TopicPartition],
) -> Result<BTreeMap<TopicPartition, i64>, Trouble> {
    let wanted: Vec<(TopicPartition, i64)> = partitions.iter().map(|one| (one.clone(), LATEST)).collect();
    let found = kafka::offsets(cluster, &wanted, 0).await?;
    Ok(found.into_iter().filter_map(|(key, result)| Some((key, result.ok()?.offset))).collect())
}
