use super::*;
use crate::{BatchBuilder, Header, OpenBatch};
use bytes::BytesMut;
use model::batch::{LOG_APPEND_TIME, seal};
use model::{ProducerEpoch, ProducerId};
use proptest::prelude::*;

const NOW: i64 = 1_700_000_000_000;

pub(super) fn rules() -> ProduceRules<'static> {
    ProduceRules {
        topic: "orders",
        partition: 7,
        now_ms: NOW,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
        message_bytes_max: 1_048_588,
        key_required: false,
        target_codec: None,
        compressed_validation: CompressedValidation::Full,
        zstd_allowed: true,
        decompressed_bytes_max: 16 * 1024 * 1024,
        origin: Origin::Client,
    }
}

/// What Apache Kafka's log answered: see `testdata/Verdicts.java`.
mod kafka {
    use super::*;

    struct Verdict<'a> {
        name: &'a str,
        rules: ProduceRules<'a>,
        batch: Bytes,
        code: i16,
        error_message: &'a str,
        record_errors: &'a str,
        stored: &'a str,
    }

    /// Where our answer is INVALID_RECORD and Kafka's is another, and why.
    const DIFFERENCES: [(&[&str], &str); 5] = [
        (&["length-huge"], "Kafka's size overflows and fails the request"),
        (&["offsets-all-zero-0", "offsets-reversed-0"], "Kafka stores these records with the wrong offsets"),
        (
            &[
                "offsets-all-zero-1",
                "offsets-reversed-1",
                "offsets-all-zero-4",
                "offsets-reversed-4",
                "to-gzip-renumbered",
            ],
            "Kafka wants to renumber, and fails on the keys it has not read",
        ),
        (
            &[
                "to-uncompressed-renumbered",
                "to-snappy-renumbered",
                "to-lz4-renumbered",
                "to-zstd-renumbered",
            ],
            "Kafka renumbers only while it changes the codec",
        ),
        (
            &["size-large-1", "size-large-4"],
            "Kafka does not compare a compressed record with its size; its consumers do",
        ),
    ];

    fn hex(text: &str) -> Bytes {
        text.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    fn parse(line: &str) -> Verdict<'_> {
        let fields: Vec<_> = line.split('\t').collect();
        let rule = |name: &str| {
            fields[1].split(' ').find_map(|rule| rule.strip_prefix(name)?.strip_prefix('=')).unwrap()
        };
        let number = |name: &str| rule(name).parse::<i64>().unwrap();
        Verdict {
            name: fields[0],
            rules: ProduceRules {
                now_ms: number("now"),
                timestamp_type: match rule("append") {
                    "true" => TimestampType::LogAppendTime,
                    _ => TimestampType::CreateTime,
                },
                timestamp_before_max_ms: number("before"),
                timestamp_after_max_ms: number("after"),
                message_bytes_max: number("max") as usize,
                key_required: rule("compact") == "true",
                target_codec: Codec::from_name(rule("codec")).map(|codec| (codec, None)),
                zstd_allowed: number("version") >= 7,
                origin: match rule("origin") {
                    "COORDINATOR" => Origin::Coordinator,
                    _ => Origin::Client,
                },
                ..rules()
            },
            batch: hex(fields[2]),
            code: fields[3].parse().unwrap(),
            error_message: fields[4],
            record_errors: fields[5],
            stored: fields[6],
        }
    }

    fn verdicts() -> Vec<Verdict<'static>> {
        let verdicts: Vec<_> = include_str!("testdata/verdicts.txt").lines().map(parse).collect();
        assert!(verdicts.len() > 200);
        verdicts
    }

    #[test]
    fn every_answer_is_kafkas() {
        for verdict in verdicts() {
            let name = verdict.name;
            let answer = validate(verdict.batch.clone(), &verdict.rules);
            let code = answer.as_ref().map_or_else(|error| error.code, |_valid| ErrorCode::None);
            if DIFFERENCES.iter().any(|(names, _why)| names.contains(&name)) {
                assert_eq!(code, ErrorCode::InvalidRecord, "{name}");
                assert_ne!(code.code(), verdict.code, "{name} is no difference");
                continue;
            }
            assert_eq!(code.code(), verdict.code, "{name}: {answer:?}");
            match answer {
                Ok(valid) => same_log(&verdict, &valid),
                Err(error) => same_words(&verdict, &error),
            }
        }
    }

    fn same_words(verdict: &Verdict<'_>, error: &RecordsError) {
        assert_eq!(error.error_message().unwrap_or_default(), verdict.error_message, "{}", verdict.name);
        let errors: Vec<_> = error
            .record_errors
            .iter()
            .map(|error| format!("{}:{}", error.batch_index, error.message.as_deref().unwrap()))
            .collect();
        assert_eq!(errors.join("|"), verdict.record_errors, "{}", verdict.name);
    }

    fn same_log(verdict: &Verdict<'_>, valid: &ValidBatch) {
        let name = verdict.name;
        assert!(crc_matches(&valid.bytes), "{name}");
        assert_eq!(BatchHeader::parse(&valid.bytes).as_ref(), Ok(&valid.header), "{name}");
        assert_eq!(valid.header.size(), valid.bytes.len(), "{name}");
        assert_eq!(valid.max_timestamp, valid.header.max_timestamp, "{name}");
        if verdict.stored == "=" {
            assert_eq!(valid.bytes, verdict.batch, "{name}");
            assert_eq!(valid.bytes.as_ptr(), verdict.batch.as_ptr(), "{name}: no copy");
            return;
        }
        let stored = hex(verdict.stored);
        if !name.starts_with("to-") {
            assert_eq!(valid.bytes[16..], stored[16..], "{name}");
            return;
        }
        // Two compressors: the bytes differ, what is in them does not.
        let theirs = OpenBatch::new(&stored, usize::MAX).unwrap();
        let ours = OpenBatch::new(&valid.bytes, usize::MAX).unwrap();
        let essence = |batch: &OpenBatch| {
            let header = BatchHeader {
                base_offset: 0.into(),
                leader_epoch: 0.into(),
                batch_length: 0,
                crc: 0,
                base_timestamp: 0,
                ..batch.header
            };
            let records: Vec<_> = batch
                .records()
                .map(Result::unwrap)
                .map(|record| {
                    let headers: Vec<_> = record
                        .headers
                        .iter()
                        .map(|header| (header.key.to_vec(), header.value.map(<[u8]>::to_vec)))
                        .collect();
                    let key = record.key.map(<[u8]>::to_vec);
                    let value = record.value.map(<[u8]>::to_vec);
                    (record.offset_delta, batch.timestamp_of(&record), key, value, headers)
                })
                .collect();
            (header, records)
        };
        assert_eq!(essence(&ours), essence(&theirs), "{name}");
    }

    #[test]
    fn what_its_clients_write_is_read() {
        for verdict in verdicts() {
            let Some(name) = verdict.name.strip_prefix("golden-") else {
                continue;
            };
            let batch = OpenBatch::new(&verdict.batch, 1 << 20).unwrap();
            let records: Vec<_> = batch.records().map(Result::unwrap).collect();
            if name.starts_with("large-") {
                let large = if name.ends_with("-none") { 2_000 } else { 150_000 };
                let value: Vec<u8> = (0..large).map(|i| (i % 251) as u8).collect();
                let values: Vec<_> = records.iter().map(|record| record.value.unwrap()).collect();
                assert_eq!(values, [b"small", &value[..], &value[..], b"small"], "{name}");
                continue;
            }
            assert_eq!(records.len(), 20);
            for (i, record) in records.iter().enumerate() {
                let key = format!("key-{i}");
                let value = "v".repeat(i);
                let headers: Vec<_> = record.headers.iter().collect();
                let expected = [
                    ("twice".as_bytes(), Some(&b"one"[..])),
                    ("twice".as_bytes(), None),
                    ("ünï".as_bytes(), Some(&[0xff, 0])),
                ]
                .map(|(key, value)| Header { key, value });
                assert_eq!(record.key, (i % 3 != 0).then_some(key.as_bytes()));
                assert_eq!(record.value, (i % 5 != 0).then_some(value.as_bytes()));
                assert_eq!(headers, if i % 4 == 0 { &expected[..] } else { &[] });
                assert_eq!(record.offset_delta, i as i32);
                assert_eq!(batch.timestamp_of(record), NOW - 1000 + (i as i64 * 7) % 20);
            }
        }
    }

    /// Our builder writes Kafka's bytes, CRC included.
    #[test]
    fn what_we_build_is_what_they_build() {
        let verdicts = verdicts();
        let golden = verdicts.iter().find(|verdict| verdict.name == "golden-none").unwrap();
        let batch = OpenBatch::new(&golden.batch, usize::MAX).unwrap();
        let mut builder =
            BatchBuilder::new().producer(ProducerId::new(4711), ProducerEpoch::new(3), 17).transactional();
        for record in batch.records().map(Result::unwrap) {
            let headers: Vec<_> = record.headers.iter().collect();
            builder.append(batch.timestamp_of(&record), record.key, record.value, &headers);
        }
        assert_eq!(builder.build().unwrap(), golden.batch);
    }
}

