//! What a log knows of its idempotent and transactional producers: the last five batches of each, its epoch, and its
//! open transaction (KIP-98, KIP-360; `ProducerStateEntry`, `ProducerAppendInfo`, `ProducerStateManager`).
//!
//! Nothing here touches a file: see [`snapshot`] for the form in which the state survives a restart.

mod entry;
pub(crate) mod snapshot;
pub(crate) mod verification;

use std::collections::BTreeMap;

use model::limits::PRODUCERS_PER_LOG_MAX;
use model::{BatchHeader, Offset, ProducerEpoch, ProducerId};
use records::EndTxnMarker;

pub(crate) use self::entry::{BatchMetadata, ProducerEntry, WINDOW};
use self::verification::{Settled, Verification, VerificationGuard, VerificationStart, Verifications};
use crate::append::Origin;
use crate::error::AppendError;
use crate::transactions::TxnMarker;

/// One producer, as `DescribeProducers` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerSummary {
    /// The producer.
    pub producer_id: ProducerId,
    /// Its newest epoch.
    pub producer_epoch: ProducerEpoch,
    /// Sequence of its last record, -1 when the log holds none of this epoch.
    pub last_sequence: i32,
    /// Timestamp of its last batch, in milliseconds.
    pub last_timestamp: i64,
    /// Epoch of the coordinator that wrote its last marker, -1 before the first.
    pub coordinator_epoch: i32,
    /// First offset of its open transaction.
    pub transaction_start: Option<Offset>,
}

/// What [`ProducerState::check`] goes by, beside the batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) origin: Origin,
    /// Where the batch would go.
    pub(crate) offset: Offset,
    /// `transaction.partition.verification.enable`.
    pub(crate) verify: bool,
    pub(crate) guard: Option<VerificationGuard>,
}

/// The decision of [`ProducerState::check`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The batch is the producer's next, or needs no check.
    Append,
    /// The producer sent it before, and this is what became of it.
    Duplicate(BatchMetadata),
}

/// A transaction that a marker has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EndedTxn {
    pub(crate) producer_id: ProducerId,
    pub(crate) first_offset: Offset,
    pub(crate) last_offset: Offset,
    pub(crate) aborted: bool,
    /// Offset below which everything is decided once this transaction is.
    pub(crate) last_stable_offset: Offset,
}

/// All producers of one log, up to `end`.
#[derive(Debug, Default)]
pub(crate) struct ProducerState {
    producers: BTreeMap<ProducerId, ProducerEntry>,
    /// Open transactions by their first offset.
    open: BTreeMap<Offset, ProducerId>,
    /// Ended transactions by their first offset, with their marker's offset, until the high watermark passes it.
    undecided: BTreeMap<Offset, Offset>,
    verifications: Verifications,
    /// From how many producers on room is made for a new one; see [`PRODUCERS_PER_LOG_MAX`].
    crowded_at: usize,
    /// The state holds every batch below this offset.
    end: Offset,
}

impl ProducerState {
    pub(crate) fn end(&self) -> Offset {
        self.end
    }

    pub(crate) fn set_end(&mut self, end: Offset) {
        self.end = end;
    }

    pub(crate) fn producers(&self) -> &BTreeMap<ProducerId, ProducerEntry> {
        &self.producers
    }

    pub(crate) fn clear(&mut self, end: Offset) {
        *self = Self { end, ..Self::default() };
    }

    /// Takes over an entry of a snapshot.
    pub(crate) fn load(&mut self, producer_id: ProducerId, entry: ProducerEntry) {
        if let Some(first) = entry.transaction_start {
            self.open.insert(first, producer_id);
        }
        self.producers.insert(producer_id, entry);
    }

    /// Whether a batch that [`Self::check`] refused could be a retry of one that the snapshot left out.
    pub(crate) fn window_is_partial(&self, header: &BatchHeader) -> Option<Offset> {
        let entry = self.producers.get(&header.producer_id)?;
        if !entry.window_partial || entry.epoch != header.producer_epoch {
            return None;
        }
        entry.batches.first().map(|batch| batch.last_offset)
    }

