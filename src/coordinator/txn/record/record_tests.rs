use super::*;
use bytes::Bytes;
use model::codec::ReadError;
use proptest::prelude::*;

use crate::test_support::golden;

const GOLDEN: &str = include_str!("testdata/kafka-4.1.2.txt");

#[test]
fn every_record_of_kafka_is_read() {
    let mut left = meant();
    for (name, key, value) in golden(GOLDEN) {
        let meant = left.remove(name).unwrap_or_else(|| panic!("{name} is not in the table"));
        assert_eq!(Record::decode(&key, value.as_ref()), Ok(meant), "{name}");
    }
    assert!(left.is_empty(), "not in the file: {left:?}");
}

#[test]
fn what_is_written_is_what_kafka_writes() {
    let meant = meant();
    for (name, key, value) in golden(GOLDEN) {
        let transaction_version = i16::from(!name.contains(".v0"));
        assert_eq!(meant[name].encode(transaction_version), Ok((key, value)), "{name}");
    }
    let record = &meant["tags.all"];
    assert_eq!(record.encode(2), record.encode(1), "later levels write the same version");
}

/// Version 0 has no room for what KIP-890 added.
#[test]
fn the_old_version_has_no_tagged_fields() {
    let record = meant().remove("tags.all").expect("a line");
    let (key, value) = record.encode(0).expect("short texts");
    let read = Record::decode(&key, value.as_ref()).expect("our own bytes").value.expect("a value");
    let ids = (read.previous_producer_id, read.next_producer_id, read.client_transaction_version);
    assert_eq!(ids, (-1, -1, 0));
}

#[test]
fn what_is_not_ours_is_an_error() {
    let read = |key: &'static [u8], value: Option<&'static [u8]>| {
        Record::decode(&Bytes::from_static(key), value.map(Bytes::from_static).as_ref()).unwrap_err()
    };
    let short = |needed, left| ReadError::Short { needed, left };
    assert_eq!(read(b"\0", None), RecordError::Key(short(2, 1)));
    assert_eq!(read(b"\0\x01\0\x01t", None), RecordError::KeyType(1));
    assert_eq!(read(b"\xff\xff\0\x01t", None), RecordError::KeyType(-1));
    assert_eq!(read(b"\0\0\xff\xff", None), RecordError::Key(ReadError::Length(-1)), "no id");
    let key = b"\0\0\0\x01t";
    assert_eq!(read(key, Some(b"")), RecordError::Value(short(2, 0)));
    assert_eq!(read(key, Some(b"\0\x02")), RecordError::Version(2));
    assert_eq!(read(key, Some(b"\xff\xff")), RecordError::Version(-1));
    let status = b"\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\x01\x08\0\0\0\0";
    assert_eq!(read(key, Some(status)), RecordError::Status(8));
    let many = b"\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\x01\x01\x7f\xff\xff\xff";
    assert_eq!(read(key, Some(many)), RecordError::Value(ReadError::Length(0x7fff_ffff)));
}

#[test]
fn a_text_that_does_not_fit_is_not_written() {
    let long = "x".repeat(32_768);
    let mut record = meant().remove("ongoing.v1").expect("a line");
    record.value.as_mut().expect("a value").partitions.insert(long.clone(), [0].into());
    assert_eq!(record.encode(1), Err(RecordError::TooLong(32_768)));
    let record = Record { transactional_id: long, value: None };
    assert_eq!(record.encode(0), Err(RecordError::TooLong(32_768)));
}

