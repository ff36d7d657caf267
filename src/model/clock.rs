//! The one source of time. `main` makes it and hands it down; nothing else asks the machine.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::aging::Aging;

/// Wall time for timestamps that users see, monotonic time for every deadline, and [`Clock::aging_ms`] for the age of what
/// is stored with a timestamp.
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
        let aging = Arc::new(Mutex::new(Aging::new(wall_now_ms(), Duration::ZERO)));
        Self::System(SystemClock { origin: monotonic_now(), aging })
    }

    /// A clock that stands at `wall_ms` until it is advanced.
    pub fn virtual_at(wall_ms: i64) -> Self {
        let aging = Arc::new(Mutex::new(Aging::new(wall_ms, Duration::ZERO)));
        let elapsed_ms = Arc::new(AtomicI64::new(0));
        Self::Virtual(VirtualClock { wall_ms: Arc::new(AtomicI64::new(wall_ms)), elapsed_ms, aging })
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
                Duration::from_millis(clock.elapsed_ms.load(Ordering::Acquire).unsigned_abs())
            }
        }
    }

    /// What the ages of stored things are measured by, before they are deleted or forgotten: the wall time, but not at
    /// once where it has jumped forward by more than [`JUMP_MS`](crate::aging::JUMP_MS).
    pub fn aging_ms(&self) -> i64 {
        let (wall_ms, ahead_ms) = self.look();
        wall_ms.saturating_sub(ahead_ms)
    }

    /// By how much the wall clock has jumped ahead of [`Clock::aging_ms`], in milliseconds; 0 while it is believed.
    pub fn ahead_ms(&self) -> i64 {
        self.look().1
    }

    /// Both clocks are read under the lock, so that looks come in order.
    fn look(&self) -> (i64, i64) {
        let aging = match self {
            Self::System(clock) => &clock.aging,
            Self::Virtual(clock) => &clock.aging,
        };
        let mut aging = aging.lock().unwrap_or_else(PoisonError::into_inner);
        let wall_ms = self.wall_ms();
        (wall_ms, aging.ahead_ms(wall_ms, self.monotonic()))
    }
}

/// See [`Clock::System`].
#[derive(Clone, Debug)]
pub struct SystemClock {
    origin: Instant,
    aging: Arc<Mutex<Aging>>,
}

/// See [`Clock::Virtual`].
#[derive(Clone, Debug)]
pub struct VirtualClock {
    wall_ms: Arc<AtomicI64>,
    elapsed_ms: Arc<AtomicI64>,
    aging: Arc<Mutex<Aging>>,
}

impl VirtualClock {
    /// Moves both times forward: who looks meanwhile sees neither, or both.
    pub fn advance(&self, by: Duration) {
        let _no_looks = self.aging.lock().unwrap_or_else(PoisonError::into_inner);
        let by_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.elapsed_ms.fetch_add(by_ms, Ordering::AcqRel);
        self.jump(by_ms);
    }

    /// Sets the wall clock forward, or back, while no time passes.
    pub fn jump(&self, by_ms: i64) {
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

    #[test]
    fn nothing_ages_by_a_jump_forward() {
        const YEAR_MS: i64 = 365 * 24 * 60 * 60 * 1000;
        let clock = Clock::virtual_at(YEAR_MS);
        let copy = clock.clone();
        let Clock::Virtual(hands) = &clock else { unreachable!("made virtual above") };
        hands.jump(YEAR_MS);
        assert_eq!((clock.wall_ms(), clock.aging_ms(), copy.ahead_ms()), (2 * YEAR_MS, YEAR_MS, YEAR_MS));
        hands.jump(-2 * YEAR_MS);
        assert_eq!((clock.wall_ms(), clock.aging_ms(), copy.ahead_ms()), (0, 0, 0));
        let system = Clock::system();
        assert!(system.aging_ms() <= system.wall_ms() && system.ahead_ms() == 0);
    }
}
