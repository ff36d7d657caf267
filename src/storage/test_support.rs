//! Batches and logs for the tests of this room.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use model::{BatchHeader, LeaderEpoch, Offset, ProducerEpoch, ProducerId};
use records::{BatchBuilder, EndTxnMarker};

use crate::disk_mem::MemoryDisk;
use crate::{
    AbortedTxn, Access, AppendError, Appended, FoundOffset, LogConfig, Opening, Origin, PartitionLog,
    ReadRequest, Recovery, StorageError, TimeStep, VerificationStart,
};

pub(crate) const NOW_MS: i64 = 1_700_000_000_000;

/// A batch of `count` records of the same time whose values tell them apart by `seed`.
pub(crate) fn batch(count: i64, timestamp: i64, seed: u64) -> Bytes {
    fill(BatchBuilder::new(), count, timestamp, seed)
}

/// A batch of an idempotent producer.
pub(crate) fn produced(producer: i64, epoch: i16, sequence: i32, count: i64) -> Bytes {
    let id = (ProducerId::new(producer), ProducerEpoch::new(epoch));
    fill(BatchBuilder::new().producer(id.0, id.1, sequence), count, NOW_MS, 7)
}

/// A batch of a transaction.
pub(crate) fn transactional(producer: i64, epoch: i16, sequence: i32, count: i64) -> Bytes {
    let id = (ProducerId::new(producer), ProducerEpoch::new(epoch));
    fill(BatchBuilder::new().producer(id.0, id.1, sequence).transactional(), count, NOW_MS, 7)
}

/// The marker that ends a transaction.
pub(crate) fn marker(producer: i64, epoch: i16, commit: bool, coordinator_epoch: i32) -> Bytes {
    let marker = EndTxnMarker { commit, coordinator_epoch };
    marker.batch(NOW_MS, ProducerId::new(producer), ProducerEpoch::new(epoch)).unwrap()
}

fn fill(mut builder: BatchBuilder, count: i64, timestamp: i64, seed: u64) -> Bytes {
    for at in 0..count {
        let value = format!("value {seed} {at}");
        builder.append(timestamp, Some(&seed.to_be_bytes()), Some(value.as_bytes()), &[]);
    }
    builder.build().unwrap()
}

/// A disk with the directory of one log.
pub(crate) struct Bench {
    pub(crate) disk: MemoryDisk,
    pub(crate) config: LogConfig,
    pub(crate) dir: PathBuf,
}

impl Bench {
    pub(crate) fn new(config: LogConfig) -> Self {
        use crate::disk::Disk as _;
        let disk = MemoryDisk::new();
        let dir = PathBuf::from("/t-0");
        disk.create_dir(&dir).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        Self { disk, config, dir }
    }

    pub(crate) fn try_open(&self, opening: Opening) -> Result<(PartitionLog, Recovery), StorageError> {
        PartitionLog::open(self.disk.shared(), &self.dir, self.config.clone(), opening)
    }

    pub(crate) fn open(&self) -> PartitionLog {
        self.try_open(Opening::unknown(NOW_MS)).unwrap().0
    }

    pub(crate) fn open_clean(&self, end: Offset) -> PartitionLog {
        self.try_open(Opening { clean: true, recovery_point: end, ..Opening::unknown(NOW_MS) }).unwrap().0
    }

    pub(crate) fn recovered(&self, recovery_point: Offset) -> (PartitionLog, Recovery) {
        self.try_open(Opening { recovery_point, ..Opening::unknown(NOW_MS) }).unwrap()
    }
}

pub(crate) fn append(log: &mut PartitionLog, batch: Bytes) -> Offset {
    try_append(log, batch).unwrap().base_offset
}

