//! A segment as it was at some moment, to be searched while the log's owner does other things.

use bytes::Bytes;
use model::limits::DECOMPRESSED_BYTES_MAX;
use model::{LeaderEpoch, Offset};
use records::FoundRecord;

use super::indexes::DerivedIndexes;
use super::{LocatedBatch, Segment};
use crate::config::LogConfig;
use crate::disk::Access;
use crate::error::StorageError;
use crate::index::TimestampOffset;
use crate::names::{Home, LOG, OFFSET_INDEX};

/// A copy of a segment's state, which shares its files and writes to none of them. What it learns (open files, blocks
/// of the indexes, whether they are sound) goes back with [`Segment::take_in`].
#[derive(Debug)]
pub(crate) struct SegmentView {
    segment: Segment,
    home: Home,
    index_interval_bytes: u32,
    /// Indexes that were derived again, because those of the segment are not sound.
    derived: Option<DerivedIndexes>,
}

/// The record that a search by time has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundOffset {
    /// The record's offset.
    pub offset: Offset,
    /// The record's timestamp in milliseconds.
    pub timestamp: i64,
    /// Epoch of the leader that wrote it, or -1.
    pub leader_epoch: LeaderEpoch,
}

impl SegmentView {
    pub(crate) fn of(segment: &Segment, home: &Home, config: &LogConfig) -> Self {
        let index_interval_bytes = config.index_interval_bytes;
        Self { segment: segment.clone(), home: home.clone(), index_interval_bytes, derived: None }
    }

    pub(crate) fn id(&self) -> u64 {
        self.segment.id
    }

    pub(crate) fn base(&self) -> Offset {
        self.segment.base
    }

    pub(crate) fn end(&self) -> Offset {
        self.segment.end
    }

    pub(crate) fn size(&self) -> u64 {
        self.segment.size
    }

    /// Sets what searches may wait for.
    pub(crate) fn set_access(&mut self, access: Access) {
        self.home.access = access;
    }

    /// The first batch whose last offset is at or beyond `offset`.
    pub(crate) fn locate(&mut self, offset: Offset) -> Result<Option<LocatedBatch>, StorageError> {
        self.check_indexes()?;
        match self.locate_by_index(offset) {
            Err(StorageError::Malformed { .. }) if self.derived.is_none() => {
                self.derive_indexes()?;
                self.locate_by_index(offset)
            }
            result => result,
        }
    }

    /// The batches from the last one on that the index knows at or before byte `limit`, but not from before `start`, where
    /// a batch begins.
    pub(crate) fn batches_up_to(
        &mut self,
        start: u64,
        limit: u64,
    ) -> Result<impl Iterator<Item = Result<LocatedBatch, StorageError>> + use<>, StorageError> {
        self.check_indexes()?;
        let entry = self.segment.offset_index.lookup_position(&self.home, limit)?;
        let mut walk = self.segment.walk(&self.home, entry.position.max(start))?;
        let first = walk.next().transpose()?;
        // An entry names the last offset of the batch that it points to.
        if entry.position > start && first.is_none_or(|first| first.header.last_offset() != entry.offset) {
            return Err(StorageError::Malformed {
                path: self.home.path(self.segment.base, OFFSET_INDEX),
                reason: format!("offset {} is not the batch at byte {}", entry.offset, entry.position),
            });
        }
        Ok(first.map(Ok).into_iter().chain(walk))
    }

    /// The first record at or beyond `log_start` with a timestamp of at least `timestamp`. Unfolds one batch.
    pub(crate) fn first_at_or_after(
        &mut self,
        timestamp: i64,
        log_start: Offset,
    ) -> Result<Option<FoundOffset>, StorageError> {
        if self.largest()?.timestamp < timestamp {
            return Ok(None);
        }
        self.check_indexes()?;
        let from = self.segment.time_index.lookup(&self.home, timestamp)?.offset.max(log_start);
        let start = self.segment.offset_index.lookup(&self.home, from)?.position;
        for batch in self.segment.walk(&self.home, start)? {
            let batch = batch?;
            if batch.header.max_timestamp < timestamp || batch.header.last_offset() < log_start {
                continue;
            }
            let bytes = self.read(batch)?;
            let found = records::first_at_or_after(&bytes, timestamp, log_start, DECOMPRESSED_BYTES_MAX);
            if let Some(found) = found.map_err(|error| self.unreadable(batch, &error))? {
                return Ok(Some(found_offset(batch, found)));
            }
        }
        // The record with the largest timestamp lay below the log's start.
        Ok(None)
    }

