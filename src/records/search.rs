//! Finding a record by time inside one batch, for ListOffsets (KIP-79, KIP-734).

use model::{BatchHeader, Offset};

use crate::codec::Codec;
use crate::iter::{BadRecord, RecordIter};
use crate::open::{BadBatch, checked_header, timestamp_of, unfold};
use crate::stream::{Outline, RecordStream};
use model::batch::HEADER_BYTES;

/// A record found by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundRecord {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp in milliseconds.
    pub timestamp: i64,
}

/// The first record of a whole batch at `start` or later whose timestamp is `timestamp` (milliseconds) or later.
/// A compressed batch may unfold to at most `bytes_max` bytes.
pub fn first_at_or_after(
    batch: &[u8],
    timestamp: i64,
    start: Offset,
    bytes_max: usize,
) -> Result<Option<FoundRecord>, BadBatch> {
    let (header, _codec) = checked_header(batch)?;
    if header.max_timestamp < timestamp {
        return Ok(None);
    }
    find(batch, bytes_max, |found| found.timestamp >= timestamp && found.offset >= start)
}

/// The first record of a whole batch that carries the batch's maximum timestamp
/// (`RecordBatch.offsetOfMaxTimestamp`); `None` when none does, as after compaction.
pub fn offset_of_max_timestamp(batch: &[u8], bytes_max: usize) -> Result<Option<FoundRecord>, BadBatch> {
    let (header, _codec) = checked_header(batch)?;
    find(batch, bytes_max, |found| found.timestamp == header.max_timestamp)
}

fn find(
    batch: &[u8],
    bytes_max: usize,
    wanted: impl Fn(&FoundRecord) -> bool,
) -> Result<Option<FoundRecord>, BadBatch> {
    let (header, codec) = checked_header(batch)?;
    if header.record_count < 0 {
        return Err(BadRecord::Count(header.record_count).into());
    }
    if header.record_count == 0 {
        return Ok(None);
    }
    if codec == Codec::None {
        let section = batch.get(HEADER_BYTES..).unwrap_or_default();
        for record in RecordIter::new(section, header.record_count) {
            let found = place(&header, &Outline::from(&record?));
            if wanted(&found) {
                return Ok(Some(found));
            }
        }
        return Ok(None);
    }
    let mut records = RecordStream::new(unfold(batch, codec, bytes_max)?, header.record_count, None);
    while let Some(outline) = records.next()? {
        let found = place(&header, &outline);
        if wanted(&found) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn place(header: &BatchHeader, outline: &Outline) -> FoundRecord {
    let base = header.base_offset.value();
    FoundRecord {
        offset: Offset::new(base.saturating_add(i64::from(outline.offset_delta))),
        timestamp: timestamp_of(header, outline.timestamp_delta),
    }
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
