//! Single small files of the metadata directory, through the disk seam.

use std::io::IoSlice;
use std::path::{Path, PathBuf};

use storage::disk::OpenMode;
use storage::{Disk, StorageError};

/// Largest file that is read whole.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// The bytes of a file, or `None` when there is none.
pub(super) fn read_file(disk: &dyn Disk, path: &Path) -> Result<Option<Vec<u8>>, StorageError> {
    let failed = |source| StorageError::Io { operation: "read", path: path.to_owned(), source };
    let file = match disk.open(path, OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let len = file.len().map_err(failed)?;
    if len > FILE_BYTES_MAX {
        let reason = format!("{len} bytes are too many for this file");
        return Err(StorageError::Malformed { path: path.to_owned(), reason });
    }
    let mut bytes = Vec::new();
    file.read_at(&mut bytes, 0, len as usize).map_err(failed)?;
    Ok(Some(bytes))
}

/// Replaces a file: its name holds the old bytes or the new ones, and once this returns, durably the new ones.
pub(super) fn replace_file(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let temporary = PathBuf::from(name);
    let write = || -> std::io::Result<()> {
        let file = disk.open(&temporary, OpenMode::Create)?;
        let mut written = 0;
        while let Some(left) = bytes.get(written..).filter(|left| !left.is_empty()) {
            let count = file.write_at(&[IoSlice::new(left)], written as u64)?;
            if count == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            written += count;
        }
        file.sync_data()?;
        disk.rename(&temporary, path)?;
        disk.sync_dir(path.parent().unwrap_or(Path::new("")))
    };
    write().map_err(|source| StorageError::Io { operation: "write", path: path.to_owned(), source })
}

/// Makes a directory durably, and its parents where they are missing.
pub(super) fn make_dir(disk: &dyn Disk, path: &Path) -> Result<(), StorageError> {
    let failed = |source| StorageError::Io { operation: "create", path: path.to_owned(), source };
    if disk.metadata(path).map_err(failed)?.is_some_and(|found| found.is_dir) {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(Path::new(""));
    if !parent.as_os_str().is_empty() {
        make_dir(disk, parent)?;
    }
    disk.create_dir(path).map_err(failed)?;
    disk.sync_dir(parent).map_err(failed)
}
