//! Changes of what this node hosts: partitions come with topics, go with them, and take over their settings.
//!
//! All of it is the metadata thread's to call, before it publishes the image that tells clients.

use std::sync::Arc;

use arc_swap::ArcSwap;
use model::{LeaderEpoch, TopicId};
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
    /// recovered where its last owner did not close it; otherwise one is made. Several threads share the work.
    ///
    /// A partition whose log cannot be opened is hosted offline: clients are answered `KAFKA_STORAGE_ERROR`.
    /// Those are answered with their errors; the others are served. Partitions already here stay as they are.
    pub fn create_all(&self, new: Vec<NewPartition>) -> Vec<(NewPartition, StorageError)> {
        let _changing = self.changing.lock();
        let mut snapshot = Snapshot::clone(&self.snapshot());
        let mut work = Vec::with_capacity(new.len());
        let mut hosted: Vec<HostedTopic> = Vec::new();
        for new in new {
            let at = hosted.iter().rposition(|hosted| hosted.topic.id == new.topic_id).unwrap_or_else(|| {
                let known = snapshot.identified(new.topic_id).cloned();
                hosted.push(known.unwrap_or_else(|| HostedTopic::new(topic_of(&new))));
                hosted.len() - 1
            });
            if hosted[at].partition(new.partition).is_err() {
                work.push((at, Arc::clone(&hosted[at].topic), new));
            }
        }
        let mut failed = Vec::new();
        for ((at, _, new), opened) in self.open_in_parallel(work) {
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

    fn open_in_parallel(&self, work: Vec<Work>) -> Vec<(Work, Result<Arc<Partition>, StorageError>)> {
        let threads = self.recovery_threads.min(work.len()).max(1);
        if threads == 1 {
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

    fn open_one(&self, work: Work) -> (Work, Result<Arc<Partition>, StorageError>) {
        let opened = self.open_partition(&work.1, &work.2);
        (work, opened)
    }

    fn open_partition(&self, topic: &Arc<Topic>, new: &NewPartition) -> Result<Arc<Partition>, StorageError> {
        let dir = self.dir_for(&new.topic, new.partition);
        let config = topic.settings.load().log.clone();
        let now_ms = self.clock.wall_ms();
        let mut log = dir.open_log(&new.topic, new.topic_id, new.partition, config, now_ms)?;
        log.assign_epoch(new.leader_epoch);
        let partition = Partition::new(
            Arc::clone(topic),
            new.partition,
            new.leader_epoch,
            log,
            Arc::clone(dir),
            self.fatal.clone(),
        );
        dir.committer.enlist(&partition, Urgency::Within(super::committer::BACKGROUND_SYNC));
        Ok(partition)
    }

    /// Where the partition is, or the directory with the fewest partitions.
    fn dir_for(&self, topic: &str, partition: i32) -> &Arc<HostDir> {
        let found = self.dirs.iter().find(|dir| dir.has_found(topic, partition));
        let emptiest = || self.dirs.iter().min_by_key(|dir| dir.served());
        found.or_else(emptiest).expect("a node has at least one log directory")
    }

    /// Sets aside what is on disk and belongs to no topic. To be called once, after the partitions of the image
    /// that the start has replayed were created.
    pub fn retire_strays(&self) -> Result<(), StorageError> {
        let _changing = self.changing.lock();
        self.dirs.iter().try_for_each(|dir| dir.set_strays_aside())
    }

    /// Lets go of a topic: its partitions answer no more, their directories are renamed now, durably, and
    /// removed after `file.delete.delay.ms`. Nothing happens when it is not here.
    pub fn delete_topic(&self, id: TopicId) -> Result<(), StorageError> {
        let _changing = self.changing.lock();
        let mut snapshot = Snapshot::clone(&self.snapshot());
        let Some(hosted) = snapshot.remove(id) else { return Ok(()) };
        self.publish(snapshot);
        let delay_ms = hosted.topic.settings.load().log.file_delete_delay_ms;
        for index in hosted.indexes() {
            let online = hosted.partition(index).ok();
            let dir = match online {
                Some(partition) => Some(Arc::clone(partition.dir())),
                None => self.dirs.iter().find(|dir| dir.has_dir(&hosted.topic.name, index)).cloned(),
            };
            if let Some(partition) = online
                && partition.take_log().is_some()
            {
                partition.dir().left();
            }
            let Some(dir) = dir else { continue };
            let name = &hosted.topic.name;
            let renamed = dir.delete(name, index)?;
            self.housekeeper.remove_later(dir, renamed, self.clock.wall_ms().saturating_add(delay_ms));
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

/// A partition to open: where its topic stands, the topic, and what is wanted.
type Work = (usize, Arc<Topic>, NewPartition);

fn topic_of(new: &NewPartition) -> Arc<Topic> {
    Arc::new(Topic {
        name: Arc::clone(&new.topic),
        id: new.topic_id,
        settings: ArcSwap::new(Arc::clone(&new.settings)),
    })
}
