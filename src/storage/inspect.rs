//! The files of a log read one by one, as they lie there: what a tool shows of a directory that no broker has opened.
//! Nothing is checked against other files, mended or written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use model::batch::{HEADER_BYTES, LOG_OVERHEAD};
use model::codec::{ReadError, Reader};
use model::{Offset, ProducerId};

use crate::disk::{Access, Disk, DiskFile, OpenMode, read_at};
use crate::index::entries::Entry;
use crate::index::offset::OffsetPosition;
use crate::index::time::TimestampOffset;
use crate::index::txn;
use crate::producer_state::snapshot;
use crate::{AbortedTxn, StorageError};

/// A segment or a metadata snapshot, read batch by batch (`FileLogInputStream`).
#[derive(Debug)]
pub struct BatchFile {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    end: u64,
    position: u64,
}

/// What lies at a position of such a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The bytes of one whole batch, of any format.
    Batch(Bytes),
    /// A size that no batch has.
    TooSmall(i32),
}

impl BatchFile {
    /// Opens a file, of which only so many bytes are looked at.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(disk: &dyn Disk, path: &Path, bytes_max: u64) -> std::io::Result<Self> {
        let file = disk.open(path, OpenMode::Read)?;
        let end = file.len()?.min(bytes_max);
        Ok(Self { file, path: path.to_owned(), end, position: 0 })
    }

    /// Where the next batch begins.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Goes on at another position.
    pub fn seek(&mut self, position: u64) {
        self.position = position;
    }

    /// Bytes that are looked at.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The next batch; `None` where none begins, or not the whole of one is there.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    pub fn next_batch(&mut self) -> Result<Option<Found>, StorageError> {
        let left = self.end.saturating_sub(self.position);
        if left <= PREFIX_BYTES as u64 {
            return Ok(None);
        }
        let prefix = self.read(PREFIX_BYTES)?;
        let Some(size) = prefix.get(8..12).and_then(|size| size.try_into().ok()).map(i32::from_be_bytes)
        else {
            return Ok(None);
        };
        if size < SIZE_MIN {
            return Ok(Some(Found::TooSmall(size)));
        }
        let whole = LOG_OVERHEAD as u64 + u64::from(size.unsigned_abs());
        if whole > left {
            return Ok(None);
        }
        let batch = self.read(whole as usize)?;
        if (batch.len() as u64) < whole {
            return Ok(None);
        }
        self.position += whole;
        Ok(Some(Found::Batch(batch.into())))
    }

    fn read(&self, len: usize) -> Result<Vec<u8>, StorageError> {
        let mut out = Vec::with_capacity(len);
        read_at(&*self.file, Access::Disk, &mut out, self.position, len)
            .map_err(|error| StorageError::io("read", &self.path, error))?;
        Ok(out)
    }
}

/// The entries of an offset index: offset and position, or nothing where the bytes are no whole entry.
pub fn offset_entries(bytes: &[u8], base: Offset) -> Vec<(Offset, u64)> {
    let (entries, _) = bytes.as_chunks();
    let decoded = entries.iter().map(|entry| OffsetPosition::decode(base, entry));
    decoded.map(|entry| (entry.offset, entry.position)).collect()
}

/// The entries of a time index: timestamp in milliseconds, and offset.
pub fn time_entries(bytes: &[u8], base: Offset) -> Vec<(i64, Offset)> {
    let (entries, _) = bytes.as_chunks();
    let decoded = entries.iter().map(|entry| TimestampOffset::decode(base, entry));
    decoded.map(|entry| (entry.timestamp, entry.offset)).collect()
}

/// The entries of an index of aborted transactions.
pub fn aborted_transactions(bytes: &[u8]) -> Vec<AbortedTxn> {
    let (entries, _) = bytes.as_chunks();
    entries.iter().map(txn::decode).collect()
}

/// One producer of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotProducer {
    /// Its id.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub epoch: i16,
    /// Epoch of the coordinator that ended its last transaction, -1 for none.
    pub coordinator_epoch: i32,
    /// Where its open transaction begins.
    pub transaction_start: Option<Offset>,
    /// When it wrote last, in milliseconds.
    pub last_timestamp: i64,
    /// What it wrote last.
    pub last_batch: Option<SnapshotBatch>,
}

/// The last batch of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotBatch {
    /// Sequence number of the last record.
    pub last_sequence: i32,
    /// Offset of the last record.
    pub last_offset: Offset,
    /// Records before the last one.
    pub offset_delta: i32,
    /// The largest timestamp, in milliseconds.
    pub timestamp: i64,
}

/// Why a file is no producer snapshot. The words are those of Kafka's tools.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSnapshot {
    /// Another format.
    #[error("Snapshot failed schema validation: Snapshot contained an unknown file version {0}")]
    Version(i16),
    /// The bytes end too early.
    #[error("Snapshot failed schema validation: {0}")]
    Entries(#[from] ReadError),
    /// The checksum is another.
    #[error("Snapshot is corrupt (CRC is no longer valid). Stored crc: {stored}. Computed crc: {computed}")]
    Crc {
        /// What the file says.
        stored: u32,
        /// What its bytes have.
        computed: u32,
    },
}

