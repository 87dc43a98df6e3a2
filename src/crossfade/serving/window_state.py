"""What speed says of each open window: the topic's records applied by their rules.

Within a generation (a checkpoint of speed) the highest (epoch, batch) of a row wins. A younger
generation is taken only once its end offsets passed those of the one in use, which is then given
up for good: neither a dead driver's late write nor a replay after a reset can be seen.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from crossfade.clock import HOUR_MS
from crossfade.lake import NO_BOUNDARY
from crossfade.serving.completeness import Progress
from crossfade.serving.generation import Generation, reaches
from crossfade.serving.lag import LagWatch
from crossfade.serving.merge import Names, Span, Totals
from crossfade.serving.rollup import By, Sums, WindowRollup
from crossfade.window_log import Marker, WindowRow

HELD_MS = 36 * HOUR_MS
"""Windows further than this behind the newest are forgotten, whoever owns them."""


class PlacedRecord(NamedTuple):
    """A record of the topic, with its log time and the topic partition that holds it."""

    record: WindowRow | Marker
    log_time: int
    partition: int = 0


class WindowState:
    """Fed by one thread, asked by many; every method takes the lock for a short time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._partitions = 1
        self._generations: dict[str, Generation] = {}
        self._given_up: set[str] = set()
        self._current: str | None = None
        self._is_ready = False
        self._held_from = NO_BOUNDARY
        self._lag = LagWatch()
        self._first_log_time: int | None = None
        self._version = 0
        self._trouble = ""

    @property
    def version(self) -> int:
        """Give a number that rises with every change of a row."""
        return self._version

    def begin_reading(self, partitions: int) -> None:
        """Say how many topic partitions there are: progress is that of the slowest."""
        with self._lock:
            self._partitions = partitions

    def feed(self, records: Iterable[PlacedRecord]) -> None:
        """Apply records in the order in which each topic partition holds them."""
        with self._lock:
            self._version += 1
            for placed in records:
                self._take(placed)

    def finish_reading(self) -> None:
        """Say that everything was read that the topic held at the start."""
        with self._lock:
            self._is_ready = True
            self._choose_generation()

    def note_end_offsets(self, at: int, end_offsets: Mapping[int, int]) -> None:
        """Remember where `song-plays` ended at a moment, to know how far behind speed is."""
        with self._lock:
            self._trouble = ""
            self._lag.note_end_offsets(at, end_offsets)
            self._lag.note_reached(self._marker())

    def note_first_log_time(self, log_time: int) -> None:
        """Remember when the first record of `song-plays` came."""
        self._first_log_time = log_time

    def note_trouble(self, trouble: str) -> None:
        """Say what keeps the reader from reading; empty when nothing does."""
        self._trouble = trouble

    def miss_before(self, window_start: int) -> None:
        """Say that windows which begin earlier may lack rows."""
        with self._lock:
            self._held_from = max(self._held_from, window_start)

    def forget_before(self, boundary: int, covered: Mapping[int, int]) -> None:
        """Forget the windows that batch owns, and the late plays that its run covers."""
        with self._lock:
            self._held_from = max(self._held_from, boundary)
            for generation in self._generations.values():
                generation.forget_before(self._held_from, covered)

    def roll_up(self, by: By, span: Span, country: str | None = None) -> dict[str, Totals]:
        """Give the measures of each key over the windows that begin within a span.

        Charted plays are known of closed days only: here they are the counted ones.
        """
        sums: dict[str, Sums] = {}
        with self._lock:
            for window in self._windows(span):
                if country is None:
                    window.add_to(sums, by)
                else:
                    window.add_country_to(sums, by, country)
        return {
            key: Totals(counted, counted, plays, ms_played)
            for key, (plays, counted, ms_played) in sums.items()
        }

    def name(self, song_id: str, span: Span) -> Names | None:
        """Give the newest names of a song."""
        with self._lock:
            names = (window.name(song_id) for window in self._windows(span))
            return max(filter(None, names), default=None)

    def sketches(self, by: By, key: str, span: Span, country: str | None = None) -> list[bytes]:
        """Give what to unite for the listeners of a key."""
        with self._lock:
            return [
                sketch
                for window in self._windows(span)
                for sketch in window.sketches(by, key, country)
            ]

    def marker(self) -> Marker | None:
        """Give the newest marker of the generation in use."""
        with self._lock:
            return self._marker()

    def count_rows(self) -> int:
        """Count the rows held of the generation in use."""
        with self._lock:
            chosen = self._chosen()
            return sum(map(len, chosen.windows.values())) if chosen else 0

    def progress(self, now: int) -> Progress:
        """Say how far speed is."""
        with self._lock:
            chosen, marker = self._chosen(), self._marker()
            return Progress(
                is_ready=self._is_ready,
                sent_at=marker.sent_at if marker else None,
                lag_ms=self._lag.measure(now),
                held_from=self._held_from,
                dropped_before=chosen.dropped_before if chosen else None,
                first_log_time=self._first_log_time,
                late_pending=sum(late for late, _ in chosen.late.values()) if chosen else None,
                trouble=self._trouble,
            )

    def _take(self, placed: PlacedRecord) -> None:
        record, log_time, partition = placed
        name = record.generation if isinstance(record, Marker) else record.key.generation
        if name in self._given_up:
            return
        generation = self._generations.get(name)
        if generation is None:
            generation = self._generations[name] = Generation(log_time)
            self._choose_generation()
        generation.born_at = min(generation.born_at, log_time)
        if isinstance(record, WindowRow):
            self._take_row(generation, record)
            return
        generation.take_marker(record, partition)
        self._choose_generation()
        self._lag.note_reached(self._marker())

    def _take_row(self, generation: Generation, row: WindowRow) -> None:
        start = row.key.window_start_ms
        if start < self._held_from:
            return
        if start not in generation.windows:
            self._held_from = max(self._held_from, start - HELD_MS)
            generation.forget_before(self._held_from, {})
        generation.take_row(row)

    def _marker(self) -> Marker | None:
        chosen = self._chosen()
        return chosen.marker(self._partitions) if chosen else None

    def _chosen(self) -> Generation | None:
        return self._generations.get(self._current) if self._current else None

    def _windows(self, span: Span) -> Iterator[WindowRollup]:
        chosen = self._chosen()
        windows = chosen.windows if chosen else {}
        return (windows[start] for start in sorted(windows) if span[0] <= start < span[1])

    def _choose_generation(self) -> None:
        """Go from the oldest generation to younger ones, as far as each passed the one before."""
        by_age = sorted(self._generations, key=lambda name: self._generations[name].born_at)
        current = by_age[0] if by_age else None
        passed = []
        for younger in by_age[1:]:
            if current and self._has_passed(younger, current):
                passed.append(current)
                current = younger
        if current != self._current:
            self._current = current
            self._lag.begin_anew()
        if self._is_ready:
            self._given_up.update(passed)
            for name in passed:
                del self._generations[name]

    def _has_passed(self, younger: str, older: str) -> bool:
        """Tell whether the younger has read as far; one that has said nothing is passed at once."""
        mine = self._generations[younger].marker(self._partitions)
        theirs = self._generations[older].marker(self._partitions)
        if mine is None or theirs is None:
            return mine is not None
        return reaches(mine.end_offsets, theirs.end_offsets)
