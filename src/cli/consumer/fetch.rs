//! Fetching: one request to each leader, and the records of what comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use client::Target;
use model::batch::BatchHeader;
use model::{BrokerId, ErrorCode, Offset, ProducerId};
use records::{EndTxnMarker, OpenBatch};
use wire::fetch::{FetchPartition, FetchPartitionResponse, FetchRequest, FetchTopic};
use wire::{StrBytes, TopicRef};

use super::{Consumer, RETRY, Received, Reset, may_come, out_of_range};
use crate::kafka::{self, EARLIEST, LATEST, TopicPartition, Trouble, refused, text};

impl Consumer {
    /// Fetches from every leader; waits up to `wait` for the first byte where there is one leader.
    pub(super) async fn fetch(&mut self, wait: Duration) -> Result<(), Trouble> {
        let mut by_leader: BTreeMap<i32, BTreeMap<String, Vec<FetchPartition>>> = BTreeMap::new();
        let mut is_stale = false;
        for ((topic, partition), offset) in &self.positions {
            match self.leaders.get(&(topic.clone(), *partition)).filter(|leader| **leader >= 0) {
                Some(leader) => by_leader.entry(*leader).or_default().entry(topic.clone()).or_default().push(
                    FetchPartition::new(*partition, Offset::new(*offset), self.reading.partition_bytes_max),
                ),
                None => is_stale = true,
            }
        }
        if by_leader.is_empty() {
            tokio::time::sleep(wait.min(RETRY)).await;
        }
        let share = wait / by_leader.len().max(1) as u32;
        for (leader, topics) in by_leader {
            let request = self.request(topics, share);
            let at = Target::Node(leader);
            let answer =
                self.cluster.call_capped(at, kafka::FETCH_BY_NAME_MAX, |_version| request.clone()).await?;
            if !answer.error.is_none() {
                return Err(refused(answer.error.code(), None));
            }
            for topic in answer.topics {
                let name = topic.topic.to_string();
                for partition in topic.partitions {
                    is_stale |= self.take(&name, partition).await?;
                }
            }
        }
        if is_stale {
            let topics: BTreeSet<String> = self.positions.keys().map(|(topic, _)| topic.clone()).collect();
            let topics: Vec<String> = topics.into_iter().collect();
            self.leaders = kafka::leaders(&mut self.cluster, &topics).await?;
        }
        Ok(())
    }

    fn request(&self, topics: BTreeMap<String, Vec<FetchPartition>>, wait: Duration) -> FetchRequest {
        let topics = topics
            .into_iter()
            .map(|(name, partitions)| FetchTopic { topic: TopicRef::Name(text(name)), partitions });
        FetchRequest {
            cluster_id: None,
            replica_id: BrokerId::NONE,
            replica_epoch: -1,
            max_wait_ms: wait.as_millis() as i32,
            min_bytes: 1,
            max_bytes: self.reading.bytes_max,
            isolation_level: self.reading.isolation,
            session_id: 0,
            session_epoch: -1,
            topics: topics.collect(),
            forgotten_topics: Vec::new(),
            rack_id: StrBytes::from_static_str(""),
            wants_topic_ids: false,
            accepts_preferred_replica: false,
            accepts_leader: false,
        }
    }

