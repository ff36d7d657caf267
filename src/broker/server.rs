//! A node's life: start in the order in which its parts need each other, serve, stop in the reverse order.
//!
//! ```text
//! bind listeners → open log directories (recovery) → replay metadata → reconcile → accept
//! stop accepting → coordinators resign → answer what has taken effect → stop metadata → close logs, clean-shutdown marker
//! ```
//!
//! Listeners are bound first, so that a taken port ends the start before any file is touched; they accept last.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;
use std::time::Duration;

use config::keys::extra::METRICS_LISTENER;
use config::{BrokerConfig, Loaded, Notice, NoticeLevel};
use model::{BrokerId, Clock};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::address::{Advertised, Endpoints, container_gateway};
use crate::context::{Broker, EXIT_STORAGE_FAILED, Fatal};
use crate::fetch_memory::FetchMemory;
use crate::fetch_session_cache::FetchSessions;
use crate::groups::Groups;
use crate::metadata::{
    Follower, Metadata, OpenError as MetadataError, OtherHost, Refusal, inspect, refuse_other_hosts,
};
use crate::metrics::Metrics;
use crate::metrics::http::Front;
use crate::metrics::scrape::Scraper;
use crate::net::budget::Budget;
use crate::net::connection::ConnectionSettings;
use crate::net::limits::{ConnectionCounts, ConnectionLimits};
use crate::net::listener::{Acceptor, BoundListener, ListenerSettings};
use crate::net::memory;
use crate::net::workers::{Service, Workers};
use crate::open_files::OpenFiles;
use crate::partition::{OpenError as PartitionsError, PartitionEngine};
use crate::producer_ids::ProducerIds;
use crate::start_topics;
use crate::transactions::Transactions;

/// Everything a start is decided by.
#[derive(Debug)]
pub struct Start {
    /// The configuration.
    pub loaded: Loaded,
    /// The node's only source of time.
    pub clock: Clock,
    /// `CLUSTER_ID` for a directory that has none yet; random when not given.
    pub cluster_id: Option<String>,
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address could not be bound.
    #[error(
        "cannot listen on {listener}: {source}; set `listeners` to an address and port that are free here"
    )]
    Bind {
        /// The listener as configured.
        listener: String,
        /// What the system said.
        source: io::Error,
    },
    /// The address of the metrics could not be bound.
    #[error(
        "cannot answer metrics on {address}: {source}; set `ottla.metrics.listener` to an address and port that are \
         free here"
    )]
    BindMetrics {
        /// The address as configured.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The node is meant to be one of several.
    #[error(transparent)]
    OtherHost(#[from] OtherHost),
    /// What is in the log directories cannot be served. Nothing was written.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A log directory could not be opened.
    #[error(transparent)]
    Partitions(#[from] PartitionsError),
    /// The metadata log could not be opened.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A thread could not be started or a signal not be watched.
    #[error("the system refused a thread or a signal handler: {0}")]
    System(#[from] io::Error),
}

impl StartError {
    /// Exit status of a process that did not start for this.
    pub fn exit_status(&self) -> i32 {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = cause {
            let io = error.downcast_ref::<io::Error>();
            if io.and_then(io::Error::raw_os_error) == Some(EIO) {
                return EXIT_STORAGE_FAILED;
            }
            cause = error.source();
        }
        EXIT_REFUSED
    }
}

/// Exit status after a start that was refused, for a reason that its message tells.
const EXIT_REFUSED: i32 = 1;
/// The disk could not do what it was told.
const EIO: i32 = 5;

/// Runs a node until SIGTERM, SIGINT or SIGHUP, which Java treats alike. One that comes during the start stops the
/// node after it. A second signal ends the process at once, whatever the node is at.
///
/// # Errors
/// The node could not start; nothing was acknowledged.
pub fn run(start: Start) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::watch()?;
        let (node, asked) = signals.while_working("start", 2, move || Node::start(start)).await?;
        let node = node?;
        if asked == 0 {
            signals.next().await;
        }
        tracing::info!(target: "kafka.server.BrokerServer", "[BrokerServer id={}] Transition from STARTED to SHUTTING_DOWN", node.id);
        signals.while_working("stop", 1, move || node.stop()).await?;
        Ok(())
    })
}

/// Exit status after a second signal: what was acknowledged is on disk, and the next start recovers the
/// logs.
const EXIT_FORCED: i32 = 130;

/// The signals that ask for a stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// How many have come.
    seen: usize,
}

