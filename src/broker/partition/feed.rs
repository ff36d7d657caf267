//! What a fetch session hears from its partitions, so that a fetch costs what has changed, not what the session has.
//!
//! A session follows a partition that has nothing to tell its client, and passes it by from then on. The first change ends
//! the quiet: the partition puts itself on the session's [`Feed`], where the next fetch, or the one that waits, finds it. It
//! is not told again before the session has looked at it and follows it anew.
//!
//! Nothing is lost between a look and a wait. Whoever changes a partition publishes that before it locks the followers;
//! the session looks once more after it has followed; and a fetch that begins to wait while there is news is woken.
//!
//! Locks, in the order in which they may be held together: a session's, then that of a partition's waiters, then a feed's.
//! The cache of all sessions is another leaf after a session's; it closes feeds and drops sessions when it is unlocked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::handle::Partition;
use super::waiters::{FetchTicket, Interest};

/// The news of one session. Its lock is a leaf, taken while that of a partition's waiters is held.
#[derive(Debug)]
pub struct Feed {
    id: u64,
    /// Fetches that were answered: what a quiet partition was read by.
    answers: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Places of partitions that are quiet no more.
    news: Vec<u32>,
    waiting: Option<Arc<FetchTicket>>,
    closed: bool,
}

impl Feed {
    /// No news.
    pub fn new() -> Arc<Self> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { id, answers: AtomicU64::new(0), state: Mutex::default() })
    }

    /// Takes the places of the partitions that are quiet no more.
    pub fn take_news(&self) -> Vec<u32> {
        std::mem::take(&mut self.state.lock().news)
    }

    /// Has a fetch wait for news until the answer is dropped; the ticket fires at once if there are some, or the session is
    /// closed. The fetch that waited before is woken, if there was one.
    pub fn wait(self: &Arc<Self>, ticket: &Arc<FetchTicket>) -> Waiting {
        let mut state = self.state.lock();
        if state.closed || !state.news.is_empty() {
            ticket.fire();
        }
        if let Some(overtaken) = state.waiting.replace(Arc::clone(ticket)) {
            overtaken.fire();
        }
        Waiting { feed: Arc::clone(self), ticket: Arc::clone(ticket) }
    }

    /// Wakes the fetch that waits, if one does.
    pub fn wake(&self) {
        if let Some(ticket) = &self.state.lock().waiting {
            ticket.fire();
        }
    }

    /// The session is open no more: nobody waits for its news, now or later.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.wake();
    }

    /// Whether the session is open no more.
    pub fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Counts an answer, which tells of no partition that is quiet.
    pub fn answered(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a fetch waits.
    #[cfg(test)]
    pub(crate) fn is_waited_for(&self) -> bool {
        self.state.lock().waiting.is_some()
    }

    fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Answers the number of the ticket that waits, or [`NOBODY`].
    fn tell(&self, place: u32) -> u64 {
        let mut state = self.state.lock();
        state.news.push(place);
        state.waiting.as_ref().map_or(NOBODY, |ticket| ticket.id())
    }

    /// Runs `then` on the ticket of this number, if that waits still.
    fn with_ticket(&self, number: u64, then: impl FnOnce(&FetchTicket)) -> bool {
        let state = self.state.lock();
        let ticket = state.waiting.as_ref().filter(|ticket| ticket.id() == number);
        ticket.map(|ticket| then(ticket)).is_some()
    }
}

/// A fetch that waits for the news of its session, until this is dropped.
#[derive(Debug)]
pub struct Waiting {
    feed: Arc<Feed>,
    ticket: Arc<FetchTicket>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.feed.state.lock();
        if state.waiting.as_ref().is_some_and(|waiting| Arc::ptr_eq(waiting, &self.ticket)) {
            state.waiting = None;
        }
    }
}

/// No ticket has this number.
const NOBODY: u64 = 0;

/// A session's end of following one partition. It does not keep a partition that was deleted.
#[derive(Debug)]
pub struct Watch {
    feed: Arc<Feed>,
    place: u32,
    partition: Weak<Partition>,
}

impl Watch {
    /// Follows nothing yet. What it hears is told as news of `place`.
    pub fn new(feed: &Arc<Feed>, place: u32) -> Self {
        Self { feed: Arc::clone(feed), place, partition: Weak::new() }
    }

    /// Hears of the next change of `partition`, and of no other any more. What changed before this was called is to be looked
    /// for afterwards; one that is gone is never heard of.
    pub fn follow(&mut self, partition: &Arc<Partition>, interest: Interest) {
        if !std::ptr::eq(self.partition.as_ptr(), Arc::as_ptr(partition)) {
            self.leave();
            self.partition = Arc::downgrade(partition);
        }
        partition.with_followers(|followers| followers.follow(&self.feed, self.place, interest));
    }

