//! A compacted log against a list of all records ever written: whatever happens in between, what a consumer sees of
//! each key is what it saw without compaction.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use model::limits::DECOMPRESSED_BYTES_MAX;
use model::{BatchHeader, LeaderEpoch, Offset, ProducerEpoch, ProducerId};
use proptest::prelude::*;
use records::{BatchBuilder, Codec, ControlType, Header, OpenBatch};

use super::*;
use crate::disk_mem::PowerCut;
use crate::test_support::{Bench, NOW_MS, read_all, sync};
use crate::{Access, AppendError, Cleanup, LogConfig, Opening, PartitionLog, TxnMarker};

const KEYS: usize = 8;
const PRODUCERS: usize = 3;
/// Its transactions end in an epoch of their own (KIP-890).
const BUMPS_EPOCHS: usize = 2;

/// A record as its producer wrote it; `None` in place of a record is a marker.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Written {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    timestamp: i64,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    Committed,
    Aborted,
}

#[derive(Clone, Debug)]
struct Transaction {
    fate: Fate,
}

/// Everything that was ever written.
#[derive(Debug, Default)]
struct History {
    records: BTreeMap<i64, (Written, Option<usize>)>,
    transactions: Vec<Transaction>,
    open: BTreeMap<usize, usize>,
    sequences: BTreeMap<usize, i32>,
    epochs: BTreeMap<usize, i16>,
}

impl History {
    fn is_committed(&self, transaction: Option<usize>) -> bool {
        transaction.is_none_or(|at| self.transactions[at].fate == Fate::Committed)
    }

    /// What a consumer of committed records below `end` makes of them.
    fn table(&self, from: i64, end: i64) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut table = BTreeMap::new();
        for (written, transaction) in self.records.range(from..end).map(|(_, record)| record) {
            if self.is_committed(*transaction) {
                put(&mut table, written);
            }
        }
        table
    }
}

fn put(table: &mut BTreeMap<Vec<u8>, Vec<u8>>, written: &Written) {
    let Some(key) = &written.key else { return };
    match &written.value {
        Some(value) => table.insert(key.clone(), value.clone()),
        None => table.remove(key),
    };
}

/// A log under test with its history.
struct World {
    bench: Bench,
    log: Option<PartitionLog>,
    history: History,
    checkpoint: Option<Offset>,
    recovery_point: Offset,
    now_ms: i64,
    map_bytes: usize,
}

fn config() -> LogConfig {
    LogConfig {
        verify_transactions: false,
        segment_bytes: 1_200,
        index_interval_bytes: 150,
        index_bytes_max: 480,
        cleanup: Cleanup { delete: false, compact: true },
        delete_retention_ms: 1_000,
        ..LogConfig::default()
    }
}

impl World {
    fn new(config: LogConfig) -> Self {
        let bench = Bench::new(config);
        let log = Some(bench.open());
        let (history, recovery_point) = (History::default(), Offset::ZERO);
        Self { bench, log, history, checkpoint: None, recovery_point, now_ms: NOW_MS, map_bytes: 1 << 16 }
    }

    fn log(&mut self) -> &mut PartitionLog {
        self.log.as_mut().unwrap()
    }