    /// Completes the window of a producer with older batches, oldest first, all of its present epoch.
    pub(crate) fn complete_window(&mut self, producer_id: ProducerId, older: &[BatchMetadata]) {
        if let Some(entry) = self.producers.get_mut(&producer_id) {
            let room = WINDOW.saturating_sub(entry.batches.len());
            let newest = older.iter().skip(older.len().saturating_sub(room)).copied();
            entry.batches.splice(0..0, newest);
            entry.window_partial = false;
        }
    }

    /// Whether a batch may be appended. Changes nothing.
    pub(crate) fn check(
        &self,
        header: &BatchHeader,
        marker: Option<EndTxnMarker>,
        asked: &Asked,
    ) -> Result<Verdict, AppendError> {
        if !header.has_producer_id() {
            return Ok(Verdict::Append);
        }
        let Asked { origin, offset, .. } = *asked;
        let entry = self.producers.get(&header.producer_id);
        if origin == Origin::Client
            && let Some(duplicate) = entry.and_then(|entry| entry.duplicate_of(header))
        {
            return Ok(Verdict::Duplicate(duplicate));
        }
        if let Some(entry) = entry {
            entry.check_epoch(header.producer_id, header.producer_epoch, offset)?;
        }
        if header.is_control() {
            return check_marker(entry, header, marker, offset);
        }
        if header.is_transactional() {
            if let Some(entry) = entry {
                entry.check_nothing_earlier(header.producer_id, header.producer_epoch, offset)?;
            }
            self.check_verified(entry, header, asked)?;
        }
        if origin == Origin::Client {
            check_sequence(entry, self.verifications.of(header.producer_id), header, offset)?;
        }
        if entry.is_some_and(|entry| entry.transaction_start.is_some()) && !header.is_transactional() {
            return Err(AppendError::InvalidTxnState { producer_id: header.producer_id, offset });
        }
        Ok(Verdict::Append)
    }

    /// The first batch of a transaction must have been verified, and nothing may have ended the transaction since; as
    /// long as it is open here, the coordinator knows of it.
    fn check_verified(
        &self,
        entry: Option<&ProducerEntry>,
        header: &BatchHeader,
        asked: &Asked,
    ) -> Result<(), AppendError> {
        let is_open = entry.is_some_and(|entry| entry.is_open_in(header.producer_epoch));
        if is_open || !asked.verify || self.verifications.admits(header.producer_id, asked.guard) {
            return Ok(());
        }
        Err(AppendError::NotVerified { producer_id: header.producer_id, offset: asked.offset })
    }

    /// See [`PartitionLog::begin_verification`](crate::PartitionLog::begin_verification).
    pub(crate) fn begin_verification(
        &mut self,
        start: &VerificationStart,
        offset: Offset,
        wall_ms: i64,
    ) -> Result<Option<VerificationGuard>, AppendError> {
        if let Some(entry) = self.producers.get(&start.producer_id) {
            entry.check_epoch(start.producer_id, start.producer_epoch, offset)?;
            if entry.is_open_in(start.producer_epoch) {
                return Ok(None);
            }
        }
        Ok(Some(self.verifications.begin(start, wall_ms)))
    }

    /// Whether the log has this end of a transaction already; an error where it must not have it.
    ///
    /// Before KIP-890 that cannot be told: the next transaction may have the marker's epoch too.
    pub(crate) fn has_ended(&self, marker: &TxnMarker, offset: Offset) -> Result<bool, AppendError> {
        let Some(entry) = self.producers.get(&marker.producer_id) else { return Ok(false) };
        if marker.commit {
            entry.check_nothing_earlier(marker.producer_id, marker.first_epoch_ended(), offset)?;
        }
        if !marker.bumps_epoch() || entry.epoch != marker.producer_epoch {
            return Ok(false);
        }
        let TxnMarker { producer_id, producer_epoch: epoch, coordinator_epoch, .. } = *marker;
        entry.check_coordinator(producer_id, coordinator_epoch, offset)?;
        if entry.transaction_start.is_some() {
            // It is the next one's, whose own end will have a higher epoch.
            return Err(AppendError::MarkerEpoch { producer_id, offset, epoch });
        }
        Ok(true)
    }

