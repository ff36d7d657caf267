use bytes::Bytes;
use model::{ErrorCode, LeaderEpoch, Offset};

use crate::names::{OFFSET_INDEX, SNAPSHOT, TIME_INDEX};
use crate::test_support::{Bench, NOW_MS, append, batch, offsets, read_all, request, split, sync};
use crate::{AppendError, Cleanup, Disk, LogConfig, Opening, PartitionLog, ReadError, StorageError};

fn config() -> LogConfig {
    LogConfig { index_bytes_max: 480, ..LogConfig::default() }
}

fn at(offset: i64) -> Offset {
    Offset::new(offset)
}

#[test]
fn what_was_appended_is_read_back() {
    let bench = Bench::new(LogConfig::default());
    let mut log = bench.open();
    for (seed, count) in [3, 1, 2].into_iter().enumerate() {
        append(&mut log, batch(count, 1_000, seed as u64));
    }
    assert_eq!(log.log_end_offset(), at(6));
    assert_eq!(log.durable_offset(), Offset::ZERO);
    sync(&mut log);
    assert_eq!(log.durable_offset(), at(6));
    assert_eq!(offsets(&read_all(&mut log)), [(0, 2), (3, 3), (4, 5)]);
    log.close().unwrap();
    let mut log = bench.open_clean(at(6));
    assert_eq!(offsets(&read_all(&mut log)), [(0, 2), (3, 3), (4, 5)]);
    append(&mut log, batch(1, 1_000, 9));
    drop(log);
    let mut log = bench.open();
    assert_eq!(offsets(&read_all(&mut log)), [(0, 2), (3, 3), (4, 5), (6, 6)]);
}

#[test]
fn only_the_prefix_of_a_batch_changes() {
    let mut log = Bench::new(config()).open();
    append(&mut log, batch(5, NOW_MS, 1));
    let sent = batch(2, NOW_MS, 2);
    let appended = log.append_as_leader(sent.clone(), LeaderEpoch::new(77), NOW_MS).unwrap();
    assert_eq!((appended.base_offset, appended.last_offset), (at(5), at(6)));
    assert_eq!((appended.log_append_time_ms, appended.duplicate), (-1, false));
    let stored = read_all(&mut log).pop().unwrap();
    assert_eq!(stored[0..8], 5_i64.to_be_bytes());
    assert_eq!(stored[12..16], 77_i32.to_be_bytes());
    assert_eq!((&stored[8..12], &stored[16..]), (&sent[8..12], &sent[16..]));
}

#[test]
fn segments_roll_by_size() {
    let size = batch(1, NOW_MS, 0).len() as u32;
    let mut log = Bench::new(LogConfig { segment_bytes: 3 * size, ..config() }).open();
    for _ in 0..7 {
        append(&mut log, batch(1, NOW_MS, 0));
    }
    assert_eq!((log.segment_count(), log.active_segment_base()), (3, at(6)));
    log.set_config(LogConfig { segment_bytes: size - 1, ..config() });
    let refused = log.append_as_leader(batch(1, NOW_MS, 0), LeaderEpoch::new(1), NOW_MS);
    assert!(matches!(refused, Err(AppendError::TooLarge { .. })));
    assert_eq!(refused.unwrap_err().code(), ErrorCode::RecordListTooLarge);
    assert_eq!(log.log_end_offset(), at(7));
}

#[test]
fn segments_roll_by_the_time_of_their_first_record() {
    let mut log = Bench::new(LogConfig { segment_ms: 100, ..config() }).open();
    append(&mut log, batch(1, 1_000, 0));
    append(&mut log, batch(1, 1_100, 0));
    assert_eq!(log.segment_count(), 1);
    append(&mut log, batch(1, 1_101, 0));
    assert_eq!(log.segment_count(), 2);
    // Without timestamps the age of the file counts, and a compacted topic rolls at the latest with its lag.
    let cleanup = Cleanup { delete: false, compact: true };
    let mut log = Bench::new(LogConfig { max_compaction_lag_ms: 50, cleanup, ..config() }).open();
    let epoch = LeaderEpoch::new(0);
    log.append_as_leader(batch(1, -1, 0), epoch, NOW_MS + 1_000).unwrap();
    log.append_as_leader(batch(1, -1, 0), epoch, NOW_MS + 51).unwrap();
    assert_eq!(log.segment_count(), 2);
}

