//! A start: format what is new, load the snapshot, replay the log, begin an epoch, register, and let the partitions
//! follow. Each step is durable before the next needs it, so that a crash in between only makes the next start do
//! the rest.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use config::{BrokerConfig, Loaded};
use controller::command::{
    ApiError, BrokerChange, BrokerState, FeatureUpdate, RegisterBroker, RegisterController, UpdateFeatures,
};
use controller::control_record::ControlRecord;
use controller::controller::{ConfigRules, ReplayError};
use controller::image::ConfigResourceType;
use controller::record::Endpoint;
use controller::{Command, Controller, ControllerSettings, MetadataRecord, Reply};
use model::{BrokerId, Clock, LeaderEpoch, Offset};
use parking_lot::Mutex;
use storage::metadata_files::{BOOTSTRAP_CHECKPOINT, MetadataFiles, SnapshotId};
use storage::{Disk, LogDir, StorageError, SystemDisk};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::batch::{BadBatch, Entry};
use super::features::{self, INITIAL_LEVELS, supported};
use super::files::{make_dir, read_file, replace_file};
use super::identity::{self, FoundDir, IdentityError};
use super::log::{Found, LogError, MetadataLog};
use super::quorum::{self, NotAlone, Quorum};
use super::snapshot::{QuorumRecords, Snapshot};
use super::view::{Follower, View};
use super::worker::{CommitError, Ledger, Request, Worker};
use super::{Metadata, QUEUE_COMMANDS, host_name, random};
use crate::context::Fatal;
use crate::partition::Registry;

