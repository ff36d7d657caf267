//! `.timeindex`: the largest timestamp seen up to an offset (`TimeIndex`).
//!
//! ```text
//! i64 timestamp in milliseconds, larger than in every entry before
//! i32 last offset of the batch that holds it, relative to the segment's base offset
//! ```

use std::sync::Arc;

use model::Offset;

use super::file::IndexFile;
use crate::disk::DiskFile;
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

#[derive(Clone, Debug)]
pub(crate) struct TimeIndex {
    base: Offset,
    file: IndexFile<ENTRY_BYTES>,
}

impl TimeIndex {
    /// A new index, at the size it has while its segment is active.
    pub(crate) fn create(home: &Home, base: Offset, bytes_max: u32) -> Result<Self, StorageError> {
        let mut file = IndexFile::absent(base, TIME_INDEX);
        file.resize(home, round_down(bytes_max))?;
        Ok(Self { base, file })
    }

    /// An index whose file has `len` bytes, all of them entries; `None` when there is no file.
    pub(crate) fn found(base: Offset, len: Option<u64>) -> Self {
        let entries = len.map(|len| len as usize / ENTRY_BYTES);
        let file = match entries {
            Some(entries) => IndexFile::existing(base, TIME_INDEX, entries),
            None => IndexFile::absent(base, TIME_INDEX),
        };
        Self { base, file }
    }

    /// An index in memory: nothing of it is written before it [takes the place](Self::replace) of another.
    pub(crate) fn in_memory(base: Offset) -> Self {
        Self::found(base, None)
    }

    /// Adds an entry in memory, of a larger timestamp than all before.
    pub(crate) fn push(&mut self, entry: TimestampOffset) {
        self.file.push(encode(self.base, entry));
    }

    /// Takes over the entries of one that was made [in memory](Self::in_memory).
    pub(crate) fn replace(&mut self, home: &Home, other: Self) -> Result<(), StorageError> {
        self.file.replace(home, other.file.into_pending())
    }

    /// Whether only the entry that is written when the segment is sealed still fits.
    pub(crate) fn is_full(&self, bytes_max: u32) -> bool {
        self.file.len() + 1 >= bytes_max as usize / ENTRY_BYTES
    }

    /// Adds an entry, unless its timestamp is no larger than the last one's.
    pub(crate) fn append_if_larger(
        &mut self,
        home: &Home,
        entry: TimestampOffset,
    ) -> Result<(), StorageError> {
        if entry.timestamp > self.last(home)?.timestamp {
            self.push(entry);
            self.file.flush_if_many(home)?;
        }
        Ok(())
    }

    /// The last entry with a timestamp at or below `target`.
    pub(crate) fn lookup(&mut self, home: &Home, target: i64) -> Result<TimestampOffset, StorageError> {
        let base = self.base;
        let above = self.file.partition_point(home, |entry| decode(base, entry).timestamp <= target)?;
        match above.checked_sub(1) {
            Some(at) => Ok(self.file.get(home, at)?.map_or(self.none(), |entry| decode(base, &entry))),
            None => Ok(self.none()),
        }
    }

    /// The newest entry.
    pub(crate) fn last(&mut self, home: &Home) -> Result<TimestampOffset, StorageError> {
        Ok(self.file.last(home)?.map_or(self.none(), |entry| decode(self.base, &entry)))
    }

    /// Drops the entries at or beyond `offset`.
    pub(crate) fn truncate_to(&mut self, home: &Home, offset: Offset) -> Result<(), StorageError> {
        let base = self.base;
        let kept = self.file.partition_point(home, |entry| decode(base, entry).offset < offset)?;
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

    /// Whether timestamps and offsets ascend, and the offsets stay below `end`.
    pub(crate) fn is_sane(&mut self, home: &Home, end: Offset) -> Result<bool, StorageError> {
        let base = self.base;
        let entries: Vec<_> = self.file.all(home)?.iter().map(|entry| decode(base, entry)).collect();
        let inside = entries.iter().all(|entry| entry.offset >= base && entry.offset < end);
        Ok(inside && entries.is_sorted_by(|a, b| a.timestamp < b.timestamp && a.offset <= b.offset))
    }

    fn none(&self) -> TimestampOffset {
        TimestampOffset { timestamp: -1, offset: self.base }
    }
}

pub(crate) const ENTRY_BYTES: usize = 12;

fn round_down(bytes_max: u32) -> usize {
    bytes_max as usize / ENTRY_BYTES * ENTRY_BYTES
}

pub(crate) fn encode(base: Offset, entry: TimestampOffset) -> [u8; ENTRY_BYTES] {
    let relative = (entry.offset.value() - base.value()) as i32;
    let mut out = [0; ENTRY_BYTES];
    let (timestamp, offset) = out.split_at_mut(8);
    timestamp.copy_from_slice(&entry.timestamp.to_be_bytes());
    offset.copy_from_slice(&relative.to_be_bytes());
    out
}

fn decode(base: Offset, entry: &[u8; ENTRY_BYTES]) -> TimestampOffset {
    let [timestamp @ .., a, b, c, d] = *entry;
    let relative = i64::from(i32::from_be_bytes([a, b, c, d]));
    TimestampOffset {
        timestamp: i64::from_be_bytes(timestamp),
        offset: Offset::new(base.value().saturating_add(relative)),
    }
}
