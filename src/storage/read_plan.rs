//! What a read will take from which file: made under the log's lock, carried out without it.

use std::sync::Arc;

use bytes::Bytes;
use model::Offset;

use crate::disk::{DiskFile, read_exact_at};
use crate::error::StorageError;
use crate::names::{Home, LOG};

/// One range of one segment file: whole batches, except that a read which asks for less than its first batch without
/// `min_one_batch` is empty. Owned; stays readable while segments are deleted. A truncation below its end makes
/// [`ReadPlan::read`] fail.
#[derive(Clone, Debug)]
pub struct ReadPlan {
    /// `None` when there is nothing to read.
    range: Option<ReadRange>,
    next: Option<ReadHint>,
}

/// Bytes of a segment file.
#[derive(Clone, Debug)]
pub struct ReadRange {
    /// The segment file.
    pub file: Arc<dyn DiskFile>,
    /// Where the first batch begins.
    pub position: u64,
    /// Bytes to read.
    pub len: usize,
    home: Home,
    segment: Offset,
}

/// Where the batch with an offset begins, learnt from the read before: with it, a sequential read looks nothing up.
/// A hint that the log has outgrown is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadHint {
    pub(crate) offset: Offset,
    pub(crate) segment: Offset,
    pub(crate) position: u64,
    /// Positions do not outlive a truncation.
    pub(crate) generation: u64,
}

impl ReadHint {
    /// The offset that the hint is for.
    pub fn offset(&self) -> Offset {
        self.offset
    }
}

impl ReadPlan {
    pub(crate) fn empty(next: Option<ReadHint>) -> Self {
        Self { range: None, next }
    }

    pub(crate) fn new(range: ReadRange, next: Option<ReadHint>) -> Self {
        Self { range: Some(range), next }
    }

    /// Bytes that the read takes.
    pub fn len(&self) -> usize {
        self.range.as_ref().map_or(0, |range| range.len)
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ranges, in the order of their offsets.
    pub fn ranges(&self) -> &[ReadRange] {
        self.range.as_slice()
    }

    /// Offset that follows the last batch of the read, with its place; `None` when it is not known yet.
    pub fn next(&self) -> Option<ReadHint> {
        self.next
    }

    /// Reads the batches.
    pub fn read(&self) -> Result<Bytes, StorageError> {
        match &self.range {
            None => Ok(Bytes::new()),
            Some(range) => range.read().map(Bytes::from),
        }
    }
}

impl ReadRange {
    pub(crate) fn new(
        file: Arc<dyn DiskFile>,
        home: &Home,
        segment: Offset,
        positions: std::ops::Range<u64>,
    ) -> Self {
        let len = (positions.end - positions.start) as usize;
        Self { file, position: positions.start, len, home: home.clone(), segment }
    }

    fn read(&self) -> Result<Vec<u8>, StorageError> {
        read_exact_at(&*self.file, self.position, self.len)
            .map_err(|error| StorageError::fatal("read", &self.home.path(self.segment, LOG), error))
    }
}
