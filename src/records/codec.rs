//! The compression codecs of record batches, with a limit on what they may unfold to.
//!
//! Kafka itself has no such limit. Here every codec yields its output piece by piece ([`Unfold`]), and stops when
//! the pieces add up to more than the caller allows.

mod gzip;
mod lz4;
mod snappy;
mod zstd;

use std::borrow::Cow;
use std::io::{self, Write};

/// Pieces in which uncompressed bytes pass through [`Unfold`].
const PLAIN_CHUNK_BYTES: usize = 64 * 1024;

/// Compression of a batch's records; the numbers are those of the attribute bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Codec {
    /// Records as they are.
    #[default]
    None = 0,
    /// gzip (RFC 1952).
    Gzip = 1,
    /// Snappy in the framing of snappy-java; bare snappy is read too.
    Snappy = 2,
    /// LZ4 frames of independent blocks.
    Lz4 = 3,
    /// Zstandard (KIP-110).
    Zstd = 4,
}

/// Why bytes could not be compressed or decompressed.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The bytes are not what their codec writes, or end too early.
    #[error("{} data is corrupt: {reason}", codec.name())]
    Corrupt {
        /// The codec that the batch names.
        codec: Codec,
        /// What is wrong.
        reason: Cow<'static, str>,
    },
    /// The output is larger than the caller allows.
    #[error("{} data unfolds to more than {bytes_max} bytes", codec.name())]
    TooLarge {
        /// The codec that the batch names.
        codec: Codec,
        /// The limit.
        bytes_max: usize,
    },
    /// A level outside the codec's range.
    #[error("{} has no compression level {level}", codec.name())]
    Level {
        /// The codec.
        codec: Codec,
        /// The level asked for.
        level: i32,
    },
    /// The codec's library refused to work.
    #[error("{} failed", codec.name())]
    Library {
        /// The codec.
        codec: Codec,
        /// What the library said.
        source: io::Error,
    },
}

impl Codec {
    /// Every codec, in the order of their bits.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec of a batch's attribute bits 0-2; `None` for 5, 6 and 7.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Its attribute bits.
    pub const fn bits(self) -> u8 {
        self as u8
    }

    /// Its name in `compression.type` of producers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The codec of that name; topics also say `uncompressed` for none.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "none" | "uncompressed" => Some(Self::None),
            "gzip" => Some(Self::Gzip),
            "snappy" => Some(Self::Snappy),
            "lz4" => Some(Self::Lz4),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Whether `level` is legal for `compression.<codec>.level` (KIP-390). A codec without levels has none.
    pub fn takes_level(self, level: i32) -> bool {
        match self {
            Self::None | Self::Snappy => false,
            Self::Gzip => level == gzip::LEVEL_DEFAULT || (1..=9).contains(&level),
            Self::Lz4 => (1..=17).contains(&level),
            Self::Zstd => (-131_072..=22).contains(&level),
        }
    }
}

/// Compresses `input` as Kafka's own client would. `level` as in `compression.<codec>.level`, `None` for the
/// codec's default; codecs without levels ignore it.
///
/// LZ4 has one speed here: every level gives the output of Kafka's default, the fast one.
pub fn compress(codec: Codec, level: Option<i32>, input: &[u8]) -> Result<Vec<u8>, CodecError> {
    let mut fold = Fold::new(codec, level, Vec::new())?;
    fold.write(input)?;
    fold.finish()
}

/// Decompresses `input`, to at most `bytes_max` bytes. Without compression the input itself is returned, under the
/// same limit.
pub fn decompress(codec: Codec, input: &[u8], bytes_max: usize) -> Result<Cow<'_, [u8]>, CodecError> {
    let mut unfold = Unfold::new(codec, input, bytes_max)?;
    if codec == Codec::None {
        return if input.len() > bytes_max {
            Err(CodecError::TooLarge { codec, bytes_max })
        } else {
            Ok(Cow::Borrowed(input))
        };
    }
    let mut output = Vec::new();
    loop {
        let chunk = unfold.next_chunk()?;
        if chunk.is_empty() {
            return Ok(Cow::Owned(output));
        }
        output.extend_from_slice(chunk);
    }
}

/// Decompression piece by piece, under an output limit.
#[derive(Debug)]
pub struct Unfold<'a> {
    codec: Codec,
    inner: Inner<'a>,
    chunk: Vec<u8>,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
