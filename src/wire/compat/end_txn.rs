//! `EndTxn`: since version 5 every end gives the producer its next epoch (KIP-890).

use kafka_protocol::messages::EndTxnResponse;
use model::ErrorCode;

const PRODUCER_FENCED_FROM: i16 = 2;
const EPOCH_FROM: i16 = 5;

/// Whether a request of this version bumps the epoch (`TransactionVersion.transactionVersionForEndTxn`).
pub const fn bumps_epoch(version: i16) -> bool {
    version >= EPOCH_FROM
}

pub(crate) fn downgrade(response: &mut EndTxnResponse, version: i16) {
    if version < PRODUCER_FENCED_FROM && response.error_code == ErrorCode::ProducerFenced.code() {
        response.error_code = ErrorCode::InvalidProducerEpoch.code();
    }
}
