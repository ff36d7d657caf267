//! One log directory of this node: its files, its sync threads, and what was found in it at the start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use model::topic_name::CLUSTER_METADATA;
use model::{Clock, TopicId};
use parking_lot::{Mutex, MutexGuard, RwLock};
use storage::disk::Space;
use storage::names::{delete_dir, partition_dir};
use storage::{
    Disk, Journal, Journaled, LogConfig, LogDir, MetaProperties, Opening, PartitionDir, PartitionLog,
    StorageError,
};
use uuid::Uuid;

use super::committer::Committer;
use super::health::Health;
use super::reserve::Reserve;
use super::watched_disk::WatchedDisk;
use crate::context::Fatal;

/// A log directory that this node owns. Its locks are leaves: `log_dir` is written only to format the directory.
#[derive(Debug)]
pub struct HostDir {
    path: PathBuf,
    disk: Arc<dyn Disk>,
    reserve: Reserve,
    log_dir: RwLock<LogDir>,
    health: Arc<Health>,
    /// Whether its partitions were taken offline after a failure.
    is_left: AtomicBool,
    pub(super) committer: Arc<Committer>,
    /// Whether the last owner closed all logs.
    was_clean: bool,
    /// Partitions on disk that no topic has claimed yet.
    found: Mutex<BTreeMap<(String, i32), PartitionDir>>,
    /// What the logs' own files may lack since an unclean end.
    journaled: Mutex<Journaled>,
    /// Partitions that are served from here.
    served: AtomicUsize,
    /// Whether a log here could not be opened or closed: then the next start must not trust any.
    offline: AtomicBool,
    clock: Clock,
    complaints: Mutex<Complaints>,
    /// Held while a checkpoint is put together and written, and while partitions come and go: a checkpoint must
    /// not say of a new partition what was true of the one before it.
    steady: Mutex<()>,
}

/// What was said last, and how often it was not.
#[derive(Debug, Default)]
struct Complaints {
    next: Option<Duration>,
    left_out: u64,
}

const COMPLAINT_INTERVAL: Duration = Duration::from_secs(10);

/// A directory as tools are shown it.
pub fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