impl Signals {
    fn watch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            seen: 0,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.hang_up.recv() => {}
        }
        self.seen += 1;
    }

    /// Does what blocks on a thread of its own and counts the signals meanwhile; the one that makes `forced_at` ends
    /// the process, since a recovery or a last answer may take long.
    async fn while_working<T: Send + 'static>(
        &mut self,
        name: &str,
        forced_at: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<(T, usize)> {
        let (done, mut finished) = tokio::sync::oneshot::channel();
        let run = move || {
            let result = work();
            // Nobody listens once the process is being forced to end.
            let _ = done.send(());
            result
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
        let mut asked = 0;
        loop {
            tokio::select! {
                // An error is a panic of the work, which the join passes on.
                _ = &mut finished => break,
                () = self.next() => asked += 1,
            }
            if asked == forced_at {
                std::process::exit(EXIT_FORCED);
            }
        }
        Ok((thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), asked))
    }
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    id: BrokerId,
    addresses: Vec<(String, SocketAddr)>,
    stop: watch::Sender<bool>,
    acceptors: JoinHandle<()>,
    broker: Arc<Broker>,
    partitions: PartitionEngine,
    /// Answers until the node has stopped.
    metrics: Option<Front>,
}

impl Node {
    /// Starts every part; returns when connections are accepted.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(start: Start) -> Result<Self, StartError> {
        let Start { loaded, clock, cluster_id } = start;
        loaded.notices.iter().for_each(log_notice);
        let config = Arc::new(loaded.broker.clone());
        refuse_other_hosts(&config)?;
        let listeners = bind_all(&loaded)?;
        let metrics = Metrics::new(clock.clone());
        let front = answer_metrics(&config, &metrics)?;
        inspect(&config)?;
        let is_explicit = loaded.layers.statics().contains_key("max.connections");
        OpenFiles::of_process(&config).tell(config.sockets.connections_max, is_explicit);
        let fatal = Fatal::exit();
        let partitions = PartitionEngine::open(&config, clock.clone(), fatal.clone())?;
        let groups = Groups::new(&config, partitions.registry(), clock.clone(), fatal.clone());
        let groups = Arc::new(groups);
        let transactions = Transactions::new(
            &config,
            partitions.registry(),
            Arc::clone(&groups),
            clock.clone(),
            fatal.clone(),
        );
        let transactions = Arc::new(transactions);
        let follower = follower_of(&groups, &transactions);
        let metadata =
            Metadata::open(&loaded, clock.clone(), cluster_id, partitions.registry(), follower, fatal)?;
        let metadata = Arc::new(metadata);
        let node_id = BrokerId::new(config.identity.node_id);
        let producer_ids = Arc::new(ProducerIds::new(Arc::clone(&metadata), node_id));
        let broker = Arc::new(Broker {
            config: Arc::clone(&config),
            clock: clock.clone(),
            node_id,
            cluster_id: metadata.cluster_id().to_owned(),
            metadata,
            partitions: partitions.registry(),
            fetch_memory: FetchMemory::new(fetched_bytes_max(&config)),
            fetch_sessions: fetch_sessions(&config),
            groups,
            transactions,
            producer_ids,
            endpoints: endpoints(&config),
            metrics,
        });
        partitions.start()?;
        broker.groups.start()?;
        broker.transactions.start(Arc::clone(&broker.producer_ids))?;
        let addresses = listeners
            .iter()
            .map(|listener| Ok((listener.name().to_owned(), listener.address()?)))
            .collect::<io::Result<Vec<_>>>()?;
        let (stop, stopping) = watch::channel(false);
        let acceptors = accept(&broker, &config, clock, listeners, stopping)?;
        broker.metrics.serving(&broker);
        let node = Self { id: node_id, addresses, stop, acceptors, broker, partitions, metrics: front };
        node.log_started(&config);
        if loaded.layers.statics().contains_key("zookeeper.connect") {
            // Test containers that give one wait for the line that such a broker wrote.
            tracing::info!(target: "kafka.server.KafkaServer", "[KafkaServer id={node_id}] started");
        }
        Ok(node)
    }

    /// The listeners' names and the addresses they are bound to.
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// Stops every part; returns when all logs are closed.
    pub fn stop(self) {
        self.broker.metrics.stopping();
        self.stop.send_replace(true);
        self.broker.groups.resign();
        self.broker.transactions.resign();
        if self.acceptors.join().is_err() {
            tracing::error!(target: "ottla.server", "the acceptor thread panicked");
        }
        self.broker.transactions.stop();
        self.broker.groups.stop();
        self.broker.metadata.stop();
        self.partitions.stop();
        drop(self.metrics);
        tracing::info!(target: "kafka.server.KafkaRaftServer", "[KafkaRaftServer nodeId={}] Kafka Server stopped", self.id);
    }

    /// The lines that scripts and test containers wait for, in Kafka's words.
    fn log_started(&self, config: &BrokerConfig) {
        let id = self.id;
        for (name, address) in &self.addresses {
            tracing::info!(target: "kafka.network.DataPlaneAcceptor", "Awaiting socket connections on {address} ({name}).");
        }
        let dirs: Vec<_> = config.storage.log_dirs.iter().map(|dir| dir.display().to_string()).collect();
        tracing::info!(target: "ottla.server", "Cluster {}, data in {}", self.broker.cluster_id, dirs.join(", "));
        tracing::info!(target: "kafka.server.BrokerLifecycleManager",
            "[BrokerLifecycleManager id={id}] The broker has been unfenced. Transitioning from RECOVERY to RUNNING.");
        tracing::info!(target: "kafka.server.BrokerServer", "[BrokerServer id={id}] Transition from STARTING to STARTED");
        tracing::info!(target: "kafka.server.KafkaRaftServer", "[KafkaRaftServer nodeId={id}] Kafka Server started");
    }
}

