//! Rounds of the journal that the test makes itself, one after the other, on a clock that stands still.

use std::path::Path;

use model::{ErrorCode, LeaderEpoch, Offset};
use storage::disk_mem::{MemoryDisk, PowerCut};

use super::*;
use crate::partition::test_support::{
    DIR, Reports, TOPIC, append, host, offset, settings, still_registry, topic_id,
};
use crate::partition::{Acks, Registry};

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
    registry.open_waiting();
    assert!(registry.find(TOPIC, 0).is_err(), "the disk is as full as before");

    disk.limit_space(None);
    registry.open_waiting();
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
