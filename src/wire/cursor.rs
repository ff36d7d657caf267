//! Reads Kafka's primitive types off a frame without trusting one length in it.

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;
use model::limits::{ARRAY_ELEMENTS_MAX, TAGGED_FIELDS_MAX};
use uuid::Uuid;

use crate::error::BadBytes;

/// A position in a frame. `0 <= at <= bytes.len()`. Slices taken from it share the frame's memory.
///
/// All arrays of one frame together may have [`ARRAY_ELEMENTS_MAX`] elements and all its structures together
/// [`TAGGED_FIELDS_MAX`] tagged fields, which is stricter than Kafka's limit for each and bounds what any frame can
/// make a decoder allocate.
#[derive(Clone, Debug)]
pub struct Cursor {
    bytes: Bytes,
    at: usize,
    flexible: bool,
    elements_left: usize,
    tagged_fields_left: usize,
    replaced_bytes: usize,
}

/// Longest string that Kafka reads, also where the length could say more.
const STRING_BYTES_MAX: usize = i16::MAX as usize;
/// Most bytes of one frame in strings that are not UTF-8: replacing them takes memory that nobody reserved.
const REPLACED_BYTES_MAX: usize = 64 * 1024;

impl Cursor {
    /// Reads from the start of `bytes`; `flexible` says whether lengths are compact and structures end in tagged
    /// fields (KIP-482).
    pub fn new(bytes: Bytes, flexible: bool) -> Self {
        Self {
            bytes,
            at: 0,
            flexible,
            elements_left: ARRAY_ELEMENTS_MAX,
            tagged_fields_left: TAGGED_FIELDS_MAX,
            replaced_bytes: 0,
        }
    }

