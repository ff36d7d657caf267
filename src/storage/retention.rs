//! Deleting from the start of a log: by age, by size, and below an advanced log start (`UnifiedLog.deleteOldSegments`).

use std::path::PathBuf;

use model::Offset;
use tracing::info;

use crate::error::StorageError;
use crate::names::{DELETED, Home, INDEXES, LOG, SNAPSHOT};
use crate::partition_log::{PartitionLog, RenamedFile};
use crate::segment::Segment;

/// A segment that retention has taken out of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeletedSegment {
    /// Its first offset.
    pub base_offset: Offset,
    /// Where the log begins without it.
    pub end_offset: Offset,
    /// Bytes of its log file.
    pub size_bytes: u64,
    /// Why it went.
    pub reason: DeletionReason,
}

/// Which rule deleted a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionReason {
    /// All its records lie below the log start.
    LogStart,
    /// The log was larger than `retention.bytes` even without it.
    Size,
    /// Its newest record was older than `retention.ms`.
    Time,
}

/// Files that nobody will open any more. Removing a large one takes the file system a while, which the log's owner
/// need not spend under its lock.
#[derive(Debug)]
pub struct DeletedFiles {
    home: Home,
    paths: Vec<PathBuf>,
}

impl DeletedFiles {
    /// Removes them. Answers how many. What is left after an error goes at the next start.
    pub fn remove(&self) -> Result<usize, StorageError> {
        for path in &self.paths {
            self.home.remove(path)?;
        }
        Ok(self.paths.len())
    }
}

impl PartitionLog {
    /// Raises the first offset that may be read (`DeleteRecords`). False when it is there already. Segments below it
    /// go at the next [`PartitionLog::apply_retention`].
    ///
    /// Once the caller has written it to its checkpoint, it survives a restart.
    pub fn advance_log_start(&mut self, offset: Offset) -> bool {
        if offset <= self.log_start {
            return false;
        }
        assert!(offset <= self.log_end(), "the log start stays inside the log");
        self.log_start = offset;
        if self.epochs.truncate_from_start(offset) {
            self.touch_epochs();
        }
        true
    }

    /// Takes the segments out of the log that no rule keeps any longer, oldest first, and renames their files. Records
    /// at or beyond `high_watermark` stay. When all segments go, a new one is begun first.
    pub fn apply_retention(
        &mut self,
        aging_ms: i64,
        high_watermark: Offset,
    ) -> Result<Vec<DeletedSegment>, StorageError> {
        self.check_usable()?;
        self.settle_swap()?;
        let mut deleted = Vec::new();
        let log_start = self.log_start;
        let below_start =
            self.deletable(high_watermark, |segment, _, is_last| Ok(!is_last && segment.end() <= log_start))?;
        self.delete_oldest(below_start, DeletionReason::LogStart, aging_ms, &mut deleted)?;
        if !self.config.cleanup.delete {
            return Ok(deleted);
        }
        if let Some(mut excess) = self.excess_bytes() {
            let too_large = self.deletable(high_watermark, |segment, _, _| {
                let fits = segment.size() <= excess;
                excess -= if fits { segment.size() } else { 0 };
                Ok(fits)
            })?;
            self.delete_oldest(too_large, DeletionReason::Size, aging_ms, &mut deleted)?;
        }
        let retention_ms = self.config.retention_ms;
        if retention_ms >= 0 {
            let expired = self.deletable(high_watermark, |segment, home, _| {
                Ok(aging_ms.saturating_sub(segment.retention_timestamp(home)?) > retention_ms)
            })?;
            self.delete_oldest(expired, DeletionReason::Time, aging_ms, &mut deleted)?;
        }
        Ok(deleted)
    }

    /// Takes out of the log the files that were renamed `file.delete.delay.ms` ago, for their removal. Where the clock was
    /// set back since, that time begins anew.
    pub fn due_for_removal(&mut self, aging_ms: i64) -> DeletedFiles {
        let latest_ms = aging_ms.saturating_add(self.config.file_delete_delay_ms);
        for file in &mut self.renamed {
            file.due_ms = file.due_ms.min(latest_ms);
        }
        let due = self.renamed.extract_if(.., |file| file.due_ms <= aging_ms).map(|file| file.path);
        DeletedFiles { paths: due.collect(), home: self.home.clone() }
    }

    /// When the next renamed file is due for removal.
    pub fn next_purge_ms(&self) -> Option<i64> {
        self.renamed.iter().map(|file| file.due_ms).min()
    }

    fn excess_bytes(&self) -> Option<u64> {
        let kept = u64::try_from(self.config.retention_bytes).ok()?;
        self.size_bytes().checked_sub(kept)
    }

    /// Number of oldest segments for which the rule holds and which lie below the high watermark.
    fn deletable(
        &mut self,
        high_watermark: Offset,
        mut rule: impl FnMut(&mut Segment, &Home, bool) -> Result<bool, StorageError>,
    ) -> Result<usize, StorageError> {
        let sealed = self.sealed.len();
        for (at, segment) in self.sealed.iter_mut().chain([&mut self.active]).enumerate() {
            let is_last = at == sealed;
            let is_empty = is_last && segment.size() == 0;
            if is_empty || segment.end() > high_watermark || !rule(segment, &self.home, is_last)? {
                return Ok(at);
            }
        }
        Ok(sealed + 1)
    }

    fn delete_oldest(
        &mut self,
        count: usize,
        reason: DeletionReason,
        aging_ms: i64,
        deleted: &mut Vec<DeletedSegment>,
    ) -> Result<(), StorageError> {
        if count == 0 {
            return Ok(());
        }
        if count > self.sealed.len() {
            self.roll(aging_ms)?;
        }
        let start = self.sealed.get(count).unwrap_or(&self.active).base();
        self.advance_log_start(start);
        let segments: Vec<Segment> = self.sealed.drain(..count).collect();
        self.sync.touch_dir();
        for segment in segments {
            info!("deleting segment {} of {} ({reason:?})", segment.base(), self.home.dir.display());
            deleted.push(DeletedSegment {
                base_offset: segment.base(),
                end_offset: segment.end(),
                size_bytes: segment.size(),
                reason,
            });
            self.rename_files(segment.base(), aging_ms).map_err(|error| self.note_failure(error))?;
        }
        Ok(())
    }

    /// The log file goes first: what is left without it is removed at the next start.
    fn rename_files(&mut self, base: Offset, aging_ms: i64) -> Result<(), StorageError> {
        let due_ms = aging_ms.saturating_add(self.config.file_delete_delay_ms);
        self.snapshots.forget(base);
        for suffix in [LOG].into_iter().chain(INDEXES).chain([SNAPSHOT]) {
            let path = self.home.path(base, suffix);
            let target = self.home.path(base, &format!("{suffix}{DELETED}"));
            match self.home.rename(&path, &target) {
                Ok(true) => self.renamed.push(RenamedFile { path: target, due_ms }),
                Ok(false) => {}
                // Deleting is how space comes back: it must not need any.
                Err(StorageError::Full { .. }) => {
                    self.home.remove(&path)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
