//! Batches that unfold to gigabytes cost neither time nor memory. A process of its own, because it measures its
//! largest resident size; one test, because others would be measured with it.

use std::io::Write;

use bytes::Bytes;
use model::ErrorCode;
use model::batch::{HEADER_BYTES, seal};
use records::{
    BatchBuilder, Codec, CompressedValidation, Origin, ProduceRules, TimestampType, compress, validate,
};

const MIB: usize = 1024 * 1024;
const GROWTH_BYTES_MAX: usize = 16 * MIB;

/// Resident bytes by one line of /proc; `None` where there is none.
fn resident_bytes(line: &str) -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let size = status.lines().find_map(|status| status.strip_prefix(line))?;
    let kib: usize = size.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}

/// Resident bytes now, from which the peak is counted again.
fn resident_bytes_from_here() -> Option<usize> {
    // 5 resets the peak: proc(5).
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    resident_bytes("VmRSS:")
}

/// A batch that announces one record and carries `folded`.
fn batch(codec: Codec, folded: &[u8]) -> Bytes {
    let mut builder = BatchBuilder::new();
    builder.append(0, None, None, &[]);
    let mut bytes = builder.build().expect("one small record")[..HEADER_BYTES].to_vec();
    bytes[22] = codec.bits();
    bytes.extend_from_slice(folded);
    let length = (bytes.len() - 12) as i32;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    seal(&mut bytes);
    bytes.into()
}

/// The start of a section: one record of 2 GiB, whose value is nearly all of it.
fn start() -> Vec<u8> {
    let mut section = b"\xfe\xff\xff\xff\x0f\x00\x00\x00\x01".to_vec();
    section.extend_from_slice(b"\xc0\xff\xff\xff\x0f");
    section
}

/// Zeros behind a plausible start: 4 GiB where the codec needs about a mebibyte for them, else 256 MiB.
fn bomb(codec: Codec) -> Vec<u8> {
    let zeros = vec![0; 16 * MIB];
    let piece = compress(codec, None, &zeros).expect("zeros compress");
    match codec {
        Codec::Zstd | Codec::Gzip => {
            let mut folded = compress(codec, None, &start()).expect("a start compresses");
            for _ in 0..256 {
                folded.extend_from_slice(&piece);
            }
            folded
        }
        Codec::Snappy => {
            let mut folded = compress(codec, None, &start()).expect("a start compresses");
            for _ in 0..16 {
                folded.extend_from_slice(&piece);
            }
            folded
        }
        _lz4 => {
            let info = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max4MB);
            let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
            encoder.write_all(&start()).expect("memory takes it");
            for _ in 0..16 {
                encoder.write_all(&zeros).expect("memory takes it");
            }
            encoder.finish().expect("memory takes it")
        }
    }
}

#[test]
fn cost_little() {
    let rules = ProduceRules {
        topic: "t",
        partition: 0,
        now_ms: 0,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
        message_bytes_max: usize::MAX,
        key_required: false,
        target_codec: None,
        compressed_validation: CompressedValidation::Full,
        zstd_allowed: true,
        decompressed_bytes_max: model::limits::DECOMPRESSED_BYTES_MAX,
        origin: Origin::Client,
    };
    let bombs: Vec<_> = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd]
        .map(|codec| (codec, batch(codec, &bomb(codec))))
        .into();
    for (codec, bomb) in bombs {
        // As it is, and on its way into another codec.
        for target in [None, Some((Codec::None, None))] {
            let rules = ProduceRules {
                target_codec: target,
                message_bytes_max: if target.is_some() { bomb.len().max(MIB) } else { usize::MAX },
                ..rules
            };
            let before = resident_bytes_from_here();
            let error = validate(bomb.clone(), &rules).expect_err("a bomb is refused");
            assert_eq!(error.code, ErrorCode::MessageTooLarge, "{codec:?}: {error}");
            if let (Some(before), Some(peak)) = (before, resident_bytes("VmHWM:")) {
                // The copy that is written anew grows by doubling, up to the limit of a message.
                let allowed = GROWTH_BYTES_MAX + target.map_or(0, |_codec| 3 * rules.message_bytes_max);
                let grown = peak.saturating_sub(before);
                assert!(grown <= allowed, "{codec:?}: {grown} more bytes");
            }
        }
    }
}
