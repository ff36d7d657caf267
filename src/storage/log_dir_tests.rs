use std::path::Path;
use std::sync::Arc;

use model::{BrokerId, LeaderEpoch, Offset, TopicId};
use uuid::Uuid;

use crate::checkpoints::PartitionOffsets;
use crate::disk_mem::{MemoryDisk, PowerCut};
use crate::metadata_files::{MetadataFiles, QuorumState, SnapshotId};
use crate::test_support::{NOW_MS, append, batch};
use crate::{Disk, LogConfig, LogDir, MetaProperties, Opening, PartitionLog, StorageError, SystemDisk};

const PATH: &str = "/data/kafka";

fn open(disk: &MemoryDisk) -> LogDir {
    LogDir::open(disk.shared(), Path::new(PATH)).unwrap()
}

fn topic_id(id: u128) -> TopicId {
    TopicId::new(Uuid::from_u128(id))
}

fn offsets(entries: &[(&str, i32, i64)]) -> PartitionOffsets {
    let entry = |(topic, partition, offset): &(&str, i32, i64)| {
        (((*topic).to_owned(), *partition), Offset::new(*offset))
    };
    entries.iter().map(entry).collect()
}

#[test]
fn a_directory_has_one_owner() {
    let disk = MemoryDisk::new();
    let first = open(&disk);
    let second = LogDir::open(disk.shared(), Path::new(PATH));
    assert!(matches!(second, Err(StorageError::Locked { .. })));
    drop(first);
    open(&disk);
}

#[test]
fn the_machines_locks_have_one_owner_too() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SystemDisk::shared();
    let first = LogDir::open(Arc::clone(&disk), dir.path()).unwrap();
    for _ in 0..2 {
        let second = LogDir::open(Arc::clone(&disk), dir.path());
        assert!(matches!(second, Err(StorageError::Locked { .. })), "{second:?}");
    }
    drop(first);
    LogDir::open(disk, dir.path()).unwrap();
    assert_eq!(SystemDisk.metadata(&dir.path().join(".lock")).unwrap().unwrap().len, 0);
}

#[test]
fn an_identity_is_written_once_and_kept() {
    let disk = MemoryDisk::new();
    let mut dir = open(&disk);
    assert_eq!(dir.meta(), None);
    let meta = MetaProperties {
        cluster_id: "abc".to_owned(),
        node_id: BrokerId::new(4),
        directory_id: Some(Uuid::from_u128(9)),
    };
    dir.format(meta.clone()).unwrap();
    drop(dir);
    disk.power_cut(PowerCut::LoseAll);
    assert_eq!(open(&disk).meta(), Some(&meta));
    disk.corrupt(&Path::new(PATH).join("meta.properties"), |data| data.truncate(3));
    let damaged = LogDir::open(disk.shared(), Path::new(PATH));
    assert!(matches!(damaged, Err(StorageError::Malformed { .. })), "a guess would mix up clusters");
}

#[test]
fn a_clean_marker_counts_once() {
    let disk = MemoryDisk::new();
    let dir = open(&disk);
    assert!(!dir.take_clean_marker().unwrap().clean);
    dir.write_clean_marker(77).unwrap();
    let text = disk.contents(&Path::new(PATH).join(".kafka_cleanshutdown")).unwrap();
    let content: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(content, serde_json::json!({ "version": 0, "brokerEpoch": 77 }));
    drop(dir);
    disk.power_cut(PowerCut::LoseAll);
    let dir = open(&disk);
    let last = dir.take_clean_marker().unwrap();
    assert_eq!((last.clean, last.broker_epoch), (true, Some(77)));
    drop(dir);
    disk.power_cut(PowerCut::LoseAll);
    assert!(!open(&disk).take_clean_marker().unwrap().clean, "a power cut does not bring it back");
    // Older brokers left an empty file.
    open(&disk).write_clean_marker(1).unwrap();
    disk.corrupt(&Path::new(PATH).join(".kafka_cleanshutdown"), Vec::clear);
    let last = open(&disk).take_clean_marker().unwrap();
    assert_eq!((last.clean, last.broker_epoch), (true, None));
}

