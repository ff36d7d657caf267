//! A model of a partition's log as far as transactions go: who may append, which marker ends what, what readers of committed
//! records see, and what is left of it all after a crash.

use super::simulation::client::Produce;
use super::simulation::seam::{Appended, Ended, Entry, Guard, Holder, Leader, Seen};
use super::simulation::{Bug, OFFSETS};
use crate::test_support::Random;
use crate::txn::Marker;
use std::collections::BTreeMap;

/// Retries of so many records of a producer are known.
const WINDOW: i32 = 5;

#[derive(Debug, Default)]
pub struct Model {
    /// With the coordinator's epoch, where it is a marker.
    pub log: Vec<(Entry, u64)>,
    pub durable: u64,
    pub state: State,
    /// Taken when a segment is full, which waits for no sync.
    snapshots: Vec<State>,
    /// Whose coordinators are being asked: lost in a crash.
    asked: BTreeMap<i64, Question>,
    pub guards: Guard,
    /// For [`Bug::GuardSurvives`].
    given: BTreeMap<i64, Question>,
    pub has_sequences: bool,
    /// How much is written until its disk fails, if it does.
    writes_left: Option<u32>,
}

/// Somebody asks a coordinator whether a transaction may begin here.
#[derive(Clone, Copy, Debug)]
struct Question {
    guard: Guard,
    epoch: i16,
    /// The lowest sequence that waits for the answer: nothing may overtake it.
    lowest: i32,
    kip_890: bool,
}

/// What is derived from the log up to `end`.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub end: u64,
    pub producers: BTreeMap<i64, Producer>,
    pub ended: Vec<Span>,
}

#[derive(Clone, Copy, Debug)]
pub struct Producer {
    pub epoch: i16,
    /// The next one; none where any is taken.
    pub sequence: Option<i32>,
    /// Where its open transaction began.
    pub start: Option<u64>,
    pub coordinator_epoch: u64,
    /// Known from a load only.
    is_loaded: bool,
    /// For [`Bug::StableForgotten`]
    holds_back: bool,
}

/// A transaction that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub id: i64,
    pub first: u64,
    pub marker: u64,
    pub commit: bool,
}

impl Leader for Model {
    fn new(_random: &mut Random, index: usize) -> Self {
        Self { has_sequences: index != OFFSETS, ..Self::default() }
    }

    fn ask(&mut self, produce: &Produce, bug: Option<Bug>) -> Result<Option<Guard>, Appended> {
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
        let new =
            Question { guard: self.guards + 1, epoch, lowest: produce.sequence, kip_890: produce.kip_890 };
        let question = self.asked.entry(id).or_insert(new);
        if epoch > question.epoch {
            *question = Question { guard: question.guard, ..new };
        } else if epoch == question.epoch {
            question.lowest = question.lowest.min(new.lowest);
        }
        let guard = question.guard;
        self.guards = self.guards.max(guard);
        self.given.insert(id, *question);
        Ok(Some(guard))
    }

    fn append(&mut self, produce: &Produce, guard: Option<Guard>, bug: Option<Bug>) -> Appended {
        let Produce { holder: (id, epoch), sequence, transaction, value, .. } = *produce;
        let known = self.state.producers.get(&id).copied();
        if let Some(known) = known {
            if epoch < known.epoch && bug != Some(Bug::NoEpochCheck) {
                return Appended::Fenced;
            }
            if epoch == known.epoch
                && self.has_sequences
                && known.sequence.is_some_and(|next| (next - WINDOW..next).contains(&sequence))
            {
                return Appended::Again;
            }
            if epoch > known.epoch && known.start.is_some() && bug != Some(Bug::TakenAlong) {
                return Appended::Earlier;
            }
        }
        let is_open = known.is_some_and(|known| known.start.is_some());
        let question = self.asked.get(&id).copied();
        let is_admitted = guard.is_some() && question.map(|question| question.guard) == guard;
        if !is_open && !is_admitted && bug != Some(Bug::NoVerification) {
            return Appended::Unverified;
        }
        let next = known.filter(|known| known.epoch == epoch).map_or(Some(0), |known| known.sequence);
        let overtakes = next.is_some() && question.is_some_and(|question| sequence > question.lowest);
        if self.has_sequences && (overtakes || next.is_some_and(|next| sequence != next)) {
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

    fn end(&mut self, marker: &Marker, coordinator_epoch: u64, bug: Option<Bug>) -> Ended {
        let Marker { producer_id, producer_epoch: epoch, commit, transaction_version, .. } = *marker;
        if let Some(known) = self.state.producers.get(&producer_id) {
            let forgets = bug == Some(Bug::MarkerAgain) && known.is_loaded;
            let is_replaced = coordinator_epoch < known.coordinator_epoch;
            if commit && known.start.is_some() && known.epoch < epoch - 1 {
                return Ended::No;
            }
            if epoch < known.epoch && !forgets {
                return Ended::NotNeeded;
            }
            if is_replaced {
                return Ended::No;
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

    fn open(&self) -> Vec<Holder> {
        let open = self.state.producers.iter().filter(|(_, producer)| producer.start.is_some());
        open.map(|(id, producer)| (*id, producer.epoch)).collect()
    }

    fn end_offset(&self) -> u64 {
        self.log.len() as u64
    }

    fn durable_offset(&self) -> u64 {
        self.durable
    }

    fn sync(&mut self, _random: &mut Random) -> bool {
        let fails = self.fails();
        if !fails {
            self.durable = self.log.len() as u64;
        }
        !fails
    }

    fn crash(&mut self, random: &mut Random, bug: Option<Bug>) {
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

    fn read(&mut self, from: u64) -> (u64, Vec<Seen>) {
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

    fn entries(&mut self) -> Vec<Entry> {
        self.log.iter().map(|(entry, _)| *entry).collect()
    }
}

impl Model {
    /// Up to where everything is decided, and on disk.
    pub fn stable_offset(&self) -> u64 {
        let open = self.state.producers.values().filter(|producer| producer.holds_back);
        let undecided = self.state.ended.iter().filter(|span| span.marker >= self.durable);
        let firsts = open.filter_map(|producer| producer.start).chain(undecided.map(|span| span.first));
        firsts.chain([self.durable]).min().unwrap_or(0)
    }

    fn fails(&mut self) -> bool {
        self.writes_left = self.writes_left.map(|left| left.saturating_sub(1));
        self.writes_left == Some(0)
    }

    fn push(&mut self, entry: Entry, coordinator_epoch: u64) {
        self.settle(entry);
        self.log.push((entry, coordinator_epoch));
        self.state.take_in(entry, coordinator_epoch, false);
        if self.log.len().is_multiple_of(7) {
            self.snapshots.push(self.state.clone());
        }
    }

    /// What was asked is settled by a record, and by an end: that of KIP-890 leaves the question of the next transaction alone,
    /// and one that is for what was left behind those of yet later ones.
    fn settle(&mut self, entry: Entry) {
        let (Entry::Data { producer: (id, epoch), .. } | Entry::End { producer: (id, epoch), .. }) = entry;
        let known = self.state.producers.get(&id);
        let is_behind = known.is_some_and(|known| known.start.is_some() && known.epoch < epoch);
        let is_next =
            |asked: &Question| asked.kip_890 && asked.epoch == epoch || is_behind && asked.epoch > epoch;
        if matches!(entry, Entry::Data { .. }) || !self.asked.get(&id).is_some_and(is_next) {
            self.asked.remove(&id);
        }
    }
}

impl State {
    pub fn take_in(&mut self, entry: Entry, coordinator_epoch: u64, forgets_aborts: bool) {
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
