//! Appending: producer check, offsets, roll, one write, and what follows from it.

use std::io::IoSlice;

use bytes::Bytes;
use model::batch::{HEADER_BYTES, PATCHED_PREFIX_BYTES, crc_matches};
use model::{BatchHeader, LeaderEpoch, Offset};
use records::EndTxnMarker;

use crate::error::{AppendError, StorageError};
use crate::index::txn::AbortedTxn;
use crate::names::LEADER_EPOCHS;
use crate::partition_log::PartitionLog;
use crate::producer_state::verification::VerificationGuard;
use crate::producer_state::{Asked, BatchMetadata, EndedTxn, Verdict, parse_marker};
use crate::segment::{NextBatch, Segment};
use crate::sync::SideFile;

/// Where a batch was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Offset of its first record.
    pub base_offset: Offset,
    /// Offset of its last record.
    pub last_offset: Offset,
    /// The time stamped on it in milliseconds where the topic uses append time; for a duplicate the timestamp that
    /// was stored; otherwise -1.
    pub log_append_time_ms: i64,
    /// Whether the producer had sent it before: nothing was written.
    pub duplicate: bool,
}

/// Who wrote a batch (`AppendOrigin`): what is checked depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A producer: its epoch and its sequence numbers are checked, and its retries recognised.
    Client,
    /// A coordinator: the epochs of its producer and of itself are checked.
    Coordinator,
    /// The leader of the metadata log: it has no producers.
    RaftLeader,
}

impl PartitionLog {
    /// Appends one validated batch of a producer. See [`PartitionLog::append_from`].
    pub fn append_as_leader(
        &mut self,
        batch: Bytes,
        epoch: LeaderEpoch,
        wall_ms: i64,
    ) -> Result<Appended, AppendError> {
        self.append_from(Origin::Client, batch, epoch, wall_ms)
    }

    /// Appends one validated batch: gives it the next offsets and the leader's epoch, and writes it behind the others.
    /// The records themselves are neither looked at nor copied.
    ///
    /// The batch is in the page cache when this returns; it is on disk when the durable offset has passed it. A full
    /// disk is answered with [`StorageError::Full`] and changes nothing; any other failure of a write is final for
    /// the log.
    pub fn append_from(
        &mut self,
        origin: Origin,
        batch: Bytes,
        epoch: LeaderEpoch,
        wall_ms: i64,
    ) -> Result<Appended, AppendError> {
        self.append_verified(origin, batch, epoch, wall_ms, None)
    }

    /// As [`PartitionLog::append_from`], for a batch of a transaction that its coordinator has admitted since `guard`
    /// was given out. The first batch of a transaction is refused without it, unless
    /// [`LogConfig::verify_transactions`](crate::LogConfig::verify_transactions) is off.
    pub fn append_verified(
        &mut self,
        origin: Origin,
        batch: Bytes,
        epoch: LeaderEpoch,
        wall_ms: i64,
        guard: Option<VerificationGuard>,
    ) -> Result<Appended, AppendError> {
        self.check_usable()?;
        let mut header = BatchHeader::parse(&batch)?;
        if header.size() != batch.len() || header.last_offset_delta < 0 {
            return Err(AppendError::Corrupt("the bytes are not exactly one batch"));
        }
        let base_offset = self.log_end();
        let last_offset = base_offset
            .checked_add(i64::from(header.last_offset_delta))
            .filter(|last| last.value() < i64::MAX)
            .ok_or(AppendError::OffsetsExhausted)?;
        let marker = marker_of(&header, &batch);
        let asked = Asked { origin, offset: base_offset, verify: self.config.verify_transactions, guard };
        if let Verdict::Duplicate(original) = self.check_producer(&header, marker, &asked)? {
            return Ok(duplicate(&original));
        }
        self.roll_if_needed(&next_batch(&header, last_offset, wall_ms), base_offset, wall_ms)?;

        let prefix = header.patched_prefix(base_offset, epoch);
        let rest = batch.get(PATCHED_PREFIX_BYTES..).unwrap_or_default();
        self.write(&mut [IoSlice::new(&prefix), IoSlice::new(rest)])?;
        self.sync.tail.note(self.active.id(), self.active.size(), [&prefix, rest]);
        header.base_offset = base_offset;
        header.leader_epoch = epoch;
        self.take_in(&header, marker, wall_ms)?;
        let log_append_time_ms = if header.is_log_append_time() { header.max_timestamp } else { -1 };
        Ok(Appended { base_offset, last_offset, log_append_time_ms, duplicate: false })
    }

