//! Whole answers of a node that has done something of everything.

#![allow(clippy::float_cmp, reason = "the values are whole numbers")]

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use config::resolved::MetricsDialect;
use coordinator::group::{CommitPartition, CommitTopic, OffsetCommitRequest, Reply, Request};
use model::ErrorCode;
use model::topic_name::GROUP_METADATA;
use records::BatchBuilder;
use wire::api_table::ApiKey;
use wire::fetch::{FetchPartition, FetchRequest, FetchTopic};
use wire::produce::TransactionSupport;
use wire::response::Response;

use super::*;
use crate::handlers::test_support::{TOPIC, TestBroker, batch_at, named, produce, run};
use crate::handlers::txn_test_support::{Producer, respond};
use crate::metrics::requests::Timing;
use crate::metrics::table::{AREAS, Family, Kind};

/// What dashboards ask for: section by section the names of the JMX exporter with Strimzi's rules, and of kafka_exporter.
const WANTED: &[&str] = &[
    "kafka_server_brokertopicmetrics_bytesin_total",
    "kafka_server_brokertopicmetrics_bytesout_total",
    "kafka_server_brokertopicmetrics_messagesin_total",
    "kafka_server_brokertopicmetrics_totalproducerequests_total",
    "kafka_server_brokertopicmetrics_totalfetchrequests_total",
    "kafka_server_brokertopicmetrics_failedproducerequests_total",
    "kafka_server_brokertopicmetrics_failedfetchrequests_total",
    "kafka_server_replicamanager_leadercount",
    "kafka_server_replicamanager_partitioncount",
    "kafka_server_replicamanager_underreplicatedpartitions",
    "kafka_server_replicamanager_underminisrpartitioncount",
    "kafka_server_replicamanager_isrshrinks_total",
    "kafka_controller_kafkacontroller_activecontrollercount",
    "kafka_controller_kafkacontroller_offlinepartitionscount",
    "kafka_controller_kafkacontroller_globaltopiccount",
    "kafka_controller_kafkacontroller_globalpartitioncount",
    "kafka_controller_kafkacontroller_preferredreplicaimbalancecount",
    "kafka_controller_controllerstats_uncleanleaderelections_total",
    "kafka_cluster_partition_underminisr",
    "kafka_cluster_partition_atminisr",
    "kafka_cluster_partition_replicascount",
    "kafka_log_log_size",
    "kafka_log_log_logstartoffset",
    "kafka_log_log_logendoffset",
    "kafka_network_requestmetrics_requests_total",
    "kafka_network_requestmetrics_totaltimems",
    "kafka_network_requestmetrics_requestqueuetimems",
    "kafka_network_requestmetrics_localtimems",
    "kafka_network_requestmetrics_remotetimems",
    "kafka_network_requestmetrics_responsequeuetimems",
    "kafka_network_requestmetrics_responsesendtimems",
    "kafka_network_socketserver_networkprocessoravgidle_percent",
    "kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent",
    "kafka_server_socket_server_metrics_connection_count",
    "kafka_server_kafkaserver_brokerstate",
    "kafka_server_kafkaserver_linux_disk_read_bytes",
    "kafka_server_kafkaserver_linux_disk_write_bytes",
    "kafka_coordinator_group_groupmetadatamanager_numgroups",
    "kafka_coordinator_group_groupmetadatamanager_numoffsets",
    "kafka_server_fetchsessioncache_numincrementalfetchsessions",
    "kafka_server_raftmetrics_current_leader",
    "kafka_server_raftmetrics_current_epoch",
    "kafka_server_raftmetrics_high_watermark",
    "kafka_server_raftmetrics_log_end_offset",
    "kafka_brokers",
    "kafka_topic_partitions",
    "kafka_topic_partition_current_offset",
    "kafka_topic_partition_oldest_offset",
    "kafka_topic_partition_leader",
    "kafka_topic_partition_replicas",
    "kafka_topic_partition_in_sync_replica",
    "kafka_topic_partition_under_replicated_partition",
    "kafka_consumergroup_current_offset",
    "kafka_consumergroup_current_offset_sum",
    "kafka_consumergroup_lag",
    "kafka_consumergroup_lag_sum",
    "kafka_consumergroup_members",
];

