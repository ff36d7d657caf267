//! Groups, as the shell of a coordinator drives them.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use coordinator::group::record::{Decoded, Record};
use coordinator::group::{Context, Reply, Request, Shard, Stamp, Step, Ticket};
use model::ErrorCode;
use model::topic_name::GROUP_METADATA;
use tracing::Level;

use super::surroundings::Surroundings;
use crate::coordination::{Environment, Host, KeyAndValue, Lease, Machine, Moment, Parts};

impl Machine for Shard {
    type Request = Request;
    type Reply = Reply;
    type Record = Record;
    type Step = Step;
    type Context<'a> = Context<'a>;
    type Environment = ArcSwap<Surroundings>;
    type Sequel = ();

    const TOPIC: &'static str = GROUP_METADATA;
    const SUBJECT: &'static str = "groups";
    const CLOCKWORK_THREAD: &'static str = "groups";
    const LOAD_THREAD: &'static str = "group-load";

    fn step(&mut self, context: &Context<'_>, ticket: Ticket, request: Request) -> Step {
        self.step(context, ticket, request)
    }

    fn tick(&mut self, context: &Context<'_>) -> Step {
        self.tick(context)
    }

    fn next_deadline_ms(&self) -> Option<i64> {
        self.next_deadline_ms()
    }

    fn is_unsettled(&self) -> bool {
        self.is_unsettled()
    }

    fn loaded(&mut self, context: &Context<'_>) -> Step {
        self.loaded(context)
    }

    fn replay(&mut self, record: Record, stamp: Option<Stamp>) {
        self.replay(record, stamp);
    }

    fn replay_marker(&mut self, stamp: Stamp, commit: bool) {
        self.replay_marker(stamp, commit);
    }

    fn write_failed(&mut self, context: &Context<'_>, step: &Step) -> Vec<(Ticket, Reply)> {
        let undone = self.write_failed(context, step);
        assert!(undone.records.is_empty(), "what was not written needs no record to be undone");
        undone.replies
    }

    fn topics_changed(&mut self, context: &Context<'_>, gone: &[String]) {
        self.topics_deleted(context, gone);
    }

    fn records(step: &Step) -> &[Record] {
        &step.records
    }

    fn stamp(step: &Step) -> Option<Stamp> {
        step.stamp
    }

    fn into_parts(step: Step) -> Parts<Self> {
        Parts { records: step.records, replies: step.replies, sequel: () }
    }

    fn failed(reply: Reply, code: ErrorCode) -> Reply {
        reply.failed(code)
    }

    fn encode(record: &Record, _context: &Context<'_>) -> Result<KeyAndValue, String> {
        record.encode().map_err(|error| error.to_string())
    }

    fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<Option<Record>, String> {
        match Record::decode(key, value) {
            Ok(Decoded::Record(record)) => Ok(Some(record)),
            Ok(Decoded::Unknown(_key_type)) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn log(level: Level, text: fmt::Arguments<'_>) {
        match level {
            Level::ERROR => tracing::error!(target: "ottla.groups", "{text}"),
            Level::WARN => tracing::warn!(target: "ottla.groups", "{text}"),
            Level::INFO => tracing::info!(target: "ottla.groups", "{text}"),
            _ => tracing::debug!(target: "ottla.groups", "{text}"),
        }
    }
}

impl Environment<Shard> for ArcSwap<Surroundings> {
    fn with_context<R>(&self, moment: Moment, act: impl FnOnce(&Context<'_>) -> R) -> R {
        let surroundings = self.load();
        act(&Context {
            now_ms: moment.now_ms,
            wall_ms: moment.wall_ms,
            aging_ms: moment.aging_ms,
            topics: &**surroundings,
            settings: surroundings.settings(),
        })
    }

    fn follow(&self, _host: &Arc<Host<Shard>>, _lease: Lease, _nothing: ()) {}
}
