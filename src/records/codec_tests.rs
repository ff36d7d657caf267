use super::*;

/// Bytes that compress to about a third.
fn text(bytes: usize) -> Vec<u8> {
    let mut state = 1u32;
    (0..bytes)
        .map(|i| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if i % 4 == 0 { (state >> 24) as u8 } else { b'a' + (i % 7) as u8 }
        })
        .collect()
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 7u64;
    (0..bytes)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        })
        .collect()
}

fn unfolded(codec: Codec, folded: &[u8], bytes_max: usize) -> Result<Vec<u8>, String> {
    decompress(codec, folded, bytes_max).map(Cow::into_owned).map_err(|error| error.to_string())
}

#[test]
fn round_trips_every_size() {
    for codec in Codec::ALL {
        for bytes in [1, 100, 32 * 1024, 32 * 1024 + 1, 64 * 1024, 300_000] {
            for input in [text(bytes), noise(bytes), vec![0; bytes]] {
                let folded = compress(codec, None, &input).unwrap();
                assert_eq!(unfolded(codec, &folded, bytes), Ok(input), "{codec:?} {bytes}");
                assert!(matches!(decompress(codec, &folded, bytes - 1), Err(CodecError::TooLarge { .. })));
            }
        }
    }
}

#[test]
fn bits_and_names_are_kafkas() {
    for codec in Codec::ALL {
        assert_eq!(Codec::from_bits(codec.bits()), Some(codec));
        assert_eq!(Codec::from_name(codec.name()), Some(codec));
    }
    assert_eq!(Codec::from_bits(5), None);
    assert_eq!(Codec::from_name("uncompressed"), Some(Codec::None));
    assert_eq!(Codec::from_name("producer"), None);
}

#[test]
fn levels_have_kafkas_ranges() {
    let cases = [
        (Codec::Gzip, vec![-1, 1, 9], vec![-2, 0, 10]),
        (Codec::Lz4, vec![1, 9, 17], vec![0, 18, -1]),
        (Codec::Zstd, vec![-131_072, -1, 0, 3, 22], vec![-131_073, 23]),
        (Codec::Snappy, vec![], vec![1]),
        (Codec::None, vec![], vec![1]),
    ];
    let input = text(50_000);
    for (codec, legal, illegal) in cases {
        for level in legal {
            assert!(codec.takes_level(level), "{codec:?} {level}");
            let folded = compress(codec, Some(level), &input).unwrap();
            assert_eq!(unfolded(codec, &folded, input.len()), Ok(input.clone()));
        }
        for level in illegal {
            assert!(!codec.takes_level(level), "{codec:?} {level}");
            let folded = compress(codec, Some(level), &input);
            let has_levels = !matches!(codec, Codec::None | Codec::Snappy);
            assert_eq!(folded.is_err(), has_levels);
        }
    }
    let fast = compress(Codec::Zstd, Some(1), &input).unwrap();
    let small = compress(Codec::Zstd, Some(19), &input).unwrap();
    assert!(small.len() < fast.len());
}

#[test]
fn what_is_cut_off_is_refused() {
    let input = text(2_000);
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let folded = compress(codec, None, &input).unwrap();
        for bytes in 0..folded.len() {
            // A frame of snappy-java has no end: its header alone is an empty one.
            let empty_frame = codec == Codec::Snappy && bytes == 16;
            let result = unfolded(codec, &folded[..bytes], input.len());
            assert_eq!(result.is_err(), !empty_frame && bytes > 0 || refuses_nothing(codec) && bytes == 0);
        }
    }
}

/// Whether no bytes at all are already an error of the codec. (No batch has them: it has a record.)
fn refuses_nothing(codec: Codec) -> bool {
    matches!(codec, Codec::Snappy | Codec::Lz4 | Codec::Gzip)
}

#[test]
fn what_follows_the_end_is_refused() {
    let input = text(2_000);
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let mut folded = compress(codec, None, &input).unwrap();
        folded.push(7);
        assert!(unfolded(codec, &folded, 10_000).is_err(), "{codec:?}");
    }
}

#[test]
fn frames_may_follow_each_other() {
    let (first, second) = (text(70_000), noise(3_000));
    let whole = [first.clone(), second.clone()].concat();
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Zstd] {
        let folded =
            [compress(codec, None, &first).unwrap(), compress(codec, None, &second).unwrap()].concat();
        assert_eq!(unfolded(codec, &folded, whole.len()), Ok(whole.clone()), "{codec:?}");
        assert!(unfolded(codec, &folded, whole.len() - 1).is_err());
    }
}

#[test]
fn a_flipped_bit_never_panics() {
    let input = text(800);
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let folded = compress(codec, None, &input).unwrap();
        for bit in 0..folded.len() * 8 {
            let mut flipped = folded.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(output) = unfolded(codec, &flipped, 10_000) {
                assert!(output.len() <= 10_000);
            }
        }
    }
}

mod snappy {
    use super::*;

