//! Transactions that nobody ends any more.
//!
//! What a crash has taken of a transaction's beginning, a partition's log tells ([`super::lost`]). A log that could not be
//! opened at the start may tell of it too late: the id has gone on to another epoch, and of what is open under the earlier
//! one it knows nothing. Such a transaction was *left behind*, and is aborted as soon as its log is open.

use super::lost::OpenTransactions;
use super::record::{Partitions, Status, Value};
use super::transaction::BUMPS_EPOCHS;
use super::{Marker, ProducerIdAndEpoch};
use std::collections::BTreeSet;

/// What the ids of a shard have left behind, until it is ended.
#[derive(Debug, Default)]
pub(super) struct LeftBehind {
    /// What the shell does not have yet.
    waiting: Vec<Marker>,
    /// That, and all that is not written yet.
    ending: BTreeSet<Place>,
}

/// Producer id, the end's epoch, topic and partition.
type Place = (i64, i16, String, i32);

impl LeftBehind {
    /// Notes what an id has left behind of `open`, each once.
    pub(super) fn note(&mut self, transactional_id: &str, value: &Value, open: &OpenTransactions) {
        for mut marker in left_behind(transactional_id, value, open) {
            let (id, epoch) = (marker.producer_id, marker.producer_epoch);
            marker.partitions.retain(|topic, indexes| {
                indexes.retain(|index| self.ending.insert((id, epoch, topic.clone(), *index)));
                !indexes.is_empty()
            });
            if !marker.partitions.is_empty() {
                self.waiting.push(marker);
            }
        }
    }

    /// The ends that are to be written, which the shell is given once.
    pub(super) fn take(&mut self) -> Vec<Marker> {
        std::mem::take(&mut self.waiting)
    }

    /// An end is written in these partitions.
    pub(super) fn ended(&mut self, marker: &Marker, partitions: &Partitions) {
        let (id, epoch) = (marker.producer_id, marker.producer_epoch);
        for (topic, indexes) in partitions {
            for index in indexes {
                self.ending.remove(&(id, epoch, topic.clone(), *index));
            }
        }
    }
}

/// Transactions of `open` that the id has left behind: it is past their epoch, and no end of its own is on the way to them.
/// What it knew of was ended everywhere before it went on, so these it never knew of, and nobody was told of their records.
///
/// Each is aborted under the epoch that follows its own: the lowest that ends it, so that no epoch is fenced which the id
/// still has. A log that has that epoch already, or a later one, has the end.
fn left_behind(transactional_id: &str, value: &Value, open: &OpenTransactions) -> Vec<Marker> {
    if matches!(value.status, Status::Dead | Status::PrepareEpochFence) {
        return Vec::new();
    }
    let mut markers = Vec::new();
    // An id that has another producer id now is past all epochs of the one before.
    let past = ProducerIdAndEpoch { producer_id: value.previous_producer_id, producer_epoch: i16::MAX };
    let past = Some(past).filter(|past| past.producer_id >= 0 && past.producer_id != value.producer_id);
    for producer in past.into_iter().chain([value.producer()]) {
        for (epoch, partitions) in open.before(producer) {
            let mut partitions = partitions.clone();
            if producer == value.producer() {
                partitions.retain(|topic, indexes| {
                    indexes.retain(|index| !is_being_ended(value, epoch, topic, *index));
                    !indexes.is_empty()
                });
            }
            if partitions.is_empty() {
                continue;
            }
            markers.push(Marker {
                transactional_id: transactional_id.to_owned(),
                producer_id: producer.producer_id,
                producer_epoch: epoch.saturating_add(1),
                commit: false,
                transaction_version: BUMPS_EPOCHS,
                round: LEFT_BEHIND,
                partitions,
            });
        }
    }
    markers
}

/// Whether the end that is being written there is one for what is open under `epoch`. A commit is for its own transaction only,
/// whose records may have the epoch before: whether they do is not written down at `transaction.version` 0, and a commit that
/// was promised must not be taken for another's.
fn is_being_ended(value: &Value, epoch: i16, topic: &str, index: i32) -> bool {
    let is_there =
        value.is_prepared() && value.partitions.get(topic).is_some_and(|indexes| indexes.contains(&index));
    is_there && (value.status == Status::PrepareAbort || epoch >= value.producer_epoch.saturating_sub(1))
}

/// [`Marker::round`] of what was left behind: the shard numbers its own ends from 1.
pub(super) const LEFT_BEHIND: u64 = 0;

#[cfg(test)]
#[path = "tests/behind.rs"]
mod tests;
