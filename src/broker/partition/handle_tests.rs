use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use model::{Clock, ProducerId};
use storage::disk_mem::{MemoryDisk, PowerCut};

use super::*;
use crate::partition::test_support::{
    Reports, TOPIC, append, batch, config, host, offset, read_below, sequenced, settings, still_registry,
    stop_syncing, topic_id,
};
use crate::partition::{Feed, OffsetInfo, PartitionEngine, Registry, Watch};

fn is_done(future: impl Future<Output = ()>) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    pin!(future).poll(&mut context) == Poll::Ready(())
}

struct Fixture {
    disk: MemoryDisk,
    reports: Reports,
    registry: Arc<Registry>,
    partition: Arc<Partition>,
}

fn fixture(change: impl FnOnce(&mut TopicSettings)) -> Fixture {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let registry = still_registry(&disk, &reports);
    let partition = host(&registry, settings(change));
    Fixture { disk, reports, registry, partition }
}

const ANY: Interest = Interest { bytes_max: 1 << 20, read_committed: false };

#[test]
fn an_append_is_neither_acknowledged_nor_visible_before_its_sync() {
    let Fixture { partition, .. } = fixture(|_| {});
    let placed = append(&partition, Acks::Committed, 3);
    assert_eq!(placed.commit_at, Some(offset(3)));
    let offsets = partition.offsets();
    assert_eq!((offsets.high_watermark, offsets.log_end), (offset(0), offset(3)));
    let read = partition.read(read_below(offsets.high_watermark)).unwrap();
    assert!(read.bytes.is_empty(), "consumers read below the high watermark");

    let ticket = CommitTicket::new();
    partition.await_commit(offset(3), &ticket);
    let mut all = pin!(ticket.all());
    let mut context = Context::from_waker(Waker::noop());
    assert!(all.as_mut().poll(&mut context).is_pending());
    partition.sync().unwrap();
    assert!(all.as_mut().poll(&mut context).is_ready());
    assert!(partition.is_committed(offset(3)));
    let read = partition.read(read_below(partition.offsets().high_watermark)).unwrap();
    assert_eq!(read.bytes.len(), batch(3).len());
}

#[test]
fn an_append_is_no_concern_of_sessions_that_were_told() {
    let Fixture { partition, .. } = fixture(|_| {});
    let count = || partition.followers.load(Ordering::SeqCst);
    let feed = Feed::new();
    let mut watch = Watch::new(&feed, 7);
    for is_committed in [false, true] {
        watch.follow(&partition, ANY);
        assert_eq!(count(), 1);
        append(&partition, if is_committed { Acks::Committed } else { Acks::Written }, 1);
        partition.sync().unwrap();
        assert_eq!((feed.take_news(), count()), (vec![7], 0), "committed: {is_committed}");
    }
    watch.follow(&partition, ANY);
    watch.leave();
    assert_eq!(count(), 0);
}

#[test]
fn acks_1_is_answered_before_the_sync() {
    let Fixture { partition, .. } = fixture(|_| {});
    assert_eq!(append(&partition, Acks::Written, 1).commit_at, None);
    assert_eq!(partition.offsets().high_watermark, offset(0));
}

#[test]
fn a_sync_covers_what_was_appended_when_it_began() {
    let Fixture { partition, .. } = fixture(|_| {});
    append(&partition, Acks::Committed, 2);
    append(&partition, Acks::Written, 2);
    partition.sync().unwrap();
    assert_eq!(partition.offsets().high_watermark, offset(4));
    append(&partition, Acks::Committed, 1);
    assert_eq!(partition.offsets().high_watermark, offset(4));
}

#[test]
fn a_duplicate_waits_for_its_original() {
    let Fixture { partition, .. } = fixture(|_| {});
    let first = partition.append(sequenced(0, 2), Acks::Written, 1).unwrap();
    let again = partition.append(sequenced(0, 2), Acks::Committed, 1).unwrap();
    assert!(again.at.duplicate && again.at.base_offset == first.at.base_offset);
    assert_eq!(again.commit_at, Some(offset(2)), "the original is not on disk yet");
    partition.sync().unwrap();
    let later = partition.append(sequenced(0, 2), Acks::Committed, 1).unwrap();
    assert_eq!(later.commit_at, None);
    assert_eq!(partition.offsets().log_end, offset(2));
}

#[test]
fn write_caching_commits_what_is_written() {
    let Fixture { partition, .. } = fixture(|settings| settings.write_caching = true);
    let ticket = FetchTicket::new(1);
    let parked = partition.park(&ticket, partition.offsets(), ANY);
    assert_eq!(append(&partition, Acks::Committed, 3).commit_at, None);
    let offsets = partition.offsets();
    assert_eq!((offsets.last_stable, offsets.high_watermark), (offset(3), offset(3)));
    assert!(ticket.has_fired());
    drop(parked);
    partition.sync().unwrap();
    assert_eq!(partition.offsets(), offsets);
}

