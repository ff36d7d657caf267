//! A gap between two segments: what compaction has left out, or the end of the older one, lost before it was on disk.

use model::{LeaderEpoch, Offset};

use super::Loader;
use super::scan::{Expected, Scan, Step};
use crate::error::StorageError;
use crate::names::LOG;

impl Loader {
    /// Whether the offsets before the segment at `at` may be missing. A topic that is not compacted now may have been
    /// once: then records are left out inside of its segments, too, which nothing else does.
    ///
    /// `expected` is for that segment: only what its scan will find sound tells anything, or the next recovery, which finds
    /// nothing else, would decide otherwise.
    pub(super) fn is_gap_of_compaction(
        &mut self,
        at: usize,
        expected: Expected,
    ) -> Result<bool, StorageError> {
        let before = Expected { epoch: LeaderEpoch::NONE, below: Offset::new(i64::MAX), ..expected };
        Ok(self.config.cleanup.compact
            || self.leaves_records_out(at.saturating_sub(1), before)?
            || self.leaves_records_out(at, expected)?)
    }

    /// Whether the sound batches of a segment skip offsets, or have fewer records than offsets.
    fn leaves_records_out(&mut self, at: usize, expected: Expected) -> Result<bool, StorageError> {
        let Some(segment) = self.segments.get_mut(at) else { return Ok(false) };
        let (base, size) = (segment.base(), segment.size());
        let mut scan = Scan::new(segment.file(&self.home)?, self.home.path(base, LOG), size);
        let mut expected = Expected { offset: base, ..expected };
        while let Step::Batch { header, .. } = scan.step(expected, base)? {
            if header.base_offset > expected.offset
                || header.record_count.checked_sub(1) != Some(header.last_offset_delta)
            {
                return Ok(true);
            }
            if header.leader_epoch != LeaderEpoch::NONE {
                expected.epoch = header.leader_epoch;
            }
            expected.offset = header.last_offset().next();
        }
        Ok(false)
    }
}
