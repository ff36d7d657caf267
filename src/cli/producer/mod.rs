//! Sends records to one topic: batches by partition, idempotent where it may be, tried again while it can help.
//! [`Producer`] has one request under way to each leader; [`Pipeline`] several, for those who measure.

mod pipeline;
mod sending;
mod transaction;

pub use pipeline::Pipeline;
pub use sending::{ALL, Sending, Window};

use std::collections::BTreeMap;

use bytes::Bytes;
use client::{Cluster, ClusterError, CoordinatorOf, Target};
use model::{Clock, ErrorCode, ProducerEpoch, ProducerId};
use records::{BatchBuilder, Header};
use tokio::time::Instant;
use wire::TopicRef;
use wire::messages::{InitProducerIdRequest, TransactionalId};
use wire::produce::{
    ProducePartition, ProducePartitionResponse, ProduceRequest, ProduceTopic, TransactionSupport,
};

use crate::kafka::{self, Trouble, refused, text};
use crate::partitioner;

use transaction::Transaction;

/// One record on its way.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
    /// The headers.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// Milliseconds; `None` is now.
    pub timestamp: Option<i64>,
    /// The partition; `None` is that of the key, or any.
    pub partition: Option<i32>,
    /// What its sender wants to know of it again.
    pub tag: u64,
}

/// What became of a record.
#[derive(Debug)]
pub struct Delivery {
    /// The record's [`Outgoing::tag`].
    pub tag: u64,
    /// Bytes of its key and value.
    pub sizes: (Option<usize>, Option<usize>),
    /// Partition and offset (-1 where the broker does not tell), or why not.
    pub result: Result<(i32, i64), String>,
}

/// Sends to one topic.
#[derive(Debug)]
pub struct Producer {
    cluster: Cluster,
    topic: String,
    sending: Sending,
    clock: Clock,
    leaders: Vec<i32>,
    identity: Option<(ProducerId, ProducerEpoch)>,
    sequences: BTreeMap<i32, i32>,
    pending: BTreeMap<i32, Pending>,
    oldest: Option<Instant>,
    sticky: Sticky,
    transaction: Option<Transaction>,
}

#[derive(Debug, Default)]
struct Pending {
    records: Vec<Outgoing>,
    bytes: usize,
}

/// Records without a key go to one partition until a batch is full (KIP-794).
#[derive(Debug, Default)]
struct Sticky {
    partition: usize,
    bytes: usize,
}

impl Producer {
    /// A producer of this topic; nothing is asked yet.
    pub fn new(cluster: Cluster, topic: &str, sending: Sending, clock: Clock) -> Self {
        Self {
            cluster,
            topic: topic.to_owned(),
            sending,
            clock,
            leaders: Vec::new(),
            identity: None,
            sequences: BTreeMap::new(),
            pending: BTreeMap::new(),
            oldest: None,
            sticky: Sticky::default(),
            transaction: None,
        }
    }

    /// When what is pending has lingered enough.
    pub fn due(&self) -> Option<Instant> {
        self.oldest.map(|oldest| oldest + self.sending.linger)
    }

    /// Takes a record. Answers what a full batch brought.
    pub async fn push(&mut self, mut record: Outgoing) -> Vec<Delivery> {
        let bytes = size(&record);
        if let Some(reason) = self.too_large(bytes) {
            return vec![failed(&record, &reason)];
        }
        if let Err(reason) = self.find_topic().await {
            return vec![failed(&record, &reason)];
        }
        record.timestamp.get_or_insert(self.clock.wall_ms());
        let partition = self.partition_for(&record, bytes);
        let pending = self.pending.entry(partition).or_default();
        let was_full = !pending.records.is_empty() && pending.bytes + bytes > self.sending.batch_bytes;
        let mut deliveries = if was_full { self.flush().await } else { Vec::new() };
        let pending = self.pending.entry(partition).or_default();
        pending.records.push(record);
        pending.bytes += bytes;
        self.oldest.get_or_insert_with(Instant::now);
        if self.sending.linger.is_zero() && pending.bytes >= self.sending.batch_bytes {
            deliveries.extend(self.flush().await);
        }
        deliveries
    }

