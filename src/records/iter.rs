//! The records of one batch, from its uncompressed records section
//! (`org.apache.kafka.common.record.DefaultRecord`).
//!
//! ```text
//! size            varint   bytes after this field
//! attributes      i8       unused
//! timestamp delta varlong  from the batch's base timestamp
//! offset delta    varint   from the batch's base offset
//! key, value      varint length (-1: null) and bytes
//! headers         varint count, then per header: varint length and key, varint length (-1: null) and value
//! ```
//!
//! Header keys may repeat and need not be UTF-8: both are kept as they came.

use crate::varint::{byte, varint, varlong};

/// Fewest bytes a header takes: two lengths.
const HEADER_BYTES_MIN: usize = 2;

/// One record; key, value and headers are slices of the section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The record's attribute byte; no bit has a meaning yet.
    pub attributes: i8,
    /// Milliseconds from the batch's base timestamp. Without meaning in a batch stamped with its append time.
    pub timestamp_delta: i64,
    /// Offset from the batch's base offset.
    pub offset_delta: i32,
    /// The key, or `None` for null.
    pub key: Option<&'a [u8]>,
    /// The value, or `None` for a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers in their order.
    pub headers: Headers<'a>,
}

/// The headers of one record, already known to be well formed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headers<'a> {
    count: usize,
    raw: &'a [u8],
}

/// One header. Keys may repeat within a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The key's bytes; clients write UTF-8, nobody checks.
    pub key: &'a [u8],
    /// The value, or `None` for null.
    pub value: Option<&'a [u8]>,
}

/// Why bytes are not the records that their batch announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRecord {
    /// The bytes end inside a record.
    #[error("the records end inside a record")]
    Short,
    /// A varint that does not end, or has bits beyond its type.
    #[error("a varint in a record does not fit its type")]
    Varint,
    /// A length that is negative where null is not legal, below -1, or beyond its record.
    #[error("length {0} is not legal in a record")]
    Length(i32),
    /// A header count that is negative or larger than the rest of the record.
    #[error("a record announces {0} headers")]
    HeaderCount(i32),
    /// A record's parts do not add up to its size.
    #[error("a record leaves {0} of its bytes unused")]
    Size(usize),
    /// Bytes after the last announced record.
    #[error("{0} bytes follow the last record")]
    Trailing(usize),
    /// A batch with a negative number of records.
    #[error("a batch announces {0} records")]
    Count(i32),
    /// Base timestamp and delta leave the 64-bit range.
    #[error("a record's timestamp overflows")]
    Timestamp,
}

/// Walks the records of a batch. After an error the walk is over.
#[derive(Clone, Debug)]
pub struct RecordIter<'a> {
    left: &'a [u8],
    count: i32,
    failed: bool,
}

impl<'a> RecordIter<'a> {
    /// Over the uncompressed records section of a batch that announces `count` records. The bytes must end with
    /// the last record; a batch of no records is not looked into, as in Kafka.
    pub fn new(section: &'a [u8], count: i32) -> Self {
        Self { left: section, count, failed: false }
    }

    #[inline]
    fn step(&mut self) -> Result<Record<'a>, BadRecord> {
        if self.count < 0 {
            return Err(BadRecord::Count(self.count));
        }
        let record = take_record(&mut self.left)?;
        self.count -= 1;
        if self.count == 0 && !self.left.is_empty() {
            return Err(BadRecord::Trailing(self.left.len()));
        }
        Ok(record)
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<Record<'a>, BadRecord>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.count == 0 {
            return None;
        }
        let record = self.step();
        self.failed = record.is_err();
        Some(record)
    }
}

/// Takes one record off the front of a section.
#[inline]
pub(crate) fn take_record<'a>(left: &mut &'a [u8]) -> Result<Record<'a>, BadRecord> {
    let size = varint(left)?;
    let size = usize::try_from(size).map_err(|_negative| BadRecord::Length(size))?;
    let (mut body, rest) = left.split_at_checked(size).ok_or(BadRecord::Short)?;
    *left = rest;
    let attributes = byte(&mut body)? as i8;
    let timestamp_delta = varlong(&mut body)?;
    let offset_delta = varint(&mut body)?;
    let key = nullable(&mut body)?;
    let value = nullable(&mut body)?;
    let count = varint(&mut body)?;
    let headers =
        if count == 0 && body.is_empty() { Headers::default() } else { checked_headers(count, body)? };
    Ok(Record { attributes, timestamp_delta, offset_delta, key, value, headers })
}

/// Checks that `raw` is exactly `count` headers.
fn checked_headers(count: i32, raw: &[u8]) -> Result<Headers<'_>, BadRecord> {
    let announced = usize::try_from(count)
        .ok()
        .filter(|announced| *announced <= raw.len() / HEADER_BYTES_MIN)
        .ok_or(BadRecord::HeaderCount(count))?;
    let mut left = raw;
    for _ in 0..announced {
        take_header(&mut left)?;
    }
    if !left.is_empty() {
        return Err(BadRecord::Size(left.len()));
    }
    Ok(Headers { count: announced, raw })
}

fn take_header<'a>(left: &mut &'a [u8]) -> Result<Header<'a>, BadRecord> {
    let key = nullable(left)?.ok_or(BadRecord::Length(-1))?;
    let value = nullable(left)?;
    Ok(Header { key, value })
}

/// Takes a length and as many bytes; -1 is null.
#[inline]
fn nullable<'a>(left: &mut &'a [u8]) -> Result<Option<&'a [u8]>, BadRecord> {
    let length = varint(left)?;
    if length == -1 {
        return Ok(None);
    }
    let bytes = usize::try_from(length).map_err(|_below_null| BadRecord::Length(length))?;
    let (taken, rest) = left.split_at_checked(bytes).ok_or(BadRecord::Length(length))?;
    *left = rest;
    Ok(Some(taken))
}

impl<'a> Headers<'a> {
    /// Number of headers.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The headers as they stand in the record, without their count.
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Reads `count` headers from bytes in the record format, as [`Headers::raw`] gives them.
    pub fn from_raw(count: usize, raw: &'a [u8]) -> Result<Self, BadRecord> {
        let count = i32::try_from(count).map_err(|_beyond| BadRecord::HeaderCount(i32::MAX))?;
        checked_headers(count, raw)
    }

    /// The headers in order.
    pub fn iter(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let mut left = self.raw;
        // `checked_headers` walked these bytes: the walk cannot fail before it ends.
        std::iter::from_fn(move || take_header(&mut left).ok())
    }
}

#[cfg(test)]
#[path = "iter_tests.rs"]
mod tests;
