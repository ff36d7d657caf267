//! LZ4 frames as Kafka's clients write and read them: one frame of independent blocks.
//!
//! The frame is read here rather than by `lz4_flex::frame`, which takes a frame without end for a whole one, takes
//! linked blocks (no Java consumer reads them) and reserves the announced block size before it has seen a block.

use std::hash::Hasher;

use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use twox_hash::XxHash32;

use super::{Codec, CodecError, Stop};

const MAGIC: [u8; 4] = 0x184D_2204_u32.to_le_bytes();
const VERSION_MASK: u8 = 0xc0;
const VERSION: u8 = 0x40;
const INDEPENDENT: u8 = 0x20;
const BLOCK_CHECKSUM: u8 = 0x10;
const CONTENT_SIZE: u8 = 0x08;
const CONTENT_CHECKSUM: u8 = 0x04;
const RESERVED: u8 = 0x03;
const PLAIN_BLOCK: u32 = 0x8000_0000;
/// One byte of a block yields at most 255: no block needs more room than this.
const EXPANSION_MAX: usize = 255;

#[derive(Debug)]
pub(super) struct Unfold<'a> {
    left: &'a [u8],
    block_bytes_max: usize,
    block_checksums: bool,
    content_size: Option<u64>,
    content_hash: Option<XxHash32>,
    bytes: u64,
    ended: bool,
}

impl<'a> Unfold<'a> {
    pub(super) fn new(input: &'a [u8]) -> Result<Self, CodecError> {
        read_header(input).map_err(|reason| CodecError::Corrupt { codec: Codec::Lz4, reason: reason.into() })
    }

    pub(super) fn next_chunk(&mut self, chunk: &mut Vec<u8>) -> Result<(), Stop> {
        while chunk.is_empty() && !self.ended {
            let size = u32::from_le_bytes(*take(&mut self.left)?);
            if size == 0 {
                return self.end();
            }
            let bytes = (size & !PLAIN_BLOCK) as usize;
            if bytes > self.block_bytes_max {
                return Err(Stop::corrupt("a block is larger than its frame allows"));
            }
            let (block, rest) =
                self.left.split_at_checked(bytes).ok_or(Stop::corrupt("a block is cut off"))?;
            self.left = rest;
            if self.block_checksums
                && XxHash32::oneshot(0, block) != u32::from_le_bytes(*take(&mut self.left)?)
            {
                return Err(Stop::corrupt("a block's checksum does not match"));
            }
            self.unfold_block(block, size & PLAIN_BLOCK != 0, chunk)?;
        }
        Ok(())
    }

    fn unfold_block(&mut self, block: &[u8], plain: bool, chunk: &mut Vec<u8>) -> Result<(), Stop> {
        if plain {
            chunk.extend_from_slice(block);
        } else {
            let room = block.len().saturating_mul(EXPANSION_MAX).min(self.block_bytes_max);
            chunk.resize(room, 0);
            let bytes =
                lz4_flex::block::decompress_into(block, chunk).map_err(|error| Stop::library(&error))?;
            chunk.truncate(bytes);
        }
        self.bytes += chunk.len() as u64;
        if let Some(hash) = &mut self.content_hash {
            hash.write(chunk);
        }
        Ok(())
    }

    /// Checks what follows the last block.
    fn end(&mut self) -> Result<(), Stop> {
        self.ended = true;
        if let Some(hash) = &self.content_hash
            && hash.finish() as u32 != u32::from_le_bytes(*take(&mut self.left)?)
        {
            return Err(Stop::corrupt("the content's checksum does not match"));
        }
        if self.content_size.is_some_and(|size| size != self.bytes) {
            return Err(Stop::corrupt("the content is not as long as announced"));
        }
        if !self.left.is_empty() {
            return Err(Stop::corrupt("bytes follow the end of the frame"));
        }
        Ok(())
    }
}

fn read_header(input: &[u8]) -> Result<Unfold<'_>, &'static str> {
    const CUT_OFF: &str = "the frame's header is cut off";
    let (magic, descriptor) = input.split_first_chunk::<4>().ok_or(CUT_OFF)?;
    if *magic != MAGIC {
        return Err("this is no LZ4 frame");
    }
    let &[flags, block_byte, ref rest @ ..] = descriptor else {
        return Err(CUT_OFF);
    };
    if flags & VERSION_MASK != VERSION || flags & RESERVED != 0 {
        return Err("the frame's flags are not supported");
    }
    if flags & INDEPENDENT == 0 {
        return Err("blocks that depend on each other are not supported");
    }
    let block_bytes_max = match block_byte {
        0x40 => 64 * 1024,
        0x50 => 256 * 1024,
        0x60 => 1024 * 1024,
        0x70 => 4 * 1024 * 1024,
        _ => return Err("the frame's block size is not supported"),
    };
    let (content_size, rest) = if flags & CONTENT_SIZE == 0 {
        (None, rest)
    } else {
        let (size, rest) = rest.split_first_chunk().ok_or(CUT_OFF)?;
        (Some(u64::from_le_bytes(*size)), rest)
    };
    let (checksum, left) = rest.split_first().ok_or(CUT_OFF)?;
    let checked = descriptor.get(..descriptor.len() - rest.len()).unwrap_or_default();
    if (XxHash32::oneshot(0, checked) >> 8) as u8 != *checksum {
        return Err("the frame header's checksum does not match");
    }
    Ok(Unfold {
        left,
        block_bytes_max,
        block_checksums: flags & BLOCK_CHECKSUM != 0,
        content_size,
        content_hash: (flags & CONTENT_CHECKSUM != 0).then(|| XxHash32::with_seed(0)),
        bytes: 0,
        ended: false,
    })
}

fn take<'a>(left: &mut &'a [u8]) -> Result<&'a [u8; 4], Stop> {
    let (taken, rest) = left.split_first_chunk().ok_or(Stop::corrupt("the frame ends too early"))?;
    *left = rest;
    Ok(taken)
}

/// The frame that Kafka's Java client writes: independent blocks of 64 KiB, no checksums.
pub(super) fn fold(out: Vec<u8>) -> FrameEncoder<Vec<u8>> {
    let frame = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Independent);
    FrameEncoder::with_frame_info(frame, out)
}