    fn too_large(&self, bytes: usize) -> Option<String> {
        let max = self.sending.record_bytes_max;
        (bytes > max).then(|| {
            format!(
                "The message is {bytes} bytes when serialized which is larger than {max}, which is the value of the \
                 max.request.size configuration."
            )
        })
    }

    fn partition_for(&mut self, record: &Outgoing, bytes: usize) -> i32 {
        let count = self.leaders.len().max(1);
        if let Some(partition) = record.partition {
            return partition;
        }
        if let Some(key) = &record.key {
            return partitioner::of_key(key, count as i32);
        }
        self.sticky.bytes += bytes;
        if self.sticky.bytes >= self.sending.batch_bytes {
            self.sticky = Sticky { partition: self.sticky.partition.wrapping_add(1), bytes: 0 };
        }
        (self.sticky.partition % count) as i32
    }

    /// Waits for the topic, which the broker may create.
    async fn find_topic(&mut self) -> Result<(), String> {
        if !self.leaders.is_empty() {
            return Ok(());
        }
        let deadline = Instant::now() + self.sending.block_max;
        loop {
            let asked = self.cluster.metadata(Some(std::slice::from_ref(&self.topic)), true).await;
            let found = asked.map_err(|error| error.to_string())?;
            if let Some(topic) = found.topics.first() {
                let code = ErrorCode::from_code(topic.error_code);
                let mut partitions: Vec<_> = topic.partitions.iter().collect();
                partitions.sort_by_key(|partition| partition.partition_index);
                if code.is_none() && !partitions.is_empty() {
                    self.leaders = partitions.iter().map(|partition| partition.leader_id.0).collect();
                    // Any start will do; two producers should not meet on the same partition for ever.
                    self.sticky.partition = self.clock.wall_ms().rem_euclid(1 << 20) as usize;
                    return self.identify().await.map_err(|trouble| trouble.to_string());
                }
                if matches!(code, ErrorCode::InvalidTopicException | ErrorCode::TopicAuthorizationFailed) {
                    return Err(match code {
                        ErrorCode::InvalidTopicException => format!("Invalid topics: [{}]", self.topic),
                        _ => format!("Not authorized to access topics: [{}]", self.topic),
                    });
                }
            }
            if Instant::now() >= deadline {
                let waited = self.sending.block_max.as_millis();
                return Err(format!("Topic {} not present in metadata after {waited} ms.", self.topic));
            }
            tokio::time::sleep(self.cluster.settings().retry_backoff).await;
        }
    }

    /// Gets a producer id, where the broker gives one.
    async fn identify(&mut self) -> Result<(), Trouble> {
        if !self.sending.idempotent || self.sending.acks != ALL || self.identity.is_some() {
            return Ok(());
        }
        let deadline = Instant::now() + self.sending.block_max;
        let transaction = self.transaction.as_ref();
        let id = transaction.map(|transaction| transaction.id.clone());
        let timeout_ms = transaction.map_or(i32::MAX, |transaction| transaction.timeout_ms);
        loop {
            let at = match &id {
                Some(id) => Target::Node(self.cluster.coordinator(CoordinatorOf::Transaction(id)).await?),
                None => Target::Any,
            };
            let asked = self
                .cluster
                .call_capped(at, INIT_PRODUCER_ID_MAX, |_version| {
                    InitProducerIdRequest::default()
                        .with_transactional_id(id.as_deref().map(|id| TransactionalId(text(id))))
                        .with_transaction_timeout_ms(timeout_ms)
                })
                .await;
            match asked {
                Ok(answer) if answer.error_code == 0 => {
                    let (id, epoch) = (answer.producer_id.0, answer.producer_epoch);
                    self.identity = Some((ProducerId::new(id), ProducerEpoch::new(epoch)));
                    return Ok(());
                }
                Ok(answer) => {
                    let trouble = refused(answer.error_code, None);
                    let code = trouble.code().unwrap_or(ErrorCode::UnknownServerError);
                    if !is_retriable(code) || Instant::now() >= deadline {
                        return Err(trouble);
                    }
                }
                Err(ClusterError::Unsupported(_)) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(self.cluster.settings().retry_backoff).await;
        }
    }

    /// Sends what is pending and waits for its answers.
    pub async fn flush(&mut self) -> Vec<Delivery> {
        self.oldest = None;
        let pending = std::mem::take(&mut self.pending);
        let mut open = BTreeMap::new();
        let mut deliveries = Vec::new();
        for (partition, pending) in pending {
            if pending.records.is_empty() {
                continue;
            }
            match self.batch(partition, &pending.records) {
                Ok(batch) => {
                    open.insert(partition, (pending.records, batch));
                }
                Err(error) => {
                    deliveries
                        .extend(pending.records.iter().map(|record| failed(record, &error.to_string())));
                }
            }
        }
        deliveries.extend(self.deliver(open).await);
        deliveries.sort_by_key(|delivery| delivery.tag);
        deliveries
    }

    /// Sends one batch of each of these partitions, again and again while that can help.
    async fn deliver(&mut self, mut open: BTreeMap<i32, (Vec<Outgoing>, Bytes)>) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        let mut attempt = 0;
        while !open.is_empty() {
            let mut answers = self.send(&open).await;
            let mut again = BTreeMap::new();
            for (partition, (records, batch)) in open {
                let answer = answers.remove(&partition);
                match answer.unwrap_or(Err((Some(ErrorCode::NetworkException), "Disconnected".to_owned()))) {
                    Ok(base_offset) => deliveries.extend(delivered(&records, partition, base_offset)),
                    Err((code, _)) if attempt < self.sending.retries && code.is_none_or(is_retriable) => {
                        again.insert(partition, (records, batch));
                    }
                    Err((_, message)) => {
                        deliveries.extend(records.iter().map(|record| failed(record, &message)));
                    }
                }
            }
            open = again;
            attempt += 1;
            if !open.is_empty() {
                tokio::time::sleep(self.cluster.settings().retry_backoff).await;
                self.leaders.clear();
                if let Err(reason) = self.find_topic().await {
                    let lost = open.into_values().flat_map(|(records, _)| records);
                    deliveries.extend(lost.map(|record| failed(&record, &reason)));
                    break;
                }
            }
        }
        deliveries
    }