#[test]
fn partitions_are_made_and_deleted_durably() {
    let disk = MemoryDisk::new();
    let dir = open(&disk);
    let path = dir.create_partition("a-b", 0, topic_id(1)).unwrap();
    dir.create_partition("t", 12, topic_id(2)).unwrap();
    let text = disk.contents(&path.join("partition.metadata")).unwrap();
    assert_eq!(String::from_utf8(text).unwrap(), "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ");
    disk.create_dir(&Path::new(PATH).join("lost+found")).unwrap();
    disk.create_dir(&Path::new(PATH).join("t-3.0123-stray")).unwrap();
    drop(dir);
    disk.power_cut(PowerCut::LoseAll);
    let dir = open(&disk);
    let found = dir.partitions().unwrap();
    let names: Vec<_> =
        found.iter().map(|found| (found.topic.as_str(), found.partition, found.topic_id)).collect();
    assert_eq!(names, [("a-b", 0, Some(topic_id(1))), ("t", 12, Some(topic_id(2)))]);
    let (mut log, _) = PartitionLog::open(
        disk.shared(),
        &path,
        LogConfig { index_bytes_max: 240, ..LogConfig::default() },
        Opening::unknown(NOW_MS),
    )
    .unwrap();
    append(&mut log, batch(1, NOW_MS, 1));
    log.close().unwrap();
    let target = dir.delete_partition("a-b", 0, Uuid::from_u128(5)).unwrap();
    drop(dir);
    disk.power_cut(PowerCut::LoseAll);
    let dir = open(&disk);
    assert_eq!(dir.partitions().unwrap().len(), 1);
    assert_eq!(dir.deleted_partitions().unwrap(), std::slice::from_ref(&target));
    dir.remove_deleted(&target).unwrap();
    assert_eq!(dir.deleted_partitions().unwrap(), [] as [std::path::PathBuf; 0]);
    dir.remove_deleted(&target).unwrap();
}

#[test]
fn a_partition_is_deleted_on_a_full_disk() {
    let disk = MemoryDisk::new();
    let dir = open(&disk);
    dir.create_partition("t", 0, topic_id(1)).unwrap();
    dir.write_recovery_points(offsets(&[("t", 0, 7)])).unwrap();
    disk.limit_space(Some(0));
    let target = dir.delete_partition("t", 0, Uuid::from_u128(5)).expect("it takes no space");
    dir.remove_deleted(&target).unwrap();
    assert!(dir.create_partition("t", 0, topic_id(2)).is_err(), "the old one is not forgotten yet");
    disk.limit_space(None);
    dir.create_partition("t", 0, topic_id(2)).unwrap();
    assert_eq!(dir.recovery_points(), offsets(&[]));
}

#[test]
fn a_damaged_topic_id_is_refused() {
    let disk = MemoryDisk::new();
    let dir = open(&disk);
    let path = dir.create_partition("t", 0, topic_id(1)).unwrap().join("partition.metadata");
    for text in [
        "",
        "version: 0\n",
        "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA",
        "version: x\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ",
    ] {
        disk.corrupt(&path, |data| *data = text.as_bytes().to_vec());
        assert!(matches!(dir.partitions(), Err(StorageError::Malformed { .. })), "{text:?}");
    }
}

#[test]
fn checkpoints_survive_and_say_nothing_of_what_was_deleted() {
    let disk = MemoryDisk::new();
    let dir = open(&disk);
    dir.write_missing_checkpoints().unwrap();
    let known = offsets(&[("t", 0, 10), ("t", 1, 20)]);
    dir.write_recovery_points(known.clone()).unwrap();
    dir.write_log_starts(offsets(&[("t", 0, 3)])).unwrap();
    dir.write_high_watermarks(offsets(&[("t", 0, 9)])).unwrap();
    let steps = disk.steps();
    dir.write_recovery_points(known.clone()).unwrap();
    assert_eq!(disk.steps(), steps, "what has not changed is not written again");
    drop(dir);
    disk.power_cut(PowerCut::LoseAll);
    let dir = open(&disk);
    assert_eq!(dir.recovery_points(), known);
    assert_eq!(dir.log_starts(), offsets(&[("t", 0, 3)]));
    assert_eq!(dir.high_watermarks(), offsets(&[("t", 0, 9)]));
    dir.lower_recovery_point("t", 1, Offset::new(25)).unwrap();
    dir.lower_recovery_point("t", 1, Offset::new(15)).unwrap();
    dir.lower_recovery_point("t", 2, Offset::new(15)).unwrap();
    assert_eq!(dir.recovery_points(), offsets(&[("t", 0, 10), ("t", 1, 15)]));
    dir.create_partition("t", 0, topic_id(1)).unwrap();
    drop(dir);
    disk.power_cut(PowerCut::LoseAll);
    let dir = open(&disk);
    assert_eq!(dir.recovery_points(), offsets(&[("t", 1, 15)]), "a new partition starts from nothing");
    assert!(dir.log_starts().is_empty() && dir.high_watermarks().is_empty());
    let cleaner = disk.contents(&Path::new(PATH).join("cleaner-offset-checkpoint")).unwrap();
    assert_eq!(cleaner, b"0\n0\n");
}

