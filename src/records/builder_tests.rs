use super::*;
use crate::{OpenBatch, RecordIter};
use model::batch::crc_matches;

fn open(batch: &Bytes) -> OpenBatch {
    assert!(crc_matches(batch));
    OpenBatch::new(batch, usize::MAX).unwrap()
}

#[test]
fn an_idempotent_batch_of_every_codec() {
    let headers = [
        Header { key: b"twice", value: Some(b"1") },
        Header { key: b"twice", value: None },
        Header { key: b"\xff", value: Some(b"") },
    ];
    for codec in Codec::ALL {
        let mut builder = BatchBuilder::new()
            .base_offset(Offset::new(100))
            .leader_epoch(LeaderEpoch::new(4))
            .codec(codec, None)
            .producer(ProducerId::new(7), ProducerEpoch::new(1), i32::MAX)
            .transactional();
        builder.append(50, Some(b"k"), Some(b"v"), &headers).append(40, None, Some(b""), &[]).append(
            60,
            Some(b""),
            None,
            &[],
        );
        assert_eq!(builder.record_count(), 3);
        let batch = open(&builder.build().unwrap());
        let header = batch.header;
        assert_eq!(Codec::from_bits(header.codec_bits()), Some(codec));
        assert_eq!((header.base_timestamp, header.max_timestamp), (50, 60));
        assert_eq!((header.base_offset.value(), header.last_offset().value()), (100, 102));
        assert_eq!(header.last_sequence(), 1);
        assert!(header.is_transactional() && !header.is_control());
        let records: Vec<_> = batch.records().map(Result::unwrap).collect();
        let times: Vec<_> = records.iter().map(|record| batch.timestamp_of(record)).collect();
        assert_eq!(times, [50, 40, 60]);
        assert_eq!(batch.offset_of(&records[2]).value(), 102);
        assert_eq!(records[0].headers.iter().collect::<Vec<_>>(), headers);
        assert_eq!((records[1].key, records[1].value), (None, Some(&b""[..])));
        assert_eq!((records[2].key, records[2].value), (Some(&b""[..]), None));
    }
}

#[test]
fn compaction_keeps_places_and_headers() {
    let mut whole = BatchBuilder::new();
    for i in 0..5 {
        let header = Header { key: b"n", value: Some(&[i]) };
        whole.append(10 + i64::from(i), Some(&[i]), Some(b"v"), &[header, header]);
    }
    let whole = open(&whole.build().unwrap());
    let mut kept = BatchBuilder::new().delete_horizon(5).last_offset_delta(4);
    for record in whole.records().map(Result::unwrap) {
        if record.offset_delta % 2 == 1 {
            let timestamp = whole.timestamp_of(&record);
            kept.append_at(record.offset_delta, timestamp, record.key, record.value, record.headers);
        }
    }
    let kept = open(&kept.build().unwrap());
    assert_eq!(kept.header.record_count, 2);
    assert_eq!(kept.header.last_offset_delta, 4);
    assert_eq!(kept.header.delete_horizon_ms(), Some(5));
    let records: Vec<_> = kept.records().map(Result::unwrap).collect();
    assert_eq!(records[1].offset_delta, 3);
    assert_eq!(kept.timestamp_of(&records[1]), 13);
    assert_eq!(records[1].headers.len(), 2);
}

#[test]
fn an_empty_batch_is_a_header() {
    let batch = BatchBuilder::new()
        .codec(Codec::Gzip, None)
        .producer(ProducerId::new(7), ProducerEpoch::new(1), 3)
        .last_offset_delta(9)
        .max_timestamp(77)
        .build()
        .unwrap();
    assert_eq!(batch.len(), HEADER_BYTES);
    let batch = open(&batch);
    assert_eq!(batch.header.record_count, 0);
    assert_eq!((batch.header.base_timestamp, batch.header.max_timestamp), (-1, 77));
    assert_eq!(batch.header.last_sequence(), 12);
    assert_eq!(batch.records().count(), 0);
}

#[test]
fn append_time_stands_for_every_record() {
    let mut builder = BatchBuilder::new().log_append_time(500);
    builder.append(1, None, None, &[]).append(2, None, None, &[]);
    let batch = open(&builder.build().unwrap());
    assert!(batch.header.is_log_append_time());
    for record in batch.records().map(Result::unwrap) {
        assert_eq!(batch.timestamp_of(&record), 500);
    }
}

#[test]
fn control_records_say_what_they_are() {
    let mut builder = BatchBuilder::new();
    builder.append_control(1, ControlType::LeaderChange, b"opaque");
    let batch = open(&builder.build().unwrap());
    assert!(batch.header.is_control());
    let record = batch.records().next().unwrap().unwrap();
    assert_eq!(ControlType::of(&record), Some(ControlType::LeaderChange));
    assert_eq!(EndTxnMarker::of(&record), None);
    let types = [
        ControlType::Abort,
        ControlType::Commit,
        ControlType::LeaderChange,
        ControlType::SnapshotHeader,
        ControlType::SnapshotFooter,
        ControlType::KRaftVersion,
        ControlType::KRaftVoters,
    ];
    for (number, kind) in types.into_iter().enumerate() {
        let key = [0, 0, 0, number as u8];
        assert_eq!(kind.key(), key);
        let record = Record { key: Some(&key), ..record };
        assert_eq!(ControlType::of(&record), Some(kind));
    }
    for key in [&b"\0\0\0\x07"[..], b"\0\0\0", b"\x80\0\0\x01"] {
        let record = Record { key: Some(key), ..record };
        assert_eq!(ControlType::of(&record), None);
    }
}

#[test]
fn markers_are_kafkas_bytes() {
    let verdicts = include_str!("testdata/verdicts.txt");
    for (name, commit) in [("marker-abort", false), ("marker-commit", true)] {
        let line = verdicts.lines().find(|line| line.starts_with(name)).unwrap();
        let hex = line.split('\t').nth(2).unwrap();
        let expected: Vec<_> = hex
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        let marker = EndTxnMarker { commit, coordinator_epoch: 42 };
        let batch = marker.batch(1_700_000_000_000, ProducerId::new(9), ProducerEpoch::new(1)).unwrap();
        assert_eq!(batch, expected);
        let batch = open(&batch);
        let record = batch.records().next().unwrap().unwrap();
        assert_eq!(EndTxnMarker::of(&record), Some(marker));
    }
}

#[test]
fn a_bad_level_is_an_error() {
    let mut builder = BatchBuilder::new().codec(Codec::Gzip, Some(77));
    builder.append(1, None, None, &[]);
    assert!(matches!(builder.build(), Err(BuildError::Codec(_))));
}

#[test]
fn headers_pass_through_raw() {
    let mut builder = BatchBuilder::new();
    let header = Header { key: b"k", value: Some(b"v") };
    builder.append(1, None, None, &[header; 300]);
    let batch = builder.build().unwrap();
    let record = RecordIter::new(&batch[HEADER_BYTES..], 1).next().unwrap().unwrap();
    assert_eq!(record.headers.len(), 300);
    let mut again = BatchBuilder::new();
    again.append_at(0, 1, None, None, record.headers);
    assert_eq!(again.build().unwrap(), batch);
}
