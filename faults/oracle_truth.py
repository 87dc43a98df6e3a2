"""What each record of bronze is, by the oracle's own rules: read once, kept as arrays."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from faults.oracle_lake import BRONZE, DAY_MS, FUTURE_MS, Hashes, Lake, TimeRules, to_ms
from faults.oracle_places import NOWHERE, Indexes, Places
from faults.oracle_plays import Play, read_play

_COLUMNS = ["partition", "offset", "log_time", "timestamp_type", "value"]
_BROKERS_CLOCK = 1
_Mask = NDArray[np.bool_]


class Truth:
    """What the bytes say of each position; hashes stand for what is only compared.

    Attributes:
        sure: of `Sure`, what the record is.
        row: of the record's row in silver, should it be accepted.
        identity: of listener, event id and day: two alike are the same play.
        value: of the bytes.
        event_time: ms since the epoch; 0 for what is no play.
        window: of the window's start and the grain.
        ms_played: 0 where the play does not say.
        is_counted: heard for 30 s or more.
        is_on_time: speed counts it, too.
    """

    def __init__(self, lake: Lake, places: Places, rules: TimeRules) -> None:
        size = places.size
        self.places = places
        self.sure = np.zeros(size, np.int8)
        self.row = np.zeros(size, np.int64)
        self.identity = np.zeros(size, np.int64)
        self.value = np.zeros(size, np.int64)
        self.event_time = np.zeros(size, np.int64)
        self.window = np.zeros(size, np.int64)
        self.ms_played = np.zeros(size, np.int32)
        self.is_counted = np.zeros(size, np.bool_)
        self.is_on_time = np.zeros(size, np.bool_)
        for batch in lake.rows(BRONZE, _COLUMNS):
            self._take(batch, rules)

    def choose_winners(self, is_play: _Mask) -> Indexes:
        """Return each play's position the one that wins: the smallest with the same identity.

        Args:
            is_play: the positions that take part.

        Returns:
            A number for each position; `NOWHERE` for one that takes no part.
        """
        winner = np.full(len(is_play), NOWHERE, np.int64)
        plays = np.flatnonzero(is_play)
        if not len(plays):
            return winner
        in_order = plays[np.lexsort((plays, self.identity[plays]))]
        identities = self.identity[in_order]
        is_first = np.concatenate([[True], identities[1:] != identities[:-1]])
        winner[in_order] = in_order[is_first][np.cumsum(is_first) - 1]
        return winner

    def _take(self, batch: pa.RecordBatch, rules: TimeRules) -> None:
        at = self.places.find(batch["partition"], batch["offset"])
        values, log_times = batch["value"].to_pylist(), to_ms(batch["log_time"]).tolist()
        is_known = [kind == _BROKERS_CLOCK for kind in batch["timestamp_type"].to_pylist()]
        times = [time if known else None for time, known in zip(log_times, is_known, strict=True)]
        judged = list(map(read_play, values, times))
        inside = np.flatnonzero(at != NOWHERE).tolist()
        where = at[inside]
        self.sure[where] = [judged[one][0] for one in inside]
        self.value[where] = [hash(values[one]) for one in inside]
        plays = [(one, play) for one in inside if (play := judged[one][1]) is not None]
        facts = [_describe(play, log_times[one], rules) for one, play in plays]
        arrays: list[NDArray[Any]] = [self.row, self.identity, self.event_time, self.window]
        arrays += [self.ms_played, self.is_counted, self.is_on_time]
        for array, fact in zip(arrays, zip(*facts, strict=True), strict=False):
            array[at[[one for one, _ in plays]]] = fact


def _describe(play: Play, log_time: int, rules: TimeRules) -> tuple[int | bool, ...]:
    """Return what is kept of a play, in the order of the arrays."""
    window = play.event_time - play.event_time % rules.grain
    return (
        hash((log_time, play.event_time // DAY_MS, *play)),
        hash(play.identity),
        play.event_time,
        hash((window, *play.grain)),
        play.ms_played or 0,
        play.is_counted,
        log_time - rules.late_after <= play.event_time <= log_time + FUTURE_MS,
    )


def silver_rows(lake: Lake, version: int | None) -> Iterator[tuple[pa.RecordBatch, Hashes]]:
    """Read silver/plays, each row with the hash that `Truth.row` should have."""
    columns = ["partition", "offset", "log_time", "date", *Play._fields]
    for batch in lake.rows("silver/plays", columns, version):
        plain = {name: batch[name] for name in Play._fields}
        plain["event_time"] = pa.array(to_ms(batch["event_time"]))
        days = batch["date"].cast(pa.int32())
        fields = [column.to_pylist() for column in plain.values()]
        rows = zip(to_ms(batch["log_time"]).tolist(), days.to_pylist(), *fields, strict=True)
        yield batch, np.fromiter(map(hash, rows), np.int64, len(batch))
