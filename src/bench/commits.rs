//! Offset commits per second and per second of the broker's CPU time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use clap::Args;
use model::Clock;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use wire::api_table::ApiKey;
use wire::call;
use wire::header::{ClientId, RequestHeader};
use wire::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use wire::messages::{GroupId, TopicName};

use crate::target::{self, is_not_ready, text};
use crate::window::{Window, with_arguments};
use crate::{Broker, process};

pub const OFFSET_COMMIT: i16 = 7;

#[derive(Debug, Args)]
pub struct Commits {
    /// Groups, each with a connection of its own.
    #[arg(long, default_value_t = 100)]
    groups: usize,
    /// Partitions in each commit.
    #[arg(long, default_value_t = 1)]
    partitions: i32,
    /// Commits that a group sends at once, before it waits for their answers.
    #[arg(long, default_value_t = 1)]
    in_flight: usize,
    /// Measured seconds, after a warm-up.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

impl Commits {
    pub async fn run(&self, broker: &Broker, clock: &Clock) -> anyhow::Result<Value> {
        let (topic, _) = target::topic(broker.bootstrap, self.partitions).await?;
        target::coordinator(broker.bootstrap, "commits").await?;
        let window = Window::new();
        let mut committers = JoinSet::new();
        for number in 0..self.groups {
            let committer = Committer {
                request: request(&format!("{topic}-{number}"), &topic, self.partitions),
                in_flight: self.in_flight,
                clock: clock.clone(),
                window: window.clone(),
            };
            committers.spawn(committer.run(broker.bootstrap));
        }
        let cost = window.measure(broker, clock, self.seconds).await?;
        let mut took = Vec::new();
        while let Some(times) = committers.join_next().await {
            took.extend(times??);
        }
        let arguments = json!({
            "groups": self.groups, "partitions": self.partitions, "in_flight": self.in_flight,
            "broker_memory_kib": process::memory_kib(broker.pid)?,
        });
        Ok(with_arguments(cost.figures("commits", took, self.in_flight)?, arguments))
    }
}

struct Committer {
    request: OffsetCommitRequest,
    in_flight: usize,
    clock: Clock,
    window: Window,
}

impl Committer {
    /// Commits until told to stop; gives the time that each measured round of commits took.
    async fn run(mut self, address: std::net::SocketAddr) -> anyhow::Result<Vec<Duration>> {
        let mut connection = target::connect(address, "kbench").await?;
        let mut took = Vec::new();
        while !self.window.has_ended() {
            let frames = self.frames()?;
            let started = self.clock.monotonic();
            connection.send_bytes(&frames).await?;
            let mut is_ready = true;
            for _ in 0..self.in_flight {
                is_ready &= is_committed(connection.receive().await?)?;
            }
            if !is_ready {
                tokio::time::sleep(Duration::from_millis(50)).await;
            } else if self.window.is_measuring() {
                took.push(self.clock.monotonic().saturating_sub(started));
            }
        }
        Ok(took)
    }

    /// As many commits as go out at once, each one offset further.
    fn frames(&mut self) -> anyhow::Result<BytesMut> {
        let mut frames = BytesMut::new();
        for correlation_id in 0..self.in_flight {
            for partition in &mut self.request.topics[0].partitions {
                partition.committed_offset += 1;
            }
            let header = RequestHeader {
                api_key: ApiKey::OffsetCommit,
                api_version: OFFSET_COMMIT,
                correlation_id: i32::try_from(correlation_id)?,
                client_id: ClientId::new("kbench".to_owned()),
            };
            frames.extend_from_slice(&call::encode(&header, &self.request)?.to_bytes());
        }
        Ok(frames)
    }
}

/// The commit of a consumer that manages its partitions itself, of the first offset in each.
pub fn request(group: &str, topic: &str, partitions: i32) -> OffsetCommitRequest {
    let partition = |index| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(index)
            .with_committed_offset(1)
            .with_committed_metadata(Some(text("")))
    };
    let topic = OffsetCommitRequestTopic::default()
        .with_name(TopicName(text(topic)))
        .with_partitions((0..partitions).map(partition).collect());
    OffsetCommitRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic])
}

/// Whether the commit was taken; false when it has to be tried again later.
pub fn is_committed(answer: Bytes) -> anyhow::Result<bool> {
    let (_, answer) = call::decode::<OffsetCommitRequest>(answer, OFFSET_COMMIT)?;
    let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
    match partitions.map(|partition| partition.error_code).find(|code| *code != 0) {
        None => Ok(true),
        Some(code) if is_not_ready(code) => Ok(false),
        Some(code) => anyhow::bail!("a commit was refused with error {code}"),
    }
}
