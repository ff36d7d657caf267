//! The deadlines of a shard, in one queue.
//!
//! The queue is lazy: whoever has a deadline keeps it in an [`Alarm`], and moving it there is one store. The queue
//! holds an entry at or before that moment; when the entry comes up and the deadline has moved on, it is queued again.

use std::collections::BTreeMap;
use std::sync::Arc;

/// What is due, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerKey {
    /// The join phase of a classic group ends.
    ClassicJoin(Arc<str>),
    /// The members of a classic group that sent no SyncGroup are removed.
    ClassicSync(Arc<str>),
    /// A member of a classic group was silent for its session timeout, or a pending member never came back.
    ClassicSession(Arc<str>, Arc<str>),
    /// A member of a consumer group was silent for its session timeout.
    ConsumerSession(Arc<str>, Arc<str>),
    /// A member of a consumer group did not give its partitions back within its rebalance timeout.
    ConsumerRebalance(Arc<str>, Arc<str>),
    /// A classic-protocol member of a consumer group did not rejoin.
    ConsumerJoin(Arc<str>, Arc<str>),
    /// A classic-protocol member of a consumer group did not send its SyncGroup.
    ConsumerSync(Arc<str>, Arc<str>),
    /// A consumer group looks at its regular expressions and topics again.
    ConsumerRefresh(Arc<str>),
    /// Committed offsets are looked through for expired ones (KIP-211).
    OffsetExpiry,
}

/// The queue.
#[derive(Debug, Default)]
pub struct Timers {
    queue: BTreeMap<Entry, TimerKey>,
    entries_made: u64,
}

/// When an entry comes up, and which one it is.
pub type Entry = (i64, u64);

impl Timers {
    /// Takes the first entry that is due.
    pub fn pop(&mut self, now_ms: i64) -> Option<(Entry, TimerKey)> {
        if self.next_ms()? > now_ms {
            return None;
        }
        self.queue.pop_first()
    }

    /// When the first entry comes up.
    pub fn next_ms(&self) -> Option<i64> {
        self.queue.keys().next().map(|(at_ms, _)| *at_ms)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    fn push(&mut self, at_ms: i64, key: TimerKey) -> Entry {
        self.entries_made += 1;
        let entry = (at_ms, self.entries_made);
        self.queue.insert(entry, key);
        entry
    }
}

/// One deadline, kept by its owner.
///
/// The entry in the queue, where there is one, comes up at or before the deadline. An owner that goes away cancels its
/// alarm; an entry whose owner is gone means nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alarm {
    deadline_ms: Option<i64>,
    queued: Option<Entry>,
}

impl Alarm {
    /// Moves the deadline; `key` is only asked for when the queue must know.
    pub fn set(&mut self, timers: &mut Timers, deadline_ms: i64, key: impl FnOnce() -> TimerKey) {
        self.deadline_ms = Some(deadline_ms);
        match self.queued {
            Some((at_ms, _)) if at_ms <= deadline_ms => {}
            late => {
                if let Some(entry) = late {
                    timers.queue.remove(&entry);
                }
                self.queued = Some(timers.push(deadline_ms, key()));
            }
        }
    }

    /// Forgets the deadline.
    pub fn cancel(&mut self, timers: &mut Timers) {
        self.deadline_ms = None;
        if let Some(entry) = self.queued.take() {
            timers.queue.remove(&entry);
        }
    }

    /// The deadline, where there is one.
    pub fn deadline_ms(&self) -> Option<i64> {
        self.deadline_ms
    }

    /// An entry of the queue came up: says whether the deadline has passed, and queues the entry again when it has only
    /// moved.
    pub fn rings(&mut self, timers: &mut Timers, now_ms: i64, entry: Entry, key: &TimerKey) -> bool {
        if self.queued != Some(entry) {
            return false;
        }
        self.queued = None;
        match self.deadline_ms {
            Some(deadline_ms) if deadline_ms <= now_ms => {
                self.deadline_ms = None;
                true
            }
            Some(deadline_ms) => {
                self.queued = Some(timers.push(deadline_ms, key.clone()));
                false
            }
            None => false,
        }
    }
}
