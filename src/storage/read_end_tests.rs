use super::*;
use crate::LogConfig;
use crate::log_read::ReadStep;
use crate::test_support::{Bench, NOW_MS, append, batch, request, sync};

const BATCHES: i64 = 120;

/// Batches of one to five records, so that each fifteenth offset begins one, in segments of a few batches, with an entry in the index for some of them.
fn filled(bench: &Bench) -> PartitionLog {
    let mut log = bench.open();
    for seed in 0..BATCHES {
        append(&mut log, batch(1 + seed % 5, NOW_MS + seed, seed.cast_unsigned()));
    }
    sync(&mut log);
    log
}

fn bench() -> Bench {
    Bench::new(LogConfig { segment_bytes: 3_000, index_interval_bytes: 300, ..LogConfig::default() })
}

fn plan(log: &mut PartitionLog, offset: i64, bytes_max: usize, bound: i64, min_one_batch: bool) -> ReadPlan {
    let request = request(Offset::new(offset), bytes_max, Offset::new(bound), min_one_batch);
    log.read_plan(request, None).unwrap()
}

#[test]
fn the_end_is_where_a_read_would_end() {
    let bench = bench();
    let mut log = filled(&bench);
    let end = log.log_end_offset().value();
    assert!(log.segment_count() > 2);
    let (mut known, mut found) = (0, 0);
    for offset in 0..end {
        for bytes_max in [61, 100, 250, 700, 1_500, 10_000] {
            for (bound, min_one_batch) in [(end, true), (end, false), ((offset / 15 + 1) * 15, true)] {
                let mut plan = plan(&mut log, offset, bytes_max, bound, min_one_batch);
                let read = plan.clone().read().unwrap();
                let Some(mut lookup) = log.end_lookup(&plan) else {
                    assert!(plan.has_end());
                    known += 1;
                    continue;
                };
                if lookup.run(&mut plan, Access::Memory).unwrap() {
                    assert!(plan.has_end());
                    assert_eq!(plan.next(), read.next, "from {offset}, {bytes_max} bytes, below {bound}");
                    assert_eq!(plan.range_to_send().unwrap().read_whole().unwrap(), read.bytes);
                    found += 1;
                } else {
                    assert!(!plan.has_end());
                }
                log.take_in_end(lookup).unwrap();
            }
        }
    }
    assert!(known > 0 && found > 1_000, "{known} known before, {found} found");
}

#[test]
fn what_is_not_in_memory_is_not_waited_for() {
    let bench = bench();
    let log = filled(&bench);
    let end = log.log_end_offset();
    log.close().unwrap();
    let mut log = bench.open_clean(end);
    let ReadStep::Plan(found) =
        log.plan_read(request(Offset::ZERO, 700, Offset::new(50), true), None).unwrap()
    else {
        let mut plan = plan(&mut log, 0, 700, 50, true);
        bench.disk.set_cold_from(Some(0));
        let mut lookup = log.end_lookup(&plan).unwrap();
        let error = lookup.run(&mut plan, Access::Memory).unwrap_err();
        assert!(error.would_block(), "{error}");
        lookup.warm();
        log.take_in_end(lookup).unwrap();
        bench.disk.set_cold_from(None);
        let mut lookup = log.end_lookup(&plan).unwrap();
        assert!(lookup.run(&mut plan, Access::Memory).unwrap());
        return;
    };
    panic!("planned without a look at a file: {found:?}");
}

#[test]
fn a_segment_that_has_changed_is_not_looked_at() {
    let bench = bench();
    let mut log = filled(&bench);
    let plan = plan(&mut log, 0, 700, 100, true);
    log.truncate_to(Offset::new(3), NOW_MS).unwrap();
    assert!(log.end_lookup(&plan).is_none());
}
