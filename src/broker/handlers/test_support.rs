//! A broker in this process, over a directory of its own, without sockets.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use config::{Inputs, Loaded};
use controller::command::{CreateTopics, NewTopic};
use controller::{Command, Reply};
use model::{BrokerId, Clock, Offset, TopicId};
use records::BatchBuilder;
use storage::disk_mem::{MemoryDisk, PowerCut};
use wire::api_table::ApiKey;
use wire::header::{ClientId, RequestHeader};
use wire::produce::{ProducePartition, ProduceRequest, ProduceTopic, TransactionSupport};
use wire::{StrBytes, TopicRef};

use crate::address::{Advertised, Endpoints};
use crate::context::{Broker, ConnectionInfo, Fatal, RequestContext};
use crate::fetch_memory::FetchMemory;
use crate::fetch_session_cache::FetchSessions;
use crate::groups::Groups;
use crate::metadata::{Follower, Metadata, random};
use crate::metrics::Metrics;
use crate::partition::{Partition, PartitionEngine};
use crate::producer_ids::ProducerIds;
use crate::transactions::Transactions;

pub(crate) const TOPIC: &str = "orders";

/// A broker with all its threads. Its directory goes with it.
pub(crate) struct TestBroker {
    pub broker: Arc<Broker>,
    pub context: RequestContext,
    engine: PartitionEngine,
    dir: Arc<tempfile::TempDir>,
    disk: Arc<dyn storage::Disk>,
    overrides: Vec<String>,
}

impl TestBroker {
    pub(crate) fn start() -> Self {
        Self::start_on(&storage::SystemDisk::shared(), Arc::new(tempfile::tempdir().unwrap()))
    }

    /// With its files on another disk, of which the directory is only a name.
    pub(crate) fn start_on(disk: &Arc<dyn storage::Disk>, dir: Arc<tempfile::TempDir>) -> Self {
        Self::start_with(disk, dir, &[])
    }

    /// As [`TestBroker::start_on`], with settings of its own.
    pub(crate) fn start_with(
        disk: &Arc<dyn storage::Disk>,
        dir: Arc<tempfile::TempDir>,
        settings: &[&str],
    ) -> Self {
        let mut overrides = vec![
            format!("log.dirs={}", dir.path().display()),
            "fetch.max.bytes=100000".to_owned(),
            "offsets.commit.timeout.ms=300".to_owned(),
        ];
        overrides.extend(settings.iter().map(|setting| (*setting).to_owned()));
        Self::start_as(Arc::clone(disk), dir, overrides, true)
    }

    fn start_as(
        disk: Arc<dyn storage::Disk>,
        dir: Arc<tempfile::TempDir>,
        overrides: Vec<String>,
        loads_groups: bool,
    ) -> Self {
        let loaded: Loaded = config::load(&Inputs { overrides: &overrides, ..Inputs::default() }).unwrap();
        let clock = Clock::system();
        let fatal = Fatal::call(|what| panic!("{what}"));
        let engine = PartitionEngine::open_on(&disk, &loaded.broker, clock.clone(), fatal.clone()).unwrap();
        let groups = Arc::new(Groups::new(&loaded.broker, engine.registry(), clock.clone(), fatal.clone()));
        let transactions = Arc::new(Transactions::new(
            &loaded.broker,
            engine.registry(),
            Arc::clone(&groups),
            clock.clone(),
            fatal.clone(),
        ));
        let follower = {
            let (groups, transactions) = (Arc::clone(&groups), Arc::clone(&transactions));
            Follower::new(move |view| {
                groups.follow(view);
                transactions.follow(view);
            })
        };
        let metadata =
            Metadata::open(&loaded, clock.clone(), None, engine.registry(), follower, fatal).unwrap();
        let metadata = Arc::new(metadata);
        let node_id = BrokerId::new(loaded.broker.identity.node_id);
        let producer_ids = Arc::new(ProducerIds::new(Arc::clone(&metadata), node_id));
        engine.start().unwrap();
        if loads_groups {
            groups.start().unwrap();
        }
        transactions.start(Arc::clone(&producer_ids)).unwrap();
        let advertised =
            Advertised { listener: "PLAINTEXT".to_owned(), host: "broker.test".to_owned(), port: 9092 };
        let broker = Broker {
            clock,
            node_id,
            cluster_id: metadata.cluster_id().to_owned(),
            metadata,
            partitions: engine.registry(),
            fetch_memory: FetchMemory::new(64 * 1024 * 1024),
            fetch_sessions: FetchSessions::new(100, 1_000, 1),
            groups,
            transactions,
            producer_ids,
            endpoints: Endpoints::new(vec![advertised], None),
            metrics: Metrics::new(Clock::system()),
            config: Arc::new(loaded.broker),
        };
        Self { broker: Arc::new(broker), context: context_of("test"), engine, dir, disk, overrides }
    }

