//! A partition's log and its model, which are asked the same, and must say the same.

use std::collections::BTreeMap;
use std::fmt::Debug;

use storage::VerificationGuard;

use crate::leader::Model;
use crate::real::{After, Known, RealLog};
use crate::simulation::client::Produce;
use crate::simulation::seam::{Appended, Ended, Entry, Guard, Holder, Leader, Seen};
use crate::simulation::{Bug, OFFSETS};
use crate::test_support::Random;
use crate::txn::Marker;

pub struct Both {
    model: Model,
    real: RealLog,
    index: usize,
    /// By the model's guard.
    guards: BTreeMap<Guard, VerificationGuard>,
    /// By producer id: the epoch and the last sequence that the log found when it was loaded.
    loaded: BTreeMap<i64, (i16, i32)>,
    /// What the log was writing when its disk failed: it may have it.
    attempted: Option<(Entry, u64)>,
    fault: Option<String>,
}

impl Leader for Both {
    fn new(random: &mut Random, index: usize) -> Self {
        let real = RealLog::new(random.next(), index == OFFSETS);
        let model = Model::new(random, index);
        let (guards, loaded) = (BTreeMap::new(), BTreeMap::new());
        Self { model, real, index, guards, loaded, attempted: None, fault: None }
    }

    fn ask(&mut self, produce: &Produce, _bug: Option<Bug>) -> Result<Option<Guard>, Appended> {
        let expected = self.model.ask(produce, None);
        let found = match self.real.ask(produce) {
            Ok(None) => Ok(None),
            Ok(Some(given)) => match expected {
                Ok(Some(guard)) if *self.guards.entry(guard).or_insert(given) == given => Ok(Some(guard)),
                _ => Ok(Some(Guard::MAX)),
            },
            Err(refused) => Err(refused),
        };
        self.same("may ask", produce, &found, &expected);
        found
    }

    fn append(&mut self, produce: &Produce, guard: Option<Guard>, _bug: Option<Bug>) -> Appended {
        let given = guard.and_then(|guard| self.guards.get(&guard)).copied();
        let found = self.real.append(produce, given);
        if found == Appended::Failed {
            let Produce { holder: producer, transaction, value, .. } = *produce;
            self.attempted = Some((Entry::Data { producer, transaction, value }, 0));
            return found;
        }
        let expected = self.model.append(produce, guard, None);
        // Of what was written before it was loaded a log knows each producer's last record, and looks for older ones when a
        // sequence does not follow. A retry of one of these whose transaction is over it refuses before that, as Kafka does.
        if (found, expected) != (Appended::Unverified, Appended::Again) || !self.may_be_forgotten(produce) {
            self.same("appends", produce, &found, &expected);
        }
        self.same_producer(produce.holder.0);
        found
    }

    fn end(&mut self, marker: &Marker, coordinator_epoch: u64, _bug: Option<Bug>) -> Ended {
        let found = self.real.end(marker, coordinator_epoch);
        if found == Ended::Failed {
            let producer = (marker.producer_id, marker.producer_epoch);
            self.attempted = Some((Entry::End { producer, commit: marker.commit }, coordinator_epoch));
            return found;
        }
        let expected = self.model.end(marker, coordinator_epoch, None);
        self.same("ends", marker, &found, &expected);
        self.same_producer(marker.producer_id);
        found
    }

    fn open(&self) -> Vec<Holder> {
        self.real.open()
    }

    fn end_offset(&self) -> u64 {
        self.real.end_offset()
    }

    fn durable_offset(&self) -> u64 {
        self.real.durable_offset()
    }

    fn sync(&mut self, random: &mut Random) -> bool {
        if !self.real.sync() {
            return false;
        }
        self.model.sync(random);
        self.same("is on disk", &"", &self.real.durable_offset(), &self.model.durable_offset());
        true
    }

