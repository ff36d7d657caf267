//! `.timeindex`: the largest timestamp seen up to an offset (`TimeIndex`).
//!
//! ```text
//! i64 timestamp in milliseconds, larger than in every entry before
//! i32 last offset of the batch that holds it, relative to the segment's base offset
//! ```

use model::Offset;

use super::entries::{Entry, EntryIndex};
use crate::error::StorageError;
use crate::names::{Home, TIME_INDEX};

/// A timestamp and an offset that belongs to it. -1 with the segment's base offset means that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// Milliseconds since the Unix epoch, or -1.
    pub timestamp: i64,
    /// Which offset it is depends on where the pair comes from.
    pub offset: Offset,
}

pub(crate) type TimeIndex = EntryIndex<TimestampOffset, ENTRY_BYTES>;

impl Entry<ENTRY_BYTES> for TimestampOffset {
    const SUFFIX: &'static str = TIME_INDEX;

    fn encode(self, base: Offset) -> [u8; ENTRY_BYTES] {
        encode(base, self)
    }

    fn decode(base: Offset, bytes: &[u8; ENTRY_BYTES]) -> Self {
        let [timestamp @ .., a, b, c, d] = *bytes;
        let relative = i64::from(i32::from_be_bytes([a, b, c, d]));
        Self {
            timestamp: i64::from_be_bytes(timestamp),
            offset: Offset::new(base.value().saturating_add(relative)),
        }
    }

    fn offset(&self) -> Offset {
        self.offset
    }

    fn none(base: Offset) -> Self {
        Self { timestamp: -1, offset: base }
    }
}

impl TimeIndex {
    /// Whether only the entry that is written when the segment is sealed still fits.
    pub(crate) fn is_full(&self, bytes_max: u32) -> bool {
        self.file.len() + 1 >= Self::capacity(bytes_max)
    }

    /// Adds an entry, unless its timestamp is no larger than the last one's.
    pub(crate) fn append_if_larger(
        &mut self,
        home: &Home,
        entry: TimestampOffset,
    ) -> Result<(), StorageError> {
        if entry.timestamp > self.last(home)?.timestamp { self.append(home, entry) } else { Ok(()) }
    }

    /// The last entry with a timestamp at or below `target`.
    pub(crate) fn lookup(&mut self, home: &Home, target: i64) -> Result<TimestampOffset, StorageError> {
        self.last_below(home, |entry| entry.timestamp <= target)
    }

    /// Whether timestamps and offsets ascend, and the offsets stay below `end`.
    pub(crate) fn is_sane(&mut self, home: &Home, end: Offset) -> Result<bool, StorageError> {
        let base = self.base;
        let entries: Vec<_> =
            self.file.all(home)?.iter().map(|entry| TimestampOffset::decode(base, entry)).collect();
        let inside = entries.iter().all(|entry| entry.offset >= base && entry.offset < end);
        Ok(inside && entries.is_sorted_by(|a, b| a.timestamp < b.timestamp && a.offset <= b.offset))
    }
}

pub(crate) const ENTRY_BYTES: usize = 12;

pub(crate) fn encode(base: Offset, entry: TimestampOffset) -> [u8; ENTRY_BYTES] {
    let relative = (entry.offset.value() - base.value()) as i32;
    let mut out = [0; ENTRY_BYTES];
    let (timestamp, offset) = out.split_at_mut(8);
    timestamp.copy_from_slice(&entry.timestamp.to_be_bytes());
    offset.copy_from_slice(&relative.to_be_bytes());
    out
}
