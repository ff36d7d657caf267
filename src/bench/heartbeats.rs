//! What many quiet groups cost, and how soon all of them stand again after a restart.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use model::Clock;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use wire::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::messages::{GroupId, OffsetCommitRequest, OffsetFetchRequest, TopicName};

use crate::member::{Member, Place};
use crate::target::{connect, is_not_ready, text};
use crate::{Broker, process, target};

const OFFSET_COMMIT: i16 = 7;
const OFFSET_FETCH: i16 = 2;
const SESSION_TIMEOUT_MS: i32 = 45_000;
const SETTLE_MAX: Duration = Duration::from_mins(2);
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[derive(Debug, Args)]
pub struct Heartbeats {
    /// Groups.
    #[arg(long, default_value_t = 1000)]
    groups: usize,
    /// Members of each, each with a connection of its own.
    #[arg(long, default_value_t = 4)]
    members: usize,
    /// Milliseconds between the heartbeats of a member.
    #[arg(long, default_value_t = 3000)]
    heartbeat_ms: u64,
    /// Measured seconds, once every group is stable.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// A command that restarts the broker at the same address and prints its new pid last; run after the measurement.
    #[arg(long)]
    restart: Option<String>,
}

impl Heartbeats {
    pub async fn run(&self, broker: &Broker, clock: &Clock) -> anyhow::Result<Value> {
        let (topic, _) = target::topic(broker.bootstrap, 1).await?;
        target::coordinator(broker.bootstrap, &topic).await?;
        self.commit(broker.bootstrap, &topic).await?;
        let memory_before = process::memory_kib(broker.pid)?;
        let mut tasks = JoinSet::new();
        let mut places = Vec::new();
        let started = clock.monotonic();
        for number in 0..self.groups * self.members {
            let place = Arc::new(Mutex::new(Place::default()));
            places.push(Arc::clone(&place));
            let member = Member {
                address: broker.bootstrap,
                group: group(&topic, number / self.members),
                topic: topic.clone(),
                session_timeout_ms: SESSION_TIMEOUT_MS,
                heartbeat_every: Duration::from_millis(self.heartbeat_ms),
                clock: clock.clone(),
                place,
            };
            tasks.spawn(member.run_classic());
        }
        let stable = self.stable(&places, clock, started).await?;
        // One round of heartbeats spreads the members over the interval.
        tokio::time::sleep(Duration::from_millis(self.heartbeat_ms)).await;
        let (from, cpu) = (clock.monotonic(), process::cpu(broker)?);
        tokio::time::sleep(Duration::from_secs(self.seconds)).await;
        let (seconds, cpu) =
            (clock.monotonic().saturating_sub(from), process::cpu(broker)?.saturating_sub(cpu));
        let memory = process::memory_kib(broker.pid)?;
        let restarted = match &self.restart {
            None => None,
            Some(command) => Some(self.restart(command, &places, clock).await?),
        };
        let lost = self.lost_offsets(broker.bootstrap, &topic).await?;
        Ok(json!({
            "what": "heartbeats", "groups": self.groups, "members": self.members, "stable_ms": stable.as_millis() as u64,
            "cpu_percent_of_a_core": (cpu.as_secs_f64() / seconds.as_secs_f64() * 1000.0).round() / 10.0,
            "memory_per_member_bytes": memory.saturating_sub(memory_before) * 1024 / (self.groups * self.members) as u64,
            "lost_offsets": lost,
            "stable_after_restart_ms": restarted.map(|took| took.as_millis() as u64),
        }))
    }

    /// An offset of each group, another one for each, before it has members.
    async fn commit(&self, address: SocketAddr, topic: &str) -> anyhow::Result<()> {
        let mut connection = connect(address, "kbench").await?;
        for number in 0..self.groups {
            let partition = OffsetCommitRequestPartition::default()
                .with_committed_offset(offset_of(number)?)
                .with_committed_metadata(Some(text("")));
            let topic_offsets = OffsetCommitRequestTopic::default()
                .with_name(TopicName(text(topic)))
                .with_partitions(vec![partition]);
            let request = OffsetCommitRequest::default()
                .with_group_id(GroupId(text(group(topic, number))))
                .with_generation_id_or_member_epoch(-1)
                .with_topics(vec![topic_offsets]);
            loop {
                let answer = connection.call(OFFSET_COMMIT, &request).await?;
                let code = answer.topics.first().and_then(|topic| topic.partitions.first());
                match code.map(|partition| partition.error_code) {
                    Some(0) => break,
                    Some(code) if is_not_ready(code) => tokio::time::sleep(LOOK_EVERY).await,
                    other => bail!("a commit was answered with {other:?}"),
                }
            }
        }
        Ok(())
    }

    /// How many of these are not what they were.
    async fn lost_offsets(&self, address: SocketAddr, topic: &str) -> anyhow::Result<usize> {
        let mut connection = connect(address, "kbench").await?;
        let mut lost = 0;
        for number in 0..self.groups {
            let request = OffsetFetchRequest::default()
                .with_group_id(GroupId(text(group(topic, number))))
                .with_topics(None);
            let answer = connection.call(OFFSET_FETCH, &request).await?;
            let found = answer.topics.first().and_then(|topic| topic.partitions.first());
            lost += usize::from(found.map(|found| found.committed_offset) != Some(offset_of(number)?));
        }
        Ok(lost)
    }

    /// Waits until the members of every group agree on a generation.
    async fn stable(
        &self,
        places: &[Arc<Mutex<Place>>],
        clock: &Clock,
        since: Duration,
    ) -> anyhow::Result<Duration> {
        loop {
            let agree = places.chunks(self.members).all(|group| {
                let mut generations = group.iter().map(|place| current(place).generation);
                let first = generations.next().unwrap_or_default();
                first > 0 && generations.all(|generation| generation == first)
            });
            if agree {
                return Ok(clock.monotonic().saturating_sub(since));
            }
            ensure!(
                clock.monotonic().saturating_sub(since) < SETTLE_MAX,
                "the groups are not stable after {SETTLE_MAX:?}"
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Restarts the broker; the time from the end of the command until every member was heard again, in a generation
    /// that its whole group agrees on.
    async fn restart(
        &self,
        command: &str,
        places: &[Arc<Mutex<Place>>],
        clock: &Clock,
    ) -> anyhow::Result<Duration> {
        let mut words = command.split_whitespace();
        let program = words.next().context("--restart is empty")?.to_owned();
        let arguments: Vec<String> = words.map(str::to_owned).collect();
        let status =
            tokio::task::spawn_blocking(move || Command::new(program).args(arguments).status()).await??;
        ensure!(status.success(), "the restart failed: {status}");
        let up = clock.monotonic();
        loop {
            let everybody = places.iter().all(|place| current(place).heard > up);
            if everybody {
                return self.stable(places, clock, up).await;
            }
            ensure!(
                clock.monotonic().saturating_sub(up) < SETTLE_MAX,
                "not every member was heard {SETTLE_MAX:?} after the restart"
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn group(topic: &str, number: usize) -> String {
    format!("{topic}-{number}")
}

fn offset_of(number: usize) -> anyhow::Result<i64> {
    Ok(i64::try_from(number)? + 1)
}

fn current(place: &Mutex<Place>) -> Place {
    *place.lock().unwrap_or_else(PoisonError::into_inner)
}
