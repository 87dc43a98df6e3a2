"""The liveness probe of a child, asked in a thread because the answer of a hung child blocks."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from crossfade.errors import CrossfadeError

_EVERY_S = 2.0
_MAX_STEP_S = 5.0
"""The most that one call of `silent_s` adds. When the machine slept or the supervisor was stopped,
the time that passed says nothing about the child."""


def heartbeat_check(path: Path) -> Callable[[], bool]:
    """Return a check for whether a heartbeat file was touched since the check's last call."""
    known = [_touched_at(path)]

    def is_beating() -> bool:
        before, known[0] = known[0], _touched_at(path)
        return known[0] != before

    return is_beating


class LivenessProbe:
    """Asks one child repeatedly whether it is alive; silence counts after its first yes."""

    def __init__(self, is_alive: Callable[[], bool], *, every_s: float = _EVERY_S) -> None:
        """Start asking; the check may raise our errors and may block."""
        self._is_alive = is_alive
        self._every_s = every_s
        self._ended = threading.Event()
        self._silent_s: float | None = None
        self._has_answered = False
        self._called_at = time.monotonic()
        threading.Thread(target=self._ask, name="liveness probe", daemon=True).start()

    def silent_s(self) -> float:
        """Return the seconds since the last yes; 0 before the first one.

        Call it often: between two calls, at most a few seconds count.
        """
        now = time.monotonic()
        passed, self._called_at = now - self._called_at, now
        if self._has_answered:
            self._has_answered, self._silent_s = False, 0.0
        elif self._silent_s is not None:
            self._silent_s += min(passed, _MAX_STEP_S)
        return self._silent_s or 0.0

    def end(self) -> None:
        """Stop asking."""
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
