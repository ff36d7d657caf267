//! Changes of what this node hosts: partitions come with topics, go with them, and take over their settings.
//!
//! All of it is the metadata thread's to call, before it publishes the image that tells clients.

use std::sync::Arc;

use arc_swap::ArcSwap;
use model::{LeaderEpoch, Offset, TopicId};
use storage::StorageError;

use super::committer::Urgency;
use super::handle::{Partition, Topic};
use super::host_dir::HostDir;
use super::housekeeping::CheckpointFailed;
use super::registry::{HostedTopic, Registry, Snapshot};
use super::settings::TopicSettings;

/// A partition that this node is to hold.
#[derive(Clone, Debug)]
pub struct NewPartition {
    /// Its topic's name.
    pub topic: Arc<str>,
    /// Its topic's id.
    pub topic_id: TopicId,
    /// Its index.
    pub partition: i32,
    /// The epoch in which this node leads it.
    pub leader_epoch: LeaderEpoch,
    /// Its topic's settings; those of the first partition of a topic count for all.
    pub settings: Arc<TopicSettings>,
}

impl Registry {
    /// Holds one partition from now on; see [`Registry::create_all`].
    pub fn create(
        &self,
        topic: &str,
        topic_id: TopicId,
        partition: i32,
        leader_epoch: LeaderEpoch,
        settings: TopicSettings,
    ) -> Result<(), StorageError> {
        let new = NewPartition {
            topic: topic.into(),
            topic_id,
            partition,
            leader_epoch,
            settings: Arc::new(settings),
        };
        self.create_all(vec![new]).pop().map_or(Ok(()), |failed| Err(failed.1))
    }

    /// Holds these partitions from now on: a log that was found on disk under the topic's id is opened, and
    /// recovered where its last owner did not close it; otherwise one is made. Several threads share the work, and
    /// what can be done once for all of them is: a crash in between leaves directories that the next start, which
    /// knows the same topics, takes over or makes again.
    ///
    /// A partition whose log cannot be opened is hosted offline: clients are answered `KAFKA_STORAGE_ERROR`.
    /// Those are answered with their errors; the others are served. Partitions already here stay as they are.
    pub fn create_all(&self, new: Vec<NewPartition>) -> Vec<(NewPartition, StorageError)> {
        let _changing = self.changing.lock();
        let mut snapshot = Snapshot::clone(&self.snapshot());
        let mut hosted: Vec<HostedTopic> = Vec::new();
        let mut work = Vec::with_capacity(new.len());
        let mut planned = self.dirs.iter().map(|dir| dir.served()).collect::<Vec<_>>();
        for new in new {
            let at = hosted.iter().rposition(|hosted| hosted.topic.id == new.topic_id).unwrap_or_else(|| {
                let known = snapshot.identified(new.topic_id).cloned();
                hosted.push(known.unwrap_or_else(|| HostedTopic::new(topic_of(&new))));
                hosted.len() - 1
            });
            if hosted[at].partition(new.partition).is_err() {
                let dir = Arc::clone(self.dir_for(&new.topic, new.partition, &mut planned));
                work.push(Work { at, topic: Arc::clone(&hosted[at].topic), new, dir });
            }
        }
        let mut failed = Vec::new();
        for (Work { at, new, .. }, opened) in self.open_all(work) {
            match opened {
                Ok(partition) => hosted[at].host(new.partition, Some(partition)),
                Err(error) => {
                    tracing::error!("{}-{} is offline: {error}", new.topic, new.partition);
                    hosted[at].host(new.partition, None);
                    failed.push((new, error));
                }
            }
        }
        for hosted in hosted {
            snapshot.put(hosted);
        }
        self.publish(snapshot);
        failed
    }

