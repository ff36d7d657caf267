//! One log directory of this node: its files, its sync threads, and what was found in it at the start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use model::topic_name::CLUSTER_METADATA;
use model::{Clock, Offset, TopicId};
use parking_lot::{Mutex, MutexGuard, RwLock};
use storage::disk::Space;
use storage::names::{delete_dir, partition_dir};
use storage::{Disk, LogConfig, LogDir, MetaProperties, Opening, PartitionDir, PartitionLog, StorageError};
use uuid::Uuid;

use super::committer::Committer;
use crate::context::Fatal;

/// A log directory that this node owns. Its locks are leaves: `log_dir` is written only to format the directory.
#[derive(Debug)]
pub struct HostDir {
    path: PathBuf,
    disk: Arc<dyn Disk>,
    log_dir: RwLock<LogDir>,
    pub(super) committer: Arc<Committer>,
    /// Whether the last owner closed all logs.
    was_clean: bool,
    /// Partitions on disk that no topic has claimed yet.
    found: Mutex<BTreeMap<(String, i32), PartitionDir>>,
    /// Partitions that are served from here.
    served: AtomicUsize,
    /// Whether a log here could not be opened: then the next start must not trust any.
    offline: AtomicBool,
    /// Held while a checkpoint is put together and written, and while partitions come and go: a checkpoint must
    /// not say of a new partition what was true of the one before it.
    steady: Mutex<()>,
}

