//! The transaction coordinator at work: the shell around [`coordinator::txn::Shard`], which is that of all coordinators
//! ([`crate::coordination`]).
//!
//! Start reading at [`Transactions::ask`], then [`markers`] (how a transaction ends) and [`Transactions::admit`] (how a
//! partition gets into one).

mod machine;
pub mod markers;
mod surroundings;
mod waiting;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use coordinator::txn::{
    AddPartitionsRequest, Context, OpenTransactions, PartitionErrors, ProducerIdAndEpoch, Reply, Request,
    Shard, Step,
};
use model::{Clock, ErrorCode, Offset};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::context::Fatal;
use crate::coordination::{Clockwork, Coordinator, Host, Shared};
use crate::groups::Groups;
use crate::metadata::View;
use crate::partition::{Partition, Registry, Stage};
use crate::producer_ids::ProducerIds;
use machine::Supplied;
use markers::Markers;
use surroundings::{Around, Surroundings};
use waiting::Waiting;

/// The transactional ids that this node coordinates.
#[derive(Debug)]
pub struct Transactions {
    coordinator: Coordinator<Shard>,
    registry: Arc<Registry>,
    /// Serialises [`Transactions::follow`].
    following: Mutex<()>,
    producer_ids: OnceLock<Arc<ProducerIds>>,
    /// `add.partitions.to.txn.retry.backoff.max.ms`
    wait_max: Duration,
    /// The thread that sees ends through which no request caused. Taken by the one who stops it.
    ends: Mutex<Option<Ends>>,
}

#[derive(Debug)]
struct Ends {
    /// Gone when the thread is to end.
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// How a partition gets into a producer's transaction before something is written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The producer has said before that it would write there (AddPartitionsToTxn, AddOffsetsToTxn): that is checked.
    Verify,
    /// Writing there is how a producer of `transaction.version` 2 says so (KIP-890): it is added.
    Add,
}

/// The protocol that adds a partition to a transaction by writing there.
const ADDS_BY_WRITING: i16 = 2;

/// What may be written.
#[derive(Debug)]
pub struct Admitted {
    /// An answer for each partition.
    pub partitions: PartitionErrors,
    /// What must be on disk before anybody is told; none where it is.
    pub word: Option<Word>,
}

/// The coordinator's word for what it has admitted.
#[derive(Debug)]
pub struct Word {
    host: Arc<Host<Shard>>,
    end: Offset,
}

impl Admitted {
    /// Has the coordinator's word put on disk.
    pub fn hurry(&self) {
        if let Some(word) = &self.word
            && !word.is_on_disk()
        {
            word.log().hurry();
        }
    }
}

impl Word {
    /// The log that has it.
    pub fn log(&self) -> &Arc<Partition> {
        self.host.partition()
    }

    /// Where that must be on disk up to.
    pub fn end(&self) -> Offset {
        self.end
    }

    /// Whether it is.
    pub fn is_on_disk(&self) -> bool {
        self.log().is_committed(self.end)
    }

    /// Waits until it is.
    ///
    /// # Errors
    /// What whoever asks a coordinator is told that cannot write.
    pub async fn on_disk(&self) -> Result<(), ErrorCode> {
        self.host.durable(self.end).await.map_err(coordinator::append_error)
    }
}

/// An answer that may come before its time.
struct Ahead((Reply, Option<Offset>));

impl AsRef<Reply> for Ahead {
    fn as_ref(&self) -> &Reply {
        let Self((reply, _)) = self;
        reply
    }
}

impl Transactions {
    /// A coordinator without transactional ids. It has some once it follows a metadata view.
    pub fn new(
        config: &config::BrokerConfig,
        registry: Arc<Registry>,
        groups: Arc<Groups>,
        clock: Clock,
        fatal: Fatal,
    ) -> Self {
        let surroundings = Arc::new(ArcSwap::from_pointee(Surroundings::of_config(config)));
        let markers = Markers::new(Arc::clone(&registry), groups, Arc::clone(&surroundings), clock.clone());
        let shared = Shared {
            clockwork: Clockwork::new(clock.clone()),
            clock,
            environment: Around {
                surroundings,
                waiting: Waiting::default(),
                markers,
                open_at_start: Mutex::default(),
            },
            commit_timeout: Duration::from_millis(config.requests.timeout_ms.max(0) as u64),
            codec: records::Codec::None,
            fatal,
        };
        Self {
            coordinator: Coordinator::new(Arc::clone(&registry), shared),
            registry,
            following: Mutex::new(()),
            producer_ids: OnceLock::new(),
            wait_max: Duration::from_millis(config.transactions.admission_wait_ms_max.max(0) as u64),
            ends: Mutex::new(None),
        }
    }

