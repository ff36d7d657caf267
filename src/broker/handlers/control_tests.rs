//! The control plane through its handlers, over a broker in this process.

use std::sync::Arc;

use bytes::Bytes;
use model::ErrorCode;
use model::topic_name::GROUP_METADATA;
use wire::StrBytes;
use wire::api_versions::ApiVersionsRequest;
use wire::header::ClientId;
use wire::messages::create_partitions_request::CreatePartitionsTopic;
use wire::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use wire::messages::create_topics_response::CreatableTopicResult;
use wire::messages::delete_topics_request::DeleteTopicState;
use wire::messages::describe_configs_request::DescribeConfigsResource;
use wire::messages::describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult};
use wire::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use wire::messages::metadata_request::MetadataRequestTopic;
use wire::messages::{
    AlterConfigsRequest, BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
    DescribeClusterRequest, DescribeConfigsRequest, DescribeQuorumRequest, DescribeTopicPartitionsRequest,
    ElectLeadersRequest, FindCoordinatorRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest,
    ListPartitionReassignmentsRequest, MetadataRequest, MetadataResponse, TopicName,
};

use super::answer::{INVALID_REQUEST_TEXT, operations};
use super::test_support::{TestBroker, run};
use crate::context::{ConnectionInfo, RequestContext};
use crate::dispatch;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const LOGGER: i8 = 8;

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

fn topic_name(value: &str) -> TopicName {
    TopicName(text(value))
}

fn code(error: ErrorCode) -> i16 {
    error.code()
}

fn creatable(name: &str, partitions: i32, factor: i16) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(topic_name(name))
        .with_num_partitions(partitions)
        .with_replication_factor(factor)
}

async fn create(node: &TestBroker, topics: Vec<CreatableTopic>) -> Vec<CreatableTopicResult> {
    let request = CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(1_000);
    super::create_topics::handle(&node.broker, &node.context, request).await.topics
}

async fn metadata_of(node: &TestBroker, names: &[&str], may_create: bool) -> MetadataResponse {
    let named = |name: &&str| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
    let request = MetadataRequest::default()
        .with_topics(Some(names.iter().map(named).collect()))
        .with_allow_auto_topic_creation(may_create);
    super::metadata::handle(&node.broker, &node.context, request).await
}

async fn configs_of(node: &TestBroker, kind: i8, name: &str, keys: &[&str]) -> DescribeConfigsResult {
    let keys = keys.iter().map(|key| text(key)).collect();
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(Some(keys));
    let request =
        DescribeConfigsRequest::default().with_resources(vec![resource]).with_include_synonyms(true);
    let mut response = super::describe_configs::handle(&node.broker, &node.context, request).await;
    response.results.remove(0)
}

async fn value_of(node: &TestBroker, kind: i8, name: &str, key: &str) -> DescribeConfigsResourceResult {
    let mut described = configs_of(node, kind, name, &[key]).await;
    assert_eq!((described.error_code, described.configs.len()), (0, 1), "{described:?}");
    described.configs.remove(0)
}

/// One change; answers code and text.
async fn change(
    node: &TestBroker,
    (kind, name): (i8, &str),
    (operation, key, value): (i8, &str, Option<&str>),
    validate_only: bool,
) -> (i16, Option<String>) {
    let config = AlterableConfig::default()
        .with_name(text(key))
        .with_config_operation(operation)
        .with_value(value.map(text));
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default()
        .with_resources(vec![resource])
        .with_validate_only(validate_only);
    let response = super::incremental_alter_configs::handle(&node.broker, &node.context, request).await;
    let only = &response.responses[0];
    (only.error_code, only.error_message.as_ref().map(ToString::to_string))
}