    /// Hears nothing until it follows again.
    pub fn leave(&self) {
        if let Some(partition) = self.partition.upgrade() {
            partition.with_followers(|followers| followers.leave(&self.feed));
        }
    }

    /// The partition that it has followed last, gone or not.
    pub fn partition(&self) -> Option<Arc<Partition>> {
        self.partition.upgrade()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The sessions that follow one partition, behind the lock of its waiters. One that was told is forgotten as soon as no
/// fetch waits that counts what else comes: what partitions tell costs by those who hear it.
#[derive(Debug, Default)]
pub struct Followers {
    /// By their feeds.
    all: HashMap<u64, Follower>,
    closed: bool,
    /// Fetches that passed the partition by, of followers that are quiet no more.
    passed_by: u64,
}

#[derive(Debug)]
struct Follower {
    feed: Arc<Feed>,
    place: u32,
    interest: Interest,
    hearing: Hearing,
}

#[derive(Clone, Copy, Debug)]
enum Hearing {
    /// Nothing was told since so many answers of the session.
    Quiet { since: u64 },
    /// A change was told while this ticket was waiting, or [`NOBODY`]. As long as it waits, so many bytes count for it yet.
    Told { ticket: u64, bytes_left: i64 },
}

impl Followers {
    /// Number of sessions that hear of changes.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Fetches that passed the partition by.
    pub fn passed_by(&self) -> u64 {
        self.passed_by + self.all.values().map(Follower::passed_by).sum::<u64>()
    }

    /// A commit made so many bytes visible: to all, and to readers of committed records.
    pub fn committed(&mut self, visible: i64, stable: i64) {
        self.tell_all(|interest, bytes_left, ticket| {
            let credit = if interest.read_committed { stable } else { visible };
            let credit = credit.min(*bytes_left);
            if credit > 0 {
                *bytes_left -= credit;
                ticket.credit(credit);
            }
        });
    }

    /// Something was appended that is not committed. Answers whether somebody waits for it.
    pub fn appended(&mut self) -> bool {
        let mut is_awaited = false;
        self.tell_all(|_, _, _| is_awaited = true);
        is_awaited
    }

    /// Something else has changed, for which nobody waits.
    pub fn changed(&mut self) {
        self.tell_all(|_, _, _| {});
    }

    /// Tells those who do not know, and runs `then` for each fetch that waits. Those of whom none waits are forgotten.
    fn tell_all(&mut self, mut then: impl FnMut(&Interest, &mut i64, &FetchTicket)) {
        let passed_by = &mut self.passed_by;
        self.all.retain(|_, follower| {
            *passed_by += follower.tell();
            let Follower { feed, interest, hearing: Hearing::Told { ticket, bytes_left }, .. } = follower
            else {
                return true;
            };
            *ticket != NOBODY && feed.with_ticket(*ticket, |ticket| then(interest, bytes_left, ticket))
        });
    }

    /// Nobody waits for data any more.
    pub fn release(&mut self) {
        self.changed();
        self.all.values().for_each(|follower| follower.feed.wake());
    }

    /// The partition goes away: all are told, and none follows any more.
    pub fn close(&mut self) {
        self.closed = true;
        self.release();
        self.all = HashMap::new();
    }

    fn follow(&mut self, feed: &Arc<Feed>, place: u32, interest: Interest) {
        if self.closed {
            return;
        }
        let hearing = Hearing::Quiet { since: feed.answers() };
        let follower = Follower { feed: Arc::clone(feed), place, interest, hearing };
        if let Some(before) = self.all.insert(feed.id, follower) {
            self.passed_by += before.passed_by();
        }
    }

    fn leave(&mut self, feed: &Feed) {
        if let Some(follower) = self.all.remove(&feed.id) {
            self.passed_by += follower.passed_by();
        }
        if self.all.is_empty() {
            // Nor is there room kept for as many as there were.
            self.all = HashMap::new();
        }
    }
}

impl Follower {
    /// Ends the quiet. Answers how many fetches it has lasted.
    fn tell(&mut self) -> u64 {
        let Hearing::Quiet { .. } = self.hearing else { return 0 };
        let passed_by = self.passed_by();
        let bytes_left = i64::try_from(self.interest.bytes_max).unwrap_or(i64::MAX);
        self.hearing = Hearing::Told { ticket: self.feed.tell(self.place), bytes_left };
        passed_by
    }

    fn passed_by(&self) -> u64 {
        match self.hearing {
            Hearing::Quiet { since } => self.feed.answers().saturating_sub(since),
            Hearing::Told { .. } => 0,
        }
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
