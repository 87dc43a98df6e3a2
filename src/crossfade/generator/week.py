"""The distribution of listening over the hours of a day, the days of a week, and holidays."""

from collections.abc import Iterable
from itertools import pairwise

HALF_HOURS = 48

WORKDAY = (
    *(22, 14, 9, 7, 7, 12, 28, 55, 72, 74, 72, 73),
    *(76, 77, 78, 82, 90, 100, 104, 102, 98, 92, 74, 44),
)
SATURDAY = (
    *(38, 28, 19, 13, 10, 10, 14, 24, 42, 62, 80, 90),
    *(94, 95, 96, 98, 102, 106, 108, 106, 102, 98, 90, 68),
)
SUNDAY = (
    *(46, 34, 22, 14, 10, 10, 12, 20, 36, 56, 76, 86),
    *(90, 90, 90, 92, 94, 96, 96, 94, 88, 76, 56, 34),
)
"""Relative listening at each full local hour; linear in between."""

_MEAN = 1_000

EVERYWHERE = frozenset({(1, 1)})
_CHRISTMAS = frozenset({(12, 25)})
_SECOND_CHRISTMAS = frozenset({(12, 24), (12, 25), (12, 26)})
_MAY = frozenset({(5, 1)})

HOLIDAYS = {
    **dict.fromkeys(("AR", "AU", "CA", "GB", "IE", "KE", "NG", "NZ", "ZA"), _CHRISTMAS),
    **dict.fromkeys(("AT", "CZ", "DE", "DK", "FI", "NO", "PL", "SE", "SK"), _SECOND_CHRISTMAS),
    **dict.fromkeys(("BE", "CL", "CO", "ES", "IT", "PE", "PH", "PT", "VE"), _CHRISTMAS | _MAY),
    "BR": _CHRISTMAS | _MAY | {(9, 7), (11, 15)},
    "CH": _SECOND_CHRISTMAS | {(8, 1)},
    "CN": _MAY | {(10, 1), (10, 2), (10, 3)},
    "FR": _CHRISTMAS | _MAY | {(7, 14), (11, 11)},
    "IN": frozenset({(1, 26), (8, 15), (10, 2)}),
    "ID": _CHRISTMAS | _MAY | {(8, 17)},
    "JP": frozenset({(1, 2), (1, 3), (2, 11), (5, 3), (5, 4), (5, 5), (11, 3)}),
    "KR": _CHRISTMAS | {(3, 1), (8, 15), (10, 3)},
    "MX": _CHRISTMAS | _MAY | {(9, 16)},
    "NL": _CHRISTMAS | {(4, 27), (12, 26)},
    "RU": _MAY | {(1, 7), (5, 9), (6, 12)},
    "TR": _MAY | {(4, 23), (10, 29)},
    "US": _CHRISTMAS | {(7, 4)},
}
"""Public holidays with a fixed date, (month, day); people listen on them as on a Sunday."""


def holidays_of(country: str) -> frozenset[tuple[int, int]]:
    """Return the holidays of a country, by its code."""
    return EVERYWHERE | HOLIDAYS.get(country, frozenset())


def _half_hours(day: Iterable[int], following: int) -> list[int]:
    hours = [*day, following]
    return [value for now, then in pairwise(hours) for value in (3 * now + then, now + 3 * then)]


def _week() -> tuple[int, ...]:
    """Return the intensity of the week's 336 half hours from Monday on, with a mean of 1,000."""
    days = [WORKDAY] * 5 + [SATURDAY, SUNDAY]
    following = [*days[1:], days[0]]
    shape = [
        value
        for day, then in zip(days, following, strict=True)
        for value in _half_hours(day, then[0])
    ]
    total = sum(shape)
    return tuple(value * _MEAN * len(shape) // total for value in shape)


WEEK = _week()
