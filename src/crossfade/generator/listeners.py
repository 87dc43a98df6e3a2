"""The people who listen: where they live, on what, how much, and whether they pay."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossfade.generator.populations import read_populations

DEVICES = {
    "mobile": 0.58,
    "desktop": 0.14,
    "smart_speaker": 0.08,
    "web": 0.06,
    "tablet": 0.05,
    "tv": 0.04,
    "car": 0.03,
    "console": 0.02,
}
TIERS = {"free": 0.54, "paid": 0.46}

_SIGMA_ACTIVITY = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Listeners:
    """A column each, indexed by listener; country, device and tier are indices into their lists."""

    user_ids: list[str]
    country: NDArray[np.int64]
    device: NDArray[np.int64]
    """The one that a listener uses most."""
    tier: NDArray[np.int64]
    activity: NDArray[np.float64]
    """Share of all plays; adds up to 1."""


def make_listeners(rng: np.random.Generator, count: int) -> Listeners:
    """Make listeners; the same generator state gives the same ones."""
    populations = read_populations()
    ids = rng.integers(0, 2**63, count, dtype=np.int64)
    activity = np.exp(rng.normal(0.0, _SIGMA_ACTIVITY, count))
    return Listeners(
        user_ids=[f"{number:016x}" for number in ids.tolist()],
        country=rng.choice(len(populations.countries), count, p=populations.shares),
        device=rng.choice(len(DEVICES), count, p=list(DEVICES.values())),
        tier=rng.choice(len(TIERS), count, p=list(TIERS.values())),
        activity=activity / activity.sum(),
    )
