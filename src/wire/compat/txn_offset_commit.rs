//! `TxnOffsetCommit`: which errors a version knows, and whether it adds the group to the transaction (KIP-890).

use kafka_protocol::messages::TxnOffsetCommitResponse;
use model::ErrorCode;

/// Producers before Kafka 2.0 end on a coordinator that is loading (KAFKA-7296).
const LOAD_IN_PROGRESS_FROM: i16 = 2;
const TRANSACTION_ABORTABLE_FROM: i16 = 4;
const ADDS_GROUP_FROM: i16 = 5;

/// Whether a request of this version adds its group's partition to the transaction
/// (`AddPartitionsToTxnManager.txnOffsetCommitRequestVersionToTransactionSupportedOperation`).
pub const fn adds_group(version: i16) -> bool {
    version >= ADDS_GROUP_FROM
}

pub(crate) fn downgrade(response: &mut TxnOffsetCommitResponse, version: i16) {
    for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        let code = partition.error_code;
        if version < LOAD_IN_PROGRESS_FROM && code == ErrorCode::CoordinatorLoadInProgress.code() {
            partition.error_code = ErrorCode::CoordinatorNotAvailable.code();
        }
        if version < TRANSACTION_ABORTABLE_FROM && code == ErrorCode::TransactionAbortable.code() {
            partition.error_code = ErrorCode::InvalidTxnState.code();
        }
    }
}
