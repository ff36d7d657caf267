//! What the log asks of transactional writes beyond their sequence numbers: that the coordinator knows of them
//! (KIP-890), and that the markers that end them come from the coordinator's newest epoch
//! (`UnifiedLog.maybeStartTransactionVerification`, `ProducerAppendInfo.appendEndTxnMarker`).

use model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};
use records::EndTxnMarker;

use crate::append::{Appended, Origin};
use crate::error::AppendError;
use crate::partition_log::PartitionLog;
use crate::producer_state::ProducerSummary;
use crate::producer_state::verification::{VerificationGuard, VerificationStart};

/// The end of a transaction on one partition, as its coordinator orders it (WriteTxnMarkers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxnMarker {
    /// Whose transaction.
    pub producer_id: ProducerId,
    /// The epoch that the producer has in this log from now on.
    pub producer_epoch: ProducerEpoch,
    /// Commit or abort.
    pub commit: bool,
    /// Epoch in which the coordinator leads its partition; one that is older than an earlier marker's is refused.
    pub coordinator_epoch: i32,
    /// `transaction.version` of the transaction. From 2 on its end has an epoch of its own, above that of its records
    /// (KIP-890): only then can a marker that comes again, or late, be told from the end of the next transaction.
    pub transaction_version: i16,
}

impl TxnMarker {
    /// Whether its epoch is above that of the records it ends.
    pub(crate) fn bumps_epoch(&self) -> bool {
        self.transaction_version >= BUMPS_EPOCHS
    }

    /// The lowest epoch that records of its transaction can have. Where the coordinator's log is of `transaction.version` 0,
    /// it has no word of whether the end has an epoch of its own: so that may always be.
    pub(crate) fn first_epoch_ended(&self) -> ProducerEpoch {
        ProducerEpoch::new(self.producer_epoch.value().saturating_sub(1))
    }
}

/// The first `transaction.version` whose transactions end in an epoch of their own.
const BUMPS_EPOCHS: i16 = 2;

impl PartitionLog {
    /// Says that a transactional batch is about to be shown to the transaction coordinator, and answers what proves
    /// afterwards that nothing has ended the transaction meanwhile; `None` where the transaction is open in this log
    /// already, so that there is nothing to ask.
    ///
    /// # Errors
    /// [`AppendError::InvalidProducerEpoch`] for an epoch that is over: the coordinator need not be asked.
    pub fn begin_verification(
        &mut self,
        start: &VerificationStart,
        wall_ms: i64,
    ) -> Result<Option<VerificationGuard>, AppendError> {
        let offset = self.log_end();
        self.producers.begin_verification(start, offset, wall_ms)
    }

    /// The producers with an open transaction here, oldest first.
    pub fn open_transactions(&self) -> Vec<ProducerSummary> {
        self.producers.open_transactions().collect()
    }

    /// Ends the producer's transaction, if it has one here; if not, the marker still fences its older epochs. An end
    /// of KIP-890 that the log has already is not written again: then the answer names the log's last record as
    /// a duplicate.
    pub fn append_marker(
        &mut self,
        marker: &TxnMarker,
        epoch: LeaderEpoch,
        wall_ms: i64,
    ) -> Result<Appended, AppendError> {
        self.check_usable()?;
        if self.producers.has_ended(marker, self.log_end())? {
            let last = Offset::new(self.log_end().value().saturating_sub(1));
            return Ok(Appended {
                base_offset: last,
                last_offset: last,
                log_append_time_ms: -1,
                duplicate: true,
            });
        }
        let TxnMarker { producer_id, producer_epoch, commit, coordinator_epoch, .. } = *marker;
        let batch = EndTxnMarker { commit, coordinator_epoch }.batch(wall_ms, producer_id, producer_epoch);
        let batch = batch.map_err(|_too_large| AppendError::Corrupt("a marker does not fit into a batch"))?;
        self.append_from(Origin::Coordinator, batch, epoch, wall_ms)
    }
}

#[cfg(test)]
#[path = "transactions_model_tests.rs"]
mod model_tests;
#[cfg(test)]
#[path = "transactions_tests.rs"]
mod tests;