#[test]
fn a_timeout_that_is_over_changes_nothing() {
    run(async {
        let node = TestBroker::start();
        node.create("orders", 1, &[]).await;
        let timed_out = code(ErrorCode::RequestTimedOut);
        for timeout_ms in [0, -1, i32::MIN] {
            let request = CreateTopicsRequest::default()
                .with_topics(vec![creatable("late", 1, 1)])
                .with_timeout_ms(timeout_ms);
            let created = super::create_topics::handle(&node.broker, &node.context, request).await;
            assert_eq!(created.topics[0].error_code, timed_out);
            let orders = DeleteTopicState::default().with_name(Some(topic_name("orders")));
            let request =
                DeleteTopicsRequest::default().with_topics(vec![orders]).with_timeout_ms(timeout_ms);
            let deleted = super::delete_topics::handle(&node.broker, &node.context, request).await;
            assert_eq!(deleted.responses[0].error_code, timed_out);
            let request = ElectLeadersRequest::default()
                .with_election_type(9)
                .with_topic_partitions(None)
                .with_timeout_ms(timeout_ms);
            let elected = super::elect_leaders::handle(&node.broker, &node.context, request).await;
            assert_eq!(elected.error_code, timed_out);
        }
        let codes = metadata_of(&node, &["orders", "late"], false).await.topics;
        let codes: Vec<_> = codes.iter().map(|topic| topic.error_code).collect();
        assert_eq!(codes, [0, code(ErrorCode::UnknownTopicOrPartition)]);
        node.stop();
    });
}

#[test]
fn metadata_shows_topics_by_name_and_id() {
    run(async {
        let node = TestBroker::start();
        let id = node.create("orders", 3, &[]).await;
        let response = metadata_of(&node, &["orders", "absent", "orders", "no/name"], false).await;
        let codes: Vec<_> = response
            .topics
            .iter()
            .map(|topic| (topic.name.as_ref().unwrap().to_string(), topic.error_code))
            .collect();
        let expected = [
            ("orders".to_owned(), 0),
            ("absent".to_owned(), code(ErrorCode::UnknownTopicOrPartition)),
            ("no/name".to_owned(), code(ErrorCode::InvalidTopicException)),
        ];
        assert_eq!(codes, expected);
        let orders = &response.topics[0];
        assert_eq!((orders.topic_id, orders.partitions.len()), (id.uuid(), 3));
        for (index, partition) in orders.partitions.iter().enumerate() {
            assert_eq!(partition.partition_index, index as i32);
            assert_eq!((partition.error_code, partition.leader_id), (0, BrokerId(1)));
            assert_eq!(partition.isr_nodes, [BrokerId(1)]);
            assert!(partition.offline_replicas.is_empty());
        }
        assert_eq!(orders.topic_authorized_operations, operations::OMITTED);
        assert_eq!(response.cluster_id.as_deref(), Some(&*node.broker.cluster_id));
        assert_eq!(response.controller_id, BrokerId(1));
        let broker = &response.brokers[0];
        assert_eq!((broker.node_id, &*broker.host, broker.port), (BrokerId(1), "broker.test", 9092));

        let by_id = |id| MetadataRequestTopic::default().with_topic_id(id).with_name(None);
        let asked = vec![by_id(id.uuid()), by_id(uuid::Uuid::from_u128(77))];
        let request = MetadataRequest::default().with_topics(Some(asked));
        let response = super::metadata::handle(&node.broker, &node.context, request).await;
        let codes: Vec<_> = response.topics.iter().map(|topic| topic.error_code).collect();
        assert_eq!(codes, [code(ErrorCode::UnknownTopicId), 0], "what is unknown comes first");

        let all = MetadataRequest::default().with_topics(None).with_include_topic_authorized_operations(true);
        let response = super::metadata::handle(&node.broker, &node.context, all).await;
        assert_eq!(response.topics.len(), 1);
        assert_eq!(response.topics[0].topic_authorized_operations, 3576, "what Kafka sends");
        node.stop();
    });
}

