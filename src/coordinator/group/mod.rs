//! Consumer groups: classic (KIP-62 and after), consumer (KIP-848) and their committed offsets.
//!
//! A [`Shard`] holds the groups of one partition of `__consumer_offsets`, as `GroupCoordinatorShard` does in Kafka.

mod admin;
mod classic;
mod consumer;
mod event;
mod offsets;
pub mod record;
mod settings;
mod shard;
mod step;
mod survey;
#[cfg(test)]
mod tests;
mod timers;
mod topics;

pub use admin::{DescribedGroup, DescribedMember, Figures, ListedGroup};
pub use consumer::{ConsumerGroupDescription, ConsumerMemberDescription, DescribedPartitions};
pub use event::*;
pub use offsets::{FetchTopic, FetchedPartition, FetchedTopic, OffsetFetchRequest};
pub use settings::{GroupOverrides, Settings};
pub use shard::Shard;
pub use step::{Stamp, Step, Ticket};
pub use survey::{CommittedOffset, Surveyed};
pub use topics::{TopicFacts, Topics};

use model::ErrorCode;

/// What a step may look at beside the shard's own state.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Monotonic milliseconds: deadlines are measured on it.
    pub now_ms: i64,
    /// Milliseconds since the Unix epoch: for timestamps that are stored or shown.
    pub wall_ms: i64,
    /// Milliseconds since the Unix epoch that ages are measured by (`model::Clock::aging_ms`). Only [`Shard::tick`] looks
    /// at it.
    pub aging_ms: i64,
    /// The cluster's topics at this moment.
    pub topics: &'a dyn Topics,
    /// The broker's `group.*` and `offsets.*` settings, and the overrides per group.
    pub settings: &'a Settings,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("now_ms", &self.now_ms)
            .field("wall_ms", &self.wall_ms)
            .finish_non_exhaustive()
    }
}

/// A refusal: the code, and the sentence that newer response versions carry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code:?}: {}", message.as_deref().unwrap_or(""))]
pub struct Refusal {
    /// What clients see.
    pub code: ErrorCode,
    /// Kafka's sentence, where it has one.
    pub message: Option<String>,
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self { code, message: None }
    }
}
