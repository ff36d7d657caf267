use model::{ErrorCode, LeaderEpoch, Offset, ProducerEpoch, ProducerId};

use crate::test_support::{Bench, NOW_MS, append, batch, sync, transactional, try_append};
use crate::{
    AppendError, Appended, LogConfig, Opening, Origin, PartitionLog, TxnMarker, VerificationGuard,
    VerificationStart,
};

fn bench() -> Bench {
    Bench::new(LogConfig { index_bytes_max: 240, ..LogConfig::default() })
}

const PRODUCER: ProducerId = ProducerId::new(7);

fn end_of(epoch: i16, transaction_version: i16) -> TxnMarker {
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

fn code<T: std::fmt::Debug>(result: Result<T, AppendError>) -> ErrorCode {
    result.unwrap_err().code()
}

#[test]
fn before_kip_890_a_transaction_and_the_next_have_one_epoch() {
    let mut log = bench().open();
    send(&mut log, 0, 0).unwrap();
    assert_eq!(mark(&mut log, &end_of(0, 1)).unwrap().base_offset, Offset::new(1));
    assert_eq!(log.last_stable_offset(log.log_end_offset()), Offset::new(2));
    send(&mut log, 0, 1).unwrap();
    assert!(!mark(&mut log, &end_of(0, 1)).unwrap().duplicate);
    assert!(
        !mark(&mut log, &end_of(0, 0)).unwrap().duplicate,
        "with nothing open it is written, as in Kafka"
    );
    assert_eq!(log.log_end_offset(), Offset::new(5));
}

#[test]
fn an_end_of_kip_890_is_written_once() {
    let mut log = bench().open();
    send(&mut log, 0, 0).unwrap();
    assert!(!mark(&mut log, &end_of(1, 2)).unwrap().duplicate);
    let again = mark(&mut log, &end_of(1, 2)).unwrap();
    assert!(again.duplicate);
    assert_eq!(again.last_offset.next(), log.log_end_offset(), "committed once everything so far is");
    assert_eq!(log.log_end_offset(), Offset::new(2));

    send(&mut log, 1, 0).unwrap();
    assert_eq!(
        code(mark(&mut log, &end_of(1, 2))),
        ErrorCode::InvalidProducerEpoch,
        "not the next one's end"
    );
    assert_eq!(code(mark(&mut log, &end_of(0, 2))), ErrorCode::InvalidProducerEpoch);
    assert_eq!(log.last_stable_offset(log.log_end_offset()), Offset::new(2), "it is open still");
    mark(&mut log, &end_of(2, 2)).unwrap();
    assert_eq!(log.last_stable_offset(log.log_end_offset()), Offset::new(4));
}

#[test]
fn what_comes_after_its_end_is_fenced() {
    let mut log = bench().open();
    // Nothing of the transaction has come here yet: its end is written all the same.
    assert!(!mark(&mut log, &end_of(1, 2)).unwrap().duplicate);
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
        mark(&mut log, &TxnMarker { commit: false, ..end_of(1, version) }).unwrap();
        let stale = TxnMarker { coordinator_epoch: 4, ..end_of(1, version) };
        assert_eq!(code(mark(&mut log, &stale)), ErrorCode::TransactionCoordinatorFenced, "{version}");
        let stale = TxnMarker { coordinator_epoch: 4, ..end_of(2, version) };
        assert_eq!(code(mark(&mut log, &stale)), ErrorCode::TransactionCoordinatorFenced, "{version}");
        mark(&mut log, &TxnMarker { coordinator_epoch: 6, ..end_of(2, version) }).unwrap();
    }
}

/// A transaction that is open after its coordinator has gone on to a later epoch is one that it does not know of. What comes
/// later must not be taken for a part of it, nor it for a part of that.
#[test]
fn nothing_joins_a_transaction_of_an_earlier_epoch() {
    for version in [0, 2] {
        let bump = i16::from(version == 2);
        let mut log = bench().open();
        send(&mut log, 3, 0).unwrap();
        for epoch in [4, 6] {
            let refused = send(&mut log, epoch, 0);
            assert!(matches!(refused, Err(AppendError::EarlierTransaction { .. })), "{refused:?}");
            assert_eq!(code(refused), ErrorCode::NotEnoughReplicas, "which clients try again after");
        }
        let guard = ask(&mut log, 4, 0, true);
        assert!(guard.is_some(), "who has to ask first may: the end may be on its way");
        assert_eq!(code(send_with(&mut log, guard, 4, 0)), ErrorCode::NotEnoughReplicas);
        assert_eq!(code(mark(&mut log, &end_of(5, version))), ErrorCode::NotEnoughReplicas);
        assert_eq!(log.log_end_offset(), Offset::new(1));

        // The end that it lacks.
        mark(&mut log, &TxnMarker { commit: false, ..end_of(4, 2) }).unwrap();
        assert_eq!(log.last_stable_offset(Offset::new(2)), Offset::new(2));
        send(&mut log, 4, 0).unwrap();
        mark(&mut log, &end_of(4 + bump, version)).unwrap();
        // An abort is no harm to either.
        send(&mut log, 5, 0).unwrap();
        mark(&mut log, &TxnMarker { commit: false, ..end_of(9, version) }).unwrap();
        assert!(log.open_transactions().is_empty());
    }
}

