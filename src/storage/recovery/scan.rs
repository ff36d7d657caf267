//! Checks the batches of a segment one after the other, in a window of fixed size however large they claim to be.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::batch::{CRC_START, HEADER_BYTES, LOG_OVERHEAD};
use model::{BatchHeader, LeaderEpoch, Offset};
use records::EndTxnMarker;

use crate::disk::{DiskFile, read_exact_at};
use crate::error::StorageError;
use crate::producer_state::parse_marker;

pub(super) struct Scan {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    position: u64,
    end: u64,
    window: Vec<u8>,
    window_position: u64,
}

/// What the batch before says about the next one. The CRC does not cover offset, length and epoch, so that these are
/// held against each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// The next base offset may not be smaller.
    pub(super) offset: Offset,
    /// The next epoch may not be smaller.
    pub(super) epoch: LeaderEpoch,
    /// The next last offset must be smaller: there the next segment begins.
    pub(super) below: Offset,
}

pub(super) enum Step {
    /// A sound batch.
    Batch { header: BatchHeader, marker: Option<EndTxnMarker> },
    /// The file ends here.
    End,
    /// The bytes from here on are no batch.
    Bad(String),
}

const WINDOW_BYTES: usize = 256 << 10;
/// No transaction marker is larger.
const MARKER_BYTES_MAX: usize = 4096;

impl Scan {
    pub(super) fn new(file: Arc<dyn DiskFile>, path: PathBuf, end: u64) -> Self {
        Self { file, path, position: 0, end, window: Vec::new(), window_position: 0 }
    }

    /// Checks the next batch and steps over it if it is sound.
    pub(super) fn step(&mut self, expected: Expected, segment: Offset) -> Result<Step, StorageError> {
        let left = self.end - self.position;
        if left == 0 {
            return Ok(Step::End);
        }
        let parsed = BatchHeader::parse(self.bytes(self.position, HEADER_BYTES)?);
        let header = match parsed {
            Ok(header) => header,
            Err(error) => {
                self.refuse_old_format(expected)?;
                return Ok(Step::Bad(error.to_string()));
            }
        };
        if let Some(reason) = fault(&header, left, expected, segment) {
            return Ok(Step::Bad(reason));
        }
        if self.crc(header.size())? != header.crc {
            return Ok(Step::Bad("the CRC does not match".to_owned()));
        }
        let marker = read_marker(&*self.file, &self.path, self.position, &header)?;
        self.position += header.size() as u64;
        Ok(Step::Batch { header, marker })
    }

    /// Bytes from `position`, up to `len` and to what the window and the file hold.
    fn bytes(&mut self, position: u64, len: usize) -> Result<&[u8], StorageError> {
        let have =
            (self.window_position..self.window_position + self.window.len() as u64).contains(&position);
        let at = (position.wrapping_sub(self.window_position)) as usize;
        let wanted = len.min((self.end - position) as usize);
        if !have || self.window.len() - at < wanted {
            self.window.clear();
            self.window_position = position;
            let size = (self.end - position).min(WINDOW_BYTES as u64) as usize;
            self.file
                .read_at(&mut self.window, position, size)
                .map_err(|error| StorageError::fatal("read", &self.path, error))?;
        }
        let at = (position - self.window_position) as usize;
        let rest = self.window.get(at..).unwrap_or_default();
        Ok(rest.get(..len).unwrap_or(rest))
    }

    /// CRC of the batch at the present position, which fits into the file.
    fn crc(&mut self, size: usize) -> Result<u32, StorageError> {
        let end = self.position + size as u64;
        let mut position = self.position + CRC_START as u64;
        let mut crc = 0;
        while position < end {
            let len = ((end - position) as usize).min(WINDOW_BYTES);
            // What is left of the window first, then whole windows.
            let in_window =
                (self.window_position + self.window.len() as u64).saturating_sub(position) as usize;
            let len = if (1..len).contains(&in_window) { in_window } else { len };
            let chunk = self.bytes(position, len)?;
            if chunk.is_empty() {
                return Err(StorageError::fatal(
                    "read",
                    &self.path,
                    std::io::ErrorKind::UnexpectedEof.into(),
                ));
            }
            crc = crc32c::crc32c_append(crc, chunk);
            position += chunk.len() as u64;
        }
        Ok(crc)
    }

