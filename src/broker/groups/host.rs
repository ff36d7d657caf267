//! One shard with its log, its lock, and those who wait for its answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use coordinator::group::record::Record;
use coordinator::group::{Context, Reply, Request, Shard, Stamp, Step, Ticket};
use model::{Clock, ErrorCode, Offset, ProducerEpoch, ProducerId};
use parking_lot::{Mutex, MutexGuard};
use records::{BatchBuilder, Codec};
use storage::Origin;
use tokio::sync::oneshot;

use super::clockwork::Clockwork;
use super::surroundings::Surroundings;
use crate::context::Fatal;
use crate::partition::{Acks, CommitTicket, Partition};

/// What all shards of a node share.
#[derive(Debug)]
pub(super) struct Shared {
    pub clock: Clock,
    pub surroundings: ArcSwap<Surroundings>,
    pub clockwork: Clockwork,
    /// `offsets.commit.timeout.ms`
    pub commit_timeout: Duration,
    /// `offsets.topic.compression.codec`
    pub codec: Codec,
    pub fatal: Fatal,
}

impl Shared {
    /// Runs `act` with the surroundings of this moment.
    pub(super) fn with_context<R>(&self, act: impl FnOnce(&Context<'_>) -> R) -> R {
        let surroundings = self.surroundings.load();
        act(&Context {
            now_ms: self.now_ms(),
            wall_ms: self.clock.wall_ms(),
            topics: &**surroundings,
            settings: surroundings.settings(),
        })
    }

    /// Monotonic milliseconds, as deadlines of shards are told in.
    pub(super) fn now_ms(&self) -> i64 {
        i64::try_from(self.clock.monotonic().as_millis()).unwrap_or(i64::MAX)
    }
}

/// A shard and the partition of `__consumer_offsets` that holds its records.
///
/// The lock of the shard is held for one step: decide, append, replay. The partition's lock is taken within it, never the
/// other way round, and nothing is waited for.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) shared: Arc<Shared>,
    pub(super) partition: Arc<Partition>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    shard: Shard,
    stage: Stage,
    /// Everything the shard has appended ends here.
    end: Offset,
    tickets: u64,
    /// Requests that the shard has not answered yet.
    parked: HashMap<Ticket, oneshot::Sender<Settled>>,
    /// The deadline that the clockwork knows of; `i64::MAX` for none.
    armed_ms: i64,
    /// Topics that were deleted before the shard was ready.
    topics_gone: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Loading,
    Ready,
    /// The partition is gone, or its log could not be read.
    Closed,
}

/// An answer, and where the log must be durable up to before it leaves.
#[derive(Debug)]
struct Settled {
    reply: Reply,
    end: Offset,
}

/// Steps that one tick takes before others get the lock.
const STEPS_PER_TICK: usize = 64;

impl Host {
    pub(super) fn new(shared: Arc<Shared>, partition: Arc<Partition>) -> Arc<Self> {
        let state = State {
            shard: Shard::default(),
            stage: Stage::Loading,
            end: Offset::ZERO,
            tickets: 0,
            parked: HashMap::new(),
            armed_ms: i64::MAX,
            topics_gone: Vec::new(),
        };
        Arc::new(Self { shared, partition, state: Mutex::new(state) })
    }

    /// Whether its log never had a record.
    pub(super) fn is_unwritten(&self) -> bool {
        self.partition.offsets().log_end == Offset::ZERO
    }

    /// See [`super::Groups::ask`].
    pub(super) async fn ask(self: &Arc<Self>, request: Request) -> Result<Reply, ErrorCode> {
        let Settled { reply, end } = match self.take(request)? {
            Ok(settled) => settled,
            Err(mut parked) => (&mut parked.answered).await.map_err(|_gone| ErrorCode::NotCoordinator)?,
        };
        Ok(match self.durable(end).await {
            Ok(()) => reply,
            Err(code) => reply.failed(code),
        })
    }

    /// Has the shard take the step of a request: its answer, or the slot for it.
    fn take(self: &Arc<Self>, request: Request) -> Result<Result<Settled, Parked>, ErrorCode> {
        let _reload = self.reload_after_panic();
        self.shared.with_context(|context| {
            let mut state = self.ready()?;
            state.tickets += 1;
            let ticket = Ticket(state.tickets);
            let step = state.shard.step(context, ticket, request);
            let own = self.carry_out(&mut state, context, step, Some(ticket));
            self.arm(&mut state);
            Ok(own.ok_or_else(|| {
                let (answer, answered) = oneshot::channel();
                state.parked.insert(ticket, answer);
                Parked { host: Arc::clone(self), ticket, answered }
            }))
        })
    }

