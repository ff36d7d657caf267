//! Steps from batch to batch of a segment, reading headers only.

use std::path::PathBuf;
use std::sync::Arc;

use model::BatchHeader;
use model::batch::HEADER_BYTES;

use super::LocatedBatch;
use crate::disk::{Access, DiskFile, read_at};
use crate::error::StorageError;

/// Reads headers in blocks, so that small batches do not cost a call each. Ends at `end`, and with an error at bytes
/// that are not a batch: outside of recovery, every byte below the end is one of a whole batch.
#[derive(Debug)]
pub(crate) struct HeaderWalk {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    access: Access,
    position: u64,
    end: u64,
    block: Vec<u8>,
    block_position: u64,
    failed: bool,
}

/// One read: some headers of small batches, and not much more than needed for large ones.
const BLOCK_BYTES: usize = 4096;

impl HeaderWalk {
    pub(crate) fn new(file: Arc<dyn DiskFile>, path: PathBuf, position: u64, end: u64) -> Self {
        let (block, block_position) = (Vec::new(), 0);
        Self { file, path, access: Access::Disk, position, end, block, block_position, failed: false }
    }

    /// The same walk, where its reads may wait for no more than this.
    pub(crate) fn with_access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    fn header(&mut self) -> Result<BatchHeader, StorageError> {
        let within = self.position.checked_sub(self.block_position).map(|at| at as usize);
        if let Some(bytes) = within.and_then(|at| self.block.get(at..at + HEADER_BYTES)) {
            return self.parse(bytes);
        }
        self.block.clear();
        self.block_position = self.position;
        let len = (self.end - self.position).min(BLOCK_BYTES as u64) as usize;
        read_at(&*self.file, self.access, &mut self.block, self.position, len)
            .map_err(|error| StorageError::fatal("read", &self.path, error))?;
        self.parse(&self.block)
    }

    fn parse(&self, bytes: &[u8]) -> Result<BatchHeader, StorageError> {
        let malformed = |reason: String| StorageError::Malformed {
            path: self.path.clone(),
            reason: format!("no batch at byte {}: {reason}", self.position),
        };
        let header = BatchHeader::parse(bytes).map_err(|error| malformed(error.to_string()))?;
        let left = self.end - self.position;
        if header.size() as u64 > left {
            return Err(malformed(format!("it would take {} bytes and {left} are left", header.size())));
        }
        Ok(header)
    }
}

impl Iterator for HeaderWalk {
    type Item = Result<LocatedBatch, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.position >= self.end {
            return None;
        }
        let header = self.header();
        self.failed = header.is_err();
        Some(header.map(|header| {
            let position = self.position;
            self.position += header.size() as u64;
            LocatedBatch { position, header }
        }))
    }
}
