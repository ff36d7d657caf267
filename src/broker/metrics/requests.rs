//! Requests, counted by the threads that serve connections.
//!
//! Each thread has cells of its own and is the only one that writes them, so that a count is a load and a store; whoever
//! asks adds up all threads. The moments that times are taken from are those that a connection knows anyway: when it has
//! read from its socket, had an answer, and written. Only a request that waits has the clock read once more.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::{Handle, RuntimeMetrics};
use tokio::time::Instant;
use wire::api_table::ApiKey;

use super::histogram::{Counts, Histogram, raise_owned};

/// API keys and versions that are counted one by one. Both are checked against the table of APIs before that.
const APIS: usize = 128;
const VERSIONS: usize = 32;

/// What one thread has served.
#[derive(Debug)]
pub struct ThreadMeter {
    apis: Box<[OnceLock<Box<ApiMeter>>]>,
    /// By listener. Taken when a connection comes or goes.
    connections: Mutex<BTreeMap<Arc<str>, Connections>>,
    runtime: Option<RuntimeMetrics>,
    started: Instant,
}

/// Connections of a listener on one thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// Open now.
    pub open: u64,
    /// Opened so far.
    pub opened: u64,
}

#[derive(Debug)]
struct ApiMeter {
    versions: [AtomicU64; VERSIONS],
    /// Microseconds of each [`Phase`], and of all together.
    phases: [Histogram; Phase::COUNT],
    total: Histogram,
}

/// What a request's time is spent with, in Kafka's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Phase {
    /// It was read, and others of its connection had to go first.
    RequestQueue = 0,
    /// It is carried out.
    Local = 1,
    /// It waits: for the disk, for records, for other members.
    Remote = 2,
    /// It is answered and on its way into the socket.
    ResponseSend = 3,
}

impl Phase {
    const COUNT: usize = 4;
    /// In the order of a request's life.
    pub const ALL: [Self; Self::COUNT] = [Self::RequestQueue, Self::Local, Self::Remote, Self::ResponseSend];
}

/// The moments of one request.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    api: ApiKey,
    version: i16,
    read: Instant,
    started: Instant,
    /// It was not answered at once.
    parked: Option<Instant>,
    answered: Instant,
}

impl Timing {
    /// A request whose last byte was read at `read`, and whose turn came at `started`.
    pub fn new((api, version): (ApiKey, i16), read: Instant, started: Instant) -> Self {
        Self { api, version, read, started, parked: None, answered: started }
    }

    /// Its turn comes only now.
    pub fn start(&mut self, now: Instant) {
        self.started = now;
    }

    /// It has to wait from `now` on.
    pub fn park(&mut self, now: Instant) {
        self.parked.get_or_insert(now);
    }

    /// It has an answer.
    pub fn answered(self, at: Instant) -> Self {
        Self { answered: at, ..self }
    }

    /// Microseconds of each phase.
    fn phases(&self, written: Instant) -> [u64; Phase::COUNT] {
        let worked_until = self.parked.unwrap_or(self.answered);
        // Most requests neither queue nor wait, and a comparison costs less than a difference.
        let between =
            |from: Instant, to: Instant| if from < to { micros(to.duration_since(from)) } else { 0 };
        [
            between(self.read, self.started),
            between(self.started, worked_until),
            between(worked_until, self.answered),
            between(self.answered, written),
        ]
    }
}

impl ThreadMeter {
    pub(super) fn of_this_thread() -> Self {
        Self {
            apis: (0..APIS).map(|_| OnceLock::new()).collect(),
            connections: Mutex::default(),
            runtime: Handle::try_current().ok().map(|handle| handle.metrics()),
            started: Instant::now(),
        }
    }

    /// Adds what was served so far to a sum of such.
    pub fn add_to(&self, served: &mut BTreeMap<i16, Served>) {
        for (api, meter) in self.apis.iter().enumerate() {
            let Some(meter) = meter.get() else { continue };
            let served = served.entry(api as i16).or_default();
            for (version, count) in meter.versions.iter().enumerate() {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    *served.versions.entry(version).or_insert(0) += count;
                }
            }
            for (sum, phase) in served.phases.iter_mut().zip(&meter.phases) {
                phase.add_to(sum);
            }
            meter.total.add_to(&mut served.total);
        }
    }

    /// Its connections by listener.
    pub fn connections(&self) -> BTreeMap<Arc<str>, Connections> {
        self.connections.lock().clone()
    }

    /// How long it has been there, and how much of that it had something to do.
    pub fn life(&self) -> (Duration, Duration) {
        let busy =
            self.runtime.as_ref().map_or(Duration::ZERO, |runtime| runtime.worker_total_busy_duration(0));
        (self.started.elapsed(), busy)
    }
}

