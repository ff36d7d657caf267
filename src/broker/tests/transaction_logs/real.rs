//! A partition's log on a disk that forgets what was not synced, opened again as a broker does.

use std::path::Path;

use bytes::Bytes;
use model::batch::HEADER_BYTES;
use model::{BatchHeader, LeaderEpoch, Offset, ProducerEpoch, ProducerId};
use records::{BatchBuilder, EndTxnMarker, RecordIter};
use storage::disk_mem::{MemoryDisk, PowerCut};
use storage::{
    AbortedTxn, Access, AppendError, Disk, LogConfig, Opening, Origin, PartitionLog, ReadRequest, TxnMarker,
    VerificationGuard, VerificationStart,
};

use crate::simulation::client::Produce;
use crate::simulation::seam::{Appended, Ended, Entry, Holder, Seen};
use crate::test_support::Random;
use crate::txn::Marker;
use crate::world::WALL_MS;

const DIR: &str = "/t-0";

/// How a log's life has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    PowerCut,
    Kill,
    Stop,
}

/// What a log knows of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    pub epoch: i16,
    /// -1 where it has none of this epoch.
    pub last_sequence: i32,
    /// Of its last marker; 0 before the first.
    pub coordinator_epoch: u64,
    pub start: Option<u64>,
}

/// Up to where a reader has come, what it has seen, and which aborts it was told of.
type Read = (u64, Vec<Seen>, Vec<(i64, u64, u64)>);

pub struct RealLog {
    disk: MemoryDisk,
    config: LogConfig,
    log: PartitionLog,
    /// The recovery point that the directory's checkpoint has.
    checkpoint: Offset,
    life: i32,
    is_offsets: bool,
    dice: Random,
}

impl RealLog {
    pub fn new(seed: u64, is_offsets: bool) -> Self {
        let mut dice = Random(seed);
        let config = LogConfig {
            segment_bytes: dice.within(300, 3_000) as u32,
            index_interval_bytes: dice.within(1, 400) as u32,
            index_bytes_max: 2_400,
            ..LogConfig::default()
        };
        let disk = empty_disk();
        let log = open(&disk, &config, Opening::unknown(WALL_MS)).expect("a disk that works");
        Self { disk, config, log, checkpoint: Offset::ZERO, life: 0, is_offsets, dice }
    }

    pub fn ask(&mut self, produce: &Produce) -> Result<Option<VerificationGuard>, Appended> {
        let start = VerificationStart {
            producer_id: ProducerId::new(produce.holder.0),
            producer_epoch: ProducerEpoch::new(produce.holder.1),
            base_sequence: produce.sequence,
            supports_epoch_bump: produce.kip_890,
        };
        self.log.begin_verification(&start, WALL_MS).map_err(refused)
    }

    pub fn append(&mut self, produce: &Produce, guard: Option<VerificationGuard>) -> Appended {
        let origin = if self.is_offsets { Origin::Coordinator } else { Origin::Client };
        let epoch = LeaderEpoch::new(self.life);
        match self.log.append_verified(origin, batch(produce), epoch, WALL_MS, guard) {
            Ok(at) if at.duplicate => Appended::Again,
            Ok(_) => Appended::Yes,
            Err(error) => refused(error),
        }
    }

    pub fn end(&mut self, marker: &Marker, coordinator_epoch: u64) -> Ended {
        let marker = TxnMarker {
            producer_id: ProducerId::new(marker.producer_id),
            producer_epoch: ProducerEpoch::new(marker.producer_epoch),
            commit: marker.commit,
            coordinator_epoch: coordinator_epoch as i32,
            transaction_version: marker.transaction_version,
        };
        match self.log.append_marker(&marker, LeaderEpoch::new(self.life), WALL_MS) {
            Ok(_) => Ended::Yes,
            Err(AppendError::InvalidProducerEpoch { .. } | AppendError::MarkerEpoch { .. }) => {
                Ended::NotNeeded
            }
            Err(AppendError::CoordinatorFenced { .. } | AppendError::EarlierTransaction { .. }) => Ended::No,
            Err(AppendError::Storage(_)) => Ended::Failed,
            Err(error) => panic!("a marker is not refused so: {error}"),
        }
    }