#[test]
fn a_topic_is_created_on_first_use() {
    run(async {
        let node = TestBroker::start();
        let unknown = code(ErrorCode::UnknownTopicOrPartition);
        assert_eq!(metadata_of(&node, &["new", "a b"], true).await.topics[0].error_code, unknown);
        let second = metadata_of(&node, &["new"], true).await;
        assert_eq!((second.topics[0].error_code, second.topics[0].partitions.len()), (0, 1));
        assert_eq!(metadata_of(&node, &["other"], false).await.topics[0].error_code, unknown);
        assert_eq!(metadata_of(&node, &["other"], false).await.topics[0].error_code, unknown);
        node.stop();
    });
}

#[test]
fn a_coordinator_is_found_once_its_topic_is_there() {
    run(async {
        let node = TestBroker::start();
        let find = async |key_type, key: &str| {
            let request = FindCoordinatorRequest::default()
                .with_key_type(key_type)
                .with_coordinator_keys(vec![text(key)]);
            let mut response = super::find_coordinator::handle(&node.broker, &node.context, request).await;
            response.coordinators.remove(0)
        };
        let first = find(0, "group").await;
        assert_eq!(
            (first.error_code, first.node_id),
            (code(ErrorCode::CoordinatorNotAvailable), BrokerId(-1))
        );
        let second = find(0, "group").await;
        assert_eq!((second.error_code, second.node_id, second.port), (0, BrokerId(1), 9092));
        let image = node.broker.metadata.image();
        let offsets = image.topic(GROUP_METADATA).unwrap();
        assert_eq!(offsets.partitions.len(), 50);
        assert_eq!(offsets.partition(0).unwrap().replicas.len(), 1, "lowered to the live brokers");
        let configs = image.configs().of_topic(GROUP_METADATA).unwrap();
        assert_eq!(configs.get("cleanup.policy").map(String::as_str), Some("compact"));
        assert_eq!(find(2, "no share key").await.error_code, code(ErrorCode::InvalidRequest));
        let unknown = find(7, "key").await;
        assert_eq!(unknown.error_message.as_deref(), Some(INVALID_REQUEST_TEXT));
        node.stop();
    });
}

#[test]
fn creation_answers_shape_and_configs_or_kafkas_refusal() {
    run(async {
        let node = TestBroker::start();
        let config =
            CreatableTopicConfig::default().with_name(text("retention.ms")).with_value(Some(text("5")));
        let good = creatable("good", 2, 1).with_configs(vec![config.clone()]);
        let assigned = creatable("assigned", -1, -1).with_assignments(vec![
            CreatableReplicaAssignment::default().with_partition_index(0).with_broker_ids(vec![BrokerId(1)]),
        ]);
        let unknown_config =
            CreatableTopicConfig::default().with_name(text("no.such")).with_value(Some(text("5")));
        let results = create(
            &node,
            vec![
                good,
                assigned,
                creatable("defaults", -1, -1),
                creatable("factor", 1, 2),
                creatable("none", 0, 1),
                creatable("bad config", 1, 1),
                creatable("config", 1, 1).with_configs(vec![unknown_config]),
                creatable("twice", 1, 1),
                creatable("twice", 1, 1),
                creatable("__cluster_metadata", 1, 1),
            ],
        )
        .await;
        let result = |name: &str| results.iter().find(|result| **result.name == *name).unwrap();
        let good = result("good");
        assert_eq!((good.error_code, good.num_partitions, good.replication_factor), (0, 2, 1));
        assert_eq!(good.error_message, None);
        let configs = good.configs.as_ref().unwrap();
        let retention = configs.iter().find(|config| &*config.name == "retention.ms").unwrap();
        assert_eq!((retention.value.as_deref(), retention.config_source), (Some("5"), 1));
        assert!(configs.iter().any(|config| &*config.name == "segment.bytes" && config.config_source == 5));
        assert_eq!(result("assigned").error_code, 0);
        assert_eq!(result("defaults").num_partitions, 1);
        for (name, error) in [
            ("factor", ErrorCode::InvalidReplicationFactor),
            ("none", ErrorCode::InvalidPartitions),
            ("bad config", ErrorCode::InvalidTopicException),
            ("config", ErrorCode::InvalidConfig),
            ("twice", ErrorCode::InvalidRequest),
            ("__cluster_metadata", ErrorCode::InvalidRequest),
        ] {
            let refused = result(name);
            assert_eq!((refused.error_code, refused.num_partitions), (code(error), -1), "{refused:?}");
        }
        assert_eq!(result("config").error_message.as_deref(), Some("Unknown topic config name: no.such"));
        let again = create(&node, vec![creatable("good", 1, 1)]).await;
        assert_eq!(again[0].error_code, code(ErrorCode::TopicAlreadyExists));
        assert_eq!(again[0].error_message.as_deref(), Some("Topic 'good' already exists."));
        node.stop();
    });
}