#[test]
fn any_damage_to_a_checkpoint_loses_the_checkpoint_only() {
    let disk = MemoryDisk::new();
    let dir = open(&disk);
    dir.write_recovery_points(offsets(&[("t", 0, 10), ("u", 1, 20)])).unwrap();
    drop(dir);
    let path = Path::new(PATH).join("recovery-point-offset-checkpoint");
    let sound = disk.contents(&path).unwrap();
    for len in 0..sound.len() - 1 {
        disk.corrupt(&path, |data| {
            data.clone_from(&sound);
            data.truncate(len);
        });
        let known = open(&disk).recovery_points();
        let true_ones = offsets(&[("t", 0, 10), ("u", 1, 20)]);
        // A number may have lost its last digits: it is smaller then, and more is scanned.
        let smaller =
            known.iter().all(|(key, offset)| true_ones.get(key).is_some_and(|known| offset <= known));
        assert!(smaller, "cut at {len}: {known:?}");
    }
}

#[test]
fn a_checkpoint_is_old_or_new_after_a_crash_at_any_step() {
    let old = offsets(&[("t", 0, 1)]);
    let new = offsets(&[("t", 0, 2), ("t", 1, 3)]);
    for step in 0..6 {
        for seed in 0..16 {
            let disk = MemoryDisk::new();
            let dir = open(&disk);
            dir.write_recovery_points(old.clone()).unwrap();
            disk.stop_at(disk.steps() + step);
            let written = dir.write_recovery_points(new.clone());
            drop(dir);
            disk.power_cut(if seed == 0 { PowerCut::LoseAll } else { PowerCut::Random(seed) });
            let found = open(&disk).recovery_points();
            assert!(
                found == new || (found == old && written.is_err()),
                "step {step}, seed {seed}: {found:?}"
            );
        }
    }
}

#[test]
fn metadata_snapshots_are_whole_or_not_there() {
    let disk = MemoryDisk::new();
    let dir = Path::new("/m");
    disk.create_dir(dir).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    let files = MetadataFiles::new(disk.shared(), dir);
    let id = |offset, epoch| SnapshotId { offset: Offset::new(offset), epoch: LeaderEpoch::new(epoch) };
    files.write_snapshot(id(20, 3), b"newer").unwrap();
    files.write_snapshot(id(7, 1), b"older").unwrap();
    assert!(disk.contents(&dir.join("00000000000000000020-0000000003.checkpoint")).is_some());
    disk.stop_at(disk.steps() + 2);
    assert!(files.write_snapshot(id(30, 3), b"half").is_err());
    disk.power_cut(PowerCut::Random(3));
    assert_eq!(files.snapshots().unwrap(), [id(7, 1), id(20, 3)]);
    assert_eq!(files.read_snapshot(id(20, 3)).unwrap().as_deref(), Some(&b"newer"[..]));
    assert_eq!(files.read_snapshot(id(30, 3)).unwrap(), None);
    files.remove_snapshot(id(7, 1)).unwrap();
    files.remove_snapshot(id(7, 1)).unwrap();
    assert_eq!(files.snapshots().unwrap(), [id(20, 3)]);
}

#[test]
fn the_quorum_state_is_kafkas_json() {
    let disk = MemoryDisk::new();
    let dir = Path::new("/m");
    disk.create_dir(dir).unwrap();
    let files = MetadataFiles::new(disk.shared(), dir);
    assert_eq!(files.read_quorum_state().unwrap(), None);
    // As Apache Kafka 4.1 with dynamic voters and with static ones writes it.
    for (text, voters) in [
        (
            r#"{"leaderId":1,"leaderEpoch":7,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#,
            None,
        ),
        (
            r#"{"clusterId":"","leaderId":1,"leaderEpoch":7,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1},{"voterId":2}],"data_version":0}"#,
            Some(vec![BrokerId::new(1), BrokerId::new(2)]),
        ),
    ] {
        let expected = QuorumState {
            leader_id: Some(BrokerId::new(1)),
            leader_epoch: LeaderEpoch::new(7),
            voted_id: None,
            voted_directory_id: None,
            voters,
        };
        files.write_quorum_state(&expected).unwrap();
        let written = disk.contents(&dir.join("quorum-state")).unwrap();
        let value = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
        assert_eq!(value(&written), value(text.as_bytes()));
        disk.corrupt(&dir.join("quorum-state"), |data| *data = text.as_bytes().to_vec());
        assert_eq!(files.read_quorum_state().unwrap(), Some(expected));
    }
    disk.corrupt(&dir.join("quorum-state"), |data| data.truncate(9));
    assert!(matches!(files.read_quorum_state(), Err(StorageError::Malformed { .. })));
}
