//! Reading: from an offset to a position, from a timestamp to an offset, and the transactions a reader must skip.
//!
//! Each is asked in steps. What the log knows in memory is answered under its owner's lock; for the rest it hands out a
//! lookup, which reads files without the lock, and takes in what that has learnt.

use model::batch::HEADER_BYTES;
use model::{BatchHeader, Offset};

use crate::disk::Access;
use crate::error::{ReadError, StorageError};
use crate::index::txn::{AbortedTxn, TxnIndex};
use crate::names::Home;
use crate::partition_log::PartitionLog;
use crate::producer_state::BatchMetadata;
use crate::read_plan::{Batches, ReadHint, ReadPlan, ReadRange, ReadRequest};
use crate::segment::{FoundOffset, Segment, SegmentView};

/// The next step of a read.
#[derive(Debug)]
pub enum ReadStep {
    /// To carry it out.
    Plan(ReadPlan),
    /// To find its place in the files: then it is planned again, with the hint that [`PartitionLog::take_in_lookup`] gives.
    Lookup(Box<OffsetLookup>),
}

/// Looks for the place of an offset in a segment.
#[derive(Debug)]
pub struct OffsetLookup {
    view: SegmentView,
    offset: Offset,
    found: Option<u64>,
}

impl OffsetLookup {
    /// Reads what it takes. An error that [would block](StorageError::would_block) leaves it ready for another run.
    pub fn run(&mut self, access: Access) -> Result<(), StorageError> {
        self.view.set_access(access);
        let batch = self.view.locate(self.offset)?;
        // Compaction may have removed all batches from there on: then the next segment goes on.
        self.found = Some(batch.map_or(self.view.size(), |batch| batch.position));
        Ok(())
    }
}

/// Looks for a record by its time in one segment.
#[derive(Debug)]
pub struct TimeLookup {
    view: SegmentView,
    wanted: WantedTime,
    log_start: Offset,
}

/// Which record of a segment is looked for.
#[derive(Clone, Copy, Debug)]
enum WantedTime {
    /// None yet: only what its largest timestamp is.
    Largest,
    /// The first record with its largest timestamp.
    FirstOfLargest,
    /// The first record at or after this time.
    AtOrAfter(i64),
}

impl TimeLookup {
    /// Searches the segment, however long the disk takes.
    pub fn run(&mut self) -> Result<Option<FoundOffset>, StorageError> {
        match self.wanted {
            WantedTime::Largest => self.view.largest().map(|_| None),
            WantedTime::FirstOfLargest => self.view.first_of_largest(),
            WantedTime::AtOrAfter(timestamp) => self.view.first_at_or_after(timestamp, self.log_start),
        }
    }
}

/// How a search by time goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeStep {
    /// With the segments that end beyond this offset.
    GoOn(Offset),
    /// It is over: this was found.
    Done(Option<FoundOffset>),
}

/// Collects aborted transactions.
#[derive(Debug)]
pub struct AbortedLookup {
    home: Home,
    /// With the segments that they belong to.
    indexes: Vec<(Offset, u64, TxnIndex)>,
    from: Offset,
    upper_bound: Offset,
}

impl AbortedLookup {
    /// The transactions, oldest marker first. An error that [would block](StorageError::would_block) leaves it ready
    /// for another run.
    pub fn run(&mut self, access: Access) -> Result<Vec<AbortedTxn>, StorageError> {
        self.home.access = access;
        let mut found = Vec::new();
        for (_, _, index) in &mut self.indexes {
            if index.collect(&self.home, self.from, self.upper_bound, &mut found)? {
                break;
            }
        }
        Ok(found)
    }
}