#[test]
fn flush_messages_makes_every_producer_wait() {
    let Fixture { partition, .. } = fixture(|settings| settings.log.flush_messages = 3);
    assert_eq!(append(&partition, Acks::Written, 2).commit_at, None);
    assert_eq!(append(&partition, Acks::Written, 1).commit_at, Some(offset(3)), "three are unsynced");
    partition.sync().unwrap();
    assert_eq!(append(&partition, Acks::Written, 1).commit_at, None);
}

#[test]
fn a_parked_fetch_wakes_with_the_commit_not_with_the_append() {
    let Fixture { partition, .. } = fixture(|_| {});
    let ticket = FetchTicket::new(1);
    let parked = partition.park(&ticket, partition.offsets(), ANY);
    append(&partition, Acks::Written, 1);
    assert!(!ticket.has_fired());
    partition.sync().unwrap();
    assert!(ticket.has_fired() && is_done(ticket.fired()));
    drop(parked);
    assert_eq!(partition.parked.load(Ordering::SeqCst), 0);
}

#[test]
fn a_fetch_that_parks_with_old_offsets_looks_again_at_once() {
    let Fixture { partition, .. } = fixture(|_| {});
    let seen = partition.offsets();
    append(&partition, Acks::Written, 1);
    partition.sync().unwrap();
    let ticket = FetchTicket::new(1 << 20);
    let _parked = partition.park(&ticket, seen, ANY);
    assert!(ticket.has_fired());
}

#[test]
fn a_partition_that_is_deleted_keeps_nobody_waiting_and_answers_nothing() {
    let Fixture { registry, partition, disk, .. } = fixture(|_| {});
    append(&partition, Acks::Committed, 1);
    let (ticket, commit) = (FetchTicket::new(1), CommitTicket::new());
    let _parked = partition.park(&ticket, partition.offsets(), ANY);
    partition.await_commit(offset(1), &commit);
    registry.delete_topics(&[topic_id(1)]).unwrap();
    assert!(ticket.has_fired() && is_done(commit.all()));
    assert!(!partition.is_committed(offset(1)) && partition.is_gone());
    assert!(registry.by_name(TOPIC, 0).is_none() && registry.by_id(topic_id(1), 0).is_none());
    let refused = partition.append(batch(1), Acks::Written, 1).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::UnknownTopicOrPartition);
    partition.sync().unwrap();
    assert!(disk.files().iter().all(|file| !file.starts_with(format!("/data/{TOPIC}-0"))));
}

#[test]
fn leader_epochs_fence_both_ways() {
    let Fixture { registry, partition, .. } = fixture(|_| {});
    let check = |epoch| partition.check_leader_epoch(LeaderEpoch::new(epoch));
    assert_eq!((check(-1), check(3)), (Ok(()), Ok(())));
    assert_eq!((check(2), check(-2)), (Err(ErrorCode::FencedLeaderEpoch), Err(ErrorCode::FencedLeaderEpoch)));
    assert_eq!(check(4), Err(ErrorCode::UnknownLeaderEpoch));
    append(&partition, Acks::Written, 2);
    registry.update_leader_epoch(topic_id(1), 0, LeaderEpoch::new(5));
    assert_eq!(check(3), Err(ErrorCode::FencedLeaderEpoch));
    append(&partition, Acks::Written, 1);
    let end_of = |epoch| partition.end_offset_for(LeaderEpoch::new(epoch)).unwrap();
    assert_eq!(end_of(3), Some((LeaderEpoch::new(3), offset(2))));
    assert_eq!(end_of(4), Some((LeaderEpoch::new(3), offset(2))));
    assert_eq!(end_of(5), Some((LeaderEpoch::new(5), offset(3))));
    assert_eq!(end_of(6), None);
}

#[test]
fn records_are_deleted_up_to_the_high_watermark_only() {
    let Fixture { partition, registry, .. } = fixture(|_| {});
    append(&partition, Acks::Written, 4);
    partition.sync().unwrap();
    append(&partition, Acks::Written, 4);
    let delete = |before| partition.advance_log_start(before).map_err(|error| error.code());
    assert_eq!(delete(Some(offset(2))), Ok(offset(2)));
    assert_eq!(delete(Some(offset(1))), Ok(offset(2)), "never back");
    assert_eq!(delete(Some(offset(5))), Err(ErrorCode::OffsetOutOfRange));
    assert_eq!(delete(Some(offset(-2))), Err(ErrorCode::OffsetOutOfRange));
    assert_eq!(delete(None), Ok(offset(4)));
    assert_eq!(partition.offsets().log_start, offset(4));
    let earliest = partition.earliest().unwrap();
    assert_eq!(
        earliest,
        OffsetInfo { offset: offset(4), timestamp: -1, leader_epoch: Some(LeaderEpoch::new(3)) }
    );
    registry.update_config(topic_id(1), settings(|settings| settings.log.cleanup.delete = false));
    assert_eq!(delete(None), Err(ErrorCode::PolicyViolation));
}

