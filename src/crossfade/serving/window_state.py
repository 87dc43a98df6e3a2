"""What speed says of each open window: the topic's records applied by their rules.

Within a generation (a checkpoint of speed) the highest (epoch, batch) of a row wins. A younger
generation is taken only once its end offsets passed those of the one in use, which is then given
up for good: neither a dead driver's late write nor a replay after a reset can be seen.
"""

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from crossfade.clock import HOUR_MS
from crossfade.lake import NO_BOUNDARY
from crossfade.serving.completeness import Progress
from crossfade.serving.merge import Names, Span, Totals, merge_totals
from crossfade.serving.rollup import By, WindowRollup
from crossfade.window_log import Marker, WindowRow

HELD_MS = 36 * HOUR_MS
"""Windows further than this behind the newest are forgotten, whoever owns them."""

_POLLS_KEPT = 3_600

TimedRecord = tuple[WindowRow | Marker, int]
"""A record of the topic with its log time."""


class _Generation:
    """What one checkpoint of speed has said."""

    def __init__(self, born_at: int) -> None:
        self.born_at = born_at
        self.windows: dict[int, WindowRollup] = {}
        self.marker: Marker | None = None
        self.late: dict[int, tuple[int, Mapping[int, int]]] = {}
        self.dropped_before: int | None = None

    def take_row(self, row: WindowRow) -> None:
        start = row.key.window_start_ms
        window = self.windows.get(start)
        if window is None:
            window = self.windows[start] = WindowRollup(start)
        window.take(row)

    def take_marker(self, marker: Marker) -> None:
        if marker.dropped and marker.watermark is not None:
            self.dropped_before = max(self.dropped_before or 0, marker.watermark)
        counted = max(marker.late, self.late.get(marker.batch, (0, {}))[0])
        if counted:
            self.late[marker.batch] = (counted, marker.end_offsets)
        if self.marker is None or _order(marker) >= _order(self.marker):
            self.marker = marker

    def has_passed(self, other: "_Generation") -> bool:
        if self.marker is None or other.marker is None:
            return self.marker is not None
        return _reaches(self.marker.end_offsets, other.marker.end_offsets)


class WindowState:
    """Fed by one thread, asked by many; every method takes the lock for a short time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._generations: dict[str, _Generation] = {}
        self._given_up: set[str] = set()
        self._current: str | None = None
        self._is_ready = False
        self._held_from = NO_BOUNDARY
        self._polls: deque[tuple[int, Mapping[int, int]]] = deque(maxlen=_POLLS_KEPT)
        self._reached_at: int | None = None
        self._first_log_time: int | None = None
        self._version = 0
        self._trouble = ""

    @property
    def version(self) -> int:
        """Give a number that rises with every change of a row."""
        return self._version

    def feed(self, records: Iterable[TimedRecord]) -> None:
        """Apply records in the order in which a topic partition holds them."""
        with self._lock:
            self._version += 1
            for record, log_time in records:
                self._take(record, log_time)

    def finish_reading(self) -> None:
        """Say that everything was read that the topic held at the start."""
        with self._lock:
            self._is_ready = True
            self._choose_generation()

    def note_end_offsets(self, at: int, end_offsets: Mapping[int, int]) -> None:
        """Remember where `song-plays` ended at a moment, to know how far behind speed is."""
        with self._lock:
            self._polls.append((at, end_offsets))
            self._trouble = ""
            self._note_reached()

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
            for generation in self._generations.values():
                newest = max(generation.windows, default=boundary)
                oldest = max(boundary, newest - HELD_MS)
                self._held_from = max(self._held_from, oldest)
                for start in [start for start in generation.windows if start < oldest]:
                    del generation.windows[start]
                for batch, (_, ends) in list(generation.late.items()):
                    if _reaches(covered, ends):
                        del generation.late[batch]

    def roll_up(self, by: By, span: Span, country: str | None = None) -> dict[str, Totals]:
        """Give the measures of each key over the windows that begin within a span."""
        with self._lock:
            return merge_totals(window.roll_up(by, country) for window in self._windows(span))

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
        chosen = self._chosen()
        return chosen.marker if chosen else None

    def count_rows(self) -> int:
        """Count the rows held of the generation in use."""
        with self._lock:
            chosen = self._chosen()
            return sum(map(len, chosen.windows.values())) if chosen else 0

    def progress(self, now: int) -> Progress:
        """Say how far speed is."""
        with self._lock:
            chosen = self._chosen()
            marker = chosen.marker if chosen else None
            return Progress(
                is_ready=self._is_ready,
                sent_at=marker.sent_at if marker else None,
                lag_ms=None if self._reached_at is None else max(now - self._reached_at, 0),
                held_from=self._held_from,
                dropped_before=chosen.dropped_before if chosen else None,
                first_log_time=self._first_log_time,
                late_pending=sum(late for late, _ in chosen.late.values()) if chosen else None,
                trouble=self._trouble,
            )

    def _take(self, record: WindowRow | Marker, log_time: int) -> None:
        name = record.generation if isinstance(record, Marker) else record.key.generation
        if name in self._given_up:
            return
        generation = self._generations.get(name)
        if generation is None:
            generation = self._generations[name] = _Generation(log_time)
            self._choose_generation()
        generation.born_at = min(generation.born_at, log_time)
        if isinstance(record, WindowRow):
            generation.take_row(record)
            return
        generation.take_marker(record)
        self._choose_generation()
        self._note_reached()

    def _chosen(self) -> _Generation | None:
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
            if current and self._generations[younger].has_passed(self._generations[current]):
                passed.append(current)
                current = younger
        if current != self._current:
            self._current, self._reached_at = current, None
        if self._is_ready:
            self._given_up.update(passed)
            for name in passed:
                del self._generations[name]

    def _note_reached(self) -> None:
        chosen = self._chosen()
        if chosen is None or chosen.marker is None:
            return
        while self._polls and _reaches(chosen.marker.end_offsets, self._polls[0][1]):
            self._reached_at = self._polls.popleft()[0]


def _order(marker: Marker) -> tuple[int, int, int]:
    return marker.epoch, marker.batch, marker.sent_at


def _reaches(end_offsets: Mapping[int, int], others: Mapping[int, int]) -> bool:
    return all(end_offsets.get(p, 0) >= end for p, end in others.items())
