use model::{BatchHeader, ErrorCode, LeaderEpoch, Offset, ProducerId};

use super::ProducerState;

use crate::test_support::{Bench, NOW_MS, append, batch, marker, produced, sync, transactional};
use crate::{AbortedTxn, AppendError, Appended, LogConfig, Origin, PartitionLog};

fn bench() -> Bench {
    Bench::new(LogConfig { index_bytes_max: 240, ..LogConfig::default() })
}

fn send(log: &mut PartitionLog, epoch: i16, sequence: i32, count: i64) -> Result<Appended, AppendError> {
    log.append_as_leader(produced(7, epoch, sequence, count), LeaderEpoch::new(0), NOW_MS)
}

fn code(result: Result<Appended, AppendError>) -> ErrorCode {
    result.unwrap_err().code()
}

#[test]
fn the_last_five_batches_are_recognised() {
    let mut log = bench().open();
    for at in 0..7 {
        assert_eq!(send(&mut log, 0, at * 2, 2).unwrap().base_offset, Offset::new(at as i64 * 2));
    }
    for at in 2..7 {
        let again = send(&mut log, 0, at * 2, 2).unwrap();
        let expected = Appended {
            base_offset: Offset::new(at as i64 * 2),
            last_offset: Offset::new(at as i64 * 2 + 1),
            log_append_time_ms: NOW_MS,
            duplicate: true,
        };
        assert_eq!(again, expected);
    }
    assert_eq!(code(send(&mut log, 0, 2, 2)), ErrorCode::OutOfOrderSequenceNumber, "the sixth is forgotten");
    assert_eq!(
        code(send(&mut log, 0, 12, 1)),
        ErrorCode::OutOfOrderSequenceNumber,
        "another range is no retry"
    );
    assert_eq!(code(send(&mut log, 0, 16, 1)), ErrorCode::OutOfOrderSequenceNumber, "a gap");
    assert_eq!(log.log_end_offset(), Offset::new(14));
    assert!(!send(&mut log, 0, 14, 1).unwrap().duplicate);
}

#[test]
fn sequences_wrap_at_two_to_the_31() {
    let mut log = bench().open();
    send(&mut log, 0, i32::MAX - 1, 1).unwrap();
    send(&mut log, 0, i32::MAX, 3).unwrap();
    assert_eq!(log.producer(ProducerId::new(7)).unwrap().last_sequence, 1);
    assert_eq!(
        send(&mut log, 0, i32::MAX, 3).unwrap().base_offset,
        Offset::new(1),
        "a retry across the wrap"
    );
    send(&mut log, 0, 2, 1).unwrap();
    let mut log = bench().open();
    send(&mut log, 0, i32::MAX, 1).unwrap();
    assert_eq!(code(send(&mut log, 0, 1, 1)), ErrorCode::OutOfOrderSequenceNumber);
    send(&mut log, 0, 0, 1).unwrap();
}

#[test]
fn epochs_only_grow() {
    let mut log = bench().open();
    send(&mut log, 3, 41, 1).expect("an unknown producer may begin anywhere");
    assert_eq!(code(send(&mut log, 2, 0, 1)), ErrorCode::InvalidProducerEpoch);
    assert_eq!(
        code(send(&mut log, 4, 42, 1)),
        ErrorCode::OutOfOrderSequenceNumber,
        "a new epoch begins at 0"
    );
    send(&mut log, 4, 0, 1).unwrap();
    assert_eq!(code(send(&mut log, 3, 41, 1)), ErrorCode::InvalidProducerEpoch, "no retry of an older epoch");
    assert_eq!(code(send(&mut log, 4, 2, 1)), ErrorCode::OutOfOrderSequenceNumber);
}

