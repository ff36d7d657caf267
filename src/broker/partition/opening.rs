//! Opening the logs of many partitions: those that were found on disk and those that are new.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::Offset;
use storage::{PartitionDir, StorageError};

use super::committer::{BACKGROUND_SYNC, Urgency};
use super::handle::{Partition, Topic};
use super::host_dir::HostDir;
use super::hosting::NewPartition;
use super::registry::Registry;

/// A partition to open.
#[derive(Debug)]
pub(super) struct Work {
    /// Where its topic stands among those that change.
    pub at: usize,
    pub topic: Arc<Topic>,
    pub new: NewPartition,
    pub dir: Arc<HostDir>,
    /// What was found of it on disk, once that was looked up.
    claimed: Option<PartitionDir>,
    is_claimed: bool,
}

/// The partition, unless its log could not be opened.
pub(super) type Opened = Result<Arc<Partition>, StorageError>;

impl Work {
    pub(super) fn new(at: usize, topic: Arc<Topic>, new: NewPartition, dir: Arc<HostDir>) -> Self {
        Self { at, topic, new, dir, claimed: None, is_claimed: false }
    }

    fn key(&self) -> (String, i32) {
        (self.new.topic.to_string(), self.new.partition)
    }

    /// Whether there is a log to open: a directory of another topic of that name is set aside, and one without a topic is what
    /// is left of a creation.
    fn is_found(&self) -> bool {
        let new = &self.new;
        self.claimed.is_some() || self.dir.has_found_of(&new.topic, new.partition, Some(new.topic_id))
    }
}

impl Registry {
    /// Opens or makes the logs of partitions. What has to be done once for all of them is.
    pub(super) fn open_all(&self, work: Vec<Work>) -> Vec<(Work, Opened)> {
        for dir in self.dirs.iter().filter(|dir| !dir.has_failed()) {
            let made = work.iter().filter(|work| Arc::ptr_eq(&work.dir, dir) && !work.is_found());
            let made: Vec<_> = made.map(Work::key).collect();
            // One that could not be forgotten now is when it is made, which tells the error.
            if let Err(error) = dir.forget(&made) {
                tracing::warn!("the checkpoints of {} were not written: {error}", dir.path().display());
            }
        }
        let mut opened = self.open_in_parallel(work);
        for dir in &self.dirs {
            let mut here = opened.iter_mut().filter(|(work, _)| Arc::ptr_eq(&work.dir, dir)).peekable();
            if here.peek().is_none() {
                continue;
            }
            let synced = if dir.has_failed() {
                Err(StorageError::Failed { path: dir.path().to_owned() })
            } else {
                dir.sync()
            };
            if let Err(error) = synced {
                let passes = error.is_passing();
                dir.note(&error);
                for (_, opened) in here {
                    let path = dir.path().to_owned();
                    *opened = Err(if passes {
                        StorageError::NoDescriptor { operation: "sync directory", path }
                    } else {
                        StorageError::Failed { path }
                    });
                }
            }
        }
        opened
    }

    fn open_in_parallel(&self, work: Vec<Work>) -> Vec<(Work, Opened)> {
        let recovers = work.iter().any(Work::is_found);
        let threads =
            if recovers { self.recovery_threads } else { self.recovery_threads.max(MAKING_THREADS) };
        let threads = threads.min(work.len());
        if threads <= 1 {
            return work.into_iter().map(|work| self.open_one(work)).collect();
        }
        let queue = parking_lot::Mutex::new(work.into_iter());
        let done = parking_lot::Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let Some(work) = queue.lock().next() else { return };
                        let opened = self.open_one(work);
                        done.lock().push(opened);
                    }
                });
            }
        });
        done.into_inner()
    }

    fn open_one(&self, mut work: Work) -> (Work, Opened) {
        let opened = self.open_partition(&mut work);
        (work, opened)
    }

    fn open_partition(&self, work: &mut Work) -> Opened {
        if work.dir.has_failed() {
            return Err(StorageError::Failed { path: work.dir.path().to_owned() });
        }
        if !work.is_claimed {
            work.claimed = work.dir.claim(&work.new.topic, work.new.topic_id, work.new.partition)?;
            work.is_claimed = true;
        }
        let Work { topic, new, dir, claimed, .. } = &*work;
        let config = topic.settings.load().log.clone();
        let now_ms = self.clock.aging_ms();
        let mut log = dir.open_log(&work.key(), new.topic_id, claimed.as_ref(), config, now_ms)?;
        log.assign_epoch(new.leader_epoch);
        let partition =
            Partition::new(Arc::clone(topic), new.partition, new.leader_epoch, log, Arc::clone(dir));
        if partition.offsets().log_end > Offset::ZERO {
            // What a log that was never written to has to sync waits for its first append.
            dir.committer.enlist(&partition, Urgency::Within(BACKGROUND_SYNC));
        }
        Ok(partition)
    }

    /// Where the partition is, or the directory with the fewest partitions that can be used and is not cordoned, those that
    /// are planned counted in; `None` where it must be in one that cannot be used, and would be made anew without its records.
    pub(super) fn dir_for(&self, new: &NewPartition, planned: &mut [usize]) -> Option<&Arc<HostDir>> {
        let found_of = |id| self.dirs.iter().position(|dir| dir.has_found_of(&new.topic, new.partition, id));
        let found = found_of(Some(new.topic_id));
        if found.is_none() && self.is_elsewhere(new) {
            return None;
        }
        // Another topic's of that name, as one that was deleted while its directory was away, says nothing.
        let found = found.or_else(|| found_of(None));
        let usable = planned.iter().zip(&self.dirs).enumerate().filter(|(_, (_, dir))| !dir.has_failed());
        // One that is cordoned only where all are: the partition may have been placed before that (KIP-1066).
        let emptiest = usable.min_by_key(|(_, (count, dir))| (self.is_cordoned(dir), **count));
        let emptiest = emptiest.map(|(at, _)| at);
        let at = found.or(emptiest)?;
        planned[at] += 1;
        self.dirs.get(at)
    }

    /// Whether the directory of a partition that was not found is one that cannot be used: the metadata says so, or it says
    /// nothing and the partition was there before this start.
    fn is_elsewhere(&self, new: &NewPartition) -> bool {
        match new.directory {
            Some(id) => !self.dirs.iter().any(|dir| dir.id() == Some(id) && !dir.has_failed()),
            None => self.has_lost_dirs() && !self.is_started.load(Ordering::Acquire),
        }
    }
}

/// Threads that make new logs: each waits for the disk most of the time, and their journal commits merge.
const MAKING_THREADS: usize = 4;