#[test]
fn validation_alone_changes_nothing() {
    run(async {
        let node = TestBroker::start();
        let request = CreateTopicsRequest::default()
            .with_topics(vec![creatable("only-checked", 4, 1)])
            .with_validate_only(true);
        let response = super::create_topics::handle(&node.broker, &node.context, request).await;
        assert_eq!((response.topics[0].error_code, response.topics[0].num_partitions), (0, 4));
        assert!(node.broker.metadata.image().topic("only-checked").is_none());
        let checked = change(&node, (BROKER, ""), (0, "log.retention.ms", Some("9000")), true).await;
        assert_eq!(checked, (0, None));
        assert_eq!(node.broker.metadata.config().topics.defaults.config().retention_ms, 604_800_000);
        node.stop();
    });
}

#[test]
fn partitions_grow_and_topics_go() {
    run(async {
        let node = TestBroker::start();
        let id = node.create("orders", 1, &[]).await;
        let grow = async |name: &str, count| {
            let topic = CreatePartitionsTopic::default()
                .with_name(topic_name(name))
                .with_count(count)
                .with_assignments(None);
            let request = CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(1_000);
            let response = super::create_partitions::handle(&node.broker, &node.context, request).await;
            response.results[0].error_code
        };
        assert_eq!(grow("orders", 3).await, 0);
        assert!(node.broker.partitions.by_id(id, 2).is_some(), "its log is there with the answer");
        assert_eq!(grow("orders", 3).await, code(ErrorCode::InvalidPartitions));
        assert_eq!(grow("absent", 3).await, code(ErrorCode::UnknownTopicOrPartition));

        let delete = async |name: Option<&str>, id: uuid::Uuid| {
            let topic = DeleteTopicState::default().with_name(name.map(topic_name)).with_topic_id(id);
            let request = DeleteTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(1_000);
            let mut response = super::delete_topics::handle(&node.broker, &node.context, request).await;
            response.responses.remove(0)
        };
        let nil = uuid::Uuid::nil();
        assert_eq!(delete(Some("absent"), nil).await.error_code, code(ErrorCode::UnknownTopicOrPartition));
        assert_eq!(delete(None, nil).await.error_code, code(ErrorCode::InvalidRequest));
        let deleted = delete(None, id.uuid()).await;
        assert_eq!((deleted.error_code, deleted.name.as_deref().map(|name| &**name)), (0, Some("orders")));
        assert!(node.broker.partitions.by_id(id, 0).is_none());
        assert_eq!(delete(None, id.uuid()).await.error_code, code(ErrorCode::UnknownTopicId));
        assert_ne!(node.create("orders", 1, &[]).await, id, "the same name is another topic");
        node.stop();
    });
}

