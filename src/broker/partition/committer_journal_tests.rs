//! Rounds of the journal that the test makes itself, one after the other, on a clock that stands still.

use std::path::Path;

use model::{ErrorCode, LeaderEpoch, Offset};
use storage::disk_mem::{MemoryDisk, PowerCut};

use super::*;
use crate::partition::test_support::{
    DIR, Reports, TOPIC, append, host, offset, settings, still_registry, topic_id,
};
use crate::partition::{Acks, Registry, Stage};

/// Partitions whose appends go through a journal as soon as their names are on disk.
fn with_journal(disk: &MemoryDisk, reports: &Reports) -> Arc<Registry> {
    let registry = still_registry(disk, reports);
    registry.retire_strays().unwrap();
    registry
}

/// What the sync threads would do now. The sync of one partition's own files may be stuck: that partition is answered.
fn work_off(committer: &Committer, stuck: Option<i32>) -> Option<Arc<Partition>> {
    let mut held = None;
    loop {
        let now = committer.clock.monotonic();
        let mut queue = committer.queue.lock();
        let work = queue.alone.pop_front().map(Work::Alone).or_else(|| queue.pop(now));
        drop(queue);
        match work {
            Some(Work::Alone(partition)) if Some(partition.index()) == stuck => held = Some(partition),
            Some(Work::Alone(partition)) => committer.sync(partition).unwrap(),
            Some(Work::Round(partitions)) => committer.sync_together(partitions).unwrap(),
            None => return held,
        }
    }
}

/// Appends a batch with one record of so many bytes and has it committed.
fn commit(partition: &Arc<Partition>, bytes: usize) {
    append_bytes(partition, bytes);
    assert!(work_off(&partition.dir().committer, None).is_none());
    assert!(partition.is_committed(partition.offsets().log_end));
}

fn append_bytes(partition: &Arc<Partition>, bytes: usize) {
    let mut builder = records::BatchBuilder::new();
    builder.append(1_000_000, None, Some(&vec![7; bytes]), &[]);
    partition.append(builder.build().unwrap(), Acks::Committed, 1_000_000).unwrap();
}

fn settled(partition: &Partition) -> Offset {
    partition.with_log(|log| log.settled_offset()).unwrap()
}

fn advance(registry: &Registry, by: Duration) {
    let Clock::Virtual(clock) = &registry.dirs()[0].committer.clock else {
        panic!("a still registry's clock is virtual")
    };
    clock.advance(by);
}

fn used(disk: &MemoryDisk) -> u64 {
    let space = disk.shared().space(Path::new(DIR)).unwrap();
    space.total_bytes - space.free_bytes
}

#[test]
fn what_a_full_disk_kept_a_replay_from_writing_is_replayed_when_there_is_room() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let registry = with_journal(&disk, &reports);
    let partition = host(&registry, settings(|_| {}));
    commit(&partition, 10);
    commit(&partition, 50_000);
    assert_eq!(settled(&partition), offset(1), "the second is in the journal alone");
    drop((registry, partition));
    disk.power_cut(PowerCut::LoseAll);

    // Room for what opening a log writes, and not for the batch.
    disk.limit_space(Some(used(&disk) + 20_000));
    let registry = still_registry(&disk, &reports);
    let opened = registry.create(TOPIC, topic_id(1), 0, LeaderEpoch::new(3), settings(|_| {}));
    assert!(matches!(opened, Err(StorageError::Full { .. })), "{opened:?}");
    assert_eq!(registry.find(TOPIC, 0).unwrap_err(), ErrorCode::KafkaStorageError);
    registry.retire_strays().unwrap();
    let (told, weak) = (Arc::new(Mutex::new(Vec::new())), Arc::downgrade(&registry));
    let listener = Arc::clone(&told);
    registry.on_late_opening(move |stage, partitions| {
        let is_served = weak.upgrade().unwrap().find(TOPIC, 0).is_ok();
        listener.lock().push((stage, partitions.len(), is_served));
    });
    registry.open_waiting();
    assert!(registry.find(TOPIC, 0).is_err(), "the disk is as full as before");
    assert_eq!(*told.lock(), []);

    disk.limit_space(None);
    registry.open_waiting();
    assert_eq!(*told.lock(), [(Stage::Opened, 1, false), (Stage::Served, 1, true)]);
    assert_eq!(registry.find(TOPIC, 0).unwrap().offsets().log_end, offset(2));
    assert_eq!(reports.all(), Vec::<String>::new());
}

#[test]
fn records_behind_deleted_ones_survive_where_the_logs_own_file_ends_before_them() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let registry = with_journal(&disk, &reports);
    let partition = host(&registry, settings(|_| {}));
    commit(&partition, 10);
    append(&partition, Acks::Committed, 3);
    work_off(&partition.dir().committer, None);
    commit(&partition, 10);
    assert_eq!((settled(&partition), partition.offsets().high_watermark), (offset(1), offset(5)));
    // In the middle of a batch that only the journal holds.
    assert_eq!(partition.advance_log_start(Some(offset(2))).unwrap(), offset(2));
    registry.dirs()[0].checkpoint_log_starts(&registry).unwrap();
    drop((registry, partition));
    disk.power_cut(PowerCut::LoseAll);

    let registry = still_registry(&disk, &reports);
    let offsets = host(&registry, settings(|_| {})).offsets();
    assert_eq!((offsets.log_start, offsets.log_end), (offset(2), offset(5)));
    assert_eq!(reports.all(), Vec::<String>::new());
}