    pub fn open(&self) -> Vec<Holder> {
        let open = self.log.open_transactions().into_iter();
        let mut open: Vec<_> =
            open.map(|known| (known.producer_id.value(), known.producer_epoch.value())).collect();
        open.sort_unstable();
        open
    }

    pub fn end_offset(&self) -> u64 {
        self.log.log_end_offset().value() as u64
    }

    pub fn durable_offset(&self) -> u64 {
        self.log.durable_offset().value() as u64
    }

    pub fn has_failed(&self) -> bool {
        self.log.has_failed()
    }

    pub fn producers(&self) -> Vec<i64> {
        self.log.remembered_producers().iter().map(|known| known.producer_id.value()).collect()
    }

    pub fn known(&self, id: i64) -> Option<Known> {
        self.log.producer(ProducerId::new(id)).map(|known| Known {
            epoch: known.producer_epoch.value(),
            last_sequence: known.last_sequence,
            coordinator_epoch: known.coordinator_epoch.max(0) as u64,
            start: known.transaction_start.map(|start| start.value() as u64),
        })
    }

    /// False where the disk does not work.
    pub fn sync(&mut self) -> bool {
        let synced = sync(&mut self.log).is_ok();
        if synced && self.dice.chance(200) {
            self.checkpoint = self.log.recovery_point();
        }
        synced
    }

    /// Ends the log's life, in one way or another, and opens it again.
    pub fn crash(&mut self, random: &mut Random) -> Result<After, String> {
        let opening = Opening { recovery_point: self.checkpoint, ..Opening::unknown(WALL_MS) };
        // Whatever was to fail does not any more; a power cut forgets that by itself.
        self.disk.fail_at(u64::MAX);
        let (after, opening) = match random.within(0, 10) {
            0..6 => {
                self.disk.power_cut(PowerCut::Random(random.next()));
                (After::PowerCut, opening)
            }
            6 => {
                self.disk.power_cut(PowerCut::LoseAll);
                (After::PowerCut, opening)
            }
            7..9 => (After::Kill, opening),
            _ if self.log.has_failed() => (After::Kill, opening),
            _ => {
                let end = self.log.log_end_offset();
                // Which takes the log: another stands in for it.
                let other = open(&empty_disk(), &self.config, Opening::unknown(WALL_MS))?;
                let log = std::mem::replace(&mut self.log, other);
                log.close().map_err(|error| error.to_string())?;
                self.checkpoint = end;
                (After::Stop, Opening { clean: true, recovery_point: end, ..opening })
            }
        };
        self.life += 1;
        self.log = open(&self.disk, &self.config, opening)?;
        if random.chance(200) {
            self.disk.fail_at(self.disk.steps() + random.within(0, 40) as u64);
        }
        Ok(after)
    }

    /// Everything that is in it, with the coordinator's epoch where it is a marker.
    pub fn log(&mut self) -> Result<Vec<(Entry, u64)>, String> {
        let batches = self.batches(0, self.end_offset())?;
        Ok(batches.iter().map(|(header, batch)| entry(header, batch)).collect())
    }

    /// What a consumer of committed records sees, which goes by the aborts that it is told of with them.
    pub fn read(&mut self, from: u64) -> Result<Read, String> {
        let high_watermark = self.log.durable_offset();
        let stable = self.log.last_stable_offset(high_watermark);
        let to = stable.value() as u64;
        let mut aborted = self.aborted(from, to)?;
        let told = {
            let mut told: Vec<_> = aborted
                .iter()
                .map(|txn| {
                    (txn.producer_id.value(), txn.first_offset.value() as u64, txn.last_offset.value() as u64)
                })
                .collect();
            told.sort_unstable();
            told
        };
        aborted.sort_unstable_by_key(|txn| txn.first_offset);
        let mut aborted = aborted.into_iter().peekable();
        let (mut hidden, mut seen) = (Vec::new(), Vec::new());
        for (header, batch) in self.batches(from, to)? {
            while let Some(txn) = aborted.next_if(|txn| txn.first_offset <= header.base_offset) {
                hidden.push(txn.producer_id);
            }
            match entry(&header, &batch).0 {
                Entry::End { commit: false, .. } => hidden.retain(|id| *id != header.producer_id),
                Entry::Data { transaction, value, .. } if !hidden.contains(&header.producer_id) => {
                    seen.push(Seen { offset: header.base_offset.value() as u64, transaction, value });
                }
                _ => {}
            }
        }
        Ok((to, seen, told))
    }

