use std::path::PathBuf;

use model::{ErrorCode, LeaderEpoch};
use storage::disk_mem::{MemoryDisk, PowerCut};

use super::*;
use crate::partition::test_support::{
    DIR, Reports, TOPIC, append, host, offset, read_below, running_engine, settings, still_registry, topic_id,
};
use crate::partition::{Acks, NewPartition};

fn names(disk: &MemoryDisk) -> Vec<String> {
    let files = disk.files().into_iter();
    let mut names: Vec<String> = files
        .filter_map(|file| {
            let rest = file.strip_prefix(DIR).ok()?;
            rest.components().next().map(|name| name.as_os_str().to_string_lossy().into_owned())
        })
        .collect();
    names.dedup();
    names
}

fn text(disk: &MemoryDisk, name: &str) -> String {
    let bytes = disk.contents(&PathBuf::from(DIR).join(name)).unwrap_or_default();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_clean_stop_leaves_checkpoints_and_a_marker_that_the_next_start_takes() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let engine = running_engine(&disk, &reports, &[]);
    engine.registry().set_broker_epoch(17);
    let partition = host(&engine.registry(), settings(|_| {}));
    append(&partition, Acks::Written, 5);
    engine.stop();
    assert!(partition.is_gone());
    assert_eq!(text(&disk, "recovery-point-offset-checkpoint"), format!("0\n1\n{TOPIC} 0 5\n"));
    assert_eq!(text(&disk, "replication-offset-checkpoint"), format!("0\n1\n{TOPIC} 0 5\n"));
    assert!(text(&disk, ".kafka_cleanshutdown").contains("17"));
    drop((engine, partition));

    let engine = running_engine(&disk, &reports, &[]);
    assert!(!names(&disk).contains(&".kafka_cleanshutdown".to_owned()), "it is taken at the start");
    let partition = host(&engine.registry(), settings(|_| {}));
    assert_eq!((partition.offsets().high_watermark, partition.offsets().log_end), (offset(5), offset(5)));
    engine.stop();
    assert_eq!(reports.all(), Vec::<String>::new());
}

#[test]
fn many_partitions_are_recovered_by_several_threads() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let new = |count: i32| -> Vec<NewPartition> {
        (0..count)
            .map(|index| NewPartition {
                topic: format!("topic-{}", index % 3).into(),
                topic_id: topic_id(u128::from((index % 3).unsigned_abs()) + 1),
                partition: index / 3,
                leader_epoch: LeaderEpoch::new(0),
                directory: None,
                settings: Arc::new(settings(|_| {})),
            })
            .collect()
    };
    let registry = still_registry(&disk, &reports);
    assert!(registry.create_all(new(30)).is_empty());
    for partition in registry.all() {
        append(&partition, Acks::Written, usize::try_from(partition.index()).unwrap() + 1);
        partition.sync().unwrap();
    }
    drop(registry);
    disk.power_cut(PowerCut::LoseAll);
    let registry = still_registry(&disk, &reports);
    assert!(registry.create_all(new(33)).is_empty());
    assert_eq!(registry.all().len(), 33);
    for partition in registry.all() {
        let expected = if partition.index() == 10 { 0 } else { i64::from(partition.index()) + 1 };
        assert_eq!(partition.offsets().log_end, offset(expected), "{}", partition.dir_name());
    }
}

fn partitions_of(topic: &str, id: u128, count: i32) -> Vec<NewPartition> {
    let settings = Arc::new(settings(|_| {}));
    let new = |partition| NewPartition {
        topic: topic.into(),
        topic_id: topic_id(id),
        partition,
        leader_epoch: LeaderEpoch::new(0),
        directory: None,
        settings: Arc::clone(&settings),
    };
    (0..count).map(new).collect()
}

