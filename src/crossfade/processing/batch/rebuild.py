"""Rebuild gold's dirty windows, hours and days from silver, and replace the old rows."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from crossfade.clock import DAY_MS, Range, floor_to, utc_date
from crossfade.contract.boundary import windows_kept_from
from crossfade.lake.table_files import TableFile, count_rows_on, read_files
from crossfade.lake.tables import (
    GOLD_ACTIVITY_HOUR,
    GOLD_LISTENERS,
    GOLD_SONG_DAY,
    GOLD_SONG_WINDOW,
    SILVER_PLAYS,
    Table,
)
from crossfade.processing.batch.partials import (
    GRAIN,
    count_activity_hours,
    count_song_days,
    count_song_windows,
    mark_charted,
    sketch_day_listeners,
    sketch_window_listeners,
)
from crossfade.processing.batch.ranges import Dirty, days_of, in_ranges, on_days
from crossfade.processing.batch.tables import append_rows, delete_rows, read_table, replace_rows
from crossfade.processing.batch.tuning import tune_for

_COLUMNS = (
    *("date", "event_time", "event_id", "user_id", "city", "ms_played", "is_counted"),
    *GRAIN,
)


def rebuild_partials(
    spark: SparkSession, lake: Path, dirty: Dirty, grain_ms: int, *, may_be_empty: bool = False
) -> None:
    """Rebuild what is dirty in every table of partials.

    Days without plays are skipped: a play may be replaced by a copy, but only on the same day.
    Only an erasure can remove the last play of a day (`may_be_empty`).
    """
    among = days_of(dirty.windows)
    plays = count_rows_on(lake, SILVER_PLAYS, among)
    if plays or (may_be_empty and among):
        tune_for(spark, plays)
        _rebuild_windows(spark, lake, dirty.windows, grain_ms)
        if dirty.hours:
            _rebuild_open_hours(spark, lake, dirty.hours)
    plays = count_rows_on(lake, SILVER_PLAYS, dirty.days)
    if plays or (may_be_empty and dirty.days):
        tune_for(spark, plays)
        _rebuild_days(spark, lake, dirty.days)


def forget_old_windows(spark: SparkSession, lake: Path, *, previous: int, boundary: int) -> None:
    """Delete windows older than two days when the boundary enters a new day."""
    if previous < 0 or floor_to(previous, DAY_MS) == floor_to(boundary, DAY_MS):
        return
    is_old = f"date < DATE '{utc_date(windows_kept_from(boundary))}'"
    delete_rows(spark, lake, GOLD_SONG_WINDOW, where=is_old)
    delete_rows(spark, lake, GOLD_LISTENERS, where=f"{is_old} AND grain = 'window'")


def _rebuild_windows(
    spark: SparkSession, lake: Path, windows: Sequence[Range], grain_ms: int
) -> None:
    plays = _plays_between(spark, lake, windows)
    where = f"{on_days(days_of(windows))} AND {in_ranges('window_start', windows)}"
    old = [file for file in read_files(lake, GOLD_SONG_WINDOW) if file.may_lie_in(windows)]
    _put(count_song_windows(plays, grain_ms), lake, GOLD_SONG_WINDOW, where, old)
    where = f"{on_days(days_of(windows))} AND {in_ranges('period_start', windows)}"
    old = [
        file
        for file in read_files(lake, GOLD_LISTENERS)
        if file.grain != "day" and file.may_lie_in(windows)
    ]
    sketches = sketch_window_listeners(plays, grain_ms)
    _put(sketches, lake, GOLD_LISTENERS, f"grain = 'window' AND {where}", old)


def _rebuild_open_hours(spark: SparkSession, lake: Path, hours: Sequence[Range]) -> None:
    rows = count_activity_hours(_plays_between(spark, lake, hours), is_day_closed=False)
    where = f"{on_days(days_of(hours))} AND {in_ranges('hour_start', hours)}"
    old = [file for file in read_files(lake, GOLD_ACTIVITY_HOUR) if file.may_lie_in(hours)]
    _put(rows.coalesce(1), lake, GOLD_ACTIVITY_HOUR, where, old)


def _rebuild_days(spark: SparkSession, lake: Path, days: Sequence[date]) -> None:
    on = on_days(days)
    plays = read_table(spark, lake, SILVER_PLAYS, days).where(on).select(*_COLUMNS)
    charted = mark_charted(plays.repartition("date")).persist()
    try:
        for table, rows in (
            (GOLD_SONG_DAY, count_song_days(charted)),
            (GOLD_ACTIVITY_HOUR, count_activity_hours(charted, is_day_closed=True)),
        ):
            old = [file for file in read_files(lake, table) if file.may_hold(days)]
            _put(rows, lake, table, on, old)
        old = [
            file
            for file in read_files(lake, GOLD_LISTENERS)
            if file.grain != "window" and file.may_hold(days)
        ]
        sketches = sketch_day_listeners(charted)
        _put(sketches, lake, GOLD_LISTENERS, f"grain = 'day' AND {on}", old)
    finally:
        charted.unpersist()


def _put(rows: DataFrame, lake: Path, table: Table, where: str, old: Sequence[TableFile]) -> None:
    """Replace the old rows; append if no file can hold any."""
    if old:
        replace_rows(rows, lake, table, where=where)
    else:
        append_rows(rows, lake, table)


def _plays_between(spark: SparkSession, lake: Path, ranges: Sequence[Range]) -> DataFrame:
    days = days_of(ranges)
    plays = read_table(spark, lake, SILVER_PLAYS, days)
    is_inside = f"{on_days(days)} AND {in_ranges('event_time', ranges)}"
    return plays.where(F.expr(is_inside)).select(*_COLUMNS)