    /// Appends records of these keys, by a producer's transaction if one is named.
    fn append(
        &mut self,
        keys: &[(u8, bool)],
        producer: Option<usize>,
        codec: Codec,
        stamped: bool,
    ) -> Result<(), AppendError> {
        let base = self.log().log_end_offset();
        let mut builder = BatchBuilder::new().codec(codec, None);
        let mut transaction = None;
        if let Some(producer) = producer {
            let sequence = self.history.sequences.get(&producer).copied().unwrap_or(0);
            let id = ProducerId::new(producer as i64 + 100);
            builder = builder.producer(id, self.epoch_of(producer), sequence);
            // Every other producer writes in transactions.
            if producer % 2 == 0 {
                builder = builder.transactional();
                let fresh = self.history.transactions.len();
                let at = self.history.open.get(&producer).copied().unwrap_or(fresh);
                transaction = Some(at);
            }
        }
        if stamped {
            builder = builder.log_append_time(self.now_ms + 1);
        }
        let mut all = Vec::new();
        for (at, (key, is_tombstone)) in keys.iter().enumerate() {
            let offset = base.value() + at as i64;
            let written = Written {
                key: Some(format!("key {}", usize::from(*key) % KEYS).into_bytes()),
                value: (!is_tombstone).then(|| format!("value {offset}").into_bytes()),
                timestamp: if stamped { self.now_ms + 1 } else { self.now_ms - at as i64 },
                headers: vec![(b"h".to_vec(), Some(vec![*key])), (b"h".to_vec(), None)],
            };
            let headers: Vec<Header<'_>> =
                written.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
            builder.append(
                self.now_ms - at as i64,
                written.key.as_deref(),
                written.value.as_deref(),
                &headers,
            );
            all.push(written);
        }
        let (batch, now_ms) = (builder.build().unwrap(), self.now_ms);
        self.log().append_as_leader(batch, LeaderEpoch::new(1), now_ms)?;
        if let Some(producer) = producer {
            *self.history.sequences.entry(producer).or_default() += keys.len() as i32;
            if let Some(at) = transaction
                && at == self.history.transactions.len()
            {
                self.history.transactions.push(Transaction { fate: Fate::Open });
                self.history.open.insert(producer, at);
            }
        }
        for (at, written) in all.into_iter().enumerate() {
            self.history.records.insert(base.value() + at as i64, (written, transaction));
        }
        Ok(())
    }

    fn epoch_of(&self, producer: usize) -> ProducerEpoch {
        ProducerEpoch::new(self.history.epochs.get(&producer).copied().unwrap_or(0))
    }

    fn end_transaction(&mut self, producer: usize, commit: bool) -> Result<(), AppendError> {
        let Some(at) = self.history.open.get(&producer).copied() else { return Ok(()) };
        let (epoch, bumps) = (self.epoch_of(producer), producer == BUMPS_EPOCHS);
        let marker = TxnMarker {
            producer_id: ProducerId::new(producer as i64 + 100),
            producer_epoch: if bumps { ProducerEpoch::new(epoch.value() + 1) } else { epoch },
            commit,
            coordinator_epoch: 3,
            transaction_version: if bumps { 2 } else { 0 },
        };
        let now_ms = self.now_ms;
        self.log().append_marker(&marker, LeaderEpoch::new(1), now_ms)?;
        if bumps {
            self.history.epochs.insert(producer, marker.producer_epoch.value());
            self.history.sequences.insert(producer, 0);
        }
        self.history.transactions[at].fate = if commit { Fate::Committed } else { Fate::Aborted };
        self.history.open.remove(&producer);
        Ok(())
    }

    fn sync(&mut self) {
        sync(self.log());
        self.recovery_point = self.log().recovery_point();
    }

    fn request(&mut self) -> CompactionRequest {
        let (checkpoint, aging_ms) = (self.checkpoint, self.now_ms);
        let log = self.log();
        let high_watermark = log.durable_offset();
        CompactionRequest { checkpoint, last_stable: log.last_stable_offset(high_watermark), aging_ms }
    }

    /// A whole compaction, as the broker does it.
    fn compact(&mut self) -> Result<CompactionStatistics, CompactionError> {
        let request = self.request();
        let mut map = OffsetMap::new(self.map_bytes, 0.9);
        let mut pace = |_| true;
        let plan = self.log().plan_compaction(&request)?;
        let mut compacting = plan.map_keys(&mut map, &mut pace)?;
        while let Some(cleaned) = compacting.clean_next(&mut pace)? {
            let swap = self.log().install(cleaned)?;
            swap.finish()?;
            self.log().end_swap(&swap);
        }
        self.checkpoint = Some(compacting.end());
        Ok(compacting.statistics())
    }

    fn reopen(&mut self, clean: bool) {
        if clean {
            self.log.take().unwrap().close().unwrap();
        }
        self.log = None;
        let log_start = Offset::ZERO;
        let recovery_point = self.recovery_point;
        let opening = Opening { recovery_point, log_start, clean, repair: false, aging_ms: self.now_ms };
        let (log, recovery) = self.bench.try_open(opening).unwrap();
        assert_eq!(recovery.truncated, None);
        self.log = Some(log);
    }

