//! Which batches belong to transactions that were aborted, and which markers have nothing left to decide
//! (`CleanedTransactionMetadata`).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use bytes::Bytes;
use model::batch::HEADER_BYTES;
use model::{BatchHeader, Offset, ProducerId};
use records::{ControlType, RecordIter};

use crate::index::txn::AbortedTxn;

/// The state of the transactions at one point of a walk through the batches of a log.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    /// Not begun yet, by their first offset.
    to_come: BinaryHeap<Reverse<(Offset, usize)>>,
    aborted: Vec<AbortedTxn>,
    /// Begun and not ended.
    ongoing_aborted: BTreeMap<ProducerId, Ongoing>,
    ongoing_committed: BTreeSet<ProducerId>,
}

#[derive(Debug)]
struct Ongoing {
    txn: AbortedTxn,
    /// Whether a batch of it still lies in the log.
    has_batches: bool,
}

/// What a control batch means to compaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker {
    /// It decides records that are still there, or says something else than the end of a transaction.
    Needed,
    /// As [`Marker::Needed`], and readers find the transaction by this entry of the index.
    Aborted(AbortedTxn),
    /// No record depends on it any more.
    Spent,
}

impl Transactions {
    /// For a walk over a range in which these transactions were aborted.
    pub(super) fn new(aborted: Vec<AbortedTxn>) -> Self {
        let to_come = aborted.iter().enumerate().map(|(at, txn)| Reverse((txn.first_offset, at))).collect();
        Self { to_come, aborted, ..Self::default() }
    }

    /// Walks over a data batch. True when it belongs to an aborted transaction.
    pub(super) fn pass_batch(&mut self, header: &BatchHeader) -> bool {
        self.begin_up_to(header.last_offset());
        if !header.is_transactional() {
            return false;
        }
        if let Some(ongoing) = self.ongoing_aborted.get_mut(&header.producer_id) {
            ongoing.has_batches = true;
            return true;
        }
        self.ongoing_committed.insert(header.producer_id);
        false
    }

    /// Walks over a control batch.
    pub(super) fn pass_control(&mut self, header: &BatchHeader, batch: &Bytes) -> Marker {
        self.begin_up_to(header.last_offset());
        if header.record_count == 0 {
            return Marker::Spent;
        }
        let section = batch.get(HEADER_BYTES..).unwrap_or_default();
        let kind = RecordIter::new(section, 1).next().and_then(Result::ok);
        match kind.and_then(|record| ControlType::of(&record)) {
            Some(ControlType::Abort) => match self.ongoing_aborted.remove(&header.producer_id) {
                Some(Ongoing { txn, has_batches: true }) => Marker::Aborted(txn),
                _ => Marker::Spent,
            },
            Some(ControlType::Commit) if self.ongoing_committed.remove(&header.producer_id) => Marker::Needed,
            Some(ControlType::Commit) => Marker::Spent,
            _ => Marker::Needed,
        }
    }

    fn begin_up_to(&mut self, offset: Offset) {
        while let Some(Reverse((first, at))) = self.to_come.peek().copied() {
            if first > offset {
                return;
            }
            self.to_come.pop();
            if let Some(txn) = self.aborted.get(at).copied() {
                let begun = Ongoing { txn, has_batches: false };
                self.ongoing_aborted.entry(txn.producer_id).or_insert(begun);
            }
        }
    }
}