    /// Appends batches that have their offsets already, as a follower or a copy does. Each must be whole and sound,
    /// and begin at or beyond the log's end; a partial batch at the end of `batches` is left out, as a fetch may cut
    /// one. On an error, the batches before the bad one are in the log.
    pub fn append_as_follower(&mut self, batches: Bytes, wall_ms: i64) -> Result<(), AppendError> {
        self.check_usable()?;
        let mut left = batches;
        while left.len() >= HEADER_BYTES {
            let header = BatchHeader::parse(&left)?;
            if header.size() > left.len() {
                break;
            }
            let batch = left.split_to(header.size());
            self.append_with_offsets(&header, &batch, wall_ms)?;
        }
        Ok(())
    }

    fn append_with_offsets(
        &mut self,
        header: &BatchHeader,
        batch: &Bytes,
        wall_ms: i64,
    ) -> Result<(), AppendError> {
        if header.last_offset_delta < 0 || !crc_matches(batch) {
            return Err(AppendError::Corrupt("the CRC of a copied batch does not match"));
        }
        if header.base_offset < self.log_end() {
            return Err(AppendError::UnexpectedOffset {
                first: header.base_offset,
                expected: self.log_end(),
            });
        }
        if header.last_offset().value() == i64::MAX {
            return Err(AppendError::OffsetsExhausted);
        }
        let next = next_batch(header, header.last_offset(), wall_ms);
        self.roll_if_needed(&next, header.base_offset, wall_ms)?;
        self.write(&mut [IoSlice::new(batch)])?;
        self.take_in(header, marker_of(header, batch), wall_ms)?;
        Ok(())
    }

    fn check_producer(
        &mut self,
        header: &BatchHeader,
        marker: Option<EndTxnMarker>,
        asked: &Asked,
    ) -> Result<Verdict, AppendError> {
        let refused = match self.producers.check(header, marker, asked) {
            Err(refused @ AppendError::OutOfOrderSequence { .. }) => refused,
            result => return result,
        };
        // After a start only the last batch of each producer is known. Before a retry is refused, the log says more.
        let Some(known_from) = self.producers.window_is_partial(header) else { return Err(refused) };
        let older = self.producer_batches_before(header, known_from)?;
        self.producers.complete_window(header.producer_id, &older);
        self.producers.check(header, marker, asked)
    }

    fn roll_if_needed(&mut self, next: &NextBatch, base: Offset, wall_ms: i64) -> Result<(), AppendError> {
        if next.size > u64::from(self.config.segment_bytes) {
            return Err(AppendError::TooLarge {
                size: next.size as usize,
                segment_bytes: self.config.segment_bytes,
            });
        }
        if self.active.must_roll(&self.home, &self.config, *next)? {
            self.roll_at(base, wall_ms)?;
        }
        if !self.active.fits_relative(next.last_offset) {
            return Err(AppendError::Corrupt("the batch spans more than 2^31 offsets"));
        }
        Ok(())
    }

