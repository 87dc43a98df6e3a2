"""Check the two laws of conservation on the tables as a run wrote them, without Spark."""

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

import duckdb

from crossfade.clock import Range
from crossfade.errors import UnprovenError
from crossfade.lake.connection import connect, register_table
from crossfade.lake.table_files import count_rows, read_files
from crossfade.lake.tables import (
    GOLD_ACTIVITY_HOUR,
    GOLD_SONG_DAY,
    GOLD_SONG_WINDOW,
    SILVER_DUPLICATES,
    SILVER_ERASED,
    SILVER_PLAYS,
    SILVER_REJECTED,
    Table,
    list_files,
)
from crossfade.processing.batch.intake import Intake
from crossfade.processing.batch.ranges import Dirty, days_of, in_ranges, on_days
from crossfade.processing.batch.tables import head_versions

_JUDGED = (SILVER_PLAYS, SILVER_REJECTED, SILVER_DUPLICATES, SILVER_ERASED)
_CURE = "Nothing was published; the next run undoes this one. Please report it."
_PLAYS = "count(*), count(*) FILTER (is_counted), coalesce(sum(ms_played), 0)"
_SUMS = "coalesce(sum(plays), 0), coalesce(sum(counted_plays), 0), coalesce(sum(ms_played), 0)"


def check_positions(
    lake: Path, before: Mapping[str, int], after: Mapping[str, int], intake: Intake
) -> None:
    """Check the first law: every new position of bronze was judged exactly once.

    Args:
        lake: the lake's folder.
        before: versions of the tables before the run.
        after: versions as the run wrote them.
        intake: the offsets that the run judged, and how many records of them bronze holds.

    Raises:
        UnprovenError: a position is missing, occurs twice, or is outside the range.
    """
    connection = connect()
    for table in _JUDGED:
        old = {file.path for file in read_files(lake, table, before[table.name])}
        new = [file.path for file in read_files(lake, table, after[table.name])]
        register_table(connection, table, [path for path in new if path not in old])
    judged = _count_positions(connection, intake)
    for partition, expected in intake.bronze_rows.items():
        rows, positions = judged.get(partition, (0, 0))
        if not rows == positions == expected:
            what = (
                f"Of {expected} new records of topic partition {partition}, {rows} were judged, "
                f"at {positions} different offsets."
            )
            raise UnprovenError(what, _CURE)
    grown = _count_judged(lake, after) - _count_judged(lake, before)
    new_records = sum(intake.bronze_rows.values())
    if grown != new_records:
        what = f"Silver grew by {grown} rows for {new_records} new records."
        raise UnprovenError(what, _CURE)


def check_sums(lake: Path, after: Mapping[str, int], dirty: Dirty) -> None:
    """Check the second law: where gold was rebuilt, its plays, counted plays and ms equal silver's.

    Raises:
        UnprovenError: a sum differs.
    """
    spans = (
        (GOLD_SONG_WINDOW, "window_start", dirty.windows),
        (GOLD_ACTIVITY_HOUR, "hour_start", dirty.hours),
    )
    for table, column, ranges in spans:
        among = days_of(ranges)
        silver = _ask(lake, after, SILVER_PLAYS, among, _PLAYS, in_ranges("event_time", ranges))
        _compare(table, silver, _ask(lake, after, table, among, _SUMS, in_ranges(column, ranges)))
    silver = _ask(lake, after, SILVER_PLAYS, dirty.days, _PLAYS, on_days(dirty.days))
    for table in (GOLD_SONG_DAY, GOLD_ACTIVITY_HOUR):
        gold = _ask(lake, after, table, dirty.days, _SUMS, on_days(dirty.days))
        _compare(table, silver, gold)


def has_plays_between(lake: Path, span: Range) -> bool:
    """Check whether silver's newest version has a play in a range of time."""
    where = in_ranges("event_time", [span])
    return _ask(lake, head_versions(lake), SILVER_PLAYS, days_of([span]), _PLAYS, where)[0] > 0


def played_days(lake: Path) -> list[date]:
    """Return the days on which silver's newest version has plays."""
    connection = connect()
    register_table(connection, SILVER_PLAYS, list_files(lake, SILVER_PLAYS))
    rows = connection.execute("SELECT DISTINCT date FROM silver_plays ORDER BY date").fetchall()
    return [day for (day,) in rows]


def _count_positions(
    connection: duckdb.DuckDBPyConnection, intake: Intake
) -> dict[int, tuple[int, int]]:
    rows = " UNION ALL ".join(
        f'SELECT "partition", "offset" FROM {table.name.replace("/", "_")}' for table in _JUDGED
    )
    inside = " OR ".join(
        f'("partition" = {p} AND "offset" >= {intake.start_offsets[p]} AND "offset" < {end})'
        for p, end in intake.end_offsets.items()
    )
    counted = connection.execute(
        f'SELECT "partition", count(*), count(DISTINCT "offset") FROM ({rows}) '
        f"WHERE {inside or 'false'} GROUP BY 1"
    ).fetchall()
    return {partition: (rows, positions) for partition, rows, positions in counted}


def _count_judged(lake: Path, versions: Mapping[str, int]) -> int:
    return sum(count_rows(read_files(lake, table, versions[table.name])) for table in _JUDGED)


def _ask(
    lake: Path,
    versions: Mapping[str, int],
    table: Table,
    days: Iterable[date],
    measures: str,
    where: str,
) -> tuple[int, ...]:
    connection = connect()
    among = sorted(days)
    files = read_files(lake, table, versions[table.name])
    register_table(connection, table, [file.path for file in files if file.may_hold(among)])
    query = f"SELECT {measures} FROM {table.name.replace('/', '_')} WHERE {where}"
    return tuple(int(value) for value in connection.execute(query).fetchall()[0])


def _compare(table: Table, silver: tuple[int, ...], gold: tuple[int, ...]) -> None:
    if silver != gold:
        what = f"{table.name} sums to {gold}, silver/plays to {silver} (plays, counted, ms)."
        raise UnprovenError(what, _CURE)
