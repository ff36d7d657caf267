//! `.index`: where in the segment an offset is to be found (`OffsetIndex`).
//!
//! ```text
//! i32 last offset of a batch, relative to the segment's base offset
//! i32 position of that batch in the segment file
//! ```

use std::sync::Arc;

use model::Offset;

use super::file::IndexFile;
use crate::disk::DiskFile;
use crate::error::StorageError;
use crate::names::{Home, OFFSET_INDEX};

/// An offset and a position in the segment file at or before which its batch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OffsetPosition {
    pub(crate) offset: Offset,
    pub(crate) position: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct OffsetIndex {
    base: Offset,
    file: IndexFile<ENTRY_BYTES>,
}

impl OffsetIndex {
    /// A new index, at the size it has while its segment is active.
    pub(crate) fn create(home: &Home, base: Offset, bytes_max: u32) -> Result<Self, StorageError> {
        let mut file = IndexFile::absent(base, OFFSET_INDEX);
        file.resize(home, round_down(bytes_max))?;
        Ok(Self { base, file })
    }

    /// An index whose file has `len` bytes, all of them entries; `None` when there is no file.
    pub(crate) fn found(base: Offset, len: Option<u64>) -> Self {
        let entries = len.map(|len| len as usize / ENTRY_BYTES);
        let file = match entries {
            Some(entries) => IndexFile::existing(base, OFFSET_INDEX, entries),
            None => IndexFile::absent(base, OFFSET_INDEX),
        };
        Self { base, file }
    }

    /// An index in memory: nothing of it is written before it [takes the place](Self::replace) of another.
    pub(crate) fn in_memory(base: Offset) -> Self {
        Self::found(base, None)
    }

    /// Adds an entry in memory.
    pub(crate) fn push(&mut self, offset: Offset, position: u64) {
        self.file.push(encode(self.base, OffsetPosition { offset, position }));
    }

    /// Takes over the entries of one that was made [in memory](Self::in_memory).
    pub(crate) fn replace(&mut self, home: &Home, other: Self) -> Result<(), StorageError> {
        self.file.replace(home, other.file.into_pending())
    }

    pub(crate) fn is_full(&self, bytes_max: u32) -> bool {
        self.file.len() >= bytes_max as usize / ENTRY_BYTES
    }

    pub(crate) fn append(&mut self, home: &Home, offset: Offset, position: u64) -> Result<(), StorageError> {
        self.push(offset, position);
        self.file.flush_if_many(home)
    }

    /// The last entry at or below `target`; the segment's start when there is none.
    pub(crate) fn lookup(&mut self, home: &Home, target: Offset) -> Result<OffsetPosition, StorageError> {
        let base = self.base;
        let above = self.file.partition_point(home, |entry| decode(base, *entry).offset <= target)?;
        self.entry_before(home, above)
    }

    /// The last entry whose batch begins at or before `position`; the segment's start when there is none.
    pub(crate) fn lookup_position(
        &mut self,
        home: &Home,
        position: u64,
    ) -> Result<OffsetPosition, StorageError> {
        let base = self.base;
        let above = self.file.partition_point(home, |entry| decode(base, *entry).position <= position)?;
        self.entry_before(home, above)
    }

    /// The newest entry; the segment's start when there is none.
    pub(crate) fn last(&mut self, home: &Home) -> Result<OffsetPosition, StorageError> {
        self.entry_before(home, self.file.len())
    }

    /// Drops the entries at or beyond `offset`, which Kafka's truncation drops too.
    pub(crate) fn truncate_to(&mut self, home: &Home, offset: Offset) -> Result<(), StorageError> {
        let base = self.base;
        let kept = self.file.partition_point(home, |entry| decode(base, *entry).offset < offset)?;
        self.file.truncate(home, kept)
    }

    /// Drops every entry; the file may be missing or hold anything.
    pub(crate) fn clear(&mut self, home: &Home) -> Result<(), StorageError> {
        self.file.clear(home)
    }

    pub(crate) fn trim(&mut self, home: &Home) -> Result<(), StorageError> {
        self.file.trim(home)
    }

    /// Gives the file back the size it has while its segment is active.
    pub(crate) fn extend(&mut self, home: &Home, bytes_max: u32) -> Result<(), StorageError> {
        let bytes = round_down(bytes_max).max(self.file.len() * ENTRY_BYTES);
        self.file.flush(home)?;
        self.file.resize(home, bytes)
    }

    /// Takes over what searches of a copy have learnt.
    pub(crate) fn take_in(&mut self, copy: Self) {
        self.file.take_in(copy.file);
    }

    /// Bytes of its entries.
    pub(crate) fn len_bytes(&self) -> u64 {
        (self.file.len() * ENTRY_BYTES) as u64
    }

    /// Takes a file that is open in the place of the one with the index's name.
    pub(crate) fn attach(&mut self, file: Arc<dyn DiskFile>) {
        self.file.attach(file);
    }

    pub(crate) fn close(&mut self, home: &Home) {
        self.file.close(home);
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

    fn entry_before(&mut self, home: &Home, above: usize) -> Result<OffsetPosition, StorageError> {
        let start = OffsetPosition { offset: self.base, position: 0 };
        let Some(at) = above.checked_sub(1) else { return Ok(start) };
        Ok(self.file.get(home, at)?.map_or(start, |entry| decode(self.base, entry)))
    }
}

pub(crate) const ENTRY_BYTES: usize = 8;

fn round_down(bytes_max: u32) -> usize {
    bytes_max as usize / ENTRY_BYTES * ENTRY_BYTES
}

pub(crate) fn encode(base: Offset, entry: OffsetPosition) -> [u8; ENTRY_BYTES] {
    let relative = (entry.offset.value() - base.value()) as i32;
    let mut out = [0; ENTRY_BYTES];
    let (offset, position) = out.split_at_mut(4);
    offset.copy_from_slice(&relative.to_be_bytes());
    position.copy_from_slice(&(entry.position as i32).to_be_bytes());
    out
}

fn decode(base: Offset, entry: [u8; ENTRY_BYTES]) -> OffsetPosition {
    let (offset, position) = decode_signed(base, entry);
    OffsetPosition { offset: Offset::new(offset), position: position.cast_unsigned() }
}

fn decode_signed(base: Offset, entry: [u8; ENTRY_BYTES]) -> (i64, i64) {
    // Both halves at once: the upper one keeps its sign in the shift, the lower one gets it in the cast.
    let both = i64::from_be_bytes(entry);
    (base.value().saturating_add(both >> 32), i64::from(both as i32))
}
