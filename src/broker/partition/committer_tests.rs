use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Instant;

use storage::disk_mem::{MemoryDisk, PowerCut};

use super::*;
use crate::partition::test_support::{
    Reports, TOPIC, append, host, offset, running_engine, settings, still_registry, stop_housekeeping,
    stop_syncing, topic_id,
};
use crate::partition::{Acks, CommitTicket, FetchTicket, Interest};

const LONG: Duration = Duration::from_secs(10);
const ANY: Interest = Interest { bytes_max: 1 << 20, read_committed: false };

fn stage(partition: &Partition) -> u8 {
    partition.enlistment().stage()
}

/// What a thread takes while there is no journal.
fn alone(work: Option<Work>) -> Arc<Partition> {
    let Some(Work::Alone(partition)) = work else { panic!("one partition, not {work:?}") };
    partition
}

#[allow(clippy::disallowed_methods, reason = "a bound on how long the test may take")]
fn within(limit: Duration, mut is_done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !is_done() {
        if start.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

#[test]
fn a_waiter_makes_an_append_urgent_and_nothing_else_does() {
    let reports = Reports::default();
    let registry = still_registry(&MemoryDisk::new(), &reports);
    let partition = host(&registry, settings(|_| {}));
    let committer = &registry.dirs()[0].committer;
    assert_eq!(stage(&partition), IDLE, "what a new log has to sync waits for its first append");
    append(&partition, Acks::Written, 1);
    assert_eq!(stage(&partition), LAZY);
    append(&partition, Acks::Committed, 1);
    assert_eq!(stage(&partition), URGENT);
    let queue = committer.queue.lock();
    assert_eq!((queue.urgent.len(), queue.lazy.len()), (1, 0));
}

#[test]
fn a_fetch_parked_at_the_high_watermark_asks_for_a_sync() {
    let reports = Reports::default();
    let registry = still_registry(&MemoryDisk::new(), &reports);
    let partition = host(&registry, settings(|_| {}));
    let ticket = FetchTicket::new(1);
    let parked = partition.park(&ticket, partition.offsets(), ANY);
    assert_eq!(stage(&partition), IDLE, "there is nothing above the high watermark");
    append(&partition, Acks::Written, 1);
    assert_eq!(stage(&partition), URGENT, "an append finds the reader");
    drop(parked);

    let other = still_registry(&MemoryDisk::new(), &reports);
    let partition = host(&other, settings(|_| {}));
    append(&partition, Acks::Written, 1);
    assert_eq!(stage(&partition), LAZY);
    let _parked = partition.park(&ticket, partition.offsets(), ANY);
    assert_eq!(stage(&partition), URGENT, "a reader finds the append");
}

#[test]
fn what_comes_during_a_sync_is_synced_by_the_next() {
    let reports = Reports::default();
    let registry = still_registry(&MemoryDisk::new(), &reports);
    let partition = host(&registry, settings(|_| {}));
    let committer = &registry.dirs()[0].committer;
    append(&partition, Acks::Committed, 1);
    let taken = alone(committer.next(true));
    assert_eq!(stage(&partition), SYNCING);
    append(&partition, Acks::Written, 1);
    assert_eq!(stage(&partition), SYNCING_THEN_LAZY);
    append(&partition, Acks::Committed, 1);
    assert_eq!(stage(&partition), SYNCING_THEN_URGENT);
    committer.put_back(taken);
    assert_eq!(stage(&partition), URGENT);
    let taken = alone(committer.next(true));
    committer.put_back(taken);
    assert_eq!(stage(&partition), IDLE);
    assert!(committer.queue.lock().lazy.is_empty());
}

#[test]
fn an_urgent_partition_goes_before_one_whose_time_has_come() {
    let reports = Reports::default();
    let registry = still_registry(&MemoryDisk::new(), &reports);
    let lazy = host(&registry, settings(|_| {}));
    registry.create("urgent", topic_id(2), 0, model::LeaderEpoch::new(0), settings(|_| {})).unwrap();
    let urgent = registry.by_name("urgent", 0).unwrap();
    let committer = &registry.dirs()[0].committer;
    append(&lazy, Acks::Written, 1);
    append(&urgent, Acks::Written, 1);
    assert!(committer.queue.lock().pop(Duration::ZERO).is_none(), "its time has not come");
    committer.enlist(&urgent, Urgency::Now);
    let mut queue = committer.queue.lock();
    assert!(Arc::ptr_eq(&alone(queue.pop(LONG)), &urgent));
    assert!(Arc::ptr_eq(&alone(queue.pop(LONG)), &lazy));
}

#[test]
fn who_waits_makes_the_call_that_another_thread_holds_back() {
    let registry = still_registry(&MemoryDisk::new(), &Reports::default());
    let committer = &registry.dirs()[0].committer;
    let partition = host(&registry, settings(|_| {}));
    let (sender, taken) = std::sync::mpsc::channel();
    let thread = {
        let committer = Arc::clone(committer);
        std::thread::spawn(move || sender.send(committer.next(true).is_some()).unwrap())
    };
    // One that does not sleep yet would come without a call.
    std::thread::sleep(Duration::from_millis(50));
    let mut calls = pin!(HeldCalls::default());
    assert!(calls.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    append(&partition, Acks::Committed, 1);
    append(&partition, Acks::Committed, 1);
    assert_eq!(taken.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty), "this thread will call");
    let other = Arc::clone(&partition);
    std::thread::spawn(move || append(&other, Acks::Committed, 1)).join().unwrap();
    let has_work = taken.recv_timeout(LONG);
    committer.stop();
    thread.join().unwrap();
    assert_eq!(has_work, Ok(true), "however long this one takes");
}

#[test]
fn calls_that_were_held_back_wake_a_thread_each() {
    let registry = still_registry(&MemoryDisk::new(), &Reports::default());
    let committer = &registry.dirs()[0].committer;
    let (sender, taken) = std::sync::mpsc::channel();
    // Each is at its first partition for the rest of the test, as where a sync takes long.
    let threads = [(); 3].map(|()| {
        let (committer, sender) = (Arc::clone(committer), sender.clone());
        std::thread::spawn(move || sender.send(alone(committer.next(true))).unwrap())
    });
    // One that does not sleep yet would come without a call.
    std::thread::sleep(Duration::from_millis(50));
    let mut calls = pin!(HeldCalls::default());
    let mut context = Context::from_waker(Waker::noop());
    assert!(calls.as_mut().poll(&mut context).is_pending());
    for index in 0..3 {
        registry.create(TOPIC, topic_id(1), index, model::LeaderEpoch::new(0), settings(|_| {})).unwrap();
        append(&registry.by_name(TOPIC, index).unwrap(), Acks::Committed, 1);
    }
    assert!(calls.as_mut().poll(&mut context).is_pending());
    let taken: Vec<_> = (0..3).map_while(|_| taken.recv_timeout(LONG).ok()).collect();
    committer.stop();
    assert_eq!(taken.len(), 3, "all are synced at the same time");
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn an_append_nobody_waits_for_is_synced_within_its_flush_time() {
    let reports = Reports::default();
    let engine = running_engine(&MemoryDisk::new(), &reports, &[]);
    let partition = host(&engine.registry(), settings(|settings| settings.log.flush_ms = 20));
    append(&partition, Acks::Written, 3);
    assert!(within(LONG, || partition.offsets().high_watermark == offset(3)));
    engine.stop();
}

#[test]
fn concurrent_producers_are_acknowledged_only_for_what_survives() {
    produce_concurrently(false);
}

#[test]
fn what_the_journal_acknowledged_survives() {
    let disk = produce_concurrently(true);
    assert!(has_journal(&disk), "the appends went through it");
}

/// Six producers of small batches, then a power cut. Answers the disk.
fn produce_concurrently(with_journal: bool) -> MemoryDisk {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let engine = running_engine(&disk, &reports, &[]);
    let registry = engine.registry();
    if with_journal {
        registry.retire_strays().unwrap();
    }
    for index in 0..3 {
        registry.create(TOPIC, topic_id(1), index, model::LeaderEpoch::new(0), settings(|_| {})).unwrap();
    }
    std::thread::scope(|scope| {
        for producer in 0..6 {
            let partition = registry.by_name(TOPIC, producer % 3).unwrap();
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                for _ in 0..50 {
                    let end = append(&partition, Acks::Committed, 2).commit_at;
                    let Some(end) = end else { continue };
                    let ticket = CommitTicket::new();
                    partition.await_commit(end, &ticket);
                    runtime.block_on(async { tokio::time::timeout(LONG, ticket.all()).await }).unwrap();
                    assert!(partition.is_committed(end));
                }
            });
        }
    });
    stop_syncing(&registry);
    stop_housekeeping(&registry);
    disk.power_cut(PowerCut::LoseAll);
    let after = still_registry(&disk, &reports);
    for index in 0..3 {
        after.create(TOPIC, topic_id(1), index, model::LeaderEpoch::new(0), settings(|_| {})).unwrap();
        assert_eq!(after.by_name(TOPIC, index).unwrap().offsets().log_end, offset(200), "partition {index}");
    }
    assert_eq!(reports.all(), Vec::<String>::new());
    disk
}

fn has_journal(disk: &MemoryDisk) -> bool {
    disk.files().iter().any(|path| path.to_string_lossy().contains(".ottla-journal"))
}

fn append_and_wait(partition: &Arc<Partition>, bytes: usize) {
    let mut builder = records::BatchBuilder::new();
    builder.append(1_000_000, None, Some(&vec![7; bytes]), &[]);
    partition.append(builder.build().unwrap(), Acks::Committed, 1_000_000).unwrap();
    let end = partition.offsets().log_end;
    assert!(within(LONG, || partition.is_committed(end)));
}

#[test]
fn the_journal_is_used_again_once_all_that_is_in_it_is_settled() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let engine = running_engine(&disk, &reports, &[]);
    let registry = engine.registry();
    registry.retire_strays().unwrap();
    let partitions: Vec<_> = (0..3)
        .map(|index| {
            let id = topic_id(1);
            registry.create(TOPIC, id, index, model::LeaderEpoch::new(0), settings(|_| {})).unwrap();
            registry.by_name(TOPIC, index).unwrap()
        })
        .collect();
    // The first is quiet after this: nothing but the end of the lap settles it soon.
    append_and_wait(&partitions[0], 10);
    append_and_wait(&partitions[0], 10);
    let rounds = 1000;
    for round in 0..rounds {
        append_and_wait(&partitions[1 + round % 2], 50_000);
    }
    let size =
        |name: &str| disk.contents(&std::path::Path::new("/data").join(name)).map_or(0, |bytes| bytes.len());
    let sizes = [size(".ottla-journal-0"), size(".ottla-journal-1")];
    assert!(sizes.iter().all(|size| (15 << 20..=16 << 20).contains(size)), "{sizes:?} for 50 MB");
    let settled = |partition: &Partition| partition.with_log(|log| log.settled_offset()).unwrap();
    assert!(within(LONG, || settled(&partitions[0]) == offset(2)));
    stop_syncing(&engine.registry());
    stop_housekeeping(&engine.registry());
    disk.power_cut(PowerCut::LoseAll);
    let after = still_registry(&disk, &reports);
    for (index, records) in [(0, 2), (1, 500), (2, 500)] {
        after.create(TOPIC, topic_id(1), index, model::LeaderEpoch::new(0), settings(|_| {})).unwrap();
        assert_eq!(after.by_name(TOPIC, index).unwrap().offsets().log_end, offset(records));
    }
    assert_eq!(reports.all(), Vec::<String>::new());
}

