//! The seam between storage and the file system. [`SystemDisk`] is the machine's; [`crate::disk_mem::MemoryDisk`]
//! forgets what was not synced, for tests and simulation.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use rustix::fs::{Advice, FallocateFlags, FlockOperation};

/// A directory tree. Names that were created, renamed or removed are durable only after [`Disk::sync_dir`] of their
/// directory; bytes only after [`DiskFile::sync_data`] of their file.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;
    /// What `path` is, or `None` when nothing is there.
    fn metadata(&self, path: &Path) -> io::Result<Option<Metadata>>;
    /// The names in a directory, in no order. A name that is not UTF-8 is none of ours and left out.
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>>;
    /// Makes a directory; its parent must be there. Succeeds when it already exists.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Renames a file or directory, replacing a file of that name.
    fn rename(&self, source: &Path, target: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// How large the file system is and how much of it is left.
    fn space(&self, path: &Path) -> io::Result<Space>;
    /// Takes the lock that Kafka takes on its `.lock` file, creating the file when needed; `None` when another owner
    /// has it. The lock lasts as long as the answer.
    fn lock(&self, path: &Path) -> io::Result<Option<DirLock>>;
}

/// An open file. All methods may be called from several threads.
pub trait DiskFile: fmt::Debug + Send + Sync {
    /// Appends up to `len` bytes from `position` to `out`; returns how many there were, 0 at the end of the file.
    fn read_at(&self, out: &mut Vec<u8>, position: u64, len: usize) -> io::Result<usize>;
    /// As [`DiskFile::read_at`], as far as that needs no wait for the disk: answers fewer bytes, or 0, where the next
    /// ones are not in memory. [`io::ErrorKind::Unsupported`] where that cannot be known.
    fn read_cached(&self, out: &mut Vec<u8>, position: u64, len: usize) -> io::Result<usize>;
    /// Whether a range is in memory as far as can be told without a wait. [`io::ErrorKind::Unsupported`] where it cannot.
    fn is_cached(&self, _position: u64, _len: usize) -> io::Result<bool> {
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Writes the slices one after the other; returns how many bytes were written.
    fn write_at(&self, slices: &[IoSlice<'_>], position: u64) -> io::Result<usize>;
    /// Cuts or extends the file; an extension reads as zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Size in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }
    /// Makes the bytes and the size durable. After an error the file's unsynced bytes may be gone for ever.
    fn sync_data(&self) -> io::Result<()>;
    /// Reserves space without changing the size; a file system that cannot is no error.
    fn allocate(&self, len: u64) -> io::Result<()>;
    /// Drops cached pages, so that the next read sees what is on disk.
    fn drop_cache(&self) -> io::Result<()>;
    /// The descriptor, for `sendfile`; `None` when there is none.
    fn as_fd(&self) -> Option<BorrowedFd<'_>>;
}

/// What a read may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The disk.
    Disk,
    /// Nothing: it takes what is in memory, and fails with [`io::ErrorKind::WouldBlock`] where that is not enough.
    Memory,
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// An existing file, only to read.
    Read,
    /// An existing file.
    Write,
    /// A new file, or an existing one emptied.
    Create,
}

/// What is known about a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Size in bytes.
    pub len: u64,
    /// Milliseconds since the Unix epoch.
    pub modified_ms: i64,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Names that the file has.
    pub links: u64,
}

/// Bytes of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// All of them.
    pub total_bytes: u64,
    /// Those that this process may still fill.
    pub free_bytes: u64,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// The last component.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// Holds a lock until it is dropped.
#[derive(Debug)]
pub struct DirLock {
    _owner: Box<dyn LockOwner>,
}

impl DirLock {
    pub(crate) fn new(owner: impl LockOwner + 'static) -> Self {
        Self { _owner: Box::new(owner) }
    }
}

/// Whatever gives a lock back when it is dropped.
pub(crate) trait LockOwner: fmt::Debug + Send + Sync {}

/// The machine's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemDisk;

impl SystemDisk {
    /// As the shared trait object that logs and directories take.
    pub fn shared() -> Arc<dyn Disk> {
        Arc::new(Self)
    }
}

impl Disk for SystemDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = fs::OpenOptions::new();
        options.read(true);
        match mode {
            OpenMode::Read => {}
            OpenMode::Write => {
                options.write(true);
            }
            OpenMode::Create => {
                options.write(true).create(true).truncate(true);
            }
        }
        Ok(Arc::new(SystemFile::new(options.open(path)?)))
    }

    fn metadata(&self, path: &Path) -> io::Result<Option<Metadata>> {
        let found = match fs::metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let age = found.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Some(Metadata {
            len: found.len(),
            modified_ms: i64::try_from(age.as_millis()).unwrap_or(i64::MAX),
            is_dir: found.is_dir(),
            links: found.nlink(),
        }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let file_type = entry.file_type()?;
            let is_dir = if file_type.is_symlink() {
                fs::metadata(entry.path()).is_ok_and(|target| target.is_dir())
            } else {
                file_type.is_dir()
            };
            entries.push(DirEntry { name, is_dir });
        }
        Ok(entries)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            result => result,
        }
    }

    fn rename(&self, source: &Path, target: &Path) -> io::Result<()> {
        fs::rename(source, target)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        // An empty path is what `Path::parent` answers for a relative name.
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        fs::File::open(dir)?.sync_all()
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let found = rustix::fs::statvfs(path)?;
        Ok(Space {
            total_bytes: found.f_blocks * found.f_frsize,
            free_bytes: found.f_bavail * found.f_frsize,
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Option<DirLock>> {
        let mut held = HELD_LOCKS.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked up before the file is opened: closing any descriptor of a file gives up the process's POSIX locks.
        if let Ok(found) = fs::metadata(path)
            && held.contains(&(found.dev(), found.ino()))
        {
            return Ok(None);
        }
        let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(error) if [rustix::io::Errno::AGAIN, rustix::io::Errno::ACCESS].contains(&error) => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        }
        let found = file.metadata()?;
        let inode = (found.dev(), found.ino());
        held.insert(inode);
        Ok(Some(DirLock::new(SystemLock { file, inode })))
    }
}

/// Files that this process has locked. POSIX locks belong to the process, so they cannot tell two owners inside it
/// apart; Java's `FileChannel.tryLock` keeps such a table too.
static HELD_LOCKS: Mutex<BTreeSet<(u64, u64)>> = Mutex::new(BTreeSet::new());

#[derive(Debug)]
struct SystemLock {
    file: fs::File,
    inode: (u64, u64),
}

impl LockOwner for SystemLock {}

impl Drop for SystemLock {
    fn drop(&mut self) {
        let mut held = HELD_LOCKS.lock().unwrap_or_else(PoisonError::into_inner);
        held.remove(&self.inode);
        // The table must not outlive the lock nor the lock the table: both end while the table is held.
        let _ = rustix::fs::fcntl_lock(&self.file, FlockOperation::NonBlockingUnlock);
    }
}

/// Files that [`SystemDisk`] has open in this process.
pub fn open_files() -> usize {
    OPEN_FILES.load(Ordering::Relaxed)
}

static OPEN_FILES: AtomicUsize = AtomicUsize::new(0);

/// Whether the error says that the process, or the machine, has as many files open as it may.
pub fn lacks_descriptor(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Whether the error says that the device, or the file system on it, has failed, whatever was asked of it: not that a name is
/// missing, that something is not allowed, or that a resource is short.
pub fn is_of_device(error: &io::Error) -> bool {
    use rustix::io::Errno;
    const OF_DEVICE: [Errno; 7] =
        [Errno::IO, Errno::NXIO, Errno::NODEV, Errno::REMOTEIO, Errno::UCLEAN, Errno::BADMSG, Errno::STALE];
    OF_DEVICE.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Raises the number of files that the process may have open to what the system allows it, and answers it; `None` when
/// there is no limit.
pub fn raise_open_files_limit() -> io::Result<Option<u64>> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    }
    Ok(getrlimit(Resource::Nofile).current)
}

#[derive(Debug)]
struct SystemFile(fs::File);

impl SystemFile {
    fn new(file: fs::File) -> Self {
        OPEN_FILES.fetch_add(1, Ordering::Relaxed);
        Self(file)
    }
}

impl Drop for SystemFile {
    fn drop(&mut self) {
        OPEN_FILES.fetch_sub(1, Ordering::Relaxed);
    }
}

impl DiskFile for SystemFile {
    fn read_at(&self, out: &mut Vec<u8>, position: u64, len: usize) -> io::Result<usize> {
        let before = out.len();
        out.reserve_exact(len);
        while out.len() - before < len {
            let at = position + (out.len() - before) as u64;
            let count = match rustix::io::pread(&self.0, rustix::buffer::spare_capacity(out), at) {
                Ok(count) => count,
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            if count == 0 {
                break;
            }
        }
        // The buffer may have more room than was asked for.
        out.truncate(before + len);
        Ok(out.len() - before)
    }

    fn read_cached(&self, out: &mut Vec<u8>, position: u64, len: usize) -> io::Result<usize> {
        crate::sys::read_cached(self.0.as_fd(), out, position, len)
    }

    fn is_cached(&self, position: u64, len: usize) -> io::Result<bool> {
        crate::sys::is_cached(self.0.as_fd(), position, len as u64)
    }

    fn write_at(&self, slices: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        loop {
            match rustix::io::pwritev(&self.0, slices, position) {
                Ok(count) => return Ok(count),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        self.0.metadata().map(|found| found.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&self.0, FallocateFlags::KEEP_SIZE, 0, len) {
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn drop_cache(&self) -> io::Result<()> {
        rustix::fs::fadvise(&self.0, 0, None, Advice::DontNeed).map_err(io::Error::from)
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }
}

/// Writes all of the slices, however many calls it takes. At most 16 slices.
pub(crate) fn write_all_at(
    file: &dyn DiskFile,
    slices: &mut [IoSlice<'_>],
    mut position: u64,
) -> io::Result<()> {
    let mut left = slices;
    while left.iter().any(|slice| !slice.is_empty()) {
        let count = file.write_at(left, position)?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        position += count as u64;
        IoSlice::advance_slices(&mut left, count);
    }
    Ok(())
}

/// As [`DiskFile::read_at`], where `access` says what it may wait for.
pub(crate) fn read_at(
    file: &dyn DiskFile,
    access: Access,
    out: &mut Vec<u8>,
    position: u64,
    len: usize,
) -> io::Result<usize> {
    if access == Access::Disk {
        return file.read_at(out, position, len);
    }
    match file.read_cached(out, position, len) {
        Ok(count) if count == len => Ok(count),
        Err(error) if error.kind() != io::ErrorKind::Unsupported => Err(error),
        Ok(_) | Err(_) => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// Reads exactly `len` bytes; a shorter file is an error.
pub(crate) fn read_exact_at(file: &dyn DiskFile, position: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(len);
    if file.read_at(&mut out, position, len)? < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(out)
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;
