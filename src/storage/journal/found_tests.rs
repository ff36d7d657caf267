use std::path::Path;

use model::Offset;
use records::BatchBuilder;

use super::*;
use crate::disk_mem::{MemoryDisk, PowerCut};
use crate::journal::{Journal, Round};
use crate::partition_log::PartitionLog;
use crate::test_support::{Bench, NOW_MS, append, batch, read_all, sync};
use crate::{CommitStep, LogConfig};

const DIR: &str = "/journal";
const LIFE: u32 = 0xabcd_ef01;

fn topic() -> TopicId {
    TopicId::new(Uuid::from_u128(1))
}

fn file(number: usize) -> PathBuf {
    Path::new(DIR).join(FILES[number])
}

fn found(disk: &MemoryDisk) -> Found {
    Found::read(&*disk.shared(), Path::new(DIR)).unwrap()
}

fn journal_on(disk: &MemoryDisk, life: u32) -> Journal {
    let shared = disk.shared();
    shared.create_dir(Path::new(DIR)).unwrap();
    shared.sync_dir(Path::new("/")).unwrap();
    Journal::new(shared, Path::new(DIR), life)
}

/// A round with a batch of so many bytes that was just appended.
fn commit(log: &mut PartitionLog, journal: &mut Journal, size: usize) {
    let mut builder = BatchBuilder::new();
    builder.append(NOW_MS, None, Some(&vec![7; size]), &[]);
    append(log, builder.build().unwrap());
    let CommitStep::Journal(target) = log.commit_step(1 << 20).unwrap() else { panic!("for the journal") };
    let mut round = Round::new();
    assert!(round.add(topic(), 0, &target).unwrap());
    if !journal.has_room_for(&round) {
        journal.turn();
    }
    journal.write(&mut round).unwrap();
    target.is_written();
    log.mark_durable(target.end());
}

/// A log whose first record is in its own file, and the next `rounds` in the journal, one step each.
fn with_rounds(rounds: usize) -> (Bench, PartitionLog, Journal) {
    let bench = Bench::new(LogConfig::default());
    let mut log = bench.open();
    let mut journal = journal_on(&bench.disk, LIFE);
    append(&mut log, batch(1, NOW_MS, 1));
    sync(&mut log);
    for _ in 0..rounds {
        commit(&mut log, &mut journal, 10);
    }
    (bench, log, journal)
}

fn recovered(bench: &Bench) -> PartitionLog {
    bench.disk.power_cut(PowerCut::LoseAll);
    bench.recovered(Offset::new(1)).0
}

#[test]
fn what_was_on_disk_and_cannot_be_read_is_told_and_what_is_behind_it_is_found() {
    let (bench, log, _journal) = with_rounds(6);
    drop(log);
    for damaged in [2, 3] {
        bench.disk.corrupt(&file(0), |bytes| bytes[damaged * ALIGNMENT + 60] ^= 1);
    }
    let found = found(&bench.disk);
    let [lap] = found.laps.as_slice() else { panic!("one lap, not {found:?}") };
    let hole = Hole { begin: 2 * ALIGNMENT, end: 4 * ALIGNMENT, number: 2, next: 4 };
    assert_eq!((lap.holes.as_slice(), lap.entries.len(), lap.end), ([hole].as_slice(), 4, 6 * ALIGNMENT));
    assert!(found.was_on_disk(0, &hole));

    let journaled = Journal::read(&*bench.disk.shared(), Path::new(DIR)).unwrap();
    let mut log = recovered(&bench);
    let error = log.replay(&journaled[&(topic(), 0)], NOW_MS).unwrap_err();
    let StorageError::Missing { found, durable, .. } = error else { panic!("{error}") };
    assert_eq!((found, durable), (Offset::new(3), Offset::new(5)), "what it lacks was acknowledged");
}

#[test]
fn what_a_logs_own_file_has_may_be_lost_in_the_journal() {
    let (bench, mut log, mut journal) = with_rounds(3);
    sync(&mut log);
    commit(&mut log, &mut journal, 10);
    let kept = read_all(&mut log);
    drop(log);
    bench.disk.corrupt(&file(0), |bytes| bytes[ALIGNMENT + 60] ^= 1);
    assert_eq!(found(&bench.disk).laps[0].holes.len(), 1);
    let journaled = Journal::read(&*bench.disk.shared(), Path::new(DIR)).unwrap();
    let mut log = recovered(&bench);
    assert_eq!(log.replay(&journaled[&(topic(), 0)], NOW_MS).unwrap(), 1);
    assert_eq!(read_all(&mut log), kept);
}