/// A coordinator that was loaded from a log of `transaction.version` 0 does not know that this commit has its own epoch.
#[test]
fn a_commit_may_have_an_epoch_of_its_own_whatever_its_version_says() {
    let mut log = bench().open();
    send(&mut log, 3, 0).unwrap();
    mark(&mut log, &end_of(4, 0)).unwrap();
    assert!(log.open_transactions().is_empty());
}

/// Who is being verified meanwhile has nothing to do with it.
#[test]
fn the_end_of_what_was_left_behind_leaves_questions_of_later_epochs_alone() {
    for bumps in [true, false] {
        let mut log = bench().open();
        send(&mut log, 3, 0).unwrap();
        let guard = ask(&mut log, 5, 0, bumps);
        mark(&mut log, &TxnMarker { commit: false, ..end_of(4, 2) }).unwrap();
        send_with(&mut log, guard, 5, 0).unwrap();
    }
}

/// Whoever asked for an epoch that is none yet is forgotten at the end of the transaction, and is not in the way of what
/// the producer itself asks afterwards: its lowest sequence goes first, as in Kafka.
#[test]
fn the_end_of_a_transaction_forgets_questions_of_epochs_to_come() {
    let mut log = bench().open();
    for sequence in [0, 1] {
        send(&mut log, 3, sequence).unwrap();
    }
    ask(&mut log, 4, 2, false);
    mark(&mut log, &end_of(3, 0)).unwrap();
    for sequence in [2, 1] {
        ask(&mut log, 3, sequence, false);
    }
    let guard = ask(&mut log, 3, 2, false);
    assert_eq!(code(send_with(&mut log, guard, 3, 2)), ErrorCode::OutOfOrderSequenceNumber);
}

fn ask(log: &mut PartitionLog, epoch: i16, sequence: i32, bumps: bool) -> Option<VerificationGuard> {
    ask_for(log, PRODUCER, epoch, sequence, bumps).unwrap()
}

fn ask_for(
    log: &mut PartitionLog,
    producer_id: ProducerId,
    epoch: i16,
    base_sequence: i32,
    supports_epoch_bump: bool,
) -> Result<Option<VerificationGuard>, AppendError> {
    let producer_epoch = ProducerEpoch::new(epoch);
    let start = VerificationStart { producer_id, producer_epoch, base_sequence, supports_epoch_bump };
    log.begin_verification(&start, NOW_MS)
}

fn send_with(
    log: &mut PartitionLog,
    guard: Option<VerificationGuard>,
    epoch: i16,
    sequence: i32,
) -> Result<Appended, AppendError> {
    let batch = transactional(7, epoch, sequence, 1);
    log.append_verified(Origin::Client, batch, LeaderEpoch::new(1), NOW_MS, guard)
}

/// KIP-890's hanging transaction: the coordinator admits a batch, the transaction is aborted, the batch comes.
#[test]
fn a_marker_takes_the_proof_away() {
    let mut log = bench().open();
    let guard = ask(&mut log, 0, 0, false);
    assert!(guard.is_some());
    mark(&mut log, &end_of(0, 1)).unwrap();
    assert_eq!(code(send_with(&mut log, guard, 0, 0)), ErrorCode::InvalidTxnState);
    // It asks again, for the next transaction: the proof of before does not come back to life.
    let next = ask(&mut log, 0, 0, false);
    assert_ne!(next, guard);
    assert_eq!(code(send_with(&mut log, guard, 0, 0)), ErrorCode::InvalidTxnState);
    assert_eq!(code(send_with(&mut log, None, 0, 0)), ErrorCode::InvalidTxnState);
    send_with(&mut log, next, 0, 0).unwrap();
    assert_eq!(ask(&mut log, 0, 1, false), None, "it is open");
    send_with(&mut log, None, 0, 1).unwrap();
    mark(&mut log, &end_of(0, 1)).unwrap();
    assert_eq!(
        code(send_with(&mut log, next, 0, 2)),
        ErrorCode::InvalidTxnState,
        "one proof, one transaction"
    );
    assert!(send_with(&mut log, None, 0, 1).unwrap().duplicate, "a retry of what is there is answered");
}