    /// Holds what is in the log against what was ever written to it.
    fn check(&mut self, context: &str) {
        let end = self.log().log_end_offset();
        let high_watermark = self.log().durable_offset();
        let stable = self.log().last_stable_offset(high_watermark).value();
        let batches = read_all(self.log());
        check_order(&batches, end, context);
        let aborted = match self.log().aborted_lookup(Offset::ZERO, end) {
            Some(mut lookup) => lookup.run(Access::Disk).unwrap(),
            None => Vec::new(),
        };
        let mut skipped: BTreeSet<i64> = BTreeSet::new();
        let mut to_come: Vec<_> =
            aborted.iter().map(|txn| (txn.first_offset, txn.producer_id.value())).collect();
        to_come.sort();
        let mut table = BTreeMap::new();
        for batch in &batches {
            let open = OpenBatch::new(batch, DECOMPRESSED_BYTES_MAX).unwrap();
            let header = open.header;
            let begun = to_come.partition_point(|(first, _)| *first <= header.last_offset());
            skipped.extend(to_come.drain(..begun).map(|(_, producer)| producer));
            let is_skipped = header.is_transactional() && skipped.contains(&header.producer_id.value());
            for record in open.records().map(Result::unwrap) {
                let offset = open.offset_of(&record).value();
                if header.is_control() {
                    if ControlType::of(&record) == Some(ControlType::Abort) {
                        skipped.remove(&header.producer_id.value());
                    }
                    continue;
                }
                let (written, transaction) = self
                    .history
                    .records
                    .get(&offset)
                    .unwrap_or_else(|| panic!("{context}: {offset} was never written"));
                let found = Written {
                    key: record.key.map(<[u8]>::to_vec),
                    value: record.value.map(<[u8]>::to_vec),
                    timestamp: open.timestamp_of(&record),
                    headers: record
                        .headers
                        .iter()
                        .map(|h| (h.key.to_vec(), h.value.map(<[u8]>::to_vec)))
                        .collect(),
                };
                assert_eq!(&found, written, "{context}: record {offset} stays as it was");
                let fate = transaction.map_or(Fate::Committed, |at| self.history.transactions[at].fate);
                assert_eq!(
                    is_skipped,
                    fate == Fate::Aborted,
                    "{context}: a reader of committed records at {offset}"
                );
                if offset < stable && !is_skipped {
                    put(&mut table, &found);
                }
            }
        }
        assert_eq!(table, self.history.table(0, stable), "{context}: the newest of each key");
    }

    /// What must be true after a compaction that had room for all keys.
    fn check_compacted(&mut self, context: &str) {
        let end = self.checkpoint.unwrap();
        let mut seen: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
        for batch in read_all(self.log()) {
            let open = OpenBatch::new(&batch, DECOMPRESSED_BYTES_MAX).unwrap();
            if open.header.is_control() || open.header.last_offset() >= end {
                continue;
            }
            for record in open.records().map(Result::unwrap) {
                let offset = open.offset_of(&record).value();
                let transaction = self.history.records[&offset].1;
                let fate = transaction.map_or(Fate::Committed, |at| self.history.transactions[at].fate);
                assert_eq!(fate, Fate::Committed, "{context}: nothing aborted is left at {offset}");
                let twice = seen.insert(record.key.unwrap().to_vec(), offset);
                assert_eq!(twice, None, "{context}: one record a key, but for {offset}");
            }
        }
    }

    /// What each producer sends next is taken, and what it sent last is known.
    fn check_producers(&mut self, context: &str) {
        let expected: Vec<_> = self.history.sequences.iter().map(|(p, next)| (*p, *next)).collect();
        for (producer, next) in expected {
            let known = self.log().producer(ProducerId::new(producer as i64 + 100));
            assert_eq!(
                known.map(|known| (known.producer_epoch, known.last_sequence)),
                Some((self.epoch_of(producer), next - 1)),
                "{context}: producer {producer}"
            );
        }
    }
}

