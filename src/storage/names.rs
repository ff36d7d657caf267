//! Names of files and directories (`org.apache.kafka.storage.internals.log.LogFileUtils`, `LocalLog`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{LeaderEpoch, Offset};
use uuid::Uuid;

use crate::disk::{Access, Disk, DiskFile, OpenMode, read_at};
use crate::error::StorageError;

pub(crate) const LOG: &str = ".log";
pub(crate) const OFFSET_INDEX: &str = ".index";
pub(crate) const TIME_INDEX: &str = ".timeindex";
pub(crate) const TXN_INDEX: &str = ".txnindex";
/// Suffixes of the index files.
pub(crate) const INDEXES: [&str; 3] = [OFFSET_INDEX, TIME_INDEX, TXN_INDEX];
pub(crate) const SNAPSHOT: &str = ".snapshot";
pub(crate) const DELETED: &str = ".deleted";
pub(crate) const CLEANED: &str = ".cleaned";
pub(crate) const SWAP: &str = ".swap";
pub(crate) const CHECKPOINT: &str = ".checkpoint";
pub(crate) const LEADER_EPOCHS: &str = "leader-epoch-checkpoint";
pub(crate) const PARTITION_METADATA: &str = "partition.metadata";

/// Directory of the metadata log.
pub const METADATA_DIR: &str = "__cluster_metadata-0";

const DELETE_DIR: &str = "-delete";
const FUTURE_DIR: &str = "-future";
const STRAY_DIR: &str = "-stray";
/// Longest name that file systems take.
const NAME_BYTES_MAX: usize = 255;

/// One log's directory: every path and file of the log is reached through it.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: Arc<Path>,
    /// What reads of segments and indexes may wait for.
    pub(crate) access: Access,
}

impl Home {
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: &Path) -> Self {
        Self { disk, dir: Arc::from(dir), access: Access::Disk }
    }

    pub(crate) fn path(&self, base: Offset, suffix: &str) -> PathBuf {
        self.dir.join(offset_file(base, suffix))
    }

    pub(crate) fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn DiskFile>, StorageError> {
        let operation = if mode == OpenMode::Create { "create" } else { "open" };
        if self.access == Access::Memory {
            return Err(StorageError::io(operation, path, std::io::ErrorKind::WouldBlock.into()));
        }
        self.disk.open(path, mode).map_err(|error| StorageError::io(operation, path, error))
    }

    /// Reads exactly `len` bytes of a file here; a shorter file is an error.
    pub(crate) fn read_exact(
        &self,
        file: &dyn DiskFile,
        position: u64,
        len: usize,
    ) -> std::io::Result<Vec<u8>> {
        let mut out = Vec::with_capacity(len);
        if read_at(file, self.access, &mut out, position, len)? < len {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(out)
    }

    pub(crate) fn sync_dir(&self) -> Result<(), StorageError> {
        self.disk.sync_dir(&self.dir).map_err(|error| StorageError::fatal("sync directory", &self.dir, error))
    }

    /// Removes a file; one that is gone already is no error.
    pub(crate) fn remove(&self, path: &Path) -> Result<bool, StorageError> {
        match self.disk.remove_file(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StorageError::io("remove", path, error)),
        }
    }

    /// Renames a file; one that is gone already is no error.
    pub(crate) fn rename(&self, source: &Path, target: &Path) -> Result<bool, StorageError> {
        match self.disk.rename(source, target) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StorageError::io("rename", source, error)),
        }
    }
}

/// `00000000000000000042.log`
pub(crate) fn offset_file(base: Offset, suffix: &str) -> String {
    format!("{:020}{suffix}", base.value())
}

/// The offset of a file named by [`offset_file`] with exactly this suffix.
pub(crate) fn parse_offset_file(name: &str, suffix: &str) -> Option<Offset> {
    let digits = name.strip_suffix(suffix)?;
    parse_offset(digits)
}

/// The offset that a file name begins with, up to its first dot.
pub(crate) fn leading_offset(name: &str) -> Option<Offset> {
    parse_offset(name.split('.').next()?)
}

fn parse_offset(digits: &str) -> Option<Offset> {
    if digits.len() < 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(Offset::new)
}

/// `00000000000000000042-0000000003`, the name of a metadata snapshot without its suffix.
pub(crate) fn snapshot_id(offset: Offset, epoch: LeaderEpoch) -> String {
    format!("{:020}-{:010}", offset.value(), epoch.value())
}

