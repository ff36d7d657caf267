//! Cutting the end off a log, or all of it. Durable when the call returns: what was cut must not come back behind
//! what is written next.

use std::io::IoSlice;
use std::sync::Arc;

use model::Offset;
use tracing::info;

use crate::disk::{DiskFile, OpenMode, write_all_at};
use crate::error::StorageError;
use crate::index::TimestampOffset;
use crate::names::{Home, LOG};
use crate::partition_log::{Bounds, PartitionLog};
use crate::producer_state::snapshot::SnapshotRange;
use crate::recovery::replay_producers;
use crate::segment::Segment;

impl PartitionLog {
    /// Removes every record at or beyond `offset`, and the batch that holds it as a whole. The log then ends where its
    /// last batch does: before `offset` when that lay inside a batch, or in a gap that compaction has left. False when
    /// the log ends before `offset` already.
    ///
    /// A recovery point checkpoint beyond `offset` must have been lowered on disk before: a start after a crash
    /// would miss the records otherwise.
    pub fn truncate_to(&mut self, offset: Offset, aging_ms: i64) -> Result<bool, StorageError> {
        self.check_usable()?;
        self.settle_swap()?;
        if offset >= self.log_end() {
            if self.epochs.truncate_from_end(self.log_end()) {
                self.touch_epochs();
            }
            return Ok(false);
        }
        info!("truncating {} from {} to {offset}", self.home.dir.display(), self.log_end());
        let first = self.sealed.first().unwrap_or(&self.active).base();
        let cut =
            if offset < first { self.restart_at(offset, aging_ms) } else { self.cut_to(offset, aging_ms) };
        cut.map_err(|error| self.note_failure(error)).map(|()| true)
    }

    /// Removes all records; the next one will have this offset.
    pub fn truncate_fully(&mut self, offset: Offset, aging_ms: i64) -> Result<(), StorageError> {
        self.check_usable()?;
        self.settle_swap()?;
        info!("emptying {}, which goes on at {offset}", self.home.dir.display());
        self.restart_at(offset, aging_ms).map_err(|error| self.note_failure(error))
    }

    fn cut_to(&mut self, offset: Offset, aging_ms: i64) -> Result<(), StorageError> {
        // Before the cut, newest first, and each durably: whatever a crash leaves, it is a log without holes.
        while self.active.base() > offset
            && let Some(previous) = self.sealed.pop()
        {
            let dropped = std::mem::replace(&mut self.active, previous);
            self.remove_segment_files(dropped.base())?;
            self.snapshots.remove(&self.home, dropped.base())?;
            self.home.sync_dir()?;
        }
        let offset = self.cut_active(offset, aging_ms)?;
        self.bounds = Bounds::default();
        self.log_start = self.log_start.min(offset);
        self.sync.truncated(offset);
        if self.epochs.truncate_from_end(offset) {
            self.touch_epochs();
        }
        self.reload_producers(aging_ms)
    }

    /// Answers where the log ends now.
    fn cut_active(&mut self, offset: Offset, aging_ms: i64) -> Result<Offset, StorageError> {
        let (home, config) = (&self.home, &self.config);
        let segment = &mut self.active;
        let position = segment.locate(home, config, offset)?.map_or(segment.size(), |batch| batch.position);
        segment.offset_index.truncate_to(home, offset)?;
        segment.time_index.truncate_to(home, offset)?;
        segment.txn_index.truncate_to(home, offset)?;
        let path = home.path(segment.base(), LOG);
        let file = own_file(segment, home)?;
        file.set_len(position).map_err(|error| StorageError::fatal("cut", &path, error))?;
        file.sync_data().map_err(|error| StorageError::fatal("sync", &path, error))?;
        segment.set_size(position);
        segment.forget(aging_ms);
        let mut end = segment.base();
        let mut largest = segment.time_index.last(home)?;
        let start = segment.offset_index.lookup(home, largest.offset)?.position;
        for batch in segment.walk(home, start)? {
            let header = batch?.header;
            end = header.last_offset().next();
            if header.max_timestamp > largest.timestamp {
                largest = TimestampOffset { timestamp: header.max_timestamp, offset: header.last_offset() };
            }
        }
        segment.set_largest(largest);
        segment.set_end(end);
        segment.unseal(home, config)?;
        Ok(end)
    }

    /// Builds the producer state again from the newest snapshot that the log still reaches.
    fn reload_producers(&mut self, aging_ms: i64) -> Result<(), StorageError> {
        let end = self.log_end();
        self.snapshots.keep_within(&self.home, self.log_start, end)?;
        let first = self.sealed.first().unwrap_or(&self.active).base();
        let range = SnapshotRange {
            above: self.log_start.max(first),
            limit: end,
            aging_ms,
            expiration_ms: self.config.producer_id_expiration_ms,
        };
        self.snapshots.load(&self.home, &mut self.producers, range)?;
        let (home, config) = (&self.home, &self.config);
        replay_producers(&mut self.sealed, home, config, &mut self.producers, end)?;
        // The sealed segments end where the active one begins.
        self.producers.set_end(self.producers.end().min(self.active.base()));
        replay_producers(std::slice::from_mut(&mut self.active), home, config, &mut self.producers, end)
    }

    fn restart_at(&mut self, offset: Offset, aging_ms: i64) -> Result<(), StorageError> {
        let bases: Vec<Offset> = self.sealed.iter().map(Segment::base).chain([self.active.base()]).collect();
        for base in bases.into_iter().rev() {
            self.remove_segment_files(base)?;
            self.home.sync_dir()?;
        }
        self.sealed.clear();
        self.active = Segment::create(&self.home, offset, &self.config, aging_ms)?;
        self.home.sync_dir()?;
        self.bounds = Bounds::default();
        self.log_start = offset;
        self.epochs.clear();
        self.touch_epochs();
        self.snapshots.keep_within(&self.home, Offset::new(i64::MAX), offset)?;
        self.producers.clear(offset);
        self.sync.restarted(offset);
        Ok(())
    }
}

/// The segment's file, for a cut: one that has another name as well is copied first, and only the copy is cut.
pub(crate) fn own_file(segment: &mut Segment, home: &Home) -> Result<Arc<dyn DiskFile>, StorageError> {
    let path = home.path(segment.base(), LOG);
    let failed = |error| StorageError::fatal("look at", &path, error);
    let links = home.disk.metadata(&path).map_err(failed)?.map_or(1, |metadata| metadata.links);
    let file = segment.file(home)?;
    if links <= 1 {
        return Ok(file);
    }
    let temporary = home.path(segment.base(), COPY);
    let copy = home.open(&temporary, OpenMode::Create)?;
    let mut position = 0;
    loop {
        let mut chunk = Vec::with_capacity(COPY_BYTES);
        let count = file.read_at(&mut chunk, position, COPY_BYTES).map_err(failed)?;
        if count == 0 {
            break;
        }
        write_all_at(&*copy, &mut [IoSlice::new(&chunk)], position)
            .map_err(|error| StorageError::io("write", &temporary, error))?;
        position += count as u64;
    }
    copy.sync_data().map_err(|error| StorageError::fatal("sync", &temporary, error))?;
    home.rename(&temporary, &path)?;
    home.sync_dir()?;
    segment.replace_file(Arc::clone(&copy));
    Ok(copy)
}

/// Removed by a start, as everything that ends in `.cleaned` is; another name than compaction uses.
const COPY: &str = ".log.copy.cleaned";
const COPY_BYTES: usize = 1 << 20;

#[cfg(test)]
#[path = "truncation_tests.rs"]
mod tests;
