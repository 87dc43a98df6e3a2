"""Published runs of batch: a run is one row of gold/run."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from crossfade.errors import LakeError
from crossfade.lake.connection import connect, register_table
from crossfade.lake.tables import GOLD_RUN, list_files


@dataclass(frozen=True, slots=True)
class RunCounts:
    """How many records a run judged, and what became of them.

    They are of the positions from the run's `start_offsets` to its `end_offsets`;
    `bronze_rows` is the sum of accepted, rejected, duplicates and erased.
    """

    bronze_rows: int = 0
    accepted: int = 0
    rejected: int = 0
    duplicates: int = 0
    erased: int = 0
    rejected_by_reason: Mapping[str, int] = field(default_factory=dict)
    dropped_by_field: Mapping[str, int] = field(default_factory=dict)
    late: int = 0
    counted_plays: int = 0
    ms_played: int = 0
    revised_charts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A published run of batch: what it pinned, what it covers and what it counted.

    Offsets are exclusive ends; times are milliseconds since the epoch. In `next_log_times` a
    partition with nothing beyond its end is absent: infinite. `gaps` are offsets that Kafka never
    gave to a record.
    """

    run: int
    run_uuid: str
    pins: Mapping[str, int]
    start_offsets: Mapping[int, int]
    end_offsets: Mapping[int, int]
    last_log_times: Mapping[int, int]
    next_log_times: Mapping[int, int]
    log_time: int
    boundary: int
    gaps: Sequence[Mapping[str, int]]
    counts: RunCounts
    rules: str
    code_version: str
    started_at_ms: int
    published_at_ms: int

    def covers(self, ends: Mapping[int, int]) -> bool:
        """Check whether this run covers every offset below `ends`."""
        return all(self.end_offsets.get(partition, 0) >= end for partition, end in ends.items())


def read_newest_run(lake: Path, version: int | None = None) -> Run | None:
    """Read the newest run in a version of gold/run (the newest if None); None before run 0."""
    files = list_files(lake, GOLD_RUN, version)
    if not files:
        return None
    import duckdb

    query = (
        "SELECT * REPLACE (epoch_ms(started_at) AS started_at, "
        "epoch_ms(published_at) AS published_at) FROM gold_run ORDER BY run DESC LIMIT 1"
    )
    try:
        with connect() as connection:
            register_table(connection, GOLD_RUN, files)
            found = connection.execute(query)
            columns, row = [name for name, *_ in found.description or ()], found.fetchone()
    except duckdb.Error as error:
        what = f"Cannot read {GOLD_RUN.name}: {str(error).splitlines()[0]}"
        raise LakeError(what, "Restore that file from a backup.") from None
    return None if row is None else _run_from(dict(zip(columns, row, strict=True)))


def read_proven_gaps(lake: Path) -> set[tuple[int, int]]:
    """Read the positions that published runs proved to have no record: partition and offset."""
    query = (
        'SELECT "partition", unnest(range(begin_offset, end_offset)) '
        "FROM (SELECT unnest(gaps, recursive := true) FROM gold_run)"
    )
    with connect() as connection:
        register_table(connection, GOLD_RUN, list_files(lake, GOLD_RUN))
        return set(connection.execute(query).fetchall())


def require_run(lake: Path) -> Run:
    """Read the newest published run.

    Raises:
        LakeError: there is none.
    """
    run = read_newest_run(lake)
    if run is None:
        what = f"No batch run was published in {lake}."
        raise LakeError(what, 'Run "crossfade batch --once" first.')
    return run


def row_of(run: Run) -> dict[str, Any]:
    """Return a run as a row of gold/run, by column; times are milliseconds since the epoch."""
    row = {name: getattr(run, name) for name in _RUN_FIELDS} | asdict(run.counts)
    return {_COLUMN_OF.get(name, name): value for name, value in row.items()}


def _run_from(row: Mapping[str, Any]) -> Run:
    values = {name: row[_COLUMN_OF.get(name, name)] for name in _RUN_FIELDS}
    # A run of an earlier release has NULL in the columns that were added later.
    named = {one.name: row[one.name] for one in fields(RunCounts)}
    counts = RunCounts(**{name: value for name, value in named.items() if value is not None})
    return Run(**values, counts=counts)


_RUN_FIELDS = tuple(one.name for one in fields(Run) if one.name != "counts")
_COLUMN_OF = {"started_at_ms": "started_at", "published_at_ms": "published_at"}
