//! What has to happen to logs from time to time: retention, removal of deleted files, checkpoints, forgetting idle
//! producers. One thread does it, at Kafka's intervals.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use config::BrokerConfig;
use model::Clock;
use model::aging::DOUBT_MS_MAX;
use parking_lot::{Condvar, Mutex};
use storage::{PartitionLog, StorageError};
use tokio::sync::oneshot;

use super::committer::{BACKGROUND_SYNC, Urgency};
use super::handle::Partition;
use super::host_dir::HostDir;
use super::late_transactions::LateTransactions;
use super::registry::Registry;

/// The housekeeping thread and what it is asked for.
#[derive(Debug)]
pub struct Housekeeper {
    clock: Clock,
    intervals: Intervals,
    state: Mutex<State>,
    wake: Condvar,
    late_transactions: LateTransactions,
    /// By how much the wall clock is ahead, as the log has been told; 0 while it is believed.
    told_ahead_ms: AtomicI64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct State {
    running: bool,
    stopping: bool,
    asked: Vec<Asked>,
    /// Whether the last piece of work was an answer.
    answered_last: bool,
    removals: Vec<Removal>,
}

/// Somebody waits for a checkpoint of the log starts of a directory.
#[derive(Debug)]
struct Asked {
    dir: Arc<HostDir>,
    done: oneshot::Sender<Result<(), CheckpointFailed>>,
}

impl Asked {
    fn answer(self, result: Result<(), CheckpointFailed>) {
        // Whoever asked may have gone.
        let _ = self.done.send(result);
    }
}

/// The directory of a deleted partition, which stays for a while so that readers can finish.
#[derive(Debug)]
struct Removal {
    dir: Arc<HostDir>,
    path: PathBuf,
    due: Duration,
}

/// A log start that was not made durable. The reason stands in the log.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the log start offsets could not be written")]
pub struct CheckpointFailed;

/// How often each task runs.
#[derive(Clone, Copy, Debug)]
struct Intervals {
    first: Duration,
    retention: Duration,
    recovery_points: Duration,
    log_starts: Duration,
    high_watermarks: Duration,
    producer_expiry: Duration,
}

#[derive(Clone, Copy, Debug)]
enum Task {
    Retention,
    RecoveryPoints,
    LogStarts,
    /// With it, recovery points, removal of what was deleted, and another try for what found no space: all are due
    /// every few seconds.
    HighWatermarks,
    ProducerExpiry,
}

impl Housekeeper {
    pub(super) fn new(config: &BrokerConfig, clock: Clock) -> Self {
        let millis = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or(0).max(1));
        let storage = &config.storage;
        Self {
            clock,
            intervals: Intervals {
                first: millis(storage.initial_task_delay_ms),
                retention: millis(storage.retention_check_interval_ms),
                recovery_points: millis(storage.recovery_point_checkpoint_interval_ms.into()),
                log_starts: millis(storage.log_start_checkpoint_interval_ms.into()),
                high_watermarks: millis(storage.high_watermark_checkpoint_interval_ms),
                producer_expiry: millis(config.transactions.producer_id_expiration_check_interval_ms.into()),
            },
            state: Mutex::default(),
            wake: Condvar::new(),
            late_transactions: LateTransactions::new(config.transactions.timeout_ms_max),
            told_ahead_ms: AtomicI64::new(0),
            thread: Mutex::default(),
        }
    }

    pub(super) fn start(self: &Arc<Self>, registry: Arc<Registry>) -> std::io::Result<()> {
        registry.dirs().iter().for_each(|dir| dir.refill_reserve());
        let housekeeper = Arc::clone(self);
        self.state.lock().running = true;
        let run = move || housekeeper.run(&registry);
        let thread = std::thread::Builder::new().name("housekeeping".to_owned()).spawn(run);
        *self.thread.lock() = Some(thread.inspect_err(|_| self.state.lock().running = false)?);
        Ok(())
    }

    /// The transactions that nobody ends any more.
    pub(super) fn late_transactions(&self) -> &LateTransactions {
        &self.late_transactions
    }

