//! What clients ask of a partition besides its records, and what housekeeping does to it.
//!
//! None looks into a file while it holds the log's lock; those that look into files wait for the disk. The hot path is
//! in [`handle`](super::handle).

use model::{ErrorCode, LeaderEpoch, Offset};
use storage::{AbortedLookup, FoundOffset, ProducerSummary, TimeStep};

use super::handle::{Partition, PartitionError};

/// An offset with the timestamp and leader epoch of its record, as far as they are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetInfo {
    /// The offset.
    pub offset: Offset,
    /// The record's timestamp in milliseconds, or -1.
    pub timestamp: i64,
    /// The epoch that wrote it.
    pub leader_epoch: Option<LeaderEpoch>,
}

impl Partition {
    /// The log start, with the epoch of the first record where that is known.
    pub fn earliest(&self) -> Result<OffsetInfo, PartitionError> {
        self.with_log(|log| {
            let offset = log.log_start_offset();
            let first = log.leader_epochs().entries().first();
            let leader_epoch = first.filter(|entry| entry.start_offset <= offset).map(|entry| entry.epoch);
            OffsetInfo { offset, timestamp: -1, leader_epoch }
        })
    }

    /// The first record with a timestamp of at least `timestamp`. Reads files, as long as the disk takes.
    pub fn offset_for_timestamp(&self, timestamp: i64) -> Result<Option<OffsetInfo>, PartitionError> {
        let mut from = Offset::ZERO;
        loop {
            let Some(mut lookup) = self.with_log(|log| log.time_lookup(timestamp, from))? else {
                return Ok(None);
            };
            let result = lookup.run();
            match self.with_log(|log| log.take_in_time(lookup, result))?? {
                TimeStep::Done(found) => return Ok(found.map(OffsetInfo::of_record)),
                TimeStep::GoOn(end) => from = end,
            }
        }
    }

    /// The first record with the largest timestamp of the log. Reads files, as long as the disk takes.
    pub fn offset_of_max_timestamp(&self) -> Result<Option<OffsetInfo>, PartitionError> {
        loop {
            let Some(mut lookup) = self.with_log(|log| log.largest_lookup())? else { return Ok(None) };
            let result = lookup.run();
            if let TimeStep::Done(found) = self.with_log(|log| log.take_in_time(lookup, result))?? {
                return Ok(found.map(OffsetInfo::of_record));
            }
        }
    }

    /// Where an epoch ends: the largest epoch at or below it, and the offset after its last record. `None` when
    /// that is not known.
    pub fn end_offset_for(
        &self,
        epoch: LeaderEpoch,
    ) -> Result<Option<(LeaderEpoch, Offset)>, PartitionError> {
        self.with_log(|log| log.end_offset_for(epoch))
    }

    /// What is to be looked up for the aborted transactions that a reader of `from..upper_bound` must skip; `None` when
    /// there are none.
    pub fn aborted_lookup(
        &self,
        from: Offset,
        upper_bound: Offset,
    ) -> Result<Option<AbortedLookup>, PartitionError> {
        self.with_log(|log| log.aborted_lookup(from, upper_bound))
    }

    /// Takes in what a lookup has learnt.
    pub fn note_aborted(&self, lookup: AbortedLookup) {
        // A partition that is gone learns nothing.
        let _ = self.with_log(|log| log.take_in_aborted(lookup));
    }

    /// The producers that the log remembers.
    pub fn producers(&self) -> Result<Vec<ProducerSummary>, PartitionError> {
        self.with_log(|log| log.remembered_producers())
    }

    /// Bytes of its segment files.
    pub fn size_bytes(&self) -> Result<u64, PartitionError> {
        self.with_log(|log| log.size_bytes())
    }

    /// Gives up the records below `before` (`None`: below the high watermark) and answers the log start from now
    /// on (`Partition.deleteRecordsOnLeader`). [`Registry::checkpoint_log_starts`](super::Registry) makes it durable.
    pub fn advance_log_start(&self, before: Option<Offset>) -> Result<Offset, DeleteRecordsError> {
        if !self.topic().settings.load().log.cleanup.delete {
            return Err(DeleteRecordsError::Policy);
        }
        let high_watermark = self.offsets().high_watermark;
        let target = before.unwrap_or(high_watermark);
        if target < Offset::ZERO || target > high_watermark {
            return Err(DeleteRecordsError::OutOfRange(target));
        }
        let log_start = self.with_log(|log| {
            log.advance_log_start(target);
            log.log_start_offset()
        })?;
        self.raise_log_start(log_start);
        Ok(log_start)
    }
}

/// Why records were not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteRecordsError {
    /// The topic is compacted and not deleted from.
    #[error("the topic's cleanup.policy does not delete records")]
    Policy,
    /// The offset is negative or beyond the high watermark.
    #[error("offset {0} is not between 0 and the high watermark")]
    OutOfRange(Offset),
    /// The partition.
    #[error(transparent)]
    Partition(#[from] PartitionError),
}

impl DeleteRecordsError {
    /// What a client is told.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Policy => ErrorCode::PolicyViolation,
            Self::OutOfRange(_) => ErrorCode::OffsetOutOfRange,
            Self::Partition(error) => error.code(),
        }
    }
}

impl OffsetInfo {
    fn of_record(found: FoundOffset) -> Self {
        let FoundOffset { offset, timestamp, leader_epoch } = found;
        let leader_epoch = (leader_epoch > LeaderEpoch::NONE).then_some(leader_epoch);
        Self { offset, timestamp, leader_epoch }
    }
}
