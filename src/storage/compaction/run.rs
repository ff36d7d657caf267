//! One compaction of one log, from its plan to the last group.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use model::limits::DECOMPRESSED_BYTES_MAX;
use model::{BatchHeader, Offset, ProducerId};
use records::{BadBatch, OpenBatch};

use super::filter::{Filter, FilterError, Filtered, LastOfProducer, Verdict};
use super::offset_map::OffsetMap;
use super::plan::{Dirtiness, GroupLimits, Piece, dirty_range, first_dirty, group, measure};
use super::reader::BatchReader;
use super::swap::Swap;
use super::transactions::Transactions;
use super::writer::{SegmentWriter, WrittenSegment};
use super::{CompactionError, CompactionRequest};
use crate::config::LogConfig;
use crate::disk::{Access, DiskFile, OpenMode};
use crate::error::StorageError;
use crate::index::txn::AbortedTxn;
use crate::names::{Home, LOG};
use crate::partition_log::PartitionLog;
use crate::segment::{HeaderWalk, Segment};

/// Asked after so many bytes were read or written; answers whether to go on, and may wait to spare the disk.
pub type Pace<'a> = dyn FnMut(u64) -> bool + 'a;

/// A compaction that has been planned: first [`Compaction::map_keys`], then [`Compacting::clean_next`] until there is
/// no more. Owned, and works without the log's lock.
#[derive(Debug)]
pub struct Compaction {
    home: Home,
    config: LogConfig,
    dirtiness: Dirtiness,
    aging_ms: i64,
    /// All segments below the first that must stay, oldest first.
    pieces: Vec<Piece>,
    /// Where in its segment the first uncompacted batch is looked for.
    dirty_position: u64,
    aborted: Vec<AbortedTxn>,
    producers: BTreeMap<ProducerId, LastOfProducer>,
}

/// A compaction that knows the newest offsets, and rewrites group after group.
#[derive(Debug)]
pub struct Compacting<'a> {
    plan: Compaction,
    map: &'a OffsetMap,
    end: Offset,
    groups: std::vec::IntoIter<Range<usize>>,
    transactions: Transactions,
    statistics: CompactionStatistics,
}

/// What a compaction has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactionStatistics {
    /// Bytes of the segments that were read.
    pub bytes_before: u64,
    /// Bytes of the segments that took their place.
    pub bytes_after: u64,
    /// Records that were kept.
    pub records_after: u64,
}

/// One group, compacted and on disk, to be put into the log by [`PartitionLog::install`]. Dropped instead, it removes
/// its files.
#[derive(Debug)]
pub struct Cleaned {
    pub(super) written: WrittenSegment,
    /// The segments that it replaces.
    pub(super) replaced: Vec<Piece>,
}

impl PartitionLog {
    /// How much of the log waits for compaction.
    pub fn dirtiness(&mut self, request: &CompactionRequest) -> Result<Dirtiness, StorageError> {
        let dirty_from = first_dirty(request.checkpoint, self.log_start, self.log_end());
        let pieces: Vec<Piece> = self.sealed.iter().map(Segment::piece).collect();
        // What a power cut may still take from the log's end must not have pushed anything out of it.
        let mut limit = request.last_stable.min(self.active.base()).min(self.durable_offset());
        let dirty = pieces.partition_point(|piece| piece.end <= dirty_from.offset);
        let lag_ms = self.config.min_compaction_lag_ms;
        if lag_ms > 0 {
            for segment in self.sealed.iter_mut().skip(dirty) {
                let newest = segment.retention_timestamp(&self.home)?;
                if newest > request.aging_ms.saturating_sub(lag_ms) {
                    limit = limit.min(segment.base());
                    break;
                }
            }
        }
        let mut dirtiness = measure(&pieces, self.active.base(), dirty_from, limit);
        let overdue_before = request.aging_ms.saturating_sub(self.config.max_compaction_lag_ms.max(0));
        if overdue_before > 0 {
            for segment in self.sealed.iter_mut().skip(dirty) {
                let first = segment.first_timestamp(&self.home)?.unwrap_or(-1);
                dirtiness.is_overdue |= first > 0 && first < overdue_before;
            }
        }
        Ok(dirtiness)
    }

