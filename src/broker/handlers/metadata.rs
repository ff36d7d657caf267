//! Metadata: which topics there are, who leads them, and where the brokers are
//! (`KafkaApis.handleTopicMetadataRequest`).

use std::collections::HashSet;
use std::sync::Arc;

use controller::Image;
use controller::image::{Partition, Topic};
use model::topic_name::is_internal;
use model::{BrokerId, ErrorCode, TopicId};
use uuid::Uuid;
use wire::messages::metadata_request::MetadataRequestTopic;
use wire::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use wire::messages::{MetadataRequest, MetadataResponse};

use super::answer::{absent_topic_error, node, nodes, offline_replicas, operations, text, topic_name};
use super::auto_create;
use crate::context::{Broker, RequestContext};

/// Answers a Metadata request; topics that it names for the first time are created on the way, where allowed.
pub async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: MetadataRequest,
) -> MetadataResponse {
    let image = broker.metadata.image();
    let mut topics = match &request.topics {
        None => image.topics().iter().map(|topic| known(&image, topic)).collect(),
        Some(asked) if asked.iter().any(|topic| !topic.topic_id.is_nil()) => {
            by_id(&image, asked.iter().map(|topic| topic.topic_id))
        }
        Some(asked) if asked.iter().any(|topic| topic.name.is_none()) => return refusal(asked),
        Some(asked) => {
            let names = asked.iter().map(|topic| topic.name.as_ref().map_or("", |name| name));
            by_name(broker, &image, names, request.allow_auto_topic_creation).await
        }
    };
    if request.include_topic_authorized_operations {
        for topic in &mut topics {
            topic.topic_authorized_operations = operations::TOPIC;
        }
    }
    let cluster_operations =
        if request.include_cluster_authorized_operations { operations::CLUSTER } else { operations::OMITTED };
    MetadataResponse::default()
        .with_brokers(brokers(broker, &image, context))
        .with_cluster_id(Some(text(&*broker.cluster_id)))
        .with_controller_id(node(alive_broker(broker, &image)))
        .with_topics(topics)
        .with_cluster_authorized_operations(cluster_operations)
}

/// A request with a topic that has neither name nor id.
fn refusal(asked: &[MetadataRequestTopic]) -> MetadataResponse {
    let error = ErrorCode::InvalidRequest.code();
    let topics = asked.iter().map(|topic| {
        let name = topic.name.clone().unwrap_or_default();
        MetadataResponseTopic::default()
            .with_error_code(error)
            .with_name(Some(name))
            .with_topic_id(topic.topic_id)
    });
    MetadataResponse::default().with_error_code(error).with_topics(topics.collect())
}

/// What is said of one partition, apart from how each response spells it.
pub(super) struct PartitionView {
    pub error: ErrorCode,
    pub leader: BrokerId,
}

/// The leader that clients are shown: only one that can be reached on this listener. On a single node every
/// listener leads to the same broker, so the leader's registration decides alone.
pub(super) fn partition_view(image: &Image, partition: &Partition) -> PartitionView {
    match image.broker(partition.leader) {
        Some(leader) if !leader.fenced => PartitionView { error: ErrorCode::None, leader: leader.id },
        Some(_) | None => PartitionView { error: ErrorCode::LeaderNotAvailable, leader: BrokerId::NONE },
    }
}

/// A live broker's id, which Kafka gives as "the controller" so that old clients send their requests to a broker.
pub(super) fn alive_broker(broker: &Broker, image: &Image) -> BrokerId {
    let is_alive = |id: BrokerId| image.broker(id).is_some_and(|broker| !broker.fenced);
    if is_alive(broker.node_id) { broker.node_id } else { BrokerId::NONE }
}

fn by_id(image: &Image, ids: impl Iterator<Item = Uuid>) -> Vec<MetadataResponseTopic> {
    let mut seen = HashSet::new();
    let (mut unknown, mut found) = (Vec::new(), Vec::new());
    for id in ids.filter(|id| !id.is_nil() && seen.insert(*id)) {
        match image.topic_by_id(TopicId::new(id)) {
            Some(topic) => found.push(known(image, topic)),
            None => unknown.push(
                MetadataResponseTopic::default()
                    .with_error_code(ErrorCode::UnknownTopicId.code())
                    .with_name(None)
                    .with_topic_id(id),
            ),
        }
    }
    unknown.append(&mut found);
    unknown
}

async fn by_name(
    broker: &Arc<Broker>,
    image: &Image,
    names: impl Iterator<Item = &str>,
    may_create: bool,
) -> Vec<MetadataResponseTopic> {
    let mut seen = HashSet::new();
    let (mut found, mut absent) = (Vec::new(), Vec::new());
    for name in names.filter(|name| seen.insert(*name)) {
        match image.topic(name) {
            Some(topic) => found.push(known(image, topic)),
            None => absent.push(name),
        }
    }
    let creatable = |name: &&str| absent_topic_error(name) == ErrorCode::UnknownTopicOrPartition;
    if may_create && broker.metadata.config().topics.auto_create && absent.iter().any(creatable) {
        // The answer below still says that the topic is unknown, as Kafka's first answer does: clients ask again.
        auto_create::create(broker, absent.iter().copied().filter(creatable)).await;
    }
    found.extend(absent.into_iter().map(|name| {
        MetadataResponseTopic::default()
            .with_error_code(absent_topic_error(name).code())
            .with_name(Some(topic_name(name)))
            .with_is_internal(is_internal(name))
    }));
    found
}

fn known(image: &Image, topic: &Topic) -> MetadataResponseTopic {
    let partitions = topic.partitions.iter().map(|(index, state)| partition(image, *index, state)).collect();
    MetadataResponseTopic::default()
        .with_name(Some(topic_name(&*topic.name)))
        .with_topic_id(topic.id.uuid())
        .with_is_internal(is_internal(&topic.name))
        .with_partitions(partitions)
}

fn partition(image: &Image, index: i32, state: &Partition) -> MetadataResponsePartition {
    let view = partition_view(image, state);
    MetadataResponsePartition::default()
        .with_error_code(view.error.code())
        .with_partition_index(index)
        .with_leader_id(node(view.leader))
        .with_leader_epoch(state.leader_epoch.value())
        .with_replica_nodes(nodes(&state.replicas))
        .with_isr_nodes(nodes(&state.isr))
        .with_offline_replicas(offline_replicas(image, state))
}

fn brokers(broker: &Broker, image: &Image, context: &RequestContext) -> Vec<MetadataResponseBroker> {
    let (host, port) = broker.endpoints.node_for(&context.connection);
    image
        .broker(broker.node_id)
        .filter(|registered| !registered.fenced)
        .map(|registered| {
            MetadataResponseBroker::default()
                .with_node_id(node(registered.id))
                .with_host(text(host))
                .with_port(i32::from(port))
                .with_rack(registered.rack.clone().map(text))
        })
        .into_iter()
        .collect()
}
