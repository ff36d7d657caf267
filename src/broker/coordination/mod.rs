//! Coordinators at work: what groups and transactions share as shells around their pure machines.
//!
//! There is one shard for each partition of a coordinator's topic, behind a lock of its own. A request runs on the network
//! thread that read it: step, append, replay, and its reply leaves when everything the shard has appended so far is on
//! disk. A request that the shard parks waits in a slot until another step answers it.
//!
//! Start reading at [`Machine`] (what a coordinator is), then [`host`] (one shard), [`writing`] (its log), [`load`] (after a start), [`clockwork`]
//! (deadlines).

mod clockwork;
mod host;
mod load;
mod writing;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::context::Fatal;
use crate::partition::{Acks, Registry};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
pub(crate) use clockwork::Clockwork;
use controller::Image;
use coordinator::group::{Stamp, Ticket};
pub(crate) use host::Host;
use load::Loading;
use model::{Clock, ErrorCode, TopicId};

/// A coordinator's shard, as the shell drives it: a pure machine, whose `step` proposes and whose `replay` alone changes.
pub(crate) trait Machine: Default + fmt::Debug + Send + 'static {
    /// What it is asked.
    type Request: Send;
    /// And answers.
    type Reply: fmt::Debug + Send;
    /// One change of its durable state.
    type Record;
    /// What it proposes.
    type Step;
    /// What a step may look at beside the shard.
    type Context<'a>;
    /// Makes contexts, and takes what follows from steps.
    type Environment: Environment<Self>;
    /// What happens after the commit, beside the answers.
    type Sequel;

    /// The topic that holds the records.
    const TOPIC: &'static str;
    /// What the records are about, for the log.
    const SUBJECT: &'static str;
    /// The thread that does what is due.
    const CLOCKWORK_THREAD: &'static str;
    /// Threads that load, which have a number behind this.
    const LOAD_THREAD: &'static str;
    /// Whether a load goes on after a record, or the rest of a batch, that cannot be read. Otherwise it fails there, and the
    /// shard coordinates nobody, as with Kafka's `CoordinatorLoaderImpl`. A type of record that is not known is passed over
    /// in any case.
    const PASSES_OVER_THE_ILLEGIBLE: bool = false;

    /// Answers a request, or parks it.
    fn step(&mut self, context: &Self::Context<'_>, ticket: Ticket, request: Self::Request) -> Self::Step;
    /// Does what is due.
    fn tick(&mut self, context: &Self::Context<'_>) -> Self::Step;
    /// When there is something to do, on the monotonic clock.
    fn next_deadline_ms(&self) -> Option<i64>;
    /// Whether a tick must follow the records of the last step at once.
    fn is_unsettled(&self) -> bool {
        false
    }
    /// The log has been replayed.
    fn loaded(&mut self, context: &Self::Context<'_>) -> Self::Step;
    /// Takes in a record that is in the log, and the transaction it is part of.
    fn replay(&mut self, record: Self::Record, stamp: Option<Stamp>);
    /// Takes in the end of a transaction.
    fn replay_marker(&mut self, _stamp: Stamp, _commit: bool) {}
    /// The records of a step could not be written. Answers those who waited for them beside the step's own tickets.
    fn write_failed(&mut self, context: &Self::Context<'_>, step: &Self::Step) -> Vec<(Ticket, Self::Reply)>;
    /// Topics have come, gone or changed.
    fn topics_changed(&mut self, _context: &Self::Context<'_>, _gone: &[String]) {}

    /// To be appended as one batch.
    fn records(step: &Self::Step) -> &[Self::Record];
    /// The transaction that the records are part of.
    fn stamp(_step: &Self::Step) -> Option<Stamp> {
        None
    }
    /// Whether anybody waits for the records to be on disk.
    fn acks(_step: &Self::Step) -> Acks {
        Acks::Committed
    }
    /// Whether whoever asked may go on once the records are appended, telling nobody before they are on disk.
    fn goes_ahead(_step: &Self::Step) -> bool {
        false
    }
    /// Takes a step apart.
    fn into_parts(step: Self::Step) -> Parts<Self>;
    /// What is answered in place of a reply whose records could not be written.
    fn failed(reply: Self::Reply, code: ErrorCode) -> Self::Reply;

    /// Key and value of a record.
    fn encode(record: &Self::Record, context: &Self::Context<'_>) -> Result<KeyAndValue, String>;
    /// And back; none for a record of a later release.
    fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<Option<Self::Record>, String>;

    /// Writes to the log under the coordinator's own target.
    fn log(level: tracing::Level, text: fmt::Arguments<'_>);
}

/// A record's key, and its value; none for a tombstone.
pub(crate) type KeyAndValue = (Bytes, Option<Bytes>);

/// A step, taken apart.
#[derive(Debug)]
pub(crate) struct Parts<M: Machine> {
    pub records: Vec<M::Record>,
    pub replies: Vec<(Ticket, M::Reply)>,
    pub sequel: M::Sequel,
}

/// The world around a coordinator's shards.
pub(crate) trait Environment<M: Machine>: fmt::Debug + Send + Sync + Sized + 'static {
    /// Runs `act` with the circumstances of this moment.
    fn with_context<R>(&self, moment: Moment, act: impl FnOnce(&M::Context<'_>) -> R) -> R;
    /// A shard's log was replayed, and nobody has asked it yet.
    fn replayed(&self, _shard: &mut M, _context: &M::Context<'_>) {}
    /// A record is about to be replayed that was just appended.
    fn appended(&self, _record: &M::Record) {}
    /// A step was appended; `host` must be durable up to `durable.end` before anything of its sequel happens. Called under
    /// the shard's lock: nothing may be waited for here.
    fn follow(&self, host: &Arc<Host<M>>, durable: Lease, sequel: M::Sequel);
}

/// When something happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Monotonic milliseconds, as deadlines of shards are told in.
    pub now_ms: i64,
    /// Milliseconds since the Unix epoch.
    pub wall_ms: i64,
    /// Milliseconds since the Unix epoch that ages are measured by; [`NO_AGES`] while a request is answered.
    pub aging_ms: i64,
}

/// In place of the time to age by, which costs a lock of the process: nothing is old. Only what is due forgets by age.
const NO_AGES: i64 = i64::MIN;

/// What a step's sequel depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    /// The shard's log must be on disk up to here.
    pub end: model::Offset,
    /// Which of the shard's lives it is of: a shard that was loaded again knows nothing of the one before.
    pub life: u64,
}

/// What all shards of a coordinator share.
#[derive(Debug)]
pub(crate) struct Shared<M: Machine> {
    pub clock: Clock,
    pub environment: M::Environment,
    pub clockwork: Clockwork<M>,
    /// How long an answer waits for the disk.
    pub commit_timeout: Duration,
    /// How records are compressed.
    pub codec: records::Codec,
    pub fatal: Fatal,
}

impl<M: Machine> Shared<M> {
    /// Runs `act` with the circumstances of this moment, in which nothing is old.
    pub fn with_context<R>(&self, act: impl FnOnce(Moment, &M::Context<'_>) -> R) -> R {
        self.at_moment(NO_AGES, act)
    }

    /// As [`Shared::with_context`], for what is due and may forget by age.
    pub fn with_ages<R>(&self, act: impl FnOnce(Moment, &M::Context<'_>) -> R) -> R {
        self.at_moment(self.clock.aging_ms(), act)
    }

    fn at_moment<R>(&self, aging_ms: i64, act: impl FnOnce(Moment, &M::Context<'_>) -> R) -> R {
        let now_ms = i64::try_from(self.clock.monotonic().as_millis()).unwrap_or(i64::MAX);
        let moment = Moment { now_ms, wall_ms: self.clock.wall_ms(), aging_ms };
        self.environment.with_context(moment, |context| act(moment, context))
    }
}

/// The shards of a coordinator on this node.
#[derive(Debug)]
pub(crate) struct Coordinator<M: Machine> {
    registry: Arc<Registry>,
    pub shared: Arc<Shared<M>>,
    /// `None` while there is no topic.
    table: ArcSwapOption<Table<M>>,
    loading: Loading<M>,
}

/// The shards of one topic.
#[derive(Debug)]
struct Table<M: Machine> {
    topic: TopicId,
    /// By partition; `None` where its log could not be opened.
    hosts: Vec<Option<Arc<Host<M>>>>,
}

impl<M: Machine> Coordinator<M> {
    /// Coordinates nobody before it follows an image.
    pub fn new(registry: Arc<Registry>, shared: Shared<M>) -> Self {
        Self {
            registry,
            shared: Arc::new(shared),
            table: ArcSwapOption::empty(),
            loading: Loading::default(),
        }
    }

    /// Starts the thread that does what is due, and to load what was found.
    pub fn start(&self) -> std::io::Result<()> {
        Clockwork::start(&self.shared)?;
        self.loading.start();
        Ok(())
    }

    /// Coordinates nobody any more. Whoever is parked is told NOT_COORDINATOR, so that a stop does not wait for them; what
    /// has been appended is still answered when it is on disk.
    pub fn resign(&self) {
        self.hosts().iter().for_each(|host| host.retire());
    }

    /// Ends all threads. Nothing is answered any more.
    pub fn stop(&self) {
        self.loading.stop();
        self.shared.clockwork.stop();
    }

    /// All shards.
    pub fn hosts(&self) -> Vec<Arc<Host<M>>> {
        let table = self.table.load_full();
        table.iter().flat_map(|table| &table.hosts).flatten().cloned().collect()
    }

    /// As [`Host::look`], at every shard.
    ///
    /// # Errors
    /// A shard is still loading.
    pub async fn look_at_all<R>(
        &self,
        mut look: impl FnMut(&M, &M::Context<'_>) -> R,
    ) -> Result<Vec<R>, ErrorCode> {
        let (mut seen, mut ends) = (Vec::new(), Vec::new());
        // A log directory may have failed, and the metadata not say so yet.
        let is_here = |host: &Arc<Host<M>>| !host.partition().is_gone();
        for host in self.hosts().into_iter().filter(is_here) {
            match host.observe(&mut look) {
                Ok((one, end)) => {
                    seen.push(one);
                    ends.push((host, end));
                }
                // Nobody here coordinates what is in there.
                Err(ErrorCode::NotCoordinator) => {}
                Err(code) => return Err(code),
            }
        }
        for (host, end) in ends {
            host.durable(end).await.map_err(|_code| ErrorCode::CoordinatorNotAvailable)?;
        }
        Ok(seen)
    }

    /// The partition of the topic that holds a key; `configured` is how many there will be while there are none.
    pub fn partition_of(&self, key: &str, configured: i32) -> i32 {
        let table = self.table.load();
        let count = table.as_ref().map_or(configured, |table| table.hosts.len() as i32);
        partition_of(key, count)
    }

    /// The shard that a key falls into.
    ///
    /// # Errors
    /// NOT_COORDINATOR
    pub fn host_of(&self, key: &str) -> Result<Arc<Host<M>>, ErrorCode> {
        let table = self.table.load();
        let table = table.as_ref().ok_or(ErrorCode::NotCoordinator)?;
        let index = partition_of(key, table.hosts.len() as i32);
        table.host(index).ok_or(ErrorCode::NotCoordinator)
    }

    /// The shard of a partition.
    pub fn host_at(&self, index: i32) -> Option<Arc<Host<M>>> {
        self.table.load().as_ref()?.host(index)
    }

    /// Makes a shard for each partition when the topic comes into being, and drops them when it goes. Not to be called by
    /// two at a time.
    pub fn follow(&self, image: &Image) {
        let topic = image.topic(M::TOPIC);
        let before = self.table.load_full();
        // Of partitions whose log directory has failed.
        let hosts = before.iter().flat_map(|table| table.hosts.iter().flatten());
        hosts.filter(|host| host.partition().is_gone()).for_each(|host| host.retire());
        if before.as_ref().map(|table| table.topic) == topic.map(|topic| topic.id) {
            return;
        }
        if let Some(table) = before {
            self.table.store(None);
            table.hosts.iter().flatten().for_each(|host| host.retire());
        }
        let Some(topic) = topic else { return };
        let snapshot = self.registry.snapshot();
        let hosted = snapshot.identified(topic.id);
        let host = |index: i32| {
            let partition = hosted?.partition(index).ok()?;
            Some(Host::new(Arc::clone(&self.shared), Arc::clone(partition)))
        };
        let hosts: Vec<_> = (0..topic.partitions.len() as i32).map(host).collect();
        // An empty log, as that of a new topic, is loaded at once.
        let (empty, written): (Vec<_>, Vec<_>) =
            hosts.iter().flatten().cloned().partition(|host| host.is_unwritten());
        empty.iter().for_each(load::load);
        self.table.store(Some(Arc::new(Table { topic: topic.id, hosts })));
        self.loading.begin(written);
    }
}

impl<M: Machine> Table<M> {
    fn host(&self, index: i32) -> Option<Arc<Host<M>>> {
        usize::try_from(index).ok().and_then(|index| self.hosts.get(index)?.clone())
    }
}

/// `Utils.abs(String.hashCode()) % count`: where Kafka's coordinators keep what belongs to `key`. The smallest
/// `i32` has no absolute value and counts as 0.
pub(crate) fn partition_of(key: &str, count: i32) -> i32 {
    let hash =
        key.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    hash.checked_abs().unwrap_or(0) % count.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_fall_where_javas_hash_puts_them() {
        // "hello".hashCode() is 99162322, "polygenelubricants".hashCode() is Integer.MIN_VALUE.
        assert_eq!(partition_of("hello", 50), 22);
        assert_eq!(partition_of("polygenelubricants", 50), 0);
        assert_eq!(partition_of("", 50), 0);
        // Beyond the basic plane Java hashes surrogate pairs.
        assert_eq!(partition_of("\u{1f600}", i32::MAX), 0xd83d * 31 + 0xde00);
    }
}
