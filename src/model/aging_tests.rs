use super::*;

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;
const TEN_YEARS_MS: i64 = 3_652 * DAY_MS;

/// A wall clock that is off by something, and what ages by it.
struct World {
    passed_ms: i64,
    off_ms: i64,
    aging: Aging,
}

impl World {
    fn new() -> Self {
        Self { passed_ms: 0, off_ms: 0, aging: Aging::new(0, Duration::ZERO) }
    }

    /// How far the wall clock is from the time to age by, after some time and a jump.
    fn ahead(&mut self, after_ms: i64, jump_ms: i64) -> i64 {
        self.passed_ms += after_ms;
        self.off_ms += jump_ms;
        let passed = Duration::from_millis(self.passed_ms.unsigned_abs());
        self.aging.ahead_ms(self.passed_ms + self.off_ms, passed)
    }
}

#[test]
fn a_clock_that_is_adjusted_is_followed() {
    let mut world = World::new();
    assert_eq!(world.ahead(5_000, 0), 0);
    assert_eq!(world.ahead(5_000, JUMP_MS), 0);
    assert_eq!(world.ahead(5_000, -JUMP_MS), 0);
    assert_eq!(world.ahead(30 * DAY_MS, 0), 0, "nobody has looked for long");
}

#[test]
fn a_jump_is_doubted_for_a_day() {
    let mut world = World::new();
    assert_eq!(world.ahead(5_000, TEN_YEARS_MS), TEN_YEARS_MS);
    assert_eq!(world.ahead(DAY_MS - 1, 0), TEN_YEARS_MS);
    assert_eq!(world.ahead(1, 0), 0, "then it is believed");
    assert_eq!(world.ahead(DAY_MS, 0), 0);
}

#[test]
fn a_short_one_is_doubted_for_as_long_as_it_is() {
    let mut world = World::new();
    assert_eq!(world.ahead(5_000, HOUR_MS), HOUR_MS);
    assert_eq!(world.ahead(HOUR_MS - 1, 0), HOUR_MS);
    assert_eq!(world.ahead(1, 0), 0);
}

#[test]
fn a_clock_that_is_set_right_again_is_believed_at_once() {
    let mut world = World::new();
    assert_eq!(world.ahead(5_000, TEN_YEARS_MS), TEN_YEARS_MS);
    assert_eq!(world.ahead(HOUR_MS, 30_000 - TEN_YEARS_MS), 0);
    assert_eq!(world.ahead(5_000, HOUR_MS), HOUR_MS, "and the next jump is one of its own");
}

#[test]
fn a_jump_back_is_followed_and_its_return_is_doubted() {
    let mut world = World::new();
    assert_eq!(world.ahead(5_000, -TEN_YEARS_MS), 0);
    // What was stamped meanwhile would be ten years old.
    assert_eq!(world.ahead(HOUR_MS, TEN_YEARS_MS), TEN_YEARS_MS);
    assert_eq!(world.ahead(DAY_MS, 0), 0);
}

#[test]
fn a_second_jump_is_doubted_together_with_the_first() {
    let mut world = World::new();
    assert_eq!(world.ahead(5_000, TEN_YEARS_MS), TEN_YEARS_MS);
    assert_eq!(world.ahead(DAY_MS / 2, HOUR_MS), TEN_YEARS_MS + HOUR_MS);
    assert_eq!(world.ahead(DAY_MS / 2, 0), 0);
}

#[test]
fn a_machine_that_sleeps_every_night_grows_older_by_day() {
    let mut world = World::new();
    let mut most_ms = 0;
    for _night in 0..30 {
        world.ahead(8 * HOUR_MS, 0);
        most_ms = most_ms.max(world.ahead(0, 16 * HOUR_MS));
    }
    assert_eq!(most_ms, 2 * 16 * HOUR_MS, "the last two nights");
    assert_eq!(world.ahead(16 * HOUR_MS, 0), 0);
}

#[test]
fn of_very_many_jumps_the_oldest_are_believed() {
    let mut world = World::new();
    for _jump in 0..1_000 {
        world.ahead(1_000, HOUR_MS);
    }
    assert_eq!(world.ahead(1_000, 0), 64 * HOUR_MS);
}

#[test]
fn a_jump_back_takes_the_newest_jumps_along() {
    let mut world = World::new();
    world.ahead(5_000, 20 * HOUR_MS);
    world.ahead(5_000, 3 * HOUR_MS);
    assert_eq!(world.ahead(5_000, -5 * HOUR_MS), 18 * HOUR_MS);
    assert_eq!(world.ahead(18 * HOUR_MS, 0), 18 * HOUR_MS, "doubted for as long as it was when it came");
    assert_eq!(world.ahead(2 * HOUR_MS, 0), 0);
}

#[test]
fn extremes_are_no_overflow() {
    let mut aging = Aging::new(i64::MIN, Duration::ZERO);
    assert_eq!(aging.ahead_ms(i64::MAX, Duration::from_secs(1)), i64::MAX - 1_000);
    assert_eq!(aging.ahead_ms(i64::MIN, Duration::MAX), 0);
}
