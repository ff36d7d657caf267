use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use model::limits::DECOMPRESSED_BYTES_MAX;
use model::{BatchHeader, LeaderEpoch, Offset};
use records::{BatchBuilder, OpenBatch};
use storage::disk_mem::MemoryDisk;
use storage::{Cleanup, ReadError, ReadRequest};

use super::super::test_support::{DIR, Reports, TOPIC, offset, running_engine, settings, topic_id};
use super::super::{Acks, PartitionEngine, TopicSettings};
use super::*;

const SOON: &[&str] = &["log.cleaner.backoff.ms=5"];

fn compacted(change: impl FnOnce(&mut TopicSettings)) -> TopicSettings {
    settings(|settings| {
        settings.log.cleanup = Cleanup { delete: false, compact: true };
        settings.log.segment_bytes = 2_000;
        change(settings);
    })
}

fn host(engine: &PartitionEngine, settings: TopicSettings) -> Arc<Partition> {
    let registry = engine.registry();
    registry.create(TOPIC, topic_id(1), 0, LeaderEpoch::new(3), settings).unwrap();
    registry.by_name(TOPIC, 0).unwrap()
}

fn keyed(key: u64, value: u64) -> Bytes {
    let mut builder = BatchBuilder::new();
    let now_ms = Clock::system().wall_ms();
    builder.append(now_ms, Some(&key.to_be_bytes()), Some(&value.to_be_bytes()), &[]);
    builder.build().unwrap()
}

fn produce(partition: &Arc<Partition>, keys: u64, count: u64) {
    for value in 0..count {
        partition.append(keyed(value % keys, value), Acks::Committed, 1_000_000).unwrap();
    }
    wait_until("everything is committed", || {
        partition.hurry();
        partition.is_committed(partition.offsets().log_end)
    });
}

/// Newest value of each key, and how many records there are.
fn table(partition: &Partition) -> (BTreeMap<Vec<u8>, Vec<u8>>, usize) {
    let (mut table, mut records) = (BTreeMap::new(), 0);
    let offsets = partition.offsets();
    let mut next = offsets.log_start;
    while next < offsets.high_watermark {
        let request = ReadRequest {
            offset: next,
            bytes_max: 900,
            upper_bound: offsets.high_watermark,
            min_one_batch: true,
        };
        let mut bytes = match partition.read(request) {
            Ok(batches) => batches.bytes,
            Err(PartitionError::Read(ReadError::OutOfRange { log_start, .. })) => {
                next = log_start;
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        if bytes.is_empty() {
            // What was below the high watermark of then has been compacted away meanwhile.
            assert!(partition.offsets().high_watermark > offsets.high_watermark);
            break;
        }
        while !bytes.is_empty() {
            let header = BatchHeader::parse(&bytes).unwrap();
            let open = OpenBatch::new(&bytes.split_to(header.size()), DECOMPRESSED_BYTES_MAX).unwrap();
            for record in open.records().map(Result::unwrap) {
                table.insert(record.key.unwrap().to_vec(), record.value.unwrap().to_vec());
                records += 1;
            }
            next = header.last_offset().next();
        }
    }
    (table, records)
}

fn wait_until(what: &str, is_true: impl FnMut() -> bool) {
    assert!(wait_for(is_true), "{what} does not come true");
}

fn wait_for(mut is_true: impl FnMut() -> bool) -> bool {
    let since = Clock::system();
    while since.monotonic() < Duration::from_secs(20) {
        if is_true() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    false
}

fn checkpoint(partition: &Partition) -> Option<Offset> {
    partition.dir().with(|log_dir| log_dir.cleaner_offset(TOPIC, 0))
}

#[test]
fn a_compacted_topic_is_compacted_while_it_is_written_and_read() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let engine = running_engine(&disk, &reports, SOON);
    let partition = host(&engine, compacted(|_| {}));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut rounds = 0;
            let since = Clock::system();
            while !done.load(Ordering::Relaxed) && since.monotonic() < Duration::from_mins(1) {
                let (found, _) = table(&partition);
                assert!(found.len() <= 7);
                rounds += 1;
            }
            rounds
        });
        for _ in 0..10 {
            produce(&partition, 7, 70);
        }
        let is_small = wait_for(|| table(&partition).1 < 60);
        done.store(true, Ordering::Relaxed);
        let dirtiness = partition.with_log(|log| {
            let last_stable = partition.offsets().last_stable;
            log.dirtiness(&CompactionRequest { checkpoint: checkpoint(&partition), last_stable, aging_ms: 0 })
        });
        assert!(is_small, "{dirtiness:?} {:?} {:?}", table(&partition).1, reports.all());
        assert!(reader.join().unwrap() > 0);
    });
    let (found, _) = table(&partition);
    let newest = |key: u64| (63 + key).to_be_bytes().to_vec();
    assert_eq!(found, (0..7_u64).map(|key| (key.to_be_bytes().to_vec(), newest(key))).collect());
    assert_eq!(partition.offsets().log_end, offset(700));
    wait_until("that is noted", || checkpoint(&partition) > Some(offset(500)));
    engine.stop();
    drop((engine, partition));
    let engine = running_engine(&disk, &reports, SOON);
    let partition = host(&engine, compacted(|_| {}));
    assert_eq!(table(&partition).0, found);
    assert_eq!(reports.all(), [""; 0]);
    engine.stop();
}