    fn batch(&mut self, partition: i32, records: &[Outgoing]) -> Result<Bytes, records::BuildError> {
        let mut builder = BatchBuilder::new().codec(self.sending.codec, None);
        if let Some((id, epoch)) = self.identity {
            let sequence = self.sequences.entry(partition).or_default();
            builder = builder.producer(id, epoch, *sequence);
            if self.transaction.is_some() {
                builder = builder.transactional();
            }
            // A sequence goes on at 0 after the largest number.
            *sequence = (i64::from(*sequence) + records.len() as i64).rem_euclid(1 << 31) as i32;
        }
        for record in records {
            let headers: Vec<Header<'_>> = record
                .headers
                .iter()
                .map(|(key, value)| Header { key: key.as_bytes(), value: value.as_deref() })
                .collect();
            let timestamp = record.timestamp.unwrap_or(0);
            builder.append(timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
        }
        builder.build()
    }

    /// One request to each leader; the base offset by partition, or why not (`None`: no leader or no answer).
    async fn send(
        &mut self,
        open: &BTreeMap<i32, (Vec<Outgoing>, Bytes)>,
    ) -> BTreeMap<i32, Result<i64, (Option<ErrorCode>, String)>> {
        let mut by_leader: BTreeMap<i32, Vec<ProducePartition>> = BTreeMap::new();
        let mut answers = BTreeMap::new();
        for (partition, (_, batch)) in open {
            let leader = self.leaders.get(*partition as usize).copied().filter(|leader| *leader >= 0);
            if let Some(leader) = leader {
                let batch = Some(batch.clone());
                by_leader
                    .entry(leader)
                    .or_default()
                    .push(ProducePartition { partition: *partition, records: batch });
            } else {
                let message = crate::errors::sentence(ErrorCode::LeaderNotAvailable);
                answers.insert(*partition, Err((None, message.to_owned())));
            }
        }
        for (leader, partitions) in by_leader {
            let indexes: Vec<i32> = partitions.iter().map(|one| one.partition).collect();
            match self.send_to(leader, partitions).await {
                Ok(responses) if self.sending.acks == 0 => {
                    debug_assert!(responses.is_empty(), "acks=0 is not answered");
                    answers.extend(indexes.into_iter().map(|partition| (partition, Ok(-1))));
                }
                Ok(responses) => {
                    answers.extend(responses.into_iter().map(|one| (one.partition, outcome(&one))));
                }
                Err(error) => {
                    let message = error.to_string();
                    answers.extend(indexes.into_iter().map(|one| (one, Err((None, message.clone())))));
                }
            }
        }
        answers
    }

    async fn send_to(
        &mut self,
        leader: i32,
        partitions: Vec<ProducePartition>,
    ) -> Result<Vec<ProducePartitionResponse>, ClusterError> {
        let request = self.request(partitions);
        if self.sending.acks == 0 {
            self.cluster.tell(leader, kafka::PRODUCE_BY_NAME_MAX, |_version| request.clone()).await?;
            return Ok(Vec::new());
        }
        let at = Target::Node(leader);
        let answer =
            self.cluster.call_capped(at, kafka::PRODUCE_BY_NAME_MAX, |_version| request.clone()).await?;
        Ok(answer.topics.into_iter().flat_map(|topic| topic.partitions).collect())
    }
}

impl Producer {
    fn request(&self, partitions: Vec<ProducePartition>) -> ProduceRequest {
        let transaction = self.transaction.as_ref();
        ProduceRequest {
            transactional_id: transaction.map(|transaction| text(transaction.id.as_str())),
            acks: self.sending.acks,
            timeout_ms: self.sending.timeout_ms,
            topics: vec![ProduceTopic { topic: TopicRef::Name(text(self.topic.as_str())), partitions }],
            zstd_allowed: true,
            transaction_support: TransactionSupport::Classic,
        }
    }
}

fn outcome(answer: &ProducePartitionResponse) -> Result<i64, (Option<ErrorCode>, String)> {
    match answer.error {
        // The broker has the batch already: an earlier answer was lost.
        ErrorCode::None | ErrorCode::DuplicateSequenceNumber => Ok(answer.base_offset.value()),
        code => {
            let said = answer.error_message.as_deref().filter(|message| !message.is_empty());
            Err((Some(code), said.unwrap_or_else(|| crate::errors::sentence(code)).to_owned()))
        }
    }
}

fn delivered(records: &[Outgoing], partition: i32, base_offset: i64) -> Vec<Delivery> {
    let one = |(index, record): (usize, &Outgoing)| {
        let offset = if base_offset < 0 { -1 } else { base_offset + index as i64 };
        Delivery { tag: record.tag, sizes: sizes(record), result: Ok((partition, offset)) }
    };
    records.iter().enumerate().map(one).collect()
}

fn failed(record: &Outgoing, message: &str) -> Delivery {
    Delivery { tag: record.tag, sizes: sizes(record), result: Err(message.to_owned()) }
}

fn sizes(record: &Outgoing) -> (Option<usize>, Option<usize>) {
    (record.key.as_ref().map(Bytes::len), record.value.as_ref().map(Bytes::len))
}

/// As Kafka's producer estimates it: a batch header, the record's own overhead at its largest, and what is in it.
fn size(record: &Outgoing) -> usize {
    let (key, value) = sizes(record);
    let headers = record
        .headers
        .iter()
        .map(|(key, value)| 2 * VARINT_BYTES_MAX + key.len() + value.as_ref().map_or(0, Bytes::len));
    model::batch::HEADER_BYTES
        + RECORD_OVERHEAD
        + key.unwrap_or(0)
        + value.unwrap_or(0)
        + headers.sum::<usize>()
}

fn is_retriable(code: ErrorCode) -> bool {
    kafka::is_stale_leader(code)
        || matches!(
            code,
            ErrorCode::UnknownTopicOrPartition
                | ErrorCode::RequestTimedOut
                | ErrorCode::NetworkException
                | ErrorCode::CoordinatorLoadInProgress
                | ErrorCode::CoordinatorNotAvailable
                | ErrorCode::NotCoordinator
                | ErrorCode::NotEnoughReplicas
                | ErrorCode::NotEnoughReplicasAfterAppend
                | ErrorCode::CorruptMessage
                | ErrorCode::ConcurrentTransactions
                | ErrorCode::ThrottlingQuotaExceeded
        )
}

const INIT_PRODUCER_ID_MAX: i16 = 4;
const VARINT_BYTES_MAX: usize = 5;
/// `DefaultRecord.MAX_RECORD_OVERHEAD`.
const RECORD_OVERHEAD: usize = 21;
