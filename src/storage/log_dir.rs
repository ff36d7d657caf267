//! A log directory: one owner, many partitions (`kafka.log.LogManager`).
//!
//! ```text
//! .lock                              taken for as long as the broker runs
//! meta.properties                    whose directory this is
//! .kafka_cleanshutdown               all logs were closed; only there while the broker does not run
//! recovery-point-offset-checkpoint   below these offsets everything is on disk
//! replication-offset-checkpoint      high watermarks
//! log-start-offset-checkpoint        first offsets that may be read
//! cleaner-offset-checkpoint          how far compaction has come
//! topic-partition/                   a log
//! topic-partition.uuid-delete/       a log that waits for its removal
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{Offset, TopicId};
use serde_json::{Value, json};
use tracing::{info, warn};
use uuid::Uuid;

use crate::checkpoints::{self, PartitionOffsets};
use crate::disk::{DirLock, Disk, Space};
use crate::error::StorageError;
use crate::meta_properties::MetaProperties;
use crate::names::{DirName, PARTITION_METADATA, delete_dir, parse_dir, partition_dir};

/// An open log directory. Its methods may be called from several threads.
#[derive(Debug)]
pub struct LogDir {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    meta: Option<MetaProperties>,
    recovery_points: Checkpoint,
    high_watermarks: Checkpoint,
    log_starts: Checkpoint,
    cleaner_offsets: Checkpoint,
    _lock: DirLock,
}

/// A partition's directory as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionDir {
    /// Its topic.
    pub topic: String,
    /// Its number.
    pub partition: i32,
    /// The directory.
    pub path: PathBuf,
    /// What `partition.metadata` says; older logs have none.
    pub topic_id: Option<TopicId>,
}

/// How the last owner of a log directory ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastEnd {
    /// All logs were closed.
    pub clean: bool,
    /// Epoch of the broker that closed them (KIP-966).
    pub broker_epoch: Option<i64>,
}

const LOCK: &str = ".lock";
const CLEAN_MARKER: &str = ".kafka_cleanshutdown";
const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
const LOG_STARTS: &str = "log-start-offset-checkpoint";
const CLEANER_OFFSETS: &str = "cleaner-offset-checkpoint";

