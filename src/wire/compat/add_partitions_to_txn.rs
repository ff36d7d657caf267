//! `AddPartitionsToTxn`: one transaction of a client before version 4, any number between brokers since (KIP-890).

use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTransaction;
use kafka_protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse};
use model::ErrorCode;

const PRODUCER_FENCED_FROM: i16 = 2;
const TRANSACTIONS_FROM: i16 = 4;

/// Whether a request of this version speaks the second transaction protocol, in which partitions are added by
/// producing to them (`TransactionVersion.transactionVersionForAddPartitionsToTxn`).
pub const fn speaks_second_protocol(version: i16) -> bool {
    version >= TRANSACTIONS_FROM
}

pub(crate) fn upgrade(request: &mut AddPartitionsToTxnRequest, version: i16) {
    if version >= TRANSACTIONS_FROM {
        return;
    }
    let only = AddPartitionsToTxnTransaction::default()
        .with_transactional_id(std::mem::take(&mut request.v3_and_below_transactional_id))
        .with_producer_id(std::mem::take(&mut request.v3_and_below_producer_id))
        .with_producer_epoch(std::mem::take(&mut request.v3_and_below_producer_epoch))
        .with_topics(std::mem::take(&mut request.v3_and_below_topics));
    request.transactions = vec![only];
}

pub(crate) fn downgrade(response: &mut AddPartitionsToTxnResponse, version: i16) {
    if version >= TRANSACTIONS_FROM {
        response.results_by_topic_v3_and_below.clear();
        return;
    }
    response.error_code = 0;
    let only = std::mem::take(&mut response.results_by_transaction).into_iter().next();
    let mut topics = only.map(|only| only.topic_results).unwrap_or_default();
    if version < PRODUCER_FENCED_FROM {
        for partition in topics.iter_mut().flat_map(|topic| &mut topic.results_by_partition) {
            if partition.partition_error_code == ErrorCode::ProducerFenced.code() {
                partition.partition_error_code = ErrorCode::InvalidProducerEpoch.code();
            }
        }
    }
    response.results_by_topic_v3_and_below = topics;
}
