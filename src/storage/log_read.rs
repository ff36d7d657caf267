//! Reading: from an offset to a position, from a timestamp to an offset, and the transactions a reader must skip.

use bytes::Bytes;
use model::limits::DECOMPRESSED_BYTES_MAX;
use model::{BatchHeader, LeaderEpoch, Offset};
use records::FoundRecord;

use crate::disk::read_exact_at;
use crate::error::{ReadError, StorageError};
use crate::index::txn::AbortedTxn;
use crate::names::{Home, LOG};
use crate::partition_log::PartitionLog;
use crate::producer_state::BatchMetadata;
use crate::read_plan::{ReadHint, ReadPlan, ReadRange};
use crate::segment::{LocatedBatch, Segment};

/// The record that a search by time has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundOffset {
    /// The record's offset.
    pub offset: Offset,
    /// The record's timestamp in milliseconds.
    pub timestamp: i64,
    /// Epoch of the leader that wrote it, or -1.
    pub leader_epoch: LeaderEpoch,
}

impl PartitionLog {
    /// Plans a read that begins with the batch that holds `offset` and ends before `upper_bound`, a batch boundary
    /// such as the high watermark. At most `bytes_max` bytes, but at least one batch when `min_one_batch` is set. A
    /// plan stays within one segment.
    pub fn read_plan(
        &mut self,
        offset: Offset,
        bytes_max: usize,
        upper_bound: Offset,
        min_one_batch: bool,
    ) -> Result<ReadPlan, ReadError> {
        self.read_plan_hinted(offset, bytes_max, upper_bound, min_one_batch, None)
    }

    /// As [`PartitionLog::read_plan`], with what [`ReadPlan::next`] of the read before said.
    pub fn read_plan_hinted(
        &mut self,
        offset: Offset,
        bytes_max: usize,
        upper_bound: Offset,
        min_one_batch: bool,
        hint: Option<ReadHint>,
    ) -> Result<ReadPlan, ReadError> {
        let log_end = self.log_end();
        if offset < self.log_start || offset > log_end {
            return Err(ReadError::OutOfRange { offset, log_start: self.log_start, log_end });
        }
        let upper_bound = upper_bound.min(log_end);
        if offset >= upper_bound {
            return Ok(ReadPlan::empty(hint.filter(|hint| hint.offset == offset)));
        }
        let Some(start) = self.start_of_read(offset, hint)? else { return Ok(ReadPlan::empty(None)) };
        let end = self.end_of_read(start, upper_bound)?;
        if end.position <= start.position {
            return Ok(ReadPlan::empty(None));
        }
        let end = if end.position - start.position > bytes_max as u64 {
            self.cut(start, bytes_max as u64, min_one_batch)?
        } else {
            end
        };
        let home = self.home.clone();
        let file = self.segment_for(start.segment).file(&home)?;
        let range = ReadRange::new(file, &home, start.segment, start.position..end.position);
        let next = ReadHint { generation: self.sync.generation(), ..end };
        Ok(if range.len == 0 { ReadPlan::empty(Some(start)) } else { ReadPlan::new(range, Some(next)) })
    }

    /// The batch that holds `offset`, or the first after it where compaction has removed that one.
    fn start_of_read(
        &mut self,
        offset: Offset,
        hint: Option<ReadHint>,
    ) -> Result<Option<ReadHint>, StorageError> {
        let generation = self.sync.generation();
        if let Some(hint) = hint.filter(|hint| hint.offset == offset && hint.generation == generation) {
            let segment = self.segment_for(hint.segment);
            if segment.base() == hint.segment && hint.position < segment.size() {
                return Ok(Some(hint));
            }
        }
        let mut from = offset;
        while from < self.log_end() {
            let (segment, home, config) = self.segment_and_home(from);
            let base = segment.base();
            let next = segment.end();
            if let Some(batch) = segment.locate(home, config, from)? {
                return Ok(Some(ReadHint { offset, segment: base, position: batch.position, generation }));
            }
            if next <= from {
                break;
            }
            from = next;
        }
        Ok(None)
    }

