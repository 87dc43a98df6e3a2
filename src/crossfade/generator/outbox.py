"""Records to be sent, with what is known of each, and the outbox that holds them until due."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crossfade.generator.draws import Integers
from crossfade.generator.faults import Fault
from crossfade.generator.plays import Plays, join_plays

NO_BOT = -1
NO_COPY = -1


@dataclass(frozen=True, slots=True, eq=False)
class Sendings:
    """Records to send: plays, and the columns that the ledger describes them by."""

    plays: Plays
    send_time: Integers
    """When each is due, in simulated time."""
    fault: NDArray[np.int8]
    extent: Integers
    """The extent of the fault: see `Marks`."""
    bot: NDArray[np.int16]
    """The number of the farm, or `NO_BOT`."""
    copy_of: Integers
    """The number of the record that this one repeats, or `NO_COPY`."""

    def __len__(self) -> int:
        """Count the records."""
        return len(self.send_time)

    def take(self, which: NDArray[np.int64] | NDArray[np.bool_] | slice) -> "Sendings":
        """Return some records, selected by positions, a mask or a slice."""
        return Sendings(
            self.plays.take(which),
            self.send_time[which],
            self.fault[which],
            self.extent[which],
            self.bot[which],
            self.copy_of[which],
        )

    def changed(self, **columns: object) -> "Sendings":
        """Return the same records with some columns replaced."""
        return replace(self, **columns)  # type: ignore[arg-type]


def as_sendings(plays: Plays, bot: int = NO_BOT) -> Sendings:
    """Return sendings of the plays, due when each play begins, without faults."""
    count = len(plays)
    return Sendings(
        plays,
        plays.event_time,
        np.full(count, Fault.NONE, np.int8),
        np.zeros(count, np.int64),
        np.full(count, bot, np.int16),
        np.full(count, NO_COPY, np.int64),
    )


def join_sendings(parts: list[Sendings]) -> Sendings:
    """Return all records of the parts, in order; at least one part is needed."""
    if len(parts) == 1:
        return parts[0]
    labels = zip(
        *((one.send_time, one.fault, one.extent, one.bot, one.copy_of) for one in parts),
        strict=True,
    )
    plays = join_plays([one.plays for one in parts])
    return Sendings(plays, *(np.concatenate(column) for column in labels))


class Outbox:
    """Holds records until they are due. Each part is in order, with the first due at its front."""

    def __init__(self) -> None:
        self._parts: list[Sendings] = []

    def put(self, sendings: Sendings) -> None:
        """Add records in any order."""
        if len(sendings):
            self._parts.append(sendings.take(np.argsort(sendings.send_time, kind="stable")))

    def take_until(self, moment: int) -> Sendings | None:
        """Return the records due before a moment, in order; None if there are none."""
        due, kept = [], []
        for part in self._parts:
            end = int(np.searchsorted(part.send_time, moment))
            if end:
                due.append(part.take(slice(0, end)))
            if end < len(part):
                kept.append(part.take(slice(end, None)))
        self._parts = kept
        if not due:
            return None
        together = join_sendings(due)
        return together.take(np.argsort(together.send_time, kind="stable"))
