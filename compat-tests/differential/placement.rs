//! ElectLeaders, AlterPartitionReassignments, ListPartitionReassignments.

use wire::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use wire::messages::elect_leaders_request::TopicPartitions;
use wire::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use wire::messages::{
    AlterPartitionReassignmentsRequest, BrokerId, ElectLeadersRequest, ListPartitionReassignmentsRequest,
};

use crate::ask::{NO_TIME, metadata, prepare, topic};
use crate::pair::Pair;

/// The steps.
pub async fn script(pair: &mut Pair) {
    prepare(pair, "placed", 2, &[]).await;
    elect(pair).await;
    reassign(pair).await;
    list(pair).await;
}

async fn elect(pair: &mut Pair) {
    let ask = |election_type: i8, partitions: Option<(&str, &[i32])>| {
        let partitions = partitions.map(|(name, ids)| {
            vec![TopicPartitions::default().with_topic(topic(name)).with_partitions(ids.to_vec())]
        });
        let request = ElectLeadersRequest::default().with_topic_partitions(partitions).with_timeout_ms(5_000);
        request.with_election_type(election_type)
    };
    for timeout_ms in NO_TIME {
        pair.all(&format!("elect all with timeout {timeout_ms}"), |_, _| {
            ask(0, None).with_timeout_ms(timeout_ms)
        })
        .await;
        pair.all(&format!("elect with timeout {timeout_ms}"), |_, _| {
            ask(0, Some(("placed", &[0, 9]))).with_timeout_ms(timeout_ms)
        })
        .await;
        pair.all(&format!("elect none with timeout {timeout_ms}"), |_, _| {
            ask(0, Some(("placed", &[]))).with_timeout_ms(timeout_ms)
        })
        .await;
    }
    for kind in [0, 1, 2, -1] {
        pair.all(&format!("elect none by {kind}"), |_, _| {
            ask(kind, None).with_topic_partitions(Some(Vec::new()))
        })
        .await;
        pair.all(&format!("elect all by {kind}"), |_, _| ask(kind, None)).await;
        let cases: [(&str, &[i32]); 6] = [
            ("placed", &[0, 1]),
            ("placed", &[0, 0]),
            ("placed", &[9]),
            ("placed", &[-1]),
            ("missing", &[0]),
            ("placed", &[]),
        ];
        for (name, ids) in cases {
            pair.all(&format!("elect {name} {ids:?} by {kind}"), |_, _| ask(kind, Some((name, ids)))).await;
        }
    }
}

async fn reassign(pair: &mut Pair) {
    let ask = |name: &str, partition: i32, replicas: Option<&[i32]>| {
        let replicas = replicas.map(|ids| ids.iter().map(|id| BrokerId(*id)).collect());
        let partition =
            ReassignablePartition::default().with_partition_index(partition).with_replicas(replicas);
        let topic = ReassignableTopic::default().with_name(topic(name)).with_partitions(vec![partition]);
        AlterPartitionReassignmentsRequest::default().with_topics(vec![topic]).with_timeout_ms(5_000)
    };
    let cases: [(&str, i32, Option<&[i32]>); 11] = [
        ("placed", 0, Some(&[1])),
        ("placed", 0, Some(&[2])),
        ("placed", 0, Some(&[1, 2])),
        ("placed", 0, Some(&[1, 1])),
        ("placed", 0, Some(&[])),
        ("placed", 0, Some(&[-1])),
        ("placed", 0, None),
        ("placed", 9, Some(&[1])),
        ("placed", -1, None),
        ("missing", 0, Some(&[1])),
        ("missing", 0, None),
    ];
    for (name, partition, replicas) in cases {
        let step = format!("reassign {name} {partition} to {replicas:?}");
        pair.all(&step, |_, _| ask(name, partition, replicas)).await;
        pair.all(&format!("{step}, same factor"), |_, v| {
            ask(name, partition, replicas).with_allow_replication_factor_change(v < 1)
        })
        .await;
    }
    for timeout_ms in NO_TIME {
        pair.all(&format!("reassign with timeout {timeout_ms}"), |_, _| {
            ask("placed", 0, Some(&[1])).with_timeout_ms(timeout_ms)
        })
        .await;
    }
    pair.all("reassign nothing", |_, _| AlterPartitionReassignmentsRequest::default().with_timeout_ms(5_000))
        .await;
    pair.settle().await;
    pair.newest("state after reassignments", |_, _| metadata(&["placed"])).await;
}

async fn list(pair: &mut Pair) {
    let ask = |name: &str, ids: &[i32]| {
        let topics = ListPartitionReassignmentsTopics::default().with_name(topic(name));
        let topics = Some(vec![topics.with_partition_indexes(ids.to_vec())]);
        ListPartitionReassignmentsRequest::default().with_topics(topics).with_timeout_ms(5_000)
    };
    pair.all("list all", |_, _| ListPartitionReassignmentsRequest::default().with_topics(None)).await;
    pair.all("list none", |_, _| ListPartitionReassignmentsRequest::default().with_topics(Some(Vec::new())))
        .await;
    let cases: [(&str, &[i32]); 4] =
        [("placed", &[0, 1]), ("placed", &[9]), ("missing", &[0]), ("placed", &[])];
    for (name, ids) in cases {
        pair.all(&format!("list {name} {ids:?}"), |_, _| ask(name, ids)).await;
    }
}
