//! The transactional ids of one partition of `__transaction_state`.

use super::behind::LeftBehind;
use super::lost::{Lost, OpenTransactions, has_own_epoch, lost};
use super::record::{Partitions, Record, Status, TEXT_BYTES_MAX, Value};
use super::transaction::{BUMPS_EPOCHS, End, Init};
use super::{
    AddPartitionsRequest, Context, Described, EndTxnRequest, InitProducerIdRequest, Marker, PartitionErrors,
    ProducerIdAndEpoch, Reply, Request, Step, Ticket,
};
use model::ErrorCode;
use std::collections::{BTreeMap, BTreeSet};

/// Ids that one tick looks at.
const IDS_PER_TICK: usize = 500;
/// What the records of one tick may take, roughly: a batch that is larger than a log accepts would never be written.
const BYTES_PER_TICK: usize = 256 * 1024;
/// A record without its texts and partitions takes less.
const RECORD_BYTES: usize = 128;

/// A machine; see [`crate`] for its contract with the shell, which is that of [`crate::group::Shard`].
#[derive(Debug, Default)]
pub struct Shard {
    transactions: BTreeMap<String, Transaction>,
    /// Deadline, and whose; one for each id at most.
    alarms: BTreeSet<(i64, String)>,
    alarm_of: BTreeMap<String, i64>,
    /// When expired ids are looked for, and where the last look ended.
    expiry_check_ms: Option<i64>,
    expiry_from: Option<String>,
    /// What these ids have open the log does not say yet, and when it is written there.
    adopted: BTreeSet<String>,
    adopted_at_ms: i64,
    left_behind: LeftBehind,
}

/// One transactional id.
#[derive(Debug)]
struct Transaction {
    value: Value,
    /// Where the marker of a prepared transaction is still missing. Not stored: after a reload all are written again.
    missing: Partitions,
    /// Which of its ends was the last one: [`Marker::round`].
    round: u64,
    /// See [`has_own_epoch`].
    own_epoch: bool,
    /// While an end is written: where the next transaction has begun already, which a crash has taken back.
    begun: Partitions,
}

impl Shard {
    /// Answers a request.
    pub fn step(&mut self, context: &Context, ticket: Ticket, request: &Request) -> Step {
        match request {
            Request::InitProducerId(request) => self.init_producer_id(context, ticket, request),
            Request::AddPartitions(request) => self.add_partitions(context, ticket, request),
            Request::EndTxn(request) => self.end_txn(context, ticket, request),
        }
    }

    /// Aborts what has timed out, completes what could not be completed before, and forgets ids that have expired.
    pub fn tick(&mut self, context: &Context) -> Step {
        let mut step = Step::default();
        let mut bytes = 0;
        for _ in 0..IDS_PER_TICK {
            let Some((_, transactional_id)) =
                self.alarms.first().filter(|(at_ms, _)| *at_ms <= context.now_ms).cloned()
            else {
                break;
            };
            bytes += self.bytes(&transactional_id);
            if bytes > BYTES_PER_TICK && !step.records.is_empty() {
                break;
            }
            self.disarm(&transactional_id);
            self.alarm(context, &transactional_id, &mut step);
        }
        if step.records.is_empty() && self.adopted_at_ms <= context.now_ms {
            step.records = self.adoptions();
        }
        if step.records.is_empty() && self.expiry_check_ms.is_some_and(|at_ms| at_ms <= context.now_ms) {
            step.records = self.expired(context);
        }
        step
    }

