//! The coordinators as pure machines: groups, and transactions (which are not on the wire yet).
//!
//! `step` proposes: request or deadline → records and replies. `replay` alone changes what is durable, at run time and
//! when a partition of `__consumer_offsets` or `__transaction_state` is loaded. The shell appends the records, replays them, and lets the replies
//! go once everything appended so far is on disk. No clock, randomness, I/O or lock lives here.
//!
//! May use: `model`. Start reading at [`group::Shard`], then [`txn::Shard`].
#![forbid(unsafe_code)]

pub mod group;
#[cfg(test)]
mod test_support;
pub mod txn;