#[test]
fn settings_say_where_they_come_from() {
    run(async {
        let node = TestBroker::start();
        node.create("orders", 1, &[("retention.ms", "1000")]).await;
        assert_eq!(
            change(&node, (BROKER, ""), (0, "log.retention.ms", Some("5000")), false).await,
            (0, None)
        );
        assert_eq!(
            change(&node, (BROKER, "1"), (0, "log.retention.ms", Some("6000")), false).await,
            (0, None)
        );
        let own = value_of(&node, TOPIC, "orders", "retention.ms").await;
        assert_eq!((own.value.as_deref(), own.config_source), (Some("1000"), 1));
        let sources: Vec<_> = own.synonyms.iter().map(|s| (s.name.to_string(), s.source)).collect();
        let expected = [
            ("retention.ms", 1),
            ("log.retention.ms", 2),
            ("log.retention.ms", 3),
            ("log.retention.hours", 5),
        ];
        assert_eq!(sources, expected.map(|(name, source)| (name.to_owned(), source)));
        assert_eq!(change(&node, (TOPIC, "orders"), (1, "retention.ms", None), false).await, (0, None));
        let inherited = value_of(&node, TOPIC, "orders", "retention.ms").await;
        assert_eq!((inherited.value.as_deref(), inherited.config_source), (Some("6000"), 2));
        let broker = value_of(&node, BROKER, "1", "log.retention.ms").await;
        assert_eq!((broker.value.as_deref(), broker.read_only), (Some("6000"), false));
        assert!(value_of(&node, BROKER, "1", "node.id").await.read_only);
        assert_eq!(configs_of(&node, BROKER, "", &[]).await.configs.len(), 2, "with the first of them all");
        let root = value_of(&node, LOGGER, "1", "root").await;
        assert_eq!(root.config_source, 6);

        for (kind, name, error) in [
            (TOPIC, "absent", ErrorCode::UnknownTopicOrPartition),
            (TOPIC, "a b", ErrorCode::InvalidTopicException),
            (BROKER, "2", ErrorCode::InvalidRequest),
            (BROKER, "one", ErrorCode::InvalidRequest),
            (LOGGER, "", ErrorCode::InvalidRequest),
            (16, "", ErrorCode::InvalidRequest),
            (99, "x", ErrorCode::InvalidRequest),
        ] {
            assert_eq!(configs_of(&node, kind, name, &[]).await.error_code, code(error), "{kind} {name}");
        }
        node.stop();
    });
}

#[test]
fn illegal_changes_are_refused_in_kafkas_words() {
    run(async {
        let node = TestBroker::start();
        node.create("orders", 1, &[]).await;
        let refused = |text: &str| (code(ErrorCode::InvalidRequest), Some(text.to_owned()));
        let illegal = |text: &str| (code(ErrorCode::InvalidConfig), Some(text.to_owned()));
        let set = |key, value| (0, key, Some(value));
        assert_eq!(
            change(&node, (BROKER, "2"), set("log.retention.ms", "1"), false).await,
            refused("Unexpected broker id, expected 1, but received 2")
        );
        assert_eq!(
            change(&node, (BROKER, "1"), (0, "log.retention.ms", None), false).await,
            refused("Null value not supported for : log.retention.ms")
        );
        assert_eq!(
            change(&node, (BROKER, "1"), set("node.id", "3"), false).await,
            refused("Cannot update these configs dynamically: [node.id]")
        );
        assert_eq!(
            change(&node, (BROKER, "1"), (2, "log.retention.ms", Some("3")), false).await,
            illegal("Config value append is not allowed for config key: log.retention.ms")
        );
        assert_eq!(
            change(&node, (TOPIC, "orders"), set("retention.ms", "soon"), false).await.0,
            code(ErrorCode::InvalidConfig)
        );
        assert_eq!(
            change(&node, (TOPIC, "absent"), set("retention.ms", "1"), false).await.0,
            code(ErrorCode::UnknownTopicOrPartition)
        );
        assert_eq!(
            change(&node, (LOGGER, "1"), set("no.such", "INFO"), false).await,
            illegal("Logger no.such does not exist!")
        );
        assert_eq!(change(&node, (77, "x"), set("a", "b"), false).await, refused("Unknown resource type 77"));
        assert_eq!(change(&node, (LOGGER, "1"), set("root", "INFO"), true).await, (0, None));

        let twice = AlterConfigsRequest::default().with_resources(vec![
            wire::messages::alter_configs_request::AlterConfigsResource::default()
                .with_resource_type(TOPIC)
                .with_resource_name(text("orders"));
            2
        ]);
        let response = super::alter_configs::handle(&node.broker, &node.context, twice).await;
        for answer in &response.responses {
            assert_eq!(answer.error_code, code(ErrorCode::InvalidRequest));
            assert_eq!(answer.error_message.as_deref(), Some("Each resource must appear at most once."));
        }
        node.stop();
    });
}

