//! What must hold.

use super::OFFSETS;
use super::seam::{Entry, Holder, Seen};
use crate::txn::record::Record;
use std::collections::{BTreeMap, BTreeSet};

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
    /// Transactions whose commit was asked for.
    asked: BTreeSet<u64>,
    /// By partition: what a reader of committed records has seen there since the beginning, over all crashes.
    seen: BTreeMap<usize, Vec<Seen>>,
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

    pub fn commit_asked(&mut self, transaction: u64) {
        self.asked.insert(transaction);
    }

    /// A reader has gone on in a partition.
    pub fn read(&mut self, partition: usize, seen: Vec<Seen>) {
        if let Some(early) = seen.iter().find(|record| !self.asked.contains(&record.transaction)) {
            self.violated(format!("{early:?} is seen in {partition} before anybody has committed it"));
        }
        self.seen.entry(partition).or_default().extend(seen);
    }

    /// Each transaction has ended, in one way, the one that was told, with everything that was acknowledged; and whoever has
    /// read committed records all the time has seen what is seen now, and nothing else. `logs` are what each partition has, and
    /// what it shows to readers from its beginning on.
    pub fn check(&mut self, logs: &[(Vec<Entry>, Vec<Seen>)]) {
        let mut ends: BTreeMap<u64, bool> = BTreeMap::new();
        let mut found: BTreeMap<(usize, u64), u64> = BTreeMap::new();
        for (index, (entries, _)) in logs.iter().enumerate() {
            self.check_log(index, entries, &mut ends, &mut found);
        }
        let twice = found.iter().find(|((index, _), times)| **times > 1 && *index != OFFSETS);
        if let Some((place, _)) = twice {
            self.violated(format!("{place:?} was written twice"));
        }
        let visible: BTreeSet<(usize, u64)> = logs
            .iter()
            .enumerate()
            .flat_map(|(index, (_, seen))| seen.iter().map(move |record| (index, record.value)))
            .collect();
        for (transaction, (commit, written)) in std::mem::take(&mut self.promised) {
            if ends.get(&transaction).is_some_and(|end| *end != commit) {
                self.violated(format!("transaction {transaction} did not end as was told"));
            }
            if commit && written.iter().any(|place| !found.contains_key(place)) {
                self.violated(format!("transaction {transaction} has lost records"));
            }
            if commit && written.iter().any(|place| !visible.contains(place)) {
                self.violated(format!("transaction {transaction} is not seen as a whole"));
            }
        }
        for (index, (_, now)) in logs.iter().enumerate() {
            if let Some(aborted) = now.iter().find(|record| ends.get(&record.transaction) != Some(&true)) {
                self.violated(format!("{aborted:?} is seen in {index}, and aborted"));
            }
            if self.seen.remove(&index).unwrap_or_default() != *now {
                self.violated(format!("a reader of {index} has not seen what is there"));
            }
        }
    }

    fn check_log(
        &mut self,
        index: usize,
        entries: &[Entry],
        ends: &mut BTreeMap<u64, bool>,
        found: &mut BTreeMap<(usize, u64), u64>,
    ) {
        let mut end_of: BTreeMap<i64, bool> = BTreeMap::new();
        let mut later: BTreeMap<u64, u64> = BTreeMap::new();
        for entry in entries.iter().rev() {
            match *entry {
                Entry::End { producer, commit } => _ = end_of.insert(producer.0, commit),
                Entry::Data { producer, transaction, value } => {
                    *found.entry((index, value)).or_default() += 1;
                    let is_late = later.insert(transaction, value).is_some_and(|later| later < value);
                    if is_late && index != OFFSETS {
                        self.violated(format!("{value} of transaction {transaction} is not in order"));
                    }
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
}