    fn open_all(&self, work: Vec<Work>) -> Vec<(Work, Opened)> {
        for dir in &self.dirs {
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
            if let Err(error) = dir.sync() {
                self.fatal.report(&error.to_string());
                for (work, opened) in here {
                    *opened = Err(StorageError::Failed { path: work.dir.path().to_owned() });
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

    fn open_one(&self, work: Work) -> (Work, Opened) {
        let opened = self.open_partition(&work);
        (work, opened)
    }

    fn open_partition(&self, work: &Work) -> Opened {
        let Work { topic, new, dir, .. } = work;
        let claimed = dir.claim(&new.topic, new.topic_id, new.partition)?;
        let config = topic.settings.load().log.clone();
        let now_ms = self.clock.wall_ms();
        let mut log = dir.open_log(&work.key(), new.topic_id, claimed.as_ref(), config, now_ms)?;
        log.assign_epoch(new.leader_epoch);
        let partition = Partition::new(
            Arc::clone(topic),
            new.partition,
            new.leader_epoch,
            log,
            Arc::clone(dir),
            self.fatal.clone(),
        );
        if partition.offsets().log_end > Offset::ZERO {
            // What a log that was never written to has to sync waits for its first append.
            dir.committer.enlist(&partition, Urgency::Within(super::committer::BACKGROUND_SYNC));
        }
        Ok(partition)
    }

    /// Where the partition is, or the directory with the fewest partitions, those that are planned counted in.
    fn dir_for(&self, topic: &str, partition: i32, planned: &mut [usize]) -> &Arc<HostDir> {
        let found = self.dirs.iter().position(|dir| dir.has_found(topic, partition));
        let emptiest = || planned.iter().enumerate().min_by_key(|(_, count)| **count).map(|(at, _)| at);
        let at = found.or_else(emptiest).expect("a node has at least one log directory");
        planned[at] += 1;
        &self.dirs[at]
    }

    /// Sets aside what is on disk and belongs to no topic. To be called once, after the partitions of the image
    /// that the start has replayed were created.
    pub fn retire_strays(&self) -> Result<(), StorageError> {
        let _changing = self.changing.lock();
        self.dirs.iter().try_for_each(|dir| dir.set_strays_aside())
    }

    /// Lets go of topics: their partitions answer no more, their directories are renamed now, durably, and
    /// removed after `file.delete.delay.ms`. Those that are not here are left out.
    pub fn delete_topics(&self, ids: &[TopicId]) -> Result<(), StorageError> {
        let _changing = self.changing.lock();
        let mut snapshot = Snapshot::clone(&self.snapshot());
        let gone: Vec<_> = ids.iter().filter_map(|id| snapshot.remove(*id)).collect();
        self.publish(snapshot);
        let mut leaving: Vec<Leaving> = self.dirs.iter().map(|_| Leaving::default()).collect();
        for hosted in &gone {
            let delay_ms = hosted.topic.settings.load().log.file_delete_delay_ms;
            let due_ms = self.clock.wall_ms().saturating_add(delay_ms);
            for index in hosted.indexes() {
                let online = hosted.partition(index).ok();
                let is_there = |dir: &Arc<HostDir>| match online {
                    Some(partition) => Arc::ptr_eq(partition.dir(), dir),
                    None => dir.has_dir(&hosted.topic.name, index),
                };
                if let Some(partition) = online
                    && partition.take_log().is_some()
                {
                    partition.dir().left();
                }
                if let Some(at) = self.dirs.iter().position(is_there) {
                    leaving[at].keys.push((hosted.topic.name.to_string(), index));
                    leaving[at].due_ms.push(due_ms);
                }
            }
        }
        for (dir, Leaving { keys, due_ms }) in self.dirs.iter().zip(leaving) {
            if !keys.is_empty() {
                let marked = dir.delete(&keys)?;
                self.housekeeper.remove_later(dir, marked.into_iter().zip(due_ms));
            }
        }
        Ok(())
    }

    /// Gives a topic other settings.
    pub fn update_config(&self, id: TopicId, settings: TopicSettings) {
        let snapshot = self.snapshot();
        let Some(hosted) = snapshot.identified(id) else { return };
        let settings = Arc::new(settings);
        hosted.topic.settings.store(Arc::clone(&settings));
        for partition in hosted.online() {
            // One that is gone has no use for settings.
            let _ = partition.with_log(|log| log.set_config(settings.log.clone()));
        }
    }

    /// Leads a partition in a later epoch.
    pub fn update_leader_epoch(&self, id: TopicId, partition: i32, epoch: LeaderEpoch) {
        if let Some(partition) = self.by_id(id, partition) {
            partition.lead(epoch);
        }
    }

    /// Makes the log starts of these partitions durable. Cancel-safe: it happens all the same.
    pub async fn checkpoint_log_starts(&self, partitions: &[Arc<Partition>]) -> Result<(), CheckpointFailed> {
        for dir in &self.dirs {
            if partitions.iter().any(|partition| Arc::ptr_eq(partition.dir(), dir)) {
                self.housekeeper.checkpoint_log_starts(dir).await?;
            }
        }
        Ok(())
    }
}

/// Threads that make new logs: each waits for the disk most of the time, and their journal commits merge.
const MAKING_THREADS: usize = 4;

/// A partition to open: where its topic stands among those that change, the topic, what is wanted, and where.
struct Work {
    at: usize,
    topic: Arc<Topic>,
    new: NewPartition,
    dir: Arc<HostDir>,
}

type Opened = Result<Arc<Partition>, StorageError>;

impl Work {
    fn key(&self) -> (String, i32) {
        (self.new.topic.to_string(), self.new.partition)
    }

    fn is_found(&self) -> bool {
        self.dir.has_found(&self.new.topic, self.new.partition)
    }
}

/// Partitions that leave one directory, and when each may be removed.
#[derive(Default)]
struct Leaving {
    keys: Vec<(String, i32)>,
    due_ms: Vec<i64>,
}

fn topic_of(new: &NewPartition) -> Arc<Topic> {
    Arc::new(Topic {
        name: Arc::clone(&new.topic),
        id: new.topic_id,
        settings: ArcSwap::new(Arc::clone(&new.settings)),
    })
}