    /// Takes one partition's answer; whether its leader has to be looked up again.
    async fn take(&mut self, topic: &str, answer: FetchPartitionResponse) -> Result<bool, Trouble> {
        let key = (topic.to_owned(), answer.partition);
        match answer.error {
            ErrorCode::None => {}
            ErrorCode::OffsetOutOfRange => {
                self.reset(&key).await?;
                return Ok(false);
            }
            code if may_come(code) => {
                tokio::time::sleep(RETRY).await;
                return Ok(true);
            }
            code => return Err(refused(code.code(), None)),
        }
        let Some(position) = self.positions.get_mut(&key) else { return Ok(false) };
        let mut aborted = Aborted::new(&answer, self.reading.isolation);
        let mut bytes = joined(answer.records);
        while let Some(batch) = split_batch(&mut bytes) {
            let open = OpenBatch::new(&batch, BATCH_BYTES_MAX)
                .map_err(|error| corrupt(&key, *position, &error.to_string()))?;
            let header = open.header;
            let is_visible = aborted.is_visible(&open);
            for record in open.records() {
                let record = record.map_err(|error| corrupt(&key, *position, &error.to_string()))?;
                let offset = open.offset_of(&record).value();
                if offset < *position || !is_visible {
                    continue;
                }
                let copied = |bytes: &[u8]| Bytes::copy_from_slice(bytes);
                self.ready.push_back(Received {
                    topic: topic.to_owned(),
                    partition: key.1,
                    offset,
                    leader_epoch: header.leader_epoch.value(),
                    timestamp: open.timestamp_of(&record),
                    log_append_time: header.is_log_append_time(),
                    key: record.key.map(copied),
                    value: record.value.map(copied),
                    headers: record
                        .headers
                        .iter()
                        .map(|header| (copied(header.key), header.value.map(copied)))
                        .collect(),
                });
            }
            let next = header.base_offset.value() + i64::from(header.last_offset_delta) + 1;
            *position = (*position).max(next);
        }
        Ok(false)
    }

    /// The log no longer, or not yet, has the position.
    async fn reset(&mut self, key: &TopicPartition) -> Result<(), Trouble> {
        let time = match self.reading.reset {
            Reset::Earliest => EARLIEST,
            Reset::Latest => LATEST,
            Reset::None => return Err(out_of_range()),
        };
        let found = kafka::offsets(&mut self.cluster, &[(key.clone(), time)], self.reading.isolation).await?;
        for (key, result) in found {
            self.positions.insert(key, result?.offset.max(0));
        }
        Ok(())
    }
}

/// Which transactions of an answer were aborted; brokers list them by their first offset.
struct Aborted {
    filters: bool,
    coming: Vec<(i64, ProducerId)>,
    open: BTreeSet<i64>,
}

impl Aborted {
    fn new(answer: &FetchPartitionResponse, isolation: i8) -> Self {
        let listed = answer.aborted_transactions.iter().flatten();
        let mut coming: Vec<(i64, ProducerId)> =
            listed.map(|one| (one.first_offset.value(), one.producer_id)).collect();
        coming.sort_by_key(|(offset, _)| std::cmp::Reverse(*offset));
        Self { filters: isolation == READ_COMMITTED, coming, open: BTreeSet::new() }
    }

    /// Whether a reader sees the batch: not control batches, nor with read_committed what was aborted.
    fn is_visible(&mut self, batch: &OpenBatch) -> bool {
        let header = &batch.header;
        let last = header.base_offset.value() + i64::from(header.last_offset_delta);
        while self.coming.last().is_some_and(|(first, _)| *first <= last) {
            self.open.extend(self.coming.pop().map(|(_, producer)| producer.value()));
        }
        let producer = header.producer_id.value();
        if header.is_control() {
            let marker =
                batch.records().next().and_then(Result::ok).and_then(|record| EndTxnMarker::of(&record));
            if marker.is_some_and(|marker| !marker.commit) {
                self.open.remove(&producer);
            }
            return false;
        }
        !(self.filters && header.is_transactional() && self.open.contains(&producer))
    }
}

fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    if pieces.len() <= 1 {
        return pieces.pop().unwrap_or_default();
    }
    let mut whole = BytesMut::new();
    for piece in &pieces {
        whole.extend_from_slice(piece);
    }
    whole.freeze()
}

/// Cuts one whole batch off; a batch that the answer holds a part of only is left.
fn split_batch(bytes: &mut Bytes) -> Option<Bytes> {
    let size = BatchHeader::parse(bytes).ok()?.size();
    (size <= bytes.len()).then(|| bytes.split_to(size))
}

fn corrupt((topic, partition): &TopicPartition, offset: i64, reason: &str) -> Trouble {
    Trouble::Refused {
        code: ErrorCode::CorruptMessage,
        message: format!(
            "Received exception when fetching the next record from {topic}-{partition}. If needed, please seek past \
             the record to continue consumption. (offset {offset}: {reason})"
        ),
    }
}

const READ_COMMITTED: i8 = 1;
/// Largest batch that is decompressed.
const BATCH_BYTES_MAX: usize = 1 << 30;
