//! What was appended last, in memory: a round of the journal that takes it need not read it back.

/// Most bytes that are kept of one log. What is more is read back from the page cache.
const BYTES_MAX: usize = 4096;

/// Bytes behind each other at one place of a segment, as they were written there.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    segment_id: u64,
    position: u64,
    bytes: Vec<u8>,
    /// There was more than is kept: nothing is, until the next [`Tail::take`].
    is_over: bool,
}

impl Tail {
    /// Notes what was written at `position`.
    pub(crate) fn note(&mut self, segment_id: u64, position: u64, parts: [&[u8]; 2]) {
        if self.is_over {
            return;
        }
        let end = self.position + self.bytes.len() as u64;
        if self.bytes.is_empty() || (self.segment_id, end) != (segment_id, position) {
            (self.segment_id, self.position) = (segment_id, position);
            self.bytes.clear();
        }
        let size = parts.iter().map(|part| part.len()).sum::<usize>();
        if self.bytes.len() + size > BYTES_MAX {
            self.bytes = Vec::new();
            self.is_over = true;
            return;
        }
        self.bytes.reserve(size);
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
    }

    /// Gives out the `len` bytes from `position` on, where they are the last that were written; none when they are not
    /// kept. What is written from now on is another tail.
    pub(crate) fn take(&mut self, segment_id: u64, position: u64, len: usize) -> Option<Vec<u8>> {
        let Self { segment_id: id, position: start, mut bytes, .. } = std::mem::take(self);
        // Older bytes may be durable by another way.
        let older = usize::try_from(position.checked_sub(start)?).ok()?;
        if id != segment_id || older.checked_add(len)? != bytes.len() {
            return None;
        }
        bytes.drain(..older);
        Some(bytes)
    }

    /// Nothing that was written so far goes through the journal.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(parts: &[(u64, u64, &[u8])]) -> Tail {
        let mut tail = Tail::default();
        for &(segment, position, bytes) in parts {
            tail.note(segment, position, [&[], bytes]);
        }
        tail
    }

    #[test]
    fn what_was_written_last_is_given_out_once() {
        let mut kept = tail(&[(1, 10, b"ab"), (1, 12, b"cd")]);
        assert_eq!(kept.take(1, 10, 4).unwrap(), b"abcd");
        assert_eq!(kept.take(1, 10, 4), None);
        kept.note(1, 14, [b"e", b"f"]);
        assert_eq!(kept.take(1, 14, 2).unwrap(), b"ef");
    }

    #[test]
    fn its_start_may_be_durable_already() {
        assert_eq!(tail(&[(1, 10, b"abcd")]).take(1, 12, 2).unwrap(), b"cd");
    }

    #[test]
    fn only_whole_tails_of_the_segment_are_given_out() {
        let kept = || tail(&[(1, 10, b"abcd")]);
        assert_eq!(kept().take(2, 10, 4), None, "of another segment");
        assert_eq!(kept().take(1, 9, 5), None, "it begins later");
        assert_eq!(kept().take(1, 10, 3), None, "something came behind it");
        assert_eq!(kept().take(1, 10, 5), None, "something came behind it that is not kept");
        assert_eq!(kept().take(1, 15, 0), None);
    }

    #[test]
    fn a_gap_begins_another() {
        let mut kept = tail(&[(1, 10, b"ab"), (1, 13, b"cd")]);
        assert_eq!(kept.take(1, 13, 2).unwrap(), b"cd");
        let mut kept = tail(&[(1, 10, b"ab"), (2, 12, b"cd")]);
        assert_eq!(kept.take(2, 12, 2).unwrap(), b"cd");
    }

    #[test]
    fn too_much_is_not_kept_before_all_of_it_was_asked_for() {
        let large = [7; BYTES_MAX + 1];
        let mut kept = tail(&[(1, 0, b"a"), (1, 1, &large), (1, 2 + BYTES_MAX as u64, b"b")]);
        assert!(kept.bytes.is_empty());
        assert_eq!(kept.take(1, 2 + BYTES_MAX as u64, 1), None);
        kept.note(1, 9_000, [b"c", b""]);
        kept.forget();
        kept.note(1, 9_001, [b"d", b""]);
        assert_eq!(kept.take(1, 9_001, 1).unwrap(), b"d");
    }
}