impl PartitionLog {
    /// Plans a read from what is in memory, without a look into any file. A plan stays within one segment. `hint` is
    /// what [`Batches::next`] of the read before said.
    pub fn plan_read(&mut self, request: ReadRequest, hint: Option<ReadHint>) -> Result<ReadStep, ReadError> {
        let (offset, log_end) = (request.offset, self.log_end());
        if offset < self.log_start || offset > log_end {
            return Err(ReadError::OutOfRange { offset, log_start: self.log_start, log_end });
        }
        let request = ReadRequest { upper_bound: request.upper_bound.min(log_end), ..request };
        let hint = hint.filter(|hint| hint.offset == offset);
        if offset >= request.upper_bound {
            return Ok(ReadStep::Plan(ReadPlan::empty(hint)));
        }
        let Some(start) = hint.and_then(|hint| self.place_of(hint)) else {
            return Ok(ReadStep::Lookup(Box::new(self.offset_lookup(offset))));
        };
        let Place::At(start) = start else { return Ok(ReadStep::Plan(ReadPlan::empty(None))) };
        let (bound, is_exact) = self.bound_of(start, request.upper_bound);
        if bound.position <= start.position {
            return Ok(ReadStep::Plan(ReadPlan::empty(None)));
        }
        let is_recent = start.segment == self.active.base()
            && self.active.size().saturating_sub(start.position) <= RECENT_BYTES;
        let (segment, home, config) = self.segment_and_home(start.segment);
        let Some(file) = segment.open_file() else {
            let view = SegmentView::of(segment, home, config);
            return Ok(ReadStep::Lookup(Box::new(OffsetLookup { view, offset, found: None })));
        };
        let available = (bound.position - start.position) as usize;
        let range = |len| ReadRange::new(file, home, start, bound.position, len).recent(is_recent);
        Ok(ReadStep::Plan(if is_exact && available <= request.bytes_max {
            ReadPlan::exact(range(available), bound)
        } else if request.min_one_batch || request.bytes_max >= HEADER_BYTES {
            ReadPlan::cut(range(available.min(request.bytes_max.max(HEADER_BYTES))), request)
        } else {
            ReadPlan::empty(Some(start))
        }))
    }

    /// Takes over what a lookup that ended with `result` has learnt. Answers the hint with which the read it was for is
    /// planned again; `None` when the segment is not there any more.
    pub fn take_in_lookup(
        &mut self,
        lookup: OffsetLookup,
        result: Result<(), StorageError>,
    ) -> Result<Option<ReadHint>, StorageError> {
        let OffsetLookup { view, offset, found } = lookup;
        let (segment, segment_id) = (view.base(), view.id());
        if !self.take_in_view(view)? {
            return Ok(None);
        }
        result?;
        Ok(found.map(|position| ReadHint { offset, segment, segment_id, position }))
    }

    /// Takes over what a search that ended with `result` has learnt, and answers how it goes on.
    pub fn take_in_time(
        &mut self,
        lookup: TimeLookup,
        result: Result<Option<FoundOffset>, StorageError>,
    ) -> Result<TimeStep, StorageError> {
        let TimeLookup { view, wanted, .. } = lookup;
        let (base, end) = (view.base(), view.end());
        if !self.take_in_view(view)? {
            // Deleted, cut or compacted: what is in its place now is searched.
            return Ok(TimeStep::GoOn(base));
        }
        Ok(match (result?, wanted) {
            (None, WantedTime::FirstOfLargest) => TimeStep::Done(None),
            (None, WantedTime::Largest | WantedTime::AtOrAfter(_)) => TimeStep::GoOn(end),
            (found, _) => TimeStep::Done(found),
        })
    }

    /// Takes over where a read has ended.
    pub fn take_in_read(&mut self, batches: &Batches) {
        if let Some(bound) = batches.next.filter(|_| batches.found_bound) {
            self.bounds.looked_up = Some(bound);
        }
    }

    /// The next segment to search for the first record at or beyond the log's start with a timestamp of at least
    /// `timestamp`, among those that end beyond `from`; `None` when there is none left.
    pub fn time_lookup(&self, timestamp: i64, from: Offset) -> Option<TimeLookup> {
        let log_start = self.log_start;
        let segment = self.segments_beyond(from.max(log_start)).find(|segment| {
            segment.size() > 0 && segment.known_largest().is_none_or(|largest| largest.timestamp >= timestamp)
        })?;
        Some(self.lookup_in(segment, WantedTime::AtOrAfter(timestamp)))
    }

    /// The next segment to search for the first record with the largest timestamp of the log; `None` when there are no
    /// records. The search is over with the first that finds one: before it, segments are asked for their largest
    /// timestamps that are not known yet.
    pub fn largest_lookup(&self) -> Option<TimeLookup> {
        let mut best: Option<(i64, &Segment)> = None;
        for segment in self.segments_beyond(Offset::new(-1)) {
            let Some(largest) = segment.known_largest() else {
                return Some(self.lookup_in(segment, WantedTime::Largest));
            };
            let timestamp = largest.timestamp;
            if timestamp >= 0 && best.is_none_or(|(best, _)| timestamp > best) {
                best = Some((timestamp, segment));
            }
        }
        best.map(|(_, segment)| self.lookup_in(segment, WantedTime::FirstOfLargest))
    }

