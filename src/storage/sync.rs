//! What of a log is not on disk yet, and how it gets there outside the log's lock.
//!
//! Two things are tracked apart. *Log data* and the directory it stands in decide the durable offset. *Side files*
//! (indexes of sealed segments, producer snapshots, the leader epochs) can be derived from the log again; while one is
//! not on disk, the recovery point stays at or below the segment it was derived from, so that a start after a crash
//! derives it again.
//!
//! A few small batches get there faster by way of the directory's [journal](crate::journal): they are durable once that
//! is synced, and *settled* once their own file is. Settled is at most durable, and only what is settled moves the
//! recovery point.

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
use crate::tail::Tail;

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
            self.shared.publish(|synced| synced.settle_log(self.point));
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

/// What an append needs to become durable.
#[derive(Debug)]
pub enum CommitStep {
    /// Nothing: it is.
    None,
    /// Its few bytes may go through the journal.
    Journal(JournalTarget),
    /// A sync of its own file: [`PartitionLog::sync_target`].
    Sync,
}

/// Bytes that are durable once they are in a synced journal. Owned, as [`SyncTarget`] is.
#[derive(Debug)]
pub struct JournalTarget {
    shared: Arc<Shared>,
    point: SyncPoint,
    bytes: Staged,
}

/// Where the bytes are.
#[derive(Debug)]
enum Staged {
    /// At hand since they were written.
    Tail(Vec<u8>),
    /// In the log's own file, and most likely in the page cache.
    File { home: Home, base: Offset, file: Arc<dyn DiskFile>, position: u64, len: usize },
}

impl JournalTarget {
    /// Bytes of whole batches.
    pub(crate) fn len(&self) -> usize {
        match &self.bytes {
            Staged::Tail(bytes) => bytes.len(),
            Staged::File { len, .. } => *len,
        }
    }

    /// Every record below this offset is durable once the journal is.
    pub fn end(&self) -> Offset {
        self.point.end
    }

    /// Appends the bytes to `out`. They were just written; false when they are not in memory any more, and reading them
    /// would keep all others of the round waiting.
    pub(crate) fn read(&self, out: &mut Vec<u8>) -> Result<bool, StorageError> {
        let (home, base, file, position, len) = match &self.bytes {
            Staged::Tail(bytes) => {
                out.extend_from_slice(bytes);
                return Ok(true);
            }
            Staged::File { home, base, file, position, len } => (home, *base, file, *position, *len),
        };
        let before = out.len();
        let read = match file.read_cached(out, position, len) {
            Err(error) if error.kind() == std::io::ErrorKind::Unsupported => file.read_at(out, position, len),
            read => read,
        };
        let count = read.map_err(|error| StorageError::fatal("read", &home.path(base, LOG), error))?;
        if count < len {
            out.truncate(before);
        }
        Ok(count >= len)
    }

    /// To be called once the journal is on disk.
    pub fn is_written(&self) {
        self.shared.publish(|synced| synced.advance_log(self.point));
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
    /// Everything below is on disk in the log's own files.
    settled: Offset,
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
        if self.generation == to.generation && to.end >= self.end {
            (self.end, self.place) = (to.end, to.place);
        }
    }

