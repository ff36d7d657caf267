//! A model of a partition's log as far as transactions go: who may append, which marker ends what, what readers of committed
//! records see, and what is left of it all after a crash.

use super::simulation::client::Produce;
use super::simulation::seam::{Appended, Ended, Entry, Holder, Seen};
use super::simulation::{Bug, OFFSETS};
use crate::test_support::Random;
use crate::txn::Marker;
use std::collections::BTreeMap;

pub type Guard = u64;

#[derive(Debug, Default)]
pub struct Leader {
    /// With the coordinator's epoch, where it is a marker.
    log: Vec<(Entry, u64)>,
    durable: u64,
    state: State,
    /// Taken when a segment is full, which waits for no sync.
    snapshots: Vec<State>,
    /// Whose coordinators are being asked: lost in a crash.
    asked: BTreeMap<i64, Guard>,
    guards: Guard,
    /// For [`Bug::GuardSurvives`].
    given: BTreeMap<i64, Guard>,
    has_sequences: bool,
    /// How much is written until its disk fails, if it does.
    writes_left: Option<u32>,
}

/// What is derived from the log up to `end`.
#[derive(Clone, Debug, Default)]
struct State {
    end: u64,
    producers: BTreeMap<i64, Producer>,
    ended: Vec<Span>,
}

#[derive(Clone, Copy, Debug)]
struct Producer {
    epoch: i16,
    /// The next one; none where any is taken.
    sequence: Option<i32>,
    /// Where its open transaction began.
    start: Option<u64>,
    coordinator_epoch: u64,
    /// Known from a load only.
    is_loaded: bool,
    /// For [`Bug::StableForgotten`]
    holds_back: bool,
}

/// A transaction that has ended.
#[derive(Clone, Copy, Debug)]
struct Span {
    id: i64,
    first: u64,
    marker: u64,
    commit: bool,
}

impl Leader {
    pub fn new(_random: &mut Random, index: usize) -> Self {
        Self { has_sequences: index != OFFSETS, ..Self::default() }
    }

    /// None where the transaction is open here: then its records need no question. An error for an epoch that is over.
    pub fn ask(&mut self, produce: &Produce, bug: Option<Bug>) -> Result<Option<Guard>, Appended> {
        let (id, epoch) = produce.holder;
        if let Some(known) = self.state.producers.get(&id) {
            let no_check = bug == Some(Bug::NoEpochCheck);
            if epoch < known.epoch && !no_check {
                return Err(Appended::Fenced);
            }
            if known.start.is_some() && (known.epoch == epoch || no_check) {
                return Ok(None);
            }
        }
        let new = self.guards + 1;
        let guard = *self.asked.entry(id).or_insert(new);
        self.guards = self.guards.max(guard);
        self.given.insert(id, guard);
        Ok(Some(guard))
    }

    pub fn append(&mut self, produce: &Produce, guard: Option<Guard>, bug: Option<Bug>) -> Appended {
        let Produce { holder: (id, epoch), sequence, transaction, value, .. } = *produce;
        let known = self.state.producers.get(&id).copied();
        if let Some(known) = known {
            if epoch < known.epoch && bug != Some(Bug::NoEpochCheck) {
                return Appended::Fenced;
            }
            if epoch == known.epoch
                && self.has_sequences
                && known.sequence.is_some_and(|next| sequence < next)
            {
                return Appended::Again;
            }
            if epoch > known.epoch && known.start.is_some() && bug != Some(Bug::TakenAlong) {
                return Appended::Earlier;
            }
        }
        let is_open = known.is_some_and(|known| known.start.is_some());
        let is_admitted = guard.is_some() && self.asked.get(&id) == guard.as_ref();
        if !is_open && !is_admitted && bug != Some(Bug::NoVerification) {
            return Appended::Unverified;
        }
        let next = known.filter(|known| known.epoch == epoch).map_or(Some(0), |known| known.sequence);
        if self.has_sequences && next.is_some_and(|next| sequence != next) {
            return Appended::OutOfOrder;
        }
        if self.fails() {
            return Appended::Failed;
        }
        self.push(Entry::Data { producer: produce.holder, transaction, value }, 0);
        if let Some(known) = self.state.producers.get_mut(&id).filter(|known| known.sequence.is_none()) {
            known.sequence = Some(sequence + 1);
        }
        Appended::Yes
    }

    pub fn end(&mut self, marker: &Marker, coordinator_epoch: u64, bug: Option<Bug>) -> Ended {
        let Marker { producer_id, producer_epoch: epoch, commit, transaction_version, .. } = *marker;
        if let Some(known) = self.state.producers.get(&producer_id) {
            if coordinator_epoch < known.coordinator_epoch {
                return Ended::No;
            }
            let forgets = bug == Some(Bug::MarkerAgain) && known.is_loaded;
            if commit && known.start.is_some() && known.epoch < epoch - 1 {
                return Ended::No;
            }
            if epoch < known.epoch && !forgets {
                return Ended::NotNeeded;
            }
            if transaction_version >= 2 && epoch == known.epoch && !forgets {
                return if known.start.is_some() { Ended::NotNeeded } else { Ended::Yes };
            }
        }
        self.push(Entry::End { producer: (producer_id, epoch), commit }, coordinator_epoch);
        if self.fails() {
            return Ended::Failed;
        }
        Ended::Yes
    }