/// A node with topics for everything, whose transactions hang from the first moment that they are late at.
async fn node() -> TestBroker {
    let settings = ["transaction.max.timeout.ms=60000"];
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let node = TestBroker::start_with(&storage::SystemDisk::shared(), dir, &settings);
    node.create(TOPIC, 2, &[]).await;
    node.create(GROUP_METADATA, 1, &[("cleanup.policy", "compact")]).await;
    node.broker.metrics.serving(&node.broker);
    node
}

fn scraper(node: &TestBroker, settings: &[&str]) -> Scraper {
    let overrides: Vec<String> = settings.iter().map(|text| (*text).to_owned()).collect();
    let inputs = config::Inputs { overrides: &overrides, ..config::Inputs::default() };
    Scraper::new(Arc::clone(&node.broker.metrics), config::load(&inputs).unwrap().broker.metrics)
}

/// The series of an answer; a line that is none fails the test.
struct Scraped {
    text: String,
    series: BTreeMap<String, f64>,
}

impl Scraped {
    async fn of(scraper: &Scraper) -> Self {
        let text = scraper.answer().await;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let series = lines.map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line}")))
        });
        let scraped = Self { series: series.collect(), text: text.clone() };
        assert_eq!(
            scraped.series.len(),
            text.lines().filter(|line| !line.starts_with('#')).count(),
            "no series twice"
        );
        scraped
    }

    fn value(&self, series: &str) -> f64 {
        *self.series.get(series).unwrap_or_else(|| panic!("{series} is missing in\n{}", self.text))
    }

    fn types(&self) -> BTreeMap<&str, &str> {
        self.text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect()
    }
}

async fn fetch(node: &TestBroker, partition: i32) {
    let wanted = FetchPartition::new(partition, model::Offset::ZERO, 1 << 20);
    let topics = vec![FetchTopic { topic: named(TOPIC), partitions: vec![wanted] }];
    let request = FetchRequest { wants_topic_ids: false, topics, ..FetchRequest::default() };
    crate::handlers::fetch::handle(&node.broker, &node.context, request).await;
}

