//! Opening a log: what a clean end left is trusted, what an unclean end left is read again (`LogLoader`).
//!
//! After an unclean end, every segment that reaches beyond the recovery point is scanned batch by batch. The first
//! bad batch at or beyond the recovery point is a torn tail: it and everything after it go, since nothing there was
//! acknowledged. A bad batch below the recovery point is damage to data that was on disk: the log is not opened.

mod gap;
mod scan;
mod tidy;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use model::{LeaderEpoch, Offset};
use tracing::{info, warn};

use crate::config::LogConfig;
use crate::error::StorageError;
use crate::index::TimestampOffset;
use crate::index::txn::ENTRY_BYTES as TXN_ENTRY_BYTES;
use crate::leader_epochs::LeaderEpochs;
use crate::names::{DELETED, Home, LOG};
use crate::partition_log::{Bounds, Opening, PartitionLog};
use crate::producer_state::ProducerState;
use crate::producer_state::snapshot::{SnapshotRange, Snapshots};
use crate::segment::{FoundFiles, LocatedBatch, Segment};
use crate::sync::{SideFile, SyncState};

use scan::{Expected, Scan, Step};

/// What opening a log took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Whether the log was taken as it was.
    pub clean: bool,
    /// Segments whose batches were all checked.
    pub segments_scanned: usize,
    /// Bytes of those batches.
    pub bytes_scanned: u64,
    /// What was cut off, if anything.
    pub truncated: Option<Truncated>,
    /// Segments behind the cut that were set aside.
    pub segments_dropped: usize,
}

/// The end of a log that was no whole batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truncated {
    /// The segment file.
    pub path: PathBuf,
    /// Where it ends now.
    pub position: u64,
    /// Bytes that were cut off.
    pub bytes: u64,
    /// The log's end now.
    pub offset: Offset,
    /// Why the bytes were no batch.
    pub reason: String,
}

pub(crate) fn open(
    home: Home,
    config: LogConfig,
    opening: Opening,
) -> Result<(PartitionLog, Recovery), StorageError> {
    let found = tidy::tidy(&home)?;
    let mut loader = Loader::new(home, config, opening, found)?;
    let trusted = opening.clean && loader.scan_from.value() == i64::MAX;
    if !trusted || !loader.load_clean()? {
        loader.recover()?;
    }
    loader.finish()
}

struct Loader {
    home: Home,
    config: LogConfig,
    opening: Opening,
    /// Oldest first.
    segments: Vec<Segment>,
    producers: ProducerState,
    snapshots: Snapshots,
    epochs: LeaderEpochs,
    epochs_changed: bool,
    recovery: Recovery,
    /// Whether an index file of the last segment is missing or has an impossible size.
    last_incomplete: bool,
    /// Segments that reach beyond this are scanned, even after a clean end.
    scan_from: Offset,
    /// Segments whose index files were derived again.
    rebuilt: Vec<Offset>,
    names_changed: bool,
}

impl Loader {
    fn new(
        home: Home,
        config: LogConfig,
        opening: Opening,
        found: tidy::Found,
    ) -> Result<Self, StorageError> {
        let bases: Vec<Offset> = found.segments.keys().copied().collect();
        let ends = bases.iter().skip(1).chain(bases.last());
        let segments = found.segments.iter().zip(ends).map(|((base, files), end)| {
            Segment::found(&home, *base, *end, *files, &config, opening.aging_ms)
        });
        let mut loader = Self {
            segments: segments.collect(),
            producers: ProducerState::default(),
            snapshots: Snapshots::new(found.snapshots),
            epochs: LeaderEpochs::read(&home)?,
            epochs_changed: false,
            last_incomplete: false,
            scan_from: Offset::new(i64::MAX),
            recovery: Recovery::default(),
            rebuilt: Vec::new(),
            names_changed: found.changed,
            home,
            config,
            opening,
        };
        loader.rebuild_missing_indexes(&found.segments)?;
        loader.check_txn_indexes(&found.segments)?;
        Ok(loader)
    }

    /// An index of aborted transactions can only be derived from its segment together with the producers, by a scan.
    fn check_txn_indexes(&mut self, files: &BTreeMap<Offset, FoundFiles>) -> Result<(), StorageError> {
        for segment in &mut self.segments {
            let base = segment.base();
            let Some(len) = files.get(&base).and_then(|files| files.txn_index) else { continue };
            if !len.is_multiple_of(TXN_ENTRY_BYTES as u64) || !segment.txn_index.is_sane(&self.home, base)? {
                warn!(
                    "the index of aborted transactions of segment {base} is damaged: scanning from there on"
                );
                self.scan_from = self.scan_from.min(base);
                break;
            }
        }
        Ok(())
    }