/// Why the metadata could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The log directories are not this node's.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The disk.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Records that this version cannot follow.
    #[error("the metadata log cannot be followed: {0}")]
    Replay(#[from] ReplayError),
    /// A first record, or a partition.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// Somebody else has a vote.
    #[error(transparent)]
    NotAlone(#[from] NotAlone),
    /// The records of `bootstrap.checkpoint`.
    #[error("{path}: {source}")]
    Bootstrap {
        /// The file.
        path: String,
        /// What is wrong.
        source: BadBatch,
    },
    /// The cluster refuses this broker.
    #[error("the broker cannot be registered: {0}")]
    Refused(ApiError),
    /// No thread.
    #[error("the metadata thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

impl Metadata {
    /// Opens the metadata of the configured directories, formatting new ones, registers this broker and lets
    /// `registry` follow. `cluster_id` is for directories that have none.
    pub fn open(
        loaded: &Loaded,
        clock: Clock,
        cluster_id: Option<String>,
        registry: Arc<Registry>,
        follower: Follower,
        fatal: Fatal,
    ) -> Result<Self, OpenError> {
        Self::open_on(SystemDisk::shared(), loaded, clock, cluster_id, registry, follower, fatal)
    }

    /// As [`Metadata::open`], on another disk.
    pub fn open_on(
        disk: Arc<dyn Disk>,
        loaded: &Loaded,
        clock: Clock,
        cluster_id: Option<String>,
        registry: Arc<Registry>,
        follower: Follower,
        fatal: Fatal,
    ) -> Result<Self, OpenError> {
        let start = Start {
            disk,
            config: &loaded.broker,
            own: BrokerId::new(loaded.broker.identity.node_id),
            now_ms: clock.wall_ms(),
        };
        let (identity, own_dir) = start.identity(&registry, cluster_id)?;
        let mut replayed = start.load(&identity)?;
        let epoch = start.lead(&mut replayed)?;
        let mut ledger = Ledger { controller: replayed.controller, log: replayed.log };
        start.bootstrap(&mut ledger, &replayed.bootstrap)?;
        let broker_epoch = start.register(&mut ledger, &identity)?;
        ledger.sync()?;

        let view = View::empty(loaded.layers.clone(), loaded.broker.clone());
        let view = Arc::new(ArcSwap::from_pointee(view));
        let end = ledger.log.end();
        let quorum = start.quorum(&identity, &replayed.quorum, epoch, end);
        let quorum = Arc::new(ArcSwap::from_pointee(quorum));
        let mut worker = Worker {
            ledger,
            quorum_records: replayed.quorum,
            own: start.own,
            clock,
            registry,
            view: Arc::clone(&view),
            quorum: Arc::clone(&quorum),
            follower,
            fatal,
            own_dir,
        };
        worker.registry.set_broker_epoch(broker_epoch);
        worker.publish()?;
        worker.registry.retire_strays()?;
        let (requests, queue) = mpsc::channel(QUEUE_COMMANDS);
        report_losses(&worker.registry, &requests, start.own, broker_epoch);
        let thread =
            std::thread::Builder::new().name("metadata".to_owned()).spawn(move || worker.run(queue))?;
        Ok(Self {
            cluster_id: identity.cluster_id,
            broker_epoch,
            view,
            quorum,
            requests,
            thread: Mutex::new(Some(thread)),
        })
    }
}

/// Tells the controller of log directories that fail: those in there have no leader then (KIP-858).
fn report_losses(registry: &Registry, requests: &mpsc::Sender<Request>, own: BrokerId, broker_epoch: i64) {
    // The registry must not keep the thread from ending.
    let requests = requests.downgrade();
    registry.on_loss(move |directory| {
        let change = BrokerChange::OfflineDirs(vec![directory]);
        let command = Command::BrokerState(BrokerState { broker_id: own, broker_epoch, change });
        let (answer, _nobody_waits) = tokio::sync::oneshot::channel();
        if let Some(requests) = requests.upgrade() {
            // An error means that the node is stopping.
            let _ = requests.blocking_send(Request::Submit(command, answer));
        }
    });
}

/// What every step of a start needs.
pub(super) struct Start<'a> {
    pub disk: Arc<dyn Disk>,
    pub config: &'a BrokerConfig,
    pub own: BrokerId,
    pub now_ms: i64,
}

/// Who this node is.
struct Identity {
    cluster_id: String,
    /// Ids of the log directories.
    log_dirs: Vec<Uuid>,
    /// Id of the directory that holds the metadata log.
    metadata_dir: Uuid,
    /// Whether that log was closed; unknown in a directory that holds no other.
    was_clean: bool,
}

/// A log that has been read to its end.
pub(super) struct Replayed {
    pub controller: Controller,
    pub log: MetadataLog,
    quorum: QuorumRecords,
    /// Whether the log, or a snapshot of it, has the quorum's own records.
    quorum_in_log: bool,
    pub bootstrap: Vec<MetadataRecord>,
}

impl Start<'_> {
    /// Establishes whose directories these are, formatting new ones. A metadata directory that is no log directory
    /// is locked here.
    fn identity(
        &self,
        registry: &Registry,
        cluster_id: Option<String>,
    ) -> Result<(Identity, Option<LogDir>), OpenError> {
        let path = self.config.storage.metadata_log_dir.as_path();
        let log_dirs = registry.dirs();
        let is_log_dir = log_dirs.iter().any(|dir| dir.path() == path);
        let mut own_dir = if is_log_dir { None } else { Some(LogDir::open(Arc::clone(&self.disk), path)?) };
        let mut found: Vec<_> =
            log_dirs.iter().map(|dir| FoundDir { path: dir.path(), meta: dir.meta() }).collect();
        found.extend(own_dir.iter().map(|dir| FoundDir { path, meta: dir.meta().cloned() }));
        let (cluster_id, established) = identity::establish(self.own, &found, cluster_id)?;
        let of_metadata = found.iter().position(|dir| dir.path == path).and_then(|at| established.get(at));
        let metadata_dir = of_metadata.map_or_else(Uuid::nil, |dir| dir.id);
        for (dir, identity) in log_dirs.iter().zip(&established).filter(|(_, identity)| identity.is_new) {
            dir.format(identity.meta.clone())?;
            tracing::info!(target: "ottla.metadata", "Formatted {} for cluster {cluster_id}", dir.path().display());
        }
        if let (Some(dir), Some(identity)) = (&mut own_dir, established.get(log_dirs.len()))
            && identity.is_new
        {
            dir.format(identity.meta.clone())?;
        }
        let log_dirs = established.iter().take(log_dirs.len()).map(|dir| dir.id).collect();
        let was_clean = match &own_dir {
            Some(own) => self.was_closed(own)?,
            None => registry.dirs().iter().any(|dir| dir.path() == path && dir.was_clean()),
        };
        Ok((Identity { cluster_id, log_dirs, metadata_dir, was_clean }, own_dir))
    }

    /// Takes the mark of a clean end out of a metadata directory of its own, where Kafka leaves it standing: it counts
    /// only if nobody has led the log since.
    fn was_closed(&self, own: &LogDir) -> Result<bool, OpenError> {
        let last_end = own.take_clean_marker()?;
        let files = MetadataFiles::new(Arc::clone(&self.disk), &self.dir());
        let led = quorum::state(&files)?.map(|state| i64::from(state.leader_epoch.value()));
        Ok(last_end.clean && led.is_some() && last_end.broker_epoch == led)
    }

    /// Directory of the metadata log.
    fn dir(&self) -> PathBuf {
        self.config.storage.metadata_log_dir.join(storage::names::METADATA_DIR)
    }

    /// Reads the log of directories that have their identity.
    pub(super) fn load_formatted(&self, cluster_id: &str, was_clean: bool) -> Result<Replayed, OpenError> {
        let (log_dirs, metadata_dir) = (Vec::new(), Uuid::nil());
        self.load(&Identity { cluster_id: cluster_id.to_owned(), log_dirs, metadata_dir, was_clean })
    }

    fn load(&self, identity: &Identity) -> Result<Replayed, OpenError> {
        let bootstrap = self.bootstrap_records()?;
        let dir = self.dir();
        self.format_log(&dir, identity)?;
        let Found { mut log, snapshot, snapshot_end } = MetadataLog::open(
            Arc::clone(&self.disk),
            &dir,
            &self.config.metadata,
            identity.was_clean,
            self.now_ms,
        )?;
        let last_contained = Offset::new(snapshot_end.value() - 1);
        let mut kraft_version = snapshot.quorum.as_ref().map_or(0, |quorum| quorum.kraft_version);
        loop {
            let mut quorum = snapshot.quorum.clone().unwrap_or_default();
            // The first snapshot is part of the format: what it says is not in the log yet.
            let mut quorum_in_log = snapshot_end > Offset::ZERO;
            let mut controller = Controller::new(self.settings(identity, kraft_version));
            snapshot.records.iter().try_for_each(|record| controller.replay(last_contained, record))?;
            log.replay(snapshot_end, |entry| -> Result<(), OpenError> {
                match entry {
                    Entry::Metadata(offset, record) => controller.replay(offset, &record)?,
                    Entry::Control(record) => {
                        quorum_in_log |= matches!(record, ControlRecord::Voters(_));
                        quorum.replay(record);
                    }
                }
                Ok(())
            })?;
            if quorum.kraft_version == kraft_version {
                return Ok(Replayed { controller, log, quorum, quorum_in_log, bootstrap });
            }
            // The quorum was upgraded somewhere in the log: only now is it known what the controller is told.
            kraft_version = quorum.kraft_version;
        }
    }

    /// The records a new log begins with: those that somebody has left in the directory, as Kafka's formatter does,
    /// or this version's own, which are left there in turn.
    fn bootstrap_records(&self) -> Result<Vec<MetadataRecord>, OpenError> {
        let path = self.config.storage.metadata_log_dir.join(BOOTSTRAP_CHECKPOINT);
        if let Some(bytes) = read_file(&*self.disk, &path)? {
            let bad = |source| OpenError::Bootstrap { path: path.display().to_string(), source };
            return Ok(Snapshot::decode(Bytes::from(bytes)).map_err(bad)?.records);
        }
        let records = controller::bootstrap_records(INITIAL_LEVELS);
        if !self.is_formatted()? {
            let file = Snapshot { records: records.clone(), ..Snapshot::default() };
            let bytes = file.encode(LeaderEpoch::new(0), self.now_ms).map_err(LogError::from)?;
            replace_file(&*self.disk, &path, &bytes)?;
        }
        Ok(records)
    }

    fn is_formatted(&self) -> Result<bool, StorageError> {
        let path = self.dir().join(PARTITION_METADATA);
        Ok(read_file(&*self.disk, &path)?.is_some())
    }

    /// Makes the directory of a new log, with what Kafka's formatter puts there.
    fn format_log(&self, dir: &Path, identity: &Identity) -> Result<(), OpenError> {
        if self.is_formatted()? {
            return Ok(());
        }
        make_dir(&*self.disk, dir)?;
        let files = MetadataFiles::new(Arc::clone(&self.disk), dir);
        let is_segment = |name: &str| Path::new(name).extension().is_some_and(|ending| ending == "log");
        let entries = self.disk.list(dir).unwrap_or_default();
        let has_log = entries.iter().any(|entry| is_segment(&entry.name));
        let quorum = quorum::initial(self.config, self.own, identity.metadata_dir);
        if !has_log && quorum.kraft_version > 0 {
            let snapshot = Snapshot { quorum: Some(quorum), ..Snapshot::default() };
            let id = SnapshotId { offset: Offset::ZERO, epoch: LeaderEpoch::new(0) };
            let bytes = snapshot.encode(id.epoch, self.now_ms).map_err(LogError::from)?;
            files.write_snapshot(id, &bytes)?;
        }
        // Last, because it says that the rest is there.
        let text = format!("version: 0\ntopic_id: {METADATA_TOPIC_ID}");
        replace_file(&*self.disk, &dir.join(PARTITION_METADATA), text.as_bytes())?;
        Ok(())
    }

    fn settings(&self, identity: &Identity, kraft_version: i16) -> ControllerSettings {
        controller_settings(self.config, self.own, &identity.cluster_id, kraft_version)
    }

    /// Begins this node's epoch as the leader of the log.
    pub(super) fn lead(&self, replayed: &mut Replayed) -> Result<LeaderEpoch, OpenError> {
        let state = quorum::state(replayed.log.files())?;
        quorum::check_alone(self.config, self.own, &replayed.quorum, state.as_ref())?;
        let in_log = replayed.quorum_in_log;
        let (log, records) = (&mut replayed.log, &replayed.quorum);
        Ok(quorum::begin_epoch(log, self.own, state.as_ref(), records, in_log, self.now_ms)?)
    }

    /// The first records of a new cluster, or the end of a transaction that was left open.
    fn bootstrap(&self, ledger: &mut Ledger, bootstrap: &[MetadataRecord]) -> Result<(), OpenError> {
        let records = ledger.controller.activation_records(bootstrap);
        Ok(ledger.append(self.now_ms, &records)?)
    }

    /// Registers this process as controller and broker and lets it lead.
    fn register(&self, ledger: &mut Ledger, identity: &Identity) -> Result<i64, OpenError> {
        let incarnation_id = random::uuid();
        let image = ledger.controller.image();
        if image.metadata_version().is_some_and(controller::MetadataVersion::has_controller_registration) {
            let command = Command::RegisterController(RegisterController {
                controller_id: self.own,
                incarnation_id,
                endpoints: self.controller_endpoints(),
                features: supported(&image),
            });
            match ledger.execute(self.now_ms, command)? {
                Reply::RegisterController(result) => result.map_err(OpenError::Refused)?,
                other => unreachable!("RegisterController was answered {other:?}"),
            }
        }
        let command = Command::RegisterBroker(RegisterBroker {
            broker_id: self.own,
            cluster_id: identity.cluster_id.clone(),
            incarnation_id: random::uuid(),
            endpoints: self.broker_endpoints(),
            features: supported(&image),
            rack: self.config.identity.rack.clone(),
            log_dirs: identity.log_dirs.clone(),
            // An end without notice loses nothing that was acknowledged: what is, is on disk. So every start counts
            // as one after a clean stop, and no replica leaves the ISR for it (KIP-966).
            previous_broker_epoch: image.broker(self.own).map_or(-1, |broker| broker.epoch),
            session_is_valid: false,
            next_offset: ledger.log.end().value(),
        });
        let broker_epoch = match ledger.execute(self.now_ms, command)? {
            Reply::RegisterBroker(result) => result.map_err(OpenError::Refused)?,
            other => unreachable!("RegisterBroker was answered {other:?}"),
        };
        let change = BrokerChange::Unfence;
        let command = Command::BrokerState(BrokerState { broker_id: self.own, broker_epoch, change });
        match ledger.execute(self.now_ms, command)? {
            Reply::BrokerState(result) => result.map_err(OpenError::Refused)?,
            other => unreachable!("BrokerState was answered {other:?}"),
        }
        self.finalize(ledger, features::gained(&image, self.own))?;
        Ok(broker_epoch)
    }

    /// Finalizes levels of features. Another node may not be that far yet, which is no reason not to start.
    fn finalize(&self, ledger: &mut Ledger, updates: Vec<FeatureUpdate>) -> Result<(), OpenError> {
        if updates.is_empty() {
            return Ok(());
        }
        let names: Vec<_> =
            updates.iter().map(|update| format!("{}={}", update.name, update.level)).collect();
        let command = Command::UpdateFeatures(UpdateFeatures { updates, validate_only: false });
        match ledger.execute(self.now_ms, command)? {
            Reply::UpdateFeatures(Ok(())) => {
                tracing::info!(target: "ottla.metadata", "finalized {}, which this version supports", names.join(", "));
            }
            Reply::UpdateFeatures(Err(error)) => {
                tracing::warn!(target: "ottla.metadata", "{} is not finalized: {error}", names.join(", "));
            }
            other => unreachable!("UpdateFeatures was answered {other:?}"),
        }
        Ok(())
    }

    fn controller_endpoints(&self) -> Vec<Endpoint> {
        let protocols = &self.config.listeners.protocols;
        quorum::controller_listeners(self.config)
            .into_iter()
            .map(|listener| Endpoint {
                security_protocol: protocols.get(&listener.name).map_or(0, |protocol| protocol.id()),
                name: listener.name,
                host: listener.host,
                port: listener.port,
                unknown: Vec::new(),
            })
            .collect()
    }

    fn broker_endpoints(&self) -> Vec<Endpoint> {
        let listeners = &self.config.listeners;
        let listed = listeners.advertised.as_ref().unwrap_or(&listeners.broker);
        listed
            .iter()
            .map(|listener| Endpoint {
                name: listener.name.clone(),
                host: listener.host.clone().unwrap_or_else(host_name),
                port: listener.port,
                security_protocol: listener.protocol.id(),
                unknown: Vec::new(),
            })
            .collect()
    }

    fn quorum(
        &self,
        identity: &Identity,
        records: &QuorumRecords,
        leader_epoch: LeaderEpoch,
        end: Offset,
    ) -> Quorum {
        let in_log = records.voters.iter().find(|voter| voter.id == self.own);
        let listeners = match in_log {
            Some(voter) => voter
                .endpoints
                .iter()
                .map(|(name, host, port)| super::QuorumListener {
                    name: name.clone(),
                    host: host.clone(),
                    port: *port,
                })
                .collect(),
            None => quorum::controller_listeners(self.config),
        };
        Quorum {
            directory_id: if in_log.is_some() { identity.metadata_dir } else { Uuid::nil() },
            leader_epoch,
            log_end_offset: end,
            high_watermark: end,
            listeners,
            kraft_version: records.kraft_version,
        }
    }
}

