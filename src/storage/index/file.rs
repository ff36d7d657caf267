//! A file of fixed-size entries: most of them on disk, the newest in memory.

use std::io::IoSlice;
use std::sync::Arc;

use model::Offset;

use crate::disk::{DiskFile, OpenMode, write_all_at};
use crate::error::StorageError;
use crate::names::Home;

/// Entries `0..written` lie in the file, the `pending` ones after them in memory. The file may be longer than its
/// entries: Kafka keeps the index of an active segment at its full size and trims it when the segment is sealed.
#[derive(Clone, Debug)]
pub(super) struct IndexFile<const N: usize> {
    suffix: &'static str,
    base: Offset,
    written: usize,
    pending: Vec<[u8; N]>,
    /// The block of written entries that the last search ended in, with the number of its first: a reader that goes
    /// on from there finds its next place in it.
    block: (usize, Vec<[u8; N]>),
    /// Closed files are opened again when they are needed.
    file: Option<Arc<dyn DiskFile>>,
    exists: bool,
}

impl<const N: usize> IndexFile<N> {
    /// An index without a file; the first flush creates it.
    pub(super) fn absent(base: Offset, suffix: &'static str) -> Self {
        Self {
            suffix,
            base,
            written: 0,
            pending: Vec::new(),
            block: (0, Vec::new()),
            file: None,
            exists: false,
        }
    }

    /// An index whose file holds `entries`.
    pub(super) fn existing(base: Offset, suffix: &'static str, entries: usize) -> Self {
        Self { written: entries, exists: true, ..Self::absent(base, suffix) }
    }

    pub(super) fn len(&self) -> usize {
        self.written + self.pending.len()
    }

    /// Takes a file that is open in the place of the one with the index's name: it gets the name later.
    pub(super) fn attach(&mut self, file: Arc<dyn DiskFile>) {
        self.file = Some(file);
    }

    pub(super) fn exists(&self) -> bool {
        self.exists
    }

    pub(super) fn push(&mut self, entry: [u8; N]) {
        self.pending.push(entry);
    }

    /// The entries of an index that was never written.
    pub(super) fn into_pending(self) -> Vec<[u8; N]> {
        self.pending
    }

    pub(super) fn get(&mut self, home: &Home, at: usize) -> Result<Option<[u8; N]>, StorageError> {
        if let Some(entry) = at.checked_sub(self.written) {
            return Ok(self.pending.get(entry).copied());
        }
        if let Some(entry) = at.checked_sub(self.block.0).and_then(|at| self.block.1.get(at)) {
            return Ok(Some(*entry));
        }
        Ok(self.read(home, at, 1)?.first().copied())
    }

    pub(super) fn last(&mut self, home: &Home) -> Result<Option<[u8; N]>, StorageError> {
        match self.len().checked_sub(1) {
            Some(at) => self.get(home, at),
            None => Ok(None),
        }
    }

    /// All entries, oldest first.
    pub(super) fn all(&mut self, home: &Home) -> Result<Vec<[u8; N]>, StorageError> {
        let mut entries = self.read(home, 0, self.written)?;
        entries.extend_from_slice(&self.pending);
        Ok(entries)
    }

    /// Number of leading entries for which `below` holds; it must hold for none after one for which it does not.
    pub(super) fn partition_point(
        &mut self,
        home: &Home,
        below: impl Fn(&[u8; N]) -> bool,
    ) -> Result<usize, StorageError> {
        if self.pending.first().is_some_and(&below) {
            return Ok(self.written + self.pending.partition_point(below));
        }
        let (start, block) = &self.block;
        let (first, last) = (block.first(), block.last());
        let ends_it = start + block.len() == self.written || last.is_some_and(|last| !below(last));
        if first.is_some_and(&below) && ends_it {
            return Ok(start + block.partition_point(below));
        }
        let (mut low, mut high) = (0, self.written);
        while high - low > BLOCK_ENTRIES {
            let middle = low + (high - low) / 2;
            if self.read(home, middle, 1)?.first().is_some_and(&below) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        // One entry more on both sides, so that what was found lies inside the block.
        let (start, end) = (low.saturating_sub(1), (low + BLOCK_ENTRIES).min(self.written));
        let block = self.read(home, start, end - start)?;
        let found = start + block.partition_point(below);
        self.block = (start, block);
        Ok(found)
    }

    /// Writes the pending entries when there are many. A full disk leaves them in memory for a later try.
    pub(super) fn flush_if_many(&mut self, home: &Home) -> Result<(), StorageError> {
        if self.pending.len() < PENDING_MAX {
            return Ok(());
        }
        match self.flush(home) {
            Err(error) if error.is_passing() => Ok(()),
            result => result,
        }
    }

    /// Writes the pending entries.
    pub(super) fn flush(&mut self, home: &Home) -> Result<(), StorageError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let position = (self.written * N) as u64;
        let path = home.path(self.base, self.suffix);
        let file = self.open(home)?;
        write_all_at(&*file, &mut [IoSlice::new(self.pending.as_flattened())], position)
            .map_err(|error| StorageError::io("write", &path, error))?;
        self.written += self.pending.len();
        self.pending.clear();
        Ok(())
    }

