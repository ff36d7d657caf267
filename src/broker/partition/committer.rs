//! Makes appends durable: the sync threads of one log directory.
//!
//! A partition enlists after an append. One that somebody waits for (a producer with `acks=all`, a fetch parked
//! at the high watermark) is synced as soon as a thread is free; any other within its `flush.ms`, or
//! [`BACKGROUND_SYNC`] when the topic has none. A partition is synced by one thread at a time, and what is
//! appended meanwhile goes into its next sync, which starts when the last ends: that is the whole of group
//! commit, there is no linger.
//!
//! With a [journal](super::journaling), one thread takes everybody who is waited for into one round, and whoever comes
//! meanwhile into the next; the others sync what needs a sync of its own. Without one, as until all logs are open, every
//! partition is synced alone.
//!
//! The sync itself runs outside every lock. A failed one is final: nothing of this directory is acknowledged
//! after it, and its threads end.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use model::Clock;
use parking_lot::{Condvar, Mutex};
use storage::{Journal, StorageError};

use super::handle::Partition;
use super::health::Health;
use super::held_calls::HeldCalls;
use super::journaling::{InRound, JournalMarks, Journaling, Staged};
use crate::context::Fatal;
use crate::metrics::tally::SyncTally;

/// Longest time an append stays in memory when its topic sets no `flush.ms`.
pub const BACKGROUND_SYNC: Duration = Duration::from_secs(1);
/// How long a sync that found no descriptor waits before it is tried again.
const RETRY: Duration = Duration::from_millis(100);
/// Files of one directory that are synced at the same time: their journal commits merge.
const SYNC_THREADS: usize = 4;
/// How long what a partition has in the journal stays out of its own files, should it be quiet or busy.
const SETTLE_AFTER: Duration = Duration::from_secs(5);
/// Most partitions of one round.
const ROUND_MAX: usize = 1024;

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
    health: Arc<Health>,
    fatal: Fatal,
    queue: Mutex<Queue>,
    /// Held during a round.
    journaling: Mutex<Option<Journaling>>,
    work: Condvar,
    /// For the threads that make no rounds, once there is a journal.
    lone_work: Condvar,
    threads: Mutex<Vec<JoinHandle<()>>>,
    tally: SyncTally,
    /// Network threads that have queued something here and will call later.
    pub(super) holders: AtomicUsize,
}

#[derive(Debug, Default)]
struct Queue {
    urgent: VecDeque<Arc<Partition>>,
    /// Taken already, for a sync of their own.
    alone: VecDeque<Arc<Partition>>,
    /// Whether there is a journal.
    has_journal: bool,
    /// Whether a round is being made: who comes meanwhile is taken after it without being called.
    in_round: bool,
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
    pub(super) journal: JournalMarks,
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
/// In the queue, by deadline, to be settled alone: all it has is durable, and what comes now is due earlier.
const SETTLING: u8 = 6;

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
    pub(super) fn new(dir: PathBuf, clock: Clock, health: Arc<Health>, fatal: Fatal) -> Arc<Self> {
        Arc::new(Self {
            dir,
            clock,
            health,
            fatal,
            queue: Mutex::new(Queue::default()),
            journaling: Mutex::new(None),
            work: Condvar::new(),
            lone_work: Condvar::new(),
            threads: Mutex::new(Vec::new()),
            tally: SyncTally::default(),
            holders: AtomicUsize::new(0),
        })
    }

    /// Starts the sync threads.
    pub fn start(self: &Arc<Self>) -> std::io::Result<()> {
        let mut threads = self.threads.lock();
        for number in 0..SYNC_THREADS {
            let committer = Arc::clone(self);
            let name = format!("sync-{number}");
            threads.push(std::thread::Builder::new().name(name).spawn(move || committer.run(number == 0))?);
        }
        Ok(())
    }

    /// Lets appends go through this journal from now on.
    pub(super) fn open_journal(&self, journal: Journal) {
        *self.journaling.lock() = Some(Journaling::new(journal));
        self.queue.lock().has_journal = true;
        // Each to its place.
        self.work.notify_all();
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
        // It holds partitions, which hold the directory, which holds this.
        drop(self.journaling.lock().take());
    }