    /// Plans the compaction of everything that may be compacted now. Nothing may delete from the log or cut it before
    /// the compaction has ended; if something does, the compaction is abandoned.
    pub fn plan_compaction(&mut self, request: &CompactionRequest) -> Result<Compaction, CompactionError> {
        self.check_usable()?;
        self.settle_swap()?;
        let dirtiness = self.dirtiness(request)?;
        let last = self.sealed.partition_point(|segment| segment.base() < dirtiness.first_uncleanable);
        let pieces: Vec<Piece> = self.sealed.iter().take(last).map(Segment::piece).collect();
        let dirty = dirty_range(&pieces, dirtiness.first_dirty, dirtiness.first_uncleanable);
        let dirty_position = match self.sealed.get_mut(dirty.start) {
            Some(segment) if segment.base() < dirtiness.first_dirty => {
                let found = segment.locate(&self.home, &self.config, dirtiness.first_dirty)?;
                found.map_or(segment.size(), |batch| batch.position)
            }
            _ => 0,
        };
        let first = pieces.first().map_or(dirtiness.first_uncleanable, |piece| piece.base);
        let aborted = match self.aborted_lookup(first, dirtiness.first_uncleanable) {
            Some(mut lookup) => lookup.run(Access::Disk)?,
            None => Vec::new(),
        };
        let producers = self.producers.producers().iter().map(|(id, entry)| {
            let offset = entry.last_batch().map(|batch| batch.last_offset);
            (*id, LastOfProducer { offset, epoch: entry.epoch })
        });
        Ok(Compaction {
            producers: producers.collect(),
            home: self.home.clone(),
            config: self.config.clone(),
            dirtiness,
            aging_ms: request.aging_ms,
            pieces,
            dirty_position,
            aborted,
        })
    }

    /// Puts a compacted group into the log. Takes a moment; [`Swap::finish`] must follow without the log's lock, and
    /// [`PartitionLog::end_swap`] after it.
    pub fn install(&mut self, cleaned: Cleaned) -> Result<Arc<Swap>, CompactionError> {
        self.check_usable()?;
        self.settle_swap()?;
        super::swap::install(self, cleaned)
    }
}

impl Compaction {
    /// What was found when the compaction was planned.
    pub fn dirtiness(&self) -> &Dirtiness {
        &self.dirtiness
    }

