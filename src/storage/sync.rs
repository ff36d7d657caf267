//! What of a log is not on disk yet, and how it gets there outside the log's lock.
//!
//! Two things are tracked apart. *Log data* and the directory it stands in decide the durable offset. *Side files*
//! (indexes of sealed segments, producer snapshots, the leader epochs) can be derived from the log again; while one is
//! not on disk, the recovery point stays at or below the segment it was derived from, so that a start after a crash
//! derives it again.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use model::Offset;
use tracing::{error, warn};

use crate::checkpoints;
use crate::disk::{DiskFile, OpenMode};
use crate::error::StorageError;
use crate::names::{Home, LOG};
use crate::partition_log::PartitionLog;
use crate::read_plan::ReadHint;

/// Everything that must reach the disk before [`SyncTarget::end`] may be called durable. Owned: [`SyncTarget::sync`]
/// runs without the log's lock, and appends go on meanwhile.
#[derive(Debug)]
pub struct SyncTarget {
    home: Home,
    shared: Arc<Shared>,
    point: SyncPoint,
    /// Oldest first: should the machine stop in between, what is on disk has no hole.
    files: Vec<(Offset, Arc<dyn DiskFile>)>,
    sync_dir: bool,
    side_files: Vec<SideFile>,
}

impl SyncTarget {
    /// Every record below this offset is on disk once [`SyncTarget::sync`] has succeeded.
    pub fn end(&self) -> Offset {
        self.point.end
    }

