//! What a journal holds that an unclean end has left behind.
//!
//! A record is written when the one before it is on disk. So a torn write can only be the last: what is unsound with a sound
//! record of the same lap behind it was on disk once, and has been acknowledged.

use std::path::{Path, PathBuf};

use bytes::{Buf, Bytes};
use model::TopicId;
use tracing::{error, warn};
use uuid::Uuid;

use super::{
    ALIGNMENT, CRC_END, ENTRY_HEADER_BYTES, FILE_BYTES_MAX, FILES, Journaled, MAGIC, RECORD_HEADER_BYTES,
    ROUND_BYTES_MAX, life_of, padded,
};
use crate::disk::{Disk, OpenMode};
use crate::error::StorageError;

/// The records of a journal, in the order in which they were written.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The older lap first.
    pub laps: Vec<Lap>,
}

/// The records of one file.
#[derive(Debug)]
pub(super) struct Lap {
    path: PathBuf,
    pub lap: u64,
    pub entries: Entries,
    /// Where the last one ends.
    end: usize,
    /// What cannot be read and was on disk once.
    pub holes: Vec<Hole>,
}

/// Bytes between, or before, sound records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hole {
    /// Position of the first.
    pub begin: usize,
    /// Position behind the last.
    pub end: usize,
    /// Number of the first record that is missing.
    pub number: u64,
    /// Number of the first one behind it.
    pub next: u64,
}

pub(super) type Entries = Vec<((TopicId, i32), Bytes)>;

impl Found {
    /// Reads what is on disk, not what the page cache shows.
    pub fn read(disk: &dyn Disk, dir: &Path) -> Result<Self, StorageError> {
        let mut laps = Vec::new();
        for name in FILES {
            let path = dir.join(name);
            let failed = |error| StorageError::fatal("read", &path, error);
            let Some(found) = disk.metadata(&path).map_err(failed)? else { continue };
            let file = disk.open(&path, OpenMode::Write).map_err(failed)?;
            // As with a log: what the page cache shows may never have reached the disk.
            file.sync_data().map_err(|error| StorageError::fatal("sync", &path, error))?;
            file.drop_cache().map_err(|error| StorageError::fatal("drop the cache of", &path, error))?;
            let mut bytes = Vec::new();
            file.read_at(&mut bytes, 0, found.len.min(FILE_BYTES_MAX) as usize).map_err(failed)?;
            laps.extend(Lap::of(path, &bytes.into()));
        }
        Ok(Self::of(laps))
    }

    /// `laps` are those of the files, in their order.
    fn of(mut laps: Vec<Lap>) -> Self {
        if let [first, second] = laps.as_slice()
            && life_of(first.lap) != life_of(second.lap)
        {
            // Both are removed before a journal begins, and the second is begun when the first is full.
            warn!(
                "{} is left out: it is of an earlier journal than {}",
                second.path.display(),
                first.path.display()
            );
            laps.truncate(1);
        }
        laps.sort_by_key(|found| found.lap);
        Self { laps }
    }

    /// Says what cannot be read.
    pub fn tell_holes(&self) {
        for (at, lap) in self.laps.iter().enumerate() {
            for hole in &lap.holes {
                let (path, Hole { begin, end, number, next }) = (lap.path.display(), hole);
                let records = format!("records {number} to {} of lap {}", next.saturating_sub(1), lap.lap);
                if self.was_on_disk(at, hole) {
                    error!(
                        "{path}: bytes {begin} to {end} were on disk and cannot be read: {records} are lost, and with them appends                          that were acknowledged, unless the logs' own files have them"
                    );
                } else {
                    warn!(
                        "{path}: bytes {begin} to {end} are no record. Nothing is lost if the file was just about to be used again;                          if not, {records} are"
                    );
                }
            }
        }
    }

