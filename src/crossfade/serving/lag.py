"""Speed's lag as a time, measured from the end offsets of `song-plays` at known times."""

from collections import deque
from collections.abc import Mapping

from crossfade.kafka.window_log import Marker
from crossfade.serving.speed_generation import reaches

_POLLS_KEPT = 3_600


class LagMeter:
    """Keeps end offsets and the times of their polls until speed has read as far."""

    def __init__(self) -> None:
        self._polls: deque[tuple[int, Mapping[int, int]]] = deque(maxlen=_POLLS_KEPT)
        self._reached_at: int | None = None

    def note_end_offsets(self, at: int, end_offsets: Mapping[int, int]) -> None:
        """Keep the topic's end offsets at a time."""
        self._polls.append((at, end_offsets))

    def note_reached(self, marker: Marker | None) -> None:
        """Drop the polls that speed has caught up with, and keep the time of the newest."""
        while marker and self._polls and reaches(marker.end_offsets, self._polls[0][1]):
            self._reached_at = self._polls.popleft()[0]

    def reset(self) -> None:
        """Forget how far speed was: another generation of it is in use."""
        self._reached_at = None

    def measure(self, now: int) -> int | None:
        """Return the lag in milliseconds; None until speed has caught up with a poll."""
        return None if self._reached_at is None else max(now - self._reached_at, 0)