#[test]
fn a_clean_stop_leaves_no_journal() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let engine = running_engine(&disk, &reports, &[]);
    engine.registry().retire_strays().unwrap();
    let partition = host(&engine.registry(), settings(|_| {}));
    append_and_wait(&partition, 10);
    append_and_wait(&partition, 10);
    assert!(has_journal(&disk));
    engine.stop();
    assert!(!has_journal(&disk));
}

#[test]
fn a_quiet_partition_is_settled() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let engine = running_engine(&disk, &reports, &[]);
    engine.registry().retire_strays().unwrap();
    let partition = host(&engine.registry(), settings(|_| {}));
    append_and_wait(&partition, 10);
    append_and_wait(&partition, 10);
    let settled = || partition.with_log(|log| log.recovery_point()).unwrap();
    assert_eq!(settled(), offset(1), "the second is in the journal alone");
    assert!(within(SETTLE_AFTER + LONG, || settled() == offset(2)));
    assert!(within(LONG, || stage(&partition) == IDLE));
    engine.stop();
}

#[test]
fn an_append_nobody_waits_for_does_not_wait_for_what_is_settled() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let engine = running_engine(&disk, &reports, &[]);
    engine.registry().retire_strays().unwrap();
    let partition = host(&engine.registry(), settings(|settings| settings.log.flush_ms = 20));
    append_and_wait(&partition, 10);
    append_and_wait(&partition, 10);
    assert!(within(LONG, || stage(&partition) == SETTLING));
    append(&partition, Acks::Written, 1);
    assert!(within(SETTLE_AFTER / 5, || partition.offsets().high_watermark == offset(3)));
    engine.stop();
}

