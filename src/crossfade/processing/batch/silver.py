"""Write silver: append judged records, and replace a play by a copy with a smaller position."""

from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from crossfade.erasure.removal import PlayRef
from crossfade.erasure.suppression import Suppression
from crossfade.lake.connection import connect, register_table
from crossfade.lake.tables import (
    BRONZE_SONG_PLAYS,
    SILVER_DUPLICATES,
    SILVER_ERASED,
    SILVER_PLAYS,
    SILVER_REJECTED,
    list_files,
    table_path,
)
from crossfade.processing.batch.bronze import mark_blank
from crossfade.processing.batch.intake import Intake, Verdicts
from crossfade.processing.batch.ranges import on_days
from crossfade.processing.batch.refine import (
    decode_records,
    judge_candidates,
    select_accepted,
    select_demoted,
    select_duplicates,
    select_erased,
    select_rejected,
)
from crossfade.processing.batch.tables import append_rows, append_wide_rows, read_table

_DELETE_LOSERS = """
MERGE INTO delta.`{plays}` AS play USING demoted AS loser
ON play.date = loser.silver_date
  AND play.partition = loser.partition AND play.offset = loser.offset
WHEN MATCHED THEN DELETE
"""
_POINT_TO_WINNER = """
MERGE INTO delta.`{duplicates}` AS copy USING demoted AS loser
ON copy.winner_partition = loser.partition AND copy.winner_offset = loser.offset
WHEN MATCHED THEN UPDATE SET
  winner_partition = loser.winner_partition,
  winner_offset = loser.winner_offset,
  is_same_payload = copy.payload_hash = loser.winner_hash
"""
_FEW_BYTES = 64 * 1024 * 1024
"""Up to this size, rejected records are written by this process; beyond it, by Spark."""


def append_judged(
    decoded: DataFrame, judged: DataFrame | None, lake: Path, intake: Intake, verdicts: Verdicts
) -> None:
    """Append the new rows of the silver tables; a table without new rows gets no commit."""
    if verdicts.accepted:
        append_rows(select_accepted(judged), lake, SILVER_PLAYS, together_by=["month"])
    if verdicts.duplicates:
        append_rows(select_duplicates(judged), lake, SILVER_DUPLICATES, together_by=["date"])
    if intake.rejected_by_reason:
        append = append_rows if intake.rejected_bytes <= _FEW_BYTES else append_wide_rows
        append(select_rejected(decoded), lake, SILVER_REJECTED, together_by=["date"])
    if intake.erased:
        append_rows(select_erased(decoded), lake, SILVER_ERASED, together_by=["date"])


def demote_losers(spark: SparkSession, judged: DataFrame, lake: Path) -> list[PlayRef]:
    """Move replaced copies to silver/duplicates, and point their copies to the new winner."""
    demoted = select_demoted(judged).localCheckpoint()
    places = {
        "plays": table_path(lake, SILVER_PLAYS),
        "duplicates": table_path(lake, SILVER_DUPLICATES),
    }
    demoted.createOrReplaceTempView("demoted")
    for statement in (_POINT_TO_WINNER, _DELETE_LOSERS):
        spark.sql(statement.format(**places))
    append_rows(demoted, lake, SILVER_DUPLICATES)
    rows = demoted.selectExpr("unix_millis(event_time) AS event_ms", "song_id").collect()
    return [PlayRef(row.event_ms, row.song_id) for row in rows]


def judge_orphaned(
    spark: SparkSession, lake: Path, orphaned: pa.Table, suppression: Suppression
) -> list[PlayRef]:
    """Judge again the copies whose winner was erased; return the plays that they became.

    Args:
        spark: batch's session.
        lake: the lake's folder.
        orphaned: the copies' `partition`, `offset` and `date`, by log time.
        suppression: the erased listeners.
    """
    if not len(orphaned):
        return []
    decoded = decode_records(_read_records(spark, lake, orphaned), suppression).persist()
    try:
        days = {row.date for row in decoded.select("date").distinct().collect()}
        silver = read_table(spark, lake, SILVER_PLAYS, days).where(on_days(days))
        judged = judge_candidates(decoded, silver).localCheckpoint()
        append_rows(select_accepted(judged), lake, SILVER_PLAYS, together_by=["month"])
        append_rows(select_duplicates(judged), lake, SILVER_DUPLICATES, together_by=["date"])
    finally:
        decoded.unpersist()
    found = select_accepted(judged).selectExpr("unix_millis(event_time) AS event_ms", "song_id")
    return [PlayRef(row.event_ms, row.song_id) for row in found.collect()]


def _read_records(spark: SparkSession, lake: Path, positions: pa.Table) -> DataFrame:
    """Read bronze's records at a few positions."""
    query = (
        'SELECT "partition", "offset", log_time, timestamp_type, "key", headers, "value" '
        'FROM bronze_song_plays SEMI JOIN positions USING (date, "partition", "offset")'
    )
    with connect() as connection:
        register_table(connection, BRONZE_SONG_PLAYS, list_files(lake, BRONZE_SONG_PLAYS))
        connection.register("positions", positions)
        return mark_blank(spark.createDataFrame(connection.sql(query).to_arrow_table()))
