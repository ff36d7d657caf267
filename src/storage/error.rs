//! What can go wrong, with the path it went wrong at, and the error code that a client is told.

use std::io;
use std::path::{Path, PathBuf};

use model::batch::BadHeader;
use model::{ErrorCode, Offset, ProducerEpoch, ProducerId};

/// A failure of the disk or of what lies on it.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// A file operation failed. When it wrote log data, the log has failed for good.
    #[error("cannot {operation} {path}: {source}")]
    Io {
        /// What was tried, as a verb.
        operation: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No space left. Nothing was changed; the same call may succeed once there is space.
    #[error("no space left to {operation} {path}")]
    Full {
        /// What was tried, as a verb.
        operation: &'static str,
        /// The file or directory.
        path: PathBuf,
    },
    /// The process has as many files open as it may. Nothing was changed; the same call may succeed once there are
    /// fewer.
    #[error("too many open files to {operation} {path}: raise the limit of the process (ulimit -n)")]
    NoDescriptor {
        /// What was tried, as a verb.
        operation: &'static str,
        /// The file or directory.
        path: PathBuf,
    },
    /// An earlier write or sync of this log failed. Nothing may be acknowledged from it any more.
    #[error("the log in {path} has failed; restart the broker after mending its disk")]
    Failed {
        /// The log's directory.
        path: PathBuf,
    },
    /// Bytes that were known to be on disk are not a legal batch now: bit rot, or a foreign writer.
    #[error(
        "{path} is damaged at byte {position} (offset {offset}, below the durable offset {durable}): {reason}; \
         restore it from a replica or a backup, or give up what follows by repairing the log"
    )]
    Damaged {
        /// The segment file.
        path: PathBuf,
        /// Where the bad batch begins.
        position: u64,
        /// Offset that was expected there.
        offset: Offset,
        /// Everything below this offset had been synced.
        durable: Offset,
        /// What is wrong.
        reason: String,
    },
    /// The log ends before data that was known to be on disk.
    #[error(
        "the log in {path} ends at offset {found}, but everything below {durable} had been synced; \
         restore it from a replica or a backup, or give up the missing part by repairing the log"
    )]
    Missing {
        /// The log's directory.
        path: PathBuf,
        /// The log's end.
        found: Offset,
        /// Everything below this offset had been synced.
        durable: Offset,
    },
    /// A file whose text or bytes mean nothing to us.
    #[error("{path}: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// Another process owns the directory.
    #[error("{path} is in use: another broker holds its lock file")]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
}

impl StorageError {
    /// The code a client is told: always KAFKA_STORAGE_ERROR, which clients retry elsewhere or later.
    pub fn code(&self) -> ErrorCode {
        ErrorCode::KafkaStorageError
    }

    /// Whether what was asked for is not in memory: asked again with [`Access::Disk`](crate::Access::Disk), it may
    /// succeed.
    pub fn would_block(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::WouldBlock)
    }

    /// Whether nothing but space or a descriptor was missing: nothing was changed or lost, and the same call may
    /// succeed later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::NoDescriptor { .. })
    }

    /// Whether the disk has failed, rather than what lies on it.
    pub fn is_of_device(&self) -> bool {
        matches!(self, Self::Io { source, .. } if crate::disk::is_of_device(source))
    }

    pub(crate) fn io(operation: &'static str, path: &Path, source: io::Error) -> Self {
        if is_full(&source) {
            return Self::Full { operation, path: path.to_owned() };
        }
        Self::fatal(operation, path, source)
    }

    /// As [`StorageError::io`], where a full disk is as final as any other error.
    pub(crate) fn fatal(operation: &'static str, path: &Path, source: io::Error) -> Self {
        if crate::disk::lacks_descriptor(&source) {
            // Only opening fails so: no data was at stake.
            return Self::NoDescriptor { operation, path: path.to_owned() };
        }
        Self::Io { operation, path: path.to_owned(), source }
    }
}

