//! What compaction leaves of one batch (`Cleaner.cleanInto`, `MemoryRecords.filterTo`). Pure: batches in, batches out.
//!
//! A record stays while it is the newest of its key, a tombstone or transaction marker besides until its batch's
//! delete horizon (KIP-534). The horizon is set when a batch is first found to need one: the base timestamp becomes
//! the horizon and attribute bit 6 says so.

use std::collections::BTreeMap;

use bytes::Bytes;
use model::batch::crc_matches;
use model::limits::DECOMPRESSED_BYTES_MAX;
use model::{BatchHeader, Offset, ProducerEpoch, ProducerId};
use records::{BadBatch, BatchBuilder, BuildError, Codec, OpenBatch, Record};

use super::offset_map::OffsetMap;
use super::transactions::{Marker, Transactions};
use crate::index::txn::AbortedTxn;

/// The last that a log knows of a producer: the batch that holds it keeps its header, so that the producer's sequence
/// numbers and its epoch outlive its records (`LastRecord`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LastOfProducer {
    /// Last offset of its last batch, if the log knows one of its epoch.
    pub(super) offset: Option<Offset>,
    pub(super) epoch: ProducerEpoch,
}

/// Decides batch by batch, in the order of the log.
#[derive(Debug)]
pub(super) struct Filter<'a> {
    pub(super) map: &'a OffsetMap,
    /// Last offset that the map has seen: what follows stays.
    pub(super) mapped_to: Offset,
    pub(super) transactions: &'a mut Transactions,
    pub(super) producers: &'a BTreeMap<ProducerId, LastOfProducer>,
    /// Wall time of this compaction in milliseconds.
    pub(super) aging_ms: i64,
    pub(super) delete_retention_ms: i64,
}

/// What becomes of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing of it stays.
    Drop,
    /// All of it stays, byte for byte.
    Keep,
    /// This stays in its place.
    Rewrite(Bytes),
}

/// A verdict, and the aborted transaction that readers must go on finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filtered {
    pub(super) verdict: Verdict,
    pub(super) aborted: Option<AbortedTxn>,
    /// Records that are left.
    pub(super) records: u64,
}

