//! The measured part of a run that one thread drives: warm-up, measurement, end.

use std::time::Duration;

use clap::Args;
use model::Clock;

use crate::Broker;
use crate::process::{Cost, Usage};

/// How long a run takes.
#[derive(Clone, Copy, Debug, Args)]
pub struct Times {
    /// Measured seconds, after the warm-up.
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
    /// Seconds of load before them.
    #[arg(long, default_value_t = 2.0)]
    pub warm_up_seconds: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    WarmingUp,
    Measuring,
    Over,
}

/// `from <= until`, both told from the clock's start.
#[derive(Debug)]
pub struct Span {
    broker: Broker,
    clock: Clock,
    from: Duration,
    until: Duration,
    begun: Option<Usage>,
    cost: Option<Cost>,
}

impl Span {
    /// Warms up from now on.
    pub fn new(broker: &Broker, clock: &Clock, times: Times) -> Self {
        let from = clock.monotonic() + Duration::from_secs_f64(times.warm_up_seconds);
        let until = from + Duration::from_secs_f64(times.seconds);
        Self { broker: broker.clone(), clock: clock.clone(), from, until, begun: None, cost: None }
    }

    /// The stage that `now` is in. Reads the accounts where one stage ends and the next begins.
    pub fn look(&mut self, now: Duration) -> anyhow::Result<Stage> {
        if self.cost.is_some() {
            return Ok(Stage::Over);
        }
        let Some(begun) = &self.begun else {
            if now < self.from {
                return Ok(Stage::WarmingUp);
            }
            self.begun = Some(Usage::now(&self.broker, &self.clock)?);
            return Ok(Stage::Measuring);
        };
        if now < self.until {
            return Ok(Stage::Measuring);
        }
        self.cost = Some(Usage::now(&self.broker, &self.clock)?.since(begun));
        Ok(Stage::Over)
    }

    /// Ends the measurement at the next look.
    pub fn end(&mut self) {
        self.until = Duration::ZERO;
    }

    /// Whether what was meant for this moment is in the measured part.
    pub fn counts(&self, at: Duration) -> bool {
        (self.from..self.until).contains(&at)
    }

    /// What the measured part has cost.
    pub fn cost(&self) -> anyhow::Result<Cost> {
        self.cost.ok_or_else(|| anyhow::anyhow!("the run ended before it was measured"))
    }
}
