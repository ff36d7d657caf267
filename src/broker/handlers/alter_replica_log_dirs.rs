//! AlterReplicaLogDirs: moving a partition to another directory (KIP-113; `ReplicaManager.alterReplicaLogDirs`).
//!
//! Where a partition is already, it stays, which is a success. Moving between directories is not built yet and
//! answered `UNSUPPORTED_VERSION`.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::ErrorCode;
use wire::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use wire::messages::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse};

use super::answer::topic_name;
use crate::context::{Broker, RequestContext};
use crate::partition::host_dir::absolute;

/// Longest name of a directory.
const DIR_NAME_BYTES_MAX: usize = 255;
/// What a directory's name has besides topic and partition while it is being filled: `-`, `.`, a UUID, `-future`.
const FUTURE_SUFFIX_BYTES: usize = 1 + 1 + 32 + 7;

/// Answers an AlterReplicaLogDirs request.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: AlterReplicaLogDirsRequest,
) -> AlterReplicaLogDirsResponse {
    let mut topics: BTreeMap<&str, BTreeMap<i32, ErrorCode>> = BTreeMap::new();
    for dir in &request.dirs {
        for topic in &dir.topics {
            for partition in &topic.partitions {
                let code = outcome(broker, &topic.name, *partition, &dir.path);
                topics.entry(&topic.name).or_default().insert(*partition, code);
            }
        }
    }
    let results = topics.into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_iter().map(|(index, code)| {
            AlterReplicaLogDirPartitionResult::default()
                .with_partition_index(index)
                .with_error_code(code.code())
        });
        AlterReplicaLogDirTopicResult::default()
            .with_topic_name(topic_name(name))
            .with_partitions(partitions.collect())
    });
    AlterReplicaLogDirsResponse::default().with_results(results.collect())
}

fn outcome(broker: &Broker, topic: &str, index: i32, path: &str) -> ErrorCode {
    if topic.len() + index.to_string().len() + FUTURE_SUFFIX_BYTES > DIR_NAME_BYTES_MAX {
        return ErrorCode::InvalidTopicException;
    }
    let Some(target) = broker.partitions.dirs().iter().find(|dir| dir.absolute_path() == path) else {
        let is_unopened = broker.partitions.unopened_dirs().iter().any(|dir| absolute(dir) == path);
        return if is_unopened { ErrorCode::KafkaStorageError } else { ErrorCode::LogDirNotFound };
    };
    if target.has_failed() {
        return ErrorCode::KafkaStorageError;
    }
    match broker.partitions.find(topic, index) {
        Ok(partition) if Arc::ptr_eq(partition.dir(), target) => ErrorCode::None,
        Ok(_) => ErrorCode::UnsupportedVersion,
        Err(code) => code,
    }
}