/// On a busy disk a sync takes 50 ms and more, and each log has several: one log after the other, a stop took longer than the
/// sessions of its groups.
#[test]
fn logs_are_closed_together_on_a_slow_disk() {
    const TOGETHER: usize = 16;
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let registry = still_registry(&disk, &reports);
    assert!(registry.create_all(partitions_of("many", 1, 40)).is_empty());
    for partition in registry.all() {
        append(&partition, Acks::Written, 3);
    }
    let all = registry.all();
    disk.hold_syncs(true);
    let (closed, together) = std::thread::scope(|scope| {
        let closing = scope.spawn(|| close_in_parallel(all.iter().collect(), 1));
        let mut tries = 0;
        while disk.syncs_held() < TOGETHER && tries < 10_000 {
            tries += 1;
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let together = disk.syncs_held();
        disk.hold_syncs(false);
        (closing.join().unwrap(), together)
    });
    assert_eq!(together, TOGETHER);
    assert_eq!(closed.iter().filter(|log| log.clean && log.log_end == offset(3)).count(), 40);
}

#[test]
fn a_bulk_change_writes_every_checkpoint_once() {
    const MANY: i32 = 60;
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let engine = running_engine(&disk, &reports, &[]);
    engine.registry().create_all(partitions_of("many", 1, MANY));
    let before = disk.steps();
    engine.stop();
    let steps = disk.steps() - before;
    assert!(steps < 3 * MANY as u64 + 40, "logs without records have nothing to sync: {steps}");
    drop(engine);
    let registry = still_registry(&disk, &reports);
    assert!(registry.create_all(partitions_of("many", 1, MANY)).is_empty());
    assert_eq!(text(&disk, "recovery-point-offset-checkpoint").lines().count(), 2 + MANY as usize);

    let before = disk.steps();
    registry.delete_topics(&[topic_id(1), topic_id(7)]).unwrap();
    let steps = disk.steps() - before;
    assert!(steps < MANY as u64 + 20, "a rename each, and then some: {steps}");
    assert_eq!(text(&disk, "recovery-point-offset-checkpoint"), "0\n0\n");
    assert_eq!(names(&disk).iter().filter(|name| name.ends_with("-delete")).count(), MANY as usize);

    // The next of that name are made with nothing to forget, and one sync of the directory for all.
    let steps_for = |count: i32, id: u128| {
        let before = disk.steps();
        assert!(registry.create_all(partitions_of(&format!("made-{id}"), id, count)).is_empty());
        disk.steps() - before
    };
    let one = steps_for(1, 2) - 1;
    assert_eq!(steps_for(MANY, 3), one * MANY as u64 + 1);
    disk.power_cut(PowerCut::LoseAll);
    assert!(names(&disk).contains(&format!("made-3-{}", MANY - 1)));
}

#[test]
fn namesakes_of_what_is_found_are_made_as_new_ones_are() {
    const MANY: i32 = 40;
    let steps = |found: Option<u128>| {
        let (disk, reports) = (MemoryDisk::new(), Reports::default());
        if let Some(id) = found {
            let engine = running_engine(&disk, &reports, &[]);
            engine.registry().create_all(partitions_of("many", id, MANY));
            engine.stop();
        }
        let registry = still_registry(&disk, &reports);
        let before = disk.steps();
        assert!(registry.create_all(partitions_of("many", 1, MANY)).is_empty());
        if found == Some(2) {
            assert_eq!(text(&disk, "recovery-point-offset-checkpoint"), "0\n0\n", "forgotten, all at once");
        }
        disk.steps() - before
    };
    let set_aside = 2 * MANY as u64;
    assert!(steps(Some(2)) < steps(None) + set_aside + 30, "{} and {}", steps(Some(2)), steps(None));
}

#[test]
fn a_creation_that_was_cut_short_is_finished_and_records_without_a_topic_are_nobodys() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let registry = still_registry(&disk, &reports);
    registry.create_all(partitions_of("cut", 1, 2));
    let partition = registry.by_name("cut", 1).unwrap();
    append(&partition, Acks::Written, 3);
    registry.all().iter().for_each(|partition| partition.sync().unwrap());
    drop((registry, partition));
    for index in 0..2 {
        let path = PathBuf::from(DIR).join(format!("cut-{index}/partition.metadata"));
        disk.shared().remove_file(&path).unwrap();
        disk.shared().sync_dir(path.parent().unwrap()).unwrap();
    }
    disk.power_cut(PowerCut::LoseAll);

    let registry = still_registry(&disk, &reports);
    assert!(registry.create_all(partitions_of("cut", 1, 2)).is_empty());
    let ends: Vec<_> =
        (0..2).map(|index| registry.by_name("cut", index).unwrap().offsets().log_end).collect();
    assert_eq!(ends, [offset(0), offset(0)]);
    let strays: Vec<_> = names(&disk).into_iter().filter(|name| name.ends_with("-stray")).collect();
    assert!(strays.len() == 1 && strays[0].starts_with("cut-1."), "{strays:?}");
    for index in 0..2 {
        assert!(text(&disk, &format!("cut-{index}/partition.metadata")).contains("topic_id: "));
    }
}

