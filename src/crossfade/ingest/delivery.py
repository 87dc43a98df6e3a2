"""Sending of plays to Kafka, with the listener as key, until each is acknowledged."""

from confluent_kafka import KafkaError, Message

from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import open_producer
from crossfade.kafka.topics import SONG_PLAYS

_FULL_QUEUE_WAIT_S = 0.1
_FLUSH_WAIT_S = 0.2
_DELIVERY_TIMEOUT_MS = 600_000
"""Plays wait while a disk is nearly full; this is enough time for a user to free some space."""
_NO_LOG = 0
"""librdkafka's log level: delivery reports have the outcome of each record."""


class Delivery:
    """Sends records and collects their delivery reports.

    `undelivered` counts the records that Kafka did not accept, `why` is the last one's error.
    """

    def __init__(self, address: KafkaAddress) -> None:
        self._producer = open_producer(
            address, **{"message.timeout.ms": _DELIVERY_TIMEOUT_MS, "log_level": _NO_LOG}
        )
        self.undelivered = 0
        self.why = ""

    def send(self, user_id: str, value: bytes) -> None:
        """Queue a record; wait while the queue is full."""
        while True:
            try:
                self._producer.produce(
                    SONG_PLAYS, value, user_id.encode(), on_delivery=self._note_outcome
                )
            except BufferError:
                self._producer.poll(_FULL_QUEUE_WAIT_S)
            else:
                self._producer.poll(0)
                return

    def finish(self) -> None:
        """Wait until every record is acknowledged, or has failed and is counted as undelivered."""
        while self._producer.flush(_FLUSH_WAIT_S):
            pass

    def _note_outcome(self, error: KafkaError | None, _record: Message) -> None:
        if error is not None:
            self.undelivered += 1
            self.why = error.str()
