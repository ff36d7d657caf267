//! The partitions of this node: their logs, who may read how far, who waits for what, and how appends become
//! durable.
//!
//! Start reading at [`handle`] (one partition), then [`committer`] (durability) and [`waiters`] (who is woken);
//! [`registry`] finds partitions, [`hosting`] makes and deletes them, [`engine`] is their life as a whole.

mod checkpoints;
mod cleaner;
pub mod committer;
pub mod engine;
pub mod feed;
pub mod figures;
mod frugal_disk;
pub mod handle;
mod health;
mod held_calls;
pub mod host_dir;
pub mod hosting;
pub mod housekeeping;
pub mod io_threads;
mod journaling;
mod late_openings;
mod late_transactions;
mod losing;
pub mod marks;
mod opening;
pub mod queries;
pub mod registry;
mod reserve;
pub mod settings;
#[cfg(test)]
pub(crate) mod test_support;
mod transactions;
pub mod waiters;
mod watched_disk;

pub use engine::{OpenError, PartitionEngine};
pub use feed::{Feed, Watch};
pub use handle::{Acks, Partition, PartitionError, Placed, Topic};
pub use held_calls::HeldCalls;
pub use host_dir::HostDir;
pub use hosting::NewPartition;
pub use io_threads::IoThreads;
pub use late_openings::Stage;
pub use marks::Offsets;
pub use queries::{DeleteRecordsError, OffsetInfo};
pub use registry::{HostedTopic, Registry, Snapshot, unknown};
pub(crate) use reserve::FILE as RESERVE_FILE;
pub use settings::TopicSettings;
pub use waiters::{CommitTicket, FetchTicket, Interest};
