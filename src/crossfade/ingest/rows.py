"""The rows that the reader of every format yields."""

from collections.abc import Callable
from typing import NamedTuple

from crossfade.contract.play import Play
from crossfade.contract.reasons import Rejection

Judge = Callable[[bytes], Play | Rejection]
"""`decode_play` with the current time as log time."""


class Row(NamedTuple):
    """One row of a file: its line, the record to send, and the decoder's verdict on it."""

    line: int
    value: bytes
    verdict: Play | Rejection


class BrokenFileError(Exception):
    """A file cannot be read beyond a line; the rows before it were read."""

    def __init__(self, line: int, expected: str) -> None:
        super().__init__(line, expected)
        self.line = line
        self.expected = expected
