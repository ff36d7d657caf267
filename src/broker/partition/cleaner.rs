//! The threads that compact logs (`LogCleaner`, `LogCleanerManager`).
//!
//! Each takes the dirtiest log that is due, compacts it, and looks for the next; with none left it rests for
//! `log.cleaner.backoff.ms`. A log that cannot be compacted is told once and left alone until the next start; a full
//! disk is waited for.
//!
//! While a log is compacted its [`Partition`] is held by [`Partition::begin_cleaning`]: retention passes it by, which
//! follows here, and a deletion waits until the compaction has noticed it.

use std::collections::HashSet;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use config::BrokerConfig;
use model::{Clock, TopicId};
use parking_lot::{Condvar, Mutex};
use storage::{CompactionError, CompactionRequest, CompactionStatistics, Dirtiness, OffsetMap, StorageError};

use super::handle::{Partition, PartitionError};
use super::registry::Registry;

/// The cleaner threads and what they share.
#[derive(Debug)]
pub struct Cleaner {
    clock: Clock,
    settings: Settings,
    state: Mutex<State>,
    wake: Condvar,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    threads: usize,
    /// For each thread.
    map_bytes: usize,
    load_factor_max: f64,
    /// For all threads together, reads and writes.
    bytes_per_second_max: f64,
    backoff: Duration,
}

#[derive(Debug, Default)]
struct State {
    stopping: bool,
    /// Logs that a thread is at.
    busy: HashSet<Key>,
    /// Logs that cannot be compacted.
    unfit: HashSet<Key>,
    /// When the bytes that were spent are paid for, as monotonic time.
    paid_at: Duration,
}

/// Names a partition for as long as its topic lives.
type Key = (TopicId, i32);

/// A log that is due, and how far its compaction has come.
#[derive(Debug)]
struct Due {
    partition: Arc<Partition>,
    dirtiness: Dirtiness,
}

