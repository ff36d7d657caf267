//! Transactional ids, as the shell of a coordinator drives them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use coordinator::group::Stamp;
use coordinator::txn::record::{Record, RecordError, Status};
use coordinator::txn::{Context, Marker, Reply, Request, Shard, Step, Ticket};
use model::ErrorCode;
use model::topic_name::TRANSACTION_STATE;
use tracing::Level;

use super::surroundings::Around;
use crate::coordination::{Environment, Host, KeyAndValue, Lease, Machine, Moment, Parts};
use crate::partition::Acks;
use crate::producer_ids::Reserved;

/// A request, and the producer id that it may need.
#[derive(Debug)]
pub(crate) struct Supplied {
    /// Shared with whoever may have to ask again.
    pub request: Arc<Request>,
    pub reserved: Option<Reserved>,
}

impl Machine for Shard {
    type Request = Supplied;
    type Reply = Reply;
    type Record = Record;
    type Step = Step;
    type Context<'a> = Context<'a>;
    type Environment = Around;
    /// Ends of transactions that are to be written into the logs of their partitions.
    type Sequel = Vec<Marker>;

    const TOPIC: &'static str = TRANSACTION_STATE;
    const SUBJECT: &'static str = "transactional ids";
    const CLOCKWORK_THREAD: &'static str = "transactions";
    const LOAD_THREAD: &'static str = "txn-load";
    /// Kafka's `TransactionStateManager` ends the load there and serves what it has by then. What comes after is served too:
    /// decisions are among it.
    const PASSES_OVER_THE_ILLEGIBLE: bool = true;

    fn step(&mut self, context: &Context<'_>, ticket: Ticket, supplied: Supplied) -> Step {
        let Supplied { request, mut reserved } = supplied;
        let fresh_producer_id = reserved.as_ref().map_or(context.fresh_producer_id, Reserved::id);
        let step = self.step(&Context { fresh_producer_id, ..*context }, ticket, &request);
        // Also where the step cannot be written: what the shard once had in its hands nobody else gets.
        if let Some(reserved) = reserved.as_mut().filter(|_| step.producer_id_taken) {
            reserved.take();
        }
        step
    }

    fn tick(&mut self, context: &Context<'_>) -> Step {
        self.tick(context)
    }

    fn next_deadline_ms(&self) -> Option<i64> {
        self.next_deadline_ms()
    }

    fn loaded(&mut self, context: &Context<'_>) -> Step {
        self.loaded(context)
    }

    fn replay(&mut self, record: Record, _stamp: Option<Stamp>) {
        self.replay(record);
    }

    fn write_failed(&mut self, context: &Context<'_>, step: &Step) -> Vec<(Ticket, Reply)> {
        let undone = self.write_failed(context, step);
        assert!(undone.records.is_empty(), "what was not written needs no record to be undone");
        undone.replies
    }

    fn records(step: &Step) -> &[Record] {
        &step.records
    }

    /// A transaction that becomes complete does so in no hurry: nobody waits for that record, and what a crash takes back
    /// is done again. Mostly it reaches the disk together with the beginning of the next transaction.
    fn acks(step: &Step) -> Acks {
        if step.replies.is_empty() && step.markers.is_empty() { Acks::Written } else { Acks::Committed }
    }

    fn goes_ahead(step: &Step) -> bool {
        step.goes_ahead
    }

    fn into_parts(step: Step) -> Parts<Self> {
        Parts { records: step.records, replies: step.replies, sequel: step.markers }
    }

    fn failed(reply: Reply, code: ErrorCode) -> Reply {
        reply.failed(code)
    }

    fn encode(record: &Record, context: &Context<'_>) -> Result<KeyAndValue, String> {
        record.encode(context.transaction_version).map_err(|error| error.to_string())
    }

    fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<Option<Record>, String> {
        match Record::decode(key, value) {
            Ok(record) => Ok(Some(record)),
            Err(RecordError::KeyType(_later)) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn log(level: Level, text: fmt::Arguments<'_>) {
        match level {
            Level::ERROR => tracing::error!(target: "ottla.transactions", "{text}"),
            Level::WARN => tracing::warn!(target: "ottla.transactions", "{text}"),
            Level::INFO => tracing::info!(target: "ottla.transactions", "{text}"),
            _ => tracing::debug!(target: "ottla.transactions", "{text}"),
        }
    }
}

impl Environment<Shard> for Around {
    fn with_context<R>(&self, moment: Moment, act: impl FnOnce(&Context<'_>) -> R) -> R {
        let surroundings = self.surroundings.load();
        act(&Context {
            now_ms: moment.now_ms,
            wall_ms: moment.wall_ms,
            aging_ms: moment.aging_ms,
            fresh_producer_id: model::ProducerId::NONE.value(),
            transaction_version: surroundings.transaction_version,
            settings: &surroundings.settings,
        })
    }

    fn replayed(&self, shard: &mut Shard, context: &Context<'_>) {
        // Also of a shard that is read again while the node lives: not all that it had adopted need be in its log. What was
        // open at the start does not become stale by then. It is found by an epoch that is one transaction's own, and an end
        // of that transaction has either given the id another epoch, or left it with one that is nobody's own. What is taken
        // for left behind though it has ended since is not ended again.
        shard.adopt(context, &self.open_at_start.lock());
    }

    fn appended(&self, record: &Record) {
        let status = record.value.as_ref().map(|value| value.status);
        if !matches!(status, Some(Status::PrepareCommit | Status::PrepareAbort | Status::Ongoing)) {
            self.waiting.wake(&record.transactional_id);
        }
    }

    fn follow(&self, host: &Arc<Host<Shard>>, lease: Lease, markers: Vec<Marker>) {
        for marker in markers {
            self.markers.see_through(Arc::clone(host), lease, marker);
        }
    }
}