#[test]
fn jitter_takes_a_share_that_stays_the_same() {
    let config = LogConfig { segment_ms: 1_000_000, segment_jitter_ms: 500_000, ..config() };
    let bench = Bench::new(config);
    let mut rolled_at = Vec::new();
    for _ in 0..2 {
        let mut log = bench.open();
        log.truncate_fully(Offset::ZERO, NOW_MS).unwrap();
        append(&mut log, batch(1, 0, 0));
        let first_roll = (0..=1_000_000).step_by(1_000).find(|time| {
            append(&mut log, batch(1, *time, 0));
            log.segment_count() > 1
        });
        rolled_at.push(first_roll.unwrap_or(i64::MAX));
    }
    assert_eq!(rolled_at[0], rolled_at[1]);
    assert!((500_000..1_000_000).contains(&rolled_at[0]), "{rolled_at:?}");
}

#[test]
fn segments_roll_when_an_index_is_full_or_an_offset_too_far() {
    let config = LogConfig { index_interval_bytes: 0, index_bytes_max: 48, ..config() };
    let bench = Bench::new(config);
    let mut log = bench.open();
    for seed in 0..20 {
        append(&mut log, batch(1, NOW_MS + seed, 0));
    }
    // Four entries of twelve bytes, one of which is kept for sealing; the first batch needs none.
    assert_eq!(log.active_segment_base(), at(16));
    log.set_config(LogConfig { index_bytes_max: 480, ..log.config().clone() });
    let far = |offset: i64| -> Bytes {
        let mut bytes = batch(1, NOW_MS, 3).to_vec();
        bytes[0..8].copy_from_slice(&offset.to_be_bytes());
        bytes.into()
    };
    let distance = 16 + i64::from(i32::MAX);
    log.append_as_follower(far(distance), NOW_MS).unwrap();
    assert_eq!(log.active_segment_base(), at(16));
    log.append_as_follower(far(distance + 1), NOW_MS).unwrap();
    assert_eq!(log.active_segment_base(), at(distance + 1));
    assert_eq!(read_all(&mut log).len(), 22);
    log.append_as_follower(far(i64::MAX - 1), NOW_MS).unwrap();
    assert!(matches!(log.append_as_follower(far(i64::MAX), NOW_MS), Err(AppendError::OffsetsExhausted)));
    let refused = log.append_as_leader(batch(1, NOW_MS, 0), LeaderEpoch::new(1), NOW_MS);
    assert!(matches!(refused, Err(AppendError::OffsetsExhausted)));
}

#[test]
fn a_sealed_segment_has_indexes_as_kafka_writes_them() {
    let bench = Bench::new(LogConfig { index_interval_bytes: 1, ..config() });
    let mut log = bench.open();
    let size = batch(2, NOW_MS, 0).len() as u32;
    for (seed, time) in [10, 30, 20].into_iter().enumerate() {
        append(&mut log, batch(2, NOW_MS + time, seed as u64));
    }
    let index = bench.dir.join(format!("00000000000000000000{OFFSET_INDEX}"));
    let times = bench.dir.join(format!("00000000000000000000{TIME_INDEX}"));
    assert_eq!(bench.disk.contents(&index).unwrap(), [0; 480], "at full size while the segment is active");
    assert_eq!(bench.disk.contents(&times).unwrap(), [0; 480]);
    log.roll(NOW_MS).unwrap();
    let mut expected = Vec::new();
    for (last_offset, position) in [(3_u32, size), (5, 2 * size)] {
        expected.extend_from_slice(&last_offset.to_be_bytes());
        expected.extend_from_slice(&position.to_be_bytes());
    }
    assert_eq!(bench.disk.contents(&index).unwrap(), expected);
    let mut expected = Vec::from((NOW_MS + 30).to_be_bytes());
    expected.extend_from_slice(&3_i32.to_be_bytes());
    assert_eq!(bench.disk.contents(&times).unwrap(), expected);
    assert!(bench.disk.contents(&bench.dir.join(format!("00000000000000000006{SNAPSHOT}"))).is_some());
}

