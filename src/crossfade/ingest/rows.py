"""The rows that the reader of every format yields, and the numbers of equal rows."""

from collections import Counter
from collections.abc import Callable, Hashable
from typing import NamedTuple

from crossfade.contract.play import Play
from crossfade.contract.reasons import Rejection

Judge = Callable[[bytes], Play | Rejection]
"""`decode_play` with the current time as log time."""


class Row(NamedTuple):
    """One row of a file.

    `value` is the record to send, `verdict` the decoder's on it, and `original` the row's bytes.
    """

    line: int
    value: bytes
    verdict: Play | Rejection
    original: bytes


class BrokenFileError(Exception):
    """A file cannot be read beyond a line; the rows before it were read."""

    def __init__(self, line: int, expected: str) -> None:
        super().__init__(line, expected)
        self.line = line
        self.expected = expected


class EqualRows:
    """Numbers the equal rows of an export, from 0, so that each of them is a play of its own.

    The numbers run on over the files of an export, which may be cut between equal rows. Unless
    `is_one_export`, a file that begins before the newest row of the earlier ones overlaps them: it
    is another export, and its equal rows are the same plays.
    """

    def __init__(self, *, is_one_export: bool = False) -> None:
        self._is_one_export = is_one_export
        self._seen: Counter[Hashable] = Counter()
        self._newest = 0
        self._is_file_new = False

    def begin_file(self) -> None:
        """Note that the next row is the first of a file."""
        self._is_file_new = True

    def number(self, row: Hashable, time: int) -> int:
        """Return a row's number among the equal ones; exports are sorted by `time`."""
        if self._is_file_new and time < self._newest and not self._is_one_export:
            self._seen.clear()
        self._is_file_new = False
        self._newest = max(self._newest, time)
        self._seen[row] += 1
        return self._seen[row] - 1