#[test]
fn a_failed_sync_ends_everything_and_acknowledges_nothing() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let engine = running_engine(&disk, &reports, &[]);
    let partition = host(&engine.registry(), settings(|settings| settings.log.flush_ms = 3_600_000));
    assert!(within(LONG, || stage(&partition) == IDLE));
    append(&partition, Acks::Written, 1);
    disk.fail_at(disk.steps());
    append_urgent(&partition);
    assert!(within(LONG, || !reports.all().is_empty()));
    assert!(reports.all()[0].contains(TOPIC), "{:?}", reports.all());
    assert_eq!(partition.offsets().high_watermark, offset(0));
    engine.registry().dirs()[0].committer.stop();
}

/// Wakes the committer without writing, so that the failing step is the sync.
fn append_urgent(partition: &Arc<Partition>) {
    let ticket = FetchTicket::new(1);
    drop(partition.park(&ticket, partition.offsets(), ANY));
}

#[test]
fn those_who_wait_do_not_starve_those_whose_deadline_has_come() {
    let reports = Reports::default();
    let registry = still_registry(&MemoryDisk::new(), &reports);
    let lazy = host(&registry, settings(|_| {}));
    registry.create("busy", topic_id(2), 0, model::LeaderEpoch::new(0), settings(|_| {})).unwrap();
    let busy = registry.by_name("busy", 0).unwrap();
    let committer = &registry.dirs()[0].committer;
    append(&lazy, Acks::Written, 1);
    append(&busy, Acks::Committed, 1);
    let Clock::Virtual(clock) = &committer.clock else { panic!("a still registry's clock is virtual") };
    clock.advance(BACKGROUND_SYNC);
    let mut taken = Vec::new();
    for _ in 0..3 {
        let partition = alone(committer.next(true));
        append(&busy, Acks::Committed, 1);
        taken.push(partition.topic().name.to_string());
        committer.put_back(partition);
    }
    assert!(taken.contains(&TOPIC.to_owned()), "only {taken:?} were synced");
}