/// What was served of one API.
#[derive(Clone, Debug, Default)]
pub struct Served {
    /// Requests by version.
    pub versions: BTreeMap<usize, u64>,
    /// In the order of [`Phase::ALL`]; see [`Histogram`] on those that took no time.
    pub phases: [Counts; Phase::COUNT],
    /// From the read to the write.
    pub total: Counts,
}

impl Served {
    /// All requests.
    pub fn count(&self) -> u64 {
        self.versions.values().sum()
    }

    /// What came since an earlier moment.
    pub fn since(&self, earlier: &Self) -> Self {
        let versions = self.versions.iter().map(|(version, count)| {
            let before = earlier.versions.get(version).copied().unwrap_or(0);
            (*version, count.saturating_sub(before))
        });
        let phase = |at: usize| self.phases[at].since(&earlier.phases[at]);
        Self {
            versions: versions.collect(),
            phases: std::array::from_fn(phase),
            total: self.total.since(&earlier.total),
        }
    }
}

/// One connection's way to count, for the thread that serves it and for no other.
#[derive(Debug)]
pub struct Recorder {
    meter: Arc<ThreadMeter>,
    listener: Arc<str>,
    stays_on_its_thread: PhantomData<*const ()>,
}

impl Recorder {
    pub(super) fn new(meter: Arc<ThreadMeter>, listener: &Arc<str>) -> Self {
        let mut connections = meter.connections.lock();
        let counted = connections.entry(Arc::clone(listener)).or_default();
        counted.open += 1;
        counted.opened += 1;
        drop(connections);
        Self { meter, listener: Arc::clone(listener), stays_on_its_thread: PhantomData }
    }

    /// A request whose answer has left, or that has none.
    pub fn served(&self, timing: &Timing, written: Instant) {
        let api = usize::try_from(timing.api.code()).unwrap_or(usize::MAX);
        let Some(meter) = self.meter.apis.get(api) else { return };
        let meter = meter.get_or_init(Box::default);
        if let Some(version) = meter.versions.get(usize::from(timing.version.unsigned_abs())) {
            raise_owned(version, 1);
        }
        let mut total = 0;
        for (histogram, took) in meter.phases.iter().zip(timing.phases(written)) {
            histogram.add_owned(took);
            total += took;
        }
        meter.total.add_owned(total.max(1));
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Some(counted) = self.meter.connections.lock().get_mut(&self.listener) {
            counted.open -= 1;
        }
    }
}

impl Default for ApiMeter {
    fn default() -> Self {
        Self {
            versions: std::array::from_fn(|_| AtomicU64::new(0)),
            phases: std::array::from_fn(|_| Histogram::default()),
            total: Histogram::default(),
        }
    }
}

fn micros(took: Duration) -> u64 {
    took.as_secs() * 1_000_000 + u64::from(took.subsec_micros())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::api_table::ApiSpec;

    fn fits(spec: &ApiSpec) -> bool {
        (spec.key.code() as usize) < APIS && (spec.max as usize) < VERSIONS
    }

    #[test]
    fn every_api_and_version_has_a_cell() {
        assert!(wire::api_table::API_TABLE.iter().all(fits));
    }

    #[test]
    fn a_request_is_told_apart_by_its_moments() {
        let meter = Arc::new(ThreadMeter::of_this_thread());
        let recorder = Recorder::new(Arc::clone(&meter), &"PLAINTEXT".into());
        let read = Instant::now();
        let at = |ms: u64| read + Duration::from_millis(ms);
        let mut timing = Timing::new((ApiKey::Produce, 9), read, at(1));
        timing.park(at(3));
        timing.park(at(4));
        recorder.served(&timing.answered(at(10)), at(11));
        recorder.served(&Timing::new((ApiKey::Produce, 3), read, read).answered(read), read);

        let mut served = BTreeMap::new();
        meter.add_to(&mut served);
        let produce = &served[&0];
        assert_eq!(produce.versions, BTreeMap::from([(3, 1), (9, 1)]));
        assert_eq!(produce.phases.each_ref().map(|phase| phase.sum), [1_000, 2_000, 7_000, 1_000]);
        assert_eq!((produce.total.sum, produce.total.count()), (11_001, 2));
        assert_eq!(produce.since(produce).count(), 0);

        assert_eq!(meter.connections()["PLAINTEXT"], Connections { open: 1, opened: 1 });
        drop(recorder);
        assert_eq!(meter.connections()["PLAINTEXT"], Connections { open: 0, opened: 1 });
    }
}
