//! Writes the segment that takes the place of others, under the names `.cleaned`, which a start removes.

use std::io::IoSlice;
use std::path::PathBuf;
use std::sync::Arc;

use model::{BatchHeader, Offset};

use super::CompactionError;
use crate::disk::{DiskFile, OpenMode, write_all_at};
use crate::error::StorageError;
use crate::index::txn::AbortedTxn;
use crate::index::{OffsetPosition, TimestampOffset, offset, time, txn};
use crate::names::{CLEANED, Home, INDEXES, LOG, OFFSET_INDEX, SWAP, TIME_INDEX, TXN_INDEX};

/// A segment in the making. Dropped before it was put into the log, it takes its files along.
#[derive(Debug)]
pub(super) struct SegmentWriter {
    files: CleanedFiles,
    log: Arc<dyn DiskFile>,
    buffer: Vec<u8>,
    size: u64,
    synced: u64,
    offset_index: Vec<[u8; offset::ENTRY_BYTES]>,
    time_index: Vec<[u8; time::ENTRY_BYTES]>,
    txn_index: Vec<[u8; txn::ENTRY_BYTES]>,
    largest: TimestampOffset,
    /// Timestamp of the last entry of the time index.
    indexed_timestamp: i64,
    bytes_since_index_entry: u64,
    index_interval_bytes: u64,
}

/// A segment that is on disk under the names that [`CleanedFiles`] knows, and its files, open.
#[derive(Debug)]
pub(crate) struct WrittenSegment {
    pub(crate) files: CleanedFiles,
    pub(crate) log: Arc<dyn DiskFile>,
    pub(crate) offset_index: Arc<dyn DiskFile>,
    pub(crate) time_index: Arc<dyn DiskFile>,
    /// Only where a transaction was aborted.
    pub(crate) txn_index: Option<Arc<dyn DiskFile>>,
    pub(crate) size: u64,
    pub(crate) offset_index_bytes: u64,
    pub(crate) time_index_bytes: u64,
    pub(crate) txn_index_bytes: Option<u64>,
    pub(crate) largest: TimestampOffset,
}

impl SegmentWriter {
    pub(super) fn create(home: &Home, base: Offset, index_interval_bytes: u32) -> Result<Self, StorageError> {
        let files = CleanedFiles { home: home.clone(), base, is_armed: true };
        let log = home.open(&files.path(LOG, CLEANED), OpenMode::Create)?;
        Ok(Self {
            files,
            log,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            size: 0,
            synced: 0,
            offset_index: Vec::new(),
            time_index: Vec::new(),
            txn_index: Vec::new(),
            largest: TimestampOffset { timestamp: -1, offset: base },
            indexed_timestamp: -1,
            bytes_since_index_entry: 0,
            index_interval_bytes: u64::from(index_interval_bytes),
        })
    }

    /// Bytes of the segment so far.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Adds a batch, whose header is `header` apart from its length.
    pub(super) fn append(&mut self, header: &BatchHeader, batch: &[u8]) -> Result<(), CompactionError> {
        let last_offset = header.last_offset();
        let (position, size) = (self.size, batch.len() as u64);
        let far = last_offset.value().saturating_sub(self.files.base.value()) > i64::from(i32::MAX);
        if far || position + size > i32::MAX as u64 {
            return Err(CompactionError::TooLarge { base: self.files.base });
        }
        if header.max_timestamp > self.largest.timestamp {
            self.largest = TimestampOffset { timestamp: header.max_timestamp, offset: last_offset };
        }
        if self.bytes_since_index_entry > self.index_interval_bytes {
            let entry = OffsetPosition { offset: last_offset, position };
            self.offset_index.push(offset::encode(self.files.base, entry));
            self.index_time();
            self.bytes_since_index_entry = 0;
        }
        self.bytes_since_index_entry += size;
        self.size += size;
        self.buffer.extend_from_slice(batch);
        if self.buffer.len() >= BUFFER_BYTES { Ok(self.flush()?) } else { Ok(()) }
    }

    /// Adds a transaction whose records readers must go on skipping.
    pub(super) fn append_aborted(&mut self, transaction: &AbortedTxn) {
        self.txn_index.push(txn::encode(transaction));
    }

