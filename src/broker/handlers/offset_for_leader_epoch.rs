//! OffsetForLeaderEpoch: where an epoch ends, by which clients and replicas find out whether their log departs
//! from this one (KIP-101, KIP-320; `Partition.lastOffsetForLeaderEpoch`).

use std::sync::Arc;

use model::{ErrorCode, LeaderEpoch, Offset};
use wire::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use wire::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use wire::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use crate::context::{Broker, RequestContext};

/// Answers an OffsetForLeaderEpoch request.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| answer(broker, &topic.topic, asked)).collect();
        OffsetForLeaderTopicResult::default().with_topic(topic.topic.clone()).with_partitions(partitions)
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}

fn answer(broker: &Broker, topic: &str, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let found = look_up(broker, topic, asked);
    let error = found.err().unwrap_or(ErrorCode::None);
    let unknown = (LeaderEpoch::NONE, Offset::new(-1));
    let (epoch, end) = found.ok().flatten().unwrap_or(unknown);
    EpochEndOffset::default()
        .with_partition(asked.partition)
        .with_error_code(error.code())
        .with_leader_epoch(epoch.value())
        .with_end_offset(end.value())
}

fn look_up(
    broker: &Broker,
    topic: &str,
    asked: &OffsetForLeaderPartition,
) -> Result<Option<(LeaderEpoch, Offset)>, ErrorCode> {
    let partition = broker.partitions.find(topic, asked.partition)?;
    partition.check_leader_epoch(LeaderEpoch::new(asked.current_leader_epoch))?;
    partition.end_offset_for(LeaderEpoch::new(asked.leader_epoch)).map_err(|error| error.code())
}
