"""Exactly once when the power of the broker's disk is cut: what was committed stays committed, what was not does not appear."""
from exactly_once import HISTORY_SECONDS, at_random, one_after_the_other
from harness import case, main

FAULTS = ["cut_power", "kill_copiers", "cut_power_twice"]


@case
def exactly_once_over_power_cuts():
    one_after_the_other(FAULTS)


if HISTORY_SECONDS:

    @case
    def exactly_once_over_power_cuts_for_a_long_time():
        at_random([*FAULTS, "kill_writers", "zombies", "kill_broker", "restart_broker"])


main()
