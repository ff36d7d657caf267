//! Changes of what this node hosts: partitions come with topics, go with them, and take over their settings.
//!
//! All of it is the metadata thread's to call, before it publishes the image that tells clients.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwap;
use model::ids::uuid_to_base64;
use model::{LeaderEpoch, TopicId};
use storage::StorageError;
use uuid::Uuid;

use super::handle::{Partition, Topic};
use super::host_dir::HostDir;
use super::housekeeping::CheckpointFailed;
use super::late_openings::Stage;
use super::opening::Work;
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
    /// Id of the log directory that it is in, where the metadata says so (KIP-858).
    pub directory: Option<Uuid>,
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
            directory: None,
            settings: Arc::new(settings),
        };
        self.create_all(vec![new]).pop().map_or(Ok(()), |failed| Err(failed.1))
    }

    /// Holds these partitions from now on: a log that was found on disk under the topic's id is opened, and
    /// recovered where its last owner did not close it; otherwise one is made. Several threads share the work, and
    /// what can be done once for all of them is: a crash in between leaves directories that the next start, which
    /// knows the same topics, takes over or makes again.
    ///
    /// A partition whose log cannot be opened is hosted offline: clients are answered `KAFKA_STORAGE_ERROR`. If only
    /// space or a descriptor is missing, it comes online when there is some ([`Registry::open_waiting`]).
    /// Those are answered with their errors; the others are served. Partitions already here stay as they are.
    pub fn create_all(&self, new: Vec<NewPartition>) -> Vec<(NewPartition, StorageError)> {
        let mut waiting = self.changing.lock();
        let mut snapshot = Snapshot::clone(&self.snapshot());
        let mut hosted: Vec<HostedTopic> = Vec::new();
        let mut work = Vec::with_capacity(new.len());
        let mut planned = self.dirs.iter().map(|dir| dir.served()).collect::<Vec<_>>();
        let mut failed = Vec::new();
        for new in new {
            let at = hosted.iter().rposition(|hosted| hosted.topic.id == new.topic_id).unwrap_or_else(|| {
                let known = snapshot.identified(new.topic_id).cloned();
                hosted.push(known.unwrap_or_else(|| HostedTopic::new(topic_of(&new))));
                hosted.len() - 1
            });
            if hosted[at].partition(new.partition).is_err() {
                let Some(dir) = self.dir_for(&new, &mut planned) else {
                    let path = PathBuf::from(format!("{}-{}", new.topic, new.partition));
                    tracing::error!(
                        "{} is offline: its log directory{} cannot be used, or is not in log.dirs; it comes back with the \
                         directory, after a start, or is gone for good when its topic is deleted",
                        path.display(),
                        new.directory.map_or(String::new(), |id| format!(" (id {})", uuid_to_base64(id)))
                    );
                    hosted[at].host(new.partition, None);
                    failed.push((new, StorageError::Failed { path }));
                    continue;
                };
                work.push(Work::new(at, Arc::clone(&hosted[at].topic), new, Arc::clone(dir)));
            }
        }
        for (work, opened) in self.open_all(work) {
            let (hosted, index) = (&mut hosted[work.at], work.new.partition);
            match opened {
                Ok(partition) => hosted.host(index, Some(partition)),
                Err(error) => {
                    tracing::error!("{}-{index} is offline: {error}", work.new.topic);
                    hosted.host(index, None);
                    let new = work.new.clone();
                    if error.is_passing() {
                        waiting.push(work);
                    }
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

    /// Opens the partitions that wait for space or descriptors, as far as there are some now.
    pub(super) fn open_waiting(&self) {
        let mut waiting = self.changing.lock();
        // All wait for much the same: when the first cannot be opened, the others would not be either.
        while let Some(first) = waiting.pop() {
            let others = waiting.len().saturating_sub(OPENED_AT_ONCE - 1);
            let rest = waiting.split_off(others);
            let mut snapshot = Snapshot::clone(&self.snapshot());
            let (mut opened, mut is_blocked) = (self.open_all(vec![first]), false);
            if opened.iter().any(|(_, opened)| opened.is_ok()) {
                opened.extend(self.open_all(rest));
            } else {
                waiting.extend(rest);
            }
            let mut online = Vec::new();
            for (work, opened) in opened {
                let known = snapshot.identified(work.new.topic_id).cloned();
                match (opened, known) {
                    (Ok(partition), Some(mut hosted)) => {
                        tracing::info!("{} is online", partition.dir_name());
                        online.push(Arc::clone(&partition));
                        hosted.host(work.new.partition, Some(partition));
                        snapshot.put(hosted);
                    }
                    (Err(error), Some(_)) if error.is_passing() => {
                        is_blocked = true;
                        waiting.push(work);
                    }
                    (Err(error), _) => {
                        tracing::error!("{}-{} stays offline: {error}", work.new.topic, work.new.partition);
                    }
                    (Ok(_), None) => unreachable!("whoever deletes a topic takes it off the list"),
                }
            }
            self.late_openings.tell(Stage::Opened, &online);
            self.publish(snapshot);
            self.late_openings.tell(Stage::Served, &online);
            if is_blocked {
                return;
            }
        }
    }

    /// Calls `listener` with the partitions that are opened from now on though the start has found them, at each [`Stage`].
    /// Those that came before are among [`Registry::all`] when this returns. The listener must not change what is hosted.
    pub fn on_late_opening(&self, listener: impl Fn(Stage, &[Arc<Partition>]) + Send + Sync + 'static) {
        // No opening is half done.
        let _changing = self.changing.lock();
        self.late_openings.listen(Arc::new(listener));
    }

    /// Sets aside what is on disk and belongs to no topic, and begins the journals. To be called once, after the
    /// partitions of the image
    /// that the start has replayed were created.
    pub fn retire_strays(&self) -> Result<(), StorageError> {
        let _changing = self.changing.lock();
        self.is_started.store(true, Ordering::Release);
        for dir in self.dirs.iter().filter(|dir| !dir.has_failed()) {
            if let Err(error) = dir.set_strays_aside().and_then(|()| dir.begin_journal()) {
                dir.note(&error);
                if error.is_passing() {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// The id of the log directory that a partition is in; `None` where it is not online.
    pub fn directory_of(&self, id: TopicId, partition: i32) -> Option<Uuid> {
        self.by_id(id, partition)?.dir().id()
    }

    /// Lets go of topics: their partitions answer no more, their directories are renamed now, durably, and
    /// removed after `file.delete.delay.ms`. Those that are not here are left out.
    pub fn delete_topics(&self, ids: &[TopicId]) -> Result<(), StorageError> {
        let mut waiting = self.changing.lock();
        waiting.retain(|work| !ids.contains(&work.new.topic_id));
        let mut snapshot = Snapshot::clone(&self.snapshot());
        let gone: Vec<_> = ids.iter().filter_map(|id| snapshot.remove(*id)).collect();
        self.publish(snapshot);
        let mut leaving: Vec<Leaving> = self.dirs.iter().map(|_| Leaving::default()).collect();
        for hosted in &gone {
            let delay_ms = hosted.topic.settings.load().log.file_delete_delay_ms;
            let delay = Duration::from_millis(u64::try_from(delay_ms).unwrap_or(0));
            for index in hosted.indexes() {
                let online = hosted.partition(index).ok();
                let is_there = |dir: &Arc<HostDir>| match online {
                    Some(partition) => Arc::ptr_eq(partition.dir(), dir),
                    // What is in one that has failed is set aside by the start that finds it again.
                    None => !dir.has_failed() && dir.has_dir(&hosted.topic.name, index),
                };
                if let Some(partition) = online
                    && partition.take_log().is_some()
                {
                    partition.dir().left();
                    self.depart(partition);
                }
                if let Some(at) = self.dirs.iter().position(is_there) {
                    leaving[at].keys.push((hosted.topic.name.to_string(), index));
                    leaving[at].delays.push(delay);
                }
            }
        }
        for (dir, Leaving { keys, delays }) in self.dirs.iter().zip(leaving) {
            if !keys.is_empty() && !dir.has_failed() {
                let marked = match dir.delete(&keys) {
                    Err(error) if !error.is_passing() => {
                        dir.note(&error);
                        continue;
                    }
                    marked => marked?,
                };
                let waiting = marked.into_iter().zip(delays);
                self.housekeeper.remove_later(dir, waiting.filter_map(|(path, delay)| Some((path?, delay))));
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
            return;
        }
        let mut waiting = self.changing.lock();
        let work = waiting.iter_mut().find(|work| (work.new.topic_id, work.new.partition) == (id, partition));
        if let Some(work) = work {
            work.new.leader_epoch = epoch;
        }
    }

    /// Makes the log starts of these partitions durable, and answers of each whether it is: those in a sound directory are also
    /// where another fails. Cancel-safe: it happens all the same in the directory that is waited for.
    pub async fn checkpoint_log_starts(
        &self,
        partitions: &[Arc<Partition>],
    ) -> Vec<Result<(), CheckpointFailed>> {
        let mut written = vec![Ok(()); partitions.len()];
        for dir in &self.dirs {
            let is_here = |partition: &Arc<Partition>| Arc::ptr_eq(partition.dir(), dir);
            if partitions.iter().any(is_here) {
                let result = self.housekeeper.checkpoint_log_starts(dir).await;
                let here = written.iter_mut().zip(partitions).filter(|(_, partition)| is_here(partition));
                here.for_each(|(written, _)| *written = result);
            }
        }
        written
    }
}

/// Partitions that leave one directory, and how long each stays for those who read it.
#[derive(Default)]
struct Leaving {
    keys: Vec<(String, i32)>,
    delays: Vec<Duration>,
}

/// Partitions that are opened before the others are looked at, when they have waited.
const OPENED_AT_ONCE: usize = 256;

fn topic_of(new: &NewPartition) -> Arc<Topic> {
    Arc::new(Topic {
        name: Arc::clone(&new.topic),
        id: new.topic_id,
        settings: ArcSwap::new(Arc::clone(&new.settings)),
    })
}
