"""How Spark runs a query: with full planning and code generation only where rows are many."""

from pyspark.sql import SparkSession

FEW_ROWS = 150_000
"""Up to this number, adaptive planning and code generation cost more than they save."""

_FEW = "spark.crossfade.few"

_ALWAYS = {
    # A year of small files: pack them into few tasks, and list them in the driver.
    "spark.sql.files.openCostInBytes": "262144",
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "4096",
    # A checksum of a table costs Spark jobs over its log at each commit; batch checks more itself.
    "spark.databricks.delta.writeChecksumFile.enabled": "false",
    # The rows are selected by the same ranges, and their sums are proved. The check would parse the
    # times of up to 64 ranges again for each row.
    "spark.databricks.delta.replaceWhere.constraintCheck.enabled": "false",
    # Join small shuffle partitions, so that a table gets few files.
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
    """Set the session for queries over about `rows` rows."""
    for name, value in (_ALWAYS | (_FOR_FEW if rows <= FEW_ROWS else _FOR_MANY)).items():
        spark.conf.set(name, value)


def is_tuned_for_few(spark: SparkSession) -> bool:
    """Check whether the session was last set for few rows."""
    return spark.conf.get(_FEW, "false") == "true"
