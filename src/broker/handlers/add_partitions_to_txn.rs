//! AddPartitionsToTxn: partitions that a producer is about to write to, and the question of a broker whether it may
//! (KIP-98, KIP-890; `KafkaApis.handleAddPartitionsToTxnRequest`).

use std::collections::BTreeSet;
use std::sync::Arc;

use coordinator::txn::record::Partitions;
use coordinator::txn::{AddPartitionsRequest, PartitionErrors, ProducerIdAndEpoch, Reply, Request};
use model::ErrorCode;
use wire::compat::add_partitions_to_txn::speaks_second_protocol;
use wire::messages::add_partitions_to_txn_request::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction};
use wire::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use wire::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse};

use super::answer::topic_name;
use super::groups::partition_error;
use crate::context::{Broker, RequestContext};

/// What clients say themselves, and what brokers say for the clients of the second protocol.
const FIRST_PROTOCOL: i16 = 0;
const SECOND_PROTOCOL: i16 = 2;

/// Answers an AddPartitionsToTxn request once what was added is on disk.
pub async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: AddPartitionsToTxnRequest,
) -> AddPartitionsToTxnResponse {
    let transaction_version =
        if speaks_second_protocol(context.header.api_version) { SECOND_PROTOCOL } else { FIRST_PROTOCOL };
    let mut results = Vec::with_capacity(request.transactions.len());
    for transaction in request.transactions {
        let topics = add(broker, &transaction, transaction_version).await;
        let result = AddPartitionsToTxnResult::default()
            .with_transactional_id(transaction.transactional_id)
            .with_topic_results(topics);
        results.push(result);
    }
    AddPartitionsToTxnResponse::default().with_results_by_transaction(results)
}

async fn add(
    broker: &Broker,
    transaction: &AddPartitionsToTxnTransaction,
    transaction_version: i16,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let asked = partitions(&transaction.topics);
    if let Some(errors) = refused(broker, &asked, transaction_version == FIRST_PROTOCOL) {
        return results(errors);
    }
    match admit(broker, transaction, asked, transaction_version).await {
        Ok(errors) if transaction.verify_only => results(errors),
        // Added all or none, and answered as asked for.
        Ok(_) => all(&transaction.topics, ErrorCode::None),
        Err(code) => all(&transaction.topics, code),
    }
}

async fn admit(
    broker: &Broker,
    transaction: &AddPartitionsToTxnTransaction,
    partitions: Partitions,
    transaction_version: i16,
) -> Result<PartitionErrors, ErrorCode> {
    if transaction.transactional_id.is_empty() {
        return Err(ErrorCode::InvalidRequest);
    }
    let producer = ProducerIdAndEpoch {
        producer_id: transaction.producer_id.0,
        producer_epoch: transaction.producer_epoch,
    };
    let request = AddPartitionsRequest {
        transactional_id: transaction.transactional_id.to_string(),
        producer,
        partitions,
        verify_only: transaction.verify_only,
        transaction_version,
    };
    match broker.transactions.ask(Request::AddPartitions(request)).await? {
        Reply::AddPartitions(outcome) => outcome,
        other => unreachable!("AddPartitions was answered {other:?}"),
    }
}

fn partitions(topics: &[AddPartitionsToTxnTopic]) -> Partitions {
    let mut partitions = Partitions::new();
    for topic in topics.iter().filter(|topic| !topic.partitions.is_empty()) {
        let indexes: &mut BTreeSet<i32> = partitions.entry(topic.name.to_string()).or_default();
        indexes.extend(&topic.partitions);
    }
    partitions
}

/// One partition that cannot be had keeps all others out of the transaction. Clients may not add the broker's own topics;
/// those of `__consumer_offsets` come by groups.
fn refused(broker: &Broker, asked: &Partitions, by_client: bool) -> Option<PartitionErrors> {
    let image = broker.metadata.image();
    let mut any = false;
    let codes = asked.iter().map(|(name, indexes)| {
        let topic = image.topic(name);
        let own = by_client && model::topic_name::is_internal(name);
        let code = |index: &i32| {
            let error = if own {
                Some(ErrorCode::TopicAuthorizationFailed)
            } else {
                partition_error(topic.map(AsRef::as_ref), *index)
            };
            any |= error.is_some();
            (*index, error.unwrap_or(ErrorCode::OperationNotAttempted))
        };
        (name.clone(), indexes.iter().map(code).collect())
    });
    let codes: PartitionErrors = codes.collect();
    any.then_some(codes)
}

fn results(errors: PartitionErrors) -> Vec<AddPartitionsToTxnTopicResult> {
    let topics = errors.into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_iter().map(|(index, code)| partition_result(index, code));
        AddPartitionsToTxnTopicResult::default()
            .with_name(topic_name(name))
            .with_results_by_partition(partitions.collect())
    });
    topics.collect()
}

fn all(topics: &[AddPartitionsToTxnTopic], code: ErrorCode) -> Vec<AddPartitionsToTxnTopicResult> {
    let topics = topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|index| partition_result(*index, code));
        AddPartitionsToTxnTopicResult::default()
            .with_name(topic.name.clone())
            .with_results_by_partition(partitions.collect())
    });
    topics.collect()
}

fn partition_result(index: i32, code: ErrorCode) -> AddPartitionsToTxnPartitionResult {
    AddPartitionsToTxnPartitionResult::default()
        .with_partition_index(index)
        .with_partition_error_code(code.code())
}
