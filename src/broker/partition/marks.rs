//! The offsets of a partition that readers see without its lock.

use std::sync::atomic::{AtomicI64, Ordering};

use model::Offset;

/// Offsets as one moment showed them: log start ≤ last stable ≤ high watermark ≤ log end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offsets {
    /// First offset that may be read.
    pub log_start: Offset,
    /// First offset of an open transaction, or the high watermark.
    pub last_stable: Offset,
    /// End of what consumers see: everything below is committed, that is durable on this one replica.
    pub high_watermark: Offset,
    /// Offset of the next record to come.
    pub log_end: Offset,
}

/// The published offsets. Each only ever grows; reading the smallest first keeps their order in what a reader
/// sees, whatever is published meanwhile.
#[derive(Debug)]
pub struct Marks {
    log_start: AtomicI64,
    last_stable: AtomicI64,
    high_watermark: AtomicI64,
    log_end: AtomicI64,
}

impl Marks {
    /// Marks of a log that was just opened.
    pub fn new(offsets: Offsets) -> Self {
        check(offsets);
        Self {
            log_start: AtomicI64::new(offsets.log_start.value()),
            last_stable: AtomicI64::new(offsets.last_stable.value()),
            high_watermark: AtomicI64::new(offsets.high_watermark.value()),
            log_end: AtomicI64::new(offsets.log_end.value()),
        }
    }

    /// All of them, in their order.
    pub fn load(&self) -> Offsets {
        let offsets = Offsets {
            log_start: Offset::new(self.log_start.load(Ordering::SeqCst)),
            last_stable: Offset::new(self.last_stable.load(Ordering::SeqCst)),
            high_watermark: self.high_watermark(),
            log_end: self.log_end(),
        };
        check(offsets);
        offsets
    }

    /// End of what consumers see.
    pub fn high_watermark(&self) -> Offset {
        Offset::new(self.high_watermark.load(Ordering::SeqCst))
    }

    /// Offset of the next record to come.
    pub fn log_end(&self) -> Offset {
        Offset::new(self.log_end.load(Ordering::SeqCst))
    }

    /// Publishes an append.
    pub fn raise_log_end(&self, log_end: Offset) {
        self.log_end.fetch_max(log_end.value(), Ordering::SeqCst);
    }

    /// Publishes a commit. Answers what is published now, which a later commit may have raised already.
    pub fn raise_committed(&self, last_stable: Offset, high_watermark: Offset) -> Offsets {
        assert!(last_stable <= high_watermark, "the last stable offset is at most the high watermark");
        assert!(high_watermark <= self.log_end(), "the high watermark is at most the log end");
        // The larger first, so that no reader sees them crossed.
        self.high_watermark.fetch_max(high_watermark.value(), Ordering::SeqCst);
        self.last_stable.fetch_max(last_stable.value(), Ordering::SeqCst);
        self.load()
    }

    /// Publishes a deletion of records.
    pub fn raise_log_start(&self, log_start: Offset) {
        assert!(log_start <= self.high_watermark(), "the log start is at most the high watermark");
        // An open transaction that began below the new start is not waited for below it.
        self.last_stable.fetch_max(log_start.value(), Ordering::SeqCst);
        self.log_start.fetch_max(log_start.value(), Ordering::SeqCst);
    }
}

fn check(offsets: Offsets) {
    assert!(
        offsets.log_start <= offsets.last_stable
            && offsets.last_stable <= offsets.high_watermark
            && offsets.high_watermark <= offsets.log_end,
        "offsets out of order: {offsets:?}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(log_start: i64, last_stable: i64, high_watermark: i64, log_end: i64) -> Marks {
        Marks::new(Offsets {
            log_start: Offset::new(log_start),
            last_stable: Offset::new(last_stable),
            high_watermark: Offset::new(high_watermark),
            log_end: Offset::new(log_end),
        })
    }

    #[test]
    fn offsets_only_grow() {
        let marks = marks(0, 5, 5, 9);
        let now = marks.raise_committed(Offset::new(7), Offset::new(9));
        assert_eq!(
            marks.raise_committed(Offset::new(6), Offset::new(8)),
            now,
            "an older commit changes nothing"
        );
        let ended = marks.raise_committed(Offset::new(9), Offset::new(9));
        assert_eq!((ended.last_stable, ended.high_watermark), (Offset::new(9), Offset::new(9)));
        marks.raise_log_start(Offset::new(4));
        marks.raise_log_start(Offset::new(2));
        assert_eq!(marks.load().log_start, Offset::new(4));
    }

    #[test]
    fn deleting_below_an_open_transaction_moves_the_last_stable_offset() {
        let marks = marks(0, 2, 9, 9);
        marks.raise_log_start(Offset::new(5));
        assert_eq!(marks.load().last_stable, Offset::new(5));
    }

    #[test]
    #[should_panic(expected = "at most the log end")]
    fn nothing_is_committed_beyond_the_log_end() {
        marks(0, 5, 5, 9).raise_committed(Offset::new(10), Offset::new(10));
    }

    #[test]
    fn readers_never_see_them_crossed() {
        let marks = marks(0, 0, 0, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for offset in (1..20_000).map(Offset::new) {
                    marks.raise_log_end(offset);
                    marks.raise_committed(offset, offset);
                    marks.raise_log_start(offset);
                }
            });
            while marks.load().log_start < Offset::new(19_999) {
                std::hint::spin_loop();
            }
        });
    }
}
