"""Whether a child still answers: asked in a thread, since what hangs keeps the asker waiting."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from crossfade.errors import CrossfadeError

_EVERY_S = 2.0
_LONGEST_LOOK_S = 5.0
"""How much of one look's time counts as silence at most: a machine that slept, or a supervisor
that was stopped, says nothing about its children."""


def beats(path: Path) -> Callable[[], bool]:
    """Return the question whether a heartbeat file was touched since it was last asked."""
    known = [_touched_at(path)]

    def is_beating() -> bool:
        before, known[0] = known[0], _touched_at(path)
        return known[0] != before

    return is_beating


class Pulse:
    """Asks one child again and again whether it is alive, from its first yes on."""

    def __init__(self, is_alive: Callable[[], bool], *, every_s: float = _EVERY_S) -> None:
        """Name the question: it may raise our errors, and take as long as it likes."""
        self._is_alive = is_alive
        self._every_s = every_s
        self._ended = threading.Event()
        self._silent_s: float | None = None
        self._has_answered = False
        self._looked_at = time.monotonic()
        threading.Thread(target=self._ask, name="pulse", daemon=True).start()

    def look(self) -> float:
        """Return for how many seconds there has been no yes; 0 before the first.

        Called often: time that passed between two looks counts only as far as it is short.
        """
        now = time.monotonic()
        passed, self._looked_at = now - self._looked_at, now
        if self._has_answered:
            self._has_answered, self._silent_s = False, 0.0
        elif self._silent_s is not None:
            self._silent_s += min(passed, _LONGEST_LOOK_S)
        return self._silent_s or 0.0

    def end(self) -> None:
        """Ask no more."""
        self._ended.set()

    def _ask(self) -> None:
        while not self._ended.is_set():
            with suppress(CrossfadeError, OSError):
                if self._is_alive():
                    self._has_answered = True
            self._ended.wait(self._every_s)


def _touched_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