#[test]
fn a_full_disk_leaves_whole_batches_and_a_log_that_goes_on() {
    for room in 0..700 {
        let bench = Bench::new(LogConfig { segment_bytes: 400, ..config() });
        let mut log = bench.open();
        for seed in 0..5 {
            append(&mut log, batch(1, NOW_MS, seed));
        }
        sync(&mut log);
        let used: usize = bench
            .disk
            .files()
            .iter()
            .filter_map(|path| bench.disk.contents(path))
            .map(|data| data.len())
            .sum();
        bench.disk.limit_space(Some((used + room) as u64));
        let mut refused = 0;
        for seed in 5..20 {
            let result = log.append_as_leader(batch(1, NOW_MS, seed), LeaderEpoch::new(1), NOW_MS);
            match result {
                Ok(_) => {}
                Err(AppendError::Storage(StorageError::Full { .. })) => refused += 1,
                Err(error) => panic!("{room} bytes left: {error}"),
            }
        }
        assert!(refused > 0 && !log.has_failed(), "{room} bytes left");
        let active = bench.dir.join(format!("{:020}.log", log.active_segment_base().value()));
        let bytes = bench.disk.contents(&active).unwrap().len() as u64;
        assert_eq!(bytes, log.active.size(), "{room} bytes left: nothing of a refused batch stays");
        let kept = read_all(&mut log);
        assert_eq!(kept.len() as i64, log.log_end_offset().value());
        bench.disk.limit_space(None);
        append(&mut log, batch(1, NOW_MS, 99));
        sync(&mut log);
        let all = read_all(&mut log);
        assert_eq!(all.len(), kept.len() + 1);
        let end = log.log_end_offset();
        drop(log);
        let (mut log, recovery) = bench.recovered(end);
        assert_eq!((read_all(&mut log), recovery.truncated), (all, None), "{room} bytes left");
    }
}

#[test]
fn reads_stay_inside_their_bounds() {
    let mut log = Bench::new(config()).open();
    for seed in 0..4 {
        append(&mut log, batch(3, NOW_MS, seed));
    }
    let all = read_all(&mut log);
    let size = all[0].len();
    log.advance_log_start(at(4));
    for offset in [3, 13] {
        let refused = log.read_plan(request(at(offset), 1_000, at(12), true), None);
        assert!(matches!(refused, Err(ReadError::OutOfRange { .. })));
        assert_eq!(refused.unwrap_err().code(), ErrorCode::OffsetOutOfRange);
    }
    let mut read = |offset, bytes_max, until, one| -> Vec<(i64, i64)> {
        let plan = log.read_plan(request(at(offset), bytes_max, at(until), one), None).unwrap();
        assert_eq!(plan.is_empty(), plan.ranges().iter().all(|range| range.len == 0));
        offsets(&split(&plan.read().unwrap().bytes))
    };
    assert_eq!(read(12, 1_000, 12, true), [], "the end is no error");
    assert_eq!(read(9, 1_000, 9, true), [], "nor is the upper bound");
    assert_eq!(read(5, 1_000, 12, true), [(3, 5), (6, 8), (9, 11)], "from inside a batch on");
    assert_eq!(read(5, 1_000, 9, true), [(3, 5), (6, 8)]);
    assert_eq!(read(5, 2 * size, 12, true), [(3, 5), (6, 8)]);
    assert_eq!(read(5, 2 * size - 1, 12, true), [(3, 5)]);
    assert_eq!(read(5, 0, 12, true), [(3, 5)], "one batch at least");
    assert_eq!(read(5, size - 1, 12, false), [], "unless it is not wanted");
    assert_eq!(read(5, size, 12, false), [(3, 5)]);
}

