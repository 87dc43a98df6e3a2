"""Speed's last value against batch's count, for each window that batch took over."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from crossfade.lake.handovers import Handover, HandoverVerdict


class WindowFacts(NamedTuple):
    """What is known of a window that a run took over; plays are those that speed counts.

    `repeats` and `reused` are duplicates that speed may have counted as well: copies with the same
    bytes, and other plays under an id that was used before. `differing_rows` are songs of which
    speed has fewer plays, or as many with other measures. `is_retained` says that speed's topic
    still holds all that speed said. `erased` are records of erased listeners that came when the
    window's plays came: speed may have counted them before.
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
    """How far speed has read, and up to which window Spark's watermark made it drop plays."""

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
    """Judge each window; never skip one: what speed has not reached yet is pending.

    Args:
        windows: the windows that runs took over.
        progress: how far speed is; None while it has said nothing at all.
        covered: the end offsets of each run.
        grain_ms: the length of a window.
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
    may_lack_none = not window.differing_rows or window.reused
    if window.erased and may_lack_none and 0 < excess <= copies + window.erased:
        return HandoverVerdict.ERASED
    window_end = window.window_start + grain_ms
    may_be_short = excess <= window.repeats + window.reused
    if may_be_short and window_end <= progress.dropped_before:
        return HandoverVerdict.WATERMARK_DROP
    if may_be_short and not window.is_retained:
        return HandoverVerdict.NOT_RETAINED
    return HandoverVerdict.UNEXPLAINED
