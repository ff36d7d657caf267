//! The group coordinator as a pure machine.
//!
//! `step` proposes: request or deadline → records and replies. `replay` alone changes what is durable, at run time and
//! when a partition of `__consumer_offsets` is loaded. The shell appends the records, replays them, and lets the replies
//! go once everything appended so far is on disk. No clock, randomness, I/O or lock lives here.
//!
//! May use: `model`. Start reading at [`group::Shard`].
#![forbid(unsafe_code)]

pub mod group;
pub mod txn;
