//! Offset commits per second and per second of the broker's CPU time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use model::Clock;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use wire::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use wire::messages::{GroupId, TopicName};

use crate::target::{self, is_not_ready, text};
use crate::{Broker, process};

const OFFSET_COMMIT: i16 = 7;
const WARM_UP: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
pub struct Commits {
    /// Groups, each with a connection of its own.
    #[arg(long, default_value_t = 100)]
    groups: usize,
    /// Partitions in each commit.
    #[arg(long, default_value_t = 1)]
    partitions: i32,
    /// Measured seconds, after a warm-up.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

impl Commits {
    pub async fn run(&self, broker: &Broker, clock: &Clock) -> anyhow::Result<Value> {
        let (topic, _) = target::topic(broker.bootstrap, self.partitions).await?;
        target::coordinator(broker.bootstrap, "commits").await?;
        let measuring = Arc::new(AtomicBool::new(false));
        let stop = Arc::new(AtomicBool::new(false));
        let mut committers = JoinSet::new();
        for number in 0..self.groups {
            let committer = Committer {
                request: self.request(&format!("{topic}-{number}"), &topic),
                clock: clock.clone(),
                measuring: Arc::clone(&measuring),
                stop: Arc::clone(&stop),
            };
            committers.spawn(committer.run(broker.bootstrap));
        }
        tokio::time::sleep(WARM_UP).await;
        let (started, cpu) = (clock.monotonic(), process::cpu(broker.pid)?);
        measuring.store(true, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(self.seconds)).await;
        measuring.store(false, Ordering::Relaxed);
        let (seconds, cpu) =
            (clock.monotonic().saturating_sub(started), process::cpu(broker.pid)?.saturating_sub(cpu));
        stop.store(true, Ordering::Relaxed);

        let mut took = Vec::new();
        while let Some(times) = committers.join_next().await {
            took.extend(times??);
        }
        took.sort_unstable();
        ensure!(!took.is_empty(), "nothing was committed");
        let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        Ok(json!({
            "what": "commits", "groups": self.groups, "partitions": self.partitions, "commits": took.len(),
            "per_second": (took.len() as f64 / seconds.as_secs_f64()).round(),
            "broker_cpu_seconds": cpu.as_secs_f64(),
            "per_broker_cpu_second": (took.len() as f64 / cpu.as_secs_f64().max(0.01)).round(),
            "p50_ms": at(0.5), "p99_ms": at(0.99), "broker_memory_kib": process::memory_kib(broker.pid)?,
        }))
    }

    fn request(&self, group: &str, topic: &str) -> OffsetCommitRequest {
        let partition = |index| {
            OffsetCommitRequestPartition::default()
                .with_partition_index(index)
                .with_committed_offset(1)
                .with_committed_metadata(Some(text("")))
        };
        let topic = OffsetCommitRequestTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partitions((0..self.partitions).map(partition).collect());
        OffsetCommitRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic])
    }
}

struct Committer {
    request: OffsetCommitRequest,
    clock: Clock,
    measuring: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
}

impl Committer {
    /// Commits until told to stop; gives the time that each measured commit took.
    async fn run(mut self, address: std::net::SocketAddr) -> anyhow::Result<Vec<Duration>> {
        let mut connection = target::connect(address, "kbench").await?;
        let mut took = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            for partition in &mut self.request.topics[0].partitions {
                partition.committed_offset += 1;
            }
            let started = self.clock.monotonic();
            let answer = connection.call(OFFSET_COMMIT, &self.request).await?;
            let elapsed = self.clock.monotonic().saturating_sub(started);
            let code = answer.topics[0]
                .partitions
                .iter()
                .map(|partition| partition.error_code)
                .find(|code| *code != 0);
            match code {
                None if self.measuring.load(Ordering::Relaxed) => took.push(elapsed),
                None => {}
                Some(code) if is_not_ready(code) => tokio::time::sleep(Duration::from_millis(50)).await,
                Some(code) => anyhow::bail!("a commit was refused with error {code}"),
            }
        }
        Ok(took)
    }
}