impl HostDir {
    /// Takes possession of the directory. Nothing in it is opened yet.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        clock: Clock,
        fatal: Fatal,
    ) -> Result<Self, StorageError> {
        let log_dir = LogDir::open(Arc::clone(&disk), path)?;
        let was_clean = log_dir.take_clean_marker()?.clean;
        let found = log_dir.partitions()?.into_iter();
        let found = found
            .filter(|dir| dir.topic != CLUSTER_METADATA)
            .map(|dir| ((dir.topic.clone(), dir.partition), dir));
        Ok(Self {
            found: Mutex::new(found.collect()),
            path: path.to_owned(),
            disk,
            log_dir: RwLock::new(log_dir),
            committer: Committer::new(path.to_owned(), clock, fatal),
            was_clean,
            served: AtomicUsize::new(0),
            offline: AtomicBool::new(false),
            steady: Mutex::new(()),
        })
    }

    /// The directory, as configured.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory as tools are shown it.
    pub fn absolute_path(&self) -> String {
        std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone()).display().to_string()
    }

    /// Space of the file system that it lies on.
    pub fn space(&self) -> Result<Space, StorageError> {
        self.with(LogDir::space)
    }

    /// The disk it lies on.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Whose directory it is; `None` while it is not formatted.
    pub fn meta(&self) -> Option<MetaProperties> {
        self.log_dir.read().meta().cloned()
    }

    /// Gives the directory its identity.
    pub fn format(&self, meta: MetaProperties) -> Result<(), StorageError> {
        self.log_dir.write().format(meta)
    }

    /// Runs `act` on the directory's files.
    pub(super) fn with<R>(&self, act: impl FnOnce(&LogDir) -> R) -> R {
        act(&self.log_dir.read())
    }

    /// Keeps partitions from coming and going while a checkpoint is written.
    pub(super) fn steady(&self) -> MutexGuard<'_, ()> {
        self.steady.lock()
    }

    pub(super) fn has_offline(&self) -> bool {
        self.offline.load(Ordering::Acquire)
    }

    pub(super) fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }

    pub(super) fn left(&self) {
        self.served.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether a directory of this partition is waiting to be claimed.
    pub(super) fn has_found(&self, topic: &str, partition: i32) -> bool {
        self.found.lock().contains_key(&(topic.to_owned(), partition))
    }

    /// Opens the log of a partition: the one that was found, if it is this topic's, or a new one.
    pub(super) fn open_log(
        &self,
        topic: &str,
        id: TopicId,
        partition: i32,
        config: LogConfig,
        now_ms: i64,
    ) -> Result<PartitionLog, StorageError> {
        let found = self.found.lock().remove(&(topic.to_owned(), partition));
        let claimed = match found {
            // Logs older than topic ids say nothing of theirs.
            Some(dir) if dir.topic_id.is_none_or(|found| found == id) => Some(dir),
            Some(dir) => {
                self.set_aside(&dir)?;
                None
            }
            None => None,
        };
        let opened = match claimed {
            Some(dir) => self.open_found(&dir, config, now_ms),
            None => self.create_log(topic, id, partition, config, now_ms),
        };
        let log = opened.inspect_err(|_| self.offline.store(true, Ordering::Release))?;
        self.served.fetch_add(1, Ordering::Relaxed);
        Ok(log)
    }

    fn create_log(
        &self,
        topic: &str,
        id: TopicId,
        partition: i32,
        config: LogConfig,
        now_ms: i64,
    ) -> Result<PartitionLog, StorageError> {
        let _steady = self.steady();
        let path = self.with(|log_dir| log_dir.create_partition(topic, partition, id))?;
        let opening = Opening { clean: true, ..Opening::unknown(now_ms) };
        Ok(PartitionLog::open(Arc::clone(&self.disk), &path, config, opening)?.0)
    }

    /// Takes a partition out of the directory, durably; answers where it waits for its removal.
    pub(super) fn delete(&self, topic: &str, partition: i32) -> Result<PathBuf, StorageError> {
        let _steady = self.steady();
        self.with(|log_dir| log_dir.delete_partition(topic, partition, Uuid::new_v4()))
    }

    fn open_found(
        &self,
        dir: &PartitionDir,
        config: LogConfig,
        now_ms: i64,
    ) -> Result<PartitionLog, StorageError> {
        let key = (dir.topic.clone(), dir.partition);
        let (recovery_points, log_starts) =
            self.with(|log_dir| (log_dir.recovery_points(), log_dir.log_starts()));
        let opening = Opening {
            recovery_point: recovery_points.get(&key).copied().unwrap_or(Offset::ZERO),
            log_start: log_starts.get(&key).copied().unwrap_or(Offset::ZERO),
            clean: self.was_clean,
            repair: false,
            now_ms,
        };
        let (log, recovery) = PartitionLog::open(Arc::clone(&self.disk), &dir.path, config, opening)?;
        tracing::debug!("Opened {}: {recovery:?}", dir.path.display());
        Ok(log)
    }

    /// Sets aside everything that no topic has claimed.
    pub(super) fn set_strays_aside(&self) -> Result<(), StorageError> {
        let strays = std::mem::take(&mut *self.found.lock());
        strays.values().try_for_each(|dir| self.set_aside(dir))
    }

    /// Renames a directory that belongs to no topic of this cluster, as Kafka does: its data is kept, and not
    /// served.
    fn set_aside(&self, dir: &PartitionDir) -> Result<(), StorageError> {
        let name = delete_dir(&dir.topic, dir.partition, Uuid::new_v4());
        let stem = name.strip_suffix("-delete").unwrap_or(&name);
        let target = self.path.join(format!("{stem}-stray"));
        let io = |operation, source| StorageError::Io { operation, path: dir.path.clone(), source };
        self.disk.rename(&dir.path, &target).map_err(|error| io("rename", error))?;
        self.disk.sync_dir(&self.path).map_err(|error| io("sync the parent of", error))?;
        tracing::warn!(
            "{} belongs to no topic of this cluster (its topic id is {}): kept as {}, not served",
            dir.path.display(),
            dir.topic_id.map_or("unknown".to_owned(), |id| id.to_string()),
            target.display()
        );
        Ok(())
    }

    /// Whether a directory of this name exists here.
    pub(super) fn has_dir(&self, topic: &str, partition: i32) -> bool {
        let path = self.path.join(partition_dir(topic, partition));
        matches!(self.disk.metadata(&path), Ok(Some(_)))
    }
}
