"""The alarm over a piece of work that a child dies of again and again, until it is done."""

import time
from collections.abc import Callable, Sequence

_AT_DEATHS = 3
_LOOK_EVERY_S = 1.0


class Alarm:
    """Counts the deaths over each piece of work that was begun and not done.

    A child that dies of one micro-batch lives well in between, since Spark plans the same one
    again at each start: deaths in a row say less than deaths over the same work.
    """

    def __init__(self) -> None:
        self._deaths: dict[str, int] = {}
        self._work = ""
        self._looked_at = 0.0
        self.text = ""
        """What it rings for: the work, how often it failed and why; empty while it is silent."""

    def note_death(self, unfinished: Sequence[str], how: str, said: str) -> None:
        """Learn that the child has died, and what it said last.

        Args:
            unfinished: what it was at; each begins with a name and a comma.
            how: how it ended.
            said: its last words: where they name one, that piece of work is taken as the cause.
        """
        self._deaths = {work: self._deaths.get(work, 0) + 1 for work in unfinished}
        most = [work for work, deaths in self._deaths.items() if deaths >= _AT_DEATHS]
        if not most:
            return
        named = [work for work in most if work.partition(",")[0] in said]
        self._work = (named or most)[0]
        self.text = f"{self._work}: failed {self._deaths[self._work]} times ({how}): {said}"

    def is_over(self, unfinished: Callable[[], Sequence[str]]) -> bool:
        """Tell, once, that the work it rang for is done; asked often, it looks now and then."""
        now = time.monotonic()
        if not self.text or now - self._looked_at < _LOOK_EVERY_S:
            return False
        self._looked_at = now
        if self._work in unfinished():
            return False
        self._deaths, self._work, self.text = {}, "", ""
        return True
