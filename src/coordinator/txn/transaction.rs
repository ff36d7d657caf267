//! One transactional id: how each request moves it, as Kafka's `TransactionMetadata` does. Everything here proposes the
//! next [`Value`]; nothing changes.

use super::record::{Partitions, Status, Value};
use super::{Context, ProducerIdAndEpoch};
use model::ErrorCode;

/// Epochs from here on are not given to clients: the last one is left for fencing whoever has the one before.
const EPOCH_EXHAUSTED: i16 = i16::MAX - 1;

/// The version of KIP-890 whose every end bumps the epoch.
pub(super) const BUMPS_EPOCHS: i16 = 2;

/// A proposed change.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub value: Value,
    /// The fresh producer id is in it.
    pub producer_id_taken: bool,
}

impl Next {
    fn of(value: Value) -> Self {
        Self { value, producer_id_taken: false }
    }
}

/// What to do about an InitProducerId.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Init {
    /// The producer gets the id and epoch in it.
    Grant(Next),
    /// The open transaction is aborted first; the producer is told to come back.
    Fence(Value),
}

/// What to do about an EndTxn.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It ends now.
    Prepare(Next),
    /// It has ended that way before: the producer did not hear of it.
    AlreadyDone,
}

impl Value {
    /// An id that nobody has used yet.
    pub(super) fn fresh(producer_id: i64, timeout_ms: i32, wall_ms: i64) -> Self {
        Self {
            producer_id,
            previous_producer_id: -1,
            next_producer_id: -1,
            producer_epoch: -1,
            last_producer_epoch: -1,
            timeout_ms,
            status: Status::Empty,
            partitions: Partitions::new(),
            last_update_ms: wall_ms,
            start_ms: -1,
            client_transaction_version: 0,
        }
    }

    pub(super) fn producer(&self) -> ProducerIdAndEpoch {
        ProducerIdAndEpoch { producer_id: self.producer_id, producer_epoch: self.producer_epoch }
    }

    pub(super) fn is_prepared(&self) -> bool {
        matches!(self.status, Status::PrepareCommit | Status::PrepareAbort)
    }

    fn is_exhausted(&self) -> bool {
        self.producer_epoch >= EPOCH_EXHAUSTED
    }

    /// Every change remembers the producer id before it, as Kafka does.
    fn changed(&self, status: Status, wall_ms: i64) -> Self {
        Self { status, previous_producer_id: self.producer_id, last_update_ms: wall_ms, ..self.clone() }
    }

    /// InitProducerId (`TransactionCoordinator.prepareInitProducerIdTransit`).
    pub(super) fn init(
        &self,
        expected: Option<ProducerIdAndEpoch>,
        timeout_ms: i32,
        context: &Context,
    ) -> Result<Init, ErrorCode> {
        let (fresh_producer_id, wall_ms) = (context.fresh_producer_id, context.wall_ms);
        self.check_settled()?;
        if expected.is_some_and(|expected| !self.may_be_expected(expected)) {
            return Err(ErrorCode::ProducerFenced);
        }
        match self.status {
            Status::Ongoing => Ok(Init::Fence(self.fenced(context))),
            Status::PrepareAbort | Status::PrepareCommit | Status::Dead | Status::PrepareEpochFence => {
                Err(ErrorCode::UnknownServerError)
            }
            Status::Empty | Status::CompleteAbort | Status::CompleteCommit => {
                let expected_epoch = expected.map(|expected| expected.producer_epoch);
                let as_expected = expected_epoch.is_none_or(|epoch| epoch == self.producer_epoch);
                if self.is_exhausted() && as_expected || self.is_over(expected_epoch) {
                    return Ok(Init::Grant(self.rotated(
                        fresh_producer_id,
                        expected_epoch,
                        timeout_ms,
                        wall_ms,
                    )));
                }
                let (epoch, last) = self.bumped(expected)?;
                Ok(Init::Grant(Next::of(self.begun(epoch, last, timeout_ms, wall_ms))))
            }
        }
    }

    /// May a producer that thinks it has this id ask for the next epoch? It must have the current id, or the one before
    /// with its last epoch: then it has not heard of the new one.
    fn may_be_expected(&self, expected: ProducerIdAndEpoch) -> bool {
        self.producer_epoch == -1
            || expected.producer_id == self.producer_id
            || (expected.producer_id == self.previous_producer_id
                && expected.producer_epoch >= EPOCH_EXHAUSTED)
    }

