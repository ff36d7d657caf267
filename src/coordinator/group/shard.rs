//! The groups of one partition of `__consumer_offsets`.

use super::record::Record;
use super::{Context, Request, Stamp, Step, Ticket};

/// A machine; see [`crate`] for its contract with the shell.
#[derive(Debug, Default)]
pub struct Shard {}

impl Shard {
    /// Answers a request, or parks it until another step answers its ticket.
    pub fn step(&mut self, _context: &Context, _ticket: Ticket, _request: Request) -> Step {
        Step::default()
    }

    /// Does what is due: sessions, rebalances, initial delays, offset expiry, regular expressions, changed topics.
    pub fn tick(&mut self, _context: &Context) -> Step {
        Step::default()
    }

    /// When [`Shard::tick`] has something to do, on the monotonic clock; no earlier, and never polled.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        None
    }

    /// Takes in a record that is in the log: just appended, or read when the partition is loaded. `stamp` is the
    /// transaction it belongs to.
    pub fn replay(&mut self, _record: Record, _stamp: Option<Stamp>) {}

    /// Takes in the end of a transaction: its offsets become visible, or never were (KIP-98).
    pub fn replay_marker(&mut self, _stamp: Stamp, _commit: bool) {}

    /// The partition is loaded: every member gets a full session from now.
    pub fn loaded(&mut self, _context: &Context) -> Step {
        Step::default()
    }

    /// The records of a step could not be written: what waited for them is undone. The shell has told the step's own
    /// tickets.
    pub fn write_failed(&mut self, _context: &Context, _step: &Step) -> Step {
        Step::default()
    }
}
