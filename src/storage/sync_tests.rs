use model::{LeaderEpoch, Offset};

use crate::LogConfig;
use crate::disk_mem::PowerCut;
use crate::test_support::{Bench, NOW_MS, append, batch, sync};

fn bench() -> Bench {
    Bench::new(LogConfig { segment_bytes: 300, index_bytes_max: 240, ..LogConfig::default() })
}

#[test]
fn nothing_is_durable_before_its_own_sync_has_finished() {
    let mut log = bench().open();
    append(&mut log, batch(1, NOW_MS, 1));
    log.mark_durable(Offset::new(1));
    assert_eq!(log.durable_offset(), Offset::ZERO, "no sync has run");
    let first = log.sync_target().unwrap();
    append(&mut log, batch(1, NOW_MS, 2));
    first.sync().unwrap();
    log.mark_durable(Offset::new(2));
    assert_eq!(log.durable_offset(), Offset::new(1), "the second came after the target was taken");
    assert_eq!(log.unsynced_records(), 1);
    let second = log.sync_target().unwrap();
    assert!(!second.is_empty());
    second.sync().unwrap();
    log.mark_durable(second.end());
    log.mark_durable(first.end());
    assert_eq!(log.durable_offset(), Offset::new(2), "it never moves back");
    assert!(log.sync_target().unwrap().is_empty());
}

#[test]
fn a_sync_from_before_a_truncation_says_nothing_about_what_came_after() {
    let mut log = bench().open();
    for seed in 0..3 {
        append(&mut log, batch(1, NOW_MS, seed));
    }
    let target = log.sync_target().unwrap();
    log.truncate_to(Offset::new(1), NOW_MS).unwrap();
    for seed in 10..14 {
        append(&mut log, batch(1, NOW_MS, seed));
    }
    target.sync().unwrap();
    log.mark_durable(target.end());
    assert_eq!(log.durable_offset(), Offset::ZERO);
    sync(&mut log);
    assert_eq!(log.durable_offset(), Offset::new(5));
    log.truncate_to(Offset::new(2), NOW_MS).unwrap();
    assert_eq!(log.durable_offset(), Offset::new(2));
}

#[test]
fn the_recovery_point_waits_for_files_that_only_a_scan_could_derive_again() {
    let bench = bench();
    let mut log = bench.open();
    sync(&mut log);
    append(&mut log, batch(1, NOW_MS, 1));
    // No room for the leader epochs; the records themselves are written already.
    let used: usize =
        bench.disk.files().iter().filter_map(|path| bench.disk.contents(path)).map(|data| data.len()).sum();
    bench.disk.limit_space(Some(used as u64));
    sync(&mut log);
    assert_eq!((log.durable_offset(), log.recovery_point()), (Offset::new(1), Offset::ZERO));
    assert!(!log.has_failed());
    let recovery_point = log.recovery_point();
    bench.disk.power_cut(PowerCut::LoseAll);
    bench.disk.limit_space(None);
    let (mut log, _) = bench.recovered(recovery_point);
    assert_eq!(log.leader_epochs().epoch_for(Offset::ZERO), Some(LeaderEpoch::new(1)));
    sync(&mut log);
    assert_eq!(log.recovery_point(), Offset::new(1));
}

#[test]
fn idle_files_are_closed_once_they_are_on_disk() {
    let bench = bench();
    let mut log = bench.open();
    for seed in 0..12 {
        append(&mut log, batch(1, NOW_MS, seed));
    }
    let segments = log.segment_count();
    assert!(segments > 3);
    assert_eq!(log.close_idle_files(), segments, "none is on disk yet");
    assert_eq!(log.close_idle_files(), segments);
    sync(&mut log);
    assert_eq!(log.close_idle_files(), segments, "the sync has just used them");
    assert_eq!(log.close_idle_files(), 0);
    assert_eq!(crate::test_support::read_all(&mut log).len(), 12);
    append(&mut log, batch(1, NOW_MS, 12));
    assert_eq!(log.log_end_offset(), Offset::new(13));
}
