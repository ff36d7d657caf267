//! All fetch sessions of this node (KIP-227): opening, continuing and closing them, and the rules by which a
//! full cache makes room.
//!
//! Kafka's counterparts are `FetchManager`, `FetchContext` and `FetchSessionCacheShard`. [`FetchSessions`] is
//! the shell with the lock; [`SessionCache`] is pure.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use model::{ErrorCode, Offset};
use parking_lot::{Mutex, MutexGuard};

use crate::fetch_session::{
    AnswerMarks, FINAL_EPOCH, FetchPartition, FetchSession, INITIAL_EPOCH, Look, NO_SESSION, PartitionKey,
    Wanted,
};
use crate::partition::Feed;

/// Milliseconds for which a session is safe from eviction after it was made, and after which an unused one is
/// evicted first (Kafka's `MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS`).
pub const EVICTION_MS: i64 = 120_000;

/// What a fetch request says about its session.
#[derive(Debug)]
pub struct SessionRequest {
    /// The session it continues or closes, or [`NO_SESSION`].
    pub id: i32,
    /// Its number within the session, [`INITIAL_EPOCH`] or [`FINAL_EPOCH`].
    pub epoch: i32,
    /// Whether a follower asks.
    pub privileged: bool,
    /// Whether the request identifies topics by id.
    pub uses_topic_ids: bool,
    /// Partitions wanted, without repetition.
    pub wanted: Vec<FetchPartition>,
    /// Partitions the session shall drop.
    pub forgotten: Vec<PartitionKey>,
}

/// How a fetch is to be answered.
#[derive(Debug)]
pub enum FetchContext {
    /// All partitions are answered and nothing is remembered.
    Sessionless,
    /// All partitions are answered, and a session over them is opened if there is room.
    Full {
        /// As in the request.
        privileged: bool,
        /// As in the request.
        uses_topic_ids: bool,
    },
    /// Only what changed is answered.
    Incremental {
        /// The session's number.
        id: i32,
        /// The session, shared with the cache.
        session: Arc<Mutex<FetchSession>>,
        /// The epoch the session has as long as no other request used it meanwhile.
        epoch: i32,
    },
}

impl FetchContext {
    /// The session that the fetch goes on with, unless a later request has used it meanwhile.
    pub fn session(&self) -> Option<MutexGuard<'_, FetchSession>> {
        let Self::Incremental { session, epoch, .. } = self else { return None };
        let session = session.lock();
        (session.epoch == *epoch).then_some(session)
    }

    /// Whether the session has left the cache: the fetch answers what there is.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Incremental { session, .. } if session.lock().feed.is_closed())
    }

    /// Whether a later request of the same session has come: the fetch has only an error to tell.
    pub fn is_overtaken(&self) -> bool {
        matches!(self, Self::Incremental { .. }) && self.session().is_none()
    }
}

/// The session part of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionAnswer {
    /// The answer's top-level error. With one, no partition is answered.
    pub error: ErrorCode,
    /// The answer's session id.
    pub session_id: i32,
}

/// The cache behind its lock, which is held for map operations only: a session is taken out, and looks at its partitions
/// under its own lock. Whoever holds that may take the cache's, so that what it says of the session is not outdated; while
/// the cache's is held, no session is locked, or dropped.
#[derive(Debug)]
pub struct FetchSessions {
    cache: Mutex<SessionCache>,
}

impl FetchSessions {
    /// A cache of at most `slots` sessions (`max.incremental.fetch.session.cache.slots`), of at most `partitions_max`
    /// partitions together. `seed` makes session ids hard to guess.
    pub fn new(slots: usize, partitions_max: usize, seed: u64) -> Self {
        Self { cache: Mutex::new(SessionCache::new(slots, partitions_max, seed)) }
    }