fn batch(codec: Codec, records: i32) -> Bytes {
    let mut builder =
        BatchBuilder::new().codec(codec, None).producer(ProducerId::new(1), ProducerEpoch::new(0), 0);
    for i in 0..records {
        let header = Header { key: b"h", value: Some(b"twice") };
        let value = format!("value {i} of a batch");
        builder.append(NOW + i64::from(i), Some(&i.to_be_bytes()), Some(value.as_bytes()), &[header, header]);
    }
    builder.build().unwrap()
}

/// Of a batch of one record.
pub(super) fn header() -> BatchHeader {
    BatchHeader::parse(&batch(Codec::None, 1)).unwrap()
}

fn resealed(batch: &Bytes, change: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut bytes = BytesMut::from(&batch[..]);
    change(&mut bytes);
    seal(&mut bytes);
    bytes.freeze()
}

fn refusal(batch: Bytes, rules: &ProduceRules<'_>) -> RecordsError {
    validate(batch, rules).expect_err("the batch is to be refused")
}

#[test]
fn log_start_offsets_show_where_kafka_shows_them() {
    let good = batch(Codec::None, 3);
    let shown = |batch, rules: &ProduceRules<'_>| refusal(batch, rules).shows_log_start_offset();
    assert!(!shown(Bytes::new(), &rules()));
    assert!(!shown(good.slice(..good.len() - 1), &rules()));
    let small = ProduceRules { message_bytes_max: 100, ..rules() };
    assert!(!shown(good.clone(), &small));
    let control = resealed(&good, |bytes| bytes[22] |= 0x20);
    assert!(shown(control, &rules()));
    let strict = ProduceRules { timestamp_after_max_ms: 0, ..rules() };
    assert!(shown(good, &strict));
}

