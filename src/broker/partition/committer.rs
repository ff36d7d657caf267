//! Makes appends durable: the sync threads of one log directory.
//!
//! A partition enlists after an append. One that somebody waits for (a producer with `acks=all`, a fetch parked
//! at the high watermark) is synced as soon as a thread is free; any other within its `flush.ms`, or
//! [`BACKGROUND_SYNC`] when the topic has none. A partition is synced by one thread at a time, and what is
//! appended meanwhile goes into its next sync, which starts when the last ends: that is the whole of group
//! commit, there is no linger.
//!
//! The sync itself runs outside every lock. A failed one is final: nothing of this directory is acknowledged
//! after it.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use model::Clock;
use parking_lot::{Condvar, Mutex};

use super::handle::Partition;
use crate::context::Fatal;

/// Longest time an append stays in memory when its topic sets no `flush.ms`.
pub const BACKGROUND_SYNC: Duration = Duration::from_secs(1);
/// How long a sync that found no descriptor waits before it is tried again.
const RETRY: Duration = Duration::from_millis(100);
/// Files of one directory that are synced at the same time: their journal commits merge.
const SYNC_THREADS: usize = 4;

/// How soon an append is to be synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody waits for it.
    Now,
    /// Nobody waits; at most this long after the append.
    Within(Duration),
}

/// The sync threads of one log directory, and the partitions that wait for one.
#[derive(Debug)]
pub struct Committer {
    dir: PathBuf,
    clock: Clock,
    fatal: Fatal,
    queue: Mutex<Queue>,
    work: Condvar,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Queue {
    urgent: VecDeque<Arc<Partition>>,
    /// By deadline; the number keeps equal deadlines apart.
    lazy: BTreeMap<(Duration, u64), Arc<Partition>>,
    next_number: u64,
    /// No work is taken any more, because of a stop or a failure.
    ended: bool,
}

/// Where a partition stands with its committer. Changed only under the queue's lock; read without it to keep
/// that lock out of appends that change nothing.
#[derive(Debug, Default)]
pub(super) struct Enlistment {
    stage: AtomicU8,
    lazy_key: Mutex<(Duration, u64)>,
}

/// Nothing to sync.
const IDLE: u8 = 0;
/// In the queue, by deadline.
const LAZY: u8 = 1;
/// In the queue, next in turn.
const URGENT: u8 = 2;
/// A thread has it, and will sync everything appended before it took it.
const SYNCING: u8 = 3;
/// A thread has it, and it is to be queued by deadline after that.
const SYNCING_THEN_LAZY: u8 = 4;
/// A thread has it, and it is to be queued as urgent after that.
const SYNCING_THEN_URGENT: u8 = 5;

impl Enlistment {
    fn stage(&self) -> u8 {
        self.stage.load(Ordering::SeqCst)
    }

    fn enter(&self, stage: u8) {
        self.stage.store(stage, Ordering::SeqCst);
    }
}

impl Committer {
    /// A committer for `dir` without threads: nothing is synced before [`Committer::start`].
    pub fn new(dir: PathBuf, clock: Clock, fatal: Fatal) -> Arc<Self> {
        Arc::new(Self {
            dir,
            clock,
            fatal,
            queue: Mutex::new(Queue::default()),
            work: Condvar::new(),
            threads: Mutex::new(Vec::new()),
        })
    }

    /// Starts the sync threads.
    pub fn start(self: &Arc<Self>) -> std::io::Result<()> {
        let mut threads = self.threads.lock();
        for number in 0..SYNC_THREADS {
            let committer = Arc::clone(self);
            let name = format!("sync-{number}");
            threads.push(std::thread::Builder::new().name(name).spawn(move || committer.run())?);
        }
        Ok(())
    }

