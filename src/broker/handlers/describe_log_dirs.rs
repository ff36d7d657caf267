//! DescribeLogDirs: the directories, their space, and the partitions in them (KIP-113, KIP-827).

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use model::ErrorCode;
use wire::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use wire::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};

use super::answer::{text, topic_name};
use crate::context::{Broker, RequestContext};
use crate::partition::host_dir::absolute;
use crate::partition::{HostDir, Partition};

/// Answers a DescribeLogDirs request.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    let asked: Option<HashSet<(&str, i32)>> = request.topics.as_ref().map(|topics| {
        let of_topic = topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(|partition| (topic.topic.as_str(), *partition)));
        of_topic.collect()
    });
    let mut partitions = broker.partitions.all();
    if let Some(asked) = asked {
        partitions.retain(|partition| asked.contains(&(&*partition.topic().name, partition.index())));
    }
    let dirs = broker.partitions.dirs().iter().map(|dir| describe(dir, &partitions));
    let unopened = broker.partitions.unopened_dirs().iter().map(|path| offline(absolute(path)));
    DescribeLogDirsResponse::default().with_results(dirs.chain(unopened).collect())
}

fn offline(dir: String) -> DescribeLogDirsResult {
    let result = DescribeLogDirsResult::default().with_log_dir(text(dir));
    result.with_error_code(ErrorCode::KafkaStorageError.code())
}

fn describe(dir: &Arc<HostDir>, partitions: &[Arc<Partition>]) -> DescribeLogDirsResult {
    let result = DescribeLogDirsResult::default().with_log_dir(text(dir.absolute_path()));
    let space = match dir.space() {
        Ok(space) => space,
        Err(error) => {
            tracing::warn!("Cannot describe a log directory: {error}");
            return offline(dir.absolute_path());
        }
    };
    let mut topics: BTreeMap<&str, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for partition in partitions.iter().filter(|partition| Arc::ptr_eq(partition.dir(), dir)) {
        // One that has gone meanwhile is not in the directory any more.
        let Ok(bytes) = partition.size_bytes() else { continue };
        let described = DescribeLogDirsPartition::default()
            .with_partition_index(partition.index())
            .with_partition_size(i64::try_from(bytes).unwrap_or(i64::MAX))
            // The replica that leads lags behind nobody.
            .with_offset_lag(0);
        topics.entry(&partition.topic().name).or_default().push(described);
    }
    let topics = topics.into_iter().map(|(name, mut partitions)| {
        partitions.sort_by_key(|partition| partition.partition_index);
        DescribeLogDirsTopic::default().with_name(topic_name(name)).with_partitions(partitions)
    });
    result
        .with_topics(topics.collect())
        .with_total_bytes(i64::try_from(space.total_bytes).unwrap_or(i64::MAX))
        .with_usable_bytes(i64::try_from(space.free_bytes).unwrap_or(i64::MAX))
}
