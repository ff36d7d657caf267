//! The thread that owns the controller and its log.
//!
//! ```text
//! command → step → replay → append ┐ for each command that waits
//! sync → partitions → publish → answers
//! ```
//!
//! Nobody is answered, and no image is shown, before its records are on disk and the partitions it speaks of are here.

use std::sync::Arc;

use arc_swap::ArcSwap;
use controller::command::{AssignReplicasToDirs, BrokerChange, BrokerState};
use controller::controller::ReplayError;
use controller::image::{DIRECTORY_MIGRATING, DIRECTORY_UNASSIGNED};
use controller::{Command, Controller, Image, MetadataRecord, MetadataVersion, Reply};
use model::{BrokerId, Clock, ErrorCode, LeaderEpoch, Offset, TopicId};
use storage::LogDir;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::diff::{self, Change};
use super::log::{LogError, MetadataLog};
use super::quorum::Quorum;
use super::snapshot::QuorumRecords;
use super::view::{Follower, View};
use crate::context::Fatal;
use crate::partition::{HostDir, NewPartition, Registry, TopicSettings};

/// What others ask of the thread.
#[derive(Debug)]
pub(super) enum Request {
    Submit(Command, oneshot::Sender<Result<Reply, ErrorCode>>),
    Stop,
}

/// Why the thread cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Records that do not follow from the ones before.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A partition that could not be deleted.
    #[error("a partition cannot follow the metadata: {0}")]
    Partition(String),
}

impl CommitError {
    /// Whether nothing but space or a descriptor was missing, and nothing has changed.
    fn is_passing(&self) -> bool {
        matches!(self, Self::Log(error) if error.is_passing())
    }
}

/// The controller with its log: commands in, durable records and replies out.
#[derive(Debug)]
pub(super) struct Ledger {
    pub controller: Controller,
    pub log: MetadataLog,
}

impl Ledger {
    /// Decides a command and takes its records in. They are durable after [`Self::sync`]. On an error the controller
    /// is what it was before.
    pub(super) fn execute(&mut self, now_ms: i64, command: Command) -> Result<Reply, CommitError> {
        // A clone shares everything: it costs no more than a few counters.
        let before = self.controller.clone();
        let outcome = self.controller.step(now_ms, command);
        match self.append(now_ms, &outcome.records) {
            Ok(()) => Ok(outcome.reply),
            Err(error) => {
                self.controller = before;
                Err(error)
            }
        }
    }

    /// Takes in records as one batch.
    pub(super) fn append(&mut self, now_ms: i64, records: &[MetadataRecord]) -> Result<(), CommitError> {
        if records.is_empty() {
            return Ok(());
        }
        let base = self.log.end();
        for (record, at) in records.iter().zip(base.value()..) {
            self.controller.replay(Offset::new(at), record)?;
        }
        let appended = self.log.append(records, now_ms)?;
        assert_eq!(appended, base, "nobody else appends to this log");
        Ok(())
    }

    /// Returns when everything appended is on disk.
    pub(super) fn sync(&mut self) -> Result<(), CommitError> {
        Ok(self.log.sync()?)
    }
}