    /// Starts its threads, and to load the transactional ids that were found.
    ///
    /// # Errors
    /// The system refused a thread.
    pub fn start(self: &Arc<Self>, producer_ids: Arc<ProducerIds>) -> std::io::Result<()> {
        // The first is as good.
        let _ = self.producer_ids.set(producer_ids);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        self.around().markers.run_on(runtime.handle().clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let fatal = self.coordinator.shared.fatal.clone();
        let thread = std::thread::Builder::new().name("txn-ends".to_owned()).spawn(move || {
            let _alarm = fatal.alarm("the thread of the transaction coordinator panicked");
            // An error is the end as well.
            let _ = runtime.block_on(stopped);
        })?;
        *self.ends.lock() = Some(Ends { stop, thread });
        let this = Arc::downgrade(self);
        self.registry.on_late_opening(move |stage, partitions| {
            if let Some(this) = this.upgrade() {
                this.opened_late(stage, &open_in(partitions));
            }
        });
        // Before the first shard is ready: until then no transaction begins anywhere.
        let open = open_in(&self.registry.all());
        self.around().open_at_start.lock().extend(&open);
        self.coordinator.start()
    }

    /// What a log has open that was opened later than the others is made known to the shards before anybody is served from
    /// it. Shards that are still loading find it when they are done.
    fn opened_late(&self, stage: Stage, open: &OpenTransactions) {
        match stage {
            Stage::Opened => {
                self.around().open_at_start.lock().extend(open);
                for host in self.coordinator.hosts() {
                    host.tell(|shard, context| {
                        shard.adopt(context, open);
                        Step::default()
                    });
                }
            }
            Stage::Served => self.end_left_behind(open),
        }
    }

    /// A partition has refused a record because a transaction of an earlier epoch is open there: ends that, if its id has
    /// left it behind. Whoever wrote the record tries again.
    pub fn end_left_behind_in(&self, partition: &Arc<Partition>) {
        self.end_left_behind(&open_in(std::slice::from_ref(partition)));
    }

    fn end_left_behind(&self, open: &OpenTransactions) {
        for host in self.coordinator.hosts() {
            host.tell(|shard, _context| shard.end_left_behind(open));
        }
    }

    /// Coordinates nobody any more. What has been appended is still answered when it is on disk.
    pub fn resign(&self) {
        self.coordinator.resign();
    }

    /// Ends all threads. Nothing is answered any more.
    pub fn stop(&self) {
        self.coordinator.stop();
        if let Some(Ends { stop, thread }) = self.ends.lock().take() {
            drop(stop);
            if thread.join().is_err() {
                tracing::error!(target: "ottla.transactions", "the thread that ends transactions had panicked");
            }
        }
    }

    /// Asks the coordinator of a transactional id. The effect is there when the answer comes, which is when it is on disk.
    ///
    /// Where the producer's last transaction is still being completed this waits for that, at most
    /// `add.partitions.to.txn.retry.backoff.max.ms`, before it answers `CONCURRENT_TRANSACTIONS`: clients would wait longer
    /// before they ask again.
    ///
    /// # Errors
    /// Nobody here coordinates the transactional id, or not yet.
    pub async fn ask(&self, request: Request) -> Result<Reply, ErrorCode> {
        let host = self.coordinator.host_of(request.transactional_id())?;
        let request = Arc::new(request);
        self.patiently(&request, async || self.ask_once(&host, &request).await).await
    }

    /// See [`Transactions::ask`].
    async fn patiently<R: AsRef<Reply>>(
        &self,
        request: &Request,
        ask: impl AsyncFn() -> Result<R, ErrorCode>,
    ) -> Result<R, ErrorCode> {
        let only_asks = matches!(request, Request::AddPartitions(request) if request.verify_only);
        let answer = ask().await?;
        if only_asks || !answer.as_ref().is_concurrent() {
            return Ok(answer);
        }
        let deadline = tokio::time::Instant::now() + self.wait_max;
        let waiter = self.around().waiting.enter(request.transactional_id());
        loop {
            // Before the question: a completion right after it is noticed.
            let completion = waiter.completion();
            let answer = ask().await?;
            if !answer.as_ref().is_concurrent()
                || tokio::time::timeout_at(deadline, completion).await.is_err()
            {
                return Ok(answer);
            }
        }
    }

    async fn ask_once(&self, host: &Arc<Host<Shard>>, request: &Arc<Request>) -> Result<Reply, ErrorCode> {
        let reserved = match (&**request, self.producer_ids.get()) {
            (Request::AddPartitions(_), _) => None,
            (_, Some(producer_ids)) => Some(producer_ids.reserve().await?),
            // Not started yet.
            (_, None) => return Err(ErrorCode::CoordinatorLoadInProgress),
        };
        host.ask(Supplied { request: Arc::clone(request), reserved }).await
    }

    /// Looks at the shard of a transactional id. The answer comes when everything it is based on is on disk.
    ///
    /// # Errors
    /// Nobody here coordinates the transactional id, or not yet.
    pub async fn look<R>(
        &self,
        transactional_id: &str,
        look: impl FnOnce(&Shard, &Context<'_>) -> R,
    ) -> Result<R, ErrorCode> {
        self.coordinator.host_of(transactional_id)?.look(look).await
    }

    /// As [`Transactions::look`], at every shard.
    ///
    /// # Errors
    /// A shard is still loading.
    pub async fn look_at_all<R>(
        &self,
        look: impl FnMut(&Shard, &Context<'_>) -> R,
    ) -> Result<Vec<R>, ErrorCode> {
        self.coordinator.look_at_all(look).await
    }

    /// The partition of `__transaction_state` that holds a transactional id; `configured` is how many there will be while
    /// there are none.
    pub fn partition_of(&self, transactional_id: &str, configured: i32) -> i32 {
        self.coordinator.partition_of(transactional_id, configured)
    }

    /// Whether a producer may write to these partitions in its open transaction: an error for all, or one for each.
    /// One that is added waits as in [`Transactions::ask`] while the producer's last transaction is completed.
    ///
    /// # Errors
    /// That of the coordinator.
    pub async fn admit(
        &self,
        transactional_id: &str,
        producer: ProducerIdAndEpoch,
        partitions: &[(&str, i32)],
        how: Admission,
    ) -> Result<PartitionErrors, ErrorCode> {
        match self.ask(adding(transactional_id, producer, partitions, how)).await? {
            Reply::AddPartitions(answer) => answer,
            other => unreachable!("AddPartitions was answered {other:?}"),
        }
    }

    /// As [`Transactions::admit`], but where it may the answer comes before the coordinator's word is on disk. Whoever asks
    /// then appends at once what was admitted, calls [`Admitted::hurry`], and tells nobody before both are on disk.
    ///
    /// A partition in another log directory than the word waits for it: were that directory away at a start that has the
    /// coordinator's, its record would not be found in time.
    ///
    /// # Errors
    /// As there.
    pub async fn admit_ahead(
        &self,
        transactional_id: &str,
        producer: ProducerIdAndEpoch,
        partitions: &[&Arc<Partition>],
        how: Admission,
    ) -> Result<Admitted, ErrorCode> {
        let host = self.coordinator.host_of(transactional_id)?;
        let named: Vec<(&str, i32)> =
            partitions.iter().map(|partition| (&*partition.topic().name, partition.index())).collect();
        let dir = host.partition().dir();
        if !partitions.iter().all(|partition| Arc::ptr_eq(partition.dir(), dir)) {
            let partitions = self.admit(transactional_id, producer, &named, how).await?;
            return Ok(Admitted { partitions, word: None });
        }
        let request = Arc::new(adding(transactional_id, producer, &named, how));
        let ask = async || {
            let supplied = Supplied { request: Arc::clone(&request), reserved: None };
            host.ask_ahead(supplied).await.map(Ahead)
        };
        let Ahead((reply, end)) = self.patiently(&request, ask).await?;
        let word = end.map(|end| Word { host: Arc::clone(&host), end });
        match reply {
            Reply::AddPartitions(answer) => Ok(Admitted { partitions: answer?, word }),
            other => unreachable!("AddPartitions was answered {other:?}"),
        }
    }

    /// Takes over a view of the metadata: settings, features, and the shards themselves. To be called before the view is
    /// published.
    pub fn follow(&self, view: &View) {
        let _following = self.following.lock();
        let surroundings = Arc::new(Surroundings::of_view(view));
        self.around().surroundings.store(Arc::clone(&surroundings));
        self.coordinator.follow(surroundings.image());
    }

    fn around(&self) -> &Around {
        &self.coordinator.shared.environment
    }
}

/// What is open in these partitions' logs.
fn open_in(partitions: &[Arc<Partition>]) -> OpenTransactions {
    let mut open = OpenTransactions::default();
    for partition in partitions {
        for producer in partition.open_transactions() {
            let (producer_id, producer_epoch) =
                (producer.producer_id.value(), producer.producer_epoch.value());
            let producer = ProducerIdAndEpoch { producer_id, producer_epoch };
            open.add(producer, &partition.topic().name, partition.index());
        }
    }
    open
}

fn adding(
    transactional_id: &str,
    producer: ProducerIdAndEpoch,
    partitions: &[(&str, i32)],
    how: Admission,
) -> Request {
    let mut by_topic = BTreeMap::new();
    for (topic, index) in partitions {
        by_topic.entry((*topic).to_owned()).or_insert_with(std::collections::BTreeSet::new).insert(*index);
    }
    Request::AddPartitions(AddPartitionsRequest {
        transactional_id: transactional_id.to_owned(),
        producer,
        partitions: by_topic,
        verify_only: how == Admission::Verify,
        transaction_version: if how == Admission::Add { ADDS_BY_WRITING } else { 0 },
    })
}

#[cfg(test)]
mod transactions_tests;
