//! A node's partitions over a disk in memory.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use config::{BrokerConfig, Inputs};
use model::{BatchHeader, Clock, LeaderEpoch, Offset, ProducerEpoch, ProducerId, TopicId};
use parking_lot::Mutex;
use records::BatchBuilder;
use storage::ReadRequest;
use storage::disk_mem::MemoryDisk;
use uuid::Uuid;

use super::health::{Health, NodeHealth};
use super::host_dir::HostDir;
use super::housekeeping::Housekeeper;
use super::{Acks, Partition, PartitionEngine, Placed, Registry, TopicSettings};
use crate::context::Fatal;

pub(crate) const DIR: &str = "/data";
pub(crate) const TOPIC: &str = "orders";

pub(crate) fn topic_id(number: u128) -> TopicId {
    TopicId::new(Uuid::from_u128(number))
}

pub(crate) fn config(overrides: &[&str]) -> BrokerConfig {
    let mut all = vec![format!("log.dirs={DIR}")];
    all.extend(overrides.iter().map(|text| (*text).to_owned()));
    config::load(&Inputs { overrides: &all, ..Inputs::default() }).expect("a legal configuration").broker
}

pub(crate) fn settings(change: impl FnOnce(&mut TopicSettings)) -> TopicSettings {
    let config = config(&[]);
    let mut settings = TopicSettings::resolve(&config.topics.defaults.config(), &config.transactions);
    // The disk is memory, and an active segment's indexes are reserved in full.
    settings.log.index_bytes_max = 4096;
    change(&mut settings);
    settings
}

/// What [`Fatal`] was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reports(Arc<Mutex<Vec<String>>>);

impl Reports {
    pub(crate) fn fatal(&self) -> Fatal {
        let reports = self.clone();
        Fatal::call(move |what| reports.0.lock().push(what.to_owned()))
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

/// Partitions without threads: nothing is synced unless the test does it.
pub(crate) fn still_registry(disk: &MemoryDisk, reports: &Reports) -> Arc<Registry> {
    let clock = Clock::virtual_at(1_000_000);
    let node = NodeHealth::new(reports.fatal());
    let health = Health::new(&node, Path::new(DIR), true);
    let dir = HostDir::open(disk.shared(), Path::new(DIR), clock.clone(), health, reports.fatal());
    let dirs = vec![Arc::new(dir.expect("opens"))];
    let housekeeper = Arc::new(Housekeeper::new(&config(&[]), clock.clone()));
    Registry::new(dirs, Vec::new(), &node, housekeeper, 2, clock, reports.fatal())
}

/// Partitions with all their threads.
pub(crate) fn running_engine(disk: &MemoryDisk, reports: &Reports, overrides: &[&str]) -> PartitionEngine {
    let engine =
        PartitionEngine::open_on(&disk.shared(), &config(overrides), Clock::system(), reports.fatal())
            .expect("opens");
    engine.start().expect("threads start");
    engine
}

/// Partition 0 of [`TOPIC`].
pub(crate) fn host(registry: &Registry, settings: TopicSettings) -> Arc<Partition> {
    registry.create(TOPIC, topic_id(1), 0, LeaderEpoch::new(3), settings).expect("a log");
    registry.by_name(TOPIC, 0).expect("hosted")
}

pub(crate) fn batch(records: usize) -> Bytes {
    filled(BatchBuilder::new(), records)
}

pub(crate) fn sequenced(base_sequence: i32, records: usize) -> Bytes {
    let producer = BatchBuilder::new().producer(ProducerId::new(7), ProducerEpoch::new(0), base_sequence);
    filled(producer, records)
}

fn filled(mut builder: BatchBuilder, records: usize) -> Bytes {
    for n in 0..records {
        builder.append(1_000_000, Some(b"key"), Some(format!("value {n}").as_bytes()), &[]);
    }
    builder.build().expect("a batch")
}

pub(crate) fn append(partition: &Arc<Partition>, acks: Acks, records: usize) -> Placed {
    partition.append(batch(records), acks, 1_000_000).expect("appended")
}

/// A read of everything below an offset.
pub(crate) fn read_below(upper_bound: Offset) -> ReadRequest {
    ReadRequest { offset: Offset::ZERO, bytes_max: 1 << 20, upper_bound, min_one_batch: true }
}

pub(crate) fn offset(value: i64) -> Offset {
    Offset::new(value)
}

/// Appends what a produce request could not, and has it committed soon. Transactions are taken for verified.
pub(crate) fn append_raw(partition: &Arc<Partition>, origin: storage::Origin, batch: Bytes) {
    let header = BatchHeader::parse(&batch).expect("a batch");
    let mut guard = None;
    if header.is_transactional() && !header.is_control() {
        let (id, epoch, sequence) = (header.producer_id, header.producer_epoch, header.base_sequence);
        guard = partition.begin_verification(id, epoch, sequence, false, 1_000_000).expect("may begin");
    }
    partition.append_verified(origin, batch, Acks::Committed, 1_000_000, guard).expect("appended");
}

/// What a sync thread would do.
pub(crate) fn sync(partition: &Partition) {
    partition.sync().expect("a sync");
}

/// From now on nothing is retained, checkpointed or removed.
pub(crate) fn stop_housekeeping(registry: &Registry) {
    registry.housekeeper.stop();
}

/// From now on nothing is compacted.
pub(crate) fn stop_cleaning(engine: &PartitionEngine) {
    engine.cleaner.stop();
}

/// Keeps a log locked meanwhile, as an append does for as long as the disk hangs.
pub(crate) fn while_locked(partition: &Partition, work: impl FnOnce()) {
    partition.with_log(|_| work()).expect("a log");
}

/// Takes the directory of a partition offline, as the first failure there does.
pub(crate) fn fail_dir_of(partition: &Partition) {
    partition.dir().fail("a test");
}

/// Ends the sync threads, as a disk does that takes for ever.
pub(crate) fn stop_syncing(registry: &Registry) {
    registry.dirs().iter().for_each(|dir| dir.committer.stop());
}
