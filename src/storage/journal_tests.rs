use model::{LeaderEpoch, Offset};
use uuid::Uuid;

use super::*;
use crate::disk_mem::{MemoryDisk, PowerCut};
use crate::test_support::{Bench, NOW_MS, append, batch, read_all, sync};
use crate::{Cleanup, CommitStep, LogConfig, Opening};

const DIR: &str = "/journal";

fn topic(number: u128) -> TopicId {
    TopicId::new(Uuid::from_u128(number))
}

fn journal_on(disk: &MemoryDisk) -> Journal {
    let shared = disk.shared();
    shared.create_dir(Path::new(DIR)).unwrap();
    shared.sync_dir(Path::new("/")).unwrap();
    Journal::new(shared, Path::new(DIR), 0)
}

fn read(disk: &MemoryDisk) -> Journaled {
    Journal::read(&*disk.shared(), Path::new(DIR)).unwrap()
}

/// Makes what was appended durable by way of the journal.
fn commit(log: &mut PartitionLog, journal: &mut Journal) {
    let CommitStep::Journal(target) = log.commit_step(1 << 20).unwrap() else { panic!("for the journal") };
    let mut round = Round::new();
    assert!(round.add(topic(1), 0, &target).unwrap());
    if !journal.has_room_for(&round) {
        journal.turn();
    }
    journal.write(&mut round).unwrap();
    target.is_written();
    log.mark_durable(target.end());
}

fn power_cut(bench: &Bench, recovery_point: Offset) -> PartitionLog {
    bench.disk.power_cut(PowerCut::LoseAll);
    let (mut log, _) = bench.recovered(recovery_point);
    let journaled = read(&bench.disk);
    log.replay(journaled.get(&(topic(1), 0)).map_or(&[], Vec::as_slice), NOW_MS).unwrap();
    log
}

#[test]
fn what_is_in_the_journal_survives_a_power_cut() {
    let bench = Bench::new(LogConfig::default());
    let mut log = bench.open();
    let mut journal = journal_on(&bench.disk);
    append(&mut log, batch(1, NOW_MS, 1));
    assert!(matches!(log.commit_step(1 << 20).unwrap(), CommitStep::Sync), "its names are not on disk");
    sync(&mut log);
    assert!(matches!(log.commit_step(1 << 20).unwrap(), CommitStep::None));
    append(&mut log, batch(2, NOW_MS, 2));
    append(&mut log, batch(1, NOW_MS, 3));
    assert!(matches!(log.commit_step(10).unwrap(), CommitStep::Sync), "too much for the journal");
    commit(&mut log, &mut journal);
    append(&mut log, batch(3, NOW_MS, 4));
    commit(&mut log, &mut journal);
    append(&mut log, batch(1, NOW_MS, 5));
    assert_eq!((log.durable_offset(), log.settled_offset()), (Offset::new(7), Offset::new(1)));
    assert_eq!(log.recovery_point(), Offset::new(1), "only what is in its own file need not be looked at");
    let mut kept = read_all(&mut log);
    kept.pop();
    let point = log.recovery_point();
    drop(log);
    let mut log = power_cut(&bench, point);
    assert_eq!(read_all(&mut log), kept, "byte for byte");
    assert_eq!((log.durable_offset(), log.settled_offset()), (Offset::new(7), Offset::new(7)));
    let point = log.recovery_point();
    drop(log);
    let mut log = power_cut(&bench, point);
    assert_eq!(read_all(&mut log), kept, "a second replay finds everything there");
}

#[test]
fn a_kill_needs_no_journal() {
    let bench = Bench::new(LogConfig::default());
    let mut log = bench.open();
    let mut journal = journal_on(&bench.disk);
    append(&mut log, batch(1, NOW_MS, 1));
    sync(&mut log);
    append(&mut log, batch(1, NOW_MS, 2));
    commit(&mut log, &mut journal);
    let (kept, point) = (read_all(&mut log), log.recovery_point());
    drop(log);
    Journal::remove(&*bench.disk.shared(), Path::new(DIR)).unwrap();
    assert!(read(&bench.disk).is_empty());
    let (mut log, _) = bench.recovered(point);
    assert_eq!(read_all(&mut log), kept, "as Kafka finds it");
}

