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

    /// Counts `bytes` until they and all their slices are dropped.
    pub fn hold(&self, bytes: Bytes) -> Bytes {
        self.used.fetch_add(bytes.len(), Ordering::Relaxed);
        Bytes::from_owner(Held { bytes, used: Arc::clone(&self.used) })
    }
}

struct Held {
    bytes: Bytes,
    used: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_get_smaller_and_memory_comes_back() {
        let memory = FetchMemory::new(16 * ANSWER_BYTES_MIN);
        assert_eq!(memory.room(), 8 * ANSWER_BYTES_MIN);
        let held = memory.hold(vec![0; 12 * ANSWER_BYTES_MIN].into());
        assert_eq!(memory.room(), 2 * ANSWER_BYTES_MIN);
        let slice = held.slice(..10);
        drop(held);
        assert_eq!(memory.used(), 12 * ANSWER_BYTES_MIN, "a slice keeps all of it");
        let more = memory.hold(vec![0; 8 * ANSWER_BYTES_MIN].into());
        assert_eq!(memory.room(), ANSWER_BYTES_MIN, "a little is left in any case");
        drop((slice, more));
        assert_eq!(memory.used(), 0);
    }
}