    /// Its transaction at the last epoch of clients was ended by the coordinator, and the producer of that epoch may come
    /// back: the epoch after it is for nobody, so it gets another producer id.
    fn is_over(&self, epoch: Option<i16>) -> bool {
        self.producer_epoch == i16::MAX
            && epoch == Some(EPOCH_EXHAUSTED)
            && epoch == Some(self.last_producer_epoch)
    }

    /// The next epoch, and the last one that may ask for it again (KIP-360).
    fn bumped(&self, expected: Option<ProducerIdAndEpoch>) -> Result<(i16, i16), ErrorCode> {
        let next = self.producer_epoch.checked_add(1).ok_or(ErrorCode::ProducerFenced)?;
        match expected.map(|expected| expected.producer_epoch) {
            None => Ok((next, -1)),
            Some(epoch) if self.producer_epoch == -1 || epoch == self.producer_epoch => {
                Ok((next, self.producer_epoch))
            }
            Some(epoch) if epoch == self.last_producer_epoch => {
                Ok((self.producer_epoch, self.last_producer_epoch))
            }
            Some(_) => Err(ErrorCode::ProducerFenced),
        }
    }

    fn begun(&self, epoch: i16, last: i16, timeout_ms: i32, wall_ms: i64) -> Self {
        Self {
            producer_epoch: epoch,
            last_producer_epoch: last,
            timeout_ms,
            partitions: Partitions::new(),
            start_ms: -1,
            ..self.changed(Status::Empty, wall_ms)
        }
    }

    /// Another producer id; its holder, if it was it who asked, may ask again.
    fn rotated(&self, producer_id: i64, holder: Option<i16>, timeout_ms: i32, wall_ms: i64) -> Next {
        let last = holder.unwrap_or(-1);
        let value = Self { producer_id, ..self.begun(0, last, timeout_ms, wall_ms) };
        Next { value, producer_id_taken: true }
    }

    /// The open transaction is aborted under an epoch that its producer does not have. Nobody is given that epoch; with
    /// KIP-890 the producer may come back for it, if it asks before another does. There is always such an epoch: the last
    /// one is given to nobody. A log that says otherwise gets its transaction ended under the epoch that it has.
    pub(super) fn fenced(&self, context: &Context) -> Self {
        let epoch = self.producer_epoch.saturating_add(1);
        let may_return = context.transaction_version >= BUMPS_EPOCHS && epoch != self.producer_epoch;
        Self {
            producer_epoch: epoch,
            last_producer_epoch: if may_return { self.producer_epoch } else { -1 },
            client_transaction_version: if may_return { BUMPS_EPOCHS } else { 0 },
            ..self.changed(Status::PrepareAbort, context.wall_ms)
        }
    }

