"""The alarm for a child that fails repeatedly while it does the same piece of work."""

import time
from collections.abc import Callable, Sequence

_AT_FAILURES = 3
_CHECK_EVERY_S = 1.0


class Alarm:
    """Counts the failures of a child for each piece of unfinished work.

    A child that fails on one micro-batch runs well for a while after each start, because Spark
    plans the same micro-batch again. So failures in a row say less than failures at the same work.
    """

    def __init__(self) -> None:
        self._failures: dict[str, int] = {}
        self._work = ""
        self._checked_at = 0.0
        self.text = ""
        """The work that fails, how often it failed and why; empty while there is no alarm."""

    def record_failure(self, unfinished: Sequence[str], how: str, said: str) -> None:
        """Record that the child failed, and raise the alarm at the third failure at one work.

        Args:
            unfinished: the unfinished pieces of work; each begins with a name and a comma.
            how: how the child ended.
            said: the last line of its log. If it names a piece of work, that one is the cause.
        """
        self._failures = {work: self._failures.get(work, 0) + 1 for work in unfinished}
        repeated = [work for work, count in self._failures.items() if count >= _AT_FAILURES]
        if not repeated:
            return
        named = [work for work in repeated if work.partition(",")[0] in said]
        self._work = (named or repeated)[0]
        self.text = f"{self._work}: failed {self._failures[self._work]} times ({how}): {said}"

    def is_over(self, unfinished: Callable[[], Sequence[str]]) -> bool:
        """Return True once, when the work that raised the alarm is done; checks once a second."""
        now = time.monotonic()
        if not self.text or now - self._checked_at < _CHECK_EVERY_S:
            return False
        self._checked_at = now
        if self._work in unfinished():
            return False
        self._failures, self._work, self.text = {}, "", ""
        return True
