"""Build Spark sessions with the settings that Crossfade needs, each with its reason."""

import sys
from collections.abc import Mapping
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from crossfade.errors import MachineError
from crossfade.processing.session_checks import NEEDED_SETTINGS, require_settings
from crossfade.stack.class_data import class_data_options
from crossfade.stack.environment import clean_environment, cluster_variables, is_local
from crossfade.stack.ivy import pyspark_jars
from crossfade.stack.jars import require_jars
from crossfade.stack.java import LOCALE_OPTIONS, common_options, find_java, home_option
from crossfade.stack.native_libraries import make_temporary_folder
from crossfade.stack.open_files import require_open_files

_SETTINGS = {
    **NEEDED_SETTINGS,
    "spark.sql.parquet.compression.codec": "zstd",
    # A data page with a wrong checksum must stop a run.
    "spark.hadoop.parquet.page.verify-checksum.enabled": "true",
    # hour=07 is the text "07", not the number 7.
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    # Spark breaks base64 into lines of 76 characters by default; other readers refuse that.
    "spark.sql.chunkBase64String.enabled": "false",
    # Frozen into a checkpoint at its first batch, so small and fixed.
    "spark.sql.shuffle.partitions": "2",
    # Aggregate sketches by sorting: hash aggregation rebuilds Spark's whole configuration for every
    # group and buffer column, which costs four times as much.
    "spark.sql.execution.useObjectHashAggregateExec": "false",
    # Loopback only, without the UI, in which queries can be killed.
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.python.worker.faulthandler.enabled": "true",
    # Spark ends a worker that returns nothing for this long, and retries its task.
    "spark.python.worker.idleTimeoutSeconds": "40",
    "spark.python.worker.killOnIdleTimeout": "true",
    "spark.sql.execution.pythonUDF.arrow.enabled": "true",
    # Without it, each column costs several calls to Java that record its place in Python.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # 50 tasks for each table's log is the default.
    "spark.databricks.delta.snapshotPartitions": "1",
    # Plain Parquet readers must be right: no deletion vectors (also set on each table).
    "spark.databricks.delta.properties.defaults.enableDeletionVectors": "false",
}

_LOCAL_FILES = {
    # Hadoop's own forks a chmod for each new file: five times slower for many small files.
    "spark.hadoop.fs.file.impl": "com.globalmentor.apache.hadoop.fs.BareLocalFileSystem",
    # By default both of these use Hadoop's own.
    "spark.sql.streaming.checkpointFileManagerClass": (
        "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"
    ),
    "spark.delta.logStore.file.impl": "io.delta.storage.LocalLogStore",
}
"""For sessions whose executors are in this process, which has the jar on its class path."""

_LOCAL_USER = "crossfade"
"""The name that Spark and Hadoop use without a cluster; it appears nowhere."""

_END_WITHIN_S = 120.0

_claimed: dict[Path, BaseFileLock] = {}

_JAVA_OPTIONS = (
    # Exit when the heap is full: the supervisor starts a new process.
    "-XX:+ExitOnOutOfMemoryError",
    # Return memory after a peak: by default Java checks only on allocation.
    "-XX:G1PeriodicGCInterval=15000",
    "-XX:MinHeapFreeRatio=10",
    "-XX:MaxHeapFreeRatio=30",
    # Speed's tables of live windows, rebuilt in each micro-batch, exceed half a default region.
    # Java would allocate them as humongous objects and scan them in each collection.
    "-XX:G1HeapRegionSize=16m",
    # Write no file to the system's temporary folder.
    "-XX:-UsePerfData",
    f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.properties').as_uri()}",
)


def claim_scratch(wanted: Path) -> Path:
    """Lock and return a folder for this process: the wanted one, or `-2`, `-3` … beside it.

    The lock is held until the process ends; a second call returns the same folder.
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
        scratch: a folder for this process; a numbered one beside it is used if another process
            holds it. Files of a killed process in its `tmp` are removed.
        settings: further settings, which override the default ones.

    Raises:
        MachineError: Java, a jar or something else of this machine is missing.
        MisuseError: a setting from elsewhere would give wrong numbers.
    """
    java = find_java()
    require_open_files()
    jars = ":".join(str(path) for path in require_jars("spark", cache))
    scratch = claim_scratch(scratch)
    temporary = make_temporary_folder(scratch / "tmp", cache)
    options = [*common_options(temporary), *class_data_options("spark", cache)]
    variables = {
        "JAVA_HOME": str(java.home),
        "SPARK_HOME": str(pyspark_jars().parent),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(scratch / "tmp"),
        "TZ": "UTC",
    }
    chosen = {
        **_SETTINGS,
        "spark.app.name": name,
        "spark.master": master or "local[4,4]",
        "spark.driver.memory": memory,
        "spark.driver.extraClassPath": jars,
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
    }
    if is_local(master):
        chosen |= _LOCAL_FILES
        variables["SPARK_USER"] = _LOCAL_USER
        options.append(home_option(temporary))
    else:
        chosen["spark.jars"] = jars.replace(":", ",")
        chosen["spark.executor.extraJavaOptions"] = " ".join(LOCALE_OPTIONS)
        variables |= cluster_variables(master)
    quoted = (f'"{option}"' for option in options)
    chosen["spark.driver.extraJavaOptions"] = " ".join([*_JAVA_OPTIONS, *quoted])
    clean_environment(variables)
    return _start(chosen | dict(settings or {}))


def _start(settings: Mapping[str, str]) -> SparkSession:
    _start_java(settings)
    builder = SparkSession.builder
    for key, value in settings.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    require_settings(session)
    return session


def _start_java(settings: Mapping[str, str]) -> None:
    """Start Spark's Java process unless it runs; pyspark has no public call for that alone.

    Without a cluster, Hadoop is told who the user is: it cannot find that out for a user without a
    name, as in a container.
    """
    try:
        SparkContext._ensure_initialized(conf=SparkConf().setAll(list(settings.items())))
    except PySparkRuntimeError:
        what = "Spark's Java process ended at its start."
        cure = 'The lines above say why; "crossfade doctor" checks Java and its surroundings.'
        raise MachineError(what, cure) from None
    if is_local(settings["spark.master"]):
        users = SparkContext._jvm.org.apache.hadoop.security.UserGroupInformation
        users.setLoginUser(users.createRemoteUser(_LOCAL_USER))


def end_java() -> None:
    """End the JVM behind this process's stopped sessions, and wait for it.

    pyspark ends it only with the process, does not wait, and has no public handle for it.
    """
    gateway = SparkContext._gateway
    if gateway is None:
        return
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(_END_WITHIN_S)
    SparkContext._gateway = SparkContext._jvm = None
