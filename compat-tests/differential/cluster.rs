//! DescribeCluster, DescribeTopicPartitions, DescribeQuorum.

use wire::messages::describe_quorum_request::{PartitionData, TopicData};
use wire::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use wire::messages::{DescribeClusterRequest, DescribeQuorumRequest, DescribeTopicPartitionsRequest};

use crate::ask::{prepare, topic};
use crate::pair::Pair;

/// The steps.
pub async fn script(pair: &mut Pair) {
    describe_cluster(pair).await;
    topic_partitions(pair).await;
    quorum(pair).await;
}

async fn describe_cluster(pair: &mut Pair) {
    pair.all("plain", |_, _| DescribeClusterRequest::default()).await;
    pair.all("authorized operations", |_, _| {
        DescribeClusterRequest::default().with_include_cluster_authorized_operations(true)
    })
    .await;
    for endpoint_type in [0, 2, 3, -1] {
        pair.all(&format!("endpoint type {endpoint_type}"), |_, _| {
            DescribeClusterRequest::default().with_endpoint_type(endpoint_type)
        })
        .await;
    }
    pair.all("fenced brokers", |_, _| DescribeClusterRequest::default().with_include_fenced_brokers(true))
        .await;
}

async fn topic_partitions(pair: &mut Pair) {
    for (name, partitions) in [("dtp-a", 2), ("dtp-b", 3)] {
        prepare(pair, name, partitions, &[]).await;
    }
    let two = ["dtp-b", "dtp-a"];
    pair.all("by name", |_, _| describe(&two, 2000, None)).await;
    for name in ["missing", "a b", ""] {
        pair.all(&format!("with {name:?}"), |_, _| describe(&["dtp-a", name], 2000, None)).await;
    }
    pair.all("twice", |_, _| describe(&["dtp-a", "dtp-a"], 2000, None)).await;
    for limit in [0, -1, 1, 2, 3, 4, 5, 6, i32::MAX] {
        pair.all(&format!("limit {limit}"), |_, _| describe(&two, limit, None)).await;
    }
    for (name, partition) in [
        ("dtp-a", 0),
        ("dtp-a", 1),
        ("dtp-a", 2),
        ("dtp-a", -1),
        ("dtp-b", 1),
        ("dtp-aa", 0),
        ("zzz", 0),
        ("", 0),
        ("missing", 1),
    ] {
        pair.all(&format!("from {name} {partition}"), |_, _| describe(&two, 2, Some((name, partition))))
            .await;
    }
    pair.all("cursor at an unknown topic", |_, _| describe(&["dtp-a", "missing"], 10, Some(("missing", 0))))
        .await;
    pair.all("all, few at a time", |_, _| describe(&[], 2, Some(("dtp-a", 1)))).await;
}

fn describe(names: &[&str], limit: i32, cursor: Option<(&str, i32)>) -> DescribeTopicPartitionsRequest {
    let topics = names.iter().map(|name| TopicRequest::default().with_name(topic(name)));
    let cursor = cursor.map(|(name, partition)| {
        Cursor::default().with_topic_name(topic(name)).with_partition_index(partition)
    });
    DescribeTopicPartitionsRequest::default()
        .with_topics(topics.collect())
        .with_response_partition_limit(limit)
        .with_cursor(cursor)
}

async fn quorum(pair: &mut Pair) {
    let ask = |name: &str, partitions: &[i32]| {
        let partitions = partitions.iter().map(|index| PartitionData::default().with_partition_index(*index));
        let data = TopicData::default().with_topic_name(topic(name)).with_partitions(partitions.collect());
        DescribeQuorumRequest::default().with_topics(vec![data])
    };
    pair.all("quorum", |_, _| ask("__cluster_metadata", &[0])).await;
    pair.all("quorum of partition 1", |_, _| ask("__cluster_metadata", &[1])).await;
    pair.all("quorum of partitions 0 and 1", |_, _| ask("__cluster_metadata", &[0, 1])).await;
    pair.all("quorum of no partition", |_, _| ask("__cluster_metadata", &[])).await;
    pair.all("quorum of another topic", |_, _| ask("dtp-a", &[0])).await;
    pair.all("quorum of nothing", |_, _| DescribeQuorumRequest::default()).await;
}