#[test]
fn a_full_disk_refuses_and_goes_on() {
    let Fixture { partition, disk, reports, .. } = fixture(|_| {});
    append(&partition, Acks::Written, 1);
    disk.limit_space(Some(0));
    let refused = partition.append(batch(1), Acks::Written, 1).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::KafkaStorageError);
    disk.limit_space(None);
    append(&partition, Acks::Written, 1);
    assert_eq!((partition.offsets().log_end, reports.all()), (offset(2), vec![]));
}

#[test]
fn a_failed_write_is_reported_once_and_ends_the_log() {
    let Fixture { partition, disk, reports, .. } = fixture(|_| {});
    append(&partition, Acks::Written, 1);
    disk.fail_at(disk.steps());
    partition.append(batch(1), Acks::Written, 1).unwrap_err();
    assert_eq!(reports.all().len(), 1, "{:?}", reports.all());
    partition.append(batch(1), Acks::Written, 1).unwrap_err();
    assert!(partition.sync().is_err());
    assert_eq!(partition.offsets().high_watermark, offset(0));
}

#[test]
fn a_failed_sync_commits_nothing_ever() {
    let Fixture { partition, disk, .. } = fixture(|_| {});
    append(&partition, Acks::Committed, 1);
    disk.fail_at(disk.steps());
    assert!(partition.sync().is_err());
    assert!(partition.sync().is_err(), "a second try would succeed on a lie");
    assert_eq!(partition.offsets().high_watermark, offset(0));
}

#[test]
fn what_was_committed_survives_power_cuts() {
    for seed in 0..60 {
        let (disk, reports) = (MemoryDisk::new(), Reports::default());
        let mut committed = offset(0);
        for round in 0..3 {
            let registry = still_registry(&disk, &reports);
            let partition = host(&registry, settings(|settings| settings.log.segment_bytes = 400));
            let found = partition.offsets();
            assert!(found.log_end >= committed, "seed {seed}: {committed} was promised, {found:?} is there");
            assert_eq!(found.high_watermark, found.log_end, "an opening syncs what it keeps");
            for step in 0..(seed + round) % 7 {
                append(&partition, Acks::Committed, 2);
                if (seed + step) % 3 != 0 {
                    partition.sync().unwrap();
                    committed = partition.offsets().high_watermark;
                }
            }
            drop(partition);
            drop(registry);
            disk.power_cut(PowerCut::Random(seed * 10 + round));
        }
        assert_eq!(reports.all(), Vec::<String>::new());
    }
}

#[test]
fn producers_are_remembered() {
    let Fixture { partition, .. } = fixture(|_| {});
    partition.append(sequenced(0, 2), Acks::Written, 1).unwrap();
    let producers = partition.producers().unwrap();
    assert_eq!((producers[0].producer_id, producers[0].last_sequence), (ProducerId::new(7), 1));
    let gap = partition.append(sequenced(5, 1), Acks::Written, 1).unwrap_err();
    assert_eq!(gap.code(), ErrorCode::OutOfOrderSequenceNumber);
}

#[test]
fn a_deletion_waits_for_the_sync_that_has_begun() {
    let home = tempfile::tempdir().unwrap();
    let reports = Reports::default();
    let config = config(&[&format!("log.dirs={}", home.path().display())]);
    let engine = PartitionEngine::open(&config, Clock::system(), reports.fatal()).unwrap();
    let registry = engine.registry();
    stop_syncing(&registry);
    let partition = host(&registry, settings(|_| {}));
    append(&partition, Acks::Committed, 1);

    let syncing = partition.syncing.lock();
    let target = partition.with_log(PartitionLog::sync_target).unwrap().unwrap();
    std::thread::scope(|scope| {
        let deletion = scope.spawn(|| registry.delete_topics(&[topic_id(1)]));
        while !partition.is_gone() {
            std::thread::yield_now();
        }
        // Long enough for the rename that must not come.
        std::thread::sleep(Duration::from_millis(50));
        target.sync().expect("the directory still has its name");
        drop(syncing);
        deletion.join().unwrap().expect("deleted");
    });
    assert_eq!(reports.all(), Vec::<String>::new());
}
