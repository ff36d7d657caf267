//! Indexes and producer snapshots.

use std::path::Path;

use bytes::Bytes;
use model::{BatchHeader, Offset};
use records::OpenBatch;
use storage::SystemDisk;
use storage::inspect::{self, BatchFile};

use crate::terminal::{Stop, Terminal};

use super::log::next_batch;
use super::{absolute, base_offset, not_there, optional_long};

/// What is done with an index.
#[derive(Clone, Copy, Debug)]
pub(super) struct IndexMode {
    pub(super) sanity_only: bool,
    pub(super) verify_only: bool,
    /// How much of the log one entry may lead into, in bytes.
    pub(super) message_bytes_max: i32,
}

/// Offsets of an index that its log has elsewhere: by the index, and by the log. Newest first.
type Mismatches = Vec<(i64, i64)>;

/// Dumps an offset index.
pub(super) fn offsets(path: &str, mode: IndexMode, terminal: &mut Terminal) -> Result<Mismatches, Stop> {
    let (base, bytes) = (base_offset(path)?, read(path)?);
    let log = log_of(path);
    let mut file =
        BatchFile::open(&SystemDisk, Path::new(&log), u64::MAX).map_err(|error| not_there(&log, &error))?;
    let entries = inspect::offset_entries(&bytes, Offset::new(base));
    let Some((last, _)) = entries.last() else {
        terminal.line(format!("{path} is empty."));
        return Ok(Mismatches::new());
    };
    if mode.sanity_only {
        if last.value() < base {
            return Err(corrupt(format!(
                "Corrupt index found, index file {} has non-zero size but the last offset is {} which is less than the \
                 base offset {base}",
                absolute(path),
                last.value()
            )));
        }
        if !bytes.len().is_multiple_of(OFFSET_ENTRY_BYTES) {
            return Err(corrupt(format!(
                "Index file {} is corrupt, found {} bytes which is neither positive nor a multiple of \
                 {OFFSET_ENTRY_BYTES}",
                absolute(path),
                bytes.len()
            )));
        }
        terminal.line(format!("{path} passed sanity check."));
        return Ok(Mismatches::new());
    }
    let mut wrong = Mismatches::new();
    for (index, (offset, position)) in entries.iter().enumerate() {
        // An index that was cut off by a crash goes on with zeros.
        if index > 0 && offset.value() == base {
            break;
        }
        if *position > file.end() {
            return Err(Stop::Error(format!(
                "java.lang.IllegalArgumentException: Slice from position {position} exceeds end position of \
                 FileRecords(size={}, file={log}, start=0, end=2147483647)",
                file.end()
            )));
        }
        file.seek(*position);
        let batch = next_batch(&mut file, &log)?;
        let batch = batch.filter(|batch| batch.len() <= mode.message_bytes_max.unsigned_abs() as usize);
        let batch = batch.and_then(|batch| BatchHeader::parse(&batch).ok());
        let batch = batch.ok_or_else(|| {
            Stop::Error(format!(
                "{path}: the entry of offset {} leads to position {position}, where no batch of at most {} bytes is",
                offset.value(),
                mode.message_bytes_max
            ))
        })?;
        if batch.last_offset() != *offset {
            wrong.insert(0, (offset.value(), batch.last_offset().value()));
        }
        if !mode.verify_only {
            terminal.line(format!("offset: {} position: {position}", offset.value()));
        }
    }
    Ok(wrong)
}

/// What is wrong with time indexes, by file in the order they were found.
#[derive(Debug, Default)]
pub(super) struct TimeIndexErrors {
    mismatches: Vec<(String, i64, i64)>,
    disorder: Vec<(String, i64, i64)>,
    missing: Vec<(String, i64, i64)>,
}

impl TimeIndexErrors {
    pub(super) fn tell(&self, terminal: &mut Terminal) {
        tell(&self.mismatches, "Found timestamp mismatch in", terminal, |indexed, found| {
            format!("  Index timestamp: {indexed}, log timestamp: {found}")
        });
        tell(&self.disorder, "Found out of order timestamp in", terminal, |indexed, before| {
            format!("  Index timestamp: {indexed}, Previously indexed timestamp: {before}")
        });
        tell(&self.missing, "The following indexed offsets are not found in", terminal, |indexed, found| {
            format!("Indexed offset: {indexed}, found log offset: {found}")
        });
    }
}

fn tell(
    found: &[(String, i64, i64)],
    heading: &str,
    terminal: &mut Terminal,
    line: impl Fn(i64, i64) -> String,
) {
    let mut of_file = "";
    for (path, first, second) in found {
        if path != of_file {
            terminal.complain(format!("{heading} :{path}"));
            of_file = path;
        }
        terminal.complain(line(*first, *second));
    }
}

/// Dumps a time index, which needs the offset index and the log beside it.
pub(super) fn times(
    path: &str,
    mode: IndexMode,
    errors: &mut TimeIndexErrors,
    terminal: &mut Terminal,
) -> Result<(), Stop> {
    let (base, bytes) = (base_offset(path)?, read(path)?);
    let log = log_of(path);
    let mut file =
        BatchFile::open(&SystemDisk, Path::new(&log), u64::MAX).map_err(|error| not_there(&log, &error))?;
    let offsets = inspect::offset_entries(&read(&beside(path, ".index"))?, Offset::new(base));
    let entries = inspect::time_entries(&bytes, Offset::new(base));
    if mode.sanity_only {
        check_times(path, &bytes, base, &entries)?;
        terminal.line(format!("{path} passed sanity check."));
        return Ok(());
    }
    let mut previous = -1;
    for (index, (timestamp, offset)) in entries.iter().enumerate() {
        if index > 0 && offset.value() == base {
            break;
        }
        let before = offsets.iter().take_while(|(indexed, _)| indexed <= offset).last();
        file.seek(before.map_or(0, |(_, position)| *position));
        let name = || absolute(path);
        match batch_with(&mut file, &log, *offset)? {
            None => errors.missing.push((name(), offset.value(), -1)),
            Some(batch) if batch.header.last_offset() != *offset => {
                errors.missing.push((name(), offset.value(), batch.header.last_offset().value()));
            }
            Some(batch) => {
                let records = batch.records().filter_map(Result::ok);
                let largest = records.map(|record| batch.timestamp_of(&record)).max().unwrap_or(-1);
                if largest != *timestamp {
                    errors.mismatches.push((name(), *timestamp, largest));
                }
                if previous >= *timestamp {
                    errors.disorder.push((name(), *timestamp, previous));
                }
            }
        }
        if !mode.verify_only {
            terminal.line(format!("timestamp: {timestamp} offset: {}", offset.value()));
        }
        previous = *timestamp;
    }
    Ok(())
}

