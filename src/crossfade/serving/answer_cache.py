"""A cache of answers, valid while their source does not change."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_MAX_ENTRIES = 512

_T = TypeVar("_T")


class AnswerCache(Generic[_T]):
    """Answers of one source by key; emptied when the source changes or the cache is full."""

    def __init__(self) -> None:
        self._cached: tuple[object, dict[Hashable, _T]] = (None, {})

    def get_or_compute(self, source: object, key: Hashable, compute: Callable[[], _T]) -> _T:
        """Return a key's answer; concurrent requests may each compute it, with equal results."""
        cached_source, answers = self._cached
        if cached_source is not source or len(answers) >= _MAX_ENTRIES:
            answers = {}
            self._cached = source, answers
        if key not in answers:
            answers[key] = compute()
        return answers[key]