    /// Where the segment of `start`, or the read, ends: the position of the first batch at or beyond `upper_bound`.
    fn end_of_read(&mut self, start: ReadHint, upper_bound: Offset) -> Result<ReadHint, StorageError> {
        let generation = start.generation;
        let known = [self.bounds.durable, self.bounds.looked_up].into_iter().flatten().find(|bound| {
            bound.offset == upper_bound && bound.segment == start.segment && bound.generation == generation
        });
        if let Some(bound) = known {
            return Ok(bound);
        }
        let (segment, home, config) = self.segment_and_home(start.segment);
        let position = if upper_bound >= segment.end() {
            segment.size()
        } else {
            let batch = segment.locate(home, config, upper_bound)?;
            batch.map_or(segment.size(), |batch| batch.position)
        };
        let offset = upper_bound.min(segment.end());
        let end = ReadHint { offset, segment: start.segment, position, generation };
        if offset == upper_bound {
            self.bounds.looked_up = Some(end);
        }
        Ok(end)
    }

    /// The last batch boundary within `bytes_max` of `start`, found by the index where that is possible.
    fn cut(
        &mut self,
        start: ReadHint,
        bytes_max: u64,
        min_one_batch: bool,
    ) -> Result<ReadHint, StorageError> {
        let limit = start.position + bytes_max;
        let (segment, home, config) = self.segment_and_home(start.segment);
        segment.check_indexes(home, config)?;
        let indexed = segment.offset_index.lookup_position(home, limit)?;
        let from = indexed.position.max(start.position);
        let mut walk = segment.walk(home, from)?;
        let mut end = start;
        while let Some(LocatedBatch { position, header }) = walk.next().transpose()? {
            end = ReadHint { offset: header.base_offset, position, ..start };
            let is_first = position == start.position;
            if walk.position() > limit && !(is_first && min_one_batch) {
                break;
            }
            end = ReadHint { offset: header.last_offset().next(), position: walk.position(), ..start };
            if walk.position() >= limit {
                break;
            }
        }
        if end.position == start.position {
            end.offset = start.offset;
        }
        Ok(end)
    }

    /// The first record at or beyond the log's start with a timestamp of at least `timestamp`.
    /// Unfolds one batch.
    pub fn offset_for_timestamp(&mut self, timestamp: i64) -> Result<Option<FoundOffset>, StorageError> {
        for at in 0..=self.sealed.len() {
            let (home, config, log_start) = (&self.home, &self.config, self.log_start);
            let segment = self.sealed.get_mut(at).unwrap_or(&mut self.active);
            segment.check_indexes(home, config)?;
            if segment.end() <= log_start
                || segment.size() == 0
                || segment.largest(home)?.timestamp < timestamp
            {
                continue;
            }
            segment.check_indexes(home, config)?;
            let from = segment.time_index.lookup(home, timestamp)?.offset.max(log_start);
            let start = segment.offset_index.lookup(home, from)?.position;
            for batch in segment.walk(home, start)? {
                let batch = batch?;
                if batch.header.max_timestamp < timestamp || batch.header.last_offset() < log_start {
                    continue;
                }
                let bytes = read_batch(segment, home, batch)?;
                let found = records::first_at_or_after(&bytes, timestamp, log_start, DECOMPRESSED_BYTES_MAX);
                if let Some(found) = found.map_err(|error| unreadable(home, batch, &error))? {
                    return Ok(Some(found_offset(&batch.header, found)));
                }
            }
            // The record with the largest timestamp lay below the log's start.
        }
        Ok(None)
    }

