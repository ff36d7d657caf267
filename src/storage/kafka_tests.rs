//! Held against what a real Kafka left on disk; `testdata/README.md` says how it came about.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use model::{BatchHeader, BrokerId, LeaderEpoch, Offset};

use crate::checkpoints::PartitionOffsets;
use crate::metadata_files::MetadataFiles;
use crate::test_support::{NOW_MS, offsets, read_all, split};
use crate::{LogConfig, LogDir, Opening, PartitionLog, SystemDisk};

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/kafka-4.1.2")
}

fn config() -> LogConfig {
    LogConfig {
        segment_ms: 1_000,
        index_interval_bytes: 100,
        index_bytes_max: 4_096,
        verify_transactions: false,
        ..LogConfig::default()
    }
}

/// A copy that may be changed.
fn copy_of(source: &Path) -> tempfile::TempDir {
    let target = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), target.path().join(entry.file_name())).unwrap();
        }
    }
    target
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entry =
        |entry: fs::DirEntry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
    fs::read_dir(dir).unwrap().map(|found| entry(found.unwrap())).collect()
}

/// The batches in the log files, read without any help of ours.
fn batches() -> Vec<Bytes> {
    let all = files(&testdata().join("fixture-0")).into_iter();
    let logs = all.filter(|(name, _)| crate::names::parse_offset_file(name, crate::names::LOG).is_some());
    logs.flat_map(|(_, bytes)| split(&Bytes::from(bytes))).collect()
}

fn open(dir: &Path, clean: bool) -> PartitionLog {
    let opening = Opening { recovery_point: Offset::new(36), clean, ..Opening::unknown(NOW_MS) };
    PartitionLog::open(SystemDisk::shared(), dir, config(), opening).unwrap().0
}

#[test]
fn kafkas_log_is_read() {
    for clean in [true, false] {
        let dir = copy_of(&testdata().join("fixture-0"));
        let before = files(dir.path());
        let mut log = open(dir.path(), clean);
        assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset::ZERO, Offset::new(36)));
        assert_eq!(read_all(&mut log), batches());
        assert_eq!(log.segment_count(), 4);
        assert_eq!(log.aborted_transactions(Offset::ZERO, Offset::new(36)).unwrap().len(), 4);
        assert_eq!(log.last_stable_offset(Offset::new(36)), Offset::new(36));
        let producers: Vec<_> =
            log.active_producers(NOW_MS).iter().map(|producer| producer.last_sequence).collect();
        assert_eq!(producers, [11, -1, -1], "transactional ones begin a new epoch with each transaction");
        let found = log.offset_for_timestamp(1_700_000_001_000).unwrap().unwrap();
        assert_eq!((found.offset, found.leader_epoch), (Offset::new(5), LeaderEpoch::new(0)));
        log.close().unwrap();
        assert_eq!(files(dir.path()), before, "nothing is left otherwise than Kafka had it; clean {clean}");
    }
}

#[test]
fn the_same_batches_give_the_same_files() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, _) =
        PartitionLog::open(SystemDisk::shared(), dir.path(), config(), Opening::unknown(NOW_MS)).unwrap();
    for batch in batches() {
        log.append_as_follower(batch, NOW_MS).unwrap();
    }
    log.close().unwrap();
    let mut expected = files(&testdata().join("fixture-0"));
    expected.remove("partition.metadata");
    let found = files(dir.path());
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in expected {
        assert_eq!(found.get(&name), Some(&bytes), "{name}");
    }
}

#[test]
fn a_leader_rolls_and_numbers_as_kafka_did() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, _) =
        PartitionLog::open(SystemDisk::shared(), dir.path(), config(), Opening::unknown(NOW_MS)).unwrap();
    for batch in batches() {
        let header = BatchHeader::parse(&batch).unwrap();
        let mut sent = batch.to_vec();
        sent[0..8].fill(0);
        sent[12..16].fill(0xff);
        let origin = if header.is_control() { crate::Origin::Coordinator } else { crate::Origin::Client };
        let appended = log.append_from(origin, sent.into(), LeaderEpoch::new(0), NOW_MS).unwrap();
        assert_eq!(appended.base_offset, header.base_offset);
    }
    assert_eq!(offsets(&read_all(&mut log)), offsets(&batches()));
    assert_eq!(read_all(&mut log), batches());
    log.close().unwrap();
    assert_eq!(files(dir.path()).len(), files(&testdata().join("fixture-0")).len() - 1);
}

#[test]
fn kafkas_directory_is_taken_over() {
    let copy = copy_of(&testdata());
    let partition = copy_of(&testdata().join("fixture-0"));
    fs::rename(partition.path(), copy.path().join("fixture-0")).unwrap();
    let dir = LogDir::open(SystemDisk::shared(), copy.path()).unwrap();
    let meta = dir.meta().unwrap();
    assert_eq!((meta.cluster_id.as_str(), meta.node_id), ("4L6g3nShT-eMCtK--X86sw", BrokerId::new(1)));
    assert!(meta.directory_id.is_some());
    let known = |offset: i64| Some(Offset::new(offset));
    let offset = |offsets: PartitionOffsets| offsets.get(&("fixture".to_owned(), 0)).copied();
    assert_eq!(offset(dir.recovery_points()), known(36));
    assert_eq!(offset(dir.high_watermarks()), known(36));
    assert_eq!(offset(dir.log_starts()), None);
    let last = dir.take_clean_marker().unwrap();
    assert_eq!((last.clean, last.broker_epoch), (true, Some(15)));
    let partitions = dir.partitions().unwrap();
    assert_eq!(partitions.len(), 1);
    assert_eq!((partitions[0].topic.as_str(), partitions[0].partition), ("fixture", 0));
    assert!(partitions[0].topic_id.is_some());
}

#[test]
fn kafkas_quorum_state_is_understood_and_written_alike() {
    let dir = copy_of(&testdata().join("metadata"));
    let before = files(dir.path());
    let state = MetadataFiles::new(SystemDisk::shared(), dir.path());
    let known = state.read_quorum_state().unwrap().unwrap();
    assert_eq!((known.leader_id, known.leader_epoch), (Some(BrokerId::new(1)), LeaderEpoch::new(1)));
    assert_eq!((&known.voters, known.voted_id), (&Some(vec![BrokerId::new(1)]), None));
    state.write_quorum_state(&known).unwrap();
    let json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
    let after = files(dir.path());
    assert_eq!(json(&after["quorum-state"]), json(&before["quorum-state"]));
}