#[test]
fn the_older_api_replaces_all_settings() {
    run(async {
        use wire::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
        let node = TestBroker::start();
        node.create("orders", 1, &[("retention.ms", "1000")]).await;
        let config =
            AlterableConfig::default().with_name(text("max.message.bytes")).with_value(Some(text("99999")));
        let resource = AlterConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text("orders"))
            .with_configs(vec![config]);
        let request = AlterConfigsRequest::default().with_resources(vec![resource]);
        let response = super::alter_configs::handle(&node.broker, &node.context, request).await;
        assert_eq!(response.responses[0].error_code, 0);
        assert_eq!(value_of(&node, TOPIC, "orders", "retention.ms").await.config_source, 5);
        let bytes = value_of(&node, TOPIC, "orders", "max.message.bytes").await;
        assert_eq!((bytes.value.as_deref(), bytes.config_source), (Some("99999"), 1));
        node.stop();
    });
}

#[test]
fn topics_are_described_in_pages() {
    run(async {
        use wire::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
        let node = TestBroker::start();
        node.create("a", 3, &[]).await;
        node.create("b", 2, &[]).await;
        let page = async |names: &[&str], limit, cursor: Option<(&str, i32)>| {
            let topics = names.iter().map(|name| TopicRequest::default().with_name(topic_name(name)));
            let cursor = cursor.map(|(name, index)| {
                Cursor::default().with_topic_name(topic_name(name)).with_partition_index(index)
            });
            let request = DescribeTopicPartitionsRequest::default()
                .with_topics(topics.collect())
                .with_response_partition_limit(limit)
                .with_cursor(cursor);
            super::describe_topic_partitions::handle(&node.broker, &node.context, request).await
        };
        let shown = |response: &wire::messages::DescribeTopicPartitionsResponse| {
            let topics = response.topics.iter();
            let topics = topics.map(|t| (t.name.as_ref().unwrap().to_string(), t.partitions.len()));
            let next = response.next_cursor.as_ref().map(|c| (c.topic_name.to_string(), c.partition_index));
            (topics.collect::<Vec<_>>(), next)
        };
        let named = |name: &str, count| (name.to_owned(), count);
        assert_eq!(
            shown(&page(&[], 2, None).await),
            (vec![named("a", 2)], Some(named("a", 2)).map(|(n, i)| (n, i as i32)))
        );
        assert_eq!(
            shown(&page(&[], 2, Some(("a", 2))).await),
            (vec![named("a", 1), named("b", 1)], Some(("b".to_owned(), 1)))
        );
        assert_eq!(shown(&page(&[], 5, None).await), (vec![named("a", 3), named("b", 2)], None));
        assert_eq!(shown(&page(&[], 3, None).await).1, Some(("b".to_owned(), 0)));
        let absent = page(&["zzz", "a"], 100, None).await;
        assert_eq!(absent.topics[1].error_code, code(ErrorCode::UnknownTopicOrPartition));
        for cursor in [("c", 0), ("b", -1)] {
            let refused = page(&["a", "b"], 100, Some(cursor)).await;
            assert!(refused.topics.iter().all(|topic| topic.error_code == code(ErrorCode::InvalidRequest)));
        }
        node.stop();
    });
}

