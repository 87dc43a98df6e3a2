"""Speed's open windows, built from the records of `plays-by-window`.

Within a generation (a checkpoint of speed) the highest (epoch, batch) of a row wins. A younger
generation is used only once its end offsets have reached those of the one in use, which is then
dropped permanently: neither a dead driver's late write nor a replay after a reset is visible.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from crossfade.clock import HOUR_MS
from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.kafka.window_log import Marker, WindowRow
from crossfade.serving.completeness import FRESH_MS, SpeedStatus
from crossfade.serving.lag import LagMeter
from crossfade.serving.merge import Span, Totals
from crossfade.serving.rollup import By, Sums, WindowRollup
from crossfade.serving.span_view import Details, SpanView, describe, to_totals
from crossfade.serving.speed_generation import SpeedGeneration, reaches

HELD_MS = 36 * HOUR_MS
"""Windows further than this behind the newest are forgotten, whichever layer owns them."""

_VIEWS_KEPT = 4
_NOTHING: Mapping[int, int] = MappingProxyType({})


class PlacedRecord(NamedTuple):
    """A record of the topic, its log time and its topic partition."""

    record: WindowRow | Marker
    log_time: int
    partition: int = 0


class WindowState:
    """Thread-safe: one thread feeds it, requests read it; methods hold the lock only briefly."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._partitions = 1
        self._generations: dict[str, SpeedGeneration] = {}
        self._superseded: set[str] = set()
        self._current: str | None = None
        self._is_ready = False
        self._held_from = NO_BOUNDARY
        self._lag = LagMeter()
        self._views: dict[tuple[By, Span], SpanView] = {}
        self._first_log_time: int | None = None
        self._end_offsets: tuple[int, Mapping[int, int]] | None = None
        self._version = 0
        self._trouble = ""

    @property
    def version(self) -> int:
        """Return a number that increases whenever rows may have changed."""
        return self._version

    def begin_reading(self, partitions: int) -> None:
        """Set the number of topic partitions; progress is that of the slowest."""
        with self._lock:
            self._partitions = partitions

    def feed(self, records: Iterable[PlacedRecord]) -> None:
        """Apply records in the order in which each topic partition holds them."""
        with self._lock:
            self._version += 1
            for placed in records:
                self._apply(placed)

    def finish_reading(self) -> None:
        """Mark the state as ready: everything that the topic held at the start was read."""
        with self._lock:
            self._is_ready = True
            self._choose_generation()

    def note_end_offsets(self, at: int, end_offsets: Mapping[int, int]) -> None:
        """Keep the end offsets of `song-plays` at a time, to see how far both layers are."""
        with self._lock:
            self._trouble = ""
            self._end_offsets = at, end_offsets
            self._lag.note_end_offsets(at, end_offsets)
            self._lag.note_reached(self._marker())

    def note_first_log_time(self, log_time: int) -> None:
        """Keep the log time of the first record of `song-plays`."""
        self._first_log_time = log_time

    def note_trouble(self, trouble: str) -> None:
        """Keep the reason why the reader cannot read; empty if it can."""
        self._trouble = trouble

    def mark_incomplete_before(self, window_start: int) -> None:
        """Mark windows that begin earlier as possibly lacking rows."""
        with self._lock:
            self._held_from = max(self._held_from, window_start)

    def forget_before(self, boundary: int, covered: Mapping[int, int]) -> None:
        """Forget windows before the boundary, and the late plays that batch answers."""
        with self._lock:
            self._held_from = max(self._held_from, boundary)
            for generation in self._generations.values():
                generation.forget_windows(self._held_from)
                generation.forget_late(boundary, covered)
            self._forget_views()

    def roll_up(self, by: By, span: Span, country: str | None = None) -> dict[str, Totals]:
        """Return each key's measures over the windows that begin within a span."""
        with self._lock:
            windows = self._windows(span)
            if country is None:
                return self._view(by, span).roll_up(windows)
            sums: dict[str, Sums] = {}
            for window in windows:
                window.add_country_to(sums, by, country)
        return to_totals(sums)

    def describe(
        self, by: By, keys: Iterable[str], span: Span, country: str | None = None
    ) -> dict[str, Details]:
        """Return the names and listeners of some keys."""
        with self._lock:
            windows = self._windows(span)
            if country is not None and by is not By.COUNTRY:
                return {key: describe(windows, by, key, country) for key in keys}
            view = self._view(by, span)
            return {key: view.describe(windows, key) for key in keys}

    def count_spellings(
        self, counts: Mapping[str, Counter[str]], span: Span, country: str | None = None
    ) -> None:
        """Add the plays of each spelling of some artists, by key."""
        with self._lock:
            for window in self._windows(span):
                for key, spellings in counts.items():
                    window.count_spellings(spellings, key, country)

    def marker(self) -> Marker | None:
        """Return the newest marker of the generation in use."""
        with self._lock:
            return self._marker()

    def count_rows(self) -> int:
        """Count the rows held of the generation in use."""
        with self._lock:
            chosen = self._chosen()
            return sum(map(len, chosen.windows.values())) if chosen else 0

    def status(
        self,
        now: int,
        *,
        boundary: int = NO_BOUNDARY,
        covered: Mapping[int, int] = _NOTHING,
    ) -> SpeedStatus:
        """Return how far speed is, and what a run of batch with these end offsets lacks."""
        with self._lock:
            chosen, marker = self._chosen(), self._marker()
            held = chosen.late.values() if chosen else ()
            polled_at, ends = self._end_offsets or (NO_BOUNDARY, {})
            return SpeedStatus(
                is_ready=self._is_ready,
                sent_at=marker.sent_at if marker else None,
                lag_ms=self._lag.measure(now),
                held_from=max(self._held_from, chosen.windows_from if chosen else NO_BOUNDARY),
                dropped_before=chosen.dropped_before if chosen else None,
                first_log_time=self._first_log_time,
                late=[one for one in held if not one.is_answered(boundary, covered)],
                is_batch_at_end=now - polled_at <= FRESH_MS and reaches(covered, ends),
                trouble=self._trouble,
            )

    def _apply(self, placed: PlacedRecord) -> None:
        record, log_time, partition = placed
        name = record.generation if isinstance(record, Marker) else record.key.generation
        if name in self._superseded:
            return
        generation = self._generations.get(name)
        if generation is None:
            generation = self._generations[name] = SpeedGeneration(log_time)
            self._choose_generation()
        generation.born_at = min(generation.born_at, log_time)
        if isinstance(record, WindowRow):
            self._apply_row(generation, record)
            return
        generation.apply_marker(record, partition)
        self._choose_generation()
        self._lag.note_reached(self._marker())

    def _apply_row(self, generation: SpeedGeneration, row: WindowRow) -> None:
        start = row.key.window_start_ms
        if start < self._held_from:
            return
        if start not in generation.windows:
            self._held_from = max(self._held_from, start - HELD_MS)
            generation.forget_windows(self._held_from)
            self._forget_views()
        if generation.apply_row(row) and generation is self._chosen():
            for view in self._views.values():
                view.note(start, row.key.grain)

    def _marker(self) -> Marker | None:
        chosen = self._chosen()
        return chosen.marker(self._partitions) if chosen else None

    def _chosen(self) -> SpeedGeneration | None:
        return self._generations.get(self._current) if self._current else None

    def _windows(self, span: Span) -> list[WindowRollup]:
        chosen = self._chosen()
        windows = chosen.windows if chosen else {}
        return [windows[start] for start in sorted(windows) if span[0] <= start < span[1]]

    def _view(self, by: By, span: Span) -> SpanView:
        view = self._views.pop((by, span), None) or SpanView(by, span)
        self._views[by, span] = view
        if len(self._views) > _VIEWS_KEPT:
            del self._views[next(iter(self._views))]
        return view

    def _forget_views(self) -> None:
        """Forget the views whose windows are no longer all held."""
        self._views = {
            key: view for key, view in self._views.items() if view.span[0] >= self._held_from
        }

    def _choose_generation(self) -> None:
        """Start at the oldest generation and step to each younger one that has passed it."""
        by_age = sorted(self._generations, key=lambda name: self._generations[name].born_at)
        current = by_age[0] if by_age else None
        passed = []
        for younger in by_age[1:]:
            if current and self._has_passed(younger, current):
                passed.append(current)
                current = younger
        if current != self._current:
            self._current = current
            self._views = {}
            self._lag.reset()
        if self._is_ready:
            self._superseded.update(passed)
            for name in passed:
                del self._generations[name]

    def _has_passed(self, younger: str, older: str) -> bool:
        """Check whether the younger has read as far; one without a marker counts as passed."""
        mine = self._generations[younger].marker(self._partitions)
        theirs = self._generations[older].marker(self._partitions)
        if mine is None or theirs is None:
            return mine is not None
        return reaches(mine.end_offsets, theirs.end_offsets)