/// As a coordinator has it that is asked about every first batch of a transaction, and agrees.
pub(crate) fn try_append(log: &mut PartitionLog, batch: Bytes) -> Result<Appended, AppendError> {
    let guard = verification_of(&batch).map(|start| log.begin_verification(&start, NOW_MS)).transpose()?;
    log.append_verified(Origin::Client, batch, LeaderEpoch::new(1), NOW_MS, guard.flatten())
}

/// What is asked before a batch of a transaction is appended.
pub(crate) fn verification_of(batch: &Bytes) -> Option<VerificationStart> {
    let header = BatchHeader::parse(batch).unwrap();
    (header.is_transactional() && !header.is_control()).then_some(VerificationStart {
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        base_sequence: header.base_sequence,
        supports_epoch_bump: false,
    })
}

pub(crate) fn sync(log: &mut PartitionLog) {
    let target = log.sync_target().unwrap();
    target.sync().unwrap();
    log.mark_durable(target.end());
}

/// All batches of a log, read one plan after the other with the hint of the one before.
pub(crate) fn read_all(log: &mut PartitionLog) -> Vec<Bytes> {
    let (mut offset, end) = (log.log_start_offset(), log.log_end_offset());
    let mut hint = None;
    let mut found = Vec::new();
    while offset < end {
        let plan = log.read_plan(request(offset, 1 << 20, end, true), hint).unwrap();
        let (len, read) = (plan.len(), plan.read().unwrap());
        assert_eq!(len, read.bytes.len());
        let batches = split(&read.bytes);
        let Some(last) = batches.last() else { break };
        offset = BatchHeader::parse(last).unwrap().last_offset().next();
        hint = read.next;
        found.extend(batches);
    }
    found
}

pub(crate) fn request(
    offset: Offset,
    bytes_max: usize,
    upper_bound: Offset,
    min_one_batch: bool,
) -> ReadRequest {
    ReadRequest { offset, bytes_max, upper_bound, min_one_batch }
}

/// What takes several steps, in one.
impl PartitionLog {
    pub(crate) fn offset_for_timestamp(
        &mut self,
        timestamp: i64,
    ) -> Result<Option<FoundOffset>, StorageError> {
        let mut from = Offset::ZERO;
        while let Some(mut lookup) = self.time_lookup(timestamp, from) {
            let result = lookup.run();
            match self.take_in_time(lookup, result)? {
                TimeStep::Done(found) => return Ok(found),
                TimeStep::GoOn(end) => from = end,
            }
        }
        Ok(None)
    }

    pub(crate) fn offset_of_max_timestamp(&mut self) -> Result<Option<FoundOffset>, StorageError> {
        while let Some(mut lookup) = self.largest_lookup() {
            let result = lookup.run();
            if let TimeStep::Done(found) = self.take_in_time(lookup, result)? {
                return Ok(found);
            }
        }
        Ok(None)
    }

    pub(crate) fn aborted_transactions(
        &mut self,
        from: Offset,
        upper_bound: Offset,
    ) -> Result<Vec<AbortedTxn>, StorageError> {
        let Some(mut lookup) = self.aborted_lookup(from, upper_bound) else { return Ok(Vec::new()) };
        let found = lookup.run(Access::Disk);
        self.take_in_aborted(lookup);
        found
    }

    pub(crate) fn purge_deleted(&mut self, aging_ms: i64) -> Result<usize, StorageError> {
        self.due_for_removal(aging_ms).remove()
    }
}

/// The batches in `bytes`, which must be whole.
pub(crate) fn split(bytes: &Bytes) -> Vec<Bytes> {
    let mut left = bytes.clone();
    let mut found = Vec::new();
    while !left.is_empty() {
        let size = BatchHeader::parse(&left).unwrap().size();
        found.push(left.split_to(size));
    }
    found
}

pub(crate) fn offsets(batches: &[Bytes]) -> Vec<(i64, i64)> {
    let headers = batches.iter().map(|batch| BatchHeader::parse(batch).unwrap());
    headers.map(|header| (header.base_offset.value(), header.last_offset().value())).collect()
}
