use std::sync::Arc;

use bytes::Bytes;
use model::{ErrorCode, ProducerEpoch, ProducerId};
use records::BatchBuilder;
use storage::disk_mem::MemoryDisk;
use storage::{Origin, TxnMarker};

use super::MARKER_BYTES;
use crate::partition::late_transactions::LateTransactions;
use crate::partition::test_support::{
    Reports, append, batch, host, offset, read_below, settings, still_registry,
};
use crate::partition::{Acks, Partition, PartitionError, Placed};

const PRODUCER: ProducerId = ProducerId::new(9);
const NOW_MS: i64 = 1_000_000;

fn partition() -> Arc<Partition> {
    let registry = still_registry(&MemoryDisk::new(), &Reports::default());
    host(&registry, settings(|_| {}))
}

fn end(epoch: i16, transaction_version: i16) -> TxnMarker {
    TxnMarker {
        producer_id: PRODUCER,
        producer_epoch: ProducerEpoch::new(epoch),
        commit: false,
        coordinator_epoch: 0,
        transaction_version,
    }
}

fn records(epoch: i16, base_sequence: i32) -> Bytes {
    let mut builder =
        BatchBuilder::new().producer(PRODUCER, ProducerEpoch::new(epoch), base_sequence).transactional();
    builder.append(NOW_MS, Some(b"key"), Some(b"value"), &[]);
    builder.build().unwrap()
}

fn admitted(partition: &Arc<Partition>, epoch: i16, base_sequence: i32) -> Result<Placed, PartitionError> {
    let epoch_only = ProducerEpoch::new(epoch);
    let guard = partition.begin_verification(PRODUCER, epoch_only, base_sequence, true, NOW_MS)?;
    let batch = records(epoch, base_sequence);
    partition.append_verified(Origin::Client, batch, Acks::Committed, NOW_MS, guard)
}

#[test]
fn a_marker_moves_the_last_stable_offset_when_it_is_on_disk() {
    let partition = partition();
    admitted(&partition, 0, 0).unwrap();
    partition.sync().unwrap();
    assert_eq!((partition.offsets().last_stable, partition.offsets().high_watermark), (offset(0), offset(1)));
    let placed = partition.append_marker(&end(1, 2), NOW_MS).unwrap();
    assert_eq!((placed.at.base_offset, placed.commit_at), (offset(1), Some(offset(2))));
    assert_eq!(partition.offsets().last_stable, offset(0));
    partition.sync().unwrap();
    assert_eq!(partition.offsets().last_stable, offset(2));
    let read = partition.read(read_below(offset(2))).unwrap();
    assert_eq!(read.bytes.len(), records(0, 0).len() + MARKER_BYTES);
}

#[test]
fn a_marker_that_is_there_is_answered_when_it_is_on_disk() {
    let partition = partition();
    admitted(&partition, 0, 0).unwrap();
    partition.append_marker(&end(1, 2), NOW_MS).unwrap();
    append(&partition, Acks::Written, 3);
    let again = partition.append_marker(&end(1, 2), NOW_MS).unwrap();
    assert!(again.at.duplicate);
    assert_eq!(again.commit_at, Some(offset(5)), "it, and whatever else is there");
    partition.sync().unwrap();
    assert_eq!(partition.append_marker(&end(1, 2), NOW_MS).unwrap().commit_at, None);
    assert_eq!(partition.offsets().log_end, offset(5));
}

#[test]
fn the_first_batch_of_a_transaction_needs_its_guard() {
    let partition = partition();
    let unproven = partition.append(records(0, 0), Acks::Committed, NOW_MS).unwrap_err();
    assert_eq!(unproven.code(), ErrorCode::InvalidTxnState);
    admitted(&partition, 0, 0).unwrap();
    partition.append(records(0, 1), Acks::Committed, NOW_MS).expect("it is open now");
    partition.append(batch(1), Acks::Committed, NOW_MS).expect("others are not asked");
}

#[test]
fn a_transaction_that_nobody_ends_is_told_of_once() {
    let registry = still_registry(&MemoryDisk::new(), &Reports::default());
    let partition = host(&registry, settings(|_| {}));
    let late = LateTransactions::new(60_000);
    admitted(&partition, 0, 0).unwrap();
    let limit = NOW_MS + 60_000 + 5 * 60_000;
    assert_eq!(late.check(&registry, limit), 0);
    assert_eq!(late.check(&registry, limit + 1), 1);
    assert_eq!(late.check(&registry, limit + 2), 0, "once");
    partition.append_marker(&end(1, 2), NOW_MS).unwrap();
    assert_eq!(late.check(&registry, limit + 3), 0);
    admitted(&partition, 1, 0).unwrap();
    assert_eq!(late.check(&registry, limit + 4), 1, "another one");
}
