//! WriteTxnMarkers: ends of transactions, for the logs of partitions: a coordinator sends them to other brokers, an
//! administrator for a transaction that hangs (KIP-98, KIP-664; `KafkaApis.handleWriteTxnMarkersRequest`).

use std::sync::Arc;

use model::{ErrorCode, ProducerEpoch, ProducerId};
use storage::TxnMarker;
use wire::messages::write_txn_markers_request::WritableTxnMarker;
use wire::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use wire::messages::{TopicName, WriteTxnMarkersRequest, WriteTxnMarkersResponse};

use crate::context::{Broker, RequestContext};
use crate::transactions::markers;

/// Requests of this version do not tell the protocol of the transaction, and are taken for the first.
const TRANSACTION_VERSION: i16 = 0;

/// Answers a WriteTxnMarkers request once the markers are on disk.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: WriteTxnMarkersRequest,
) -> WriteTxnMarkersResponse {
    let mut results: Vec<WritableTxnMarkerResult> = Vec::with_capacity(request.markers.len());
    for marker in &request.markers {
        let end = TxnMarker {
            producer_id: ProducerId::new(marker.producer_id.0),
            producer_epoch: ProducerEpoch::new(marker.producer_epoch),
            commit: marker.transaction_result,
            coordinator_epoch: marker.coordinator_epoch,
            transaction_version: TRANSACTION_VERSION,
        };
        for (topic, index) in partitions(marker) {
            let error = match markers::write(broker, topic, index, &end).await {
                Ok(()) => ErrorCode::None,
                // Whoever writes markers looks for leaders, not for the coordinators of groups.
                Err(
                    ErrorCode::CoordinatorNotAvailable
                    | ErrorCode::CoordinatorLoadInProgress
                    | ErrorCode::NotCoordinator,
                ) => ErrorCode::NotLeaderOrFollower,
                Err(code) => code,
            };
            tell(&mut results, marker, topic, index, error);
        }
    }
    WriteTxnMarkersResponse::default().with_markers(results)
}

fn partitions(marker: &WritableTxnMarker) -> impl Iterator<Item = (&TopicName, i32)> {
    marker.topics.iter().flat_map(|topic| topic.partition_indexes.iter().map(|index| (&topic.name, *index)))
}

/// There is one answer for a partition of a producer: the last.
fn tell(
    results: &mut Vec<WritableTxnMarkerResult>,
    marker: &WritableTxnMarker,
    topic: &TopicName,
    index: i32,
    error: ErrorCode,
) {
    let at = results.iter().position(|result| result.producer_id == marker.producer_id);
    let at = at.unwrap_or_else(|| {
        results.push(WritableTxnMarkerResult::default().with_producer_id(marker.producer_id));
        results.len() - 1
    });
    let topics = &mut results[at].topics;
    let at = topics.iter().position(|known| known.name == *topic).unwrap_or_else(|| {
        topics.push(WritableTxnMarkerTopicResult::default().with_name(topic.clone()));
        topics.len() - 1
    });
    let partitions = &mut topics[at].partitions;
    partitions.retain(|known| known.partition_index != index);
    partitions.push(
        WritableTxnMarkerPartitionResult::default().with_partition_index(index).with_error_code(error.code()),
    );
}
