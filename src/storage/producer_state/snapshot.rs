//! `.snapshot`: the producer state at an offset, which is the file's name (`ProducerStateManager`, schema
//! `ProducerSnapshot` version 1).
//!
//! ```text
//! i16 version, 1
//! u32 CRC-32C of what follows
//! i32 number of entries, and for each:
//!     i64 producer id, i16 epoch, i32 last sequence, i64 last offset, i32 offset delta of the last batch,
//!     i64 timestamp, i32 coordinator epoch, i64 first offset of the open transaction or -1
//! ```

use std::collections::BTreeSet;
use std::io::IoSlice;
use std::path::Path;

use bytes::Bytes;
use model::codec::{Reader, Writer};
use model::{Offset, ProducerEpoch, ProducerId};
use tracing::warn;

use super::{BatchMetadata, ProducerEntry, ProducerState};
use crate::checkpoints;
use crate::disk::{OpenMode, write_all_at};
use crate::error::StorageError;
use crate::names::{Home, SNAPSHOT};

pub(crate) const VERSION: i16 = 1;
const ENTRIES_START: usize = 6;
const ENTRY_BYTES: usize = 46;

/// The snapshot files of one log.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    offsets: BTreeSet<Offset>,
}

impl Snapshots {
    pub(crate) fn new(offsets: BTreeSet<Offset>) -> Self {
        Self { offsets }
    }

    pub(crate) fn latest(&self) -> Option<Offset> {
        self.offsets.last().copied()
    }

    /// Writes the state at its end, unless there is a snapshot of that offset. True when it was written.
    pub(crate) fn take(&mut self, home: &Home, state: &ProducerState) -> Result<bool, StorageError> {
        if self.offsets.contains(&state.end()) {
            return Ok(false);
        }
        let path = home.path(state.end(), SNAPSHOT);
        let file = home.open(&path, OpenMode::Create)?;
        let bytes = encode(state);
        let written = write_all_at(&*file, &mut [IoSlice::new(&bytes)], 0);
        if let Err(error) = written {
            home.remove(&path)?;
            return Err(StorageError::io("write", &path, error));
        }
        self.offsets.insert(state.end());
        Ok(true)
    }

    /// Loads the newest snapshot that is sound and lies in `above < offset <= limit`, and removes those that are not
    /// sound. Without one the state is empty and begins at `above`.
    pub(crate) fn load(
        &mut self,
        home: &Home,
        state: &mut ProducerState,
        range: SnapshotRange,
    ) -> Result<bool, StorageError> {
        loop {
            let within = self.offsets.range(..=range.limit).next_back().copied();
            let Some(offset) = within.filter(|offset| *offset > range.above) else {
                state.clear(range.above);
                return Ok(false);
            };
            let path = home.path(offset, SNAPSHOT);
            match checkpoints::read(&*home.disk, &path)?.map(|bytes| decode(&path, bytes)) {
                Some(Ok(entries)) => {
                    state.clear(offset);
                    for (producer_id, entry) in entries {
                        if !entry.is_expired(range.aging_ms, range.expiration_ms) {
                            state.load(producer_id, entry);
                        }
                    }
                    return Ok(true);
                }
                Some(Err(error)) => {
                    warn!("removing an unusable producer snapshot: {error}");
                    self.remove(home, offset)?;
                }
                None => {
                    self.offsets.remove(&offset);
                }
            }
        }
    }

    /// Removes the snapshots outside `above < offset <= limit`.
    pub(crate) fn keep_within(
        &mut self,
        home: &Home,
        above: Offset,
        limit: Offset,
    ) -> Result<(), StorageError> {
        let outside: Vec<Offset> =
            self.offsets.iter().copied().filter(|offset| *offset <= above || *offset > limit).collect();
        outside.into_iter().try_for_each(|offset| self.remove(home, offset))
    }

    /// Removes the snapshots that belong to no segment, except the newest (`removeStraySnapshots`).
    pub(crate) fn remove_strays(
        &mut self,
        home: &Home,
        is_base: impl Fn(Offset) -> bool,
    ) -> Result<(), StorageError> {
        let latest = self.latest();
        let strays: Vec<Offset> = self
            .offsets
            .iter()
            .copied()
            .filter(|offset| Some(*offset) != latest && !is_base(*offset))
            .collect();
        strays.into_iter().try_for_each(|offset| self.remove(home, offset))
    }