fn check_order(batches: &[Bytes], end: Offset, context: &str) {
    let mut next = Offset::ZERO;
    for batch in batches {
        let header = BatchHeader::parse(batch).unwrap();
        assert!(model::batch::crc_matches(batch), "{context}: CRC at {}", header.base_offset);
        assert!(header.base_offset >= next, "{context}: {} after {next}", header.base_offset);
        next = header.last_offset().next();
    }
    assert_eq!(next, end, "{context}: the last batch says where the log ends");
}

#[test]
fn the_newest_record_of_each_key_is_left() {
    let mut world = World::new(config());
    for round in 0..60_u8 {
        world.append(&[(round % 5, false), (round % 3, false)], None, Codec::None, false).unwrap();
    }
    world.sync();
    let before = world.log().segment_count();
    let end = world.log().active_segment_base();
    let dirtiness = {
        let request = world.request();
        world.log().dirtiness(&request).unwrap()
    };
    assert_eq!((dirtiness.first_dirty, dirtiness.first_uncleanable), (Offset::ZERO, end));
    assert!((dirtiness.ratio() - 1.0).abs() < f64::EPSILON && dirtiness.is_due(0.5));
    let statistics = world.compact().unwrap();
    assert!(
        statistics.bytes_after * 4 < statistics.bytes_before && statistics.records_after == 5,
        "{statistics:?}"
    );
    assert_eq!(world.checkpoint, Some(end));
    world.check("compacted");
    world.check_compacted("compacted");
    // What is small now goes together the next time.
    world.compact().unwrap();
    assert!(world.log().segment_count() == 2 && before > 3);
    let request = world.request();
    let again = world.log().dirtiness(&request).unwrap();
    assert_eq!((again.cleanable_bytes, again.is_due(0.0)), (0, false));
    for clean in [true, false, false] {
        world.reopen(clean);
        world.check("reopened");
    }
}

#[test]
fn only_decided_durable_sealed_and_old_records_are_compacted() {
    let mut world = World::new(LogConfig { min_compaction_lag_ms: 500, ..config() });
    for round in 0..20_u8 {
        world.append(&[(round, false)], None, Codec::None, false).unwrap();
    }
    let limit = |world: &mut World| {
        let request = world.request();
        world.log().dirtiness(&request).unwrap().first_uncleanable
    };
    assert_eq!(limit(&mut world), Offset::ZERO, "nothing is on disk");
    world.sync();
    assert_eq!(limit(&mut world), Offset::ZERO, "all of it is too young");
    world.now_ms += 500;
    let old = world.log().active_segment_base();
    assert_eq!(limit(&mut world), old);
    world.append(&[(1, false)], Some(0), Codec::None, false).unwrap();
    world.now_ms += 1_000;
    for round in 0..30_u8 {
        world.append(&[(round, false)], None, Codec::None, false).unwrap();
    }
    world.now_ms += 1_000;
    world.sync();
    let open = limit(&mut world);
    assert!(open <= Offset::new(20) && open >= old, "the segment of the open transaction stays: {open}");
    world.end_transaction(0, true).unwrap();
    world.sync();
    assert_eq!(limit(&mut world), world.log().active_segment_base());
}

#[test]
fn records_that_wait_too_long_are_due_whatever_their_share() {
    let mut world = World::new(LogConfig { max_compaction_lag_ms: 10_000, ..config() });
    for round in 0..40_u8 {
        world.append(&[(round, false)], None, Codec::None, false).unwrap();
    }
    world.sync();
    let overdue = |world: &mut World| {
        let request = world.request();
        world.log().dirtiness(&request).unwrap().is_overdue
    };
    assert!(!overdue(&mut world));
    world.now_ms += 10_000;
    assert!(!overdue(&mut world));
    world.now_ms += 1;
    assert!(overdue(&mut world));
}

#[test]
fn a_small_map_takes_several_compactions() {
    let mut world = World::new(config());
    for round in 0..120_u8 {
        world.append(&[(round, false)], None, Codec::Lz4, false).unwrap();
    }
    world.sync();
    // Room for three keys at a time.
    world.map_bytes = 24 * 4;
    let end = world.log().active_segment_base();
    let mut rounds = 0;
    while world.checkpoint.is_none_or(|checkpoint| checkpoint < end) {
        let before = world.checkpoint;
        world.compact().unwrap();
        assert!(world.checkpoint > before, "each makes progress");
        world.check("with a small map");
        rounds += 1;
    }
    assert!(rounds > 10);
}

