"""Whether an answer misses anything, and if so, why: never a number without that."""

from dataclasses import dataclass
from typing import NamedTuple

from crossfade.clock import SECOND_MS, format_duration, format_time
from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.contract.time_rules import TimeRules
from crossfade.serving.merge import Plan

FRESH_MS = 10 * SECOND_MS
"""Speed counts as up to date while its newest marker and its lag are at most this old."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far speed is, as seen by this reader; times in milliseconds since the epoch.

    `lag_ms` is None while unknown. Windows that begin before `held_from` may lack rows.
    `dropped_before` is the greatest watermark at which Spark dropped plays. `first_log_time` is
    that of the first record of `song-plays`, None while there is none. `late_pending` counts plays
    that batch alone will count and has not yet.
    """

    is_ready: bool = False
    sent_at: int | None = None
    lag_ms: int | None = None
    held_from: int = NO_BOUNDARY
    dropped_before: int | None = None
    first_log_time: int | None = None
    late_pending: int | None = None
    trouble: str = ""


class Moment(NamedTuple):
    """What an answer is judged against: the boundary and the present."""

    boundary: int
    now: int
    rules: TimeRules


def say_why_incomplete(plan: Plan, progress: Progress | None, moment: Moment) -> str:
    """Return the first reason why an answer may miss plays; empty when it misses none."""
    if plan.speed is None:
        return ""
    if progress is None:
        unknown = f"what happened from {_since(plan)} on is unknown"
        since = "no batch run yet" if moment.boundary <= NO_BOUNDARY else unknown
        return f"speed is not read here: {since}"
    return _judge_speed(progress, moment) or _judge_holdings(plan, progress, moment)


def _judge_speed(progress: Progress, moment: Moment) -> str:
    if not progress.is_ready:
        return progress.trouble or "serving is still reading plays-by-window"
    if progress.sent_at is None:
        return "speed has not started yet"
    age = moment.now - progress.sent_at
    if age > FRESH_MS:
        return progress.trouble or f"speed was last heard of {_seconds(age)} ago"
    if progress.lag_ms is None:
        return progress.trouble or "how far speed lags is unknown"
    if progress.lag_ms > FRESH_MS:
        return f"speed lags by {_seconds(progress.lag_ms)}"
    return ""


def _judge_holdings(plan: Plan, progress: Progress, moment: Moment) -> str:
    owned_from = plan.speed[0] if plan.speed else moment.boundary
    if moment.boundary <= NO_BOUNDARY and not _reaches_back(progress, owned_from, moment):
        return "no batch run yet"
    if owned_from < progress.held_from:
        return f"speed's windows are held from {format_time(progress.held_from)} on only"
    dropped = progress.dropped_before
    if dropped is not None and moment.boundary < dropped:
        return f"Spark's watermark dropped plays from before {format_time(dropped)}"
    return ""


def _reaches_back(progress: Progress, begin: int, moment: Moment) -> bool:
    first = progress.first_log_time
    return first is None or begin >= first - moment.rules.late_after_ms


def _since(plan: Plan) -> str:
    return format_time(plan.speed[0]) if plan.speed else ""


def _seconds(length_ms: int) -> str:
    return format_duration(length_ms // SECOND_MS * SECOND_MS)