    /// The record with the largest timestamp of the log, the first of several.
    pub fn offset_of_max_timestamp(&mut self) -> Result<Option<FoundOffset>, StorageError> {
        let (home, config) = (&self.home, &self.config);
        let mut best: Option<(i64, usize)> = None;
        for (at, segment) in self.sealed.iter_mut().chain([&mut self.active]).enumerate() {
            let largest = segment.largest(home)?.timestamp;
            if largest >= 0 && best.is_none_or(|(timestamp, _)| largest > timestamp) {
                best = Some((largest, at));
            }
        }
        let Some((timestamp, at)) = best else { return Ok(None) };
        let segment = self.sealed.get_mut(at).unwrap_or(&mut self.active);
        segment.check_indexes(home, config)?;
        let last_offset = segment.largest(home)?.offset;
        let start = segment.offset_index.lookup(home, last_offset)?.position;
        for batch in segment.walk(home, start)? {
            let batch = batch?;
            if batch.header.max_timestamp == timestamp {
                let bytes = read_batch(segment, home, batch)?;
                let found = records::offset_of_max_timestamp(&bytes, DECOMPRESSED_BYTES_MAX);
                let found = found.map_err(|error| unreadable(home, batch, &error))?;
                return Ok(found.map(|found| found_offset(&batch.header, found)));
            }
        }
        Ok(None)
    }

    /// The aborted transactions that a reader of `from..upper_bound` must know, oldest marker first.
    pub fn aborted_transactions(
        &mut self,
        from: Offset,
        upper_bound: Offset,
    ) -> Result<Vec<AbortedTxn>, StorageError> {
        let mut found = Vec::new();
        let first = self.sealed.partition_point(|segment| segment.end() <= from);
        for segment in self.sealed.iter_mut().skip(first).chain([&mut self.active]) {
            if segment.txn_index.collect(&self.home, from, upper_bound, &mut found)? {
                break;
            }
        }
        Ok(found)
    }

    /// Batches of the header's producer and epoch before offset `before`, oldest first, as far back as a window may
    /// reach in practice.
    pub(crate) fn producer_batches_before(
        &mut self,
        header: &BatchHeader,
        before: Offset,
    ) -> Result<Vec<BatchMetadata>, StorageError> {
        let mut found = Vec::new();
        let last = self.sealed.partition_point(|segment| segment.end() < before);
        let first = last.saturating_sub(1);
        let home = &self.home;
        for segment in self.sealed.iter_mut().skip(first).chain([&mut self.active]) {
            if segment.base() >= before {
                break;
            }
            segment.check_indexes(home, &self.config)?;
            let end = segment.offset_index.lookup(home, before)?.position;
            let start =
                segment.offset_index.lookup_position(home, end.saturating_sub(WINDOW_SCAN_BYTES))?.position;
            for batch in segment.walk(home, start)? {
                let older = batch?.header;
                if older.last_offset() >= before {
                    break;
                }
                let same =
                    older.producer_id == header.producer_id && older.producer_epoch == header.producer_epoch;
                if same && !older.is_control() {
                    found.push(BatchMetadata::of(&older, older.base_offset));
                }
            }
        }
        Ok(found)
    }
}

fn unreadable(home: &Home, batch: LocatedBatch, error: &dyn std::fmt::Display) -> StorageError {
    StorageError::Malformed {
        path: home.dir.to_path_buf(),
        reason: format!("the batch at offset {} cannot be unfolded: {error}", batch.header.base_offset),
    }
}

fn found_offset(header: &BatchHeader, found: FoundRecord) -> FoundOffset {
    FoundOffset { offset: found.offset, timestamp: found.timestamp, leader_epoch: header.leader_epoch }
}

/// How far back a producer's window is looked for: what five batches in flight span in a busy log.
const WINDOW_SCAN_BYTES: u64 = 16 << 20;

fn read_batch(segment: &mut Segment, home: &Home, batch: LocatedBatch) -> Result<Bytes, StorageError> {
    let file = segment.file(home)?;
    read_exact_at(&*file, batch.position, batch.header.size())
        .map(Bytes::from)
        .map_err(|error| StorageError::fatal("read", &home.path(segment.base(), LOG), error))
}