    /// Finds out how a request is to be answered and which partitions it wants; of a session without those that have
    /// nothing to tell.
    pub fn begin(
        &self,
        now_ms: i64,
        request: SessionRequest,
        look: &Look<'_>,
    ) -> Result<(FetchContext, Vec<Wanted>), ErrorCode> {
        let context = match request.epoch {
            // The way of every client that uses no sessions: not worth the lock.
            FINAL_EPOCH if request.id == NO_SESSION => FetchContext::Sessionless,
            FINAL_EPOCH => {
                self.with_cache(|cache| cache.remove(request.id));
                FetchContext::Sessionless
            }
            INITIAL_EPOCH => {
                self.with_cache(|cache| cache.remove(request.id));
                FetchContext::Full { privileged: request.privileged, uses_topic_ids: request.uses_topic_ids }
            }
            _ => return self.resume(now_ms, request, look),
        };
        Ok((context, in_turn(request.wanted)))
    }

    fn resume(
        &self,
        now_ms: i64,
        request: SessionRequest,
        look: &Look<'_>,
    ) -> Result<(FetchContext, Vec<Wanted>), ErrorCode> {
        let id = request.id;
        let found = self.with_cache(|cache| cache.sessions.get(&id).map(|slot| Arc::clone(&slot.session)));
        let shared = found.ok_or(ErrorCode::FetchSessionIdNotFound)?;
        let mut session = shared.lock();
        if session.epoch != request.epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.uses_topic_ids != request.uses_topic_ids {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        let last_wanted = if request.forgotten.is_empty() { Vec::new() } else { request.wanted.clone() };
        session.update(request.wanted, &request.forgotten);
        if session.is_empty() {
            self.with_cache(|cache| cache.holds(id, &shared).then(|| cache.remove(id)));
            return Ok((FetchContext::Sessionless, in_turn(last_wanted)));
        }
        session.advance();
        let (epoch, places) = (session.epoch, session.places());
        let wanted = session.wanted(look);
        // Still locked: no later request tells the cache of its places before.
        let is_kept = self.with_cache(|cache| cache.resumed(id, &shared, places, now_ms));
        drop(session);
        if !is_kept {
            return Err(ErrorCode::FetchSessionIdNotFound);
        }
        Ok((FetchContext::Incremental { id, session: shared, epoch }, wanted))
    }

    /// Sessions that leave the cache take leave of their partitions, after the lock. A fetch that waits still keeps its
    /// session alive, which nobody counts any more, so that its wait ends.
    fn with_cache<R>(&self, work: impl FnOnce(&mut SessionCache) -> R) -> R {
        let mut cache = self.cache.lock();
        let done = work(&mut cache);
        let removed = std::mem::take(&mut cache.removed);
        drop(cache);
        for slot in &removed {
            slot.feed.close();
        }
        drop(removed);
        done
    }

    /// Ends what [`FetchSessions::begin`] began: `keep` is called for each answer that need not be sent with
    /// `false`, else with `true`, in order.
    pub fn finish(
        &self,
        now_ms: i64,
        context: FetchContext,
        answers: &[(FetchPartition, AnswerMarks)],
        mut keep: impl FnMut(usize, bool),
    ) -> SessionAnswer {
        match context {
            FetchContext::Sessionless => {
                (0..answers.len()).for_each(|i| keep(i, true));
                SessionAnswer { error: ErrorCode::None, session_id: NO_SESSION }
            }
            FetchContext::Full { privileged, uses_topic_ids } => {
                (0..answers.len()).for_each(|i| keep(i, true));
                let session_id =
                    self.with_cache(|cache| cache.open(now_ms, privileged, uses_topic_ids, answers));
                SessionAnswer { error: ErrorCode::None, session_id }
            }
            FetchContext::Incremental { id, session, epoch } => {
                let mut session = session.lock();
                if session.epoch != epoch {
                    tracing::info!(
                        "Fetch session {id} expected epoch {epoch}, but is at {}: possibly a duplicate request",
                        session.epoch
                    );
                    (0..answers.len()).for_each(|i| keep(i, false));
                    return SessionAnswer { error: ErrorCode::InvalidFetchSessionEpoch, session_id: id };
                }
                for (i, (wanted, marks)) in answers.iter().enumerate() {
                    keep(i, session.must_answer(&wanted.key(), marks));
                }
                session.feed.answered();
                SessionAnswer { error: ErrorCode::None, session_id: id }
            }
        }
    }

    /// What a session hears from its partitions.
    #[cfg(test)]
    pub(crate) fn feed(&self, id: i32) -> Option<Arc<Feed>> {
        self.cache.lock().sessions.get(&id).map(|slot| Arc::clone(&slot.feed))
    }

    /// Number of open sessions.
    pub fn len(&self) -> usize {
        self.cache.lock().sessions.len()
    }

    /// Whether no session is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// All of a request, in its order.
fn in_turn(wanted: Vec<FetchPartition>) -> Vec<Wanted> {
    wanted.into_iter().zip(0..).map(|(partition, turn)| Wanted { turn, partition }).collect()
}

/// The sessions and the orders in which they may be evicted.
#[derive(Debug)]
pub struct SessionCache {
    slots: usize,
    /// Most partitions of all sessions. Beyond it a client that asks for a session gets none, and one whose session
    /// grows loses it: both name all their partitions in every request then, as clients without sessions do.
    partitions_max: usize,
    partitions: usize,
    /// Whether it was said that there is no room, and not much has become free since.
    is_crowded: bool,
    random: u64,
    sessions: HashMap<i32, Slot>,
    /// Those that were taken out, to be closed and dropped after the cache's lock.
    removed: Vec<Slot>,
    /// (last used, id) of every session.
    by_use: BTreeSet<(i64, i32)>,
    /// Sessions a consumer's new session may replace, the least worthy first.
    evictable_by_all: BTreeSet<Worth>,
    /// Sessions a follower's new session may replace.
    evictable_by_privileged: BTreeSet<Worth>,
}

#[derive(Debug)]
struct Slot {
    session: Arc<Mutex<FetchSession>>,
    /// The session's: it is closed without the session's lock.
    feed: Arc<Feed>,
    used_ms: i64,
    created_ms: i64,
    worth: Worth,
}

/// What a session is worth keeping, ordered: followers' before consumers', then by size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Worth {
    privileged: bool,
    partitions: usize,
    id: i32,
}

impl SessionCache {
    /// An empty cache of at most `slots` sessions with `partitions_max` partitions together.
    pub fn new(slots: usize, partitions_max: usize, seed: u64) -> Self {
        Self {
            slots,
            partitions_max,
            partitions: 0,
            is_crowded: false,
            random: seed,
            sessions: HashMap::new(),
            removed: Vec::new(),
            by_use: BTreeSet::new(),
            evictable_by_all: BTreeSet::new(),
            evictable_by_privileged: BTreeSet::new(),
        }
    }