/// Why a compaction did not come to its end.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error(transparent)]
    Partition(#[from] PartitionError),
    #[error(transparent)]
    Compaction(#[from] CompactionError),
}

impl Cleaner {
    pub(super) fn new(config: &BrokerConfig, clock: Clock) -> Self {
        let cleaner = &config.storage.cleaner;
        let threads = if cleaner.enable { usize::try_from(cleaner.threads).unwrap_or(0) } else { 0 };
        let map_bytes = usize::try_from(cleaner.dedupe_buffer_bytes).unwrap_or(0) / threads.max(1);
        let settings = Settings {
            threads,
            map_bytes: map_bytes.min(MAP_BYTES_MAX),
            load_factor_max: cleaner.dedupe_load_factor_max,
            bytes_per_second_max: cleaner.io_bytes_per_second_max,
            backoff: Duration::from_millis(u64::try_from(cleaner.backoff_ms).unwrap_or(0).max(1)),
        };
        Self { clock, settings, state: Mutex::default(), wake: Condvar::new(), threads: Mutex::default() }
    }

    pub(super) fn start(self: &Arc<Self>, registry: &Arc<Registry>) -> std::io::Result<()> {
        for number in 0..self.settings.threads {
            let (cleaner, registry) = (Arc::clone(self), Arc::clone(registry));
            let run = move || cleaner.run(&registry);
            let thread = std::thread::Builder::new().name(format!("cleaner-{number}")).spawn(run)?;
            self.threads.lock().push(thread);
        }
        Ok(())
    }

    /// Ends the threads; a compaction is abandoned in the middle.
    pub(super) fn stop(&self) {
        self.state.lock().stopping = true;
        self.wake.notify_all();
        for thread in std::mem::take(&mut *self.threads.lock()) {
            if thread.join().is_err() {
                tracing::error!("A cleaner thread had panicked");
            }
        }
    }

    fn run(&self, registry: &Registry) {
        let _alarm = registry.fatal.alarm("a cleaner thread panicked");
        let mut map = OffsetMap::new(self.settings.map_bytes, self.settings.load_factor_max);
        while !self.state.lock().stopping {
            let has_cleaned = self.clean_dirtiest(registry, &mut map);
            map.clear();
            if !has_cleaned {
                self.rest();
            }
        }
    }

    fn rest(&self) {
        let until = self.clock.monotonic() + self.settings.backoff;
        let mut state = self.state.lock();
        while !state.stopping {
            let left = until.saturating_sub(self.clock.monotonic());
            if left.is_zero() {
                return;
            }
            self.wake.wait_for(&mut state, left);
        }
    }

    /// Compacts the dirtiest log that is due. False when there is none, or it could not be compacted.
    fn clean_dirtiest(&self, registry: &Registry, map: &mut OffsetMap) -> bool {
        let Some(due) = self.dirtiest(registry) else { return false };
        let (partition, key) = (&due.partition, key_of(&due.partition));
        let result = {
            let _cleaning = partition.begin_cleaning();
            self.clean(partition, map)
        };
        let has_cleaned = result.is_ok();
        match result {
            Ok(statistics) => tell(&due, statistics),
            Err(stopped) => self.note(partition, &stopped),
        }
        self.state.lock().busy.remove(&key);
        if partition.topic().settings.load().log.cleanup.delete {
            // Retention has passed it by meanwhile.
            partition.retain(self.clock.aging_ms());
        }
        has_cleaned
    }

    /// Marks the dirtiest log that is due, and nobody's, as this thread's.
    fn dirtiest(&self, registry: &Registry) -> Option<Due> {
        let all = registry.all();
        let passed_by: HashSet<Key> = {
            let mut state = self.state.lock();
            let here: HashSet<Key> = all.iter().map(|partition| key_of(partition)).collect();
            state.unfit.retain(|key| here.contains(key));
            state.busy.union(&state.unfit).copied().collect()
        };
        let due = all.into_iter().filter(|partition| !passed_by.contains(&key_of(partition)));
        let due = due.filter_map(|partition| self.measure(partition));
        let dirtiest = due.max_by(|a, b| a.dirtiness.ratio().total_cmp(&b.dirtiness.ratio()))?;
        // Another thread may have come to the same; then there is one to rest.
        self.state.lock().busy.insert(key_of(&dirtiest.partition)).then_some(dirtiest)
    }

    fn measure(&self, partition: Arc<Partition>) -> Option<Due> {
        let settings = partition.topic().settings.load();
        if !settings.log.cleanup.compact {
            return None;
        }
        let request = self.request(&partition);
        let dirtiness = match partition.with_log(|log| log.dirtiness(&request)).ok()? {
            Ok(dirtiness) => dirtiness,
            Err(error) => {
                self.note(&partition, &CompactionError::from(error).into());
                return None;
            }
        };
        let is_due = dirtiness.is_due(settings.log.min_cleanable_dirty_ratio);
        drop(settings);
        is_due.then_some(Due { partition, dirtiness })
    }

    fn request(&self, partition: &Partition) -> CompactionRequest {
        let (name, index) = (&partition.topic().name, partition.index());
        CompactionRequest {
            checkpoint: partition.dir().with(|log_dir| log_dir.cleaner_offset(name, index)),
            last_stable: partition.offsets().last_stable,
            aging_ms: self.clock.aging_ms(),
        }
    }

    fn clean(&self, partition: &Partition, map: &mut OffsetMap) -> Result<CompactionStatistics, Stopped> {
        let mut pace = |bytes| self.spend(bytes, partition);
        let request = self.request(partition);
        let plan = partition.with_log(|log| log.plan_compaction(&request))??;
        let mut compacting = plan.map_keys(map, &mut pace)?;
        while let Some(cleaned) = compacting.clean_next(&mut pace)? {
            let swap = partition.with_log(|log| log.install(cleaned))??;
            swap.finish().map_err(CompactionError::from)?;
            partition.with_log(|log| log.end_swap(&swap))?;
        }
        let (name, index) = (&partition.topic().name, partition.index());
        let written =
            partition.dir().with(|log_dir| log_dir.write_cleaner_offset(name, index, compacting.end()));
        written.map_err(CompactionError::from)?;
        Ok(compacting.statistics())
    }

    /// Counts bytes that were read or written, and waits until they are paid for. False when the compaction is to be
    /// abandoned.
    fn spend(&self, bytes: u64, partition: &Partition) -> bool {
        let mut state = self.state.lock();
        let cost = bytes as f64 / self.settings.bytes_per_second_max.max(1.0);
        if cost > SHORTEST_COST_S {
            let from = state.paid_at.max(self.clock.monotonic());
            state.paid_at = from + Duration::from_secs_f64(cost.min(LONGEST_COST_S));
        }
        while !state.stopping && !partition.is_gone() {
            let debt = state.paid_at.saturating_sub(self.clock.monotonic());
            if debt <= BURST {
                return true;
            }
            // A deletion wakes nobody here, but waits for this.
            self.wake.wait_for(&mut state, debt.min(GLANCE));
        }
        false
    }

    fn note(&self, partition: &Partition, stopped: &Stopped) {
        match stopped {
            Stopped::Partition(PartitionError::Gone | PartitionError::Offline)
            | Stopped::Compaction(CompactionError::Abandoned) => {
                tracing::debug!("The compaction of {} was abandoned", partition.dir_name());
            }
            // What the others in the directory meet as well.
            _ if partition.dir().has_failed() => {
                tracing::debug!("The compaction of {} ended with its log directory", partition.dir_name());
            }
            Stopped::Compaction(CompactionError::Storage(error @ StorageError::Full { .. })) => {
                tracing::warn!("The compaction of {} waits for space: {error}", partition.dir_name());
            }
            Stopped::Compaction(CompactionError::Storage(error))
                if has_failed(partition) || error.is_of_device() =>
            {
                partition.note(error);
            }
            _ => {
                self.state.lock().unfit.insert(key_of(partition));
                tracing::error!(
                    "{} cannot be compacted and is left alone until the next start: {stopped}",
                    partition.dir_name()
                );
            }
        }
    }
}

/// Largest map of one thread: Kafka uses no more either.
const MAP_BYTES_MAX: usize = i32::MAX as usize;
/// Time for which bytes may be spent in advance.
const BURST: Duration = Duration::from_millis(300);
/// How often a waiting compaction looks whether its partition is still there.
const GLANCE: Duration = Duration::from_millis(50);
/// Seconds: what costs less counts for nothing, as without a limit.
const SHORTEST_COST_S: f64 = 1e-9;
/// Seconds: what costs more is a configuration that stops compaction, and must not overflow.
const LONGEST_COST_S: f64 = 3600.0;

fn key_of(partition: &Partition) -> Key {
    (partition.topic().id, partition.index())
}

fn has_failed(partition: &Partition) -> bool {
    partition.with_log(|log| log.has_failed()).unwrap_or(false)
}

fn tell(due: &Due, statistics: CompactionStatistics) {
    let Due { partition, dirtiness } = due;
    tracing::info!(
        "Compacted {} from {} to {} ({:.0} % dirty): {} bytes became {}, with {} records",
        partition.dir_name(),
        dirtiness.first_dirty,
        dirtiness.first_uncleanable,
        dirtiness.ratio() * 100.0,
        statistics.bytes_before,
        statistics.bytes_after,
        statistics.records_after
    );
}

#[cfg(test)]
#[path = "cleaner_tests.rs"]
mod tests;
