//! Frames: a 32-bit length and as many bytes.

use bytes::{Bytes, BytesMut};

/// Size of the length prefix, which the length does not count.
pub const LENGTH_PREFIX_BYTES: usize = 4;

/// Why a length prefix is refused; the body is not read and the connection is closed
/// (`org.apache.kafka.common.network.NetworkReceive`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length is negative.
    #[error("frame length {0} is negative")]
    Negative(i32),
    /// The length is above `socket.request.max.bytes`.
    #[error("frame length {length} is above the limit of {limit} bytes")]
    TooLarge {
        /// Bytes announced.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
}

/// A frame ready to be written: ordered segments, the length prefix at the start of the first. Records are segments
/// of their own and share memory with whoever gave them, or gaps that whoever writes the frame fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    segments: Vec<Bytes>,
    gaps: Vec<Gap>,
}

/// Bytes of a frame that it does not hold, such as a range of a file. `0 < before <= number of segments`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Number of the segment that it stands before; that of the segments where it ends the frame.
    pub before: usize,
    /// How many bytes are missing; never 0.
    pub len: usize,
}

/// The frame of a response.
pub type Reply = Frame;

impl Frame {
    pub(crate) fn new(segments: Vec<Bytes>, gaps: Vec<Gap>) -> Self {
        Self { segments, gaps }
    }

    /// The segments in the order of the wire; none is empty.
    pub fn segments(&self) -> &[Bytes] {
        &self.segments
    }

    /// The segments themselves.
    ///
    /// # Panics
    /// The frame has gaps.
    pub fn into_segments(self) -> Vec<Bytes> {
        assert!(self.gaps.is_empty(), "the segments are all of the frame");
        self.segments
    }

    /// The segments themselves, and the gaps between them, in the order of the wire.
    pub fn into_parts(self) -> (Vec<Bytes>, Vec<Gap>) {
        (self.segments, self.gaps)
    }

    /// Bytes on the wire, length prefix and gaps included.
    pub fn len(&self) -> usize {
        self.segments.iter().map(Bytes::len).chain(self.gaps.iter().map(|gap| gap.len)).sum()
    }

    /// Never true: a frame has at least its prefix.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// All segments in one piece. Copies, unless there is only one.
    ///
    /// # Panics
    /// The frame has gaps.
    pub fn to_bytes(&self) -> Bytes {
        assert!(self.gaps.is_empty(), "the segments are all of the frame");
        match self.segments.as_slice() {
            [only] => only.clone(),
            many => many.concat().into(),
        }
    }
}

/// Number of bytes that follow a length prefix.
///
/// # Errors
/// A negative length, or one above `bytes_max`.
pub fn body_len(prefix: [u8; LENGTH_PREFIX_BYTES], bytes_max: usize) -> Result<usize, FrameError> {
    let length = i32::from_be_bytes(prefix);
    let unsigned = usize::try_from(length).map_err(|_| FrameError::Negative(length))?;
    if unsigned > bytes_max {
        return Err(FrameError::TooLarge { length: unsigned, limit: bytes_max });
    }
    Ok(unsigned)
}

/// What the front of a read buffer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A whole frame, taken off the buffer without its prefix; it shares the buffer's memory.
    Frame(Bytes),
    /// The start of a frame of `body_len` bytes (after the prefix), of which `missing` have not arrived.
    Partial {
        /// Bytes after the prefix.
        body_len: usize,
        /// Bytes that have not arrived.
        missing: usize,
    },
    /// Less than a length prefix.
    Nothing,
}

/// Takes the next whole frame off `buffer`, if it is there.
///
/// # Errors
/// As [`body_len`], as soon as the prefix is there.
pub fn next(buffer: &mut BytesMut, bytes_max: usize) -> Result<Next, FrameError> {
    let Some(prefix) = buffer.first_chunk::<LENGTH_PREFIX_BYTES>() else {
        return Ok(Next::Nothing);
    };
    let body_len = body_len(*prefix, bytes_max)?;
    let whole = LENGTH_PREFIX_BYTES + body_len;
    if buffer.len() < whole {
        return Ok(Next::Partial { body_len, missing: whole - buffer.len() });
    }
    let frame = buffer.split_to(whole).freeze();
    Ok(Next::Frame(frame.slice(LENGTH_PREFIX_BYTES..)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_refused_before_the_body() {
        let mut buffer = BytesMut::from(&b"\xff\xff\xff\xff"[..]);
        assert_eq!(next(&mut buffer, 100), Err(FrameError::Negative(-1)));
        let mut buffer = BytesMut::from(&b"\0\0\0\x65"[..]);
        assert_eq!(next(&mut buffer, 100), Err(FrameError::TooLarge { length: 101, limit: 100 }));
        assert_eq!(next(&mut buffer, 101), Ok(Next::Partial { body_len: 101, missing: 101 }));
        assert_eq!(body_len(i32::MAX.to_be_bytes(), usize::MAX), Ok(i32::MAX as usize));
    }

    #[test]
    fn frames_are_taken_one_by_one() {
        let mut buffer = BytesMut::from(&b"\0\0\0\x02ab\0\0\0\0\0\0\0\x03xy"[..]);
        assert_eq!(next(&mut buffer, 100), Ok(Next::Frame(Bytes::from_static(b"ab"))));
        assert_eq!(next(&mut buffer, 100), Ok(Next::Frame(Bytes::new())));
        assert_eq!(next(&mut buffer, 100), Ok(Next::Partial { body_len: 3, missing: 1 }));
        assert_eq!(&buffer[..], b"\0\0\0\x03xy", "a partial frame stays");
        assert_eq!(next(&mut BytesMut::from(&b"\0\0\0"[..]), 100), Ok(Next::Nothing));
    }
}
