//! Topics as their brokers describe them: partitions, moves in progress and settings.

use std::collections::BTreeMap;

use client::{Cluster, Target};
use model::ErrorCode;
use uuid::Uuid;
use wire::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use wire::messages::describe_topic_partitions_request::{
    Cursor, DescribeTopicPartitionsRequest, TopicRequest,
};
use wire::messages::list_partition_reassignments_request::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsTopics,
};
use wire::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use wire::messages::{BrokerId, MetadataResponse};

use crate::jvm;
use crate::kafka::{TopicPartition, Trouble, check, text, topic_name};

/// A topic as it is described.
#[derive(Clone, Debug, Default)]
pub struct Topic {
    pub name: String,
    pub id: Uuid,
    pub partitions: Vec<Partition>,
    /// Settings that are not defaults, in the order they are shown.
    pub configs: Vec<(String, String)>,
    pub min_isr: usize,
}

/// A partition as it is described.
#[derive(Clone, Debug, Default)]
pub struct Partition {
    pub index: i32,
    pub leader: i32,
    pub replicas: Vec<i32>,
    pub isr: Vec<i32>,
    /// Eligible leader replicas and those of them last known, where the broker tells them (KIP-966).
    pub elr: Option<(Vec<i32>, Vec<i32>)>,
    /// Replicas that are being added and removed.
    pub moving: Option<(Vec<i32>, Vec<i32>)>,
}

/// These topics, in the order of the Java tool's map of names; `limit` is the most partitions in one answer.
///
/// # Errors
/// See [`Trouble`].
pub async fn by_name(
    cluster: &mut Cluster,
    names: &[String],
    limit: Option<i32>,
) -> Result<Vec<Topic>, Trouble> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let topics = match paged(cluster, names, limit.unwrap_or(PARTITIONS_PER_ANSWER)).await {
        Err(Trouble::Client(client::ClusterError::Unsupported(_))) => {
            of_metadata(&cluster.metadata(Some(names), false).await?)?
        }
        other => other?,
    };
    let expected = topics.len();
    let topics = jvm::hash_order_sized(topics, expected, |topic| jvm::hash_code(&topic.name));
    finished(cluster, topics).await
}

/// The topic with this id.
///
/// # Errors
/// See [`Trouble`].
pub async fn by_id(cluster: &mut Cluster, id: Uuid) -> Result<Vec<Topic>, Trouble> {
    let response = cluster
        .call(Target::Any, |_version| {
            let topic = MetadataRequestTopic::default().with_topic_id(id).with_name(None);
            MetadataRequest::default().with_topics(Some(vec![topic])).with_allow_auto_topic_creation(false)
        })
        .await?;
    finished(cluster, of_metadata(&response)?).await
}

/// Adds what other calls tell.
async fn finished(cluster: &mut Cluster, topics: Vec<Topic>) -> Result<Vec<Topic>, Trouble> {
    let topics = with_moves(cluster, topics).await?;
    with_settings(cluster, topics).await
}

fn of_metadata(response: &MetadataResponse) -> Result<Vec<Topic>, Trouble> {
    let mut topics = Vec::new();
    for topic in &response.topics {
        check(topic.error_code, None)?;
        let partitions = topic.partitions.iter().map(|partition| Partition {
            index: partition.partition_index,
            leader: partition.leader_id.0,
            replicas: ids(&partition.replica_nodes),
            isr: ids(&partition.isr_nodes),
            ..Partition::default()
        });
        topics.push(Topic {
            name: topic.name.as_ref().map(|name| name.0.to_string()).unwrap_or_default(),
            id: topic.topic_id,
            partitions: partitions.collect(),
            ..Topic::default()
        });
    }
    Ok(topics)
}

async fn paged(cluster: &mut Cluster, names: &[String], limit: i32) -> Result<Vec<Topic>, Trouble> {
    let mut topics: BTreeMap<String, Topic> = BTreeMap::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let from = cursor.as_ref().map(|cursor| cursor.topic_name.0.to_string()).unwrap_or_default();
        let asked = names.iter().filter(|name| **name >= from);
        let asked: Vec<TopicRequest> =
            asked.map(|name| TopicRequest::default().with_name(topic_name(name.as_str()))).collect();
        let response = cluster
            .call(Target::Any, |_version| {
                DescribeTopicPartitionsRequest::default()
                    .with_topics(asked.clone())
                    .with_response_partition_limit(limit)
                    .with_cursor(cursor.clone())
            })
            .await?;
        for topic in &response.topics {
            check(topic.error_code, None)?;
            let name = topic.name.as_ref().map(|name| name.0.to_string()).unwrap_or_default();
            let known = topics.entry(name.clone()).or_default();
            (known.name, known.id) = (name, topic.topic_id);
            known.partitions.extend(topic.partitions.iter().map(|partition| Partition {
                index: partition.partition_index,
                leader: partition.leader_id.0,
                replicas: ids(&partition.replica_nodes),
                isr: ids(&partition.isr_nodes),
                elr: Some((
                    partition.eligible_leader_replicas.as_deref().map(ids).unwrap_or_default(),
                    partition.last_known_elr.as_deref().map(ids).unwrap_or_default(),
                )),
                moving: None,
            }));
        }
        let Some(next) = response.next_cursor else { break };
        cursor = Some(
            Cursor::default().with_topic_name(next.topic_name).with_partition_index(next.partition_index),
        );
    }
    Ok(topics.into_values().collect())
}

