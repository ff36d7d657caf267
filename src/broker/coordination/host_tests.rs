//! The shell around a machine that fails.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context as TaskContext, Waker};
use std::time::Duration;

use bytes::Bytes;
use coordinator::group::Stamp;
use model::{Clock, Offset, ProducerEpoch, ProducerId};
use parking_lot::Mutex;
use storage::TxnMarker;
use storage::disk_mem::MemoryDisk;

use super::super::{Clockwork, KeyAndValue, Lease, Parts};
use super::*;
use crate::handlers::test_support::run;
use crate::partition::test_support::{Reports, host as partition, settings, still_registry};

/// A machine that knows which markers its log has, and may fail over the next.
#[derive(Debug, Default)]
struct Fickle {
    markers: Vec<Stamp>,
    fails: bool,
}

/// Tells the test when a shard was loaded, and by what time each step could tell ages.
#[derive(Debug, Default)]
struct Around {
    loaded: Arc<Mutex<u32>>,
    aging_ms: Arc<Mutex<Vec<i64>>>,
}

impl Environment<Fickle> for Around {
    fn with_context<R>(&self, moment: Moment, act: impl FnOnce(&()) -> R) -> R {
        self.aging_ms.lock().push(moment.aging_ms);
        act(&())
    }

    fn follow(&self, _host: &Arc<Host<Fickle>>, _durable: Lease, is_loaded: bool) {
        *self.loaded.lock() += u32::from(is_loaded);
    }
}

impl Machine for Fickle {
    type Request = ();
    type Reply = ();
    type Record = ();
    type Step = bool;
    type Context<'a> = ();
    type Environment = Around;
    type Sequel = bool;

    const TOPIC: &'static str = "fickle";
    const SUBJECT: &'static str = "markers";
    const CLOCKWORK_THREAD: &'static str = "fickle";
    const LOAD_THREAD: &'static str = "fickle-load";

    fn step(&mut self, (): &(), _ticket: Ticket, (): ()) -> bool {
        false
    }
    fn tick(&mut self, (): &()) -> bool {
        false
    }
    fn next_deadline_ms(&self) -> Option<i64> {
        None
    }
    fn loaded(&mut self, (): &()) -> bool {
        true
    }
    fn replay(&mut self, (): (), _stamp: Option<Stamp>) {}
    fn replay_marker(&mut self, stamp: Stamp, _commit: bool) {
        assert!(!self.fails, "as a fault of the machine would");
        self.markers.push(stamp);
    }
    fn write_failed(&mut self, (): &(), _step: &bool) -> Vec<(Ticket, ())> {
        Vec::new()
    }
    fn records(_step: &bool) -> &[()] {
        &[]
    }
    fn into_parts(step: bool) -> Parts<Self> {
        Parts { records: Vec::new(), replies: Vec::new(), sequel: step }
    }
    fn failed((): (), _code: ErrorCode) {}
    fn encode((): &(), (): &()) -> Result<KeyAndValue, String> {
        Ok((Bytes::new(), None))
    }
    fn decode(_key: &Bytes, _value: Option<&Bytes>) -> Result<Option<()>, String> {
        Ok(None)
    }
    fn log(_level: Level, _text: std::fmt::Arguments<'_>) {}
}

fn marker(epoch: i16) -> TxnMarker {
    TxnMarker {
        producer_id: ProducerId::new(7),
        producer_epoch: ProducerEpoch::new(epoch),
        commit: true,
        coordinator_epoch: 0,
        transaction_version: 2,
    }
}

fn shared(clock: Clock, environment: Around, reports: &Reports) -> Arc<Shared<Fickle>> {
    Arc::new(Shared {
        clockwork: Clockwork::new(clock.clone()),
        clock,
        environment,
        commit_timeout: Duration::from_secs(10),
        codec: records::Codec::None,
        fatal: reports.fatal(),
    })
}

#[test]
fn only_what_is_due_asks_how_old_things_are() {
    let (reports, wall_ms) = (Reports::default(), 1_700_000_000_000);
    let registry = still_registry(&MemoryDisk::new(), &reports);
    let environment = Around::default();
    let aging_ms = Arc::clone(&environment.aging_ms);
    let shared = shared(Clock::virtual_at(wall_ms), environment, &reports);
    let host = Host::<Fickle>::new(shared, partition(&registry, settings(|_| {})));
    host.loaded(Fickle::default(), Offset::ZERO);
    assert_eq!(host.append_marker(&marker(1)), Ok(Offset::new(1)));
    host.tick(0);
    assert_eq!(*aging_ms.lock(), [wall_ms, i64::MIN, wall_ms]);
}

#[test]
fn a_shard_that_panics_over_a_marker_is_what_its_log_says() {
    let reports = Reports::default();
    let registry = still_registry(&MemoryDisk::new(), &reports);
    let partition = partition(&registry, settings(|_| {}));
    let environment = Around::default();
    let loads = Arc::clone(&environment.loaded);
    let host = Host::<Fickle>::new(shared(Clock::system(), environment, &reports), partition);
    host.loaded(Fickle::default(), Offset::ZERO);
    assert_eq!(host.append_marker(&marker(1)), Ok(Offset::new(1)));

    host.state.lock().shard.fails = true;
    assert!(catch_unwind(AssertUnwindSafe(|| host.append_marker(&marker(2)))).is_err());
    // It is read again from its log, where the marker is that it failed over.
    while *loads.lock() < 2 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let epochs = |shard: &Fickle| shard.markers.iter().map(|stamp| stamp.producer_epoch).collect::<Vec<_>>();
    assert_eq!(host.observe(|shard, ()| epochs(shard)), Ok((vec![1, 2], Offset::new(2))));
    assert!(!host.is_alive(0) && host.is_alive(1), "what was leased before knows nothing of it");
    assert_eq!(reports.all(), [""; 0]);
}

#[test]
fn a_shard_answers_from_when_it_is_loaded_until_it_retires() {
    run(async {
        let reports = Reports::default();
        let registry = still_registry(&MemoryDisk::new(), &reports);
        let environment = Around::default();
        let host = Host::<Fickle>::new(
            shared(Clock::system(), environment, &reports),
            partition(&registry, settings(|_| {})),
        );
        let seen = || host.observe(|shard, ()| shard.markers.len());
        let loading = ErrorCode::CoordinatorLoadInProgress;
        assert_eq!(seen(), Err(loading));
        assert_eq!(host.look(|shard, ()| shard.markers.len()).await, Err(loading));
        assert_eq!(host.ask(()).await, Err(loading));
        assert_eq!(host.ask_ahead(()).await, Err(loading));
        assert_eq!(host.append_marker(&marker(1)), Err(loading));
        assert!(!host.is_alive(0));

        host.loaded(Fickle::default(), Offset::ZERO);
        assert_eq!(seen(), Ok((0, Offset::ZERO)));
        assert_eq!(host.look(|shard, ()| shard.markers.len()).await, Ok(0));
        let mut asked = pin!(host.ask(()));
        assert!(
            asked.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())).is_pending(),
            "this machine answers nothing by itself"
        );

        host.retire();
        assert_eq!(asked.await, Err(ErrorCode::NotCoordinator));
        assert_eq!(seen(), Err(ErrorCode::NotCoordinator));
        assert_eq!(host.ask(()).await, Err(ErrorCode::NotCoordinator));
        host.loaded(Fickle::default(), Offset::ZERO);
        assert_eq!(seen(), Err(ErrorCode::NotCoordinator), "what was being loaded meanwhile comes too late");
    });
}