    /// Messages of the formats before Kafka 0.11 are no torn tail: cutting them off would throw good data away.
    fn refuse_old_format(&mut self, expected: Expected) -> Result<(), StorageError> {
        let left = self.end - self.position;
        let start = self.bytes(self.position, OLD_HEADER_BYTES)?;
        let Some(header) = start.first_chunk::<OLD_HEADER_BYTES>() else { return Ok(()) };
        let [o0, o1, o2, o3, o4, o5, o6, o7, l0, l1, l2, l3, c0, c1, c2, c3, magic] = *header;
        let offset = i64::from_be_bytes([o0, o1, o2, o3, o4, o5, o6, o7]);
        let length = i32::from_be_bytes([l0, l1, l2, l3]);
        let size = LOG_OVERHEAD as u64 + u64::try_from(length).unwrap_or(0);
        if magic > 1 || offset < expected.offset.value() || length < OLD_LENGTH_MIN || size > left {
            return Ok(());
        }
        let covered = self.position + OLD_CRC_START;
        let bytes = read_exact_at(&*self.file, covered, (size - OLD_CRC_START) as usize)
            .map_err(|error| StorageError::fatal("read", &self.path, error))?;
        if crc32(&bytes) != u32::from_be_bytes([c0, c1, c2, c3]) {
            return Ok(());
        }
        Err(StorageError::Malformed {
            path: self.path.clone(),
            reason: format!(
                "message format v{magic} at byte {} is not supported; let Apache Kafka 3.9 or older rewrite the topic",
                self.position
            ),
        })
    }
}

/// What is wrong with a header in its place, apart from the CRC.
fn fault(header: &BatchHeader, left: u64, expected: Expected, segment: Offset) -> Option<String> {
    let size = header.size() as u64;
    if size > left {
        return Some(format!("the batch takes {size} bytes and {left} are left"));
    }
    if header.last_offset_delta < 0 {
        return Some(format!("the last offset delta is {}", header.last_offset_delta));
    }
    if header.base_offset < expected.offset {
        return Some(format!("base offset {} comes after {}", header.base_offset, expected.offset));
    }
    let last = header.last_offset();
    if last >= expected.below {
        return Some(format!("offset {last} belongs to the next segment"));
    }
    if last.value() - segment.value() > i64::from(i32::MAX) {
        return Some(format!("offset {last} is more than 2^31 after the segment's first"));
    }
    let epoch = header.leader_epoch;
    if epoch < LeaderEpoch::NONE || (epoch != LeaderEpoch::NONE && epoch < expected.epoch) {
        return Some(format!("leader epoch {epoch} comes after {}", expected.epoch));
    }
    None
}

/// The transaction marker of a batch, if it is one.
pub(super) fn read_marker(
    file: &dyn DiskFile,
    path: &Path,
    position: u64,
    header: &BatchHeader,
) -> Result<Option<EndTxnMarker>, StorageError> {
    if !header.is_control() || !header.has_producer_id() || header.size() > MARKER_BYTES_MAX {
        return Ok(None);
    }
    let batch = read_exact_at(file, position, header.size())
        .map_err(|error| StorageError::fatal("read", path, error))?;
    Ok(batch.get(HEADER_BYTES..).and_then(parse_marker))
}

/// Offset, length, CRC and magic byte of the formats v0 and v1.
const OLD_HEADER_BYTES: usize = 17;
const OLD_CRC_START: u64 = 16;
/// CRC, magic, attributes and the lengths of key and value.
const OLD_LENGTH_MIN: i32 = 14;

/// The CRC-32 of IEEE 802.3, which only those formats use: too rarely met to be fast.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