    /// Switches the form of lengths; a header's form differs from its body's.
    pub fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    /// Whether lengths are compact.
    pub fn is_flexible(&self) -> bool {
        self.flexible
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// What has not been read yet.
    pub fn rest(self) -> Bytes {
        self.bytes.slice(self.at..)
    }

    /// Steps over `count` bytes.
    pub fn skip(&mut self, count: usize) -> Result<(), BadBytes> {
        self.need(count)?;
        self.at += count;
        Ok(())
    }

    /// Takes `count` bytes as a slice of the frame.
    pub fn take(&mut self, count: usize) -> Result<Bytes, BadBytes> {
        let start = self.at;
        self.skip(count)?;
        Ok(self.bytes.slice(start..self.at))
    }

    /// A boolean; any byte but 0 is true, as in Kafka.
    pub fn bool(&mut self) -> Result<bool, BadBytes> {
        Ok(self.i8()? != 0)
    }

    /// A signed byte.
    pub fn i8(&mut self) -> Result<i8, BadBytes> {
        self.chunk().map(i8::from_be_bytes)
    }

    /// A big-endian 16-bit integer.
    pub fn i16(&mut self) -> Result<i16, BadBytes> {
        self.chunk().map(i16::from_be_bytes)
    }

    /// A big-endian 32-bit integer.
    pub fn i32(&mut self) -> Result<i32, BadBytes> {
        self.chunk().map(i32::from_be_bytes)
    }

    /// A big-endian 64-bit integer.
    pub fn i64(&mut self) -> Result<i64, BadBytes> {
        self.chunk().map(i64::from_be_bytes)
    }

    /// Sixteen bytes of UUID.
    pub fn uuid(&mut self) -> Result<Uuid, BadBytes> {
        self.chunk().map(Uuid::from_bytes)
    }

    /// An unsigned varint of up to 32 bits.
    pub fn unsigned_varint(&mut self) -> Result<u32, BadBytes> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.i8()? as u8;
            let bits = u32::from(byte & 0x7f);
            if shift == 28 && bits > 0x0f {
                return Err(BadBytes::Varint);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(BadBytes::Varint)
    }

    /// Length of a string, `None` for null; at most what is left.
    pub fn string_len(&mut self) -> Result<Option<usize>, BadBytes> {
        let length = if self.flexible { self.compact_length()? } else { i32::from(self.i16()?) };
        match self.length(length)? {
            Some(length) if length > STRING_BYTES_MAX => Err(BadBytes::Long(length)),
            length => Ok(length),
        }
    }

    /// Length of a bytes or records field, `None` for null; at most what is left.
    pub fn bytes_len(&mut self) -> Result<Option<usize>, BadBytes> {
        let length = if self.flexible { self.compact_length()? } else { self.i32()? };
        self.length(length)
    }

    /// How many bytes stood in strings that were not UTF-8, so far.
    pub(crate) fn replaced_bytes(&self) -> usize {
        self.replaced_bytes
    }

    /// A string that may be null.
    pub fn nullable_string(&mut self) -> Result<Option<StrBytes>, BadBytes> {
        match self.string_len()? {
            None => Ok(None),
            Some(length) => self.utf8(length).map(Some),
        }
    }

    /// A string.
    pub fn string(&mut self) -> Result<StrBytes, BadBytes> {
        self.nullable_string()?.ok_or(BadBytes::Null)
    }

    /// Bytes or records that may be null, as a slice of the frame.
    pub fn nullable_bytes(&mut self) -> Result<Option<Bytes>, BadBytes> {
        match self.bytes_len()? {
            None => Ok(None),
            Some(length) => self.take(length).map(Some),
        }
    }

    /// Bytes with the 16-bit length of the older strings, whatever the form of the frame.
    pub fn nullable_bytes_16(&mut self) -> Result<Option<Bytes>, BadBytes> {
        let length = i32::from(self.i16()?);
        match self.length(length)? {
            None => Ok(None),
            Some(length) => self.take(length).map(Some),
        }
    }

    /// Number of elements of an array, `None` for null. Each element takes at least `element_bytes_min` bytes.
    pub fn nullable_array(&mut self, element_bytes_min: usize) -> Result<Option<usize>, BadBytes> {
        let count = if self.flexible { self.compact_length()? } else { self.i32()? };
        let Ok(count) = usize::try_from(count) else { return Ok(None) };
        let limit = self.elements_left.min(self.remaining() / element_bytes_min.max(1));
        if count > limit {
            return Err(BadBytes::Elements { count, limit });
        }
        self.elements_left -= count;
        Ok(Some(count))
    }

    /// Number of elements of an array that may not be null.
    pub fn array(&mut self, element_bytes_min: usize) -> Result<usize, BadBytes> {
        self.nullable_array(element_bytes_min)?.ok_or(BadBytes::Null)
    }

    /// The tagged fields that end a structure; nothing in a version that is not flexible. `known` reads the value of
    /// a tag it knows and says so; the others are stepped over.
    pub fn tagged_fields(
        &mut self,
        mut known: impl FnMut(u32, &mut Self) -> Result<bool, BadBytes>,
    ) -> Result<(), BadBytes> {
        for _ in 0..self.tagged_fields_count()? {
            let (tag, announced) = self.tagged_field_start()?;
            let start = self.at;
            if known(tag, self)? {
                self.tagged_field_end(tag, announced, start)?;
            } else {
                self.skip(announced)?;
            }
        }
        Ok(())
    }

    /// Number of the tagged fields that end a structure; none in a version that is not flexible.
    pub(crate) fn tagged_fields_count(&mut self) -> Result<usize, BadBytes> {
        if !self.flexible {
            return Ok(0);
        }
        let count = self.unsigned_varint()? as usize;
        // A tagged field takes at least its tag and its size.
        if count > self.tagged_fields_left || count > self.remaining() / 2 {
            return Err(BadBytes::TaggedFields(count));
        }
        self.tagged_fields_left -= count;
        Ok(count)
    }

    /// A tagged field's tag and size; as many bytes are there.
    pub(crate) fn tagged_field_start(&mut self) -> Result<(u32, usize), BadBytes> {
        let tag = self.unsigned_varint()?;
        let announced = self.unsigned_varint()? as usize;
        self.need(announced)?;
        Ok((tag, announced))
    }

    /// Whether a value that began at `start` was as long as its field announced.
    pub(crate) fn tagged_field_end(&self, tag: u32, announced: usize, start: usize) -> Result<(), BadBytes> {
        let used = self.at - start;
        if used != announced {
            return Err(BadBytes::TagSize { tag, announced, used });
        }
        Ok(())
    }

    /// Steps over the tagged fields that end a structure.
    pub fn skip_tagged_fields(&mut self) -> Result<(), BadBytes> {
        self.tagged_fields(|_, _| Ok(false))
    }

    /// A string's bytes; what is not UTF-8 in them is replaced, as Kafka replaces it.
    fn utf8(&mut self, length: usize) -> Result<StrBytes, BadBytes> {
        let start = self.at;
        if let Ok(text) = StrBytes::from_utf8(self.take(length)?) {
            return Ok(text);
        }
        self.replaced_bytes += length;
        if self.replaced_bytes > REPLACED_BYTES_MAX {
            return Err(BadBytes::Utf8);
        }
        let bytes = self.bytes.get(start..self.at).unwrap_or_default();
        Ok(StrBytes::from_string(String::from_utf8_lossy(bytes).into_owned()))
    }

    /// The length in a compact field, which counts one more. Kafka's arithmetic has 32 bits and wraps.
    fn compact_length(&mut self) -> Result<i32, BadBytes> {
        Ok((self.unsigned_varint()? as i32).wrapping_sub(1))
    }

    /// Every negative length is null, as in Kafka.
    fn length(&self, length: i32) -> Result<Option<usize>, BadBytes> {
        let Ok(length) = usize::try_from(length) else { return Ok(None) };
        self.need(length)?;
        Ok(Some(length))
    }

    fn need(&self, needed: usize) -> Result<(), BadBytes> {
        let left = self.remaining();
        if needed > left {
            return Err(BadBytes::Short { needed, left });
        }
        Ok(())
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], BadBytes> {
        let chunk = self.bytes.get(self.at..).and_then(|left| left.first_chunk().copied());
        let chunk = chunk.ok_or(BadBytes::Short { needed: N, left: self.remaining() })?;
        self.at += N;
        Ok(chunk)
    }
}
