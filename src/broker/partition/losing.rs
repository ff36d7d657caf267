//! Taking a log directory out of use that has failed: `ReplicaManager.handleLogDirFailure`.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use uuid::Uuid;

use super::registry::{Registry, Snapshot};

/// The directories that were lost, and who is told. Its lock is not held while somebody is.
#[derive(Default)]
pub(super) struct Losses {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    lost: Vec<Uuid>,
    listener: Option<Listener>,
}

type Listener = Arc<dyn Fn(Uuid) + Send + Sync>;

impl Losses {
    fn note(&self, dir: Uuid) {
        let mut state = self.state.lock();
        state.lost.push(dir);
        let listener = state.listener.clone();
        drop(state);
        if let Some(listener) = listener {
            listener(dir);
        }
    }

    fn listen(&self, listener: Listener) {
        let mut state = self.state.lock();
        let lost = state.lost.clone();
        state.listener = Some(Arc::clone(&listener));
        drop(state);
        for dir in lost {
            listener(dir);
        }
    }
}

impl Registry {
    /// Takes the directories out of use that have failed since: their partitions are offline, and nothing is read or
    /// written there until the next start.
    pub(super) fn leave_failed(&self) {
        let mut waiting = self.changing.lock();
        let failed: Vec<_> = self.dirs.iter().filter(|dir| dir.is_to_be_left()).collect();
        if failed.is_empty() {
            return;
        }
        waiting.retain(|work| !work.dir.has_failed());
        let mut snapshot = Snapshot::clone(&self.snapshot());
        let gone = snapshot.take_offline(|partition| partition.dir().has_failed());
        self.publish(snapshot);
        drop(waiting);
        // First of all and of all of them, since whoever has a log's lock may be at the disk, for as long as that hangs.
        for partition in &gone {
            partition.renounce();
        }
        for dir in failed {
            let here = gone.iter().filter(|partition| Arc::ptr_eq(partition.dir(), dir)).count();
            tracing::error!("Stopped serving the {here} partitions in {}", dir.path().display());
            if let Some(id) = dir.id() {
                self.losses.note(id);
            }
        }
        for partition in &gone {
            partition.abandon();
            self.depart(partition);
        }
    }

    /// Calls `listener` with the id of each directory that has failed since it was opened, and of each that does; on a
    /// thread that may be kept waiting.
    pub fn on_loss(&self, listener: impl Fn(Uuid) + Send + Sync + 'static) {
        self.losses.listen(Arc::new(listener));
    }

    /// The directories of `log.dirs` that could not be opened.
    pub fn unopened_dirs(&self) -> &[PathBuf] {
        &self.unopened
    }

    /// Whether a directory of `log.dirs` has failed, or could not be opened.
    pub fn has_lost_dirs(&self) -> bool {
        !self.unopened.is_empty() || self.dirs.iter().any(|dir| dir.has_failed())
    }

    /// Whether `log.dirs` names more than one.
    pub fn has_several_dirs(&self) -> bool {
        self.dirs.len() + self.unopened.len() > 1
    }
}

impl std::fmt::Debug for Losses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Losses").field("lost", &self.state.lock().lost).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "losing_tests.rs"]
mod tests;
