//! Where a group could be moved to: offsets at a time, and offsets that a log really has.

use std::collections::BTreeMap;

use client::Cluster;

use crate::kafka::{self, EARLIEST, LATEST, TopicPartition, Trouble};

/// An offset for each partition.
pub type Offsets = BTreeMap<TopicPartition, i64>;

/// The offsets at a time, or at one of the special times of ListOffsets; -1 where there is no record that late.
///
/// # Errors
/// See [`Trouble`].
pub async fn look_up(
    cluster: &mut Cluster,
    partitions: &[TopicPartition],
    time: i64,
) -> Result<Offsets, Trouble> {
    let wanted: Vec<(TopicPartition, i64)> = partitions.iter().map(|one| (one.clone(), time)).collect();
    let mut offsets = Offsets::new();
    for (partition, result) in kafka::offsets(cluster, &wanted, 0).await? {
        offsets.insert(partition, result?.offset);
    }
    Ok(offsets)
}

/// The offsets at a time; behind the last record of those partitions, named second, that have none that late.
///
/// # Errors
/// See [`Trouble`].
pub async fn at_time(
    cluster: &mut Cluster,
    partitions: &[TopicPartition],
    time: i64,
) -> Result<(Offsets, Vec<TopicPartition>), Trouble> {
    let mut found = look_up(cluster, partitions, time).await?;
    let none: Vec<TopicPartition> =
        found.iter().filter(|(_, offset)| **offset < 0).map(|(key, _)| key.clone()).collect();
    found.extend(look_up(cluster, &none, LATEST).await?);
    Ok((found, none))
}

/// An offset that its log does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Its partition.
    pub partition: TopicPartition,
    /// What was wanted.
    pub wanted: i64,
    /// The end of the log that is taken instead.
    pub bound: i64,
}

/// Moves offsets that a log does not have to its nearer end; those are named second.
///
/// # Errors
/// See [`Trouble`].
pub async fn in_range(cluster: &mut Cluster, mut wanted: Offsets) -> Result<(Offsets, Vec<Moved>), Trouble> {
    let partitions: Vec<TopicPartition> = wanted.keys().cloned().collect();
    let first = look_up(cluster, &partitions, EARLIEST).await?;
    let last = look_up(cluster, &partitions, LATEST).await?;
    let mut moved = Vec::new();
    for (partition, offset) in &mut wanted {
        let (Some(first), Some(last)) = (first.get(partition), last.get(partition)) else { continue };
        let bound = (*offset).min(*last).max(*first);
        if bound != *offset {
            moved.push(Moved { partition: partition.clone(), wanted: *offset, bound });
            *offset = bound;
        }
    }
    Ok((wanted, moved))
}
