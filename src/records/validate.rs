//! What a leader checks before it takes a batch, in Kafka's order and with Kafka's answers:
//! `ProduceRequest.validateRecords`, `UnifiedLog.analyzeAndValidateRecords`, `LogValidator`.
//!
//! Stricter than Kafka in what no client sends: bytes behind the end of an LZ4 frame, timestamps that overflow, offset deltas other than 0, 1, 2, ... (Kafka stores such a batch as it
//! is when it is not compressed, and trips over it when it is), records that do not fill their size (Kafka skips over
//! them in compressed batches), and compressed batches that unfold beyond a limit.

mod crc;
mod error;
mod facts;
mod first_batch;
mod rewrite;
mod skim;

use bytes::Bytes;
use model::batch::{HEADER_BYTES, crc_matches};
use model::{BatchHeader, ErrorCode};

pub use error::{RecordError, RecordsError};
pub use first_batch::{FirstBatch, NoBatch};

use crate::codec::{Codec, CodecError};
use crate::iter::{BadRecord, RecordIter};
use crate::open::{BadBatch, unfold};
use crate::stream::{Outline, RecordStream, Tee};
use facts::Facts;
use skim::Skim;

/// Whose timestamps a topic keeps (`message.timestamp.type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    #[default]
    CreateTime,
    /// The broker's, when it appends.
    LogAppendTime,
}

/// Who appends (`AppendOrigin`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// A Produce request.
    #[default]
    Client,
    /// A coordinator of this broker: control batches are its right.
    Coordinator,
    /// The metadata quorum's leader: sizes are its own concern.
    RaftLeader,
}

/// How much of a compressed batch is looked at (`ottla.compressed.records.validation`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CompressedValidation {
    /// Every record, as Kafka does.
    #[default]
    Full,
    /// The header and the CRC over all bytes, where these leave no doubt: what the producer has compressed is taken for
    /// what its header says.
    Header,
}

/// What one topic asks of a batch, and what the request allows.
#[derive(Clone, Copy, Debug)]
pub struct ProduceRules<'a> {
    /// The topic's name, for messages.
    pub topic: &'a str,
    /// The partition's number, for messages.
    pub partition: i32,
    /// Milliseconds since the epoch, now.
    pub now_ms: i64,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub timestamp_after_max_ms: i64,
    /// `max.message.bytes`.
    pub message_bytes_max: usize,
    /// Whether records need keys: `cleanup.policy` has `compact`.
    pub key_required: bool,
    /// `compression.type` with its level; `None` for `producer`, which keeps the batch's own.
    pub target_codec: Option<(Codec, Option<i32>)>,
    /// How much of a compressed batch is looked at that stays compressed as it is.
    pub compressed_validation: CompressedValidation,
    /// Whether the request's version knows zstd (KIP-110: Produce 7).
    pub zstd_allowed: bool,
    /// Most bytes that the records may unfold to.
    pub decompressed_bytes_max: usize,
    /// Who appends.
    pub origin: Origin,
}

/// A batch that may be appended: its offsets and leader epoch are still to be patched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidBatch {
    /// The batch; the very bytes that came in unless something in them had to change.
    pub bytes: Bytes,
    /// Its header.
    pub header: BatchHeader,
    /// Largest timestamp of its records in milliseconds, or the append time; -1 where no record has one.
    pub max_timestamp: i64,
    /// Offset for `max_timestamp` as the time index has it: the last of the batch, from the base offset.
    pub shallow_offset_of_max_timestamp: i32,
}

/// Checks one partition's records of a request, and rewrites what the topic's settings ask for.
pub fn validate(batch: Bytes, rules: &ProduceRules<'_>) -> Result<ValidBatch, RecordsError> {
    let (batch, header, codec) = check_request(&batch, rules)?;
    check_append(&batch, &header, rules)?;
    let codec = codec.ok_or_else(|| unknown_codec(header.codec_bits(), RecordsError::new))?;
    check_header(&header, rules)?;
    // Control batches are not compressed, whatever the topic says.
    let target = rules
        .target_codec
        .filter(|(target, _level)| *target != codec && !(codec == Codec::None && header.is_control()));
    if codec == Codec::None && target.is_none() {
        return validate_plain(batch, header, rules);
    }
    if target.is_none() && may_stay_folded(&header, rules) {
        return rewrite::restamp(batch, header, header.max_timestamp, rules);
    }
    validate_stream(batch, header, codec, target, rules)
}

