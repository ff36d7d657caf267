//! `AddOffsetsToTxn`: `PRODUCER_FENCED` is younger than the API (KIP-588).

use kafka_protocol::messages::AddOffsetsToTxnResponse;
use model::ErrorCode;

const PRODUCER_FENCED_FROM: i16 = 2;

pub(crate) fn downgrade(response: &mut AddOffsetsToTxnResponse, version: i16) {
    if version < PRODUCER_FENCED_FROM && response.error_code == ErrorCode::ProducerFenced.code() {
        response.error_code = ErrorCode::InvalidProducerEpoch.code();
    }
}
