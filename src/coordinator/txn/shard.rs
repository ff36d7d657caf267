//! The transactional ids of one partition of `__transaction_state`.

use super::record::{Partitions, Record};
use super::{Context, Described, Marker, Request, Step, Ticket};

/// A machine; see [`crate`] for its contract with the shell.
#[derive(Debug, Default)]
pub struct Shard {}

impl Shard {
    /// Answers a request, or parks it until another step answers its ticket.
    pub fn step(&mut self, _context: &Context, _ticket: Ticket, _request: Request) -> Step {
        Step::default()
    }

    /// Aborts what has timed out, and forgets ids that have expired.
    pub fn tick(&mut self, _context: &Context) -> Step {
        Step::default()
    }

    /// When [`Shard::tick`] has something to do, on the monotonic clock; never polled.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        None
    }

    /// Takes in a record that is in the log: just appended, or read when the partition is loaded.
    pub fn replay(&mut self, _record: Record) {}

    /// The partition is loaded: what was prepared is carried to its end, and timeouts run from the transactions' starts.
    pub fn loaded(&mut self, _context: &Context) -> Step {
        Step::default()
    }

    /// The markers of a transaction are in these partitions' logs, or the partitions are gone.
    pub fn markers_written(
        &mut self,
        _context: &Context,
        _marker: &Marker,
        _partitions: &Partitions,
    ) -> Step {
        Step::default()
    }

    /// The records of a step could not be written.
    pub fn write_failed(&mut self, _context: &Context, _step: &Step) -> Step {
        Step::default()
    }

    /// All transactional ids (ListTransactions).
    pub fn list(&self) -> Vec<Described> {
        Vec::new()
    }

    /// One of them (DescribeTransactions).
    pub fn describe(&self, _transactional_id: &str) -> Option<Described> {
        None
    }
}
