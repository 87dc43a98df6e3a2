"""Columns of bytes: templates of fixed width with holes, and numbers written as digits."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crossfade.generator.draws import Integers, Words

HOLE = b"\0"
WORD = 16 * HOLE
"""The hole that `hex_digits` fills."""


class Template:
    """Bytes of fixed width with holes, which columns of bytes fill.

    The rows that a call returns are overwritten by the next call.
    """

    def __init__(self, *parts: bytes) -> None:
        whole = b"".join(parts)
        self._bytes = np.frombuffer(whole, np.uint8)
        self.rest = whole.lstrip(HOLE)
        self._holes: list[slice] = []
        begin = 0
        for part in parts:
            if part.startswith(HOLE):
                self._holes.append(slice(begin, begin + len(part)))
            begin += len(part)
        self._rows = np.empty((0, len(whole)), np.uint8)
        self._ends = np.empty(0, np.int32)

    def fill(self, *columns: NDArray[np.uint8]) -> pa.BinaryArray:
        """Return one filled template per row; each column has the width of its hole."""
        rows, width = len(columns[0]), len(self._bytes)
        if rows > len(self._rows):
            self._rows = np.tile(self._bytes, (rows, 1))
            self._ends = np.arange(0, (rows + 1) * width, width, dtype=np.int32)
        pieces = self._rows[:rows]
        for hole, column in zip(self._holes, columns, strict=True):
            pieces[:, hole] = column
        buffers = [None, pa.py_buffer(self._ends[: rows + 1]), pa.py_buffer(pieces)]
        return pa.BinaryArray.from_buffers(pa.binary(), rows, buffers)


def hex_digits(words: Words) -> NDArray[np.uint8]:
    """Return each word as 16 hexadecimal digits, in groups of four, the lowest group first."""
    return _HEX[words.astype("<u8", copy=False).view("<u2")].view(np.uint8).reshape(-1, 16)


def hex_texts(words: Words) -> pa.StringArray:
    """Return the digits of `hex_digits` as texts."""
    return pc.cast(Template(WORD).fill(hex_digits(words)), pa.string())


def _table_of(texts: Iterable[str]) -> NDArray[np.uint32]:
    return np.frombuffer("".join(texts).encode(), np.uint32)


_HEX = _table_of(f"{number:04x}" for number in range(1 << 16))
_FOUR = _table_of(f"{number:04}" for number in range(10_000))
THREE_DIGITS = np.frombuffer(b"".join(b"%03d" % i for i in range(1_000)), np.uint8).reshape(-1, 3)


def thirteen_digits(numbers: Integers) -> NDArray[np.uint8]:
    """Return the digits of numbers with thirteen digits, a row per number."""
    digits = np.empty((len(numbers), 13), np.uint8)
    first = numbers // 10**9
    second = (numbers - first * 10**9) // 10**5
    third = numbers // 10 - (first * 10**8 + second * 10**4)
    last = numbers - numbers // 10 * 10
    for begin, part in ((0, first), (4, second), (8, third)):
        digits[:, begin : begin + 4] = _FOUR[part].view(np.uint8).reshape(-1, 4)
    digits[:, 12] = last + ord("0")
    return digits


def decimals(numbers: Integers) -> pa.BinaryArray:
    """Return the decimal digits of numbers of any length."""
    return pc.cast(pc.cast(pa.array(numbers), pa.string()), pa.binary())
