"""Both layers' counts of each window that was handed over, compared in DuckDB."""

import pyarrow as pa

from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.contract.time_rules import FUTURE_MS
from crossfade.kafka.window_log import Grain
from crossfade.proof.pinned import PinnedLake
from crossfade.proof.speed_log import SpeedLog
from crossfade.proof.verdicts import WindowFacts

_EPOCH = 0
_SPEED_ROWS = pa.schema(
    [
        ("window_ms", pa.int64()),
        *((name, pa.string()) for name in Grain._fields),
        ("plays", pa.int64()),
        ("counted_plays", pa.int64()),
        ("ms_played", pa.int64()),
    ]
)
_FIRSTS = pa.schema([("partition", pa.int32()), ("first_offset", pa.int64())])


def find_handovers(
    pinned: PinnedLake, speed: SpeedLog, *, after_run: int = 0, windows_from: int = NO_BOUNDARY
) -> list[WindowFacts]:
    """Return each window with plays in either layer that a run after `after_run` took over.

    `windows_from` is the boundary of `after_run`: earlier windows need not be read.
    """
    _load(pinned, speed)
    rules = pinned.folder.time_rules
    prepare_on_time(pinned, windows_from=windows_from)
    rows = pinned.fetch(
        "handed_over",
        grain=rules.grain_ms,
        late_after=rules.late_after_ms,
        ahead=FUTURE_MS,
        windows_from=windows_from,
        after=after_run,
        retained_from=speed.retained_from,
    )
    return [WindowFacts(*row) for row in rows]


def prepare_on_time(pinned: PinnedLake, *, windows_from: int = NO_BOUNDARY) -> None:
    """Create `on_time` and `on_time_again`: plays and duplicates that speed may have counted."""
    rules = pinned.folder.time_rules
    shared = {
        "grain": rules.grain_ms,
        "late_after": rules.late_after_ms,
        "ahead": FUTURE_MS,
        "windows_from": max(windows_from, _EPOCH),
    }
    for query in ("boundaries", "run_ends"):
        pinned.prepare(query)
    for query in ("on_time", "on_time_again"):
        pinned.prepare(query, **shared)


def _load(pinned: PinnedLake, speed: SpeedLog) -> None:
    rows = [
        (window, *grain, row.plays, row.counted_plays, row.ms_played)
        for (window, grain), row in speed.rows.items()
    ]
    firsts = list(speed.first_offsets.items())
    for name, schema, values in (
        ("speed_rows", _SPEED_ROWS, rows),
        ("speed_firsts", _FIRSTS, firsts),
    ):
        columns = list(zip(*values, strict=True)) or [() for _ in schema]
        arrays = [
            pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)
        ]
        loaded = pa.Table.from_arrays(arrays, schema=schema)
        pinned.connection.register("loaded", loaded)
        pinned.connection.execute(f"CREATE OR REPLACE TABLE {name} AS FROM loaded")
        pinned.connection.unregister("loaded")
