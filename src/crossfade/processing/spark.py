"""Spark sessions with the settings that correctness needs, each with its reason."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout
from pyspark import SparkContext
from pyspark.sql import SparkSession

from crossfade.processing.session_checks import NEEDED_SETTINGS, require_settings
from crossfade.stack.class_data import class_data_options
from crossfade.stack.jars import require_jars
from crossfade.stack.java import ENVIRONMENT, find_java

_SETTINGS = {
    **NEEDED_SETTINGS,
    "spark.sql.parquet.compression.codec": "zstd",
    # A data page with a wrong checksum must stop a run.
    "spark.hadoop.parquet.page.verify-checksum.enabled": "true",
    # hour=07 is the text 07.
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    # Lines of 76 letters, Spark's default, are no base64 to other readers.
    "spark.sql.chunkBase64String.enabled": "false",
    # Frozen into a checkpoint at its first batch, so small and fixed.
    "spark.sql.shuffle.partitions": "2",
    # Sketches by sorting: for every group its hash aggregation builds Spark's whole configuration
    # anew in the task, for every column of the buffer, which costs four times as much.
    "spark.sql.execution.useObjectHashAggregateExec": "false",
    # Loopback only, no page, nothing to kill queries with.
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.python.worker.faulthandler.enabled": "true",
    # A worker that gives nothing for so long hangs: Spark ends it, and tries its task again.
    "spark.python.worker.idleTimeoutSeconds": "40",
    "spark.python.worker.killOnIdleTimeout": "true",
    "spark.sql.execution.pythonUDF.arrow.enabled": "true",
    # Where in Python a column was made: told to Java by several calls for each.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # 50 tasks for each table's log is the default.
    "spark.databricks.delta.snapshotPartitions": "1",
    # Plain Parquet readers must be right: no deletion vectors (also set on each table).
    "spark.databricks.delta.properties.defaults.enableDeletionVectors": "false",
    "spark.sql.warehouse.dir": "",
}

_LOCAL_FILES = {
    # Hadoop's own forks a chmod for every file that it makes: five times slower on many small ones.
    "spark.hadoop.fs.file.impl": "com.globalmentor.apache.hadoop.fs.BareLocalFileSystem",
    # By default both of these reach Hadoop's own by another way.
    "spark.sql.streaming.checkpointFileManagerClass": (
        "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"
    ),
    "spark.delta.logStore.file.impl": "io.delta.storage.LocalLogStore",
}
"""For sessions whose executors are this process: they have the jar from their start."""

_END_WITHIN_S = 120.0

_claimed: dict[Path, BaseFileLock] = {}

_JAVA_OPTIONS = (
    "-Duser.timezone=UTC",
    # Die, not limp, when the heap is full: the supervisor starts a new process.
    "-XX:+ExitOnOutOfMemoryError",
    # Give memory back once a peak is over: by itself Java looks only when it is asked for more.
    "-XX:G1PeriodicGCInterval=15000",
    "-XX:MinHeapFreeRatio=10",
    "-XX:MaxHeapFreeRatio=30",
    # Speed's tables of live windows, anew in each micro-batch, are larger than half a usual region.
    # Java would place such ones among its oldest objects, and then look through them each time.
    "-XX:G1HeapRegionSize=16m",
    # No file in the system's temporary folder.
    "-XX:-UsePerfData",
    f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.properties').as_uri()}",
)


def claim_scratch(wanted: Path) -> Path:
    """Return a folder that no other living process has: the wanted one, or `-2`, `-3` … beside it.

    This process has it until it ends; asked again, it is given the same.
    """
    folder, number = wanted, 1
    while folder not in _claimed:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock", blocking=False, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            number += 1
            folder = wanted.with_name(f"{wanted.name}-{number}")
        else:
            _claimed[folder] = lock
    return folder


def build_session(
    name: str,
    *,
    cache: Path,
    master: str = "",
    memory: str = "2g",
    scratch: Path,
    settings: Mapping[str, str] | None = None,
) -> SparkSession:
    """Start Spark in this process, or join the cluster that `master` names.

    Args:
        name: shown in logs and on a cluster's page.
        cache: the per-user cache that holds the verified jars.
        master: Spark's master; empty: four threads of this process, with task retry.
        memory: heap limit of the driver.
        scratch: folder of this process alone, or of a number beside it while another process has
            that; what a killed one left in its `tmp` is removed.
        settings: what this process sets otherwise.

    Raises:
        MachineError: Java or a jar is missing.
        MisuseError: something else sets Spark so that numbers would be wrong.
    """
    java = find_java()
    jars = ":".join(str(path) for path in require_jars("spark", cache))
    placed = [f'"{option}"' for option in class_data_options("spark", cache)]
    scratch = claim_scratch(scratch)
    temporary = scratch / "tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    os.environ.update(
        ENVIRONMENT,
        JAVA_HOME=str(java.home),
        PYSPARK_PYTHON=sys.executable,
        PYSPARK_DRIVER_PYTHON=sys.executable,
        SPARK_LOCAL_IP="127.0.0.1",
        SPARK_LOCAL_DIRS=str(temporary),
        TZ="UTC",
    )
    builder = SparkSession.builder.appName(name).master(master or "local[4,4]")
    is_local = not master or master.startswith("local")
    chosen = {
        **_SETTINGS,
        **(_LOCAL_FILES if is_local else {}),
        "spark.driver.memory": memory,
        "spark.driver.extraJavaOptions": " ".join(
            [*_JAVA_OPTIONS, *placed, f'"-Djava.io.tmpdir={temporary}"']
        ),
        "spark.driver.extraClassPath": jars,
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        **(settings or {}),
    }
    if not is_local:
        chosen["spark.jars"] = jars.replace(":", ",")
    for key, value in chosen.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    require_settings(session)
    return session


def end_java() -> None:
    """End the Java behind this process's sessions, which are stopped, and wait until it is gone.

    pyspark itself leaves it to the end of the process, and does not wait. Nothing that it makes
    public knows the process.
    """
    gateway = SparkContext._gateway
    if gateway is None:
        return
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(_END_WITHIN_S)
    SparkContext._gateway = SparkContext._jvm = None
