//! When the requests of an open loop are meant to leave: decided before the run, whatever the broker does.

use std::time::Duration;

use clap::ValueEnum;

use crate::random::Random;

/// How the intended sends follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Arrival {
    /// At equal distances.
    Uniform,
    /// At random, as from many clients who know nothing of each other.
    Poisson,
}

/// The intended sends, one after the other, told from the start of the run.
#[derive(Clone, Debug)]
pub struct Schedule {
    per_second: f64,
    arrival: Arrival,
    random: Random,
    /// Sends that have been taken.
    count: u64,
    due_seconds: f64,
}

impl Schedule {
    pub fn new(per_second: f64, arrival: Arrival, seed: u64) -> Self {
        Self { per_second, arrival, random: Random::new(seed), count: 0, due_seconds: 0.0 }
    }

    /// When the next request is meant to leave.
    pub fn due(&self) -> Duration {
        Duration::from_secs_f64(self.due_seconds)
    }

    /// Takes the next send off the plan and gives its time.
    pub fn take(&mut self) -> Duration {
        let due = self.due();
        self.count += 1;
        self.due_seconds = match self.arrival {
            // From the count, so that rounding does not add up.
            Arrival::Uniform => self.count as f64 / self.per_second,
            Arrival::Poisson => self.due_seconds - (1.0 - self.random.fraction()).ln() / self.per_second,
        };
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_sends_keep_their_distance_for_ever() {
        let mut schedule = Schedule::new(3.0, Arrival::Uniform, 1);
        let mut last = Duration::ZERO;
        for _ in 0..=300_000 {
            last = schedule.take();
        }
        assert_eq!(last, Duration::from_secs(100_000));
    }

    #[test]
    fn a_time_is_not_taken_by_looking_at_it() {
        let mut schedule = Schedule::new(1000.0, Arrival::Uniform, 1);
        assert_eq!((schedule.due(), schedule.due(), schedule.take()), Default::default());
        assert_eq!(schedule.due(), Duration::from_millis(1));
    }

    #[test]
    fn random_sends_have_the_rate_and_its_spread() {
        let mut schedule = Schedule::new(10_000.0, Arrival::Poisson, 7);
        let times: Vec<f64> = (0..100_000).map(|_| schedule.take().as_secs_f64()).collect();
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| *gap >= 0.0));
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        assert!((mean * 10_000.0 - 1.0).abs() < 0.02, "mean gap {mean}");
        let above_mean = gaps.iter().filter(|gap| **gap > mean).count() as f64 / gaps.len() as f64;
        assert!((above_mean - (-1f64).exp()).abs() < 0.01, "{above_mean} of the gaps are above the mean");
    }

    #[test]
    fn the_same_seed_is_the_same_plan() {
        let plan = |seed| {
            let mut schedule = Schedule::new(50.0, Arrival::Poisson, seed);
            (0..20).map(|_| schedule.take()).collect::<Vec<_>>()
        };
        assert_eq!(plan(4), plan(4));
        assert_ne!(plan(4), plan(5));
    }
}