    /// What its syncs are counted with.
    pub(super) fn tally(&self) -> &SyncTally {
        &self.tally
    }

    /// Asks for a sync of everything that `partition` holds now.
    pub(super) fn enlist(&self, partition: &Arc<Partition>, urgency: Urgency) {
        // Queued partitions are synced up to what they hold when a thread takes them, so an append that finds
        // its partition queued is part of that sync.
        match (partition.enlistment().stage(), urgency) {
            (URGENT, Urgency::Now) => return self.call_for_others(),
            (URGENT | SYNCING_THEN_URGENT, _) => return,
            (LAZY | SYNCING_THEN_LAZY, Urgency::Within(_)) => return,
            _ => {}
        }
        let mut queue = self.queue.lock();
        if queue.ended {
            return;
        }
        let enlistment = partition.enlistment();
        let stage = enlistment.stage();
        let is_taken_anyway = urgency == Urgency::Now && queue.in_round;
        // Before it is seen to be queued, so that whoever sees that sees also that nobody was called.
        let is_held = matches!(stage, IDLE | LAZY | SETTLING)
            && !is_taken_anyway
            && HeldCalls::take(&partition.dir().committer);
        match (stage, urgency) {
            (IDLE, Urgency::Now) => queue.push_urgent(partition),
            (IDLE, Urgency::Within(delay)) => queue.push_lazy(partition, self.clock.monotonic() + delay),
            (LAZY | SETTLING, Urgency::Now) => {
                queue.take_lazy(partition);
                queue.push_urgent(partition);
            }
            (SETTLING, Urgency::Within(delay)) => {
                let (settle, _) = *enlistment.lazy_key.lock();
                queue.take_lazy(partition);
                queue.push_lazy(partition, settle.min(self.clock.monotonic() + delay));
            }
            // Whoever has it puts it back.
            (SYNCING | SYNCING_THEN_LAZY, Urgency::Now) => return enlistment.enter(SYNCING_THEN_URGENT),
            (SYNCING, Urgency::Within(delay)) => {
                *enlistment.lazy_key.lock() = (self.clock.monotonic() + delay, 0);
                return enlistment.enter(SYNCING_THEN_LAZY);
            }
            _ => return,
        }
        drop(queue);
        if !is_taken_anyway && !is_held {
            self.call(1);
        }
    }

    /// Makes a call that another thread holds back: that one may be at a disk, for longer than anybody here should wait.
    fn call_for_others(&self) {
        if self.holders.load(Ordering::SeqCst) > 0 && !HeldCalls::has(self) {
            self.call(1);
        }
    }

    /// Wakes as many threads for what is queued, or all that there are.
    pub(super) fn call(&self, times: usize) {
        for _ in 0..times.min(SYNC_THREADS) {
            self.work.notify_one();
        }
    }

    fn run(&self, makes_rounds: bool) {
        let _alarm = self.fatal.alarm("a sync thread panicked");
        while let Some(work) = self.next(makes_rounds) {
            let done = match work {
                Work::Alone(partition) => self.sync(partition),
                Work::Round(partitions) => self.sync_together(partitions),
            };
            if let Err(what) = done {
                self.end();
                self.health.fail(&format!("cannot sync {what}"));
                return;
            }
        }
    }

    /// Syncs a partition's own files.
    fn sync(&self, partition: Arc<Partition>) -> Result<(), String> {
        partition.enlistment().journal.settles();
        let (before, began) = (partition.offsets().high_watermark, self.clock.monotonic());
        match partition.sync() {
            Ok(()) => {
                let records = partition.offsets().high_watermark.value() - before.value();
                self.tally.alone(self.clock.monotonic().saturating_sub(began), records as u64);
                self.put_back(partition);
            }
            Err(error) => self.put_off(&partition, &error)?,
        }
        Ok(())
    }

