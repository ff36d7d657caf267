//! The checkpoint files of a log directory, written from what its partitions say.
//!
//! What a checkpoint says of a partition that is not online is kept: a log that could not be opened must not lose
//! its recovery point, or the next start would take damaged data for a torn tail.

use std::sync::Arc;

use model::Offset;
use storage::StorageError;
use storage::checkpoints::PartitionOffsets;

use super::handle::Partition;
use super::host_dir::HostDir;
use super::registry::Registry;

impl HostDir {
    pub(super) fn checkpoint_recovery_points(&self, registry: &Registry) -> Result<(), StorageError> {
        let _steady = self.steady();
        let now = self.offsets_of(registry, |partition| partition.with_log(|log| log.recovery_point()).ok());
        self.with(|log_dir| log_dir.write_recovery_points(merged(log_dir.recovery_points(), now)))
    }

    pub(super) fn checkpoint_high_watermarks(&self, registry: &Registry) -> Result<(), StorageError> {
        let _steady = self.steady();
        let now = self.offsets_of(registry, |partition| Some(partition.offsets().high_watermark));
        self.with(|log_dir| log_dir.write_high_watermarks(merged(log_dir.high_watermarks(), now)))
    }

    pub(super) fn checkpoint_log_starts(&self, registry: &Registry) -> Result<(), StorageError> {
        let _steady = self.steady();
        let mut settled = Ok(());
        let now = self.offsets_of(registry, |partition| {
            // A log that begins at 0 needs no line.
            let log_start = Some(partition.offsets().log_start).filter(|start| *start > Offset::ZERO)?;
            if let Err(error) = partition.settle_up_to(log_start) {
                settled = Err(error);
                return None;
            }
            Some(log_start)
        });
        settled?;
        self.with(|log_dir| log_dir.write_log_starts(merged(log_dir.log_starts(), now)))
    }

    /// Writes all checkpoints of logs that were closed at `ends`, and the mark that says so.
    pub(super) fn checkpoint_closed(
        &self,
        closed: &[ClosedLog],
        broker_epoch: i64,
    ) -> Result<(), StorageError> {
        let _steady = self.steady();
        // Of a log that could not be closed it is not known what is on disk: what was said of it before still holds.
        let offsets = |pick: fn(&ClosedLog) -> Offset| -> PartitionOffsets {
            closed.iter().filter(|log| log.clean).map(|log| (log.partition.clone(), pick(log))).collect()
        };
        let starts = offsets(|log| log.log_start).into_iter().filter(|(_, start)| *start > Offset::ZERO);
        self.with(|log_dir| {
            let ends = offsets(|log| log.log_end);
            log_dir.write_recovery_points(merged(log_dir.recovery_points(), ends.clone()))?;
            log_dir.write_high_watermarks(merged(log_dir.high_watermarks(), ends))?;
            log_dir.write_log_starts(merged(log_dir.log_starts(), starts.collect()))?;
            log_dir.write_missing_checkpoints()?;
            if closed.iter().all(|log| log.clean) && !self.has_offline() {
                self.remove_journal()?;
                log_dir.write_clean_marker(broker_epoch)?;
            }
            Ok(())
        })
    }

    fn offsets_of(
        &self,
        registry: &Registry,
        mut offset: impl FnMut(&Partition) -> Option<Offset>,
    ) -> PartitionOffsets {
        let all = registry.all();
        let here = all.iter().filter(|partition| std::ptr::eq(Arc::as_ptr(partition.dir()), self));
        here.filter_map(|partition| Some((key_of(partition), offset(partition)?))).collect()
    }
}

/// A log that has ended its life.
#[derive(Clone, Debug)]
pub(super) struct ClosedLog {
    pub partition: (String, i32),
    pub log_start: Offset,
    pub log_end: Offset,
    /// Whether everything was written.
    pub clean: bool,
}

pub(super) fn key_of(partition: &Partition) -> (String, i32) {
    (partition.topic().name.to_string(), partition.index())
}

fn merged(mut known: PartitionOffsets, now: PartitionOffsets) -> PartitionOffsets {
    known.extend(now);
    known
}
