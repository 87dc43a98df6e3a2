"""Sums over a span of windows, renewed only where a row has changed since they were asked for."""

from collections.abc import Sequence
from typing import NamedTuple

from datasketches import hll_sketch, hll_union

from crossfade.contract.counting import SKETCH_LG_K
from crossfade.kafka.window_log import Grain
from crossfade.serving.merge import Names, Span, Totals
from crossfade.serving.rollup import By, Sums, WindowRollup

_NOTHING = (0, 0, 0)


class Details(NamedTuple):
    """What is told of a few keys only: names, and the listeners' sketch."""

    names: Names | None
    listeners: bytes


class SpanView:
    """What speed says of each key of one kind over one span; not locked, its owner is."""

    def __init__(self, by: By, span: Span) -> None:
        self.span = span
        self._by = by
        self._totals: dict[str, Totals] | None = None
        self._details: dict[str, Details] = {}
        self._changed: set[str] = set()

    def note(self, window_start: int, grain: Grain) -> None:
        """Remember that a row has changed."""
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
        """Return a key's names and listeners, as of the last time it was rolled up."""
        details = self._details.get(key)
        if details is None:
            details = self._details[key] = describe(windows, self._by, key)
        return details


def describe(
    windows: Sequence[WindowRollup], by: By, key: str, country: str | None = None
) -> Details:
    """Return a key's newest names and its listeners, of one country alone if asked for."""
    names = (window.name(key) for window in windows) if by is By.SONG else ()
    union = hll_union(SKETCH_LG_K)
    for window in windows:
        for sketch in window.sketches(by, key, country):
            union.update(hll_sketch.deserialize(sketch))
    shown = max(filter(None, names), default=None)
    return Details(shown, bytes(union.get_result().serialize_compact()))


def to_totals(sums: dict[str, Sums]) -> dict[str, Totals]:
    """Return sums as an answer's; charted plays are known of closed days only: counted ones here."""
    return {
        key: Totals(counted, counted, plays, ms_played)
        for key, (plays, counted, ms_played) in sums.items()
    }


def _add_up(windows: Sequence[WindowRollup], by: By, key: str) -> Totals:
    plays, counted, ms_played = map(
        sum, zip(_NOTHING, *(window.sums_of(by, key) for window in windows), strict=True)
    )
    return Totals(counted, counted, plays, ms_played)