fn log_notice(notice: &Notice) {
    match notice.level {
        NoticeLevel::Info => tracing::info!(target: "ottla.config", "{}", notice.text),
        NoticeLevel::Warn => tracing::warn!(target: "ottla.config", "{}", notice.text),
    }
}

/// Binds the broker's listeners, then the controller's, where administrators are served.
fn bind_all(loaded: &Loaded) -> Result<Vec<BoundListener>, StartError> {
    let sockets = &loaded.broker.sockets;
    // Kafka's default of 100 KiB would switch the system's automatic tuning off; only an explicit size does.
    let explicit = |key: &str| loaded.layers.statics().contains_key(key);
    let send = sockets.send_buffer_bytes.filter(|_| explicit("socket.send.buffer.bytes"));
    let receive = sockets.receive_buffer_bytes.filter(|_| explicit("socket.receive.buffer.bytes"));
    // A connection beyond Kafka's default of 50 would come in seconds later, when its first packet is sent again: that is
    // how long thousands of clients would take to be back after a restart.
    let backlog = if explicit("socket.listen.backlog.size") { sockets.backlog } else { BACKLOG };
    let bind = |listener: &config::Listener, is_controllers: bool| {
        let settings = ListenerSettings {
            name: listener.name.clone(),
            is_controllers,
            host: listener.host.clone().unwrap_or_default(),
            port: listener.port,
            backlog,
            send_buffer_bytes: send,
            receive_buffer_bytes: receive,
        };
        BoundListener::bind(&settings)
            .map_err(|source| StartError::Bind { listener: listener.to_string(), source })
    };
    let listeners = &loaded.broker.listeners;
    let clients = listeners.broker.iter().map(|listener| bind(listener, false));
    clients.chain(listeners.controller.iter().map(|listener| bind(listener, true))).collect()
}

/// Begins to answer what Prometheus and orchestrators ask, if somebody is to be answered.
fn answer_metrics(config: &BrokerConfig, metrics: &Arc<Metrics>) -> Result<Option<Front>, StartError> {
    let Some((host, port)) = &config.metrics.listener else { return Ok(None) };
    let settings = ListenerSettings {
        name: METRICS_LISTENER.to_owned(),
        is_controllers: false,
        host: host.clone(),
        port: *port,
        backlog: METRICS_BACKLOG,
        send_buffer_bytes: None,
        receive_buffer_bytes: None,
    };
    let bound = BoundListener::bind(&settings)
        .map_err(|source| StartError::BindMetrics { address: format!("{host}:{port}"), source })?;
    tracing::info!(target: "ottla.metrics", "metrics are answered on http://{}/metrics", bound.address()?);
    let scraper = Scraper::new(Arc::clone(metrics), config.metrics.clone());
    Ok(Some(Front::start(bound.into_socket(), scraper)?))
}

/// Connections of metrics that may wait to be accepted.
const METRICS_BACKLOG: i32 = 64;

fn endpoints(config: &BrokerConfig) -> Endpoints {
    let listeners =
        config.listeners.advertised.iter().flatten().chain(&config.listeners.advertised_controller);
    let advertised = listeners.map(|listener| Advertised {
        listener: listener.name.clone(),
        host: listener.host.clone().unwrap_or_default(),
        port: listener.port,
    });
    Endpoints::new(advertised.collect(), container_gateway())
}

