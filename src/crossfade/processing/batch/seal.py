"""Files that were written without Spark get checksums like those of Spark, before publication."""

from pathlib import Path

from crossfade.lake.file_sums import has_sum, write_sum
from crossfade.lake.tables import BATCH_TABLES, list_files


def seal_files(lake: Path) -> int:
    """Write the checksums of every file of silver and gold that has none; give how many.

    A later run reads these files through Spark, which then refuses one that a disk has changed.
    """
    paths = (Path(path) for table in BATCH_TABLES for path in list_files(lake, table))
    sealed = 0
    for path in paths:
        if not has_sum(path):
            write_sum(path)
            sealed += 1
    return sealed
