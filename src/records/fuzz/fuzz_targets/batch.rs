//! A Produce request's records, with the CRC set right: everything behind it must hold against any bytes.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use model::Offset;
use model::batch::{HEADER_BYTES, crc_matches, seal};
use records::{
    Codec, CompressedValidation, OpenBatch, Origin, ProduceRules, TimestampType, first_at_or_after,
    offset_of_max_timestamp,
    validate,
};

const BYTES_MAX: usize = 1 << 20;

fuzz_target!(|input: &[u8]| {
    let [choice, batch @ ..] = input else {
        return;
    };
    let mut batch = batch.to_vec();
    if batch.len() >= HEADER_BYTES {
        // Otherwise the fuzzer would spend its time on lengths, magic and CRC.
        batch[..8].fill(0);
        let length = (batch.len() - 12) as i32;
        batch[8..12].copy_from_slice(&length.to_be_bytes());
        batch[16] = 2;
        seal(&mut batch);
    }
    let batch = Bytes::from(batch);
    let rules = ProduceRules {
        topic: "fuzz",
        partition: 0,
        now_ms: 1_700_000_000_000,
        timestamp_type: if choice & 0x40 == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        },
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
        message_bytes_max: BYTES_MAX,
        key_required: choice & 0x20 != 0,
        target_codec: Codec::from_bits(choice & 7).map(|codec| (codec, None)),
        compressed_validation: CompressedValidation::Full,
        zstd_allowed: choice & 0x10 != 0,
        decompressed_bytes_max: BYTES_MAX,
        origin: if choice & 8 == 0 { Origin::Client } else { Origin::Coordinator },
    };
    let _ = offset_of_max_timestamp(&batch, BYTES_MAX);
    let _ = first_at_or_after(&batch, 1, Offset::ZERO, BYTES_MAX);
    let _ = OpenBatch::new(&batch, BYTES_MAX);
    if let Ok(valid) = validate(batch, &rules) {
        assert!(crc_matches(&valid.bytes));
        let open = OpenBatch::new(&valid.bytes, BYTES_MAX).expect("a valid batch opens");
        assert!(open.records().all(|record| record.is_ok()));
    }
});
