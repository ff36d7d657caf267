//! Requests that wait for a partition's high watermark: producers with `acks=all`, and fetches that found too
//! few bytes. They are woken by the commit that satisfies them; nothing polls.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};

use model::Offset;
use tokio::sync::Notify;

use super::feed::Followers;

/// One produce request's wait for all its partitions.
#[derive(Debug)]
pub struct CommitTicket {
    /// Commits still to come, and one for the request itself while it still adds partitions.
    missing: AtomicUsize,
    done: Notify,
}

impl CommitTicket {
    /// A ticket that waits for nothing yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { missing: AtomicUsize::new(1), done: Notify::new() })
    }

    /// Waits until every commit the ticket was registered for has come. To be called once, after the last
    /// registration. Cancel-safe: the registrations end with their commits.
    pub async fn all(&self) {
        if !self.arrive() {
            self.done.notified().await;
        }
    }

    fn expect(&self) {
        self.missing.fetch_add(1, Ordering::SeqCst);
    }

    fn arrive(&self) -> bool {
        let last = self.missing.fetch_sub(1, Ordering::SeqCst) == 1;
        if last {
            self.done.notify_one();
        }
        last
    }
}

/// One parked fetch. Each commit takes the bytes it makes visible from what the fetch still misses.
#[derive(Debug)]
pub struct FetchTicket {
    id: u64,
    bytes_missing: AtomicI64,
    fired: AtomicBool,
    wake: Notify,
}

impl FetchTicket {
    /// A ticket that wakes its fetch once `bytes_missing` bytes became visible.
    pub fn new(bytes_missing: usize) -> Arc<Self> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            bytes_missing: AtomicI64::new(i64::try_from(bytes_missing).unwrap_or(i64::MAX)),
            fired: AtomicBool::new(false),
            wake: Notify::new(),
        })
    }

    /// Waits until enough bytes are visible, or a partition went away. Cancel-safe.
    pub async fn fired(&self) {
        while !self.has_fired() {
            self.wake.notified().await;
        }
    }

    /// Whether the wait is over.
    pub fn has_fired(&self) -> bool {
        self.fired.load(Ordering::SeqCst)
    }

    /// Ends the wait whatever is missing.
    pub fn fire(&self) {
        if !self.fired.swap(true, Ordering::SeqCst) {
            self.wake.notify_one();
        }
    }

    /// No other ticket has it; never 0.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn credit(&self, bytes: i64) {
        if self.bytes_missing.fetch_sub(bytes, Ordering::SeqCst) <= bytes {
            self.fire();
        }
    }
}

/// What a parked fetch wants of one partition.
#[derive(Clone, Copy, Debug)]
pub struct Interest {
    /// Most bytes of this partition that count: its part of the answer is no larger.
    pub bytes_max: usize,
    /// Whether only records below the last stable offset count.
    pub read_committed: bool,
}

/// A commit, as the waiters of the partition see it.
#[derive(Clone, Copy, Debug)]
pub struct Commit {
    /// The high watermark now.
    pub high_watermark: Offset,
    /// The last stable offset now.
    pub last_stable: Offset,
    /// Bytes below the high watermark, counted from when the partition was opened.
    pub visible_bytes: u64,
}

/// The waiters of one partition. Its owner keeps it behind a leaf lock and publishes offsets before it calls
/// [`Waiters::committed`], so that whoever registers sees either the new offsets or the call.
#[derive(Debug)]
pub struct Waiters {
    commits: Vec<(Offset, Arc<CommitTicket>)>,
    fetches: HashMap<u64, ParkedFetch>,
    followers: Followers,
    visible_bytes: u64,
    stable_bytes: u64,
    last_stable: Offset,
    /// -1 before the first commit.
    high_watermark: Offset,
    /// Nobody waits for data any more.
    released: bool,
    closed: bool,
}

#[derive(Debug)]
struct ParkedFetch {
    ticket: Arc<FetchTicket>,
    bytes_left: i64,
    read_committed: bool,
}

impl Waiters {
    /// Nobody waits.
    pub fn new(last_stable: Offset) -> Self {
        Self {
            commits: Vec::new(),
            fetches: HashMap::new(),
            followers: Followers::default(),
            visible_bytes: 0,
            stable_bytes: 0,
            last_stable,
            high_watermark: Offset::new(-1),
            released: false,
            closed: false,
        }
    }

    /// Registers `ticket` for the commit of everything below `end`.
    pub fn await_commit(&mut self, end: Offset, ticket: &Arc<CommitTicket>) {
        if !self.closed {
            ticket.expect();
            self.commits.push((end, Arc::clone(ticket)));
        }
    }

    /// Parks a fetch until [`Waiters::unpark`].
    pub fn park(&mut self, ticket: &Arc<FetchTicket>, interest: Interest) {
        if self.closed || self.released {
            ticket.fire();
            return;
        }
        let parked = ParkedFetch {
            ticket: Arc::clone(ticket),
            bytes_left: i64::try_from(interest.bytes_max).unwrap_or(i64::MAX),
            read_committed: interest.read_committed,
        };
        self.fetches.insert(ticket.id, parked);
    }

    /// Forgets a parked fetch. Answers whether it was parked here.
    pub fn unpark(&mut self, ticket: &FetchTicket) -> bool {
        self.fetches.remove(&ticket.id).is_some()
    }

    /// Wakes whom a commit satisfies.
    pub fn committed(&mut self, commit: Commit) {
        let visible = credit_of(commit.visible_bytes, &mut self.visible_bytes);
        let stable = if commit.last_stable == commit.high_watermark {
            credit_of(commit.visible_bytes, &mut self.stable_bytes)
        } else if commit.last_stable > self.last_stable {
            // A transaction ended while another is open: how many bytes that shows is not worth knowing, the
            // fetch looks for itself.
            i64::MAX
        } else {
            0
        };
        let is_news = (commit.high_watermark, commit.last_stable) != (self.high_watermark, self.last_stable);
        (self.high_watermark, self.last_stable) = (commit.high_watermark, commit.last_stable);
        if is_news || visible > 0 {
            self.followers.committed(visible, stable);
        }
        // After those who follow: a producer that was answered finds its records in a session's next fetch.
        self.commits.retain(|(end, ticket)| {
            let waits = *end > commit.high_watermark;
            if !waits {
                ticket.arrive();
            }
            waits
        });
        for parked in self.fetches.values_mut() {
            let credit = if parked.read_committed { stable } else { visible };
            let credit = credit.min(parked.bytes_left);
            if credit > 0 {
                parked.bytes_left -= credit;
                parked.ticket.credit(credit);
            }
        }
    }

    /// Ends the waits for data, now and later: the node stops.
    pub fn release(&mut self) {
        self.released = true;
        for (_, parked) in self.fetches.drain() {
            parked.ticket.fire();
        }
        self.followers.release();
    }

    /// Ends all waits, now and later: the partition goes away.
    pub fn close(&mut self) {
        self.closed = true;
        for (_, ticket) in self.commits.drain(..) {
            ticket.arrive();
        }
        self.release();
        self.followers.close();
    }

    /// The fetch sessions that are told of changes.
    pub fn followers(&mut self) -> &mut Followers {
        &mut self.followers
    }
}

fn credit_of(now: u64, before: &mut u64) -> i64 {
    let credit = now.saturating_sub(*before);
    *before = now.max(*before);
    i64::try_from(credit).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "waiters_tests.rs"]
mod tests;