/// KIP-919: who speaks to a controller's listener is shown the controllers, and served nothing that is for clients.
#[test]
fn a_controllers_listener_serves_administrators() {
    run(async {
        let node = TestBroker::start();
        let mut context = node.context.clone();
        let connection = ConnectionInfo { is_controllers: true, ..(*context.connection).clone() };
        context.connection = Arc::new(connection);
        context.header.api_version = 2;
        let of_type = async |context: &RequestContext, endpoint_type| {
            let request = DescribeClusterRequest::default().with_endpoint_type(endpoint_type);
            super::describe_cluster::handle(&node.broker, context, request).await
        };
        let cluster = of_type(&context, 2).await;
        assert_eq!((cluster.error_code, cluster.endpoint_type, cluster.controller_id), (0, 2, BrokerId(1)));
        assert_eq!((cluster.brokers.len(), cluster.brokers[0].broker_id), (1, BrokerId(1)));
        assert_eq!(of_type(&context, 1).await.error_code, code(ErrorCode::MismatchedEndpointType));
        assert_eq!(of_type(&context, 0).await.error_code, code(ErrorCode::UnsupportedEndpointType));
        context.header.api_version = 0;
        assert_eq!(of_type(&context, 1).await.error_code, code(ErrorCode::InvalidRequest));

        let shown = super::api_versions::handle(&node.broker, &context, ApiVersionsRequest::default()).await;
        assert!(shown.api_keys.iter().any(|row| row.api_key == 60));
        assert!(shown.api_keys.iter().all(|row| row.api_key > 3), "neither Produce, Fetch nor Metadata");
        // Metadata 0 of no topic, with a null client id; then ApiVersions 0.
        let metadata = Bytes::from_static(&[0, 3, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0]);
        let versions = Bytes::from_static(&[0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff]);
        let start = |connection: &Arc<ConnectionInfo>, frame: &Bytes| {
            dispatch::start(&node.broker, connection, &mut ClientId::default(), frame.clone())
        };
        assert!(start(&context.connection, &metadata).is_err());
        assert!(start(&context.connection, &versions).is_ok());
        assert!(start(&node.context.connection, &metadata).is_ok());
        node.stop();
    });
}

#[test]
fn the_cluster_and_its_quorum_are_described() {
    run(async {
        let node = TestBroker::start();
        let of_type = async |endpoint_type| {
            let request = DescribeClusterRequest::default().with_endpoint_type(endpoint_type);
            super::describe_cluster::handle(&node.broker, &node.context, request).await
        };
        let cluster = of_type(1).await;
        assert_eq!((cluster.error_code, cluster.controller_id), (0, BrokerId(1)));
        assert_eq!((&*cluster.brokers[0].host, cluster.brokers[0].is_fenced), ("broker.test", false));
        assert_eq!(of_type(2).await.error_code, code(ErrorCode::MismatchedEndpointType));
        assert_eq!(of_type(3).await.error_code, code(ErrorCode::UnsupportedEndpointType));

        let quorum_of = async |topic: &str, partitions: &[i32]| {
            use wire::messages::describe_quorum_request::{PartitionData, TopicData};
            let partitions =
                partitions.iter().map(|index| PartitionData::default().with_partition_index(*index));
            let topic =
                TopicData::default().with_topic_name(topic_name(topic)).with_partitions(partitions.collect());
            let request = DescribeQuorumRequest::default().with_topics(vec![topic]);
            super::describe_quorum::handle(&node.broker, &node.context, request).await
        };
        let quorum = quorum_of("__cluster_metadata", &[0]).await;
        let partition = &quorum.topics[0].partitions[0];
        assert_eq!((partition.error_code, partition.leader_id, partition.leader_epoch), (0, BrokerId(1), 1));
        let voter = &partition.current_voters[0];
        assert_eq!(voter.log_end_offset, partition.high_watermark);
        assert!(partition.high_watermark > 0 && !voter.replica_directory_id.is_nil());
        assert_eq!(&*quorum.nodes[0].listeners[0].name, "CONTROLLER");
        let other = quorum_of("orders", &[0]).await;
        assert_eq!(other.topics[0].partitions[0].error_code, code(ErrorCode::UnknownTopicOrPartition));
        let both = quorum_of("__cluster_metadata", &[0, 1]).await;
        assert_eq!(both.topics[0].partitions[0].error_code, code(ErrorCode::UnknownTopicOrPartition));
        node.stop();
    });
}

