//! What of a log is to be compacted: decided from sizes and offsets alone (`LogCleanerManager`, `LogToClean`,
//! `Cleaner.groupSegmentsBySize`).

use std::ops::Range;

use model::Offset;

/// What is known about a sealed segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Tells it from every other segment that had or will have its place.
    pub(crate) id: u64,
    pub(crate) base: Offset,
    /// Where the next segment begins.
    pub(crate) end: Offset,
    pub(crate) size: u64,
    pub(crate) offset_index_bytes: u64,
    pub(crate) time_index_bytes: u64,
}

/// Where the uncompacted part of a log begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FirstDirty {
    pub(crate) offset: Offset,
    /// Whether the checkpoint named an offset that the log does not have.
    pub(crate) was_reset: bool,
}

/// Where compaction goes on, by its checkpoint: a checkpoint outside the log counts for nothing.
pub(crate) fn first_dirty(checkpoint: Option<Offset>, log_start: Offset, log_end: Offset) -> FirstDirty {
    match checkpoint {
        None => FirstDirty { offset: log_start, was_reset: false },
        Some(offset) if offset < log_start || offset > log_end => {
            FirstDirty { offset: log_start, was_reset: true }
        }
        Some(offset) => FirstDirty { offset, was_reset: false },
    }
}

/// How much of a log waits for compaction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dirtiness {
    /// Everything below was compacted before.
    pub first_dirty: Offset,
    /// What is at or beyond this offset stays as it is: `first_dirty` may be larger. The base of a segment.
    pub first_uncleanable: Offset,
    /// Bytes of the segments that begin below `first_dirty`.
    pub clean_bytes: u64,
    /// Bytes of the segments that hold what is to be compacted.
    pub cleanable_bytes: u64,
    /// Whether the oldest uncompacted record is older than `max.compaction.lag.ms`.
    pub is_overdue: bool,
    /// Whether the checkpoint named an offset that the log does not have.
    pub checkpoint_was_reset: bool,
}

impl Dirtiness {
    /// Uncompacted share of what compaction would read, 0 to 1.
    pub fn ratio(&self) -> f64 {
        let total = self.clean_bytes + self.cleanable_bytes;
        if total == 0 { 0.0 } else { self.cleanable_bytes as f64 / total as f64 }
    }

    /// Whether the log is to be compacted, under this `min.cleanable.dirty.ratio`.
    pub fn is_due(&self, ratio_min: f64) -> bool {
        self.cleanable_bytes > 0 && (self.is_overdue || self.ratio() > ratio_min)
    }
}

/// Measures a log: `limit` is the smallest offset that may not be compacted. Whole segments only are compacted, so
/// that the segment which holds `limit`, or the active one at `active_base`, is the first to stay.
pub(crate) fn measure(
    pieces: &[Piece],
    active_base: Offset,
    first_dirty: FirstDirty,
    limit: Offset,
) -> Dirtiness {
    let limit = limit.max(first_dirty.offset);
    let holder = pieces.iter().find(|piece| piece.end > limit);
    let first_uncleanable = holder.map_or(active_base, |piece| piece.base);
    let sum = |range: &[Piece]| range.iter().map(|piece| piece.size).sum::<u64>();
    let below = |offset: Offset| pieces.partition_point(|piece| piece.base < offset);
    let clean = pieces.get(..below(first_dirty.offset)).unwrap_or_default();
    let dirty = dirty_range(pieces, first_dirty.offset, first_uncleanable);
    Dirtiness {
        first_dirty: first_dirty.offset,
        first_uncleanable,
        clean_bytes: sum(clean),
        cleanable_bytes: sum(pieces.get(dirty).unwrap_or_default()),
        is_overdue: false,
        checkpoint_was_reset: first_dirty.was_reset,
    }
}

/// The segments that hold offsets from `first_dirty` on and begin below `first_uncleanable`.
pub(crate) fn dirty_range(pieces: &[Piece], first_dirty: Offset, first_uncleanable: Offset) -> Range<usize> {
    let from = first_dirty.min(first_uncleanable);
    let first = pieces.partition_point(|piece| piece.end <= from);
    let last = pieces.partition_point(|piece| piece.base < first_uncleanable);
    first.min(last)..last
}

/// Bounds of the segment that a group is compacted into.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupLimits {
    pub(crate) segment_bytes: u64,
    pub(crate) index_bytes: u64,
}

/// Segments that fit into one, side by side: so that segments do not shrink ever more.
pub(crate) fn group(pieces: &[Piece], limits: GroupLimits) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let Some(mut size) = pieces.first().copied() else { return groups };
    for (at, piece) in pieces.iter().enumerate() {
        let fits = size.size + piece.size <= limits.segment_bytes
            && size.offset_index_bytes + piece.offset_index_bytes <= limits.index_bytes
            && size.time_index_bytes + piece.time_index_bytes <= limits.index_bytes
            && (piece.size == 0 || piece.end.value() - 1 - size.base.value() <= i64::from(i32::MAX));
        match groups.last_mut() {
            Some(group) if fits && group.len() < SEGMENTS_MAX => {
                group.end = at + 1;
                size.size += piece.size;
                size.offset_index_bytes += piece.offset_index_bytes;
                size.time_index_bytes += piece.time_index_bytes;
            }
            _ => {
                groups.push(at..at + 1);
                size = *piece;
            }
        }
    }
    groups
}

/// Most segments of one group: they leave the log together, under its lock.
const SEGMENTS_MAX: usize = 1024;

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
