//! DescribeTransactions: where transactional ids stand (KIP-664; `TransactionCoordinator.handleDescribeTransactions`).

use std::sync::Arc;

use coordinator::txn::Described;
use model::ErrorCode;
use wire::messages::describe_transactions_response::{TopicData, TransactionState};
use wire::messages::{DescribeTransactionsRequest, DescribeTransactionsResponse};

use super::answer::{text, topic_name};
use crate::context::{Broker, RequestContext};

/// Answers a DescribeTransactions request.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: DescribeTransactionsRequest,
) -> DescribeTransactionsResponse {
    let mut states = Vec::with_capacity(request.transactional_ids.len());
    for transactional_id in request.transactional_ids {
        let state = match describe(broker, &transactional_id).await {
            Ok(described) => state(described),
            Err(code) => TransactionState::default().with_error_code(code.code()),
        };
        states.push(state.with_transactional_id(transactional_id));
    }
    DescribeTransactionsResponse::default().with_transaction_states(states)
}

async fn describe(broker: &Broker, transactional_id: &str) -> Result<Described, ErrorCode> {
    if transactional_id.is_empty() {
        return Err(ErrorCode::InvalidRequest);
    }
    let looked =
        broker.transactions.look(transactional_id, |shard, _context| shard.describe(transactional_id));
    looked.await?.ok_or(ErrorCode::TransactionalIdNotFound)
}

fn state(described: Described) -> TransactionState {
    let topics = described.partitions.into_iter().map(|(topic, partitions)| {
        TopicData::default().with_topic(topic_name(topic)).with_partitions(partitions.into_iter().collect())
    });
    TransactionState::default()
        .with_transaction_state(text(described.status.name()))
        .with_transaction_timeout_ms(described.timeout_ms)
        .with_transaction_start_time_ms(described.start_ms)
        .with_producer_id(described.producer.producer_id.into())
        .with_producer_epoch(described.producer.producer_epoch)
        .with_topics(topics.collect())
}
