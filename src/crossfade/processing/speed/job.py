"""The speed query: Kafka, judge, count, and back to Kafka as absolute values."""

from collections.abc import Callable
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from crossfade.binding import SpeedBinding
from crossfade.clock import now_ms, parse_duration
from crossfade.config import Settings
from crossfade.folder import DataFolder
from crossfade.kafka import PLAYS_BY_WINDOW, KafkaAddress
from crossfade.processing.archive import lay_out_records
from crossfade.processing.decode import decode_plays
from crossfade.processing.source import read_stream
from crossfade.processing.speed.markers import METRICS, QUERY, read_offsets
from crossfade.processing.speed.transforms import (
    FIELDS,
    count_windows,
    drop_repeats,
    keep_on_time,
    lay_out_rows,
    observe_verdicts,
)
from crossfade.window_log import Marker

_ROCKSDB = "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
_SESSION = {
    # Half of the driver's time would be code generation, anew in each micro-batch.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.streaming.pollingDelay": "5ms",
    "spark.sql.streaming.minBatchesToRetain": "20",
}


def start_speed(
    spark: SparkSession,
    folder: DataFolder,
    settings: Settings,
    address: KafkaAddress,
    binding: SpeedBinding,
) -> StreamingQuery:
    """Start the query; the caller holds speed's lock and has bound it.

    There is no limit of records a micro-batch on purpose: each one reads every partition up to its
    end, so no partition falls behind the others by a window, and Spark's watermark drops nothing.
    """
    for key, value in _SESSION.items():
        spark.conf.set(key, value)
    if settings.speed_state == "rocksdb":
        spark.conf.set("spark.sql.streaming.stateStore.providerClass", _ROCKSDB)
        name = "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled"
        spark.conf.set(name, "true")
    rules = folder.time_rules
    exactly = settings.speed_dedupe == "watermark"
    judged = decode_plays(
        lay_out_records(read_stream(spark, address)), FIELDS, mark_repeats=not exactly
    )
    observed = observe_verdicts(judged, rules, METRICS)
    plays = drop_repeats(keep_on_time(observed, rules), rules, exactly=exactly)
    return (
        count_windows(plays, rules)
        .writeStream.outputMode("update")
        .queryName(QUERY)
        .option("checkpointLocation", str(folder.checkpoints / "speed"))
        .trigger(processingTime=f"{parse_duration(settings.speed_every)} milliseconds")
        .foreachBatch(_write_to(address, binding))
        .start()
    )


def first_marker(folder: DataFolder, binding: SpeedBinding) -> Marker:
    """Give the marker of a new epoch: what the checkpoint has committed so far."""
    checkpoint = folder.checkpoints / "speed"
    batch = _newest_number(checkpoint / "commits")
    ends: dict[int, int] = {}
    if batch >= 0:
        last_line = (checkpoint / "offsets" / str(batch)).read_text("utf-8").splitlines()[-1]
        ends = read_offsets(last_line)
    return Marker(binding.generation, binding.epoch, batch, ends, sent_at=now_ms())


def _write_to(address: KafkaAddress, binding: SpeedBinding) -> Callable[[DataFrame, int], None]:
    options = {
        **address.spark_options(),
        "topic": PLAYS_BY_WINDOW,
        "kafka.acks": "all",
        "kafka.enable.idempotence": "true",
        "kafka.compression.type": "lz4",
        "kafka.linger.ms": "5",
        "kafka.batch.size": "262144",
    }

    def write(windows: DataFrame, batch: int) -> None:
        rows = lay_out_rows(
            windows, generation=binding.generation, epoch=binding.epoch, batch=batch
        )
        rows.write.format("kafka").options(**options).save()

    return write


def _newest_number(log: Path) -> int:
    if not log.is_dir():
        return -1
    return max((int(path.name) for path in log.iterdir() if path.name.isdigit()), default=-1)
