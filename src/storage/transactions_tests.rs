use model::{ErrorCode, LeaderEpoch, Offset, ProducerEpoch, ProducerId};

use crate::test_support::{Bench, NOW_MS, transactional, try_append};
use crate::{AppendError, Appended, LogConfig, PartitionLog, TxnMarker};

fn bench() -> Bench {
    Bench::new(LogConfig { index_bytes_max: 240, ..LogConfig::default() })
}

const PRODUCER: ProducerId = ProducerId::new(7);

fn end(epoch: i16, transaction_version: i16) -> TxnMarker {
    TxnMarker {
        producer_id: PRODUCER,
        producer_epoch: ProducerEpoch::new(epoch),
        commit: true,
        coordinator_epoch: 5,
        transaction_version,
    }
}

fn mark(log: &mut PartitionLog, marker: &TxnMarker) -> Result<Appended, AppendError> {
    log.append_marker(marker, LeaderEpoch::new(1), NOW_MS)
}

fn send(log: &mut PartitionLog, epoch: i16, sequence: i32) -> Result<Appended, AppendError> {
    try_append(log, transactional(7, epoch, sequence, 1))
}

fn code(result: Result<Appended, AppendError>) -> ErrorCode {
    result.unwrap_err().code()
}

#[test]
fn before_kip_890_a_transaction_and_the_next_have_one_epoch() {
    let mut log = bench().open();
    send(&mut log, 0, 0).unwrap();
    assert_eq!(mark(&mut log, &end(0, 1)).unwrap().base_offset, Offset::new(1));
    assert_eq!(log.last_stable_offset(log.log_end_offset()), Offset::new(2));
    send(&mut log, 0, 1).unwrap();
    assert!(!mark(&mut log, &end(0, 1)).unwrap().duplicate);
    assert!(!mark(&mut log, &end(0, 0)).unwrap().duplicate, "with nothing open it is written, as in Kafka");
    assert_eq!(log.log_end_offset(), Offset::new(5));
}

#[test]
fn an_end_of_kip_890_is_written_once() {
    let mut log = bench().open();
    send(&mut log, 0, 0).unwrap();
    assert!(!mark(&mut log, &end(1, 2)).unwrap().duplicate);
    let again = mark(&mut log, &end(1, 2)).unwrap();
    assert!(again.duplicate);
    assert_eq!(again.last_offset.next(), log.log_end_offset(), "committed once everything so far is");
    assert_eq!(log.log_end_offset(), Offset::new(2));

    send(&mut log, 1, 0).unwrap();
    assert_eq!(code(mark(&mut log, &end(1, 2))), ErrorCode::InvalidProducerEpoch, "not the next one's end");
    assert_eq!(code(mark(&mut log, &end(0, 2))), ErrorCode::InvalidProducerEpoch);
    assert_eq!(log.last_stable_offset(log.log_end_offset()), Offset::new(2), "it is open still");
    mark(&mut log, &end(2, 2)).unwrap();
    assert_eq!(log.last_stable_offset(log.log_end_offset()), Offset::new(4));
}

#[test]
fn what_comes_after_its_end_is_fenced() {
    let mut log = bench().open();
    // Nothing of the transaction has come here yet: its end is written all the same.
    assert!(!mark(&mut log, &end(1, 2)).unwrap().duplicate);
    assert_eq!(code(send(&mut log, 0, 0)), ErrorCode::InvalidProducerEpoch);
    let known = log.producer(PRODUCER).unwrap();
    assert_eq!((known.producer_epoch.value(), known.last_sequence, known.coordinator_epoch), (1, -1, 5));
    send(&mut log, 1, 0).unwrap();
}

#[test]
fn a_coordinator_that_was_replaced_ends_nothing() {
    for version in [0, 2] {
        let mut log = bench().open();
        send(&mut log, 0, 0).unwrap();
        mark(&mut log, &end(1, version)).unwrap();
        let stale = TxnMarker { coordinator_epoch: 4, ..end(1, version) };
        assert_eq!(code(mark(&mut log, &stale)), ErrorCode::TransactionCoordinatorFenced, "{version}");
        let stale = TxnMarker { coordinator_epoch: 4, ..end(2, version) };
        assert_eq!(code(mark(&mut log, &stale)), ErrorCode::TransactionCoordinatorFenced, "{version}");
        mark(&mut log, &TxnMarker { coordinator_epoch: 6, ..end(2, version) }).unwrap();
    }
}
