//! What must hold.

use super::partition::{Entry, Holder, Partition};
use crate::txn::record::Record;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct Ledger {
    pub violation: Option<String>,
    id_of: BTreeMap<i64, String>,
    owners: BTreeMap<Holder, usize>,
    /// By transactional id: what InitProducerId last gave away.
    current: BTreeMap<String, Holder>,
    /// What a producer was told of its transaction, and what it wrote.
    promised: BTreeMap<u64, (bool, Vec<(usize, u64)>)>,
    pub committed: usize,
}

impl Ledger {
    pub fn violated(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    /// A producer id never belongs to two transactional ids.
    pub fn recorded(&mut self, record: &Record) {
        let Some(value) = &record.value else { return };
        for id in [value.producer_id, value.next_producer_id].into_iter().filter(|id| *id >= 0) {
            let owner = self.id_of.entry(id).or_insert_with(|| record.transactional_id.clone());
            if *owner != record.transactional_id {
                let what = format!("producer id {id} belongs to {owner} and to {}", record.transactional_id);
                self.violated(what);
            }
        }
    }

    /// InitProducerId has fenced everybody else.
    pub fn initialized(&mut self, transactional_id: &str, holder: Holder) {
        self.current.insert(transactional_id.into(), holder);
    }

    /// Nobody has the id and epoch of another.
    pub fn granted(&mut self, client: usize, holder: Holder) {
        if *self.owners.entry(holder).or_insert(client) != client {
            self.violated(format!("{holder:?} was given to two producers"));
        }
        if holder.1 == i16::MAX {
            self.violated(format!("{holder:?} cannot be fenced"));
        }
    }

    /// A fenced epoch writes nothing more.
    pub fn appended(&mut self, transactional_id: &str, holder: Holder) {
        if self.current.get(transactional_id).is_some_and(|current| holder < *current) {
            self.violated(format!("{holder:?} has written after it was fenced"));
        }
    }

    pub fn ended(&mut self, transaction: u64, commit: bool, written: &[(usize, u64)]) {
        self.committed += usize::from(commit);
        self.promised.insert(transaction, (commit, written.to_vec()));
    }

    /// Each transaction has ended, in one way, the one that was told, with everything that was acknowledged.
    pub fn check(&mut self, partitions: &[Partition]) {
        let mut ends: BTreeMap<u64, bool> = BTreeMap::new();
        let mut found: BTreeMap<(usize, u64), u64> = BTreeMap::new();
        for (index, partition) in partitions.iter().enumerate() {
            let mut end_of: BTreeMap<i64, bool> = BTreeMap::new();
            for entry in partition.log.iter().rev() {
                match *entry {
                    Entry::End { producer, commit } => _ = end_of.insert(producer.0, commit),
                    Entry::Data { producer, transaction, value } => {
                        *found.entry((index, value)).or_default() += 1;
                        match end_of.get(&producer.0) {
                            None => self.violated(format!("transaction {transaction} has not ended")),
                            Some(end) if *ends.entry(transaction).or_insert(*end) != *end => {
                                self.violated(format!("transaction {transaction} is torn"));
                            }
                            Some(_) => {}
                        }
                    }
                }
            }
        }
        if let Some((place, _)) = found.iter().find(|(_, times)| **times > 1) {
            self.violated(format!("{place:?} was written twice"));
        }
        for (transaction, (commit, written)) in std::mem::take(&mut self.promised) {
            if ends.get(&transaction).is_some_and(|end| *end != commit) {
                self.violated(format!("transaction {transaction} did not end as was told"));
            }
            if commit && written.iter().any(|place| !found.contains_key(place)) {
                self.violated(format!("transaction {transaction} has lost records"));
            }
        }
    }
}