    /// Writes the rest and puts everything on disk. The indexes are ready to be swapped in then, and the log file
    /// decides: as long as its name ends in `.cleaned`, a start removes all of it.
    pub(super) fn finish(mut self) -> Result<WrittenSegment, StorageError> {
        self.flush()?;
        self.index_time();
        let sync_failed = |error| StorageError::io("sync", &self.files.path(LOG, CLEANED), error);
        self.log.sync_data().map_err(sync_failed)?;
        let offset_index = self.files.write(OFFSET_INDEX, self.offset_index.as_flattened())?;
        let time_index = self.files.write(TIME_INDEX, self.time_index.as_flattened())?;
        let txn_index = match self.txn_index.as_flattened() {
            [] => None,
            entries => Some(self.files.write(TXN_INDEX, entries)?),
        };
        let home = &self.files.home;
        home.sync_dir()?;
        for suffix in INDEXES {
            home.rename(&self.files.path(suffix, CLEANED), &self.files.path(suffix, SWAP))?;
        }
        let txn_bytes = self.txn_index.as_flattened().len() as u64;
        Ok(WrittenSegment {
            log: self.log,
            offset_index,
            time_index,
            txn_index_bytes: txn_index.is_some().then_some(txn_bytes),
            txn_index,
            size: self.size,
            offset_index_bytes: self.offset_index.as_flattened().len() as u64,
            time_index_bytes: self.time_index.as_flattened().len() as u64,
            largest: self.largest,
            files: self.files,
        })
    }

    fn index_time(&mut self) {
        if self.largest.timestamp > self.indexed_timestamp {
            self.time_index.push(time::encode(self.files.base, self.largest));
            self.indexed_timestamp = self.largest.timestamp;
        }
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        let path = || self.files.path(LOG, CLEANED);
        let position = self.size - self.buffer.len() as u64;
        write_all_at(&*self.log, &mut [IoSlice::new(&self.buffer)], position)
            .map_err(|error| StorageError::io("write", &path(), error))?;
        self.buffer.clear();
        if self.size - self.synced >= SYNC_BYTES {
            // Bit by bit, so that neither the last sync nor anybody else's waits for a gigabyte.
            self.log.sync_data().map_err(|error| StorageError::io("sync", &path(), error))?;
            self.synced = self.size;
        }
        Ok(())
    }
}

/// Bytes that are written at once.
const BUFFER_BYTES: usize = 256 << 10;
/// Bytes after which they are synced.
const SYNC_BYTES: u64 = 8 << 20;

/// The files of a segment that is not in the log yet.
#[derive(Debug)]
pub(crate) struct CleanedFiles {
    home: Home,
    base: Offset,
    is_armed: bool,
}

impl CleanedFiles {
    pub(crate) fn base(&self) -> Offset {
        self.base
    }

    /// Says that the segment is the log's from here on.
    pub(crate) fn keep(mut self) {
        self.is_armed = false;
    }

    pub(super) fn path(&self, suffix: &str, state: &str) -> PathBuf {
        self.home.path(self.base, &format!("{suffix}{state}"))
    }

    fn write(&self, suffix: &str, entries: &[u8]) -> Result<Arc<dyn DiskFile>, StorageError> {
        let path = self.path(suffix, CLEANED);
        let file = self.home.open(&path, OpenMode::Create)?;
        write_all_at(&*file, &mut [IoSlice::new(entries)], 0)
            .map_err(|error| StorageError::io("write", &path, error))?;
        file.sync_data().map_err(|error| StorageError::io("sync", &path, error))?;
        Ok(file)
    }

    /// The log file goes last, and durably so: while it is there, a start takes the rest for what it is.
    fn remove(&self) -> Result<(), StorageError> {
        for suffix in INDEXES {
            self.home.remove(&self.path(suffix, SWAP))?;
            self.home.remove(&self.path(suffix, CLEANED))?;
        }
        self.home.sync_dir()?;
        self.home.remove(&self.path(LOG, CLEANED))?;
        Ok(())
    }
}

impl Drop for CleanedFiles {
    fn drop(&mut self) {
        if self.is_armed
            && let Err(error) = self.remove()
        {
            tracing::warn!(
                "what a compaction left in {} stays until the next start: {error}",
                self.home.dir.display()
            );
        }
    }
}
