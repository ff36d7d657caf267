//! One partition's log on one disk, in Apache Kafka's own on-disk format, and the directory that holds the logs of
//! a node: segments, indexes, producer snapshots, leader epochs, checkpoints, recovery, retention.
//!
//! Everything here is synchronous and reaches files only through the [`Disk`] seam. Nothing here knows sockets,
//! requests, replicas or the high watermark's policy: the caller says up to which offset a read may go, and when
//! to sync.
//!
//! Two times come with a call: `wall_ms` dates what is written now, `aging_ms` (`Clock::aging_ms`) is what ages are measured by.
//!
//! May use: `model`, `records`, `bytes`, `crc32c`, `libc`, `rustix`, `tracing`, `uuid`. Unsafe code stands in `sys`
//! alone.
//! Start reading at [`partition_log`]; a write goes on in `append` and `segment`, a read in [`read_plan`], a start in
//! [`recovery`], compaction in `compaction`. `FORMAT.md` describes every file.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod append;
pub mod checkpoints;
mod compaction;
pub mod config;
pub mod disk;
pub mod disk_mem;
pub mod error;
mod index;
pub mod inspect;
pub mod journal;
pub mod leader_epochs;
pub mod log_dir;
mod log_read;
pub mod meta_properties;
pub mod metadata_files;
pub mod names;
pub mod partition_log;
pub mod producer_state;
mod read_end;
pub mod read_plan;
pub mod recovery;
mod retention;
mod segment;
mod sync;
mod sys;
mod tail;
mod transactions;
mod truncation;

#[cfg(test)]
mod kafka_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod test_support;

pub use append::{Appended, Origin};
pub use compaction::{
    Cleaned, Compacting, Compaction, CompactionError, CompactionRequest, CompactionStatistics, Dirtiness,
    OffsetMap, Pace, Swap,
};
pub use config::{Cleanup, LogConfig};
pub use disk::{Access, Disk, DiskFile, SystemDisk};
pub use error::{AppendError, ReadError, StorageError};
pub use index::txn::AbortedTxn;
pub use journal::{Journal, Journaled};
pub use leader_epochs::{EpochEntry, LeaderEpochs};
pub use log_dir::{LogDir, PartitionDir};
pub use log_read::{AbortedLookup, OffsetLookup, ReadStep, TimeLookup, TimeStep};
pub use meta_properties::MetaProperties;
pub use partition_log::{Opening, PartitionLog};
pub use producer_state::ProducerSummary;
pub use producer_state::verification::{VerificationGuard, VerificationStart};
pub use read_end::EndLookup;
pub use read_plan::{BatchRead, Batches, ReadHint, ReadPlan, ReadRange, ReadRequest};
pub use recovery::{Recovery, Truncated};
pub use retention::{DeletedFiles, DeletedSegment, DeletionReason};
pub use segment::FoundOffset;
pub use sync::{CommitStep, JournalTarget, SyncTarget};
pub use transactions::TxnMarker;
