//! One segment: a `.log` file and its indexes (`LogSegment`).

mod compacted;
mod indexes;
mod view;
mod walk;

use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::batch::HEADER_BYTES;
use model::{BatchHeader, Offset};

use crate::config::LogConfig;
use crate::disk::{DiskFile, OpenMode, write_all_at};
use crate::error::StorageError;
use crate::index::{OffsetIndex, OffsetPosition, TimeIndex, TimestampOffset, TxnIndex};
use crate::names::{Home, LOG, OFFSET_INDEX, TIME_INDEX, TXN_INDEX};

pub use view::FoundOffset;
pub(crate) use view::SegmentView;
pub(crate) use walk::HeaderWalk;

/// Offsets: `base <= batches < end`. An active segment's `end` is the log's end.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    /// See [`Self::id`].
    id: u64,
    base: Offset,
    end: Offset,
    size: u64,
    /// Closed while idle and opened again when needed.
    file: Option<Arc<dyn DiskFile>>,
    used_lately: bool,
    pub(crate) offset_index: OffsetIndex,
    pub(crate) time_index: TimeIndex,
    pub(crate) txn_index: TxnIndex,
    /// Whether the index files are known to be whole: they were written by us, or have been looked through.
    indexes_checked: bool,
    /// Largest timestamp and the last offset of its batch, once known.
    largest: Option<TimestampOffset>,
    /// Timestamp of the first batch, once known: `segment.ms` counts from it.
    first_timestamp: Option<i64>,
    created_ms: i64,
    modified_ms: i64,
    bytes_since_index_entry: u64,
    roll_jitter_ms: i64,
}

/// Sizes of a segment's files as they were found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FoundFiles {
    pub(crate) log: u64,
    pub(crate) modified_ms: i64,
    pub(crate) offset_index: Option<u64>,
    pub(crate) time_index: Option<u64>,
    pub(crate) txn_index: Option<u64>,
}

impl FoundFiles {
    /// Whether both indexes are there and consist of whole entries.
    pub(crate) fn indexes_fit(&self) -> bool {
        let whole = |len: Option<u64>, entry: u64| len.is_some_and(|len| len.is_multiple_of(entry));
        whole(self.offset_index, 8) && whole(self.time_index, 12)
    }
}

/// A batch and where it begins in its segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocatedBatch {
    pub(crate) position: u64,
    pub(crate) header: BatchHeader,
}

impl Segment {
    /// Creates the files of an empty segment. Their names are not durable yet.
    pub(crate) fn create(
        home: &Home,
        base: Offset,
        config: &LogConfig,
        created_ms: i64,
    ) -> Result<Self, StorageError> {
        let path = home.path(base, LOG);
        let file = home.open(&path, OpenMode::Create)?;
        if config.preallocate {
            file.allocate(u64::from(config.segment_bytes))
                .map_err(|error| StorageError::io("allocate", &path, error))?;
        }
        home.remove(&home.path(base, TXN_INDEX))?;
        Ok(Self {
            id: next_id(),
            base,
            end: base,
            size: 0,
            file: Some(file),
            used_lately: true,
            offset_index: OffsetIndex::create(home, base, config.index_bytes_max)?,
            time_index: TimeIndex::create(home, base, config.index_bytes_max)?,
            txn_index: TxnIndex::found(base, None),
            indexes_checked: true,
            largest: Some(TimestampOffset { timestamp: -1, offset: base }),
            first_timestamp: None,
            created_ms,
            modified_ms: created_ms,
            bytes_since_index_entry: 0,
            roll_jitter_ms: roll_jitter_ms(home, base, config),
        })
    }

    /// A segment whose files are there. Opens none of them.
    pub(crate) fn found(
        home: &Home,
        base: Offset,
        end: Offset,
        files: FoundFiles,
        config: &LogConfig,
        created_ms: i64,
    ) -> Self {
        Self {
            id: next_id(),
            base,
            end,
            size: files.log,
            file: None,
            used_lately: false,
            offset_index: OffsetIndex::found(base, files.offset_index),
            time_index: TimeIndex::found(base, files.time_index),
            txn_index: TxnIndex::found(base, files.txn_index),
            indexes_checked: false,
            largest: None,
            first_timestamp: None,
            created_ms,
            modified_ms: files.modified_ms,
            bytes_since_index_entry: 0,
            roll_jitter_ms: roll_jitter_ms(home, base, config),
        }
    }

