//! What the offset index and the time index have in common: entries of a fixed size that ascend, relative to the base
//! offset of their segment, in a file that is as large as it may become while the segment is active.

use std::marker::PhantomData;
use std::sync::Arc;

use model::Offset;

use super::file::IndexFile;
use crate::disk::DiskFile;
use crate::error::StorageError;
use crate::names::Home;

/// An entry of `N` bytes.
pub(crate) trait Entry<const N: usize>: Copy {
    /// Of the file's name.
    const SUFFIX: &'static str;
    /// As it stands in the file of the segment with this base offset.
    fn encode(self, base: Offset) -> [u8; N];
    /// The entry at its place in the file.
    fn decode(base: Offset, bytes: &[u8; N]) -> Self;
    /// Its offset.
    fn offset(&self) -> Offset;
    /// What stands for an entry before the first.
    fn none(base: Offset) -> Self;
}

/// The index of one segment; what it means to look something up is in the modules of the entries.
#[derive(Clone, Debug)]
pub(crate) struct EntryIndex<E, const N: usize> {
    pub(super) base: Offset,
    pub(super) file: IndexFile<N>,
    entry: PhantomData<E>,
}

impl<E: Entry<N>, const N: usize> EntryIndex<E, N> {
    /// A new index, at the size it has while its segment is active.
    pub(crate) fn create(home: &Home, base: Offset, bytes_max: u32) -> Result<Self, StorageError> {
        let mut index = Self::in_memory(base);
        index.file.resize(home, Self::capacity(bytes_max) * N)?;
        Ok(index)
    }

    /// An index whose file has `len` bytes, all of them entries; `None` when there is no file.
    pub(crate) fn found(base: Offset, len: Option<u64>) -> Self {
        let file = match len {
            Some(len) => IndexFile::existing(base, E::SUFFIX, len as usize / N),
            None => IndexFile::absent(base, E::SUFFIX),
        };
        Self { base, file, entry: PhantomData }
    }

    /// An index in memory: nothing of it is written before it [takes the place](Self::replace) of another.
    pub(crate) fn in_memory(base: Offset) -> Self {
        Self::found(base, None)
    }

    /// Adds an entry in memory, which lies beyond all before.
    pub(crate) fn push(&mut self, entry: E) {
        self.file.push(entry.encode(self.base));
    }

    /// Adds an entry, and writes those in memory when they are many.
    pub(crate) fn append(&mut self, home: &Home, entry: E) -> Result<(), StorageError> {
        self.push(entry);
        self.file.flush_if_many(home)
    }

    /// Takes over the entries of one that was made [in memory](Self::in_memory).
    pub(crate) fn replace(&mut self, home: &Home, other: Self) -> Result<(), StorageError> {
        self.file.replace(home, other.file.into_pending())
    }

    /// The newest entry.
    pub(crate) fn last(&mut self, home: &Home) -> Result<E, StorageError> {
        let base = self.base;
        Ok(self.file.last(home)?.map_or(E::none(base), |entry| E::decode(base, &entry)))
    }

    /// Drops the entries at or beyond `offset`, which Kafka's truncation drops too.
    pub(crate) fn truncate_to(&mut self, home: &Home, offset: Offset) -> Result<(), StorageError> {
        let base = self.base;
        let kept = self.file.partition_point(home, |entry| E::decode(base, entry).offset() < offset)?;
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
        self.file.flush(home)?;
        self.file.resize(home, Self::capacity(bytes_max).max(self.file.len()) * N)
    }

    /// Bytes of all entries.
    pub(crate) fn len_bytes(&self) -> u64 {
        (self.file.len() * N) as u64
    }

    /// Takes a file that is open in the place of the one with the index's name.
    pub(crate) fn attach(&mut self, file: Arc<dyn DiskFile>) {
        self.file.attach(file);
    }

    /// Takes over what searches of a copy have learnt.
    pub(crate) fn take_in(&mut self, copy: Self) {
        self.file.take_in(copy.file);
    }

    pub(crate) fn close(&mut self, home: &Home) {
        self.file.close(home);
    }

    /// The last of the leading entries for which `below` holds; it must hold for none after one for which it does not.
    pub(super) fn last_below(&mut self, home: &Home, below: impl Fn(E) -> bool) -> Result<E, StorageError> {
        let base = self.base;
        let above = self.file.partition_point(home, |entry| below(E::decode(base, entry)))?;
        let Some(at) = above.checked_sub(1) else { return Ok(E::none(base)) };
        Ok(self.file.get(home, at)?.map_or(E::none(base), |entry| E::decode(base, &entry)))
    }

    /// Entries that a file of so many bytes holds.
    pub(super) const fn capacity(bytes_max: u32) -> usize {
        bytes_max as usize / N
    }
}
