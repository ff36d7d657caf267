//! Calls for a sync thread, held back while a network thread starts the requests of all connections from which there was
//! something to read: one sync then covers them all, where it would begin with the first alone.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use super::committer::Committer;

/// Calls that are held back at most: should very many connections come at once, the first need not wait for the last.
const CALLS_MAX: usize = 64;

thread_local! {
    /// `None` where nobody makes the calls later. Each thread has its own, and calls for itself at once without.
    static HELD: RefCell<Option<Held>> = const { RefCell::new(None) };
}

#[derive(Debug)]
struct Held {
    /// Whom to call, and how often.
    calls: Vec<(Arc<Committer>, usize)>,
    count: usize,
    /// Of the task that makes them.
    caller: Waker,
}

/// Makes a thread's calls when the tasks have run that were woken before the first of them. It never ends; while it is
/// there, and was polled, the thread's calls are held back. Nothing on the thread must block on a sync.
#[derive(Debug, Default)]
#[must_use]
pub struct HeldCalls(());

impl HeldCalls {
    /// Makes this thread's calls now.
    pub fn make() {
        HELD.with_borrow_mut(|held| held.iter_mut().for_each(Held::make));
    }

    /// Whether this thread holds back a call to `committer`.
    pub(super) fn has(committer: &Committer) -> bool {
        let is_it =
            |held: &Held| held.calls.iter().any(|(known, _)| std::ptr::eq(Arc::as_ptr(known), committer));
        HELD.with_borrow(|held| held.as_ref().is_some_and(is_it))
    }

    /// Whether the call to `committer` is held back; if not, it is the caller's.
    pub(super) fn take(committer: &Arc<Committer>) -> bool {
        HELD.with_borrow_mut(|held| held.as_mut().is_some_and(|held| held.take(committer)))
    }
}

impl Held {
    fn take(&mut self, committer: &Arc<Committer>) -> bool {
        if self.count == CALLS_MAX {
            return false;
        }
        if self.count == 0 {
            self.caller.wake_by_ref();
        }
        self.count += 1;
        if let Some((_, calls)) = self.calls.iter_mut().find(|(known, _)| Arc::ptr_eq(known, committer)) {
            // Without a journal each call is for one partition, which a thread of its own may sync.
            *calls += 1;
        } else {
            committer.holders.fetch_add(1, Ordering::SeqCst);
            self.calls.push((Arc::clone(committer), 1));
        }
        true
    }

    fn make(&mut self) {
        self.count = 0;
        for (committer, calls) in self.calls.drain(..) {
            committer.holders.fetch_sub(1, Ordering::SeqCst);
            committer.call(calls);
        }
    }
}

impl Future for HeldCalls {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        HELD.with_borrow_mut(|held| match held {
            Some(held) => {
                held.caller.clone_from(context.waker());
                held.make();
            }
            None => *held = Some(Held { calls: Vec::new(), count: 0, caller: context.waker().clone() }),
        });
        Poll::Pending
    }
}

impl Drop for HeldCalls {
    fn drop(&mut self) {
        // While a thread ends, there is nothing left to hold back.
        if let Ok(Some(mut held)) = HELD.try_with(|held| held.borrow_mut().take()) {
            held.make();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use storage::disk_mem::MemoryDisk;

    use super::*;
    use crate::partition::test_support::{Reports, still_registry};

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn calls_are_held_back_for_whoever_makes_them_and_for_a_while() {
        let registry = still_registry(&MemoryDisk::new(), &Reports::default());
        let committer = &registry.dirs()[0].committer;
        assert!(!HeldCalls::take(committer), "nobody would make it");

        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let mut context = Context::from_waker(&waker);
        {
            let mut calls = pin!(HeldCalls::default());
            for turn in 1..=2 {
                assert!(calls.as_mut().poll(&mut context).is_pending());
                assert!((0..CALLS_MAX).all(|_| HeldCalls::take(committer)));
                assert!(!HeldCalls::take(committer), "too many");
                assert_eq!(wakes.0.load(Ordering::SeqCst), turn, "once for all of them");
            }
            HeldCalls::make();
            assert!(HeldCalls::take(committer), "none is held back any more");
        }
        assert!(!HeldCalls::take(committer), "nobody makes them any more");
    }
}