    fn crash(&mut self, random: &mut Random, _bug: Option<Bug>) {
        let had_failed = self.real.has_failed();
        let mut expected = self.model.log.clone();
        let (written, durable) = (expected.len(), self.model.durable_offset() as usize);
        expected.extend(self.attempted.take());
        let (after, found) = match self.real.crash(random).and_then(|after| Ok((after, self.real.log()?))) {
            Ok(found) => found,
            Err(error) => return self.faulty(format!("cannot be opened: {error}")),
        };
        let least = if after == After::PowerCut || had_failed { durable } else { written };
        if !expected.starts_with(&found) || found.len() < least {
            self.faulty(format!("{after:?}: has {found:?} of {expected:?}, of which {least} were sure"));
        }
        let guards = self.model.guards;
        self.model = Model::new(random, self.index);
        self.model.guards = guards;
        self.model.durable = found.len() as u64;
        for (entry, coordinator_epoch) in &found {
            self.model.state.take_in(*entry, *coordinator_epoch, false);
        }
        self.model.log = found;
        let known = self.model.state.producers.iter();
        self.loaded = known.filter_map(|(id, of)| Some((*id, (of.epoch, of.sequence? - 1)))).collect();
        self.same_producers(after);
    }

    fn read(&mut self, from: u64) -> (u64, Vec<Seen>) {
        if self.real.has_failed() {
            // Nobody is served by it any more.
            return (from, Vec::new());
        }
        match self.real.read(from) {
            Ok((to, seen, aborted)) => {
                let expected = self.model.read(from);
                self.same("is seen", &from, &(to.max(from), &seen), &(expected.0, &expected.1));
                self.same("is aborted", &(from, to), &aborted, &self.aborted(from, to));
                (to.max(from), seen)
            }
            Err(error) => {
                self.faulty(format!("cannot be read from {from}: {error}"));
                (from, Vec::new())
            }
        }
    }

    fn entries(&mut self) -> Vec<Entry> {
        match self.real.log() {
            Ok(log) => log.into_iter().map(|(entry, _)| entry).collect(),
            Err(error) => {
                self.faulty(error);
                Vec::new()
            }
        }
    }

    fn fault(&mut self) -> Option<String> {
        self.fault.take()
    }
}

impl Both {
    fn same<T: PartialEq + Debug>(&mut self, what: &str, of: &impl Debug, found: &T, expected: &T) {
        if found != expected {
            self.faulty(format!("{what} {of:?}: {found:?}, and in the model {expected:?}"));
        }
    }

    fn faulty(&mut self, what: String) {
        let index = self.index;
        self.fault.get_or_insert_with(|| format!("the log of {index}: {what}"));
    }

    /// Whether a snapshot may have left this record out: it has the last one of a producer's epoch only.
    fn may_be_forgotten(&self, produce: &Produce) -> bool {
        let (id, epoch) = produce.holder;
        self.loaded.get(&id).is_some_and(|&(of, last)| of == epoch && produce.sequence < last)
    }

    fn same_producers(&mut self, after: After) {
        let ids: Vec<i64> = self.model.state.producers.keys().copied().collect();
        self.same("knows", &after, &self.real.producers(), &ids);
        for id in ids {
            self.same_producer(id);
        }
    }

    /// What the log knows of a producer is what the model does.
    fn same_producer(&mut self, id: i64) {
        let is_offsets = self.index == OFFSETS;
        let expected = self.model.state.producers.get(&id).map(|producer| Known {
            epoch: producer.epoch,
            last_sequence: producer.sequence.filter(|_| !is_offsets).map_or(-1, |next| next - 1),
            coordinator_epoch: producer.coordinator_epoch,
            start: producer.start,
        });
        self.same("knows of producer", &id, &self.real.known(id), &expected);
    }

    /// Whose records a reader of this stretch must pass over: producer id, first offset and marker.
    fn aborted(&self, from: u64, to: u64) -> Vec<(i64, u64, u64)> {
        let aborted = self.model.state.ended.iter().filter(|span| !span.commit);
        let needed = aborted.filter(|span| span.marker >= from && span.first < to);
        let mut found: Vec<_> = needed.map(|span| (span.id, span.first, span.marker)).collect();
        found.sort_unstable();
        found
    }
}
