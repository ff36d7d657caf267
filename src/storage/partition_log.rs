//! One partition's log: the type that everything else in this room is about.
//!
//! ```text
//! log start ≤ durable ≤ log end              (an advanced log start pulls the durable offset along)
//! sealed segments, oldest first, then the active one; each ends where the next begins
//! ```
//!
//! The log has no lock of its own: its owner serialises all calls. [`ReadPlan`](crate::ReadPlan) and
//! [`SyncTarget`](crate::SyncTarget) are owned values that do the slow I/O without the owner's lock.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{LeaderEpoch, Offset, ProducerId};

use crate::compaction::Swap;
use crate::config::LogConfig;
use crate::disk::Disk;
use crate::error::StorageError;
use crate::leader_epochs::LeaderEpochs;
use crate::names::{Home, LOG, OFFSET_INDEX, SNAPSHOT, TIME_INDEX, TXN_INDEX};
use crate::producer_state::snapshot::Snapshots;
use crate::producer_state::{ProducerState, ProducerSummary};
use crate::read_plan::ReadHint;
use crate::recovery::Recovery;
use crate::segment::Segment;
use crate::sync::SyncState;

/// See the [module](self).
#[derive(Debug)]
pub struct PartitionLog {
    pub(crate) home: Home,
    pub(crate) config: LogConfig,
    pub(crate) sealed: Vec<Segment>,
    pub(crate) active: Segment,
    pub(crate) log_start: Offset,
    pub(crate) producers: ProducerState,
    pub(crate) snapshots: Snapshots,
    pub(crate) epochs: LeaderEpochs,
    pub(crate) sync: SyncState,
    pub(crate) renamed: Vec<RenamedFile>,
    pub(crate) bounds: Bounds,
    /// A compacted segment whose files do not bear its names yet: it keeps them open.
    pub(crate) swap: Option<Arc<Swap>>,
}

/// Upper bounds of reads whose positions are known: all readers of a moment share them.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    /// The durable offset, which high watermarks follow.
    pub(crate) durable: Option<ReadHint>,
    /// The last one that had to be looked up.
    pub(crate) looked_up: Option<ReadHint>,
}

/// A file that waits for its removal.
#[derive(Debug)]
pub(crate) struct RenamedFile {
    pub(crate) path: PathBuf,
    pub(crate) due_ms: i64,
}

/// What is known about a log before it is opened, from the checkpoints of its directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Everything below was synced, says `recovery-point-offset-checkpoint`; 0 when it says nothing.
    pub recovery_point: Offset,
    /// First offset that may be read, says `log-start-offset-checkpoint`; 0 when it says nothing.
    pub log_start: Offset,
    /// Whether the last owner closed the log: then its tail is not scanned.
    pub clean: bool,
    /// Give up damaged or missing data below the recovery point, instead of refusing to open the log.
    pub repair: bool,
    /// The time that ages are measured by (`Clock::aging_ms`), in milliseconds: old producers are forgotten.
    pub aging_ms: i64,
}

impl Opening {
    /// A log that is new, or whose checkpoints are lost: all of it is scanned.
    pub fn unknown(aging_ms: i64) -> Self {
        Self { recovery_point: Offset::ZERO, log_start: Offset::ZERO, clean: false, repair: false, aging_ms }
    }
}

