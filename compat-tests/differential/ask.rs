//! Short forms of the requests that the script sends.

use wire::StrBytes;
use wire::messages::alter_configs_request as legacy;
use wire::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use wire::messages::describe_configs_request::DescribeConfigsResource;
use wire::messages::incremental_alter_configs_request as incremental;
use wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use wire::messages::metadata_request::MetadataRequestTopic;
use wire::messages::{BrokerId, CreateTopicsRequest, ListOffsetsRequest, MetadataRequest, TopicName};

use crate::pair::Pair;

/// A resource type of DescribeConfigs and its like.
pub const TOPIC: i8 = 2;
/// A broker.
pub const BROKER: i8 = 4;
/// The loggers of a broker.
pub const BROKER_LOGGER: i8 = 8;
/// The metrics that a client is to send.
pub const CLIENT_METRICS: i8 = 16;
/// A group.
pub const GROUP: i8 = 32;

/// Timeouts that are over before anything has begun.
pub const NO_TIME: [i32; 3] = [0, -1, i32::MIN];

/// Text as the generated structs hold it.
pub fn text(text: impl Into<String>) -> StrBytes {
    StrBytes::from_string(text.into())
}

/// A topic's name.
pub fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

/// Topics by name, in one Metadata request.
pub fn metadata(names: &[&str]) -> MetadataRequest {
    let topics = names.iter().map(|name| MetadataRequestTopic::default().with_name(Some(topic(name))));
    MetadataRequest::default().with_topics(Some(topics.collect())).with_allow_auto_topic_creation(false)
}

/// Where partitions begin.
pub fn first_offsets(name: &str, partitions: &[i32]) -> ListOffsetsRequest {
    const EARLIEST: i64 = -2;
    let partitions = partitions
        .iter()
        .map(|index| ListOffsetsPartition::default().with_partition_index(*index).with_timestamp(EARLIEST));
    let asked = ListOffsetsTopic::default().with_name(topic(name)).with_partitions(partitions.collect());
    ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![asked])
}

/// A topic to create.
pub fn new_topic(
    name: &str,
    partitions: i32,
    replication_factor: i16,
    configs: &[(&str, &str)],
) -> CreatableTopic {
    let configs = configs.iter().map(|(key, value)| {
        CreatableTopicConfig::default().with_name(text(*key)).with_value(Some(text(*value)))
    });
    CreatableTopic::default()
        .with_name(topic(name))
        .with_num_partitions(partitions)
        .with_replication_factor(replication_factor)
        .with_configs(configs.collect())
}

/// A topic to create with replicas of the client's choice.
pub fn assigned_topic(name: &str, partitions: i32, assignments: &[(i32, &[i32])]) -> CreatableTopic {
    let assignments = assignments.iter().map(|(partition, brokers)| {
        CreatableReplicaAssignment::default()
            .with_partition_index(*partition)
            .with_broker_ids(brokers.iter().map(|id| BrokerId(*id)).collect())
    });
    new_topic(name, partitions, -1, &[]).with_assignments(assignments.collect())
}

/// Creates topics.
pub fn create(topics: Vec<CreatableTopic>) -> CreateTopicsRequest {
    CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(5_000)
}

/// Creates a topic on both, and waits until both lead it.
pub async fn prepare(pair: &mut Pair, name: &str, partitions: i32, configs: &[(&str, &str)]) {
    pair.newest(&format!("prepare {name}"), |_, _| create(vec![new_topic(name, partitions, 1, configs)]))
        .await;
    pair.leads(name).await;
    pair.newest(&format!("prepared {name}"), |_, _| metadata(&[name])).await;
}

/// A resource to describe; all keys where there are none.
pub fn resource(kind: i8, name: &str, keys: Option<&[&str]>) -> DescribeConfigsResource {
    let keys = keys.map(|keys| keys.iter().map(|key| text(*key)).collect());
    DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(keys)
}

/// Changes of one resource: key, operation, value.
pub fn change(
    kind: i8,
    name: &str,
    changes: &[(&str, i8, Option<&str>)],
) -> incremental::AlterConfigsResource {
    let configs = changes.iter().map(|(key, operation, value)| {
        incremental::AlterableConfig::default()
            .with_name(text(*key))
            .with_config_operation(*operation)
            .with_value(value.map(text))
    });
    incremental::AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(configs.collect())
}

/// All configs of one resource, for the API that replaces them.
pub fn replace(kind: i8, name: &str, configs: &[(&str, Option<&str>)]) -> legacy::AlterConfigsResource {
    let configs = configs.iter().map(|(key, value)| {
        legacy::AlterableConfig::default().with_name(text(*key)).with_value(value.map(text))
    });
    legacy::AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(configs.collect())
}
