//! A disk of which a directory fails, with everything in it. For tests.

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use crate::disk::{DirEntry, DirLock, Disk, DiskFile, Metadata, OpenMode, Space};

/// Another disk, of which directories fail on demand. Clones share it.
#[derive(Clone, Debug)]
pub struct BreakingDisk {
    inner: Arc<dyn Disk>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    broken: Vec<(PathBuf, Errno)>,
    refused: u64,
}

impl BreakingDisk {
    /// A disk that is whole.
    pub fn new(inner: Arc<dyn Disk>) -> Self {
        Self { inner, state: Arc::default() }
    }

    /// As the shared trait object that logs and directories take.
    pub fn shared(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    /// Has everything that is done in `dir` from now on fail with EIO.
    pub fn break_dir(&self, dir: &Path) {
        self.break_with(dir, Errno::IO);
    }

    /// Has everything that is done at `path`, or within it, fail with this error of the system from now on.
    pub fn break_with(&self, path: &Path, errno: Errno) {
        self.state().broken.push((path.to_owned(), errno));
    }

    /// Has nothing fail any more.
    pub fn mend(&self) {
        self.state().broken.clear();
    }

    /// How often something has failed.
    pub fn refused(&self) -> u64 {
        self.state().refused
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let errno = state.broken.iter().find(|(broken, _)| path.starts_with(broken)).map(|(_, errno)| *errno);
        if let Some(errno) = errno {
            state.refused += 1;
            return Err(errno.into());
        }
        Ok(())
    }
}

impl Disk for BreakingDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        self.check(path)?;
        let inner = self.inner.open(path, mode)?;
        Ok(Arc::new(BreakingFile { inner, path: path.to_owned(), disk: self.clone() }))
    }

    fn metadata(&self, path: &Path) -> io::Result<Option<Metadata>> {
        self.check(path)?;
        self.inner.metadata(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.check(dir)?;
        self.inner.list(dir)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.check(path)?;
        self.inner.create_dir(path)
    }

    fn rename(&self, source: &Path, target: &Path) -> io::Result<()> {
        self.check(source)?;
        self.inner.rename(source, target)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.check(path)?;
        self.inner.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.check(path)?;
        self.inner.remove_dir(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.check(dir)?;
        self.inner.sync_dir(dir)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.check(path)?;
        self.inner.space(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<DirLock>> {
        self.check(path)?;
        self.inner.lock(path)
    }
}

#[derive(Debug)]
struct BreakingFile {
    inner: Arc<dyn DiskFile>,
    path: PathBuf,
    disk: BreakingDisk,
}

impl BreakingFile {
    fn check(&self) -> io::Result<()> {
        self.disk.check(&self.path)
    }
}

impl DiskFile for BreakingFile {
    fn read_at(&self, out: &mut Vec<u8>, position: u64, len: usize) -> io::Result<usize> {
        self.check()?;
        self.inner.read_at(out, position, len)
    }

    fn read_cached(&self, out: &mut Vec<u8>, position: u64, len: usize) -> io::Result<usize> {
        self.check()?;
        self.inner.read_cached(out, position, len)
    }

    fn write_at(&self, slices: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        self.check()?;
        self.inner.write_at(slices, position)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check()?;
        self.inner.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        self.check()?;
        self.inner.len()
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check()?;
        self.inner.sync_data()
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.check()?;
        self.inner.allocate(len)
    }

    fn drop_cache(&self) -> io::Result<()> {
        self.check()?;
        self.inner.drop_cache()
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.inner.as_fd()
    }
}
