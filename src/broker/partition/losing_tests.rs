use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Clock, ErrorCode, LeaderEpoch};
use rustix::io::Errno;
use storage::disk_mem::{BreakingDisk, MemoryDisk};

use crate::partition::test_support::{
    Reports, append, batch, config, offset, read_below, settings, stop_syncing, sync, topic_id,
};
use crate::partition::{Acks, CommitTicket, OpenError, Partition, PartitionEngine, PartitionError};

fn start(disk: &BreakingDisk, reports: &Reports, overrides: &[&str]) -> Result<PartitionEngine, OpenError> {
    let mut all = vec!["log.dirs=/a,/b"];
    all.extend(overrides);
    let engine = PartitionEngine::open_on(&disk.shared(), &config(&all), Clock::system(), reports.fatal())?;
    for dir in engine.registry().dirs() {
        if dir.meta().is_none() {
            let directory_id = Some(uuid::Uuid::new_v4());
            let (cluster_id, node_id) = ("cluster".to_owned(), model::BrokerId::new(1));
            dir.format(storage::MetaProperties { cluster_id, node_id, directory_id }).unwrap();
        }
    }
    engine.registry().retire_strays().unwrap();
    Ok(engine)
}

fn disk() -> BreakingDisk {
    BreakingDisk::new(MemoryDisk::new().shared())
}

fn create(engine: &PartitionEngine, count: i32) {
    for index in 0..count {
        engine
            .registry()
            .create("orders", topic_id(1), index, LeaderEpoch::new(0), settings(|_| {}))
            .unwrap();
    }
}

fn within_10_s(mut is_so: impl FnMut() -> bool) -> bool {
    for _ in 0..2000 {
        if is_so() {
            return true;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    false
}

#[test]
fn producers_that_wait_are_told_when_another_partition_finds_the_directory_failing() {
    let (disk, reports) = (disk(), Reports::default());
    let engine = start(&disk, &reports, &[]).unwrap();
    create(&engine, 4);
    let all = engine.registry().all();
    let [first, second] =
        all.iter().filter(|one| one.dir().path() == Path::new("/b")).collect::<Vec<_>>()[..]
    else {
        panic!("two in each")
    };
    stop_syncing(&engine.registry());
    let end = append(first, Acks::Committed, 1).commit_at.unwrap();
    let ticket = CommitTicket::new();
    first.await_commit(end, &ticket);
    disk.break_dir(Path::new("/b"));
    let refused = second.append(batch(1), Acks::Written, 1_000_000).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::KafkaStorageError);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let limit = std::time::Duration::from_secs(10);
    runtime.block_on(async { tokio::time::timeout(limit, ticket.all()).await }).unwrap();
    assert!(first.is_gone() && !first.is_committed(end));
    assert_eq!(first.absence().code(), ErrorCode::KafkaStorageError);
    let late = first.append(batch(1), Acks::Written, 1_000_000).unwrap_err();
    assert!(matches!(late, PartitionError::Offline), "{late}");
    assert!(within_10_s(|| engine.registry().find("orders", second.index()).is_err()));
    assert_eq!(engine.registry().all().len(), 2);
    engine.stop();
    assert_eq!(reports.all(), Vec::<String>::new(), "the node goes on");
}

#[test]
fn a_sync_that_fails_takes_its_directory_offline_and_leaves_the_others_theirs() {
    let (disk, reports) = (disk(), Reports::default());
    let engine = start(&disk, &reports, &[]).unwrap();
    create(&engine, 4);
    let all = engine.registry().all();
    let (sound, failing): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.dir().path() == Path::new("/a"));
    for partition in &all {
        append(partition, Acks::Committed, 1);
        assert!(within_10_s(|| partition.is_committed(offset(1))));
    }
    // Written and not yet synced, which nobody hurries to do.
    for partition in &failing {
        append(partition, Acks::Written, 1);
    }
    disk.break_dir(Path::new("/b"));
    for partition in &failing {
        partition.hurry();
    }
    assert!(within_10_s(|| failing.iter().all(|partition| partition.is_gone())));
    let departed = || engine.registry().departed().records_in;
    assert!(within_10_s(|| departed() == 4), "what came in there still counts: {}", departed());
    for partition in sound {
        append(partition, Acks::Committed, 1);
        assert!(within_10_s(|| partition.is_committed(offset(2))), "its rounds go on");
    }
    engine.stop();
    assert_eq!(reports.all(), Vec::<String>::new());
}

