//! Space behind the end of the metadata log that nobody else can take: on a full disk topics can still be deleted, and
//! configurations changed, which is how space comes back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Offset;
use storage::Disk;
use storage::disk::OpenMode;

/// What is allocated ahead: some thousand changes.
const HEADROOM_BYTES: u64 = 1 << 20;

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
