//! The bytes of fetched records that wait in memory for their clients to read them, over all connections.
//!
//! A client decides how much it asks for and how slowly it reads, so neither may decide how much memory it takes. An
//! answer may use half of what is left, and a little in any case: with many slow readers answers get smaller, which
//! the protocol allows, and nobody is refused. The bytes give their share back when the last of them is dropped,
//! wherever that is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// What an answer may hold even when nothing is left: the default size of a partition's part.
const ANSWER_BYTES_MIN: usize = 1024 * 1024;

/// See the [module](self). Cheap to clone.
#[derive(Clone, Debug)]
pub struct FetchMemory {
    total: usize,
    used: Arc<AtomicUsize>,
}

impl FetchMemory {
    /// Memory of `total` bytes, of which nothing is used.
    pub fn new(total: usize) -> Self {
        Self { total, used: Arc::new(AtomicUsize::new(0)) }
    }

    /// Most bytes of records that the next answer should hold. Two answers at once may both get this much: the
    /// overshoot is at most what the network threads do at a time.
    pub fn room(&self) -> usize {
        (self.total.saturating_sub(self.used()) / 2).max(ANSWER_BYTES_MIN)
    }

    /// Bytes held now.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Counts `len` bytes until the answer, or the bytes that it [holds](Share::hold), are dropped.
    pub fn take(&self, len: usize) -> Share {
        self.used.fetch_add(len, Ordering::Relaxed);
        Share { len, used: Arc::clone(&self.used) }
    }
}

/// A part of the memory.
#[derive(Debug)]
pub struct Share {
    len: usize,
    used: Arc<AtomicUsize>,
}

impl Share {
    /// Keeps the share, made as large as `bytes`, for as long as they or one of their slices live.
    pub fn hold(mut self, bytes: Bytes) -> Bytes {
        // Most reads bring what was planned.
        if self.len != bytes.len() {
            self.used.fetch_add(bytes.len(), Ordering::Relaxed);
            self.used.fetch_sub(self.len, Ordering::Relaxed);
            self.len = bytes.len();
        }
        Bytes::from_owner(Held { bytes, _share: self })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.used.fetch_sub(self.len, Ordering::Relaxed);
    }
}

struct Held {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_get_smaller_and_memory_comes_back() {
        let memory = FetchMemory::new(16 * ANSWER_BYTES_MIN);
        assert_eq!(memory.room(), 8 * ANSWER_BYTES_MIN);
        let held = memory.take(ANSWER_BYTES_MIN).hold(vec![0; 12 * ANSWER_BYTES_MIN].into());
        assert_eq!(memory.room(), 2 * ANSWER_BYTES_MIN);
        let slice = held.slice(..10);
        drop(held);
        assert_eq!(memory.used(), 12 * ANSWER_BYTES_MIN, "a slice keeps all of it");
        let more = memory.take(8 * ANSWER_BYTES_MIN);
        assert_eq!(memory.room(), ANSWER_BYTES_MIN, "a little is left in any case");
        drop((slice, more));
        assert_eq!(memory.used(), 0);
    }
}
