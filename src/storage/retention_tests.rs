use model::{LeaderEpoch, Offset};

use crate::test_support::{Bench, NOW_MS, append, batch, offsets, read_all, sync};
use crate::{Cleanup, DeletionReason, LogConfig, PartitionLog};

const DAY_MS: i64 = 86_400_000;

/// Segments of two one-record batches each, a day apart.
fn daily(config: LogConfig, days: i64) -> (Bench, PartitionLog) {
    let size = batch(1, NOW_MS, 0).len() as u32;
    let bench = Bench::new(LogConfig { segment_bytes: 2 * size, index_bytes_max: 240, ..config });
    let mut log = bench.open();
    for day in 0..days {
        for _ in 0..2 {
            append(&mut log, batch(1, NOW_MS + day * DAY_MS, 0));
        }
    }
    assert_eq!(log.segment_count() as i64, days);
    (bench, log)
}

fn deleted(log: &mut PartitionLog, now_ms: i64, high_watermark: i64) -> Vec<(i64, DeletionReason)> {
    let deleted = log.apply_retention(now_ms, Offset::new(high_watermark)).unwrap();
    deleted.iter().map(|segment| (segment.base_offset.value(), segment.reason)).collect()
}

#[test]
fn segments_go_when_their_newest_record_is_too_old() {
    let (_, mut log) = daily(LogConfig { retention_ms: 3 * DAY_MS, ..LogConfig::default() }, 6);
    assert_eq!(deleted(&mut log, NOW_MS + 3 * DAY_MS, 12), []);
    assert_eq!(deleted(&mut log, NOW_MS + 3 * DAY_MS + 1, 12), [(0, DeletionReason::Time)]);
    assert_eq!(log.log_start_offset(), Offset::new(2));
    let gone = deleted(&mut log, NOW_MS + 5 * DAY_MS + 1, 12);
    assert_eq!(gone, [(2, DeletionReason::Time), (4, DeletionReason::Time)]);
    assert_eq!(deleted(&mut log, NOW_MS + 9 * DAY_MS, 7), [], "not beyond the high watermark");
    assert_eq!(deleted(&mut log, NOW_MS + 9 * DAY_MS, 12).len(), 3, "the active one too, after a roll");
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset::new(12), Offset::new(12)));
    assert_eq!((log.segment_count(), log.size_bytes()), (1, 0));
    assert_eq!(deleted(&mut log, NOW_MS + 99 * DAY_MS, 12), [], "an empty log stays");
    assert_eq!(append(&mut log, batch(1, NOW_MS, 0)), Offset::new(12));
}

#[test]
fn segments_go_when_the_log_is_too_large_without_them() {
    let (_, mut log) = daily(LogConfig::default(), 5);
    let segment = log.size_bytes() / 5;
    let keep =
        |bytes: u64| LogConfig { retention_bytes: bytes as i64, retention_ms: -1, ..LogConfig::default() };
    log.set_config(keep(4 * segment + 1));
    assert_eq!(deleted(&mut log, NOW_MS, 10), []);
    log.set_config(keep(3 * segment));
    let gone = deleted(&mut log, NOW_MS, 10);
    assert_eq!(gone, [(0, DeletionReason::Size), (2, DeletionReason::Size)]);
    assert_eq!(offsets(&read_all(&mut log)).first(), Some(&(4, 4)));
    log.set_config(LogConfig { cleanup: Cleanup { delete: false, compact: true }, ..keep(0) });
    assert_eq!(
        deleted(&mut log, NOW_MS + 99 * DAY_MS, 10),
        [],
        "a compacted topic deletes nothing by size or age"
    );
}

#[test]
fn segments_below_the_log_start_go_whatever_the_policy() {
    let cleanup = Cleanup { delete: false, compact: true };
    let (_, mut log) = daily(LogConfig { cleanup, ..LogConfig::default() }, 4);
    assert!(log.advance_log_start(Offset::new(5)) && !log.advance_log_start(Offset::new(5)));
    let gone = deleted(&mut log, NOW_MS, 8);
    assert_eq!(gone, [(0, DeletionReason::LogStart), (2, DeletionReason::LogStart)]);
    assert_eq!((log.log_start_offset(), log.segment_count()), (Offset::new(5), 2));
    assert!(log.advance_log_start(Offset::new(8)));
    assert_eq!(deleted(&mut log, NOW_MS, 8), [(4, DeletionReason::LogStart)], "never the active one");
}

#[test]
fn files_wait_for_their_removal() {
    let (bench, mut log) = daily(LogConfig { retention_ms: DAY_MS, ..LogConfig::default() }, 3);
    sync(&mut log);
    let now_ms = NOW_MS + DAY_MS + 1;
    assert_eq!(deleted(&mut log, now_ms, 6).len(), 1);
    let waiting =
        || bench.disk.files().iter().filter(|path| path.to_string_lossy().ends_with(".deleted")).count();
    assert_eq!(waiting(), 3, "log and indexes");
    assert_eq!(log.next_purge_ms(), Some(now_ms + 60_000));
    assert_eq!(log.purge_deleted(now_ms + 59_999).unwrap(), 0);
    assert_eq!(log.purge_deleted(now_ms + 60_000).unwrap(), 3);
    assert_eq!((waiting(), log.next_purge_ms()), (0, None));
    assert_eq!(deleted(&mut log, now_ms + DAY_MS, 6).len(), 1);
    assert_eq!(waiting(), 4, "with the snapshot of its roll");
    drop(log);
    let log = bench.recovered(Offset::new(6)).0;
    assert_eq!((waiting(), log.log_start_offset()), (0, Offset::new(4)), "a start removes the rest");
}

#[test]
fn files_of_a_time_to_come_do_not_stay_until_then() {
    let (_, mut log) = daily(LogConfig { retention_ms: DAY_MS, ..LogConfig::default() }, 3);
    assert_eq!(deleted(&mut log, NOW_MS + DAY_MS + 1, 6).len(), 1);
    // The clock is set back.
    assert_eq!(log.purge_deleted(NOW_MS).unwrap(), 0);
    assert_eq!(log.next_purge_ms(), Some(NOW_MS + 60_000));
    assert_eq!(log.purge_deleted(NOW_MS + 60_000).unwrap(), 3);
}

#[test]
fn records_without_time_age_with_their_file() {
    let bench = Bench::new(LogConfig { retention_ms: 1_000, index_bytes_max: 240, ..LogConfig::default() });
    let mut log = bench.open();
    log.append_as_leader(batch(1, -1, 0), LeaderEpoch::new(0), NOW_MS).unwrap();
    assert_eq!(deleted(&mut log, NOW_MS + 1_000, 1), []);
    assert_eq!(deleted(&mut log, NOW_MS + 1_001, 1).len(), 1);
}

#[test]
fn deleting_works_on_a_full_disk() {
    let (bench, mut log) = daily(LogConfig { retention_ms: DAY_MS, ..LogConfig::default() }, 4);
    sync(&mut log);
    bench.disk.limit_space(Some(0));
    let now_ms = NOW_MS + 3 * DAY_MS + 1;
    assert_eq!(deleted(&mut log, now_ms, 8).len(), 3);
    assert_eq!(log.purge_deleted(i64::MAX).unwrap(), 11);
    assert!(!log.has_failed());
}
