use bytes::Bytes;
use model::{BatchHeader, LeaderEpoch, Offset};

use crate::disk_mem::PowerCut;
use crate::names::{LOG, OFFSET_INDEX, TIME_INDEX};
use crate::test_support::{
    Bench, NOW_MS, append, batch, marker, offsets, produced, read_all, request, sync, transactional,
};
use crate::{LogConfig, Opening, PartitionLog, StorageError};

fn small_segments() -> LogConfig {
    LogConfig { segment_bytes: 400, index_interval_bytes: 100, index_bytes_max: 240, ..LogConfig::default() }
}

/// A log of five batches of which the last three are the tail, and where those begin.
fn three_batch_tail() -> (Bench, Vec<Bytes>, usize) {
    let bench = Bench::new(LogConfig { index_bytes_max: 240, ..LogConfig::default() });
    let mut log = bench.open();
    for seed in 0..5 {
        append(&mut log, batch(2, NOW_MS + seed as i64, seed));
    }
    sync(&mut log);
    let batches = read_all(&mut log);
    let start = batches.iter().take(2).map(Bytes::len).sum();
    (bench, batches, start)
}

#[test]
fn a_tail_cut_at_any_byte_leaves_the_whole_batches_before_the_cut() {
    let (bench, batches, start) = three_batch_tail();
    let path = bench.dir.join("00000000000000000000.log");
    let whole = bench.disk.contents(&path).unwrap();
    for len in start..=whole.len() {
        bench.disk.corrupt(&path, |data| {
            data.clone_from(&whole);
            data.truncate(len);
        });
        let (mut log, recovery) = bench.recovered(Offset::new(4));
        let mut end = 0;
        let kept = batches.iter().take_while(|batch| {
            end += batch.len();
            end <= len
        });
        assert_eq!(read_all(&mut log), kept.cloned().collect::<Vec<_>>(), "cut at {len}");
        assert_eq!(recovery.truncated.is_some(), log.size_bytes() < len as u64);
        // What is written next follows on the last whole batch, and survives as well.
        let base = append(&mut log, batch(1, NOW_MS, 9));
        drop(log);
        let (mut log, recovery) = bench.recovered(Offset::new(4));
        assert_eq!((recovery.truncated, read_all(&mut log).len()), (None, base.value() as usize / 2 + 1));
    }
}

#[test]
fn a_flipped_bit_in_the_tail_never_yields_a_damaged_batch() {
    let (bench, batches, start) = three_batch_tail();
    let path = bench.dir.join("00000000000000000000.log");
    let whole = bench.disk.contents(&path).unwrap();
    let mut undetected = 0;
    for bit in start * 8..whole.len() * 8 {
        bench.disk.corrupt(&path, |data| {
            data.clone_from(&whole);
            data[bit / 8] ^= 1 << (bit % 8);
        });
        let (mut log, _) = bench.recovered(Offset::new(4));
        let found = read_all(&mut log);
        assert!(found.len() >= 2, "bit {bit}: what is durable stays");
        // Offset and epoch are not under the CRC: a larger one in the last batch cannot be told from a true one.
        let same = found.iter().zip(&batches).take_while(|(a, b)| a == b).count();
        if same < found.len() {
            assert_eq!(found[same][16..], batches[same][16..], "bit {bit}: the records are sound");
            assert_eq!(found[same][8..12], batches[same][8..12], "bit {bit}: the length is sound");
            undetected += 1;
        }
        assert!(offsets(&found).is_sorted(), "bit {bit}");
    }
    assert!(undetected <= 3 * (63 + 31), "{undetected} flips went by unseen");
}

#[test]
fn zeros_behind_the_last_batch_are_a_torn_tail() {
    let (bench, batches, _) = three_batch_tail();
    for zeros in [1, 16, 17, 60, 61, 100, 5_000] {
        bench.disk.corrupt(&bench.dir.join("00000000000000000000.log"), |data| {
            data.resize(data.len() + zeros, 0);
        });
        let (mut log, recovery) = bench.recovered(Offset::new(10));
        assert_eq!(read_all(&mut log), batches);
        assert_eq!(recovery.truncated.map(|cut| cut.bytes), Some(zeros as u64));
    }
}

