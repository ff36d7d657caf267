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
