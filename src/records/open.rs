//! A whole batch, opened: its header and its records, decompressed under a limit.

use bytes::Bytes;
use model::BatchHeader;
use model::batch::{BadHeader, HEADER_BYTES};

use crate::codec::{Codec, CodecError, Unfold, decompress};
use crate::iter::{BadRecord, Record, RecordIter};
use std::borrow::Cow;

/// Why the records of a batch cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BadBatch {
    /// The header is no batch header.
    #[error(transparent)]
    Header(#[from] BadHeader),
    /// The bytes are not as many as the header announces.
    #[error("a batch announces {announced} bytes and has {found}")]
    Length {
        /// Bytes by the header.
        announced: usize,
        /// Bytes there are.
        found: usize,
    },
    /// Codec bits 5, 6 or 7.
    #[error("compression codec {0} does not exist")]
    UnknownCodec(u8),
    /// The compressed records are corrupt or too large.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The records are not well formed.
    #[error(transparent)]
    Record(#[from] BadRecord),
}

/// One batch with its records in the clear.
#[derive(Clone, Debug)]
pub struct OpenBatch {
    /// The batch's header.
    pub header: BatchHeader,
    /// The uncompressed records section; a slice of the batch when the batch is not compressed.
    pub section: Bytes,
}

impl OpenBatch {
    /// Opens exactly one whole batch. The CRC is not checked: see [`model::batch::crc_matches`].
    pub fn new(batch: &Bytes, bytes_max: usize) -> Result<Self, BadBatch> {
        let (header, codec) = checked_header(batch)?;
        let folded = batch.slice(HEADER_BYTES.min(batch.len())..);
        let unfolded = match decompress_records(&header, codec, &folded, bytes_max)? {
            Cow::Borrowed(_same) => None,
            Cow::Owned(section) => Some(Bytes::from(section)),
        };
        Ok(Self { header, section: unfolded.unwrap_or(folded) })
    }

    /// The records in order.
    pub fn records(&self) -> RecordIter<'_> {
        RecordIter::new(&self.section, self.header.record_count)
    }

    /// Offset of one of its records.
    pub fn offset_of(&self, record: &Record<'_>) -> model::Offset {
        model::Offset::new(self.header.base_offset.value().saturating_add(i64::from(record.offset_delta)))
    }

    /// Timestamp of one of its records in milliseconds: the batch's own when the broker stamped it.
    pub fn timestamp_of(&self, record: &Record<'_>) -> i64 {
        timestamp_of(&self.header, record.timestamp_delta)
    }
}

fn decompress_records<'a>(
    header: &BatchHeader,
    codec: Codec,
    folded: &'a [u8],
    bytes_max: usize,
) -> Result<Cow<'a, [u8]>, CodecError> {
    // An empty batch (compaction leaves them) keeps its codec bits and has nothing to decompress.
    if header.record_count == 0 {
        return Ok(Cow::Borrowed(folded));
    }
    decompress(codec, folded, bytes_max)
}

/// A record's timestamp from its delta.
pub(crate) const fn timestamp_of(header: &BatchHeader, delta: i64) -> i64 {
    if header.is_log_append_time() { header.max_timestamp } else { header.base_timestamp.wrapping_add(delta) }
}

/// The header and codec of exactly one whole batch.
pub(crate) fn checked_header(batch: &[u8]) -> Result<(BatchHeader, Codec), BadBatch> {
    let header = BatchHeader::parse(batch)?;
    if header.size() != batch.len() {
        return Err(BadBatch::Length { announced: header.size(), found: batch.len() });
    }
    let bits = header.codec_bits();
    let codec = Codec::from_bits(bits).ok_or(BadBatch::UnknownCodec(bits))?;
    Ok((header, codec))
}

/// A stream over the compressed records of a whole batch.
pub(crate) fn unfold(batch: &[u8], codec: Codec, bytes_max: usize) -> Result<Unfold<'_>, CodecError> {
    Unfold::new(codec, batch.get(HEADER_BYTES..).unwrap_or_default(), bytes_max)
}
