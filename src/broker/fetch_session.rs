//! One incremental fetch session (KIP-227): what the client asked for so far, and which partitions an answer may leave out
//! because nothing the client knows has changed.
//!
//! Kafka's counterpart is `FetchSession` with `CachedPartition`. Kafka looks at every partition for every fetch. Here those
//! that have nothing to tell are passed by until they say on the session's [`Feed`] that something has changed: a fetch
//! costs what the active partitions cost, however many the session has.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use model::{ErrorCode, LeaderEpoch, Offset, TopicId};
use wire::TopicRef;

use crate::partition::{Feed, Partition, Watch};

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

/// What a client was last told of a partition. After an error the high watermark is -1, which no partition has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The high watermark in the answer.
    pub high_watermark: Offset,
    /// The log start offset in the answer.
    pub log_start_offset: Offset,
}

impl Told {
    const NOTHING: Self = Self { high_watermark: Offset::new(-1), log_start_offset: Offset::new(-1) };
}

/// As whom a fetch looks at partitions; the requests of one session may differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Viewer {
    /// Whether only decided transactions are seen.
    pub read_committed: bool,
    /// Whether a replica asks.
    pub from_follower: bool,
}

/// How a session finds out about its partitions.
pub struct Look<'a> {
    /// As whom.
    pub viewer: Viewer,
    /// The name of a topic by its id, as far as it is known.
    pub name_of: &'a dyn Fn(TopicId) -> Option<Arc<str>>,
    /// Whether a partition has nothing to tell: no records, no error, no offset that was not told. If so, the watch
    /// follows it from now on.
    pub is_quiet: &'a dyn Fn(&FetchPartition, Told, &mut Watch) -> bool,
}

impl fmt::Debug for Look<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Look").field("viewer", &self.viewer).finish_non_exhaustive()
    }
}

/// A partition that is to be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Partitions are served in this order.
    pub turn: u64,
    /// What is wanted.
    pub partition: FetchPartition,
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
    /// What its partitions tell, and the fetch that waits for that.
    pub feed: Arc<Feed>,
    viewer: Viewer,
    partitions: Partitions,
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
        let feed = Feed::new();
        let mut all = Partitions::default();
        for (wanted, high_watermark, log_start_offset) in partitions {
            all.insert(&feed, wanted, Told { high_watermark, log_start_offset });
        }
        Self {
            id,
            privileged,
            uses_topic_ids,
            created_ms,
            epoch: next_epoch(INITIAL_EPOCH),
            feed,
            viewer: Viewer::default(),
            partitions: all,
        }
    }

    /// Number of partitions in the session.
    pub fn len(&self) -> usize {
        self.partitions.index.len()
    }

    /// Places that its partitions take, the vacant ones too.
    pub fn places(&self) -> usize {
        self.partitions.places.len()
    }

    /// Whether no partition is left.
    pub fn is_empty(&self) -> bool {
        self.partitions.index.is_empty()
    }

    /// Whether there are partitions that have nothing to tell.
    pub fn has_quiet(&self) -> bool {
        self.partitions.active.len() < self.len()
    }

    /// Takes in what an incremental request adds, changes and forgets.
    pub fn update(&mut self, wanted: Vec<FetchPartition>, forgotten: &[PartitionKey]) {
        for partition in wanted {
            self.partitions.want(&self.feed, partition);
        }
        for key in forgotten {
            self.partitions.remove(key);
        }
        self.partitions.close_gaps(&self.feed);
    }

    /// Goes on to the next epoch: a fetch of this one that waits still ends.
    pub fn advance(&mut self) {
        self.epoch = next_epoch(self.epoch);
        self.feed.wake();
    }

    /// What the session wants, in the order in which it is to be served: partitions that got records last time come last,
    /// so that a byte limit starves none of them. Those that have nothing to tell are left out.
    ///
    /// Topics whose id was unknown so far are looked up again.
    pub fn wanted(&mut self, look: &Look<'_>) -> Vec<Wanted> {
        let news = self.feed.take_news();
        let partitions = &mut self.partitions;
        if look.viewer == self.viewer {
            for place in news {
                partitions.rouse(place);
            }
        } else {
            self.viewer = look.viewer;
            partitions.rouse_all();
        }
        let (places, mut wanted) = (&mut partitions.places, Vec::new());
        partitions.active.retain(|&(turn, place)| {
            let Some(cached) = cached_at(places, place) else { return false };
            if let (None, TopicRef::Id(id)) = (&cached.wanted.name, &cached.wanted.topic) {
                cached.wanted.name = (look.name_of)(*id);
            }
            cached.is_quiet = (look.is_quiet)(&cached.wanted, cached.told, &mut cached.watch);
            if !cached.is_quiet {
                wanted.push(Wanted { turn, partition: cached.wanted.clone() });
            }
            !cached.is_quiet
        });
        wanted
    }

    /// What [`Self::wanted`] left out and has something to tell since, with the partition that it was when it was quiet.
    pub fn news(&mut self) -> Vec<(Wanted, Option<Arc<Partition>>)> {
        let news = self.feed.take_news().into_iter();
        news.filter_map(|place| {
            if !self.partitions.rouse(place) {
                return None;
            }
            let cached = cached_at(&mut self.partitions.places, place)?;
            let wanted = Wanted { turn: cached.turn, partition: cached.wanted.clone() };
            Some((wanted, cached.watch.partition()))
        })
        .collect()
    }

    /// Whether the answer must be sent; remembers what the client is told by it.
    pub fn must_answer(&mut self, key: &PartitionKey, answer: &AnswerMarks) -> bool {
        let Some(place) = self.partitions.index.get(key).copied() else {
            // Forgotten by a later request of the same session: the epoch check answers before this matters.
            return true;
        };
        let Some(cached) = cached_at(&mut self.partitions.places, place) else { return true };
        let must_answer = cached.take_answer(answer);
        if answer.record_bytes > 0 {
            self.partitions.move_to_end(place);
        }
        must_answer
    }
}

