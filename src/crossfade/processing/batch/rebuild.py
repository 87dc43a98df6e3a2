"""Gold's dirty windows, hours and days, rebuilt from silver and put in place of the old."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from crossfade.clock import DAY_MS, floor_to, utc_date
from crossfade.lake import (
    GOLD_ACTIVITY_HOUR,
    GOLD_LISTENERS,
    GOLD_SONG_DAY,
    GOLD_SONG_WINDOW,
    SILVER_PLAYS,
)
from crossfade.processing.batch.partials import (
    count_days,
    count_hours,
    count_windows,
    mark_charted,
    sketch_day_listeners,
    sketch_window_listeners,
)
from crossfade.processing.batch.ranges import (
    Dirty,
    Range,
    days_of,
    in_ranges,
    on_days,
    windows_kept_from,
)
from crossfade.processing.batch.table_files import count_rows_on
from crossfade.processing.batch.tables import delete_rows, read_table, replace_rows
from crossfade.processing.batch.tuning import tune_for

_COLUMNS = (
    *("date", "event_time", "event_id", "user_id", "country", "city"),
    *("song_id", "title", "artist", "album", "genre", "ms_played", "is_counted"),
)


def rebuild_partials(spark: SparkSession, lake: Path, dirty: Dirty, grain_ms: int) -> None:
    """Rebuild what is dirty in every table of partials.

    Days without a play need nothing: a play may give way to a copy of it, but on the same day.
    """
    among = days_of(dirty.windows)
    if plays := count_rows_on(lake, SILVER_PLAYS, among):
        tune_for(spark, plays)
        _rebuild_windows(spark, lake, dirty.windows, grain_ms)
        if dirty.hours:
            _rebuild_open_hours(spark, lake, dirty.hours)
    if plays := count_rows_on(lake, SILVER_PLAYS, dirty.days):
        tune_for(spark, plays)
        _rebuild_days(spark, lake, dirty.days)


def forget_old_windows(spark: SparkSession, lake: Path, *, previous: int, boundary: int) -> None:
    """Delete the windows that are older than two days once the boundary enters a new day."""
    if previous < 0 or floor_to(previous, DAY_MS) == floor_to(boundary, DAY_MS):
        return
    is_old = f"date < DATE '{utc_date(windows_kept_from(boundary))}'"
    delete_rows(spark, lake, GOLD_SONG_WINDOW, where=is_old)
    delete_rows(spark, lake, GOLD_LISTENERS, where=f"{is_old} AND grain = 'window'")


def _rebuild_windows(
    spark: SparkSession, lake: Path, windows: Sequence[Range], grain_ms: int
) -> None:
    plays = _plays_between(spark, lake, windows)
    on = on_days(days_of(windows))
    replace_rows(
        count_windows(plays, grain_ms),
        lake,
        GOLD_SONG_WINDOW,
        where=f"{on} AND {in_ranges('window_start', windows)}",
    )
    replace_rows(
        sketch_window_listeners(plays, grain_ms),
        lake,
        GOLD_LISTENERS,
        where=f"{on} AND grain = 'window' AND {in_ranges('period_start', windows)}",
    )


def _rebuild_open_hours(spark: SparkSession, lake: Path, hours: Sequence[Range]) -> None:
    rows = count_hours(_plays_between(spark, lake, hours), is_day_closed=False)
    where = f"{on_days(days_of(hours))} AND {in_ranges('hour_start', hours)}"
    replace_rows(rows.coalesce(1), lake, GOLD_ACTIVITY_HOUR, where=where)


def _rebuild_days(spark: SparkSession, lake: Path, days: Sequence[date]) -> None:
    on = on_days(days)
    plays = read_table(spark, lake, SILVER_PLAYS).where(on).select(*_COLUMNS)
    charted = mark_charted(plays.repartition("date")).persist()
    try:
        replace_rows(count_days(charted), lake, GOLD_SONG_DAY, where=on)
        hours = count_hours(charted, is_day_closed=True)
        replace_rows(hours, lake, GOLD_ACTIVITY_HOUR, where=on)
        sketches = sketch_day_listeners(charted)
        replace_rows(sketches, lake, GOLD_LISTENERS, where=f"{on} AND grain = 'day'")
    finally:
        charted.unpersist()


def _plays_between(spark: SparkSession, lake: Path, ranges: Sequence[Range]) -> DataFrame:
    plays = read_table(spark, lake, SILVER_PLAYS)
    is_inside = f"{on_days(days_of(ranges))} AND {in_ranges('event_time', ranges)}"
    return plays.where(F.expr(is_inside)).select(*_COLUMNS)
