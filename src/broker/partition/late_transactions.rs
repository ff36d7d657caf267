//! Transactions that nobody ends any more (KIP-664; Kafka counts them in `partitionsWithLateTransactionsCount`). Their
//! coordinator would have aborted them when their producer's timeout was over; one that is open for longer than the longest
//! timeout allows has no coordinator that knows of it, and holds up readers of committed records until somebody ends it.

use std::collections::BTreeSet;

use model::{Offset, ProducerId};
use parking_lot::Mutex;
use storage::ProducerSummary;

use super::handle::Partition;
use super::registry::Registry;

/// What a transaction may be late by (`ProducerStateManager.LATE_TRANSACTION_BUFFER_MS`).
const BUFFER_MS: i64 = 5 * 60 * 1000;

/// The late transactions of this node, each of which the log tells of once.
#[derive(Debug)]
pub(super) struct LateTransactions {
    /// Milliseconds since a producer's last record from which its open transaction is late.
    late_after_ms: i64,
    known: Mutex<BTreeSet<Late>>,
}

/// Partition, producer and first offset.
type Late = (String, ProducerId, Offset);

impl LateTransactions {
    /// `timeout_ms_max` is `transaction.max.timeout.ms`.
    pub(super) fn new(timeout_ms_max: i32) -> Self {
        Self { late_after_ms: i64::from(timeout_ms_max) + BUFFER_MS, known: Mutex::default() }
    }

    /// Looks for them in all partitions. Answers how many were not known.
    pub(super) fn check(&self, registry: &Registry, now_ms: i64) -> usize {
        let mut late = BTreeSet::new();
        for partition in registry.all() {
            late.extend(self.of(&partition, now_ms));
        }
        let mut known = self.known.lock();
        for (partition, producer_id, first) in late.difference(&known) {
            tracing::warn!(
                "A transaction of producer {producer_id} in {partition} is open from offset {first} on, for longer than \
                 any may be: consumers of committed records wait there. kafka-transactions.sh finds and aborts it"
            );
        }
        let news = late.difference(&known).count();
        *known = late;
        news
    }

    /// Whether this producer's open transaction is one of them.
    pub(super) fn is_late(&self, producer: &ProducerSummary, now_ms: i64) -> bool {
        producer.last_timestamp > 0 && now_ms.saturating_sub(producer.last_timestamp) > self.late_after_ms
    }

    fn of(&self, partition: &Partition, now_ms: i64) -> Vec<Late> {
        // A partition that is gone has no transactions.
        let open = partition.with_log(|log| log.open_transactions()).unwrap_or_default();
        let late = open.into_iter().filter(|producer| self.is_late(producer, now_ms));
        late.filter_map(|late| Some((partition.dir_name(), late.producer_id, late.transaction_start?)))
            .collect()
    }
}
