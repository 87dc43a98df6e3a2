"""Simulated audiences for tests, and comparison of their plays column by column."""

import numpy as np

from crossfade.clock import DAY_MS
from crossfade.generator.catalogue import Catalogue
from crossfade.generator.model import Audience, Society
from crossfade.generator.plays import Plays, join_plays


def society_of(listeners: int, plays_a_day: float, seed: int = 1, **more: float) -> Society:
    rate = listeners * plays_a_day / 86_400
    return Society(seed, listeners, rate, **more)  # type: ignore[arg-type]


def play(
    society: Society,
    catalogue: Catalogue,
    begin: int,
    length: int = 7 * DAY_MS,
    *,
    is_steady: bool = False,
    step: int | None = None,
) -> Plays:
    """Return the plays of an audience; `step` sets its internal step, which must not matter."""
    audience = Audience(society, catalogue, begin=begin, end=begin + length, is_steady=is_steady)
    if step is not None:
        audience._step = step
    return rest_of(audience)


def rest_of(audience: Audience) -> Plays:
    parts = []
    while (plays := audience.next_plays()) is not None:
        parts.append(plays)
    return join_plays(parts)


def are_same(one: Plays, other: Plays) -> bool:
    pairs = zip(one.columns(), other.columns(), strict=True)
    return all(np.array_equal(mine, yours) for mine, yours in pairs)


def between(plays: Plays, begin: int, end: int) -> Plays:
    return plays.take((plays.event_time >= begin) & (plays.event_time < end))
