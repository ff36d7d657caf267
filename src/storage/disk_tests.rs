//! The whole room on the machine's own file system.

use std::path::Path;
use std::sync::Arc;

use model::{LeaderEpoch, Offset};

use crate::test_support::{NOW_MS, append, batch, produced, read_all, request, sync};
use crate::{LogConfig, LogDir, Opening, PartitionLog, SystemDisk};
use model::TopicId;

fn open(path: &Path, config: &LogConfig, recovery_point: i64, clean: bool) -> PartitionLog {
    let opening = Opening { recovery_point: Offset::new(recovery_point), clean, ..Opening::unknown(NOW_MS) };
    PartitionLog::open(SystemDisk::shared(), path, config.clone(), opening).unwrap().0
}

#[test]
fn a_log_lives_on_a_real_disk() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SystemDisk::shared();
    let log_dir = LogDir::open(Arc::clone(&disk), &dir.path().join("a/b")).unwrap();
    assert!(log_dir.space().unwrap().free_bytes > 0);
    let path = log_dir.create_partition("t", 0, TopicId::ZERO).unwrap();
    let config = LogConfig { segment_bytes: 20_000, preallocate: true, ..LogConfig::default() };
    let mut log = open(&path, &config, 0, false);
    for at in 0..400 {
        let sent = produced(1, 0, at * 3, 3);
        log.append_as_leader(sent, LeaderEpoch::new(at / 100), NOW_MS + i64::from(at)).unwrap();
    }
    sync(&mut log);
    assert!(log.segment_count() > 2);
    let all = read_all(&mut log);
    assert_eq!(all.len(), 400);
    let plan = log.read_plan(request(Offset::ZERO, 1_000, Offset::new(1_200), true), None).unwrap();
    assert!(plan.ranges()[0].file.as_fd().is_some(), "there is something to send from");
    drop(log);
    let mut log = open(&path, &config, 600, false);
    assert_eq!(read_all(&mut log), all);
    log.truncate_to(Offset::new(900), NOW_MS).unwrap();
    log.apply_retention(NOW_MS + 8 * 86_400_000, Offset::new(300)).unwrap();
    log.purge_deleted(i64::MAX).unwrap();
    append(&mut log, batch(1, NOW_MS, 1));
    let rest = read_all(&mut log);
    let end = log.log_end_offset();
    log.close().unwrap();
    let mut log = open(&path, &config, end.value(), true);
    assert_eq!(read_all(&mut log), rest);
    drop(log);
    let deleted = log_dir.delete_partition("t", 0, uuid::Uuid::from_u128(1)).unwrap();
    log_dir.remove_deleted(&deleted).unwrap();
    assert!(!path.exists() && !deleted.exists());
}
