//! The one source of time. `main` makes it and hands it down; nothing else asks the machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall time for timestamps that users see, monotonic time for every deadline and age.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clocks.
    System(SystemClock),
    /// A clock that moves only when told to.
    Virtual(VirtualClock),
}

impl Clock {
    /// The machine's clocks.
    pub fn system() -> Self {
        Self::System(SystemClock { origin: monotonic_now() })
    }

    /// A clock that stands at `wall_ms` until it is advanced.
    pub fn virtual_at(wall_ms: i64) -> Self {
        Self::Virtual(VirtualClock { wall_ms: Arc::new(AtomicI64::new(wall_ms)), origin_ms: wall_ms })
    }

    /// Milliseconds since the Unix epoch; may jump either way when the machine's clock is set.
    pub fn wall_ms(&self) -> i64 {
        match self {
            Self::System(_) => wall_now_ms(),
            Self::Virtual(clock) => clock.wall_ms.load(Ordering::Acquire),
        }
    }

    /// Time since this clock was made; never goes back.
    pub fn monotonic(&self) -> Duration {
        match self {
            Self::System(clock) => monotonic_now().duration_since(clock.origin),
            Self::Virtual(clock) => {
                let elapsed_ms = clock.wall_ms.load(Ordering::Acquire) - clock.origin_ms;
                Duration::from_millis(elapsed_ms.max(0) as u64)
            }
        }
    }
}

/// See [`Clock::System`].
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    origin: Instant,
}

/// See [`Clock::Virtual`].
#[derive(Clone, Debug)]
pub struct VirtualClock {
    wall_ms: Arc<AtomicI64>,
    origin_ms: i64,
}

impl VirtualClock {
    /// Moves both times forward.
    pub fn advance(&self, by: Duration) {
        let by_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.wall_ms.fetch_add(by_ms, Ordering::AcqRel);
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
fn monotonic_now() -> Instant {
    Instant::now()
}

#[allow(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
fn wall_now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_time_stands_until_advanced() {
        let clock = Clock::virtual_at(1_000);
        assert_eq!((clock.wall_ms(), clock.monotonic()), (1_000, Duration::ZERO));
        let Clock::Virtual(hands) = &clock else { unreachable!("made virtual above") };
        hands.advance(Duration::from_millis(250));
        assert_eq!((clock.wall_ms(), clock.monotonic()), (1_250, Duration::from_millis(250)));
    }
}
