"""Silver to gold: count windows, days and hours again, and compare every measure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from faults.oracle_findings import NAMED_AT_MOST, Findings, Kind
from faults.oracle_lake import DAY_MS, HOUR_MS, Lake, Run, TimeRules, hash_rows, to_ms
from faults.oracle_sums import Sums, pair_up

CHECK = "silver to gold"
DAILY_CAP = 10
"""Charted plays that one listener can give one song in one UTC day."""

GRAIN = ("country", "song_id", "title", "artist", "album", "genre")
_UNKNOWN = -1
"""Stands for charted plays of days that are not closed yet."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of gold: its range of plays, the columns it groups by, and its time column."""

    name: str
    begin: int
    end: int
    step: int
    by: Sequence[str]
    time: str
    has_charted: bool


def tables_of(run: Run, rules: TimeRules) -> list[Table]:
    """Return gold's tables with the ranges that follow from a run's boundary."""
    day = run.boundary - run.boundary % DAY_MS
    hour = run.boundary - run.boundary % HOUR_MS
    windows = Table(
        "gold/song_window", day - DAY_MS, run.boundary, rules.grain, GRAIN, "window_start", False
    )
    days = Table("gold/song_day", 0, day, DAY_MS, GRAIN, "date", True)
    hours = Table("gold/activity_hour", 0, hour, HOUR_MS, ["country"], "hour_start", True)
    return [windows, days, hours]


def read_plays(
    lake: Lake, run: Run, columns: Sequence[str], begin: int, end: int
) -> Iterator[tuple[pa.RecordBatch, NDArray[np.int64]]]:
    """Yield the accepted plays of [begin, end) in batches, each with its event times in ms."""
    for batch in lake.rows("silver/plays", ["event_time", *columns], run.pins["silver/plays"]):
        times = to_ms(batch["event_time"])
        inside = (times >= begin) & (times < end)
        if inside.all():
            yield batch, times
        elif inside.any():
            yield batch.filter(pa.array(inside)), times[inside]


def find_uncharted(lake: Lake, run: Run, closed_day: int) -> set[tuple[int, int]]:
    """Return the positions of counted plays beyond the cap for a listener, a song and a closed day.

    The first ten by event time, then event id, are charted.
    """
    columns = ["user_id", "song_id", "is_counted", "event_id", "partition", "offset"]
    plays = Sums(1)
    for keys, batch in _counted(lake, run, columns, closed_day):
        plays.add(keys, np.ones(len(batch), np.int64))
    keys, counts = plays.total()
    heavy = keys[counts[:, 0] > DAILY_CAP]
    heard: dict[int, list[tuple[int, str, int, int]]] = defaultdict(list)
    for keys, batch in _counted(lake, run, columns, closed_day) if len(heavy) else ():
        among = np.isin(keys, heavy)
        mine = batch.filter(pa.array(among))
        rows = zip(
            keys[among].tolist(),
            to_ms(mine["event_time"]).tolist(),
            *(mine[name].to_pylist() for name in ("event_id", "partition", "offset")),
            strict=True,
        )
        for key, *play in rows:
            heard[key].append((play[0], play[1], play[2], play[3]))
    return {play[2:] for plays_of in heard.values() for play in sorted(plays_of)[DAILY_CAP:]}


def check_gold(lake: Lake, run: Run, rules: TimeRules, findings: Findings) -> None:
    """Count every table of gold again from silver, and compare each row."""
    day = run.boundary - run.boundary % DAY_MS
    uncharted = find_uncharted(lake, run, day)
    for table in tables_of(run, rules):
        wanted, held = Sums(4), Sums(4)
        for keys, measures in _count_silver(lake, run, table, day, uncharted):
            wanted.add(keys, *measures)
        rows = Sums(1)
        for keys, batch in _read_gold(lake, run, table):
            held.add(keys, *_measures_of(batch, has_charted=table.has_charted))
            rows.add(keys, np.ones(len(batch), np.int64))
        _compare(lake, run, table, wanted, held, findings)
        keys, times = rows.total()
        again = keys[times[:, 0] > 1]
        names = _name_rows(lake, run, table, again)
        findings.add(Kind.REPEATED, f"{CHECK}, {table.name}", names, total=len(again))
        findings.note_checked(f"rows of {table.name}", len(keys))


def _compare(
    lake: Lake, run: Run, table: Table, wanted: Sums, held: Sums, findings: Findings
) -> None:
    pairs = pair_up(wanted.total(), held.total())
    wrong = np.flatnonzero((pairs.left != pairs.right).any(axis=1))
    if not len(wrong):
        return
    keys = pairs.keys[wrong[:NAMED_AT_MOST]]
    names = _name_keys(lake, run, table, keys)
    texts = []
    for number in wrong[:NAMED_AT_MOST].tolist():
        name = names.get(int(pairs.keys[number]), "?")
        gold, silver = map(_format_measures, (pairs.right[number], pairs.left[number]))
        texts.append(f"{name}: {gold} in gold, {silver} by silver")
    findings.add(Kind.WRONG, f"{CHECK}, {table.name}", texts, total=len(wrong))


