"""Silver as a run writes it: what was judged is added, and a smaller copy takes the place."""

from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from crossfade.lake.tables import (
    SILVER_DUPLICATES,
    SILVER_ERASED,
    SILVER_PLAYS,
    SILVER_REJECTED,
    table_path,
)
from crossfade.processing.batch.intake import Intake, Verdicts
from crossfade.processing.batch.refine import (
    select_accepted,
    select_demoted,
    select_duplicates,
    select_erased,
    select_rejected,
)
from crossfade.processing.batch.tables import append_rows, append_wide_rows

_UNSEAT = """
MERGE INTO delta.`{plays}` AS play USING demoted AS loser
ON play.date = loser.silver_date
  AND play.partition = loser.partition AND play.offset = loser.offset
WHEN MATCHED THEN DELETE
"""
_POINT_ANEW = """
MERGE INTO delta.`{duplicates}` AS copy USING demoted AS loser
ON copy.winner_partition = loser.partition AND copy.winner_offset = loser.offset
WHEN MATCHED THEN UPDATE SET
  winner_partition = loser.winner_partition,
  winner_offset = loser.winner_offset,
  is_same_payload = copy.payload_hash = loser.winner_hash
"""
_FEW_BYTES = 64 * 1024 * 1024
"""So many of rejected records, each of up to 4 MiB, are held in memory; more are left to Spark."""


@dataclass(frozen=True, slots=True)
class Demotion:
    """A play's copy that was in silver until a copy with a smaller position came."""

    event_time_ms: int
    song_id: str


def append_judged(
    decoded: DataFrame, judged: DataFrame | None, lake: Path, intake: Intake, verdicts: Verdicts
) -> None:
    """Add the new rows of the silver tables; a table without any gets no commit."""
    if verdicts.accepted:
        append_rows(select_accepted(judged), lake, SILVER_PLAYS, together_by=["month"])
    if verdicts.duplicates:
        append_rows(select_duplicates(judged), lake, SILVER_DUPLICATES, together_by=["date"])
    if intake.rejected_by_reason:
        append = append_rows if intake.rejected_bytes <= _FEW_BYTES else append_wide_rows
        append(select_rejected(decoded), lake, SILVER_REJECTED, together_by=["date"])
    if intake.erased:
        append_rows(select_erased(decoded), lake, SILVER_ERASED, together_by=["date"])


def demote_losers(spark: SparkSession, judged: DataFrame, lake: Path) -> list[Demotion]:
    """Move to the duplicates the copies that lost their place, and what pointed to them."""
    demoted = select_demoted(judged).localCheckpoint()
    places = {
        "plays": table_path(lake, SILVER_PLAYS),
        "duplicates": table_path(lake, SILVER_DUPLICATES),
    }
    demoted.createOrReplaceTempView("demoted")
    for statement in (_POINT_ANEW, _UNSEAT):
        spark.sql(statement.format(**places))
    append_rows(demoted, lake, SILVER_DUPLICATES)
    rows = demoted.selectExpr("unix_millis(event_time) AS event_ms", "song_id").collect()
    return [Demotion(row.event_ms, row.song_id) for row in rows]