    /// When [`Shard::tick`] has something to do, on the monotonic clock; never polled.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        let alarm_ms = self.alarms.first().map(|(at_ms, _)| *at_ms);
        let expiry_ms = self.expiry_check_ms.filter(|_| !self.transactions.is_empty());
        let adopted_ms = (!self.adopted.is_empty()).then_some(self.adopted_at_ms);
        [alarm_ms, expiry_ms, adopted_ms].into_iter().flatten().min()
    }

    /// Takes in a record that is in the log: just appended, or read when the partition is loaded.
    pub fn replay(&mut self, record: Record) {
        // Each record says all there is of an id.
        self.adopted.remove(&record.transactional_id);
        let Some(value) = record.value else {
            self.disarm(&record.transactional_id);
            self.transactions.remove(&record.transactional_id);
            return;
        };
        let before = self.transactions.get(&record.transactional_id);
        let mut round = before.map_or(0, |before| before.round);
        let own_epoch = has_own_epoch(&value, before.map(|before| (&before.value, before.own_epoch)));
        let mut missing = Partitions::new();
        if value.is_prepared() {
            round += 1;
            missing = value.partitions.clone();
        }
        let transaction = Transaction { value, missing, round, own_epoch, begun: Partitions::new() };
        self.transactions.insert(record.transactional_id, transaction);
    }

    /// Takes for begun what the log does not say has begun, but those of partitions do (see [`super::lost`]). To be called
    /// after the log was replayed, before [`Shard::loaded`], and before anybody is served from a log that was opened later.
    /// The next ticks write it down; should a crash come before, the next start finds the same.
    pub fn adopt(&mut self, context: &Context, open: &OpenTransactions) {
        if open.is_empty() {
            return;
        }
        let mut begun = Vec::new();
        for (transactional_id, transaction) in &mut self.transactions {
            match lost(&transaction.value, transaction.own_epoch, open) {
                None => {}
                Some(Lost::Next(partitions)) => {
                    for (topic, indexes) in partitions {
                        transaction.begun.entry(topic).or_default().extend(indexes);
                    }
                }
                Some(Lost::Now(partitions)) => {
                    let next = transaction.value.with(&partitions, BUMPS_EPOCHS, context.wall_ms);
                    begun.extend(next.map(|next| record(transactional_id, next)));
                }
            }
        }
        for record in begun {
            let transactional_id = record.transactional_id.clone();
            let timeout_ms = record.value.as_ref().map_or(0, |value| i64::from(value.timeout_ms));
            self.replay(record);
            if !self.alarm_of.contains_key(&transactional_id) {
                self.arm(&transactional_id, context.now_ms + timeout_ms);
            }
            self.adopted.insert(transactional_id);
        }
        self.note_left_behind(open);
    }

    /// Aborts those of `open` that were left behind (see [`super::behind`]), each once. To be called when their logs take
    /// markers; [`Shard::loaded`] does it for what was adopted before.
    pub fn end_left_behind(&mut self, open: &OpenTransactions) -> Step {
        self.note_left_behind(open);
        Step { markers: self.left_behind.take(), ..Step::default() }
    }

    fn note_left_behind(&mut self, open: &OpenTransactions) {
        for (transactional_id, transaction) in &self.transactions {
            self.left_behind.note(transactional_id, &transaction.value, open);
        }
    }

    /// The partition is loaded: what was prepared is carried to its end, and timeouts run from the transactions' starts.
    /// Nothing is to be written in the same step: if that failed, the ends would go with it, and hang.
    pub fn loaded(&mut self, context: &Context) -> Step {
        self.expiry_check_ms = Some(context.now_ms + i64::from(context.settings.expiration_check_ms));
        self.adopted_at_ms = context.now_ms;
        let mut step = Step { markers: self.left_behind.take(), ..Step::default() };
        let mut alarms = Vec::new();
        for (transactional_id, transaction) in &self.transactions {
            let value = &transaction.value;
            match value.status {
                Status::Ongoing => {
                    let open_ms = context.wall_ms.saturating_sub(value.start_ms).max(0);
                    let left_ms = i64::from(value.timeout_ms).saturating_sub(open_ms).max(0);
                    alarms.push((transactional_id.clone(), context.now_ms + left_ms));
                }
                // Without a marker to wait for, completing it is what the alarm does.
                _ if value.is_prepared() && transaction.missing.is_empty() => {
                    alarms.push((transactional_id.clone(), context.now_ms));
                }
                _ if value.is_prepared() => {
                    step.markers.push(marker(transactional_id, value, transaction.round));
                }
                _ => {}
            }
        }
        for (transactional_id, at_ms) in alarms {
            self.arm(&transactional_id, at_ms);
        }
        step
    }

    /// The markers of a transaction are in these partitions' logs, or the partitions are gone.
    pub fn markers_written(&mut self, context: &Context, marker: &Marker, partitions: &Partitions) -> Step {
        let mut step = Step::default();
        if marker.is_for_left_behind() {
            self.left_behind.ended(marker, partitions);
            return step;
        }
        let Some(transaction) = self.transactions.get_mut(&marker.transactional_id) else { return step };
        let value = &transaction.value;
        let is_this = value.is_prepared()
            && transaction.round == marker.round
            && (value.producer_id, value.producer_epoch) == (marker.producer_id, marker.producer_epoch);
        // With nothing missing its completion is on its way, or waits for its alarm.
        if !is_this || transaction.missing.is_empty() {
            return step;
        }
        for (topic, indexes) in partitions {
            if let Some(missing) = transaction.missing.get_mut(topic) {
                missing.retain(|index| !indexes.contains(index));
                if missing.is_empty() {
                    transaction.missing.remove(topic);
                }
            }
        }
        if transaction.missing.is_empty() {
            self.complete(context, &marker.transactional_id, &mut step);
        }
        step
    }

    /// The records of a step could not be written: what only time would have brought is tried again later.
    pub fn write_failed(&mut self, context: &Context, step: &Step) -> Step {
        let again_ms = context.now_ms + i64::from(context.settings.abort_check_ms);
        for record in &step.records {
            let Some(transaction) = self.transactions.get(&record.transactional_id) else { continue };
            if self.adopted.contains(&record.transactional_id) {
                self.adopted_at_ms = again_ms;
            }
            let waits = match transaction.value.status {
                Status::Ongoing => !self.alarm_of.contains_key(&record.transactional_id),
                _ => transaction.value.is_prepared() && transaction.missing.is_empty(),
            };
            if waits {
                self.arm(&record.transactional_id, again_ms);
            }
        }
        Step::default()
    }

    /// All transactional ids, in order (ListTransactions).
    pub fn list(&self) -> Vec<Described> {
        self.transactions
            .iter()
            .map(|(transactional_id, transaction)| described(transactional_id, transaction))
            .collect()
    }

    /// One of them (DescribeTransactions).
    pub fn describe(&self, transactional_id: &str) -> Option<Described> {
        self.transactions.get(transactional_id).map(|transaction| described(transactional_id, transaction))
    }

    /// Are these partitions in the producer's open transaction (KIP-890)? An error for all, or one for each.
    pub fn verify(&self, request: &AddPartitionsRequest) -> Result<PartitionErrors, ErrorCode> {
        let value = self.value(&request.transactional_id)?;
        value.check_held(request.producer)?;
        let held = |topic: &String, index: &i32| {
            value.partitions.get(topic).is_some_and(|held| held.contains(index))
        };
        Ok(for_each(&request.partitions, |topic, index| {
            if held(topic, index) { ErrorCode::None } else { ErrorCode::TransactionAbortable }
        }))
    }

    fn value(&self, transactional_id: &str) -> Result<&Value, ErrorCode> {
        if transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let transaction =
            self.transactions.get(transactional_id).ok_or(ErrorCode::InvalidProducerIdMapping)?;
        Ok(&transaction.value)
    }

    fn init_producer_id(
        &mut self,
        context: &Context,
        ticket: Ticket,
        request: &InitProducerIdRequest,
    ) -> Step {
        // A longer id than the key of a record holds could not be written.
        if !(1..=TEXT_BYTES_MAX).contains(&request.transactional_id.len()) {
            return Step::reply(ticket, Reply::InitProducerId(Err(ErrorCode::InvalidRequest)));
        }
        if request.timeout_ms <= 0 || request.timeout_ms > context.settings.timeout_max_ms {
            return Step::reply(ticket, Reply::InitProducerId(Err(ErrorCode::InvalidTransactionTimeout)));
        }
        let fresh = || Value::fresh(context.fresh_producer_id, request.timeout_ms, context.wall_ms);
        let known = self.transactions.get(&request.transactional_id);
        let value = known.map_or_else(fresh, |transaction| transaction.value.clone());
        match value.init(request.expected, request.timeout_ms, context) {
            Err(code) => Step::reply(ticket, Reply::InitProducerId(Err(code))),
            Ok(Init::Grant(next)) => {
                let producer_id_taken = next.producer_id_taken || known.is_none();
                let mut step = Step::reply(ticket, Reply::InitProducerId(Ok(next.value.producer())));
                step.records.push(record(&request.transactional_id, next.value));
                Step { producer_id_taken, ..step }
            }
            Ok(Init::Fence(aborted)) => {
                let mut step =
                    Step::reply(ticket, Reply::InitProducerId(Err(ErrorCode::ConcurrentTransactions)));
                self.prepare(context, &request.transactional_id, aborted, &mut step);
                step
            }
        }
    }

    fn add_partitions(&mut self, context: &Context, ticket: Ticket, request: &AddPartitionsRequest) -> Step {
        if request.verify_only {
            return Step::reply(ticket, Reply::AddPartitions(self.verify(request)));
        }
        let all_fine = || Reply::AddPartitions(Ok(for_each(&request.partitions, |_, _| ErrorCode::None)));
        let checked = self
            .value(&request.transactional_id)
            .and_then(|value| value.check_open(request.producer).map(|()| value));
        match checked
            .map(|value| value.with(&request.partitions, request.transaction_version, context.wall_ms))
        {
            Err(code) => Step::reply(ticket, Reply::AddPartitions(Err(code))),
            Ok(next) => {
                let mut step = Step::reply(ticket, all_fine());
                let known = self.transactions.get(&request.transactional_id);
                // Under an earlier version of the cluster values are stored without that of the client, and a start would not
                // take what it finds for begun.
                step.goes_ahead = context.transaction_version.min(request.transaction_version)
                    >= BUMPS_EPOCHS
                    && known.is_some_and(|known| known.own_epoch);
                let Some(next) = next else { return step };
                if known.is_some_and(|known| known.value.status != Status::Ongoing) {
                    self.arm(&request.transactional_id, context.now_ms + i64::from(next.timeout_ms));
                }
                step.records.push(record(&request.transactional_id, next));
                step
            }
        }
    }

    fn end_txn(&mut self, context: &Context, ticket: Ticket, request: &EndTxnRequest) -> Step {
        let bumps = request.transaction_version >= BUMPS_EPOCHS;
        let (wall_ms, fresh) = (context.wall_ms, context.fresh_producer_id);
        let ended = self.value(&request.transactional_id).and_then(|value| {
            if bumps {
                value.end_and_bump(request.producer, request.commit, fresh, wall_ms)
            } else {
                value.end(request.producer, request.commit, wall_ms)
            }
        });
        match ended {
            Err(code) => Step::reply(ticket, Reply::EndTxn(Err(code))),
            Ok(End::AlreadyDone) => {
                let current =
                    self.value(&request.transactional_id).ok().map(Value::producer).filter(|_| bumps);
                Step::reply(ticket, Reply::EndTxn(Ok(current)))
            }
            Ok(End::Prepare(next)) => {
                let of_the_next = next.value.completed(wall_ms).producer();
                let mut step = Step::reply(ticket, Reply::EndTxn(Ok(Some(of_the_next).filter(|_| bumps))));
                step.producer_id_taken = next.producer_id_taken;
                self.prepare(context, &request.transactional_id, next.value, &mut step);
                step
            }
        }
    }

    /// Proposes the end of a transaction: its markers, or, where none is to be written, its completion at once.
    fn prepare(&self, context: &Context, transactional_id: &str, prepared: Value, step: &mut Step) {
        if prepared.partitions.is_empty() {
            let completed = prepared.completed(context.wall_ms);
            step.records.push(record(transactional_id, prepared));
            step.records.push(record(transactional_id, completed));
            return;
        }
        let round = self.transactions.get(transactional_id).map_or(0, |known| known.round) + 1;
        step.markers.push(marker(transactional_id, &prepared, round));
        step.records.push(record(transactional_id, prepared));
    }

    /// Proposes that a prepared transaction, whose markers are written, is complete.
    fn complete(&mut self, context: &Context, transactional_id: &str, step: &mut Step) {
        let Some(Transaction { value, begun, .. }) = self.transactions.get(transactional_id) else { return };
        let completed = value.completed(context.wall_ms);
        let next = if begun.is_empty() { None } else { completed.with(begun, BUMPS_EPOCHS, context.wall_ms) };
        step.records.push(record(transactional_id, completed));
        if let Some(next) = next {
            self.arm(transactional_id, context.now_ms + i64::from(next.timeout_ms));
            step.records.push(record(transactional_id, next));
        }
    }

    /// What an alarm is for depends on what the transaction has become since.
    fn alarm(&mut self, context: &Context, transactional_id: &str, step: &mut Step) {
        let Some(transaction) = self.transactions.get(transactional_id) else { return };
        let value = &transaction.value;
        if value.status == Status::Ongoing {
            self.prepare(context, transactional_id, value.fenced(context), step);
        } else if value.is_prepared() && transaction.missing.is_empty() {
            self.complete(context, transactional_id, step);
        }
    }

    /// What was adopted, for the log, some at a time.
    fn adoptions(&self) -> Vec<Record> {
        let (mut records, mut bytes) = (Vec::new(), 0);
        for transactional_id in &self.adopted {
            let Some(known) = self.transactions.get(transactional_id) else { continue };
            bytes += self.bytes(transactional_id);
            if bytes > BYTES_PER_TICK && !records.is_empty() {
                break;
            }
            records.push(record(transactional_id, known.value.clone()));
        }
        records
    }

    /// What the records of its end take, at most.
    fn bytes(&self, transactional_id: &str) -> usize {
        let partitions = |transaction: &Transaction| {
            let partitions = transaction.value.partitions.iter();
            partitions.map(|(topic, indexes)| topic.len() + 16 + 4 * indexes.len()).sum::<usize>()
        };
        let value = self.transactions.get(transactional_id).map_or(0, partitions);
        2 * (transactional_id.len() + RECORD_BYTES) + value
    }

    /// Tombstones of ids that nobody has used for `transactional.id.expiration.ms`, some at a time.
    fn expired(&mut self, context: &Context) -> Vec<Record> {
        let unused_since_ms = context.aging_ms.saturating_sub(i64::from(context.settings.expiration_ms));
        let from = self.expiry_from.take().unwrap_or_default();
        let (mut tombstones, mut bytes) = (Vec::new(), 0);
        for (looked, (transactional_id, transaction)) in self.transactions.range(from..).enumerate() {
            if looked == IDS_PER_TICK || bytes > BYTES_PER_TICK {
                self.expiry_from = Some(transactional_id.clone());
                break;
            }
            let value = &transaction.value;
            let idle = matches!(value.status, Status::Empty | Status::CompleteCommit | Status::CompleteAbort);
            if idle && value.last_update_ms <= unused_since_ms {
                bytes += transactional_id.len() + RECORD_BYTES;
                tombstones.push(Record { transactional_id: transactional_id.clone(), value: None });
            }
        }
        if self.expiry_from.is_none() {
            self.expiry_check_ms = Some(context.now_ms + i64::from(context.settings.expiration_check_ms));
        }
        tombstones
    }

    fn arm(&mut self, transactional_id: &str, at_ms: i64) {
        self.disarm(transactional_id);
        self.alarms.insert((at_ms, transactional_id.to_owned()));
        self.alarm_of.insert(transactional_id.to_owned(), at_ms);
    }

    fn disarm(&mut self, transactional_id: &str) {
        if let Some(at_ms) = self.alarm_of.remove(transactional_id) {
            self.alarms.remove(&(at_ms, transactional_id.to_owned()));
        }
    }
}

