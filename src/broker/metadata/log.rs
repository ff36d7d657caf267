//! The log `__cluster_metadata-0` and its snapshots: what is committed is on disk before anybody hears of it.
//!
//! ```text
//! newest snapshot ≤ log end;   log start ≤ oldest snapshot that is kept
//! ```

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use config::resolved::Metadata as LogSettings;
use controller::MetadataRecord;
use controller::control_record::ControlRecord;
use model::{Clock, LeaderEpoch, Offset};
use records::builder::BuildError;
use storage::metadata_files::{MetadataFiles, SnapshotId};
use storage::{
    AppendError, Appended, Cleanup, Disk, LogConfig, Opening, Origin, PartitionLog, ReadError, ReadRequest,
    StorageError,
};

use super::batch::{self, BadBatch, Entry};
use super::headroom::Headroom;
use super::snapshot::{QuorumRecords, Snapshot};

/// A failure of the metadata log. None is survivable: what is not on disk must not be acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The log does not take a batch.
    #[error("the metadata log refuses a batch: {0}")]
    Append(#[from] AppendError),
    /// The log cannot be read back.
    #[error("the metadata log cannot be read: {0}")]
    Read(#[from] ReadError),
    /// Records that do not fit a batch.
    #[error("metadata records do not make a batch: {0}")]
    Build(#[from] BuildError),
    /// Bytes that this version cannot read.
    #[error("the metadata log or snapshot in {dir}: {source}")]
    Bad {
        /// The directory.
        dir: String,
        /// What is wrong.
        source: BadBatch,
    },
    /// The log begins behind what the snapshots hold.
    #[error(
        "the metadata log in {dir} begins at offset {log_start}, but its newest snapshot ends at {snapshot}"
    )]
    Gap {
        /// The directory.
        dir: String,
        /// Where the log begins.
        log_start: Offset,
        /// Where the snapshot ends.
        snapshot: Offset,
    },
}

impl LogError {
    /// Whether it passes, as a full disk does. Nothing was changed then, and the same call may succeed later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Storage(error) | Self::Append(AppendError::Storage(error)) => error.is_passing(),
            _ => false,
        }
    }
}

/// The open log, written by the leader of one epoch.
#[derive(Debug)]
pub(super) struct MetadataLog {
    log: PartitionLog,
    files: MetadataFiles,
    dir: String,
    epoch: LeaderEpoch,
    settings: LogSettings,
    headroom: Headroom,
    /// Epoch of the last record.
    last_epoch: LeaderEpoch,
    /// Append time of the last record, in milliseconds.
    last_append_ms: i64,
    /// Record bytes since the newest snapshot.
    bytes_since_snapshot: u64,
    /// When the newest snapshot was taken or, without one, when the log was opened, by `Clock::aging_ms`.
    snapshot_ms: i64,
}

/// What opening the log has found.
pub(super) struct Found {
    pub log: MetadataLog,
    /// The newest snapshot; empty when there is none.
    pub snapshot: Snapshot,
    /// First offset that the snapshot does not stand for.
    pub snapshot_end: Offset,
}