#[test]
fn a_transaction_that_was_aborted_before_the_dirty_part_does_not_hide_the_next_one() {
    let mut world = World::new(config());
    world.append(&[(0, false)], Some(0), Codec::None, false).unwrap();
    world.end_transaction(0, false).unwrap();
    world.append(&[(7, false)], None, Codec::None, false).unwrap();
    world.append(&[(0, false), (1, false), (7, false)], Some(0), Codec::None, false).unwrap();
    world.log().roll(NOW_MS).unwrap();
    world.end_transaction(0, true).unwrap();
    world.sync();
    world.map_bytes = 24 * 2;
    world.compact().unwrap();
    assert_eq!(world.checkpoint, Some(Offset::new(3)));
    world.map_bytes = 1 << 16;
    world.compact().unwrap();
    world.check("compacted");
    world.check_compacted("compacted");
}

/// What is left of a marker that nothing depends on any more still says which epoch is over.
#[test]
fn the_epoch_of_a_producer_outlives_its_records_and_its_markers() {
    let mut world = World::new(config());
    world.append(&[(1, false)], Some(BUMPS_EPOCHS), Codec::None, false).unwrap();
    world.end_transaction(BUMPS_EPOCHS, false).unwrap();
    for _ in 0..3 {
        world.append(&[(1, false)], None, Codec::None, false).unwrap();
        let now_ms = world.now_ms;
        world.log().roll(now_ms).unwrap();
        world.sync();
        world.compact().unwrap();
        world.now_ms += 2_000;
    }
    let first = BatchHeader::parse(&read_all(world.log())[0]).unwrap();
    assert!(first.is_control() && first.record_count == 0, "{first:?}");
    world.log = None;
    let snapshots = world.bench.disk.files().into_iter();
    for path in snapshots.filter(|path| path.extension().is_some_and(|suffix| suffix == "snapshot")) {
        crate::Disk::remove_file(&world.bench.disk, &path).unwrap();
    }
    world.recovery_point = Offset::ZERO;
    world.reopen(false);
    world.check_producers("nothing but the log is left");
}

#[test]
fn a_reader_goes_on_while_its_segment_is_replaced() {
    let mut world = World::new(config());
    for round in 0..60_u8 {
        world.append(&[(round % 5, false)], None, Codec::None, false).unwrap();
    }
    world.sync();
    let end = world.log().log_end_offset();
    let request =
        |offset| crate::ReadRequest { offset, bytes_max: 300, upper_bound: end, min_one_batch: true };
    let plan = world.log().read_plan(request(Offset::ZERO), None).unwrap();
    let before = plan.clone().read().unwrap();
    world.log().release_files();
    let mut lookups = Vec::new();
    for offset in 0..20 {
        if let crate::ReadStep::Lookup(lookup) =
            world.log().plan_read(request(Offset::new(offset)), None).unwrap()
        {
            lookups.push(lookup);
        }
    }
    assert!(!lookups.is_empty());
    let mut time = world.log().time_lookup(NOW_MS, Offset::ZERO).unwrap();
    world.compact().unwrap();
    assert_eq!(plan.read().unwrap(), before, "what was planned is read from the old files");
    // The place that this has led to is another segment's now.
    let next = world.log().read_plan(request(before.next.unwrap().offset()), before.next).unwrap();
    for batch in crate::test_support::split(&next.read().unwrap().bytes) {
        assert!(BatchHeader::parse(&batch).unwrap().last_offset() >= before.next.unwrap().offset());
    }
    for mut lookup in lookups {
        let result = lookup.run(Access::Disk);
        assert_eq!(world.log().take_in_lookup(*lookup, result).unwrap(), None);
    }
    let result = time.run();
    let step = world.log().take_in_time(time, result).unwrap();
    assert_eq!(step, crate::TimeStep::GoOn(Offset::ZERO), "the segment in its place is searched");
    world.check("after all");
}