    fn settle_log(&mut self, to: Self) {
        self.advance_log(to);
        if self.generation == to.generation {
            self.settled = self.settled.max(to.end);
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
    /// Where that is in the active segment, if it is known.
    durable_place: Option<Place>,
    /// What a journal may make durable, or has, without the log's own files: it was staged, or came from there.
    journaled: Offset,
    /// What the journal may take from memory.
    pub(crate) tail: Tail,
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
        shared.publish(|synced| (synced.end, synced.settled) = (durable, durable));
        Self {
            shared: Arc::new(shared),
            generation: 0,
            durable,
            durable_place: None,
            journaled: durable,
            tail: Tail::default(),
            dir_version: 0,
            side_version: 0,
            side_files: Vec::new(),
        }
    }

    pub(crate) fn durable(&self) -> Offset {
        self.durable
    }

    /// Everything below is on disk in the log's own files, and needs no journal.
    pub(crate) fn settled(&self) -> Offset {
        self.shared.synced().settled.min(self.durable)
    }

    /// Notes that a journal is to make everything below `end` durable.
    pub(crate) fn note_journaled(&mut self, end: Offset) {
        self.journaled = self.journaled.max(end);
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
        let settled = self.settled();
        let outstanding = self.side_files.iter().filter(|file| file.version > synced);
        outstanding.filter_map(|file| file.since).min().map_or(settled, |since| since.min(settled))
    }

    /// Moves the durable offset to `end`, as far as a finished sync allows. Answers where it is now, if that is known.
    fn mark_durable(&mut self, end: Offset, log_end: Offset) -> Option<ReadHint> {
        let synced = self.shared.synced();
        self.side_files.retain(|file| file.version > synced.side_version);
        if synced.generation == self.generation {
            self.durable = self.durable.max(end.min(synced.end));
        }
        assert!(self.durable <= log_end, "the durable offset is inside the log");
        let known = synced.generation == self.generation && synced.end == self.durable;
        self.durable_place = synced.place.filter(|_| known);
        let Place { segment, segment_id, position } = self.durable_place?;
        Some(ReadHint { offset: self.durable, segment, segment_id, position })
    }

    /// The log was cut at `end`, and the cut is on disk: nothing that was synced before counts beyond it.
    pub(crate) fn truncated(&mut self, end: Offset) {
        self.generation += 1;
        self.durable = self.durable.min(end);
        self.journaled = self.journaled.min(end);
        self.durable_place = None;
        let (generation, durable) = (self.generation, self.durable);
        self.shared.publish(|synced| {
            synced.generation = generation;
            synced.end = durable;
            synced.settled = durable;
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
        self.sync.tail.forget();
        let (settled, end) = (self.sync.settled(), self.log_end());
        let mut files = Vec::new();
        if settled < end {
            let oldest = self.sealed.partition_point(|segment| segment.end() <= settled);
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
            point: self.sync_point(),
            files,
            sync_dir: self.sync.dir_version > synced.dir_version,
            side_files: side_files.map(|outstanding| outstanding.file.clone()).collect(),
        })
    }

    /// How what was appended becomes durable at the least cost; at most `bytes_max` bytes go through the journal.
    ///
    /// The journal takes what lies in the active segment behind the durable offset, while the names of the directory
    /// and all older segments are on disk.
    pub fn commit_step(&mut self, bytes_max: u64) -> Result<CommitStep, StorageError> {
        self.check_usable()?;
        if self.sync.durable() >= self.log_end() {
            return Ok(CommitStep::None);
        }
        let synced = self.sync.shared.synced();
        let is_here =
            |place: &Place| (place.segment, place.segment_id) == (self.active.base(), self.active.id());
        let Some(Place { position, .. }) = self.sync.durable_place.filter(is_here) else {
            return Ok(CommitStep::Sync);
        };
        let len = self.active.size().saturating_sub(position);
        let names_are_synced = self.sync.dir_version <= synced.dir_version;
        if len > bytes_max || !names_are_synced || self.sync.settled() < self.active.base() {
            return Ok(CommitStep::Sync);
        }
        let (len, base) = (len as usize, self.active.base());
        let bytes = if let Some(bytes) = self.sync.tail.take(self.active.id(), position, len) {
            Staged::Tail(bytes)
        } else {
            let file = self.active.file(&self.home)?;
            Staged::File { home: self.home.clone(), base, file, position, len }
        };
        let target = JournalTarget { shared: Arc::clone(&self.sync.shared), point: self.sync_point(), bytes };
        // From here on, not once it is written: a roll may come in between.
        self.sync.note_journaled(target.end());
        Ok(CommitStep::Journal(target))
    }

    fn sync_point(&self) -> SyncPoint {
        SyncPoint {
            generation: self.sync.generation,
            end: self.log_end(),
            place: Some(Place {
                segment: self.active.base(),
                segment_id: self.active.id(),
                position: self.active.size(),
            }),
            settled: Offset::ZERO,
            dir_version: self.sync.dir_version,
            side_version: self.sync.side_version,
        }
    }

    /// Everything below this offset is on disk in the log's own files: the journal is not needed for it.
    pub fn settled_offset(&self) -> Offset {
        self.sync.settled()
    }

    /// Syncs the active segment where the journal is ahead of it, or is about to be. Needed before another segment begins: should a power cut
    /// take the end of the one and leave the other, a start might take the gap for one that compaction has left.
    pub(crate) fn settle_before_roll(&mut self) -> Result<(), StorageError> {
        if self.sync.settled() >= self.sync.durable().max(self.sync.journaled) {
            return Ok(());
        }
        let path = self.home.path(self.active.base(), LOG);
        let synced = self.active.file(&self.home)?.sync_data();
        synced.map_err(|error| StorageError::fatal("sync", &path, error))
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
