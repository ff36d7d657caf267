//! EndTxn: commits or aborts a producer's transaction (KIP-98, KIP-890; `KafkaApis.handleEndTxnRequest`).

use std::sync::Arc;

use coordinator::txn::{EndTxnRequest as End, ProducerIdAndEpoch, Reply, Request};
use model::ErrorCode;
use wire::compat::end_txn::bumps_epoch;
use wire::messages::{EndTxnRequest, EndTxnResponse};

use crate::context::{Broker, RequestContext};

/// Answers an EndTxn request once the decision is on disk; the markers follow.
pub async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: EndTxnRequest,
) -> EndTxnResponse {
    let transaction_version = if bumps_epoch(context.header.api_version) { 2 } else { 0 };
    match end(broker, &request, transaction_version).await {
        Ok(None) => EndTxnResponse::default(),
        Ok(Some(next)) => EndTxnResponse::default()
            .with_producer_id(next.producer_id.into())
            .with_producer_epoch(next.producer_epoch),
        Err(code) => EndTxnResponse::default().with_error_code(code.code()),
    }
}

async fn end(
    broker: &Broker,
    request: &EndTxnRequest,
    transaction_version: i16,
) -> Result<Option<ProducerIdAndEpoch>, ErrorCode> {
    if request.transactional_id.is_empty() {
        return Err(ErrorCode::InvalidRequest);
    }
    let end = End {
        transactional_id: request.transactional_id.to_string(),
        producer: ProducerIdAndEpoch {
            producer_id: request.producer_id.0,
            producer_epoch: request.producer_epoch,
        },
        commit: request.committed,
        transaction_version,
    };
    match broker.transactions.ask(Request::EndTxn(end)).await? {
        Reply::EndTxn(outcome) => outcome,
        other => unreachable!("EndTxn was answered {other:?}"),
    }
}
