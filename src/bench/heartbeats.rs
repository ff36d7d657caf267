//! What many quiet groups cost, and how soon all of them stand again after a restart.

use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use model::Clock;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::member::{Member, Place};
use crate::{Broker, process, target};

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
        let memory_before = process::memory_kib(broker.pid)?;
        let mut tasks = JoinSet::new();
        let mut places = Vec::new();
        let started = clock.monotonic();
        for number in 0..self.groups * self.members {
            let place = Arc::new(Mutex::new(Place::default()));
            places.push(Arc::clone(&place));
            let member = Member {
                address: broker.bootstrap,
                group: format!("{topic}-{}", number / self.members),
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
        Ok(json!({
            "what": "heartbeats", "groups": self.groups, "members": self.members, "stable_ms": stable.as_millis() as u64,
            "cpu_percent_of_a_core": (cpu.as_secs_f64() / seconds.as_secs_f64() * 1000.0).round() / 10.0,
            "memory_per_member_bytes": memory.saturating_sub(memory_before) * 1024 / (self.groups * self.members) as u64,
            "stable_after_restart_ms": restarted.map(|took| took.as_millis() as u64),
        }))
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

fn current(place: &Mutex<Place>) -> Place {
    *place.lock().unwrap_or_else(PoisonError::into_inner)
}
