//! Which producers are just asking their coordinator whether a transaction may write here (KIP-890;
//! `VerificationStateEntry`, `VerificationGuard`).
//!
//! Between the question and the append an abort may come. It takes the entry away, so the answer, which was right when it
//! was given, opens nothing any more. Guards are never given out twice: one of an earlier question does not fit a later.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

use model::{ProducerEpoch, ProducerId};

/// Proof that a batch was about to be verified when nothing had ended its transaction; see
/// [`PartitionLog::begin_verification`](crate::PartitionLog::begin_verification).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerificationGuard(NonZeroU64);

/// The batch that is about to be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerificationStart {
    /// Whose it is.
    pub producer_id: ProducerId,
    /// In which epoch.
    pub producer_epoch: ProducerEpoch,
    /// Its first sequence; -1 for batches of coordinators, which have none.
    pub base_sequence: i32,
    /// Whether the client speaks KIP-890's protocol, in which every transaction has an epoch of its own.
    pub supports_epoch_bump: bool,
}

/// What has been appended to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// Records of the producer.
    Batch,
    /// A marker; whether its epoch is above that of the records it ends.
    End { bumps: bool },
}

/// The open questions of one log.
#[derive(Debug, Default)]
pub(crate) struct Verifications {
    entries: BTreeMap<ProducerId, Verification>,
}

/// Of all logs, so that a guard means nothing to a log that was opened since.
static GUARDS_GIVEN: AtomicU64 = AtomicU64::new(0);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Verification {
    guard: VerificationGuard,
    since_ms: i64,
    pub(crate) epoch: ProducerEpoch,
    /// The lowest sequence of this epoch that has asked. Should its batch fail in a way that is tried again, a later one
    /// must not get in before it: it would never be accepted any more.
    pub(crate) lowest_sequence: i32,
    pub(crate) supports_epoch_bump: bool,
}

impl Verifications {
    pub(crate) fn begin(&mut self, start: &VerificationStart, wall_ms: i64) -> VerificationGuard {
        if let Some(entry) = self.entries.get_mut(&start.producer_id) {
            entry.note(start);
            return entry.guard;
        }
        if self.entries.len() >= ENTRIES_MAX {
            self.forget_oldest();
        }
        let given = GUARDS_GIVEN.fetch_add(1, Ordering::Relaxed);
        let guard = VerificationGuard(NonZeroU64::MIN.saturating_add(given));
        let entry = Verification {
            guard,
            since_ms: wall_ms,
            epoch: start.producer_epoch,
            lowest_sequence: start.base_sequence,
            supports_epoch_bump: start.supports_epoch_bump,
        };
        self.entries.insert(start.producer_id, entry);
        guard
    }

    pub(crate) fn of(&self, producer_id: ProducerId) -> Option<&Verification> {
        // Nearly every producer has none open, and most logs never have any.
        if self.entries.is_empty() { None } else { self.entries.get(&producer_id) }
    }

    /// Whether a batch that brings `guard` was verified and nothing has ended its transaction since.
    pub(crate) fn admits(&self, producer_id: ProducerId, guard: Option<VerificationGuard>) -> bool {
        guard.is_some_and(|guard| self.of(producer_id).is_some_and(|entry| entry.guard == guard))
    }

    /// A transactional batch of the producer, or a marker, is in the log: what was asked is settled. Only the end of a
    /// transaction of KIP-890 leaves the question of the next one, which has the marker's epoch, alone. One whose epoch
    /// is above that of what it ends leaves those of yet later epochs too: it is for what was left behind.
    pub(crate) fn settle(&mut self, producer_id: ProducerId, epoch: ProducerEpoch, by: Settled) {
        let is_next = |entry: &Verification| match by {
            Settled::Batch => false,
            Settled::End { bumps } => {
                entry.supports_epoch_bump && entry.epoch == epoch || bumps && entry.epoch > epoch
            }
        };
        if !self.of(producer_id).is_none_or(is_next) {
            self.entries.remove(&producer_id);
        }
    }

    /// Forgets questions that nobody has come back from.
    pub(crate) fn expire(&mut self, aging_ms: i64, expiration_ms: i64) {
        self.entries.retain(|_, entry| aging_ms.saturating_sub(entry.since_ms) < expiration_ms);
    }

    fn forget_oldest(&mut self) {
        let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.guard.0).map(|(id, _)| *id);
        oldest.and_then(|id| self.entries.remove(&id));
    }
}

impl Verification {
    /// A lower sequence of the epoch, or a higher epoch, is what the next append is measured by.
    fn note(&mut self, start: &VerificationStart) {
        if start.producer_epoch == self.epoch {
            self.lowest_sequence = self.lowest_sequence.min(start.base_sequence);
        } else if start.producer_epoch > self.epoch {
            self.epoch = start.producer_epoch;
            self.lowest_sequence = start.base_sequence;
            self.supports_epoch_bump = start.supports_epoch_bump;
        }
    }
}

/// Questions remembered per log. They are as many as producers that begin a transaction at the same moment, but anybody
/// may ask for producers that do not exist; whose question is forgotten asks again.
const ENTRIES_MAX: usize = 10_000;
