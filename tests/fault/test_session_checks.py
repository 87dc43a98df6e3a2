"""Sessions with settings that would give wrong results, and damaged data files, are refused."""

from typing import TYPE_CHECKING

import pytest

from crossfade.config import load_settings
from crossfade.errors import LakeError, MisuseError
from crossfade.folder import open_folder
from crossfade.lake.runs import read_newest_run
from crossfade.lake.tables import BRONZE_SONG_PLAYS, list_files, table_path
from crossfade.processing.failures import explain_errors
from crossfade.processing.session_checks import require_settings
from support.batch_bench import BatchBench, a_history

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.fault]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("spark.sql.session.timeZone", "Europe/Stockholm"),
        ("spark.sql.files.ignoreCorruptFiles", "true"),
        ("spark.sql.files.ignoreMissingFiles", "true"),
        ("spark.sql.parquet.outputTimestampType", "INT96"),
        ("spark.sql.ansi.enabled", "false"),
        ("parquet.page.verify-checksum.enabled", "false"),
    ],
)
def test_a_session_with_a_wrong_setting_is_refused_and_the_setting_named(
    spark: "SparkSession", name: str, value: str
) -> None:
    session = spark.newSession()
    require_settings(session)
    session.conf.set(name, value)
    with pytest.raises(MisuseError, match=rf"{name} is {value}; Crossfade needs .* Take it out"):
        require_settings(session)


def test_a_java_with_another_time_zone_is_refused(spark: "SparkSession") -> None:
    zones = spark.sparkContext._jvm.java.util.TimeZone
    zones.setDefault(zones.getTimeZone("Asia/Kathmandu"))
    try:
        with pytest.raises(MisuseError, match=r"user\.timezone is Asia/Kathmandu; .* needs UTC"):
            require_settings(spark)
    finally:
        zones.setDefault(zones.getTimeZone("UTC"))


def test_a_flipped_byte_in_bronze_stops_batch_by_the_files_name_and_publishes_nothing(
    spark: "SparkSession", tmp_path: "Path"
) -> None:
    bench = BatchBench(spark, open_folder(load_settings(data=tmp_path / "data")))
    bench.archive(a_history()[:60])
    before = bench.published()
    bench.archive(a_history()[60:])
    bronze = str(table_path(bench.lake, BRONZE_SONG_PLAYS))
    again = spark.read.format("delta").load(bronze)
    again.write.format("delta").mode("overwrite").option("compression", "none").save(bronze)
    damaged = []
    for path in list_files(bench.lake, BRONZE_SONG_PLAYS):
        with open(path, "r+b") as file:  # noqa: PTH123
            content = file.read()
            at = content.find(b"event-00")
            if at >= 0:
                file.seek(at)
                file.write(b"E")
                damaged.append(path)
    assert damaged
    refused = pytest.raises(LakeError, match=r"batch cannot read /.*\.parquet")
    with refused as refusal, explain_errors("batch"):
        bench.run()
    assert any(path in refusal.value.what for path in damaged)
    assert read_newest_run(bench.lake) == before