#[test]
fn coordinators_are_not_held_to_sequences() {
    let mut log = bench().open();
    log.set_config(LogConfig { verify_transactions: false, ..log.config().clone() });
    let append = |log: &mut PartitionLog, batch| {
        log.append_from(Origin::Coordinator, batch, LeaderEpoch::new(0), NOW_MS)
    };
    append(&mut log, transactional(7, 1, 0, 1)).unwrap();
    let again = append(&mut log, transactional(7, 1, 0, 1)).unwrap();
    assert_eq!((again.duplicate, again.base_offset), (false, Offset::new(1)));
    assert_eq!(code(append(&mut log, transactional(7, 0, 0, 1))), ErrorCode::InvalidProducerEpoch);
    append(&mut log, marker(7, 1, true, 5)).unwrap();
    assert_eq!(code(append(&mut log, marker(7, 1, true, 4))), ErrorCode::TransactionCoordinatorFenced);
    append(&mut log, marker(7, 2, false, 5)).unwrap();
    let known = log.producer(ProducerId::new(7)).unwrap();
    assert_eq!((known.producer_epoch.value(), known.last_sequence, known.coordinator_epoch), (2, -1, 5));
}

#[test]
fn the_last_stable_offset_follows_open_transactions() {
    let mut log = bench().open();
    let end = |log: &PartitionLog| log.log_end_offset();
    append(&mut log, batch(2, NOW_MS, 0));
    append(&mut log, transactional(1, 0, 0, 1));
    append(&mut log, transactional(2, 0, 0, 2));
    append(&mut log, transactional(1, 0, 1, 1));
    assert_eq!(log.last_stable_offset(end(&log)), Offset::new(2));
    assert_eq!(log.last_stable_offset(Offset::new(1)), Offset::new(1), "never beyond the high watermark");
    append(&mut log, marker(1, 0, false, 0));
    assert_eq!(log.last_stable_offset(Offset::new(6)), Offset::new(2), "the marker is not visible yet");
    assert_eq!(log.last_stable_offset(end(&log)), Offset::new(3));
    append(&mut log, marker(2, 0, true, 0));
    assert_eq!(log.last_stable_offset(Offset::new(7)), Offset::new(3));
    assert_eq!(log.last_stable_offset(end(&log)), Offset::new(8));
    let aborted = AbortedTxn {
        producer_id: ProducerId::new(1),
        first_offset: Offset::new(2),
        last_offset: Offset::new(6),
        last_stable_offset: Offset::new(3),
    };
    let found = |log: &mut PartitionLog, from, to| {
        log.aborted_transactions(Offset::new(from), Offset::new(to)).unwrap()
    };
    assert_eq!(found(&mut log, 0, 8), [aborted]);
    assert_eq!(found(&mut log, 6, 8), [aborted]);
    assert_eq!(found(&mut log, 7, 8), []);
    assert_eq!(found(&mut log, 0, 2), []);
    append(&mut log, transactional(1, 0, 2, 1));
    let refused = log.append_as_leader(produced(1, 0, 3, 1), LeaderEpoch::new(0), NOW_MS);
    assert_eq!(code(refused), ErrorCode::InvalidTxnState);
}

#[test]
fn producers_survive_every_kind_of_restart() {
    for (clean, snapshots) in [(true, true), (false, true), (false, false)] {
        let bench = bench();
        let mut log = bench.open();
        for at in 0..8 {
            send(&mut log, 0, at, 1).unwrap();
        }
        append(&mut log, transactional(1, 0, 0, 1));
        append(&mut log, transactional(2, 0, 0, 1));
        append(&mut log, marker(2, 0, false, 3));
        log.roll(NOW_MS).unwrap();
        append(&mut log, batch(1, NOW_MS, 1));
        sync(&mut log);
        let (mut before, end) = (log.active_producers(NOW_MS), log.log_end_offset());
        let mut log = if clean {
            log.close().unwrap();
            bench.open_clean(end)
        } else {
            drop(log);
            if !snapshots {
                for path in bench.disk.files() {
                    if path.extension().is_some_and(|suffix| suffix == "snapshot") {
                        crate::Disk::remove_file(&bench.disk, &path).unwrap();
                    }
                }
            }
            bench.recovered(end).0
        };
        let context = format!("clean {clean}, snapshots {snapshots}");
        before.sort_by_key(|producer| producer.producer_id);
        assert_eq!(log.active_producers(NOW_MS), before, "{context}");
        assert_eq!(log.last_stable_offset(end), Offset::new(8), "{context}");
        assert_eq!(log.aborted_transactions(Offset::ZERO, end).unwrap().len(), 1, "{context}");
        for at in 3..8 {
            let again = send(&mut log, 0, at, 1).unwrap();
            assert_eq!((again.duplicate, again.base_offset.value()), (true, i64::from(at)), "{context}");
        }
        assert_eq!(code(send(&mut log, 0, 2, 1)), ErrorCode::OutOfOrderSequenceNumber, "{context}");
        assert!(!send(&mut log, 0, 8, 1).unwrap().duplicate, "{context}");
    }
}

