"""The time boundary up to which batch answers.

See docs/adr/0003-boundary-needs-nothing-from-speed.md.
"""

from collections.abc import Mapping

from crossfade.clock import DAY_MS, floor_to
from crossfade.contract.time_rules import TimeRules

NO_BOUNDARY = -(2**53)
"""C_0: the boundary before the first hand-over; stands for minus infinity."""

RECENT_WINDOWS = 6
"""The number of windows that trending adds up, the open one included."""


def next_boundary(
    previous: int, log_time: int, next_log_times: Mapping[int, int], *, rules: TimeRules
) -> int:
    """Return C_R = max(C_{R-1}, floor_G(min(L, min over p of N_p) - D - epsilon)).

    Every record beyond the run's end offsets was logged at this minimum or later, except for the
    clock slack. Speed counts a play only if it was logged at most D after its event time. So no
    play that speed would count can still arrive for a window that ends at or below the boundary.

    Args:
        previous: C_{R-1}; the boundary never decreases.
        log_time: L, the log time of a record written after the bronze version was pinned.
        next_log_times: N, read after L: for each topic partition, the log time of the first
            record at or beyond its end offset; a partition without such a record is left out.
        rules: grain, lateness and clock slack.
    """
    horizon = min([log_time, *next_log_times.values()])
    if horizon <= NO_BOUNDARY:
        return previous
    return max(previous, rules.boundary_of(horizon))


def windows_kept_from(boundary: int) -> int:
    """Return the start of gold's windows: the UTC midnight one day before the boundary's day."""
    return floor_to(boundary, DAY_MS) - DAY_MS