#[test]
fn hints_lead_from_read_to_read() {
    let mut log = Bench::new(LogConfig { segment_bytes: 600, index_interval_bytes: 100, ..config() }).open();
    for seed in 0..30 {
        append(&mut log, batch(1, NOW_MS, seed));
    }
    sync(&mut log);
    let end = log.durable_offset();
    let mut hint = None;
    let mut offset = at(0);
    while offset < end {
        let plan = log.read_plan(request(offset, 350, end, true), hint).unwrap();
        let without = log.read_plan(request(offset, 350, end, true), None).unwrap();
        let read = plan.read().unwrap();
        assert_eq!(read, without.read().unwrap());
        hint = read.next;
        offset = hint.unwrap().offset();
    }
    // A reader that waits at the end keeps its place.
    let waiting = log.read_plan(request(end, 350, end, true), hint).unwrap();
    assert_eq!((waiting.is_empty(), waiting.next()), (true, hint));
    let kept = hint;
    log.truncate_to(at(20), NOW_MS).unwrap();
    for seed in 40..60 {
        append(&mut log, batch(7, NOW_MS, seed));
    }
    let plan = log.read_plan(request(kept.unwrap().offset(), 10, log.log_end_offset(), true), kept).unwrap();
    let (first, last) = offsets(&split(&plan.read().unwrap().bytes))[0];
    assert!((first..=last).contains(&end.value()), "a hint from before a truncation is not believed");
}

#[test]
fn a_plan_outlives_the_segments_it_reads() {
    let bench = Bench::new(LogConfig { segment_bytes: 400, retention_bytes: 0, ..config() });
    let mut log = bench.open();
    for seed in 0..12 {
        append(&mut log, batch(1, NOW_MS, seed));
    }
    let plan = log.read_plan(request(at(0), 1_000, at(12), true), None).unwrap();
    let before = plan.clone().read().unwrap();
    assert!(!log.apply_retention(NOW_MS, at(12)).unwrap().is_empty());
    log.purge_deleted(i64::MAX).unwrap();
    assert_eq!(plan.read().unwrap(), before);
    let plan = log.read_plan(request(log.log_start_offset(), 1_000, at(12), true), None).unwrap();
    assert!(plan.is_empty());
}

#[test]
fn offsets_are_found_by_time() {
    let bench = Bench::new(LogConfig { segment_bytes: 500, index_interval_bytes: 100, ..config() });
    let mut log = bench.open();
    let mut times = Vec::new();
    for seed in 0..40_i64 {
        // Later records may be older.
        let time = 1_000 + (seed * 7) % 31 + seed;
        append(&mut log, batch(2, time, seed as u64));
        times.extend([time, time]);
    }
    assert!(log.segment_count() > 5);
    for restart in [false, true] {
        if restart {
            log.close().unwrap();
            log = bench.open_clean(at(80));
        }
        for wanted in 990..1_080 {
            let expected = times.iter().position(|time| *time >= wanted);
            let found = log.offset_for_timestamp(wanted).unwrap();
            assert_eq!(found.map(|found| found.offset.value() as usize), expected, "{wanted}");
            assert_eq!(found.map(|found| found.timestamp), expected.map(|at| times[at]));
            assert!(found.is_none_or(|found| found.leader_epoch == LeaderEpoch::new(1)));
        }
        let latest = times.iter().max().unwrap();
        let found = log.offset_of_max_timestamp().unwrap().unwrap();
        assert_eq!(found.timestamp, *latest);
        assert_eq!(found.offset.value() as usize, times.iter().position(|time| time == latest).unwrap());
    }
    log.advance_log_start(at(21));
    let found = log.offset_for_timestamp(0).unwrap().unwrap();
    assert_eq!((found.offset, found.timestamp), (at(21), times[21]), "not below the log start");
    let mut empty = Bench::new(config()).open();
    assert_eq!(empty.offset_for_timestamp(0).unwrap(), None);
    assert_eq!(empty.offset_of_max_timestamp().unwrap(), None);
}

