//! One shard with its log, its lock, and those who wait for its answers.

use std::collections::HashMap;
use std::sync::Arc;

use coordinator::group::Ticket;
use model::{ErrorCode, Offset};
use parking_lot::{Mutex, MutexGuard};
use storage::VerificationGuard;
use tokio::sync::oneshot;
use tracing::Level;

use super::{Environment, Machine, Moment, Shared};
use crate::partition::Partition;

/// A shard and the partition that holds its records.
///
/// The lock of the shard is held for one step: decide, append, replay. The partition's lock is taken within it, never the
/// other way round, and nothing is waited for.
#[derive(Debug)]
pub(crate) struct Host<M: Machine> {
    pub(super) shared: Arc<Shared<M>>,
    pub(super) partition: Arc<Partition>,
    state: Mutex<State<M>>,
}

#[derive(Debug)]
pub(super) struct State<M: Machine> {
    pub(super) shard: M,
    stage: Stage,
    /// How often it was loaded again.
    pub(super) life: u64,
    /// Everything the shard has appended ends here.
    pub(super) end: Offset,
    /// Everything up to here is on its way to the disk, or there.
    pub(super) urged: Offset,
    tickets: u64,
    /// Requests that the shard has not answered yet.
    parked: HashMap<Ticket, oneshot::Sender<Settled<M>>>,
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
struct Settled<M: Machine> {
    reply: M::Reply,
    end: Offset,
}

/// What a step is taken for.
#[derive(Debug, Default)]
pub(super) struct Cause {
    /// A request of this number, which is answered here.
    pub ticket: Option<Ticket>,
    /// What the partition gave out before the request was found to be part of a transaction.
    pub guard: Option<VerificationGuard>,
    /// Whoever asked goes on with it, and asks for the sync once that is written too: one sync takes both.
    pub goes_ahead: bool,
}

/// A request's answer, or the slot for it.
type Taken<M> = Result<Settled<M>, Parked<M>>;

/// Steps that one tick takes before others get the lock.
const STEPS_PER_TICK: usize = 64;

impl<M: Machine> Host<M> {
    pub(super) fn new(shared: Arc<Shared<M>>, partition: Arc<Partition>) -> Arc<Self> {
        let state = State {
            shard: M::default(),
            stage: Stage::Loading,
            life: 0,
            end: Offset::ZERO,
            urged: Offset::ZERO,
            tickets: 0,
            parked: HashMap::new(),
            armed_ms: i64::MAX,
            topics_gone: Vec::new(),
        };
        Arc::new(Self { shared, partition, state: Mutex::new(state) })
    }

    /// The partition that holds its records.
    pub fn partition(&self) -> &Arc<Partition> {
        &self.partition
    }

    /// Whether its log never had a record.
    pub(super) fn is_unwritten(&self) -> bool {
        self.partition.offsets().log_end == Offset::ZERO
    }

    /// Asks the shard. The effect is there when this is first polled; the answer comes when it is on disk, or when the
    /// shard gives it. Cancel-safe in that sense.
    ///
    /// # Errors
    /// The shard is not loaded, or no more.
    pub async fn ask(self: &Arc<Self>, request: M::Request) -> Result<M::Reply, ErrorCode> {
        self.ask_verified(request, None).await
    }

    /// As [`Host::ask`], with what the partition gave out before the request was found to be part of a transaction.
    ///
    /// # Errors
    /// As there.
    pub async fn ask_verified(
        self: &Arc<Self>,
        request: M::Request,
        guard: Option<VerificationGuard>,
    ) -> Result<M::Reply, ErrorCode> {
        let (taken, _) = self.take(request, guard, false)?;
        self.answer(taken).await
    }

    /// As [`Host::ask`], but where the shard allows to go ahead the answer comes at once, with where the log must be durable
    /// up to before anybody else learns of it. [`Partition::hurry`] is then up to the caller, when it has written what it
    /// goes ahead with.
    ///
    /// # Errors
    /// As there.
    pub async fn ask_ahead(
        self: &Arc<Self>,
        request: M::Request,
    ) -> Result<(M::Reply, Option<Offset>), ErrorCode> {
        match self.take(request, None, true)? {
            (Ok(Settled { reply, end }), true) => Ok((reply, Some(end))),
            (taken, _) => Ok((self.answer(taken).await?, None)),
        }
    }

