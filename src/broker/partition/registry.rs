//! Which partitions this node holds. Lookups read an immutable snapshot and take no lock; only the metadata
//! thread makes a new one.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use arc_swap::{ArcSwap, Guard};
use model::{Clock, ErrorCode, TopicId};
use parking_lot::Mutex;
use wire::TopicRef;

use super::handle::{Partition, Topic};
use super::health::NodeHealth;
use super::host_dir::HostDir;
use super::housekeeping::Housekeeper;
use super::io_threads::IoThreads;
use super::late_openings::LateOpenings;
use super::losing::Losses;
use super::opening::Work;
use super::waiters::CommitTicket;
use crate::context::Fatal;
use crate::metrics::tally::Traffic;

/// The partitions of this node, and the directories they are in. Changes are in [`hosting`](super::hosting).
#[derive(Debug)]
pub struct Registry {
    snapshot: ArcSwap<Snapshot>,
    /// Serialises changes, which are the metadata thread's alone; held while files are opened, never by lookups.
    /// With the partitions that are offline for want of space or of descriptors, until there is some.
    pub(super) changing: Mutex<Vec<Work>>,
    pub(super) dirs: Vec<Arc<HostDir>>,
    /// Directories that could not be opened.
    pub(super) unopened: Vec<PathBuf>,
    /// Directories that get no more partitions (KIP-1066). A leaf lock.
    cordoned: Mutex<Vec<PathBuf>>,
    pub(super) losses: Losses,
    pub(super) late_openings: LateOpenings,
    /// Whether the partitions were opened that the start has found in the metadata: what comes from then on is new.
    pub(super) is_started: AtomicBool,
    pub(super) housekeeper: Arc<Housekeeper>,
    pub(super) recovery_threads: usize,
    io: IoThreads,
    /// What went through partitions that are deleted.
    pub(super) departed: Mutex<Traffic>,
    releasing: AtomicBool,
    pub(super) clock: Clock,
    pub(super) fatal: Fatal,
    broker_epoch: AtomicI64,
}

/// All topics at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    by_name: HashMap<Arc<str>, Arc<HostedTopic>>,
    by_id: HashMap<TopicId, Arc<HostedTopic>>,
}

/// One topic's partitions on this node.
#[derive(Clone, Debug)]
pub struct HostedTopic {
    /// What its partitions share.
    pub topic: Arc<Topic>,
    partitions: Vec<Slot>,
}

#[derive(Clone, Debug)]
enum Slot {
    Absent,
    Online(Arc<Partition>),
    /// Its log could not be opened, or its directory has failed; the log says why.
    Offline,
}

impl Registry {
    /// `unopened` are directories that `dirs` lacks; `health` is that of all.
    pub(super) fn new(
        dirs: Vec<Arc<HostDir>>,
        unopened: Vec<PathBuf>,
        health: &NodeHealth,
        housekeeper: Arc<Housekeeper>,
        recovery_threads: usize,
        clock: Clock,
        fatal: Fatal,
    ) -> Arc<Self> {
        let registry = Arc::new(Self {
            snapshot: ArcSwap::default(),
            changing: Mutex::default(),
            dirs,
            unopened,
            cordoned: Mutex::default(),
            losses: Losses::default(),
            late_openings: LateOpenings::default(),
            is_started: AtomicBool::new(false),
            housekeeper,
            recovery_threads,
            io: IoThreads::default(),
            departed: Mutex::default(),
            releasing: AtomicBool::new(false),
            clock,
            fatal,
            broker_epoch: AtomicI64::new(-1),
        });
        let weak = Arc::downgrade(&registry);
        health.on_failure(move || {
            let Some(registry) = weak.upgrade() else { return };
            let fatal = registry.fatal.clone();
            // Whoever meets a failure may hold the lock that leaving the directory needs.
            let leave = move || registry.leave_failed();
            if let Err(error) = std::thread::Builder::new().name("dir-failure".to_owned()).spawn(leave) {
                fatal.report(&format!("no thread to leave a log directory that has failed: {error}"));
            }
        });
        registry
    }

