"""What a Spark session must be set to, whoever set it: looked at before anything runs in it.

A `spark-defaults.conf`, `SPARK_CONF_DIR` or `spark-submit --conf` may set what we rely on, and the
numbers would be wrong without an error.
"""

from pyspark.sql import SparkSession

from crossfade.errors import MisuseError

_NEEDED = {
    # It decides partitions, windows and days.
    "spark.sql.session.timeZone": "UTC",
    # Files that are damaged or gone must stop a run, never shrink a number.
    "spark.sql.files.ignoreCorruptFiles": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
    # Other readers read INT96 otherwise.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # A sum that does not fit must stop a run, never wrap.
    "spark.sql.ansi.enabled": "true",
}
_CHECKSUMS = "parquet.page.verify-checksum.enabled"
_ZONE = "UTC"
_CURE = "Take it out of spark-defaults.conf, SPARK_CONF_DIR or spark-submit --conf."


def require_settings(session: SparkSession) -> None:
    """Refuse a session that is set otherwise than right numbers need.

    Raises:
        MisuseError: a setting, with the value that it has and the one that it needs.
    """
    for name, needed in _NEEDED.items():
        _require(name, str(session.conf.get(name)), needed)
    hadoop = session._jsparkSession.sessionState().newHadoopConf()
    _require(f"spark.hadoop.{_CHECKSUMS}", str(hadoop.get(_CHECKSUMS)), "true")
    java = session.sparkContext._jvm
    _require("Java's -Duser.timezone", java.java.util.TimeZone.getDefault().getID(), _ZONE)


def _require(name: str, found: str, needed: str) -> None:
    if found.lower() != needed.lower():
        what = f"Spark's {name} is {found}; Crossfade needs {needed}."
        raise MisuseError(what, _CURE)