#[test]
fn a_settled_log_has_nothing_to_sync_and_the_journal_is_used_again() {
    let bench = Bench::new(LogConfig::default());
    let mut log = bench.open();
    let mut journal = journal_on(&bench.disk);
    append(&mut log, batch(1, NOW_MS, 0));
    sync(&mut log);
    let mut appended = 1;
    while journal.lap() < 5 {
        for _ in 0..4 {
            append(&mut log, crate::test_support::produced(appended, 0, 0, 2000));
            appended += 1;
        }
        let step = log.commit_step(1 << 20).unwrap();
        assert!(matches!(step, CommitStep::Journal(_)));
        let lap = journal.lap();
        if journal.position + (1 << 20) > FILE_BYTES_MAX {
            sync(&mut log);
            assert!(log.sync_target().unwrap().is_empty());
            assert_eq!(log.settled_offset(), log.log_end_offset());
            append(&mut log, batch(1, NOW_MS, 9));
        }
        commit(&mut log, &mut journal);
        assert!(journal.lap() <= lap + 1);
    }
    let found = Found::read(&*bench.disk.shared(), Path::new(DIR)).unwrap();
    assert_eq!(found.laps.iter().map(|lap| lap.lap).collect::<Vec<_>>(), [4, 5]);
    let (end, point) = (log.log_end_offset(), log.recovery_point());
    drop(log);
    let log = power_cut(&bench, point);
    assert_eq!(log.log_end_offset(), end);
}

#[test]
fn a_torn_record_and_what_an_earlier_lap_left_are_not_believed() {
    let bench = Bench::new(LogConfig::default());
    let mut log = bench.open();
    let mut journal = journal_on(&bench.disk);
    append(&mut log, batch(1, NOW_MS, 1));
    sync(&mut log);
    for seed in 0..4 {
        append(&mut log, batch(1, NOW_MS, seed));
        commit(&mut log, &mut journal);
    }
    let path = Path::new(DIR).join(FILES[0]);
    let entries = |disk: &MemoryDisk| read(disk).remove(&(topic(1), 0)).unwrap_or_default().len();
    assert_eq!(entries(&bench.disk), 4);
    bench.disk.corrupt(&path, |bytes| bytes[3 * ALIGNMENT + 40] ^= 1);
    assert_eq!(entries(&bench.disk), 3, "it was not acknowledged");
    // The same file again, two laps later: one record over four.
    journal.turn();
    journal.turn();
    append(&mut log, batch(1, NOW_MS, 8));
    commit(&mut log, &mut journal);
    assert_eq!((journal.lap(), entries(&bench.disk)), (3, 1));
    for len in 0..200 {
        bench.disk.corrupt(&path, |bytes| bytes.truncate(bytes.len().min(2 * ALIGNMENT - len * 41)));
        read(&bench.disk);
    }
}

#[test]
fn a_log_that_had_another_leader_since_goes_on_without_the_journal() {
    let bench = Bench::new(LogConfig::default());
    let mut log = bench.open();
    let mut journal = journal_on(&bench.disk);
    append(&mut log, batch(1, NOW_MS, 1));
    sync(&mut log);
    append(&mut log, batch(1, NOW_MS, 2));
    append(&mut log, batch(1, NOW_MS, 3));
    commit(&mut log, &mut journal);
    drop(log);
    // The power goes, and Kafka starts without the journal: it writes one batch of its own.
    bench.disk.power_cut(PowerCut::LoseAll);
    let (mut log, _) = bench.recovered(Offset::new(1));
    log.append_as_leader(batch(1, NOW_MS, 7), LeaderEpoch::new(2), NOW_MS).unwrap();
    sync(&mut log);
    let kept = read_all(&mut log);
    let journaled = read(&bench.disk);
    assert_eq!(log.replay(&journaled[&(topic(1), 0)], NOW_MS).unwrap(), 0);
    assert!(read_all(&mut log) == kept);
}

#[test]
fn bytes_that_are_not_in_memory_any_more_keep_no_round_waiting() {
    let bench = Bench::new(LogConfig::default());
    let mut log = bench.open();
    append(&mut log, batch(1, NOW_MS, 1));
    sync(&mut log);
    append(&mut log, crate::test_support::produced(1, 0, 0, 2000));
    let CommitStep::Journal(target) = log.commit_step(1 << 20).unwrap() else { panic!("for the journal") };
    let mut round = Round::new();
    bench.disk.set_cold_from(Some(100));
    assert!(!round.add(topic(1), 0, &target).unwrap() && round.is_empty());
    assert_eq!(round.bytes.len(), RECORD_HEADER_BYTES);
    bench.disk.set_cold_from(None);
    assert!(round.add(topic(1), 0, &target).unwrap() && !round.is_empty());
}

#[test]
fn the_bytes_of_small_appends_are_not_read_back() {
    let bench = Bench::new(LogConfig::default());
    let mut log = bench.open();
    let mut journal = journal_on(&bench.disk);
    append(&mut log, batch(1, NOW_MS, 1));
    sync(&mut log);
    bench.disk.set_cold_from(Some(0));
    for seed in 2..5 {
        append(&mut log, batch(1, NOW_MS, seed));
        append(&mut log, batch(1, NOW_MS, seed));
        commit(&mut log, &mut journal);
    }
    bench.disk.set_cold_from(None);
    let (kept, point) = (read_all(&mut log), log.recovery_point());
    drop(log);
    assert_eq!(read_all(&mut power_cut(&bench, point)), kept, "byte for byte");
}

