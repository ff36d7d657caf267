//! Transactions whose beginning a crash has taken back, while records of theirs are on disk.
//!
//! The first record of a transaction in a partition goes into that log as soon as the coordinator has *appended* the
//! partition, and both are made durable together; whoever wrote it is answered after both. So a loss of power may leave
//! the record and take the coordinator's word of it. The log that has the record then says as much: under an epoch that
//! nothing but one transaction can have, what is open is of that transaction. A shard that is loaded takes it for begun, as
//! if its own log said so ([`Shard::adopt`](super::Shard::adopt)); its producer goes on with it, or its timeout aborts it.
//! What a log tells of too late is in [`super::behind`].

use super::ProducerIdAndEpoch;
use super::record::{Partitions, Status, Value};
use super::transaction::BUMPS_EPOCHS;
use std::collections::BTreeMap;

/// Transactions that were open in partitions' logs when those were opened, by producer and epoch.
#[derive(Debug, Default)]
pub struct OpenTransactions(BTreeMap<(i64, i16), Partitions>);

impl OpenTransactions {
    /// Adds what a partition's log has open.
    pub fn add(&mut self, producer: ProducerIdAndEpoch, topic: &str, index: i32) {
        let of = self.0.entry((producer.producer_id, producer.producer_epoch)).or_default();
        of.entry(topic.to_owned()).or_default().insert(index);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds all that `other` has.
    pub fn extend(&mut self, other: &Self) {
        for (key, partitions) in &other.0 {
            let of = self.0.entry(*key).or_default();
            for (topic, indexes) in partitions {
                of.entry(topic.clone()).or_default().extend(indexes);
            }
        }
    }

    fn of(&self, producer: ProducerIdAndEpoch) -> Option<&Partitions> {
        self.0.get(&(producer.producer_id, producer.producer_epoch))
    }

    /// Those of epochs before that of `producer`.
    pub(super) fn before(&self, producer: ProducerIdAndEpoch) -> impl Iterator<Item = (i16, &Partitions)> {
        let (id, epoch) = (producer.producer_id, producer.producer_epoch.max(0));
        self.0.range((id, 0)..(id, epoch)).map(|((_, epoch), partitions)| (*epoch, partitions))
    }
}

/// What a transactional id's log lacks of its transaction.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// The transaction has these partitions too, or has begun with them.
    Now(Partitions),
    /// Its last one is complete, and the next has begun with these: both were lost.
    Next(Partitions),
}

/// What of `open` is a transaction's of this id, though its `value` does not say so. `own_epoch` is what
/// [`has_own_epoch`] says.
pub(super) fn lost(value: &Value, own_epoch: bool, open: &OpenTransactions) -> Option<Lost> {
    if !own_epoch {
        return None;
    }
    // The end that is being written is that of an epoch before.
    let holder = if value.is_prepared() { value.completed(0).producer() } else { value.producer() };
    let mut found = open.of(holder)?.clone();
    match value.status {
        Status::Empty | Status::CompleteCommit | Status::CompleteAbort => Some(Lost::Now(found)),
        Status::PrepareCommit | Status::PrepareAbort => Some(Lost::Next(found)),
        Status::Ongoing => {
            for (topic, indexes) in &value.partitions {
                if let Some(known) = found.get_mut(topic) {
                    known.retain(|index| !indexes.contains(index));
                }
            }
            found.retain(|_, indexes| !indexes.is_empty());
            (!found.is_empty()).then_some(Lost::Now(found))
        }
        Status::Dead | Status::PrepareEpochFence => None,
    }
}

/// Whether all that can be open under the value's epoch is of one transaction: the one that is open, or else the next.
/// `before` is the id's value before this one, and what was said of that.
///
/// An end of before KIP-890 leaves its epoch to the next transaction. There a record without the coordinator's word could be
/// met by the marker of the end before, which a start writes again.
pub(super) fn has_own_epoch(value: &Value, before: Option<(&Value, bool)>) -> bool {
    let bumps = value.client_transaction_version >= BUMPS_EPOCHS;
    match (value.status, before) {
        (Status::Ongoing, Some((_, own_epoch))) => bumps && own_epoch,
        // A producer learns of a new epoch when its record is on disk, but of one that it has asked for twice it knows before.
        (Status::Empty, Some((before, own_epoch))) => own_epoch || before.producer() != value.producer(),
        (Status::Empty, None) => true,
        _ => bumps,
    }
}

#[cfg(test)]
#[path = "tests/lost.rs"]
mod tests;