/// The log directory that the metadata gives for a replica of this node, if it gives one.
fn directory_of(image: &Image, id: TopicId, index: i32, own: BrokerId) -> Option<Uuid> {
    let known = image.topic_by_id(id)?.partition(index)?.directory(own)?;
    (known != DIRECTORY_UNASSIGNED && known != DIRECTORY_MIGRATING).then_some(known)
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Worker {
    pub ledger: Ledger,
    pub quorum_records: QuorumRecords,
    pub own: BrokerId,
    pub clock: Clock,
    pub registry: Arc<Registry>,
    pub view: Arc<ArcSwap<View>>,
    pub quorum: Arc<ArcSwap<Quorum>>,
    pub follower: Follower,
    pub fatal: Fatal,
    /// The metadata directory, if it is no log directory.
    pub own_dir: Option<LogDir>,
}

/// Commands that are committed together: the time of a sync is shared, the first of them does not wait long.
const BATCH_COMMANDS: usize = 128;

impl Worker {
    /// Runs until it is told to stop, or until all who could ask are gone.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        // The image must not outlive the thread that tends it.
        let _alarm = self.fatal.alarm("the metadata thread panicked");
        let served = self.serve(&mut requests);
        // Not by its drop alone: what is sent while that looks for the last time would keep whoever asked waiting for ever.
        requests.close();
        while requests.blocking_recv().is_some() {}
        if let Err(error) = served {
            for dir in self.dirs_of_log() {
                dir.doubt();
            }
            self.fatal.report(&format!("the metadata log has failed: {error}"));
            return;
        }
        let dirs = self.dirs_of_log();
        let epoch = i64::from(self.quorum.load().leader_epoch.value());
        // The mark says which leader has closed the log: Kafka, which knows no such mark here, may lead it next.
        let mark = |dir: &LogDir| dir.write_clean_marker(epoch);
        let closed = self.ledger.log.close().and_then(|()| self.own_dir.as_ref().map_or(Ok(()), mark));
        if let Err(error) = closed {
            for dir in &dirs {
                dir.doubt();
            }
            tracing::warn!(target: "ottla.metadata", "the metadata log was not closed: {error}");
        }
    }

    fn serve(&mut self, requests: &mut mpsc::Receiver<Request>) -> Result<(), CommitError> {
        let mut stop = false;
        while !stop && let Some(first) = requests.blocking_recv() {
            stop = self.commit(first, requests)?;
        }
        Ok(())
    }

    /// The log directory that the metadata log is in, if it is one.
    fn dirs_of_log(&self) -> Vec<Arc<HostDir>> {
        let path = self.ledger.log.path().parent();
        self.registry.dirs().iter().filter(|dir| Some(dir.path()) == path).cloned().collect()
    }

    /// One round; true when it is the last.
    fn commit(
        &mut self,
        first: Request,
        requests: &mut mpsc::Receiver<Request>,
    ) -> Result<bool, CommitError> {
        let now_ms = self.clock.wall_ms();
        let mut answers = Vec::new();
        let mut next = Some(first);
        let mut stop = false;
        while let Some(request) = next {
            match request {
                Request::Submit(command, asker) => {
                    let reply = match self.ledger.execute(now_ms, command) {
                        Err(error) if error.is_passing() => {
                            tracing::warn!(target: "ottla.metadata", "a change of the metadata is refused: {error}");
                            Err(ErrorCode::KafkaStorageError)
                        }
                        result => Ok(result?),
                    };
                    answers.push((reply, asker));
                }
                Request::Stop => {
                    stop = true;
                    break;
                }
            }
            next = if answers.len() < BATCH_COMMANDS { requests.try_recv().ok() } else { None };
        }
        self.ledger.sync()?;
        self.publish()?;
        for (reply, asker) in answers {
            // Who asked may have gone meanwhile.
            let _ = asker.send(reply);
        }
        self.snapshot_if_due()?;
        Ok(stop)
    }

    /// Makes the partitions follow, then shows the image.
    pub(super) fn publish(&mut self) -> Result<(), CommitError> {
        let before = self.view.load_full();
        let image = self.ledger.controller.image();
        let end = self.ledger.log.end();
        self.quorum.rcu(|quorum| Quorum {
            log_end_offset: end,
            high_watermark: end,
            ..Quorum::clone(quorum)
        });
        if Arc::ptr_eq(before.image(), &image) {
            return Ok(());
        }
        let after = before.with_image(image, self.own);
        self.registry.cordon(&after.config().storage.cordoned_log_dirs);
        let changes = diff::changes(before.image(), after.image(), self.own);
        // Deletions come first, so that a name is free for the topic that has it now.
        self.delete(before.image(), &changes)?;
        let mut hosted = Vec::new();
        for change in changes {
            match change {
                Change::Delete(_) => {}
                Change::Host { name, id, index, epoch } => hosted.push((name, id, index, epoch)),
                Change::Lead { id, index, epoch } => self.registry.update_leader_epoch(id, index, epoch),
                Change::Configure(id) => self.configure(&after, id),
            }
        }
        let placed: Vec<_> = hosted.iter().map(|(_, id, index, _)| (*id, *index)).collect();
        self.host(&after, hosted);
        if !Arc::ptr_eq(before.config(), after.config()) {
            // A broker setting is the default of a topic setting: every topic may have others now.
            after.image().topics().iter().for_each(|topic| self.configure(&after, topic.id));
        }
        self.follower.follow(&after);
        let assignments = self.assignments(after.image(), &placed);
        self.view.store(Arc::new(after));
        self.assign(assignments)?;
        self.cordon()
    }

    /// Which partitions are in another log directory than the metadata says, and in which. Where there is only one, nobody
    /// needs to be told that a partition is there.
    fn assignments(&self, image: &Image, placed: &[(TopicId, i32)]) -> Vec<(Uuid, TopicId, i32)> {
        let several = self.registry.has_several_dirs();
        let moved = placed.iter().filter_map(|(id, index)| {
            let actual = self.registry.directory_of(*id, *index)?;
            let known = directory_of(image, *id, *index, self.own);
            (known != Some(actual) && (several || known.is_some())).then_some((actual, *id, *index))
        });
        moved.collect()
    }

    /// Tells the controller in which log directories the partitions are (KIP-858), so that it knows whose leader goes when
    /// one of them fails.
    fn assign(&mut self, replicas: Vec<(Uuid, TopicId, i32)>) -> Result<(), CommitError> {
        let Some(broker) =
            self.ledger.controller.image().broker(self.own).filter(|_| !replicas.is_empty()).cloned()
        else {
            return Ok(());
        };
        let command = AssignReplicasToDirs { broker_id: self.own, broker_epoch: broker.epoch, replicas };
        match self.ledger.execute(self.clock.wall_ms(), Command::AssignReplicasToDirs(command)) {
            Ok(Reply::AssignReplicasToDirs(Ok(_))) => {}
            Ok(reply) => {
                // A metadata version of before KIP-858 has no place for it.
                tracing::debug!(target: "ottla.metadata", "log directories are not assigned: {reply:?}");
                return Ok(());
            }
            Err(error) if error.is_passing() => {
                tracing::warn!(target: "ottla.metadata", "log directories are assigned by the next start: {error}");
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        self.ledger.sync()?;
        self.publish()
    }

    /// Tells the controller which log directories get no more partitions, as a heartbeat of Kafka's brokers does: each process
    /// anew, also that there are none (KIP-1066).
    fn cordon(&mut self) -> Result<(), CommitError> {
        let before = self.ledger.controller.image();
        let knows_of_cordons = |version: MetadataVersion| version.has_cordoned_directories();
        let Some(broker) =
            before.broker(self.own).filter(|_| before.metadata_version().is_some_and(knows_of_cordons))
        else {
            return Ok(());
        };
        let dirs = self.registry.dirs().iter();
        let cordoned = dirs.filter(|dir| self.registry.is_cordoned(dir)).filter_map(|dir| dir.id());
        let change = BrokerChange::CordonedDirs(cordoned.collect());
        let command = BrokerState { broker_id: self.own, broker_epoch: broker.epoch, change };
        match self.ledger.execute(self.clock.wall_ms(), Command::BrokerState(command)) {
            Ok(_) if Arc::ptr_eq(&before, &self.ledger.controller.image()) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.is_passing() => {
                tracing::warn!(target: "ottla.metadata", "cordoned log directories are told later: {error}");
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        self.ledger.sync()?;
        self.publish()
    }

    fn delete(&self, before: &Image, changes: &[Change]) -> Result<(), CommitError> {
        let gone = changes.iter().filter_map(|change| match change {
            Change::Delete(id) => Some(*id),
            _ => None,
        });
        let gone: Vec<TopicId> = gone.collect();
        for topic in gone.iter().filter_map(|id| before.topic_by_id(*id)) {
            tracing::info!(target: "ottla.metadata", "Deleted topic {} with id {}", topic.name, topic.id);
        }
        if gone.is_empty() {
            return Ok(());
        }
        self.registry.delete_topics(&gone).map_err(|error| CommitError::Partition(error.to_string()))
    }

    /// Creates or opens partitions. One whose log does not open is offline, and its clients are told so.
    fn host(&self, view: &View, partitions: Vec<(Arc<str>, TopicId, i32, LeaderEpoch)>) {
        if partitions.is_empty() {
            return;
        }
        let mut settings: Option<(TopicId, Arc<TopicSettings>)> = None;
        let new = partitions.into_iter().map(|(topic, topic_id, partition, leader_epoch)| {
            let known = settings.take().filter(|(id, _)| *id == topic_id);
            let resolve = || (topic_id, Arc::new(view.topic_settings(&topic)));
            let (_, resolved) = settings.insert(known.unwrap_or_else(resolve));
            let settings = Arc::clone(resolved);
            let directory = directory_of(view.image(), topic_id, partition, self.own);
            NewPartition { topic, topic_id, partition, leader_epoch, directory, settings }
        });
        self.registry.create_all(new.collect());
    }

    fn configure(&self, view: &View, id: TopicId) {
        if let Some(topic) = view.image().topic_by_id(id) {
            self.registry.update_config(id, view.topic_settings(&topic.name));
        }
    }

    fn snapshot_if_due(&mut self) -> Result<(), CommitError> {
        let aging_ms = self.clock.aging_ms();
        if !self.ledger.log.wants_snapshot(aging_ms) {
            return Ok(());
        }
        let records = self.ledger.controller.snapshot();
        let id = match self.ledger.log.write_snapshot(records, &self.quorum_records, &self.clock) {
            Err(error) if error.is_passing() => {
                // The log has everything; a snapshot only shortens it.
                tracing::warn!(target: "ottla.metadata", "no metadata snapshot was written: {error}");
                return Ok(());
            }
            result => result?,
        };
        tracing::info!(target: "ottla.metadata", "wrote a metadata snapshot of everything below offset {}", id.offset);
        Ok(self.ledger.log.clean(aging_ms)?)
    }
}
