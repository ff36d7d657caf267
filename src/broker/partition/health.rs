//! Which log directories can be used (KIP-112, KIP-858): the first write or sync that fails, or a read that the disk fails,
//! ends the use of a directory until the next start, and the others go on without it.
//!
//! Where that is the directory of the metadata log, or the last one, the node ends.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::context::Fatal;

/// Whether one log directory can be used.
#[derive(Debug)]
pub(super) struct Health {
    path: PathBuf,
    /// It holds the metadata log.
    is_vital: bool,
    /// Until then, what fails is its opening.
    is_opened: AtomicBool,
    has_failed: AtomicBool,
    node: Arc<NodeHealth>,
}

/// What the directories of a node have in common.
pub(super) struct NodeHealth {
    /// Directories that can be used.
    live: AtomicUsize,
    fatal: Fatal,
    /// Takes a failed directory out of use; there is none during a start. A leaf lock.
    on_failure: Mutex<Option<OnFailure>>,
}

type OnFailure = Arc<dyn Fn() + Send + Sync>;

impl NodeHealth {
    pub(super) fn new(fatal: Fatal) -> Arc<Self> {
        Arc::new(Self { live: AtomicUsize::new(0), fatal, on_failure: Mutex::default() })
    }

    /// Calls `act` on the thread that meets a failure, which may hold any lock.
    pub(super) fn on_failure(&self, act: impl Fn() + Send + Sync + 'static) {
        *self.on_failure.lock() = Some(Arc::new(act));
    }
}

impl Health {
    /// A directory that can be used.
    pub(super) fn new(node: &Arc<NodeHealth>, path: &Path, is_vital: bool) -> Arc<Self> {
        node.live.fetch_add(1, Ordering::SeqCst);
        Arc::new(Self {
            path: path.to_owned(),
            is_vital,
            is_opened: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
            node: Arc::clone(node),
        })
    }

    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Acquire)
    }

    /// It could be opened: from now on it fails by [`Self::fail`].
    pub(super) fn opened(&self) {
        self.is_opened.store(true, Ordering::Release);
    }

    pub(super) fn is_opened(&self) -> bool {
        self.is_opened.load(Ordering::Acquire)
    }

    /// It could not be opened: the others have to do without.
    pub(super) fn is_not_opened(&self) {
        self.has_failed.store(true, Ordering::Release);
        self.node.live.fetch_sub(1, Ordering::SeqCst);
    }

    /// Gives the directory up. In a running node this does not return where the node cannot go on without it.
    pub(super) fn fail(&self, what: &str) {
        if self.has_failed.swap(true, Ordering::SeqCst) {
            return;
        }
        let left = self.node.live.fetch_sub(1, Ordering::SeqCst) - 1;
        if self.is_vital || left == 0 {
            self.node.fatal.report(what);
            return;
        }
        let path = self.path.display();
        tracing::error!(
            "{what}: {path} is offline until the next start, with the partitions in it; {left} other log directories go on"
        );
        let act = self.node.on_failure.lock().clone();
        if let Some(act) = act {
            act();
        }
    }
}

impl std::fmt::Debug for NodeHealth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeHealth").field("live", &self.live).finish_non_exhaustive()
    }
}
