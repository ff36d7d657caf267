//! One client connection: reads frames, starts their requests, and writes the replies in the order of the requests.
//!
//! Requests take effect in order of arrival. Most of those that wait long have taken effect when their future was
//! first polled, and later requests go on while a Produce waits for a commit or a Fetch for data; of a fetch session
//! only one at a time. After a request that waits in between its effects, nothing is started before it ends. Only the oldest unanswered request is polled again, because only its reply may leave, and
//! the newest if it is such a one: it must not sit on what other connections wait for. All replies that are ready
//! leave in one vectored write.
//!
//! A connection stops reading, and so pushes back on its peer, while too many requests or reply bytes are
//! outstanding; nobody else notices. It reads on only when every whole request that it has read is started, so that
//! what was sent before an end of the stream takes effect.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use model::limits::{BODY_STALL_MS, REPLY_BYTES_UNSENT_MAX, REQUESTS_IN_FLIGHT_MAX};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};
use wire::header::ClientId;

use super::budget::{Budget, Reservation};
use super::frames::{Frame, Frames, Progress};
use super::outbox::Outbox;
use crate::context::{Broker, ConnectionInfo};
use crate::dispatch::{self, Answer, Order, Started};
use crate::metrics::requests::{Recorder, Timing};
use crate::partition::HeldCalls;

/// Turns of work before other connections of the thread get theirs.
const TURNS_MAX: usize = 32;
/// A peer that takes no byte of its replies for this long is gone.
const WRITE_STALL: Duration = Duration::from_secs(30);

/// Limits of one connection.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionSettings {
    /// `socket.request.max.bytes`.
    pub frame_bytes_max: usize,
    /// `connections.max.idle.ms`; `None` for never.
    pub idle: Option<Duration>,
}

impl ConnectionSettings {
    /// How often the deadlines of a connection are looked at.
    fn check_every(&self) -> Duration {
        CHECK_EVERY.min(self.idle.unwrap_or(CHECK_EVERY))
    }
}

/// See the module's text.
pub struct Connection {
    broker: Arc<Broker>,
    info: Arc<ConnectionInfo>,
    settings: ConnectionSettings,
    stream: TcpStream,
    frames: Frames,
    /// Requests without reply, oldest first.
    pending: VecDeque<Pending>,
    /// A request that must not take effect yet.
    waiting: Option<Pending>,
    /// Of the last request.
    client_id: ClientId,
    recorder: Recorder,
    /// Bytes of the replies among `pending` that are ready, but not next.
    held_bytes: usize,
    outbox: Outbox,
    stop: Pin<Box<dyn Future<Output = ()>>>,
    timer: Pin<Box<Sleep>>,
    last_read: Instant,
    last_written: Instant,
    /// What the bytes read so far wait for.
    reading: Reading,
    /// No more requests are read: the peer closed, it broke a rule, or the node stops.
    closing: bool,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("info", &self.info).finish_non_exhaustive()
    }
}

struct Pending {
    answer: Pin<Box<dyn Future<Output = Answer>>>,
    done: Option<Answer>,
    order: Order,
    reservation: Reservation,
    timing: Timing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Idle,
    MidFrame,
    NeedsBudget,
    /// Their turn: there may be whole requests among them that cannot be started yet.
    Turn,
}

impl Connection {
    /// A connection that serves until its peer leaves or `stop` turns true.
    pub fn new(
        broker: Arc<Broker>,
        info: Arc<ConnectionInfo>,
        settings: ConnectionSettings,
        budget: Budget,
        stream: TcpStream,
        mut stop: watch::Receiver<bool>,
    ) -> Self {
        let now = Instant::now();
        let recorder = broker.metrics.recorder(&info.listener);
        let stop = async move {
            // An error means that the sender is gone, which is a stop as well.
            let _ = stop.wait_for(|stopping| *stopping).await;
        };
        Self {
            broker,
            info,
            settings,
            stream,
            frames: Frames::new(budget, settings.frame_bytes_max),
            pending: VecDeque::new(),
            waiting: None,
            client_id: ClientId::default(),
            recorder,
            held_bytes: 0,
            outbox: Outbox::default(),
            stop: Box::pin(stop),
            timer: Box::pin(sleep_until(now + settings.check_every())),
            last_read: now,
            last_written: now,
            reading: Reading::Idle,
            closing: false,
        }
    }

