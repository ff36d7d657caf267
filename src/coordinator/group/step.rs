//! What a step gives the shell.

use super::Reply;
use super::record::Record;

/// Names a request that waits for its reply; the shell hands it out and never uses one twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Whose transaction the records of a step belong to (TxnOffsetCommit).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The transaction's producer id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
}

/// Proposed by [`super::Shard::step`].
///
/// The shell appends `records` as one batch. When that worked it replays each of them and lets `replies` go once the
/// shard's log is durable up to here; when it failed it calls [`super::Shard::write_failed`] and answers the tickets of
/// `replies` with [`Reply::failed`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// To be appended, in this order, all or none.
    pub records: Vec<Record>,
    /// The transaction that `records` are part of.
    pub stamp: Option<Stamp>,
    /// To be sent after the commit. A step may answer requests that came long before (a parked join), and need not
    /// answer the one that caused it.
    pub replies: Vec<(Ticket, Reply)>,
}

impl Step {
    /// Nothing to write, one answer.
    pub fn reply(ticket: Ticket, reply: Reply) -> Self {
        Self { replies: vec![(ticket, reply)], ..Self::default() }
    }

    /// Adds what another step proposed, after this one's.
    pub fn extend(&mut self, other: Step) {
        debug_assert!(other.stamp.is_none() || self.records.is_empty(), "a stamped step stands alone");
        if self.records.is_empty() && self.replies.is_empty() {
            *self = Self { stamp: self.stamp.or(other.stamp), ..other };
            return;
        }
        self.records.extend(other.records);
        self.stamp = self.stamp.or(other.stamp);
        self.replies.extend(other.replies);
    }
}