    /// Notes the newest offset of each key in the uncompacted part of the log, as far as the map has room.
    pub fn map_keys<'a>(
        self,
        map: &'a mut OffsetMap,
        pace: &mut Pace<'_>,
    ) -> Result<Compacting<'a>, CompactionError> {
        let Dirtiness { first_dirty, first_uncleanable, .. } = self.dirtiness;
        let dirty = dirty_range(&self.pieces, first_dirty, first_uncleanable);
        let dirty = self.pieces.get(dirty).unwrap_or_default();
        map.prepare(self.count_records(dirty, pace)?);
        // A transaction that had ended before says nothing about its producer's next one.
        let undecided = self.aborted.iter().filter(|txn| txn.last_offset >= first_dirty);
        let mut transactions = Transactions::new(undecided.copied().collect());
        let mut mapped = Offset::new(first_dirty.value() - 1);
        for (at, piece) in dirty.iter().enumerate() {
            let position = if at == 0 { self.dirty_position } else { 0 };
            let mut reader = self.reader(piece, position)?;
            if !self.map_segment(&mut reader, &mut transactions, map, &mut mapped, pace)? {
                break;
            }
            // Offsets that a compaction before has left out are not waited for.
            mapped = Offset::new(piece.end.value() - 1);
        }
        let end = mapped.next();
        let below_end = self.pieces.partition_point(|piece| piece.base < end);
        let limits = GroupLimits {
            segment_bytes: u64::from(self.config.segment_bytes),
            index_bytes: u64::from(self.config.index_bytes_max),
        };
        let groups = group(self.pieces.get(..below_end).unwrap_or_default(), limits).into_iter();
        let transactions = Transactions::new(self.aborted.clone());
        Ok(Compacting {
            plan: self,
            map,
            end,
            groups,
            transactions,
            statistics: CompactionStatistics::default(),
        })
    }

    /// An upper bound of the keys in these segments, by the headers of their batches.
    fn count_records(&self, dirty: &[Piece], pace: &mut Pace<'_>) -> Result<u64, CompactionError> {
        let mut records = 0_u64;
        for (at, piece) in dirty.iter().enumerate() {
            let path = self.home.path(piece.base, LOG);
            let position = if at == 0 { self.dirty_position } else { 0 };
            for (at, batch) in HeaderWalk::new(self.open(piece)?, path, position, piece.size).enumerate() {
                records = records.saturating_add(u64::try_from(batch?.header.record_count).unwrap_or(0));
                if at % 1024 == 0 && !pace(0) {
                    return Err(CompactionError::Abandoned);
                }
            }
        }
        Ok(records)
    }

    /// False when the map has no more room: then `mapped` is the last offset that it knows.
    fn map_segment(
        &self,
        reader: &mut BatchReader,
        transactions: &mut Transactions,
        map: &mut OffsetMap,
        mapped: &mut Offset,
        pace: &mut Pace<'_>,
    ) -> Result<bool, CompactionError> {
        while let Some((header, batch, read)) = reader.next()? {
            if read > 0 && !pace(read) {
                return Err(CompactionError::Abandoned);
            }
            let has_room = if header.is_control() {
                transactions.pass_control(&header, &batch);
                true
            } else if transactions.pass_batch(&header) {
                true
            } else {
                let failed = |source| CompactionError::Batch { offset: header.base_offset, source };
                self.map_batch(&header, &batch, map, mapped).map_err(failed)?
            };
            if !has_room {
                return Ok(false);
            }
            *mapped = (*mapped).max(header.last_offset());
        }
        Ok(true)
    }

    fn map_batch(
        &self,
        header: &BatchHeader,
        batch: &Bytes,
        map: &mut OffsetMap,
        mapped: &mut Offset,
    ) -> Result<bool, FilterError> {
        if !model::batch::crc_matches(batch) {
            return Err(FilterError::Crc);
        }
        if header.record_count == 0 {
            return Ok(true);
        }
        let open = OpenBatch::new(batch, DECOMPRESSED_BYTES_MAX)?;
        for record in open.records() {
            let record = record.map_err(BadBatch::from)?;
            let offset = open.offset_of(&record);
            let Some(key) = record.key.filter(|_| offset >= self.dirtiness.first_dirty) else { continue };
            if !map.put(key, offset) {
                return Ok(false);
            }
            *mapped = (*mapped).max(offset);
        }
        Ok(true)
    }

    fn open(&self, piece: &Piece) -> Result<Arc<dyn DiskFile>, CompactionError> {
        match self.home.open(&self.home.path(piece.base, LOG), OpenMode::Read) {
            Ok(file) => Ok(file),
            Err(StorageError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                Err(CompactionError::Abandoned)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn reader(&self, piece: &Piece, position: u64) -> Result<BatchReader, CompactionError> {
        let path = self.home.path(piece.base, LOG);
        let (file, offsets) = (self.open(piece)?, piece.base..piece.end);
        Ok(BatchReader::new(file, path, position..piece.size, offsets, WINDOW_BYTES))
    }
}

/// Bytes that are read at once.
const WINDOW_BYTES: usize = 256 << 10;

impl Compacting<'_> {
    /// Everything below this offset is compacted once all groups are installed: what the checkpoint says then.
    pub fn end(&self) -> Offset {
        self.end
    }

    /// What has been done so far.
    pub fn statistics(&self) -> CompactionStatistics {
        self.statistics
    }

    /// Writes the next group anew; `None` when all are done. Each is to be installed before the next is asked for.
    pub fn clean_next(&mut self, pace: &mut Pace<'_>) -> Result<Option<Cleaned>, CompactionError> {
        let Some(group) = self.groups.next() else { return Ok(None) };
        let pieces: Vec<Piece> = self.plan.pieces.get(group).unwrap_or_default().to_vec();
        let Some(first) = pieces.first() else { return Ok(None) };
        let bytes: u64 = pieces.iter().map(|piece| piece.size).sum();
        let room = self.room_for(bytes)?;
        let home = self.plan.home.clone();
        let mut writer = SegmentWriter::create(&home, first.base, self.plan.config.index_interval_bytes)?;
        let last_with_batches = pieces.iter().rposition(|piece| piece.size > 0);
        for (at, piece) in pieces.iter().enumerate() {
            self.clean_segment(piece, last_with_batches == Some(at), room, &mut writer, pace)?;
        }
        self.statistics.bytes_before += bytes;
        self.statistics.bytes_after += writer.size();
        Ok(Some(Cleaned { written: writer.finish()?, replaced: pieces }))
    }

    fn clean_segment(
        &mut self,
        piece: &Piece,
        is_last: bool,
        room: u64,
        writer: &mut SegmentWriter,
        pace: &mut Pace<'_>,
    ) -> Result<(), CompactionError> {
        let mut reader = self.plan.reader(piece, 0)?;
        while let Some((header, batch, read)) = reader.next()? {
            if read > 0 && !pace(read) {
                return Err(CompactionError::Abandoned);
            }
            // The last batch of a group says where the group ends, were there nothing else left of it: a start that
            // has to finish the swap goes by it, and so does the end of the log.
            let ends_group = is_last && reader.position() >= piece.size;
            let must_stay =
                ends_group || header.last_offset().next() == self.plan.dirtiness.first_uncleanable;
            let mut filter = Filter {
                map: self.map,
                mapped_to: Offset::new(self.end.value() - 1),
                transactions: &mut self.transactions,
                producers: &self.plan.producers,
                aging_ms: self.plan.aging_ms,
                delete_retention_ms: self.plan.config.delete_retention_ms,
            };
            let failed = |source| CompactionError::Batch { offset: header.base_offset, source };
            let Filtered { verdict, aborted, records } =
                filter.filter(&header, &batch, must_stay).map_err(failed)?;
            if let Some(transaction) = aborted {
                writer.append_aborted(&transaction);
            }
            let before = writer.size();
            match verdict {
                Verdict::Drop => {}
                Verdict::Keep => writer.append(&header, &batch)?,
                Verdict::Rewrite(bytes) => {
                    let header =
                        BatchHeader::parse(&bytes).map_err(|error| failed(BadBatch::from(error).into()))?;
                    writer.append(&header, &bytes)?;
                }
            }
            self.statistics.records_after += records;
            let written = writer.size() - before;
            if writer.size() > room {
                let path = self.plan.home.path(piece.base, LOG);
                return Err(StorageError::Full { operation: "compact", path }.into());
            }
            if written > 0 && !pace(written) {
                return Err(CompactionError::Abandoned);
            }
        }
        Ok(())
    }

    /// Bytes that the group may take. Where the disk has less room than the group takes now, half of that room: what
    /// is left is for those who write to the log.
    fn room_for(&self, bytes: u64) -> Result<u64, StorageError> {
        let home = &self.plan.home;
        let space =
            home.disk.space(&home.dir).map_err(|error| StorageError::fatal("look at", &home.dir, error))?;
        Ok(if space.free_bytes / 2 >= bytes { u64::MAX } else { space.free_bytes / 2 })
    }
}