#[test]
fn partitions_made_on_a_full_disk_come_online_when_there_is_room() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let engine = running_engine(&disk, &reports, &["replica.high.watermark.checkpoint.interval.ms=10"]);
    let registry = engine.registry();
    disk.limit_space(Some(0));
    assert_eq!(registry.create_all(partitions_of("waits", 1, 3)).len(), 3);
    assert_eq!(registry.create_all(partitions_of("goes", 2, 1)).len(), 1);
    assert_eq!(registry.find("waits", 1).unwrap_err(), ErrorCode::KafkaStorageError);
    registry.delete_topics(&[topic_id(2)]).unwrap();
    registry.update_leader_epoch(topic_id(1), 2, LeaderEpoch::new(5));
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(registry.find("waits", 0).is_err());

    disk.limit_space(None);
    let all_online = || (0..3).all(|index| registry.find("waits", index).is_ok());
    for _ in 0..500 {
        if all_online() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(all_online());
    assert_eq!(registry.find("goes", 0).unwrap_err(), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(registry.find("waits", 2).unwrap().leader_epoch(), LeaderEpoch::new(5));
    append(&registry.find("waits", 2).unwrap(), Acks::Written, 1);
    engine.stop();
    assert!(names(&disk).contains(&".kafka_cleanshutdown".to_owned()), "nothing was ever in doubt");
    assert_eq!(reports.all(), Vec::<String>::new());
}

#[test]
fn what_no_topic_claims_is_kept_but_not_served() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let registry = still_registry(&disk, &reports);
    append(&host(&registry, settings(|_| {})), Acks::Written, 3);
    drop(registry);
    disk.power_cut(PowerCut::LoseAll);

    let registry = still_registry(&disk, &reports);
    // A topic of the same name, made anew: it must not get the records of the other.
    registry.create(TOPIC, topic_id(2), 0, LeaderEpoch::new(0), settings(|_| {})).unwrap();
    assert_eq!(registry.by_name(TOPIC, 0).unwrap().offsets().log_end, offset(0));
    registry.retire_strays().unwrap();
    let strays = names(&disk).into_iter().filter(|name| name.ends_with("-stray")).count();
    assert_eq!(strays, 1, "{:?}", names(&disk));
    drop(registry);
    disk.power_cut(PowerCut::LoseAll);

    let registry = still_registry(&disk, &reports);
    registry.retire_strays().unwrap();
    let strays: Vec<_> = names(&disk).into_iter().filter(|name| name.ends_with("-stray")).collect();
    assert_eq!(strays.len(), 2, "the second is unclaimed as well: {strays:?}");
    assert!(registry.all().is_empty());
}

#[test]
fn a_damaged_log_is_offline_and_nothing_vouches_for_its_directory() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let engine = running_engine(&disk, &reports, &[]);
    append(&host(&engine.registry(), settings(|_| {})), Acks::Written, 3);
    engine.registry().create("sound", topic_id(2), 0, LeaderEpoch::new(0), settings(|_| {})).unwrap();
    engine.stop();
    drop(engine);
    // The marker is gone, as after a crash, and a byte below the recovery point has changed.
    let log = PathBuf::from(DIR).join(format!("{TOPIC}-0/00000000000000000000.log"));
    disk.corrupt(&log, |bytes| *bytes.last_mut().unwrap() ^= 1);
    disk.shared().remove_file(&PathBuf::from(DIR).join(".kafka_cleanshutdown")).unwrap();

    let engine = running_engine(&disk, &reports, &[]);
    let registry = engine.registry();
    registry.create("sound", topic_id(2), 0, LeaderEpoch::new(0), settings(|_| {})).unwrap();
    let damaged = registry.create(TOPIC, topic_id(1), 0, LeaderEpoch::new(0), settings(|_| {}));
    assert!(matches!(damaged, Err(StorageError::Damaged { .. })), "{damaged:?}");
    assert_eq!(registry.find(TOPIC, 0).unwrap_err(), ErrorCode::KafkaStorageError);
    assert_eq!(registry.find(TOPIC, 1).unwrap_err(), ErrorCode::UnknownTopicOrPartition);
    append(&registry.by_name("sound", 0).unwrap(), Acks::Written, 1);
    engine.stop();
    let points = text(&disk, "recovery-point-offset-checkpoint");
    assert!(points.contains(&format!("{TOPIC} 0 3\n")) && points.contains("sound 0 1\n"), "{points}");
    assert!(!names(&disk).contains(&".kafka_cleanshutdown".to_owned()));
}

