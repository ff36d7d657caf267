//! Compaction: of each key the newest record stays (`LogCleaner`, `Cleaner`, KIP-534).
//!
//! ```text
//! plan    under the log's lock     what is dirty, which segments form a group
//! run     without it               map the newest offset of each key, write each group anew as `.cleaned`
//! swap    under it for a moment    the new segment takes the places of the old ones, in memory
//!         without it               their files get their names
//! ```
//!
//! Readers go on all the while: in the old files, which they hold open, or in the new one. Nothing of the log changes
//! before a group is complete and on disk, and [`swap`] says why a crash at any point leaves the old segments or the
//! new one.
//!
//! Surviving records keep their offsets, timestamps, headers and order. Batches of which everything survives are
//! copied byte for byte.

mod filter;
mod offset_map;
pub(crate) mod plan;
mod reader;
mod run;
pub(crate) mod swap;
mod transactions;
mod writer;

use model::Offset;

use crate::error::StorageError;

pub use filter::FilterError;
pub use offset_map::OffsetMap;
pub use plan::Dirtiness;
pub use run::{Cleaned, Compacting, Compaction, CompactionStatistics, Pace};
pub use swap::Swap;
pub(crate) use writer::WrittenSegment;

/// What a compaction is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactionRequest {
    /// How far compaction has come, says `cleaner-offset-checkpoint`; `None` when it says nothing.
    pub checkpoint: Option<Offset>,
    /// Offset below which every transaction is decided and every record committed.
    pub last_stable: Offset,
    /// The time that ages are measured by (`Clock::aging_ms`), in milliseconds.
    pub aging_ms: i64,
}

/// Why a compaction ended before its end. The log is as it was before, apart from groups that are done.
#[derive(Debug, thiserror::Error)]
pub enum CompactionError {
    /// The disk. A full one is no fault of the log's; once a swap has begun, any other failure is final for it.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The caller wanted no more of it, or the log was cut or deleted from meanwhile.
    #[error("the compaction was abandoned")]
    Abandoned,
    /// A batch that cannot be compacted.
    #[error("the batch at offset {offset} cannot be compacted: {source}")]
    Batch {
        /// Its base offset.
        offset: Offset,
        /// What is wrong with it.
        source: FilterError,
    },
    /// What is left of a group does not fit into a segment.
    #[error("what is left of the segments from {base} on does not fit into one")]
    TooLarge {
        /// First offset of the group.
        base: Offset,
    },
}

#[cfg(test)]
mod compaction_tests;
