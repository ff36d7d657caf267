//! ListOffsets, OffsetForLeaderEpoch, DeleteRecords.

use wire::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use wire::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use wire::messages::{BrokerId, DeleteRecordsRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest};

use crate::ask::{prepare, topic};
use crate::fetch::fill;
use crate::pair::Pair;
use crate::produce::read;

/// The steps.
pub async fn script(pair: &mut Pair) {
    prepare(pair, "listed", 2, &[]).await;
    fill(pair, "listed").await;
    list(pair, "").await;
    epochs(pair).await;
    delete(pair).await;
    list(pair, " after deletion").await;
}

fn ask(name: &str, partition: i32, timestamp: i64, epoch: i32) -> ListOffsetsRequest {
    let partition = ListOffsetsPartition::default()
        .with_partition_index(partition)
        .with_timestamp(timestamp)
        .with_current_leader_epoch(epoch);
    let topic = ListOffsetsTopic::default().with_name(topic(name)).with_partitions(vec![partition]);
    ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic])
}

async fn list(pair: &mut Pair, when: &str) {
    let start_ms = pair.start_ms;
    for special in [-1, -2, -3, -4, -5, -6, -7, i64::MIN, i64::MAX, 0] {
        for partition in [0, 1] {
            let step = format!("at {special} of partition {partition}{when}");
            pair.all(&step, |_, _| ask("listed", partition, special, -1)).await;
        }
    }
    for shift in [-1, 0, 1, 2, 3, 1000, 1001, 2004, 2005, 3000, 3001] {
        pair.all(&format!("at start + {shift} ms{when}"), |_, _| ask("listed", 0, start_ms + shift, -1))
            .await;
    }
    for (name, partition) in [("missing", 0), ("listed", 9), ("listed", -1), ("", 0), ("a b", 0)] {
        for timestamp in [-1, -3, start_ms] {
            let step = format!("{name:?} {partition} at {}{when}", if timestamp < 0 { timestamp } else { 0 });
            pair.all(&step, |_, _| ask(name, partition, timestamp, -1)).await;
        }
    }
    for epoch in [-2, 0, 1, 99] {
        for timestamp in [-1, -2, start_ms] {
            let step = format!("leader epoch {epoch} at {}{when}", if timestamp < 0 { timestamp } else { 0 });
            pair.all(&step, |_, v| ask("listed", 0, timestamp, if v >= 4 { epoch } else { -1 })).await;
        }
    }
    for level in [1, 2, -1] {
        pair.all(&format!("isolation level {level}{when}"), |_, v| {
            ask("listed", 0, -1, -1).with_isolation_level(if v >= 2 { level } else { 0 })
        })
        .await;
    }
    for replica in [0, 1, -2, -3] {
        pair.all(&format!("replica {replica}{when}"), |_, _| {
            ask("listed", 0, -1, -1).with_replica_id(BrokerId(replica))
        })
        .await;
    }
    pair.all(&format!("a partition twice{when}"), |_, _| {
        let mut request = ask("listed", 0, -1, -1);
        let again = request.topics[0].partitions[0].clone().with_timestamp(-2);
        request.topics[0].partitions.push(again);
        request
    })
    .await;
    pair.all(&format!("nothing{when}"), |_, _| ListOffsetsRequest::default().with_replica_id(BrokerId(-1)))
        .await;
}

async fn epochs(pair: &mut Pair) {
    for (name, partition) in [("listed", 0), ("listed", 1), ("listed", 9), ("missing", 0), ("", 0)] {
        for (current, epoch) in [(-1, 0), (-1, -1), (-1, 5), (0, 0), (7, 0), (-2, 0), (0, i32::MAX)] {
            for replica in [-1, -2, 1] {
                let step =
                    format!("{name:?} {partition} epoch {epoch}, current {current}, replica {replica}");
                pair.all(&step, |_, v| {
                    let partition = OffsetForLeaderPartition::default()
                        .with_partition(partition)
                        .with_current_leader_epoch(current)
                        .with_leader_epoch(epoch);
                    let asked = OffsetForLeaderTopic::default()
                        .with_topic(topic(name))
                        .with_partitions(vec![partition]);
                    let request = OffsetForLeaderEpochRequest::default().with_topics(vec![asked]);
                    if v >= 3 { request.with_replica_id(BrokerId(replica)) } else { request }
                })
                .await;
            }
        }
    }
    pair.all("epochs of nothing", |_, _| OffsetForLeaderEpochRequest::default()).await;
}

async fn delete(pair: &mut Pair) {
    let ask = |name: &str, partition: i32, offset: i64| {
        let partition = DeleteRecordsPartition::default().with_partition_index(partition).with_offset(offset);
        let asked = DeleteRecordsTopic::default().with_name(topic(name)).with_partitions(vec![partition]);
        DeleteRecordsRequest::default().with_topics(vec![asked]).with_timeout_ms(5_000)
    };
    for (name, partition) in
        [("missing", 0), ("listed", 9), ("listed", -1), ("", 0), ("a b", 0), ("__cluster_metadata", 0)]
    {
        pair.all(&format!("delete records of {name:?} {partition}"), |_, _| ask(name, partition, 1)).await;
    }
    for offset in [0, 2, 2, 1, 4, 11, -2, i64::MIN, i64::MAX] {
        let step = format!("delete records before {offset}");
        if offset != 2 {
            pair.all(&step, |_, _| ask("listed", 0, offset)).await;
        }
    }
    pair.all("delete records of an empty partition", |_, _| ask("listed", 1, 0)).await;
    pair.all("delete no records", |_, _| DeleteRecordsRequest::default().with_timeout_ms(5_000)).await;
    pair.all("delete records to offset 5", |_, _| ask("listed", 0, 5)).await;
    pair.settle().await;
    read(pair, "listed").await;
    prepare(pair, "compacted-only", 1, &[("cleanup.policy", "compact")]).await;
    pair.all("delete records of a compacted topic", |_, _| ask("compacted-only", 0, 0)).await;
    prepare(pair, "emptied", 1, &[]).await;
    fill(pair, "emptied").await;
    pair.all("delete all records", |_, _| ask("emptied", 0, -1)).await;
    pair.settle().await;
    pair.all("earliest of an emptied log", |_, _| self::ask("emptied", 0, -2, -1)).await;
    pair.all("latest of an emptied log", |_, _| self::ask("emptied", 0, -1, -1)).await;
    pair.all("newest timestamp of an emptied log", |_, _| self::ask("emptied", 0, -3, -1)).await;
}
