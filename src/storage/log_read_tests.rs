//! What is looked up outside the log's lock: that planning looks into no file, and what happens when the log changes
//! between the steps.

use super::*;
use crate::LogConfig;
use crate::test_support::{Bench, NOW_MS, append, batch, read_all, request, sync};

fn small() -> LogConfig {
    LogConfig { segment_bytes: 600, index_interval_bytes: 100, ..LogConfig::default() }
}

/// A log of several segments in which every offset is a batch, none of whose files is open.
fn closed(bench: &Bench, batches: i64) -> PartitionLog {
    let mut log = bench.open();
    for seed in 0..batches {
        append(&mut log, batch(1, NOW_MS + seed, seed.cast_unsigned()));
    }
    sync(&mut log);
    log.close().unwrap();
    bench.open_clean(Offset::new(batches))
}

fn lookup(step: ReadStep) -> OffsetLookup {
    match step {
        ReadStep::Lookup(lookup) => *lookup,
        ReadStep::Plan(plan) => panic!("planned without a lookup: {plan:?}"),
    }
}

fn at(offset: i64) -> ReadRequest {
    request(Offset::new(offset), 1_000, Offset::new(30), true)
}

#[test]
fn planning_looks_into_no_file() {
    let bench = Bench::new(small());
    let mut log = closed(&bench, 30);
    assert!(log.segment_count() > 3);
    let mut hint = None;
    let mut offset = 0;
    while offset < 30 {
        let before = bench.disk.looks();
        let step = log.plan_read(ReadRequest { bytes_max: 200, ..at(offset) }, hint).unwrap();
        assert_eq!(bench.disk.looks(), before, "at {offset}");
        match step {
            ReadStep::Plan(plan) => {
                let read = plan.read().unwrap();
                hint = read.next;
                offset = hint.unwrap().offset().value();
                log.take_in_read(&read);
            }
            ReadStep::Lookup(mut lookup) => {
                let result = lookup.run(Access::Disk);
                let before = bench.disk.looks();
                hint = log.take_in_lookup(*lookup, result).unwrap();
                assert_eq!(bench.disk.looks(), before, "taking in {offset}");
            }
        }
    }
    // Searches by time are handed out, too.
    let before = bench.disk.looks();
    assert!(log.time_lookup(NOW_MS, Offset::ZERO).is_some());
    assert!(log.largest_lookup().is_some());
    assert_eq!(bench.disk.looks(), before);
}

#[test]
fn a_lookup_that_would_wait_says_so_and_can_go_on() {
    let bench = Bench::new(small());
    let mut log = closed(&bench, 30);
    let mut first = lookup(log.plan_read(at(4), None).unwrap());
    assert!(first.run(Access::Memory).unwrap_err().would_block(), "the file is not open");
    let result = first.run(Access::Disk);
    let hint = log.take_in_lookup(first, result).unwrap();
    assert!(matches!(log.plan_read(at(4), hint), Ok(ReadStep::Plan(_))));

    // The segment's files are open now. What decides is where the bytes are.
    let mut second = lookup(log.plan_read(at(5), None).unwrap());
    bench.disk.set_cold_from(Some(0));
    assert!(second.run(Access::Memory).unwrap_err().would_block());
    bench.disk.set_cold_from(None);
    let result = second.run(Access::Memory);
    assert!(log.take_in_lookup(second, result).unwrap().is_some());
}

#[test]
fn what_is_not_in_memory_is_read_later() {
    let bench = Bench::new(small());
    let mut log = closed(&bench, 30);
    for bytes_max in [1, 150, 1_000] {
        let wanted = ReadRequest { bytes_max, ..at(3) };
        let plan = log.read_plan(wanted, None).unwrap();
        let whole = plan.clone().read().unwrap();
        assert_eq!(plan.clone().begin().run(Access::Memory).unwrap(), whole);
        for cold_from in [0, 1, 250, 400] {
            bench.disk.set_cold_from(Some(cold_from));
            let mut read = plan.clone().begin();
            let batches = read.run(Access::Memory).or_else(|error| {
                assert!(error.would_block(), "{error}");
                read.run(Access::Disk)
            });
            assert_eq!(batches.unwrap(), whole, "{bytes_max} bytes, cold from {cold_from}");
        }
        bench.disk.set_cold_from(None);
    }
}

#[test]
fn a_lookup_of_a_segment_that_went_is_not_believed() {
    let bench = Bench::new(LogConfig { retention_bytes: 0, ..small() });
    let mut log = closed(&bench, 30);
    let mut of_deleted = lookup(log.plan_read(at(1), None).unwrap());
    let mut by_time = log.time_lookup(NOW_MS + 1, Offset::ZERO).unwrap();
    log.apply_retention(NOW_MS, Offset::new(30)).unwrap();
    let result = of_deleted.run(Access::Disk);
    assert!(result.is_err(), "its file has another name");
    assert_eq!(log.take_in_lookup(of_deleted, result).unwrap(), None);
    let result = by_time.run();
    assert!(matches!(log.take_in_time(by_time, result).unwrap(), TimeStep::GoOn(_)));

    let mut log = closed(&Bench::new(small()), 30);
    let base = log.active_segment_base().value();
    let mut of_cut = lookup(log.plan_read(at(base + 1), None).unwrap());
    of_cut.run(Access::Disk).unwrap();
    log.truncate_to(Offset::new(base + 1), NOW_MS).unwrap();
    append(&mut log, batch(3, NOW_MS, 3));
    assert_eq!(log.take_in_lookup(of_cut, Ok(())).unwrap(), None);
}

#[test]
fn appends_do_not_disturb_a_lookup() {
    let mut log = closed(&Bench::new(small()), 30);
    let base = log.active_segment_base().value();
    let mut early = lookup(log.plan_read(at(base), None).unwrap());
    early.run(Access::Disk).unwrap();
    for seed in 0..10 {
        append(&mut log, batch(1, NOW_MS, seed));
    }
    let hint = log.take_in_lookup(early, Ok(())).unwrap();
    let plan = log.read_plan(request(Offset::new(base), 1 << 20, Offset::new(40), true), hint).unwrap();
    let all = read_all(&mut log);
    assert!(plan.read().unwrap().bytes.starts_with(&all[base as usize]));
}

#[test]
fn a_reader_below_an_unknown_bound_gets_no_batch_beyond_it() {
    let mut log = Bench::new(LogConfig::default()).open();
    for seed in 0..30 {
        append(&mut log, batch(1, NOW_MS, seed));
    }
    let wanted = ReadRequest { upper_bound: Offset::new(12), bytes_max: 1 << 20, ..at(3) };
    let plan = log.read_plan(wanted, None).unwrap();
    let hint = plan.next();
    let (planned, read) = (plan.len(), plan.read().unwrap());
    assert!(hint.is_none() && planned > read.bytes.len(), "the bound's place is not known");
    assert_eq!(read.next.unwrap().offset(), wanted.upper_bound);
    log.take_in_read(&read);
    let plan = log.read_plan(wanted, None).unwrap();
    assert_eq!((plan.len(), plan.next()), (read.bytes.len(), read.next), "it is now");
}
