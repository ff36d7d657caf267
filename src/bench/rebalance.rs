//! How long a group of many members needs to settle: all join at once, then one dies.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::ensure;
use clap::{Args, ValueEnum};
use model::Clock;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::member::{Member, Place};
use crate::{Broker, process, target};

const SESSION_TIMEOUT_MS: i32 = 6_000;
const SETTLE_MAX: Duration = Duration::from_mins(2);
const LOOK_EVERY: Duration = Duration::from_millis(5);

#[derive(Debug, Args)]
pub struct Rebalance {
    /// Members, and partitions of their topic.
    #[arg(long, default_value_t = 100)]
    members: usize,
    /// Their protocol. The session timeout of the consumer protocol is the broker's.
    #[arg(long, value_enum)]
    protocol: Protocol,
    /// Milliseconds between heartbeats.
    #[arg(long, default_value_t = 500)]
    heartbeat_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Protocol {
    Classic,
    Consumer,
}

impl Rebalance {
    pub async fn run(&self, broker: &Broker, clock: &Clock) -> anyhow::Result<Value> {
        let (topic, _) = target::topic(broker.bootstrap, i32::try_from(self.members)?).await?;
        target::coordinator(broker.bootstrap, &topic).await?;
        let mut members = JoinSet::new();
        let mut places = Vec::new();
        let mut handles = Vec::new();
        let cpu = process::cpu(broker)?;
        let started = clock.monotonic();
        for _ in 0..self.members {
            let place = Arc::new(Mutex::new(Place::default()));
            places.push(Arc::clone(&place));
            let member = Member {
                address: broker.bootstrap,
                group: topic.clone(),
                topic: topic.clone(),
                session_timeout_ms: SESSION_TIMEOUT_MS,
                heartbeat_every: Duration::from_millis(self.heartbeat_ms),
                clock: clock.clone(),
                place,
            };
            handles.push(match self.protocol {
                Protocol::Classic => members.spawn(member.run_classic()),
                Protocol::Consumer => members.spawn(member.run_consumer()),
            });
        }
        let first = self.settled(&places, clock, started, 0).await?;
        let joined_cpu = process::cpu(broker)?.saturating_sub(cpu);
        // Joins that come late start further rebalances: what counts is where it ends.
        handles.remove(0).abort();
        places.remove(0);
        let killed = clock.monotonic();
        let second = self.settled(&places, clock, killed, first.generation).await?;
        Ok(json!({
            "what": "rebalance", "protocol": format!("{:?}", self.protocol).to_lowercase(), "members": self.members,
            "join_ms": first.took.as_millis() as u64, "after_death_ms": second.took.as_millis() as u64,
            "join_broker_cpu_ms": joined_cpu.as_millis() as u64,
            "broker_cpu_ms": (process::cpu(broker)?.saturating_sub(cpu)).as_millis() as u64,
        }))
    }

    /// Waits until every member is in one generation after `before`, and together they own everything.
    async fn settled(
        &self,
        places: &[Arc<Mutex<Place>>],
        clock: &Clock,
        since: Duration,
        before: i32,
    ) -> anyhow::Result<Settled> {
        loop {
            let now: Vec<Place> =
                places.iter().map(|place| *place.lock().unwrap_or_else(PoisonError::into_inner)).collect();
            let generation = now.first().map_or(0, |place| place.generation);
            let owned: usize = now.iter().map(|place| place.partitions).sum();
            let complete = self.protocol == Protocol::Classic || owned == self.members;
            if generation > before && complete && now.iter().all(|place| place.generation == generation) {
                return Ok(Settled { generation, took: clock.monotonic().saturating_sub(since) });
            }
            ensure!(
                clock.monotonic().saturating_sub(since) < SETTLE_MAX,
                "the group is not stable after {SETTLE_MAX:?}"
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

struct Settled {
    generation: i32,
    took: Duration,
}