    /// Ends the thread after the task it is at.
    pub(super) fn stop(&self) {
        self.state.lock().stopping = true;
        self.wake.notify_all();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("The housekeeping thread had panicked");
        }
    }

    /// Removes directories of deleted partitions, each after so long, or after the next start.
    pub(super) fn remove_later(&self, dir: &Arc<HostDir>, due: impl Iterator<Item = (PathBuf, Duration)>) {
        let now = self.clock.monotonic();
        let removal = |(path, delay)| Removal { dir: Arc::clone(dir), path, due: now.saturating_add(delay) };
        self.state.lock().removals.extend(due.map(removal));
    }

    /// Makes the log starts of a directory's partitions durable, on the housekeeping thread.
    pub(super) async fn checkpoint_log_starts(&self, dir: &Arc<HostDir>) -> Result<(), CheckpointFailed> {
        let (done, answer) = oneshot::channel();
        {
            let mut state = self.state.lock();
            if !state.running || state.stopping {
                return Err(CheckpointFailed);
            }
            state.asked.push(Asked { dir: Arc::clone(dir), done });
        }
        self.wake.notify_one();
        answer.await.unwrap_or(Err(CheckpointFailed))
    }

    fn run(&self, registry: &Registry) {
        let _alarm = registry.fatal.alarm("the housekeeping thread panicked");
        let mut schedule = self.schedule();
        while let Some(work) = self.next(&mut schedule) {
            match work {
                Work::Asked(asked) => answer(registry, asked, self.clock.aging_ms()),
                Work::Due(task) => {
                    let _span = tracing::debug_span!("housekeeping", ?task).entered();
                    self.perform(registry, task);
                }
            }
        }
        let left = std::mem::take(&mut self.state.lock().asked);
        for asked in left {
            asked.answer(Err(CheckpointFailed));
        }
    }

    fn schedule(&self) -> Vec<(Duration, Task, Duration)> {
        let now = self.clock.monotonic();
        let first = now + self.intervals.first;
        let at = &self.intervals;
        vec![
            (first, Task::Retention, at.retention),
            (first, Task::RecoveryPoints, at.recovery_points),
            (first, Task::LogStarts, at.log_starts),
            (now + at.high_watermarks, Task::HighWatermarks, at.high_watermarks),
            (first, Task::ProducerExpiry, at.producer_expiry),
        ]
    }

    /// Sleeps until something is to be done; `None` when the thread is to end.
    fn next(&self, schedule: &mut [(Duration, Task, Duration)]) -> Option<Work> {
        let mut state = self.state.lock();
        loop {
            if state.stopping {
                return None;
            }
            let now = self.clock.monotonic();
            let (due, task, interval) = schedule.iter_mut().min_by_key(|(due, ..)| *due)?;
            let is_due = *due <= now;
            // In turn, so that neither keeps the other waiting for ever.
            let is_tasks_turn = is_due && state.answered_last;
            if !is_tasks_turn && !state.asked.is_empty() {
                state.answered_last = true;
                return Some(Work::Asked(std::mem::take(&mut state.asked)));
            }
            if is_due {
                state.answered_last = false;
                *due = now + *interval;
                return Some(Work::Due(*task));
            }
            let wait = due.saturating_sub(now);
            self.wake.wait_for(&mut state, wait);
        }
    }

    fn perform(&self, registry: &Registry, task: Task) {
        self.tell_of_doubt();
        let now_ms = self.clock.aging_ms();
        match task {
            Task::Retention => registry.all().iter().for_each(|partition| partition.retain(now_ms)),
            Task::RecoveryPoints => {
                registry.dirs().iter().for_each(|dir| dir.refill_reserve());
                for_dirs(registry, |dir| dir.checkpoint_recovery_points(registry));
                registry.all().iter().for_each(|partition| partition.close_idle_files());
                self.late_transactions.check(registry, now_ms);
            }
            Task::LogStarts => for_dirs(registry, |dir| dir.checkpoint_log_starts(registry)),
            Task::HighWatermarks => {
                for_dirs(registry, |dir| dir.checkpoint_high_watermarks(registry));
                // Kafka waits a minute: whatever came since is read again after a crash, and damage in it looks like a torn tail.
                for_dirs(registry, |dir| dir.checkpoint_recovery_points(registry));
                registry.all().iter().for_each(|partition| partition.purge(now_ms));
                self.remove_deleted();
                registry.open_waiting();
            }
            Task::ProducerExpiry => registry.all().iter().for_each(|p| p.expire_producers(now_ms)),
        }
    }

    /// Whoever is to set the clock right has a day for it.
    fn tell_of_doubt(&self) {
        let ahead_ms = self.clock.ahead_ms();
        let told_ms = self.told_ahead_ms.swap(ahead_ms, Ordering::Relaxed);
        if !is_news(ahead_ms, told_ms) {
            return;
        }
        if ahead_ms > 0 {
            tracing::warn!(
                "The wall clock has jumped {} s ahead. Nothing is deleted or forgotten for its age because of that until \
                 the clock has stood by it for as long, or for {} hours: only retention.bytes frees space. A restart believes it \
                 at once",
                ahead_ms / 1000,
                DOUBT_MS_MAX / (60 * 60 * 1000)
            );
        } else {
            tracing::info!("Ages go by the wall clock again");
        }
    }

    fn remove_deleted(&self) {
        let now = self.clock.monotonic();
        let due: Vec<Removal> = {
            let mut state = self.state.lock();
            let (due, later) = state.removals.drain(..).partition(|removal| removal.due <= now);
            state.removals = later;
            due
        };
        for removal in due.into_iter().filter(|removal| !removal.dir.has_failed()) {
            tracing::info!("Removing {}", removal.path.display());
            if let Err(error) = removal.dir.with(|log_dir| log_dir.remove_deleted(&removal.path)) {
                note(&removal.dir, &error);
            }
        }
    }
}

