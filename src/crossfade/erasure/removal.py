"""Erased listeners' rows leave silver: a part of a run, which publishes it with all the rest."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from crossfade.erasure.listener_rows import ListenersRows
from crossfade.erasure.suppression import Suppression
from crossfade.lake.commits import WRITER, signed
from crossfade.lake.connection import connect, register_table
from crossfade.lake.tables import (
    BRONZE_SONG_PLAYS,
    SILVER_DUPLICATES,
    SILVER_ERASED,
    SILVER_PLAYS,
    SILVER_REJECTED,
    Table,
    list_files,
    table_path,
)
from crossfade.processing.batch.bronze import mark_blank
from crossfade.processing.batch.ranges import on_days
from crossfade.processing.batch.refine import (
    decode_records,
    judge_candidates,
    select_accepted,
    select_duplicates,
)
from crossfade.processing.batch.tables import append_rows, read_table

_SAME_PLACE = "row.date = gone.date AND row.partition = gone.partition AND row.offset = gone.offset"


@dataclass(frozen=True, slots=True)
class Removal:
    """What an erasure changed in silver: when the plays were that left or came, and of which songs.

    Times are milliseconds since the epoch.
    """

    event_times: tuple[int, ...] = ()
    song_ids: frozenset[str] = frozenset()


def remove_rows(
    spark: SparkSession,
    lake: Path,
    rows: ListenersRows | None,
    suppression: Suppression,
    run_uuid: str,
) -> Removal:
    """Move the listeners' rows to silver/erased, which keeps position and log time alone."""
    if not rows:
        return Removal()
    gone = pa.concat_tables(
        one.select(["partition", "offset", "log_time"])
        for one in (rows.plays, rows.duplicates, rows.rejected)
    )
    for table, found in (
        (SILVER_PLAYS, rows.plays),
        (SILVER_DUPLICATES, pa.concat_tables([rows.duplicates, rows.orphaned])),
        (SILVER_REJECTED, rows.rejected),
    ):
        _delete(lake, table, found, run_uuid)
    erased = spark.createDataFrame(gone).selectExpr("*", "to_date(log_time) AS date")
    append_rows(erased, lake, SILVER_ERASED, together_by=["date"])
    adopted = _judge_orphaned(spark, lake, rows.orphaned, suppression)
    return Removal(
        event_times=(*rows.plays["event_ms"].to_pylist(), *(time for time, _ in adopted)),
        song_ids=frozenset([*rows.plays["song_id"].to_pylist(), *(song for _, song in adopted)]),
    )


def _judge_orphaned(
    spark: SparkSession, lake: Path, orphaned: pa.Table, suppression: Suppression
) -> list[tuple[int, str]]:
    """Let copies whose play is gone find a new winner; give the time and song of each."""
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
    return [(row.event_ms, row.song_id) for row in found.collect()]


def _read_records(spark: SparkSession, lake: Path, places: pa.Table) -> DataFrame:
    """Read bronze's records at a few positions."""
    connection = connect()
    try:
        register_table(connection, BRONZE_SONG_PLAYS, list_files(lake, BRONZE_SONG_PLAYS))
        connection.register("places", places)
        query = (
            'SELECT "partition", "offset", log_time, timestamp_type, "key", headers, "value" '
            'FROM bronze_song_plays SEMI JOIN places USING (date, "partition", "offset")'
        )
        return mark_blank(spark.createDataFrame(connection.sql(query).to_arrow_table()))
    finally:
        connection.close()


def _delete(lake: Path, table: Table, rows: pa.Table, run_uuid: str) -> None:
    """Delete rows by position, so that the commit names no listener."""
    if not len(rows):
        return
    places = rows.select(["partition", "offset", "date"])
    DeltaTable(table_path(lake, table)).merge(
        places,
        _SAME_PLACE,
        source_alias="gone",
        target_alias="row",
        streamed_exec=False,
        writer_properties=WRITER,
        commit_properties=signed(run_uuid),
    ).when_matched_delete().execute()
