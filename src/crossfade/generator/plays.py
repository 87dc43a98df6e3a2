"""Simulated plays as columns."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossfade.generator.draws import Integers, Words


@dataclass(frozen=True, slots=True, eq=False)
class Plays:
    """Plays in sending order, as columns of equal length."""

    event_time: Integers
    """When each began, by the reporting client's clock; milliseconds since the epoch."""
    user: Words
    place: NDArray[np.int16]
    device: NDArray[np.int8]
    tier: NDArray[np.int8]
    song: NDArray[np.int32]
    ms_played: Integers
    session: Words
    """A unique word per session."""
    play: Words
    """A unique word per play."""
    utc_offset_min: NDArray[np.int16]
    is_offline: NDArray[np.bool_]

    def __len__(self) -> int:
        """Count the plays."""
        return len(self.event_time)

    def take(self, which: Any) -> "Plays":
        """Return some plays, selected by positions, a mask or a slice."""
        return Plays(*(column[which] for column in self.columns()))

    def columns(self) -> list[NDArray[Any]]:
        """Return the columns in order."""
        return [getattr(self, field.name) for field in fields(self)]

    def changed(self, **columns: NDArray[Any]) -> "Plays":
        """Return the same plays with some columns replaced."""
        return replace(self, **columns)


def join_plays(parts: Sequence[Plays]) -> Plays:
    """Return all plays of the parts, in order; at least one part is needed."""
    if len(parts) == 1:
        return parts[0]
    columns = zip(*(part.columns() for part in parts), strict=True)
    return Plays(*(np.concatenate(column) for column in columns))
