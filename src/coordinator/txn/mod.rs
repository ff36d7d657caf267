//! Transactions (KIP-98, 360, 588, 664, 890, 1050): who owns a transactional id, what its transaction touches, and how it
//! ends.
//!
//! A [`Shard`] holds the transactional ids of one partition of `__transaction_state`, as `TransactionStateManager` and
//! `TransactionCoordinator` do in Kafka. The contract with the shell is that of [`crate::group`]: `step` proposes, `replay`
//! alone changes; replies and markers leave once the shard's log is durable up to them.

mod behind;
mod event;
mod filter;
mod lost;
pub mod record;
mod shard;
mod step;
#[cfg(test)]
mod tests;
mod transaction;

pub use event::*;
pub use filter::Filter;
pub use lost::OpenTransactions;
pub use shard::Shard;
pub use step::{Marker, Step};

pub use crate::group::Ticket;

/// What a step may look at beside the shard's own state.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Monotonic milliseconds: deadlines are measured on it.
    pub now_ms: i64,
    /// Milliseconds since the Unix epoch: for timestamps that are stored or shown.
    pub wall_ms: i64,
    /// Milliseconds since the Unix epoch that ages are measured by (`model::Clock::aging_ms`). Only [`Shard::tick`] looks
    /// at it.
    pub aging_ms: i64,
    /// A producer id that nobody has; [`Step::producer_id_taken`] says that the step has used it.
    pub fresh_producer_id: i64,
    /// The level of `transaction.version` that the cluster has finalized: 0, 1 or 2.
    pub transaction_version: i16,
    /// The broker's settings.
    pub settings: &'a Settings,
}

/// The broker's `transaction.*` settings; times in milliseconds. The defaults are Kafka's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `transaction.max.timeout.ms`
    pub timeout_max_ms: i32,
    /// `transactional.id.expiration.ms`
    pub expiration_ms: i32,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`
    pub expiration_check_ms: i32,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`: Kafka looks this often; here a timeout is a deadline,
    /// and this is how long a failed abort waits.
    pub abort_check_ms: i32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout_max_ms: 900_000,
            expiration_ms: 604_800_000,
            expiration_check_ms: 3_600_000,
            abort_check_ms: 10_000,
        }
    }
}