/// Whether the error says that the file system or a quota is exhausted.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Why a batch was not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The disk.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The bytes are not a batch. Validation comes before storage, so this is a fault of the caller.
    #[error("not a record batch: {0}")]
    Header(#[from] BadHeader),
    /// The bytes are not exactly the batch that their header announces, or its CRC does not match.
    #[error("corrupt record batch: {0}")]
    Corrupt(&'static str),
    /// The batch is larger than a segment may be.
    #[error("a batch of {size} bytes exceeds segment.bytes, {segment_bytes}")]
    TooLarge {
        /// Bytes of the batch.
        size: usize,
        /// `segment.bytes`.
        segment_bytes: u32,
    },
    /// A sequence number that is not the next one.
    #[error(
        "out of order sequence number for producer {producer_id} at offset {offset}: \
         {sequence} (incoming seq. number), {current} (current end sequence number)"
    )]
    OutOfOrderSequence {
        /// The producer.
        producer_id: ProducerId,
        /// Where the batch would have gone.
        offset: Offset,
        /// The batch's base sequence.
        sequence: i32,
        /// Last sequence known, -1 when none is.
        current: i32,
    },
    /// The producer's epoch is older than one seen before.
    #[error(
        "epoch of producer {producer_id} at offset {offset} is {epoch}, which is smaller than the last seen epoch {current}"
    )]
    InvalidProducerEpoch {
        /// The producer.
        producer_id: ProducerId,
        /// Where the batch would have gone.
        offset: Offset,
        /// The batch's epoch.
        epoch: ProducerEpoch,
        /// Largest epoch known.
        current: ProducerEpoch,
    },
    /// A write without transaction while the producer has one open.
    #[error("expected transactional write from producer {producer_id} at offset {offset}")]
    InvalidTxnState {
        /// The producer.
        producer_id: ProducerId,
        /// Where the batch would have gone.
        offset: Offset,
    },
    /// The first record of a transaction that the coordinator was not asked about, or that was ended since (KIP-890).
    #[error("the write of producer {producer_id} at offset {offset} is not part of an ongoing transaction")]
    NotVerified {
        /// The producer.
        producer_id: ProducerId,
        /// Where the batch would have gone.
        offset: Offset,
    },
    /// Part of a transaction, or its commit, while one of an earlier epoch is open that nobody has ended: it would be taken
    /// along. Kafka takes it along.
    #[error(
        "producer {producer_id} has a transaction of epoch {open} open at offset {offset}, which nothing of epoch {epoch} is part of"
    )]
    EarlierTransaction {
        /// The producer.
        producer_id: ProducerId,
        /// Where the batch would have gone.
        offset: Offset,
        /// Its epoch.
        epoch: ProducerEpoch,
        /// That of the open transaction.
        open: ProducerEpoch,
    },
    /// A marker whose epoch the producer's next transaction has already (KIP-890).
    #[error(
        "the marker of producer {producer_id} at offset {offset} has epoch {epoch}, whose transaction is open"
    )]
    MarkerEpoch {
        /// The producer.
        producer_id: ProducerId,
        /// Where the marker would have gone.
        offset: Offset,
        /// Its epoch.
        epoch: ProducerEpoch,
    },
    /// A transaction marker from a coordinator that has been replaced.
    #[error(
        "invalid coordinator epoch for producer {producer_id} at offset {offset}: {epoch} (zombie), {current} (current)"
    )]
    CoordinatorFenced {
        /// The producer.
        producer_id: ProducerId,
        /// Where the marker would have gone.
        offset: Offset,
        /// The marker's coordinator epoch.
        epoch: i32,
        /// Largest coordinator epoch known.
        current: i32,
    },
    /// A follower was sent offsets that it already has, or that go backwards.
    #[error("offset {first} is below the next offset {expected}")]
    UnexpectedOffset {
        /// First offset of the refused batch.
        first: Offset,
        /// What the log expects next.
        expected: Offset,
    },
    /// The log has used up all 2^63 offsets.
    #[error("the log has no offsets left")]
    OffsetsExhausted,
}

impl AppendError {
    /// The code a producer is told.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Storage(error) => error.code(),
            Self::Header(_) | Self::Corrupt(_) => ErrorCode::CorruptMessage,
            Self::TooLarge { .. } => ErrorCode::RecordListTooLarge,
            Self::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
            Self::InvalidProducerEpoch { .. } | Self::MarkerEpoch { .. } => ErrorCode::InvalidProducerEpoch,
            Self::InvalidTxnState { .. } | Self::NotVerified { .. } => ErrorCode::InvalidTxnState,
            // What makes clients of every age try again, without a look at the metadata.
            Self::EarlierTransaction { .. } => ErrorCode::NotEnoughReplicas,
            Self::CoordinatorFenced { .. } => ErrorCode::TransactionCoordinatorFenced,
            Self::UnexpectedOffset { .. } | Self::OffsetsExhausted => ErrorCode::UnknownServerError,
        }
    }
}

/// Why a read has no plan.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The disk.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The offset is below the log's start or beyond its end.
    #[error("offset {offset} is out of range: the log holds {log_start} to {log_end}")]
    OutOfRange {
        /// The offset asked for.
        offset: Offset,
        /// First offset that may be read.
        log_start: Offset,
        /// Offset of the next record to come.
        log_end: Offset,
    },
}

impl ReadError {
    /// The code a consumer is told.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Storage(error) => error.code(),
            Self::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_is_final() {
        use rustix::io::Errno;
        let path = Path::new("x");
        let io = |errno: Errno| StorageError::io("open", path, errno.into());
        let fatal = |errno: Errno| StorageError::fatal("sync", path, errno.into());
        assert!(matches!(io(Errno::MFILE), StorageError::NoDescriptor { .. }));
        assert!(matches!(fatal(Errno::NFILE), StorageError::NoDescriptor { .. }), "nothing was synced yet");
        assert!(
            io(Errno::NOSPC).is_passing() && io(Errno::DQUOT).is_passing() && io(Errno::MFILE).is_passing()
        );
        assert!(!io(Errno::IO).is_passing() && !fatal(Errno::NOSPC).is_passing());
        assert!([Errno::IO, Errno::UCLEAN, Errno::NODEV].into_iter().all(|errno| io(errno).is_of_device()));
        let others = [Errno::MFILE, Errno::NOSPC, Errno::NOENT, Errno::ACCESS, Errno::AGAIN];
        assert!(!others.into_iter().any(|errno| io(errno).is_of_device()));
        let short = StorageError::io("read", path, io::ErrorKind::UnexpectedEof.into());
        assert!(!short.is_of_device(), "a file that was cut off");
    }
}
