"""How Spark runs a query: planned and compiled with care for many rows, at once for few."""

from pyspark.sql import SparkSession

FEW_ROWS = 150_000
"""Up to here, compiling a query and planning it again costs more than running it as it is."""

_FEW = "spark.crossfade.few"

_ALWAYS = {
    # A year of small files: pack them into few tasks, and list them here.
    "spark.sql.files.openCostInBytes": "262144",
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "4096",
    # A checksum of a table costs jobs over its log at each commit; batch proves more.
    "spark.databricks.delta.writeChecksumFile.enabled": "false",
    # A row's window comes of the time by which its range chose it; the sums within the ranges are
    # proved. The check would read the times of up to 64 ranges as text again for each row.
    "spark.databricks.delta.replaceWhere.constraintCheck.enabled": "false",
    # Small partitions of a shuffle are put together, so that a table gets few files.
    "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
}
_FOR_MANY = {
    _FEW: "false",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.shuffle.partitions": "8",
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.codegen.factoryMode": "FALLBACK",
}
_FOR_FEW = {
    _FEW: "true",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


def tune_for(spark: SparkSession, rows: int) -> None:
    """Set the session for queries over about so many rows."""
    for name, value in (_ALWAYS | (_FOR_FEW if rows <= FEW_ROWS else _FOR_MANY)).items():
        spark.conf.set(name, value)


def is_tuned_for_few(spark: SparkSession) -> bool:
    """Check whether the session was last set for few rows."""
    return spark.conf.get(_FEW, "false") == "true"
