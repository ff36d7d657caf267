use super::*;
use crate::BatchBuilder;
use bytes::Bytes;

fn batch(codec: Codec, times: &[i64]) -> Bytes {
    let mut builder = BatchBuilder::new().base_offset(Offset::new(1_000)).codec(codec, None);
    for time in times {
        builder.append(*time, Some(b"key"), Some(&[b'x'; 50]), &[]);
    }
    builder.build().unwrap()
}

const fn found(offset: i64, timestamp: i64) -> FoundRecord {
    FoundRecord { offset: Offset::new(offset), timestamp }
}

#[test]
fn finds_by_time_and_start() {
    for codec in Codec::ALL {
        let batch = batch(codec, &[10, 30, 20, 30, 5]);
        let first =
            |timestamp, start| first_at_or_after(&batch, timestamp, Offset::new(start), 10_000).unwrap();
        assert_eq!(first(0, 0), Some(found(1_000, 10)));
        assert_eq!(first(11, 0), Some(found(1_001, 30)));
        assert_eq!(first(11, 1_002), Some(found(1_002, 20)));
        assert_eq!(first(21, 1_002), Some(found(1_003, 30)));
        assert_eq!(first(31, 0), None);
        assert_eq!(first(6, 1_004), None);
        assert_eq!(offset_of_max_timestamp(&batch, 10_000).unwrap(), Some(found(1_001, 30)));
    }
}

#[test]
fn the_append_time_is_every_records() {
    let mut builder = BatchBuilder::new().log_append_time(77);
    builder.append(1, None, None, &[]).append(99, None, None, &[]);
    let batch = builder.build().unwrap();
    let first = first_at_or_after(&batch, 50, Offset::new(1), 100).unwrap();
    assert_eq!(first, Some(found(1, 77)));
    assert_eq!(first_at_or_after(&batch, 78, Offset::ZERO, 100).unwrap(), None);
    assert_eq!(offset_of_max_timestamp(&batch, 100).unwrap(), Some(found(0, 77)));
}

#[test]
fn an_empty_batch_has_nothing() {
    let batch = BatchBuilder::new().max_timestamp(7).last_offset_delta(3).build().unwrap();
    assert_eq!(first_at_or_after(&batch, 0, Offset::ZERO, 100).unwrap(), None);
    assert_eq!(offset_of_max_timestamp(&batch, 100).unwrap(), None);
}

#[test]
fn limits_and_lies_are_errors() {
    let batch = batch(Codec::Zstd, &[1; 100]);
    assert!(matches!(first_at_or_after(&batch, 2, Offset::ZERO, 1_000), Ok(None)));
    assert!(matches!(offset_of_max_timestamp(&batch[..70], 1_000), Err(BadBatch::Length { .. })));
    let mut negative = batch.to_vec();
    negative[57] = 0x80;
    assert!(matches!(offset_of_max_timestamp(&negative, 1_000), Err(BadBatch::Record(BadRecord::Count(_)))));
    let mut unknown = batch.to_vec();
    unknown[22] = 5;
    assert!(matches!(offset_of_max_timestamp(&unknown, 1_000), Err(BadBatch::UnknownCodec(5))));
    let mut late = batch.to_vec();
    late[42] = 99;
    assert!(matches!(offset_of_max_timestamp(&late, 1_000), Err(BadBatch::Codec(_))));
}