    /// Takes in a batch that is in the log at `base_offset`, checked or not. Answers the transaction it ended.
    pub(crate) fn apply(
        &mut self,
        header: &BatchHeader,
        marker: Option<EndTxnMarker>,
        base_offset: Offset,
    ) -> Option<EndedTxn> {
        let batch = BatchMetadata::of(header, base_offset);
        self.end = batch.last_offset.next();
        let is_emptied = header.is_control() && header.record_count == 0;
        if !header.has_producer_id() || (header.is_control() && marker.is_none() && !is_emptied) {
            return None;
        }
        if header.is_transactional() {
            let settled = if marker.is_some() {
                let known = self.producers.get(&header.producer_id);
                let is_earlier = |entry: &ProducerEntry| {
                    entry.transaction_start.is_some() && entry.epoch < header.producer_epoch
                };
                Settled::End { bumps: known.is_some_and(is_earlier) }
            } else {
                Settled::Batch
            };
            self.verifications.settle(header.producer_id, header.producer_epoch, settled);
        }
        if self.producers.len() >= self.crowded_at.max(PRODUCERS_PER_LOG_MAX)
            && !self.producers.contains_key(&header.producer_id)
        {
            self.make_room();
        }
        let entry = self.producers.entry(header.producer_id).or_insert_with(ProducerEntry::new);
        entry.last_offset = batch.last_offset;
        entry.adopt_epoch(header.producer_epoch);
        entry.last_timestamp = header.max_timestamp;
        if is_emptied {
            // A marker of which compaction has left the producer's epoch only: nothing that it ended is there any more.
            return None;
        }
        let Some(marker) = marker else {
            entry.push(batch);
            if header.is_transactional() && entry.transaction_start.is_none() {
                entry.transaction_start = Some(base_offset);
                self.open.insert(base_offset, header.producer_id);
            }
            return None;
        };
        entry.coordinator_epoch = marker.coordinator_epoch;
        let first_offset = entry.transaction_start.take()?;
        self.open.remove(&first_offset);
        self.undecided.insert(first_offset, base_offset);
        Some(EndedTxn {
            producer_id: header.producer_id,
            first_offset,
            last_offset: base_offset,
            aborted: !marker.commit,
            last_stable_offset: self.open.keys().next().copied().unwrap_or(base_offset.next()),
        })
    }

    /// Forgets those that have written nothing for longest, by the log's own order: timestamps are the producers' word. Who
    /// has a transaction open stays. A producer that comes back all the same is new to the log, as after a day.
    fn make_room(&mut self) {
        let idle = self.producers.values().filter(|entry| entry.transaction_start.is_none());
        let mut offsets: Vec<Offset> = idle.map(|entry| entry.last_offset).collect();
        let room = PRODUCERS_PER_LOG_MAX / 16;
        let excess = self.producers.len().saturating_sub(PRODUCERS_PER_LOG_MAX - room);
        if let Some(last) = offsets.len().min(excess).checked_sub(1) {
            let (_, &mut newest, _) = offsets.select_nth_unstable(last);
            self.producers.retain(|_, entry| entry.transaction_start.is_some() || entry.last_offset > newest);
        }
        // Were all of them open, to look again each time would take long.
        self.crowded_at = self.producers.len() + room;
        tracing::info!(
            "a log has too many producers: the longest idle are forgotten, {} stay",
            self.producers.len()
        );
    }

