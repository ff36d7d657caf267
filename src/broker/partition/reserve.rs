//! Space that a start on a full disk needs for its small files: a file that is there while there is room, and goes when
//! there is none.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use storage::Disk;
use storage::disk::OpenMode;

/// What a start writes before anybody can free space: the state of the quorum, its first records, checkpoints, and
/// what recovery derives again. Each is a few blocks.
const RESERVE_BYTES: u64 = 256 * 1024;
/// In one write.
const CHUNK: [u8; 16 * 1024] = [0; 16 * 1024];
/// Kafka takes no notice of files in a log directory that it does not know.
pub(crate) const FILE: &str = ".ottla-reserve";

/// The reserve of one log directory.
#[derive(Debug)]
pub(super) struct Reserve {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
}

impl Reserve {
    pub(super) fn new(disk: Arc<dyn Disk>, dir: &Path) -> Self {
        Self { disk, dir: dir.to_owned() }
    }

    /// Gives the space away where there is hardly any other. For a start, when nobody else writes to the directory.
    pub(super) fn release_if_full(&self) -> io::Result<()> {
        let is_full = self.disk.space(&self.dir)?.free_bytes < RESERVE_BYTES;
        if !is_full || self.disk.metadata(&self.path())?.is_none() {
            return Ok(());
        }
        tracing::warn!("The disk of {} is full: the reserve for a start is used", self.dir.display());
        self.disk.remove_file(&self.path())
    }

    /// Takes as much of the space as is missing and to be had.
    pub(super) fn refill(&self) -> io::Result<()> {
        let held = self.disk.metadata(&self.path())?.map(|found| found.len);
        let mut len = held.unwrap_or(0);
        if len >= RESERVE_BYTES {
            return Ok(());
        }
        let mode = if held.is_some() { OpenMode::Write } else { OpenMode::Create };
        let file = self.disk.open(&self.path(), mode)?;
        while len < RESERVE_BYTES {
            match file.write_at(&[IoSlice::new(&CHUNK)], len) {
                Ok(count) if count > 0 => len += count as u64,
                // Full: what there is has to do.
                _ => break,
            }
        }
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.dir.join(FILE)
    }
}

#[cfg(test)]
mod tests {
    use storage::disk_mem::MemoryDisk;

    use super::*;

    #[test]
    fn the_reserve_is_what_a_full_disk_has_left() {
        let disk = MemoryDisk::new();
        let dir = Path::new("/data");
        disk.shared().create_dir(dir).unwrap();
        let reserve = Reserve::new(disk.shared(), dir);
        let held = || disk.contents(&dir.join(FILE)).map(|bytes| bytes.len() as u64);
        let free = || disk.shared().space(dir).unwrap().free_bytes;
        reserve.release_if_full().unwrap();
        reserve.refill().unwrap();
        assert_eq!(held(), Some(RESERVE_BYTES));
        disk.limit_space(Some(RESERVE_BYTES));
        assert_eq!(free(), 0);
        reserve.release_if_full().unwrap();
        assert_eq!(held(), None);
        // A start has used a little of it; what is left is kept for the next. (This disk counts removed files.)
        disk.limit_space(Some(2 * RESERVE_BYTES - 10_000));
        reserve.refill().unwrap();
        assert!(held().is_some_and(|len| (RESERVE_BYTES / 2..RESERVE_BYTES).contains(&len)), "{:?}", held());
        disk.limit_space(None);
        reserve.refill().unwrap();
        assert!(held().is_some_and(|len| len >= RESERVE_BYTES));
    }
}
