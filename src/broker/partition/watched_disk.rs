//! A log directory's disk, which gives the directory up once it cannot be read any more (KIP-112).
//!
//! Kafka does so for what fails when a segment or an index is opened, a log is loaded, compacted or searched for a time, or a
//! checkpoint is read (`LocalLog.maybeHandleIOException`, `LogCleaner`, `LogManager.loadLogs`). Not where its iterators over
//! batches and aborted transactions turn the error into another, which a fetch answers with UNKNOWN_SERVER_ERROR; here the same
//! error has the same end wherever it is met. What is wrong with a file's contents, or with this process, is no fault of the
//! disk. Writes, syncs and new files are judged by those who need them.

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

use storage::disk::{DirEntry, DirLock, Metadata, OpenMode, Space, is_of_device};
use storage::{Disk, DiskFile};

use super::health::Health;

/// Another disk, of which one directory is used.
#[derive(Debug)]
pub(super) struct WatchedDisk {
    inner: Arc<dyn Disk>,
    health: Arc<Health>,
}

#[derive(Debug)]
struct WatchedFile {
    inner: Arc<dyn DiskFile>,
    path: Box<Path>,
    health: Arc<Health>,
}

impl WatchedDisk {
    /// As the shared trait object that logs and directories take.
    pub(super) fn shared(inner: Arc<dyn Disk>, health: Arc<Health>) -> Arc<dyn Disk> {
        Arc::new(Self { inner, health })
    }

    fn watch<T>(&self, operation: &str, path: &Path, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| judge(&self.health, operation, path, error))
    }
}

impl WatchedFile {
    fn watch<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| judge(&self.health, "read", &self.path, error))
    }
}

fn judge(health: &Health, operation: &str, path: &Path, error: &io::Error) {
    if is_of_device(error) && health.is_opened() {
        health.fail(&format!("cannot {operation} {}: {error}", path.display()));
    }
}

impl Disk for WatchedDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let opened = self.inner.open(path, mode);
        let inner = if mode == OpenMode::Create { opened? } else { self.watch("open", path, opened)? };
        Ok(Arc::new(WatchedFile { inner, path: path.into(), health: Arc::clone(&self.health) }))
    }

    fn metadata(&self, path: &Path) -> io::Result<Option<Metadata>> {
        self.watch("look at", path, self.inner.metadata(path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.watch("list", dir, self.inner.list(dir))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.inner.create_dir(path)
    }

    fn rename(&self, source: &Path, target: &Path) -> io::Result<()> {
        self.inner.rename(source, target)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.inner.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.inner.remove_dir(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.inner.sync_dir(dir)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.inner.space(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<DirLock>> {
        self.inner.lock(path)
    }
}

impl DiskFile for WatchedFile {
    fn read_at(&self, out: &mut Vec<u8>, position: u64, len: usize) -> io::Result<usize> {
        self.watch(self.inner.read_at(out, position, len))
    }

    fn read_cached(&self, out: &mut Vec<u8>, position: u64, len: usize) -> io::Result<usize> {
        self.watch(self.inner.read_cached(out, position, len))
    }

    fn is_cached(&self, position: u64, len: usize) -> io::Result<bool> {
        self.inner.is_cached(position, len)
    }

    fn write_at(&self, slices: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        self.inner.write_at(slices, position)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        self.watch(self.inner.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.inner.sync_data()
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.inner.allocate(len)
    }

    fn drop_cache(&self) -> io::Result<()> {
        self.inner.drop_cache()
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.inner.as_fd()
    }
}
