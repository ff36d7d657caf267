//! What a log knows of one producer (`ProducerStateEntry`).

use model::{BatchHeader, Offset, ProducerEpoch, ProducerId};

use crate::error::AppendError;

/// Batches of one producer that a retry is recognised by.
pub(crate) const WINDOW: usize = 5;

/// A batch that was appended: its offsets and its sequences cover the same records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchMetadata {
    pub(crate) last_sequence: i32,
    pub(crate) last_offset: Offset,
    pub(crate) offset_delta: i32,
    pub(crate) timestamp: i64,
}

impl BatchMetadata {
    pub(crate) fn of(header: &BatchHeader, base_offset: Offset) -> Self {
        Self {
            last_sequence: header.last_sequence(),
            last_offset: Offset::new(base_offset.value().saturating_add(i64::from(header.last_offset_delta))),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        }
    }

    pub(crate) fn first_offset(&self) -> Offset {
        Offset::new(self.last_offset.value().saturating_sub(i64::from(self.offset_delta)))
    }

    /// Sequences wrap from `i32::MAX` to 0.
    pub(super) fn first_sequence(&self) -> i32 {
        let first = i64::from(self.last_sequence) - i64::from(self.offset_delta);
        if first >= 0 { first as i32 } else { (first + i64::from(i32::MAX) + 1) as i32 }
    }
}

/// One producer. Its batches all have its epoch, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProducerEntry {
    pub(crate) epoch: ProducerEpoch,
    pub(crate) coordinator_epoch: i32,
    pub(crate) last_timestamp: i64,
    pub(crate) transaction_start: Option<Offset>,
    pub(super) batches: Vec<BatchMetadata>,
    /// Whether older batches of the window may lie in the log unknown to us: a snapshot holds only the last one.
    pub(super) window_partial: bool,
    /// Where it wrote last, or its transaction ended; 0 where a snapshot does not say.
    pub(super) last_offset: Offset,
}

impl ProducerEntry {
    pub(super) fn new() -> Self {
        Self {
            epoch: ProducerEpoch::NONE,
            coordinator_epoch: -1,
            last_timestamp: -1,
            transaction_start: None,
            batches: Vec::new(),
            window_partial: false,
            last_offset: Offset::ZERO,
        }
    }

    pub(crate) fn last_batch(&self) -> Option<&BatchMetadata> {
        self.batches.last()
    }

    pub(super) fn last_sequence(&self) -> i32 {
        self.last_batch().map_or(-1, |batch| batch.last_sequence)
    }

    pub(super) fn adopt_epoch(&mut self, epoch: ProducerEpoch) {
        if self.epoch != epoch {
            self.batches.clear();
            self.window_partial = false;
            self.epoch = epoch;
        }
    }

    pub(super) fn push(&mut self, batch: BatchMetadata) {
        if self.batches.len() == WINDOW {
            self.batches.remove(0);
            self.window_partial = false;
        }
        self.batches.push(batch);
    }

    pub(super) fn check_epoch(
        &self,
        producer_id: ProducerId,
        epoch: ProducerEpoch,
        offset: Offset,
    ) -> Result<(), AppendError> {
        if epoch >= self.epoch {
            return Ok(());
        }
        Err(AppendError::InvalidProducerEpoch { producer_id, offset, epoch, current: self.epoch })
    }

    /// Nothing of a later epoch is written while a transaction is open: its coordinator ends it first. Where it is open all the
    /// same the coordinator does not know of it, and would end it with the later one, as a part of that.
    pub(super) fn check_nothing_earlier(
        &self,
        producer_id: ProducerId,
        epoch: ProducerEpoch,
        offset: Offset,
    ) -> Result<(), AppendError> {
        if self.transaction_start.is_none() || self.epoch >= epoch {
            return Ok(());
        }
        Err(AppendError::EarlierTransaction { producer_id, offset, epoch, open: self.epoch })
    }

    /// A marker of a coordinator that has been replaced ends nothing.
    pub(super) fn check_coordinator(
        &self,
        producer_id: ProducerId,
        epoch: i32,
        offset: Offset,
    ) -> Result<(), AppendError> {
        if epoch >= self.coordinator_epoch {
            return Ok(());
        }
        Err(AppendError::CoordinatorFenced { producer_id, offset, epoch, current: self.coordinator_epoch })
    }

    /// Of a newer epoch nothing is open: whatever is belongs to a transaction that it has ended.
    pub(super) fn is_open_in(&self, epoch: ProducerEpoch) -> bool {
        self.transaction_start.is_some() && self.epoch == epoch
    }

    /// Whether it has been idle for so long, with nothing open.
    pub(super) fn is_expired(&self, aging_ms: i64, expiration_ms: i64) -> bool {
        self.transaction_start.is_none() && aging_ms.saturating_sub(self.last_timestamp) >= expiration_ms
    }

    pub(super) fn duplicate_of(&self, header: &BatchHeader) -> Option<BatchMetadata> {
        let same = |batch: &&BatchMetadata| {
            batch.first_sequence() == header.base_sequence && batch.last_sequence == header.last_sequence()
        };
        if self.epoch == header.producer_epoch { self.batches.iter().find(same).copied() } else { None }
    }
}
