//! The indexes of a segment as data that is derived from its batches: checked before the first use, and derived again
//! when anything is wrong with them.

use tracing::warn;

use super::{LocatedBatch, Segment};
use crate::config::LogConfig;
use crate::error::StorageError;
use crate::index::{OffsetIndex, OffsetPosition, TimeIndex, TimestampOffset};
use crate::names::{Home, LOG};

/// What the batches of a segment say about its indexes.
#[derive(Debug)]
pub(crate) struct DerivedIndexes {
    offset_index: OffsetIndex,
    time_index: TimeIndex,
    largest: TimestampOffset,
    bytes_since_entry: u64,
}

impl Segment {
    /// Looks the index files through once, and derives them from the log again if anything is wrong with them.
    pub(crate) fn check_indexes(&mut self, home: &Home, config: &LogConfig) -> Result<(), StorageError> {
        if !self.indexes_are_sane(home)? {
            self.rebuild_indexes(home, config)?;
        }
        self.indexes_checked = true;
        Ok(())
    }

    /// Whether the indexes are known to be whole, or turn out to be.
    pub(super) fn indexes_are_sane(&mut self, home: &Home) -> Result<bool, StorageError> {
        Ok(self.indexes_checked
            || (self.offset_index.is_sane(home, self.size)? && self.time_index.is_sane(home, self.end)?))
    }

    /// Derives the offset and the time index from the headers of the log file.
    pub(crate) fn rebuild_indexes(&mut self, home: &Home, config: &LogConfig) -> Result<(), StorageError> {
        let derived = self.derive_indexes(home, config.index_interval_bytes)?;
        self.install_indexes(home, derived)
    }

    /// Reads the headers of the log file for what the offset and the time index should say. Writes nothing.
    pub(super) fn derive_indexes(
        &mut self,
        home: &Home,
        index_interval_bytes: u32,
    ) -> Result<DerivedIndexes, StorageError> {
        warn!("deriving the indexes of {} from its batches again", home.path(self.base, LOG).display());
        let mut offset_index = OffsetIndex::in_memory(self.base);
        let mut time_index = TimeIndex::in_memory(self.base);
        let mut largest = TimestampOffset { timestamp: -1, offset: self.base };
        let mut indexed = largest.timestamp;
        let mut bytes_since_entry = 0;
        for batch in self.walk(home, 0)? {
            let LocatedBatch { position, header } = batch?;
            if header.max_timestamp > largest.timestamp {
                largest = TimestampOffset { timestamp: header.max_timestamp, offset: header.last_offset() };
            }
            if bytes_since_entry > u64::from(index_interval_bytes) {
                offset_index.push(OffsetPosition { offset: header.last_offset(), position });
                if largest.timestamp > indexed {
                    time_index.push(largest);
                    indexed = largest.timestamp;
                }
                bytes_since_entry = 0;
            }
            bytes_since_entry += header.size() as u64;
        }
        if largest.timestamp > indexed {
            time_index.push(largest);
        }
        Ok(DerivedIndexes { offset_index, time_index, largest, bytes_since_entry })
    }

    /// Writes what [`Self::derive_indexes`] has found, as long as no batch was added meanwhile.
    pub(super) fn install_indexes(
        &mut self,
        home: &Home,
        derived: DerivedIndexes,
    ) -> Result<(), StorageError> {
        self.offset_index.replace(home, derived.offset_index)?;
        self.time_index.replace(home, derived.time_index)?;
        self.largest = Some(derived.largest);
        self.bytes_since_index_entry = derived.bytes_since_entry;
        self.indexes_checked = true;
        Ok(())
    }

    /// Takes them for this copy of the segment alone.
    pub(super) fn use_indexes(&mut self, derived: &DerivedIndexes) {
        self.offset_index = derived.offset_index.clone();
        self.time_index = derived.time_index.clone();
        self.largest = Some(derived.largest);
    }

    /// Empties the offset and the time index.
    pub(crate) fn clear_indexes(&mut self, home: &Home) -> Result<(), StorageError> {
        self.offset_index.clear(home)?;
        self.time_index.clear(home)?;
        self.indexes_checked = true;
        Ok(())
    }
}
