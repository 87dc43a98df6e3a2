"""Sums by key for both sides of a comparison; a key is a hash of the columns grouped by."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_KEPT_AT_MOST = 2_000_000

Ints = NDArray[np.int64]


class Sums:
    """Adds up measures by key, and reduces the rows regularly to one a key to limit memory."""

    def __init__(self, measures: int) -> None:
        self._keys: list[Ints] = []
        self._values: list[Ints] = []
        self._measures, self._held = measures, 0

    def add(self, keys: Ints, *measures: Sequence[int] | NDArray[np.generic]) -> None:
        """Add some rows."""
        self._keys.append(keys)
        self._values.append(np.array(measures, np.int64).T.reshape(-1, self._measures))
        self._held += len(keys)
        if self._held > _KEPT_AT_MOST:
            keys, values = self.total()
            self._keys, self._values, self._held = [keys], [values], len(keys) // 2

    def total(self) -> tuple[Ints, Ints]:
        """Return every key once, in order, and a row of sums for each."""
        if not self._keys:
            return np.zeros(0, np.int64), np.zeros((0, self._measures), np.int64)
        keys, values = np.concatenate(self._keys), np.concatenate(self._values)
        if not len(keys):
            return keys, values
        order = np.argsort(keys, kind="stable")
        keys, values = keys[order], values[order]
        begins = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        return keys[begins], np.add.reduceat(values, begins, axis=0)


class Pairs(NamedTuple):
    """Both sides of a comparison, key by key; a key that one side lacks has zeros there."""

    keys: Ints
    left: Ints
    right: Ints


def pair_up(left: tuple[Ints, Ints], right: tuple[Ints, Ints]) -> Pairs:
    """Align two sides by key; each side has every key once, in order."""
    keys = np.union1d(left[0], right[0])
    sides = []
    for own, values in (left, right):
        aligned = np.zeros((len(keys), values.shape[1]), np.int64)
        aligned[np.searchsorted(keys, own)] = values
        sides.append(aligned)
    return Pairs(keys, *sides)