impl PartitionLog {
    /// Opens the log in `dir`, a directory that is there, and repairs what an unclean end has left. An empty directory
    /// becomes an empty log.
    ///
    /// Data that was known to be on disk and is not sound any more is [`StorageError::Damaged`] or
    /// [`StorageError::Missing`], and no record is touched, unless `opening.repair` is set.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        config: LogConfig,
        opening: Opening,
    ) -> Result<(Self, Recovery), StorageError> {
        let home = Home::new(disk, dir);
        crate::recovery::open(home, config, opening)
    }

    /// The log's directory.
    pub fn dir(&self) -> &Path {
        &self.home.dir
    }

    /// Its settings.
    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    /// Takes new settings; they apply from the next call on.
    pub fn set_config(&mut self, config: LogConfig) {
        self.config = config;
    }

    /// First offset that may be read.
    pub fn log_start_offset(&self) -> Offset {
        self.log_start
    }

    /// Offset of the next record.
    pub fn log_end_offset(&self) -> Offset {
        self.log_end()
    }

    pub(crate) fn log_end(&self) -> Offset {
        self.active.end()
    }

    /// Offset below which every transaction is decided for a reader that sees records below `high_watermark`.
    pub fn last_stable_offset(&mut self, high_watermark: Offset) -> Offset {
        let unstable = self.producers.first_unstable(high_watermark);
        unstable.map_or(high_watermark, |first| first.max(self.log_start).min(high_watermark))
    }

    /// Which epoch wrote from where on.
    pub fn leader_epochs(&self) -> &LeaderEpochs {
        &self.epochs
    }

    /// Where an epoch ends (`OffsetForLeaderEpoch`); see [`LeaderEpochs::end_offset_for`].
    pub fn end_offset_for(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        self.epochs.end_offset_for(epoch, self.log_end())
    }

    /// Bytes of all segment files.
    pub fn size_bytes(&self) -> u64 {
        self.sealed.iter().map(Segment::size).sum::<u64>() + self.active.size()
    }

    /// Number of segments, the active one included.
    pub fn segment_count(&self) -> usize {
        self.sealed.len() + 1
    }

    /// Base offset of the segment that is written to.
    pub fn active_segment_base(&self) -> Offset {
        self.active.base()
    }

    /// The producers that the log remembers now, as `DescribeProducers` shows them: asking forgets nobody.
    pub fn remembered_producers(&self) -> Vec<ProducerSummary> {
        self.producers.summaries().collect()
    }

    /// How many that are.
    pub fn producer_count(&self) -> usize {
        self.producers.producers().len()
    }

    /// The producers that the log remembers, after forgetting those that have been idle for too long.
    pub fn active_producers(&mut self, aging_ms: i64) -> Vec<ProducerSummary> {
        self.expire_producers(aging_ms);
        self.producers.summaries().collect()
    }

    /// One producer, if the log remembers it.
    pub fn producer(&self, producer_id: ProducerId) -> Option<ProducerSummary> {
        self.producers.summary(producer_id)
    }

    /// Forgets the producers that have been idle for `producer.id.expiration.ms`.
    pub fn expire_producers(&mut self, aging_ms: i64) {
        self.producers.expire(aging_ms, self.config.producer_id_expiration_ms);
    }

    /// Closes files that nothing has used since the last call and that have nothing left to sync; they are opened
    /// again when needed. Answers how many segments keep files open.
    pub fn close_idle_files(&mut self) -> usize {
        if self.swap.is_some() {
            return self.segment_count();
        }
        let (home, settled) = (&self.home, self.sync.settled());
        let segments = self.sealed.iter_mut().chain([&mut self.active]);
        segments
            .filter_map(|segment| (segment.end() > settled || segment.close_if_idle(home)).then_some(()))
            .count()
    }

    /// As [`Self::close_idle_files`], also for files that were just used.
    pub fn release_files(&mut self) -> usize {
        self.close_idle_files();
        self.close_idle_files()
    }

    /// Ends the log's life: everything is on disk when this returns, and a start that is told so need not scan
    /// anything.
    pub fn close(mut self) -> Result<(), StorageError> {
        self.check_usable()?;
        self.finish().map_err(|error| self.note_failure(error))
    }

    fn finish(&mut self) -> Result<(), StorageError> {
        self.settle_swap()?;
        self.take_snapshot()?;
        self.active.seal(&self.home)?;
        if self.sealed.is_empty() && self.active.size() == 0 && self.active.base() == Offset::ZERO {
            // It has never held a record. Should a crash take its files away, it takes nothing with them.
            return Ok(());
        }
        for path in self.active.index_paths(&self.home) {
            self.sync.touch(crate::sync::SideFile::Written(path), None);
        }
        let target = self.sync_target()?;
        target.sync()?;
        self.mark_durable(target.end());
        if self.recovery_point() < self.log_end() {
            // A side file found no space: without it the log is whole, but not cleanly closed.
            return Err(StorageError::Full { operation: "complete", path: self.home.dir.to_path_buf() });
        }
        Ok(())
    }

    /// Writes the producer state at the log's end, if the log has ever held anything.
    pub(crate) fn take_snapshot(&mut self) -> Result<(), StorageError> {
        let is_new = self.sealed.is_empty() && self.active.size() == 0;
        if !is_new && self.snapshots.take(&self.home, &self.producers)? {
            let path = self.home.path(self.producers.end(), SNAPSHOT);
            self.sync.touch(crate::sync::SideFile::Written(path), None);
            self.sync.touch_dir();
        }
        Ok(())
    }

    /// The segment that holds `offset`, or would, with what its methods need.
    pub(crate) fn segment_and_home(&mut self, offset: Offset) -> (&mut Segment, &Home, &LogConfig) {
        let above = self.sealed.partition_point(|segment| segment.end() <= offset);
        let segment = self.sealed.get_mut(above).unwrap_or(&mut self.active);
        (segment, &self.home, &self.config)
    }

    /// Removes whatever files a segment with this base offset has.
    pub(crate) fn remove_segment_files(&self, base: Offset) -> Result<(), StorageError> {
        for suffix in [LOG, OFFSET_INDEX, TIME_INDEX, TXN_INDEX] {
            self.home.remove(&self.home.path(base, suffix))?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "partition_log_tests.rs"]
mod tests;
