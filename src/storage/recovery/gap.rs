//! A gap between two segments: what compaction has left out, or the end of the older one, lost before it was on disk.

use model::{LeaderEpoch, Offset};

use super::Loader;
use super::scan::{Expected, Scan, Step};
use crate::error::StorageError;
use crate::names::LOG;

impl Loader {
    /// Whether the offsets before the segment at `at` may be missing. A topic that is not compacted now may have been
    /// once: then records are left out inside of its segments, too, which nothing else does.
    pub(super) fn is_gap_of_compaction(&mut self, at: usize) -> Result<bool, StorageError> {
        Ok(self.config.cleanup.compact
            || self.leaves_records_out(at.saturating_sub(1))?
            || self.leaves_records_out(at)?)
    }

    /// Whether the sound batches of a segment skip offsets, or have fewer records than offsets.
    fn leaves_records_out(&mut self, at: usize) -> Result<bool, StorageError> {
        let Some(segment) = self.segments.get_mut(at) else { return Ok(false) };
        let (base, size) = (segment.base(), segment.size());
        let mut scan = Scan::new(segment.file(&self.home)?, self.home.path(base, LOG), size);
        let below = Offset::new(i64::MAX);
        let mut expected = Expected { offset: base, epoch: LeaderEpoch::NONE, below };
        while let Step::Batch { header, .. } = scan.step(expected, base)? {
            if header.base_offset > expected.offset
                || header.record_count.checked_sub(1) != Some(header.last_offset_delta)
            {
                return Ok(true);
            }
            expected.offset = header.last_offset().next();
        }
        Ok(false)
    }
}