#[test]
fn a_damaged_snapshot_is_not_used() {
    let bench = bench();
    let mut log = bench.open();
    for at in 0..3 {
        send(&mut log, 0, at, 1).unwrap();
    }
    log.close().unwrap();
    let path = bench.dir.join("00000000000000000003.snapshot");
    let sound = bench.disk.contents(&path).unwrap();
    for bit in 0..sound.len() * 8 {
        let mut damaged = sound.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        crate::checkpoints::replace(&bench.disk, &path, &damaged).unwrap();
        let mut log = bench.open_clean(Offset::new(3));
        assert_eq!(log.producer(ProducerId::new(7)).unwrap().last_sequence, 2, "bit {bit}");
        assert!(send(&mut log, 0, 2, 1).unwrap().duplicate);
    }
}

#[test]
fn the_snapshot_is_kafkas() {
    let bench = bench();
    let mut log = bench.open();
    append(&mut log, transactional(0x0102, 3, 5, 4));
    log.close().unwrap();
    let bytes = bench.disk.contents(&bench.dir.join("00000000000000000004.snapshot")).unwrap();
    let mut expected = vec![0, 1];
    let mut entries = Vec::from(1_i32.to_be_bytes());
    entries.extend_from_slice(&0x0102_i64.to_be_bytes());
    entries.extend_from_slice(&3_i16.to_be_bytes());
    entries.extend_from_slice(&8_i32.to_be_bytes());
    entries.extend_from_slice(&3_i64.to_be_bytes());
    entries.extend_from_slice(&3_i32.to_be_bytes());
    entries.extend_from_slice(&NOW_MS.to_be_bytes());
    entries.extend_from_slice(&(-1_i32).to_be_bytes());
    entries.extend_from_slice(&0_i64.to_be_bytes());
    expected.extend_from_slice(&crc32c::crc32c(&entries).to_be_bytes());
    expected.extend_from_slice(&entries);
    assert_eq!(bytes, expected);
}

#[test]
fn idle_producers_are_forgotten() {
    let mut log = bench().open();
    send(&mut log, 0, 0, 1).unwrap();
    append(&mut log, transactional(1, 0, 0, 1));
    let day = log.config().producer_id_expiration_ms;
    assert_eq!(log.active_producers(NOW_MS + day - 1).len(), 2);
    let left = log.active_producers(NOW_MS + day);
    assert_eq!(left.iter().map(|producer| producer.producer_id.value()).collect::<Vec<_>>(), [1]);
    assert!(!send(&mut log, 0, 77, 1).unwrap().duplicate, "a forgotten producer may go on anywhere");
}

/// A client may invent as many producer ids as it likes.
#[test]
fn producers_are_bounded() {
    use model::limits::PRODUCERS_PER_LOG_MAX as MAX;
    let header = |producer: i64, is_transactional: bool| {
        let bytes =
            if is_transactional { transactional(producer, 0, 0, 1) } else { produced(producer, 0, 0, 1) };
        BatchHeader::parse(&bytes).unwrap()
    };
    let mut state = ProducerState::default();
    // Timestamps say nothing: the first ones claim to come from the future.
    state.apply(&header(1, true), None, Offset::new(0));
    state.apply(&BatchHeader { max_timestamp: i64::MAX, ..header(2, false) }, None, Offset::new(1));
    let template = header(0, false);
    for id in 3..3 + 2 * MAX as i64 {
        let next = BatchHeader { producer_id: ProducerId::new(id), max_timestamp: 1, ..template };
        state.apply(&next, None, Offset::new(id));
        assert!(state.producers().len() <= MAX);
    }
    let knows = |id: i64| state.producers().contains_key(&ProducerId::new(id));
    assert!(knows(1), "its transaction is open");
    assert!(!knows(2) && !knows(3) && !knows(MAX as i64), "they have been idle for longest");
    assert!(knows(2 + 2 * MAX as i64) && knows(4 + MAX as i64 + MAX as i64 / 16));
}