    /// Ends the sync threads after the syncs they are at. What is still queued is the closing of its log's to
    /// sync.
    pub fn stop(&self) {
        self.end();
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                tracing::error!("A sync thread of {} had panicked", self.dir.display());
            }
        }
    }

    /// Asks for a sync of everything that `partition` holds now.
    pub(super) fn enlist(&self, partition: &Arc<Partition>, urgency: Urgency) {
        // Queued partitions are synced up to what they hold when a thread takes them, so an append that finds
        // its partition queued is part of that sync.
        match (partition.enlistment().stage(), urgency) {
            (URGENT | SYNCING_THEN_URGENT, _) => return,
            (LAZY | SYNCING_THEN_LAZY, Urgency::Within(_)) => return,
            _ => {}
        }
        let mut queue = self.queue.lock();
        if queue.ended {
            return;
        }
        let enlistment = partition.enlistment();
        match (enlistment.stage(), urgency) {
            (IDLE, Urgency::Now) => queue.push_urgent(partition),
            (IDLE, Urgency::Within(delay)) => queue.push_lazy(partition, self.clock.monotonic() + delay),
            (LAZY, Urgency::Now) => {
                let key = *enlistment.lazy_key.lock();
                queue.lazy.remove(&key);
                queue.push_urgent(partition);
            }
            (SYNCING | SYNCING_THEN_LAZY, Urgency::Now) => enlistment.enter(SYNCING_THEN_URGENT),
            (SYNCING, Urgency::Within(delay)) => {
                *enlistment.lazy_key.lock() = (self.clock.monotonic() + delay, 0);
                enlistment.enter(SYNCING_THEN_LAZY);
            }
            _ => return,
        }
        drop(queue);
        self.work.notify_one();
    }

    fn run(&self) {
        let _alarm = self.fatal.alarm("a sync thread panicked");
        while let Some(partition) = self.next() {
            match partition.sync() {
                Ok(()) => self.put_back(partition),
                Err(error) if error.is_passing() => {
                    tracing::warn!("cannot sync {} yet: {error}", partition.dir_name());
                    self.put_back_later(&partition);
                }
                Err(error) => {
                    self.end();
                    let what =
                        format!("cannot sync {} in {}: {error}", partition.dir_name(), self.dir.display());
                    self.fatal.report(&what);
                    return;
                }
            }
        }
    }

    fn next(&self) -> Option<Arc<Partition>> {
        let mut queue = self.queue.lock();
        loop {
            if queue.ended {
                return None;
            }
            let now = self.clock.monotonic();
            if let Some(partition) = queue.pop(now) {
                partition.enlistment().enter(SYNCING);
                return Some(partition);
            }
            match queue.next_deadline() {
                Some(deadline) => {
                    self.work.wait_for(&mut queue, deadline.saturating_sub(now));
                }
                None => self.work.wait(&mut queue),
            }
        }
    }

    fn put_back(&self, partition: Arc<Partition>) {
        let mut queue = self.queue.lock();
        let enlistment = partition.enlistment();
        match enlistment.stage() {
            SYNCING_THEN_URGENT => queue.push_urgent(&partition),
            SYNCING_THEN_LAZY => {
                let (deadline, _) = *enlistment.lazy_key.lock();
                queue.push_lazy(&partition, deadline);
            }
            _ => {
                enlistment.enter(IDLE);
                return;
            }
        }
        drop(queue);
        // This thread takes the next work itself; another may sleep until a later deadline than the new one.
        self.work.notify_one();
    }

    /// Puts a partition back that could not be synced for want of a descriptor: nothing was lost.
    fn put_back_later(&self, partition: &Arc<Partition>) {
        let deadline = self.clock.monotonic() + RETRY;
        let mut queue = self.queue.lock();
        if !queue.ended {
            queue.push_lazy(partition, deadline);
        }
    }

    fn end(&self) {
        let mut queue = self.queue.lock();
        queue.ended = true;
        queue.urgent.clear();
        queue.lazy.clear();
        drop(queue);
        self.work.notify_all();
    }
}

impl Queue {
    fn push_urgent(&mut self, partition: &Arc<Partition>) {
        partition.enlistment().enter(URGENT);
        self.urgent.push_back(Arc::clone(partition));
    }

    fn push_lazy(&mut self, partition: &Arc<Partition>, deadline: Duration) {
        let enlistment = partition.enlistment();
        self.next_number += 1;
        let key = (deadline, self.next_number);
        *enlistment.lazy_key.lock() = key;
        enlistment.enter(LAZY);
        self.lazy.insert(key, Arc::clone(partition));
    }

    /// Whoever's deadline has come queues behind those who wait, so that neither keeps the other waiting for ever.
    fn pop(&mut self, now: Duration) -> Option<Arc<Partition>> {
        while let Some(first) = self.lazy.first_entry().filter(|first| first.key().0 <= now) {
            let partition = first.remove();
            self.push_urgent(&partition);
        }
        self.urgent.pop_front()
    }

    fn next_deadline(&self) -> Option<Duration> {
        self.lazy.keys().next().map(|(deadline, _)| *deadline)
    }
}

#[cfg(test)]
#[path = "committer_tests.rs"]
mod tests;
