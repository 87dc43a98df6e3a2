"""What a question is about: its range (a period, from and to, or all time) and its country."""

from dataclasses import dataclass
from datetime import date

from crossfade.clock import day_start_ms, parse_time
from crossfade.contract.countries import COUNTRIES
from crossfade.contract.periods import Period, PeriodKind, parse_period
from crossfade.contract.time_rules import FUTURE_MS, TimeRules
from crossfade.errors import MisuseError

_LAST = day_start_ms(date(9000, 1, 1))


@dataclass(frozen=True, slots=True)
class AskedRange:
    """A half-open range in milliseconds since the epoch; `begin` is 0 for all time."""

    begin: int
    end: int
    period: Period | None = None


@dataclass(frozen=True, slots=True)
class RangeTexts:
    """A range as the user typed it: at most one period, or `since` and `until`."""

    day: str | None = None
    week: str | None = None
    month: str | None = None
    year: str | None = None
    all_time: bool = False
    since: str | None = None
    until: str | None = None


def read_range(texts: RangeTexts, *, now: int, rules: TimeRules) -> AskedRange:
    """Parse a range; all time if nothing is named.

    Raises:
        MisuseError: more than one range was named, or one cannot be parsed.
    """
    named = {kind: getattr(texts, kind) for kind in ("day", "week", "month", "year")}
    periods = {kind: text for kind, text in named.items() if text is not None}
    is_from_to = texts.since is not None or texts.until is not None
    if len(periods) + texts.all_time + is_from_to > 1:
        what = "More than one range was named."
        raise MisuseError(what, "Name one: a day, week, month or year, all time, or from and to.")
    for kind, text in periods.items():
        return _of_period(parse_period(PeriodKind(kind), text))
    newest_end = rules.window_start(now + FUTURE_MS) + rules.grain_ms
    begin = parse_time(texts.since) if texts.since is not None else 0
    end = parse_time(texts.until) if texts.until is not None else newest_end
    if begin < 0 or end > _LAST:
        what = f"{texts.since if begin < 0 else texts.until} is out of range."
        raise MisuseError(what, "Name times from 1970 to 9000, or ask for all time.")
    return AskedRange(begin, end)


def check_country(country: str | None) -> str | None:
    """Return a country's code; None stands for all countries.

    Raises:
        MisuseError: there is no such code.
    """
    if country is not None and country not in COUNTRIES:
        what = f'"{country}" is not a country.'
        raise MisuseError(what, "Write two upper-case letters such as SE; ZZ means unknown.")
    return country


def _of_period(period: Period) -> AskedRange:
    begin = day_start_ms(period.start) if period.start is not None else 0
    return AskedRange(begin, day_start_ms(period.end), period)