    /// What the shard shows, and where the log must be durable up to before anybody is told.
    pub(super) fn observe<R>(
        &self,
        look: impl FnOnce(&Shard, &Context<'_>) -> R,
    ) -> Result<(R, Offset), ErrorCode> {
        self.shared.with_context(|context| {
            let state = self.ready()?;
            Ok((look(&state.shard, context), state.end))
        })
    }

    /// See [`super::Groups::look`].
    pub(super) async fn look<R>(&self, look: impl FnOnce(&Shard, &Context<'_>) -> R) -> Result<R, ErrorCode> {
        let (seen, end) = self.observe(look)?;
        // As in Kafka, where a read that cannot be made sure is taken for one at the wrong place: old consumers know
        // no other answer.
        self.durable(end).await.map_err(|_code| ErrorCode::NotCoordinator)?;
        Ok(seen)
    }

    /// Does what is due; `armed_ms` is the deadline it was armed with.
    pub(super) fn tick(self: &Arc<Self>, armed_ms: i64) {
        let _reload = self.reload_after_panic();
        self.shared.with_context(|context| {
            let mut state = self.state.lock();
            if state.armed_ms > armed_ms {
                // It was armed with an earlier one since, and has been here for that.
                return;
            }
            state.armed_ms = i64::MAX;
            if state.stage != Stage::Ready {
                return;
            }
            for _ in 0..STEPS_PER_TICK {
                if state.shard.next_deadline_ms().is_none_or(|at_ms| at_ms > context.now_ms) {
                    break;
                }
                let step = state.shard.tick(context);
                self.carry_out(&mut state, context, step, None);
            }
            self.arm(&mut state);
        });
    }

    /// Topics have come, gone or changed; offsets of those that are gone are given up.
    pub(super) fn topics_changed(self: &Arc<Self>, gone: &[String]) {
        let _reload = self.reload_after_panic();
        self.shared.with_context(|context| {
            let mut state = self.state.lock();
            match state.stage {
                Stage::Loading => state.topics_gone.extend_from_slice(gone),
                Stage::Closed => {}
                Stage::Ready => {
                    state.shard.topics_deleted(context, gone);
                    self.arm(&mut state);
                }
            }
        });
    }

    /// The shard is what its log says; `end` is where that ends.
    pub(super) fn loaded(self: &Arc<Self>, shard: Shard, end: Offset) {
        let _reload = self.reload_after_panic();
        self.shared.with_context(|context| {
            let mut state = self.state.lock();
            if state.stage != Stage::Loading {
                return;
            }
            state.shard = shard;
            state.stage = Stage::Ready;
            state.end = end;
            let step = state.shard.loaded(context);
            self.carry_out(&mut state, context, step, None);
            let gone = std::mem::take(&mut state.topics_gone);
            if !gone.is_empty() {
                state.shard.topics_deleted(context, &gone);
            }
            self.arm(&mut state);
        });
    }

    /// Answers nobody any more: the partition is gone, or its log cannot be read.
    pub(super) fn retire(&self) {
        let mut state = self.state.lock();
        state.stage = Stage::Closed;
        state.shard = Shard::default();
        // Those who wait see their senders go.
        state.parked.clear();
    }

    /// A shard that panicked is no more what its log says: it is read anew.
    fn reload_after_panic(self: &Arc<Self>) -> ReloadAfterPanic<'_> {
        ReloadAfterPanic(self)
    }

    fn reload(self: &Arc<Self>) {
        tracing::error!(target: "ottla.groups", "the coordinator of {} failed; its groups are loaded again", self.partition.dir_name());
        let mut state = self.state.lock();
        if state.stage == Stage::Closed {
            return;
        }
        state.stage = Stage::Loading;
        state.shard = Shard::default();
        state.parked.clear();
        drop(state);
        let host = Arc::clone(self);
        let thread = std::thread::Builder::new().name("group-reload".to_owned());
        if let Err(error) = thread.spawn(move || super::load::load(&host)) {
            self.shared.fatal.report(&format!("no thread to load groups again: {error}"));
        }
    }

    fn ready(&self) -> Result<MutexGuard<'_, State>, ErrorCode> {
        let state = self.state.lock();
        match state.stage {
            Stage::Ready => Ok(state),
            Stage::Loading => Err(ErrorCode::CoordinatorLoadInProgress),
            Stage::Closed => Err(ErrorCode::NotCoordinator),
        }
    }

    /// Appends and replays what a step proposes, and what follows from it. Answers the one who waits for `own` here,
    /// all others in their slots.
    fn carry_out(
        &self,
        state: &mut State,
        context: &Context<'_>,
        mut step: Step,
        own: Option<Ticket>,
    ) -> Option<Settled> {
        let mut settled = None;
        loop {
            self.commit(state, context, step, own, &mut settled);
            if state.shard.next_deadline_ms() != Some(i64::MIN) {
                return settled;
            }
            step = state.shard.tick(context);
        }
    }

