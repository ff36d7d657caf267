use model::{LeaderEpoch, Offset, ProducerId};

use crate::disk_mem::PowerCut;
use crate::test_support::{Bench, NOW_MS, append, batch, offsets, produced, read_all, sync, transactional};
use crate::{LogConfig, Opening, PartitionLog};

fn config() -> LogConfig {
    LogConfig { segment_bytes: 400, index_interval_bytes: 100, index_bytes_max: 240, ..LogConfig::default() }
}

fn filled(bench: &Bench) -> PartitionLog {
    let mut log = bench.open();
    for at in 0..16 {
        log.append_as_leader(produced(7, 0, at * 2, 2), LeaderEpoch::new(at / 4), NOW_MS + i64::from(at))
            .unwrap();
    }
    sync(&mut log);
    log
}

#[test]
fn everything_derived_goes_with_the_records() {
    let bench = Bench::new(config());
    let mut log = filled(&bench);
    let all = read_all(&mut log);
    for to in (1..16).rev() {
        let offset = Offset::new(to * 2);
        assert!(log.truncate_to(offset, NOW_MS).unwrap());
        assert_eq!((log.log_end_offset(), log.durable_offset()), (offset, offset));
        assert_eq!(read_all(&mut log), all[..to as usize]);
        assert_eq!(log.leader_epochs().latest(), Some(LeaderEpoch::new((to as i32 - 1) / 4)));
        let last = log.producer(ProducerId::new(7)).unwrap().last_sequence;
        assert_eq!(i64::from(last), to * 2 - 1, "the producer goes on where the log does");
        assert!(log.offset_of_max_timestamp().unwrap().unwrap().offset < offset);
    }
    assert!(!log.truncate_to(Offset::new(2), NOW_MS).unwrap());
    assert!(log.truncate_to(Offset::ZERO, NOW_MS).unwrap());
    assert_eq!((log.log_end_offset(), log.size_bytes()), (Offset::ZERO, 0));
    assert_eq!(log.producer(ProducerId::new(7)), None);
    assert_eq!(append(&mut log, batch(1, NOW_MS, 0)), Offset::ZERO);
}

#[test]
fn open_transactions_are_known_again() {
    let mut log = Bench::new(config()).open();
    append(&mut log, transactional(1, 0, 0, 1));
    append(&mut log, crate::test_support::marker(1, 0, false, 0));
    append(&mut log, transactional(1, 0, 1, 1));
    append(&mut log, crate::test_support::marker(1, 0, false, 0));
    let aborted = |log: &mut PartitionLog| {
        let end = log.log_end_offset();
        (log.aborted_transactions(Offset::ZERO, end).unwrap().len(), log.last_stable_offset(end).value())
    };
    assert_eq!(aborted(&mut log), (2, 4));
    log.truncate_to(Offset::new(3), NOW_MS).unwrap();
    assert_eq!(aborted(&mut log), (1, 2));
    log.truncate_to(Offset::new(1), NOW_MS).unwrap();
    assert_eq!(aborted(&mut log), (0, 0));
}

#[test]
fn what_was_cut_off_does_not_come_back() {
    for compact in [false, true] {
        // Where compaction leaves gaps, a segment that came back would be taken for the continuation.
        let config = || LogConfig { cleanup: crate::Cleanup { delete: true, compact }, ..config() };
        for to in [1, 3, 4, 9, 15] {
            let steps = {
                let bench = Bench::new(config());
                let mut log = filled(&bench);
                let before = bench.disk.steps();
                log.truncate_to(Offset::new(to * 2), NOW_MS).unwrap();
                before..bench.disk.steps()
            };
            assert!(steps.end - steps.start > 2);
            for step in steps.clone().chain([steps.end]) {
                for seed in 0..8 {
                    let context =
                        format!("to {to}, step {step} of {steps:?}, seed {seed}, compact {compact}");
                    cut_and_crash(Bench::new(config()), to, (step, step == steps.end), seed, &context);
                }
            }
        }
    }
}

fn cut_and_crash(bench: Bench, to: i64, (step, finishes): (u64, bool), seed: u64, context: &str) {
    let mut log = filled(&bench);
    let all = read_all(&mut log);
    bench.disk.stop_at(step);
    assert_eq!(log.truncate_to(Offset::new(to * 2), NOW_MS).is_ok(), finishes, "{context}");
    drop(log);
    let mode = if seed == 0 { PowerCut::LoseAll } else { PowerCut::Random(step * 100 + seed) };
    bench.disk.power_cut(mode);
    let mut log = bench.recovered(Offset::new(to * 2)).0;
    let found = read_all(&mut log);
    assert!(found.len() as i64 >= to, "{context}: what was to stay is there");
    assert_eq!(found, all[..found.len()], "{context}: without a hole");
    assert!(!finishes || found.len() as i64 == to, "{context}: a finished truncation is durable");
}

#[test]
fn an_emptied_log_goes_on_where_it_is_told() {
    let bench = Bench::new(config());
    let mut log = filled(&bench);
    log.truncate_fully(Offset::new(100), NOW_MS).unwrap();
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset::new(100), Offset::new(100)));
    assert!(log.leader_epochs().entries().is_empty() && log.active_producers(NOW_MS).is_empty());
    assert_eq!(append(&mut log, batch(2, NOW_MS, 0)), Offset::new(100));
    sync(&mut log);
    drop(log);
    bench.disk.power_cut(PowerCut::LoseAll);
    let opening =
        Opening { recovery_point: Offset::new(102), log_start: Offset::new(100), ..Opening::unknown(NOW_MS) };
    let mut log = bench.try_open(opening).unwrap().0;
    assert_eq!(offsets(&read_all(&mut log)), [(100, 101)]);
    assert!(log.truncate_to(Offset::new(50), NOW_MS).unwrap(), "below the first segment");
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset::new(50), Offset::new(50)));
}

#[test]
fn a_file_with_a_second_name_is_copied_before_it_is_cut() {
    let bench = Bench::new(config());
    let mut log = filled(&bench);
    let branch = bench.dir.join("branch");
    let name = format!("{:020}.log", log.active_segment_base().value());
    let whole = bench.disk.contents(&bench.dir.join(&name)).unwrap();
    bench.disk.hard_link(&bench.dir.join(&name), &branch);
    let to = log.log_end_offset().value() - 2;
    log.truncate_to(Offset::new(to), NOW_MS).unwrap();
    assert_eq!(bench.disk.contents(&branch).unwrap(), whole);
    assert!(bench.disk.contents(&bench.dir.join(&name)).unwrap().len() < whole.len());
    append(&mut log, batch(3, NOW_MS, 1));
    assert_eq!(bench.disk.contents(&branch).unwrap(), whole);
    assert_eq!(offsets(&read_all(&mut log)).last(), Some(&(to, to + 2)));
}
