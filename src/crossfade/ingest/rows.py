"""What every import format gives: rows of a file, each with its record and its verdict."""

from collections.abc import Callable
from typing import NamedTuple

from crossfade.contract.play import Play
from crossfade.contract.reasons import Rejection

Judge = Callable[[bytes], Play | Rejection]
"""The contract's decoder with the edge's rule for the present."""


class Row(NamedTuple):
    """One row of a file: where it stands, the record to send for it, and the contract's verdict."""

    line: int
    value: bytes
    verdict: Play | Rejection


class BrokenFileError(Exception):
    """A file cannot be read beyond a line; the rows before it are good."""

    def __init__(self, line: int, expected: str) -> None:
        super().__init__(line, expected)
        self.line = line
        self.expected = expected
