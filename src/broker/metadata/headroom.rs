//! Space behind the end of the metadata log that nobody else can take: on a full disk topics can still be deleted, and
//! configurations changed, which is how space comes back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Offset;
use storage::Disk;
use storage::disk::OpenMode;

/// What is allocated ahead: some thousand changes.
const HEADROOM_BYTES: u64 = 1 << 20;
/// What must be left besides, for the small files of a start.
const LEFT_BYTES: u64 = 1 << 20;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Headroom {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// The segment that has it, and how much was left of it.
    held: Option<(Offset, u64)>,
}

impl Headroom {
    /// Nothing is held yet.
    pub(super) fn new(disk: Arc<dyn Disk>, dir: &Path) -> Self {
        Self { disk, dir: dir.to_owned(), held: None }
    }

    /// Notes that bytes were appended to the segment that begins at `base`, and allocates more when little is left. A
    /// disk that has no space for it is tried again with the next append.
    pub(super) fn appended(&mut self, base: Offset, bytes: u64) {
        let left = self.held.filter(|(segment, _)| *segment == base).map_or(0, |(_, left)| left);
        let left = left.saturating_sub(bytes);
        self.held = Some((base, left));
        if left >= HEADROOM_BYTES / 2 {
            return;
        }
        // An allocation that fails half-way keeps what it got, and a start would find no room for anything else.
        let has_room =
            self.disk.space(&self.dir).is_ok_and(|space| space.free_bytes >= HEADROOM_BYTES + LEFT_BYTES);
        if !has_room {
            return;
        }
        let path = self.dir.join(format!("{:020}.log", base.value()));
        let allocated = self
            .disk
            .open(&path, OpenMode::Write)
            .and_then(|file| file.allocate(file.len()?.saturating_add(HEADROOM_BYTES)));
        match allocated {
            Ok(()) => self.held = Some((base, HEADROOM_BYTES)),
            Err(error) => tracing::debug!("{}: nothing is allocated ahead: {error}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use storage::SystemDisk;

    use super::*;

    #[test]
    fn space_is_held_behind_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("00000000000000000042.log");
        std::fs::write(&path, [1; 100]).unwrap();
        let allocated = || std::fs::metadata(&path).unwrap().blocks() * 512;
        let mut headroom = Headroom::new(SystemDisk::shared(), dir.path());
        headroom.appended(Offset::new(42), 100);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 100, "the log ends where it did");
        if allocated() < HEADROOM_BYTES {
            // This file system cannot allocate ahead.
            return;
        }
        let half = usize::try_from(HEADROOM_BYTES).unwrap() / 2 + 1;
        std::fs::write(&path, vec![1; half]).unwrap();
        headroom.appended(Offset::new(42), half as u64);
        assert!(allocated() >= half as u64 + HEADROOM_BYTES, "{}", allocated());
        headroom.appended(Offset::new(50), 1);
        assert_eq!(headroom.held, Some((Offset::new(50), 0)), "a segment that is not there holds nothing");
    }
}
