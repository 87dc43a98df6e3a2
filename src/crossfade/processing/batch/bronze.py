"""The new part of bronze: the pinned version, its files since the last run, and their records."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from crossfade.erasure.suppression import ERASED_HEADER
from crossfade.errors import DamagedError
from crossfade.folder import ARCHIVE, DataFolder
from crossfade.lake.archived import read_archived_ends
from crossfade.lake.runs import Run
from crossfade.lake.table_files import TableFile, count_rows, read_files
from crossfade.lake.tables import BRONZE_SONG_PLAYS, open_table


@dataclass(frozen=True, slots=True)
class PinnedBronze:
    """A version of bronze, and its files that the previous run's version did not have.

    `end_offsets` is how far the archive had read with it; empty if unknown. `is_rewritten` is true
    if files of that version are gone: an erasure has blanked records.
    """

    version: int
    end_offsets: Mapping[int, int]
    files: list[str]
    new_files: list[str]
    new_rows: int
    is_rewritten: bool


def pin_bronze(folder: DataFolder, previous: Run) -> PinnedBronze | None:
    """Pin bronze's newest version; None while there is no bronze.

    New records lie in new files, whatever their log time, so no other file needs to be read. Files
    that an erasure rewrote are new as well; their old records are recognised by their offsets.
    """
    lake = folder.lake
    table = open_table(lake, BRONZE_SONG_PLAYS)
    if table is None:
        return None
    version = table.version()
    known = {file.path for file in _files_at(lake, previous.pins.get(BRONZE_SONG_PLAYS.name))}
    files = read_files(lake, BRONZE_SONG_PLAYS, version)
    new = [file for file in files if file.path not in known]
    paths = {file.path for file in files}
    return PinnedBronze(
        version,
        _read_ends(folder, table),
        sorted(paths),
        sorted(file.path for file in new),
        count_rows(new),
        is_rewritten=not known <= paths,
    )


def read_new_records(
    spark: SparkSession, pinned: PinnedBronze, start_offsets: Mapping[int, int]
) -> DataFrame:
    """Read the records at and beyond the start offsets; of a new topic partition, all."""
    records = spark.read.schema(BRONZE_SONG_PLAYS.columns).parquet(*pinned.new_files)
    return mark_blank(records.where(F.col("offset") >= _start_of_partition(start_offsets)))


def mark_blank(records: DataFrame) -> DataFrame:
    """Add `is_blank`: true if an erasure has removed the record's content."""
    header = F.get("headers", 0)
    is_blank = (
        F.col("value").isNull()
        & F.col("key").isNull()
        & (F.coalesce(F.size("headers"), F.lit(0)) == 1)
        & F.coalesce(header["key"] == ERASED_HEADER, F.lit(False))
        & header["value"].isNull()
    )
    return records.withColumn("is_blank", is_blank)


def _read_ends(folder: DataFolder, bronze: DeltaTable) -> Mapping[int, int]:
    try:
        return read_archived_ends(folder.checkpoint(ARCHIVE), bronze)
    except DamagedError:  # the archive reports it; without it, a run ends at its last records
        return {}


def _start_of_partition(start_offsets: Mapping[int, int]) -> F.Column:
    if not start_offsets:
        return F.lit(0)
    pairs = [F.lit(number) for pair in sorted(start_offsets.items()) for number in pair]
    return F.coalesce(F.element_at(F.create_map(*pairs), F.col("partition")), F.lit(0))


def _files_at(lake: Path, version: int | None) -> list[TableFile]:
    if version is None:
        return []
    try:
        return read_files(lake, BRONZE_SONG_PLAYS, version)
    except DeltaError:  # its log was cleaned up: every file counts as new, and offsets decide
        return []
