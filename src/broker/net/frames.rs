//! Cuts the bytes of one connection into frames.
//!
//! Small frames are sliced out of a chunk of up to 64 KiB, many to a read. A larger frame gets a buffer of its own,
//! reserved against the [`Budget`] step by step as its bytes arrive. Where another large frame is to be expected, the chunk
//! has room for all of it, and becomes that buffer. An idle connection holds no buffer at all.

use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, Bytes, BytesMut};
use model::limits::SMALL_FRAME_BYTES_MAX;
use tokio::io::{AsyncRead, AsyncReadExt};
use wire::frame::{FrameError, LENGTH_PREFIX_BYTES as PREFIX_BYTES, body_len};

use super::budget::{Budget, Reservation};

/// First size of the chunk; it doubles while reads fill it. What small requests need is small enough to be at hand in the
/// thread's own cache of the allocator, which larger pieces are not.
const CHUNK_BYTES_MIN: usize = 1024;
const CHUNK_BYTES_MAX: usize = SMALL_FRAME_BYTES_MAX + PREFIX_BYTES;
/// First capacity of a large frame's buffer: room for a produce request of the default `max.message.bytes`.
const LARGE_BYTES_FIRST: usize = 2 * 1024 * 1024;
/// Of a frame beyond this, what is read with its length is too little for its copying to matter.
const EXPECTED_BYTES_MAX: usize = 4 * CHUNK_BYTES_MAX;

/// Collects bytes and yields frames.
#[derive(Debug)]
pub struct Frames {
    budget: Budget,
    frame_bytes_max: usize,
    chunk: BytesMut,
    chunk_bytes: usize,
    /// Room for a frame like the last one, where that was large: the next is often like it.
    expected_bytes: usize,
    large: Option<LargeFrame>,
    /// Reservation of a whole small frame that waits for its share.
    small: Option<Reservation>,
}

#[derive(Debug)]
struct LargeFrame {
    bytes: BytesMut,
    reservation: Reservation,
}

/// One complete frame, without its length prefix.
#[derive(Debug)]
pub struct Frame {
    /// Header and body.
    pub bytes: Bytes,
    /// Its share of the memory budget.
    pub reservation: Reservation,
}

/// What the collected bytes allow.
#[derive(Debug)]
pub enum Progress {
    /// A frame is complete.
    Frame(Frame),
    /// More bytes must be read; false before the first byte of a frame.
    NeedsBytes {
        /// Whether a frame has begun.
        begun: bool,
    },
    /// The memory budget is used up; the task is woken when that changes.
    NeedsBudget,
}

impl Frames {
    /// `frame_bytes_max` is `socket.request.max.bytes`.
    pub fn new(budget: Budget, frame_bytes_max: usize) -> Self {
        Self {
            budget,
            frame_bytes_max,
            chunk: BytesMut::new(),
            chunk_bytes: CHUNK_BYTES_MIN,
            expected_bytes: 0,
            large: None,
            small: None,
        }
    }