    #[test]
    fn frames_are_snappy_javas() {
        let folded = compress(Codec::Snappy, None, &text(40_000)).unwrap();
        assert_eq!(folded[..16], *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01");
        let first = i32::from_be_bytes(folded[16..20].try_into().unwrap()) as usize;
        let block = &folded[20..20 + first];
        assert_eq!(snap::raw::decompress_len(block).unwrap(), 32 * 1024);
    }

    #[test]
    fn bare_snappy_is_read() {
        let input = text(200_000);
        let folded = snap::raw::Encoder::new().compress_vec(&input).unwrap();
        assert_eq!(unfolded(Codec::Snappy, &folded, 200_000), Ok(input));
        assert!(unfolded(Codec::Snappy, &folded, 199_999).is_err());
    }

    #[test]
    fn an_announced_size_is_not_believed() {
        // A varint of 4 GiB - 1, then one literal.
        let huge = b"\xff\xff\xff\xff\x0f\x00a";
        assert!(unfolded(Codec::Snappy, huge, usize::MAX).is_err());
        let framed = [&b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0\0\x07"[..], huge].concat();
        assert!(unfolded(Codec::Snappy, &framed, usize::MAX).is_err());
        let negative = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\xff\xff\xff\xff";
        assert!(unfolded(Codec::Snappy, negative, usize::MAX).is_err());
    }

    #[test]
    fn an_incompatible_version_is_refused() {
        let mut folded = compress(Codec::Snappy, None, b"abc").unwrap();
        folded[15] = 2;
        assert!(unfolded(Codec::Snappy, &folded, 100).is_err());
        folded[15] = 1;
        folded[11] = 0;
        assert!(unfolded(Codec::Snappy, &folded, 100).is_err());
    }
}

mod lz4 {
    use super::*;
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

    fn framed(info: FrameInfo, input: &[u8]) -> Vec<u8> {
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(input).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn frames_are_kafkas() {
        let folded = compress(Codec::Lz4, None, &text(1_000)).unwrap();
        // Version 1, independent blocks of 64 KiB, no checksums.
        assert_eq!(folded[..7], [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
    }

    #[test]
    fn checksums_and_sizes_are_read_and_checked() {
        let input = text(200_000);
        for size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max1MB, BlockSize::Max4MB] {
            let info = FrameInfo::new()
                .block_size(size)
                .block_checksums(true)
                .content_checksum(true)
                .content_size(Some(input.len() as u64));
            let folded = framed(info, &input);
            assert_eq!(unfolded(Codec::Lz4, &folded, 200_000), Ok(input.clone()));
            for at in [8, 14, 40, folded.len() - 1] {
                let mut broken = folded.clone();
                broken[at] ^= 1;
                assert!(unfolded(Codec::Lz4, &broken, 200_000).is_err(), "{at}");
            }
        }
    }

    #[test]
    fn other_frames_are_refused() {
        let input = text(200_000);
        let linked = framed(FrameInfo::new().block_mode(BlockMode::Linked), &input);
        assert!(unfolded(Codec::Lz4, &linked, 200_000).is_err());
        let legacy = b"\x02\x21\x4c\x18\x02\x00\x00\x00\x10a";
        assert!(unfolded(Codec::Lz4, legacy, 200_000).is_err());
        let skippable = b"\x50\x2a\x4d\x18\x00\x00\x00\x00";
        assert!(unfolded(Codec::Lz4, skippable, 200_000).is_err());
    }
}

mod zstd {
    use super::*;
    use ::zstd::stream::raw::CParameter;
    use ::zstd::stream::write::Encoder;

    fn wide(window_log: u32, bytes: usize) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::new(), 1).unwrap();
        encoder.set_parameter(CParameter::WindowLog(window_log)).unwrap();
        let piece = text(64 * 1024);
        for _ in 0..bytes / piece.len() {
            encoder.write_all(&piece).unwrap();
        }
        encoder.finish().unwrap()
    }

    #[test]
    fn wide_windows_are_for_small_contents() {
        const MIB: usize = 1024 * 1024;
        for (window_log, bytes, legal) in [
            (23, 9 * MIB, true),
            (24, 8 * MIB, true),
            (24, 9 * MIB, false),
            (27, MIB, true),
            (27, 9 * MIB, false),
            (28, MIB, false),
        ] {
            let result = unfolded(Codec::Zstd, &wide(window_log, bytes), 32 * MIB);
            assert_eq!(result.is_ok(), legal, "{window_log} {bytes}");
        }
    }

    #[test]
    fn our_own_windows_stay_small() {
        let folded = compress(Codec::Zstd, Some(22), &text(100_000)).unwrap();
        // Window descriptor: exponent 13 over 1 KiB.
        assert_eq!(folded[5] >> 3, 13);
    }

    #[test]
    fn a_stopped_stream_leaves_nothing_behind() {
        let input = text(500_000);
        let folded = compress(Codec::Zstd, None, &input).unwrap();
        for _ in 0..3 {
            let mut stopped = Unfold::new(Codec::Zstd, &folded, usize::MAX).unwrap();
            assert!(!stopped.next_chunk().unwrap().is_empty());
            drop(stopped);
            assert_eq!(unfolded(Codec::Zstd, &folded, 500_000), Ok(input.clone()));
        }
    }

    #[test]
    fn two_streams_of_one_thread_do_not_mix() {
        let (a, b) = (text(300_000), noise(300_000));
        let folded_a = compress(Codec::Zstd, None, &a).unwrap();
        let folded_b = compress(Codec::Zstd, None, &b).unwrap();
        let mut streams = [
            Unfold::new(Codec::Zstd, &folded_a, usize::MAX).unwrap(),
            Unfold::new(Codec::Zstd, &folded_b, usize::MAX).unwrap(),
        ];
        let mut outputs = [Vec::new(), Vec::new()];
        loop {
            let mut ended = 0;
            for (stream, output) in streams.iter_mut().zip(&mut outputs) {
                let chunk = stream.next_chunk().unwrap();
                ended += usize::from(chunk.is_empty());
                output.extend_from_slice(chunk);
            }
            if ended == 2 {
                break;
            }
        }
        assert_eq!(outputs, [a, b]);
    }
}
