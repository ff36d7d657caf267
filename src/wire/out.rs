//! Writes Kafka's primitive types into a frame, with records kept as segments of their own.

use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;

use crate::error::EncodeError;
use crate::frame::{Frame, Gap};

/// A frame being written. The length prefix is the first four bytes of the first segment and is set by
/// [`Out::finish`].
#[derive(Debug)]
pub struct Out {
    /// What follows the segments so far.
    buf: BytesMut,
    /// The first segment, kept mutable for the length prefix; its place in `segments` holds an empty one.
    head: Option<BytesMut>,
    segments: Vec<Bytes>,
    gaps: Vec<Gap>,
    /// Of segments and gaps.
    segments_len: usize,
    flexible: bool,
}

impl Out {
    /// Begins a frame. `capacity` is the expected size without records; `flexible` as in
    /// [`Cursor::new`](crate::cursor::Cursor::new).
    pub fn frame(capacity: usize, flexible: bool) -> Self {
        let mut buf = BytesMut::with_capacity(capacity + 4);
        buf.put_i32(0);
        Self { buf, head: None, segments: Vec::new(), gaps: Vec::new(), segments_len: 0, flexible }
    }

    /// Sets the length prefix and gives the frame out.
    pub fn finish(mut self) -> Result<Frame, EncodeError> {
        let total = self.segments_len + self.buf.len() - 4;
        let prefix = i32::try_from(total).map_err(|_| EncodeError::TooLong(total))?;
        let tail = self.buf;
        let mut head = match self.head {
            None => tail,
            Some(head) => {
                if !tail.is_empty() {
                    self.segments.push(tail.freeze());
                }
                head
            }
        };
        if let Some(bytes) = head.first_chunk_mut() {
            *bytes = prefix.to_be_bytes();
        }
        match self.segments.first_mut() {
            Some(first) => *first = head.freeze(),
            None => self.segments.push(head.freeze()),
        }
        Ok(Frame::new(self.segments, self.gaps))
    }

