"""Speed's transforms from judged records to counted windows."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from crossfade.clock import DAY_MS
from crossfade.contract.counting import SKETCH_LG_K
from crossfade.contract.time_rules import FUTURE_MS, TimeRules
from crossfade.erasure.suppression import ERASED
from crossfade.processing.counting import floor_ms, measure_plays

_MOST_DAYS = 100_000
"""More days than there are: below this, `histogram_numeric` counts each day exactly."""

_FIELDS = ("user_id", "grain", "ms_played", "is_counted")


def list_fields(*, exactly: bool) -> tuple[str, ...]:
    """Return the play fields that speed needs; the grain is one text, as it sorts faster than six.

    `event_id` is only needed to find all repeats exactly.
    """
    return (*_FIELDS, "event_id") if exactly else _FIELDS


def select_record_columns(records: DataFrame, *, keyed: bool = False) -> DataFrame:
    """Select the columns of Kafka's records that the decoder needs."""
    return records.select(
        "partition",
        "offset",
        F.col("timestamp").alias("log_time"),
        F.col("timestampType").alias("timestamp_type"),
        "value",
        *(["key"] if keyed else []),
    )


def leave_out_erased(judged: DataFrame) -> DataFrame:
    """Leave out the records of erased listeners: speed does not count them at all."""
    return judged.where(F.col("reason").isNull() | (F.col("reason") != ERASED))


def observe_verdicts(judged: DataFrame, rules: TimeRules, name: str) -> DataFrame:
    """Count the outcomes of each micro-batch's records, without an extra pass over them."""
    is_accepted = F.col("reason").isNull()
    is_late = is_accepted & ~_is_on_time(rules) & ~F.col("is_repeat")
    late_day = F.when(is_late, (floor_ms("event_time", DAY_MS) / DAY_MS).cast("int"))
    return judged.observe(
        name,
        F.count_if(is_accepted).alias("accepted"),
        F.count_if(~is_accepted).alias("rejected"),
        F.count_if(F.col("is_repeat")).alias("repeats"),
        F.count_if(is_late).alias("late"),
        F.histogram_numeric(late_day, F.lit(_MOST_DAYS)).alias("late_days"),
        F.max(F.when(is_late, F.unix_millis("event_time"))).alias("newest_late"),
    )


def keep_on_time(judged: DataFrame, rules: TimeRules) -> DataFrame:
    """Keep the accepted records that speed counts; this depends on each record only."""
    return judged.where(F.col("reason").isNull() & _is_on_time(rules))


def drop_repeats(plays: DataFrame, rules: TimeRules, *, exactly: bool) -> DataFrame:
    """Leave out repeats within a micro-batch's partition; with `exactly`, all others too, by state.

    The returned frame has a column `window_end` with the watermark, which only evicts state.
    """
    delay = f"{rules.watermark_delay_ms} milliseconds"
    window_end_ms = floor_ms("event_time", rules.grain_ms) + rules.grain_ms
    fresh = (
        plays.where(~F.col("is_repeat"))
        .withColumn("window_end", F.timestamp_millis(window_end_ms))
        .withWatermark("window_end", delay)
    )
    if not exactly:
        return fresh
    dated = fresh.withColumn("event_date", F.to_date("event_time"))
    return dated.dropDuplicatesWithinWatermark(["user_id", "event_id", "event_date"])


def count_windows(plays: DataFrame, rules: TimeRules) -> DataFrame:
    """Count plays by window and grain; the values are absolute, so a replay changes nothing.

    Returns:
        `window_start_ms`, `grain` (a text of `crossfade.kafka.window_log`), `plays`,
        `counted_plays`, `ms_played` (absent ones add 0) and `listeners`, a sketch.
    """
    # Spark sorts by these columns: the hash, a cheap number, separates nearly all groups.
    group = (F.xxhash64("grain").alias("grain_hash"), "grain", "window_end")
    counted = plays.groupBy(*group).agg(
        *measure_plays(),
        F.hll_sketch_agg("user_id", SKETCH_LG_K).alias("listeners"),
    )
    return counted.select(
        (F.unix_millis("window_end") - rules.grain_ms).alias("window_start_ms"),
        "grain",
        "plays",
        "counted_plays",
        "ms_played",
        "listeners",
    )


def lay_out_rows(windows: DataFrame, *, generation: str, epoch: int, batch: int) -> DataFrame:
    """Encode windows as records of the topic (`crossfade.kafka.window_log`): `key`, `value`.

    Epoch and batch are part of text literals: as numeric literals they would change the plan, and
    Spark would compile it again in every micro-batch.
    """
    key = F.concat(
        F.lit(f'{{"g":"{generation}","e":{epoch},"w":'),
        F.col("window_start_ms").cast("string"),
        F.lit(',"k":'),
        F.col("grain"),
        F.lit("}"),
    )
    value = F.concat(
        F.lit(f'{{"b":{batch},"p":'),
        F.col("plays").cast("string"),
        F.lit(',"n":'),
        F.col("counted_plays").cast("string"),
        F.lit(',"m":'),
        F.col("ms_played").cast("string"),
        F.lit(',"l":"'),
        F.base64("listeners"),
        F.lit('"}'),
    )
    return windows.select(key.alias("key"), value.alias("value"))


def _is_on_time(rules: TimeRules) -> Column:
    """Return `TimeRules.is_on_time` as a Spark expression."""
    event_ms, log_ms = F.unix_millis("event_time"), F.unix_millis("log_time")
    return event_ms.between(log_ms - rules.late_after_ms, log_ms + FUTURE_MS)
