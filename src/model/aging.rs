//! The time by which stored things grow old: the wall clock, but not at once where it has jumped forward.
//!
//! Apache Kafka goes by the wall clock alone: set ten years ahead by mistake, it deletes every log's records at its next
//! look, and forgets every group's offsets. Nothing of that comes back when the clock is right again.

use std::time::Duration;

/// What the wall clock may differ by from the time that has passed: more is a jump, less is a clock being adjusted.
pub const JUMP_MS: i64 = 10 * 60 * 1000;

/// For how long a jump is doubted, at most. Whoever is to mend the clock has that long.
pub const DOUBT_MS_MAX: i64 = 24 * 60 * 60 * 1000;

/// Time that follows the wall clock back at once, and forward only after it has stood by a jump for as long as it jumped,
/// or for [`DOUBT_MS_MAX`]. So nothing ever looks older than it is by either clock.
///
/// A sleep of the machine looks like a jump too: what would have gone meanwhile stays for as long again.
#[derive(Debug)]
pub(crate) struct Aging {
    /// Both times at the last look.
    wall_ms: i64,
    passed: Duration,
    /// How far the wall clock is ahead by jumps that are doubted.
    ahead_ms: i64,
    /// When they are believed, by the time that has passed.
    believed_at: Duration,
}

impl Aging {
    /// Believes the clock that it finds.
    pub(crate) fn new(wall_ms: i64, passed: Duration) -> Self {
        Self { wall_ms, passed, ahead_ms: 0, believed_at: Duration::ZERO }
    }

    /// How far the wall clock is ahead of the time to age by. To be asked often: a jump is what happens between two looks.
    pub(crate) fn ahead_ms(&mut self, wall_ms: i64, passed: Duration) -> i64 {
        let passed_ms = i64::try_from(passed.saturating_sub(self.passed).as_millis()).unwrap_or(i64::MAX);
        let jump_ms = wall_ms.saturating_sub(self.wall_ms).saturating_sub(passed_ms);
        (self.wall_ms, self.passed) = (wall_ms, passed);
        if jump_ms > JUMP_MS {
            self.ahead_ms = self.ahead_ms.saturating_add(jump_ms);
            let doubt = Duration::from_millis(jump_ms.min(DOUBT_MS_MAX).cast_unsigned());
            self.believed_at = self.believed_at.max(passed + doubt);
        } else if jump_ms < -JUMP_MS {
            self.ahead_ms = self.ahead_ms.saturating_add(jump_ms);
        }
        if self.ahead_ms <= JUMP_MS || passed >= self.believed_at {
            self.ahead_ms = 0;
        }
        self.ahead_ms
    }
}

#[cfg(test)]
#[path = "aging_tests.rs"]
mod tests;
