"""Markers: what tells readers how far speed is, after each micro-batch and while there is none."""

import threading
from collections.abc import Callable

import msgspec
from confluent_kafka import Producer
from pyspark.sql.streaming.listener import (
    QueryIdleEvent,
    QueryProgressEvent,
    QueryStartedEvent,
    QueryTerminatedEvent,
    StreamingQueryListener,
)

from crossfade.binding import SpeedBinding
from crossfade.clock import now_ms, parse_time
from crossfade.kafka import (
    PLAYS_BY_WINDOW,
    SONG_PLAYS,
    KafkaAddress,
    open_producer,
    partition_count,
)
from crossfade.window_log import Marker

IDLE_EVERY_S = 2.0
METRICS = "speed"
QUERY = "speed"

_SEND_WITHIN_S = 10.0


class MarkerLog:
    """Sends markers of one driver start to every partition of `plays-by-window`."""

    def __init__(self, address: KafkaAddress, first: Marker) -> None:
        """Send the first marker of this epoch, so that readers know of it before any window."""
        self._partitions = partition_count(address, PLAYS_BY_WINDOW)
        self._producer: Producer = open_producer(address, **{"linger.ms": 0})
        self._lock = threading.Lock()
        self._newest = first
        self._send(first)

    @property
    def newest(self) -> Marker:
        """Give the marker that was sent last."""
        return self._newest

    def send(self, marker: Marker) -> None:
        """Send the marker of a micro-batch whose rows are in the topic."""
        with self._lock:
            self._newest = marker
            self._send(marker)

    def repeat(self, *, older_than_s: float = IDLE_EVERY_S) -> None:
        """Send the newest marker again, if it is old, to say that nothing was missed."""
        with self._lock:
            if now_ms() - self._newest.sent_at >= older_than_s * 1000:
                self._newest = msgspec.structs.replace(self._newest, sent_at=now_ms())
                self._send(self._newest)

    def close(self) -> None:
        """Wait until the last marker is in the topic."""
        self._producer.flush(_SEND_WITHIN_S)

    def _send(self, marker: Marker) -> None:
        for partition in range(self._partitions):
            self._producer.produce(PLAYS_BY_WINDOW, marker.encode(), marker.encode_key(), partition)
        self._producer.flush(_SEND_WITHIN_S)


class ProgressListener(StreamingQueryListener):
    """Tells of each committed micro-batch: a marker for speed's, and how far every query is."""

    def __init__(
        self,
        on_progress: Callable[[str, dict[int, int]], None],
        binding: SpeedBinding | None = None,
        markers: MarkerLog | None = None,
    ) -> None:
        """Take what is told of every query's end offsets, and where speed's markers go."""
        self._on_progress = on_progress
        self._binding = binding
        self._markers = markers

    def onQueryStarted(self, event: QueryStartedEvent) -> None:  # noqa: N802 - Spark's name
        """Nothing: a query that has started has read nothing."""

    def onQueryIdle(self, event: QueryIdleEvent) -> None:  # noqa: N802 - Spark's name
        """Nothing: the driver repeats markers by itself."""

    def onQueryTerminated(self, event: QueryTerminatedEvent) -> None:  # noqa: N802 - Spark's name
        """Nothing: the driver watches its queries."""

    def onQueryProgress(self, event: QueryProgressEvent) -> None:  # noqa: N802 - Spark's name
        """Tell of a micro-batch; Spark calls this after its commit, so its rows are written."""
        progress = event.progress
        ends = read_offsets(progress.sources[0].endOffset)
        name = progress.name or ""
        if name == QUERY and self._markers is not None and self._binding is not None:
            counts = progress.observedMetrics.get(METRICS)
            told = counts.asDict() if counts is not None else {}
            watermark = progress.eventTime.get("watermark")
            marker = Marker(
                generation=self._binding.generation,
                epoch=self._binding.epoch,
                batch=progress.batchId,
                end_offsets=ends,
                sent_at=now_ms(),
                dropped=sum(op.numRowsDroppedByWatermark for op in progress.stateOperators),
                watermark=parse_time(watermark) if watermark else None,
                **{key: int(count or 0) for key, count in told.items()},
            )
            self._markers.send(marker)
        self._on_progress(name, ends)


def read_offsets(text: str | None) -> dict[int, int]:
    """Read Spark's JSON of Kafka offsets: exclusive ends by partition."""
    if not text:
        return {}
    return msgspec.json.decode(text, type=dict[str, dict[int, int]]).get(SONG_PLAYS, {})