    /// The record with the largest timestamp of the segment, the first of several.
    pub(crate) fn first_of_largest(&mut self) -> Result<Option<FoundOffset>, StorageError> {
        self.check_indexes()?;
        let largest = self.largest()?;
        let start = self.segment.offset_index.lookup(&self.home, largest.offset)?.position;
        for batch in self.segment.walk(&self.home, start)? {
            let batch = batch?;
            if batch.header.max_timestamp == largest.timestamp {
                let bytes = self.read(batch)?;
                let found = records::offset_of_max_timestamp(&bytes, DECOMPRESSED_BYTES_MAX);
                let found = found.map_err(|error| self.unreadable(batch, &error))?;
                return Ok(found.map(|found| found_offset(batch, found)));
            }
        }
        Ok(None)
    }

    /// Largest timestamp with the last offset of its batch; -1 without records.
    pub(crate) fn largest(&mut self) -> Result<TimestampOffset, StorageError> {
        self.segment.largest(&self.home)
    }

    fn locate_by_index(&mut self, offset: Offset) -> Result<Option<LocatedBatch>, StorageError> {
        let start = self.segment.offset_index.lookup(&self.home, offset)?;
        self.segment.locate_from(&self.home, start, offset)
    }

    fn check_indexes(&mut self) -> Result<(), StorageError> {
        if !self.segment.indexes_checked && self.home.access == Access::Memory {
            // They are read as a whole for this: not while somebody waits for others.
            let path = self.home.path(self.segment.base, OFFSET_INDEX);
            return Err(StorageError::io("check", &path, std::io::ErrorKind::WouldBlock.into()));
        }
        if !self.segment.indexes_are_sane(&self.home)? {
            self.derive_indexes()?;
        }
        self.segment.indexes_checked = true;
        Ok(())
    }

    fn derive_indexes(&mut self) -> Result<(), StorageError> {
        let derived = self.segment.derive_indexes(&self.home, self.index_interval_bytes)?;
        self.segment.use_indexes(&derived);
        self.derived = Some(derived);
        Ok(())
    }

    fn read(&mut self, batch: LocatedBatch) -> Result<Bytes, StorageError> {
        let file = self.segment.file(&self.home)?;
        let read = self.home.read_exact(&*file, batch.position, batch.header.size());
        read.map(Bytes::from)
            .map_err(|error| StorageError::fatal("read", &self.home.path(self.segment.base, LOG), error))
    }

    fn unreadable(&self, batch: LocatedBatch, error: &dyn std::fmt::Display) -> StorageError {
        StorageError::Malformed {
            path: self.home.path(self.segment.base, LOG),
            reason: format!("the batch at offset {} cannot be unfolded: {error}", batch.header.base_offset),
        }
    }
}

impl Segment {
    /// Takes over what searches of a copy have learnt. False when the segment is not the same any more.
    pub(crate) fn take_in(
        &mut self,
        home: &Home,
        config: &LogConfig,
        view: SegmentView,
    ) -> Result<bool, StorageError> {
        let SegmentView { segment: copy, derived, .. } = view;
        if copy.id != self.id {
            return Ok(false);
        }
        self.used_lately = true;
        self.file = self.file.take().or(copy.file);
        match derived {
            Some(derived) if copy.size == self.size => self.install_indexes(home, derived)?,
            // Batches were added to the active segment, and entries to its indexes.
            Some(_) => self.rebuild_indexes(home, config)?,
            None => {
                self.offset_index.take_in(copy.offset_index);
                self.time_index.take_in(copy.time_index);
                self.indexes_checked |= copy.indexes_checked;
            }
        }
        self.largest = self.largest.or(copy.largest);
        Ok(true)
    }
}

fn found_offset(batch: LocatedBatch, found: FoundRecord) -> FoundOffset {
    FoundOffset { offset: found.offset, timestamp: found.timestamp, leader_epoch: batch.header.leader_epoch }
}