#[test]
fn followers_take_offsets_as_they_are_given() {
    let mut leader = Bench::new(config()).open();
    for seed in 0..4 {
        append(&mut leader, batch(2, NOW_MS, seed));
    }
    let bytes = leader.read_plan(request(at(0), 10_000, at(8), true), None).unwrap().read().unwrap().bytes;
    let mut follower = Bench::new(config()).open();
    let whole = bytes.len() / 4;
    follower.append_as_follower(bytes.slice(..whole * 2 + 30), NOW_MS).unwrap();
    assert_eq!(follower.log_end_offset(), at(4), "a partial batch is left out");
    let refused = follower.append_as_follower(bytes.clone(), NOW_MS);
    assert!(matches!(refused, Err(AppendError::UnexpectedOffset { .. })));
    let mut damaged = bytes.slice(whole * 2..).to_vec();
    damaged[whole + 70] ^= 1;
    let refused = follower.append_as_follower(damaged.into(), NOW_MS);
    assert_eq!(refused.unwrap_err().code(), ErrorCode::CorruptMessage);
    assert_eq!(follower.log_end_offset(), at(6), "what came before the damage is in");
    follower.append_as_follower(bytes.slice(whole * 3..), NOW_MS).unwrap();
    assert_eq!(read_all(&mut follower), read_all(&mut leader));
    assert_eq!(follower.leader_epochs(), leader.leader_epochs());
}

#[test]
fn what_is_no_batch_is_refused() {
    let mut log = Bench::new(config()).open();
    let good = batch(2, NOW_MS, 1);
    let mut longer = good.to_vec();
    longer.push(0);
    for bytes in [Bytes::new(), good.slice(..60), good.slice(..good.len() - 1), Bytes::from(longer)] {
        let refused = log.append_as_leader(bytes, LeaderEpoch::new(1), NOW_MS);
        assert_eq!(refused.unwrap_err().code(), ErrorCode::CorruptMessage);
    }
    assert_eq!(log.size_bytes(), 0);
}

#[test]
fn epochs_are_kept_across_restarts() {
    let bench = Bench::new(config());
    let mut log = bench.open();
    for (epoch, count) in [(1, 2), (1, 1), (4, 3)] {
        log.append_as_leader(batch(count, NOW_MS, 0), LeaderEpoch::new(epoch), NOW_MS).unwrap();
    }
    log.assign_epoch(LeaderEpoch::new(6));
    assert_eq!(log.end_offset_for(LeaderEpoch::new(2)), Some((LeaderEpoch::new(1), at(3))));
    assert_eq!(log.end_offset_for(LeaderEpoch::new(4)), Some((LeaderEpoch::new(4), at(6))));
    log.append_as_leader(batch(1, NOW_MS, 0), LeaderEpoch::new(6), NOW_MS).unwrap();
    let known = log.leader_epochs().clone();
    log.close().unwrap();
    let text = bench.disk.contents(&bench.dir.join("leader-epoch-checkpoint")).unwrap();
    assert_eq!(String::from_utf8(text).unwrap(), "0\n3\n1 0\n4 3\n6 6\n");
    let log = bench.open_clean(at(7));
    assert_eq!(*log.leader_epochs(), known);
    drop(log);
    bench.disk.remove_file(&bench.dir.join("leader-epoch-checkpoint")).unwrap();
    assert_eq!(*bench.recovered(Offset::ZERO).0.leader_epochs(), known);
}

#[test]
fn a_log_start_beyond_the_end_empties_the_log() {
    let bench = Bench::new(config());
    let mut log = bench.open();
    append(&mut log, batch(3, NOW_MS, 0));
    log.close().unwrap();
    let opening = Opening { log_start: at(9), recovery_point: at(3), ..Opening::unknown(NOW_MS) };
    let (mut log, _) = bench.try_open(opening).unwrap();
    assert_eq!((log.log_start_offset(), log.log_end_offset(), log.size_bytes()), (at(9), at(9), 0));
    assert_eq!(append(&mut log, batch(1, NOW_MS, 0)), at(9));
}

#[test]
fn logs_move_between_threads() {
    fn assert_send<T: Send>() {}
    fn assert_shared<T: Send + Sync>() {}
    assert_send::<PartitionLog>();
    assert_shared::<crate::ReadPlan>();
    assert_shared::<crate::SyncTarget>();
    assert_shared::<crate::LogDir>();
}