    async fn answer(&self, taken: Taken<M>) -> Result<M::Reply, ErrorCode> {
        let Settled { reply, end } = match taken {
            Ok(settled) => settled,
            Err(mut parked) => (&mut parked.answered).await.map_err(|_gone| ErrorCode::NotCoordinator)?,
        };
        Ok(match self.durable(end).await {
            Ok(()) => reply,
            Err(code) => M::failed(reply, code),
        })
    }

    /// Has the shard take the step of a request, and says whether whoever asked goes ahead, which only one does that may.
    fn take(
        self: &Arc<Self>,
        request: M::Request,
        guard: Option<VerificationGuard>,
        may_go_ahead: bool,
    ) -> Result<(Taken<M>, bool), ErrorCode> {
        let _reload = self.reload_after_panic();
        self.shared.with_context(|moment, context| {
            let mut state = self.ready()?;
            state.tickets += 1;
            let ticket = Ticket(state.tickets);
            let step = state.shard.step(context, ticket, request);
            let goes_ahead = may_go_ahead && M::goes_ahead(&step);
            let cause = Cause { ticket: Some(ticket), guard, goes_ahead };
            let own = self.carry_out(&mut state, (moment, context), step, cause);
            self.arm(&mut state);
            if !goes_ahead {
                self.urge(&mut state);
            }
            let taken = own.ok_or_else(|| {
                let (answer, answered) = oneshot::channel();
                state.parked.insert(ticket, answer);
                Parked { host: Arc::clone(self), ticket, answered }
            });
            Ok((taken, goes_ahead))
        })
    }