#[test]
fn a_compaction_of_a_log_that_changed_is_abandoned() {
    let build = || {
        let mut world =
            World::new(LogConfig { cleanup: Cleanup { delete: true, compact: true }, ..config() });
        for round in 0..60_u8 {
            world.append(&[(round % 5, false)], None, Codec::None, false).unwrap();
        }
        world.sync();
        world
    };
    let changes: [fn(&mut World); 3] = [
        |world| {
            world.log().truncate_to(Offset::new(1), NOW_MS).unwrap();
        },
        |world| world.log().truncate_fully(Offset::new(7), NOW_MS).unwrap(),
        |world| {
            world.log().advance_log_start(Offset::new(40));
            let end = world.log().log_end_offset();
            assert!(!world.log().apply_retention(NOW_MS, end).unwrap().is_empty());
        },
    ];
    for change in changes {
        let mut world = build();
        let request = world.request();
        let mut map = OffsetMap::new(1 << 16, 0.9);
        let plan = world.log().plan_compaction(&request).unwrap();
        let mut compacting = plan.map_keys(&mut map, &mut |_| true).unwrap();
        let cleaned = compacting.clean_next(&mut |_| true).unwrap().unwrap();
        change(&mut world);
        let files = |world: &World| {
            let all = world.bench.disk.files();
            all.iter().filter(|path| path.to_string_lossy().contains(".log")).count()
        };
        let refused = world.log().install(cleaned);
        assert!(matches!(refused, Err(CompactionError::Abandoned)), "{refused:?}");
        let left: Vec<_> = world.bench.disk.files();
        let is_ours = |path: &&std::path::PathBuf| {
            let name = path.to_string_lossy();
            name.ends_with(".cleaned") || name.ends_with(".swap")
        };
        assert_eq!(left.iter().find(is_ours), None, "nothing of it stays");
        assert!(files(&world) > 0 && !world.log().has_failed());
    }
}

#[test]
fn whoever_cuts_the_log_finishes_the_swap_first() {
    let mut world = World::new(config());
    for round in 0..60_u8 {
        world.append(&[(round % 5, false)], None, Codec::None, false).unwrap();
    }
    world.sync();
    let request = world.request();
    let mut map = OffsetMap::new(1 << 16, 0.9);
    let plan = world.log().plan_compaction(&request).unwrap();
    let mut compacting = plan.map_keys(&mut map, &mut |_| true).unwrap();
    let cleaned = compacting.clean_next(&mut |_| true).unwrap().unwrap();
    let swap = world.log().install(cleaned).unwrap();
    assert!(world.log().close_idle_files() > 0, "the files stay open until they have their names");
    world.check("in the middle of a swap");
    world.log().truncate_to(Offset::new(41), NOW_MS).unwrap();
    swap.finish().unwrap();
    world.log().end_swap(&swap);
    let end = world.log().log_end_offset();
    world.history.records.split_off(&end.value());
    world.recovery_point = end.min(world.recovery_point);
    let found = read_all(world.log());
    world.reopen(false);
    assert_eq!(read_all(world.log()), found);
}

#[test]
fn a_full_disk_leaves_the_log_as_it_was() {
    let mut world = World::new(config());
    for round in 0..80_u8 {
        world.append(&[(round % 50, false), (round % 49, false)], None, Codec::None, false).unwrap();
    }
    world.sync();
    let used = |world: &World| {
        let disk = &world.bench.disk;
        disk.files().iter().filter_map(|path| disk.contents(path)).map(|data| data.len() as u64).sum::<u64>()
    };
    let mut refused = 0;
    for room in (0..4_000).step_by(37) {
        let limit = used(&world) + room;
        world.bench.disk.limit_space(Some(limit));
        match world.compact() {
            Err(CompactionError::Storage(StorageError::Full { .. })) => refused += 1,
            Ok(_) => break,
            Err(error) => panic!("{room} bytes left: {error}"),
        }
        assert!(!world.log().has_failed());
        world.check("with a full disk");
        let left = world.bench.disk.files();
        assert!(
            !left.iter().any(|path| path.to_string_lossy().ends_with(".cleaned")),
            "{room} bytes left: {left:?}"
        );
    }
    assert!(refused > 5, "{refused}");
    world.bench.disk.limit_space(None);
    world.compact().unwrap();
    world.check("with room again");
    world.check_compacted("with room again");
}