    /// Tells a segment from every other that has, or had, its place. What is known of positions in it holds as long
    /// as this is the same: another when bytes were cut off.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn base(&self) -> Offset {
        self.base
    }

    pub(crate) fn end(&self) -> Offset {
        self.end
    }

    pub(crate) fn set_end(&mut self, end: Offset) {
        assert!(end >= self.base, "a segment ends at or after its base offset");
        self.end = end;
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn set_size(&mut self, size: u64) {
        self.size = size;
    }

    /// The log file, opened when needed.
    pub(crate) fn file(&mut self, home: &Home) -> Result<Arc<dyn DiskFile>, StorageError> {
        self.used_lately = true;
        if let Some(file) = &self.file {
            return Ok(Arc::clone(file));
        }
        let file = home.open(&home.path(self.base, LOG), OpenMode::Write)?;
        self.file = Some(Arc::clone(&file));
        Ok(file)
    }

    /// The log file, if it is open.
    pub(crate) fn open_file(&mut self) -> Option<Arc<dyn DiskFile>> {
        self.used_lately = true;
        self.file.clone()
    }

    /// Puts another file in place of the segment's, after a copy was made of it.
    pub(crate) fn replace_file(&mut self, file: Arc<dyn DiskFile>) {
        self.file = Some(file);
    }

    /// Gives the descriptors back if nothing used them since the last call. Only for a segment that is on disk as a
    /// whole: an error of its write-back might be reported to nobody otherwise. Answers whether any stay open.
    pub(crate) fn close_if_idle(&mut self, home: &Home) -> bool {
        if std::mem::take(&mut self.used_lately) {
            return true;
        }
        self.file = None;
        self.offset_index.close(home);
        self.time_index.close(home);
        self.txn_index.close(home);
        false
    }

    /// Whether a batch must go to a new segment (`LogSegment.shouldRoll`).
    pub(crate) fn must_roll(
        &mut self,
        home: &Home,
        config: &LogConfig,
        next: NextBatch,
    ) -> Result<bool, StorageError> {
        let too_large = self.size + next.size > u64::from(config.segment_bytes);
        let full = self.offset_index.is_full(config.index_bytes_max)
            || self.time_index.is_full(config.index_bytes_max)
            || !self.fits_relative(next.last_offset);
        if too_large || full {
            return Ok(true);
        }
        if self.size == 0 {
            return Ok(false);
        }
        let waited_ms = match self.first_timestamp(home)? {
            Some(first) if first >= 0 => next.max_timestamp.saturating_sub(first),
            _ => next.wall_ms.saturating_sub(self.created_ms),
        };
        Ok(waited_ms > config.roll_ms() - self.roll_jitter_ms)
    }

    /// Whether the offset can be told in 31 bits from the base offset, as the indexes do (KAFKA-6264).
    pub(crate) fn fits_relative(&self, offset: Offset) -> bool {
        let relative = offset.value().saturating_sub(self.base.value());
        (0..=i64::from(i32::MAX)).contains(&relative)
    }

    /// Writes bytes at the end of the file. After an error the file is as long as before; `Err(Ok)` tells a full disk,
    /// `Err(Err)` that nothing is known about the file any more.
    pub(crate) fn write(&mut self, home: &Home, slices: &mut [IoSlice<'_>]) -> Result<(), StorageError> {
        let file = self.file(home)?;
        let path = || home.path(self.base, LOG);
        match write_all_at(&*file, slices, self.size) {
            Ok(()) => Ok(()),
            Err(error) if crate::error::is_full(&error) => {
                // Part of the batch may be in the file. It must not stay: a later append would leave it in the middle.
                file.set_len(self.size).map_err(|cut| StorageError::fatal("cut back", &path(), cut))?;
                Err(StorageError::io("append to", &path(), error))
            }
            Err(error) => Err(StorageError::fatal("append to", &path(), error)),
        }
    }

    /// Takes in a batch that was written at `self.size()`.
    pub(crate) fn note_batch(
        &mut self,
        home: &Home,
        config: &LogConfig,
        header: &BatchHeader,
        wall_ms: i64,
    ) -> Result<(), StorageError> {
        let last_offset = header.last_offset();
        let (position, size) = (self.size, header.size() as u64);
        self.size += size;
        self.end = last_offset.next();
        self.modified_ms = wall_ms;
        if position == 0 {
            self.first_timestamp = Some(header.max_timestamp);
        }
        let mut largest = self.largest(home)?;
        if header.max_timestamp > largest.timestamp {
            largest = TimestampOffset { timestamp: header.max_timestamp, offset: last_offset };
            self.largest = Some(largest);
        }
        if self.bytes_since_index_entry > u64::from(config.index_interval_bytes) {
            self.offset_index.append(home, OffsetPosition { offset: last_offset, position })?;
            self.time_index.append_if_larger(home, largest)?;
            self.bytes_since_index_entry = 0;
        }
        self.bytes_since_index_entry += size;
        Ok(())
    }

    /// Completes the index files and gives them their final size: no batch will be added.
    pub(crate) fn seal(&mut self, home: &Home) -> Result<(), StorageError> {
        let largest = self.largest(home)?;
        self.time_index.append_if_larger(home, largest)?;
        self.offset_index.trim(home)?;
        self.time_index.trim(home)?;
        self.txn_index.trim(home)
    }

    /// Undoes what [`Self::seal`] did to the sizes of the files, after the roll it was for could not be finished.
    pub(crate) fn unseal(&mut self, home: &Home, config: &LogConfig) -> Result<(), StorageError> {
        self.offset_index.extend(home, config.index_bytes_max)?;
        self.time_index.extend(home, config.index_bytes_max)
    }

    /// Paths of the index files that exist.
    pub(crate) fn index_paths(&self, home: &Home) -> Vec<std::path::PathBuf> {
        let txn_index = self.txn_index.exists().then_some(TXN_INDEX);
        [OFFSET_INDEX, TIME_INDEX]
            .into_iter()
            .chain(txn_index)
            .map(|suffix| home.path(self.base, suffix))
            .collect()
    }

    /// As [`Self::largest`], if no file must be read for it.
    pub(crate) fn known_largest(&self) -> Option<TimestampOffset> {
        self.largest
    }

    /// Largest timestamp with the last offset of its batch; -1 without records.
    pub(crate) fn largest(&mut self, home: &Home) -> Result<TimestampOffset, StorageError> {
        if let Some(largest) = self.largest {
            return Ok(largest);
        }
        let largest = self.time_index.last(home)?;
        self.largest = Some(largest);
        Ok(largest)
    }

    pub(crate) fn set_largest(&mut self, largest: TimestampOffset) {
        self.largest = Some(largest);
    }

    /// Largest timestamp for retention: a segment without any falls back on the time of its last write.
    pub(crate) fn retention_timestamp(&mut self, home: &Home) -> Result<i64, StorageError> {
        let largest = self.largest(home)?.timestamp;
        Ok(if largest >= 0 { largest } else { self.modified_ms })
    }

    /// Timestamp of the first batch; `None` without batches.
    pub(crate) fn first_timestamp(&mut self, home: &Home) -> Result<Option<i64>, StorageError> {
        if self.first_timestamp.is_none() && self.size >= HEADER_BYTES as u64 {
            self.first_timestamp =
                self.walk(home, 0)?.next().transpose()?.map(|batch| batch.header.max_timestamp);
        }
        Ok(self.first_timestamp)
    }

    /// Forgets what was derived from the records, before they are read again.
    pub(crate) fn forget(&mut self, created_ms: i64) {
        self.id = next_id();
        self.largest = None;
        self.first_timestamp = None;
        self.bytes_since_index_entry = 0;
        if self.size == 0 {
            self.created_ms = created_ms;
        }
    }

    /// Walks the batches from `position`, which must be the start of one.
    pub(crate) fn walk(&mut self, home: &Home, position: u64) -> Result<HeaderWalk, StorageError> {
        let file = self.file(home)?;
        Ok(HeaderWalk::new(file, home.path(self.base, LOG), position, self.size).with_access(home.access))
    }

    /// The first batch whose last offset is at or beyond `offset`.
    pub(crate) fn locate(
        &mut self,
        home: &Home,
        config: &LogConfig,
        offset: Offset,
    ) -> Result<Option<LocatedBatch>, StorageError> {
        self.check_indexes(home, config)?;
        let start = self.offset_index.lookup(home, offset)?;
        match self.locate_from(home, start, offset) {
            Err(StorageError::Malformed { .. }) if start.position > 0 => {
                self.rebuild_indexes(home, config)?;
                let start = self.offset_index.lookup(home, offset)?;
                self.locate_from(home, start, offset)
            }
            result => result,
        }
    }

    fn locate_from(
        &mut self,
        home: &Home,
        start: OffsetPosition,
        offset: Offset,
    ) -> Result<Option<LocatedBatch>, StorageError> {
        let mut walk = self.walk(home, start.position)?;
        let Some(mut batch) = walk.next().transpose()? else { return Ok(None) };
        // An entry names the last offset of the batch that it points to.
        if start.position > 0 && batch.header.last_offset() != start.offset {
            return Err(StorageError::Malformed {
                path: home.path(self.base, OFFSET_INDEX),
                reason: format!("offset {} is not the batch at byte {}", start.offset, start.position),
            });
        }
        while batch.header.last_offset() < offset {
            match walk.next().transpose()? {
                Some(next) => batch = next,
                None => return Ok(None),
            }
        }
        Ok(Some(batch))
    }
}

/// What the rules of rolling ask of the next batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NextBatch {
    pub(crate) size: u64,
    pub(crate) last_offset: Offset,
    pub(crate) max_timestamp: i64,
    pub(crate) wall_ms: i64,
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A share of `segment.jitter.ms` that differs between segments and logs, and is the same at every start.
fn roll_jitter_ms(home: &Home, base: Offset, config: &LogConfig) -> i64 {
    let bound = config.segment_jitter_ms.min(config.segment_ms);
    if bound <= 0 {
        return 0;
    }
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in home.dir.as_os_str().as_encoded_bytes().iter().chain(&base.value().to_be_bytes()) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    ((hash >> 1) % bound.cast_unsigned()).cast_signed()
}