impl LogDir {
    /// Takes possession of a directory, making it and its parents when they are missing.
    pub fn open(disk: Arc<dyn Disk>, path: &Path) -> Result<Self, StorageError> {
        create_dirs(&*disk, path)?;
        let lock_path = path.join(LOCK);
        let lock = disk.lock(&lock_path).map_err(|error| StorageError::io("lock", &lock_path, error))?;
        let Some(lock) = lock else { return Err(StorageError::Locked { path: lock_path }) };
        Ok(Self {
            meta: MetaProperties::read(&*disk, path)?,
            recovery_points: Checkpoint::read(&*disk, path.join(RECOVERY_POINTS))?,
            high_watermarks: Checkpoint::read(&*disk, path.join(HIGH_WATERMARKS))?,
            log_starts: Checkpoint::read(&*disk, path.join(LOG_STARTS))?,
            cleaner_offsets: Checkpoint::read(&*disk, path.join(CLEANER_OFFSETS))?,
            path: path.to_owned(),
            disk,
            _lock: lock,
        })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The disk it lies on.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Whose directory this is; `None` while it is not formatted.
    pub fn meta(&self) -> Option<&MetaProperties> {
        self.meta.as_ref()
    }

    /// Gives the directory its identity, or another one.
    pub fn format(&mut self, meta: MetaProperties) -> Result<(), StorageError> {
        meta.write(&*self.disk, &self.path)?;
        self.meta = Some(meta);
        Ok(())
    }

    /// Says how the last owner ended, and takes the mark of a clean end away: durably, before anything can be
    /// appended, so that it cannot come back after a power cut and hide what that one tore.
    pub fn take_clean_marker(&self) -> Result<LastEnd, StorageError> {
        let path = self.path.join(CLEAN_MARKER);
        let Some(bytes) = checkpoints::read(&*self.disk, &path)? else {
            return Ok(LastEnd { clean: false, broker_epoch: None });
        };
        let content: Option<Value> = serde_json::from_slice(&bytes).ok();
        let broker_epoch = content.and_then(|content| content.get("brokerEpoch")?.as_i64());
        self.disk.remove_file(&path).map_err(|error| StorageError::fatal("remove", &path, error))?;
        self.sync()?;
        Ok(LastEnd { clean: true, broker_epoch })
    }

    /// Whether the mark of a clean end is there; it is left where it is.
    pub fn is_marked_clean(disk: &dyn Disk, path: &Path) -> Result<bool, StorageError> {
        Ok(checkpoints::read(disk, &path.join(CLEAN_MARKER))?.is_some())
    }

    /// Marks a clean end. To be called last: after every log was closed and every checkpoint written.
    pub fn write_clean_marker(&self, broker_epoch: i64) -> Result<(), StorageError> {
        let content = json!({ "version": 0, "brokerEpoch": broker_epoch }).to_string();
        checkpoints::replace(&*self.disk, &self.path.join(CLEAN_MARKER), content.as_bytes())
    }

    /// The partitions in the directory, by topic and number. Directories with other names are left alone.
    pub fn partitions(&self) -> Result<Vec<PartitionDir>, StorageError> {
        let mut found = Vec::new();
        for name in self.dirs()? {
            match parse_dir(&name) {
                DirName::Partition { topic, partition } => {
                    let path = self.path.join(&name);
                    let topic_id = read_topic_id(&*self.disk, &path)?;
                    found.push(PartitionDir { topic, partition, path, topic_id });
                }
                DirName::Foreign => warn!("{} is no partition: left alone", self.path.join(&name).display()),
                DirName::Deleted | DirName::Kept => {}
            }
        }
        found.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        Ok(found)
    }

    /// The directories of partitions that were deleted.
    pub fn deleted_partitions(&self) -> Result<Vec<PathBuf>, StorageError> {
        let names = self.dirs()?.into_iter().filter(|name| parse_dir(name) == DirName::Deleted);
        Ok(names.map(|name| self.path.join(name)).collect())
    }

    /// Makes the directory of a partition, durably, and answers its path. A directory that is there already is taken
    /// as it is, but gets this topic id. Many are made by [`LogDir::forget_partitions`], [`LogDir::make_partition`] for
    /// each and one [`LogDir::sync`].
    pub fn create_partition(
        &self,
        topic: &str,
        partition: i32,
        topic_id: TopicId,
    ) -> Result<PathBuf, StorageError> {
        self.forget_partitions(&[(topic.to_owned(), partition)])?;
        let path = self.make_partition(topic, partition, topic_id)?;
        self.sync_names_in(&path)?;
        self.sync()?;
        Ok(path)
    }

    /// Makes the directory of a partition that the checkpoints know nothing of. Its name is durable after
    /// [`LogDir::sync`], and what is in a new one after the first sync of its log: nothing may be acknowledged before.
    pub fn make_partition(
        &self,
        topic: &str,
        partition: i32,
        topic_id: TopicId,
    ) -> Result<PathBuf, StorageError> {
        let path = self.path.join(partition_dir(topic, partition));
        let found =
            self.disk.metadata(&path).map_err(|error| StorageError::fatal("look at", &path, error))?;
        self.disk.create_dir(&path).map_err(|error| StorageError::io("create", &path, error))?;
        if !topic_id.is_zero() {
            let text = format!("version: 0\ntopic_id: {topic_id}");
            checkpoints::replace_name(&*self.disk, &path.join(PARTITION_METADATA), text.as_bytes())?;
            if found.is_some() {
                // The log in it may have no names of its own to sync.
                self.sync_names_in(&path)?;
            }
        }
        Ok(path)
    }

    /// Takes a partition out of the directory, durably: its directory gets a name that no partition has, under which
    /// it waits for [`LogDir::remove_deleted`]. `unique` must not have been used before. Many are taken out by
    /// [`LogDir::mark_deleted`] for each, one [`LogDir::sync`] and one [`LogDir::forget_deleted`].
    pub fn delete_partition(
        &self,
        topic: &str,
        partition: i32,
        unique: Uuid,
    ) -> Result<PathBuf, StorageError> {
        let target = self.mark_deleted(topic, partition, unique)?;
        self.sync()?;
        self.forget_deleted(&[(topic.to_owned(), partition)])?;
        Ok(target)
    }

    /// Renames a partition's directory as one that waits for its removal. Durable after [`LogDir::sync`].
    pub fn mark_deleted(&self, topic: &str, partition: i32, unique: Uuid) -> Result<PathBuf, StorageError> {
        let path = self.path.join(partition_dir(topic, partition));
        let target = self.path.join(delete_dir(topic, partition, unique));
        self.disk.rename(&path, &target).map_err(|error| StorageError::io("rename", &path, error))?;
        info!("{} waits for its removal as {}", path.display(), target.display());
        Ok(target)
    }

    /// As [`LogDir::forget_partitions`], for partitions that were just deleted. Deleting is how space comes back: it
    /// must not need any. What the checkpoints go on saying on a full disk is forgotten before the next partition of
    /// this name is made.
    pub fn forget_deleted(&self, partitions: &[(String, i32)]) -> Result<(), StorageError> {
        match self.forget_partitions(partitions) {
            Err(error) if error.is_passing() => {
                warn!("{} deleted partitions are not forgotten yet: {error}", partitions.len());
                Ok(())
            }
            result => result,
        }
    }

    /// Removes a partition's directory at once.
    pub fn remove_partition(&self, topic: &str, partition: i32) -> Result<(), StorageError> {
        remove_tree(&*self.disk, &self.path.join(partition_dir(topic, partition)))
    }

    /// Removes the directory of a deleted partition with all that is in it.
    pub fn remove_deleted(&self, path: &Path) -> Result<(), StorageError> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        assert!(parse_dir(name) == DirName::Deleted, "only what was marked as deleted is removed");
        remove_tree(&*self.disk, path)
    }

