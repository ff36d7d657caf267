//! The journal of a log directory: small appends to many logs, made durable by one write.
//!
//! A sync of a log's own file costs the same for one small batch as for many. Where many logs have a few small batches
//! each, as the coordinators' do, their bytes are copied behind each other into this one file, whose space is there
//! already, and one sync acknowledges them all. The logs' own files hold the same bytes, written before; they are synced
//! later, and only then the place in the journal is used again.
//!
//! After an unclean end, [`Journal::read`] answers what the logs' own files may lack, and [`PartitionLog::replay`] gives
//! it back to them. A process that was merely killed has lost nothing that it wrote, so that Kafka can go on from the
//! directory without this file; after a power cut it would miss what Kafka itself would not have synced either.

mod found;

use std::collections::HashMap;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{BufMut, Bytes};
use model::batch::HEADER_BYTES;
use model::{BatchHeader, TopicId};
use tracing::{info, warn};

use self::found::Found;
use crate::disk::{Disk, DiskFile, OpenMode, write_all_at};
use crate::error::{AppendError, StorageError};
use crate::partition_log::PartitionLog;
use crate::sync::JournalTarget;

/// Used in turns: while one is written, what the other holds gets into the logs' own files. Kafka takes no notice of
/// files in a log directory that it does not know.
const FILES: [&str; 2] = [".ottla-journal-0", ".ottla-journal-1"];
/// A file is full at this size.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// A file grows by so much at a time, in zeros: to overwrite them changes no metadata.
const GROWTH_BYTES: usize = 64 << 10;
/// A record begins at a multiple of this: no write touches a sector of a record before it.
const ALIGNMENT: usize = 4096;
/// `OtJ1`.
const MAGIC: u32 = 0x4f74_4a31;
/// Magic, CRC-32C of what follows it, length of the record, number of entries, lap, and its number in the lap.
const RECORD_HEADER_BYTES: usize = 32;
const CRC_END: usize = 8;
/// Topic id, partition and length.
const ENTRY_HEADER_BYTES: usize = 24;
/// Most bytes of one round.
const ROUND_BYTES_MAX: usize = 1 << 20;

/// See the [module](self). Serialised by its owner.
#[derive(Debug)]
pub struct Journal {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    files: [Option<Arc<dyn DiskFile>>; 2],
    /// Bytes of each that are there to be overwritten.
    sizes: [u64; 2],
    current: usize,
    /// Which journal this is, in the upper half, and the uses of its files: what an earlier one has left behind is told
    /// apart by it.
    lap: u64,
    position: u64,
    number: u64,
}

/// What goes into the journal with one write.
#[derive(Debug)]
pub struct Round {
    bytes: Vec<u8>,
    entries: u32,
}

/// Which partition's log, and the batches that it may lack.
pub type Journaled = HashMap<(TopicId, i32), Vec<Bytes>>;

impl Round {
    /// An empty round.
    pub fn new() -> Self {
        Self { bytes: vec![0; RECORD_HEADER_BYTES], entries: 0 }
    }

    /// Begins anew.
    pub fn clear(&mut self) {
        self.bytes.truncate(RECORD_HEADER_BYTES);
        self.bytes.shrink_to(ROUND_BYTES_MAX / 4);
        self.entries = 0;
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Bytes of it, without what fills it up to whole blocks.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds what a log has to make durable. False when that has to take its own way: there is no room, or its bytes are
    /// not in memory any more.
    pub fn add(
        &mut self,
        topic: TopicId,
        partition: i32,
        target: &JournalTarget,
    ) -> Result<bool, StorageError> {
        let before = self.bytes.len();
        if before + ENTRY_HEADER_BYTES + target.len() > ROUND_BYTES_MAX {
            return Ok(false);
        }
        self.bytes.put_slice(topic.uuid().as_bytes());
        self.bytes.put_i32(partition);
        self.bytes.put_u32(target.len() as u32);
        let is_read = target.read(&mut self.bytes);
        if !matches!(is_read, Ok(true)) {
            self.bytes.truncate(before);
            return is_read;
        }
        self.entries += 1;
        Ok(true)
    }
}

impl Default for Round {
    fn default() -> Self {
        Self::new()
    }
}

impl Journal {
    /// A journal in `dir`, where [`Journal::remove`] has succeeded: no file is there. `life` is random: what an earlier
    /// journal has left on the same blocks of the disk is told apart by it.
    pub fn new(disk: Arc<dyn Disk>, dir: &Path, life: u32) -> Self {
        Self {
            disk,
            dir: dir.to_owned(),
            files: [None, None],
            sizes: [0, 0],
            current: 0,
            lap: u64::from(life) << 32 | 1,
            position: 0,
            number: 0,
        }
    }