    fn holds(&self, id: i32, session: &Arc<Mutex<FetchSession>>) -> bool {
        self.sessions.get(&id).is_some_and(|slot| Arc::ptr_eq(&slot.session, session))
    }

    /// Notes that a session was used, which has places for so many partitions now. Answers whether it is kept.
    fn resumed(
        &mut self,
        id: i32,
        session: &Arc<Mutex<FetchSession>>,
        partitions: usize,
        now_ms: i64,
    ) -> bool {
        if !self.holds(id, session) {
            // Closed or evicted since it was taken out.
            return false;
        }
        self.touch(id, partitions, now_ms);
        if !self.fits(0, now_ms) {
            self.remove(id);
            return false;
        }
        true
    }

    /// Opens a session if there is room or room can be made; answers its id or [`NO_SESSION`].
    fn open(
        &mut self,
        now_ms: i64,
        privileged: bool,
        uses_topic_ids: bool,
        answers: &[(FetchPartition, AnswerMarks)],
    ) -> i32 {
        let worth = Worth { privileged, partitions: answers.len(), id: 0 };
        if !self.fits(worth.partitions, now_ms) {
            return NO_SESSION;
        }
        if self.sessions.len() >= self.slots && !self.evict(worth, now_ms) {
            return NO_SESSION;
        }
        let id = self.unused_id();
        let partitions = answers.iter().map(|(wanted, marks)| {
            let high_watermark = if marks.error.is_none() { marks.high_watermark } else { Offset::new(-1) };
            (wanted.clone(), high_watermark, marks.log_start_offset)
        });
        let session = FetchSession::new(id, privileged, uses_topic_ids, now_ms, partitions);
        let worth = Worth { partitions: session.places(), id, ..worth };
        let (feed, session) = (Arc::clone(&session.feed), Arc::new(Mutex::new(session)));
        let slot = Slot { session, feed, used_ms: now_ms, created_ms: now_ms, worth };
        self.partitions += worth.partitions;
        self.sessions.insert(id, slot);
        self.touch(id, worth.partitions, now_ms);
        id
    }

