"""The tables of batch: made empty with their properties, then written in part by a run."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from deltalake import CommitProperties
from pyspark.sql import DataFrame, SparkSession

from crossfade.lake import (
    BATCH_TABLES,
    GOLD_RUN,
    Table,
    list_files,
    open_table,
    split_columns,
    table_path,
)
from crossfade.processing.batch.table_files import read_files
from crossfade.processing.new_table import create_table

_METADATA = "spark.databricks.delta.commitInfo.userMetadata"


def commit_note(run_uuid: str) -> str:
    """Give what every commit of a run carries, by which a foreign commit is known."""
    return f"crossfade run {run_uuid}"


def signed(run_uuid: str) -> CommitProperties:
    """Give a commit that is made without Spark the run's note."""
    return CommitProperties(custom_metadata={"userMetadata": commit_note(run_uuid)})


def sign_commits(spark: SparkSession, run_uuid: str) -> None:
    """Make every later Delta commit of this session carry the run's note."""
    spark.conf.set(_METADATA, commit_note(run_uuid))


def create_tables(lake: Path, run_uuid: str) -> None:
    """Make every table of batch that is not there yet, empty."""
    for table in (*BATCH_TABLES, GOLD_RUN):
        if open_table(lake, table) is None:
            create_table(lake, table, commit_note(run_uuid))


def read_table(
    spark: SparkSession, lake: Path, table: Table, days: Iterable[date] | None = None
) -> DataFrame:
    """Read a table's newest version; with days, at least the rows of those days.

    By the files that its log names now: to find them, Delta would run Spark jobs of its own over
    the log, at each read, which take longer than to read the rows of a day.
    """
    if days is None:
        paths = list_files(lake, table)
    else:
        among = sorted(days)
        paths = [file.path for file in read_files(lake, table) if file.may_hold(among)]
    if not paths:
        return spark.createDataFrame([], table.columns)
    root = str(table_path(lake, table))
    return spark.read.schema(table.columns).option("basePath", root).parquet(*paths)


def append_rows(rows: DataFrame, lake: Path, table: Table) -> None:
    """Add rows to a table in one commit."""
    _writer(rows, table).mode("append").save(str(table_path(lake, table)))


def replace_rows(rows: DataFrame, lake: Path, table: Table, *, where: str) -> None:
    """Put rows in the place of those that `where` names, in one commit; `where` holds for all."""
    writer = _writer(rows, table).mode("overwrite").option("replaceWhere", where)
    writer.save(str(table_path(lake, table)))


def delete_rows(spark: SparkSession, lake: Path, table: Table, *, where: str) -> None:
    """Delete the rows that `where` names, in one commit, if there are any."""
    spark.sql(f"DELETE FROM delta.`{table_path(lake, table)}` WHERE {where}")


def head_versions(lake: Path, tables: Iterable[Table] = BATCH_TABLES) -> dict[str, int]:
    """Give the newest version of each table that exists."""
    opened = ((table.name, open_table(lake, table)) for table in tables)
    return {name: table.version() for name, table in opened if table is not None}


def _writer(rows: DataFrame, table: Table):  # type: ignore[no-untyped-def]
    names = [name.strip('"') for name, _ in split_columns(table.columns)]
    return rows.select(*names).write.format("delta").partitionBy(*table.partitioned_by)