    /// These directories, and no others, get no more partitions, unless there is nowhere else. What is in them stays.
    pub fn cordon(&self, dirs: &[PathBuf]) {
        *self.cordoned.lock() = dirs.to_vec();
    }

    /// Whether the directory gets no more partitions.
    pub fn is_cordoned(&self, dir: &HostDir) -> bool {
        self.cordoned.lock().iter().any(|cordoned| cordoned == dir.path())
    }

    /// The topics now. Not to be held across an await: it may keep deleted partitions from going.
    pub fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// The threads for what waits for the disk.
    pub fn io(&self) -> &IoThreads {
        &self.io
    }

    /// Has fetches answered with what there is instead of parked, now and later: the node stops.
    pub fn release_readers(&self) {
        if !self.releasing.swap(true, Ordering::SeqCst) {
            self.all().iter().for_each(|partition| partition.release_readers());
        }
    }

    /// Whether [`Self::release_readers`] was called.
    pub fn is_releasing(&self) -> bool {
        self.releasing.load(Ordering::SeqCst)
    }

    /// A partition by its topic's name.
    pub fn by_name(&self, topic: &str, partition: i32) -> Option<Arc<Partition>> {
        self.snapshot().by_name.get(topic)?.partition(partition).ok().cloned()
    }

    /// A partition by its topic's id.
    pub fn by_id(&self, topic: TopicId, partition: i32) -> Option<Arc<Partition>> {
        self.snapshot().by_id.get(&topic)?.partition(partition).ok().cloned()
    }

    /// A partition by its topic's name, or what a client is told instead.
    pub fn find(&self, topic: &str, partition: i32) -> Result<Arc<Partition>, ErrorCode> {
        let snapshot = self.snapshot();
        let hosted = snapshot.by_name.get(topic).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        hosted.partition(partition).cloned()
    }

    /// Waits until the high watermarks of these partitions count in everything that was appended before; see
    /// [`Partition::settle`]. Partitions that are not here are left out.
    pub async fn settle<'a>(&self, partitions: impl Iterator<Item = (&'a str, i32)>) {
        let ticket = CommitTicket::new();
        for (topic, index) in partitions {
            if let Ok(partition) = self.find(topic, index) {
                partition.settle(&ticket);
            }
        }
        ticket.all().await;
    }

    /// All partitions that are online, in no order.
    pub fn all(&self) -> Vec<Arc<Partition>> {
        let snapshot = self.snapshot();
        let all = snapshot.by_id.values().flat_map(|hosted| hosted.online());
        all.cloned().collect()
    }

    /// The directories that could be opened, in the order of `log.dirs`.
    pub fn dirs(&self) -> &[Arc<HostDir>] {
        &self.dirs
    }

    /// Notes the epoch of this broker's registration: a clean end is marked with it (KIP-966).
    pub fn set_broker_epoch(&self, epoch: i64) {
        self.broker_epoch.store(epoch, Ordering::Release);
    }

    pub(super) fn broker_epoch(&self) -> i64 {
        self.broker_epoch.load(Ordering::Acquire)
    }

    pub(super) fn publish(&self, snapshot: Snapshot) {
        self.snapshot.store(Arc::new(snapshot));
    }
}

impl Snapshot {
    /// A topic as a request refers to it.
    pub fn topic(&self, topic: &TopicRef) -> Option<&HostedTopic> {
        match topic {
            TopicRef::Name(name) => self.named(name),
            TopicRef::Id(id) => self.by_id.get(id).map(Arc::as_ref),
        }
    }

    /// A topic by its name.
    pub fn named(&self, name: &str) -> Option<&HostedTopic> {
        self.by_name.get(name).map(Arc::as_ref)
    }

    /// A topic by its id.
    pub fn identified(&self, id: TopicId) -> Option<&HostedTopic> {
        self.by_id.get(&id).map(Arc::as_ref)
    }