#[test]
fn an_empty_one_has_no_partitions_whatever_is_in_the_log() {
    let mut record = meant().remove("ongoing.v0").expect("a line");
    let (key, value) = record.encode(0).expect("short texts");
    let mut bytes = value.expect("a value").to_vec();
    bytes[16] = Status::Empty as u8;
    let value = record.value.as_mut().expect("a value");
    value.status = Status::Empty;
    value.partitions.clear();
    assert_eq!(Record::decode(&key, Some(&bytes.into())), Ok(record));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_is_written_is_read_again(record in any_record()) {
        let (key, value) = record.encode(2).expect("short texts");
        prop_assert_eq!(Record::decode(&key, value.as_ref()), Ok(record));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(version in 0i16..3, key in any::<Vec<u8>>(), value in any::<Vec<u8>>()) {
        let key = Bytes::from([&b"\0\0"[..], &key].concat());
        let value = Bytes::from([&version.to_be_bytes()[..], &value].concat());
        let _ = Record::decode(&key, Some(&value));
        let _ = Record::decode(&Bytes::from_static(b"\0\0\0\x01t"), Some(&value));
    }

    #[test]
    fn damaged_records_make_nothing_panic(line in 0usize..23, at in any::<prop::sample::Index>(), byte: u8) {
        let (_, key, value) = golden(GOLDEN).nth(line).expect("23 lines");
        for damaged in [Some(&key), value.as_ref()].into_iter().flatten() {
            let mut bytes = damaged.to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let bytes = Bytes::from(bytes);
            if let Ok(record) = Record::decode(&key, Some(&bytes)) {
                crate::txn::Shard::default().replay(record);
            }
            let _ = Record::decode(&bytes, value.as_ref());
            let _ = Record::decode(&key, Some(&bytes.slice(..at)));
        }
    }
}

fn any_record() -> impl Strategy<Value = Record> {
    let partitions =
        prop::collection::btree_map("[a-zä]{1,12}", prop::collection::btree_set(any::<i32>(), 0..5), 0..4);
    let ids = (any::<i64>(), any::<i64>(), any::<i64>(), any::<i16>(), any::<i32>());
    let times = (any::<i64>(), any::<i64>());
    let value =
        (ids, times, 0i8..8, 0i16..4, partitions).prop_map(|(ids, times, status, version, partitions)| {
            let status = Status::from_id(status).expect("8 states");
            Value {
                producer_id: ids.0,
                previous_producer_id: ids.1,
                next_producer_id: ids.2,
                producer_epoch: ids.3,
                last_producer_epoch: -1,
                timeout_ms: ids.4,
                status,
                partitions: if status == Status::Empty { Partitions::new() } else { partitions },
                last_update_ms: times.0,
                start_ms: times.1,
                client_transaction_version: version,
            }
        });
    ("[a-zä]{0,12}", prop::option::of(value))
        .prop_map(|(transactional_id, value)| Record { transactional_id, value })
}

/// What the lines of the file mean.
fn meant() -> BTreeMap<&'static str, Record> {
    let of = |transactional_id: &str, value| Record { transactional_id: transactional_id.into(), value };
    let read = |value| of("tx-ü", Some(value));
    let tagged = |status, partitions: &[(&str, &[i32])], ids: (i64, i64)| {
        let value = value(status, partitions);
        let (previous_producer_id, next_producer_id) = ids;
        Value { previous_producer_id, next_producer_id, client_transaction_version: 2, ..value }
    };
    let two: &[(&str, &[i32])] = &[("__consumer_offsets", &[49]), ("tür", &[0, 1, 70_000])];
    let empty = Value { start_ms: -1, ..value(Status::Empty, &[]) };
    let long = "x".repeat(249);
    let wide = value(Status::Ongoing, &[(&long, &(0..200).collect::<Vec<_>>())]);
    let last = Value { producer_epoch: i16::MAX, ..tagged(Status::PrepareCommit, &[("t", &[3])], (77, 78)) };
    let mut meant: BTreeMap<&str, Record> = [
        ("tombstone.v0", of("tx-ü", None)),
        ("tombstone.v1", of("tx-ü", None)),
        ("empty.v0", read(empty.clone())),
        ("empty.v1", read(empty)),
        ("tags.version", of("t", Some(tagged(Status::Ongoing, &[("t", &[3])], (-1, -1))))),
        ("tags.previous", of("t", Some(tagged(Status::CompleteCommit, &[], (77, -1))))),
        ("tags.all", of("t", Some(last))),
        ("wide.v0", of("t", Some(wide.clone()))),
        ("wide.v1", of("t", Some(wide))),
    ]
    .into();
    for (v0, v1, status, partitions) in [
        ("ongoing.v0", "ongoing.v1", Status::Ongoing, two),
        ("prepare-commit.v0", "prepare-commit.v1", Status::PrepareCommit, two),
        ("prepare-abort.v0", "prepare-abort.v1", Status::PrepareAbort, two),
        ("complete-commit.v0", "complete-commit.v1", Status::CompleteCommit, &[]),
        ("complete-abort.v0", "complete-abort.v1", Status::CompleteAbort, &[]),
        ("dead.v0", "dead.v1", Status::Dead, &[]),
        ("prepare-epoch-fence.v0", "prepare-epoch-fence.v1", Status::PrepareEpochFence, two),
    ] {
        meant.insert(v0, read(value(status, partitions)));
        meant.insert(v1, read(value(status, partitions)));
    }
    meant
}

fn value(status: Status, partitions: &[(&str, &[i32])]) -> Value {
    Value {
        producer_id: 4_611_686_018_427_387_905,
        previous_producer_id: -1,
        next_producer_id: -1,
        producer_epoch: 258,
        last_producer_epoch: -1,
        timeout_ms: 60_001,
        status,
        partitions: partitions
            .iter()
            .map(|(topic, indexes)| ((*topic).to_owned(), indexes.iter().copied().collect()))
            .collect(),
        last_update_ms: 1_700_000_000_000,
        start_ms: 1_699_999_990_000,
        client_transaction_version: 0,
    }
}