    /// Makes one round of the journal.
    fn sync_together(&self, partitions: Vec<Arc<Partition>>) -> Result<(), String> {
        let mut journaling = self.journaling.lock();
        let Some(journaling) = journaling.as_mut() else {
            self.hand_over(partitions);
            self.end_round(Vec::new());
            return Ok(());
        };
        let (mut staged, mut alone, mut done) =
            (Vec::with_capacity(partitions.len()), Vec::new(), Vec::new());
        let round = journaling.begin();
        let now = self.clock.monotonic();
        for partition in partitions {
            if partition.enlistment().journal.is_due_at(now) {
                alone.push(partition);
                continue;
            }
            match partition.stage_commit(round) {
                Ok(Staged::InRound(in_round)) => staged.push((partition, in_round)),
                Ok(Staged::Alone) => alone.push(partition),
                Ok(Staged::Nothing) => done.push(partition),
                Err(error) => self.put_off(&partition, &error)?,
            }
        }
        self.hand_over(alone);
        if !staged.is_empty() {
            let (bytes, began) = (journaling.round_bytes(), self.clock.monotonic());
            let written = journaling.write(&staged);
            let written =
                written.map_err(|error| format!("the journal of {}: {error}", self.dir.display()))?;
            if written {
                let took = self.clock.monotonic().saturating_sub(began);
                let records = staged.iter().map(|(partition, InRound { target, .. })| {
                    target.end().value() - partition.offsets().high_watermark.value()
                });
                self.tally.round(took, staged.len(), records.sum::<i64>().max(0) as u64, bytes);
                done.extend(staged.into_iter().map(|(partition, InRound { target, bytes })| {
                    target.is_written();
                    partition.commit(target.end(), bytes);
                    partition
                }));
            } else {
                self.hand_over(staged.into_iter().map(|(partition, _)| partition).collect());
            }
        }
        for partition in journaling.take_hurried() {
            self.settle_soon(&partition);
        }
        self.end_round(done);
        Ok(())
    }

    fn next(&self, makes_rounds: bool) -> Option<Work> {
        let mut queue = self.queue.lock();
        loop {
            if queue.ended {
                return None;
            }
            if queue.has_journal && !makes_rounds {
                match queue.alone.pop_front() {
                    Some(partition) => return Some(Work::Alone(partition)),
                    None => self.lone_work.wait(&mut queue),
                }
                continue;
            }
            let now = self.clock.monotonic();
            if let Some(work) = queue.pop(now) {
                return Some(work);
            }
            match queue.next_deadline() {
                Some(deadline) => {
                    self.work.wait_for(&mut queue, deadline.saturating_sub(now));
                }
                None => self.work.wait(&mut queue),
            }
        }
    }

    /// Gives partitions to the threads that make no rounds.
    fn hand_over(&self, partitions: Vec<Arc<Partition>>) {
        let mut queue = self.queue.lock();
        if queue.ended {
            return;
        }
        for partition in partitions {
            queue.alone.push_back(partition);
            self.lone_work.notify_one();
        }
    }

    /// Has a partition's own files synced soon if all that is left to do there is to settle it: its descriptors are
    /// needed.
    pub(super) fn hurry_settling(&self, partition: &Arc<Partition>) {
        if partition.enlistment().stage() == SETTLING {
            self.settle_soon(partition);
            self.work.notify_one();
        }
    }

    /// Has a partition's own files synced as soon as a thread is free.
    fn settle_soon(&self, partition: &Arc<Partition>) {
        let mut queue = self.queue.lock();
        let enlistment = partition.enlistment();
        enlistment.journal.set_due();
        match enlistment.stage() {
            _ if queue.ended => {}
            LAZY | SETTLING => {
                queue.take_lazy(partition);
                queue.push_urgent(partition);
            }
            IDLE => queue.push_urgent(partition),
            // Whoever has it puts it back, and sees that it is due.
            _ => {}
        }
    }

    fn put_back(&self, partition: Arc<Partition>) {
        let is_queued = self.queue.lock().put_back(&partition, None);
        if is_queued {
            // This thread takes the next work itself; another may sleep until a later deadline than the new one.
            self.work.notify_one();
        }
    }