    /// First offset whose transaction is open, or ended by a marker that the high watermark has not passed.
    pub(crate) fn first_unstable(&mut self, high_watermark: Offset) -> Option<Offset> {
        self.undecided.retain(|_, marker| *marker >= high_watermark);
        let open = self.open.keys().next().copied();
        let undecided = self.undecided.keys().next().copied();
        open.into_iter().chain(undecided).min()
    }

    /// Forgets producers that have been idle for `expiration_ms` and have no open transaction.
    pub(crate) fn expire(&mut self, aging_ms: i64, expiration_ms: i64) {
        self.producers.retain(|_, entry| !entry.is_expired(aging_ms, expiration_ms));
        self.verifications.expire(aging_ms, expiration_ms);
    }

    pub(crate) fn summaries(&self) -> impl Iterator<Item = ProducerSummary> + '_ {
        self.producers.iter().map(|(&producer_id, entry)| summary(producer_id, entry))
    }

    /// The producers with an open transaction, by its first offset.
    pub(crate) fn open_transactions(&self) -> impl Iterator<Item = ProducerSummary> + '_ {
        self.open.values().filter_map(|producer_id| self.summary(*producer_id))
    }

    pub(crate) fn summary(&self, producer_id: ProducerId) -> Option<ProducerSummary> {
        self.producers.get(&producer_id).map(|entry| summary(producer_id, entry))
    }
}

fn summary(producer_id: ProducerId, entry: &ProducerEntry) -> ProducerSummary {
    ProducerSummary {
        producer_id,
        producer_epoch: entry.epoch,
        last_sequence: entry.last_sequence(),
        last_timestamp: entry.last_timestamp,
        coordinator_epoch: entry.coordinator_epoch,
        transaction_start: entry.transaction_start,
    }
}

/// The marker in the records of a control batch; `None` for other control records, which no producer writes.
pub(crate) fn parse_marker(records: &[u8]) -> Option<EndTxnMarker> {
    let record = records::RecordIter::new(records, 1).next()?.ok()?;
    EndTxnMarker::of(&record)
}

fn check_marker(
    entry: Option<&ProducerEntry>,
    header: &BatchHeader,
    marker: Option<EndTxnMarker>,
    offset: Offset,
) -> Result<Verdict, AppendError> {
    if let (Some(entry), Some(marker)) = (entry, marker) {
        entry.check_coordinator(header.producer_id, marker.coordinator_epoch, offset)?;
    }
    Ok(Verdict::Append)
}

/// A producer the log knows nothing of may start with any sequence: its records may all have been deleted. Not so while
/// it verifies a transaction: then it starts with the lowest that has asked, and with 0 where each transaction has
/// an epoch of its own.
fn check_sequence(
    entry: Option<&ProducerEntry>,
    verification: Option<&Verification>,
    header: &BatchHeader,
    offset: Offset,
) -> Result<(), AppendError> {
    let next = header.base_sequence;
    let out_of_order = |current| AppendError::OutOfOrderSequence {
        producer_id: header.producer_id,
        offset,
        sequence: next,
        current,
    };
    if let Some(asked) = verification {
        let is_new = entry.is_none_or(|entry| entry.batches.is_empty());
        if asked.supports_epoch_bump && is_new && next != 0 {
            return Err(out_of_order(-1));
        }
        if next > asked.lowest_sequence {
            return Err(out_of_order(asked.lowest_sequence));
        }
    }
    let Some(entry) = entry else { return Ok(()) };
    let last = entry.last_sequence();
    let legal = if header.producer_epoch == entry.epoch {
        i64::from(next) == i64::from(last) + 1 || (next == 0 && last == i32::MAX)
    } else {
        next == 0 || entry.epoch == ProducerEpoch::NONE
    };
    if legal { Ok(()) } else { Err(out_of_order(last)) }
}

#[cfg(test)]
#[path = "producer_state_tests.rs"]
mod tests;