/// Partitions with a record each, which nobody writes or syncs any more and whose files are closed.
fn at_rest(engine: &PartitionEngine, count: i32) -> Vec<Arc<Partition>> {
    create(engine, count);
    stop_syncing(&engine.registry());
    let mut all = engine.registry().all();
    all.sort_by_key(|partition| partition.index());
    for partition in &all {
        append(partition, Acks::Written, 1);
        sync(partition);
        partition.release_files();
    }
    all
}

fn files_of(partition: &Partition) -> PathBuf {
    partition.dir().path().join(partition.dir_name())
}

type Read = fn(&Partition) -> Result<(), PartitionError>;

const READS: [(&str, Read); 3] = [
    ("records", |partition| partition.read(read_below(offset(1))).map(drop)),
    ("a time", |partition| partition.offset_for_timestamp(0).map(drop)),
    ("the largest time", |partition| partition.offset_of_max_timestamp().map(drop)),
];

#[test]
fn a_disk_that_cannot_be_read_ends_its_directory_as_one_that_cannot_be_written() {
    for (what, read) in READS {
        for errno in [Errno::IO, Errno::UCLEAN] {
            let (disk, reports) = (disk(), Reports::default());
            let engine = start(&disk, &reports, &[]).unwrap();
            let all = at_rest(&engine, 4);
            let lost = all.iter().find(|one| one.dir().path() == Path::new("/b")).unwrap();
            disk.break_with(&files_of(lost), errno);
            let refused = read(lost).unwrap_err();
            assert_eq!(refused.code(), ErrorCode::KafkaStorageError, "{what}");
            assert!(within_10_s(|| engine.registry().all().len() == 2), "{what}: {errno}");
            for partition in &all {
                let is_lost = partition.dir().path() == Path::new("/b");
                let found = engine.registry().find("orders", partition.index());
                assert_eq!(found.err(), is_lost.then_some(ErrorCode::KafkaStorageError), "{what}");
                assert_eq!(read(partition).is_err(), is_lost, "{what}");
            }
            engine.stop();
            assert_eq!(reports.all(), Vec::<String>::new(), "the node goes on");
        }
    }
}

#[test]
fn a_node_ends_with_its_only_directory_when_that_cannot_be_read() {
    for (what, read) in READS {
        let (disk, reports) = (disk(), Reports::default());
        let engine = start(&disk, &reports, &["log.dirs=/a"]).unwrap();
        let all = at_rest(&engine, 1);
        disk.break_dir(&files_of(&all[0]));
        assert!(read(&all[0]).is_err());
        let told = reports.all();
        assert!(told.len() == 1 && told[0].contains("/a/orders-0"), "{what}: {told:?}");
        engine.stop();
    }
}

/// What is no fault of the disk, done to the files of a partition.
type Fault = fn(&MemoryDisk, &BreakingDisk, &Path);

const FAULTS: [(&str, Fault); 5] = [
    ("cut off", |memory, _, dir| memory.corrupt(&dir.join(LOG), |bytes| bytes.truncate(30))),
    ("no batch", |memory, _, dir| memory.corrupt(&dir.join(LOG), |bytes| bytes[16] = 9)),
    ("no descriptor", |_, disk, dir| disk.break_with(dir, Errno::MFILE)),
    ("no file", |_, disk, dir| disk.break_with(dir, Errno::NOENT)),
    ("not allowed", |_, disk, dir| disk.break_with(dir, Errno::ACCESS)),
];
const LOG: &str = "00000000000000000000.log";

#[test]
fn what_is_wrong_with_a_file_or_the_process_costs_a_read_and_not_the_directory() {
    for (what, read) in READS {
        for (fault, spoil) in FAULTS {
            let (memory, reports) = (MemoryDisk::new(), Reports::default());
            let disk = BreakingDisk::new(memory.shared());
            let engine = start(&disk, &reports, &["log.dirs=/a"]).unwrap();
            let all = at_rest(&engine, 2);
            spoil(&memory, &disk, &files_of(&all[0]));
            assert!(read(&all[0]).is_err(), "{what}: {fault}");
            assert!(read(&all[1]).is_ok() && !all[0].dir().has_failed(), "{what}: {fault}");
            engine.stop();
            assert_eq!(reports.all(), Vec::<String>::new(), "{what}: {fault}");
        }
    }
}