#[test]
fn a_torn_end_is_no_loss() {
    let (bench, log, _journal) = with_rounds(4);
    drop(log);
    bench.disk.corrupt(&file(0), |bytes| bytes[3 * ALIGNMENT + 60] ^= 1);
    let found = found(&bench.disk);
    assert_eq!((found.laps[0].holes.as_slice(), found.laps[0].entries.len()), ([].as_slice(), 3));
    let journaled = found.by_log();
    let mut log = recovered(&bench);
    assert_eq!(log.replay(&journaled[&(topic(), 0)], NOW_MS).unwrap(), 3);
}

#[test]
fn the_first_record_is_missed_where_it_cannot_be_torn() {
    let (bench, mut log, mut journal) = with_rounds(3);
    let damage = |bytes: &mut Vec<u8>| bytes[60] ^= 1;
    bench.disk.corrupt(&file(0), damage);
    let read = found(&bench.disk);
    let hole = Hole { begin: 0, end: ALIGNMENT, number: 0, next: 1 };
    assert_eq!((read.laps[0].holes.as_slice(), read.laps[0].entries.len()), ([hole].as_slice(), 2));
    assert!(read.was_on_disk(0, &hole), "no lap has begun since");

    // The other file has room: this one was not about to be used again.
    bench.disk.corrupt(&file(0), damage);
    sync(&mut log);
    journal.turn();
    commit(&mut log, &mut journal, 10);
    bench.disk.corrupt(&file(0), damage);
    let read = found(&bench.disk);
    assert_eq!((read.laps.len(), read.laps[0].holes.as_slice()), (2, [hole].as_slice()));
    assert!(read.was_on_disk(0, &hole));
    // And now it is full.
    while journal.position + ROUND_BYTES_MAX as u64 <= FILE_BYTES_MAX {
        commit(&mut log, &mut journal, 900_000);
    }
    let read = found(&bench.disk);
    assert!(!read.was_on_disk(0, &hole), "a torn write of the next lap would look the same");
    assert!(read.was_on_disk(1, &hole));
    // Whose first block may not have got there, while a later one has.
    assert!(!read.was_on_disk(0, &Hole { begin: ALIGNMENT, end: 2 * ALIGNMENT, number: 1, next: 2 }));
    let behind = Hole { begin: ROUND_BYTES_MAX, end: ROUND_BYTES_MAX + ALIGNMENT, number: 256, next: 257 };
    assert!(read.was_on_disk(0, &behind), "no write of the next lap that is torn gets that far");
}

#[test]
fn what_an_earlier_journal_left_on_the_same_blocks_is_not_believed() {
    let (bench, mut log, _journal) = with_rounds(4);
    let earlier = bench.disk.contents(&file(0)).unwrap();
    sync(&mut log);
    Journal::remove(&*bench.disk.shared(), Path::new(DIR)).unwrap();
    let mut journal = journal_on(&bench.disk, LIFE + 1);
    commit(&mut log, &mut journal, 10);
    // The rest of the first step of growth is what stood there before, as it would be had the zeros not got there.
    bench.disk.corrupt(&file(0), |bytes| {
        bytes.truncate(ALIGNMENT);
        bytes.extend_from_slice(&earlier[ALIGNMENT..]);
    });
    let read = found(&bench.disk);
    assert_eq!(
        (read.laps[0].entries.len(), read.laps[0].holes.len()),
        (1, 0),
        "records 1 to 3 of lap 1 follow"
    );
    // A second file that was never written since.
    sync(&mut log);
    journal.turn();
    commit(&mut log, &mut journal, 10);
    assert_eq!(found(&bench.disk).laps.len(), 2);
    bench.disk.corrupt(&file(1), |bytes| *bytes = earlier);
    let read = found(&bench.disk);
    assert_eq!((read.laps.len(), life_of(read.laps[0].lap)), (1, u64::from(LIFE) + 1));
}