/// Why a batch cannot be compacted.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// Its bytes are not those that were written: they must not get a CRC that says otherwise.
    #[error("the CRC of the batch does not match")]
    Crc,
    /// Its records cannot be read.
    #[error(transparent)]
    Unreadable(#[from] BadBatch),
    /// Offsets of its records do not ascend within the batch.
    #[error("record offsets {0} and {1} of the batch do not ascend, or lie outside of it")]
    Order(i32, i32),
    /// What is left cannot be put into a batch.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl Filter<'_> {
    /// Decides about the next batch. One that `must_stay` keeps at least its header, so that its last offset is not
    /// lost.
    pub(super) fn filter(
        &mut self,
        header: &BatchHeader,
        batch: &Bytes,
        must_stay: bool,
    ) -> Result<Filtered, FilterError> {
        if !crc_matches(batch) {
            return Err(FilterError::Crc);
        }
        let mut aborted = None;
        let (drop_records, spent_marker) = if header.is_control() {
            let marker = self.transactions.pass_control(header, batch);
            if let Marker::Aborted(txn) = marker {
                aborted = Some(txn);
            }
            let spent = marker == Marker::Spent;
            let is_past = header.delete_horizon_ms().is_some_and(|horizon| horizon <= self.aging_ms);
            (spent && is_past, spent)
        } else {
            (self.transactions.pass_batch(header), false)
        };
        let keep_header = must_stay || self.is_last_of_producer(header);
        if drop_records && !keep_header {
            return Ok(Filtered { verdict: Verdict::Drop, aborted, records: 0 });
        }
        let (verdict, records) =
            self.filter_records(header, batch, drop_records, spent_marker, keep_header)?;
        Ok(Filtered { verdict, aborted, records })
    }

    fn filter_records(
        &self,
        header: &BatchHeader,
        batch: &Bytes,
        drop_records: bool,
        spent_marker: bool,
        keep_header: bool,
    ) -> Result<(Verdict, u64), FilterError> {
        let open = OpenBatch::new(batch, DECOMPRESSED_BYTES_MAX)?;
        let mut kept = Vec::new();
        let mut has_tombstones = false;
        let mut keeps_all = true;
        for record in open.records() {
            let record = record.map_err(BadBatch::from)?;
            let stays = !drop_records && (header.is_control() || self.stays(&open, &record));
            if stays {
                has_tombstones |= record.value.is_none();
                kept.push(record);
            } else {
                keeps_all = false;
            }
        }
        if kept.is_empty() {
            let rest = if keep_header { Verdict::Rewrite(emptied(header)?) } else { Verdict::Drop };
            return Ok((rest, 0));
        }
        let needs_horizon = (has_tombstones || spent_marker) && header.delete_horizon_ms().is_none();
        let count = kept.len() as u64;
        if keeps_all && !needs_horizon {
            return Ok((Verdict::Keep, count));
        }
        let horizon_ms = if needs_horizon {
            Some(self.aging_ms.saturating_add(self.delete_retention_ms))
        } else {
            header.delete_horizon_ms()
        };
        Ok((Verdict::Rewrite(rebuilt(&open, &kept, horizon_ms)?), count))
    }

    fn stays(&self, open: &OpenBatch, record: &Record<'_>) -> bool {
        let offset = open.offset_of(record);
        if offset > self.mapped_to {
            return true;
        }
        // Without a key it can never be replaced; a leader refuses it, and compaction drops what is there all the same.
        let Some(key) = record.key else { return false };
        let is_newest = self.map.offset_of(key).is_none_or(|newest| offset >= newest);
        let outlives_horizon = open.header.delete_horizon_ms().is_none_or(|horizon| self.aging_ms < horizon);
        is_newest && (record.value.is_some() || outlives_horizon)
    }

    fn is_last_of_producer(&self, header: &BatchHeader) -> bool {
        if !header.has_producer_id() {
            return false;
        }
        match self.producers.get(&header.producer_id) {
            None => false,
            Some(LastOfProducer { offset: Some(offset), .. }) => header.last_offset() == *offset,
            Some(LastOfProducer { offset: None, epoch }) => {
                header.is_control() && header.producer_epoch == *epoch
            }
        }
    }
}

/// A batch without records that says what this one said of offsets, times and its producer.
fn emptied(header: &BatchHeader) -> Result<Bytes, FilterError> {
    let builder = like(header).max_timestamp(header.max_timestamp);
    Ok(builder.build()?)
}

/// The records that are left, as they were, in a batch of the same codec.
fn rebuilt(open: &OpenBatch, kept: &[Record<'_>], horizon_ms: Option<i64>) -> Result<Bytes, FilterError> {
    let header = &open.header;
    let bits = header.codec_bits();
    let codec = Codec::from_bits(bits).ok_or(BadBatch::UnknownCodec(bits))?;
    let mut builder = like(header).codec(codec, None);
    if let Some(horizon_ms) = horizon_ms {
        builder = builder.delete_horizon(horizon_ms);
    }
    let mut next = 0;
    for record in kept {
        let delta = record.offset_delta;
        if delta < next || delta > header.last_offset_delta || delta == i32::MAX {
            return Err(FilterError::Order(next - 1, delta));
        }
        next = delta + 1;
        builder.append_at(delta, open.timestamp_of(record), record.key, record.value, record.headers);
    }
    Ok(builder.build()?)
}

/// An empty batch in the place of another.
fn like(header: &BatchHeader) -> BatchBuilder {
    let mut builder = BatchBuilder::new()
        .base_offset(header.base_offset)
        .leader_epoch(header.leader_epoch)
        .producer(header.producer_id, header.producer_epoch, header.base_sequence)
        .last_offset_delta(header.last_offset_delta);
    if header.is_transactional() {
        builder = builder.transactional();
    }
    if header.is_control() {
        builder = builder.control();
    }
    if header.is_log_append_time() {
        builder = builder.log_append_time(header.max_timestamp);
    }
    builder
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