    /// Offsets below which everything is on disk, as the checkpoint says.
    pub fn recovery_points(&self) -> PartitionOffsets {
        self.recovery_points.offsets().clone()
    }

    /// What the checkpoints say of one partition: below the first offset everything is on disk, and from the second on
    /// records may be read. 0 where they say nothing.
    pub fn recovery_point_and_start(&self, partition: &(String, i32)) -> (Offset, Offset) {
        let of =
            |checkpoint: &Checkpoint| checkpoint.offsets().get(partition).copied().unwrap_or(Offset::ZERO);
        (of(&self.recovery_points), of(&self.log_starts))
    }

    /// Writes the recovery points of all partitions of this directory.
    pub fn write_recovery_points(&self, offsets: PartitionOffsets) -> Result<(), StorageError> {
        self.recovery_points.write(&*self.disk, offsets)
    }

    /// Lowers the recovery point of one partition, and how far its compaction has come, durably: needed before a log
    /// is truncated below it.
    pub fn lower_recovery_point(
        &self,
        topic: &str,
        partition: i32,
        offset: Offset,
    ) -> Result<(), StorageError> {
        let key = (topic.to_owned(), partition);
        let lower = |offsets: &mut PartitionOffsets| {
            if let Some(known) = offsets.get_mut(&key) {
                *known = offset.min(*known);
            }
        };
        self.recovery_points.update(&*self.disk, lower)?;
        self.cleaner_offsets.update(&*self.disk, lower)
    }

    /// High watermarks, as the checkpoint says.
    pub fn high_watermarks(&self) -> PartitionOffsets {
        self.high_watermarks.offsets().clone()
    }

    /// Writes the high watermarks of all partitions of this directory.
    pub fn write_high_watermarks(&self, offsets: PartitionOffsets) -> Result<(), StorageError> {
        self.high_watermarks.write(&*self.disk, offsets)
    }

    /// First offsets that may be read, as the checkpoint says; a partition whose log begins at its first segment need
    /// not be in it.
    pub fn log_starts(&self) -> PartitionOffsets {
        self.log_starts.offsets().clone()
    }

    /// Writes the log starts of the partitions of this directory.
    pub fn write_log_starts(&self, offsets: PartitionOffsets) -> Result<(), StorageError> {
        self.log_starts.write(&*self.disk, offsets)
    }

    /// How far the compaction of a partition has come, as the checkpoint says.
    pub fn cleaner_offset(&self, topic: &str, partition: i32) -> Option<Offset> {
        self.cleaner_offsets.offsets().get(&(topic.to_owned(), partition)).copied()
    }

    /// Notes how far the compaction of a partition has come.
    pub fn write_cleaner_offset(
        &self,
        topic: &str,
        partition: i32,
        offset: Offset,
    ) -> Result<(), StorageError> {
        self.cleaner_offsets.update(&*self.disk, |offsets| {
            offsets.insert((topic.to_owned(), partition), offset);
        })
    }

    /// Makes sure that every checkpoint Kafka expects is there, be it empty.
    pub fn write_missing_checkpoints(&self) -> Result<(), StorageError> {
        for name in [RECOVERY_POINTS, HIGH_WATERMARKS, LOG_STARTS, CLEANER_OFFSETS] {
            let path = self.path.join(name);
            if checkpoints::read(&*self.disk, &path)?.is_none() {
                let text = checkpoints::format_offsets(&PartitionOffsets::new());
                checkpoints::replace(&*self.disk, &path, text.as_bytes())?;
            }
        }
        Ok(())
    }

    /// Space of the file system that the directory lies on.
    pub fn space(&self) -> Result<Space, StorageError> {
        self.disk.space(&self.path).map_err(|error| StorageError::fatal("look at", &self.path, error))
    }

    /// Takes partitions out of the checkpoints: what was true of one says nothing about the next one of its name.
    /// Durable when this returns; every checkpoint is written at most once.
    pub fn forget_partitions(&self, partitions: &[(String, i32)]) -> Result<(), StorageError> {
        for checkpoint in
            [&self.recovery_points, &self.log_starts, &self.high_watermarks, &self.cleaner_offsets]
        {
            checkpoint.forget(&*self.disk, partitions)?;
        }
        Ok(())
    }