    /// Ends a round: what it made durable is settled later.
    fn end_round(&self, done: Vec<Arc<Partition>>) {
        let settle = self.clock.monotonic() + SETTLE_AFTER;
        let mut queue = self.queue.lock();
        queue.in_round = false;
        if queue.ended {
            return;
        }
        for partition in done {
            let settle = partition.enlistment().journal.settle_by(settle);
            queue.put_back(&partition, Some(settle));
        }
    }

    /// Puts a partition back that could not be synced for want of a descriptor: nothing was lost. Any other error is
    /// answered in words.
    fn put_off(&self, partition: &Arc<Partition>, error: &StorageError) -> Result<(), String> {
        if !error.is_passing() {
            return Err(format!("{} in {}: {error}", partition.dir_name(), self.dir.display()));
        }
        tracing::warn!("cannot sync {} yet: {error}", partition.dir_name());
        let deadline = self.clock.monotonic() + RETRY;
        let mut queue = self.queue.lock();
        if !queue.ended {
            queue.push_lazy(partition, deadline);
        }
        drop(queue);
        // The thread that watches the deadlines may sleep until a later one.
        self.work.notify_one();
        Ok(())
    }

    fn end(&self) {
        let mut queue = self.queue.lock();
        queue.ended = true;
        queue.urgent.clear();
        queue.alone.clear();
        queue.lazy.clear();
        drop(queue);
        self.work.notify_all();
        self.lone_work.notify_all();
    }
}

/// What a thread does next.
#[derive(Debug)]
enum Work {
    /// Syncs the files of one partition.
    Alone(Arc<Partition>),
    /// Makes a round of the journal.
    Round(Vec<Arc<Partition>>),
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

    /// Queues a partition that was synced for what came meanwhile, and to be settled by `settle` where that is left to do.
    /// False when it is idle.
    fn put_back(&mut self, partition: &Arc<Partition>, settle: Option<Duration>) -> bool {
        let enlistment = partition.enlistment();
        match (enlistment.stage(), settle) {
            (SYNCING_THEN_URGENT, _) => self.push_urgent(partition),
            _ if enlistment.journal.is_due() => self.push_urgent(partition),
            (SYNCING_THEN_LAZY, settle) => {
                let (deadline, _) = *enlistment.lazy_key.lock();
                self.push_lazy(partition, settle.map_or(deadline, |settle| deadline.min(settle)));
            }
            (_, Some(settle)) => {
                self.push_lazy(partition, settle);
                enlistment.enter(SETTLING);
            }
            (_, None) => {
                enlistment.enter(IDLE);
                return false;
            }
        }
        true
    }

    fn take_lazy(&mut self, partition: &Partition) {
        let key = *partition.enlistment().lazy_key.lock();
        self.lazy.remove(&key);
    }

    /// Whoever's deadline has come queues behind those who wait, so that neither keeps the other waiting for ever.
    fn pop(&mut self, now: Duration) -> Option<Work> {
        while let Some(first) = self.lazy.first_entry().filter(|first| first.key().0 <= now) {
            let partition = first.remove();
            partition.enlistment().journal.set_due();
            self.push_urgent(&partition);
        }
        if !self.has_journal {
            let next = self.urgent.pop_front()?;
            next.enlistment().enter(SYNCING);
            return Some(Work::Alone(next));
        }
        if self.urgent.is_empty() {
            return None;
        }
        self.in_round = true;
        let round: Vec<_> = self.urgent.drain(..self.urgent.len().min(ROUND_MAX)).collect();
        for partition in &round {
            partition.enlistment().enter(SYNCING);
        }
        Some(Work::Round(round))
    }

    fn next_deadline(&self) -> Option<Duration> {
        self.lazy.keys().next().map(|(deadline, _)| *deadline)
    }
}

#[cfg(test)]
#[path = "committer_journal_tests.rs"]
mod journal_tests;
#[cfg(test)]
#[path = "committer_tests.rs"]
mod tests;
