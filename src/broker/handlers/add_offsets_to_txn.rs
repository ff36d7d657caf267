//! AddOffsetsToTxn: a group whose offsets a producer is about to commit in its transaction (KIP-98;
//! `KafkaApis.handleAddOffsetsToTxnRequest`). What is added is the partition of `__consumer_offsets` that holds the group.

use std::collections::BTreeSet;
use std::sync::Arc;

use coordinator::txn::record::Partitions;
use coordinator::txn::{AddPartitionsRequest, ProducerIdAndEpoch, Reply, Request};
use model::ErrorCode;
use model::topic_name::GROUP_METADATA;
use wire::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};

use crate::context::{Broker, RequestContext};

/// Only producers of the first transaction protocol ask this (KIP-890).
const TRANSACTION_VERSION: i16 = 0;

/// Answers an AddOffsetsToTxn request once the partition is in the transaction on disk.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: AddOffsetsToTxnRequest,
) -> AddOffsetsToTxnResponse {
    let error = add(broker, &request).await.err().unwrap_or(ErrorCode::None);
    AddOffsetsToTxnResponse::default().with_error_code(error.code())
}

async fn add(broker: &Broker, request: &AddOffsetsToTxnRequest) -> Result<(), ErrorCode> {
    if request.transactional_id.is_empty() {
        return Err(ErrorCode::InvalidRequest);
    }
    let configured = broker.metadata.config().offsets.partitions;
    let index = broker.groups.partition_of(&request.group_id, configured);
    let request = AddPartitionsRequest {
        transactional_id: request.transactional_id.to_string(),
        producer: ProducerIdAndEpoch {
            producer_id: request.producer_id.0,
            producer_epoch: request.producer_epoch,
        },
        partitions: Partitions::from([(GROUP_METADATA.to_owned(), BTreeSet::from([index]))]),
        verify_only: false,
        transaction_version: TRANSACTION_VERSION,
    };
    match broker.transactions.ask(Request::AddPartitions(request)).await? {
        Reply::AddPartitions(outcome) => outcome.map(|_added| ()),
        other => unreachable!("AddPartitions was answered {other:?}"),
    }
}
