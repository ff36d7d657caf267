//! gzip: one or several members, as `java.util.zip.GZIPInputStream` reads them.

use std::fmt;
use std::io::{ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};

use super::Stop;

/// The level that means "the library's choice" (`java.util.zip.Deflater.DEFAULT_COMPRESSION`).
pub(super) const LEVEL_DEFAULT: i32 = -1;
const CHUNK_BYTES: usize = 16 * 1024;

pub(super) struct Unfold<'a> {
    decoder: MultiGzDecoder<&'a [u8]>,
}

impl<'a> Unfold<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { decoder: MultiGzDecoder::new(input) }
    }

    pub(super) fn next_chunk(&mut self, chunk: &mut Vec<u8>) -> Result<(), Stop> {
        chunk.resize(CHUNK_BYTES, 0);
        loop {
            match self.decoder.read(chunk) {
                Ok(bytes) => {
                    chunk.truncate(bytes);
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Stop::library(&error)),
            }
        }
    }
}

impl fmt::Debug for Unfold<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unfold").finish_non_exhaustive()
    }
}

pub(super) fn fold(level: Option<i32>, out: Vec<u8>) -> GzEncoder<Vec<u8>> {
    let level = match level {
        None | Some(LEVEL_DEFAULT) => Compression::default(),
        Some(level) => Compression::new(level.clamp(1, 9) as u32),
    };
    GzBuilder::new().write(out, level)
}