/// Whether a compressed batch may be taken without a look at its records. Where the header says that a record could be
/// refused, the records are looked at, so that the answer says which.
fn may_stay_folded(header: &BatchHeader, rules: &ProduceRules<'_>) -> bool {
    rules.compressed_validation == CompressedValidation::Header
        && !rules.key_required
        && !header.is_log_append_time()
        && header.delete_horizon_ms().is_none()
        && header.base_timestamp <= header.max_timestamp
        && Facts::new(header, rules).allows([header.base_timestamp, header.max_timestamp])
}

/// The fast path: no allocation, the same bytes.
fn validate_plain(
    batch: Bytes,
    header: BatchHeader,
    rules: &ProduceRules<'_>,
) -> Result<ValidBatch, RecordsError> {
    let section = batch.get(HEADER_BYTES..).unwrap_or_default();
    let facts = Facts::new(&header, rules);
    let skimmed = Skim::of(section, header.record_count).and_then(|skim| facts.largest_of(&skim));
    let max_timestamp = match skimmed {
        Some(max_timestamp) => max_timestamp,
        None => see_each(section, header.record_count, facts)?,
    };
    rewrite::restamp(batch, header, max_timestamp, rules)
}

/// Looks at one record after the other, and says which are refused and why.
fn see_each(section: &[u8], count: i32, mut facts: Facts<'_>) -> Result<i64, RecordsError> {
    for record in RecordIter::new(section, count) {
        record.and_then(|record| facts.see(&Outline::from(&record))).map_err(RecordsError::from_record)?;
    }
    facts.finish(false)
}

/// Decompresses piece by piece, and compresses the pieces again when the topic wants another codec.
fn validate_stream(
    batch: Bytes,
    header: BatchHeader,
    codec: Codec,
    target: Option<(Codec, Option<i32>)>,
    rules: &ProduceRules<'_>,
) -> Result<ValidBatch, RecordsError> {
    let tee = target
        .map(|(codec, level)| Tee::new(codec, level, vec![0; HEADER_BYTES], rules.message_bytes_max))
        .transpose();
    let tee = tee.map_err(RecordsError::from_codec)?;
    let unfolded = unfold(&batch, codec, rules.decompressed_bytes_max).map_err(RecordsError::from_codec)?;
    let mut records = RecordStream::new(unfolded, header.record_count, tee);
    let mut facts = Facts::new(&header, rules);
    while let Some(outline) = records.next().map_err(RecordsError::from_bad)? {
        facts.see(&outline).map_err(RecordsError::from_record)?;
    }
    let max_timestamp = facts.finish(target.is_none())?;
    match (target, records.into_tee()) {
        (Some((codec, _level)), Some(tee)) => {
            let buffer = tee.finish().map_err(RecordsError::from_codec)?;
            rewrite::wrap(header, codec, buffer, max_timestamp, rules)
        }
        _same_codec => rewrite::restamp(batch, header, max_timestamp, rules),
    }
}

/// `ProduceRequest.validateRecords`: exactly one batch of magic 2. What follows it and is no whole batch is left out,
/// as Kafka's log leaves it out. The codec is `None` where its bits say nothing.
fn check_request(
    records: &Bytes,
    rules: &ProduceRules<'_>,
) -> Result<(Bytes, BatchHeader, Option<Codec>), RecordsError> {
    let request_error = |code, detail: String| Err(RecordsError::in_request(code, detail));
    let corrupt = |no: NoBatch| RecordsError::in_request(ErrorCode::CorruptMessage, no.to_string());
    let Some(first) = FirstBatch::of(records).map_err(corrupt)? else {
        return request_error(ErrorCode::InvalidRecord, "there is no whole record batch".into());
    };
    if first.magic != model::batch::MAGIC {
        let detail = format!("record batch magic {} is no longer supported, only 2", first.magic);
        return request_error(ErrorCode::InvalidRecord, detail);
    }
    let codec = Codec::from_bits(first.codec_bits());
    if !rules.zstd_allowed {
        match codec {
            Some(Codec::Zstd) => {
                let detail = "zstd is not allowed in Produce requests before version 7".into();
                return request_error(ErrorCode::UnsupportedCompressionType, detail);
            }
            // Only here Kafka needs to know the codec this early.
            None => return Err(unknown_codec(first.codec_bits(), RecordsError::in_request)),
            Some(_other) => {}
        }
    }
    if FirstBatch::of(records.get(first.size..).unwrap_or_default()).map_err(corrupt)?.is_some() {
        let detail = "more than one record batch is there for a partition".into();
        return request_error(ErrorCode::InvalidRecord, detail);
    }
    match BatchHeader::parse(records) {
        Ok(header) => Ok((records.slice(..first.size), header, codec)),
        Err(short) => request_error(ErrorCode::CorruptMessage, short.to_string()),
    }
}

