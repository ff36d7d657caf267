//! The span of a run that is measured: load runs before it, to warm up, and until it has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use anyhow::ensure;
use model::Clock;
use serde_json::{Value, json};

use crate::span::Stage;
use crate::{Broker, process};

/// The JVM compiles its hot paths, caches fill.
const WARM_UP: Duration = Duration::from_secs(3);

const WARMING_UP: u8 = 0;
const MEASURING: u8 = 1;
const ENDED: u8 = 2;

/// Seen by everybody who makes load.
#[derive(Clone, Debug)]
pub struct Window {
    stage: Arc<AtomicU8>,
}

/// What the broker spent while it was measured.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    seconds: f64,
    broker_cpu_seconds: f64,
}

impl Window {
    pub fn new() -> Self {
        Self { stage: Arc::new(AtomicU8::new(WARMING_UP)) }
    }

    /// Whether what ends now counts.
    pub fn is_measuring(&self) -> bool {
        self.stage.load(Ordering::Relaxed) == MEASURING
    }

    /// Whether the load is to end.
    pub fn has_ended(&self) -> bool {
        self.stage.load(Ordering::Relaxed) == ENDED
    }

    /// Shows a stage that another thread keeps.
    pub fn show(&self, stage: Stage) {
        let stage = match stage {
            Stage::WarmingUp => WARMING_UP,
            Stage::Measuring => MEASURING,
            Stage::Over => ENDED,
        };
        self.stage.store(stage, Ordering::Relaxed);
    }

    /// Lets the load warm up, measures for so many seconds, and ends it.
    pub async fn measure(&self, broker: &Broker, clock: &Clock, seconds: u64) -> anyhow::Result<Cost> {
        tokio::time::sleep(WARM_UP).await;
        let (started, cpu) = (clock.monotonic(), process::cpu(broker)?);
        self.stage.store(MEASURING, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        self.stage.store(ENDED, Ordering::Relaxed);
        Ok(Cost {
            seconds: clock.monotonic().saturating_sub(started).as_secs_f64(),
            broker_cpu_seconds: process::cpu(broker)?.saturating_sub(cpu).as_secs_f64(),
        })
    }
}

impl Cost {
    /// The figures of `what`, each of which took its time in `took`, `each` of them at once.
    pub fn figures(self, what: &str, mut took: Vec<Duration>, each: usize) -> anyhow::Result<Value> {
        ensure!(!took.is_empty(), "no {what} ended in time");
        took.sort_unstable();
        let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        let count = took.len() * each;
        Ok(json!({
            "what": what, what: count,
            "per_second": (count as f64 / self.seconds).round(),
            "broker_cpu_seconds": (self.broker_cpu_seconds * 100.0).round() / 100.0,
            "per_broker_cpu_second": (count as f64 / self.broker_cpu_seconds.max(0.01)).round(),
            "p50_ms": at(0.5), "p99_ms": at(0.99),
        }))
    }
}

/// Adds what the figures hold under: the arguments of the run.
pub fn with_arguments(mut figures: Value, arguments: Value) -> Value {
    if let (Value::Object(figures), Value::Object(arguments)) = (&mut figures, arguments) {
        figures.extend(arguments);
    }
    figures
}
