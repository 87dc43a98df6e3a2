"""The Spark settings that correct numbers depend on, and a check that a session has them.

With a cluster, its `spark-defaults.conf` in `SPARK_CONF_DIR` may override a setting; the numbers
would then be wrong without an error.
"""

from pyspark.sql import SparkSession

from crossfade.errors import MisuseError

NEEDED_SETTINGS = {
    # The time zone of partitions, windows and days; the default is the machine's.
    "spark.sql.session.timeZone": "UTC",
    # A damaged or missing file must stop a run, never shrink a number.
    "spark.sql.files.ignoreCorruptFiles": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
    # Other readers interpret the default, INT96, differently.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # An overflowing sum must stop a run, never wrap.
    "spark.sql.ansi.enabled": "true",
}
_CHECKSUMS = "parquet.page.verify-checksum.enabled"
_ZONE = "UTC"
_CURE = "Take it out of spark-defaults.conf, SPARK_CONF_DIR or spark-submit --conf."


def require_settings(session: SparkSession) -> None:
    """Refuse a session with settings that would give wrong numbers.

    Raises:
        MisuseError: names the setting, the value that it has and the one that it needs.
    """
    for name, needed in NEEDED_SETTINGS.items():
        _require(name, str(session.conf.get(name)), needed)
    hadoop = session._jsparkSession.sessionState().newHadoopConf()
    _require(f"spark.hadoop.{_CHECKSUMS}", str(hadoop.get(_CHECKSUMS)), "true")
    java = session.sparkContext._jvm
    _require("Java's -Duser.timezone", java.java.util.TimeZone.getDefault().getID(), _ZONE)


def _require(name: str, found: str, needed: str) -> None:
    if found.lower() != needed.lower():
        what = f"Spark's {name} is {found}; Crossfade needs {needed}."
        raise MisuseError(what, _CURE)
