"""From judged records to counted windows, as pure frames."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from crossfade.contract.time_rules import FUTURE_MS, TimeRules

FIELDS = (
    "event_id",
    "user_id",
    "country",
    "song_id",
    "title",
    "artist",
    "album",
    "genre",
    "ms_played",
    "is_counted",
)
"""What speed needs of a play, beside its event time."""

SKETCH_LG_K = 10
"""Size of the listeners' sketch (HyperLogLog, 2^10 registers): a stated error of 3.3 %."""

_GRAIN = ("country", "song_id", "title", "artist", "album", "genre")


def lay_out_records(records: DataFrame) -> DataFrame:
    """Give Kafka's records the columns that the decoder takes, and no other."""
    return records.select(
        "partition",
        "offset",
        F.col("timestamp").alias("log_time"),
        F.col("timestampType").alias("timestamp_type"),
        "value",
    )


def observe_verdicts(judged: DataFrame, rules: TimeRules, name: str) -> DataFrame:
    """Count, per micro-batch, what became of its records, without a pass of their own."""
    is_accepted = F.col("reason").isNull()
    is_late = is_accepted & ~_is_on_time(rules) & ~F.col("is_repeat")
    return judged.observe(
        name,
        F.count_if(is_accepted).alias("accepted"),
        F.count_if(~is_accepted).alias("rejected"),
        F.count_if(F.col("is_repeat")).alias("repeats"),
        F.count_if(is_late).alias("late"),
    )


def keep_on_time(judged: DataFrame, rules: TimeRules) -> DataFrame:
    """Keep the accepted records that speed counts: a property of each record alone."""
    return judged.where(F.col("reason").isNull() & _is_on_time(rules)).select(
        "event_time", "is_repeat", *FIELDS
    )


def drop_repeats(plays: DataFrame, rules: TimeRules, *, exactly: bool) -> DataFrame:
    """Leave out repeats within a micro-batch's partition and, if asked, all others, by state.

    The frame that comes back has its watermark, which does nothing but evict state.
    """
    delay = f"{rules.watermark_delay_ms} milliseconds"
    fresh = plays.where(~F.col("is_repeat")).withWatermark("event_time", delay)
    if not exactly:
        return fresh
    dated = fresh.withColumn("event_date", F.to_date("event_time"))
    return dated.dropDuplicatesWithinWatermark(["user_id", "event_id", "event_date"])


def count_windows(plays: DataFrame, rules: TimeRules) -> DataFrame:
    """Count plays by window and grain: absolute values, so that a replay changes nothing.

    Returns:
        `window_start_ms`, the grain's columns, `plays`, `counted_plays`, `ms_played` (absent ones
        add 0) and `listeners`, a sketch.
    """
    window = F.window("event_time", f"{rules.grain_ms} milliseconds")
    counted = plays.groupBy(window, *_GRAIN).agg(
        F.count("*").alias("plays"),
        F.count_if("is_counted").alias("counted_plays"),
        F.coalesce(F.sum("ms_played"), F.lit(0)).alias("ms_played"),
        F.hll_sketch_agg("user_id", SKETCH_LG_K).alias("listeners"),
    )
    return counted.select(
        F.unix_millis("window.start").alias("window_start_ms"),
        *_GRAIN,
        "plays",
        "counted_plays",
        "ms_played",
        "listeners",
    )


def lay_out_rows(windows: DataFrame, *, generation: str, epoch: int, batch: int) -> DataFrame:
    """Give windows the form of the topic's records (`crossfade.window_log`): `key`, `value`."""
    key = F.struct(
        F.lit(generation).alias("g"),
        F.lit(epoch).alias("e"),
        F.col("window_start_ms").alias("w"),
        F.col("country").alias("c"),
        F.col("song_id").alias("s"),
        F.col("title").alias("t"),
        F.col("artist").alias("a"),
        F.col("album").alias("al"),
        F.col("genre").alias("ge"),
    )
    value = F.struct(
        F.lit(batch).alias("b"),
        F.col("plays").alias("p"),
        F.col("counted_plays").alias("n"),
        F.col("ms_played").alias("m"),
        F.base64("listeners").alias("l"),
    )
    return windows.select(F.to_json(key).alias("key"), F.to_json(value).alias("value"))


def _is_on_time(rules: TimeRules) -> Column:
    """Say `TimeRules.is_on_time` in Spark."""
    event_ms, log_ms = F.unix_millis("event_time"), F.unix_millis("log_time")
    return event_ms.between(log_ms - rules.late_after_ms, log_ms + FUTURE_MS)