#[test]
fn log_starts_are_written_in_a_sound_directory_beside_one_that_fails() {
    let (disk, reports) = (disk(), Reports::default());
    let engine = start(&disk, &reports, &["metadata.log.dir=/m"]).unwrap();
    create(&engine, 2);
    let all = engine.registry().all();
    for partition in &all {
        append(partition, Acks::Committed, 1);
        assert!(within_10_s(|| partition.is_committed(offset(1))));
        assert_eq!(partition.advance_log_start(None).unwrap(), offset(1));
    }
    engine.start().unwrap();
    disk.break_dir(Path::new("/a"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let written = runtime.block_on(engine.registry().checkpoint_log_starts(&all));
    for (partition, written) in all.iter().zip(written) {
        assert_eq!(written.is_ok(), partition.dir().path() == Path::new("/b"));
    }
    let sound = all.iter().find(|partition| partition.dir().path() == Path::new("/b")).unwrap();
    let written = sound.dir().with(|log_dir| log_dir.log_starts().values().copied().collect::<Vec<_>>());
    assert_eq!(written, [offset(1)]);
    engine.stop();
}

#[test]
fn a_node_ends_with_its_metadata_directory_and_with_its_last() {
    for (overrides, broken, ends) in [
        (&[][..], &["/a"][..], true),
        (&[], &["/b"], false),
        (&["metadata.log.dir=/b"], &["/b"], true),
        (&["metadata.log.dir=/b"], &["/a"], false),
        (&["metadata.log.dir=/m"], &["/a"], false),
        (&["metadata.log.dir=/m"], &["/a", "/b"], true),
    ] {
        let (disk, reports) = (disk(), Reports::default());
        let engine = start(&disk, &reports, overrides).unwrap();
        create(&engine, 2);
        let all = engine.registry().all();
        for dir in broken {
            disk.break_dir(Path::new(dir));
            let here = all.iter().find(|one| one.dir().path() == Path::new(dir)).unwrap();
            assert!(here.append(batch(1), Acks::Written, 1_000_000).is_err());
        }
        assert_eq!(!reports.all().is_empty(), ends, "{overrides:?} {broken:?}: {:?}", reports.all());
        engine.stop();
    }
}

#[test]
fn a_start_goes_on_without_a_directory_that_cannot_be_read_if_there_is_another() {
    for (overrides, broken, unopened) in [
        (&[][..], &["/b"][..], Some("/b")),
        (&[], &["/a"], None),
        (&["metadata.log.dir=/m"], &["/a"], Some("/a")),
        (&["metadata.log.dir=/m"], &["/a", "/b"], None),
    ] {
        let (disk, reports) = (disk(), Reports::default());
        for dir in broken {
            disk.break_dir(Path::new(dir));
        }
        match (start(&disk, &reports, overrides), unopened) {
            (Ok(engine), Some(unopened)) => {
                assert_eq!(engine.registry().unopened_dirs(), [PathBuf::from(unopened)]);
                create(&engine, 2);
                assert_eq!(engine.registry().all().len(), 2);
                engine.stop();
            }
            (Err(OpenError::Storage(_)), None) => {}
            (started, _) => panic!("{overrides:?} {broken:?}: {started:?}"),
        }
        assert_eq!(reports.all(), Vec::<String>::new());
    }
}

#[test]
fn a_directory_that_comes_back_with_a_deleted_topic_does_not_hide_its_namesake() {
    let (disk, reports) = (disk(), Reports::default());
    let metadata_elsewhere = ["metadata.log.dir=/m"];
    let engine = start(&disk, &reports, &metadata_elsewhere).unwrap();
    let create = |engine: &PartitionEngine, topic| {
        let epoch = LeaderEpoch::new(0);
        engine.registry().create("orders", topic_id(topic), 0, epoch, settings(|_| {})).unwrap();
        engine.registry().by_id(topic_id(topic), 0).unwrap()
    };
    let deleted = create(&engine, 1);
    assert_eq!(deleted.dir().path(), Path::new("/a"));
    disk.break_dir(Path::new("/a"));
    assert!(deleted.append(batch(1), Acks::Written, 1_000_000).is_err());
    assert!(within_10_s(|| engine.registry().all().is_empty()));
    engine.registry().delete_topics(&[topic_id(1)]).unwrap();
    let namesake = create(&engine, 2);
    assert_eq!(namesake.dir().path(), Path::new("/b"));
    append(&namesake, Acks::Committed, 1);
    assert!(within_10_s(|| namesake.is_committed(offset(1))));
    engine.stop();
    drop((deleted, namesake, engine));

    disk.mend();
    let config = config(&["log.dirs=/a,/b", "metadata.log.dir=/m"]);
    let engine = PartitionEngine::open_on(&disk.shared(), &config, Clock::system(), reports.fatal()).unwrap();
    let namesake = create(&engine, 2);
    engine.registry().retire_strays().unwrap();
    assert_eq!((namesake.dir().path(), namesake.offsets().log_end), (Path::new("/b"), offset(1)));
    engine.stop();
    assert_eq!(reports.all(), Vec::<String>::new());
}