#[test]
fn damage_below_the_recovery_point_is_refused_and_left_alone() {
    let (bench, _, start) = three_batch_tail();
    let path = bench.dir.join("00000000000000000000.log");
    let whole = bench.disk.contents(&path).unwrap();
    bench.disk.corrupt(&path, |data| data[start + 70] ^= 1);
    let opening = Opening { recovery_point: Offset::new(10), ..Opening::unknown(NOW_MS) };
    for _ in 0..2 {
        match bench.try_open(opening) {
            Err(StorageError::Damaged { offset, position, durable, .. }) => {
                assert_eq!((offset, position, durable), (Offset::new(4), start as u64, Offset::new(10)));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(bench.disk.contents(&path).unwrap().len(), whole.len());
    }
    let (mut log, recovery) = bench.try_open(Opening { repair: true, ..opening }).unwrap();
    assert_eq!((read_all(&mut log).len(), log.log_end_offset()), (2, Offset::new(4)));
    assert!(recovery.truncated.is_some());
}

#[test]
fn a_log_that_ends_before_its_recovery_point_is_refused() {
    let (bench, _, start) = three_batch_tail();
    bench.disk.corrupt(&bench.dir.join("00000000000000000000.log"), |data| data.truncate(start));
    for clean in [false, true] {
        let opening = Opening { recovery_point: Offset::new(10), clean, ..Opening::unknown(NOW_MS) };
        let refused = bench.try_open(opening);
        assert!(
            matches!(refused, Err(StorageError::Missing { found, .. }) if found == Offset::new(4)),
            "{refused:?}"
        );
    }
}

#[test]
fn a_torn_segment_takes_those_after_it_along() {
    let bench = Bench::new(small_segments());
    let mut log = bench.open();
    for seed in 0..12 {
        append(&mut log, batch(1, NOW_MS, seed));
    }
    assert!(log.segment_count() >= 3);
    let (first, second) = (log.sealed[0].size(), log.sealed[1].base());
    let batches = read_all(&mut log);
    drop(log);
    let path = bench.dir.join("00000000000000000000.log");
    bench.disk.corrupt(&path, |data| data.truncate(first as usize - 1));
    let (mut log, recovery) = bench.recovered(Offset::ZERO);
    assert_eq!(log.segment_count(), 1);
    assert!(recovery.segments_dropped >= 2);
    assert_eq!(read_all(&mut log), batches[..second.value() as usize - 1]);
    // The dropped segments are gone for good, whatever becomes of the machine.
    bench.disk.power_cut(PowerCut::LoseAll);
    let (mut log, _) = bench.recovered(Offset::ZERO);
    assert_eq!(read_all(&mut log), batches[..second.value() as usize - 1]);
}

#[test]
fn a_segment_that_ends_early_is_no_hole_in_the_log() {
    let bench = Bench::new(small_segments());
    let mut log = bench.open();
    for seed in 0..12 {
        append(&mut log, batch(1, NOW_MS, seed));
    }
    let batches = read_all(&mut log);
    let per_segment = log.sealed[1].base().value() as usize;
    let last = batches[per_segment - 1].len();
    drop(log);
    bench.disk.corrupt(&bench.dir.join("00000000000000000000.log"), |data| data.truncate(data.len() - last));
    let (mut log, recovery) = bench.recovered(Offset::ZERO);
    assert_eq!(read_all(&mut log), batches[..per_segment - 1]);
    assert!(recovery.segments_dropped > 0);
}

#[test]
fn indexes_are_derived_again_when_anything_is_wrong_with_them() {
    for damage in 0..8 {
        let bench = Bench::new(LogConfig { index_interval_bytes: 100, ..small_segments() });
        let bench = Bench { config: LogConfig { segment_bytes: 4_000, ..bench.config }, ..bench };
        let mut log = bench.open();
        for seed in 0..60 {
            append(&mut log, batch(1, NOW_MS + seed as i64, seed));
        }
        let batches = read_all(&mut log);
        assert!(log.segment_count() > 1);
        log.close().unwrap();
        let index = bench.dir.join(format!("00000000000000000000{OFFSET_INDEX}"));
        let times = bench.dir.join(format!("00000000000000000000{TIME_INDEX}"));
        let sound = (bench.disk.contents(&index).unwrap(), bench.disk.contents(&times).unwrap());
        match damage {
            0 => crate::Disk::remove_file(&bench.disk, &index).unwrap(),
            1 => crate::Disk::remove_file(&bench.disk, &times).unwrap(),
            2 => bench.disk.corrupt(&index, |data| data.truncate(data.len() - 1)),
            3 => bench.disk.corrupt(&index, |data| data.resize(data.len() + 80, 0)),
            4 => bench.disk.corrupt(&index, |data| data[4..16].rotate_left(8)),
            5 => bench.disk.corrupt(&index, |data| data[15] ^= 1),
            6 => bench.disk.corrupt(&index, |data| data[11] ^= 4),
            _ => bench.disk.corrupt(&times, |data| data.rotate_left(12)),
        }
        let mut log = bench.open_clean(Offset::new(60));
        for (offset, expected) in batches.iter().enumerate() {
            let plan =
                log.read_plan(request(Offset::new(offset as i64), 1, Offset::new(60), true), None).unwrap();
            assert_eq!(plan.read().unwrap().bytes, expected, "damage {damage}, offset {offset}");
        }
        log.close().unwrap();
        let after = (bench.disk.contents(&index).unwrap(), bench.disk.contents(&times).unwrap());
        assert_eq!(after, sound, "damage {damage}");
    }
}

#[test]
fn a_segment_that_was_sealed_at_the_recovery_point_is_derived_again() {
    let bench = Bench::new(small_segments());
    let mut log = bench.open();
    append(&mut log, transactional(7, 0, 0, 2));
    log.append_from(crate::Origin::Coordinator, marker(7, 0, false, 1), LeaderEpoch::new(1), NOW_MS).unwrap();
    sync(&mut log);
    let point = log.recovery_point();
    assert_eq!(point, log.log_end_offset());
    log.roll(NOW_MS).unwrap();
    drop(log);
    // The log and its names are on disk, the index is not.
    bench.disk.corrupt(&bench.dir.join("00000000000000000000.txnindex"), Vec::clear);
    let (log, _) = bench.recovered(point);
    let mut lookup = log.aborted_lookup(Offset::ZERO, point).unwrap();
    assert_eq!(lookup.run(crate::Access::Disk).unwrap().len(), 1);
}

#[test]
fn messages_of_old_formats_are_refused_and_not_cut_off() {
    let bench = Bench::new(LogConfig { index_bytes_max: 240, ..LogConfig::default() });
    let log = bench.open();
    drop(log);
    // One message of format v0 with null key and value, as Kafka 0.8 wrote it.
    let mut message = vec![0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    let mut old = Vec::from(0_i64.to_be_bytes());
    old.extend_from_slice(&(4 + message.len() as i32).to_be_bytes());
    old.extend_from_slice(&0xa7ec_6803_u32.to_be_bytes());
    old.append(&mut message);
    old.resize(61.max(old.len()), 0);
    let path = bench.dir.join("00000000000000000000.log");
    bench.disk.corrupt(&path, |data| data.clone_from(&old));
    let refused = bench.try_open(Opening::unknown(NOW_MS));
    assert!(
        matches!(&refused, Err(StorageError::Malformed { reason, .. }) if reason.contains("format v0")),
        "{refused:?}"
    );
    bench.disk.corrupt(&path, |data| data[12] ^= 1);
    assert!(bench.recovered(Offset::ZERO).1.truncated.is_some(), "with a wrong CRC it is a torn tail");
}

/// A log of three segments whose second lacks its last batch; `thinned` says whether it, or the third, lacks others too.
fn gap_before_the_third_segment(thinned: Option<usize>) -> Bench {
    let bench = Bench::new(LogConfig { index_bytes_max: 240, ..LogConfig::default() });
    let mut log = bench.open();
    for segment in 0..3 {
        for seed in 0..4 {
            append(&mut log, batch(1, NOW_MS, segment * 10 + seed));
        }
        if segment < 2 {
            log.roll(NOW_MS).unwrap();
        }
    }
    let size = read_all(&mut log)[4].len();
    drop(log);
    for (at, base) in [(1, 4), (2, 8)] {
        let path = bench.dir.join(format!("{base:020}.log"));
        bench.disk.corrupt(&path, |data| {
            if at == 1 {
                data.truncate(3 * size);
            }
            if thinned == Some(at) {
                data.drain(size..2 * size);
            }
        });
    }
    bench
}

#[test]
fn a_gap_is_compactions_where_the_segments_beside_it_lack_records_too() {
    for thinned in [1, 2] {
        let bench = gap_before_the_third_segment(Some(thinned));
        // The topic was compacted once: it opens, wherever the recovery point is.
        for point in [Offset::ZERO, Offset::new(8), Offset::new(12)] {
            let (mut log, recovery) = bench.recovered(point);
            assert_eq!((recovery.truncated, recovery.segments_dropped), (None, 0), "{thinned} {point}");
            assert_eq!((read_all(&mut log).len(), log.log_end_offset()), (10, Offset::new(12)));
        }
    }
    let bench = gap_before_the_third_segment(None);
    let refused = bench.try_open(Opening { recovery_point: Offset::new(8), ..Opening::unknown(NOW_MS) });
    assert!(matches!(refused, Err(StorageError::Missing { found, .. }) if found == Offset::new(7)));
    let (mut log, recovery) = bench.recovered(Offset::new(7));
    assert_eq!((recovery.segments_dropped, read_all(&mut log).len()), (1, 7), "a torn tail");
}

/// Found by fuzzing: what speaks for compaction was cut off, and with it went what the gap was judged by.
#[test]
fn a_batch_that_is_not_sound_says_nothing_of_a_gap() {
    fn beyond_the_next_segment(data: &mut [u8]) {
        let at = data.len() / 3;
        data[at..at + 8].copy_from_slice(&39_i64.to_be_bytes());
    }
    fn before_an_earlier_epoch(data: &mut [u8]) {
        data[12..16].copy_from_slice(&9_i32.to_be_bytes());
    }
    let damages = [(None, beyond_the_next_segment as fn(&mut [u8])), (Some(1), before_an_earlier_epoch)];
    for (thinned, damage) in damages {
        let bench = gap_before_the_third_segment(thinned);
        bench.disk.corrupt(&bench.dir.join("00000000000000000000.log"), Vec::clear);
        bench.disk.corrupt(&bench.dir.join("00000000000000000004.log"), |data| damage(data));
        for (time, dropped) in [("first", 2), ("second", 0)] {
            let (mut log, recovery) = bench.recovered(Offset::ZERO);
            assert_eq!(
                (recovery.truncated, recovery.segments_dropped),
                (None, dropped),
                "{thinned:?} {time}"
            );
            assert_eq!((read_all(&mut log).len(), log.log_end_offset()), (0, Offset::ZERO), "{time}");
        }
    }
}

/// A log, and what must be true of it after a crash.
struct World {
    bench: Bench,
    log: Option<PartitionLog>,
    /// Batches as they must be found, as far as they can be.
    appended: Vec<Bytes>,
    /// Everything below was acknowledged.
    acked: Offset,
    /// What the checkpoint says.
    recovery_point: Offset,
    log_start: Offset,
    sequence: i32,
}

impl World {
    fn new() -> Self {
        let bench = Bench::new(small_segments());
        let (acked, recovery_point, log_start) = (Offset::ZERO, Offset::ZERO, Offset::ZERO);
        Self { bench, log: None, appended: Vec::new(), acked, recovery_point, log_start, sequence: 0 }
    }

    fn open(&mut self, clean: bool) -> Result<(), StorageError> {
        let opening = Opening {
            recovery_point: self.recovery_point,
            log_start: self.log_start,
            clean,
            repair: false,
            aging_ms: NOW_MS,
        };
        self.log = Some(self.bench.try_open(opening)?.0);
        Ok(())
    }

    fn log(&mut self) -> &mut PartitionLog {
        self.log.as_mut().unwrap()
    }

    fn append(&mut self, epoch: i32) -> Result<(), crate::AppendError> {
        let sequence = self.sequence;
        let sent = produced(7, 0, sequence, 2);
        let base = self.log().log_end_offset();
        let mut stored = sent.to_vec();
        stored[0..8].copy_from_slice(&base.value().to_be_bytes());
        stored[12..16].copy_from_slice(&epoch.to_be_bytes());
        self.appended.push(stored.into());
        self.log().append_as_leader(sent, LeaderEpoch::new(epoch), NOW_MS)?;
        self.sequence += 2;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        let target = self.log().sync_target()?;
        target.sync()?;
        self.log().mark_durable(target.end());
        self.acked = self.log().durable_offset();
        self.recovery_point = self.log().recovery_point();
        Ok(())
    }

    /// Everything a log does in its life, step by step; stops at the first failure.
    fn live(&mut self) -> Result<(), anyhow::Error> {
        self.open(false)?;
        for at in 0..10 {
            self.append(at / 4)?;
            if at % 3 == 2 {
                self.sync()?;
            }
        }
        // A sync that began before a roll and an append covers only what was there.
        let target = self.log().sync_target()?;
        self.log().roll(NOW_MS)?;
        self.append(3)?;
        target.sync()?;
        let end = self.log().log_end_offset();
        self.log().mark_durable(end);
        self.acked = self.log().durable_offset();
        assert_eq!(self.acked, target.end());
        self.append(3)?;
        self.sync()?;
        let high_watermark = self.acked;
        let start = Offset::new(5);
        self.log().advance_log_start(start);
        self.log_start = start;
        self.log().apply_retention(NOW_MS, high_watermark)?;
        self.append(4)?;
        self.log().purge_deleted(i64::MAX)?;
        self.sync()?;
        self.append(4)?;
        self.log.take().unwrap().close()?;
        self.acked = Offset::new(self.appended.len() as i64 * 2);
        self.recovery_point = self.acked;
        self.open(true)?;
        self.append(5)?;
        self.sync()?;
        Ok(())
    }

    fn check(&mut self, context: &str) {
        self.log = None;
        self.open(false).unwrap_or_else(|error| panic!("{context}: {error}"));
        let (log_start, acked) = (self.log_start, self.acked);
        let log = self.log.as_mut().unwrap();
        assert!(log.log_end_offset() >= acked, "{context}: {} is lost", log.log_end_offset());
        assert!(log.log_start_offset() <= log_start.max(acked), "{context}");
        let found = read_all(log);
        let first = found
            .first()
            .map_or(0, |batch| BatchHeader::parse(batch).unwrap().base_offset.value() as usize / 2);
        let end = log.log_end_offset().value() as usize / 2;
        assert!(first * 2 <= log_start.value() as usize, "{context}");
        assert_eq!(found, self.appended[first..end], "{context}: exactly what was appended");
        let epochs: Vec<_> = log.leader_epochs().entries().to_vec();
        for batch in &found {
            let header = BatchHeader::parse(batch).unwrap();
            let offset = header.base_offset.max(log.log_start_offset());
            let known = log.leader_epochs().epoch_for(offset);
            assert_eq!(known, Some(header.leader_epoch), "{context}: {epochs:?} at {offset}");
        }
        if let Some(last) = found.last() {
            let header = BatchHeader::parse(last).unwrap();
            let retry = produced(7, 0, header.base_sequence, 2);
            let again = log.append_as_leader(retry, header.leader_epoch, NOW_MS).unwrap();
            assert!(again.duplicate && again.base_offset == header.base_offset, "{context}: a retry is one");
        }
    }
}

#[test]
fn a_crash_after_any_step_loses_nothing_that_was_acknowledged() {
    let mut whole = World::new();
    whole.live().unwrap();
    let steps = whole.bench.disk.steps();
    assert!(steps > 100, "{steps} steps");
    for step in World::new().bench.disk.steps()..steps {
        for seed in 0..8 {
            let mut world = World::new();
            world.bench.disk.stop_at(step);
            assert!(world.live().is_err(), "the machine stops at step {step}");
            let mode = if seed == 0 { PowerCut::LoseAll } else { PowerCut::Random(step * 100 + seed) };
            world.bench.disk.power_cut(mode);
            world.check(&format!("stopped at step {step}, seed {seed}"));
            world.check(&format!("stopped at step {step}, seed {seed}, recovered twice"));
        }
    }
}

#[test]
fn a_failed_write_or_sync_ends_the_log() {
    let mut whole = World::new();
    whole.live().unwrap();
    let mut refusals = 0;
    for step in World::new().bench.disk.steps()..whole.bench.disk.steps() {
        let mut world = World::new();
        world.bench.disk.fail_at(step);
        assert!(world.live().is_err(), "step {step} fails");
        if let Some(log) = &mut world.log
            && log.has_failed()
        {
            refusals += 1;
            let refused = log.append_as_leader(batch(1, NOW_MS, 1), LeaderEpoch::new(9), NOW_MS);
            assert!(
                matches!(refused, Err(crate::AppendError::Storage(StorageError::Failed { .. }))),
                "step {step}: {refused:?}"
            );
            assert!(log.sync_target().is_err());
        }
        // The failed sync threw pages away which readers still see: after a kill, the disk decides.
        world.bench.disk.power_cut(PowerCut::LoseAll);
        world.check(&format!("step {step} failed"));
    }
    assert!(refusals > 20, "{refusals}");
}

#[test]
fn what_a_failed_sync_threw_away_is_not_believed_after_a_restart() {
    let bench = Bench::new(small_segments());
    let mut log = bench.open();
    append(&mut log, batch(1, NOW_MS, 1));
    sync(&mut log);
    append(&mut log, batch(1, NOW_MS, 2));
    bench.disk.fail_at(bench.disk.steps());
    assert!(log.sync_target().unwrap().sync().is_err());
    drop(log);
    // The page cache still shows both batches, and syncs of it succeed.
    let (mut log, _) = bench.recovered(Offset::new(1));
    let found = read_all(&mut log);
    sync(&mut log);
    let durable = log.durable_offset();
    drop(log);
    bench.disk.power_cut(PowerCut::LoseAll);
    let (mut log, _) = bench.recovered(durable);
    assert_eq!(read_all(&mut log), found);
}

#[test]
fn a_kill_without_power_cut_keeps_everything_written() {
    let bench = Bench::new(small_segments());
    let mut log = bench.open();
    for seed in 0..7 {
        append(&mut log, batch(1, NOW_MS, seed));
    }
    let batches = read_all(&mut log);
    drop(log);
    let (mut log, recovery) = bench.recovered(Offset::ZERO);
    assert_eq!((read_all(&mut log), recovery.truncated), (batches, None));
    assert!(!bench.dir.join(LOG).exists());
}

#[test]
fn what_a_recovery_calls_durable_survives_a_power_cut() {
    let bench = Bench::new(small_segments());
    let mut log = bench.open();
    for seed in 0..12 {
        append(&mut log, batch(2, NOW_MS, seed));
    }
    assert!(log.segment_count() > 2, "segments whose names nobody has synced");
    // The process is killed: what it wrote is in the page cache.
    drop(log);
    let (log, _) = bench.recovered(Offset::ZERO);
    let durable = log.durable_offset();
    drop(log);
    bench.disk.power_cut(PowerCut::LoseAll);
    let (log, _) = bench.recovered(Offset::ZERO);
    assert_eq!((durable, log.log_end_offset()), (Offset::new(24), durable));
}
