"""The names to show for each song: those of its newest accepted play."""

from collections.abc import Collection
from functools import reduce
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from crossfade.lake.commits import signed
from crossfade.lake.connection import connect, register_table
from crossfade.lake.tables import GOLD_SONG, SILVER_PLAYS, list_files, table_path
from crossfade.processing.batch.tables import read_table

_NAMES = ("event_time", "event_id", "title", "artist", "album")
_NEWEST = """
SELECT song_id, title, artist, album, event_time, event_id
FROM (
  SELECT * FROM gold_song WHERE NOT list_contains($doubtful, song_id)
  UNION ALL BY NAME
  SELECT * FROM heard
)
QUALIFY row_number() OVER (
  PARTITION BY song_id
  ORDER BY event_time DESC, event_id DESC, title DESC, artist DESC, album DESC NULLS LAST
) = 1
"""


def refresh_names(
    spark: SparkSession,
    lake: Path,
    accepted: DataFrame | None,
    doubtful: Collection[str],
    run_uuid: str,
) -> None:
    """Update gold/song with new plays; compute the names of `doubtful` songs from all of silver.

    The table is small, so it is rewritten whole, without Spark, which takes a second to start.
    """
    frames = [] if accepted is None else [accepted]
    if doubtful:
        songs = spark.createDataFrame(
            pa.table({"song_id": pa.array(sorted(doubtful), pa.string())})
        )
        silver = read_table(spark, lake, SILVER_PLAYS)
        frames.append(silver.join(F.broadcast(songs), on="song_id", how="left_semi"))
    if not frames:
        return
    plays = reduce(DataFrame.union, [frame.select("song_id", *_NAMES) for frame in frames])
    heard = pick_newest_names(plays).toArrow()
    connection = connect()
    register_table(connection, GOLD_SONG, list_files(lake, GOLD_SONG))
    connection.register("heard", heard)
    newest = connection.sql(_NEWEST, params={"doubtful": list(doubtful)}).to_arrow_table()
    path = table_path(lake, GOLD_SONG)
    write_deltalake(path, newest, mode="overwrite", commit_properties=signed(run_uuid))


def pick_newest_names(plays: DataFrame) -> DataFrame:
    """Return one row a song, of its newest play; of two at the same time, the greater event_id."""
    newest = plays.groupBy("song_id").agg(F.max(F.struct(*_NAMES)).alias("newest"))
    return newest.select("song_id", *(f"newest.{name}" for name in _NAMES))
