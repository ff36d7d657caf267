//! The primitive types of Kafka's wire protocol and of its own records (`__cluster_metadata`,
//! `__consumer_offsets`, ...): big-endian integers, zig-zag varints, compact strings, tagged fields.
//!
//! [`Reader`] checks every length against what is left before it takes anything.

use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;

use crate::limits::{ARRAY_ELEMENTS_MAX, TAGGED_FIELDS_MAX};

/// Why bytes could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The value needs more bytes than are left.
    #[error("{needed} bytes are needed and {left} are left")]
    Short {
        /// Bytes the value needs.
        needed: usize,
        /// Bytes left.
        left: usize,
    },
    /// A varint of more than five (32 bits) or ten (64 bits) bytes, or with bits beyond its type.
    #[error("a varint does not end within its type")]
    Varint,
    /// A length that its type does not allow.
    #[error("length {0} is not legal here")]
    Length(i64),
    /// A string that is not UTF-8.
    #[error("a string is not UTF-8")]
    Utf8,
    /// Tagged fields out of order or twice.
    #[error("tagged field {0} is out of order")]
    TagOrder(u32),
}

/// Takes values off the front of `Bytes`; slices share its memory.
#[derive(Clone, Debug)]
pub struct Reader {
    left: Bytes,
}

/// One tagged field that the reader's version does not know: kept as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaggedField {
    /// Its tag.
    pub tag: u32,
    /// Its bytes, without the length.
    pub value: Bytes,
}