    fn write(&mut self, slices: &mut [IoSlice<'_>]) -> Result<(), StorageError> {
        self.active.write(&self.home, slices).map_err(|error| self.note_failure(error))
    }

    /// Updates everything that is derived from the log with a batch that has just been written.
    fn take_in(
        &mut self,
        header: &BatchHeader,
        marker: Option<EndTxnMarker>,
        wall_ms: i64,
    ) -> Result<(), StorageError> {
        let base_offset = header.base_offset;
        let indexed = self.active.note_batch(&self.home, &self.config, header, wall_ms);
        indexed.map_err(|error| self.note_failure(error))?;
        if self.epochs.latest() != Some(header.leader_epoch)
            && self.epochs.assign(header.leader_epoch, base_offset)
        {
            self.touch_epochs();
        }
        if let Some(ended) = self.producers.apply(header, marker, base_offset)
            && ended.aborted
        {
            let noted = self.active.txn_index.append(&self.home, &ended.into());
            noted.map_err(|error| self.note_failure(error))?;
        }
        Ok(())
    }

    /// Notes that a leader of this epoch has taken over at the log's end, before it writes anything.
    pub fn assign_epoch(&mut self, epoch: LeaderEpoch) {
        if self.epochs.assign(epoch, self.log_end()) {
            self.touch_epochs();
        }
    }

    pub(crate) fn touch_epochs(&mut self) {
        let path = self.home.dir.join(LEADER_EPOCHS);
        self.sync.touch(SideFile::Replace(path, self.epochs.text()), Some(self.active.base()));
    }

    /// Closes the active segment and begins another at the log's end. Nothing happens while the active one is empty.
    pub fn roll(&mut self, created_ms: i64) -> Result<(), StorageError> {
        self.check_usable()?;
        self.roll_at(self.log_end(), created_ms)
    }

    pub(crate) fn roll_at(&mut self, base: Offset, created_ms: i64) -> Result<(), StorageError> {
        if self.active.size() == 0 && self.active.base() == base {
            return Ok(());
        }
        let rolled = self.prepare_roll(base, created_ms);
        let next = match rolled {
            Ok(next) => next,
            Err(error) if error.is_passing() => {
                // The active segment goes on; what the attempt left behind would be taken for a segment at a start.
                self.remove_segment_files(base)?;
                self.active.unseal(&self.home, &self.config).map_err(|error| self.note_failure(error))?;
                return Err(error);
            }
            Err(error) => return Err(self.note_failure(error)),
        };
        let sealed = std::mem::replace(&mut self.active, next);
        for path in sealed.index_paths(&self.home) {
            self.sync.touch(SideFile::Written(path), Some(sealed.base()));
        }
        self.sealed.push(sealed);
        self.sync.touch_dir();
        Ok(())
    }

    fn prepare_roll(&mut self, base: Offset, created_ms: i64) -> Result<Segment, StorageError> {
        self.settle_before_roll()?;
        self.active.seal(&self.home)?;
        let next = Segment::create(&self.home, base, &self.config, created_ms)?;
        // The snapshot bears the offset of the new segment, so that a recovery can begin with both.
        self.producers.set_end(base);
        self.take_snapshot()?;
        self.active.set_end(base);
        Ok(next)
    }
}

fn next_batch(header: &BatchHeader, last_offset: Offset, wall_ms: i64) -> NextBatch {
    NextBatch { size: header.size() as u64, last_offset, max_timestamp: header.max_timestamp, wall_ms }
}

fn marker_of(header: &BatchHeader, batch: &[u8]) -> Option<EndTxnMarker> {
    if !header.is_control() || !header.has_producer_id() {
        return None;
    }
    batch.get(HEADER_BYTES..).and_then(parse_marker)
}

impl From<EndedTxn> for AbortedTxn {
    fn from(ended: EndedTxn) -> Self {
        Self {
            producer_id: ended.producer_id,
            first_offset: ended.first_offset,
            last_offset: ended.last_offset,
            last_stable_offset: ended.last_stable_offset,
        }
    }
}

fn duplicate(original: &BatchMetadata) -> Appended {
    Appended {
        base_offset: original.first_offset(),
        last_offset: original.last_offset,
        log_append_time_ms: original.timestamp,
        duplicate: true,
    }
}
