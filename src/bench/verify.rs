//! Speed counts only with correctness: afterwards the log holds as many records as were acknowledged, and a sample of
//! its batches holds what was sent.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use client::Connection;
use model::batch::{HEADER_BYTES, crc_matches};
use model::{BatchHeader, BrokerId, ErrorCode, LeaderEpoch, Offset, TopicId};
use uuid::Uuid;
use wire::fetch::{FetchPartition, FetchRequest, FetchTopic};
use wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use wire::messages::{self, TopicName};
use wire::topic_ref::TopicRef;

use crate::payload::Batch;
use crate::random::Random;
use crate::target::{self, text};
use crate::topic::Topic;

/// Topics are named by id.
pub const FETCH: i16 = 13;
const LIST_OFFSETS: i16 = 6;
const LATEST: i64 = -1;
/// Batches that are read back, over all partitions.
const SAMPLES: u64 = 64;
const SETTLE_TRIES: usize = 300;
const SETTLE_EVERY: Duration = Duration::from_millis(50);

/// The end of each partition: the offset that its next record gets.
pub async fn ends(connection: &mut Connection, topic: &Topic) -> anyhow::Result<Vec<i64>> {
    let partition = |index| {
        ListOffsetsPartition::default()
            .with_partition_index(index)
            .with_timestamp(LATEST)
            .with_current_leader_epoch(-1)
    };
    let asked = ListOffsetsTopic::default()
        .with_name(TopicName(text(topic.name.as_str())))
        .with_partitions((0..topic.partitions).map(partition).collect());
    let request =
        ListOffsetsRequest::default().with_replica_id(messages::BrokerId(-1)).with_topics(vec![asked]);
    let answer = connection.call(LIST_OFFSETS, &request).await?;
    let mut ends = vec![-1; usize::try_from(topic.partitions)?];
    for partition in answer.topics.iter().flat_map(|topic| &topic.partitions) {
        ensure!(
            partition.error_code == 0,
            "the end of partition {} is not known: error {}",
            partition.partition_index,
            partition.error_code
        );
        *ends.get_mut(usize::try_from(partition.partition_index)?).context("no such partition")? =
            partition.offset;
    }
    Ok(ends)
}

/// The log grew by what was acknowledged since it ended at `before`. With acks=0, and before the disk has what was
/// answered from memory, that takes a moment.
pub async fn counts(address: SocketAddr, topic: &Topic, before: &[i64], acked: &[u64]) -> anyhow::Result<()> {
    let mut connection = target::connect(address, "kbench").await?;
    let wanted: Vec<i64> = before.iter().zip(acked).map(|(before, acked)| before + *acked as i64).collect();
    let mut found = Vec::new();
    for _ in 0..SETTLE_TRIES {
        found = ends(&mut connection, topic).await?;
        if found == wanted {
            return Ok(());
        }
        tokio::time::sleep(SETTLE_EVERY).await;
    }
    let wrong = wanted.iter().zip(&found).position(|(wanted, found)| wanted != found).unwrap_or_default();
    bail!("partition {wrong} ends at {}, {} was acknowledged", found[wrong], wanted[wrong])
}

/// Batches at random offsets between `from` and `to` are those that were sent; gives how many were read.
pub async fn contents(
    address: SocketAddr,
    topic: &Topic,
    (from, to): (&[i64], &[i64]),
    sent: &Batch,
) -> anyhow::Result<u64> {
    let mut connection = target::connect(address, "kbench").await?;
    let filled: Vec<usize> = (0..from.len()).filter(|index| to[*index] > from[*index]).collect();
    ensure!(!filled.is_empty(), "nothing was written");
    let mut random = Random::new(to.iter().sum::<i64>() as u64);
    let mut read = 0;
    for _ in 0..SAMPLES {
        let partition = filled[random.below(filled.len() as u64) as usize];
        let span = (to[partition] - from[partition]) as u64;
        let offset = from[partition] + random.below(span) as i64;
        let batch = batch_at(&mut connection, topic.id, partition as i32, offset).await?;
        same(&batch, offset, sent).with_context(|| format!("partition {partition}, offset {offset}"))?;
        read += 1;
    }
    Ok(read)
}

async fn batch_at(
    connection: &mut Connection,
    topic: Uuid,
    partition: i32,
    offset: i64,
) -> anyhow::Result<Bytes> {
    let request = request(0, -1, 1, vec![topic_of(topic, vec![asked(partition, offset, 1)])]);
    let answer = connection.call(FETCH, &request).await?;
    ensure!(answer.error == ErrorCode::None, "a fetch was refused: {}", answer.error);
    let read =
        answer.topics.first().and_then(|topic| topic.partitions.first()).context("nothing was read")?;
    ensure!(read.error == ErrorCode::None, "partition {partition} was not read: {}", read.error);
    Ok(read.records.concat().into())
}

/// The batch holds this offset, is whole, and has the records that were sent, but for a stamp.
fn same(batch: &[u8], offset: i64, sent: &Batch) -> anyhow::Result<()> {
    let header = BatchHeader::parse(batch)?;
    let batch = batch.get(..header.size()).context("the batch is cut off")?;
    let (first, last) = (header.base_offset.value(), header.last_offset().value());
    ensure!((first..=last).contains(&offset), "the batch holds {first} to {last}");
    ensure!(crc_matches(batch), "the CRC of the batch is wrong");
    let same_from = sent.stamp_at.map_or(HEADER_BYTES, |at| at + crate::template::STAMP_BYTES);
    ensure!(
        batch.get(same_from..) == sent.bytes.get(same_from..),
        "the records are not those that were sent"
    );
    Ok(())
}

/// A consumer's Fetch that waits for one byte up to `max_wait_ms`.
pub fn request(
    max_wait_ms: i32,
    session_epoch: i32,
    max_bytes: i32,
    topics: Vec<FetchTopic>,
) -> FetchRequest {
    FetchRequest {
        cluster_id: None,
        replica_id: BrokerId::NONE,
        replica_epoch: -1,
        max_wait_ms,
        min_bytes: 1,
        max_bytes,
        isolation_level: 0,
        session_id: 0,
        session_epoch,
        topics,
        forgotten_topics: Vec::new(),
        rack_id: text(""),
        wants_topic_ids: true,
        accepts_preferred_replica: true,
        accepts_leader: false,
    }
}

/// Partitions of one topic, by its id.
pub fn topic_of(topic: Uuid, partitions: Vec<FetchPartition>) -> FetchTopic {
    FetchTopic { topic: TopicRef::Id(TopicId::new(topic)), partitions }
}

/// One partition from an offset on.
pub fn asked(partition: i32, offset: i64, bytes_max: i32) -> FetchPartition {
    FetchPartition {
        partition,
        current_leader_epoch: LeaderEpoch::NONE,
        fetch_offset: Offset::new(offset),
        last_fetched_epoch: LeaderEpoch::NONE,
        log_start_offset: Offset::new(-1),
        partition_max_bytes: bytes_max,
        replica_directory_id: Uuid::nil(),
        high_watermark: i64::MAX,
    }
}