    /// Collects the aborted transactions that a reader of `from..upper_bound` must know; `None` when no segment from
    /// there on has any.
    pub fn aborted_lookup(&self, from: Offset, upper_bound: Offset) -> Option<AbortedLookup> {
        let with_entries = self.segments_beyond(from).filter(|segment| segment.txn_index.exists());
        let indexes: Vec<_> =
            with_entries.map(|segment| (segment.base(), segment.id(), segment.txn_index.clone())).collect();
        (!indexes.is_empty()).then(|| AbortedLookup { home: self.home.clone(), indexes, from, upper_bound })
    }

    /// Takes over the files that a lookup has opened.
    pub fn take_in_aborted(&mut self, lookup: AbortedLookup) {
        for (base, id, index) in lookup.indexes {
            let (segment, ..) = self.segment_and_home(base);
            if segment.id() == id {
                segment.txn_index.take_in(index);
            }
        }
    }

    /// Plans a read and looks up what that takes, however long the disk needs: for an owner whom nobody waits for.
    pub fn read_plan(
        &mut self,
        request: ReadRequest,
        mut hint: Option<ReadHint>,
    ) -> Result<ReadPlan, ReadError> {
        loop {
            match self.plan_read(request, hint)? {
                ReadStep::Plan(plan) => return Ok(plan),
                ReadStep::Lookup(mut lookup) => {
                    let result = lookup.run(Access::Disk);
                    hint = self.take_in_lookup(*lookup, result)?;
                }
            }
        }
    }

    /// Where a read with this hint begins; `None` when the segment has changed.
    fn place_of(&self, hint: ReadHint) -> Option<Place> {
        let above = self.sealed.partition_point(|segment| segment.end() <= hint.segment);
        let mut segments = self.sealed.iter().skip(above).chain([&self.active]);
        let segment = segments.next().filter(|segment| segment.id() == hint.segment_id)?;
        if hint.position < segment.size() {
            return Some(Place::At(hint));
        }
        // A segment that was read to its end goes on in the next.
        let next = segments.find(|segment| segment.size() > 0);
        Some(next.map_or(Place::End, |next| {
            Place::At(ReadHint { segment: next.base(), segment_id: next.id(), position: 0, ..hint })
        }))
    }

    /// Where the segment of `start`, or the read, ends. False when the upper bound may lie before that.
    fn bound_of(&self, start: ReadHint, upper_bound: Offset) -> (ReadHint, bool) {
        let known = [self.bounds.durable, self.bounds.looked_up].into_iter().flatten();
        let mut known =
            known.filter(|bound| bound.offset == upper_bound && bound.segment_id == start.segment_id);
        if let Some(bound) = known.next() {
            return (bound, true);
        }
        let above = self.sealed.partition_point(|segment| segment.end() <= start.segment);
        let segment = self.sealed.get(above).unwrap_or(&self.active);
        let end = ReadHint { offset: segment.end(), position: segment.size(), ..start };
        (end, upper_bound >= segment.end())
    }

    /// The segments that end beyond an offset, oldest first.
    fn segments_beyond(&self, offset: Offset) -> impl Iterator<Item = &Segment> {
        let first = self.sealed.partition_point(|segment| segment.end() <= offset);
        let active = Some(&self.active).filter(|active| active.end() > offset);
        self.sealed.iter().skip(first).chain(active)
    }

    fn lookup_in(&self, segment: &Segment, wanted: WantedTime) -> TimeLookup {
        let view = SegmentView::of(segment, &self.home, &self.config);
        TimeLookup { view, wanted, log_start: self.log_start }
    }

    /// Looks for an offset in the segment that holds it, or would.
    fn offset_lookup(&self, offset: Offset) -> OffsetLookup {
        let segment = self.segments_beyond(offset).next().unwrap_or(&self.active);
        OffsetLookup { view: SegmentView::of(segment, &self.home, &self.config), offset, found: None }
    }

    pub(crate) fn take_in_view(&mut self, view: SegmentView) -> Result<bool, StorageError> {
        let (segment, home, config) = self.segment_and_home(view.base());
        segment.take_in(home, config, view)
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

/// A place in the log.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Where a batch begins.
    At(ReadHint),
    /// Behind the last batch.
    End,
}

/// How far back a producer's window is looked for: what five batches in flight span in a busy log.
const WINDOW_SCAN_BYTES: u64 = 16 << 20;
/// What was appended this lately is in memory, unless that is very short.
const RECENT_BYTES: u64 = 8 << 20;

#[cfg(test)]
#[path = "log_read_tests.rs"]
mod tests;
