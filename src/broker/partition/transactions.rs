//! What transactions ask of a partition beyond its records: proof that a batch may enter one, and the markers that end
//! them.

use std::sync::Arc;

use model::{ProducerEpoch, ProducerId};
use storage::{ProducerSummary, TxnMarker, VerificationGuard, VerificationStart};

use super::handle::{Acks, Partition, PartitionError, Placed};

/// Bytes of a batch with one marker.
const MARKER_BYTES: usize = 78;

impl Partition {
    /// Says that a transactional batch is about to be shown to its coordinator, and answers what
    /// [`Partition::append_verified`] needs afterwards; `None` where the transaction is open here already, so that there
    /// is nothing to ask (`Partition.maybeStartTransactionVerification`).
    ///
    /// `base_sequence` is -1 where a coordinator writes. `supports_epoch_bump` says that the client speaks the protocol of
    /// KIP-890.
    pub fn begin_verification(
        &self,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        base_sequence: i32,
        supports_epoch_bump: bool,
        now_ms: i64,
    ) -> Result<Option<VerificationGuard>, PartitionError> {
        let start = VerificationStart { producer_id, producer_epoch, base_sequence, supports_epoch_bump };
        Ok(self.with_log(|log| log.begin_verification(&start, now_ms))??)
    }

    /// The producers that have a transaction open here; none where the partition is gone.
    pub fn open_transactions(&self) -> Vec<ProducerSummary> {
        self.with_log(|log| log.open_transactions()).unwrap_or_default()
    }

    /// Ends a transaction here. Where the log has this very end already, the answer is a duplicate that is committed once
    /// everything so far is.
    pub fn append_marker(
        self: &Arc<Self>,
        marker: &TxnMarker,
        now_ms: i64,
    ) -> Result<Placed, PartitionError> {
        self.append_with(MARKER_BYTES, Acks::Committed, |log, epoch| log.append_marker(marker, epoch, now_ms))
    }
}

#[cfg(test)]
#[path = "transactions_tests.rs"]
mod tests;