    fn aborted(&mut self, from: u64, to: u64) -> Result<Vec<AbortedTxn>, String> {
        let (from, to) = (Offset::new(from as i64), Offset::new(to as i64));
        let Some(mut lookup) = self.log.aborted_lookup(from, to) else { return Ok(Vec::new()) };
        let found = lookup.run(Access::Disk).map_err(|error| error.to_string());
        self.log.take_in_aborted(lookup);
        found
    }

    fn batches(&mut self, from: u64, to: u64) -> Result<Vec<(BatchHeader, Bytes)>, String> {
        let (mut offset, upper_bound) = (Offset::new(from as i64), Offset::new(to as i64));
        let (mut hint, mut found) = (None, Vec::new());
        while offset < upper_bound {
            let request = ReadRequest { offset, bytes_max: 1_000, upper_bound, min_one_batch: true };
            let plan = self.log.read_plan(request, hint).map_err(|error| error.to_string())?;
            let read = plan.read().map_err(|error| error.to_string())?;
            hint = read.next;
            let mut bytes = read.bytes;
            if bytes.is_empty() {
                return Err(format!("nothing is at {offset}, below {upper_bound}"));
            }
            while !bytes.is_empty() {
                let header = BatchHeader::parse(&bytes).map_err(|error| error.to_string())?;
                let batch = bytes.split_to(header.size());
                offset = header.last_offset().next();
                found.push((header, batch));
            }
        }
        Ok(found)
    }
}

fn empty_disk() -> MemoryDisk {
    let disk = MemoryDisk::new();
    disk.create_dir(Path::new(DIR)).expect("a disk that works");
    disk.sync_dir(Path::new("/")).expect("a disk that works");
    disk
}

/// Opens the log, and syncs what was found before it is served, as the broker does.
fn open(disk: &MemoryDisk, config: &LogConfig, opening: Opening) -> Result<PartitionLog, String> {
    let opened = PartitionLog::open(disk.shared(), Path::new(DIR), config.clone(), opening);
    let (mut log, _) = opened.map_err(|error| error.to_string())?;
    sync(&mut log)?;
    Ok(log)
}

fn sync(log: &mut PartitionLog) -> Result<(), String> {
    let target = log.sync_target().map_err(|error| error.to_string())?;
    target.sync().map_err(|error| error.to_string())?;
    log.mark_durable(target.end());
    Ok(())
}

fn refused(error: AppendError) -> Appended {
    match error {
        AppendError::InvalidProducerEpoch { .. } => Appended::Fenced,
        AppendError::OutOfOrderSequence { .. } => Appended::OutOfOrder,
        AppendError::EarlierTransaction { .. } => Appended::Earlier,
        AppendError::NotVerified { .. } => Appended::Unverified,
        AppendError::Storage(_) => Appended::Failed,
        error => panic!("a record is not refused so: {error}"),
    }
}

fn batch(produce: &Produce) -> Bytes {
    let (id, epoch) = (ProducerId::new(produce.holder.0), ProducerEpoch::new(produce.holder.1));
    let mut builder = BatchBuilder::new().producer(id, epoch, produce.sequence).transactional();
    let value = [produce.transaction.to_be_bytes(), produce.value.to_be_bytes()].concat();
    builder.append(WALL_MS, None, Some(&value), &[]);
    builder.build().expect("a small batch")
}

fn entry(header: &BatchHeader, batch: &Bytes) -> (Entry, u64) {
    let producer = (header.producer_id.value(), header.producer_epoch.value());
    let record = RecordIter::new(&batch[HEADER_BYTES..], 1).next().expect("one record").expect("a legal one");
    if header.is_control() {
        let marker = EndTxnMarker::of(&record).expect("a marker");
        return (Entry::End { producer, commit: marker.commit }, marker.coordinator_epoch as u64);
    }
    let (numbers, _) = record.value.expect("a value").as_chunks();
    let [transaction, value] = [numbers[0], numbers[1]].map(u64::from_be_bytes);
    (Entry::Data { producer, transaction, value }, 0)
}