/// Whether the log is told: of each jump, also of one on top of another, and when all are over.
fn is_news(ahead_ms: i64, told_ms: i64) -> bool {
    ahead_ms > told_ms || (ahead_ms == 0 && told_ms > 0)
}

enum Work {
    Asked(Vec<Asked>),
    Due(Task),
}

/// One checkpoint answers all who asked for the same directory.
fn answer(registry: &Registry, asked: Vec<Asked>, now_ms: i64) {
    let mut left = asked;
    for dir in registry.dirs() {
        let (here, others): (Vec<_>, _) = left.into_iter().partition(|asked| Arc::ptr_eq(&asked.dir, dir));
        left = others;
        if here.is_empty() || dir.has_failed() {
            continue; // The senders are dropped, which tells everybody.
        }
        match checkpoint_log_starts(registry, dir, now_ms) {
            Ok(()) => here.into_iter().for_each(|asked| asked.answer(Ok(()))),
            Err(error) => note(dir, &error),
        }
    }
}

/// On a full disk, what lies below the log starts makes room for writing them down.
fn checkpoint_log_starts(registry: &Registry, dir: &Arc<HostDir>, now_ms: i64) -> Result<(), StorageError> {
    let written = dir.checkpoint_log_starts(registry);
    if !written.as_ref().is_err_and(StorageError::is_passing) {
        return written;
    }
    for partition in registry.all().iter().filter(|partition| Arc::ptr_eq(partition.dir(), dir)) {
        partition.retain(now_ms);
        partition.purge(i64::MAX);
    }
    dir.checkpoint_log_starts(registry)
}

fn for_dirs(registry: &Registry, act: impl Fn(&HostDir) -> Result<(), StorageError>) {
    for dir in registry.dirs().iter().filter(|dir| !dir.has_failed()) {
        if let Err(error) = act(dir) {
            note(dir, &error);
        }
    }
}

/// What passes, such as a full disk, delays housekeeping; any other failure to write is the directory's end.
fn note(dir: &HostDir, error: &StorageError) {
    if error.is_passing() {
        tracing::warn!("Housekeeping waits: {error}");
    } else {
        dir.note(error);
    }
}

impl Partition {
    /// Deletes what retention no longer keeps. A log that is being compacted is passed by: the cleaner comes back to it.
    pub(super) fn retain(self: &Arc<Self>, now_ms: i64) {
        let Some(_cleaning) = self.try_begin_cleaning() else { return };
        let high_watermark = self.offsets().high_watermark;
        let retained = self.with_log(|log| {
            let deleted = log.apply_retention(now_ms, high_watermark)?;
            Ok::<_, StorageError>((deleted, log.log_start_offset()))
        });
        let (deleted, log_start) = match retained {
            Ok(Ok(retained)) => retained,
            Ok(Err(error)) => return self.note_or_warn(&error),
            Err(_gone) => return,
        };
        if deleted.is_empty() {
            return;
        }
        self.raise_log_start(log_start);
        for segment in &deleted {
            tracing::info!(
                "Deleted segment {} of {} ({} bytes) by {:?}; the log starts at {log_start} now",
                segment.base_offset,
                self.dir_name(),
                segment.size_bytes,
                segment.reason
            );
        }
        self.dir().committer.enlist(self, Urgency::Within(BACKGROUND_SYNC));
    }

    fn purge(&self, now_ms: i64) {
        // A partition that is gone goes with all its files.
        let Ok(due) = self.with_log(|log| log.due_for_removal(now_ms)) else { return };
        if let Err(error) = due.remove() {
            self.note_or_warn(&error);
        }
    }

    fn expire_producers(&self, now_ms: i64) {
        // A partition that is gone has no producers.
        let _ = self.with_log(|log| log.expire_producers(now_ms));
    }

    /// Closes the files that no sync needs, unless somebody is at the log just now.
    pub(super) fn release_files(&self) {
        self.try_with_log(|log| {
            log.release_files();
        });
    }

    fn close_idle_files(&self) {
        let _ = self.with_log(PartitionLog::close_idle_files);
    }

    fn note_or_warn(&self, error: &StorageError) {
        if error.is_passing() {
            tracing::warn!("Housekeeping of {} waits: {error}", self.dir_name());
        } else {
            self.note(error);
        }
    }
}

#[cfg(test)]
#[path = "housekeeping_tests.rs"]
mod tests;