#[test]
fn an_end_of_kip_890_leaves_the_next_question_alone() {
    let mut log = bench().open();
    let first = ask(&mut log, 0, 0, true);
    send_with(&mut log, first, 0, 0).unwrap();
    // The producer is told of the commit before its markers are there, and goes on.
    let next = ask(&mut log, 1, 0, true);
    mark(&mut log, &end_of(1, 2)).unwrap();
    assert_eq!(code(send_with(&mut log, next, 0, 1)), ErrorCode::InvalidProducerEpoch, "late");
    assert_eq!(code(ask_for(&mut log, PRODUCER, 0, 1, true)), ErrorCode::InvalidProducerEpoch);
    send_with(&mut log, next, 1, 0).unwrap();

    // The question of an epoch that the marker ends goes.
    let late = ask(&mut log, 2, 0, true);
    mark(&mut log, &TxnMarker { commit: false, ..end_of(3, 2) }).unwrap();
    assert_eq!(code(send_with(&mut log, late, 2, 0)), ErrorCode::InvalidProducerEpoch);
    assert_eq!(code(send_with(&mut log, late, 3, 0)), ErrorCode::InvalidTxnState);
}

/// A batch that fails in a way that is tried again must find its place free: a later one that got in would have it
/// refused for ever.
#[test]
fn a_later_sequence_does_not_overtake_a_question() {
    let mut log = bench().open();
    let guard = ask(&mut log, 0, 5, false);
    assert_eq!(ask(&mut log, 0, 8, false), guard);
    assert_eq!(code(send_with(&mut log, guard, 0, 8)), ErrorCode::OutOfOrderSequenceNumber);
    assert_eq!(ask(&mut log, 0, 3, false), guard);
    assert_eq!(code(send_with(&mut log, guard, 0, 5)), ErrorCode::OutOfOrderSequenceNumber);
    // A new epoch begins anew.
    assert_eq!(ask(&mut log, 1, 4, false), guard);
    send_with(&mut log, guard, 1, 4).unwrap();
}

#[test]
fn a_producer_of_kip_890_begins_at_0() {
    let mut log = bench().open();
    let guard = ask(&mut log, 0, 2, true);
    assert_eq!(code(send_with(&mut log, guard, 0, 2)), ErrorCode::OutOfOrderSequenceNumber);
    assert_eq!(ask(&mut log, 0, 0, true), guard);
    send_with(&mut log, guard, 0, 0).unwrap();
    mark(&mut log, &end_of(1, 2)).unwrap();
    let guard = ask(&mut log, 1, 1, true);
    assert_eq!(code(send_with(&mut log, guard, 1, 1)), ErrorCode::OutOfOrderSequenceNumber);
}

#[test]
fn coordinators_are_verified_as_well() {
    let mut log = bench().open();
    let append = |log: &mut PartitionLog, guard| {
        let batch = transactional(7, 0, -1, 1);
        log.append_verified(Origin::Coordinator, batch, LeaderEpoch::new(1), NOW_MS, guard)
    };
    assert_eq!(code(append(&mut log, None)), ErrorCode::InvalidTxnState);
    let guard = ask(&mut log, 0, -1, true);
    append(&mut log, guard).unwrap();
    append(&mut log, None).unwrap();
    log.set_config(LogConfig { verify_transactions: false, ..log.config().clone() });
    mark(&mut log, &end_of(0, 1)).unwrap();
    append(&mut log, None).expect("transaction.partition.verification.enable=false");
}

#[test]
fn a_proof_does_not_outlive_the_log_it_was_made_for() {
    let bench = bench();
    let mut log = bench.open();
    send(&mut log, 0, 0).unwrap();
    mark(&mut log, &end_of(0, 1)).unwrap();
    let guard = ask(&mut log, 0, 1, false);
    log.truncate_to(Offset::new(1), NOW_MS).unwrap();
    send_with(&mut log, None, 0, 1).expect("the transaction is open again");
    mark(&mut log, &end_of(0, 1)).unwrap();
    assert_eq!(code(send_with(&mut log, guard, 0, 2)), ErrorCode::InvalidTxnState);
    log.close().unwrap();
    let mut log = bench.open_clean(Offset::new(3));
    assert_eq!(code(send_with(&mut log, guard, 0, 2)), ErrorCode::InvalidTxnState);
}

