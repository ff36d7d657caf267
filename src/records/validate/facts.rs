//! What the walk over a batch's records finds out: `LogValidator.validateRecord`, record by record.

use model::{BatchHeader, ErrorCode};

use super::error::{RecordError, RecordsError};
use super::skim::Skim;
use super::{ProduceRules, TimestampType};
use crate::iter::BadRecord;
use crate::stream::Outline;

/// "No timestamp": the bounds do not apply.
const NO_TIMESTAMP: i64 = -1;
/// Record errors that one answer lists. Kafka has no limit; a small compressed batch can hold millions of records.
const RECORD_ERRORS_MAX: usize = 1_000;

pub(super) struct Facts<'r> {
    rules: &'r ProduceRules<'r>,
    base_timestamp: i64,
    /// Set when the batch came with its own append time, which then stands for every record's.
    stamp: Option<i64>,
    bound: Bound,
    seen: i32,
    max_timestamp: i64,
    in_order: bool,
    found: Vec<Found>,
    found_total: usize,
    bad_timestamp: bool,
}

#[derive(Clone, Copy)]
enum Bound {
    /// The topic keeps producers' timestamps.
    Create { now_ms: i64, before: i64, after: i64 },
    /// The broker stamps: the producer's timestamps do not matter.
    Append,
}

struct Found {
    index: i32,
    timestamp: i64,
    outline: Outline,
    what: What,
}

#[derive(Clone, Copy, PartialEq)]
enum What {
    NoKey,
    OutOfRange,
    ProducerStamped,
}

impl<'r> Facts<'r> {
    pub(super) fn new(header: &BatchHeader, rules: &'r ProduceRules<'r>) -> Self {
        Self {
            rules,
            base_timestamp: header.base_timestamp,
            stamp: header.is_log_append_time().then_some(header.max_timestamp),
            bound: match rules.timestamp_type {
                TimestampType::CreateTime => Bound::Create {
                    now_ms: rules.now_ms,
                    before: rules.timestamp_before_max_ms,
                    after: rules.timestamp_after_max_ms,
                },
                TimestampType::LogAppendTime => Bound::Append,
            },
            seen: 0,
            max_timestamp: NO_TIMESTAMP,
            in_order: true,
            found: Vec::new(),
            found_total: 0,
            bad_timestamp: false,
        }
    }

    /// Takes the next record into account.
    #[inline]
    pub(super) fn see(&mut self, outline: &Outline) -> Result<(), BadRecord> {
        let timestamp = match self.stamp {
            Some(stamp) => stamp,
            None => self.base_timestamp.checked_add(outline.timestamp_delta).ok_or(BadRecord::Timestamp)?,
        };
        if self.rules.key_required && outline.key_bytes < 0 {
            self.refuse(What::NoKey, timestamp, outline);
        } else if let Some(what) = self.wrong_time(timestamp) {
            self.refuse(what, timestamp, outline);
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.in_order &= outline.offset_delta == self.seen;
        self.seen = self.seen.wrapping_add(1);
        Ok(())
    }

    /// The largest timestamp, -1 for none, if a walk that saw no fault says enough to know that no record is refused.
    pub(super) fn largest_of(&self, skim: &Skim) -> Option<i64> {
        let (least, most) = skim.timestamp_deltas;
        let least = self.base_timestamp.checked_add(least)?;
        let most = self.base_timestamp.checked_add(most)?;
        if self.stamp.is_some() || self.rules.key_required && skim.lacks_key {
            return None;
        }
        // Between two times that are not negative nothing wraps, and what holds for the first and the last holds for all.
        let is_bound = matches!(self.bound, Bound::Create { .. });
        if is_bound && (least < 0 || self.rules.now_ms < 0 || !self.allows([least, most])) {
            return None;
        }
        Some(most.max(NO_TIMESTAMP))
    }

    /// Whether no record with one of these timestamps is refused for it.
    pub(super) fn allows(&self, timestamps: [i64; 2]) -> bool {
        timestamps.into_iter().all(|timestamp| self.wrong_time(timestamp).is_none())
    }

    /// `LogValidator.validateTimestamp`, with its wrapping arithmetic.
    #[inline]
    fn wrong_time(&self, timestamp: i64) -> Option<What> {
        if let Bound::Create { now_ms, before, after } = self.bound
            && timestamp != NO_TIMESTAMP
        {
            let age = now_ms.wrapping_sub(timestamp);
            return (age > before || age.wrapping_neg() > after).then_some(What::OutOfRange);
        }
        self.stamp.map(|_stamp| What::ProducerStamped)
    }

    #[cold]
    fn refuse(&mut self, what: What, timestamp: i64, outline: &Outline) {
        self.found_total += 1;
        self.bad_timestamp |= what != What::NoKey;
        if self.found.len() < RECORD_ERRORS_MAX {
            self.found.push(Found { index: self.seen, timestamp, outline: *outline, what });
        }
    }

    /// The largest timestamp, -1 for none. `partial` says that Kafka would have read the records without their keys
    /// and values, which shows in one of its messages.
    pub(super) fn finish(self, partial: bool) -> Result<i64, RecordsError> {
        if self.found.is_empty() {
            if !self.in_order {
                let detail = "the offset deltas of the records are not 0, 1, 2, ...".into();
                return Err(RecordsError::new(ErrorCode::InvalidRecord, detail));
            }
            return Ok(self.max_timestamp);
        }
        let errors = self
            .found
            .iter()
            .map(|found| RecordError {
                batch_index: found.index,
                message: Some(message(found, self.rules, partial)),
            })
            .collect();
        Err(RecordsError::in_records(errors, self.found_total, self.bad_timestamp))
    }
}

fn message(found: &Found, rules: &ProduceRules<'_>, partial: bool) -> String {
    let Found { timestamp, outline, .. } = found;
    let offset = outline.offset_delta;
    match found.what {
        What::NoKey => format!(
            "Compacted topic cannot accept message without key in topic partition {}-{}",
            rules.topic, rules.partition
        ),
        What::OutOfRange => format!(
            "Timestamp {timestamp} of message with offset {offset} is out of range. The timestamp should be \
             within [{}, {}]",
            rules.now_ms.wrapping_sub(rules.timestamp_before_max_ms),
            rules.now_ms.wrapping_add(rules.timestamp_after_max_ms),
        ),
        What::ProducerStamped => {
            // The full reader counts null as 0 bytes, the partial one as -1.
            let (reader, least) = if partial { ("PartialDefaultRecord", -1) } else { ("DefaultRecord", 0) };
            format!(
                "Invalid timestamp type in message {reader}(offset={offset}, timestamp={timestamp}, \
                 key={} bytes, value={} bytes). Producer should not set timestamp type to LogAppendTime.",
                outline.key_bytes.max(least),
                outline.value_bytes.max(least),
            )
        }
    }
}
