"""Verdicts on hand-overs: speed's last value and batch's count of each window, compared."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from crossfade.lake.handovers import Handover, HandoverVerdict


class WindowFacts(NamedTuple):
    """Facts about a window that a run took over; it counts only plays that speed counts too.

    `repeats` and `reused` are duplicates that speed may have counted as well: copies with the same
    bytes, and other plays under an id that was used before. `differing_rows` are songs of which
    speed has fewer plays, or equally many with other measures. `is_retained` is true if speed's
    topic still holds all of the window's values. `erased` are records of erased listeners, logged
    while the window's plays arrived: speed may have counted them before the erasure.
    """

    run: int
    window_start: int
    speed_plays: int
    batch_plays: int
    repeats: int
    reused: int
    differing_rows: int
    is_retained: bool
    erased: int = 0


@dataclass(frozen=True, slots=True)
class SpeedProgress:
    """How far speed has read, and the end of the windows for which the watermark dropped plays."""

    end_offsets: Mapping[int, int]
    dropped_before: int

    def has_passed(self, end_offsets: Mapping[int, int]) -> bool:
        """Check whether speed has read everything that a run covers."""
        return all(self.end_offsets.get(p, 0) >= end for p, end in end_offsets.items())


def compare_handovers(
    windows: Iterable[WindowFacts],
    progress: SpeedProgress | None,
    *,
    covered: Mapping[int, Mapping[int, int]],
    grain_ms: int,
) -> list[Handover]:
    """Judge every window; one that speed has not reached yet is pending.

    Args:
        windows: the windows that runs took over.
        progress: how far speed has read; None while it has reported nothing.
        covered: the end offsets of each run.
        grain_ms: the length of a window in milliseconds.
    """
    return [
        Handover(
            one.run,
            one.window_start,
            one.speed_plays,
            one.batch_plays,
            one.repeats + one.reused,
            HandoverVerdict.PENDING
            if progress is None or not progress.has_passed(covered[one.run])
            else _judge_window(one, progress, grain_ms),
        )
        for one in windows
    ]


def _judge_window(window: WindowFacts, progress: SpeedProgress, grain_ms: int) -> HandoverVerdict:
    excess = window.speed_plays - window.batch_plays
    if excess == 0 and not window.differing_rows:
        return HandoverVerdict.EQUAL
    if 0 < excess <= window.repeats and not window.differing_rows:
        return HandoverVerdict.REPEAT
    if window.reused and 0 <= excess <= window.repeats + window.reused:
        return HandoverVerdict.REUSED_ID
    copies = window.repeats + window.reused
    rows_may_match = not window.differing_rows or window.reused
    if window.erased and rows_may_match and 0 < excess <= copies + window.erased:
        return HandoverVerdict.ERASED
    window_end = window.window_start + grain_ms
    may_be_short = excess <= window.repeats + window.reused
    if may_be_short and window_end <= progress.dropped_before:
        return HandoverVerdict.WATERMARK_DROP
    if may_be_short and not window.is_retained:
        return HandoverVerdict.NOT_RETAINED
    return HandoverVerdict.UNEXPLAINED