async fn commit(node: &TestBroker, group: &str, offset: i64) {
    let partition = CommitPartition { index: 0, offset, leader_epoch: -1, metadata: None };
    let request = OffsetCommitRequest {
        version: 9,
        group_id: group.to_owned(),
        generation: -1,
        member_id: String::new(),
        instance_id: None,
        retention_time_ms: -1,
        topics: vec![CommitTopic { name: TOPIC.to_owned(), id: None, partitions: vec![partition] }],
    };
    loop {
        match node.broker.groups.ask(Request::OffsetCommit(request.clone())).await {
            Err(ErrorCode::CoordinatorLoadInProgress) => tokio::task::yield_now().await,
            Ok(Reply::OffsetCommit(_)) => return,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn everything_in_the_table_is_told_and_nothing_else() {
    run(async {
        let node = node().await;
        let scraped = Scraped::of(&scraper(&node, &[])).await;
        let told = scraped.types();
        let all: Vec<&Family> = AREAS.iter().flat_map(|area| area.families).collect();
        let table: BTreeMap<String, &str> =
            all.iter().map(|family| (family.name(MetricsDialect::Strimzi), family.kind.name())).collect();
        assert_eq!(told, table.iter().map(|(name, kind)| (name.as_str(), *kind)).collect());
        for name in WANTED {
            assert!(told.contains_key(name), "{name} is missing");
        }
        // Every series is of the metric that stands above it.
        let mut family = "";
        for line in scraped.text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                family = rest.split_once(' ').unwrap().0;
            } else if !line.starts_with('#') {
                let name = line.split(['{', ' ']).next().unwrap();
                let ending = name.strip_prefix(family).unwrap_or_else(|| panic!("{line} is under {family}"));
                assert!(["", "_bucket", "_sum", "_count"].contains(&ending), "{line}");
            }
        }
        let kinds: BTreeSet<_> = all.iter().map(|family| family.kind.name()).collect();
        assert_eq!(kinds.len(), 4, "{:?}", [Kind::Counter, Kind::Gauge, Kind::Histogram, Kind::Summary]);
        node.stop();
    });
}

#[test]
fn topics_count_what_comes_and_goes_and_keep_the_sum_when_they_do() {
    run(async {
        let node = node().await;
        let batch = batch_at(&[node.broker.clock.wall_ms(); 3]);
        let bytes = batch.len() as f64;
        node.append(0, batch.clone()).await;
        node.append(1, batch).await;
        fetch(&node, 0).await;
        let refused = respond(&node, produce(-1, TOPIC, 0, Bytes::from_static(b"no batch"))).await;
        assert!(!refused.error.is_none());

        let scraper = scraper(&node, &[]);
        let scraped = Scraped::of(&scraper).await;
        let topic = |name: &str| {
            let series = format!("kafka_server_brokertopicmetrics_{name}_total{{topic=\"{TOPIC}\"}}");
            (scraped.value(&series), scraped.value(series.split('{').next().unwrap()))
        };
        assert_eq!(topic("messagesin"), (6.0, 6.0));
        assert_eq!(topic("bytesin"), (2.0 * bytes, 2.0 * bytes));
        assert_eq!(topic("bytesout"), (bytes, bytes));
        assert_eq!(topic("totalproducerequests"), (3.0, 3.0));
        assert_eq!(topic("failedproducerequests"), (1.0, 1.0));
        assert_eq!(topic("totalfetchrequests"), (1.0, 1.0));
        assert_eq!(topic("failedfetchrequests"), (0.0, 0.0));
        let partition = |name: &str| scraped.value(&format!("{name}{{topic=\"{TOPIC}\",partition=\"0\"}}"));
        assert_eq!(partition("kafka_log_log_logendoffset"), 3.0);
        assert_eq!(partition("ottla_partition_durable_offset"), 3.0);
        assert_eq!(partition("kafka_topic_partition_current_offset"), 3.0);
        assert_eq!(partition("kafka_log_log_size"), bytes);
        assert_eq!(partition("kafka_topic_partition_leader"), 1.0);
        // A sync is counted after those who waited for it are told.
        while Scraped::of(&scraper).await.value("ottla_sync_records_sum") < 6.0 {
            tokio::task::yield_now().await;
        }

        let topic =
            controller::command::TopicReference { name: Some(TOPIC.to_owned()), id: model::TopicId::ZERO };
        let delete = controller::command::DeleteTopics { topics: vec![topic] };
        node.broker.metadata.submit(controller::Command::DeleteTopics(delete)).await.unwrap();
        let scraped = Scraped::of(&scraper).await;
        assert!(!scraped.text.contains(&format!("topic=\"{TOPIC}\"")));
        assert_eq!(scraped.value("kafka_server_brokertopicmetrics_messagesin_total"), 6.0);
        assert_eq!(scraped.value("kafka_server_brokertopicmetrics_bytesout_total"), bytes);
        node.stop();
    });
}

#[test]
fn a_group_has_its_lag() {
    run(async {
        let node = node().await;
        node.append(0, batch_at(&[node.broker.clock.wall_ms(); 10])).await;
        commit(&node, "readers", 4).await;
        let scraped = Scraped::of(&scraper(&node, &[])).await;
        let labels = format!("consumergroup=\"readers\",topic=\"{TOPIC}\"");
        assert_eq!(
            scraped.value(&format!("kafka_consumergroup_current_offset{{{labels},partition=\"0\"}}")),
            4.0
        );
        assert_eq!(scraped.value(&format!("kafka_consumergroup_lag{{{labels},partition=\"0\"}}")), 6.0);
        assert_eq!(scraped.value(&format!("kafka_consumergroup_lag_sum{{{labels}}}")), 6.0);
        assert_eq!(scraped.value("kafka_coordinator_group_groupmetadatamanager_numgroups"), 1.0);
        assert_eq!(scraped.value("kafka_coordinator_group_groupmetadatamanager_numoffsets"), 1.0);
        assert_eq!(scraped.value("ottla_groups{type=\"classic\",state=\"Empty\"}"), 1.0);
        assert_eq!(scraped.value("kafka_consumergroup_members{consumergroup=\"readers\"}"), 0.0);
        node.stop();
    });
}

#[test]
fn a_transaction_is_open_then_hangs_then_is_over() {
    run(async {
        let node = node().await;
        let scraper = scraper(&node, &[]);
        let figures = |scraped: &Scraped| {
            let open = scraped.value("ottla_open_transactions");
            let ongoing = scraped.value("ottla_transactions{state=\"Ongoing\"}");
            (ongoing, open, scraped.value("ottla_hanging_transactions"))
        };
        assert!(scraper.answer().await.contains("\nottla_open_transactions 0\n"));
        let mut producer = Producer::start(&node, "billing", TransactionSupport::AddsPartitions).await;
        producer.write(&node, 0, "first").await;
        let scraped = Scraped::of(&scraper).await;
        assert_eq!(figures(&scraped), (1.0, 1.0, 0.0));
        assert!(scraped.value("ottla_open_transaction_oldest_seconds") < 60.0);
        let lag = format!("kafka_cluster_partition_laststableoffsetlag{{topic=\"{TOPIC}\",partition=\"0\"}}");
        assert_eq!(scraped.value(&lag), 1.0);

        // A record of long ago: its producer's timeout, the longest that is allowed, and five minutes are over.
        let now = producer.now;
        let old_ms = node.broker.clock.wall_ms() - 3_600_000;
        let (id, epoch) =
            (model::ProducerId::new(now.producer_id), model::ProducerEpoch::new(now.producer_epoch));
        let mut builder = BatchBuilder::new().producer(id, epoch, 0).transactional();
        builder.append(old_ms, None, Some(b"late"), &[]);
        let answer = respond(&node, producer.request(-1, 1, builder.build().unwrap())).await;
        assert!(answer.error.is_none(), "{answer:?}");
        let scraped = Scraped::of(&scraper).await;
        assert_eq!(figures(&scraped), (1.0, 2.0, 1.0));
        assert_eq!(scraped.value("kafka_server_replicamanager_partitionswithlatetransactionscount"), 1.0);
        assert!(scraped.value("ottla_open_transaction_oldest_seconds") >= 3_600.0);
        assert_eq!(scraped.value("kafka_server_replicamanager_produceridcount"), 2.0);

        producer.end(&node, true).await;
        let scraped = Scraped::of(&scraper).await;
        assert_eq!(figures(&scraped), (0.0, 0.0, 0.0));
        assert_eq!(scraped.value("ottla_transactions{state=\"CompleteCommit\"}"), 1.0);
        assert_eq!(scraped.value("ottla_transaction_oldest_seconds"), 0.0);
        assert_eq!(scraped.value(&lag), 0.0);
        node.stop();
    });
}

#[test]
fn requests_errors_and_connections_are_told_by_their_names() {
    run(async {
        let node = node().await;
        let recorder = node.broker.metrics.recorder(&"PLAINTEXT".into());
        let read = tokio::time::Instant::now();
        let mut timing = Timing::new((ApiKey::Fetch, 12), read, read);
        timing.park(read + Duration::from_millis(1));
        recorder
            .served(&timing.answered(read + Duration::from_millis(500)), read + Duration::from_millis(501));
        let mut response = wire::fetch::FetchResponse::refused(ErrorCode::None);
        node.broker.metrics.note_errors(ApiKey::Fetch, &Response::Fetch(response.clone()));
        response.error = ErrorCode::FetchSessionIdNotFound;
        node.broker.metrics.note_errors(ApiKey::Fetch, &Response::Fetch(response));

        let scraped = Scraped::of(&scraper(&node, &[])).await;
        for name in ["Fetch", "FetchConsumer"] {
            let requests =
                format!("kafka_network_requestmetrics_requests_total{{request=\"{name}\",version=\"12\"}}");
            assert_eq!(scraped.value(&requests), 1.0);
            let remote =
                format!("kafka_network_requestmetrics_remotetimems{{request=\"{name}\",quantile=\"0.99\"}}");
            assert!((499.0..625.0).contains(&scraped.value(&remote)), "{}", scraped.value(&remote));
            let queue =
                format!("kafka_network_requestmetrics_requestqueuetimems_count{{request=\"{name}\"}}");
            assert_eq!(scraped.value(&queue), 1.0, "what took no time counts");
            let error = format!(
                "kafka_network_requestmetrics_errors_total{{request=\"{name}\",error=\"FETCH_SESSION_ID_NOT_FOUND\"}}"
            );
            assert_eq!(scraped.value(&error), 1.0);
        }
        assert!(!scraped.text.contains("error=\"NONE\""));
        assert_eq!(scraped.value("ottla_request_duration_seconds_count{request=\"Fetch\"}"), 1.0);
        let connections = "kafka_server_socket_server_metrics_connection_count";
        assert_eq!(
            scraped.value(&format!("{connections}{{listener=\"PLAINTEXT\",networkProcessor=\"0\"}}")),
            1.0
        );
        let idle = scraped.value("kafka_network_socketserver_networkprocessoravgidle_percent");
        assert!((0.0..=1.0).contains(&idle), "{idle}");
        node.stop();
    });
}

#[test]
fn a_large_node_tells_sums_and_what_it_left_out() {
    run(async {
        let node = node().await;
        node.append(0, batch_at(&[node.broker.clock.wall_ms()])).await;
        commit(&node, "readers", 1).await;
        let scraped = Scraped::of(&scraper(&node, &["ottla.metrics.series.max=1"])).await;
        assert!(
            !scraped.text.contains("partition=\"0\"}") || scraped.text.contains("consumergroup=\"readers\"")
        );
        assert!(!scraped.text.contains("kafka_log_log_size{"), "three partitions are too many");
        assert_eq!(scraped.value("ottla_left_out_series{metric=\"kafka_log_log_size\"}"), 3.0);
        assert_eq!(scraped.value("kafka_server_replicamanager_partitioncount"), 3.0);
        let messages = scraped.value("kafka_server_brokertopicmetrics_messagesin_total");
        assert!(messages >= 1.0, "{messages}");
        let lag =
            format!("kafka_consumergroup_lag{{consumergroup=\"readers\",topic=\"{TOPIC}\",partition=\"0\"}}");
        assert_eq!(scraped.value(&lag), 0.0, "one offset is not too many");
        node.stop();
    });
}

#[test]
fn quantiles_are_of_what_came_lately() {
    let mut recent = Recent::default();
    let moment = |requests: u64| {
        let mut served = Served::default();
        served.versions.insert(0, requests);
        Moment { requests: [(0, served)].into(), ..Moment::default() }
    };
    let mut seen = |minutes: u64, requests: u64| {
        let since = recent.before(Duration::from_mins(minutes), &moment(requests));
        since.requests.get(&0).map_or(0, Served::count)
    };
    assert_eq!(seen(0, 10), 0);
    assert_eq!(seen(4, 20), 0);
    assert_eq!(seen(5, 30), 0, "five to ten minutes");
    assert_eq!(seen(9, 40), 0);
    assert_eq!(seen(10, 50), 30);
    assert_eq!(seen(14, 60), 30);
    assert_eq!(seen(15, 70), 50);
}