#[test]
fn attributes_that_mean_nothing_stay_where_the_header_is_not_written() {
    let good = batch(Codec::None, 3);
    for bit in 6..16 {
        let odd = resealed(&good, |bytes| bytes[22 - bit / 8] |= 1 << (bit % 8));
        assert_eq!(validate(odd.clone(), &rules()).unwrap().bytes, odd, "{bit}");
        let stamping = ProduceRules { timestamp_type: TimestampType::LogAppendTime, ..rules() };
        let horizon = i16::from(bit == 6) << 6;
        let stamped = validate(odd.clone(), &stamping).unwrap();
        assert_eq!(stamped.header.attributes, LOG_APPEND_TIME | horizon, "{bit}");
        assert!(crc_matches(&stamped.bytes));
        let target = Some((Codec::Gzip, None));
        let rewritten = validate(odd, &ProduceRules { target_codec: target, ..rules() }).unwrap();
        assert_eq!(rewritten.header.attributes, i16::from(Codec::Gzip.bits()), "{bit}");
    }
}

#[test]
fn what_follows_the_batch_and_is_none_is_left_out() {
    let good = batch(Codec::None, 3);
    let followed = |rest: &[u8]| validate([&good[..], rest].concat().into(), &rules());
    let mut bad_magic = good.to_vec();
    bad_magic[16] = 7;
    for rest in [&b"x"[..], &good[..16], &good[..good.len() - 1]] {
        assert_eq!(followed(rest).unwrap().bytes, good);
    }
    assert_eq!(followed(&good).unwrap_err().code, ErrorCode::InvalidRecord, "two batches");
    assert_eq!(followed(&[0; 12]).unwrap_err().code, ErrorCode::CorruptMessage, "a length of 0");
    assert_eq!(followed(&bad_magic).unwrap_err().code, ErrorCode::CorruptMessage);
}

