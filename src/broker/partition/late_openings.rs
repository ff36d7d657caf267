//! Logs that could not be opened at the start, for want of space or of descriptors, and are opened while the node lives: who is
//! told of them.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use super::handle::Partition;

/// How far a partition has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its log is open, and nobody can reach it yet.
    Opened,
    /// It is served.
    Served,
}

type Listener = Arc<dyn Fn(Stage, &[Arc<Partition>]) + Send + Sync>;

/// Who is told. Its lock is not held while somebody is.
#[derive(Default)]
pub(super) struct LateOpenings {
    listener: Mutex<Option<Listener>>,
}

impl LateOpenings {
    pub(super) fn listen(&self, listener: Listener) {
        *self.listener.lock() = Some(listener);
    }

    pub(super) fn tell(&self, stage: Stage, partitions: &[Arc<Partition>]) {
        let listener = self.listener.lock().clone();
        if let Some(listener) = listener.filter(|_| !partitions.is_empty()) {
            listener(stage, partitions);
        }
    }
}

impl fmt::Debug for LateOpenings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LateOpenings").finish_non_exhaustive()
    }
}
