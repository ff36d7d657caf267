//! Zstandard: frame after frame, with a bound on the window.
//!
//! Windows up to 8 MiB are taken as they are. Java producers at levels 20 to 22 announce up to 128 MiB, whatever
//! they then write, so a larger window is taken too, but only for a batch that unfolds to no more than 8 MiB: the
//! decoder touches no more of its window than it has written.

use std::cell::Cell;
use std::fmt;
use std::io;

use model::limits::ZSTD_WINDOW_LOG_MAX;
use zstd::stream::raw::{CParameter, DParameter, Decoder, InBuffer, Operation, OutBuffer};
use zstd::stream::write::Encoder;

use super::{Codec, CodecError, Stop};

const LEVEL_DEFAULT: i32 = 3;
/// Levels from here on would use windows beyond [`ZSTD_WINDOW_LOG_MAX`].
const LEVEL_WIDE: i32 = 20;
/// The largest window of any level, as a power of two; what kafka-clients read.
const WIDE_WINDOW_LOG_MAX: u32 = 27;
const WINDOW_BYTES_MAX: u64 = 1 << ZSTD_WINDOW_LOG_MAX;
const CHUNK_BYTES: usize = 32 * 1024;
const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

thread_local! {
    /// One decoder per thread is kept between batches: setting one up costs more than a small batch.
    static SPARE: Cell<Option<Decoder<'static>>> = const { Cell::new(None) };
}

pub(super) struct Unfold<'a> {
    input: InBuffer<'a>,
    // `None` after an error and in `drop` only.
    decoder: Option<Decoder<'static>>,
    inside_frame: bool,
    wide: bool,
}

impl<'a> Unfold<'a> {
    pub(super) fn new(input: &'a [u8]) -> Result<Self, CodecError> {
        let decoder = match SPARE.take() {
            Some(decoder) => decoder,
            None => new_decoder().map_err(|source| CodecError::Library { codec: Codec::Zstd, source })?,
        };
        Ok(Self { input: InBuffer::around(input), decoder: Some(decoder), inside_frame: false, wide: false })
    }

    /// `bytes_before` is what all chunks so far add up to.
    pub(super) fn next_chunk(&mut self, chunk: &mut Vec<u8>, bytes_before: usize) -> Result<(), Stop> {
        let mut decoder = self.decoder.take().ok_or(Stop::corrupt("the data was found corrupt"))?;
        chunk.reserve(CHUNK_BYTES);
        while chunk.is_empty() {
            let left = self.input.src.get(self.input.pos()..).unwrap_or_default();
            if !self.inside_frame {
                if left.is_empty() {
                    break;
                }
                self.wide |= window_bytes(left) > WINDOW_BYTES_MAX;
            }
            let mut out = OutBuffer::around(&mut *chunk);
            let hint = decoder.run(&mut self.input, &mut out).map_err(|error| Stop::library(&error))?;
            self.inside_frame = hint != 0;
            // The decoder never holds back output while there is room for it: no output and no input is no end.
            if self.inside_frame && left.is_empty() && chunk.is_empty() {
                return Err(Stop::corrupt("a frame is cut off"));
            }
        }
        if self.wide && (bytes_before + chunk.len()) as u64 > WINDOW_BYTES_MAX {
            return Err(Stop::corrupt("both the window and the content are larger than 8 MiB"));
        }
        self.decoder = Some(decoder);
        Ok(())
    }
}

impl Drop for Unfold<'_> {
    fn drop(&mut self) {
        // A wide window would stay allocated for as long as the thread lives.
        if let Some(mut decoder) = self.decoder.take()
            && !self.wide
            && decoder.reinit().is_ok()
        {
            SPARE.set(Some(decoder));
        }
    }
}

fn new_decoder() -> io::Result<Decoder<'static>> {
    let mut decoder = Decoder::new()?;
    decoder.set_parameter(DParameter::WindowLogMax(WIDE_WINDOW_LOG_MAX))?;
    Ok(decoder)
}

impl fmt::Debug for Unfold<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unfold").finish_non_exhaustive()
    }
}

/// The window that the frame at the start of `input` asks for (RFC 8878, section 3.1.1.1); 0 where there is none,
/// which the decoder finds out for itself.
fn window_bytes(input: &[u8]) -> u64 {
    let Some((magic, [descriptor, rest @ ..])) = input.split_first_chunk() else {
        return 0;
    };
    if *magic != MAGIC {
        return 0;
    }
    let single_segment = descriptor & 0x20 != 0;
    if !single_segment {
        let window = u64::from(rest.first().copied().unwrap_or(0));
        let base = 1 << (10 + (window >> 3));
        return base + base / 8 * (window & 7);
    }
    // The window is the whole content.
    let dictionary_bytes = match descriptor & 3 {
        3 => 4,
        bytes => usize::from(bytes),
    };
    let size_bytes = 1 << (descriptor >> 6);
    let Some(size) = rest.get(dictionary_bytes..dictionary_bytes + size_bytes) else {
        return 0;
    };
    let size = size.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
    if size_bytes == 2 { size + 256 } else { size }
}

pub(super) fn fold(level: Option<i32>, out: Vec<u8>) -> io::Result<Encoder<'static, Vec<u8>>> {
    let level = level.unwrap_or(LEVEL_DEFAULT);
    let mut encoder = Encoder::new(out, level)?;
    if level >= LEVEL_WIDE {
        encoder.set_parameter(CParameter::WindowLog(ZSTD_WINDOW_LOG_MAX))?;
    }
    Ok(encoder)
}
