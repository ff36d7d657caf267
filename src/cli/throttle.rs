//! Keeps to a rate (`ThroughputThrottler`).

use std::time::Duration;

/// So many things a second.
#[derive(Clone, Copy, Debug)]
pub struct Throttle {
    per_second: f64,
    begun_ms: i64,
    owed: Duration,
}

impl Throttle {
    /// A rate; a negative one is no limit.
    pub fn new(per_second: f64, begun_ms: i64) -> Self {
        Self { per_second, begun_ms, owed: Duration::ZERO }
    }

    /// How long to wait after the thing with this number, which was sent at that time.
    pub fn wait(&mut self, number: u64, sent_ms: i64) -> Option<Duration> {
        if self.per_second < 0.0 {
            return None;
        }
        let elapsed = (sent_ms - self.begun_ms) as f64 / 1000.0;
        if elapsed <= 0.0 || number as f64 / elapsed <= self.per_second {
            return None;
        }
        if self.per_second == 0.0 {
            return Some(FOR_EVER);
        }
        self.owed += Duration::from_secs_f64((1.0 / self.per_second).min(FOR_EVER.as_secs_f64()));
        (self.owed >= SHORTEST).then(|| std::mem::take(&mut self.owed))
    }
}

/// Shorter waits are saved up.
const SHORTEST: Duration = Duration::from_millis(2);
const FOR_EVER: Duration = Duration::from_secs(1 << 30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_ahead_waits() {
        let mut throttle = Throttle::new(100.0, 1000);
        assert_eq!(throttle.wait(5, 1000), None, "nothing can be said of no time");
        assert_eq!(throttle.wait(50, 2000), None);
        assert_eq!(throttle.wait(150, 2000), Some(Duration::from_millis(10)));
        assert_eq!(Throttle::new(-1.0, 0).wait(1 << 40, 1), None);
        let mut quick = Throttle::new(1000.0, 0);
        assert_eq!((quick.wait(10, 1), quick.wait(10, 1)), (None, Some(Duration::from_millis(2))));
    }
}
