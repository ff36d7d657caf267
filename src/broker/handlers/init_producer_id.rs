//! InitProducerId: an id for an idempotent producer (KIP-98; `TransactionCoordinator.handleInitProducerId`).
//!
//! There is no transaction coordinator yet, so a transactional id is answered `UNSUPPORTED_VERSION`: of all codes
//! the one that Java and librdkafka take for final at once, where the codes of a coordinator that is away or
//! loading would make them ask again until their timeout.

use std::sync::Arc;

use model::{ErrorCode, ProducerEpoch, ProducerId};
use wire::messages::{InitProducerIdRequest, InitProducerIdResponse};

use crate::context::{Broker, RequestContext};

/// Answers an InitProducerId request. Cancel-safe, but for the block of ids that may have been reserved.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let result = match check(&request) {
        Ok(()) => broker.producer_ids.next().await,
        Err(code) => Err(code),
    };
    match result {
        Ok(id) => {
            InitProducerIdResponse::default().with_producer_id(id.value().into()).with_producer_epoch(0)
        }
        Err(code) => InitProducerIdResponse::default()
            .with_error_code(code.code())
            .with_producer_id(ProducerId::NONE.value().into())
            .with_producer_epoch(ProducerEpoch::NONE.value()),
    }
}

fn check(request: &InitProducerIdRequest) -> Result<(), ErrorCode> {
    let has_id = request.producer_id.0 != ProducerId::NONE.value();
    let has_epoch = request.producer_epoch != ProducerEpoch::NONE.value();
    if has_id != has_epoch {
        return Err(ErrorCode::InvalidRequest);
    }
    match request.transactional_id.as_ref().map(|id| id.is_empty()) {
        // Without a transactional id, the id that the producer had means nothing: it gets another.
        None => Ok(()),
        Some(true) => Err(ErrorCode::InvalidRequest),
        Some(false) => Err(ErrorCode::UnsupportedVersion),
    }
}
