//! Reads the batches of a segment file one after the other, without the log's lock.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use model::batch::HEADER_BYTES;
use model::{BatchHeader, Offset};

use crate::disk::DiskFile;
use crate::error::StorageError;

/// Reads whole windows; a batch that is larger than one gets a window of its own.
#[derive(Debug)]
pub(super) struct BatchReader {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    position: u64,
    end: u64,
    window: Bytes,
    window_bytes: usize,
    /// The next base offset may not be smaller, nor its last offset as large as `below`: neither is under the CRC.
    next: Offset,
    below: Offset,
}

impl BatchReader {
    /// Over these bytes, which begin with a batch, of a segment with these offsets.
    pub(super) fn new(
        file: Arc<dyn DiskFile>,
        path: PathBuf,
        positions: Range<u64>,
        offsets: Range<Offset>,
        window_bytes: usize,
    ) -> Self {
        let Range { start: position, end } = positions;
        let Range { start: next, end: below } = offsets;
        Self { file, path, position, end, window: Bytes::new(), window_bytes, next, below }
    }

    /// Where the next batch begins.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The next batch and the bytes that were read from the file for it; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(BatchHeader, Bytes, u64)>, StorageError> {
        if self.position >= self.end {
            return Ok(None);
        }
        let mut read = 0;
        if self.window.len() < HEADER_BYTES {
            read += self.fill(self.window_bytes)?;
        }
        let header = BatchHeader::parse(&self.window).map_err(|error| self.malformed(&error.to_string()))?;
        let size = header.size();
        if size as u64 > self.end - self.position {
            return Err(self.malformed(&format!("it would take {size} bytes")));
        }
        if self.window.len() < size {
            read += self.fill(size.max(self.window_bytes))?;
        }
        if self.window.len() < size {
            return Err(self.malformed("the file ends inside it"));
        }
        let last = header.last_offset();
        if header.base_offset < self.next || header.last_offset_delta < 0 || last >= self.below {
            let reason = format!(
                "offsets {} to {last} are not between {} and {}",
                header.base_offset, self.next, self.below
            );
            return Err(self.malformed(&reason));
        }
        self.next = last.next();
        self.position += size as u64;
        Ok(Some((header, self.window.split_to(size), read)))
    }

    /// Reads up to `bytes` from the present position.
    fn fill(&mut self, bytes: usize) -> Result<u64, StorageError> {
        let wanted = usize::try_from(self.end - self.position).unwrap_or(usize::MAX).min(bytes);
        let mut window = Vec::with_capacity(wanted);
        // The old window goes first: there is never more than one.
        self.window = Bytes::new();
        self.file
            .read_at(&mut window, self.position, wanted)
            .map_err(|error| StorageError::fatal("read", &self.path, error))?;
        self.window = window.into();
        Ok(self.window.len() as u64)
    }

    fn malformed(&self, reason: &str) -> StorageError {
        let reason = format!("no batch at byte {}: {reason}", self.position);
        StorageError::Malformed { path: self.path.clone(), reason }
    }
}
