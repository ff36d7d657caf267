//! Calls for a sync thread, held back while a connection starts the requests that it has read: one sync then covers them
//! all, where it would begin with the first alone.

use std::cell::RefCell;
use std::sync::Arc;

use super::committer::Committer;

thread_local! {
    /// `None` while nothing is held back. Each thread has its own, and calls for itself at once if it holds nothing.
    static HELD: RefCell<Option<Calls>> = const { RefCell::new(None) };
}

/// Whom to call, and how often.
type Calls = Vec<(Arc<Committer>, usize)>;

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
            match held.iter_mut().find(|(known, _)| Arc::ptr_eq(known, committer)) {
                // Without a journal each call is for one partition, which a thread of its own may sync.
                Some((_, calls)) => *calls += 1,
                None => held.push((Arc::clone(committer), 1)),
            }
            true
        })
    }
}

impl Drop for HeldCalls {
    fn drop(&mut self) {
        let held = HELD.with_borrow_mut(Option::take);
        held.into_iter().flatten().for_each(|(committer, calls)| committer.call(calls));
    }
}
