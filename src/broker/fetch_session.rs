//! One incremental fetch session (KIP-227), as a pure machine: what the client asked for so far, and which
//! partitions an answer may leave out because nothing the client knows has changed.
//!
//! Kafka's counterpart is `FetchSession` with `CachedPartition`.

use std::collections::HashMap;
use std::sync::Arc;

use model::{ErrorCode, LeaderEpoch, Offset, TopicId};
use wire::TopicRef;

/// The session id of requests and answers without a session.
pub const NO_SESSION: i32 = 0;
/// The epoch that asks for a new session.
pub const INITIAL_EPOCH: i32 = 0;
/// The epoch that closes a session and asks for no new one.
pub const FINAL_EPOCH: i32 = -1;

/// The epoch of the request after one with `epoch`; wraps from `i32::MAX` to 1.
pub const fn next_epoch(epoch: i32) -> i32 {
    match epoch {
        i32::MIN..=-1 => FINAL_EPOCH,
        i32::MAX => 1,
        _ => epoch + 1,
    }
}

/// What a client wants of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchPartition {
    /// The topic as the client refers to it.
    pub topic: TopicRef,
    /// The name of a topic that is referred to by id; none while the id is unknown here. A session keeps the name
    /// it found first, so that a topic deleted and made anew is told from one that never was.
    pub name: Option<Arc<str>>,
    /// Index of the partition.
    pub partition: i32,
    /// Offset of the first record wanted.
    pub fetch_offset: Offset,
    /// Most record bytes of this partition in one answer.
    pub bytes_max: i32,
    /// The leader epoch the client believes in, or [`LeaderEpoch::NONE`].
    pub current_leader_epoch: LeaderEpoch,
    /// Epoch of the last record the client has, or [`LeaderEpoch::NONE`].
    pub last_fetched_epoch: LeaderEpoch,
    /// A follower's own log start offset; -1 from consumers.
    pub log_start_offset: Offset,
}

/// A partition named by a request without saying what is wanted of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PartitionKey {
    /// The topic as the client refers to it.
    pub topic: TopicRef,
    /// Index of the partition.
    pub partition: i32,
}

impl FetchPartition {
    /// The same in memory of its own: a name from a request is a slice of its frame, which must not live as long
    /// as a session.
    fn detached(self) -> Self {
        Self { topic: self.topic.detached(), ..self }
    }

    /// The partition's identity within a session.
    pub fn key(&self) -> PartitionKey {
        PartitionKey { topic: self.topic.clone(), partition: self.partition }
    }
}

/// The parts of one partition's answer that decide whether it must be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerMarks {
    /// The partition's error.
    pub error: ErrorCode,
    /// Record bytes in the answer.
    pub record_bytes: usize,
    /// High watermark in the answer; -1 with most errors.
    pub high_watermark: Offset,
    /// Log start offset in the answer.
    pub log_start_offset: Offset,
    /// Whether the answer tells the client to truncate.
    pub diverges: bool,
}

/// One client's session. Offsets of a cached partition are what the client was last told, so they may lie on
/// either side of the partition's own.
#[derive(Debug)]
pub struct FetchSession {
    /// Number under which the client names the session; positive.
    pub id: i32,
    /// Whether a follower made it; such sessions are not evicted for consumers.
    pub privileged: bool,
    /// Whether topics are identified by id.
    pub uses_topic_ids: bool,
    /// Milliseconds at which it was made.
    pub created_ms: i64,
    /// The epoch the next request must carry.
    pub epoch: i32,
    partitions: PartitionRing,
}

impl FetchSession {
    /// A session over the partitions of a full fetch and what that fetch was answered.
    pub fn new(
        id: i32,
        privileged: bool,
        uses_topic_ids: bool,
        created_ms: i64,
        partitions: impl IntoIterator<Item = (FetchPartition, Offset, Offset)>,
    ) -> Self {
        let mut ring = PartitionRing::default();
        for (wanted, high_watermark, log_start_offset) in partitions {
            ring.insert(CachedPartition { wanted, high_watermark, log_start_offset });
        }
        Self {
            id,
            privileged,
            uses_topic_ids,
            created_ms,
            epoch: next_epoch(INITIAL_EPOCH),
            partitions: ring,
        }
    }

    /// Number of partitions in the session.
    pub fn len(&self) -> usize {
        self.partitions.index.len()
    }

    /// Whether no partition is left.
    pub fn is_empty(&self) -> bool {
        self.partitions.index.is_empty()
    }