fn check_times(path: &str, bytes: &[u8], base: i64, entries: &[(i64, Offset)]) -> Result<(), Stop> {
    if let (Some((first, _)), Some((timestamp, last))) = (entries.first(), entries.last()) {
        let found =
            format!("Corrupt time index found, time index file ({}) has non-zero size but", absolute(path));
        if timestamp < first {
            return Err(corrupt(format!(
                "{found} the last timestamp is {timestamp} which is less than the first timestamp {first}"
            )));
        }
        if last.value() < base {
            return Err(corrupt(format!(
                "{found} the last offset is {} which is less than the first offset {base}",
                last.value()
            )));
        }
    }
    if !bytes.len().is_multiple_of(TIME_ENTRY_BYTES) {
        return Err(corrupt(format!(
            "Time index file {} is corrupt, found {} bytes which is neither positive nor a multiple of \
             {TIME_ENTRY_BYTES}",
            absolute(path),
            bytes.len()
        )));
    }
    Ok(())
}

/// The first batch from here on that ends at or behind an offset.
fn batch_with(file: &mut BatchFile, log: &str, offset: Offset) -> Result<Option<OpenBatch>, Stop> {
    while let Some(batch) = next_batch(file, log)? {
        let header = BatchHeader::parse(&batch).map_err(|error| Stop::Error(format!("{log}: {error}")))?;
        if header.last_offset() >= offset {
            let open = OpenBatch::new(&batch, BATCH_BYTES_MAX);
            return open.map(Some).map_err(|error| Stop::Error(format!("{log}: {error}")));
        }
    }
    Ok(None)
}

/// Dumps an index of aborted transactions.
pub(super) fn transactions(path: &str, terminal: &mut Terminal) -> Result<(), Stop> {
    base_offset(path)?;
    for one in inspect::aborted_transactions(&read(path)?) {
        terminal.line(format!(
            "version: 0 producerId: {} firstOffset: {} lastOffset: {} lastStableOffset: {}",
            one.producer_id.value(),
            one.first_offset.value(),
            one.last_offset.value(),
            one.last_stable_offset.value()
        ));
    }
    Ok(())
}

/// Dumps a producer snapshot.
pub(super) fn producers(path: &str, terminal: &mut Terminal) -> Result<(), Stop> {
    let producers = match inspect::snapshot_producers(Bytes::from(read(path)?)) {
        Ok(producers) => producers,
        Err(bad) => {
            terminal.complain(bad.to_string());
            return Ok(());
        }
    };
    for one in producers {
        let batch = one.last_batch.map_or(String::new(), |batch| {
            format!(
                " firstSequence: {} lastSequence: {} lastOffset: {} offsetDelta: {} timestamp: {}",
                first_sequence(batch.last_sequence, batch.offset_delta),
                batch.last_sequence,
                batch.last_offset.value(),
                batch.offset_delta,
                batch.timestamp
            )
        });
        terminal.line(format!(
            "producerId: {} producerEpoch: {} coordinatorEpoch: {} currentTxnFirstOffset: {} lastTimestamp: {}{batch}",
            one.producer_id.value(),
            one.epoch,
            one.coordinator_epoch,
            optional_long(one.transaction_start.map(Offset::value)),
            one.last_timestamp
        ));
    }
    Ok(())
}

/// Sequences wrap from the largest number to 0.
fn first_sequence(last: i32, delta: i32) -> i32 {
    let first = i64::from(last) - i64::from(delta);
    if first >= 0 { first as i32 } else { (first + i64::from(i32::MAX) + 1) as i32 }
}

fn read(path: &str) -> Result<Vec<u8>, Stop> {
    std::fs::read(path).map_err(|error| not_there(path, &error))
}

fn log_of(path: &str) -> String {
    beside(path, ".log")
}

/// The file of the same segment with another suffix.
fn beside(path: &str, suffix: &str) -> String {
    let path = absolute(path);
    let name_at = path.rfind('/').map_or(0, |at| at + 1);
    let (dir, name) = path.split_at(name_at);
    format!("{dir}{}{suffix}", name.split('.').next().unwrap_or_default())
}

fn corrupt(reason: String) -> Stop {
    Stop::Error(format!("org.apache.kafka.storage.internals.log.CorruptIndexException: {reason}"))
}

const OFFSET_ENTRY_BYTES: usize = 8;
const TIME_ENTRY_BYTES: usize = 12;
/// Largest batch that is decompressed.
const BATCH_BYTES_MAX: usize = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_count_back_over_zero() {
        assert_eq!(first_sequence(5, 2), 3);
        assert_eq!(first_sequence(0, 1), i32::MAX);
        assert_eq!(beside("/a/00000000000000000007.timeindex", ".log"), "/a/00000000000000000007.log");
    }
}