    /// What the shard shows, and where the log must be durable up to before anybody is told.
    ///
    /// # Errors
    /// The shard is not loaded, or no more.
    pub fn observe<R>(&self, look: impl FnOnce(&M, &M::Context<'_>) -> R) -> Result<(R, Offset), ErrorCode> {
        self.shared.with_context(|_moment, context| {
            let mut state = self.ready()?;
            self.urge(&mut state);
            Ok((look(&state.shard, context), state.end))
        })
    }

    /// Looks at the shard. The answer comes when everything it is based on is on disk.
    ///
    /// # Errors
    /// The shard is not loaded, or no more.
    pub async fn look<R>(&self, look: impl FnOnce(&M, &M::Context<'_>) -> R) -> Result<R, ErrorCode> {
        let (seen, end) = self.observe(look)?;
        // As in Kafka, where a read that cannot be made sure is taken for one at the wrong place: old consumers know
        // no other answer.
        self.durable(end).await.map_err(|_code| ErrorCode::NotCoordinator)?;
        Ok(seen)
    }

    /// Has the shard take a step that nobody asked for, unless it is another than that of the lease.
    pub fn act(self: &Arc<Self>, life: u64, act: impl FnOnce(&mut M, &M::Context<'_>) -> M::Step) {
        let _reload = self.reload_after_panic();
        self.shared.with_context(|moment, context| {
            let Ok(mut state) = self.ready() else { return };
            if state.life == life {
                let step = act(&mut state.shard, context);
                self.carry_out(&mut state, (moment, context), step, Cause::default());
                self.arm(&mut state);
            }
        });
    }

    /// Has the shard take a step because of something that has happened; not where it is loading, or closed.
    pub fn tell(self: &Arc<Self>, act: impl FnOnce(&mut M, &M::Context<'_>) -> M::Step) {
        let life = self.state.lock().life;
        self.act(life, act);
    }

    /// Whether it is still what it was at the time of the lease.
    pub fn is_alive(&self, life: u64) -> bool {
        let state = self.state.lock();
        state.stage == Stage::Ready && state.life == life
    }

    /// Does what is due; `armed_ms` is the deadline it was armed with.
    pub(super) fn tick(self: &Arc<Self>, armed_ms: i64) {
        let _reload = self.reload_after_panic();
        self.shared.with_ages(|moment, context| {
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
                if state.shard.next_deadline_ms().is_none_or(|at_ms| at_ms > moment.now_ms) {
                    break;
                }
                let step = state.shard.tick(context);
                self.carry_out(&mut state, (moment, context), step, Cause::default());
            }
            self.arm(&mut state);
        });
    }

    /// Topics have come, gone or changed.
    pub(super) fn topics_changed(self: &Arc<Self>, gone: &[String]) {
        let _reload = self.reload_after_panic();
        self.shared.with_context(|_moment, context| {
            let mut state = self.state.lock();
            match state.stage {
                Stage::Loading => state.topics_gone.extend_from_slice(gone),
                Stage::Closed => {}
                Stage::Ready => {
                    state.shard.topics_changed(context, gone);
                    self.arm(&mut state);
                }
            }
        });
    }

    /// The shard is what its log says; `end` is where that ends.
    pub(super) fn loaded(self: &Arc<Self>, shard: M, end: Offset) {
        let _reload = self.reload_after_panic();
        self.shared.with_ages(|moment, context| {
            let mut state = self.state.lock();
            if state.stage != Stage::Loading {
                return;
            }
            state.shard = shard;
            state.stage = Stage::Ready;
            state.end = end;
            self.shared.environment.replayed(&mut state.shard, context);
            let step = state.shard.loaded(context);
            self.carry_out(&mut state, (moment, context), step, Cause::default());
            let gone = std::mem::take(&mut state.topics_gone);
            if !gone.is_empty() {
                state.shard.topics_changed(context, &gone);
            }
            self.arm(&mut state);
        });
    }

    /// Answers nobody any more: the partition is gone, or its log cannot be read.
    pub fn retire(&self) {
        let mut state = self.state.lock();
        state.stage = Stage::Closed;
        state.shard = M::default();
        // Those who wait see their senders go.
        state.parked.clear();
    }

    /// A shard that panicked is no more what its log says: it is read anew.
    pub(super) fn reload_after_panic(self: &Arc<Self>) -> ReloadAfterPanic<'_, M> {
        ReloadAfterPanic(self)
    }

    fn reload(self: &Arc<Self>) {
        let name = self.partition.dir_name();
        M::log(
            Level::ERROR,
            format_args!("the coordinator of {name} failed; its {} are loaded again", M::SUBJECT),
        );
        let mut state = self.state.lock();
        if state.stage == Stage::Closed {
            return;
        }
        state.stage = Stage::Loading;
        state.shard = M::default();
        state.life += 1;
        state.parked.clear();
        drop(state);
        let host = Arc::clone(self);
        let thread = std::thread::Builder::new().name(format!("{}-again", M::LOAD_THREAD));
        if let Err(error) = thread.spawn(move || super::load::load(&host)) {
            self.shared.fatal.report(&format!("no thread to load {} again: {error}", M::SUBJECT));
        }
    }

    pub(super) fn ready(&self) -> Result<MutexGuard<'_, State<M>>, ErrorCode> {
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
        self: &Arc<Self>,
        state: &mut State<M>,
        (moment, context): (Moment, &M::Context<'_>),
        mut step: M::Step,
        cause: Cause,
    ) -> Option<Settled<M>> {
        let mut settled = None;
        loop {
            let answers = self.commit(state, (moment, context), step, &cause);
            state.answer(answers, cause.ticket, &mut settled);
            if !state.shard.is_unsettled() {
                return settled;
            }
            step = self.shared.with_ages(|_moment, context| state.shard.tick(context));
        }
    }

    /// Has the clockwork come at the shard's next deadline.
    fn arm(self: &Arc<Self>, state: &mut State<M>) {
        let Some(at_ms) = state.shard.next_deadline_ms() else { return };
        if at_ms < state.armed_ms {
            state.armed_ms = at_ms;
            self.shared.clockwork.arm(at_ms, self);
        }
    }
}

impl<M: Machine> State<M> {
    fn answer(
        &mut self,
        replies: Vec<(Ticket, M::Reply)>,
        own: Option<Ticket>,
        settled: &mut Option<Settled<M>>,
    ) {
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
pub(super) struct ReloadAfterPanic<'a, M: Machine>(&'a Arc<Host<M>>);

impl<M: Machine> Drop for ReloadAfterPanic<'_, M> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.reload();
        }
    }
}

/// A request that waits for its answer. Whoever stops waiting gives up the slot; the shard goes on without.
#[derive(Debug)]
struct Parked<M: Machine> {
    host: Arc<Host<M>>,
    ticket: Ticket,
    answered: oneshot::Receiver<Settled<M>>,
}

impl<M: Machine> Drop for Parked<M> {
    fn drop(&mut self) {
        self.host.state.lock().parked.remove(&self.ticket);
    }
}

#[cfg(test)]
#[path = "host_tests.rs"]
mod tests;