#[test]
fn a_full_disk_leaves_the_journal_as_it_was() {
    let bench = Bench::new(LogConfig::default());
    let mut log = bench.open();
    let mut journal = journal_on(&bench.disk);
    append(&mut log, batch(1, NOW_MS, 1));
    sync(&mut log);
    append(&mut log, batch(1, NOW_MS, 2));
    let CommitStep::Journal(target) = log.commit_step(1 << 20).unwrap() else { panic!("for the journal") };
    let mut round = Round::new();
    round.add(topic(1), 0, &target).unwrap();
    bench.disk.limit_space(Some(1000));
    let refused = journal.write(&mut round).unwrap_err();
    assert!(refused.is_passing(), "{refused}");
    assert_eq!(log.durable_offset(), Offset::new(1));
    bench.disk.limit_space(None);
    commit(&mut log, &mut journal);
    assert_eq!(log.durable_offset(), Offset::new(2));
}

/// A log that commits, settles, rolls and truncates as `seed` says, cut off at every step, in every way.
#[test]
fn a_crash_after_any_step_loses_nothing_that_the_journal_acknowledged() {
    for compact in [false, true] {
        let config = LogConfig {
            segment_bytes: 700,
            index_bytes_max: 400,
            cleanup: Cleanup { compact, ..LogConfig::default().cleanup },
            ..LogConfig::default()
        };
        let whole = Life::new(&config);
        let begin = whole.bench.disk.steps();
        let mut whole = whole;
        whole.live().unwrap();
        let steps = whole.bench.disk.steps();
        assert!(steps - begin > 60, "{begin} to {steps}");
        assert!(whole.journaled > 20, "{} rounds", whole.journaled);
        for step in begin..steps {
            for seed in 0..2 {
                let mut life = Life::new(&config);
                life.bench.disk.stop_at(step);
                assert!(life.live().is_err(), "the machine stops at step {step}");
                let mode = if seed == 0 { PowerCut::LoseAll } else { PowerCut::Random(step * 100 + seed) };
                life.bench.disk.power_cut(mode);
                life.check(&format!("compact {compact}, step {step}, seed {seed}"));
            }
        }
    }
}

struct Life {
    bench: Bench,
    journal: Option<Journal>,
    sent: Vec<Bytes>,
    acked: Offset,
    point: Offset,
    journaled: usize,
}

impl Life {
    fn new(config: &LogConfig) -> Self {
        let bench = Bench::new(config.clone());
        let journal = Some(journal_on(&bench.disk));
        Self { bench, journal, sent: Vec::new(), acked: Offset::ZERO, point: Offset::ZERO, journaled: 0 }
    }

    fn live(&mut self) -> Result<(), anyhow::Error> {
        let mut log = self.bench.try_open(Opening::unknown(NOW_MS))?.0;
        let mut journal = self.journal.take().unwrap();
        for at in 0..60_u64 {
            let sent = batch(1, NOW_MS, at);
            self.sent.push(sent.clone());
            log.append_as_leader(sent, LeaderEpoch::new(1), NOW_MS)?;
            if at % 4 == 3 {
                // Nobody waits for it yet.
                continue;
            }
            match log.commit_step(1 << 20)? {
                CommitStep::Journal(target) if at % 11 != 10 => {
                    let mut round = Round::new();
                    round.add(topic(1), 0, &target)?;
                    // Others append while the round is written, and the log may roll.
                    for other in 0..at % 3 {
                        let sent = batch(1, NOW_MS, 100 + other);
                        self.sent.push(sent.clone());
                        log.append_as_leader(sent, LeaderEpoch::new(1), NOW_MS)?;
                    }
                    journal.write(&mut round)?;
                    target.is_written();
                    log.mark_durable(target.end());
                    self.journaled += 1;
                }
                _ => {
                    let target = log.sync_target()?;
                    target.sync()?;
                    log.mark_durable(target.end());
                }
            }
            self.acked = log.durable_offset();
            self.point = log.recovery_point();
            if at % 20 == 19 {
                let target = log.sync_target()?;
                target.sync()?;
                log.mark_durable(target.end());
                self.acked = log.durable_offset();
                journal.turn();
            }
        }
        Ok(())
    }

    fn check(&self, context: &str) {
        let (mut log, _) = self.bench.recovered(self.point);
        let journaled = read(&self.bench.disk);
        log.replay(journaled.get(&(topic(1), 0)).map_or(&[], Vec::as_slice), NOW_MS).unwrap();
        assert!(log.log_end_offset() >= self.acked, "{context}: {} of {}", log.log_end_offset(), self.acked);
        let found = read_all(&mut log);
        let offset = |batch: &Bytes| BatchHeader::parse(batch).unwrap().base_offset.value();
        let acked = found.iter().filter(|batch| offset(batch) < self.acked.value()).count();
        assert_eq!(acked as i64, self.acked.value(), "{context}: what was acknowledged is there");
        for batch in &found {
            assert_eq!(batch[16..], self.sent[offset(batch) as usize][16..], "{context}");
        }
    }
}