    /// The file that is written to: 0 or 1.
    pub fn current(&self) -> usize {
        self.current
    }

    /// Tells each use of a file from all others, and grows by one with each.
    pub fn lap(&self) -> u64 {
        self.lap
    }

    /// Whether the round fits into what is left of the current file. Any fits into an empty one.
    pub fn has_room_for(&self, round: &Round) -> bool {
        self.position + padded(round.bytes.len()) as u64 <= FILE_BYTES_MAX
    }

    /// Goes on in the other file, from its start. Everything that is in there must be on disk in the logs' own files.
    pub fn turn(&mut self) {
        self.current = 1 - self.current;
        self.lap += 1;
        self.position = 0;
        self.number = 0;
    }

    /// Makes a round durable. Blocks for as long as the disk takes.
    ///
    /// A full disk is [`StorageError::Full`]: nothing was written that counts. Any other error that does not pass is
    /// final, as that of a log's sync.
    pub fn write(&mut self, round: &mut Round) -> Result<(), StorageError> {
        let len = round.bytes.len();
        round.bytes.resize(padded(len), 0);
        let mut header = Vec::with_capacity(RECORD_HEADER_BYTES);
        header.put_u32(MAGIC);
        header.put_u32(0);
        header.put_u32(len as u32);
        header.put_u32(round.entries);
        header.put_u64(self.lap);
        header.put_u64(self.number);
        if let Some(place) = round.bytes.get_mut(..RECORD_HEADER_BYTES) {
            place.copy_from_slice(&header);
        }
        let crc = crc32c::crc32c(round.bytes.get(CRC_END..len).unwrap_or_default());
        if let Some(place) = round.bytes.get_mut(CRC_END - 4..CRC_END) {
            place.copy_from_slice(&crc.to_be_bytes());
        }
        let end = self.position + round.bytes.len() as u64;
        let path = self.path(self.current);
        let file = self.grown_to(end, &path)?;
        let failed = |operation, error| {
            if crate::error::is_full(&error) {
                StorageError::io(operation, &path, error)
            } else {
                StorageError::fatal(operation, &path, error)
            }
        };
        write_all_at(&*file, &mut [IoSlice::new(&round.bytes)], self.position)
            .map_err(|error| failed("write", error))?;
        file.sync_data().map_err(|error| StorageError::fatal("sync", &path, error))?;
        self.position = end;
        self.number += 1;
        Ok(())
    }

    /// The current file, with zeros to overwrite up to `end`.
    fn grown_to(&mut self, end: u64, path: &Path) -> Result<Arc<dyn DiskFile>, StorageError> {
        let (Some(slot), Some(size)) = (self.files.get_mut(self.current), self.sizes.get_mut(self.current))
        else {
            return Err(StorageError::Failed { path: path.to_owned() });
        };
        let file = if let Some(file) = slot {
            Arc::clone(file)
        } else {
            let open = self.disk.open(path, OpenMode::Create);
            let file = open.map_err(|error| StorageError::io("create", path, error))?;
            let named = self.disk.sync_dir(&self.dir);
            named.map_err(|error| StorageError::io("sync the directory of", path, error))?;
            *size = 0;
            Arc::clone(slot.insert(file))
        };
        while *size < end {
            let zeros = vec![0; GROWTH_BYTES];
            write_all_at(&*file, &mut [IoSlice::new(&zeros)], *size)
                .map_err(|error| StorageError::io("extend", path, error))?;
            *size += GROWTH_BYTES as u64;
        }
        Ok(file)
    }

