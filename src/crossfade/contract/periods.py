"""The periods that charts are made for, as half-open ranges of UTC dates."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from crossfade.contract.counting import CHART_WEEK_STARTS
from crossfade.errors import MisuseError

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_EXAMPLES = {"day": "2019-06-01", "week": "2019-06-28", "month": "2019-06", "year": "2019"}


class PeriodKind(StrEnum):
    """The kinds of period, by length."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Period:
    """The days from `start` (None: no lower limit) up to, but not including, `end`."""

    kind: PeriodKind
    start: date | None
    end: date

    @property
    def name(self) -> str:
        """Return the period as users type it: 2019-06-01, 2019-06, 2019; "all" for all time."""
        if self.start is None:
            return "all"
        if self.kind is PeriodKind.MONTH:
            return f"{self.start:%Y-%m}"
        if self.kind is PeriodKind.YEAR:
            return f"{self.start:%Y}"
        return self.start.isoformat()

    def holds(self, day: date) -> bool:
        """Check whether the period contains a day."""
        return (self.start is None or self.start <= day) and day < self.end

    def is_closed(self, before: date) -> bool:
        """Check whether every day of the period is before a date."""
        return self.end <= before


def period_holding(kind: PeriodKind | str, day: date) -> Period:
    """Return the period of a kind that contains a day; all time ends with that day."""
    kind = PeriodKind(kind)
    if kind is PeriodKind.DAY:
        return Period(kind, day, day + _DAY)
    if kind is PeriodKind.WEEK:
        start = day - timedelta(days=(day.weekday() - CHART_WEEK_STARTS) % 7)
        return Period(kind, start, start + _WEEK)
    if kind is PeriodKind.MONTH:
        start = day.replace(day=1)
        return Period(kind, start, (start + timedelta(days=32)).replace(day=1))
    if kind is PeriodKind.YEAR:
        start = day.replace(month=1, day=1)
        return Period(kind, start, start.replace(year=start.year + 1))
    return Period(kind, None, day + _DAY)


def parse_period(kind: PeriodKind | str, text: str) -> Period:
    """Parse a period as users type it: its first day, its month or its year.

    Raises:
        MisuseError: the text is not a period of this kind, or a week does not begin on a Friday.
    """
    kind = PeriodKind(kind)
    day = _first_day(kind, text)
    if day is None:
        what = f'"{text}" is not a period of the kind "{kind}".'
        raise MisuseError(what, f"Write it as {_EXAMPLES.get(kind, _EXAMPLES['day'])}.")
    period = period_holding(kind, day)
    if period.start != day:
        friday = period.end if period.end - day <= _WEEK / 2 else period.end - _WEEK
        what = f"A chart week begins on a Friday, but {text} is a {day:%A}."
        raise MisuseError(what, f"The nearest Friday is {friday}.")
    return period


def _first_day(kind: PeriodKind, text: str) -> date | None:
    suffix = {PeriodKind.MONTH: "-01", PeriodKind.YEAR: "-01-01"}.get(kind, "")
    if len(text) != len(_EXAMPLES.get(kind, "")):
        return None
    try:
        day = date.fromisoformat(text + suffix)
    except ValueError:
        return None
    is_canonical = day.isoformat() == text + suffix and day.year < date.max.year
    return day if is_canonical else None