#[test]
fn compaction_can_be_switched_off() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let engine = running_engine(&disk, &reports, &["log.cleaner.enable=false", "log.cleaner.backoff.ms=1"]);
    let partition = host(&engine, compacted(|_| {}));
    produce(&partition, 2, 100);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!((table(&partition).1, checkpoint(&partition)), (100, None));
    engine.stop();
}

#[test]
fn a_topic_is_deleted_in_the_middle_of_its_compaction() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    // A few bytes a second: the compaction would take for ever.
    let slow = &["log.cleaner.backoff.ms=1", "log.cleaner.io.max.bytes.per.second=50"];
    let engine = running_engine(&disk, &reports, slow);
    let partition = host(&engine, compacted(|_| {}));
    produce(&partition, 2, 100);
    wait_until("the cleaner is at it", || partition.try_begin_cleaning().is_none());
    let before = Clock::system();
    engine.registry().delete_topics(&[topic_id(1)]).unwrap();
    // The next of its name starts with nothing.
    engine.registry().create(TOPIC, topic_id(2), 0, LeaderEpoch::new(0), compacted(|_| {})).unwrap();
    assert!(before.monotonic() < Duration::from_secs(5));
    let partition = engine.registry().by_name(TOPIC, 0).unwrap();
    produce(&partition, 3, 3);
    assert_eq!((table(&partition).1, checkpoint(&partition)), (3, None));
    let strays = disk.files();
    let is_ours = |path: &&std::path::PathBuf| {
        path.starts_with(format!("{DIR}/{TOPIC}-0")) && path.to_string_lossy().ends_with(".cleaned")
    };
    assert_eq!(strays.iter().find(is_ours), None);
    assert_eq!(reports.all(), [""; 0]);
    engine.stop();
}

#[test]
fn a_stop_does_not_wait_for_a_compaction() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let slow = &["log.cleaner.backoff.ms=1", "log.cleaner.io.max.bytes.per.second=50"];
    let engine = running_engine(&disk, &reports, slow);
    let partition = host(&engine, compacted(|_| {}));
    produce(&partition, 2, 100);
    wait_until("the cleaner is at it", || partition.try_begin_cleaning().is_none());
    let before = Clock::system();
    engine.stop();
    assert!(before.monotonic() < Duration::from_secs(5));
    drop((engine, partition));
    let engine = running_engine(&disk, &reports, SOON);
    let partition = host(&engine, compacted(|_| {}));
    wait_until("it is done after the next start", || table(&partition).1 < 50);
    assert_eq!(reports.all(), [""; 0]);
    engine.stop();
}