impl Reader {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: Bytes) -> Self {
        Self { left: bytes }
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.left.len()
    }

    /// What has not been read yet.
    pub fn rest(self) -> Bytes {
        self.left
    }

    /// Takes `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Result<Bytes, ReadError> {
        if count > self.left.len() {
            return Err(ReadError::Short { needed: count, left: self.left.len() });
        }
        Ok(self.left.split_to(count))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let taken = self.left.first_chunk().copied();
        let value = taken.ok_or(ReadError::Short { needed: N, left: self.left.len() })?;
        bytes::Buf::advance(&mut self.left, N);
        Ok(value)
    }

    /// A boolean; any byte but 0 is true, as in Kafka.
    pub fn bool(&mut self) -> Result<bool, ReadError> {
        Ok(self.i8()? != 0)
    }

    /// A signed byte.
    pub fn i8(&mut self) -> Result<i8, ReadError> {
        self.array().map(i8::from_be_bytes)
    }

    /// A big-endian 16-bit integer.
    pub fn i16(&mut self) -> Result<i16, ReadError> {
        self.array().map(i16::from_be_bytes)
    }

    /// An unsigned big-endian 16-bit integer.
    pub fn u16(&mut self) -> Result<u16, ReadError> {
        self.array().map(u16::from_be_bytes)
    }

    /// A big-endian 32-bit integer.
    pub fn i32(&mut self) -> Result<i32, ReadError> {
        self.array().map(i32::from_be_bytes)
    }

    /// A big-endian 64-bit integer.
    pub fn i64(&mut self) -> Result<i64, ReadError> {
        self.array().map(i64::from_be_bytes)
    }

    /// A big-endian IEEE double.
    pub fn f64(&mut self) -> Result<f64, ReadError> {
        self.array().map(f64::from_be_bytes)
    }

    /// Sixteen bytes of UUID.
    pub fn uuid(&mut self) -> Result<Uuid, ReadError> {
        self.array().map(Uuid::from_bytes)
    }

    /// An unsigned varint of up to five bytes.
    pub fn unsigned_varint(&mut self) -> Result<u32, ReadError> {
        let value = self.varint_bits(5)?;
        u32::try_from(value).map_err(|_| ReadError::Varint)
    }

    /// A zig-zag varint of up to five bytes.
    pub fn varint(&mut self) -> Result<i32, ReadError> {
        let value = self.unsigned_varint()?;
        Ok((value >> 1) as i32 ^ -((value & 1) as i32))
    }

    /// A zig-zag varint of up to ten bytes.
    pub fn varlong(&mut self) -> Result<i64, ReadError> {
        let value = self.varint_bits(10)?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn varint_bits(&mut self, bytes_max: u32) -> Result<u64, ReadError> {
        let mut value = 0u64;
        for i in 0..bytes_max {
            let byte = self.i8()? as u8;
            if i == 9 && byte > 1 {
                return Err(ReadError::Varint);
            }
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(ReadError::Varint)
    }

    /// A string of the older encoding: 16-bit length, -1 for null.
    pub fn nullable_string(&mut self) -> Result<Option<String>, ReadError> {
        match self.i16()? {
            -1 => Ok(None),
            length if length < 0 => Err(ReadError::Length(i64::from(length))),
            length => self.utf8(length as usize).map(Some),
        }
    }

    /// A string of the older encoding that may not be null.
    pub fn string(&mut self) -> Result<String, ReadError> {
        self.nullable_string()?.ok_or(ReadError::Length(-1))
    }

    /// A string of the flexible encoding: unsigned varint of length + 1, 0 for null.
    pub fn compact_nullable_string(&mut self) -> Result<Option<String>, ReadError> {
        match self.unsigned_varint()? {
            0 => Ok(None),
            length => self.utf8(length as usize - 1).map(Some),
        }
    }

    /// A string of the flexible encoding that may not be null.
    pub fn compact_string(&mut self) -> Result<String, ReadError> {
        self.compact_nullable_string()?.ok_or(ReadError::Length(-1))
    }

    fn utf8(&mut self, length: usize) -> Result<String, ReadError> {
        let bytes = self.bytes(length)?;
        std::str::from_utf8(&bytes).map(str::to_owned).map_err(|_| ReadError::Utf8)
    }

    /// Bytes of the older encoding: 32-bit length, -1 for null.
    pub fn nullable_bytes(&mut self) -> Result<Option<Bytes>, ReadError> {
        match self.i32()? {
            -1 => Ok(None),
            length if length < 0 => Err(ReadError::Length(i64::from(length))),
            length => self.bytes(length as usize).map(Some),
        }
    }

    /// Bytes of the flexible encoding: unsigned varint of length + 1, 0 for null.
    pub fn compact_nullable_bytes(&mut self) -> Result<Option<Bytes>, ReadError> {
        match self.unsigned_varint()? {
            0 => Ok(None),
            length => self.bytes(length as usize - 1).map(Some),
        }
    }

    /// Number of elements of an array of the older encoding, `None` for null. Every element of every Kafka
    /// array takes at least a byte, so a count beyond what is left is refused here.
    pub fn array_len(&mut self) -> Result<Option<usize>, ReadError> {
        match self.i32()? {
            -1 => Ok(None),
            count if count < 0 => Err(ReadError::Length(i64::from(count))),
            count => self.elements(count as usize).map(Some),
        }
    }

    /// Number of elements of an array of the flexible encoding, `None` for null; bounded as
    /// [`Reader::array_len`].
    pub fn compact_array_len(&mut self) -> Result<Option<usize>, ReadError> {
        match self.unsigned_varint()? {
            0 => Ok(None),
            count => self.elements(count as usize - 1).map(Some),
        }
    }

    fn elements(&self, count: usize) -> Result<usize, ReadError> {
        if count > self.left.len() || count > ARRAY_ELEMENTS_MAX {
            return Err(ReadError::Length(count as i64));
        }
        Ok(count)
    }

    /// The tagged fields that end a flexible structure.
    pub fn tagged_fields(&mut self) -> Result<Vec<TaggedField>, ReadError> {
        let count = self.unsigned_varint()? as usize;
        // A tagged field takes at least its tag and its size.
        if count > TAGGED_FIELDS_MAX || count > self.left.len() / 2 {
            return Err(ReadError::Length(count as i64));
        }
        let mut fields: Vec<TaggedField> = Vec::with_capacity(count.min(16));
        for _ in 0..count {
            let tag = self.unsigned_varint()?;
            if fields.last().is_some_and(|last| last.tag >= tag) {
                return Err(ReadError::TagOrder(tag));
            }
            let length = self.unsigned_varint()? as usize;
            fields.push(TaggedField { tag, value: self.bytes(length)? });
        }
        Ok(fields)
    }
}

/// Appends values to a growing buffer.
#[derive(Debug, Default)]
pub struct Writer {
    out: BytesMut,
}

impl Writer {
    /// An empty writer.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty writer with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { out: BytesMut::with_capacity(bytes) }
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// What was written.
    pub fn freeze(self) -> Bytes {
        self.out.freeze()
    }

    /// Raw bytes, without length.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.put_slice(bytes);
    }

    /// A boolean as one byte.
    pub fn bool(&mut self, value: bool) {
        self.out.put_u8(u8::from(value));
    }

    /// A signed byte.
    pub fn i8(&mut self, value: i8) {
        self.out.put_i8(value);
    }

    /// A big-endian 16-bit integer.
    pub fn i16(&mut self, value: i16) {
        self.out.put_i16(value);
    }

    /// An unsigned big-endian 16-bit integer.
    pub fn u16(&mut self, value: u16) {
        self.out.put_u16(value);
    }

    /// A big-endian 32-bit integer.
    pub fn i32(&mut self, value: i32) {
        self.out.put_i32(value);
    }

    /// A big-endian 64-bit integer.
    pub fn i64(&mut self, value: i64) {
        self.out.put_i64(value);
    }

    /// A big-endian IEEE double.
    pub fn f64(&mut self, value: f64) {
        self.out.put_f64(value);
    }

    /// Sixteen bytes of UUID.
    pub fn uuid(&mut self, value: Uuid) {
        self.out.put_slice(value.as_bytes());
    }

    /// An unsigned varint.
    pub fn unsigned_varint(&mut self, value: u32) {
        self.varint_bits(u64::from(value));
    }

    /// A zig-zag varint of 32 bits.
    pub fn varint(&mut self, value: i32) {
        self.unsigned_varint(((value << 1) ^ (value >> 31)) as u32);
    }

    /// A zig-zag varint of 64 bits.
    pub fn varlong(&mut self, value: i64) {
        self.varint_bits(((value << 1) ^ (value >> 63)) as u64);
    }

    fn varint_bits(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.put_u8((value as u8 & 0x7f) | 0x80);
            value >>= 7;
        }
        self.out.put_u8(value as u8);
    }

    /// A string of the older encoding; at most `i16::MAX` bytes.
    pub fn nullable_string(&mut self, value: Option<&str>) {
        match value {
            None => self.i16(-1),
            Some(text) => {
                let length =
                    i16::try_from(text.len()).expect("strings of the older encoding fit 32,767 bytes");
                self.i16(length);
                self.raw(text.as_bytes());
            }
        }
    }

    /// A string of the older encoding that is never null.
    pub fn string(&mut self, value: &str) {
        self.nullable_string(Some(value));
    }

    /// A string of the flexible encoding.
    pub fn compact_nullable_string(&mut self, value: Option<&str>) {
        self.compact_nullable_bytes(value.map(str::as_bytes));
    }

    /// A string of the flexible encoding that is never null.
    pub fn compact_string(&mut self, value: &str) {
        self.compact_nullable_string(Some(value));
    }

    /// Bytes of the older encoding.
    pub fn nullable_bytes(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.i32(-1),
            Some(bytes) => {
                self.i32(i32::try_from(bytes.len()).expect("a field is smaller than 2 GiB"));
                self.raw(bytes);
            }
        }
    }

    /// Bytes of the flexible encoding.
    pub fn compact_nullable_bytes(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.unsigned_varint(0),
            Some(bytes) => {
                self.compact_array_len(bytes.len());
                self.raw(bytes);
            }
        }
    }

    /// Number of elements of an array of the older encoding.
    pub fn array_len(&mut self, count: usize) {
        self.i32(i32::try_from(count).expect("an array has fewer than 2^31 elements"));
    }

    /// Number of elements of an array of the flexible encoding.
    pub fn compact_array_len(&mut self, count: usize) {
        self.unsigned_varint(u32::try_from(count + 1).expect("an array has fewer than 2^32 elements"));
    }

    /// The tagged fields that end a flexible structure, in ascending order of their tags.
    pub fn tagged_fields(&mut self, fields: &[TaggedField]) {
        debug_assert!(fields.is_sorted_by(|a, b| a.tag < b.tag), "tags ascend");
        self.unsigned_varint(u32::try_from(fields.len()).expect("few tagged fields"));
        for field in fields {
            self.unsigned_varint(field.tag);
            self.unsigned_varint(u32::try_from(field.value.len()).expect("a field is smaller than 4 GiB"));
            self.raw(&field.value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(bytes: &'static [u8]) -> Reader {
        Reader::new(Bytes::from_static(bytes))
    }

    #[test]
    fn varints_round_trip() {
        for value in [0, 1, -1, 63, 64, -64, -65, i32::MAX, i32::MIN] {
            let mut writer = Writer::new();
            writer.varint(value);
            writer.varlong(i64::from(value) << 31);
            let mut reader = Reader::new(writer.freeze());
            assert_eq!((reader.varint(), reader.varlong()), (Ok(value), Ok(i64::from(value) << 31)));
        }
    }

    #[test]
    fn endless_varints_are_refused() {
        assert_eq!(reader(&[0xff; 12]).unsigned_varint(), Err(ReadError::Varint));
        assert_eq!(reader(&[0xff; 12]).varlong(), Err(ReadError::Varint));
        assert_eq!(reader(b"\xff\xff\xff\xff\x7f").unsigned_varint(), Err(ReadError::Varint), "35 bits");
    }

    #[test]
    fn lengths_are_checked_before_anything_is_taken() {
        assert_eq!(reader(b"\x7f\xff\xff\xff").array_len(), Err(ReadError::Length(0x7fff_ffff)));
        assert_eq!(reader(b"\xff\xff\xff\xff\x0f").compact_array_len(), Err(ReadError::Length(0xffff_fffe)));
        assert_eq!(reader(b"\x00\x05ab").string(), Err(ReadError::Short { needed: 5, left: 2 }));
        assert_eq!(reader(b"\xff\xfe").nullable_string(), Err(ReadError::Length(-2)));
        assert!(reader(b"\x90\x4e\x00").tagged_fields().is_err(), "10,000 fields in one byte");
    }

    #[test]
    fn tagged_fields_keep_unknown_values() {
        let fields = vec![
            TaggedField { tag: 1, value: Bytes::from_static(b"x") },
            TaggedField { tag: 9, value: Bytes::new() },
        ];
        let mut writer = Writer::new();
        writer.tagged_fields(&fields);
        assert_eq!(Reader::new(writer.freeze()).tagged_fields(), Ok(fields));
        assert_eq!(reader(b"\x02\x03\x00\x03\x00").tagged_fields(), Err(ReadError::TagOrder(3)));
    }
}
