"""Made-up names that can be said aloud: for artists, songs and albums."""

from collections.abc import Sequence

import numpy as np

_ONSETS = ("b", "br", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "st", "t", "tr", "v")
_NUCLEI = ("a", "e", "i", "o", "u", "ai", "ea", "io", "é", "ö", "ã", "ú")
_CODAS = ("", "", "", "l", "n", "r", "s", "m")
_ASCII_NUCLEI = 8
_ACCENTED_SHARE = 0.04
"""Share of syllables whose vowel is outside ASCII, so that every reader meets some."""

_VOCABULARY = 3_000
_TITLES = ("{0}", "{0} {1}", "{0} {1}", "The {0}", "{0} in {1}", "{0} & {1}", "Don't {0} {1}")
_ARTISTS = ("{0} {1}", "{0} {1}", "{0}", "The {0}s", "DJ {0}", "{0} & the {1}s")


def make_vocabulary(rng: np.random.Generator, size: int = _VOCABULARY) -> list[str]:
    """Make different capitalised words of two or three syllables."""
    words: dict[str, None] = {}
    while len(words) < size:
        first, second, third = (_make_syllables(rng, size) for _ in range(3))
        is_long = rng.random(size) < 0.4
        for a, b, c, long in zip(first, second, third, is_long.tolist(), strict=True):
            words[(a + b + (c if long else "")).capitalize()] = None
    return list(words)[:size]


def make_titles(rng: np.random.Generator, vocabulary: Sequence[str], count: int) -> list[str]:
    """Make titles of songs or albums; some are alike, as real ones are."""
    return _fill(rng, _TITLES, vocabulary, count)


def make_artist_names(rng: np.random.Generator, vocabulary: Sequence[str], count: int) -> list[str]:
    """Make names of which no two are alike: charts of artists go by name."""
    names: dict[str, None] = {}
    for name in _fill(rng, _ARTISTS, vocabulary, count):
        names[make_different(name, names)] = None
    return list(names)


def make_different(name: str, taken: dict[str, None]) -> str:
    """Give the name, numbered if it is taken already."""
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name} {number}", number + 1
    return candidate


def _make_syllables(rng: np.random.Generator, count: int) -> list[str]:
    plain = rng.integers(0, _ASCII_NUCLEI, count)
    accented = rng.integers(_ASCII_NUCLEI, len(_NUCLEI), count)
    nuclei = np.where(rng.random(count) < _ACCENTED_SHARE, accented, plain).tolist()
    onsets = rng.integers(0, len(_ONSETS), count).tolist()
    codas = rng.integers(0, len(_CODAS), count).tolist()
    return [
        _ONSETS[onset] + _NUCLEI[nucleus] + _CODAS[coda]
        for onset, nucleus, coda in zip(onsets, nuclei, codas, strict=True)
    ]


def _fill(
    rng: np.random.Generator, patterns: Sequence[str], vocabulary: Sequence[str], count: int
) -> list[str]:
    chosen = rng.integers(0, len(patterns), count).tolist()
    first = rng.integers(0, len(vocabulary), count).tolist()
    second = rng.integers(0, len(vocabulary), count).tolist()
    return [
        patterns[pattern].format(vocabulary[a], vocabulary[b])
        for pattern, a, b in zip(chosen, first, second, strict=True)
    ]
