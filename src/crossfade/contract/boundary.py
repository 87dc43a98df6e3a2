"""The time boundary: how far a run of batch may own time (DESIGN: the time boundary)."""

from collections.abc import Mapping

from crossfade.clock import DAY_MS, floor_to
from crossfade.contract.time_rules import TimeRules

NO_BOUNDARY = -(2**53)
"""C_0: the boundary before any window was handed over, minus infinity for practical purposes."""

RECENT_WINDOWS = 6
"""The windows that trending sums up, the open one included; serving keeps as many of batch's."""


def next_boundary(
    previous: int, log_time: int, next_log_times: Mapping[int, int], *, rules: TimeRules
) -> int:
    """Return C_R = max(C_{R-1}, floor_G(min(L, min over p of N_p) - D - epsilon)).

    Whatever lies beyond the run's end offsets was logged at this minimum or later, but for the
    clock slack. Speed counts a play at most D after it was heard. So no play that speed would count
    can still come for a window that ends at or below the boundary; nothing of speed is asked.

    Args:
        previous: C_{R-1}; the boundary never moves back.
        log_time: L, the log time of a record written after the bronze version was pinned.
        next_log_times: N, asked after L: the log time of the first record at or beyond the end
            offset of each topic partition; absent where there is none.
        rules: grain, lateness and clock slack.
    """
    horizon = min([log_time, *next_log_times.values()])
    if horizon <= NO_BOUNDARY:
        return previous
    return max(previous, rules.boundary_of(horizon))


def windows_kept_from(boundary: int) -> int:
    """Return where gold's windows begin: the midnight before the one at or below the boundary."""
    return floor_to(boundary, DAY_MS) - DAY_MS
