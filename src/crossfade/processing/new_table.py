"""New, empty Delta tables with the properties that simple readers and pins need."""

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
"""Columns whose smallest and greatest value a commit may hold: none names a listener or song."""


def add_missing_columns(opened: DeltaTable, table: Table, commit: CommitProperties) -> None:
    """Add the columns that a table of an earlier release lacks; its rows have NULL in them."""
    present = {field.name for field in opened.schema().fields}
    if missing := [one for one in schema_of(table).fields if one.name not in present]:
        opened.alter.add_columns(missing, commit_properties=commit)


def create_table(lake: Path, table: Table, note: str) -> DeltaTable:
    """Create an empty table; `note` says in the commit which command created it."""
    columns = [name.strip('"') for name, _ in split_columns(table.columns)]
    path = table_path(lake, table)
    path.mkdir(parents=True, exist_ok=True)
    return DeltaTable.create(
        path,
        schema_of(table),
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


def schema_of(table: Table) -> Schema:
    """Return the columns of a table as Delta has them."""
    return Schema.from_json(T.StructType.fromDDL(table.columns).json())