/// Kafka trips over an `IllegalArgumentException` here.
fn unknown_codec(bits: u8, refuse: impl FnOnce(ErrorCode, String) -> RecordsError) -> RecordsError {
    refuse(ErrorCode::UnknownServerError, format!("compression codec {bits} does not exist"))
}

/// `UnifiedLog.analyzeAndValidateRecords`.
fn check_append(batch: &Bytes, header: &BatchHeader, rules: &ProduceRules<'_>) -> Result<(), RecordsError> {
    if rules.origin == Origin::Client && header.base_offset.value() != 0 {
        let detail = format!("the base offset of the batch is {}, not 0", header.base_offset);
        return Err(RecordsError::new(ErrorCode::InvalidRecord, detail));
    }
    if rules.origin != Origin::RaftLeader {
        check_size(batch.len(), rules)?;
    }
    if !crc_matches(batch) {
        let detail = format!("the CRC {:#010x} of the batch does not match its bytes", header.crc);
        return Err(RecordsError::new(ErrorCode::CorruptMessage, detail));
    }
    Ok(())
}

/// `LogValidator.validateBatch`.
fn check_header(header: &BatchHeader, rules: &ProduceRules<'_>) -> Result<(), RecordsError> {
    if rules.origin != Origin::Client {
        return Ok(());
    }
    let invalid = |detail: String| Err(RecordsError::new(ErrorCode::InvalidRecord, detail));
    let count_from_offsets = i64::from(header.last_offset_delta) + 1;
    if count_from_offsets <= 0 {
        return invalid(format!("the last offset delta {} is negative", header.last_offset_delta));
    }
    if header.record_count <= 0 {
        return invalid(format!("the record count {} is not positive", header.record_count));
    }
    if count_from_offsets != i64::from(header.record_count) {
        return invalid(format!(
            "{} records do not have the offsets 0 to {}",
            header.record_count, header.last_offset_delta
        ));
    }
    if header.is_control() {
        return invalid("clients may not write control records".into());
    }
    if header.has_producer_id() && header.base_sequence < 0 {
        return invalid(format!(
            "the sequence number {} of producer {} is negative",
            header.base_sequence, header.producer_id
        ));
    }
    Ok(())
}

/// `max.message.bytes` against the whole batch.
fn check_size(bytes: usize, rules: &ProduceRules<'_>) -> Result<(), RecordsError> {
    if bytes > rules.message_bytes_max {
        let detail =
            format!("a batch of {bytes} bytes is larger than max.message.bytes, {}", rules.message_bytes_max);
        return Err(RecordsError::new(ErrorCode::MessageTooLarge, detail));
    }
    Ok(())
}

impl RecordsError {
    fn from_record(error: BadRecord) -> Self {
        Self::from_bad(error.into())
    }

    fn from_codec(error: CodecError) -> Self {
        Self::from_bad(error.into())
    }

    /// Kafka's answer to records that cannot be read: bad records are INVALID_RECORD, and a codec's failure
    /// surfaces as UNKNOWN_SERVER_ERROR. Too large an output, which Kafka does not limit, is MESSAGE_TOO_LARGE:
    /// producers split the batch and try again.
    fn from_bad(error: BadBatch) -> Self {
        let code = match &error {
            BadBatch::Codec(CodecError::TooLarge { .. }) => ErrorCode::MessageTooLarge,
            BadBatch::Codec(_) | BadBatch::UnknownCodec(_) => ErrorCode::UnknownServerError,
            BadBatch::Header(_) | BadBatch::Length { .. } => ErrorCode::CorruptMessage,
            BadBatch::Record(_) => ErrorCode::InvalidRecord,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
