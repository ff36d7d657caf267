//! ListOffsets: where a partition begins and ends, and which record was the first at a time
//! (`ReplicaManager.fetchOffset`, `Partition.fetchOffsetForTimestamp`).

use std::collections::HashSet;
use std::sync::Arc;

use model::{ErrorCode, LeaderEpoch, Offset};
use wire::fetch::IsolationLevel;
use wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use wire::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use wire::messages::{ListOffsetsRequest, ListOffsetsResponse};

use crate::context::{Broker, RequestContext};
use crate::partition::{OffsetInfo, Offsets, Partition, PartitionError};

/// Timestamps that stand for a place in the log rather than for a time.
mod special {
    /// The end of what the reader may see.
    pub const LATEST: i64 = -1;
    /// The log start.
    pub const EARLIEST: i64 = -2;
    /// The record with the largest timestamp (KIP-734).
    pub const MAX_TIMESTAMP: i64 = -3;
    /// The start of what is on local disk (KIP-405): the log start, without a tier.
    pub const EARLIEST_LOCAL: i64 = -4;
    /// The end of what is in the tier (KIP-1005): there is none.
    pub const LATEST_TIERED: i64 = -5;
}

const CONSUMER: i32 = -1;

/// Answers a ListOffsets request.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: ListOffsetsRequest,
) -> ListOffsetsResponse {
    let named = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| (topic.name.as_str(), partition.partition_index))
    });
    broker.partitions.settle(named).await;
    let view = View::of(&request);
    let repeated = repeated_partitions(&request.topics);
    let mut answered = HashSet::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let key = (topic.name.as_str(), partition.partition_index);
            let answer = if !repeated.contains(&key) {
                look_up(broker, &topic.name, partition, view).await
            } else if answered.insert(key) {
                Err(ErrorCode::InvalidRequest)
            } else {
                continue;
            };
            partitions.push(partition_response(partition.partition_index, answer));
        }
        topics.push(
            ListOffsetsTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions),
        );
    }
    ListOffsetsResponse::default().with_topics(topics)
}

/// How far the asker may see.
#[derive(Clone, Copy, Debug)]
enum View {
    /// A consumer that sees all committed records.
    HighWatermark,
    /// A consumer that sees decided transactions only.
    LastStable,
    /// A replica, or a tool that says it is one.
    LogEnd,
    /// The isolation level does not exist.
    Unknown,
}

impl View {
    fn of(request: &ListOffsetsRequest) -> Self {
        if request.replica_id.0 != CONSUMER {
            return Self::LogEnd;
        }
        match IsolationLevel::from_code(request.isolation_level) {
            Some(IsolationLevel::ReadUncommitted) => Self::HighWatermark,
            Some(IsolationLevel::ReadCommitted) => Self::LastStable,
            None => Self::Unknown,
        }
    }

    fn end(self, offsets: Offsets) -> Result<Offset, ErrorCode> {
        match self {
            Self::HighWatermark => Ok(offsets.high_watermark),
            Self::LastStable => Ok(offsets.last_stable),
            Self::LogEnd => Ok(offsets.log_end),
            Self::Unknown => Err(ErrorCode::UnknownServerError),
        }
    }
}

/// Partitions that the request names more than once, which Kafka refuses.
fn repeated_partitions(topics: &[ListOffsetsTopic]) -> HashSet<(&str, i32)> {
    let mut seen = HashSet::new();
    let all = topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| (topic.name.as_str(), partition.partition_index))
    });
    all.filter(|key| !seen.insert(*key)).collect()
}

/// The offset that was asked for; `None` when no record the asker may see has one.
async fn look_up(
    broker: &Broker,
    topic: &str,
    asked: &ListOffsetsPartition,
    view: View,
) -> Result<Option<OffsetInfo>, ErrorCode> {
    let timestamp = asked.timestamp;
    if timestamp < special::LATEST_TIERED {
        return Err(ErrorCode::UnsupportedVersion);
    }
    let partition = broker.partitions.find(topic, asked.partition_index)?;
    partition.check_leader_epoch(LeaderEpoch::new(asked.current_leader_epoch))?;
    let end = view.end(partition.offsets())?;
    let found = match timestamp {
        special::LATEST => {
            let leader_epoch = Some(partition.leader_epoch());
            Ok(Some(OffsetInfo { offset: end, timestamp: -1, leader_epoch }))
        }
        special::EARLIEST | special::EARLIEST_LOCAL => partition.earliest().map(Some),
        special::LATEST_TIERED => Ok(None),
        time => {
            let searched = Arc::clone(&partition);
            let search = broker.partitions.io().run(move || find_by_time(&searched, time));
            let found = search.await.map_err(|_| ErrorCode::KafkaStorageError)?;
            found.map(|found| found.filter(|found| found.offset < end))
        }
    };
    found.map_err(|error| {
        tracing::warn!("Cannot look up timestamp {timestamp} in {}: {error}", partition.dir_name());
        error.code()
    })
}

/// Reads files, as long as the disk takes.
fn find_by_time(partition: &Partition, timestamp: i64) -> Result<Option<OffsetInfo>, PartitionError> {
    match timestamp {
        special::MAX_TIMESTAMP => partition.offset_of_max_timestamp(),
        time => partition.offset_for_timestamp(time),
    }
}

fn partition_response(
    index: i32,
    answer: Result<Option<OffsetInfo>, ErrorCode>,
) -> ListOffsetsPartitionResponse {
    let nothing = OffsetInfo { offset: Offset::new(-1), timestamp: -1, leader_epoch: None };
    let error = answer.as_ref().err().copied().unwrap_or(ErrorCode::None);
    let found = answer.ok().flatten().unwrap_or(nothing);
    ListOffsetsPartitionResponse::default()
        .with_partition_index(index)
        .with_error_code(error.code())
        .with_timestamp(found.timestamp)
        .with_offset(found.offset.value())
        .with_leader_epoch(found.leader_epoch.unwrap_or(LeaderEpoch::NONE).value())
}

#[cfg(test)]
#[path = "list_offsets_tests.rs"]
mod tests;