#[test]
fn a_damaged_batch_stops_the_compaction_and_nothing_else() {
    let mut world = World::new(config());
    for round in 0..60_u8 {
        world.append(&[(round % 5, false)], None, Codec::None, false).unwrap();
    }
    world.sync();
    let path = world.bench.dir.join("00000000000000000000.log");
    let sound = world.bench.disk.contents(&path).unwrap();
    let second = BatchHeader::parse(&sound).unwrap().size();
    for bit in (0..second).chain(second..2 * second).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        world.bench.disk.corrupt(&path, |data| data[bit.0] ^= 1 << bit.1);
        let refused = world.compact();
        let is_noticed = match &refused {
            Err(CompactionError::Batch { source: FilterError::Crc, .. }) => true,
            Err(CompactionError::Storage(StorageError::Malformed { .. })) => true,
            // The epoch is not under the CRC, and any is legal.
            Ok(_) => (12..16).contains(&(bit.0 % second)),
            Err(_) => false,
        };
        assert!(is_noticed, "{bit:?}: {refused:?}");
        if refused.is_ok() {
            break;
        }
        assert!(!world.log().has_failed());
        world.bench.disk.corrupt(&path, |data| data.clone_from(&sound));
    }
    world.append(&[(1, false)], None, Codec::None, false).unwrap();
}

#[derive(Clone, Debug)]
enum Action {
    Append { keys: Vec<(u8, bool)>, producer: Option<usize>, codec: usize, stamped: bool },
    End { producer: usize, commit: bool },
    Roll,
    Sync,
    Wait { ms: i64 },
    Compact,
    CompactByParts { keys: usize },
    ReopenClean,
    ReopenKilled,
    Crash { step: u64, seed: Option<u64> },
}

fn action() -> impl Strategy<Value = Action> {
    let keys = prop::collection::vec((any::<u8>(), prop::bool::weighted(0.25)), 1..6);
    let producer = prop::option::of(0..PRODUCERS);
    prop_oneof![
        12 => (keys, producer, 0..Codec::ALL.len(), prop::bool::weighted(0.1))
            .prop_map(|(keys, producer, codec, stamped)| Action::Append { keys, producer, codec, stamped }),
        4 => (0..PRODUCERS, any::<bool>()).prop_map(|(producer, commit)| Action::End { producer, commit }),
        2 => Just(Action::Roll),
        3 => Just(Action::Sync),
        2 => (0..1_500_i64).prop_map(|ms| Action::Wait { ms }),
        4 => Just(Action::Compact),
        1 => (1..4_usize).prop_map(|keys| Action::CompactByParts { keys }),
        1 => Just(Action::ReopenClean),
        1 => Just(Action::ReopenKilled),
        2 => (0..60_u64, prop::option::of(any::<u64>())).prop_map(|(step, seed)| Action::Crash { step, seed }),
    ]
}

