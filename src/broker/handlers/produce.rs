//! Produce: records go into the logs, and the answer waits for the disk where the producer asks for that
//! (`KafkaApis.handleProduceRequest`, `ReplicaManager.appendRecords`, `Partition.appendRecordsToLeader`).
//!
//! There is no transaction coordinator yet. Records of a transaction are answered `INVALID_PRODUCER_ID_MAPPING`,
//! as Kafka's coordinator answers for a transactional id it does not know: producers take that for final.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::limits::DECOMPRESSED_BYTES_MAX;
use model::topic_name::is_internal;
use model::{ErrorCode, Offset};
use records::{CompressedValidation, FirstBatch, ProduceRules, RecordsError};
use storage::AppendError;
use wire::produce::{
    ProducePartitionResponse, ProduceRequest, ProduceResponse, ProduceTopic, ProduceTopicResponse,
    RecordError,
};
use wire::{StrBytes, TopicRef};

use crate::context::{Broker, RequestContext};
use crate::partition::{Acks, CommitTicket, HostedTopic, Partition, PartitionError, Placed};

/// How a Produce request ends.
#[derive(Debug)]
pub enum ProduceOutcome {
    /// The answer.
    Respond(ProduceResponse),
    /// With acks 0 nothing is answered.
    Silent,
    /// With acks 0 an error ends the connection, for this reason: a producer has no other way to learn of it.
    Close(String),
}

/// The client whose records for internal topics are taken: Kafka's own admin tools.
const ADMIN_CLIENT_ID: &[u8] = b"__admin_client";

/// Appends the records of a request, then waits for their commit with acks -1.
///
/// All appends happen when this is first polled, before it waits for anything. Cancel-safe in that sense: what
/// was appended stays.
pub async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: ProduceRequest,
) -> ProduceOutcome {
    let acks = request.acks;
    let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let (mut response, waits) = Appends::of(broker, context, &request).run(request.topics);
    if acks == 0 {
        return close_on_error(context, &response);
    }
    if !waits.is_empty() {
        // The names are slices of the request's frame, whose records need not stay in memory for the wait.
        response.topics.iter_mut().for_each(|topic| topic.topic = topic.topic.detached());
        await_commits(&waits, timeout).await;
        for wait in &waits {
            wait.settle(&mut response);
        }
    }
    ProduceOutcome::Respond(response)
}

/// A partition whose answer waits for a commit.
#[derive(Debug)]
struct Wait {
    partition: Arc<Partition>,
    end: Offset,
    /// Where its answer stands in the response.
    topic: usize,
    answer: usize,
}

async fn await_commits(waits: &[Wait], timeout: Duration) {
    let ticket = CommitTicket::new();
    for wait in waits {
        wait.partition.await_commit(wait.end, &ticket);
    }
    // Whether it timed out is seen from the offsets, for each partition by itself.
    let _ = tokio::time::timeout(timeout, ticket.all()).await;
}

impl Wait {
    fn settle(&self, response: &mut ProduceResponse) {
        if self.partition.is_committed(self.end) {
            return;
        }
        let topic = response.topics.get_mut(self.topic);
        if let Some(answer) = topic.and_then(|topic| topic.partitions.get_mut(self.answer)) {
            answer.error = if self.partition.is_gone() {
                PartitionError::Gone.code()
            } else {
                ErrorCode::RequestTimedOut
            };
        }
    }
}

fn close_on_error(context: &RequestContext, response: &ProduceResponse) -> ProduceOutcome {
    let failed = response.topics.iter().flat_map(|topic| {
        let failed = topic.partitions.iter().filter(|answer| !answer.error.is_none());
        failed.map(|answer| format!("{}-{}: {}", topic.topic, answer.partition, answer.error.name()))
    });
    let errors: Vec<String> = failed.collect();
    if errors.is_empty() {
        return ProduceOutcome::Silent;
    }
    let header = &context.header;
    ProduceOutcome::Close(format!(
        "request {} of client {} has acks=0 and failed: {}",
        header.correlation_id,
        header.client_id,
        errors.join(", ")
    ))
}

/// What the appends of one request have in common.
struct Appends<'a> {
    broker: &'a Broker,
    acks: i16,
    internal_topics_allowed: bool,
    compressed_validation: CompressedValidation,
    zstd_allowed: bool,
    /// A refusal of the whole request.
    refusal: Option<RequestRefusal>,
    now_ms: i64,
}