#[test]
fn retention_deletes_old_segments_and_moves_the_log_start() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let registry = still_registry(&disk, &reports);
    let partition = host(
        &registry,
        settings(|settings| {
            settings.log.segment_bytes = 300;
            settings.log.retention_bytes = 600;
            settings.log.retention_ms = -1;
        }),
    );
    for _ in 0..10 {
        append(&partition, Acks::Written, 2);
    }
    partition.retain(1_000_000);
    assert_eq!(partition.offsets().log_start, offset(0), "nothing is committed, so nothing goes");
    partition.sync().unwrap();
    partition.retain(1_000_000);
    let offsets = partition.offsets();
    assert!(offsets.log_start > offset(0) && offsets.log_start < offsets.high_watermark, "{offsets:?}");
    assert!(partition.size_bytes().unwrap() <= 900);
    let gone = partition.read(read_below(offsets.high_watermark)).unwrap_err();
    assert_eq!(gone.code(), ErrorCode::OffsetOutOfRange);
}

#[test]
fn deleted_topics_leave_the_disk_after_their_delay() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let engine = running_engine(&disk, &reports, &["replica.high.watermark.checkpoint.interval.ms=10"]);
    let registry = engine.registry();
    append(&host(&registry, settings(|settings| settings.log.file_delete_delay_ms = 0)), Acks::Written, 1);
    registry.delete_topics(&[topic_id(1)]).unwrap();
    let is_removed = || !names(&disk).iter().any(|name| name.starts_with(TOPIC));
    for _ in 0..500 {
        if is_removed() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(is_removed(), "{:?}", names(&disk));
    let points = text(&disk, "replication-offset-checkpoint");
    assert!(!points.contains(TOPIC), "{points}");
    engine.stop();
    assert_eq!(reports.all(), Vec::<String>::new());
}

#[test]
fn a_topic_made_anew_inherits_no_checkpoint() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let engine = running_engine(&disk, &reports, &[]);
    append(&host(&engine.registry(), settings(|_| {})), Acks::Written, 4);
    engine.stop();
    drop(engine);
    let engine = running_engine(&disk, &reports, &[]);
    let registry = engine.registry();
    host(&registry, settings(|_| {}));
    registry.delete_topics(&[topic_id(1)]).unwrap();
    registry.create(TOPIC, topic_id(9), 0, LeaderEpoch::new(0), settings(|_| {})).unwrap();
    engine.registry().dirs()[0].checkpoint_recovery_points(&registry).unwrap();
    assert!(text(&disk, "recovery-point-offset-checkpoint").contains(&format!("{TOPIC} 0 0\n")));
    engine.stop();
}

#[test]
fn a_second_owner_is_refused() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let engine = running_engine(&disk, &reports, &[]);
    let second = PartitionEngine::open_on(
        &disk.shared(),
        &crate::partition::test_support::config(&[]),
        Clock::system(),
        reports.fatal(),
    );
    assert!(matches!(second, Err(OpenError::Storage(StorageError::Locked { .. }))), "{second:?}");
    engine.stop();
}

#[test]
fn a_log_that_cannot_be_closed_is_not_called_synced() {
    let (disk, reports) = (MemoryDisk::new(), Reports::default());
    let engine = running_engine(&disk, &reports, &[]);
    let registry = engine.registry();
    crate::partition::test_support::stop_syncing(&registry);
    let partition = host(&registry, settings(|_| {}));
    append(&partition, Acks::Written, 5);
    disk.fail_at(disk.steps() + 1);
    engine.stop();
    let synced = text(&disk, "recovery-point-offset-checkpoint");
    assert!(!synced.contains(TOPIC), "{synced}");
    assert!(!names(&disk).contains(&".kafka_cleanshutdown".to_owned()));
}
