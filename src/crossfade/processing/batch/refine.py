"""From bronze records to silver rows: decoded, then accepted, rejected, duplicate or erased."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from crossfade.clock import HOUR_MS
from crossfade.contract.time_rules import TimeRules
from crossfade.erasure.suppression import ERASED, Suppression
from crossfade.kafka.topics import LOG_APPEND_TIME
from crossfade.processing.counting import floor_ms
from crossfade.processing.decode import PLAY_FIELDS, judge_archive

_IDENTITY = ("user_id", "event_id", "date")
_PLACE = ("partition", "offset", "payload_hash", "event_time", "log_time", "song_id")
"""The columns kept of each copy of a play; the first two order the copies and are unique."""


def decode_records(records: DataFrame, suppression: Suppression) -> DataFrame:
    """Judge each record by the contract, and add the UTC day of accepted ones as `date`."""
    return judge_archive(records, PLAY_FIELDS, suppression).withColumn(
        "date", F.to_date("event_time")
    )


def summarize_partitions(decoded: DataFrame) -> DataFrame:
    """Count the records by topic partition, reason and dropped fields, with first and last offset.

    `last_log_time` ignores records whose time is not from the broker's clock.
    """
    has_log_time = F.col("timestamp_type") == LOG_APPEND_TIME
    return decoded.groupBy("partition", "reason", "dropped").agg(
        F.count("*").alias("records"),
        F.min("offset").alias("first_offset"),
        F.max("offset").alias("last_offset"),
        F.max(F.when(has_log_time, F.unix_millis("log_time"))).alias("last_log_time"),
        F.collect_set("date").alias("days"),
        F.coalesce(F.sum(F.length("value")), F.lit(0)).alias("rejected_bytes"),
    )


def judge_candidates(decoded: DataFrame, silver: DataFrame) -> DataFrame:
    """Find the winner of each play among the new records and silver's rows of the same days.

    Returns:
        Each accepted record with `winner` (the copy with the smallest position), `known` (silver's
        copy, or NULL), and `outcome`: "accepted" or "duplicate".
    """
    candidates = decoded.where(F.col("reason").isNull())
    known = silver.select(*_IDENTITY, F.struct(*_PLACE).alias("known")).join(
        candidates.select(*_IDENTITY), on=[*_IDENTITY], how="left_semi"
    )
    first = F.min(F.struct(*_PLACE)).over(Window.partitionBy(*_IDENTITY))
    judged = (
        candidates.withColumn("first", first)
        .join(known, on=[*_IDENTITY], how="left")
        .withColumn("winner", F.least("first", "known"))
    )
    winner = F.col("winner")
    is_winner = (F.col("partition") == winner["partition"]) & (F.col("offset") == winner["offset"])
    return judged.select(
        *("partition", "offset", "log_time", "payload_hash", "event_time"),
        *PLAY_FIELDS,
        "date",
        "winner",
        "known",
        F.when(is_winner, "accepted").otherwise("duplicate").alias("outcome"),
    )


def summarize_plays(judged: DataFrame, rules: TimeRules) -> DataFrame:
    """Count the judged records of each outcome, and collect the windows that they touch."""
    event_ms, log_ms = F.unix_millis("event_time"), F.unix_millis("log_time")
    is_late = event_ms < log_ms - rules.late_after_ms
    return judged.groupBy("outcome", floor_ms("event_time", HOUR_MS).alias("hour")).agg(
        F.count("*").alias("records"),
        F.count_if(is_late).alias("late"),
        F.count_if("is_counted").alias("counted_plays"),
        F.sum(F.coalesce("ms_played", F.lit(0))).alias("ms_played"),
        F.count("known").alias("known"),
        F.collect_set(floor_ms("event_time", rules.grain_ms)).alias("windows"),
    )


def select_accepted(judged: DataFrame) -> DataFrame:
    """Return the new rows of silver/plays."""
    accepted = judged.where(F.col("outcome") == "accepted")
    return accepted.withColumn("month", F.date_format("date", "yyyy-MM"))


def select_duplicates(judged: DataFrame) -> DataFrame:
    """Return the new rows of silver/duplicates."""
    return judged.where(F.col("outcome") == "duplicate").select(
        *("partition", "offset", "log_time", "event_time", "payload_hash"),
        F.col("winner.partition").alias("winner_partition"),
        F.col("winner.offset").alias("winner_offset"),
        (F.col("payload_hash") == F.col("winner.payload_hash")).alias("is_same_payload"),
        F.to_date("log_time").alias("date"),
    )


def select_rejected(decoded: DataFrame) -> DataFrame:
    """Return the new rows of silver/rejected."""
    is_rejected = F.col("reason").isNotNull() & (F.col("reason") != ERASED)
    return decoded.where(is_rejected).select(
        *("partition", "offset", "log_time", "reason", "value"),
        F.to_date("log_time").alias("date"),
    )


def select_erased(decoded: DataFrame) -> DataFrame:
    """Return the new rows of silver/erased."""
    return decoded.where(F.col("reason") == ERASED).select(
        *("partition", "offset", "log_time"), F.to_date("log_time").alias("date")
    )


def select_demoted(judged: DataFrame) -> DataFrame:
    """Return, as duplicates, silver's copies that lose to a new record with a smaller position."""
    has_lost = (F.col("outcome") == "accepted") & F.col("known").isNotNull()
    return judged.where(has_lost).select(
        *(f"known.{name}" for name in _PLACE),
        F.col("winner.partition").alias("winner_partition"),
        F.col("winner.offset").alias("winner_offset"),
        F.col("winner.payload_hash").alias("winner_hash"),
        (F.col("known.payload_hash") == F.col("winner.payload_hash")).alias("is_same_payload"),
        F.to_date("known.log_time").alias("date"),
        F.col("date").alias("silver_date"),
    )
