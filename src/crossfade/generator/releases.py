"""New releases: when albums come out, and how their songs' popularity rises and falls."""

from decimal import Context

import numpy as np

from crossfade.generator.draws import Integers, LogNormal, draw, take_bits

NEWEST_DEBUT_DAY = 22_645
"""2032-01-01: all artists debut before this day, most of them in the two decades before."""

DEBUT_YEARS_BEFORE = 14
ALBUM_EVERY_DAYS = 540

PEAK_AFTER_DAYS = 7
PEAK_PERMILLE = 8_000
"""A week after its release, a song is eight times as popular as in the long term."""

HALVED_EVERY_DAYS = 14
_FADED_AFTER_DAYS = 200

_YEAR_DAYS = 365
_FRIDAY = 1
"""1970-01-02 was a Friday, the industry's release day."""

_DEBUT = LogNormal(DEBUT_YEARS_BEFORE * _YEAR_DAYS, 900_000, least=100, most=62 * _YEAR_DAYS)
_SPACING = LogNormal(ALBUM_EVERY_DAYS, 250_000, least=120, most=2_000)


def release_days(key: np.uint64, artist: Integers, first_song: Integers) -> Integers:
    """Return the day on which each album came out: a Friday, in the order of an artist's albums.

    Args:
        key: key of the draws.
        artist: the artist of each album; an artist's albums are adjacent.
        first_song: position of each album's first song among the artist's songs; 0 is the debut.
    """
    album = np.arange(len(artist))
    spacing = _SPACING.find(take_bits(draw(key, 2 * album), 32, 32), 32)
    debut = NEWEST_DEBUT_DAY - _DEBUT.find(take_bits(draw(key, 2 * artist + 1), 32, 32), 32)
    spacing = np.where(first_song == 0, 0, spacing)
    since_first = np.cumsum(spacing)
    at_debut = since_first[np.flatnonzero(first_song == 0)]
    day = debut + since_first - at_debut[np.cumsum(first_song == 0) - 1]
    return day - (day - _FRIDAY) % 7


def age_permille(days: Integers) -> Integers:
    """Return the factor of a song's popularity, in thousandths, by days since its release."""
    table = _age_table()
    faded = table[np.clip(days, 0, len(table) - 1)]
    return np.where(days < 0, 0, faded)


def _age_table() -> Integers:
    exact = Context(prec=30)
    rise = [
        1_000 + (PEAK_PERMILLE - 1_000) * (day + 1) // (PEAK_AFTER_DAYS + 1)
        for day in range(PEAK_AFTER_DAYS)
    ]
    fall = [
        1_000
        + round((PEAK_PERMILLE - 1_000) * exact.power(2, exact.divide(-day, HALVED_EVERY_DAYS)))
        for day in range(_FADED_AFTER_DAYS)
    ]
    return np.array([*rise, *fall, 1_000], np.int64)