    /// Whether there is room for so many more partitions. Only sessions that nobody uses any more make room: a large new
    /// one should not drive many small ones out.
    fn fits(&mut self, more: usize, now_ms: i64) -> bool {
        while self.partitions.saturating_add(more) > self.partitions_max {
            match self.by_use.first() {
                Some(&(used_ms, oldest)) if now_ms - used_ms > EVICTION_MS => self.remove(oldest),
                _ => {
                    if !std::mem::replace(&mut self.is_crowded, true) {
                        tracing::warn!(
                            "The fetch sessions of this node hold {} partitions, the memory for {}: clients go on \
                             without sessions, which costs more",
                            self.partitions,
                            self.partitions_max
                        );
                    }
                    return false;
                }
            }
        }
        self.is_crowded &= self.partitions > self.partitions_max / 2;
        true
    }

    /// Makes room for one session, if a stale one or one worth less than the new one may go.
    fn evict(&mut self, new: Worth, now_ms: i64) -> bool {
        let Some(&(used_ms, oldest)) = self.by_use.first() else {
            return false;
        };
        if now_ms - used_ms > EVICTION_MS {
            self.remove(oldest);
            return true;
        }
        let evictable = if new.privileged { &self.evictable_by_privileged } else { &self.evictable_by_all };
        match evictable.first() {
            Some(least) if new >= *least => {
                let id = least.id;
                self.remove(id);
                true
            }
            _ => false,
        }
    }

    fn touch(&mut self, id: i32, partitions: usize, now_ms: i64) {
        let Some(slot) = self.sessions.get_mut(&id) else {
            return;
        };
        self.by_use.remove(&(slot.used_ms, id));
        self.evictable_by_all.remove(&slot.worth);
        self.evictable_by_privileged.remove(&slot.worth);
        slot.used_ms = now_ms;
        self.partitions = self.partitions - slot.worth.partitions + partitions;
        slot.worth.partitions = partitions;
        self.by_use.insert((now_ms, id));
        let settled = now_ms - slot.created_ms > EVICTION_MS;
        if !slot.worth.privileged || settled {
            self.evictable_by_privileged.insert(slot.worth);
        }
        if settled {
            self.evictable_by_all.insert(slot.worth);
        }
    }

    fn remove(&mut self, id: i32) {
        if let Some(slot) = self.sessions.remove(&id) {
            self.partitions -= slot.worth.partitions;
            self.by_use.remove(&(slot.used_ms, id));
            self.evictable_by_all.remove(&slot.worth);
            self.evictable_by_privileged.remove(&slot.worth);
            self.removed.push(slot);
        }
    }

    fn unused_id(&mut self) -> i32 {
        loop {
            let id = (self.next_random() >> 33) as i32;
            if id != NO_SESSION && !self.sessions.contains_key(&id) {
                return id;
            }
        }
    }

    /// `SplitMix64`: every seed gives a full-period sequence.
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
#[path = "fetch_session_cache_tests.rs"]
mod tests;
