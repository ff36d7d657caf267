//! Produce: records go into the logs, and the answer waits for the disk where the producer asks for that
//! (`KafkaApis.handleProduceRequest`, `ReplicaManager.appendRecords`, `Partition.appendRecordsToLeader`).
//!
//! Records of a transaction whose coordinator must be asked first are in [`admission`].

mod admission;
mod refusal;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use model::limits::DECOMPRESSED_BYTES_MAX;
use model::topic_name::is_internal;
use model::{ErrorCode, Offset};
use records::{CompressedValidation, ProduceRules};
use storage::{AppendError, VerificationGuard};
use wire::TopicRef;
use wire::produce::{
    ProducePartitionResponse, ProduceRequest, ProduceResponse, ProduceTopic, ProduceTopicResponse,
};

use self::admission::{Held, Transaction};
use self::refusal::{Refused, RequestRefusal, refusal_of};
use crate::context::{Broker, RequestContext};
use crate::effect::Effect;
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
/// All appends happen when this is first polled, before it waits for anything, but for those that a transaction
/// coordinator must be asked about; `effect` says when they have happened. Cancel-safe in that sense: what was
/// appended stays.
pub async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: ProduceRequest,
    effect: Option<Effect>,
) -> ProduceOutcome {
    let acks = request.acks;
    let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let (mut progress, appends) = Appends::of(broker, context, &request).run(request.topics);
    if !progress.held.is_empty() {
        // Apart, so that all other requests do not carry the size of this.
        progress = Box::pin(appends.admit(progress)).await;
    }
    let Progress { mut response, waits, .. } = progress;
    effect.iter().for_each(Effect::happened);
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

/// How far a request has come.
#[derive(Debug)]
struct Progress {
    response: ProduceResponse,
    waits: Vec<Wait>,
    /// Their answers are not settled yet.
    held: Vec<Held>,
}

/// A partition whose answer waits for a commit.
#[derive(Debug)]
struct Wait {
    partition: Arc<Partition>,
    end: Offset,
    place: Place,
}

/// Where the answer for a partition stands in the response.
#[derive(Clone, Copy, Debug)]
struct Place {
    topic: usize,
    answer: usize,
}

impl Place {
    fn of(self, response: &mut ProduceResponse) -> Option<&mut ProducePartitionResponse> {
        response.topics.get_mut(self.topic)?.partitions.get_mut(self.answer)
    }
}

async fn await_commits(waits: &[Wait], timeout: Duration) {
    let ticket = CommitTicket::new();
    for wait in waits {
        wait.partition.await_commit(wait.end, &ticket);
    }
    // Whether it timed out is seen from the offsets, for each partition by itself.
    let mut woken = pin!(tokio::time::timeout(timeout, ticket.all()));
    // A commit publishes its offsets before it wakes those who wait, one after the other: the first of a connection
    // lets all of them be answered.
    poll_fn(|context| {
        if waits.iter().all(Wait::is_over) { Poll::Ready(()) } else { woken.as_mut().poll(context).map(drop) }
    })
    .await;
}

impl Wait {
    fn of(partition: Arc<Partition>, placed: &Placed, place: Place) -> Option<Self> {
        placed.commit_at.map(|end| Self { partition, end, place })
    }

    fn is_over(&self) -> bool {
        self.partition.is_committed(self.end) || self.partition.is_gone()
    }

    fn settle(&self, response: &mut ProduceResponse) {
        if self.partition.is_committed(self.end) {
            return;
        }
        if let Some(answer) = self.place.of(response) {
            answer.error = if self.partition.is_gone() {
                self.partition.absence().code()
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
    transaction: Option<Transaction>,
    now_ms: i64,
}

/// What became of a partition's records at first.
enum Step {
    Placed(Arc<Partition>, Placed),
    Held(Arc<Partition>, Bytes, VerificationGuard),
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
            transaction: Transaction::of(request, &broker.config.transactions),
            now_ms: broker.clock.wall_ms(),
        }
    }

    fn run(self, topics: Vec<ProduceTopic>) -> (Progress, Self) {
        let topics = if has_repeats(&topics) { last_of_each(topics) } else { topics };
        let hosted = self.broker.partitions.snapshot();
        let (mut waits, mut held) = (Vec::new(), Vec::new());
        let mut answers = Vec::with_capacity(topics.len());
        for ProduceTopic { topic, partitions } in topics {
            let host = hosted.topic(&topic);
            let mut partition_answers = Vec::with_capacity(partitions.len());
            for partition in partitions {
                let index = partition.partition;
                let place = Place { topic: answers.len(), answer: partition_answers.len() };
                let answer = match (host, &self.refusal) {
                    (_, Some(refusal)) => refusal.answer(index),
                    (None, None) => {
                        ProducePartitionResponse::refused(index, crate::partition::unknown(&topic))
                    }
                    (Some(host), None) => {
                        match self.append(host, index, partition.records.unwrap_or_default()) {
                            Ok(Step::Placed(partition, placed)) => {
                                waits.extend(Wait::of(partition, &placed, place));
                                placed_answer(index, &placed)
                            }
                            Ok(Step::Held(partition, batch, guard)) => {
                                held.push(Held { partition, batch, guard, place });
                                ProducePartitionResponse::refused(index, ErrorCode::UnknownServerError)
                            }
                            Err(refused) => {
                                host.partition(index).iter().for_each(|here| here.tally().produce_failed());
                                refused.answer(index)
                            }
                        }
                    }
                };
                partition_answers.push(answer);
            }
            answers.push(ProduceTopicResponse { topic, partitions: partition_answers });
        }
        let response = ProduceResponse { topics: answers, ..ProduceResponse::default() };
        drop(hosted);
        (Progress { response, waits, held }, self)
    }

    fn append(&self, host: &HostedTopic, index: i32, batch: Bytes) -> Result<Step, Refused> {
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
        if let Some(guard) = self.guard(partition, &valid.header)? {
            return Ok(Step::Held(Arc::clone(partition), valid.bytes, guard));
        }
        match partition.append(valid.bytes, self.acks(), self.now_ms) {
            Ok(placed) => Ok(Step::Placed(Arc::clone(partition), placed)),
            Err(error) => Err(self.refused(&error, partition)),
        }
    }

    fn refused(&self, error: &PartitionError, partition: &Arc<Partition>) -> Refused {
        if let PartitionError::Append(AppendError::EarlierTransaction { .. }) = error {
            self.broker.transactions.end_left_behind_in(partition);
        }
        Refused::by_log(error, partition)
    }

    fn acks(&self) -> Acks {
        if self.acks == -1 { Acks::Committed } else { Acks::Written }
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

fn placed_answer(partition: i32, placed: &Placed) -> ProducePartitionResponse {
    ProducePartitionResponse {
        base_offset: placed.at.base_offset,
        log_append_time_ms: placed.at.log_append_time_ms,
        log_start_offset: placed.log_start,
        ..ProducePartitionResponse::refused(partition, ErrorCode::None)
    }
}

#[cfg(test)]
#[path = "produce_tests.rs"]
mod tests;
