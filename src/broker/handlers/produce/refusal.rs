//! Why records were not taken, in the words of a Produce response.

use model::{BatchHeader, ErrorCode, Offset};
use records::{FirstBatch, RecordsError};
use storage::AppendError;
use wire::StrBytes;
use wire::produce::{ProducePartitionResponse, ProduceRequest, RecordError};

use crate::partition::{Partition, PartitionError};

/// Why nothing of a request is looked at.
#[derive(Debug)]
pub(super) struct RequestRefusal {
    code: ErrorCode,
    message: Option<String>,
}

impl RequestRefusal {
    pub(super) fn answer(&self, partition: i32) -> ProducePartitionResponse {
        ProducePartitionResponse {
            error_message: self.message.clone().map(StrBytes::from_string),
            ..ProducePartitionResponse::refused(partition, self.code)
        }
    }
}

/// Records of a transaction need the transaction's name, which is what Kafka authorizes by. It looks for the first
/// such batch, and bytes before it that cannot be a batch of any format fail the whole request. All such records must be
/// of one producer: a transaction has only one.
pub(super) fn refusal_of(request: &ProduceRequest) -> Option<RequestRefusal> {
    let refuse = |code, message| Some(RequestRefusal { code, message });
    let mut is_transactional = false;
    let mut producer = None;
    let partitions = request.topics.iter().flat_map(|topic| &topic.partitions);
    for records in partitions.filter_map(|partition| partition.records.as_ref()) {
        match FirstBatch::of(records) {
            Err(no_batch) if !is_transactional => {
                return refuse(ErrorCode::CorruptMessage, Some(no_batch.to_string()));
            }
            Ok(Some(first)) if first.is_transactional() => {
                if request.transactional_id.is_none() {
                    return refuse(ErrorCode::TransactionalIdAuthorizationFailed, None);
                }
                is_transactional = true;
                // Where this fails, so does the validation of the batch.
                let Ok(header) = BatchHeader::parse(records) else { continue };
                let its = (header.producer_id, header.producer_epoch);
                if header.has_producer_id() && *producer.get_or_insert(its) != its {
                    let message = "the request has transactional records of several producers".to_owned();
                    return refuse(ErrorCode::InvalidProducerIdMapping, Some(message));
                }
            }
            _ => {}
        }
    }
    None
}

/// Why a partition's records were refused, and what of the partition the answer shows.
#[derive(Debug)]
pub(super) struct Refused {
    code: ErrorCode,
    /// -1 for what Kafka refuses before it looks at the log, or for the batch's size or damage.
    log_start: Offset,
    message: Option<StrBytes>,
    record_errors: Vec<RecordError>,
}

impl From<ErrorCode> for Refused {
    fn from(code: ErrorCode) -> Self {
        Self { code, log_start: Offset::new(-1), message: None, record_errors: Vec::new() }
    }
}

impl Refused {
    pub(super) fn with_message(code: ErrorCode, message: String) -> Self {
        Self { message: Some(StrBytes::from_string(message)), ..code.into() }
    }

    pub(super) fn in_log(code: ErrorCode, partition: &Partition) -> Self {
        Self { log_start: partition.offsets().log_start, ..code.into() }
    }

    pub(super) fn by_validation(error: RecordsError, partition: &Partition) -> Self {
        tracing::debug!("Refused a batch for {}: {error}", partition.dir_name());
        let refused = if error.shows_log_start_offset() {
            Self::in_log(error.code, partition)
        } else {
            error.code.into()
        };
        let message = error.error_message().map(|text| StrBytes::from_string(text.to_owned()));
        let record_errors = error.record_errors.into_iter().map(|error| RecordError {
            batch_index: error.batch_index,
            message: error.message.map(StrBytes::from_string),
        });
        Self { message, record_errors: record_errors.collect(), ..refused }
    }

    pub(super) fn by_log(error: &PartitionError, partition: &Partition) -> Self {
        tracing::info!("Refused a batch for {}: {error}", partition.dir_name());
        match error {
            PartitionError::Append(
                AppendError::OutOfOrderSequence { .. }
                | AppendError::InvalidProducerEpoch { .. }
                | AppendError::InvalidTxnState { .. }
                | AppendError::NotVerified { .. }
                | AppendError::EarlierTransaction { .. }
                | AppendError::OffsetsExhausted,
            ) => Self::in_log(error.code(), partition),
            _ => error.code().into(),
        }
    }

    pub(super) fn answer(self, partition: i32) -> ProducePartitionResponse {
        ProducePartitionResponse {
            log_start_offset: self.log_start,
            record_errors: self.record_errors,
            error_message: self.message,
            ..ProducePartitionResponse::refused(partition, self.code)
        }
    }
}