#[test]
fn formats_before_record_batches_are_invalid_and_not_corrupt() {
    let mut message = vec![0; 35];
    message[11] = 23;
    for magic in [0, 1] {
        message[16] = magic;
        let error = refusal(message.clone().into(), &rules());
        assert_eq!((error.code, error.shows_log_start_offset()), (ErrorCode::InvalidRecord, false));
    }
}

#[test]
fn an_unknown_codec_is_seen_early_where_zstd_is_forbidden() {
    let odd = resealed(&batch(Codec::None, 3), |bytes| bytes[22] |= 5);
    for zstd_allowed in [true, false] {
        let error = refusal(odd.clone(), &ProduceRules { zstd_allowed, ..rules() });
        assert_eq!(
            (error.code, error.shows_log_start_offset()),
            (ErrorCode::UnknownServerError, zstd_allowed)
        );
    }
}

#[test]
fn overflowing_timestamps_are_refused() {
    for codec in [Codec::None, Codec::Gzip] {
        let bad = resealed(&batch(codec, 2), |bytes| {
            bytes[27..35].copy_from_slice(&i64::MAX.to_be_bytes());
        });
        assert_eq!(refusal(bad, &rules()).code, ErrorCode::InvalidRecord);
    }
}

#[test]
fn record_errors_are_bounded() {
    let mut builder = BatchBuilder::new().codec(Codec::Zstd, None);
    for _ in 0..50_000 {
        builder.append(NOW, None, None, &[]);
    }
    let compacted = ProduceRules { key_required: true, ..rules() };
    let error = refusal(builder.build().unwrap(), &compacted);
    assert_eq!(error.record_errors.len(), 1_000);
    assert!(error.detail.contains("due to 50000 record errors"));
}

#[test]
fn what_unfolds_too_far_is_too_large() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let batch = batch(codec, 1_000);
        let tight = ProduceRules { decompressed_bytes_max: 20_000, ..rules() };
        let error = refusal(batch, &tight);
        assert_eq!(error.code, ErrorCode::MessageTooLarge, "{codec:?}");
        assert_eq!(error.error_message(), None);
    }
}

#[test]
fn recompression_keeps_everything_but_the_codec() {
    for source in Codec::ALL {
        for target in Codec::ALL {
            let batch = batch(source, 700);
            let rules = ProduceRules { target_codec: Some((target, None)), ..rules() };
            let valid = validate(batch.clone(), &rules).unwrap();
            let before = OpenBatch::new(&batch, usize::MAX).unwrap();
            let after = OpenBatch::new(&valid.bytes, usize::MAX).unwrap();
            assert_eq!(Codec::from_bits(valid.header.codec_bits()), Some(target));
            assert_eq!(before.section, after.section);
            assert_eq!(source == target, valid.bytes.as_ptr() == batch.as_ptr());
            // What was written once is valid as it is.
            assert_eq!(validate(valid.bytes.clone(), &rules), Ok(valid));
        }
    }
}