#[test]
fn a_log_that_cannot_be_compacted_is_left_alone_and_the_others_go_on() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let engine = running_engine(&disk, &reports, &["log.cleaner.backoff.ms=1", "log.cleaner.enable=false"]);
    let partition = host(&engine, compacted(|_| {}));
    produce(&partition, 2, 100);
    let path = std::path::PathBuf::from(format!("{DIR}/{TOPIC}-0/00000000000000000000.log"));
    disk.corrupt(&path, |data| data[70] ^= 1);
    let cleaner = Arc::new(Cleaner::new(&super::super::test_support::config(SOON), Clock::system()));
    let registry = engine.registry();
    registry.create("other", topic_id(2), 0, LeaderEpoch::new(0), compacted(|_| {})).unwrap();
    let other = registry.by_name("other", 0).unwrap();
    produce(&other, 2, 100);
    cleaner.start(&registry).unwrap();
    wait_until("the sound one is compacted", || table(&other).1 < 50);
    wait_until("the other is marked", || cleaner.state.lock().unfit.contains(&key_of(&partition)));
    produce(&partition, 2, 2);
    cleaner.stop();
    assert_eq!(reports.all(), [""; 0]);
    engine.stop();
}

#[test]
fn a_full_disk_is_waited_for() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let engine = running_engine(&disk, &reports, &["log.cleaner.enable=false"]);
    let partition = host(&engine, compacted(|_| {}));
    produce(&partition, 90, 100);
    let registry = engine.registry();
    let cleaner = Arc::new(Cleaner::new(&super::super::test_support::config(SOON), Clock::system()));
    let used = disk.shared().space(std::path::Path::new(DIR)).unwrap();
    disk.limit_space(Some(used.total_bytes - used.free_bytes + 100));
    cleaner.start(&registry).unwrap();
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!((table(&partition).1, checkpoint(&partition)), (100, None));
    assert!(!cleaner.state.lock().unfit.contains(&key_of(&partition)));
    disk.limit_space(None);
    wait_until("there is space again", || checkpoint(&partition).is_some());
    cleaner.stop();
    assert_eq!((table(&partition).0.len(), reports.all().len()), (90, 0));
    engine.stop();
}

#[test]
fn retention_and_compaction_take_turns() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let engine = running_engine(
        &disk,
        &reports,
        &["log.cleaner.backoff.ms=1", "log.retention.check.interval.ms=1", "log.initial.task.delay.ms=1"],
    );
    let both = compacted(|settings| {
        settings.log.cleanup = Cleanup { delete: true, compact: true };
        settings.log.retention_bytes = 6_000;
        settings.log.file_delete_delay_ms = 0;
    });
    let partition = host(&engine, both);
    for round in 0..30 {
        // Fewer keys each time, so that both have something to do.
        produce(&partition, 60 - round, 60);
        table(&partition);
    }
    wait_until("the log is small", || partition.size_bytes().unwrap() < 9_000);
    assert_eq!(reports.all(), [""; 0]);
    engine.stop();
}

#[test]
fn a_limit_of_bytes_per_second_holds() {
    let config = super::super::test_support::config(&["log.cleaner.io.max.bytes.per.second=1000"]);
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let engine = running_engine(&disk, &reports, &["log.cleaner.enable=false"]);
    let partition = host(&engine, compacted(|_| {}));
    let clock = Clock::system();
    let cleaner = Cleaner::new(&config, clock.clone());
    for _ in 0..8 {
        assert!(cleaner.spend(100, &partition));
    }
    let taken = clock.monotonic();
    assert!((Duration::from_millis(490)..Duration::from_secs(5)).contains(&taken), "{taken:?}");
    engine.stop();
    assert!(!cleaner.spend(100, &partition), "of a partition that is gone");
}
