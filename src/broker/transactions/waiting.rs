//! Producers whose next transaction waits until the last one is complete.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Who waits, by transactional id. Its lock is a leaf.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Whether anybody does: completions look here first.
    count: AtomicUsize,
    by_id: Mutex<HashMap<String, Arc<Notify>>>,
}

/// One that waits, until this is dropped.
#[derive(Debug)]
pub(super) struct Waiter<'a> {
    waiting: &'a Waiting,
    transactional_id: &'a str,
    notify: Arc<Notify>,
}

impl Waiting {
    /// Begins to wait. A completion from here on is noticed by whoever asked [`Waiter::completion`] before it.
    pub(super) fn enter<'a>(&'a self, transactional_id: &'a str) -> Waiter<'a> {
        self.count.fetch_add(1, Ordering::SeqCst);
        let notify = Arc::clone(self.by_id.lock().entry(transactional_id.to_owned()).or_default());
        Waiter { waiting: self, transactional_id, notify }
    }

    /// A transaction is complete.
    pub(super) fn wake(&self, transactional_id: &str) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        if let Some(notify) = self.by_id.lock().get(transactional_id) {
            notify.notify_waiters();
        }
    }
}

impl Waiter<'_> {
    /// The next completion after this call, whenever it is polled first.
    pub(super) fn completion(&self) -> impl Future<Output = ()> + '_ {
        self.notify.notified()
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut by_id = self.waiting.by_id.lock();
        // One is the table's, one is this.
        if Arc::strong_count(&self.notify) == 2 {
            by_id.remove(self.transactional_id);
        }
        drop(by_id);
        self.waiting.count.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn a_completion_between_asking_and_waiting_is_noticed() {
        let waiting = Waiting::default();
        waiting.wake("nobody");
        let (one, other) = (waiting.enter("id"), waiting.enter("id"));
        let (first, second) = (one.completion(), other.completion());
        waiting.wake("id");
        first.await;
        second.await;
        drop(one);
        let again = other.completion();
        waiting.wake("id");
        again.await;
        drop(other);
        assert!(waiting.by_id.lock().is_empty());
    }
}