    /// The buffer behind the segments so far, for generated encoders.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buf
    }

    /// Whether lengths are compact.
    pub fn is_flexible(&self) -> bool {
        self.flexible
    }

    /// Switches the form of lengths; a header's form differs from its body's.
    pub fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    /// A boolean as one byte.
    pub fn bool(&mut self, value: bool) {
        self.buf.put_u8(u8::from(value));
    }

    /// A signed byte.
    pub fn i8(&mut self, value: i8) {
        self.buf.put_i8(value);
    }

    /// A big-endian 16-bit integer.
    pub fn i16(&mut self, value: i16) {
        self.buf.put_i16(value);
    }

    /// A big-endian 32-bit integer.
    pub fn i32(&mut self, value: i32) {
        self.buf.put_i32(value);
    }

    /// A big-endian 64-bit integer.
    pub fn i64(&mut self, value: i64) {
        self.buf.put_i64(value);
    }

    /// Sixteen bytes of UUID.
    pub fn uuid(&mut self, value: Uuid) {
        self.buf.put_slice(value.as_bytes());
    }

    /// An unsigned varint.
    pub fn unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.buf.put_u8((value as u8 & 0x7f) | 0x80);
            value >>= 7;
        }
        self.buf.put_u8(value as u8);
    }

    /// A string that may be null.
    pub fn nullable_string(&mut self, value: Option<&str>) -> Result<(), EncodeError> {
        let value = value.map(str::as_bytes);
        if !self.flexible {
            return self.bytes_16(value);
        }
        self.compact_len(value.map(<[u8]>::len))?;
        self.buf.put_slice(value.unwrap_or_default());
        Ok(())
    }

    /// Bytes with the 16-bit length of the older strings, whatever the form of the frame.
    pub fn bytes_16(&mut self, value: Option<&[u8]>) -> Result<(), EncodeError> {
        match value {
            None => self.buf.put_i16(-1),
            Some(bytes) => {
                let length = i16::try_from(bytes.len()).map_err(|_| EncodeError::TooLong(bytes.len()))?;
                self.buf.put_i16(length);
                self.buf.put_slice(bytes);
            }
        }
        Ok(())
    }

    /// A string.
    pub fn string(&mut self, value: &str) -> Result<(), EncodeError> {
        self.nullable_string(Some(value))
    }

    /// Number of elements of an array, or null.
    pub fn nullable_array(&mut self, count: Option<usize>) -> Result<(), EncodeError> {
        self.long_len(count)
    }

    /// Number of elements of an array.
    pub fn array(&mut self, count: usize) -> Result<(), EncodeError> {
        self.long_len(Some(count))
    }

    /// Records: the length of all `pieces`, then each of them as a segment, uncopied. `None` is null.
    pub fn records(&mut self, pieces: Option<&[Bytes]>) -> Result<(), EncodeError> {
        self.long_len(pieces.map(|pieces| pieces.iter().map(Bytes::len).sum()))?;
        pieces.into_iter().flatten().for_each(|piece| self.segment(piece.clone()));
        Ok(())
    }

    /// As [`Out::records`], and behind the pieces a gap of `missing` bytes, which the length counts.
    pub fn records_and_gap(&mut self, pieces: &[Bytes], missing: usize) -> Result<(), EncodeError> {
        self.long_len(Some(pieces.iter().map(Bytes::len).sum::<usize>() + missing))?;
        for piece in pieces {
            self.segment(piece.clone());
        }
        if missing > 0 {
            self.end_segment();
            self.gaps.push(Gap { before: self.segments.len(), len: missing });
            self.segments_len += missing;
        }
        Ok(())
    }

    /// The end of a structure without tagged fields.
    pub fn no_tagged_fields(&mut self) {
        if self.flexible {
            self.buf.put_u8(0);
        }
    }

    /// Number of the tagged fields that follow, each written by [`Out::tagged_field`] in ascending order of tags.
    pub fn tagged_fields(&mut self, count: usize) {
        self.unsigned_varint(count as u32);
    }

    /// One tagged field whose value `write` appends; values are small, so they are measured by writing them.
    pub fn tagged_field(
        &mut self,
        tag: u32,
        write: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let mut value = Self {
            buf: BytesMut::new(),
            head: None,
            segments: Vec::new(),
            gaps: Vec::new(),
            segments_len: 0,
            flexible: self.flexible,
        };
        write(&mut value)?;
        let length = value.buf.len();
        self.unsigned_varint(tag);
        self.unsigned_varint(u32::try_from(length).map_err(|_| EncodeError::TooLong(length))?);
        self.buf.put_slice(&value.buf);
        Ok(())
    }

    fn segment(&mut self, piece: Bytes) {
        if piece.is_empty() {
            return;
        }
        self.end_segment();
        self.segments_len += piece.len();
        self.segments.push(piece);
    }

    fn end_segment(&mut self) {
        if self.buf.is_empty() {
            return;
        }
        let before = self.buf.split();
        self.segments_len += before.len();
        if self.head.is_none() {
            self.head = Some(before);
            self.segments.push(Bytes::new());
        } else {
            self.segments.push(before.freeze());
        }
    }

    fn long_len(&mut self, length: Option<usize>) -> Result<(), EncodeError> {
        if self.flexible {
            return self.compact_len(length);
        }
        match length {
            None => self.buf.put_i32(-1),
            Some(n) => self.buf.put_i32(i32::try_from(n).map_err(|_| EncodeError::TooLong(n))?),
        }
        Ok(())
    }

    fn compact_len(&mut self, length: Option<usize>) -> Result<(), EncodeError> {
        let field = length.map_or(0, |n| n + 1);
        self.unsigned_varint(u32::try_from(field).map_err(|_| EncodeError::TooLong(field))?);
        Ok(())
    }
}