    fn commit(
        &self,
        state: &mut State,
        context: &Context<'_>,
        step: Step,
        own: Option<Ticket>,
        settled: &mut Option<Settled>,
    ) {
        if step.records.is_empty() {
            return state.answer(step.replies, own, settled);
        }
        match self.append(&step.records, step.stamp, context.wall_ms) {
            Ok(end) => {
                state.end = end;
                for record in step.records {
                    state.shard.replay(record, step.stamp);
                }
                state.answer(step.replies, own, settled);
            }
            Err(code) => {
                let undone = state.shard.write_failed(context, &step);
                assert!(undone.records.is_empty(), "what was not written needs no record to be undone");
                let refused = step.replies.into_iter().map(|(ticket, reply)| (ticket, reply.failed(code)));
                state.answer(refused.collect(), own, settled);
                state.answer(undone.replies, own, settled);
            }
        }
    }

    fn append(&self, records: &[Record], stamp: Option<Stamp>, wall_ms: i64) -> Result<Offset, ErrorCode> {
        let mut builder = BatchBuilder::new().codec(self.shared.codec, None);
        if let Some(Stamp { producer_id, producer_epoch }) = stamp {
            let (id, epoch) = (ProducerId::new(producer_id), ProducerEpoch::new(producer_epoch));
            builder = builder.producer(id, epoch, -1).transactional();
        }
        for record in records {
            let (key, value) = record.encode().map_err(|error| {
                tracing::warn!(target: "ottla.groups", "a change of a group is refused: {error}");
                ErrorCode::UnknownServerError
            })?;
            builder.append(wall_ms, Some(&key), value.as_deref(), &[]);
        }
        let batch = builder.build().map_err(|error| {
            tracing::warn!(target: "ottla.groups", "a change of a group is refused: {error}");
            ErrorCode::RecordListTooLarge
        })?;
        if batch.len() > self.partition.topic().settings.load().message_bytes_max {
            return Err(ErrorCode::MessageTooLarge);
        }
        let placed = self.partition.append_from(Origin::Coordinator, batch, Acks::Committed, wall_ms);
        let placed = placed.map_err(|error| {
            tracing::error!(target: "ottla.groups", "cannot write to {}: {error}", self.partition.dir_name());
            error.code()
        })?;
        Ok(placed.at.last_offset.next())
    }

    /// Has the clockwork come at the shard's next deadline.
    fn arm(self: &Arc<Self>, state: &mut State) {
        let Some(at_ms) = state.shard.next_deadline_ms() else { return };
        if at_ms < state.armed_ms {
            state.armed_ms = at_ms;
            self.shared.clockwork.arm(at_ms, self);
        }
    }

    /// Waits until the log is on disk up to `end`.
    pub(super) async fn durable(&self, end: Offset) -> Result<(), ErrorCode> {
        if self.partition.is_committed(end) {
            return Ok(());
        }
        let ticket = CommitTicket::new();
        self.partition.await_commit(end, &ticket);
        // Whether it timed out is seen from the offsets.
        let _ = tokio::time::timeout(self.shared.commit_timeout, ticket.all()).await;
        if self.partition.is_committed(end) {
            return Ok(());
        }
        let gone = self.partition.is_gone();
        Err(if gone { ErrorCode::NotLeaderOrFollower } else { ErrorCode::RequestTimedOut })
    }
}

impl State {
    fn answer(&mut self, replies: Vec<(Ticket, Reply)>, own: Option<Ticket>, settled: &mut Option<Settled>) {
        for (ticket, reply) in replies {
            let answer = Settled { reply, end: self.end };
            if own == Some(ticket) {
                *settled = Some(answer);
            } else if let Some(slot) = self.parked.remove(&ticket) {
                // Who asked may have gone meanwhile.
                let _ = slot.send(answer);
            }
        }
    }
}

/// See [`Host::reload`]. To be made before the lock is taken.
struct ReloadAfterPanic<'a>(&'a Arc<Host>);

impl Drop for ReloadAfterPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.reload();
        }
    }
}

/// A request that waits for its answer. Whoever stops waiting gives up the slot; the group goes on without.
#[derive(Debug)]
struct Parked {
    host: Arc<Host>,
    ticket: Ticket,
    answered: oneshot::Receiver<Settled>,
}

impl Drop for Parked {
    fn drop(&mut self) {
        self.host.state.lock().parked.remove(&self.ticket);
    }
}
