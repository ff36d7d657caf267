//! Calls for a sync thread, held back while a connection starts the requests that it has read: one sync then covers them
//! all, where it would begin with the first alone.

use std::cell::RefCell;
use std::sync::Arc;

use super::committer::Committer;

thread_local! {
    /// Whom to call at the end; `None` while nothing is held back. A thread of its own for each, so that whoever does
    /// not hold calls back never waits for one who does.
    static HELD: RefCell<Option<Vec<Arc<Committer>>>> = const { RefCell::new(None) };
}

/// Holds this thread's calls back until it is dropped. Nothing must block on a sync meanwhile.
#[derive(Debug)]
#[must_use]
pub struct HeldCalls(());

impl HeldCalls {
    /// Begins to hold calls back; no other may be alive on this thread.
    pub fn begin() -> Self {
        HELD.with_borrow_mut(|held| {
            assert!(held.is_none(), "calls are held back once");
            *held = Some(Vec::new());
        });
        Self(())
    }

    /// Whether the call to `committer` is held back; if not, it is the caller's.
    pub(super) fn take(committer: &Arc<Committer>) -> bool {
        HELD.with_borrow_mut(|held| {
            let Some(held) = held else { return false };
            if !held.iter().any(|known| Arc::ptr_eq(known, committer)) {
                held.push(Arc::clone(committer));
            }
            true
        })
    }
}

impl Drop for HeldCalls {
    fn drop(&mut self) {
        let held = HELD.with_borrow_mut(Option::take);
        held.into_iter().flatten().for_each(|committer| committer.call());
    }
}