/// How the controller of this configuration decides.
pub(super) fn controller_settings(
    config: &BrokerConfig,
    own: BrokerId,
    cluster_id: &str,
    kraft_version: i16,
) -> ControllerSettings {
    let topics = &config.topics;
    let defaults = topics.defaults.config();
    ControllerSettings {
        node_id: own,
        cluster_id: cluster_id.to_owned(),
        default_partitions: topics.partitions,
        default_replication_factor: i16::try_from(topics.replication_factor).unwrap_or(i16::MAX),
        min_insync_replicas: defaults.min_insync_replicas,
        unclean_leader_election: defaults.unclean_leader_election,
        supported_features: supported(&controller::Image::default()),
        kraft_version,
        config_rules: ConfigRules {
            validate_topic: config::rules::validate_topic,
            validate_broker: config::rules::validate_broker,
            validate_group: config::rules::validate_group,
            list_default,
        },
    }
}

/// Id of the topic `__cluster_metadata`, the same in every cluster.
const METADATA_TOPIC_ID: model::TopicId = model::TopicId::new(Uuid::from_u64_pair(0, 1));
const PARTITION_METADATA: &str = "partition.metadata";

fn list_default(resource_type: ConfigResourceType, name: &str) -> Option<String> {
    match resource_type {
        ConfigResourceType::Topic => config::rules::topic_list_default(name),
        ConfigResourceType::Broker => config::rules::broker_list_default(name),
        ConfigResourceType::Group => config::rules::group_list_default(name),
        ConfigResourceType::ClientMetrics => config::rules::client_metrics_list_default(name),
        ConfigResourceType::BrokerLogger | ConfigResourceType::Unknown(_) => None,
    }
}
