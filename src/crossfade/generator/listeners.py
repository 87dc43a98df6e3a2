"""The listeners: their places, favourite genres, devices, tiers, and how much they listen."""

import numpy as np
from numpy.typing import NDArray

from crossfade.generator.draws import (
    Choice,
    Integers,
    LogNormal,
    Words,
    draw,
    key_of,
    mix,
    take_bits,
)
from crossfade.generator.options import PAID_SHARE
from crossfade.generator.places import Homes

DEVICES = {
    "mobile": 58,
    "desktop": 14,
    "smart_speaker": 8,
    "web": 6,
    "tablet": 5,
    "tv": 4,
    "car": 3,
    "console": 2,
}
"""Of a hundred sessions, those on each device."""

MAIN_DEVICE_OF_256 = 218
"""Of 256 sessions, those on the listener's main device; the others are on any device."""

TIERS = ("free", "paid")

ACTIVITY = LogNormal(1_000, 800_000, least=50, most=8_000)
"""How much a listener listens, relative to others, in thousandths."""

_CHOOSE_DEVICE = Choice(list(DEVICES.values()))


class Listeners:
    """The listeners as columns indexed by seat. When one leaves, another takes the seat.

    `user` is a unique word per listener; `genre` is an index into `Taste.genres`.
    """

    def __init__(
        self, seed: int, seats: int, genre_weights: Integers, *, paid_share: float = PAID_SHARE
    ) -> None:
        self._paid_of_256 = round(paid_share * 256)
        self._key = key_of(seed, "listeners")
        self._homes = Homes()
        self._genres = Choice(genre_weights) if len(genre_weights) else None
        self.user = np.zeros(seats, np.uint64)
        self.place = np.zeros(seats, np.int16)
        self.genre = np.zeros(seats, np.int8)
        self.device = np.zeros(seats, np.int8)
        self.tier = np.zeros(seats, np.int8)
        self.take_seats(np.arange(seats), np.zeros(seats, np.int64))

    def take_seats(self, seats: Integers, generation: Integers) -> None:
        """Put a new listener on each of these seats; generation 0 is a seat's first listener."""
        user = draw(draw(self._key, seats), generation)
        self.user[seats] = user
        home, taste, rest = (draw(user ^ self._key, i) for i in range(3))
        self.place[seats] = self._homes.find(home)
        if self._genres is not None:
            self.genre[seats] = self._genres.find(taste)
        self.device[seats] = _CHOOSE_DEVICE.find(rest)
        self.tier[seats] = take_bits(rest, 0, 8) < self._paid_of_256

    def devices(self, seats: Integers, session: Words) -> NDArray[np.int8]:
        """Return the device of each seat's session: mostly its listener's main device."""
        is_main = take_bits(session, 0, 8) < MAIN_DEVICE_OF_256
        other = _CHOOSE_DEVICE.find(mix(session)).astype(np.int8)
        return np.where(is_main, self.device[seats], other)


def activities(seed: int, seats: int) -> Integers:
    """Return how much the listener of each seat listens, relative to others, in thousandths."""
    words = draw(key_of(seed, "activity"), np.arange(seats))
    return ACTIVITY.find(take_bits(words, 32, 32), 32)
