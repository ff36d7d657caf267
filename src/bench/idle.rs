//! What a broker does while nobody asks it anything: CPU time and wake-ups.

use std::time::Duration;

use clap::Args;
use model::Clock;
use serde_json::{Value, json};

use crate::{Broker, process};

#[derive(Clone, Debug, Args)]
pub struct Idle {
    /// Measured seconds.
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
}

impl Idle {
    pub async fn run(&self, broker: &Broker, clock: &Clock) -> anyhow::Result<Value> {
        let (started, cpu, wakeups) =
            (clock.monotonic(), process::cpu(broker)?, process::wakeups(broker.pid)?);
        tokio::time::sleep(Duration::from_secs_f64(self.seconds)).await;
        let seconds = clock.monotonic().saturating_sub(started).as_secs_f64();
        let cpu = process::cpu(broker)?.saturating_sub(cpu);
        // A thread that has ended takes its count along.
        let wakeups = process::wakeups(broker.pid)?.saturating_sub(wakeups);
        let mut figures = process::memory(broker.pid)?;
        figures["what"] = json!("idle");
        figures["cpu_us_per_second"] = json!(cpu.as_secs_f64() * 1e6 / seconds);
        figures["wakeups_per_second"] = json!(wakeups as f64 / seconds);
        figures["void"] = json!([]);
        Ok(figures)
    }
}
