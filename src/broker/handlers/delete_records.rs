//! DeleteRecords: gives up the records below an offset, durably (`ReplicaManager.deleteRecords`).

use std::sync::Arc;

use model::topic_name::is_internal;
use model::{ErrorCode, Offset};
use wire::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use wire::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use crate::context::{Broker, RequestContext};
use crate::partition::Partition;

/// The offset that stands for the high watermark.
const HIGH_WATERMARK: i64 = -1;

/// Answers a DeleteRecords request once the new log starts survive a restart. Not cancel-safe in one way: what was
/// deleted stays deleted.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let named = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| (topic.name.as_str(), partition.partition_index))
    });
    broker.partitions.settle(named).await;
    let mut advanced = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in &topic.partitions {
            let result = advance(broker, &topic.name, asked.partition_index, asked.offset);
            partitions.push(result.map(|(partition, log_start)| {
                advanced.push(partition);
                log_start
            }));
        }
        topics.push(partitions);
    }
    let mut durable = broker.partitions.checkpoint_log_starts(&advanced).await.into_iter();
    let topics = request.topics.into_iter().zip(topics).map(|(topic, results)| {
        let partitions = topic.partitions.iter().zip(results).map(|(asked, result)| {
            // There is one for each that was advanced, in their order.
            let result = result.and_then(|log_start| match durable.next() {
                Some(Ok(())) => Ok(log_start),
                Some(Err(_)) | None => Err(ErrorCode::KafkaStorageError),
            });
            partition_result(asked.partition_index, result)
        });
        DeleteRecordsTopicResult::default().with_partitions(partitions.collect()).with_name(topic.name)
    });
    DeleteRecordsResponse::default().with_topics(topics.collect())
}

fn advance(
    broker: &Broker,
    topic: &str,
    index: i32,
    offset: i64,
) -> Result<(Arc<Partition>, Offset), ErrorCode> {
    let partition = broker.partitions.find(topic, index)?;
    if is_internal(topic) {
        return Err(ErrorCode::InvalidTopicException);
    }
    let before = (offset != HIGH_WATERMARK).then(|| Offset::new(offset));
    let log_start = partition.advance_log_start(before).map_err(|error| {
        tracing::debug!("Cannot delete the records of {topic}-{index} below {offset}: {error}");
        error.code()
    })?;
    Ok((partition, log_start))
}

fn partition_result(index: i32, result: Result<Offset, ErrorCode>) -> DeleteRecordsPartitionResult {
    let error = result.err().unwrap_or(ErrorCode::None);
    DeleteRecordsPartitionResult::default()
        .with_partition_index(index)
        .with_low_watermark(result.map_or(-1, Offset::value))
        .with_error_code(error.code())
}
