"""How long a song is heard: skipped early, skipped later, or heard to its end."""

import numpy as np

from crossfade.clock import SECOND_MS
from crossfade.generator.draws import Integers, LogNormal

SKIPPED_WITHIN_PPM = {5 * SECOND_MS: 241_400, 30 * SECOND_MS: 350_500}
"""Of a million plays, those skipped within each time (docs/generator.md names the source)."""

SKIPPED_EVER_PPM = 486_000

PAUSE = LogNormal(1_500, 1_100_000, least=1, most=120 * SECOND_MS)
"""Silence between two songs of a session, in milliseconds."""

_BITS = 24
_MILLION = 1_000_000


def heard_ms(draws: Integers, duration_ms: Integers) -> Integers:
    """Return how many milliseconds of each song are heard, from draws of 24 bits."""
    (soon_ms, soon), (later_ms, later) = (
        (end, (share << _BITS) // _MILLION) for end, share in SKIPPED_WITHIN_PPM.items()
    )
    ever = (SKIPPED_EVER_PPM << _BITS) // _MILLION
    earliest = draws * soon_ms // soon
    early = soon_ms + (draws - soon) * (later_ms - soon_ms) // (later - soon)
    rest = later_ms + (draws - later) * (duration_ms - later_ms) // (ever - later)
    skipped = np.where(draws < soon, earliest, np.where(draws < later, early, rest))
    return np.where(draws < ever, np.minimum(skipped, duration_ms), duration_ms)
