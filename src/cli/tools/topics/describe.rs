//! `kafka-topics --describe`.

use std::collections::{BTreeMap, BTreeSet};

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

use super::{Failure, chosen, ensure_found};
use crate::jvm;
use crate::kafka::{TopicPartition, Trouble, check, text, topic_name};
use crate::options::Options;
use crate::terminal::Terminal;

/// A topic as it is shown.
#[derive(Clone, Debug, Default)]
pub struct Topic {
    pub name: String,
    pub id: Uuid,
    pub partitions: Vec<Partition>,
    /// Settings that are not defaults, in the order they are shown.
    pub configs: Vec<(String, String)>,
    pub min_isr: usize,
}

/// A partition as it is shown.
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

/// Describes what the command line names.
pub async fn run(options: &Options, cluster: &mut Cluster, terminal: &mut Terminal) -> Result<(), Failure> {
    let topics = if let Some(id) = wanted_id(options)? {
        by_id(options, cluster, id).await?
    } else {
        let names = chosen(options, cluster).await?;
        ensure_found(options, &names)?;
        by_name(options, cluster, &names).await?
    };
    let alive: BTreeSet<i32> = cluster.nodes().map(|node| node.id).collect();
    let topics = with_moves(cluster, topics).await?;
    let topics = with_settings(cluster, topics).await?;
    for topic in &topics {
        terminal.text(render(topic, Shown::of(options), &alive));
    }
    Ok(())
}

fn wanted_id(options: &Options) -> Result<Option<Uuid>, Failure> {
    let Some(written) = options.one("topic-id")? else { return Ok(None) };
    let id = model::ids::uuid_from_base64(&written).ok_or_else(|| {
        Failure::Said(format!("Input string with prefix `{written}` is not a base64-encoded UUID"))
    })?;
    Ok(Some(id).filter(|id| !id.is_nil()))
}

/// All topics are listed for it, as the Java tool does: older brokers know no lookup by id.
async fn by_id(options: &Options, cluster: &mut Cluster, id: Uuid) -> Result<Vec<Topic>, Failure> {
    let all = cluster.metadata(None, false).await?;
    let named = all
        .topics
        .iter()
        .find(|topic| topic.topic_id == id && !(options.has("exclude-internal") && topic.is_internal));
    if named.is_none() {
        if options.has("if-exists") {
            return Ok(Vec::new());
        }
        let id = model::ids::uuid_to_base64(id);
        return Err(Failure::Said(format!("TopicId '{id}' does not exist as expected")));
    }
    let response = cluster
        .call(Target::Any, |_version| {
            let topic = MetadataRequestTopic::default().with_topic_id(id).with_name(None);
            MetadataRequest::default().with_topics(Some(vec![topic])).with_allow_auto_topic_creation(false)
        })
        .await?;
    Ok(of_metadata(&response)?)
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

/// In the order of the Java tool's map of names.
async fn by_name(options: &Options, cluster: &mut Cluster, names: &[String]) -> Result<Vec<Topic>, Failure> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let limit = options.number("partition-size-limit-per-response")?.unwrap_or(PARTITIONS_PER_ANSWER);
    let topics = match paged(cluster, names, limit).await {
        Err(Trouble::Client(client::ClusterError::Unsupported(_))) => {
            of_metadata(&cluster.metadata(Some(names), false).await?)?
        }
        other => other?,
    };
    let expected = topics.len();
    Ok(jvm::hash_order_sized(topics, expected, |topic| jvm::hash_code(&topic.name)))
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

/// What the command line wants to see.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown {
    under_replicated: bool,
    unavailable: bool,
    under_min_isr: bool,
    at_min_isr: bool,
    only_with_overrides: bool,
}

impl Shown {
    fn of(options: &Options) -> Self {
        Self {
            under_replicated: options.has("under-replicated-partitions"),
            unavailable: options.has("unavailable-partitions"),
            under_min_isr: options.has("under-min-isr-partitions"),
            at_min_isr: options.has("at-min-isr-partitions"),
            only_with_overrides: options.has("topics-with-overrides"),
        }
    }

    fn is_report(self) -> bool {
        self.under_replicated || self.unavailable || self.under_min_isr || self.at_min_isr
    }

    fn wants(self, partition: &Partition, min_isr: usize, alive: &BTreeSet<i32>) -> bool {
        let isr = partition.isr.len();
        let has_leader = partition.leader >= 0;
        !self.is_report()
            || self.under_replicated && partition.replication_factor() > isr
            || self.unavailable && !alive.contains(&partition.leader)
            || self.under_min_isr && (!has_leader || isr < min_isr)
            || self.at_min_isr && isr == min_isr
    }
}

