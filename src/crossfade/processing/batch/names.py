"""The names to show of each song: those of its newest accepted play."""

from collections.abc import Collection
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from crossfade.lake import GOLD_SONG, SILVER_PLAYS
from crossfade.processing.batch.tables import overwrite_rows, read_table

_NAMES = ("event_time", "event_id", "title", "artist", "album")


def refresh_names(
    spark: SparkSession, lake: Path, accepted: DataFrame, doubtful: Collection[str]
) -> None:
    """Bring gold/song up to the new plays; `doubtful` songs are named anew from all of silver."""
    named = read_table(spark, lake, GOLD_SONG)
    plays = accepted
    if doubtful:
        named = named.where(~F.col("song_id").isin(list(doubtful)))
        silver = read_table(spark, lake, SILVER_PLAYS)
        again = silver.where(F.col("song_id").isin(list(doubtful)))
        plays = plays.select("song_id", *_NAMES).union(again.select("song_id", *_NAMES))
    known = named.select("song_id", *_NAMES).union(plays.select("song_id", *_NAMES))
    overwrite_rows(pick_newest_names(known), lake, GOLD_SONG)


def pick_newest_names(plays: DataFrame) -> DataFrame:
    """Give one row a song: what its newest play says; of two at once, the greater event_id's."""
    newest = plays.groupBy("song_id").agg(F.max(F.struct(*_NAMES)).alias("newest"))
    return newest.select("song_id", *(f"newest.{name}" for name in _NAMES))
