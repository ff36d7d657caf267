//! The time by which stored things grow old: the wall clock, but not at once where it has jumped forward.
//!
//! Apache Kafka goes by the wall clock alone: set ten years ahead by mistake, it deletes every log's records at its next
//! look, and forgets every group's offsets. Nothing of that comes back when the clock is right again.

use std::collections::VecDeque;
use std::time::Duration;

/// What the wall clock may differ by from the time that has passed: more is a jump, less is a clock being adjusted.
pub const JUMP_MS: i64 = 10 * 60 * 1000;

/// For how long a jump is doubted, at most. Whoever is to mend the clock has that long.
pub const DOUBT_MS_MAX: i64 = 24 * 60 * 60 * 1000;

/// How many jumps are doubted at once. Of more the oldest is believed.
const JUMPS_MAX: usize = 64;

/// Time that follows the wall clock back at once, and forward only after it has stood by a jump for as long as it jumped,
/// or for [`DOUBT_MS_MAX`]. So nothing ever looks older than it is by either clock.
///
/// A sleep of the machine looks like a jump too: what would have gone meanwhile stays for as long again. Each jump has its
/// own end of doubt, so that a machine that sleeps every night grows older by day.
#[derive(Debug)]
pub(crate) struct Aging {
    /// Both times at the last look.
    wall_ms: i64,
    passed: Duration,
    /// Those that are doubted, oldest first.
    jumps: VecDeque<Jump>,
}

#[derive(Debug)]
struct Jump {
    by_ms: i64,
    /// By the time that has passed.
    believed_at: Duration,
}

impl Aging {
    /// Believes the clock that it finds.
    pub(crate) fn new(wall_ms: i64, passed: Duration) -> Self {
        Self { wall_ms, passed, jumps: VecDeque::new() }
    }

    /// How far the wall clock is ahead of the time to age by. To be asked often: a jump is what happens between two looks.
    pub(crate) fn ahead_ms(&mut self, wall_ms: i64, passed: Duration) -> i64 {
        let passed_ms = i64::try_from(passed.saturating_sub(self.passed).as_millis()).unwrap_or(i64::MAX);
        let jump_ms = wall_ms.saturating_sub(self.wall_ms).saturating_sub(passed_ms);
        (self.wall_ms, self.passed) = (wall_ms, passed);
        if jump_ms > JUMP_MS {
            self.doubt(jump_ms, passed);
        } else if jump_ms < -JUMP_MS {
            self.take_back(jump_ms.saturating_neg());
        }
        self.jumps.retain(|jump| passed < jump.believed_at);
        self.jumps.iter().fold(0, |ahead_ms: i64, jump| ahead_ms.saturating_add(jump.by_ms))
    }

    fn doubt(&mut self, by_ms: i64, passed: Duration) {
        if self.jumps.len() >= JUMPS_MAX {
            self.jumps.pop_front();
        }
        let doubt = Duration::from_millis(by_ms.min(DOUBT_MS_MAX).cast_unsigned());
        self.jumps.push_back(Jump { by_ms, believed_at: passed.saturating_add(doubt) });
    }

    /// The clock was set back: the newest jumps are no more.
    fn take_back(&mut self, by_ms: i64) {
        let mut left_ms = by_ms;
        while let Some(newest) = self.jumps.back_mut() {
            let taken_ms = left_ms.min(newest.by_ms);
            newest.by_ms -= taken_ms;
            left_ms -= taken_ms;
            if newest.by_ms > JUMP_MS {
                return;
            }
            self.jumps.pop_back();
        }
    }
}

#[cfg(test)]
#[path = "aging_tests.rs"]
mod tests;