#[derive(Debug)]
struct CachedPartition {
    wanted: FetchPartition,
    told: Told,
    turn: u64,
    /// Whether it had nothing to tell when it was looked at last, and has said nothing since.
    is_quiet: bool,
    watch: Watch,
}

impl CachedPartition {
    fn take_answer(&mut self, answer: &AnswerMarks) -> bool {
        let mut must_answer = answer.record_bytes > 0 || answer.diverges;
        let told = Told { high_watermark: answer.high_watermark, log_start_offset: answer.log_start_offset };
        if self.told != told {
            self.told = told;
            must_answer = true;
        }
        if !answer.error.is_none() {
            // An offset no partition has: when the error goes away, the partition is sent again.
            self.told.high_watermark = Told::NOTHING.high_watermark;
            must_answer = true;
        }
        must_answer
    }
}

/// Partitions, each in a place of its own, by the turns in which they are served.
#[derive(Debug, Default)]
struct Partitions {
    places: Vec<Option<CachedPartition>>,
    vacant: Vec<u32>,
    index: HashMap<PartitionKey, u32>,
    /// Turn and place of those that are not quiet.
    active: BTreeSet<(u64, u32)>,
    next_turn: u64,
}

fn cached_at(places: &mut [Option<CachedPartition>], place: u32) -> Option<&mut CachedPartition> {
    places.get_mut(usize::try_from(place).ok()?)?.as_mut()
}

impl Partitions {
    fn want(&mut self, feed: &Arc<Feed>, wanted: FetchPartition) {
        let place = self.index.get(&wanted.key()).copied();
        let Some((place, cached)) = place.and_then(|at| Some((at, cached_at(&mut self.places, at)?))) else {
            self.insert(feed, wanted.detached(), Told::NOTHING);
            return;
        };
        let name = cached.wanted.name.take().or(wanted.name);
        let topic = cached.wanted.topic.clone();
        let wanted = FetchPartition { topic, name, ..wanted };
        let is_changed = FetchPartition { name: wanted.name.clone(), ..cached.wanted.clone() } != wanted;
        cached.wanted = wanted;
        if is_changed {
            self.rouse(place);
        }
    }

    fn insert(&mut self, feed: &Arc<Feed>, wanted: FetchPartition, told: Told) {
        let key = wanted.key();
        self.remove(&key);
        let place = self.vacant.pop().unwrap_or_else(|| {
            self.places.push(None);
            u32::try_from(self.places.len() - 1)
                .expect("a session has fewer partitions than a request has bytes")
        });
        let turn = self.take_turn();
        let watch = Watch::new(feed, place);
        self.places[place as usize] = Some(CachedPartition { wanted, told, turn, is_quiet: false, watch });
        self.index.insert(key, place);
        self.active.insert((turn, place));
    }

    fn remove(&mut self, key: &PartitionKey) {
        let Some(place) = self.index.remove(key) else { return };
        if let Some(cached) = self.places.get_mut(place as usize).and_then(Option::take) {
            self.active.remove(&(cached.turn, place));
            self.vacant.push(place);
        }
    }

    /// Gives the places back of a session that has shrunk to half of them or less. All partitions are looked at anew then:
    /// what was told of a place is told of another one's partition by now.
    fn close_gaps(&mut self, feed: &Arc<Feed>) {
        if self.vacant.is_empty() || self.vacant.len() < self.places.len().div_ceil(2) {
            return;
        }
        let Self { places, next_turn, .. } = std::mem::take(self);
        self.next_turn = next_turn;
        for (CachedPartition { wanted, told, turn, .. }, place) in places.into_iter().flatten().zip(0..) {
            self.index.insert(wanted.key(), place);
            self.active.insert((turn, place));
            let watch = Watch::new(feed, place);
            self.places.push(Some(CachedPartition { wanted, told, turn, is_quiet: false, watch }));
        }
        drop(feed.take_news());
    }

    /// Ends the quiet of the partition there. Answers whether it was quiet.
    fn rouse(&mut self, place: u32) -> bool {
        let Some(cached) = cached_at(&mut self.places, place) else { return false };
        let was_quiet = std::mem::take(&mut cached.is_quiet);
        if was_quiet {
            self.active.insert((cached.turn, place));
        }
        was_quiet
    }

    fn rouse_all(&mut self) {
        for (cached, place) in self.places.iter_mut().zip(0..) {
            if let Some(cached) = cached {
                cached.is_quiet = false;
                self.active.insert((cached.turn, place));
            }
        }
    }

    fn move_to_end(&mut self, place: u32) {
        let Some(cached) = cached_at(&mut self.places, place) else { return };
        if cached.turn + 1 == self.next_turn {
            return;
        }
        let before = std::mem::replace(&mut cached.turn, self.next_turn);
        if self.active.remove(&(before, place)) {
            self.active.insert((self.next_turn, place));
        }
        self.next_turn += 1;
    }

    fn take_turn(&mut self) -> u64 {
        self.next_turn += 1;
        self.next_turn - 1
    }
}

#[cfg(test)]
#[path = "fetch_session_tests.rs"]
mod tests;
