//! `.index`: where in the segment an offset is to be found (`OffsetIndex`).
//!
//! ```text
//! i32 last offset of a batch, relative to the segment's base offset
//! i32 position of that batch in the segment file
//! ```

use model::Offset;

use super::entries::{Entry, EntryIndex};
use crate::error::StorageError;
use crate::names::{Home, OFFSET_INDEX};

/// An offset and a position in the segment file at or before which its batch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OffsetPosition {
    pub(crate) offset: Offset,
    pub(crate) position: u64,
}

pub(crate) type OffsetIndex = EntryIndex<OffsetPosition, ENTRY_BYTES>;

impl Entry<ENTRY_BYTES> for OffsetPosition {
    const SUFFIX: &'static str = OFFSET_INDEX;

    fn encode(self, base: Offset) -> [u8; ENTRY_BYTES] {
        encode(base, self)
    }

    fn decode(base: Offset, bytes: &[u8; ENTRY_BYTES]) -> Self {
        let (offset, position) = decode_signed(base, *bytes);
        Self { offset: Offset::new(offset), position: position.cast_unsigned() }
    }

    fn offset(&self) -> Offset {
        self.offset
    }

    /// The segment's start.
    fn none(base: Offset) -> Self {
        Self { offset: base, position: 0 }
    }
}

impl OffsetIndex {
    pub(crate) fn is_full(&self, bytes_max: u32) -> bool {
        self.file.len() >= Self::capacity(bytes_max)
    }

    /// The last entry at or below `target`; the segment's start when there is none.
    pub(crate) fn lookup(&mut self, home: &Home, target: Offset) -> Result<OffsetPosition, StorageError> {
        self.last_below(home, |entry| entry.offset <= target)
    }

    /// The last entry whose batch begins at or before `position`; the segment's start when there is none.
    pub(crate) fn lookup_position(
        &mut self,
        home: &Home,
        position: u64,
    ) -> Result<OffsetPosition, StorageError> {
        self.last_below(home, |entry| entry.position <= position)
    }

    /// Whether offsets and positions ascend, and stay inside a log file of `log_bytes`.
    pub(crate) fn is_sane(&mut self, home: &Home, log_bytes: u64) -> Result<bool, StorageError> {
        let base = self.base;
        let entries: Vec<_> = self.file.all(home)?.iter().map(|entry| decode_signed(base, *entry)).collect();
        let inside = entries.iter().all(|&(offset, position)| {
            offset >= base.value() && position >= 0 && position.cast_unsigned() < log_bytes
        });
        Ok(inside && entries.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1))
    }
}

pub(crate) const ENTRY_BYTES: usize = 8;

pub(crate) fn encode(base: Offset, entry: OffsetPosition) -> [u8; ENTRY_BYTES] {
    let relative = (entry.offset.value() - base.value()) as i32;
    let mut out = [0; ENTRY_BYTES];
    let (offset, position) = out.split_at_mut(4);
    offset.copy_from_slice(&relative.to_be_bytes());
    position.copy_from_slice(&(entry.position as i32).to_be_bytes());
    out
}

fn decode_signed(base: Offset, entry: [u8; ENTRY_BYTES]) -> (i64, i64) {
    // Both halves at once: the upper one keeps its sign in the shift, the lower one gets it in the cast.
    let both = i64::from_be_bytes(entry);
    (base.value().saturating_add(both >> 32), i64::from(both as i32))
}
