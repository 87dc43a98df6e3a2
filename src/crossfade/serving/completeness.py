"""Whether an answer is complete, and why not."""

from dataclasses import dataclass
from typing import NamedTuple

from crossfade.clock import SECOND_MS, format_duration, format_time
from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.contract.time_rules import TimeRules
from crossfade.serving.merge import Plan

FRESH_MS = 10 * SECOND_MS
"""Speed is up to date while its newest marker and its lag are at most this old."""


@dataclass(frozen=True, slots=True)
class SpeedStatus:
    """How far speed is, as far as serving has read it; times in milliseconds since the epoch.

    `lag_ms` is None while unknown. Windows that begin before `held_from` may lack rows.
    `dropped_before` is the greatest watermark at which Spark dropped plays. `first_log_time` is
    that of the first record of `song-plays`, None while there is none. `late_pending` counts late
    plays that batch has not counted yet. `trouble` is the reason why the reader is stopped.
    """

    is_ready: bool = False
    sent_at: int | None = None
    lag_ms: int | None = None
    held_from: int = NO_BOUNDARY
    dropped_before: int | None = None
    first_log_time: int | None = None
    late_pending: int | None = None
    trouble: str = ""


class TimeContext(NamedTuple):
    """The boundary, the current time and the time rules that an answer is checked against."""

    boundary: int
    now: int
    rules: TimeRules


def explain_incompleteness(plan: Plan, speed: SpeedStatus | None, context: TimeContext) -> str:
    """Return the first reason why an answer may miss plays; empty when it misses none."""
    if plan.speed is None:
        return ""
    if speed is None:
        begin = format_time(plan.speed[0]) if plan.speed else ""
        unknown = f"plays from {begin} on are unknown"
        since = "no batch run yet" if context.boundary <= NO_BOUNDARY else unknown
        return f"speed is not read here: {since}"
    return _explain_speed(speed, context) or _explain_held_windows(plan, speed, context)


def _explain_speed(speed: SpeedStatus, context: TimeContext) -> str:
    if not speed.is_ready:
        return speed.trouble or "serving is still reading plays-by-window"
    if speed.sent_at is None:
        return "speed has not started yet"
    age = context.now - speed.sent_at
    if age > FRESH_MS:
        return speed.trouble or f"speed last reported {_seconds(age)} ago"
    if speed.lag_ms is None:
        return speed.trouble or "how far speed lags is unknown"
    if speed.lag_ms > FRESH_MS:
        return f"speed lags by {_seconds(speed.lag_ms)}"
    return ""


def _explain_held_windows(plan: Plan, speed: SpeedStatus, context: TimeContext) -> str:
    owned_from = plan.speed[0] if plan.speed else context.boundary
    if context.boundary <= NO_BOUNDARY and not _reaches_back(speed, owned_from, context):
        return "no batch run yet"
    if owned_from < speed.held_from:
        return f"speed's windows before {format_time(speed.held_from)} are not held"
    dropped = speed.dropped_before
    if dropped is not None and context.boundary < dropped:
        return f"Spark's watermark dropped plays from before {format_time(dropped)}"
    return ""


def _reaches_back(speed: SpeedStatus, begin: int, context: TimeContext) -> bool:
    first = speed.first_log_time
    return first is None or begin >= first - context.rules.late_after_ms


def _seconds(length_ms: int) -> str:
    return format_duration(length_ms // SECOND_MS * SECOND_MS)
