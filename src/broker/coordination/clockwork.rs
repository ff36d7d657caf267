//! The one thread that does what is due in all shards of a coordinator.
//!
//! It sleeps until the earliest deadline and is woken only when an earlier one appears. A shard has at most one deadline
//! here that counts: the one it was armed with last.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use model::Clock;
use parking_lot::{Condvar, Mutex};

use super::{Host, Machine, Shared};

/// The deadlines, and the thread that watches them.
#[derive(Debug)]
pub(crate) struct Clockwork<M: Machine> {
    clock: Clock,
    queue: Mutex<Queue<M>>,
    wake: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Queue<M: Machine> {
    /// By deadline in monotonic milliseconds; the number keeps equal deadlines apart.
    due: BTreeMap<(i64, u64), Arc<Host<M>>>,
    next_number: u64,
    changes: Vec<TopicsChanged<M>>,
    ended: bool,
}

#[derive(Debug)]
struct TopicsChanged<M: Machine> {
    hosts: Vec<Arc<Host<M>>>,
    gone: Vec<String>,
}

enum Work<M: Machine> {
    Tick(Arc<Host<M>>, i64),
    Topics(TopicsChanged<M>),
}

impl<M: Machine> Clockwork<M> {
    pub fn new(clock: Clock) -> Self {
        let queue = Queue { due: BTreeMap::new(), next_number: 0, changes: Vec::new(), ended: false };
        Self { clock, queue: Mutex::new(queue), wake: Condvar::new(), thread: Mutex::new(None) }
    }

    pub(super) fn start(shared: &Arc<Shared<M>>) -> std::io::Result<()> {
        let own = Arc::clone(shared);
        let thread = std::thread::Builder::new().name(M::CLOCKWORK_THREAD.to_owned()).spawn(move || {
            let _alarm = own.fatal.alarm("the thread of a coordinator panicked");
            own.clockwork.run();
        })?;
        *shared.clockwork.thread.lock() = Some(thread);
        Ok(())
    }

    /// Ticks `host` at this moment of the monotonic clock.
    pub(super) fn arm(&self, at_ms: i64, host: &Arc<Host<M>>) {
        let mut queue = self.queue.lock();
        if queue.ended {
            return;
        }
        queue.next_number += 1;
        let key = (at_ms, queue.next_number);
        let is_first = queue.due.first_key_value().is_none_or(|(first, _)| key < *first);
        queue.due.insert(key, Arc::clone(host));
        drop(queue);
        if is_first {
            self.wake.notify_one();
        }
    }

    /// Tells the shards of these that topics have changed.
    pub fn topics_changed(&self, hosts: Vec<Arc<Host<M>>>, gone: Vec<String>) {
        self.queue.lock().changes.push(TopicsChanged { hosts, gone });
        self.wake.notify_one();
    }

    pub(super) fn stop(&self) {
        let mut queue = self.queue.lock();
        queue.ended = true;
        queue.due.clear();
        queue.changes.clear();
        drop(queue);
        self.wake.notify_one();
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            M::log(tracing::Level::ERROR, format_args!("the thread {} had panicked", M::CLOCKWORK_THREAD));
        }
    }

    fn run(&self) {
        while let Some(work) = self.next() {
            match work {
                Work::Tick(host, armed_ms) => guarded(|| host.tick(armed_ms)),
                Work::Topics(changed) => {
                    changed.hosts.iter().for_each(|host| guarded(|| host.topics_changed(&changed.gone)));
                }
            }
        }
    }

    fn next(&self) -> Option<Work<M>> {
        let mut queue = self.queue.lock();
        loop {
            if queue.ended {
                return None;
            }
            if !queue.changes.is_empty() {
                return Some(Work::Topics(queue.changes.remove(0)));
            }
            let now_ms = i64::try_from(self.clock.monotonic().as_millis()).unwrap_or(i64::MAX);
            let first = queue.due.first_key_value().map(|(key, _)| *key);
            match first {
                Some((at_ms, _)) if at_ms <= now_ms => {
                    return queue.due.pop_first().map(|((at_ms, _), host)| Work::Tick(host, at_ms));
                }
                Some((at_ms, _)) => {
                    let wait = Duration::from_millis((at_ms - now_ms) as u64);
                    self.wake.wait_for(&mut queue, wait);
                }
                None => self.wake.wait(&mut queue),
            }
        }
    }
}

/// A shard that panics is loaded again ([`Host::tick`]); the others' time goes on.
fn guarded(act: impl FnOnce()) {
    // The panic has been reported where it happened.
    let _ = std::panic::catch_unwind(AssertUnwindSafe(act));
}
