//! Snappy, framed as snappy-java does, or bare as librdkafka writes it.
//!
//! ```text
//! magic    82 'SNAPPY' 00
//! version  i32   1
//! minimum  i32   1, the oldest version that can read this
//! blocks   i32 length and as many bytes of snappy, to the end; the 16 bytes above may come again between blocks
//! ```

use std::io;

use super::Stop;

const MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
const MAGIC_START: [u8; 4] = *b"\x82SNA";
const HEADER_BYTES: usize = 16;
const VERSION: i32 = 1;
/// Size of the blocks that snappy-java cuts.
const BLOCK_BYTES: usize = 32 * 1024;
/// A copy of three bytes yields at most 64: nothing in snappy unfolds faster, so a larger announced size is a lie.
const EXPANSION_MAX: usize = 22;

#[derive(Debug)]
pub(super) struct Unfold<'a> {
    left: &'a [u8],
    framed: bool,
    started: bool,
}

impl<'a> Unfold<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { left: input, framed: input.starts_with(&MAGIC), started: false }
    }

    pub(super) fn next_chunk(&mut self, chunk: &mut Vec<u8>, bytes_left: usize) -> Result<(), Stop> {
        let started = std::mem::replace(&mut self.started, true);
        if !self.framed {
            if started {
                return Ok(());
            }
            return unfold_block(self.left, bytes_left, chunk);
        }
        while chunk.is_empty() && !self.left.is_empty() {
            if self.left.starts_with(&MAGIC_START) {
                self.left = after_header(self.left)?;
                continue;
            }
            let (length, rest) =
                self.left.split_first_chunk().ok_or(Stop::corrupt("a block length is cut off"))?;
            let (block, rest) = usize::try_from(i32::from_be_bytes(*length))
                .ok()
                .and_then(|length| rest.split_at_checked(length))
                .ok_or(Stop::corrupt("a block is longer than its input"))?;
            self.left = rest;
            unfold_block(block, bytes_left, chunk)?;
        }
        Ok(())
    }
}

/// What follows a frame header.
fn after_header(input: &[u8]) -> Result<&[u8], Stop> {
    let (header, rest) =
        input.split_first_chunk::<HEADER_BYTES>().ok_or(Stop::corrupt("a header is cut off"))?;
    let [magic @ .., _, _, _, _, m0, m1, m2, m3] = *header;
    if magic != MAGIC {
        return Err(Stop::corrupt("a header has another magic"));
    }
    // snappy-java refuses what announces an older version than its own.
    let version = header.get(8..12).and_then(|bytes| bytes.try_into().ok());
    if version.map_or(0, i32::from_be_bytes) < VERSION || i32::from_be_bytes([m0, m1, m2, m3]) > VERSION {
        return Err(Stop::corrupt("a header has an incompatible version"));
    }
    Ok(rest)
}

fn unfold_block(block: &[u8], bytes_left: usize, chunk: &mut Vec<u8>) -> Result<(), Stop> {
    if block.is_empty() {
        return Err(Stop::corrupt("a block is empty"));
    }
    let bytes = snap::raw::decompress_len(block).map_err(|error| Stop::library(&error))?;
    if bytes > block.len().saturating_mul(EXPANSION_MAX) {
        return Err(Stop::corrupt("a block announces more than it can hold"));
    }
    if bytes > bytes_left {
        return Err(Stop::TooLarge);
    }
    chunk.resize(bytes, 0);
    let written =
        snap::raw::Decoder::new().decompress(block, chunk).map_err(|error| Stop::library(&error))?;
    chunk.truncate(written);
    Ok(())
}

pub(super) struct Fold {
    encoder: snap::raw::Encoder,
    block: Vec<u8>,
    out: Vec<u8>,
}

impl Fold {
    pub(super) fn new(mut out: Vec<u8>) -> Self {
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&VERSION.to_be_bytes());
        Self { encoder: snap::raw::Encoder::new(), block: Vec::new(), out }
    }

    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    pub(super) fn write(&mut self, mut input: &[u8]) -> io::Result<()> {
        while !input.is_empty() {
            let room = BLOCK_BYTES - self.block.len();
            let (taken, rest) = input.split_at_checked(room).unwrap_or((input, &[]));
            self.block.extend_from_slice(taken);
            input = rest;
            if self.block.len() == BLOCK_BYTES {
                self.end_block()?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<Vec<u8>> {
        if !self.block.is_empty() {
            self.end_block()?;
        }
        Ok(self.out)
    }

    fn end_block(&mut self) -> io::Result<()> {
        let folded = self.encoder.compress_vec(&self.block).map_err(io::Error::other)?;
        self.out.extend_from_slice(&(folded.len() as i32).to_be_bytes());
        self.out.extend_from_slice(&folded);
        self.block.clear();
        Ok(())
    }
}