    /// Takes in what an incremental request adds, changes and forgets.
    pub fn update(&mut self, wanted: Vec<FetchPartition>, forgotten: &[PartitionKey]) {
        for partition in wanted {
            self.partitions.want(partition);
        }
        for key in forgotten {
            self.partitions.remove(key);
        }
    }

    /// Everything the session wants, in the order in which it is to be served: partitions that got records
    /// last time come last, so that a byte limit starves none of them.
    ///
    /// Topics whose id was unknown so far are looked up again by `name_of`.
    pub fn wanted(&mut self, name_of: &dyn Fn(TopicId) -> Option<Arc<str>>) -> Vec<FetchPartition> {
        let cached = self.partitions.slots.iter_mut().flatten();
        cached
            .map(|cached| {
                if let (None, TopicRef::Id(id)) = (&cached.wanted.name, &cached.wanted.topic) {
                    cached.wanted.name = name_of(*id);
                }
                cached.wanted.clone()
            })
            .collect()
    }

    /// Whether the answer must be sent; remembers what the client is told by it.
    pub fn must_answer(&mut self, key: &PartitionKey, answer: &AnswerMarks) -> bool {
        let Some(cached) = self.partitions.find_mut(key) else {
            // Forgotten by a later request of the same session: the epoch check answers before this matters.
            return true;
        };
        let must_answer = cached.take_answer(answer);
        if answer.record_bytes > 0 {
            self.partitions.move_to_end(key);
        }
        must_answer
    }
}

#[derive(Debug)]
struct CachedPartition {
    wanted: FetchPartition,
    high_watermark: Offset,
    log_start_offset: Offset,
}

impl CachedPartition {
    fn take_answer(&mut self, answer: &AnswerMarks) -> bool {
        let mut must_answer = answer.record_bytes > 0 || answer.diverges;
        if self.high_watermark != answer.high_watermark {
            self.high_watermark = answer.high_watermark;
            must_answer = true;
        }
        if self.log_start_offset != answer.log_start_offset {
            self.log_start_offset = answer.log_start_offset;
            must_answer = true;
        }
        if !answer.error.is_none() {
            // An offset no partition has: when the error goes away, the partition is sent again.
            self.high_watermark = Offset::new(-1);
            must_answer = true;
        }
        must_answer
    }
}

/// Partitions in serving order with constant-time move to the end: slots are only ever appended, holes are
/// closed when they outnumber the rest.
#[derive(Debug, Default)]
struct PartitionRing {
    slots: Vec<Option<CachedPartition>>,
    index: HashMap<PartitionKey, usize>,
}

impl PartitionRing {
    fn want(&mut self, wanted: FetchPartition) {
        match self.find_mut(&wanted.key()) {
            Some(cached) => {
                let name = cached.wanted.name.take().or(wanted.name);
                let topic = cached.wanted.topic.clone();
                cached.wanted = FetchPartition { topic, name, ..wanted };
            }
            None => self.insert(CachedPartition {
                wanted: wanted.detached(),
                high_watermark: Offset::new(-1),
                log_start_offset: Offset::new(-1),
            }),
        }
    }

    fn insert(&mut self, cached: CachedPartition) {
        let key = cached.wanted.key();
        self.remove(&key);
        self.index.insert(key, self.slots.len());
        self.slots.push(Some(cached));
    }

    fn find_mut(&mut self, key: &PartitionKey) -> Option<&mut CachedPartition> {
        let slot = *self.index.get(key)?;
        self.slots.get_mut(slot)?.as_mut()
    }

    fn remove(&mut self, key: &PartitionKey) -> Option<CachedPartition> {
        let slot = self.index.remove(key)?;
        let cached = self.slots.get_mut(slot)?.take();
        self.close_holes();
        cached
    }

    fn move_to_end(&mut self, key: &PartitionKey) {
        let last = self.slots.len().wrapping_sub(1);
        if self.index.get(key) == Some(&last) {
            return;
        }
        if let Some(cached) = self.remove(key) {
            self.insert(cached);
        }
    }

    fn close_holes(&mut self) {
        if self.slots.len() < 16 || self.slots.len() < 2 * self.index.len() {
            return;
        }
        self.slots.retain(Option::is_some);
        for (slot, cached) in self.slots.iter().flatten().enumerate() {
            self.index.insert(cached.wanted.key(), slot);
        }
    }
}

#[cfg(test)]
#[path = "fetch_session_tests.rs"]
mod tests;
