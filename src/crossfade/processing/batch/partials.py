"""From plays to gold's partials: counts by window, hour and day, and sketches of listeners."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from crossfade.clock import HOUR_MS
from crossfade.contract.counting import DAILY_CAP, SKETCH_LG_K
from crossfade.kafka.window_log import Grain
from crossfade.processing.counting import floor_ms, measure_plays

GRAIN = (*Grain._fields, "artist_key")
"""What plays of a window or a day are counted by; the key depends only on the artist."""


def mark_charted(plays: DataFrame) -> DataFrame:
    """Add `is_charted`: one of the first `DAILY_CAP` counted plays of a listener, song and UTC day.

    The plays must be those of whole days.
    """
    same = Window.partitionBy("date", "user_id", "song_id", "is_counted")
    rank = F.row_number().over(same.orderBy("event_time", "event_id"))
    return plays.withColumn("is_charted", F.col("is_counted") & (rank <= DAILY_CAP))


def count_song_windows(plays: DataFrame, grain_ms: int) -> DataFrame:
    """Return the rows of gold/song_window."""
    return plays.groupBy(_floor("event_time", grain_ms).alias("window_start"), *GRAIN, "date").agg(
        *measure_plays()
    )


def count_song_days(charted: DataFrame) -> DataFrame:
    """Return the rows of gold/song_day."""
    return charted.groupBy(*GRAIN, "date").agg(*measure_plays(), _charted())


def count_activity_hours(plays: DataFrame, *, is_day_closed: bool) -> DataFrame:
    """Return the rows of gold/activity_hour; `charted_plays` is NULL unless the day is closed."""
    charted = _charted() if is_day_closed else F.lit(None).cast("bigint").alias("charted_plays")
    return plays.groupBy(_floor("event_time", HOUR_MS).alias("hour_start"), "country", "date").agg(
        *measure_plays(), charted
    )


def sketch_window_listeners(plays: DataFrame, grain_ms: int) -> DataFrame:
    """Return the rows of gold/listeners for windows."""
    return _sketch_listeners(plays, "window", _floor("event_time", grain_ms))


def sketch_day_listeners(plays: DataFrame) -> DataFrame:
    """Return the rows of gold/listeners for days."""
    return _sketch_listeners(plays, "day", F.col("date").cast("timestamp"))


def _sketch_listeners(plays: DataFrame, grain: str, period_start: Column) -> DataFrame:
    keys = {
        "song": F.col("song_id"),
        "artist": F.col("artist_key"),
        "country": F.col("country"),
        "city": F.concat_ws("/", "country", "city"),
    }
    each = F.explode(
        F.array(
            *(F.struct(F.lit(kind).alias("kind"), key.alias("key")) for kind, key in keys.items())
        )
    )
    exploded = plays.select(
        "date", period_start.alias("period_start"), "user_id", "city", each.alias("by")
    ).where((F.col("by.kind") != "city") | F.col("city").isNotNull())
    return exploded.groupBy(
        F.lit(grain).alias("grain"), "period_start", "by.kind", "by.key", "date"
    ).agg(F.hll_sketch_agg("user_id", F.lit(SKETCH_LG_K)).alias("listeners"))


def _charted() -> Column:
    return F.count_if("is_charted").alias("charted_plays")


def _floor(column: str, step_ms: int) -> Column:
    return F.timestamp_millis(floor_ms(column, step_ms))
