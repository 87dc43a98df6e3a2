"""Invented, pronounceable names for artists, songs and albums."""

from collections.abc import Sequence

import numpy as np

from crossfade.generator.draws import Integers, below, draw, mix, take_bits

_ONSETS = ("b", "br", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "st", "t", "tr", "v")
_NUCLEI = ("a", "e", "i", "o", "u", "ai", "ea", "io", "é", "ö", "ã", "ú")
_CODAS = ("", "", "", "l", "n", "r", "s", "m")
_ASCII_NUCLEI = 8
_ACCENTED_OF_256 = 10
"""Of 256 syllables, those with a vowel outside ASCII, so that every reader's decoding is tested."""

_LONG_OF_256 = 102
"""Of 256 words, those with three syllables; the others have two."""

_VOCABULARY = 3_000
_TITLES = ("{0}", "{0} {1}", "{0} {1}", "The {0}", "{0} in {1}", "{0} & {1}", "Don't {0} {1}")
_ARTISTS = ("{0} {1}", "{0} {1}", "{0}", "The {0}s", "DJ {0}", "{0} & the {1}s")


def make_vocabulary(key: np.uint64) -> list[str]:
    """Return distinct capitalised words of two or three syllables."""
    words: dict[str, None] = {}
    turn = 0
    while len(words) < _VOCABULARY:
        numbers = np.arange(turn * _VOCABULARY, (turn + 1) * _VOCABULARY)
        first, second, third = (_make_syllables(draw(key, 4 * numbers + i)) for i in range(3))
        is_long = take_bits(draw(key, 4 * numbers + 3), 0, 8) < _LONG_OF_256
        for a, b, c, long in zip(first, second, third, is_long.tolist(), strict=True):
            words[(a + b + (c if long else "")).capitalize()] = None
        turn += 1
    return list(words)[:_VOCABULARY]


def make_titles(key: np.uint64, vocabulary: Sequence[str], count: int) -> list[str]:
    """Return titles of songs or albums; some occur twice, as in reality."""
    return _fill(key, _TITLES, vocabulary, count)


def make_artist_names(key: np.uint64, vocabulary: Sequence[str], count: int) -> list[str]:
    """Return distinct names, because charts group artists by name."""
    names: dict[str, None] = {}
    for name in _fill(key, _ARTISTS, vocabulary, count):
        names[make_different(name, names)] = None
    return list(names)


def make_different(name: str, taken: dict[str, None]) -> str:
    """Return the name, with a number if it is already taken."""
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name} {number}", number + 1
    return candidate


def _make_syllables(words: np.ndarray) -> list[str]:
    plain = below(words, _ASCII_NUCLEI)
    accented = _ASCII_NUCLEI + below(mix(words), len(_NUCLEI) - _ASCII_NUCLEI)
    is_accented = take_bits(words, 0, 8) < _ACCENTED_OF_256
    nuclei = np.where(is_accented, accented, plain).tolist()
    onsets = ((take_bits(words, 8, 12) * len(_ONSETS)) >> 12).tolist()
    codas = take_bits(words, 20, 3).tolist()
    return [
        _ONSETS[onset] + _NUCLEI[nucleus] + _CODAS[coda]
        for onset, nucleus, coda in zip(onsets, nuclei, codas, strict=True)
    ]


def _fill(
    key: np.uint64, patterns: Sequence[str], vocabulary: Sequence[str], count: int
) -> list[str]:
    numbers: Integers = np.arange(count)
    chosen = below(draw(key, 3 * numbers), len(patterns)).tolist()
    first = below(draw(key, 3 * numbers + 1), len(vocabulary)).tolist()
    second = below(draw(key, 3 * numbers + 2), len(vocabulary)).tolist()
    return [
        patterns[pattern].format(vocabulary[a], vocabulary[b])
        for pattern, a, b in zip(chosen, first, second, strict=True)
    ]
