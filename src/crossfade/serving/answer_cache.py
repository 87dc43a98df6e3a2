"""Answers kept for the next who asks the same, as long as nothing changed."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_KEPT = 512

Made = TypeVar("Made")


class Kept(Generic[Made]):
    """What was made from one source, by key; another source, or too many keys, and all go."""

    def __init__(self) -> None:
        self._kept: tuple[object, dict[Hashable, Made]] = (None, {})

    def find_or_make(self, source: object, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what a key has; two who ask at once may both make it, and make the same."""
        of, made = self._kept
        if of is not source or len(made) >= _KEPT:
            made = {}
            self._kept = source, made
        if key not in made:
            made[key] = make()
        return made[key]
