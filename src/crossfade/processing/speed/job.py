"""The speed query: reads plays from Kafka and writes each window's counts back to Kafka."""

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

_CORES = 0.5

_SESSION = {
    # Otherwise half of the driver's time is code generation, repeated in each micro-batch.
    "spark.sql.codegen.wholeStage": "false",
    # While idle, Spark asks Kafka for end offsets at this interval; each time costs milliseconds.
    "spark.sql.streaming.pollingDelay": "100ms",
    # They would evict state slightly earlier, at the cost of a micro-batch after each one.
    "spark.sql.streaming.noDataMicroBatches.enabled": "false",
    "spark.sql.streaming.minBatchesToRetain": "20",
    # The next micro-batch needs only the newest state.
    "spark.sql.streaming.maxBatchesToRetainInMemory": "1",
}
_ROCKSDB = {
    "spark.sql.streaming.stateStore.providerClass": (
        "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
    ),
    "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
}
_SOURCE = {
    # Limits the records of a micro-batch, so that catching up fits into memory.
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
    """Start the query in the given session; the caller holds speed's lock.

    Without a checkpoint it begins at `first_offsets`; without those, at Kafka's first records.

    While catching up, a limited micro-batch takes the same share of each partition's remaining
    records, so that no partition gets ahead of the others by more than the watermark allows. Plays
    that the watermark drops are counted.
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
    """Compute the windows' counts from Kafka's records: everything between source and sink.

    The erased listeners are those known at the start; a later erasure begins a new generation.
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
    """Return the first marker of a new epoch: the offsets that the checkpoint has committed."""
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
    """Writes a micro-batch's windows to `plays-by-window`, then its marker.

    Both are written before Spark commits the micro-batch. If Spark repeats it after a crash, the
    same values and the same marker are sent again, under a higher epoch.
    """

    def __init__(
        self,
        session: SparkSession,
        folder: DataFolder,
        address: KafkaAddress,
        markers: MarkerLog,
    ) -> None:
        """Take the query's session, and the marker log of this driver's start."""
        self._session = session
        self._checkpoint = folder.checkpoints / SPEED
        self._options = {**address.spark_options(), **_PRODUCER, "topic": PLAYS_BY_WINDOW}
        self._markers = markers

    def write(self, windows: DataFrame, batch: int) -> None:
        """Write a micro-batch; Spark calls this.

        Raises:
            SinkError: Kafka or a task of the micro-batch failed.
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
