"""Random draws that are the same on every machine: 64-bit words, looked up in integer tables.

A word is a pure function of the seed, its purpose and its owner, so no draw depends on the number
of draws before it. Draws use only integers; tables are built from exactly rounded arithmetic.
"""

import hashlib
from collections.abc import Sequence
from decimal import Context
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Integers = NDArray[np.int64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31 = np.uint64(27), np.uint64(30), np.uint64(31)

_QUANTILE_BITS = 12
_QUANTILES = 1 << _QUANTILE_BITS
_MICRO = 1_000_000
_EXACT = Context(prec=30)


def mix(words: Words) -> Words:
    """Apply the output function of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    words = (words ^ (words >> _S30)) * _FIRST
    words = (words ^ (words >> _S27)) * _SECOND
    return words ^ (words >> _S31)


def key_of(seed: int, purpose: str) -> np.uint64:
    """Return the key from which all words of one purpose are derived."""
    digest = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def draw(key: np.uint64 | Words, number: NDArray[np.integer] | int) -> Words:
    """Return the word with this number in the SplitMix64 sequence that begins at `key`."""
    if isinstance(number, int):
        return mix(np.asarray(key, np.uint64) + np.uint64((number + 1) * int(_GOLDEN) % (1 << 64)))
    return mix(np.asarray(key, np.uint64) + (number.astype(np.uint64) + np.uint64(1)) * _GOLDEN)


def take_bits(words: Words, begin: int, count: int) -> Integers:
    """Return `count` bits of each word as a number; bit 0 is the lowest."""
    mask = np.uint64((1 << count) - 1)
    return ((words >> np.uint64(begin)) & mask).astype(np.int64)


def below(words: Words, limits: Integers | int) -> Integers:
    """Return a number in [0, limit) per word, from its upper 32 bits; limits are at most 2^31."""
    return (take_bits(words, 32, 32) * np.asarray(limits, np.int64)) >> 32


class Choice:
    """A table that maps draws to items, with probabilities in proportion to integer weights.

    Each item fills its share of 2^bits places, rounded to whole places; an item whose share rounds
    to 0 is never drawn.
    """

    def __init__(self, weights: Sequence[int] | Integers, bits: int = 16) -> None:
        self._shift = 32 - bits
        edges = np.cumsum(np.asarray(weights, np.int64))
        # Python's integers, because these products can exceed 64 bits.
        ends = [int(edge) * (1 << bits) // int(edges[-1]) for edge in edges]
        places = np.array(ends, np.int64) - np.array([0, *ends[:-1]], np.int64)
        self._items = np.repeat(np.arange(len(places), dtype=np.int32), places)

    def find(self, words: Words) -> NDArray[np.int32]:
        """Return an item for each word, from its upper 32 bits."""
        return self._items[take_bits(words, 32 + self._shift, 32 - self._shift)]


class LogNormal:
    """A log-normal distribution of whole numbers: a table of quantiles, interpolated linearly.

    Args:
        median: the median.
        sigma: standard deviation of the logarithm, in millionths.
        least, most: values are clipped to these limits.
    """

    def __init__(self, median: int, sigma: int, *, least: int = 0, most: int = 2**53) -> None:
        values = [round(median * _EXACT.exp(_EXACT.divide(sigma * z, _MICRO**2))) for z in _z()]
        table = np.clip(np.array(values, np.int64), least, most)
        self._table = table
        self.mean = int((table[:-1] + table[1:]).sum() // (2 * (len(table) - 1)))

    def find(self, draws: Integers, bits: int) -> Integers:
        """Return a value for each draw of this many bits (at least 12)."""
        return _interpolate(self._table, draws, bits)


@cache
def _z() -> tuple[int, ...]:
    """Return the normal quantiles at the middles of 4,097 equal steps, in whole millionths."""
    normal, steps = NormalDist(), _QUANTILES + 1
    return tuple(round(normal.inv_cdf((i + 0.5) / steps) * _MICRO) for i in range(steps))


def find_normal(draws: Integers, bits: int) -> Integers:
    """Return a standard normal value in millionths per draw of this many bits (at least 12)."""
    return _interpolate(np.array(_z(), np.int64), draws, bits)


class LogUniform:
    """A distribution whose logarithm is uniform between two limits.

    Args:
        least, most: whole numbers; a number below 1 counts as 1.
    """

    def __init__(self, least: int, most: int) -> None:
        low = max(least, 1)
        step = _EXACT.divide(_EXACT.ln(_EXACT.divide(max(most, 1), low)), _QUANTILES)
        values = [round(low * _EXACT.exp(step * i)) for i in range(_QUANTILES + 1)]
        self._table = np.array(values, np.int64)

    def find(self, draws: Integers, bits: int) -> Integers:
        """Return a value for each draw of this many bits (at least 12)."""
        return _interpolate(self._table, draws, bits)


def _interpolate(table: Integers, draws: Integers, bits: int) -> Integers:
    rest_bits = bits - _QUANTILE_BITS
    place, rest = draws >> rest_bits, draws & ((1 << rest_bits) - 1)
    low = table[place]
    return low + (((table[place + 1] - low) * rest) >> rest_bits)
