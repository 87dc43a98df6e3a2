"""A Delta table made empty, with the properties that plain readers and pins need."""

from pathlib import Path

from deltalake import CommitProperties, DeltaTable, Schema
from pyspark.sql import types as T

from crossfade.lake.tables import Table, split_columns, table_path

_WITH_STATISTICS = (
    "partition",
    "offset",
    "log_time",
    "event_time",
    "window_start",
    "hour_start",
    "period_start",
    "grain",
    "date",
    "run",
)
"""Columns whose least and greatest value a commit may tell: none names a listener or a song."""


def create_table(lake: Path, table: Table, note: str) -> DeltaTable:
    """Make a table, empty; the commit carries a note of who made it."""
    columns = [name.strip('"') for name, _ in split_columns(table.columns)]
    path = table_path(lake, table)
    path.mkdir(parents=True, exist_ok=True)
    return DeltaTable.create(
        path,
        Schema.from_json(T.StructType.fromDDL(table.columns).json()),
        partition_by=list(table.partitioned_by) or None,
        configuration={
            "delta.enableDeletionVectors": "false",
            "delta.dataSkippingStatsColumns": ",".join(
                f"`{name}`"
                for name in columns
                if name in _WITH_STATISTICS and name not in table.partitioned_by
            ),
        },
        commit_properties=CommitProperties(custom_metadata={"userMetadata": note}),
    )