impl World {
    fn apply(&mut self, action: &Action) {
        match action {
            Action::Append { keys, producer, codec, stamped } => {
                self.append(keys, *producer, Codec::ALL[*codec], *stamped).unwrap();
            }
            Action::End { producer, commit } => self.end_transaction(*producer, *commit).unwrap(),
            Action::Roll => {
                let now_ms = self.now_ms;
                self.log().roll(now_ms).unwrap();
            }
            Action::Sync => self.sync(),
            Action::Wait { ms } => self.now_ms += ms,
            Action::Compact => {
                self.compact().unwrap();
                self.check_compacted("compacted");
            }
            Action::CompactByParts { keys } => {
                self.map_bytes = 24 * (keys + 1);
                self.compact().unwrap();
                self.map_bytes = 1 << 16;
            }
            Action::ReopenClean => {
                self.sync();
                self.reopen(true);
                self.recovery_point = self.log().recovery_point();
            }
            Action::ReopenKilled => self.reopen(false),
            Action::Crash { step, seed } => {
                // Everything else is on disk: what is cut is the compaction.
                self.sync();
                self.bench.disk.stop_at(self.bench.disk.steps() + step);
                let _ = self.compact();
                self.bench.disk.power_cut(seed.map_or(PowerCut::LoseAll, PowerCut::Random));
                self.reopen(false);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_compacted_log_is_a_table(actions in prop::collection::vec(action(), 1..80)) {
        let mut world = World::new(config());
        for (at, action) in actions.iter().enumerate() {
            world.apply(action);
            let context = format!("action {at}, {action:?}");
            world.check(&context);
            world.check_producers(&context);
        }
    }
}

/// A log with everything that a compaction meets: several groups, transactions of both ends, tombstones.
fn eventful() -> World {
    let mut world = World::new(config());
    for round in 0..40_u8 {
        let codec = Codec::ALL[usize::from(round) % 5];
        let producer = [None, Some(0), Some(1), Some(2)][usize::from(round) % 4];
        world.append(&[(round % 7, round % 6 == 0), (round % 3, false)], producer, codec, false).unwrap();
        if round % 4 == 3 {
            world.end_transaction(0, round % 8 == 3).unwrap();
            world.end_transaction(2, round % 16 != 3).unwrap();
        }
    }
    world.sync();
    world
}

#[test]
fn a_crash_at_any_step_leaves_the_old_segments_or_the_new_ones() {
    let steps = |world: &mut World| {
        let before = world.bench.disk.steps();
        world.compact().unwrap();
        world.bench.disk.steps() - before
    };
    let mut world = eventful();
    let first = steps(&mut world);
    world.now_ms += 5_000;
    let second = steps(&mut world);
    assert!(first > 40 && second > 10, "{first} {second}");
    for is_second in [false, true] {
        for step in 0..if is_second { second } else { first } {
            for seed in [None, Some(1), Some(2)] {
                let mut world = eventful();
                if is_second {
                    world.compact().unwrap();
                    world.now_ms += 5_000;
                }
                let context = format!("second {is_second}, step {step}, seed {seed:?}");
                world.bench.disk.stop_at(world.bench.disk.steps() + step);
                world.compact().unwrap_err();
                crash_in_recovery(&mut world, seed, &context);
                world.reopen(false);
                world.check(&context);
                world.check_producers(&context);
                let names = world.bench.disk.files();
                let left = names.iter().find(|name| {
                    let name = name.to_string_lossy();
                    name.ends_with(".cleaned") || name.ends_with(".swap")
                });
                assert_eq!(left, None, "{context}");
                world.compact().unwrap();
                world.check(&context);
                world.check_compacted(&context);
            }
        }
    }
}

/// The first start after the crash is cut as well, at a step that differs from case to case.
fn crash_in_recovery(world: &mut World, seed: Option<u64>, context: &str) {
    let disk = world.bench.disk.clone();
    let cut = |seed: Option<u64>| disk.power_cut(seed.map_or(PowerCut::LoseAll, PowerCut::Random));
    cut(seed);
    world.log = None;
    let step = context.len() as u64 + disk.steps();
    disk.stop_at(disk.steps() + step % 9);
    let recovery_point = world.recovery_point;
    let opening = Opening { recovery_point, ..Opening::unknown(world.now_ms) };
    let _ = world.bench.try_open(opening);
    cut(seed.map(|seed| seed + 17));
}

#[test]
fn a_failed_step_ends_the_log_or_only_the_compaction() {
    let mut world = eventful();
    let before = world.bench.disk.steps();
    world.compact().unwrap();
    let steps = world.bench.disk.steps() - before;
    let mut survived = 0;
    for step in 0..steps {
        let mut world = eventful();
        world.bench.disk.fail_at(world.bench.disk.steps() + step);
        let failed = world.compact();
        let context = format!("step {step}: {failed:?}");
        assert!(failed.is_err(), "{context}");
        if world.log().has_failed() {
            world.bench.disk.power_cut(PowerCut::LoseAll);
            world.reopen(false);
        } else {
            survived += 1;
        }
        world.check(&context);
        world.compact().unwrap();
        world.check_compacted(&context);
    }
    assert!(survived > steps / 3, "{survived} of {steps}");
}