    pub(crate) fn remove(&mut self, home: &Home, offset: Offset) -> Result<(), StorageError> {
        if self.offsets.remove(&offset) {
            home.remove(&home.path(offset, SNAPSHOT))?;
        }
        Ok(())
    }

    /// Notes that the file of a snapshot is gone, or will be.
    pub(crate) fn forget(&mut self, offset: Offset) {
        self.offsets.remove(&offset);
    }
}

/// Which snapshots [`Snapshots::load`] may take, and which of their producers are still wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SnapshotRange {
    pub(crate) above: Offset,
    pub(crate) limit: Offset,
    pub(crate) aging_ms: i64,
    pub(crate) expiration_ms: i64,
}

fn encode(state: &ProducerState) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.array_len(state.producers().len());
    for (producer_id, entry) in state.producers() {
        writer.i64(producer_id.value());
        writer.i16(entry.epoch.value());
        let last = entry.last_batch();
        writer.i32(last.map_or(-1, |batch| batch.last_sequence));
        writer.i64(last.map_or(-1, |batch| batch.last_offset.value()));
        writer.i32(last.map_or(0, |batch| batch.offset_delta));
        writer.i64(entry.last_timestamp);
        writer.i32(entry.coordinator_epoch);
        writer.i64(entry.transaction_start.map_or(-1, Offset::value));
    }
    let entries = writer.freeze();
    let mut out = Vec::with_capacity(ENTRIES_START + entries.len());
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&crc32c::crc32c(&entries).to_be_bytes());
    out.extend_from_slice(&entries);
    out
}

fn decode(path: &Path, bytes: Vec<u8>) -> Result<Vec<(ProducerId, ProducerEntry)>, StorageError> {
    let malformed = |reason: String| StorageError::Malformed { path: path.to_owned(), reason };
    let mut reader = Reader::new(Bytes::from(bytes));
    let mut read = || -> Result<_, model::codec::ReadError> {
        let version = reader.i16()?;
        let crc = reader.i32()?.cast_unsigned();
        Ok((version, crc, reader.clone()))
    };
    let (version, crc, mut reader) = read().map_err(|error| malformed(error.to_string()))?;
    if version != VERSION {
        return Err(malformed(format!("producer snapshot version {version} is not known, only {VERSION}")));
    }
    if crc32c::crc32c(&reader.clone().rest()) != crc {
        return Err(malformed("the CRC does not match".to_owned()));
    }
    decode_entries(&mut reader).map_err(|error| malformed(error.to_string()))
}

pub(crate) fn decode_entries(
    reader: &mut Reader,
) -> Result<Vec<(ProducerId, ProducerEntry)>, model::codec::ReadError> {
    // `array_len` is made for requests and refuses more than a million elements; a log may know more producers.
    let count = reader.i32()?;
    let fitting = reader.remaining() / ENTRY_BYTES;
    let count = usize::try_from(count)
        .ok()
        .filter(|count| *count <= fitting)
        .ok_or(model::codec::ReadError::Length(i64::from(count)))?;
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let producer_id = ProducerId::new(reader.i64()?);
        let epoch = ProducerEpoch::new(reader.i16()?);
        let last_sequence = reader.i32()?;
        let last_offset = reader.i64()?;
        let offset_delta = reader.i32()?;
        let last_timestamp = reader.i64()?;
        let coordinator_epoch = reader.i32()?;
        let transaction_start = Some(reader.i64()?).filter(|first| *first >= 0).map(Offset::new);
        let batch = BatchMetadata {
            last_sequence,
            last_offset: Offset::new(last_offset),
            offset_delta,
            timestamp: last_timestamp,
        };
        let batches = if last_offset >= 0 { vec![batch] } else { Vec::new() };
        let window_partial = !batches.is_empty();
        entries.push((
            producer_id,
            ProducerEntry {
                epoch,
                coordinator_epoch,
                last_timestamp,
                transaction_start,
                batches,
                window_partial,
                last_offset: Offset::new(last_offset.max(0)),
            },
        ));
    }
    Ok(entries)
}