impl<'a> Appends<'a> {
    fn of(broker: &'a Broker, context: &RequestContext, request: &ProduceRequest) -> Self {
        Self {
            broker,
            acks: request.acks,
            internal_topics_allowed: context.header.client_id.as_bytes() == ADMIN_CLIENT_ID,
            compressed_validation: if broker.config.requests.compressed_by_header {
                CompressedValidation::Header
            } else {
                CompressedValidation::Full
            },
            zstd_allowed: request.zstd_allowed,
            refusal: refusal_of(request),
            now_ms: broker.clock.wall_ms(),
        }
    }

    fn run(&self, topics: Vec<ProduceTopic>) -> (ProduceResponse, Vec<Wait>) {
        let topics = if has_repeats(&topics) { last_of_each(topics) } else { topics };
        let hosted = self.broker.partitions.snapshot();
        let mut waits = Vec::new();
        let mut answers = Vec::with_capacity(topics.len());
        for ProduceTopic { topic, partitions } in topics {
            let host = hosted.topic(&topic);
            let mut partition_answers = Vec::with_capacity(partitions.len());
            for partition in partitions {
                let index = partition.partition;
                let answer = match (host, &self.refusal) {
                    (_, Some(refusal)) => refusal.answer(index),
                    (None, None) => {
                        ProducePartitionResponse::refused(index, crate::partition::unknown(&topic))
                    }
                    (Some(host), None) => {
                        let records = partition.records.unwrap_or_default();
                        match self.append(host, index, records) {
                            Ok((partition, placed)) => {
                                if let Some(end) = placed.commit_at {
                                    let answer = partition_answers.len();
                                    waits.push(Wait { partition, end, topic: answers.len(), answer });
                                }
                                placed_answer(index, &placed)
                            }
                            Err(refused) => refused.answer(index),
                        }
                    }
                };
                partition_answers.push(answer);
            }
            answers.push(ProduceTopicResponse { topic, partitions: partition_answers });
        }
        let response = ProduceResponse { topics: answers, ..ProduceResponse::default() };
        (response, waits)
    }

    fn append(
        &self,
        host: &HostedTopic,
        index: i32,
        batch: Bytes,
    ) -> Result<(Arc<Partition>, Placed), Refused> {
        let partition = host.partition(index)?;
        if !matches!(self.acks, -1..=1) {
            return Err(ErrorCode::InvalidRequiredAcks.into());
        }
        let topic = partition.topic();
        if is_internal(&topic.name) && !self.internal_topics_allowed {
            return Err(ErrorCode::InvalidTopicException.into());
        }
        let settings = topic.settings.load();
        if self.acks == -1 && settings.min_insync_replicas > IN_SYNC_REPLICAS {
            return Err(Refused::in_log(ErrorCode::NotEnoughReplicas, partition));
        }
        let rules = ProduceRules {
            topic: &topic.name,
            partition: index,
            now_ms: self.now_ms,
            timestamp_type: settings.timestamp_type,
            timestamp_before_max_ms: settings.timestamp_before_max_ms,
            timestamp_after_max_ms: settings.timestamp_after_max_ms,
            message_bytes_max: settings.message_bytes_max,
            key_required: settings.key_required(),
            target_codec: settings.target_codec,
            compressed_validation: self.compressed_validation,
            zstd_allowed: self.zstd_allowed,
            decompressed_bytes_max: DECOMPRESSED_BYTES_MAX,
            origin: records::Origin::Client,
        };
        let valid =
            records::validate(batch, &rules).map_err(|error| Refused::by_validation(error, partition))?;
        drop(settings);
        if valid.header.is_transactional() {
            return Err(ErrorCode::InvalidProducerIdMapping.into());
        }
        let acks = if self.acks == -1 { Acks::Committed } else { Acks::Written };
        match partition.append(valid.bytes, acks, self.now_ms) {
            Ok(placed) => Ok((Arc::clone(partition), placed)),
            Err(error) => Err(Refused::by_log(&error, partition)),
        }
    }
}