    fn fails(&mut self) -> bool {
        self.writes_left = self.writes_left.map(|left| left.saturating_sub(1));
        self.writes_left == Some(0)
    }

    fn push(&mut self, entry: Entry, coordinator_epoch: u64) {
        let (Entry::Data { producer, .. } | Entry::End { producer, .. }) = entry;
        self.asked.remove(&producer.0);
        self.log.push((entry, coordinator_epoch));
        self.state.take_in(entry, coordinator_epoch, false);
        if self.log.len().is_multiple_of(7) {
            self.snapshots.push(self.state.clone());
        }
    }

    /// The producers whose transactions are open here.
    pub fn open(&self) -> Vec<Holder> {
        let open = self.state.producers.iter().filter(|(_, producer)| producer.start.is_some());
        open.map(|(id, producer)| (*id, producer.epoch)).collect()
    }

    pub fn end_offset(&self) -> u64 {
        self.log.len() as u64
    }

    pub fn durable_offset(&self) -> u64 {
        self.durable
    }

    /// False when the disk does not work: the leader is gone.
    pub fn sync(&mut self, _random: &mut Random) -> bool {
        let fails = self.fails();
        if !fails {
            self.durable = self.log.len() as u64;
        }
        !fails
    }

    /// Some of what was not synced is gone, and the rest is loaded.
    pub fn crash(&mut self, random: &mut Random, bug: Option<Bug>) {
        let left = random.within(self.durable as i64, self.log.len() as i64 + 1) as usize;
        self.log.truncate(left);
        self.durable = left as u64;
        self.writes_left = random.chance(200).then(|| random.within(1, 20) as u32);
        if bug != Some(Bug::SnapshotTooNew) {
            self.snapshots.retain(|state| state.end <= left as u64);
        }
        self.asked.clear();
        if bug == Some(Bug::GuardSurvives) {
            self.asked.clone_from(&self.given);
        }
        let mut state = self.snapshots.last().cloned().unwrap_or_default();
        for (entry, coordinator_epoch) in self.log.iter().skip(state.end as usize) {
            state.take_in(*entry, *coordinator_epoch, bug == Some(Bug::AbortedForgotten));
        }
        for producer in state.producers.values_mut() {
            producer.is_loaded = true;
            producer.holds_back = bug != Some(Bug::StableForgotten);
            if bug == Some(Bug::StartForgotten) {
                producer.start = None;
            }
            if bug == Some(Bug::CoordinatorForgotten) {
                producer.coordinator_epoch = 0;
            }
            if bug == Some(Bug::SequencesForgotten) {
                producer.sequence = None;
            }
        }
        // Nobody reads what is not there.
        state.end = left as u64;
        self.state = state;
    }

    /// Up to where everything is decided, and on disk.
    pub fn stable_offset(&mut self) -> u64 {
        let open = self.state.producers.values().filter(|producer| producer.holds_back);
        let undecided = self.state.ended.iter().filter(|span| span.marker >= self.durable);
        let firsts = open.filter_map(|producer| producer.start).chain(undecided.map(|span| span.first));
        firsts.chain([self.durable]).min().unwrap_or(0)
    }

    /// What a reader of committed records sees from there on, and where it goes on.
    pub fn read(&mut self, from: u64) -> (u64, Vec<Seen>) {
        let to = self.stable_offset();
        let is_aborted = |id: i64, offset: u64| {
            let mut of = self.state.ended.iter().filter(|span| span.id == id && !span.commit);
            of.any(|span| (span.first..span.marker).contains(&offset))
        };
        let mut seen = Vec::new();
        for offset in from..to {
            match self.log[offset as usize].0 {
                Entry::Data { producer, transaction, value } if !is_aborted(producer.0, offset) => {
                    seen.push(Seen { offset, transaction, value });
                }
                _ => {}
            }
        }
        (to.max(from), seen)
    }

    /// Everything that is in the log.
    pub fn entries(&mut self) -> Vec<Entry> {
        self.log.iter().map(|(entry, _)| *entry).collect()
    }
}

impl State {
    fn take_in(&mut self, entry: Entry, coordinator_epoch: u64, forgets_aborts: bool) {
        let (Entry::Data { producer: (id, epoch), .. } | Entry::End { producer: (id, epoch), .. }) = entry;
        let offset = self.end;
        self.end += 1;
        let new = Producer {
            epoch,
            sequence: Some(0),
            start: None,
            coordinator_epoch: 0,
            is_loaded: false,
            holds_back: true,
        };
        let known = self.producers.entry(id).or_insert(new);
        if epoch > known.epoch {
            (known.epoch, known.sequence) = (epoch, Some(0));
        }
        match entry {
            Entry::Data { .. } => {
                known.sequence = known.sequence.map(|sequence| sequence + 1);
                if known.start.is_none() {
                    (known.start, known.holds_back) = (Some(offset), true);
                }
            }
            Entry::End { commit, .. } => {
                (known.is_loaded, known.coordinator_epoch) = (false, coordinator_epoch);
                if let Some(first) = known.start.take().filter(|_| commit || !forgets_aborts) {
                    self.ended.push(Span { id, first, marker: offset, commit });
                }
            }
        }
    }
}
