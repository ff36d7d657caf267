//! Rounds of the directory's journal: many partitions with a few small batches each, made durable by one write.
//!
//! A round takes every partition that somebody waits for. What is too large for the journal, or may not go there, gets a
//! sync of its own beside it. Partitions that came by way of the journal are *settled*, which is a sync of their own
//! files, when they have been quiet for a while, when they have been busy for as long, or when the journal's other file has
//! been begun.
//!
//! So what is durable is settled a few seconds later, and a file of the journal is used again as soon as it is needed. Where
//! the disk is too slow for that, or a partition cannot be settled, partitions are synced on their own until it can: the
//! journal's two files never grow beyond their size.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use storage::journal::Round;
use storage::{Journal, JournalTarget, StorageError};

use super::handle::Partition;

/// Most bytes of one partition that go through the journal at once: more is written twice for too little.
pub(super) const JOURNAL_BYTES_MAX: u64 = 64 << 10;

/// The journal of one log directory, and who has appends in it.
#[derive(Debug)]
pub(super) struct Journaling {
    journal: Journal,
    round: Round,
    /// By file of the journal: whose own files may lack what is in it.
    unsettled: [Vec<Arc<Partition>>; 2],
    /// Who is to be settled now.
    hurry: Vec<Arc<Partition>>,
}

/// What a partition brings into a round.
#[derive(Debug)]
pub(super) enum Staged {
    /// Nothing: all of it is durable.
    Nothing,
    /// It is in the round.
    InRound(InRound),
    /// It needs a sync of its own.
    Alone,
}

/// What becomes durable with a round.
#[derive(Debug)]
pub(super) struct InRound {
    pub target: JournalTarget,
    /// Bytes of the partition then.
    pub bytes: u64,
}

/// Where a partition stands with the journal.
#[derive(Debug)]
pub(super) struct JournalMarks {
    /// By file: where the newest append ends that is in it.
    ends: [AtomicI64; 2],
    /// The last lap of the journal that it is listed for.
    lap: AtomicU64,
    /// Its next sync is to be one of its own files.
    is_due: AtomicBool,
    /// And so is any from then on: a while after the first append that went into the journal since its last. A leaf lock.
    settle_by: Mutex<Option<Duration>>,
}

impl Default for JournalMarks {
    fn default() -> Self {
        Self {
            ends: [AtomicI64::new(0), AtomicI64::new(0)],
            lap: AtomicU64::new(0),
            is_due: AtomicBool::new(false),
            settle_by: Mutex::new(None),
        }
    }
}

impl JournalMarks {
    /// Whether somebody has asked for its own files to be synced.
    pub(super) fn is_due(&self) -> bool {
        self.is_due.load(Ordering::SeqCst)
    }

    /// Whether its own files are to be synced now.
    pub(super) fn is_due_at(&self, now: Duration) -> bool {
        self.is_due() || self.settle_by.lock().is_some_and(|by| by <= now)
    }

    pub(super) fn set_due(&self) {
        self.is_due.store(true, Ordering::SeqCst);
    }

    /// When it is to be settled: by then, or earlier if there was something to settle before.
    pub(super) fn settle_by(&self, by: Duration) -> Duration {
        *self.settle_by.lock().get_or_insert(by)
    }

    /// Its own files are being synced, with all that is in the journal.
    pub(super) fn settles(&self) {
        self.is_due.store(false, Ordering::SeqCst);
        *self.settle_by.lock() = None;
    }
}

impl Journaling {
    pub(super) fn new(journal: Journal) -> Self {
        Self { journal, round: Round::new(), unsettled: [Vec::new(), Vec::new()], hurry: Vec::new() }
    }

    /// An empty round, to be filled.
    pub(super) fn begin(&mut self) -> &mut Round {
        self.round.clear();
        &mut self.round
    }

    /// Bytes of the round.
    pub(super) fn round_bytes(&self) -> u64 {
        self.round.len() as u64
    }

    /// Makes the round durable. False when the journal cannot take it now: each partition then needs its own sync.
    pub(super) fn write(&mut self, staged: &[(Arc<Partition>, InRound)]) -> Result<bool, StorageError> {
        if !self.journal.has_room_for(&self.round) && !self.turn() {
            return Ok(false);
        }
        match self.journal.write(&mut self.round) {
            Err(error) if error.is_passing() => {
                tracing::debug!("the journal is left out: {error}");
                return Ok(false);
            }
            result => result?,
        }
        let (file, lap) = (self.journal.current(), self.journal.lap());
        for (partition, in_round) in staged {
            let marks = partition.journal_marks();
            marks.ends[file].store(in_round.target.end().value(), Ordering::SeqCst);
            if marks.lap.swap(lap, Ordering::SeqCst) != lap {
                self.unsettled[file].push(Arc::clone(partition));
            }
        }
        Ok(true)
    }

    /// Who is to be settled now, once.
    pub(super) fn take_hurried(&mut self) -> Vec<Arc<Partition>> {
        std::mem::take(&mut self.hurry)
    }

    /// Goes on in the other file, if everything that is in there is settled, and has what is in this one settled until
    /// that is full.
    fn turn(&mut self) -> bool {
        let this = self.journal.current();
        let other = 1 - this;
        self.unsettled[other].retain(|partition| !is_settled(partition, other));
        if !self.unsettled[other].is_empty() {
            self.hurry.extend(self.unsettled[other].iter().cloned());
            return false;
        }
        self.journal.turn();
        self.hurry.extend(self.unsettled[this].iter().cloned());
        true
    }
}

/// Whether everything of the partition that is in a file of the journal is on disk in its own files.
fn is_settled(partition: &Partition, file: usize) -> bool {
    let end = partition.journal_marks().ends[file].load(Ordering::SeqCst);
    // A partition that is gone needs it no more.
    partition.with_log(|log| log.settled_offset().value() >= end).unwrap_or(true)
}
