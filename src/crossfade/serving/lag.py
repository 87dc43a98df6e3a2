"""How far speed lags, in time: measured by where `song-plays` ended at known moments."""

from collections import deque
from collections.abc import Mapping

from crossfade.kafka.window_log import Marker
from crossfade.serving.speed_generation import reaches

_POLLS_KEPT = 3_600


class LagWatch:
    """Remembers end offsets with their moments until speed has read as far."""

    def __init__(self) -> None:
        self._polls: deque[tuple[int, Mapping[int, int]]] = deque(maxlen=_POLLS_KEPT)
        self._reached_at: int | None = None

    def note_end_offsets(self, at: int, end_offsets: Mapping[int, int]) -> None:
        """Remember where the topic ended at a moment."""
        self._polls.append((at, end_offsets))

    def note_reached(self, marker: Marker | None) -> None:
        """Take the newest moment at which the topic ended no further than speed has read."""
        while marker and self._polls and reaches(marker.end_offsets, self._polls[0][1]):
            self._reached_at = self._polls.popleft()[0]

    def begin_anew(self) -> None:
        """Forget what was reached: another generation of speed is listened to."""
        self._reached_at = None

    def measure(self, now: int) -> int | None:
        """Return the lag in milliseconds; None while no remembered moment was reached."""
        return None if self._reached_at is None else max(now - self._reached_at, 0)