    /// Stops, and starts again over the same directory.
    pub(crate) fn restart(self) -> Self {
        self.restart_and(true, |_dir| {})
    }

    /// As [`TestBroker::restart`], with something done to its directory meanwhile.
    pub(crate) fn restart_after(self, work: impl FnOnce(&std::path::Path)) -> Self {
        self.restart_and(true, work)
    }

    /// As [`TestBroker::restart`], but groups are being loaded until the test calls [`Groups::start`].
    pub(crate) fn restart_without_loading(self) -> Self {
        self.restart_and(false, |_dir| {})
    }

    fn restart_and(self, loads_groups: bool, work: impl FnOnce(&std::path::Path)) -> Self {
        let (disk, dir, overrides) = (Arc::clone(&self.disk), Arc::clone(&self.dir), self.overrides.clone());
        self.stop();
        work(dir.path());
        Self::start_as(disk, dir, overrides, loads_groups)
    }

    /// Loses power and starts again with what `disk`, which it is on, still has.
    pub(crate) fn crash(self, disk: &MemoryDisk) -> Self {
        self.stop_syncing();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                self.broker.transactions.stop();
                self.broker.groups.stop();
                // Which would look at logs that are another node's by then, after 30 seconds.
                crate::partition::test_support::stop_housekeeping(&self.broker.partitions);
                crate::partition::test_support::stop_cleaning(&self.engine);
            });
        });
        disk.power_cut(PowerCut::LoseAll);
        let Self { dir, disk, overrides, engine, broker, .. } = self;
        // Its threads find nothing to do any more.
        std::mem::forget((engine, broker));
        Self::start_as(disk, dir, overrides, true)
    }

    pub(crate) fn stop(self) {
        // These block, which a runtime's own thread must not.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                self.broker.transactions.stop();
                self.broker.groups.stop();
                self.broker.metadata.stop();
                self.engine.stop();
            });
        });
    }

    /// From now on nothing is committed.
    pub(crate) fn stop_syncing(&self) {
        crate::partition::test_support::stop_syncing(&self.broker.partitions);
    }

    /// Creates a topic with these partitions and configs.
    pub(crate) async fn create(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> TopicId {
        let configs = configs.iter().map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())));
        let topic = NewTopic {
            partitions,
            replication_factor: 1,
            configs: configs.collect(),
            ..NewTopic::new(name, random::topic_id())
        };
        let command =
            Command::CreateTopics(CreateTopics { topics: vec![topic], validate_only: false, seed: 1 });
        match self.broker.metadata.submit(command).await {
            Ok(Reply::CreateTopics(created)) => assert!(created[0].result.is_ok(), "{created:?}"),
            other => panic!("{other:?}"),
        }
        self.broker.metadata.image().topic(name).expect("in the image").id
    }

    pub(crate) fn partition(&self, topic: &str, index: i32) -> Arc<Partition> {
        self.broker.partitions.by_name(topic, index).expect("hosted")
    }

    /// Appends a batch and waits for its commit.
    pub(crate) async fn append(&self, index: i32, batch: Bytes) -> Offset {
        let request = produce(-1, TOPIC, index, batch);
        let outcome = super::produce::handle(&self.broker, &self.context, request, None).await;
        let super::produce::ProduceOutcome::Respond(response) = outcome else { panic!("{outcome:?}") };
        let answer = &response.topics[0].partitions[0];
        assert!(answer.error.is_none(), "{answer:?}");
        answer.base_offset
    }
}

pub(crate) fn context_of(client: &str) -> RequestContext {
    let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
    RequestContext {
        header: RequestHeader {
            api_key: ApiKey::Produce,
            api_version: ApiKey::Produce.spec().max,
            correlation_id: 5,
            client_id: ClientId::new(client),
        },
        connection: Arc::new(ConnectionInfo {
            id: 1,
            listener: "PLAINTEXT".into(),
            is_controllers: false,
            local: address,
            peer: address,
        }),
    }
}

pub(crate) fn named(topic: &str) -> TopicRef {
    TopicRef::Name(StrBytes::from_string(topic.to_owned()))
}

pub(crate) fn produce(acks: i16, topic: &str, partition: i32, batch: Bytes) -> ProduceRequest {
    let partitions = vec![ProducePartition { partition, records: Some(batch) }];
    ProduceRequest {
        transactional_id: None,
        acks,
        timeout_ms: 10_000,
        topics: vec![ProduceTopic { topic: named(topic), partitions }],
        zstd_allowed: true,
        transaction_support: TransactionSupport::Classic,
    }
}

/// Records with these timestamps.
pub(crate) fn batch_at(timestamps: &[i64]) -> Bytes {
    let mut builder = BatchBuilder::new();
    for timestamp in timestamps {
        builder.append(*timestamp, Some(b"key"), Some(b"value"), &[]);
    }
    builder.build().unwrap()
}

pub(crate) fn run<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(std::time::Duration::from_mins(1), test).await.expect("the test ends in time")
    })
}