/// The snapshot id in a name of exactly this form.
pub(crate) fn parse_snapshot_id(stem: &str) -> Option<(Offset, LeaderEpoch)> {
    let (offset, epoch) = stem.split_once('-')?;
    if epoch.len() < 10 || !epoch.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((parse_offset(offset)?, LeaderEpoch::new(epoch.parse().ok()?)))
}

/// `topic-partition`
pub fn partition_dir(topic: &str, partition: i32) -> String {
    format!("{topic}-{partition}")
}

/// `topic-partition.uuid-delete`, with the topic cut short where the whole would be too long for a file system.
pub fn delete_dir(topic: &str, partition: i32, unique: Uuid) -> String {
    let suffix = format!("-{partition}.{}{DELETE_DIR}", unique.simple());
    let room = NAME_BYTES_MAX.saturating_sub(suffix.len());
    let kept: String = topic.chars().take(room).collect();
    format!("{kept}{suffix}")
}

/// What the name of a directory inside a log directory says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirName {
    /// A partition that is served.
    Partition {
        /// Its topic.
        topic: String,
        /// Its number.
        partition: i32,
    },
    /// A partition that was deleted and waits for its removal.
    Deleted,
    /// A replica that moves between directories, or one that no topic wants: kept, never touched.
    Kept,
    /// Not named by Kafka.
    Foreign,
}

/// Reads the name of a directory.
pub fn parse_dir(name: &str) -> DirName {
    let marked = |suffix: &str| name.strip_suffix(suffix).is_some_and(has_unique_part);
    if marked(DELETE_DIR) {
        return DirName::Deleted;
    }
    if marked(FUTURE_DIR) || marked(STRAY_DIR) {
        return DirName::Kept;
    }
    match split_partition(name) {
        Some((topic, partition)) => DirName::Partition { topic: topic.to_owned(), partition },
        None => DirName::Foreign,
    }
}

fn has_unique_part(stem: &str) -> bool {
    stem.rsplit_once('.').is_some_and(|(name, unique)| !unique.is_empty() && split_partition(name).is_some())
}

fn split_partition(name: &str) -> Option<(&str, i32)> {
    let (topic, number) = name.rsplit_once('-')?;
    if topic.is_empty() || number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((topic, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_by_twenty_digits() {
        assert_eq!(offset_file(Offset::new(42), LOG), "00000000000000000042.log");
        assert_eq!(parse_offset_file("00000000000000000042.log", LOG), Some(Offset::new(42)));
        assert_eq!(parse_offset_file("00000000000000000042.log.deleted", LOG), None);
        assert_eq!(parse_offset_file("x.log", LOG), None);
        assert_eq!(leading_offset("00000000000000000007.log.swap"), Some(Offset::new(7)));
        let id = (Offset::new(5), LeaderEpoch::new(2));
        assert_eq!(snapshot_id(id.0, id.1), "00000000000000000005-0000000002");
        assert_eq!(parse_snapshot_id("00000000000000000005-0000000002"), Some(id));
    }

    #[test]
    fn directories_are_told_apart() {
        let partition = |topic: &str, partition| DirName::Partition { topic: topic.to_owned(), partition };
        assert_eq!(parse_dir("a-b-3"), partition("a-b", 3));
        assert_eq!(parse_dir("x.y-delete-0"), partition("x.y-delete", 0));
        assert_eq!(parse_dir("t-0.0123456789abcdef0123456789abcdef-delete"), DirName::Deleted);
        assert_eq!(parse_dir("t-0.0123456789abcdef0123456789abcdef-stray"), DirName::Kept);
        assert_eq!(parse_dir("lost+found"), DirName::Foreign);
        assert_eq!(parse_dir("t-"), DirName::Foreign);
        assert_eq!(parse_dir("-1"), DirName::Foreign);
    }

    #[test]
    fn names_of_deleted_partitions_fit() {
        let unique = Uuid::from_u128(0xabc);
        assert_eq!(delete_dir("t", 7, unique), "t-7.00000000000000000000000000000abc-delete");
        let long = delete_dir(&"t".repeat(249), 7, unique);
        assert_eq!((long.len(), parse_dir(&long)), (255, DirName::Deleted));
    }
}