#[test]
fn features_are_supported_and_in_force() {
    run(async {
        let node = TestBroker::start();
        let response =
            super::api_versions::handle(&node.broker, &node.context, ApiVersionsRequest::default()).await;
        let finalized: Vec<_> = response
            .finalized_features
            .iter()
            .map(|feature| (&*feature.name, feature.max_version_level))
            .collect();
        assert_eq!(
            finalized,
            [
                ("metadata.version", 27),
                ("eligible.leader.replicas.version", 1),
                ("group.version", 1),
                ("transaction.version", 2),
                ("kraft.version", 1)
            ]
        );
        assert!(response.finalized_features_epoch > 0);
        assert_eq!(response.supported_features.len(), 6);
        let strange = ApiVersionsRequest { unsupported_version: true, ..ApiVersionsRequest::default() };
        let refused = super::api_versions::handle(&node.broker, &node.context, strange).await;
        assert_eq!((refused.error, refused.api_keys.len()), (ErrorCode::UnsupportedVersion, 1));
        node.stop();
    });
}

#[test]
fn elections_and_reassignments_have_nothing_to_do() {
    run(async {
        let node = TestBroker::start();
        node.create("orders", 1, &[]).await;
        let elect = async |election_type| {
            let topic = wire::messages::elect_leaders_request::TopicPartitions::default()
                .with_topic(topic_name("orders"))
                .with_partitions(vec![0, 5]);
            let request = ElectLeadersRequest::default()
                .with_election_type(election_type)
                .with_topic_partitions(Some(vec![topic]));
            super::elect_leaders::handle(&node.broker, &node.context, request).await
        };
        let results = elect(0).await.replica_election_results;
        let codes: Vec<_> = results[0].partition_result.iter().map(|result| result.error_code).collect();
        let expected = [ErrorCode::ElectionNotNeeded, ErrorCode::UnknownTopicOrPartition].map(code);
        assert_eq!(codes, expected);
        assert_eq!(elect(9).await.error_code, code(ErrorCode::InvalidRequest));
        let all = ListPartitionReassignmentsRequest::default().with_topics(None);
        let listed = super::list_partition_reassignments::handle(&node.broker, &node.context, all).await;
        assert_eq!((listed.error_code, listed.error_message, listed.topics.len()), (0, None, 0));
        node.stop();
    });
}

#[test]
fn resources_with_configs_are_listed() {
    run(async {
        let node = TestBroker::start();
        node.create("orders", 1, &[]).await;
        assert_eq!(change(&node, (16, "metrics"), (0, "interval.ms", Some("1000")), false).await, (0, None));
        let list = async |types: &[i8]| {
            let request = ListConfigResourcesRequest::default().with_resource_types(types.to_vec());
            super::list_config_resources::handle(&node.broker, &node.context, request).await
        };
        let resources = list(&[]).await.config_resources;
        let all: Vec<_> = resources.iter().map(|r| (r.resource_type, r.resource_name.to_string())).collect();
        let expected = [(16, "metrics"), (8, "1"), (4, "1"), (2, "orders")];
        assert_eq!(all, expected.map(|(kind, name)| (kind, name.to_owned())));
        assert_eq!(list(&[2]).await.config_resources.len(), 1);
        assert_eq!(list(&[3]).await.error_code, code(ErrorCode::UnsupportedVersion));
        node.stop();
    });
}