fn has_repeats(topics: &[ProduceTopic]) -> bool {
    if let [topic] = topics
        && topic.partitions.len() == 1
    {
        return false;
    }
    let mut topic_names = HashSet::new();
    !topics.iter().all(|topic| {
        let mut partitions = HashSet::new();
        topic_names.insert(&topic.topic)
            && topic.partitions.iter().all(|partition| partitions.insert(partition.partition))
    })
}

/// Of records for the same partition Kafka takes the last only, and answers once.
fn last_of_each(topics: Vec<ProduceTopic>) -> Vec<ProduceTopic> {
    let mut places: HashMap<TopicRef, (usize, HashMap<i32, usize>)> = HashMap::new();
    let mut kept: Vec<ProduceTopic> = Vec::new();
    for ProduceTopic { topic, partitions } in topics {
        let (at, indexes) = places.entry(topic.clone()).or_insert_with(|| {
            kept.push(ProduceTopic { topic, partitions: Vec::new() });
            (kept.len() - 1, HashMap::new())
        });
        let kept = &mut kept[*at].partitions;
        for partition in partitions {
            match indexes.entry(partition.partition) {
                Entry::Occupied(place) => kept[*place.get()] = partition,
                Entry::Vacant(place) => {
                    place.insert(kept.len());
                    kept.push(partition);
                }
            }
        }
    }
    kept
}

/// There are no followers: this node is every partition's in-sync replica.
const IN_SYNC_REPLICAS: i32 = 1;

/// Why nothing of a request is looked at.
#[derive(Debug)]
struct RequestRefusal {
    code: ErrorCode,
    message: Option<String>,
}

impl RequestRefusal {
    fn answer(&self, partition: i32) -> ProducePartitionResponse {
        ProducePartitionResponse {
            error_message: self.message.clone().map(StrBytes::from_string),
            ..ProducePartitionResponse::refused(partition, self.code)
        }
    }
}

/// Records of a transaction need the transaction's name, which is what Kafka authorizes by. It looks for the first
/// such batch, and bytes before it that cannot be a batch of any format fail the whole request.
fn refusal_of(request: &ProduceRequest) -> Option<RequestRefusal> {
    let partitions = request.topics.iter().flat_map(|topic| &topic.partitions);
    for records in partitions.filter_map(|partition| partition.records.as_ref()) {
        match FirstBatch::of(records) {
            Err(no_batch) => {
                let message = Some(no_batch.to_string());
                return Some(RequestRefusal { code: ErrorCode::CorruptMessage, message });
            }
            Ok(Some(first)) if first.is_transactional() => {
                let code = ErrorCode::TransactionalIdAuthorizationFailed;
                return request.transactional_id.is_none().then_some(RequestRefusal { code, message: None });
            }
            Ok(_) => {}
        }
    }
    None
}

fn placed_answer(partition: i32, placed: &Placed) -> ProducePartitionResponse {
    ProducePartitionResponse {
        base_offset: placed.at.base_offset,
        log_append_time_ms: placed.at.log_append_time_ms,
        log_start_offset: placed.log_start,
        ..ProducePartitionResponse::refused(partition, ErrorCode::None)
    }
}

/// Why a partition's records were refused, and what of the partition the answer shows.
#[derive(Debug)]
struct Refused {
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
    fn in_log(code: ErrorCode, partition: &Partition) -> Self {
        Self { log_start: partition.offsets().log_start, ..code.into() }
    }

    fn by_validation(error: RecordsError, partition: &Partition) -> Self {
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

    fn by_log(error: &PartitionError, partition: &Partition) -> Self {
        tracing::info!("Refused a batch for {}: {error}", partition.dir_name());
        match error {
            PartitionError::Append(
                AppendError::OutOfOrderSequence { .. }
                | AppendError::InvalidProducerEpoch { .. }
                | AppendError::InvalidTxnState { .. }
                | AppendError::OffsetsExhausted,
            ) => Self::in_log(error.code(), partition),
            _ => error.code().into(),
        }
    }

    fn answer(self, partition: i32) -> ProducePartitionResponse {
        ProducePartitionResponse {
            log_start_offset: self.log_start,
            record_errors: self.record_errors,
            error_message: self.message,
            ..ProducePartitionResponse::refused(partition, self.code)
        }
    }
}

#[cfg(test)]
#[path = "produce_tests.rs"]
mod tests;