    /// Cuts the next frame.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Result<Progress, FrameError> {
        if self.large.is_none() {
            let Some(length) = self.announced()? else {
                return Ok(Progress::NeedsBytes { begun: !self.chunk.is_empty() });
            };
            if length <= SMALL_FRAME_BYTES_MAX {
                self.expect_small();
                return Ok(self.poll_small(length, context));
            }
            self.begin_large(length);
        }
        Ok(self.poll_large(context))
    }

    /// Reads once from the socket. Zero means that the peer has closed its side.
    pub fn poll_read(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if let Some(large) = &mut self.large {
            let room = large.room();
            return pin!(stream.read_buf(&mut (&mut large.bytes).limit(room))).poll(context);
        }
        let wanted = self.chunk_bytes.saturating_sub(self.chunk.len()).max(PREFIX_BYTES);
        if self.chunk.is_empty() && self.expected_bytes > 0 {
            // Only what arrives is written to.
            self.chunk = BytesMut::with_capacity(self.expected_bytes);
        }
        self.chunk.reserve(wanted);
        let read = ready!(pin!(stream.read_buf(&mut (&mut self.chunk).limit(wanted))).poll(context))?;
        if read == wanted {
            self.chunk_bytes = (self.chunk_bytes * 2).min(CHUNK_BYTES_MAX);
        }
        Poll::Ready(Ok(read))
    }

    /// Gives the buffer back while nothing is being received.
    pub fn release_if_idle(&mut self) {
        if self.chunk.is_empty() && self.large.is_none() {
            self.chunk = BytesMut::new();
        }
    }

    /// The length of the frame at the start of the chunk, checked before its body is looked at.
    fn announced(&self) -> Result<Option<usize>, FrameError> {
        let prefix = self.chunk.first_chunk::<PREFIX_BYTES>();
        prefix.map(|prefix| body_len(*prefix, self.frame_bytes_max)).transpose()
    }

    fn poll_small(&mut self, length: usize, context: &mut Context<'_>) -> Progress {
        if self.chunk.len() < PREFIX_BYTES + length {
            self.chunk_bytes = self.chunk_bytes.max(PREFIX_BYTES + length);
            return Progress::NeedsBytes { begun: true };
        }
        let mut reservation = self.small.take().unwrap_or_else(|| self.budget.reservation(length));
        if reservation.poll_grow(length, context).is_pending() {
            self.small = Some(reservation);
            return Progress::NeedsBudget;
        }
        let mut bytes = self.chunk.split_to(PREFIX_BYTES + length).freeze();
        bytes::Buf::advance(&mut bytes, PREFIX_BYTES);
        Progress::Frame(Frame { bytes, reservation })
    }

    /// Leaves a chunk that has room for a large frame: a small one is not to keep so much from being used.
    fn expect_small(&mut self) {
        if self.expected_bytes > 0 {
            self.expected_bytes = 0;
            self.chunk = BytesMut::from(&self.chunk[..]);
        }
    }

    /// Gives a large frame a buffer of its own: the chunk, if it was made for one like it, or what has arrived is moved.
    fn begin_large(&mut self, length: usize) {
        bytes::Buf::advance(&mut self.chunk, PREFIX_BYTES);
        let arrived = self.chunk.len().min(length);
        let fits =
            (length..=length + length / 4).contains(&self.chunk.capacity()) && arrived == self.chunk.len();
        let bytes = if fits {
            std::mem::take(&mut self.chunk)
        } else {
            let mut bytes = BytesMut::with_capacity(length.min(LARGE_BYTES_FIRST));
            bytes.extend_from_slice(&self.chunk.split_to(arrived));
            if self.chunk.is_empty() {
                // It may have room for a large frame, and is not needed before this one is whole.
                self.chunk = BytesMut::new();
            }
            bytes
        };
        let with_prefix = PREFIX_BYTES + length;
        // A little more: they are seldom of quite the same size.
        let expected = with_prefix + with_prefix / 8;
        self.expected_bytes = if with_prefix <= EXPECTED_BYTES_MAX { expected } else { 0 };
        self.large = Some(LargeFrame { bytes, reservation: self.budget.reservation(length) });
    }

    fn poll_large(&mut self, context: &mut Context<'_>) -> Progress {
        let Some(large) = &mut self.large else { return Progress::NeedsBytes { begun: false } };
        let received = large.bytes.len();
        let frame_bytes = large.reservation.frame_bytes();
        if received >= large.reservation.held() && received < frame_bytes
            || received > large.reservation.held()
        {
            let step = (received * 2).max(SMALL_FRAME_BYTES_MAX);
            if large.reservation.poll_grow(step, context).is_pending() {
                return Progress::NeedsBudget;
            }
        }
        if received < frame_bytes {
            return Progress::NeedsBytes { begun: true };
        }
        match self.large.take() {
            Some(large) => {
                Progress::Frame(Frame { bytes: large.bytes.freeze(), reservation: large.reservation })
            }
            None => Progress::NeedsBytes { begun: false },
        }
    }
}

impl LargeFrame {
    /// Bytes that may be read now. A buffer that has taken its first capacity grows to the whole frame at once: by
    /// then the peer has sent megabytes, and the allocator maps the rest only as it is written.
    fn room(&mut self) -> usize {
        let received = self.bytes.len();
        if received == self.bytes.capacity() {
            self.bytes.reserve(self.reservation.frame_bytes() - received);
        }
        (self.reservation.held() - received).min(self.bytes.capacity() - received)
    }
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
