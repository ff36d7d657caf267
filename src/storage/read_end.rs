//! Where a read ends that is limited by its size: found in the index and a few headers, so that its bytes can be sent
//! without a look at them.

use model::Offset;

use crate::disk::Access;
use crate::error::StorageError;
use crate::partition_log::PartitionLog;
use crate::read_plan::{ReadHint, ReadPlan};
use crate::segment::SegmentView;

/// Looks for the end of a planned read. Owned, as the plan is.
#[derive(Debug)]
pub struct EndLookup {
    view: SegmentView,
    start: u64,
    /// The read ends at this byte or before, but for a first batch that is larger.
    limit: u64,
    /// It may not go beyond this byte in any case.
    end: u64,
    upper_bound: Offset,
    min_one_batch: bool,
}

/// The end of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Where the last batch of the read ends.
    pub(crate) position: u64,
    /// Offset of the batch that begins there.
    pub(crate) offset: Offset,
}

impl EndLookup {
    /// Reads what it takes; an error that [would block](StorageError::would_block) leaves it ready for another run. Ends
    /// `plan`, which it was made for, if it can be known from here where that ends: answers whether.
    pub fn run(&mut self, plan: &mut ReadPlan, access: Access) -> Result<bool, StorageError> {
        self.view.set_access(access);
        let Some(End { position, offset }) = self.search()? else { return Ok(false) };
        let Some((range, _)) = plan.open_end() else { return Ok(false) };
        let next = range.hint(offset, position);
        plan.end_at(next);
        Ok(true)
    }

    /// Makes what the search needs ready for the next one, however long the disk takes.
    pub fn warm(&mut self) {
        self.view.set_access(Access::Disk);
        // The reader of these batches finds out what is wrong with them.
        let _ = self.search();
    }

    fn search(&mut self) -> Result<Option<End>, StorageError> {
        let mut found: Option<End> = None;
        for batch in self.view.batches_up_to(self.start, self.limit)?.take(HEADERS_MAX) {
            let batch = batch?;
            let end = batch.position + batch.header.size() as u64;
            let here = End { position: batch.position, offset: batch.header.base_offset };
            let is_first = batch.position == self.start;
            if here.offset >= self.upper_bound {
                // Before it the read ends, but only with a batch that was seen to belong to it.
                return Ok(found.map(|found| End { offset: self.upper_bound, ..found }));
            }
            if end > self.limit && !(is_first && self.min_one_batch && end <= self.end) {
                return Ok(found.or((!is_first).then_some(here)));
            }
            found = Some(End { position: end, offset: batch.header.last_offset().next() });
            if end >= self.limit {
                return Ok(found);
            }
        }
        // More and smaller batches than are worth looking at, or the segment's end.
        Ok(found.filter(|found| found.position == self.end))
    }
}

impl PartitionLog {
    /// What finds the end of `plan`; `None` where that is known, or the segment has changed.
    pub fn end_lookup(&mut self, plan: &ReadPlan) -> Option<EndLookup> {
        let (range, request) = plan.open_end()?;
        let (start, limit, end) = (range.position, range.position + range.len as u64, range.end());
        let ReadHint { segment, segment_id, .. } = range.hint(request.offset, start);
        let (upper_bound, min_one_batch) = (request.upper_bound, request.min_one_batch);
        let (segment, home, config) = self.segment_and_home(segment);
        (segment.id() == segment_id).then(|| EndLookup {
            view: SegmentView::of(segment, home, config),
            start,
            limit,
            end,
            upper_bound,
            min_one_batch,
        })
    }

    /// Takes over what a lookup has learnt.
    pub fn take_in_end(&mut self, lookup: EndLookup) -> Result<(), StorageError> {
        self.take_in_view(lookup.view).map(|_| ())
    }
}

/// Headers that are looked at for one end: as many as stand between two entries of the index of very small batches, or
/// in a read of large ones without an index.
const HEADERS_MAX: usize = 128;

#[cfg(test)]
#[path = "read_end_tests.rs"]
mod tests;