    fn path(&self, file: usize) -> PathBuf {
        self.dir.join(FILES.get(file).copied().unwrap_or_default())
    }

    /// What a journal holds that an unclean end has left behind, in the order in which it was written. What was on disk and
    /// cannot be read is an error in the log, and what is behind it is answered all the same: where a log lacks what was in
    /// between, its [replay](PartitionLog::replay) tells.
    pub fn read(disk: &dyn Disk, dir: &Path) -> Result<Journaled, StorageError> {
        let found = Found::read(disk, dir)?;
        found.tell_holes();
        Ok(found.by_log())
    }

    /// Removes the files of a journal, durably, once nothing that is in them is needed any more.
    pub fn remove(disk: &dyn Disk, dir: &Path) -> Result<(), StorageError> {
        let mut is_changed = false;
        for path in FILES.map(|name| dir.join(name)) {
            match disk.remove_file(&path) {
                Ok(()) => is_changed = true,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(StorageError::io("remove", &path, error)),
            }
        }
        if is_changed {
            disk.sync_dir(dir).map_err(|error| StorageError::io("sync directory", dir, error))?;
        }
        Ok(())
    }
}

const fn padded(len: usize) -> usize {
    len.next_multiple_of(ALIGNMENT)
}

/// Which journal a lap is of.
const fn life_of(lap: u64) -> u64 {
    lap >> 32
}

impl PartitionLog {
    /// Appends what the journal holds of this log and its own file lacks, and makes that durable. Answers how many
    /// batches it lacked.
    ///
    /// Batches of an epoch that is over are another life's: the log has had another leader since, and goes on without
    /// them.
    ///
    /// # Errors
    /// The disk; or what lies between the log's end and what the journal holds is in neither, or a batch of the journal may
    /// not be appended. It was acknowledged, so that the log must not go on without it.
    pub fn replay(&mut self, journaled: &[Bytes], aging_ms: i64) -> Result<usize, StorageError> {
        let mut count = 0;
        for batches in journaled {
            let mut left = batches.clone();
            while left.len() >= HEADER_BYTES {
                let Ok(header) = BatchHeader::parse(&left) else { break };
                if header.size() > left.len() {
                    break;
                }
                let batch = left.split_to(header.size());
                if header.base_offset < self.log_end() {
                    continue;
                }
                if self.epochs.latest().is_some_and(|latest| latest > header.leader_epoch) {
                    warn!(
                        "{} ends at {} in epoch {:?}: what the journal holds from {} of epoch {} on is another's",
                        self.home.dir.display(),
                        self.log_end(),
                        self.epochs.latest(),
                        header.base_offset,
                        header.leader_epoch
                    );
                    return self.settle_replayed(count);
                }
                self.append_replayed(&header, batch, aging_ms)?;
                count += 1;
            }
        }
        self.settle_replayed(count)
    }

    fn append_replayed(
        &mut self,
        header: &BatchHeader,
        batch: Bytes,
        aging_ms: i64,
    ) -> Result<(), StorageError> {
        if header.base_offset > self.log_end() {
            return Err(StorageError::Missing {
                path: self.home.dir.to_path_buf(),
                found: self.log_end(),
                durable: header.base_offset,
            });
        }
        match self.append_as_follower(batch, aging_ms) {
            Ok(()) => {
                self.sync.note_journaled(self.log_end());
                Ok(())
            }
            Err(AppendError::Storage(error)) => Err(error),
            Err(error) => Err(StorageError::Malformed {
                path: self.home.dir.to_path_buf(),
                reason: format!(
                    "the batch of the journal at offset {} is refused: {error}",
                    header.base_offset
                ),
            }),
        }
    }

    fn settle_replayed(&mut self, count: usize) -> Result<usize, StorageError> {
        if count > 0 {
            let target = self.sync_target()?;
            target.sync()?;
            self.mark_durable(target.end());
            info!("{} got {count} batches from the journal", self.home.dir.display());
        }
        Ok(count)
    }
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
