"""The merge of both layers: which layer answers which part of a range, and how rows combine.

Batch owns every window that ends at or below the time boundary, speed every other one, so no
window is counted twice. Counts add, sketches of listeners unite, the newest names are shown.
"""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from datasketches import hll_sketch, hll_union

from crossfade.clock import DAY_MS, floor_to, format_duration, format_time
from crossfade.contract.boundary import windows_kept_from
from crossfade.contract.counting import SKETCH_LG_K
from crossfade.errors import MisuseError

Span = tuple[int, int]
"""A half-open range of milliseconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The parts of a range: batch's whole days, batch's windows beside them, speed's windows.

    `days` and `windows` lie below the boundary, `speed` at it and above. Together they cover the
    range without overlap.
    """

    days: Span | None
    windows: tuple[Span, ...]
    speed: Span | None

    @property
    def span(self) -> Span:
        """Return the whole range."""
        parts = [part for part in (self.days, *self.windows, self.speed) if part is not None]
        return min(begin for begin, _ in parts), max(end for _, end in parts)

    @property
    def is_provisional(self) -> bool:
        """Check whether a part is not of closed days: charted plays are known only of those."""
        return bool(self.windows) or self.speed is not None


class Names(NamedTuple):
    """A song's names in some of its plays; of several, the greatest tuple is shown."""

    day: date
    plays: int
    title: str
    artist: str


class Totals(NamedTuple):
    """The measures of a song, artist or country; outside closed days, charted = counted plays."""

    charted_plays: int
    counted_plays: int
    plays: int
    ms_played: int
    names: Names | None = None

    def plus(self, other: "Totals") -> "Totals":
        """Add the measures of another part of the range."""
        return Totals(
            self.charted_plays + other.charted_plays,
            self.counted_plays + other.counted_plays,
            self.plays + other.plays,
            self.ms_played + other.ms_played,
            max(filter(None, (self.names, other.names)), default=None),
        )


def plan_range(begin: int, end: int, *, boundary: int, grain_ms: int) -> Plan:
    """Divide [begin, end) between the layers.

    Raises:
        MisuseError: the range is empty, or an edge lies inside a window, or inside a day whose
            windows gold no longer has.
    """
    if begin >= end:
        what = f"The range from {format_time(begin)} to {format_time(end)} is empty."
        raise MisuseError(what, "Name an end after its beginning.")
    for edge in (begin, end):
        _refuse_edge(edge, boundary, grain_ms)
    owned = min(max(boundary, begin), end)
    first_day, last_day = -floor_to(-begin, DAY_MS), floor_to(owned, DAY_MS)
    days = (first_day, last_day) if first_day < last_day else None
    beside = [(begin, first_day), (last_day, owned)] if days else [(begin, owned)]
    return Plan(
        days=days,
        windows=tuple((since, until) for since, until in beside if since < until),
        speed=(owned, end) if owned < end else None,
    )


def merge_totals(parts: Iterable[Mapping[str, Totals]]) -> dict[str, Totals]:
    """Add up each key's totals over the parts of a range."""
    merged: dict[str, Totals] = {}
    for part in parts:
        if not merged:
            merged = dict(part)
            continue
        for key, totals in part.items():
            known = merged.get(key)
            merged[key] = totals if known is None else known.plus(totals)
    return merged


def rank(totals: Mapping[str, Totals], limit: int) -> list[tuple[str, Totals]]:
    """Return the first keys by charted, counted and all plays, then time heard, then key."""
    # Most keys are far from the top: leave them out by one number before whole tuples are sorted.
    best = heapq.nlargest(limit, [one.charted_plays for one in totals.values()])
    least = best[-1] if best else 0
    near = [entry for entry in totals.items() if entry[1].charted_plays >= least]
    return sorted(near, key=_place)[:limit]


def estimate_listeners(sketches: Iterable[bytes]) -> int:
    """Unite sketches, Spark's or ours, and estimate their number of distinct listeners.

    The order of the sketches does not matter: a union that is united with its own result drops its
    running estimate, which depends on the order, and estimates from its registers.
    """
    union = hll_union(SKETCH_LG_K)
    for sketch in sketches:
        union.update(hll_sketch.deserialize(sketch))
    union.update(union.get_result())
    return round(union.get_estimate())


def _place(entry: tuple[str, Totals]) -> tuple[int, int, int, int, str]:
    key, totals = entry
    measures = totals[:4]
    return -measures[0], -measures[1], -measures[2], -measures[3], key


def _refuse_edge(edge: int, boundary: int, grain_ms: int) -> None:
    if edge % grain_ms:
        nearest = floor_to(edge + grain_ms // 2, grain_ms)
        what = f"{format_time(edge)} lies inside a window of {format_duration(grain_ms)}."
        raise MisuseError(what, f"The nearest edge is {format_time(nearest)}.")
    if edge % DAY_MS and edge < windows_kept_from(boundary):
        nearest = floor_to(edge + DAY_MS // 2, DAY_MS)
        what = f"{format_time(edge)} lies inside a day that is kept only as a whole."
        raise MisuseError(what, f"The nearest midnight is {format_time(nearest)}.")
