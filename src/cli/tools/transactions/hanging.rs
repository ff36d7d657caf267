//! Transactions that nobody will end: open in a partition for longer than any may last, and unknown to a coordinator.

use std::collections::{BTreeMap, BTreeSet};

use client::{Cluster, Target};
use model::ErrorCode;
use wire::messages::describe_producers_request::{DescribeProducersRequest, TopicRequest};
use wire::messages::describe_producers_response::ProducerState;

use crate::argparse::Parsed;
use crate::kafka::{self, TopicPartition, Trouble, check, topic_name};
use crate::table::{row, tabbed};
use crate::terminal::{Stop, Terminal};

use super::{described, failure, listed, partitions_of};

/// Where hanging transactions are looked for.
#[derive(Clone, Debug)]
pub(super) struct Search {
    broker: Option<i32>,
    topic: Option<String>,
    partition: Option<i32>,
    duration_max_ms: i64,
}

impl Search {
    pub(super) fn of(parsed: &Parsed) -> Result<Self, Stop> {
        let (broker, topic) = (parsed.number::<i32>("broker-id")?, parsed.value("topic"));
        if topic.is_none() && broker.is_none() {
            return Err(Stop::Error(
                "The `find-hanging` command requires either --topic or --broker-id to limit the scope of the search"
                    .to_owned(),
            ));
        }
        let partition = parsed.number::<i32>("partition")?;
        if partition.is_some() && topic.is_none() {
            return Err(Stop::Error("The --partition argument requires --topic to be provided".to_owned()));
        }
        let minutes = parsed.number::<i32>("max-transaction-timeout")?.unwrap_or(DEFAULT_MINUTES);
        Ok(Self { broker, topic, partition, duration_max_ms: i64::from(minutes) * MINUTE_MS })
    }
}

/// A producer with an open transaction in one partition.
type Open = (TopicPartition, ProducerState);

pub(super) async fn find(
    cluster: &mut Cluster,
    search: &Search,
    terminal: &mut Terminal,
) -> Result<(), Stop> {
    let now = terminal.clock.wall_ms();
    let partitions = partitions(cluster, search).await?;
    let count = partitions.len();
    let candidates = candidates(cluster, search, partitions, now).await.map_err(|trouble| {
        let broker = search.broker.map_or("Optional.empty".to_owned(), |id| format!("Optional[{id}]"));
        let what = format!("Failed to describe producers for {count} partitions on broker {broker}");
        failure(&what, &trouble.to_string())
    })?;
    let hanging = if candidates.is_empty() { Vec::new() } else { hanging(cluster, candidates).await? };
    let mut rows = vec![row(&[
        "Topic",
        "Partition",
        "ProducerId",
        "ProducerEpoch",
        "CoordinatorEpoch",
        "StartOffset",
        "LastTimestamp",
        "Duration(min)",
    ])];
    rows.extend(hanging.iter().map(|((topic, partition), one)| {
        vec![
            topic.clone(),
            partition.to_string(),
            one.producer_id.0.to_string(),
            one.producer_epoch.to_string(),
            one.coordinator_epoch.max(-1).to_string(),
            one.current_txn_start_offset.max(-1).to_string(),
            one.last_timestamp.to_string(),
            ((now - one.last_timestamp) / MINUTE_MS).to_string(),
        ]
    }));
    terminal.text(tabbed(&rows));
    Ok(())
}

async fn partitions(cluster: &mut Cluster, search: &Search) -> Result<Vec<TopicPartition>, Stop> {
    if let (Some(topic), Some(partition)) = (&search.topic, search.partition) {
        return Ok(vec![(topic.clone(), partition)]);
    }
    let topics = if let Some(topic) = &search.topic {
        vec![topic.clone()]
    } else {
        let names = kafka::topic_names(cluster).await;
        let names = names.map_err(|trouble| failure("Failed to list topics", &trouble.to_string()))?;
        names.into_iter().map(|(name, _)| name).collect()
    };
    let described = kafka::describe(cluster, &topics).await.map_err(|trouble| {
        failure(&format!("Failed to describe {} topics", topics.len()), &trouble.to_string())
    })?;
    let mut found = Vec::new();
    for topic in described {
        let name = topic.name.map(|name| name.0.to_string()).unwrap_or_default();
        let hosted = topic.partitions.iter().filter(|partition| {
            search.broker.is_none_or(|broker| partition.replica_nodes.iter().any(|node| node.0 == broker))
        });
        found.extend(hosted.map(|partition| (name.clone(), partition.partition_index)));
    }
    Ok(found)
}

