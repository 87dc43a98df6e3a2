"""The ground truth: what each record of bronze is by the oracle's rules, kept in arrays."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from faults.oracle_lake import BRONZE, DAY_MS, FUTURE_MS, Hashes, Lake, TimeRules, to_ms
from faults.oracle_plays import Play, read_play
from faults.oracle_positions import NOWHERE, Indexes, Positions

_COLUMNS = ["partition", "offset", "log_time", "timestamp_type", "value"]
_BROKERS_CLOCK = 1
_Mask = NDArray[np.bool_]


class Truth:
    """What follows from the bytes at each position; values that are only compared are hashes.

    Attributes:
        decision: a `Decision`.
        row: hash of the row that silver should have if the record is accepted.
        identity: hash of listener, event id and day; equal for two records of one play.
        value: hash of the bytes.
        event_time: ms since the epoch; 0 if the record is not a play.
        window: hash of the window's start and the grain.
        ms_played: 0 if the play does not state it.
        is_counted: whether the play was heard for 30 s or more.
        is_on_time: whether speed counts it too.
    """

    def __init__(self, lake: Lake, positions: Positions, rules: TimeRules) -> None:
        size = positions.size
        self.positions = positions
        self.decision = np.zeros(size, np.int8)
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
        """Return, for each play, the winner: the smallest position with the same identity.

        Args:
            is_play: a mask of the positions to include.

        Returns:
            The winner's number for each position; `NOWHERE` for a position not included.
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
        at = self.positions.find(batch["partition"], batch["offset"])
        values, log_times = batch["value"].to_pylist(), to_ms(batch["log_time"]).tolist()
        is_known = [kind == _BROKERS_CLOCK for kind in batch["timestamp_type"].to_pylist()]
        times = [time if known else None for time, known in zip(log_times, is_known, strict=True)]
        judged = list(map(read_play, values, times))
        inside = np.flatnonzero(at != NOWHERE).tolist()
        where = at[inside]
        self.decision[where] = [judged[one][0] for one in inside]
        self.value[where] = [hash(values[one]) for one in inside]
        plays = [(one, play) for one in inside if (play := judged[one][1]) is not None]
        facts = [_describe(play, log_times[one], rules) for one, play in plays]
        arrays: list[NDArray[Any]] = [self.row, self.identity, self.event_time, self.window]
        arrays += [self.ms_played, self.is_counted, self.is_on_time]
        for array, fact in zip(arrays, zip(*facts, strict=True), strict=False):
            array[at[[one for one, _ in plays]]] = fact


def _describe(play: Play, log_time: int, rules: TimeRules) -> tuple[int | bool, ...]:
    """Return a play's values, in the order of the arrays."""
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
    """Yield silver/plays in batches, with the hashes that `Truth.row` should have."""
    columns = ["partition", "offset", "log_time", "date", *Play._fields]
    for batch in lake.rows("silver/plays", columns, version):
        plain = {name: batch[name] for name in Play._fields}
        plain["event_time"] = pa.array(to_ms(batch["event_time"]))
        days = batch["date"].cast(pa.int32())
        fields = [column.to_pylist() for column in plain.values()]
        rows = zip(to_ms(batch["log_time"]).tolist(), days.to_pylist(), *fields, strict=True)
        yield batch, np.fromiter(map(hash, rows), np.int64, len(batch))