    /// Serves until the connection ends.
    pub async fn serve(mut self) {
        let ended = std::future::poll_fn(|context| self.poll(context)).await;
        match ended {
            Ok(()) => {
                tracing::debug!(target: "ottla.net", "connection {} of {} closed", self.info.id, self.info.peer);
            }
            Err(error) => {
                tracing::debug!(target: "ottla.net", "connection {} of {}: {error}", self.info.id, self.info.peer);
            }
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        for turn in 0..TURNS_MAX {
            let mut moved = self.poll_read(context)?;
            if moved && turn > 0 {
                // What was started before is not held back for what goes on coming.
                HeldCalls::make();
            }
            moved |= self.start_requests(context);
            moved |= self.poll_answers(context);
            moved |= self.poll_write(context)?;
            if self.closing && self.pending.is_empty() && self.outbox.is_empty() {
                return Poll::Ready(Ok(()));
            }
            if !moved {
                return self.poll_end(context);
            }
        }
        self.poll_stop(context);
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether the node has begun to stop just now.
    fn poll_stop(&mut self, context: &mut Context<'_>) -> bool {
        let stops = !self.closing && self.stop.as_mut().poll(context).is_ready();
        self.closing |= stops;
        stops
    }

    /// What can end a connection on which nothing moves: the node stops, or time is up.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.poll_stop(context) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.reading == Reading::Idle {
            self.frames.release_if_idle();
        }
        while self.timer.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            let (deadline, reason) = self.deadline(now);
            if deadline <= now {
                tracing::info!(target: "ottla.net", "closing connection {} of {}: {reason}", self.info.id, self.info.peer);
                return Poll::Ready(Ok(()));
            }
            self.timer.as_mut().reset(deadline.min(now + self.settings.check_every()));
        }
        Poll::Pending
    }

    /// When this connection ends if nothing moves until then, and why.
    fn deadline(&self, now: Instant) -> (Instant, &'static str) {
        if !self.outbox.is_empty() {
            return (self.last_written + WRITE_STALL, "the peer does not read its replies");
        }
        if self.reading == Reading::MidFrame && self.may_read() {
            return (
                self.last_read + Duration::from_millis(BODY_STALL_MS),
                "the rest of a request did not come",
            );
        }
        match self.settings.idle {
            Some(idle) if self.pending.is_empty() && self.reading == Reading::Idle => {
                (self.last_read.max(self.last_written) + idle, "idle for connections.max.idle.ms")
            }
            _ => (now + self.settings.check_every(), ""),
        }
    }

    fn may_start(&self) -> bool {
        !self.closing
            && self.pending.len() < REQUESTS_IN_FLIGHT_MAX
            && self.outbox.bytes() + self.held_bytes < REPLY_BYTES_UNSENT_MAX
            && !self.pending.back().is_some_and(Pending::is_barrier)
            && !(self.waiting.is_some() && self.is_in_session())
    }

    /// Whether a request of a fetch session has not ended yet.
    fn is_in_session(&self) -> bool {
        self.pending.iter().any(|request| matches!(request.order, Order::InSession) && request.done.is_none())
    }

    fn may_read(&self) -> bool {
        self.may_start() && matches!(self.reading, Reading::Idle | Reading::MidFrame)
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        if !self.may_read() {
            return Ok(false);
        }
        // Where nothing has come, no buffer is made to read it into.
        if self.stream.poll_read_ready(context)?.is_pending() {
            return Ok(false);
        }
        match self.frames.poll_read(&mut self.stream, context)? {
            Poll::Pending => Ok(false),
            Poll::Ready(0) => {
                // Every request received before has been started; nobody is left to wait for the answers.
                self.closing = true;
                self.drop_pending();
                Ok(true)
            }
            Poll::Ready(_) => {
                self.last_read = Instant::now();
                Ok(true)
            }
        }
    }

    /// Starts every complete request, in order.
    fn start_requests(&mut self, context: &mut Context<'_>) -> bool {
        let mut moved = false;
        // What was read before had to wait for its turn; all else starts when it was read.
        let has_waited = matches!(self.reading, Reading::NeedsBudget | Reading::Turn);
        let started = if has_waited { Instant::now() } else { self.last_read };
        loop {
            if !self.may_start() {
                self.reading = Reading::Turn;
                break;
            }
            if let Some(mut request) = self.waiting.take() {
                moved = true;
                request.timing.start(started);
                self.start_request(request, context);
                continue;
            }
            match self.frames.poll_next(context) {
                Ok(Progress::Frame(frame)) => {
                    moved = true;
                    self.take_request(frame, started, context);
                }
                Ok(Progress::NeedsBytes { begun }) => {
                    let state = if begun { Reading::MidFrame } else { Reading::Idle };
                    // Bytes may be waiting in the socket that were not asked for meanwhile.
                    moved |= matches!(self.reading, Reading::NeedsBudget | Reading::Turn);
                    self.reading = state;
                    break;
                }
                Ok(Progress::NeedsBudget) => {
                    self.reading = Reading::NeedsBudget;
                    break;
                }
                Err(error) => self.refuse(&error),
            }
        }
        moved
    }

    fn take_request(&mut self, frame: Frame, started: Instant, context: &mut Context<'_>) {
        let Frame { bytes, reservation } = frame;
        match dispatch::start(&self.broker, &self.info, &mut self.client_id, bytes) {
            Ok(Started { api, answer, order }) => {
                let timing = Timing::new(api, self.last_read, started);
                let request = Pending { answer, done: None, order, reservation, timing };
                if matches!(request.order, Order::InSession) && self.is_in_session() {
                    self.waiting = Some(request);
                } else {
                    self.start_request(request, context);
                }
            }
            Err(error) => self.refuse(&error),
        }
    }

    fn start_request(&mut self, mut request: Pending, context: &mut Context<'_>) {
        // The first poll is what makes the request take effect, before any later one is looked at.
        self.held_bytes += request.poll(context);
        if request.done.is_none() {
            request.timing.park(Instant::now());
        }
        self.pending.push_back(request);
    }

    /// Ends the connection after the replies to earlier requests, as Kafka does with what it cannot read.
    fn refuse(&mut self, why: &dyn std::fmt::Display) {
        tracing::warn!(target: "ottla.net", "closing connection {} of {} on {}: {why}", self.info.id, self.info.peer, self.info.listener);
        self.closing = true;
    }

    /// Moves the replies that are ready, oldest first, to the outbox.
    fn poll_answers(&mut self, context: &mut Context<'_>) -> bool {
        let (mut moved, mut now) = (false, None);
        if let Some(newest) = self.pending.back_mut().filter(|newest| newest.is_barrier()) {
            self.held_bytes += newest.poll(context);
            moved |= !newest.is_barrier();
        }
        while let Some(oldest) = self.pending.front_mut() {
            let was_barrier = oldest.is_barrier();
            self.held_bytes += oldest.poll(context);
            if oldest.done.is_none() {
                moved |= was_barrier && !oldest.is_barrier();
                break;
            }
            moved = true;
            let Some(request) = self.pending.pop_front() else { break };
            self.held_bytes -= request.done.as_ref().map_or(0, Answer::reply_bytes);
            let now = *now.get_or_insert_with(Instant::now);
            let timing = request.timing.answered(now);
            match request.done {
                Some(Answer::Reply(pieces)) => {
                    if self.outbox.is_empty() {
                        self.last_written = now;
                    }
                    self.outbox.push(pieces, request.reservation, timing);
                }
                Some(Answer::Nothing) | None => self.recorder.served(&timing, now),
                Some(Answer::Close(why)) => {
                    self.recorder.served(&timing, now);
                    self.refuse(&why);
                    self.drop_pending();
                }
            }
        }
        moved
    }

    fn drop_pending(&mut self) {
        self.pending.clear();
        self.waiting = None;
        self.held_bytes = 0;
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        let mut moved = false;
        while !self.outbox.is_empty() {
            let Poll::Ready(written) = self.outbox.poll_write(&mut self.stream, &self.broker, context)?
            else {
                break;
            };
            moved = true;
            self.last_written = Instant::now();
            self.outbox.advance(written, |timing| self.recorder.served(&timing, self.last_written));
        }
        Ok(moved)
    }
}

/// A connection's deadlines are looked at this often at least; the timer is never moved on the request path.
const CHECK_EVERY: Duration = Duration::from_secs(5);

impl Pending {
    /// Goes on with the request unless it is done. Answers how large the reply is that this has brought forth. A panic
    /// in a handler ends this connection, not the process.
    fn poll(&mut self, context: &mut Context<'_>) -> usize {
        if self.done.is_some() {
            return 0;
        }
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| self.answer.as_mut().poll(context)));
        self.done = match polled {
            Ok(Poll::Pending) => None,
            Ok(Poll::Ready(answer)) => Some(answer),
            Err(_) => {
                Some(Answer::Close("its request failed inside the broker; see the error above".to_owned()))
            }
        };
        self.done.as_ref().map_or(0, Answer::reply_bytes)
    }

    /// Whether requests that come after it must wait.
    fn is_barrier(&self) -> bool {
        let has_happened = match &self.order {
            Order::Stepwise => false,
            Order::Announced(effect) => effect.has_happened(),
            Order::AtOnce | Order::InSession => true,
        };
        !has_happened && self.done.is_none()
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
pub(in crate::net) mod tests;
