//! `InitProducerId`: `PRODUCER_FENCED` is younger than the API (KIP-588).

use kafka_protocol::messages::InitProducerIdResponse;
use model::ErrorCode;

const PRODUCER_FENCED_FROM: i16 = 4;

pub(crate) fn downgrade(response: &mut InitProducerIdResponse, version: i16) {
    if version < PRODUCER_FENCED_FROM && response.error_code == ErrorCode::ProducerFenced.code() {
        response.error_code = ErrorCode::InvalidProducerEpoch.code();
    }
}