/// Adds what is being moved; a cluster that does not tell has nothing to add.
async fn with_moves(cluster: &mut Cluster, mut topics: Vec<Topic>) -> Result<Vec<Topic>, Trouble> {
    if topics.is_empty() {
        return Ok(topics);
    }
    let asked: Vec<ListPartitionReassignmentsTopics> = topics
        .iter()
        .map(|topic| {
            ListPartitionReassignmentsTopics::default()
                .with_name(topic_name(topic.name.as_str()))
                .with_partition_indexes(topic.partitions.iter().map(|partition| partition.index).collect())
        })
        .collect();
    let asked = cluster
        .call(Target::Controller, |_version| {
            ListPartitionReassignmentsRequest::default()
                .with_topics(Some(asked.clone()))
                .with_timeout_ms(MOVES_TIMEOUT_MS)
        })
        .await;
    let response = match asked {
        Ok(response) => response,
        Err(client::ClusterError::Unsupported(_)) => return Ok(topics),
        Err(error) => return Err(error.into()),
    };
    match check(response.error_code, response.error_message.as_deref()) {
        Err(trouble) if trouble.code() == Some(ErrorCode::ClusterAuthorizationFailed) => return Ok(topics),
        other => other?,
    }
    let mut moves: BTreeMap<TopicPartition, (Vec<i32>, Vec<i32>)> = BTreeMap::new();
    for topic in &response.topics {
        for partition in &topic.partitions {
            let moving = (ids(&partition.adding_replicas), ids(&partition.removing_replicas));
            moves.insert((topic.name.0.to_string(), partition.partition_index), moving);
        }
    }
    for topic in &mut topics {
        for partition in &mut topic.partitions {
            partition.moving = moves.remove(&(topic.name.clone(), partition.index));
        }
    }
    Ok(topics)
}

async fn with_settings(cluster: &mut Cluster, mut topics: Vec<Topic>) -> Result<Vec<Topic>, Trouble> {
    if topics.is_empty() {
        return Ok(topics);
    }
    let resources: Vec<DescribeConfigsResource> = topics
        .iter()
        .map(|topic| {
            DescribeConfigsResource::default()
                .with_resource_type(TOPIC_RESOURCE)
                .with_resource_name(text(topic.name.as_str()))
                .with_configuration_keys(None)
        })
        .collect();
    let response = cluster
        .call(Target::Any, |_version| DescribeConfigsRequest::default().with_resources(resources.clone()))
        .await?;
    for result in &response.results {
        check(result.error_code, result.error_message.as_deref())?;
        let Some(topic) = topics.iter_mut().find(|topic| *topic.name == *result.resource_name) else {
            continue;
        };
        let entries = result.configs.iter().map(|entry| {
            let value = entry.value.as_ref().map_or("null".to_owned(), ToString::to_string);
            (entry.name.to_string(), value, entry.config_source == DEFAULT_SOURCE)
        });
        let entries = jvm::hash_order(entries.collect(), |(name, ..)| jvm::hash_code(name));
        let min_isr = entries.iter().find(|(name, ..)| name == "min.insync.replicas");
        topic.min_isr = min_isr.and_then(|(_, value, _)| value.parse().ok()).unwrap_or(1);
        let own = entries.into_iter().filter(|(.., is_default)| !is_default);
        topic.configs = own.map(|(name, value, _)| (name, value)).collect();
    }
    Ok(topics)
}

impl Partition {
    /// Without the replicas that a move in progress adds.
    pub fn replication_factor(&self) -> usize {
        let moving = self.moving.as_ref().filter(|(adding, removing)| {
            self.replicas.iter().any(|replica| adding.contains(replica) || removing.contains(replica))
        });
        self.replicas.len() - moving.map_or(0, |(adding, _)| adding.len().min(self.replicas.len()))
    }
}

fn ids(brokers: impl AsRef<[BrokerId]>) -> Vec<i32> {
    brokers.as_ref().iter().map(|broker| broker.0).collect()
}

const TOPIC_RESOURCE: i8 = 2;
/// `DEFAULT_CONFIG` among the sources of a setting.
const DEFAULT_SOURCE: i8 = 5;
const PARTITIONS_PER_ANSWER: i32 = 2000;
const MOVES_TIMEOUT_MS: i32 = 30_000;
