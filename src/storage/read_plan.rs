//! What a read will take from which file: made under the log's lock, carried out without it.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use model::batch::HEADER_BYTES;
use model::{BatchHeader, Offset};

use crate::disk::{Access, DiskFile};
use crate::error::StorageError;
use crate::names::{Home, LOG};

/// What a reader asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// The first batch is the one that holds this offset, or the next where compaction has removed it.
    pub offset: Offset,
    /// Most bytes.
    pub bytes_max: usize,
    /// Where the read ends: a batch boundary such as the high watermark.
    pub upper_bound: Offset,
    /// Whether the first batch comes however large it is.
    pub min_one_batch: bool,
}

/// One range of one segment file. Owned; stays readable while segments are deleted. A truncation below its end makes
/// the read fail.
///
/// Where the range does not end with a batch, what lies beyond the last whole one is cut off after the read: that
/// needs no look into the files while the log is locked.
#[derive(Clone, Debug)]
pub struct ReadPlan {
    /// `None` when there is nothing to read.
    range: Option<ReadRange>,
    /// Where the next read begins; known before this one is carried out if `cut` is `None`.
    next: Option<ReadHint>,
    cut: Option<ReadRequest>,
}

/// Bytes of a segment file.
#[derive(Clone, Debug)]
pub struct ReadRange {
    /// The segment file.
    pub file: Arc<dyn DiskFile>,
    /// Where the first batch begins.
    pub position: u64,
    /// Bytes to read, at most.
    pub len: usize,
    /// No byte from here on belongs to the read: the segment ends, or its upper bound is known to be here.
    end: u64,
    /// Whether it is so close to the log's end that it is in memory in all likelihood.
    is_recent: bool,
    home: Home,
    segment: Offset,
    segment_id: u64,
}

/// Where the batch with an offset begins, learnt from the read before: with it, a sequential read looks nothing up.
/// A hint that the log has outgrown is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadHint {
    pub(crate) offset: Offset,
    pub(crate) segment: Offset,
    /// Positions are those of this very segment.
    pub(crate) segment_id: u64,
    /// At most the segment's size.
    pub(crate) position: u64,
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batches {
    /// Whole batches.
    pub bytes: Bytes,
    /// Where the next read begins.
    pub next: Option<ReadHint>,
    /// Whether the read has found the place of its upper bound, which is `next` then.
    pub(crate) found_bound: bool,
    /// Whether `next` was not known before.
    pub is_news: bool,
}

/// A plan that is being carried out.
#[derive(Debug)]
pub struct BatchRead {
    plan: ReadPlan,
    done: Vec<u8>,
}

impl ReadHint {
    /// The offset that the hint is for.
    pub fn offset(&self) -> Offset {
        self.offset
    }
}

impl ReadPlan {
    pub(crate) fn empty(next: Option<ReadHint>) -> Self {
        Self { range: None, next, cut: None }
    }

    /// A read of exactly this range.
    pub(crate) fn exact(range: ReadRange, next: ReadHint) -> Self {
        Self { range: Some(range), next: Some(next), cut: None }
    }

    /// A read that ends with the last batch within the range and the request.
    pub(crate) fn cut(range: ReadRange, request: ReadRequest) -> Self {
        Self { range: Some(range), next: None, cut: Some(request) }
    }

    /// Most bytes that the read takes, but for a first batch that is larger.
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

    /// Whether it is known where the read ends, so that its range is exactly its batches.
    pub fn has_end(&self) -> bool {
        self.cut.is_none()
    }

    /// The request of a read whose end is not known, and its range.
    pub(crate) fn open_end(&self) -> Option<(&ReadRange, &ReadRequest)> {
        self.range.as_ref().zip(self.cut.as_ref())
    }

    /// Ends the read where `next` is.
    pub(crate) fn end_at(&mut self, next: ReadHint) {
        let Some(range) = &mut self.range else { return };
        assert!(
            range.position < next.position && next.position <= range.end,
            "a read ends behind a batch, before the end of its range"
        );
        range.len = (next.position - range.position) as usize;
        (self.next, self.cut) = (Some(next), None);
    }

    /// The range of a read [whose end is known](Self::has_end), for whoever sends it unread.
    pub fn range_to_send(&self) -> Option<ReadRange> {
        self.range.clone().filter(|_| self.cut.is_none())
    }

    /// Offset that follows the last batch of the read, with its place; `None` when it is not known yet.
    pub fn next(&self) -> Option<ReadHint> {
        self.next
    }

    /// Whether there is more below `upper_bound`, the request's, than the read takes.
    pub fn has_more(&self, upper_bound: Offset) -> bool {
        match (&self.range, &self.cut) {
            (Some(range), Some(_)) => range.end - range.position > range.len as u64,
            _ => self.next.is_some_and(|next| next.offset < upper_bound),
        }
    }

    /// The read, not begun.
    pub fn begin(self) -> BatchRead {
        BatchRead { plan: self, done: Vec::new() }
    }

    /// Reads the batches, however long the disk takes.
    pub fn read(self) -> Result<Batches, StorageError> {
        self.begin().run(Access::Disk)
    }
}

impl BatchRead {
    /// Reads the batches: once, but for an error that [would block](StorageError::would_block), after which it goes on
    /// where it stopped.
    pub fn run(&mut self, access: Access) -> Result<Batches, StorageError> {
        self.fill(access)?;
        self.finish()
    }

