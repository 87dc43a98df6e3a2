"""Published runs of batch: a run is one row of gold/run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from crossfade.errors import LakeError
from crossfade.lake.connection import connect, register_table
from crossfade.lake.tables import GOLD_RUN, list_files


@dataclass(frozen=True, slots=True)
class Run:
    """A published run of batch: what it pinned, what it covers and what it counted.

    Offsets are exclusive ends; times are milliseconds since the epoch. The counts are of the
    positions from `start_offsets` to `end_offsets`, which this run judged. In `next_log_times` a
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
    bronze_rows: int
    accepted: int
    rejected: int
    duplicates: int
    erased: int
    rejected_by_reason: Mapping[str, int]
    late: int
    counted_plays: int
    ms_played: int
    revised_charts: int
    rules: str
    code_version: str
    started_at_ms: int
    published_at_ms: int

    def covers(self, ends: Mapping[int, int]) -> bool:
        """Tell whether everything below some exclusive end offsets is in this run."""
        return all(self.end_offsets.get(partition, 0) >= end for partition, end in ends.items())


def read_newest_run(lake: Path, version: int | None = None) -> Run | None:
    """Read the newest run published in a version of gold/run; None before batch was ever set up."""
    files = list_files(lake, GOLD_RUN, version)
    if not files:
        return None
    connection = connect()
    query = (
        "SELECT * REPLACE (epoch_ms(started_at) AS started_at, "
        "epoch_ms(published_at) AS published_at) FROM gold_run ORDER BY run DESC LIMIT 1"
    )
    try:
        register_table(connection, GOLD_RUN, files)
        row = connection.execute(query).fetchone()
    except duckdb.Error as error:
        what = f"Cannot read {GOLD_RUN.name}: {str(error).splitlines()[0]}"
        raise LakeError(what, "Restore that file from a backup.") from None
    return None if row is None else Run(*row)


def require_run(lake: Path) -> Run:
    """Read the newest published run, or say how to get one."""
    run = read_newest_run(lake)
    if run is None:
        what = f"No batch run was published in {lake}."
        raise LakeError(what, 'Run "crossfade batch --once" first.')
    return run