fn record(transactional_id: &str, value: Value) -> Record {
    Record { transactional_id: transactional_id.to_owned(), value: Some(value) }
}

fn marker(transactional_id: &str, value: &Value, round: u64) -> Marker {
    let ProducerIdAndEpoch { producer_id, producer_epoch } = value.producer();
    Marker {
        transactional_id: transactional_id.to_owned(),
        producer_id,
        producer_epoch,
        commit: value.status == Status::PrepareCommit,
        transaction_version: value.client_transaction_version,
        round,
        partitions: value.partitions.clone(),
    }
}

fn described(transactional_id: &str, transaction: &Transaction) -> Described {
    let value = &transaction.value;
    Described {
        transactional_id: transactional_id.to_owned(),
        status: value.status,
        timeout_ms: value.timeout_ms,
        start_ms: value.start_ms,
        producer: value.producer(),
        partitions: if value.is_prepared() { &transaction.missing } else { &value.partitions }.clone(),
    }
}

fn for_each(partitions: &Partitions, code: impl Fn(&String, &i32) -> ErrorCode) -> PartitionErrors {
    let topic = |(topic, indexes): (&String, &BTreeSet<i32>)| {
        (topic.clone(), indexes.iter().map(|index| (*index, code(topic, index))).collect())
    };
    partitions.iter().map(topic).collect()
}