impl Partition {
    /// Without the replicas that a move in progress adds.
    fn replication_factor(&self) -> usize {
        let moving = self.moving.as_ref().filter(|(adding, removing)| {
            self.replicas.iter().any(|replica| adding.contains(replica) || removing.contains(replica))
        });
        self.replicas.len() - moving.map_or(0, |(adding, _)| adding.len().min(self.replicas.len()))
    }
}

/// One topic's lines.
fn render(topic: &Topic, shown: Shown, alive: &BTreeSet<i32>) -> String {
    let mut out = String::new();
    let mut partitions: Vec<&Partition> = topic.partitions.iter().collect();
    partitions.sort_by_key(|partition| partition.index);
    if !shown.is_report() && (!shown.only_with_overrides || !topic.configs.is_empty()) {
        out.push_str(&format!("Topic: {}", topic.name));
        if !topic.id.is_nil() {
            out.push_str(&format!("\tTopicId: {}", model::ids::uuid_to_base64(topic.id)));
        }
        let configs: Vec<String> =
            topic.configs.iter().map(|(key, value)| format!("{key}={value}")).collect();
        out.push_str(&format!(
            "\tPartitionCount: {}\tReplicationFactor: {}\tConfigs: {}\n",
            partitions.len(),
            partitions.first().map_or(0, |first| first.replication_factor()),
            configs.join(",")
        ));
    }
    if shown.only_with_overrides {
        return out;
    }
    for partition in partitions.into_iter().filter(|one| shown.wants(one, topic.min_isr, alive)) {
        let leader = if partition.leader < 0 { "none".to_owned() } else { partition.leader.to_string() };
        out.push_str(&format!(
            "\tTopic: {}\tPartition: {}\tLeader: {leader}\tReplicas: {}\tIsr: {}",
            topic.name,
            partition.index,
            joined(&partition.replicas),
            joined(&partition.isr)
        ));
        if let Some((adding, removing)) = &partition.moving {
            out.push_str(&format!("\tAdding Replicas: {}", joined(adding)));
            out.push_str(&format!("\tRemoving Replicas: {}", joined(removing)));
        }
        match &partition.elr {
            Some((elr, known)) => {
                out.push_str(&format!("\tElr: {}\tLastKnownElr: {}\n", joined(elr), joined(known)));
            }
            None => out.push_str("\tElr: N/A\tLastKnownElr: N/A\n"),
        }
    }
    out
}

fn ids(brokers: impl AsRef<[BrokerId]>) -> Vec<i32> {
    brokers.as_ref().iter().map(|broker| broker.0).collect()
}

fn joined(ids: &[i32]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

const TOPIC_RESOURCE: i8 = 2;
/// `DEFAULT_CONFIG` among the sources of a setting.
const DEFAULT_SOURCE: i8 = 5;
const PARTITIONS_PER_ANSWER: i32 = 2000;
const MOVES_TIMEOUT_MS: i32 = 30_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn topic() -> Topic {
        let partition = |index, leader, isr: &[i32]| Partition {
            index,
            leader,
            replicas: vec![1, 2],
            isr: isr.to_vec(),
            elr: Some((Vec::new(), Vec::new())),
            moving: None,
        };
        Topic {
            name: "orders".to_owned(),
            id: Uuid::from_u64_pair(1, 2),
            partitions: vec![partition(1, -1, &[]), partition(0, 1, &[1, 2])],
            configs: vec![("cleanup.policy".to_owned(), "compact".to_owned())],
            min_isr: 2,
        }
    }

    #[test]
    fn lines_are_the_java_tools() {
        let shown = render(&topic(), Shown::default(), &BTreeSet::from([1]));
        let expected = "Topic: orders\tTopicId: AAAAAAAAAAEAAAAAAAAAAg\tPartitionCount: 2\tReplicationFactor: 2\tConfigs: cleanup.policy=compact\n\
             \tTopic: orders\tPartition: 0\tLeader: 1\tReplicas: 1,2\tIsr: 1,2\tElr: \tLastKnownElr: \n\
             \tTopic: orders\tPartition: 1\tLeader: none\tReplicas: 1,2\tIsr: \tElr: \tLastKnownElr: \n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn reports_show_their_partitions_only() {
        let alive = BTreeSet::from([1]);
        let of = |shown: Shown| render(&topic(), shown, &alive).lines().count();
        assert_eq!(of(Shown { unavailable: true, ..Shown::default() }), 1);
        assert_eq!(of(Shown { under_replicated: true, ..Shown::default() }), 1);
        assert_eq!(of(Shown { at_min_isr: true, ..Shown::default() }), 1);
        assert_eq!(of(Shown { only_with_overrides: true, ..Shown::default() }), 1);
    }
}