impl MetadataLog {
    /// Opens the log in `dir`, creating what is missing. `clean` says that its last owner closed it: its batches are
    /// checked when they are replayed, and not before.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        settings: &LogSettings,
        clean: bool,
        now_ms: i64,
    ) -> Result<Found, LogError> {
        let files = MetadataFiles::new(Arc::clone(&disk), dir);
        let shown = dir.display().to_string();
        let newest = files.snapshots()?.last().copied();
        let bad = |source| LogError::Bad { dir: shown.clone(), source };
        let snapshot = match newest {
            Some(id) => {
                let bytes = files.read_snapshot(id)?.unwrap_or_default();
                Snapshot::decode(Bytes::from(bytes)).map_err(bad)?
            }
            None => Snapshot::default(),
        };
        let snapshot_end = newest.map_or(Offset::ZERO, |id| id.offset);
        // A snapshot is taken of what is durable: a log that ends before it has lost what it knew to be on disk.
        let opening = Opening { recovery_point: snapshot_end, clean, ..Opening::unknown(now_ms) };
        let headroom = Headroom::new(Arc::clone(&disk), dir);
        let (mut log, recovery) = PartitionLog::open(disk, dir, log_config(settings), opening)?;
        if let Some(cut) = &recovery.truncated {
            tracing::warn!(
                target: "ottla.metadata", "{} bytes at the end of the metadata log were no whole batch: {}",
                cut.bytes,
                cut.reason
            );
        }
        if log.log_end_offset() < snapshot_end {
            log.truncate_fully(snapshot_end, now_ms)?;
        }
        if log.log_start_offset() > snapshot_end {
            let log_start = log.log_start_offset();
            return Err(LogError::Gap { dir: shown, log_start, snapshot: snapshot_end });
        }
        let last_append_ms = snapshot.last_contained_timestamp_ms;
        let last_epoch = newest.map_or(LeaderEpoch::new(0), |id| id.epoch);
        let mut log = Self {
            log,
            headroom,
            files,
            dir: shown,
            epoch: last_epoch,
            settings: settings.clone(),
            last_epoch,
            last_append_ms,
            bytes_since_snapshot: 0,
            snapshot_ms: now_ms,
        };
        log.headroom.appended(log.log.active_segment_base(), 0);
        Ok(Found { log, snapshot, snapshot_end })
    }

    /// The log's directory.
    pub(super) fn path(&self) -> &Path {
        self.log.dir()
    }

    /// The files beside the log.
    pub(super) fn files(&self) -> &MetadataFiles {
        &self.files
    }

    /// Epoch of the last record; 0 in an empty log.
    pub(super) fn last_epoch(&self) -> LeaderEpoch {
        self.last_epoch
    }

    /// Offset of the next record.
    pub(super) fn end(&self) -> Offset {
        self.log.log_end_offset()
    }

    /// Reads all records from `offset` to the end, before anything is appended.
    pub(super) fn replay<E: From<LogError>>(
        &mut self,
        mut offset: Offset,
        mut each: impl FnMut(Entry) -> Result<(), E>,
    ) -> Result<(), E> {
        self.bytes_since_snapshot = 0;
        while offset < self.end() {
            let end = self.end();
            let request =
                ReadRequest { offset, bytes_max: READ_BYTES, upper_bound: end, min_one_batch: true };
            let plan = self.log.read_plan(request, None).map_err(LogError::from)?;
            let bytes = plan.read().map_err(LogError::from)?.bytes;
            let size = bytes.len() as u64;
            let mut failed = None;
            let last = batch::read_all(bytes, |header, entry| {
                // The first batch may begin below the offset.
                let is_new = match &entry {
                    Entry::Metadata(at, _) => *at >= offset,
                    Entry::Control(_) => header.last_offset() >= offset,
                };
                if is_new && let Err(error) = each(entry) {
                    failed = Some(error);
                    return Err(BadBatch::Framing(String::new()));
                }
                Ok(())
            });
            if let Some(error) = failed {
                return Err(error);
            }
            let last = last.map_err(|source| self.bad(source))?;
            let Some(last) = last else {
                let text = format!("nothing can be read at offset {offset}, before the end at {end}");
                return Err(self.bad(BadBatch::Framing(text)).into());
            };
            self.last_epoch = last.leader_epoch;
            self.last_append_ms = last.max_timestamp;
            self.bytes_since_snapshot += size;
            offset = last.last_offset().next();
        }
        Ok(())
    }

    /// What is appended from now on is this epoch's.
    pub(super) fn begin_epoch(&mut self, epoch: LeaderEpoch) {
        assert!(epoch > self.last_epoch || self.last_epoch.value() == 0, "epochs only grow");
        self.epoch = epoch;
    }

    /// Appends metadata records as one batch; answers the offset of the first. Durable after [`Self::sync`].
    pub(super) fn append(&mut self, records: &[MetadataRecord], now_ms: i64) -> Result<Offset, LogError> {
        let batch = batch::of_metadata(records, Offset::ZERO, self.epoch, now_ms)?;
        self.append_batch(batch, now_ms)
    }

    /// Appends control records as one batch.
    pub(super) fn append_control(&mut self, records: &[ControlRecord], now_ms: i64) -> Result<(), LogError> {
        let batch = batch::of_control(records, Offset::ZERO, self.epoch, now_ms)?;
        self.append_batch(batch, now_ms).map(|_| ())
    }

    fn append_batch(&mut self, batch: Bytes, now_ms: i64) -> Result<Offset, LogError> {
        let size = batch.len() as u64;
        let appended = match self.log.append_from(Origin::RaftLeader, batch.clone(), self.epoch, now_ms) {
            // The next segment has no room, but this one may have what is held behind its end.
            Err(AppendError::Storage(error)) if error.is_passing() => {
                self.append_without_roll(batch, now_ms)?
            }
            result => result?,
        };
        self.bytes_since_snapshot += size;
        self.headroom.appended(self.log.active_segment_base(), size);
        self.last_epoch = self.epoch;
        self.last_append_ms = now_ms;
        Ok(appended.base_offset)
    }

    /// Appends to the segment there is, however full it is.
    fn append_without_roll(&mut self, batch: Bytes, now_ms: i64) -> Result<Appended, AppendError> {
        let (config, never) = (self.log.config().clone(), i64::MAX);
        self.log.set_config(LogConfig {
            segment_bytes: i32::MAX as u32,
            segment_ms: never,
            ..config.clone()
        });
        let appended = self.log.append_from(Origin::RaftLeader, batch, self.epoch, now_ms);
        self.log.set_config(config);
        appended
    }

    /// Returns when everything appended is on disk.
    pub(super) fn sync(&mut self) -> Result<(), LogError> {
        let target = self.log.sync_target()?;
        target.sync()?;
        self.log.mark_durable(target.end());
        Ok(())
    }

    /// Whether a snapshot is due: enough has been written since the last one, or it is old.
    pub(super) fn wants_snapshot(&self, aging_ms: i64) -> bool {
        let bytes_max = u64::try_from(self.settings.snapshot_bytes_max).unwrap_or(u64::MAX);
        let interval_ms = self.settings.snapshot_interval_ms_max;
        let is_old = interval_ms > 0 && aging_ms.saturating_sub(self.snapshot_ms) >= interval_ms;
        self.bytes_since_snapshot >= bytes_max || (is_old && self.bytes_since_snapshot > 0)
    }

    /// Writes a snapshot that stands for everything in the log, which must be on disk.
    pub(super) fn write_snapshot(
        &mut self,
        records: Vec<MetadataRecord>,
        quorum: &QuorumRecords,
        clock: &Clock,
    ) -> Result<SnapshotId, LogError> {
        let id = SnapshotId { offset: self.end(), epoch: self.last_epoch };
        let snapshot = Snapshot {
            records,
            last_contained_timestamp_ms: self.last_append_ms,
            quorum: (quorum.kraft_version > 0).then(|| quorum.clone()),
        };
        // Also when it fails: the next one is tried only after as much again was written.
        self.bytes_since_snapshot = 0;
        self.snapshot_ms = clock.aging_ms();
        self.files.write_snapshot(id, &snapshot.encode(id.epoch, clock.wall_ms())?)?;
        Ok(id)
    }

    /// Removes snapshots, and the log below the oldest that is left, while the whole is larger or older than it may
    /// be (`KafkaMetadataLog.maybeClean`), by `Clock::aging_ms`. The newest snapshot always stays.
    pub(super) fn clean(&mut self, aging_ms: i64) -> Result<(), LogError> {
        let mut snapshots = self.files.snapshots()?;
        let mut sizes = Vec::with_capacity(snapshots.len());
        for id in &snapshots {
            sizes.push(self.files.read_snapshot(*id)?.map_or(0, |bytes| bytes.len() as u64));
        }
        while let [oldest, next, ..] = snapshots[..] {
            let total = self.log.size_bytes() + sizes.iter().sum::<u64>();
            let too_large = u64::try_from(self.settings.retention_bytes).is_ok_and(|max| total > max);
            let too_old = self.settings.retention_ms >= 0 && {
                let bytes = self.files.read_snapshot(oldest)?.unwrap_or_default();
                let last_ms = Snapshot::decode(Bytes::from(bytes)).map(|s| s.last_contained_timestamp_ms);
                last_ms.is_ok_and(|last_ms| aging_ms.saturating_sub(last_ms) > self.settings.retention_ms)
            };
            if !too_large && !too_old {
                break;
            }
            self.files.remove_snapshot(oldest)?;
            snapshots.remove(0);
            sizes.remove(0);
            self.log.advance_log_start(next.offset);
            self.log.apply_retention(aging_ms, next.offset)?;
        }
        Ok(())
    }

    /// Ends the log's life.
    pub(super) fn close(self) -> Result<(), StorageError> {
        self.log.close()
    }

    fn bad(&self, source: BadBatch) -> LogError {
        LogError::Bad { dir: self.dir.clone(), source }
    }
}

/// Bytes read at once during a replay; a single larger batch is read whole.
const READ_BYTES: usize = 1 << 20;

fn log_config(settings: &LogSettings) -> LogConfig {
    LogConfig {
        segment_bytes: u32::try_from(settings.segment_bytes).unwrap_or(u32::MAX),
        segment_ms: settings.segment_ms,
        // Only what lies below a snapshot goes; see `clean`.
        cleanup: Cleanup { delete: false, compact: false },
        retention_ms: -1,
        retention_bytes: -1,
        ..LogConfig::default()
    }
}