    /// Makes the names in the directory durable.
    pub fn sync(&self) -> Result<(), StorageError> {
        self.sync_names_in(&self.path)
    }

    fn sync_names_in(&self, dir: &Path) -> Result<(), StorageError> {
        self.disk.sync_dir(dir).map_err(|error| StorageError::fatal("sync directory", dir, error))
    }

    fn dirs(&self) -> Result<BTreeSet<String>, StorageError> {
        let entries =
            self.disk.list(&self.path).map_err(|error| StorageError::fatal("list", &self.path, error))?;
        Ok(entries.into_iter().filter(|entry| entry.is_dir).map(|entry| entry.name).collect())
    }
}

/// A checkpoint file and what was last read from it or written to it.
#[derive(Debug)]
struct Checkpoint {
    path: PathBuf,
    /// Held while the file is written, so that the file and the memory agree: checkpoints are rare.
    offsets: Mutex<PartitionOffsets>,
}

impl Checkpoint {
    /// A damaged checkpoint is no checkpoint: more is scanned then, or more can be read.
    fn read(disk: &dyn Disk, path: PathBuf) -> Result<Self, StorageError> {
        let offsets = match checkpoints::read(disk, &path)? {
            None => PartitionOffsets::new(),
            Some(bytes) => checkpoints::parse_offsets(&path, &bytes).unwrap_or_else(|error| {
                warn!("going on without this checkpoint: {error}");
                PartitionOffsets::new()
            }),
        };
        Ok(Self { path, offsets: Mutex::new(offsets) })
    }

    fn offsets(&self) -> MutexGuard<'_, PartitionOffsets> {
        self.offsets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, disk: &dyn Disk, partitions: &[(String, i32)]) -> Result<(), StorageError> {
        self.update(disk, |offsets| {
            for partition in partitions {
                offsets.remove(partition);
            }
        })
    }

    fn write(&self, disk: &dyn Disk, offsets: PartitionOffsets) -> Result<(), StorageError> {
        self.update(disk, |known| *known = offsets)
    }

    /// Writes the file, if this changes anything.
    fn update(
        &self,
        disk: &dyn Disk,
        change: impl FnOnce(&mut PartitionOffsets),
    ) -> Result<(), StorageError> {
        let mut known = self.offsets();
        let mut offsets = known.clone();
        change(&mut offsets);
        if *known != offsets {
            checkpoints::replace(disk, &self.path, checkpoints::format_offsets(&offsets).as_bytes())?;
            *known = offsets;
        }
        Ok(())
    }
}

/// The topic id in a partition's directory. A damaged file is an error: a log must not be served under another topic.
fn read_topic_id(disk: &dyn Disk, dir: &Path) -> Result<Option<TopicId>, StorageError> {
    let path = dir.join(PARTITION_METADATA);
    let Some(bytes) = checkpoints::read(disk, &path)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    let field = |line: Option<&str>, name: &str| {
        line.and_then(|line| line.strip_prefix(name)?.strip_prefix(':').map(|value| value.trim().to_owned()))
    };
    let mut lines = text.lines();
    let version = field(lines.next(), "version").and_then(|version| version.parse::<i32>().ok());
    let id = field(lines.next(), "topic_id").and_then(|id| id.parse::<TopicId>().ok());
    match (version, id) {
        (Some(0..), Some(id)) if !id.is_zero() => Ok(Some(id)),
        _ => Err(StorageError::Malformed {
            path,
            reason: "\"version: 0\" and \"topic_id: \" with a Kafka UUID are expected".to_owned(),
        }),
    }
}

fn create_dirs(disk: &dyn Disk, path: &Path) -> Result<(), StorageError> {
    let found = disk.metadata(path).map_err(|error| StorageError::fatal("look at", path, error))?;
    if found.is_some_and(|found| found.is_dir) {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(Path::new(""));
    if !parent.as_os_str().is_empty() {
        create_dirs(disk, parent)?;
    }
    disk.create_dir(path).map_err(|error| StorageError::io("create", path, error))?;
    disk.sync_dir(parent).map_err(|error| StorageError::fatal("sync directory", parent, error))
}

fn remove_tree(disk: &dyn Disk, path: &Path) -> Result<(), StorageError> {
    let gone = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
    let entries = match disk.list(path) {
        Err(error) if gone(&error) => return Ok(()),
        result => result.map_err(|error| StorageError::fatal("list", path, error))?,
    };
    for entry in entries {
        let child = path.join(&entry.name);
        if entry.is_dir {
            remove_tree(disk, &child)?;
        } else {
            match disk.remove_file(&child) {
                Err(error) if !gone(&error) => return Err(StorageError::io("remove", &child, error)),
                _ => {}
            }
        }
    }
    match disk.remove_dir(path) {
        Err(error) if !gone(&error) => Err(StorageError::io("remove", path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "log_dir_tests.rs"]
mod tests;
