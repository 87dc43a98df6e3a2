"""Sums over a span of windows; only keys whose rows changed are summed again."""

from collections.abc import Sequence
from typing import NamedTuple

from datasketches import hll_sketch, hll_union

from crossfade.contract.counting import SKETCH_LG_K
from crossfade.kafka.window_log import Grain
from crossfade.serving.merge import Names, Span, Totals
from crossfade.serving.rollup import By, Sums, WindowRollup

_ZERO = (0, 0, 0)


class Details(NamedTuple):
    """A key's names and its listeners' sketch, computed only for the keys that are shown."""

    names: Names | None
    listeners: bytes


class SpanView:
    """Speed's totals by key over one span of windows; the owner must hold its lock."""

    def __init__(self, by: By, span: Span) -> None:
        self.span = span
        self._by = by
        self._totals: dict[str, Totals] | None = None
        self._details: dict[str, Details] = {}
        self._changed: set[str] = set()

    def note(self, window_start: int, grain: Grain) -> None:
        """Note that a row has changed."""
        if self._totals is not None and self.span[0] <= window_start < self.span[1]:
            self._changed.add(self._by.key_of(grain))

    def roll_up(self, windows: Sequence[WindowRollup]) -> dict[str, Totals]:
        """Return each key's totals over the span's windows."""
        if self._totals is None:
            sums: dict[str, Sums] = {}
            for window in windows:
                window.add_to(sums, self._by)
            self._totals = to_totals(sums)
        for key in self._changed:
            self._totals[key] = _add_up(windows, self._by, key)
            self._details.pop(key, None)
        self._changed.clear()
        return dict(self._totals)

    def describe(self, windows: Sequence[WindowRollup], key: str) -> Details:
        """Return a key's names and listeners as of the last roll-up."""
        details = self._details.get(key)
        if details is None:
            details = self._details[key] = describe(windows, self._by, key)
        return details


def describe(
    windows: Sequence[WindowRollup], by: By, key: str, country: str | None = None
) -> Details:
    """Return a key's newest names and its listeners, only of one country if it is given."""
    names = (window.find_names(key) for window in windows) if by is By.SONG else ()
    union = hll_union(SKETCH_LG_K)
    for window in windows:
        for sketch in window.sketches(by, key, country):
            union.update(hll_sketch.deserialize(sketch))
    shown = max(filter(None, names), default=None)
    return Details(shown, bytes(union.get_result().serialize_compact()))


def to_totals(sums: dict[str, Sums]) -> dict[str, Totals]:
    """Return sums as totals; charted plays are known only of closed days: counted ones here."""
    return {
        key: Totals(counted, counted, plays, ms_played)
        for key, (plays, counted, ms_played) in sums.items()
    }


def _add_up(windows: Sequence[WindowRollup], by: By, key: str) -> Totals:
    plays, counted, ms_played = map(
        sum, zip(_ZERO, *(window.sums_of(by, key) for window in windows), strict=True)
    )
    return Totals(counted, counted, plays, ms_played)
