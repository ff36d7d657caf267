use super::*;

#[test]
fn reads_a_record() {
    // size 14: attributes 0, timestamp delta 2, offset delta 1, key "k", value null, headers a=1, a=null
    let section = b"\x1c\x00\x04\x02\x02k\x01\x04\x02a\x021\x02a\x01";
    let records: Vec<_> = RecordIter::new(section, 1).collect();
    let record = records[0].unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!((record.timestamp_delta, record.offset_delta), (2, 1));
    assert_eq!((record.key, record.value), (Some(&b"k"[..]), None));
    let headers: Vec<_> = record.headers.iter().collect();
    assert_eq!(headers, [Header { key: b"a", value: Some(b"1") }, Header { key: b"a", value: None },]);
    let again = Headers::from_raw(record.headers.len(), record.headers.raw());
    assert_eq!(again, Ok(record.headers));
}

/// A record with the given body.
fn sized(body: &[u8]) -> Vec<u8> {
    let mut section = Vec::new();
    crate::varint::put_varint(&mut section, body.len() as i32);
    section.extend_from_slice(body);
    section
}

fn error_of(section: &[u8], count: i32) -> BadRecord {
    let mut records = RecordIter::new(section, count);
    let error = records.find_map(Result::err).expect("the section is not well formed");
    assert!(records.next().is_none(), "nothing follows an error");
    error
}

#[test]
fn every_refusal_has_its_name() {
    let good = sized(&[0, 0, 0, 1, 1, 0]);
    assert_eq!(RecordIter::new(&good, 1).count(), 1);
    assert_eq!(error_of(&[], 1), BadRecord::Short);
    assert_eq!(error_of(&good[..3], 1), BadRecord::Short);
    assert_eq!(error_of(&good, 2), BadRecord::Short);
    assert_eq!(error_of(&good, -1), BadRecord::Count(-1));
    assert_eq!(error_of(&[good.clone(), vec![0]].concat(), 1), BadRecord::Trailing(1));
    assert_eq!(error_of(&[1], 1), BadRecord::Length(-1));
    assert_eq!(error_of(&sized(&[]), 1), BadRecord::Short);
    assert_eq!(error_of(&sized(&[0, 0, 0, 1, 1]), 1), BadRecord::Short);
    assert_eq!(error_of(&sized(&[0, 0, 0, 3, 1, 0]), 1), BadRecord::Length(-2));
    assert_eq!(error_of(&sized(&[0, 0, 0, 20, 1, 0]), 1), BadRecord::Length(10));
    assert_eq!(error_of(&sized(&[0, 0, 0, 1, 1, 0, 0]), 1), BadRecord::Size(1));
    assert_eq!(error_of(&sized(&[0, 0, 0, 1, 1, 1]), 1), BadRecord::HeaderCount(-1));
    assert_eq!(error_of(&sized(&[0, 0, 0, 1, 1, 4, 0, 0]), 1), BadRecord::HeaderCount(2));
    assert_eq!(error_of(&sized(&[0, 0, 0, 1, 1, 2, 1, 1]), 1), BadRecord::Length(-1));
    assert_eq!(error_of(&sized(&[0, 0, 0, 1, 1, 2, 0, 4]), 1), BadRecord::Length(2));
    assert_eq!(error_of(&sized(&[0x80; 12]), 1), BadRecord::Varint);
}

#[test]
fn a_batch_of_no_records_is_not_looked_into() {
    assert_eq!(RecordIter::new(b"anything", 0).count(), 0);
}

#[test]
fn raw_headers_are_checked() {
    assert!(Headers::from_raw(1, &[0, 0]).is_ok());
    assert!(Headers::from_raw(2, &[0, 0]).is_err());
    assert!(Headers::from_raw(1, &[0, 0, 0]).is_err());
    assert!(Headers::from_raw(usize::MAX, &[]).is_err());
}