#[test]
fn a_sync_that_is_put_off_wakes_a_thread_that_knows_of_no_deadline() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let registry = with_journal(&disk, &reports);
    let partition = host(&registry, settings(|_| {}));
    append(&partition, Acks::Committed, 1);
    let committer = Arc::clone(&registry.dirs()[0].committer);
    let now = committer.clock.monotonic();
    assert!(matches!(committer.queue.lock().pop(now), Some(Work::Round(_))), "a thread has it");

    let (woken, has_work) = std::sync::mpsc::channel();
    let watching = Arc::clone(&committer);
    let watcher = std::thread::spawn(move || {
        let _ = woken.send(watching.next(true).is_some());
    });
    // Woken for nothing while the queue is held, and then given it, it is asleep again when that is to be had.
    loop {
        let queue = committer.queue.lock();
        if committer.work.notify_one() {
            parking_lot::MutexGuard::unlock_fair(queue);
            break;
        }
        drop(queue);
        std::thread::yield_now();
    }
    drop(committer.queue.lock());

    let no_descriptor = StorageError::NoDescriptor { operation: "open", path: DIR.into() };
    committer.put_off(&partition, &no_descriptor).unwrap();
    advance(&registry, RETRY);
    let found = has_work.recv_timeout(Duration::from_secs(10));
    committer.end();
    watcher.join().unwrap();
    assert_eq!(found, Ok(true), "the partition waits for the next that has nothing to do with it");
}

#[test]
fn a_partition_that_is_never_quiet_is_settled_as_soon_as_one_that_is() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let registry = with_journal(&disk, &reports);
    let partition = host(&registry, settings(|_| {}));
    commit(&partition, 10);
    let step = Duration::from_millis(100);
    let steps_max = (SETTLE_AFTER.as_millis() / step.as_millis()) as i64 + 1;
    let mut was_behind = false;
    for committed in 2..200 {
        commit(&partition, 10);
        let behind = committed - settled(&partition).value();
        assert!(behind <= steps_max, "{behind} of {committed} records are in the journal alone");
        assert_eq!(partition.with_log(|log| log.recovery_point()).unwrap(), settled(&partition));
        was_behind |= behind == steps_max - 1;
        advance(&registry, step);
    }
    assert!(was_behind, "nor is it settled all the time");
}

#[test]
fn the_journal_does_not_grow_while_a_partition_cannot_be_settled() {
    const FILE_BYTES_MAX: usize = 16 << 20;
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let registry = with_journal(&disk, &reports);
    let mut partitions = (0..2).map(|index| {
        registry.create(TOPIC, topic_id(1), index, LeaderEpoch::new(3), settings(|_| {})).unwrap();
        let partition = registry.by_name(TOPIC, index).unwrap();
        commit(&partition, 10);
        partition
    });
    let (stuck, busy) = (partitions.next().unwrap(), partitions.next().unwrap());
    commit(&stuck, 10);
    let committer = Arc::clone(&stuck.dir().committer);
    let mut held = None;
    let work = |rounds: usize, held: &mut Option<Arc<Partition>>| {
        for _ in 0..rounds {
            append_bytes(&busy, 60_000);
            *held = work_off(&committer, Some(0)).or(held.take());
            assert!(busy.is_committed(busy.offsets().log_end), "it takes its own sync where it has to");
        }
    };
    let sizes = || {
        [0, 1].map(|file| {
            let path = Path::new(DIR).join(format!(".ottla-journal-{file}"));
            disk.contents(&path).map_or(0, |bytes| bytes.len())
        })
    };
    // Each round takes 61,440 bytes of a file: more than both files, and then as much again.
    work(1000, &mut held);
    assert_eq!(settled(&stuck), offset(1));
    assert!(sizes().iter().all(|size| (15 << 20..=FILE_BYTES_MAX).contains(size)), "{:?}", sizes());
    assert_eq!(settled(&busy), busy.offsets().log_end, "nothing went into the journal any more");
    committer.sync(held.take().unwrap()).unwrap();
    assert_eq!(settled(&stuck), offset(2));
    work(300, &mut held);
    assert!(settled(&busy) < busy.offsets().log_end, "and now it does");
    assert!(sizes().iter().all(|size| *size <= FILE_BYTES_MAX), "{:?}", sizes());
    let end = busy.offsets().log_end;
    drop((registry, stuck, busy, committer));
    disk.power_cut(PowerCut::LoseAll);
    let after = still_registry(&disk, &reports);
    for (index, end) in [(0, offset(2)), (1, end)] {
        after.create(TOPIC, topic_id(1), index, LeaderEpoch::new(3), settings(|_| {})).unwrap();
        assert_eq!(after.by_name(TOPIC, index).unwrap().offsets().log_end, end);
    }
    assert_eq!(reports.all(), Vec::<String>::new());
}
