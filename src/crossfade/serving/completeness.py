"""Whether an answer is complete, and why not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from crossfade.clock import DAY_MS, SECOND_MS, format_duration, format_time
from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.contract.time_rules import FUTURE_MS, TimeRules
from crossfade.serving.merge import Plan
from crossfade.serving.speed_generation import LatePlays

FRESH_MS = 10 * SECOND_MS
"""Speed is up to date while its newest marker and its lag are at most this old."""


@dataclass(frozen=True, slots=True)
class SpeedStatus:
    """How far speed is, as far as serving has read it; times in milliseconds since the epoch.

    `lag_ms` is None while unknown. Windows that begin before `held_from` may lack rows.
    `dropped_before` is the greatest watermark at which Spark dropped plays. `first_log_time` is
    that of the first record of `song-plays`, None while there is none. `late` are the late plays
    that batch does not answer yet. With `is_batch_at_end`, batch has read all that Kafka held at
    most `FRESH_MS` ago. `trouble` is the reason why the reader is stopped.
    """

    is_ready: bool = False
    sent_at: int | None = None
    lag_ms: int | None = None
    held_from: int = NO_BOUNDARY
    dropped_before: int | None = None
    first_log_time: int | None = None
    late: Sequence[LatePlays] = ()
    is_batch_at_end: bool = False
    trouble: str = ""

    @property
    def late_pending(self) -> int:
        """Count the late plays that batch does not answer yet."""
        return sum(one.plays for one in self.late)


class TimeContext(NamedTuple):
    """The boundary, the current time and the time rules that an answer is checked against.

    `batch_every_ms` is the interval between runs of batch, None if no schedule is known. `unread`
    is the number of records in Kafka beyond the newest run, None if unknown; it is needed only
    where speed is not read.
    """

    boundary: int
    now: int
    rules: TimeRules
    batch_every_ms: int | None = None
    unread: int | None = None


def explain_incompleteness(plan: Plan, speed: SpeedStatus | None, context: TimeContext) -> str:
    """Return the reasons why an answer may miss plays; empty when it misses none."""
    reasons = _explain_layers(plan, speed, context), _explain_future(plan, context)
    return "; ".join(filter(None, reasons))


def _explain_layers(plan: Plan, speed: SpeedStatus | None, context: TimeContext) -> str:
    if speed is None:
        return _explain_gold_only(plan, context)
    if plan.speed is None and speed.is_batch_at_end:
        return ""
    return (
        _explain_speed(speed, context)
        or _explain_held_windows(plan, speed, context)
        or _explain_late(plan, speed, context)
    )


def _explain_gold_only(plan: Plan, context: TimeContext) -> str:
    if plan.speed is None:
        return _explain_unread(context.unread)
    unknown = f"plays from {format_time(plan.speed[0])} on are unknown"
    since = "no batch run yet" if context.boundary <= NO_BOUNDARY else unknown
    return f"speed is not read here: {since}"


def _explain_unread(unread: int | None) -> str:
    if unread is None:
        return "Kafka is not read here: plays that came after the newest batch run are unknown"
    waits = "1 record in Kafka waits" if unread == 1 else f"{unread:,} records in Kafka wait"
    return f"{waits} for batch, which reads them when it runs" if unread else ""


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
    if plan.speed is None:
        return ""
    owned_from = plan.speed[0]
    if context.boundary <= NO_BOUNDARY and not _reaches_back(speed, owned_from, context):
        return "no batch run yet"
    if owned_from < speed.held_from:
        return f"speed's windows before {format_time(speed.held_from)} are not held"
    dropped = speed.dropped_before
    if dropped is not None and context.boundary < dropped:
        return f"Spark's watermark dropped plays from before {format_time(dropped)}"
    return ""


def _explain_late(plan: Plan, speed: SpeedStatus, context: TimeContext) -> str:
    late = _count_late(speed.late, *plan.span)
    if not late:
        return ""
    waits = "1 late play waits" if late == 1 else f"{late:,} late plays wait"
    when = "when it runs"
    if context.batch_every_ms is not None:
        within = format_duration(context.batch_every_ms)
        when = f"at the next run, at most {within} from now"
    return f"{waits} for batch, which adds them {when}"


def _count_late(late: Sequence[LatePlays], begin: int, end: int) -> int:
    """Count the late plays on the days of a range; at its edges it may take in only parts of days.

    Of its first day, only those count that can be in the range: the present has few late plays.
    """
    first, last = begin // DAY_MS, (end - 1) // DAY_MS
    return sum(
        plays
        for one in late
        if one.newest >= begin
        for day, plays in one.by_day.items()
        if first <= day <= last
    )


def _explain_future(plan: Plan, context: TimeContext) -> str:
    end, rules = plan.span[1], context.rules
    if end <= rules.window_start(context.now + FUTURE_MS) + rules.grain_ms:
        return ""
    return f"the range ends in the future, at {format_time(end)}"


def _reaches_back(speed: SpeedStatus, begin: int, context: TimeContext) -> bool:
    first = speed.first_log_time
    return first is None or begin >= first - context.rules.late_after_ms


def _seconds(length_ms: int) -> str:
    return format_duration(length_ms // SECOND_MS * SECOND_MS)