#[test]
fn levels_of_the_target_are_used() {
    let batch = batch(Codec::None, 2_000);
    let size = |level| {
        let rules = ProduceRules { target_codec: Some((Codec::Zstd, Some(level))), ..rules() };
        validate(batch.clone(), &rules).unwrap().bytes.len()
    };
    assert!(size(19) < size(-100));
}

#[test]
fn stamping_touches_a_copy_only() {
    let batch = batch(Codec::Lz4, 50);
    let before = batch.to_vec();
    let rules = ProduceRules { timestamp_type: TimestampType::LogAppendTime, ..rules() };
    let valid = validate(batch.clone(), &rules).unwrap();
    assert_eq!(batch, before, "others may hold the same bytes");
    assert_eq!(valid.header.attributes & LOG_APPEND_TIME, LOG_APPEND_TIME);
    assert_eq!(valid.max_timestamp, NOW);
    assert!(crc_matches(&valid.bytes));
    assert_eq!(valid.bytes[HEADER_BYTES..], before[HEADER_BYTES..]);
}

#[test]
fn the_quorum_leader_is_not_held_to_sizes() {
    let batch = batch(Codec::None, 3);
    let small = ProduceRules { message_bytes_max: 10, origin: Origin::RaftLeader, ..rules() };
    assert!(validate(batch, &small).is_ok());
}

/// Bit flips under a CRC that matches: never a panic, never a batch that does not read back.
#[test]
fn broken_batches_are_answers() {
    for codec in Codec::ALL {
        let good = batch(codec, 12);
        for bit in (8 * 8)..good.len() * 8 {
            let flipped = resealed(&good, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
            for target in [None, Some((Codec::None, None))] {
                let rules = ProduceRules {
                    target_codec: target,
                    key_required: true,
                    decompressed_bytes_max: 100_000,
                    ..rules()
                };
                if let Ok(valid) = validate(flipped.clone(), &rules) {
                    let open = OpenBatch::new(&valid.bytes, 100_000).unwrap();
                    assert_eq!(open.records().flatten().count(), 12, "{codec:?} {bit}");
                }
            }
            let _ = crate::offset_of_max_timestamp(&flipped, 100_000);
        }
    }
}

#[test]
fn compressed_batches_may_be_taken_by_their_headers() {
    let by_header = ProduceRules { compressed_validation: CompressedValidation::Header, ..rules() };
    let good = compressed(&[NOW, NOW + 5], Codec::Lz4);
    let taken = validate(good.clone(), &by_header).unwrap();
    assert_eq!(taken, validate(good.clone(), &rules()).unwrap(), "what is sound is taken as it is");
    // What only a look at the records shows is not noticed, which is the difference.
    let odd = resealed(&good, |bytes| bytes[HEADER_BYTES + 20..].fill(0xff));
    assert!(validate(odd.clone(), &rules()).is_err());
    assert_eq!(validate(odd.clone(), &by_header).unwrap().bytes, odd);
    // Everything else is.
    let compacted = ProduceRules { key_required: true, ..by_header };
    let converted = ProduceRules { target_codec: Some((Codec::Zstd, None)), ..by_header };
    let strict = ProduceRules { timestamp_after_max_ms: 3, ..by_header };
    for rules in [compacted, converted, strict] {
        assert!(validate(odd.clone(), &rules).is_err());
    }
    let late = refusal(good.clone(), &strict);
    assert_eq!((late.code, late.record_errors[0].batch_index), (ErrorCode::InvalidTimestamp, 1));
    let mut torn = good.to_vec();
    *torn.last_mut().unwrap() ^= 1;
    assert_eq!(refusal(torn.into(), &by_header).code, ErrorCode::CorruptMessage);
    let stamping = ProduceRules { timestamp_type: TimestampType::LogAppendTime, ..by_header };
    assert_eq!(
        validate(good.clone(), &stamping).unwrap(),
        validate(good, &ProduceRules { timestamp_type: TimestampType::LogAppendTime, ..rules() }).unwrap()
    );
}

fn compressed(timestamps: &[i64], codec: Codec) -> Bytes {
    let mut builder = BatchBuilder::new().codec(codec, None);
    for timestamp in timestamps {
        builder.append(*timestamp, Some(b"key"), Some(&[7; 100]), &[]);
    }
    builder.build().unwrap()
}

/// One record of the naive model.
type Plain = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>)>);

