//! A disk that closes the files of logs that are not in use before it runs out of descriptors.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use storage::disk::{DirEntry, DirLock, Metadata, OpenMode, Space, lacks_descriptor, open_files};
use storage::{Disk, DiskFile};

use super::registry::Registry;

/// The machine's disk, whose open files are kept within a budget as far as they can be: a file with bytes that are not
/// on disk stays open.
#[derive(Debug)]
pub(super) struct FrugalDisk {
    inner: Arc<dyn Disk>,
    /// Files that may be open before some are closed.
    budget: usize,
    /// How many may be open until the next look: where few could be closed, looking again at once is of no use.
    next_look: AtomicUsize,
    /// Closing a log's files may write what an index has in memory, and open it for that.
    is_looking: AtomicBool,
    registry: OnceLock<Weak<Registry>>,
}

impl FrugalDisk {
    pub(super) fn new(inner: Arc<dyn Disk>, budget: usize) -> Arc<Self> {
        let next_look = AtomicUsize::new(budget);
        Arc::new(Self {
            inner,
            budget,
            next_look,
            is_looking: AtomicBool::new(false),
            registry: OnceLock::new(),
        })
    }

    /// Tells the disk whose files it may close.
    pub(super) fn serve(&self, registry: &Arc<Registry>) {
        // Whoever was first keeps it: there is one registry to a disk.
        let _ = self.registry.set(Arc::downgrade(registry));
    }

    /// Runs what opens a file, within the budget where possible, and once more after a refusal.
    fn opening<T>(&self, open: impl Fn() -> io::Result<T>) -> io::Result<T> {
        if open_files() >= self.next_look.load(Ordering::Relaxed) {
            self.close_unused();
        }
        match open() {
            Err(error) if lacks_descriptor(&error) => {
                self.close_unused();
                open()
            }
            result => result,
        }
    }

    fn close_unused(&self) {
        if self.is_looking.swap(true, Ordering::Acquire) {
            return;
        }
        if let Some(registry) = self.registry.get().and_then(Weak::upgrade) {
            for partition in registry.all() {
                partition.release_files();
                // What is durable by way of the journal alone stays open until it is settled.
                partition.dir().committer.hurry_settling(&partition);
            }
        }
        self.next_look.store(self.budget.max(open_files() + self.budget / 8 + 1), Ordering::Relaxed);
        self.is_looking.store(false, Ordering::Release);
    }
}

impl Disk for FrugalDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        self.opening(|| self.inner.open(path, mode))
    }

    fn metadata(&self, path: &Path) -> io::Result<Option<Metadata>> {
        self.inner.metadata(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.opening(|| self.inner.list(dir))
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
        // A directory is opened to be synced; one whose sync has failed is not synced again.
        self.opening(|| self.inner.sync_dir(dir))
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.inner.space(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<DirLock>> {
        self.inner.lock(path)
    }
}