impl HostDir {
    /// Takes possession of the directory. Nothing in it is opened yet.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        clock: Clock,
        health: Arc<Health>,
        fatal: Fatal,
    ) -> Result<Self, StorageError> {
        let disk = WatchedDisk::shared(disk, Arc::clone(&health));
        let log_dir = LogDir::open(Arc::clone(&disk), path)?;
        let reserve = Reserve::new(Arc::clone(&disk), path);
        reserve.release_if_full().map_err(|source| StorageError::Io {
            operation: "use the reserve of",
            path: path.to_owned(),
            source,
        })?;
        let was_clean = log_dir.take_clean_marker()?.clean;
        let journaled = if was_clean { Journaled::new() } else { Journal::read(&*disk, path)? };
        let found = log_dir.partitions()?.into_iter();
        let found = found
            .filter(|dir| dir.topic != CLUSTER_METADATA)
            .map(|dir| ((dir.topic.clone(), dir.partition), dir));
        Ok(Self {
            found: Mutex::new(found.collect()),
            journaled: Mutex::new(journaled),
            path: path.to_owned(),
            disk,
            reserve,
            log_dir: RwLock::new(log_dir),
            committer: Committer::new(path.to_owned(), clock.clone(), Arc::clone(&health), fatal),
            health,
            is_left: AtomicBool::new(false),
            clock,
            complaints: Mutex::default(),
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
        absolute(&self.path)
    }

    /// Space of the file system that it lies on.
    pub fn space(&self) -> Result<Space, StorageError> {
        if self.has_failed() {
            return Err(StorageError::Failed { path: self.path.clone() });
        }
        self.with(LogDir::space)
    }

    /// Its id (KIP-858); `None` while it is not formatted.
    pub fn id(&self) -> Option<Uuid> {
        self.meta()?.directory_id
    }

    /// Whether a write or a sync has failed here, or the disk could not be read: nothing is acknowledged, read or written any more until the next start.
    pub fn has_failed(&self) -> bool {
        self.health.has_failed()
    }

    /// Gives the directory up. Ends the node where that cannot go on without it.
    pub(super) fn fail(&self, what: &str) {
        self.health.fail(what);
    }

    /// Gives the directory up, unless the error passes.
    pub(super) fn note(&self, error: &StorageError) {
        if !error.is_passing() {
            self.fail(&error.to_string());
        }
    }

    /// Whether it has failed and its partitions are to be taken offline; true once.
    pub(super) fn is_to_be_left(&self) -> bool {
        self.has_failed() && !self.is_left.swap(true, Ordering::AcqRel)
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

    /// Keeps space for a start on a full disk, as far as there is some.
    pub(super) fn refill_reserve(&self) {
        if self.has_failed() {
            return;
        }
        if let Err(error) = self.reserve.refill() {
            tracing::warn!("{} has no reserve for a start on a full disk: {error}", self.path.display());
        }
    }

    /// Runs `act` on the directory's files.
    pub(super) fn with<R>(&self, act: impl FnOnce(&LogDir) -> R) -> R {
        act(&self.log_dir.read())
    }

    /// Keeps partitions from coming and going while a checkpoint is written.
    pub(super) fn steady(&self) -> MutexGuard<'_, ()> {
        self.steady.lock()
    }

    /// Says what every producer of this directory meets, such as a full disk, now and then; `say` is told how often
    /// it was not said since.
    pub(super) fn complain(&self, say: impl FnOnce(u64)) {
        let now = self.clock.monotonic();
        let mut complaints = self.complaints.lock();
        if complaints.next.is_some_and(|next| now < next) {
            complaints.left_out += 1;
            return;
        }
        complaints.next = Some(now + COMPLAINT_INTERVAL);
        let left_out = std::mem::take(&mut complaints.left_out);
        drop(complaints);
        say(left_out);
    }

    /// Whether the last owner closed all logs.
    pub fn was_clean(&self) -> bool {
        self.was_clean
    }

    /// Keeps the directory from being called closed: a log in it was not, and the next start must not trust it.
    pub fn doubt(&self) {
        self.offline.store(true, Ordering::Release);
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

    /// Whether a directory of this partition is waiting to be claimed that says that it is of this topic; of a creation that
    /// was cut short it says `None`.
    pub(super) fn has_found_of(&self, topic: &str, partition: i32, id: Option<TopicId>) -> bool {
        self.found.lock().get(&(topic.to_owned(), partition)).is_some_and(|dir| dir.topic_id == id)
    }

    /// Takes what was found of a partition, if it is this topic's; another's is set aside. `None` says that the
    /// partition is to be made.
    ///
    /// Without `partition.metadata` a directory is what is left of a creation that was cut short: nothing in it was
    /// ever acknowledged. An empty one is finished by making it again; one with records is nobody's, as in Kafka
    /// (`LogManager.isStrayKraftReplica`).
    pub(super) fn claim(
        &self,
        topic: &str,
        id: TopicId,
        partition: i32,
    ) -> Result<Option<PartitionDir>, StorageError> {
        let Some(dir) = self.found.lock().remove(&(topic.to_owned(), partition)) else { return Ok(None) };
        match dir.topic_id {
            Some(found) if found == id => return Ok(Some(dir)),
            None if !self.holds_records(&dir.path)? => {}
            _ => self.set_aside(&dir)?,
        }
        Ok(None)
    }

    /// Makes the checkpoints forget partitions that are about to be made, all at once.
    pub(super) fn forget(&self, partitions: &[(String, i32)]) -> Result<(), StorageError> {
        let _steady = self.steady();
        self.with(|log_dir| log_dir.forget_partitions(partitions))
    }

    /// Opens the log that was claimed, or makes one; the name of one that was made is durable after
    /// [`Self::sync`].
    pub(super) fn open_log(
        &self,
        key: &(String, i32),
        id: TopicId,
        claimed: Option<&PartitionDir>,
        config: LogConfig,
        aging_ms: i64,
    ) -> Result<PartitionLog, StorageError> {
        let mut log = match claimed {
            // Nothing vouches for a log that nobody has looked at.
            Some(dir) => self.open_found(dir, config, aging_ms).inspect_err(|_| self.doubt())?,
            None => self.create_log(key, id, config, aging_ms)?,
        };
        // Most partitions of a large node are idle: files are open while they are used.
        log.release_files();
        self.served.fetch_add(1, Ordering::Relaxed);
        Ok(log)
    }

    fn create_log(
        &self,
        key: &(String, i32),
        id: TopicId,
        config: LogConfig,
        aging_ms: i64,
    ) -> Result<PartitionLog, StorageError> {
        // Usually forgotten already, together with the others.
        self.forget(std::slice::from_ref(key))?;
        let path = self.with(|log_dir| log_dir.make_partition(&key.0, key.1, id))?;
        let opening = Opening { clean: true, ..Opening::unknown(aging_ms) };
        Ok(PartitionLog::open(Arc::clone(&self.disk), &path, config, opening)?.0)
    }

    /// Makes the names of the partitions durable.
    pub(super) fn sync(&self) -> Result<(), StorageError> {
        self.with(LogDir::sync)
    }

    /// Takes partitions out of the directory, durably; answers where each waits for its removal, unless it is gone
    /// already.
    pub(super) fn delete(&self, partitions: &[(String, i32)]) -> Result<Vec<Option<PathBuf>>, StorageError> {
        let _steady = self.steady();
        self.with(|log_dir| {
            let mark = |(topic, partition): &(String, i32)| {
                match log_dir.mark_deleted(topic, *partition, Uuid::new_v4()) {
                    // A longer name can need space, and deleting is how space comes back.
                    Err(StorageError::Full { .. }) => {
                        log_dir.remove_partition(topic, *partition).map(|()| None)
                    }
                    marked => marked.map(Some),
                }
            };
            let marked = partitions.iter().map(mark).collect::<Result<Vec<_>, _>>()?;
            log_dir.sync()?;
            log_dir.forget_deleted(partitions)?;
            Ok(marked)
        })
    }

    fn open_found(
        &self,
        dir: &PartitionDir,
        config: LogConfig,
        aging_ms: i64,
    ) -> Result<PartitionLog, StorageError> {
        let key = (dir.topic.clone(), dir.partition);
        // Only this one's: a copy of all for each of many partitions would take longer than to open them.
        let (recovery_point, log_start) = self.with(|log_dir| log_dir.recovery_point_and_start(&key));
        let opening = Opening { recovery_point, log_start, clean: self.was_clean, repair: false, aging_ms };
        let (mut log, recovery) = PartitionLog::open(Arc::clone(&self.disk), &dir.path, config, opening)?;
        tracing::debug!("Opened {}: {recovery:?}", dir.path.display());
        if let Some(key) = dir.topic_id.map(|id| (id, dir.partition)) {
            let journaled = self.journaled.lock().get(&key).cloned();
            if let Some(journaled) = journaled {
                log.replay(&journaled, aging_ms)?;
                // Not before: a log that lacks space for it is opened once more.
                self.journaled.lock().remove(&key);
            }
        }
        Ok(log)
    }

    /// Sets aside everything that no topic has claimed.
    pub(super) fn set_strays_aside(&self) -> Result<(), StorageError> {
        let strays = std::mem::take(&mut *self.found.lock());
        strays.values().try_for_each(|dir| self.set_aside(dir))
    }

    /// Begins a journal, now that every log has what the last one held. Where a log could not be opened that one is
    /// kept, and every log syncs its own files.
    pub(super) fn begin_journal(&self) -> Result<(), StorageError> {
        if self.has_offline() {
            tracing::warn!("{} goes without a journal: a log in it is offline", self.path.display());
            return Ok(());
        }
        self.remove_journal()?;
        self.journaled.lock().clear();
        let life = Uuid::new_v4().as_u128() as u32;
        self.committer.open_journal(Journal::new(Arc::clone(&self.disk), &self.path, life));
        Ok(())
    }

    /// Removes the journal, once every log's own files are on disk.
    pub(super) fn remove_journal(&self) -> Result<(), StorageError> {
        Journal::remove(&*self.disk, &self.path)
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

    fn holds_records(&self, dir: &Path) -> Result<bool, StorageError> {
        let failed = |source| StorageError::Io { operation: "look at", path: dir.to_owned(), source };
        for entry in self.disk.list(dir).map_err(failed)? {
            let is_segment = Path::new(&entry.name).extension().is_some_and(|ending| ending == "log");
            let found = if is_segment { self.disk.metadata(&dir.join(&entry.name)) } else { Ok(None) };
            if found.map_err(failed)?.is_some_and(|found| found.len > 0) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a directory of this name exists here.
    pub(super) fn has_dir(&self, topic: &str, partition: i32) -> bool {
        let path = self.path.join(partition_dir(topic, partition));
        matches!(self.disk.metadata(&path), Ok(Some(_)))
    }
}
