//! What the node tells Prometheus, and whether it is alive and ready.
//!
//! Most figures are read when they are asked for, from what the node knows anyway. Only requests, what is read and what fails
//! is counted on the way: in cells that one thread writes, or one partition's readers. `docs/METRICS.md` shows the
//! [`table`] of all metrics.
//!
//! Start reading at [`Metrics`] (what is counted), then [`scrape`] (an answer), [`exposition`] (its text) and [`http`]
//! (who is answered).

mod errors;
pub mod exposition;
pub mod histogram;
pub mod http;
mod process;
pub mod requests;
pub mod scrape;
pub mod table;
pub mod tally;

#[cfg(test)]
mod documents;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::ThreadId;

use model::{Clock, ErrorCode};
use parking_lot::Mutex;
use wire::api_table::ApiKey;
use wire::response::Response;

use crate::context::Broker;
use requests::{Recorder, ThreadMeter};

/// What one node counts on the way, and how far its life has come.
#[derive(Debug)]
pub struct Metrics {
    clock: Clock,
    /// When the process began, in milliseconds since the Unix epoch.
    started_ms: i64,
    stage: AtomicU8,
    /// The node, once it serves. Weak: the node holds this.
    broker: OnceLock<Weak<Broker>>,
    /// By the thread that serves connections, in the order in which they came. Taken when a connection comes, and for an
    /// answer.
    threads: Mutex<Threads>,
    /// Answered errors: taken only where there was one.
    errors: Mutex<BTreeMap<(ApiKey, i16), u64>>,
}

#[derive(Debug, Default)]
struct Threads {
    meters: Vec<Arc<ThreadMeter>>,
    by_thread: HashMap<ThreadId, usize>,
}

/// How far a node's life has come; the numbers are Kafka's (`BrokerState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// It does not answer clients yet.
    Starting = 1,
    /// It does.
    Running = 3,
    /// It answers what it has taken, and nobody else.
    Stopping = 7,
}

impl Metrics {
    /// Nothing has happened yet.
    pub fn new(clock: Clock) -> Arc<Self> {
        let started_ms = clock.wall_ms();
        Arc::new(Self {
            clock,
            started_ms,
            stage: AtomicU8::new(Stage::Starting as u8),
            broker: OnceLock::new(),
            threads: Mutex::default(),
            errors: Mutex::default(),
        })
    }

    /// The node's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// When the process began, in milliseconds since the Unix epoch.
    pub fn started_ms(&self) -> i64 {
        self.started_ms
    }

    /// From now on clients are served.
    pub fn serving(&self, broker: &Arc<Broker>) {
        // There is one node.
        let _ = self.broker.set(Arc::downgrade(broker));
        self.stage.store(Stage::Running as u8, Ordering::Release);
    }

    /// From now on clients are turned away.
    pub fn stopping(&self) {
        self.stage.store(Stage::Stopping as u8, Ordering::Release);
    }

    /// How far the node's life has come.
    pub fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Acquire) {
            7 => Stage::Stopping,
            3 => Stage::Running,
            _ => Stage::Starting,
        }
    }

    /// The node, while there is one.
    pub fn broker(&self) -> Option<Arc<Broker>> {
        self.broker.get()?.upgrade()
    }

    /// What a connection counts its requests with, which this thread serves.
    pub fn recorder(&self, listener: &Arc<str>) -> Recorder {
        let mut threads = self.threads.lock();
        let Threads { meters, by_thread } = &mut *threads;
        let index = *by_thread.entry(std::thread::current().id()).or_insert_with(|| {
            meters.push(Arc::new(ThreadMeter::of_this_thread()));
            meters.len() - 1
        });
        Recorder::new(Arc::clone(&meters[index]), listener)
    }

    /// Those of all threads so far.
    pub fn threads(&self) -> Vec<Arc<ThreadMeter>> {
        self.threads.lock().meters.clone()
    }

    /// Counts the errors of an answer, should there be some.
    pub fn note_errors(&self, api: ApiKey, response: &Response) {
        errors::visit(response, &mut |code| {
            if code != ErrorCode::None.code() {
                *self.errors.lock().entry((api, code)).or_insert(0) += 1;
            }
        });
    }

    /// Errors that were answered so far.
    pub fn errors(&self) -> BTreeMap<(ApiKey, i16), u64> {
        self.errors.lock().clone()
    }
}