    /// All topics, in no order.
    pub fn topics(&self) -> impl Iterator<Item = &HostedTopic> {
        self.by_id.values().map(Arc::as_ref)
    }

    pub(super) fn put(&mut self, hosted: HostedTopic) {
        let hosted = Arc::new(hosted);
        self.by_name.insert(Arc::clone(&hosted.topic.name), Arc::clone(&hosted));
        self.by_id.insert(hosted.topic.id, hosted);
    }

    /// Takes partitions offline; answers them.
    pub(super) fn take_offline(&mut self, is_lost: impl Fn(&Partition) -> bool) -> Vec<Arc<Partition>> {
        let mut gone = Vec::new();
        let changed: Vec<_> =
            self.topics().filter(|hosted| hosted.online().any(|it| is_lost(it))).cloned().collect();
        for mut hosted in changed {
            for slot in &mut hosted.partitions {
                if let Slot::Online(partition) = slot
                    && is_lost(partition)
                {
                    gone.push(Arc::clone(partition));
                    *slot = Slot::Offline;
                }
            }
            // The name may be another topic's by now.
            self.put_back(hosted);
        }
        gone
    }

    fn put_back(&mut self, hosted: HostedTopic) {
        let hosted = Arc::new(hosted);
        if self.by_name.get(&hosted.topic.name).is_some_and(|named| named.topic.id == hosted.topic.id) {
            self.by_name.insert(Arc::clone(&hosted.topic.name), Arc::clone(&hosted));
        }
        self.by_id.insert(hosted.topic.id, hosted);
    }

    pub(super) fn remove(&mut self, id: TopicId) -> Option<Arc<HostedTopic>> {
        let hosted = self.by_id.remove(&id)?;
        // The name may be another topic's by now.
        if self.by_name.get(&hosted.topic.name).is_some_and(|named| named.topic.id == id) {
            self.by_name.remove(&hosted.topic.name);
        }
        Some(hosted)
    }
}

impl HostedTopic {
    pub(super) fn new(topic: Arc<Topic>) -> Self {
        Self { topic, partitions: Vec::new() }
    }

    /// One of its partitions, or what a client is told instead.
    pub fn partition(&self, index: i32) -> Result<&Arc<Partition>, ErrorCode> {
        let slot = usize::try_from(index).ok().and_then(|index| self.partitions.get(index));
        match slot {
            Some(Slot::Online(partition)) => Ok(partition),
            Some(Slot::Offline) => Err(ErrorCode::KafkaStorageError),
            Some(Slot::Absent) | None => Err(ErrorCode::UnknownTopicOrPartition),
        }
    }

    /// Its partitions that are online, by index.
    pub fn online(&self) -> impl Iterator<Item = &Arc<Partition>> {
        self.partitions.iter().filter_map(|slot| match slot {
            Slot::Online(partition) => Some(partition),
            Slot::Offline | Slot::Absent => None,
        })
    }

    /// Indexes of all partitions that belong here, online or not.
    pub(super) fn indexes(&self) -> impl Iterator<Item = i32> {
        let slots = self.partitions.iter().zip(0..);
        slots.filter(|(slot, _)| !matches!(slot, Slot::Absent)).map(|(_, index)| index)
    }

    pub(super) fn host(&mut self, index: i32, partition: Option<Arc<Partition>>) {
        let index = usize::try_from(index).expect("the controller numbers partitions from 0");
        if self.partitions.len() <= index {
            self.partitions.resize(index + 1, Slot::Absent);
        }
        self.partitions[index] = partition.map_or(Slot::Offline, Slot::Online);
    }
}

/// What a client is told of a topic that nobody knows.
pub fn unknown(topic: &TopicRef) -> ErrorCode {
    match topic {
        TopicRef::Name(_) => ErrorCode::UnknownTopicOrPartition,
        TopicRef::Id(_) => ErrorCode::UnknownTopicId,
    }
}