/// Transactions that have been open for too long, asked for in as few requests as there are brokers.
async fn candidates(
    cluster: &mut Cluster,
    search: &Search,
    partitions: Vec<TopicPartition>,
    now: i64,
) -> Result<Vec<Open>, Trouble> {
    let topics: BTreeSet<String> = partitions.iter().map(|(topic, _)| topic.clone()).collect();
    let leaders = match search.broker {
        Some(_) => BTreeMap::new(),
        None => kafka::leaders(cluster, &topics.into_iter().collect::<Vec<_>>()).await?,
    };
    let mut by_node: BTreeMap<i32, BTreeMap<String, Vec<i32>>> = BTreeMap::new();
    for (topic, partition) in partitions {
        let key = (topic, partition);
        let node = search.broker.or_else(|| leaders.get(&key).copied().filter(|leader| *leader >= 0));
        let node = node.ok_or_else(|| kafka::refused(ErrorCode::UnknownTopicOrPartition.code(), None))?;
        by_node.entry(node).or_default().entry(key.0).or_default().push(key.1);
    }
    let mut open = Vec::new();
    for (node, topics) in by_node {
        let topics: Vec<TopicRequest> = topics
            .into_iter()
            .map(|(name, indexes)| {
                TopicRequest::default().with_name(topic_name(name)).with_partition_indexes(indexes)
            })
            .collect();
        let answer = cluster
            .call(Target::Node(node), |_version| {
                DescribeProducersRequest::default().with_topics(topics.clone())
            })
            .await?;
        for topic in answer.topics {
            for partition in topic.partitions {
                check(partition.error_code, partition.error_message.as_deref())?;
                let key = (topic.name.0.to_string(), partition.partition_index);
                let old = partition.active_producers.into_iter().filter(|one| {
                    one.current_txn_start_offset >= 0 && now - one.last_timestamp > search.duration_max_ms
                });
                open.extend(old.map(|one| (key.clone(), one)));
            }
        }
    }
    Ok(open)
}

/// Those of the candidates that no coordinator is going to end.
async fn hanging(cluster: &mut Cluster, candidates: Vec<Open>) -> Result<Vec<Open>, Stop> {
    let ids: BTreeSet<i64> = candidates.iter().map(|(_, one)| one.producer_id.0).collect();
    let ids: Vec<i64> = ids.into_iter().collect();
    let known = listed(cluster, None, None, &ids).await.map_err(|trouble| {
        failure(&format!("Failed to list transactions for {} producers", ids.len()), &trouble.to_string())
    })?;
    let names: BTreeMap<i64, String> =
        known.into_iter().map(|(_, one)| (one.producer_id.0, one.transactional_id.0.to_string())).collect();
    let mut awaited: BTreeMap<i64, Vec<TopicPartition>> = BTreeMap::new();
    for (producer, name) in &names {
        match described(cluster, name).await {
            Ok((_, found)) => {
                awaited.insert(*producer, partitions_of(&found));
            }
            Err(trouble) if trouble.code() == Some(ErrorCode::TransactionalIdNotFound) => {}
            Err(trouble) => {
                let what = format!("Failed to describe {} transactions", names.len());
                return Err(failure(&what, &trouble.to_string()));
            }
        }
    }
    let is_awaited =
        |(at, one): &Open| awaited.get(&one.producer_id.0).is_some_and(|partitions| partitions.contains(at));
    Ok(candidates.into_iter().filter(|open| !is_awaited(open)).collect())
}

const DEFAULT_MINUTES: i32 = 15;
const MINUTE_MS: i64 = 60_000;