def _count_silver(
    lake: Lake, run: Run, table: Table, day: int, uncharted: set[tuple[int, int]]
) -> Iterator[tuple[NDArray[np.int64], list[NDArray[np.int64]]]]:
    columns = [*table.by, "is_counted", "ms_played", "partition", "offset"]
    for batch, times in read_plays(lake, run, columns, table.begin, table.end):
        counted = np.array(batch["is_counted"].to_pylist(), np.int64)
        charted = counted.copy()
        if uncharted:
            positions = zip(
                batch["partition"].to_pylist(), batch["offset"].to_pylist(), strict=True
            )
            charted[[one in uncharted for one in positions]] = 0
        charted[times >= day] = _UNKNOWN
        if not table.has_charted:
            charted[:] = 0
        ms_played = np.asarray(batch["ms_played"].fill_null(0))
        ones = np.ones(len(batch), np.int64)
        keys = _keys(times - times % table.step, [batch[name] for name in table.by])
        yield keys, [ones, counted, charted, ms_played]


def _read_gold(
    lake: Lake, run: Run, table: Table
) -> Iterator[tuple[NDArray[np.int64], pa.RecordBatch]]:
    columns = [table.time, *table.by, "plays", "counted_plays", "ms_played"]
    columns += ["charted_plays"] if table.has_charted else []
    for batch in lake.rows(table.name, columns, run.pins[table.name]):
        yield _keys(_times_of(batch[table.time]), [batch[name] for name in table.by]), batch


def _measures_of(batch: pa.RecordBatch, *, has_charted: bool) -> list[NDArray[np.int64]]:
    """Return plays, counted, charted and ms; unknown charted plays as in `_count_silver`."""
    plays, counted, ms_played = (
        np.asarray(batch[name]) for name in ("plays", "counted_plays", "ms_played")
    )
    charted = np.zeros(len(batch), np.int64)
    if has_charted:
        column = batch["charted_plays"]
        charted = np.where(np.asarray(column.is_valid()), column.fill_null(0), _UNKNOWN * plays)
    return [plays, counted, charted, ms_played]


def _times_of(column: pa.Array) -> NDArray[np.int64]:
    if pa.types.is_date32(column.type):
        return np.asarray(column.cast(pa.int32()), np.int64) * DAY_MS
    return to_ms(column)


def _keys(times: NDArray[np.int64], columns: Sequence[pa.Array]) -> NDArray[np.int64]:
    given = [times.tolist(), *(column.to_pylist() for column in columns)]
    return hash_rows(given, len(times))


def _counted(
    lake: Lake, run: Run, columns: Sequence[str], closed_day: int
) -> Iterator[tuple[NDArray[np.int64], pa.RecordBatch]]:
    """Yield the counted plays of closed days, with the hashes of listener, song and day."""
    for batch, times in read_plays(lake, run, columns, 0, closed_day):
        is_counted = batch["is_counted"]
        mine = batch.filter(is_counted)
        days = (times // DAY_MS)[np.asarray(is_counted.to_pylist(), np.bool_)]
        yield _keys(days, [mine["user_id"], mine["song_id"]]), mine


def _name_keys(lake: Lake, run: Run, table: Table, wanted: NDArray[np.int64]) -> dict[int, str]:
    """Return readable names of some keys, looked up in gold, then in silver."""
    found: dict[int, str] = {}

    def note(keys: NDArray[np.int64], times: NDArray[np.int64], batch: pa.RecordBatch) -> None:
        for number in np.flatnonzero(np.isin(keys, wanted)).tolist():
            names = [batch[name][number].as_py() for name in table.by]
            found[int(keys[number])] = _name(int(times[number]), names)

    for keys, batch in _read_gold(lake, run, table):
        note(keys, _times_of(batch[table.time]), batch)
    if len(found) < len(wanted):
        for batch, times in read_plays(lake, run, table.by, table.begin, table.end):
            starts = times - times % table.step
            note(_keys(starts, [batch[name] for name in table.by]), starts, batch)
    return found


def _name_rows(lake: Lake, run: Run, table: Table, keys: NDArray[np.int64]) -> list[str]:
    if not len(keys):
        return []
    names = _name_keys(lake, run, table, keys[:NAMED_AT_MOST])
    return [f"{name}: more than one row" for name in names.values()]


def _name(time_ms: int, names: Sequence[Any]) -> str:
    moment = datetime.fromtimestamp(time_ms / 1_000, UTC).isoformat(timespec="seconds")
    return f"{moment} {', '.join(str(name) for name in names if name is not None)}"


def _format_measures(measures: NDArray[np.int64]) -> str:
    names = ("plays", "counted", "charted", "ms")
    return ", ".join(f"{count} {name}" for name, count in zip(names, measures, strict=True))
