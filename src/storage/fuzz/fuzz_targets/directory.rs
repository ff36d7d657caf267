//! Any bytes in the files of a log directory: they are taken or refused, a recovery ends, and the next finds what it has left.
#![no_main]

use std::path::Path;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use model::{LeaderEpoch, Offset};
use storage::disk::{Disk, OpenMode};
use storage::disk_mem::MemoryDisk;
use storage::metadata_files::MetadataFiles;
use storage::{
    Access, Journal, LogConfig, LogDir, Opening, PartitionLog, ReadRequest, ReadStep, StorageError, TimeStep,
};

const NOW_MS: i64 = 1_700_000_000_000;
const DIR: &str = "/d";
const LOG: &str = "/d/fixture-0";
/// Files, one a line; an input says by the number of the line which of them it is about, and so do the seeds.
static FILES: LazyLock<Vec<&str>> = LazyLock::new(|| include_str!("../files.txt").lines().collect());

/// Number of a file, two bytes of length, and as many bytes of it; then the next.
fn write(disk: &Arc<dyn Disk>, mut input: &[u8]) -> Option<()> {
    while let [number, high, low, rest @ ..] = input {
        let (bytes, rest) = rest.split_at(rest.len().min(usize::from(u16::from_be_bytes([*high, *low]))));
        let path = Path::new(DIR).join(FILES[usize::from(*number) % FILES.len()]);
        let file = disk.open(&path, OpenMode::Create).ok()?;
        if !bytes.is_empty() {
            file.write_at(&[std::io::IoSlice::new(bytes)], 0).ok()?;
        }
        input = rest;
    }
    Some(())
}

fuzz_target!(|input: &[u8]| {
    let [choice, input @ ..] = input else { return };
    let disk = MemoryDisk::new().shared();
    for dir in [DIR, LOG, "/d/__cluster_metadata-0"] {
        disk.create_dir(Path::new(dir)).unwrap();
    }
    if write(&disk, input).is_none() {
        return;
    }
    let files = MetadataFiles::new(Arc::clone(&disk), Path::new("/d/__cluster_metadata-0"));
    let _ = files.read_quorum_state();
    for id in files.snapshots().unwrap_or_default() {
        let _ = files.read_snapshot(id);
    }
    let Ok(log_dir) = LogDir::open(Arc::clone(&disk), Path::new(DIR)) else { return };
    let (_, _, _) = (log_dir.high_watermarks(), log_dir.cleaner_offset("fixture", 0), log_dir.partitions());
    let is_marked = log_dir.take_clean_marker().is_ok_and(|last| last.clean);
    let journaled = Journal::read(&*disk, Path::new(DIR)).unwrap_or_default();
    let (recovery_point, log_start) = log_dir.recovery_point_and_start(&("fixture".to_owned(), 0));
    let clean = is_marked && choice & 1 == 1;
    let opening = Opening { recovery_point, log_start, clean, repair: choice & 2 == 2, aging_ms: NOW_MS };
    let mut config = LogConfig { index_bytes_max: 240, ..LogConfig::default() };
    config.cleanup.compact = choice & 4 == 4;
    let open = |opening| PartitionLog::open(Arc::clone(&disk), Path::new(LOG), config.clone(), opening);
    let Ok((mut log, _)) = open(opening) else { return };
    for batches in journaled.values() {
        if log.replay(batches, NOW_MS).is_err() {
            return;
        }
    }
    let found = read_all(&mut log);
    ask(&mut log);
    if clean {
        return;
    }
    // Nothing below the recovery point is looked at before somebody reads it.
    let Ok(found) = found else {
        assert!(opening.recovery_point > Offset::ZERO, "a log that was scanned can be read");
        return;
    };
    let end = log.log_end_offset();
    if log.close().is_err() {
        return;
    }
    // Who has a log repaired writes down that it is on disk up to its new end only.
    let recovery_point = opening.recovery_point.min(end);
    let (mut again, recovery) =
        open(Opening { repair: false, recovery_point, ..opening }).expect("what a recovery left is sound");
    assert_eq!(recovery.truncated, None);
    assert_eq!(read_all(&mut again).expect("and can be read"), found);
});

/// Whatever is asked is answered or refused.
fn ask(log: &mut PartitionLog) {
    let end = log.log_end_offset();
    let _ =
        (log.last_stable_offset(end), log.remembered_producers(), log.end_offset_for(LeaderEpoch::new(3)));
    if let Some(mut lookup) = log.aborted_lookup(log.log_start_offset(), end) {
        let _ = lookup.run(Access::Disk);
        log.take_in_aborted(lookup);
    }
    let mut from = Offset::ZERO;
    while let Some(mut lookup) = log.time_lookup(NOW_MS, from) {
        let result = lookup.run();
        match log.take_in_time(lookup, result) {
            Ok(TimeStep::GoOn(end)) if end > from => from = end,
            _ => break,
        }
    }
}

fn read_all(log: &mut PartitionLog) -> Result<Vec<Bytes>, StorageError> {
    let (mut offset, end) = (log.log_start_offset(), log.log_end_offset());
    let (mut found, mut hint) = (Vec::new(), None);
    while offset < end {
        let request = ReadRequest { offset, bytes_max: 1 << 20, upper_bound: end, min_one_batch: true };
        let plan = match log.plan_read(request, hint).expect("within the log") {
            ReadStep::Plan(plan) => plan,
            ReadStep::Lookup(mut lookup) => {
                let result = lookup.run(Access::Disk);
                hint = log.take_in_lookup(*lookup, result)?;
                continue;
            }
        };
        let batches = plan.read()?;
        log.take_in_read(&batches);
        let Some(next) = batches.next else {
            // Compaction can leave a log that ends behind its last batch.
            assert!(batches.bytes.is_empty(), "a read of something has an end");
            break;
        };
        assert!(next.offset() > offset, "a read gets on");
        offset = next.offset();
        hint = Some(next);
        found.push(batches.bytes);
    }
    Ok(found)
}