    /// Is this the producer that has the id now?
    fn check(&self, producer: ProducerIdAndEpoch) -> Result<(), ErrorCode> {
        if self.producer_id != producer.producer_id {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        if self.producer_epoch != producer.producer_epoch {
            return Err(ErrorCode::ProducerFenced);
        }
        Ok(())
    }

    /// Whoever asks for something new while an end is being written comes back, also with a producer id or epoch that is
    /// not known yet: with KIP-890 the producer may have been told the one that follows. Only then is it looked at.
    fn check_settled(&self) -> Result<(), ErrorCode> {
        if self.is_prepared() { Err(ErrorCode::ConcurrentTransactions) } else { Ok(()) }
    }

    /// May the producer add to the transaction now?
    pub(super) fn check_open(&self, producer: ProducerIdAndEpoch) -> Result<(), ErrorCode> {
        self.check_settled()?;
        self.check(producer)
    }

    /// May what the producer has in its transaction be looked up?
    pub(super) fn check_held(&self, producer: ProducerIdAndEpoch) -> Result<(), ErrorCode> {
        self.check(producer)?;
        self.check_settled()
    }

    pub(super) fn holds(&self, partitions: &Partitions) -> bool {
        partitions
            .iter()
            .all(|(topic, indexes)| self.partitions.get(topic).is_some_and(|held| held.is_superset(indexes)))
    }

    /// AddPartitionsToTxn; none when there is nothing to write.
    pub(super) fn with(
        &self,
        partitions: &Partitions,
        transaction_version: i16,
        wall_ms: i64,
    ) -> Option<Self> {
        if self.status == Status::Ongoing && self.holds(partitions) {
            return None;
        }
        let start_ms = if self.status == Status::Ongoing { self.start_ms } else { wall_ms };
        let mut value = Self {
            start_ms,
            client_transaction_version: transaction_version,
            ..self.changed(Status::Ongoing, wall_ms)
        };
        for (topic, indexes) in partitions {
            value.partitions.entry(topic.clone()).or_default().extend(indexes);
        }
        Some(value)
    }

    /// EndTxn of a client before KIP-890 (`endTransactionWithTV1`).
    pub(super) fn end(
        &self,
        producer: ProducerIdAndEpoch,
        commit: bool,
        wall_ms: i64,
    ) -> Result<End, ErrorCode> {
        self.check_held(producer)?;
        match (self.status, commit) {
            (Status::Ongoing, _) => {
                let value = Self { client_transaction_version: 0, ..self.changed(prepared(commit), wall_ms) };
                Ok(End::Prepare(Next::of(value)))
            }
            (Status::CompleteCommit, true) | (Status::CompleteAbort, false) => Ok(End::AlreadyDone),
            (Status::Dead | Status::PrepareEpochFence, _) => Err(ErrorCode::UnknownServerError),
            _ => Err(ErrorCode::InvalidTxnState),
        }
    }

    /// EndTxn that bumps the epoch (KIP-890, `endTransaction`). A producer that says the epoch before the current one has
    /// not heard of an earlier end.
    pub(super) fn end_and_bump(
        &self,
        producer: ProducerIdAndEpoch,
        commit: bool,
        fresh_producer_id: i64,
        wall_ms: i64,
    ) -> Result<End, ErrorCode> {
        self.check_settled()?;
        let over_the_end = self.previous_producer_id == producer.producer_id
            && producer.producer_epoch == EPOCH_EXHAUSTED
            && self.producer_epoch == 0;
        let over_a_bump = producer.producer_epoch.checked_add(1) == Some(self.producer_epoch);
        let again = over_the_end || over_a_bump;
        if self.producer_id != producer.producer_id && !over_the_end {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        let current = producer.producer_epoch == self.producer_epoch;
        let valid = match self.status {
            Status::CompleteCommit | Status::CompleteAbort => again || current,
            _ => current,
        };
        if !valid {
            return Err(ErrorCode::ProducerFenced);
        }
        match (self.status, commit) {
            (Status::Ongoing, _) => {
                Ok(End::Prepare(self.prepared_and_bumped(commit, false, fresh_producer_id, wall_ms)))
            }
            // The coordinator has ended it at the last epoch, which is for nobody.
            (Status::CompleteAbort, false) if again && self.producer_epoch == i16::MAX => {
                if !self.is_over(Some(producer.producer_epoch)) {
                    return Err(ErrorCode::ProducerFenced);
                }
                Ok(End::Prepare(self.prepared_and_bumped(false, true, fresh_producer_id, wall_ms)))
            }
            (Status::CompleteCommit, true) | (Status::CompleteAbort, false) if again => Ok(End::AlreadyDone),
            // An abort of a transaction that nothing was added to is how a producer gets rid of its doubts.
            (Status::Empty | Status::CompleteAbort, false) => {
                Ok(End::Prepare(self.prepared_and_bumped(false, true, fresh_producer_id, wall_ms)))
            }
            (Status::CompleteCommit, false) if !again => {
                Ok(End::Prepare(self.prepared_and_bumped(false, true, fresh_producer_id, wall_ms)))
            }
            (Status::Dead | Status::PrepareEpochFence, _) => Err(ErrorCode::UnknownServerError),
            _ => Err(ErrorCode::InvalidTxnState),
        }
    }

    fn prepared_and_bumped(
        &self,
        commit: bool,
        nothing_added: bool,
        fresh_producer_id: i64,
        wall_ms: i64,
    ) -> Next {
        let exhausted = self.is_exhausted();
        let value = Self {
            next_producer_id: if exhausted { fresh_producer_id } else { -1 },
            producer_epoch: self.producer_epoch.saturating_add(1),
            last_producer_epoch: self.producer_epoch.min(EPOCH_EXHAUSTED),
            start_ms: if nothing_added { wall_ms } else { self.start_ms },
            client_transaction_version: BUMPS_EPOCHS,
            ..self.changed(prepared(commit), wall_ms)
        };
        Next { value, producer_id_taken: exhausted }
    }

    /// Every marker is written. A new producer id that waits takes over with epoch 0.
    pub(super) fn completed(&self, wall_ms: i64) -> Self {
        let status =
            if self.status == Status::PrepareCommit { Status::CompleteCommit } else { Status::CompleteAbort };
        let mut value =
            Self { partitions: Partitions::new(), next_producer_id: -1, ..self.changed(status, wall_ms) };
        if self.client_transaction_version >= BUMPS_EPOCHS && self.next_producer_id != -1 {
            value.producer_id = self.next_producer_id;
            value.producer_epoch = 0;
        }
        value
    }
}

fn prepared(commit: bool) -> Status {
    if commit { Status::PrepareCommit } else { Status::PrepareAbort }
}
