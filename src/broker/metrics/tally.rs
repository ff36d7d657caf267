//! What is counted of single partitions and of syncs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::ErrorCode;

use super::histogram::{Counts, Histogram};

/// What a partition's readers and refusals count; appends are counted under the log's lock, where they are made.
#[derive(Debug, Default)]
pub struct Tally {
    fetches: AtomicU64,
    bytes_out: AtomicU64,
    failed_fetches: AtomicU64,
    failed_produces: AtomicU64,
}

impl Tally {
    /// A fetch was answered with so many bytes of records, or an error.
    pub fn fetch_answered(&self, error: ErrorCode, bytes: usize) {
        if !error.is_none() {
            self.failed_fetches.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.fetches.fetch_add(1, Ordering::Relaxed);
        if bytes > 0 {
            self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    /// Records were refused.
    pub fn produce_failed(&self) {
        self.failed_produces.fetch_add(1, Ordering::Relaxed);
    }

    /// All of it, without what the log itself counts.
    pub fn traffic(&self) -> Traffic {
        let failed_fetches = self.failed_fetches.load(Ordering::Relaxed);
        let failed_produces = self.failed_produces.load(Ordering::Relaxed);
        Traffic {
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
            fetches: self.fetches.load(Ordering::Relaxed) + failed_fetches,
            produces: failed_produces,
            failed_fetches,
            failed_produces,
            ..Traffic::default()
        }
    }
}

/// What went into partitions and came out of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Traffic {
    pub records_in: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Failed ones included.
    pub produces: u64,
    /// Failed ones included.
    pub fetches: u64,
    pub failed_produces: u64,
    pub failed_fetches: u64,
}

impl Traffic {
    /// Takes in another's.
    pub fn add(&mut self, other: &Self) {
        self.records_in += other.records_in;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.produces += other.produces;
        self.fetches += other.fetches;
        self.failed_produces += other.failed_produces;
        self.failed_fetches += other.failed_fetches;
    }
}

/// The syncs of a log directory. Each takes longer than all that is counted of it.
#[derive(Debug, Default)]
pub struct SyncTally {
    /// Microseconds of rounds of the journal.
    rounds: Histogram,
    /// Microseconds of syncs of single logs.
    alone: Histogram,
    /// Of rounds.
    partitions: Histogram,
    /// Of both.
    records: Histogram,
    journal_bytes: AtomicU64,
}

/// What syncs have come to.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Syncs {
    pub rounds: Counts,
    pub alone: Counts,
    pub partitions: Counts,
    pub records: Counts,
    pub journal_bytes: u64,
}

impl SyncTally {
    /// A round of the journal made so many records durable.
    pub fn round(&self, took: Duration, partitions: usize, records: u64, bytes: u64) {
        self.rounds.add(micros(took));
        self.partitions.add(partitions as u64);
        self.records.add(records);
        self.journal_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The files of one log were synced.
    pub fn alone(&self, took: Duration, records: u64) {
        self.alone.add(micros(took));
        self.records.add(records);
    }

    /// Adds what was counted so far to a sum.
    pub fn add_to(&self, syncs: &mut Syncs) {
        self.rounds.add_to(&mut syncs.rounds);
        self.alone.add_to(&mut syncs.alone);
        self.partitions.add_to(&mut syncs.partitions);
        self.records.add_to(&mut syncs.records);
        syncs.journal_bytes += self.journal_bytes.load(Ordering::Relaxed);
    }
}

/// At least one: something happened.
fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1)
}