    /// Writes the pending entries and gives the file exactly the size of its entries.
    pub(super) fn trim(&mut self, home: &Home) -> Result<(), StorageError> {
        self.flush(home)?;
        self.resize(home, self.written * N)
    }

    /// Gives the file this size; what lies beyond the entries reads as zeros.
    pub(super) fn resize(&mut self, home: &Home, bytes: usize) -> Result<(), StorageError> {
        let path = home.path(self.base, self.suffix);
        let file = self.open(home)?;
        file.set_len(bytes as u64).map_err(|error| StorageError::io("resize", &path, error))
    }

    /// Keeps the first `entries` and trims the file to them.
    pub(super) fn truncate(&mut self, home: &Home, entries: usize) -> Result<(), StorageError> {
        if entries >= self.len() {
            return Ok(());
        }
        self.pending.truncate(entries.saturating_sub(self.written));
        self.written = self.written.min(entries);
        self.block = (0, Vec::new());
        if self.exists { self.resize(home, self.written * N) } else { Ok(()) }
    }

    /// Puts other entries in the place of all there are, in the file too; it may be missing or hold anything.
    pub(super) fn replace(&mut self, home: &Home, entries: Vec<[u8; N]>) -> Result<(), StorageError> {
        self.clear(home)?;
        self.pending = entries;
        self.trim(home)
    }

    /// Drops every entry; the file may be missing or hold anything.
    pub(super) fn clear(&mut self, home: &Home) -> Result<(), StorageError> {
        self.pending.clear();
        self.written = 0;
        self.block = (0, Vec::new());
        self.resize(home, 0)
    }

    /// Gives memory and descriptor back; the next use reads what it needs. Entries that cannot be written stay.
    pub(super) fn close(&mut self, home: &Home) {
        if self.flush(home).is_ok() {
            self.pending = Vec::new();
        }
        self.file = None;
        self.block = (0, Vec::new());
    }

    /// Takes over what searches of a copy have learnt, as long as none of its entries was dropped meanwhile.
    pub(super) fn take_in(&mut self, copy: Self) {
        if self.exists {
            self.file = self.file.take().or(copy.file);
        }
        if !copy.block.1.is_empty() {
            self.block = copy.block;
        }
    }

    fn read(&mut self, home: &Home, at: usize, count: usize) -> Result<Vec<[u8; N]>, StorageError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let path = home.path(self.base, self.suffix);
        let file = self.open(home)?;
        let bytes = home
            .read_exact(&*file, (at * N) as u64, count * N)
            .map_err(|error| StorageError::io("read", &path, error))?;
        Ok(bytes.as_chunks().0.to_vec())
    }

    fn open(&mut self, home: &Home) -> Result<Arc<dyn DiskFile>, StorageError> {
        if let Some(file) = &self.file {
            return Ok(Arc::clone(file));
        }
        let mode = if self.exists { OpenMode::Write } else { OpenMode::Create };
        let file = home.open(&home.path(self.base, self.suffix), mode)?;
        self.exists = true;
        self.file = Some(Arc::clone(&file));
        Ok(file)
    }
}

/// Entries kept in memory before they are written: about 2 MiB of log at Kafka's default interval.
const PENDING_MAX: usize = 512;
/// A binary search ends with one read of about this many entries.
const BLOCK_ENTRIES: usize = 512;