    /// Indexes that are missing or cannot be whole; what is inside the others is looked at when they are first used.
    fn rebuild_missing_indexes(&mut self, files: &BTreeMap<Offset, FoundFiles>) -> Result<(), StorageError> {
        let Some((last, sealed)) = self.segments.split_last_mut() else { return Ok(()) };
        let incomplete =
            |segment: &Segment| files.get(&segment.base()).is_some_and(|files| !files.indexes_fit());
        self.last_incomplete = incomplete(last);
        for segment in sealed.iter_mut().filter(|segment| incomplete(segment)) {
            // A scan that follows derives them anyway.
            if self.opening.clean || segment.end() <= self.opening.recovery_point {
                segment.rebuild_indexes(&self.home, &self.config)?;
                self.rebuilt.push(segment.base());
            }
        }
        Ok(())
    }

    /// Finds the log's end without reading its records. False when what is there does not look like a clean end.
    fn load_clean(&mut self) -> Result<bool, StorageError> {
        let Some(last) = self.segments.last_mut() else { return Ok(true) };
        let rebuilt = if self.last_incomplete {
            self.rebuilt.push(last.base());
            last.rebuild_indexes(&self.home, &self.config)
        } else {
            Ok(())
        };
        match rebuilt.and_then(|()| end_of(last, &self.home, &self.config)) {
            Ok(end) => last.set_end(end),
            Err(StorageError::Malformed { path, reason }) => {
                warn!("the log was closed, but needs recovery: {}: {reason}", path.display());
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        self.recovery.clean = true;
        Ok(true)
    }

    fn recover(&mut self) -> Result<(), StorageError> {
        let point = if self.opening.repair { Offset::ZERO } else { self.opening.recovery_point };
        let from = point.min(self.scan_from);
        // A segment that ends at the recovery point was not sealed yet when that was written: its indexes may be lost.
        let first = self.segments.partition_point(|segment| segment.base() < from).saturating_sub(1);
        self.reread_from_disk(first)?;
        let start = self.segments.get(first).map_or(self.opening.log_start, Segment::base);
        self.load_producers(start)?;
        let mut expected = Expected { offset: start, epoch: LeaderEpoch::NONE, below: start };
        for at in first..self.segments.len() {
            let base = |at: usize| self.segments.get(at).map(Segment::base);
            let Some(segment) = base(at) else { break };
            expected.below = base(at + 1).unwrap_or(Offset::new(i64::MAX));
            if expected.offset < segment && !self.is_gap_of_compaction(at, expected)? {
                // The end of the segment before never reached the disk.
                self.drop_from(at, point, expected.offset)?;
                break;
            }
            if let Some(previous) = at.checked_sub(1).and_then(|at| self.segments.get_mut(at)) {
                previous.set_end(segment);
            }
            expected.offset = segment;
            if let Some(reason) = self.scan_segment(at, &mut expected)? {
                self.cut(at, &expected, point, reason)?;
                break;
            }
        }
        Ok(())
    }

    /// What the page cache shows may never have reached the disk: a failed write-back leaves pages that look clean.
    /// The files are synced, dropped from the cache, and read from the disk.
    fn reread_from_disk(&mut self, first: usize) -> Result<(), StorageError> {
        for segment in self.segments.iter_mut().skip(first) {
            let path = self.home.path(segment.base(), LOG);
            let file = segment.file(&self.home)?;
            file.sync_data().map_err(|error| StorageError::fatal("sync", &path, error))?;
            file.drop_cache().map_err(|error| StorageError::fatal("drop the cache of", &path, error))?;
        }
        Ok(())
    }

    /// Brings the producer state to `offset`, from a snapshot and the batches after it.
    fn load_producers(&mut self, offset: Offset) -> Result<(), StorageError> {
        let first = self.segments.first().map_or(offset, Segment::base);
        let range = SnapshotRange {
            above: self.opening.log_start.max(first).min(offset),
            limit: offset,
            aging_ms: self.opening.aging_ms,
            expiration_ms: self.config.producer_id_expiration_ms,
        };
        self.snapshots.load(&self.home, &mut self.producers, range)?;
        replay_producers(&mut self.segments, &self.home, &self.config, &mut self.producers, offset)
    }

    /// Checks every batch of a segment and derives its indexes, the epochs and the producers from them. Answers why
    /// the rest of the file is no batch, if it is none; `expected.offset` is then where it should have begun.
    fn scan_segment(&mut self, at: usize, expected: &mut Expected) -> Result<Option<String>, StorageError> {
        let Some(segment) = self.segments.get_mut(at) else { return Ok(None) };
        let (home, base, size) = (&self.home, segment.base(), segment.size());
        let mut scan = Scan::new(segment.file(home)?, home.path(base, LOG), size);
        segment.forget(self.opening.aging_ms);
        segment.clear_indexes(home)?;
        segment.txn_index.clear(home)?;
        segment.set_largest(TimestampOffset { timestamp: -1, offset: base });
        segment.set_size(0);
        self.rebuilt.push(base);
        self.recovery.segments_scanned += 1;
        let fault = loop {
            let (header, marker) = match scan.step(*expected, base)? {
                Step::End => break None,
                Step::Bad(reason) => break Some(reason),
                Step::Batch { header, marker } => (header, marker),
            };
            segment.note_batch(home, &self.config, &header, self.opening.aging_ms)?;
            expected.offset = header.last_offset().next();
            if header.leader_epoch.value() >= 0 {
                expected.epoch = header.leader_epoch;
                let newest = self.epochs.latest().is_none_or(|latest| header.leader_epoch > latest);
                self.epochs_changed |= newest && self.epochs.assign(header.leader_epoch, header.base_offset);
            }
            if let Some(ended) = self.producers.apply(&header, marker, header.base_offset)
                && ended.aborted
            {
                segment.txn_index.append(home, &ended.into())?;
            }
        };
        self.recovery.bytes_scanned += segment.size();
        segment.set_end(expected.offset);
        Ok(fault)
    }

    /// Cuts a segment to what its scan found sound, and drops the segments after it.
    fn cut(
        &mut self,
        at: usize,
        expected: &Expected,
        durable: Offset,
        reason: String,
    ) -> Result<(), StorageError> {
        let Some(segment) = self.segments.get_mut(at) else { return Ok(()) };
        let path = self.home.path(segment.base(), LOG);
        let position = segment.size();
        if expected.offset < durable {
            return Err(StorageError::Damaged { path, position, offset: expected.offset, durable, reason });
        }
        self.drop_from(at + 1, durable, expected.offset)?;
        let Some(segment) = self.segments.get_mut(at) else { return Ok(()) };
        let file = crate::truncation::own_file(segment, &self.home)?;
        let bytes = file.len().map_err(|error| StorageError::fatal("measure", &path, error))? - position;
        file.set_len(position).map_err(|error| StorageError::fatal("cut", &path, error))?;
        file.sync_data().map_err(|error| StorageError::fatal("sync", &path, error))?;
        warn!("cut {} bytes off {} at offset {}: {reason}", bytes, path.display(), expected.offset);
        self.recovery.truncated = Some(Truncated { path, position, bytes, offset: expected.offset, reason });
        Ok(())
    }

    /// Sets aside the segments from `at` on, whose records cannot follow on those before them.
    fn drop_from(&mut self, at: usize, durable: Offset, end: Offset) -> Result<(), StorageError> {
        let Some(first) = self.segments.get(at) else { return Ok(()) };
        if end < durable {
            return Err(StorageError::Missing { path: self.home.dir.to_path_buf(), found: end, durable });
        }
        warn!("setting aside the segments from {} on: the log ends at {end}", first.base());
        for segment in self.segments.drain(at..).rev() {
            for suffix in [LOG].into_iter().chain(crate::names::INDEXES) {
                let path = self.home.path(segment.base(), suffix);
                let target = self.home.path(segment.base(), &format!("{suffix}{DELETED}"));
                self.home.rename(&path, &target)?;
            }
            self.snapshots.remove(&self.home, segment.base())?;
            self.recovery.segments_dropped += 1;
        }
        // Before the log is cut and written again: a segment that came back would be taken for its continuation.
        self.home.sync_dir()
    }

    fn finish(mut self) -> Result<(PartitionLog, Recovery), StorageError> {
        let start = self.opening.log_start;
        let end = self.segments.last().map_or(Offset::ZERO, Segment::end);
        let durable = self.opening.recovery_point;
        // An advanced log start may be ahead of records that were given up with it.
        if end.max(start) < durable && !self.opening.repair {
            return Err(StorageError::Missing { path: self.home.dir.to_path_buf(), found: end, durable });
        }
        let log_start = self.segments.first().map_or(start, |first| first.base().max(start));
        if self.segments.is_empty() {
            self.names_changed = true;
            self.segments.push(Segment::create(&self.home, start, &self.config, self.opening.aging_ms)?);
        }
        let end = self.segments.last().map_or(start, Segment::end);
        if self.recovery.clean {
            self.load_producers(end)?;
        }
        let Some(active) = self.segments.pop() else {
            return Err(StorageError::Missing { path: self.home.dir.to_path_buf(), found: end, durable });
        };
        self.producers.set_end(end);
        self.epochs_changed |= self.epochs.truncate_from_end(end);
        self.epochs_changed |= self.epochs.truncate_from_start(log_start);
        self.snapshots.keep_within(&self.home, log_start, end)?;
        let bases: BTreeSet<Offset> =
            self.segments.iter().map(Segment::base).chain([active.base()]).collect();
        self.snapshots.remove_strays(&self.home, |offset| bases.contains(&offset))?;
        let mut log = PartitionLog {
            home: self.home,
            config: self.config,
            sealed: self.segments,
            active,
            log_start,
            producers: self.producers,
            snapshots: self.snapshots,
            epochs: self.epochs,
            sync: SyncState::new(end),
            renamed: Vec::new(),
            bounds: Bounds::default(),
            swap: None,
        };
        log.settle(
            &self.recovery,
            &self.rebuilt,
            self.epochs_changed,
            self.names_changed,
            self.opening.aging_ms,
        )?;
        Ok((log, self.recovery))
    }
}

impl PartitionLog {
    /// Says what a recovery has looked at; a log that is new has nothing to tell.
    fn tell(&self, recovery: &Recovery) {
        if recovery.segments_scanned == 0 {
            return;
        }
        info!(
            "recovered {}: {} segments and {} bytes scanned, offsets {} to {}",
            self.home.dir.display(),
            recovery.segments_scanned,
            recovery.bytes_scanned,
            self.log_start,
            self.log_end()
        );
    }

    /// Puts what opening has changed on disk, or on the list of what is to be synced.
    fn settle(
        &mut self,
        recovery: &Recovery,
        rebuilt: &[Offset],
        epochs_changed: bool,
        names_changed: bool,
        aging_ms: i64,
    ) -> Result<(), StorageError> {
        if !recovery.clean {
            self.tell(recovery);
            for segment in &mut self.sealed {
                if rebuilt.contains(&segment.base()) {
                    segment.seal(&self.home)?;
                }
            }
            self.take_snapshot()?;
        }
        for segment in self.sealed.iter().filter(|segment| rebuilt.contains(&segment.base())) {
            for path in segment.index_paths(&self.home) {
                self.sync.touch(SideFile::Written(path), Some(segment.base()));
            }
        }
        if epochs_changed {
            self.touch_epochs();
        }
        if !recovery.clean {
            // What was found counts as durable from here on, so that the names it stands under must be, too: the last
            // life may have ended between a roll and its sync.
            self.home.sync_dir()?;
        }
        if names_changed || !recovery.clean || !rebuilt.is_empty() {
            self.sync.touch_dir();
        }
        if self.log_start > self.log_end() {
            // The checkpoint of the log start outlived the records: they had been given up.
            self.truncate_fully(self.log_start, aging_ms)?;
        }
        Ok(())
    }
}

/// The end of a closed log's last segment, from its newest index entry on.
fn end_of(segment: &mut Segment, home: &Home, config: &LogConfig) -> Result<Offset, StorageError> {
    // An index entry may lie beyond what `end` says until it is known.
    segment.set_end(Offset::new(i64::MAX));
    segment.check_indexes(home, config)?;
    let start = segment.offset_index.last(home)?.position;
    let mut end = segment.base();
    for batch in segment.walk(home, start)? {
        let header = batch?.header;
        if header.base_offset < end || header.last_offset_delta < 0 {
            return Err(StorageError::Malformed {
                path: home.path(segment.base(), LOG),
                reason: format!("offset {} follows on {end}", header.base_offset),
            });
        }
        end = header.last_offset().next();
    }
    Ok(end)
}

/// Brings the producer state from its end to `offset`, reading headers and transaction markers only.
pub(crate) fn replay_producers(
    segments: &mut [Segment],
    home: &Home,
    config: &LogConfig,
    producers: &mut ProducerState,
    offset: Offset,
) -> Result<(), StorageError> {
    let first = segments.partition_point(|segment| segment.end() <= producers.end());
    for segment in segments.iter_mut().skip(first) {
        if segment.base() >= offset {
            break;
        }
        let from = producers.end().max(segment.base());
        let Some(start) = segment.locate(home, config, from)? else { continue };
        let path = home.path(segment.base(), LOG);
        let file = segment.file(home)?;
        for batch in segment.walk(home, start.position)? {
            let LocatedBatch { position, header } = batch?;
            if header.base_offset >= offset {
                break;
            }
            let marker = scan::read_marker(&*file, &path, position, &header)?;
            producers.apply(&header, marker, header.base_offset);
        }
    }
    producers.set_end(offset);
    Ok(())
}

#[cfg(test)]
#[path = "recovery_tests.rs"]
mod tests;
