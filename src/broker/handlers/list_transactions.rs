//! ListTransactions: the transactional ids that this node coordinates (KIP-664, KIP-994, KIP-1152;
//! `TransactionStateManager.listTransactionStates`).

use std::sync::Arc;

use coordinator::txn::record::Status;
use coordinator::txn::{Described, Filter};
use model::ErrorCode;
use wire::messages::list_transactions_response::TransactionState;
use wire::messages::{ListTransactionsRequest, ListTransactionsResponse, TransactionalId};

use super::answer::text;
use crate::context::{Broker, RequestContext};

/// Answers a ListTransactions request.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: ListTransactionsRequest,
) -> ListTransactionsResponse {
    match list(broker, &request).await {
        Ok(listed) => {
            let mut unknown = request.state_filters;
            unknown.retain(|name| Status::from_name(name).is_none());
            unknown.sort();
            unknown.dedup();
            ListTransactionsResponse::default()
                .with_unknown_state_filters(unknown)
                .with_transaction_states(listed.into_iter().map(state).collect())
        }
        Err(code) => ListTransactionsResponse::default().with_error_code(code.code()),
    }
}

async fn list(broker: &Broker, request: &ListTransactionsRequest) -> Result<Vec<Described>, ErrorCode> {
    let filter = Filter::default()
        .producer_ids(request.producer_id_filters.iter().map(|id| id.0).collect())
        .states(request.state_filters.iter().map(|name| &**name))
        .open_for_ms(request.duration_filter, broker.clock.wall_ms())
        .pattern(request.transactional_id_pattern.as_deref().unwrap_or_default());
    // Whether the coordinator is there comes before whether the pattern is one.
    let listed = broker.transactions.look_at_all(|shard, _context| match &filter {
        Ok(filter) => {
            let mut listed = shard.list();
            listed.retain(|described| filter.admits(described));
            listed
        }
        Err(_) => Vec::new(),
    });
    let listed = listed.await?;
    filter.map(|_filter| listed.into_iter().flatten().collect())
}

fn state(described: Described) -> TransactionState {
    TransactionState::default()
        .with_transactional_id(TransactionalId(text(described.transactional_id)))
        .with_producer_id(described.producer.producer_id.into())
        .with_transaction_state(text(described.status.name()))
}