enum Inner<'a> {
    None(&'a [u8]),
    Gzip(Box<gzip::Unfold<'a>>),
    Snappy(snappy::Unfold<'a>),
    Lz4(lz4::Unfold<'a>),
    Zstd(zstd::Unfold<'a>),
}

impl<'a> Unfold<'a> {
    /// Over the compressed `input`; more than `bytes_max` bytes of output are an error.
    pub fn new(codec: Codec, input: &'a [u8], bytes_max: usize) -> Result<Self, CodecError> {
        let inner = match codec {
            Codec::None => Inner::None(input),
            Codec::Gzip => Inner::Gzip(Box::new(gzip::Unfold::new(input))),
            Codec::Snappy => Inner::Snappy(snappy::Unfold::new(input)),
            Codec::Lz4 => Inner::Lz4(lz4::Unfold::new(input)?),
            Codec::Zstd => Inner::Zstd(zstd::Unfold::new(input)?),
        };
        Ok(Self { codec, inner, chunk: Vec::new(), bytes: 0, bytes_max })
    }

    /// The next piece of output; an empty one is the end, and only a complete input has one.
    pub fn next_chunk(&mut self) -> Result<&[u8], CodecError> {
        let (codec, bytes_max) = (self.codec, self.bytes_max);
        let bytes_left = bytes_max - self.bytes;
        let chunk = &mut self.chunk;
        chunk.clear();
        let filled = match &mut self.inner {
            Inner::None(input) => {
                let (piece, rest) = input.split_at_checked(PLAIN_CHUNK_BYTES).unwrap_or((input, &[]));
                chunk.extend_from_slice(piece);
                *input = rest;
                Ok(())
            }
            Inner::Gzip(unfold) => unfold.next_chunk(chunk),
            Inner::Snappy(unfold) => unfold.next_chunk(chunk, bytes_left),
            Inner::Lz4(unfold) => unfold.next_chunk(chunk),
            Inner::Zstd(unfold) => unfold.next_chunk(chunk, self.bytes),
        };
        filled.map_err(|stop| match stop {
            Stop::Corrupt(reason) => CodecError::Corrupt { codec, reason },
            Stop::TooLarge => CodecError::TooLarge { codec, bytes_max },
        })?;
        if self.chunk.len() > bytes_left {
            return Err(CodecError::TooLarge { codec, bytes_max });
        }
        self.bytes += self.chunk.len();
        Ok(&self.chunk)
    }

    /// What [`Unfold::next_chunk`] gave last.
    pub fn chunk(&self) -> &[u8] {
        &self.chunk
    }
}

/// Why a codec stops before its end.
#[derive(Debug)]
enum Stop {
    Corrupt(Cow<'static, str>),
    TooLarge,
}

impl Stop {
    const fn corrupt(reason: &'static str) -> Self {
        Self::Corrupt(Cow::Borrowed(reason))
    }

    fn library(error: &impl ToString) -> Self {
        Self::Corrupt(Cow::Owned(error.to_string()))
    }
}

/// Compression of input that comes piece by piece.
pub(crate) struct Fold {
    codec: Codec,
    inner: FoldInner,
}

enum FoldInner {
    None(Vec<u8>),
    Gzip(Box<flate2::write::GzEncoder<Vec<u8>>>),
    Snappy(Box<snappy::Fold>),
    Lz4(Box<lz4_flex::frame::FrameEncoder<Vec<u8>>>),
    Zstd(::zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Fold {
    /// Appends to `out`, which may already hold what stands before the compressed bytes.
    pub(crate) fn new(codec: Codec, level: Option<i32>, out: Vec<u8>) -> Result<Self, CodecError> {
        if let Some(level) = level
            && !matches!(codec, Codec::None | Codec::Snappy)
            && !codec.takes_level(level)
        {
            return Err(CodecError::Level { codec, level });
        }
        let inner = match codec {
            Codec::None => FoldInner::None(out),
            Codec::Gzip => FoldInner::Gzip(Box::new(gzip::fold(level, out))),
            Codec::Snappy => FoldInner::Snappy(Box::new(snappy::Fold::new(out))),
            Codec::Lz4 => FoldInner::Lz4(Box::new(lz4::fold(out))),
            Codec::Zstd => FoldInner::Zstd(
                zstd::fold(level, out).map_err(|source| CodecError::Library { codec, source })?,
            ),
        };
        Ok(Self { codec, inner })
    }

    /// Takes the next piece of input.
    pub(crate) fn write(&mut self, input: &[u8]) -> Result<(), CodecError> {
        let written = match &mut self.inner {
            FoldInner::None(out) => out.write_all(input),
            FoldInner::Gzip(encoder) => encoder.write_all(input),
            FoldInner::Snappy(fold) => fold.write(input),
            FoldInner::Lz4(encoder) => encoder.write_all(input),
            FoldInner::Zstd(encoder) => encoder.write_all(input),
        };
        written.map_err(|source| CodecError::Library { codec: self.codec, source })
    }

    /// Bytes of output so far; the codec may hold back some more.
    pub(crate) fn len(&self) -> usize {
        match &self.inner {
            FoldInner::None(out) => out.len(),
            FoldInner::Gzip(encoder) => encoder.get_ref().len(),
            FoldInner::Snappy(fold) => fold.len(),
            FoldInner::Lz4(encoder) => encoder.get_ref().len(),
            FoldInner::Zstd(encoder) => encoder.get_ref().len(),
        }
    }

    /// Ends the compressed data and gives back the buffer with it.
    pub(crate) fn finish(self) -> Result<Vec<u8>, CodecError> {
        let finished = match self.inner {
            FoldInner::None(out) => Ok(out),
            FoldInner::Gzip(encoder) => encoder.finish(),
            FoldInner::Snappy(fold) => fold.finish(),
            FoldInner::Lz4(encoder) => encoder.finish().map_err(io::Error::other),
            FoldInner::Zstd(encoder) => encoder.finish(),
        };
        finished.map_err(|source| CodecError::Library { codec: self.codec, source })
    }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