fn plain_record() -> impl Strategy<Value = Plain> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
    (
        prop_oneof![Just(-1), NOW - 100..NOW + 100],
        proptest::option::of(bytes()),
        proptest::option::of(bytes()),
        proptest::collection::vec((bytes(), proptest::option::of(bytes())), 0..4),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever the codecs on both sides: the verdict is the model's, and so is what is read back.
    #[test]
    fn agrees_with_the_naive_model(
        records in proptest::collection::vec(plain_record(), 1..30),
        source in 0u8..5,
        target in proptest::option::of(0u8..5),
        key_required: bool,
        stamped: bool,
        before in 0i64..120,
        after in 0i64..120,
    ) {
        let codec = |bits| Codec::from_bits(bits).unwrap();
        let mut builder = BatchBuilder::new().codec(codec(source), None);
        for (timestamp, key, value, headers) in &records {
            let headers: Vec<_> = headers
                .iter()
                .map(|(key, value)| Header { key, value: value.as_deref() })
                .collect();
            builder.append(*timestamp, key.as_deref(), value.as_deref(), &headers);
        }
        let rules = ProduceRules {
            target_codec: target.map(|bits| (codec(bits), None)),
            key_required,
            timestamp_type: if stamped { TimestampType::LogAppendTime } else { TimestampType::CreateTime },
            timestamp_before_max_ms: before,
            timestamp_after_max_ms: after,
            ..rules()
        };
        let keyless = |record: &&Plain| key_required && record.1.is_none();
        let out_of_range = |record: &&Plain| {
            !stamped && record.0 != -1 && (record.0 < NOW - before || record.0 > NOW + after)
        };
        let refused: Vec<_> = records
            .iter()
            .enumerate()
            .filter(|(_, record)| keyless(record) || out_of_range(record))
            .map(|(i, _)| i as i32)
            .collect();
        match validate(builder.build().unwrap(), &rules) {
            Err(error) => {
                let named: Vec<_> = error.record_errors.iter().map(|error| error.batch_index).collect();
                prop_assert_eq!(named, refused);
                let late = records.iter().any(|record| !keyless(&record) && out_of_range(&record));
                let code = if late { ErrorCode::InvalidTimestamp } else { ErrorCode::InvalidRecord };
                prop_assert_eq!(error.code, code);
            }
            Ok(valid) => {
                prop_assert!(refused.is_empty());
                prop_assert!(crc_matches(&valid.bytes));
                let open = OpenBatch::new(&valid.bytes, usize::MAX).unwrap();
                let max = records.iter().map(|record| record.0).max().unwrap();
                prop_assert_eq!(valid.max_timestamp, if stamped { NOW } else { max });
                let read: Vec<Plain> = open
                    .records()
                    .map(Result::unwrap)
                    .enumerate()
                    .map(|(i, record)| {
                        let headers = record
                            .headers
                            .iter()
                            .map(|header| (header.key.to_vec(), header.value.map(<[u8]>::to_vec)))
                            .collect();
                        let timestamp = if stamped { records[i].0 } else { open.timestamp_of(&record) };
                        let key = record.key.map(<[u8]>::to_vec);
                        (timestamp, key, record.value.map(<[u8]>::to_vec), headers)
                    })
                    .collect();
                prop_assert_eq!(read, records);
            }
        }
    }
}
