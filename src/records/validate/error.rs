//! How a refusal is told to the client.

use std::fmt::Write;

use model::ErrorCode;

/// Record errors shown in the text of the whole.
const SHOWN_MAX: usize = 3;

/// One record that its topic does not take (KIP-467).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// Its place in the batch, from 0.
    pub batch_index: i32,
    /// What is wrong with it, in Kafka's words.
    pub message: Option<String>,
}

/// Why a batch is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct RecordsError {
    /// What the client is answered.
    pub code: ErrorCode,
    /// What is wrong, for the broker's log.
    pub detail: String,
    /// The records at fault, when it is single records: Produce 8 and later list them.
    pub record_errors: Vec<RecordError>,
    in_request: bool,
}

impl RecordsError {
    pub(super) fn new(code: ErrorCode, detail: String) -> Self {
        Self { code, detail, record_errors: Vec::new(), in_request: false }
    }

    /// Refused before the partition was looked at.
    pub(super) fn in_request(code: ErrorCode, detail: String) -> Self {
        Self { in_request: true, ..Self::new(code, detail) }
    }

    /// Refused for single records; `total` counts those that are not listed, too.
    pub(super) fn in_records(record_errors: Vec<RecordError>, total: usize, bad_timestamp: bool) -> Self {
        let (code, detail) = if bad_timestamp {
            let text = "One or more records have been rejected due to invalid timestamp";
            (ErrorCode::InvalidTimestamp, text.to_owned())
        } else {
            (ErrorCode::InvalidRecord, shown(&record_errors, total))
        };
        Self { code, detail, record_errors, in_request: false }
    }

    /// The `error_message` of the partition's response. Kafka sends one only with record errors.
    pub fn error_message(&self) -> Option<&str> {
        (!self.record_errors.is_empty()).then_some(self.detail.as_str())
    }

    /// Whether the partition's response carries its log start offset rather than -1. Kafka leaves it out of what
    /// it refuses early or for size or CRC.
    pub fn shows_log_start_offset(&self) -> bool {
        !self.in_request && !matches!(self.code, ErrorCode::CorruptMessage | ErrorCode::MessageTooLarge)
    }
}

/// The text that Kafka's clients print.
fn shown(record_errors: &[RecordError], total: usize) -> String {
    let mut text = format!(
        "One or more records have been rejected due to {total} record errors in total, \
         and only showing the first three errors at most: ["
    );
    for (i, error) in record_errors.iter().take(SHOWN_MAX).enumerate() {
        let separator = if i == 0 { "" } else { ", " };
        let message = error.message.as_deref().unwrap_or_default();
        let index = error.batch_index;
        // Writing to a String does not fail.
        let _ = write!(text, "{separator}RecordError(batchIndex={index}, message='{message}')");
    }
    text.push(']');
    text
}
