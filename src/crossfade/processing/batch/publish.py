"""Publish a run: one row in gold/run, which makes all that the run wrote visible at once."""

from pathlib import Path

from pyspark.sql import SparkSession

from crossfade.errors import LakeError
from crossfade.lake import GOLD_RUN, Run, read_newest_run, split_columns, table_path

_APPLICATION = "crossfade-batch"
"""Delta keeps the greatest version that it saw of it, and skips a repeated one without a word."""


def publish_run(spark: SparkSession, lake: Path, run: Run) -> None:
    """Append the run's row in one commit, and read it back.

    Raises:
        LakeError: another run was published under the same number.
    """
    values = {
        name: getattr(run, _FIELD_OF.get(name, name)) for name, _ in split_columns(GOLD_RUN.columns)
    }
    schema = GOLD_RUN.columns.replace("started_at TIMESTAMP", "started_at BIGINT").replace(
        "published_at TIMESTAMP", "published_at BIGINT"
    )
    row = spark.createDataFrame([tuple(values.values())], schema).coalesce(1)
    times = {name: f"timestamp_millis({name}) AS {name}" for name in _FIELD_OF}
    (
        row.selectExpr(*(times.get(name, name) for name in values))
        .write.format("delta")
        .mode("append")
        .option("txnAppId", _APPLICATION)
        .option("txnVersion", run.run + 1)
        .save(str(table_path(lake, GOLD_RUN)))
    )
    found = read_newest_run(lake)
    if found is None or found.run_uuid != run.run_uuid:
        what = f"Run {run.run} was not published: gold/run holds another run of that number."
        raise LakeError(what, "Let only one process run batch on a data folder.")


_FIELD_OF = {"started_at": "started_at_ms", "published_at": "published_at_ms"}
