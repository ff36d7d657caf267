//! A partition's log as far as transactions go: who may append, and which marker ends what.

use super::Bug;
use crate::txn::{Marker, ProducerIdAndEpoch};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct Partition {
    pub log: Vec<Entry>,
    producers: BTreeMap<i64, Producer>,
    coordinator_epoch: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    Data { producer: Holder, transaction: u64, value: u64 },
    End { producer: Holder, commit: bool },
}

/// A producer id and epoch.
pub type Holder = (i64, i16);

#[derive(Clone, Copy, Debug)]
struct Producer {
    epoch: i16,
    sequence: i32,
    open: bool,
    markers: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    Yes,
    Again,
    Fenced,
    OutOfOrder,
    /// A transaction of an earlier epoch is open.
    Earlier,
}

impl Partition {
    /// Is a transaction of this producer open here? Then what it appends needs no question.
    pub fn is_open(&self, (id, epoch): Holder, bug: Option<Bug>) -> bool {
        let is_epoch = |known| known == epoch || bug == Some(Bug::NoEpochCheck);
        self.producers.get(&id).is_some_and(|producer| producer.open && is_epoch(producer.epoch))
    }

    pub fn hanging(&self) -> usize {
        self.producers.values().filter(|producer| producer.open).count()
    }

    /// The producers whose transactions are open here.
    pub fn open(&self) -> impl Iterator<Item = Holder> + '_ {
        self.producers
            .iter()
            .filter(|(_, producer)| producer.open)
            .map(|(id, producer)| (*id, producer.epoch))
    }

    /// What must not change between the question whether a transaction may come here and its first record.
    pub fn guard(&self, id: i64) -> u64 {
        self.producers.get(&id).map_or(0, |producer| producer.markers)
    }

    pub fn append(
        &mut self,
        producer: Holder,
        sequence: i32,
        (transaction, value): (u64, u64),
        bug: Option<Bug>,
    ) -> Appended {
        let new = Producer { epoch: producer.1, sequence: 0, open: false, markers: 0 };
        let known = self.producers.entry(producer.0).or_insert(new);
        if producer.1 < known.epoch && bug != Some(Bug::NoEpochCheck) {
            return Appended::Fenced;
        }
        if producer.1 > known.epoch && known.open && bug != Some(Bug::TakenAlong) {
            return Appended::Earlier;
        }
        if producer.1 > known.epoch {
            *known = Producer { epoch: producer.1, sequence: 0, ..*known };
        }
        if sequence < known.sequence {
            return Appended::Again;
        }
        if sequence > known.sequence {
            return Appended::OutOfOrder;
        }
        known.sequence += 1;
        known.open = true;
        self.log.push(Entry::Data { producer, transaction, value });
        Appended::Yes
    }

    /// Writes a marker; false when it is not one for this log, so that nothing is acknowledged.
    pub fn end(&mut self, marker: &Marker, coordinator_epoch: u64) -> bool {
        if coordinator_epoch < self.coordinator_epoch {
            return false;
        }
        let Marker { producer_id, producer_epoch, commit, transaction_version, .. } = *marker;
        let new = Producer { epoch: -1, sequence: 0, open: false, markers: 0 };
        let known = self.producers.entry(producer_id).or_insert(new);
        let already = transaction_version >= 2 && producer_epoch == known.epoch;
        let bump = i16::from(transaction_version >= 2);
        if producer_epoch < known.epoch || (commit && known.open && known.epoch < producer_epoch - bump) {
            return false;
        }
        self.coordinator_epoch = coordinator_epoch;
        if already {
            return true;
        }
        let sequence = if producer_epoch > known.epoch { 0 } else { known.sequence };
        *known = Producer { epoch: producer_epoch, sequence, open: false, markers: known.markers + 1 };
        self.log.push(Entry::End { producer: (producer_id, producer_epoch), commit });
        true
    }
}

pub fn pair(producer: ProducerIdAndEpoch) -> Holder {
    (producer.producer_id, producer.producer_epoch)
}