    /// Reads the range, and all of its first batch where that is larger.
    fn fill(&mut self, access: Access) -> Result<(), StorageError> {
        let Some(range) = &self.plan.range else { return Ok(()) };
        loop {
            let wanted = match &self.plan.cut {
                Some(request) if request.min_one_batch && self.done.len() >= HEADER_BYTES => {
                    range.len.max(range.header(&self.done)?.size())
                }
                _ => range.len,
            };
            let missing = wanted.saturating_sub(self.done.len());
            if missing == 0 {
                return Ok(());
            }
            let position = range.position + self.done.len() as u64;
            let read = range.read(access, &mut self.done, position, missing);
            read.map_err(|error| StorageError::fatal("read", &range.path(), error))?;
        }
    }

    /// Cuts off what does not belong to the read.
    fn finish(&mut self) -> Result<Batches, StorageError> {
        let (plan, mut done) = (&self.plan, std::mem::take(&mut self.done));
        let (Some(range), Some(request)) = (&plan.range, &plan.cut) else {
            let (bytes, next) = (Bytes::from(done), plan.next);
            return Ok(Batches { bytes, next, found_bound: false, is_news: false });
        };
        let (mut len, mut offset, mut found_bound) = (0, request.offset, false);
        while let Some(rest) = done.get(len..).filter(|rest| rest.len() >= HEADER_BYTES) {
            let header = range.header(rest)?;
            let end = len + header.size();
            found_bound = header.base_offset >= request.upper_bound;
            let is_too_large = end > request.bytes_max && !(len == 0 && request.min_one_batch);
            if found_bound || is_too_large || end > done.len() {
                break;
            }
            len = end;
            offset = header.last_offset().next();
        }
        done.truncate(len);
        let offset = if found_bound { request.upper_bound } else { offset };
        let next = ReadHint {
            offset,
            segment: range.segment,
            segment_id: range.segment_id,
            position: range.position + len as u64,
        };
        Ok(Batches { bytes: done.into(), next: Some(next), found_bound, is_news: true })
    }
}

impl ReadRange {
    /// A range of `len` bytes that begins where `start` says, of which `end` is the last that may be read.
    pub(crate) fn new(file: Arc<dyn DiskFile>, home: &Home, start: ReadHint, end: u64, len: usize) -> Self {
        Self {
            file,
            position: start.position,
            len,
            end,
            is_recent: false,
            home: home.clone(),
            segment: start.segment,
            segment_id: start.segment_id,
        }
    }

    /// Where its first batch begins, for an offset.
    pub(crate) fn hint(&self, offset: Offset, position: u64) -> ReadHint {
        ReadHint { offset, segment: self.segment, segment_id: self.segment_id, position }
    }

    /// No byte from here on belongs to the read.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Whether its file can send bytes to a socket, and nobody who has it send the first `len` of these waits for the disk.
    pub fn can_be_sent(&self, len: usize) -> bool {
        if self.file.as_fd().is_none() || len == 0 {
            return false;
        }
        match self.file.is_cached(self.position, len) {
            // What is being read just now is in the cache too, and comes in order.
            Ok(is_cached) => {
                is_cached && (self.is_recent || self.has_arrived(self.position + len as u64 - 1))
            }
            Err(_) => self.is_recent,
        }
    }

    fn has_arrived(&self, position: u64) -> bool {
        let mut byte = Vec::new();
        matches!(self.file.read_cached(&mut byte, position, 1), Ok(1))
    }

    /// Takes off the first `len` bytes, at most all.
    #[must_use]
    pub fn split_to(&mut self, len: usize) -> Self {
        let first = Self { len: len.min(self.len), ..self.clone() };
        self.position += first.len as u64;
        self.len -= first.len;
        first
    }

    /// Reads all of it, however long the disk takes.
    pub fn read_whole(&self) -> Result<Bytes, StorageError> {
        let mut bytes = Vec::new();
        self.read(Access::Disk, &mut bytes, self.position, self.len)
            .map_err(|error| StorageError::fatal("read", &self.path(), error))?;
        Ok(bytes.into())
    }

    /// The same range, which was written a short while ago, or was not.
    pub(crate) fn recent(self, is_recent: bool) -> Self {
        Self { is_recent, ..self }
    }

    /// Reads exactly `len` bytes; one that would block keeps what it got.
    fn read(&self, access: Access, out: &mut Vec<u8>, position: u64, len: usize) -> io::Result<()> {
        let (count, short) = match access {
            Access::Disk => (self.file.read_at(out, position, len)?, io::ErrorKind::UnexpectedEof),
            Access::Memory => match self.file.read_cached(out, position, len) {
                // Whether it waits is not to be known: what was written last hardly does.
                Err(error) if error.kind() == io::ErrorKind::Unsupported && self.is_recent => {
                    (self.file.read_at(out, position, len)?, io::ErrorKind::UnexpectedEof)
                }
                Err(error) if error.kind() == io::ErrorKind::Unsupported => (0, io::ErrorKind::WouldBlock),
                count => (count?, io::ErrorKind::WouldBlock),
            },
        };
        if count < len { Err(short.into()) } else { Ok(()) }
    }

    fn path(&self) -> std::path::PathBuf {
        self.home.path(self.segment, LOG)
    }

    fn header(&self, bytes: &[u8]) -> Result<BatchHeader, StorageError> {
        let malformed = |reason: String| StorageError::Malformed {
            path: self.path(),
            reason: format!("no batch in the read from byte {} on: {reason}", self.position),
        };
        let header = BatchHeader::parse(bytes).map_err(|error| malformed(error.to_string()))?;
        let left = self.end - self.position;
        if header.size() as u64 > left {
            return Err(malformed(format!("it would take {} bytes and {left} are left", header.size())));
        }
        Ok(header)
    }
}
