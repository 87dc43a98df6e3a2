"""Number the positions of a topic consecutively, so that facts about them are stored in arrays."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indexes = NDArray[np.int64]

NOWHERE = -1


@dataclass(frozen=True, slots=True)
class Positions:
    """The offsets [first, end) of each topic partition, numbered from 0.

    The numbers follow the order (partition, offset).
    """

    firsts: Mapping[int, int]
    ends: Mapping[int, int]
    partitions: Indexes
    bases: Indexes
    """`bases[i]` is the number of the first offset of `partitions[i]`; the last item is the end."""

    @classmethod
    def between(cls, firsts: Mapping[int, int], ends: Mapping[int, int]) -> "Positions":
        """Number the offsets from `firsts` (0 by default) to `ends`, exclusive."""
        partitions = sorted(ends)
        begins = {p: min(firsts.get(p, 0), ends[p]) for p in partitions}
        sizes = [ends[p] - begins[p] for p in partitions]
        bases = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return cls(begins, dict(ends), np.array(partitions, np.int64), bases)

    @property
    def size(self) -> int:
        """Return the number of positions."""
        return int(self.bases[-1])

    def find(self, partition: Iterable[int], offset: Iterable[int]) -> Indexes:
        """Return each position's number; `NOWHERE` for a position outside the ranges."""
        given, offsets = np.asarray(partition, np.int64), np.asarray(offset, np.int64)
        found = np.full(len(given), NOWHERE, np.int64)
        for number, p in enumerate(self.partitions.tolist()):
            inside = (given == p) & (offsets >= self.firsts[p]) & (offsets < self.ends[p])
            found[inside] = offsets[inside] - self.firsts[p] + self.bases[number]
        return found

    def locate(self, index: int) -> tuple[int, int]:
        """Return the topic partition and offset of a number."""
        number = int(np.searchsorted(self.bases[1:], index, "right"))
        partition = int(self.partitions[number])
        return partition, int(index - self.bases[number]) + self.firsts[partition]

    def below(self, ends: Mapping[int, int]) -> NDArray[np.bool_]:
        """Mark the positions before the given offset of their topic partition."""
        marked = np.zeros(self.size, np.bool_)
        for number, p in enumerate(self.partitions.tolist()):
            count = min(max(ends.get(p, 0), self.firsts[p]), self.ends[p]) - self.firsts[p]
            marked[self.bases[number] : self.bases[number] + count] = True
        return marked

    def spread(self, values: Mapping[int, int], otherwise: int = 0) -> Indexes:
        """Return, for every position, the value of its topic partition."""
        each = [values.get(p, otherwise) for p in self.partitions.tolist()]
        return np.repeat(np.array(each, np.int64), np.diff(self.bases))


def format_position(partition: int, offset: int) -> str:
    """Format a position for a message."""
    return f"song-plays [{partition}] offset {offset}"