/// The producers of a snapshot.
///
/// # Errors
/// [`BadSnapshot`].
pub fn snapshot_producers(bytes: Bytes) -> Result<Vec<SnapshotProducer>, BadSnapshot> {
    let mut reader = Reader::new(bytes);
    let version = reader.i16()?;
    if version != snapshot::VERSION {
        return Err(BadSnapshot::Version(version));
    }
    let stored = reader.i32()?.cast_unsigned();
    let rest = reader.clone().rest();
    let entries = snapshot::decode_entries(&mut reader)?;
    let computed = crc32c::crc32c(&rest);
    if stored != computed {
        return Err(BadSnapshot::Crc { stored, computed });
    }
    let shown = entries.into_iter().map(|(producer_id, entry)| SnapshotProducer {
        producer_id,
        epoch: entry.epoch.value(),
        coordinator_epoch: entry.coordinator_epoch,
        transaction_start: entry.transaction_start,
        last_timestamp: entry.last_timestamp,
        last_batch: entry.last_batch().map(|batch| SnapshotBatch {
            last_sequence: batch.last_sequence,
            last_offset: batch.last_offset,
            offset_delta: batch.offset_delta,
            timestamp: batch.timestamp,
        }),
    });
    Ok(shown.collect())
}

/// Up to the magic byte, which every format has at the same place.
const PREFIX_BYTES: usize = 17;
/// The smallest message of the oldest format.
const SIZE_MIN: i32 = 14;
const _: () = assert!(PREFIX_BYTES < HEADER_BYTES);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk_mem::MemoryDisk;
    use records::BatchBuilder;
    use std::io::IoSlice;

    #[test]
    fn batches_come_one_by_one_and_a_torn_one_does_not() {
        let mut builder = BatchBuilder::new();
        builder.append(7, None, Some(b"value"), &[]);
        let batch = builder.build().unwrap();
        let disk = MemoryDisk::default();
        let path = Path::new("/00000000000000000000.log");
        let file = disk.open(path, OpenMode::Create).unwrap();
        let torn = &batch[..batch.len() - 1];
        file.write_at(&[IoSlice::new(&[&batch[..], &batch[..], torn].concat())], 0).unwrap();
        let mut opened = BatchFile::open(&disk, path, u64::MAX).unwrap();
        assert_eq!(opened.next_batch().unwrap(), Some(Found::Batch(batch.clone())));
        assert_eq!(opened.position(), batch.len() as u64);
        assert_eq!(opened.next_batch().unwrap(), Some(Found::Batch(batch.clone())));
        assert_eq!(opened.next_batch().unwrap(), None);
        opened.seek(1);
        assert!(matches!(opened.next_batch().unwrap(), None | Some(_)), "any bytes are an answer");
        let mut short = BatchFile::open(&disk, path, batch.len() as u64 + 3).unwrap();
        assert!(short.next_batch().unwrap().is_some() && short.next_batch().unwrap().is_none());
    }

    #[test]
    fn a_size_that_is_none_is_told() {
        let disk = MemoryDisk::default();
        let path = Path::new("/zeros.log");
        disk.open(path, OpenMode::Create).unwrap().write_at(&[IoSlice::new(&[0; 64])], 0).unwrap();
        let mut opened = BatchFile::open(&disk, path, u64::MAX).unwrap();
        assert_eq!(opened.next_batch().unwrap(), Some(Found::TooSmall(0)));
    }

    #[test]
    fn index_entries_are_relative_to_their_base() {
        let base = Offset::new(100);
        let offsets = [[0, 0, 0, 5, 0, 0, 0, 9], [0, 0, 0, 7, 0, 0, 1, 0]].concat();
        assert_eq!(offset_entries(&offsets, base), [(Offset::new(105), 9), (Offset::new(107), 256)]);
        let times = [&77_i64.to_be_bytes()[..], &3_i32.to_be_bytes()].concat();
        assert_eq!(time_entries(&times, base), [(77, Offset::new(103))]);
        assert!(time_entries(&times[..11], base).is_empty());
    }

    #[test]
    fn snapshots_that_are_none_are_refused() {
        let bad = |bytes: &[u8]| snapshot_producers(Bytes::copy_from_slice(bytes)).unwrap_err();
        assert!(matches!(bad(&[0]), BadSnapshot::Entries(_)));
        assert_eq!(bad(&[0, 9, 0, 0, 0, 0]), BadSnapshot::Version(9));
        assert!(matches!(bad(&[0, 1, 0, 0, 0, 0, 0, 0, 0, 0]), BadSnapshot::Crc { stored: 0, .. }));
        assert!(matches!(bad(&[0, 1, 0, 0, 0, 0, 127, 0, 0, 0]), BadSnapshot::Entries(_)));
    }
}
