"""Markers: records that report to readers how far speed has read, also while it is idle."""

import threading
from types import TracebackType

import msgspec
from confluent_kafka import Producer

from crossfade.clock import now_ms
from crossfade.errors import BrokerError
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import open_producer
from crossfade.kafka.topics import PLAYS_BY_WINDOW, partition_count
from crossfade.kafka.window_log import Marker

IDLE_EVERY_MS = 2_000
_SEND_WITHIN_S = 20.0
_PRODUCER: dict[str, str | int | bool] = {
    "linger.ms": 0,
    "message.timeout.ms": 15_000,
    # Each marker's delivery reports its errors.
    "log_level": 0,
}


class MarkerLog:
    """Sends the markers of one epoch to every partition of `plays-by-window`."""

    def __init__(self, address: KafkaAddress, first: Marker) -> None:
        """Send the epoch's first marker, so that readers see the epoch before any of its windows.

        Raises:
            BrokerError: Kafka does not accept the marker.
        """
        self._partitions = partition_count(address, PLAYS_BY_WINDOW)
        self._producer: Producer = open_producer(address, **_PRODUCER)
        self._lock = threading.Lock()
        self._newest = first
        self.send(first)

    def __enter__(self) -> "MarkerLog":
        """Return the log itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the log."""
        self.close()

    def close(self) -> None:
        """Wait until the last marker is in the topic, or has expired."""
        self._producer.flush(_SEND_WITHIN_S)

    @property
    def newest(self) -> Marker:
        """Return the marker that was sent last."""
        return self._newest

    def send(self, marker: Marker) -> None:
        """Send a micro-batch's marker after its rows, and wait until the marker is in the topic.

        Raises:
            BrokerError: Kafka does not accept the marker.
        """
        refused: list[str] = []
        with self._lock:
            self._produce(marker, refused)
            left = self._producer.flush(_SEND_WITHIN_S)
            if left or refused:
                what = f"Kafka does not accept speed's marker: {(refused or ['no answer'])[0]}."
                raise BrokerError(what, "Check the broker's log. The next start continues.")
            self._newest = marker

    def repeat(self) -> None:
        """Send the newest marker again if it is older than `IDLE_EVERY_MS`; do not wait for it."""
        with self._lock:
            now = now_ms()
            if now - self._newest.sent_at >= IDLE_EVERY_MS:
                self._newest = msgspec.structs.replace(self._newest, sent_at=now)
                self._produce(self._newest, [])
            self._producer.poll(0)

    def _produce(self, marker: Marker, refused: list[str]) -> None:
        def note_refusal(error: object, _message: object) -> None:
            if error is not None:
                refused.append(str(error))

        for partition in range(self._partitions):
            self._producer.produce(
                PLAYS_BY_WINDOW,
                marker.encode(),
                marker.encode_key(),
                partition,
                on_delivery=note_refusal,
            )