    /// Whether a hole is certainly none that a torn write has made. Such a write may be the first of the next lap, in the
    /// file of the older one: what is in there is settled then. It is made when the other file has no room for a round. Its
    /// blocks reach the disk in any order, so that the hole need not begin with the first of them, nor end with the last.
    fn was_on_disk(&self, at: usize, hole: &Hole) -> bool {
        let newer = self.laps.get(at + 1);
        let may_be_full = |lap: &Lap| lap.end + ROUND_BYTES_MAX > FILE_BYTES_MAX as usize;
        hole.begin >= ROUND_BYTES_MAX || !newer.is_some_and(may_be_full)
    }

    /// What each log may lack.
    pub fn by_log(self) -> Journaled {
        let mut journaled = Journaled::new();
        for (key, batches) in self.laps.into_iter().flat_map(|lap| lap.entries) {
            journaled.entry(key).or_default().push(batches);
        }
        journaled
    }
}

impl Lap {
    /// The records of the lap that a file was in, those behind an unsound one too; `None` without any.
    fn of(path: PathBuf, bytes: &Bytes) -> Option<Self> {
        let first = Record::at(bytes, 0).filter(|first| first.number == 0);
        let lap = if let Some(first) = first {
            first.lap
        } else {
            // Of what is left of several, the newest is what was written last.
            let positions = (0..bytes.len()).step_by(ALIGNMENT);
            positions.filter_map(|position| Record::at(bytes, position)).map(|record| record.lap).max()?
        };
        let mut found = Self { path, lap, entries: Entries::new(), end: 0, holes: Vec::new() };
        let (mut position, mut number) = (0, 0);
        while let Some((at, record)) = next_of(bytes, position, lap, number) {
            if at > position {
                found.holes.push(Hole { begin: position, end: at, number, next: record.number });
            }
            position = at + padded(record.len);
            number = record.number + 1;
            found.entries.extend(record.entries);
            found.end = position;
        }
        Some(found)
    }
}

/// The next sound record of a lap whose number is at least `number`, and where it begins. A record that follows on what is
/// before it is found at once.
fn next_of(bytes: &Bytes, position: usize, lap: u64, number: u64) -> Option<(usize, Record)> {
    let positions = (position..bytes.len()).step_by(ALIGNMENT);
    let mut found = positions.filter_map(|at| Some((at, Record::at(bytes, at)?)));
    found.find(|(at, record)| {
        let follows = if *at == position { record.number == number } else { record.number > number };
        record.lap == lap && follows
    })
}

#[derive(Debug)]
struct Record {
    len: usize,
    lap: u64,
    number: u64,
    entries: Entries,
}

impl Record {
    /// The record that begins here, if it is sound.
    fn at(bytes: &Bytes, position: usize) -> Option<Self> {
        let mut header = bytes.get(position..)?.get(..RECORD_HEADER_BYTES)?;
        let (magic, crc) = (header.get_u32(), header.get_u32());
        if magic != MAGIC {
            return None;
        }
        let (len, count) = (header.get_u32() as usize, header.get_u32());
        let (lap, number) = (header.get_u64(), header.get_u64());
        let record = bytes.get(position..)?.get(..len)?;
        if crc32c::crc32c(record.get(CRC_END..)?) != crc {
            return None;
        }
        let mut left = record.get(RECORD_HEADER_BYTES..).map(|entries| bytes.slice_ref(entries))?;
        let mut entries = Entries::new();
        for _ in 0..count {
            let mut header = left.get(..ENTRY_HEADER_BYTES)?;
            let topic = TopicId::new(Uuid::from_u128(header.get_u128()));
            let (partition, len) = (header.get_i32(), header.get_u32() as usize);
            left.advance(ENTRY_HEADER_BYTES);
            if left.len() < len {
                return None;
            }
            entries.push(((topic, partition), left.split_to(len)));
        }
        Some(Self { len, lap, number, entries })
    }
}

#[cfg(test)]
#[path = "found_tests.rs"]
mod tests;