/// Connections that may wait to be accepted, where `socket.listen.backlog.size` is not set; the system may allow fewer.
const BACKLOG: i32 = 4096;

/// What the metadata thread tells of each change.
fn follower_of(groups: &Arc<Groups>, transactions: &Arc<Transactions>) -> Follower {
    let (groups, transactions) = (Arc::clone(groups), Arc::clone(transactions));
    Follower::new(move |view| {
        groups.follow(view);
        transactions.follow(view);
    })
}

/// Fetch sessions, whose partitions take a sixteenth of the memory there is at the most.
fn fetch_sessions(config: &BrokerConfig) -> FetchSessions {
    /// A partition with a long name, in the session, in its index and among those that follow the partition.
    const PARTITION_BYTES: u64 = 1024;
    let partitions_max = memory::limit_bytes() / 16 / PARTITION_BYTES;
    let partitions_max = usize::try_from(partitions_max).unwrap_or(usize::MAX);
    // Session ids must not repeat from one life of the node to the next.
    let seed = uuid::Uuid::new_v4().as_u64_pair().0;
    FetchSessions::new(config.requests.fetch_sessions_max, partitions_max, seed)
}

/// Starts the network threads and the thread that accepts for them.
fn accept(
    broker: &Arc<Broker>,
    config: &BrokerConfig,
    clock: Clock,
    listeners: Vec<BoundListener>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<JoinHandle<()>> {
    let sockets = &config.sockets;
    let settings = ConnectionSettings {
        frame_bytes_max: sockets.request_bytes_max,
        idle: sockets.idle_ms_max.map(Duration::from_millis),
    };
    let budget = Budget::new(request_bytes_max(config));
    let service = Service { broker: Arc::clone(broker), settings, budget, stop: stop.clone() };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = Arc::new(Workers::start(threads, &service)?);
    let counts = ConnectionCounts::new(connection_limits(config));
    let next_connection = Arc::new(AtomicU64::new(1));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let broker = Arc::clone(broker);
    std::thread::Builder::new().name("acceptor".to_owned()).spawn(move || {
        runtime.block_on(async {
            start_topics::create(&broker).await;
            let mut accepting = tokio::task::JoinSet::new();
            for listener in listeners {
                let acceptor = Acceptor {
                    workers: Arc::clone(&workers),
                    counts: counts.clone(),
                    next_connection: Arc::clone(&next_connection),
                    clock: clock.clone(),
                };
                accepting.spawn(acceptor.run(listener));
            }
            // An error means that the node is gone, which is a stop as well.
            let _ = stop.wait_for(|stopping| *stopping).await;
            accepting.shutdown().await;
        });
        drop(broker);
        if let Some(workers) = Arc::into_inner(workers) {
            workers.join();
        }
    })
}

/// `queued.max.request.bytes`, or a quarter of the memory there is, as the budget of large requests.
fn request_bytes_max(config: &BrokerConfig) -> usize {
    let configured = config.sockets.queued_request_bytes_max;
    usize::try_from(configured.unwrap_or_else(|| memory::limit_bytes() / 4)).unwrap_or(usize::MAX)
}

/// Half as much as large requests may take, and never much: an answer that is read leaves at once.
fn fetched_bytes_max(config: &BrokerConfig) -> usize {
    const FETCHED_BYTES_MAX: usize = 256 * 1024 * 1024;
    (request_bytes_max(config) / 2).min(FETCHED_BYTES_MAX)
}

fn connection_limits(config: &BrokerConfig) -> ConnectionLimits {
    let sockets = &config.sockets;
    let mut per_ip_overrides: HashMap<IpAddr, usize> = HashMap::new();
    for (host, max) in &sockets.connections_per_ip_overrides {
        match (host.as_str(), 0).to_socket_addrs() {
            Ok(addresses) => {
                per_ip_overrides.extend(addresses.map(|address| (address.ip().to_canonical(), *max)));
            }
            Err(error) => {
                tracing::warn!(target: "ottla.config", "max.connections.per.ip.overrides: {host} is left out: {error}");
            }
        }
    }
    ConnectionLimits {
        total_max: OpenFiles::of_process(config).connections_max,
        per_ip_max: sockets.connections_per_ip_max,
        per_ip_overrides,
        per_second_max: sockets.connection_creation_rate_max,
    }
}
