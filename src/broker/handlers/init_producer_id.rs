//! InitProducerId: an id and epoch for an idempotent or transactional producer (KIP-98, KIP-360;
//! `KafkaApis.handleInitProducerIdRequest`, `TransactionCoordinator.handleInitProducerId`).

use std::sync::Arc;

use coordinator::txn::{InitProducerIdRequest as Init, ProducerIdAndEpoch, Reply, Request};
use model::{ErrorCode, ProducerEpoch, ProducerId};
use wire::messages::{InitProducerIdRequest, InitProducerIdResponse};

use crate::context::{Broker, RequestContext};

/// Answers an InitProducerId request; of a transactional id once it is on disk. Cancel-safe, but for the producer ids that
/// may have been reserved.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let (error, producer) = match grant(broker, &request).await {
        Ok(producer) => (ErrorCode::None, producer),
        Err(code) => (code, NOBODY),
    };
    InitProducerIdResponse::default()
        .with_error_code(error.code())
        .with_producer_id(producer.producer_id.into())
        .with_producer_epoch(producer.producer_epoch)
}

const NOBODY: ProducerIdAndEpoch =
    ProducerIdAndEpoch { producer_id: ProducerId::NONE.value(), producer_epoch: ProducerEpoch::NONE.value() };

async fn grant(broker: &Broker, request: &InitProducerIdRequest) -> Result<ProducerIdAndEpoch, ErrorCode> {
    let expected = expected(request)?;
    let Some(transactional_id) = &request.transactional_id else {
        // Here the id that the producer had means nothing: it gets another.
        let fresh = broker.producer_ids.next().await?;
        return Ok(ProducerIdAndEpoch { producer_id: fresh.value(), producer_epoch: 0 });
    };
    if transactional_id.is_empty() {
        return Err(ErrorCode::InvalidRequest);
    }
    // The coordinator asks this, too; Kafka asks before it looks whether it is the coordinator.
    let timeout_ms = request.transaction_timeout_ms;
    if timeout_ms <= 0 || timeout_ms > broker.config.transactions.timeout_ms_max {
        return Err(ErrorCode::InvalidTransactionTimeout);
    }
    let transactional_id = transactional_id.to_string();
    let init = Init { transactional_id, timeout_ms, expected };
    match broker.transactions.ask(Request::InitProducerId(init)).await? {
        Reply::InitProducerId(outcome) => outcome,
        other => unreachable!("InitProducerId was answered {other:?}"),
    }
}

/// What the producer thinks it has (KIP-360).
fn expected(request: &InitProducerIdRequest) -> Result<Option<ProducerIdAndEpoch>, ErrorCode> {
    let given =
        ProducerIdAndEpoch { producer_id: request.producer_id.0, producer_epoch: request.producer_epoch };
    let has_id = given.producer_id != NOBODY.producer_id;
    let has_epoch = given.producer_epoch != NOBODY.producer_epoch;
    match (has_id, has_epoch) {
        (false, false) => Ok(None),
        (true, true) => Ok(Some(given)),
        _ => Err(ErrorCode::InvalidRequest),
    }
}
