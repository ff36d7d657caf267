//! Changing a batch that was found valid.

use bytes::Bytes;
use model::BatchHeader;
use model::ErrorCode;
use model::batch::{
    CODEC_MASK, CONTROL, CRC_START, DELETE_HORIZON, HEADER_BYTES, LOG_APPEND_TIME, TRANSACTIONAL,
};

use super::{ProduceRules, RecordsError, TimestampType, ValidBatch, check_size, crc};
use crate::builder::seal_batch;
use crate::codec::Codec;

/// Sets the timestamp type and the maximum timestamp, and leaves the bytes alone when both are right
/// (`DefaultRecordBatch.setMaxTimestamp`).
pub(super) fn restamp(
    batch: Bytes,
    header: BatchHeader,
    max_timestamp: i64,
    rules: &ProduceRules<'_>,
) -> Result<ValidBatch, RecordsError> {
    let stamped = stamp(header, max_timestamp, rules);
    let is_stamped = |a: &BatchHeader| (a.is_log_append_time(), a.max_timestamp);
    if is_stamped(&stamped) == is_stamped(&header) {
        return Ok(valid(batch, header));
    }
    let mut bytes = Vec::from(batch);
    let rest = bytes.len() - HEADER_BYTES;
    let Some(head) = bytes.first_chunk_mut::<HEADER_BYTES>() else {
        return Err(too_large());
    };
    let before = head_crc(head);
    stamped.write(head);
    let crc = crc::changed(header.crc, before, head_crc(head), rest);
    let header = BatchHeader { crc, ..stamped };
    header.write(head);
    Ok(valid(bytes.into(), header))
}

/// CRC of the part of the header that is under the batch's CRC.
fn head_crc(head: &[u8; HEADER_BYTES]) -> u32 {
    crc32c::crc32c(head.get(CRC_START..).unwrap_or_default())
}

/// Completes a batch that was written anew: `buffer` has room for the header, then the records in `codec`. Its size
/// is checked again, as Kafka does.
pub(super) fn wrap(
    header: BatchHeader,
    codec: Codec,
    buffer: Vec<u8>,
    max_timestamp: i64,
    rules: &ProduceRules<'_>,
) -> Result<ValidBatch, RecordsError> {
    check_size(buffer.len(), rules)?;
    // A client's delete horizon does not survive the writing anew, as in Kafka.
    let attributes = header.attributes & !(CODEC_MASK | DELETE_HORIZON) | i16::from(codec.bits());
    let header = stamp(BatchHeader { attributes, ..header }, max_timestamp, rules);
    let bytes = seal_batch(header, buffer).ok_or_else(too_large)?;
    let header = BatchHeader::parse(&bytes).map_err(|error| RecordsError::from_bad(error.into()))?;
    Ok(valid(bytes, header))
}

/// Attributes that no format defines are lost where the header is written, and stay where it is not.
fn stamp(header: BatchHeader, max_timestamp: i64, rules: &ProduceRules<'_>) -> BatchHeader {
    let attributes = header.attributes & (CODEC_MASK | TRANSACTIONAL | CONTROL | DELETE_HORIZON);
    let (attributes, max_timestamp) = match rules.timestamp_type {
        TimestampType::CreateTime => (attributes, max_timestamp),
        TimestampType::LogAppendTime => (attributes | LOG_APPEND_TIME, rules.now_ms),
    };
    BatchHeader { attributes, max_timestamp, ..header }
}

fn valid(bytes: Bytes, header: BatchHeader) -> ValidBatch {
    ValidBatch {
        bytes,
        header,
        max_timestamp: header.max_timestamp,
        shallow_offset_of_max_timestamp: header.last_offset_delta,
    }
}

fn too_large() -> RecordsError {
    RecordsError::new(ErrorCode::MessageTooLarge, "the batch is larger than 2 GiB".into())
}
