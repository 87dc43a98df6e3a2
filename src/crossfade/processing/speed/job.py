"""The speed query: Kafka, judge, count, and back to Kafka as absolute values."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from crossfade.clock import now_ms, parse_duration
from crossfade.config import Settings
from crossfade.erasure.suppression import load_suppression
from crossfade.folder import SPEED, DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import PLAYS_BY_WINDOW
from crossfade.kafka.window_log import Marker
from crossfade.lake.binding import SpeedBinding
from crossfade.lake.checkpoint import read_committed, read_plan
from crossfade.processing.decode import judge_stream
from crossfade.processing.failures import SinkError, summarize_causes
from crossfade.processing.speed.counts import read_counts
from crossfade.processing.speed.markers import MarkerLog
from crossfade.processing.speed.transforms import (
    count_windows,
    drop_repeats,
    keep_on_time,
    lay_out_rows,
    leave_out_erased,
    list_fields,
    observe_verdicts,
    select_record_columns,
)
from crossfade.processing.streams.source import read_stream, starting_at

"""Name of the query, of its checkpoint and of what it observes."""

_CORES = 0.5

_SESSION = {
    # Half of the driver's time would be code generation, anew in each micro-batch.
    "spark.sql.codegen.wholeStage": "false",
    # It asks Kafka for its ends so often while nothing comes: each time costs milliseconds.
    "spark.sql.streaming.pollingDelay": "100ms",
    # They would evict a moment earlier, for the price of a micro-batch after each.
    "spark.sql.streaming.noDataMicroBatches.enabled": "false",
    "spark.sql.streaming.minBatchesToRetain": "20",
    # One whole table of the live windows is enough to begin the next micro-batch from.
    "spark.sql.streaming.maxBatchesToRetainInMemory": "1",
}
_ROCKSDB = {
    "spark.sql.streaming.stateStore.providerClass": (
        "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
    ),
    "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
}
_SOURCE = {
    # Most records of a micro-batch, so that catching up fits into memory.
    "maxOffsetsPerTrigger": "1000000",
    "kafka.fetch.max.wait.ms": "1",
    "includeHeaders": "false",
}
_PRODUCER = {
    "kafka.acks": "all",
    "kafka.enable.idempotence": "true",
    "kafka.compression.type": "lz4",
    "kafka.linger.ms": "5",
    "kafka.batch.size": "262144",
}


def start_speed(
    session: SparkSession,
    folder: DataFolder,
    settings: Settings,
    address: KafkaAddress,
    sink: "WindowSink",
    *,
    first_offsets: Mapping[int, int] | None = None,
) -> StreamingQuery:
    """Start the query in a session of its own; the caller holds speed's lock.

    Without a checkpoint it begins at `first_offsets`; with none of those, at Kafka's first records.

    A limited micro-batch takes the same share of what each partition has left, so that in catching
    up none runs ahead of the others by more than the watermark bears; what it drops is counted.
    """
    rocksdb = _ROCKSDB if settings.speed_state == "rocksdb" else {}
    for key, value in {**_SESSION, **rocksdb}.items():
        session.conf.set(key, value)
    begin = starting_at(first_offsets) if first_offsets else {}
    records = read_stream(session, address, cores=_CORES, **_SOURCE, **begin)
    return (
        count_plays(records, folder, settings)
        .writeStream.outputMode("update")
        .queryName(SPEED)
        .option("checkpointLocation", str(folder.checkpoints / SPEED))
        .trigger(processingTime=f"{parse_duration(settings.speed_every)} milliseconds")
        .foreachBatch(sink.write)
        .start()
    )


def count_plays(records: DataFrame, folder: DataFolder, settings: Settings) -> DataFrame:
    """Return the windows of Kafka's records: the whole of speed between its source and its sink.

    Erased listeners are those of the moment; who is erased later begins a new generation.
    """
    rules, erased = folder.time_rules, load_suppression(folder)
    exactly = settings.speed_dedupe == "watermark"
    wanted = select_record_columns(records, keyed=bool(erased))
    judged = judge_stream(wanted, list_fields(exactly=exactly), erased)
    judged = leave_out_erased(judged) if erased else judged
    observed = observe_verdicts(judged, rules, SPEED)
    plays = drop_repeats(keep_on_time(observed, rules), rules, exactly=exactly)
    return count_windows(plays, rules)


def first_marker(checkpoint: Path, binding: SpeedBinding) -> Marker:
    """Return the marker of a new epoch: what the checkpoint has committed so far."""
    done = read_committed(checkpoint)
    return Marker(
        binding.generation,
        binding.epoch,
        done.batch,
        done.end_offsets or binding.first_offsets,
        sent_at=now_ms(),
        windows_from=binding.windows_from,
    )


class WindowSink:
    """Writes a micro-batch's windows to `plays-by-window`, then the marker that says so.

    Both are there before Spark commits the micro-batch: one that is run again after a crash sends
    the same values and the same marker again, under a higher epoch.
    """

    def __init__(
        self,
        session: SparkSession,
        folder: DataFolder,
        address: KafkaAddress,
        markers: MarkerLog,
    ) -> None:
        """Take the session that the query runs in, and the markers of this driver start."""
        self._session = session
        self._checkpoint = folder.checkpoints / SPEED
        self._options = {**address.spark_options(), **_PRODUCER, "topic": PLAYS_BY_WINDOW}
        self._markers = markers

    def write(self, windows: DataFrame, batch: int) -> None:
        """Write a micro-batch; Spark calls this.

        Raises:
            SinkError: Kafka, or a task of the micro-batch, failed.
        """
        newest = self._markers.newest
        rows = lay_out_rows(windows, generation=newest.generation, epoch=newest.epoch, batch=batch)
        try:
            rows.write.format("kafka").options(**self._options).save()
        except Py4JJavaError as error:
            raise SinkError(summarize_causes(error)) from None
        plan = read_plan(self._checkpoint, batch)
        counts = read_counts(self._session, SPEED)
        marker = msgspec.structs.replace(
            newest,
            batch=batch,
            end_offsets=plan.end_offsets,
            sent_at=now_ms(),
            watermark=plan.watermark,
            **msgspec.structs.asdict(counts),
        )
        self._markers.send(marker)
