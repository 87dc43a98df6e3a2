"""Checksums, as Spark writes them, for files that were written without Spark."""

from pathlib import Path

from crossfade.lake.file_sums import has_sum, write_sum
from crossfade.lake.tables import BATCH_TABLES, list_files


def seal_files(lake: Path) -> int:
    """Write a checksum for every file of silver and gold that has none; return how many.

    A later run reads these files with Spark, which then refuses a file that the disk has changed.
    """
    paths = (Path(path) for table in BATCH_TABLES for path in list_files(lake, table))
    sealed = 0
    for path in paths:
        if not has_sum(path):
            write_sum(path)
            sealed += 1
    return sealed