    /// Whether everything was on disk already, so that a sync costs nothing.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && !self.sync_dir && self.side_files.is_empty()
    }

    /// Writes to disk what was in the log when this was taken. Blocks for as long as the disk takes.
    ///
    /// An error is final unless it is passing: the system may have thrown the unsynced bytes away, so that another try would succeed
    /// without them. The log refuses everything from then on.
    pub fn sync(&self) -> Result<(), StorageError> {
        if self.shared.has_failed() {
            return Err(StorageError::Failed { path: self.home.dir.to_path_buf() });
        }
        let result = self.sync_log().and_then(|()| {
            self.shared.publish(|synced| synced.advance_log(self.point));
            self.sync_side_files()
        });
        result.inspect_err(|error| {
            if !error.is_passing() {
                self.shared.fail(error);
            }
        })
    }

    fn sync_log(&self) -> Result<(), StorageError> {
        for (base, file) in &self.files {
            file.sync_data()
                .map_err(|error| StorageError::fatal("sync", &self.home.path(*base, LOG), error))?;
        }
        if self.sync_dir { self.home.sync_dir() } else { Ok(()) }
    }

    fn sync_side_files(&self) -> Result<(), StorageError> {
        // One at a time, and never an older state over a newer one: a slower sync may have begun earlier.
        let mut newest = self.shared.side_files.lock().unwrap_or_else(PoisonError::into_inner);
        if *newest > self.point.side_version {
            return Ok(());
        }
        *newest = self.point.side_version;
        for file in &self.side_files {
            match file.sync(&self.home) {
                Ok(()) => {}
                Err(error) if error.is_passing() => {
                    // Not lost: the recovery point waits, and the next sync tries again.
                    warn!("{error}; trying again later");
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        self.shared.publish(|synced| synced.advance_side_files(self.point));
        Ok(())
    }
}

/// A file beside the log data.
#[derive(Clone, Debug)]
pub(crate) enum SideFile {
    /// Written already; only its sync is outstanding. It may be gone by then.
    Written(PathBuf),
    /// To be replaced by this text.
    Replace(PathBuf, String),
}

impl SideFile {
    fn sync(&self, home: &Home) -> Result<(), StorageError> {
        match self {
            Self::Written(path) => {
                let file = match home.disk.open(path, OpenMode::Write) {
                    Ok(file) => file,
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
                    Err(error) => return Err(StorageError::fatal("open", path, error)),
                };
                file.sync_data().map_err(|error| StorageError::fatal("sync", path, error))
            }
            Self::Replace(path, text) => match checkpoints::replace(&*home.disk, path, text.as_bytes()) {
                // The whole directory has been renamed for deletion.
                Err(StorageError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                    Ok(())
                }
                result => result,
            },
        }
    }

    fn path(&self) -> &PathBuf {
        match self {
            Self::Written(path) | Self::Replace(path, _) => path,
        }
    }
}

/// A moment of the log: what a sync that began then covers.
#[derive(Clone, Copy, Debug, Default)]
struct SyncPoint {
    /// Counts truncations: what was synced before one says nothing about what was written after it.
    generation: u64,
    end: Offset,
    /// Segment and position of `end`, where known: readers up to the durable offset need not look them up.
    place: Option<Place>,
    /// Counts changes of names in the directory.
    dir_version: u64,
    /// Counts side files.
    side_version: u64,
}

/// A position in a segment.
#[derive(Clone, Copy, Debug)]
struct Place {
    segment: Offset,
    segment_id: u64,
    position: u64,
}

impl SyncPoint {
    fn advance_log(&mut self, to: Self) {
        if self.generation == to.generation && to.end > self.end {
            (self.end, self.place) = (to.end, to.place);
        }
        self.dir_version = self.dir_version.max(to.dir_version);
    }

    fn advance_side_files(&mut self, to: Self) {
        self.side_version = self.side_version.max(to.side_version);
    }
}

/// What the log and its sync targets share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    failed: AtomicBool,
    /// A leaf lock, held for a few instructions.
    synced: Mutex<SyncPoint>,
    /// Version of the newest side files that a sync has begun to write; held while it does.
    side_files: Mutex<u64>,
}

impl Shared {
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    pub(crate) fn fail(&self, error: &StorageError) {
        if !self.failed.swap(true, Ordering::AcqRel) {
            error!("the log has failed: {error}");
        }
    }

    fn publish(&self, advance: impl FnOnce(&mut SyncPoint)) {
        advance(&mut self.synced.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn synced(&self) -> SyncPoint {
        *self.synced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a log still has to sync.
#[derive(Debug)]
pub(crate) struct SyncState {
    pub(crate) shared: Arc<Shared>,
    generation: u64,
    /// Everything below is on disk. Never beyond the log's end.
    durable: Offset,
    dir_version: u64,
    side_version: u64,
    side_files: Vec<Outstanding>,
}

#[derive(Debug)]
struct Outstanding {
    version: u64,
    /// Base of the oldest segment that this file was derived from.
    since: Option<Offset>,
    file: SideFile,
}

impl SyncState {
    pub(crate) fn new(durable: Offset) -> Self {
        let shared = Shared::default();
        shared.publish(|synced| synced.end = durable);
        Self {
            shared: Arc::new(shared),
            generation: 0,
            durable,
            dir_version: 0,
            side_version: 0,
            side_files: Vec::new(),
        }
    }

    pub(crate) fn durable(&self) -> Offset {
        self.durable
    }

    /// Notes that names in the directory have changed.
    pub(crate) fn touch_dir(&mut self) {
        self.dir_version += 1;
    }

    /// Notes a side file; `since` is the base of the segment that a start would derive it from again, where it must.
    pub(crate) fn touch(&mut self, file: SideFile, since: Option<Offset>) {
        self.side_version += 1;
        let mut since = since;
        self.side_files.retain(|outstanding| {
            let same = outstanding.file.path() == file.path();
            if same {
                since = [since, outstanding.since].into_iter().flatten().min();
            }
            !same
        });
        self.side_files.push(Outstanding { version: self.side_version, since, file });
    }

    /// The largest offset that recovery may begin at, given what is outstanding.
    pub(crate) fn recovery_point(&self) -> Offset {
        let synced = self.shared.synced().side_version;
        let outstanding = self.side_files.iter().filter(|file| file.version > synced);
        outstanding.filter_map(|file| file.since).min().map_or(self.durable, |since| since.min(self.durable))
    }

    /// Moves the durable offset to `end`, as far as a finished sync allows. Answers where it is now, if that is known.
    fn mark_durable(&mut self, end: Offset, log_end: Offset) -> Option<ReadHint> {
        let synced = self.shared.synced();
        self.side_files.retain(|file| file.version > synced.side_version);
        if synced.generation == self.generation {
            self.durable = self.durable.max(end.min(synced.end));
        }
        assert!(self.durable <= log_end, "the durable offset is inside the log");
        let Place { segment, segment_id, position } = synced.place?;
        let known = synced.generation == self.generation && synced.end == self.durable;
        known.then_some(ReadHint { offset: self.durable, segment, segment_id, position })
    }

    /// The log was cut at `end`, and the cut is on disk: nothing that was synced before counts beyond it.
    pub(crate) fn truncated(&mut self, end: Offset) {
        self.generation += 1;
        self.durable = self.durable.min(end);
        let (generation, durable) = (self.generation, self.durable);
        self.shared.publish(|synced| {
            synced.generation = generation;
            synced.end = durable;
            synced.place = None;
        });
    }

    /// The log was emptied and begins again at `start`.
    pub(crate) fn restarted(&mut self, start: Offset) {
        self.durable = start;
        self.truncated(start);
    }
}

impl PartitionLog {
    /// What a sync must write now. Cheap: the files are shared, not opened or read.
    pub fn sync_target(&mut self) -> Result<SyncTarget, StorageError> {
        self.check_usable()?;
        let (durable, end) = (self.sync.durable(), self.log_end());
        let mut files = Vec::new();
        if durable < end {
            let oldest = self.sealed.partition_point(|segment| segment.end() <= durable);
            for segment in self.sealed.iter_mut().skip(oldest) {
                files.push((segment.base(), segment.file(&self.home)?));
            }
            files.push((self.active.base(), self.active.file(&self.home)?));
        }
        let synced = self.sync.shared.synced();
        let side_files = self.sync.side_files.iter().filter(|file| file.version > synced.side_version);
        Ok(SyncTarget {
            home: self.home.clone(),
            shared: Arc::clone(&self.sync.shared),
            point: SyncPoint {
                generation: self.sync.generation,
                end,
                place: Some(Place {
                    segment: self.active.base(),
                    segment_id: self.active.id(),
                    position: self.active.size(),
                }),
                dir_version: self.sync.dir_version,
                side_version: self.sync.side_version,
            },
            files,
            sync_dir: self.sync.dir_version > synced.dir_version,
            side_files: side_files.map(|outstanding| outstanding.file.clone()).collect(),
        })
    }

    /// Everything below this offset is on disk: `log_start <= durable <= log_end`, except that a log start beyond the
    /// durable offset pulls it along.
    pub fn durable_offset(&self) -> Offset {
        self.sync.durable()
    }

    /// Moves the durable offset to `end`, once [`SyncTarget::sync`] has succeeded for it. It never moves beyond what
    /// was really synced, nor back.
    pub fn mark_durable(&mut self, end: Offset) {
        let log_end = self.log_end();
        if let Some(bound) = self.sync.mark_durable(end, log_end) {
            self.bounds.durable = Some(bound);
        }
    }

    /// What the recovery point checkpoint may say: after a crash, only segments that reach beyond it are scanned.
    pub fn recovery_point(&self) -> Offset {
        self.sync.recovery_point()
    }

    /// Records that are not known to be on disk (`flush.messages` compares with it).
    pub fn unsynced_records(&self) -> i64 {
        self.log_end().value() - self.sync.durable().value()
    }

    /// Whether a write or a sync has failed: nothing may be acknowledged any more.
    pub fn has_failed(&self) -> bool {
        self.sync.shared.has_failed()
    }

    pub(crate) fn check_usable(&self) -> Result<(), StorageError> {
        if self.has_failed() {
            return Err(StorageError::Failed { path: self.home.dir.to_path_buf() });
        }
        Ok(())
    }

    /// Passes an error on, and ends the log's life when it is not a full disk.
    pub(crate) fn note_failure(&self, error: StorageError) -> StorageError {
        if !error.is_passing() {
            self.sync.shared.fail(&error);
        }
        error
    }
}

#[cfg(test)]
#[path = "sync_tests.rs"]
mod tests;