#[test]
fn questions_without_an_end_are_forgotten() {
    let mut log = bench().open();
    let guard = ask(&mut log, 0, 0, false);
    log.expire_producers(NOW_MS + log.config().producer_id_expiration_ms - 1);
    assert_eq!(ask(&mut log, 0, 0, false), guard);
    log.expire_producers(NOW_MS + log.config().producer_id_expiration_ms);
    assert_eq!(code(send_with(&mut log, guard, 0, 0)), ErrorCode::InvalidTxnState);

    // Anybody may ask for producers that do not exist: the oldest questions give way.
    let guard = ask(&mut log, 0, 0, false);
    for producer in 1_000..11_001 {
        ask_for(&mut log, ProducerId::new(producer), 0, 0, false).unwrap();
    }
    assert_eq!(code(send_with(&mut log, guard, 0, 0)), ErrorCode::InvalidTxnState);
    let guard = ask(&mut log, 0, 0, false);
    send_with(&mut log, guard, 0, 0).unwrap();
}

/// `DeleteRecords` within a transaction: its records go, it stays open, and its end still decides the rest.
#[test]
fn deleting_records_of_an_open_transaction_does_not_end_it() {
    for crash in [false, true] {
        let bench = bench();
        let mut log = bench.open();
        for sequence in 0..4 {
            send(&mut log, 0, sequence).unwrap();
        }
        log.advance_log_start(Offset::new(2));
        sync(&mut log);
        let end = log.log_end_offset();
        assert_eq!(log.last_stable_offset(end), Offset::new(2), "not below the log's start");
        if crash {
            drop(log);
            let opening = Opening { log_start: Offset::new(2), ..Opening::unknown(NOW_MS) };
            log = bench.try_open(opening).unwrap().0;
            assert_eq!(log.last_stable_offset(end), Offset::new(2), "{crash}");
        }
        mark(&mut log, &TxnMarker { commit: false, ..end_of(1, 2) }).unwrap();
        assert_eq!(log.last_stable_offset(Offset::new(5)), Offset::new(5));
        let aborted = log.aborted_transactions(Offset::new(2), Offset::new(5)).unwrap();
        assert_eq!(aborted.iter().map(|txn| txn.last_offset.value()).collect::<Vec<_>>(), [4]);
        assert!(aborted[0].first_offset <= Offset::new(2));

        // All of the next one goes, and then it is ended.
        send(&mut log, 1, 0).unwrap();
        log.advance_log_start(Offset::new(6));
        assert_eq!(log.last_stable_offset(Offset::new(6)), Offset::new(6));
        append(&mut log, batch(1, NOW_MS, 1));
        assert_eq!(log.last_stable_offset(Offset::new(7)), Offset::new(6), "it is open still");
        mark(&mut log, &end_of(2, 2)).unwrap();
        assert_eq!(log.last_stable_offset(Offset::new(8)), Offset::new(8));
    }
}

/// The open transaction, and that the producer may go on in it, survive a snapshot and a kill.
#[test]
fn an_open_transaction_survives_a_roll_and_a_kill() {
    let bench = bench();
    let mut log = bench.open();
    send(&mut log, 3, 0).unwrap();
    log.roll(NOW_MS).unwrap();
    send(&mut log, 3, 1).unwrap();
    sync(&mut log);
    let recovery_point = log.recovery_point();
    log.roll(NOW_MS).unwrap();
    append(&mut log, batch(2, NOW_MS, 1));
    drop(log);
    let (mut log, _) = bench.recovered(recovery_point);
    assert_eq!(
        log.open_transactions().iter().map(|p| p.transaction_start).collect::<Vec<_>>(),
        [Some(Offset::ZERO)]
    );
    assert_eq!(log.last_stable_offset(Offset::new(4)), Offset::ZERO);
    send_with(&mut log, None, 3, 2).expect("the coordinator knows of it");
    assert!(send_with(&mut log, None, 3, 1).unwrap().duplicate);
    mark(&mut log, &TxnMarker { commit: false, ..end_of(4, 2) }).unwrap();
    let aborted = log.aborted_transactions(Offset::ZERO, Offset::new(6)).unwrap();
    assert_eq!((aborted.len(), aborted[0].first_offset), (1, Offset::ZERO));
    assert!(log.open_transactions().is_empty());
}
