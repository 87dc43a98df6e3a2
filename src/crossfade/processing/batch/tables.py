"""Create, read and write batch's tables."""

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake
from pyspark.sql import DataFrame, SparkSession

from crossfade.lake.commits import WRITER, commit_note, signed, with_note
from crossfade.lake.table_files import read_files
from crossfade.lake.tables import (
    ADDED_TABLES,
    BATCH_TABLES,
    GOLD_CHART,
    GOLD_RUN,
    Table,
    list_files,
    open_table,
    require_table,
    split_columns,
    table_path,
)
from crossfade.processing.batch.tuning import is_tuned_for_few
from crossfade.processing.new_table import add_missing_columns, create_table

_METADATA = "spark.databricks.delta.commitInfo.userMetadata"


def sign_commits(spark: SparkSession, run_uuid: str) -> None:
    """Set the run's note on every later Delta commit of this session."""
    spark.conf.set(_METADATA, commit_note(run_uuid))


def create_tables(lake: Path, run_uuid: str) -> None:
    """Create, empty, every table of batch that does not exist yet."""
    _create_missing(lake, (*BATCH_TABLES, GOLD_RUN), run_uuid)


def create_added_tables(lake: Path, run_uuid: str) -> None:
    """Create, empty, the tables that a folder of an earlier release lacks."""
    _create_missing(lake, [one for one in BATCH_TABLES if one.name in ADDED_TABLES], run_uuid)


def add_columns(lake: Path, run_uuid: str) -> None:
    """Add the columns that tables of an earlier release lack, with NULL in their rows."""
    for table in BATCH_TABLES:
        if table.added:
            add_missing_columns(require_table(lake, table), table, signed(run_uuid))


def empty_tables(lake: Path, run_uuid: str) -> None:
    """Delete every row that a run computes from bronze; charts keep their revisions."""
    for table in BATCH_TABLES:
        if table is not GOLD_CHART:
            require_table(lake, table).delete(commit_properties=signed(run_uuid))


def read_table(
    spark: SparkSession, lake: Path, table: Table, days: Iterable[date] | None = None
) -> DataFrame:
    """Read a table's newest version; with days, at least the rows of those days.

    Files are listed from the log without Spark: Delta would run Spark jobs over the log at each
    read, which take longer than reading the rows of a day.
    """
    if days is None:
        paths = list_files(lake, table)
    else:
        among = sorted(days)
        paths = [file.path for file in read_files(lake, table) if file.may_hold(among)]
    if not paths:
        return _no_rows(spark, table)
    root = str(table_path(lake, table))
    return spark.read.schema(table.columns).option("basePath", root).parquet(*paths)


def append_rows(
    rows: DataFrame, lake: Path, table: Table, *, together_by: Sequence[str] = ()
) -> None:
    """Append rows in one commit; rows with equal `together_by` columns go to one file."""
    if is_tuned_for_few(rows.sparkSession):
        _write_here(rows, lake, table, mode="append")
    else:
        append_wide_rows(rows, lake, table, together_by=together_by)


def append_wide_rows(
    rows: DataFrame, lake: Path, table: Table, *, together_by: Sequence[str] = ()
) -> None:
    """Append rows that may exceed this process's memory, in one commit."""
    ordered = rows.repartition(*together_by) if together_by else rows
    _writer(ordered, table).mode("append").save(str(table_path(lake, table)))


def replace_rows(rows: DataFrame, lake: Path, table: Table, *, where: str) -> None:
    """Replace the rows that match `where` in one commit; all new rows must match it."""
    if is_tuned_for_few(rows.sparkSession):
        _write_here(rows, lake, table, mode="overwrite", predicate=where)
        return
    writer = _writer(rows, table).mode("overwrite").option("replaceWhere", where)
    writer.save(str(table_path(lake, table)))


def delete_rows(spark: SparkSession, lake: Path, table: Table, *, where: str) -> None:
    """Delete the rows that match `where`, in one commit, if there are any."""
    DeltaTable(table_path(lake, table)).delete(where, commit_properties=_signature(spark))


def head_versions(lake: Path, tables: Iterable[Table] = BATCH_TABLES) -> dict[str, int]:
    """Return the newest version of each table that exists."""
    opened = ((table.name, open_table(lake, table)) for table in tables)
    return {name: table.version() for name, table in opened if table is not None}


def _create_missing(lake: Path, tables: Iterable[Table], run_uuid: str) -> None:
    for table in tables:
        if open_table(lake, table) is None:
            create_table(lake, table, commit_note(run_uuid))


def _no_rows(spark: SparkSession, table: Table) -> DataFrame:
    """Return an empty frame without a Python source, which would start Python workers."""
    columns = ((name.strip('"'), kind) for name, kind in split_columns(table.columns))
    nulls = ", ".join(f"CAST(NULL AS {kind}) AS `{name}`" for name, kind in columns)
    return spark.sql(f"SELECT {nulls}").where("false")


def _write_here(rows: DataFrame, lake: Path, table: Table, **how: Any) -> None:
    """Compute rows with Spark, and write them from this process (ADR 8)."""
    opened = DeltaTable(table_path(lake, table))
    schema = pa.schema(opened.schema().to_arrow())
    computed = rows.select(*(f"`{name}`" for name in schema.names)).toArrow().cast(schema)
    write_deltalake(
        opened,
        computed,
        writer_properties=WRITER,
        commit_properties=_signature(rows.sparkSession),
        **how,
    )


def _signature(spark: SparkSession) -> CommitProperties:
    return with_note(spark.conf.get(_METADATA) or "")


def _writer(rows: DataFrame, table: Table):  # type: ignore[no-untyped-def]
    names = [name.strip('"') for name, _ in split_columns(table.columns)]
    return rows.select(*names).write.format("delta").partitionBy(*table.partitioned_by)
