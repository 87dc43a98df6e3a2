"""Sends simulated plays to Kafka, a batch a call, and tells what became of each record."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event
from typing import Any, Protocol

import numpy as np
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from crossfade.clock import SECOND_MS
from crossfade.errors import BrokerError
from crossfade.generator.partitions import place_keys
from crossfade.generator.records import Records
from crossfade.kafka import (
    SONG_PLAYS,
    KafkaAddress,
    partition_count,
    require_broker,
)
from crossfade.kafka_clients import open_producer

PATIENCE_MS = 60 * SECOND_MS
"""How long a play may wait for Kafka to take it before the simulation gives up."""

_MAX_WAITING = 131_072
_BATCH_BYTES = 1_000_000
_BATCH_RECORDS = 100_000
_LINGER_MS = 50
_POLL_S = 0.1
_ERROR = "_error"
"""What `produce_batch` adds to a message that it refuses."""

_SILENT = 0
"""librdkafka's log level here: what became of each record is told by its delivery report."""

_Message = dict[str, Any]


class Receipts(Protocol):
    """Learns what became of each record, by its number."""

    def note_delivered(self, number: int, partition: int, offset: int) -> None:
        """Learn where Kafka put a record."""

    def note_failed(self, number: int, why: str) -> None:
        """Learn that Kafka did not acknowledge a record."""


class KafkaSink:
    """Sends to `song-plays`, idempotent, acknowledged by all replicas, keyed by `user_id`.

    Each key goes to the partition that Kafka's own partitioner gives it. The first record that
    Kafka does not take in time ends the sending.
    """

    newline = False

    def __init__(
        self,
        address: KafkaAddress,
        *,
        patience_ms: int = PATIENCE_MS,
        receipts: Receipts | None = None,
    ) -> None:
        """Reach Kafka; a record may wait `patience_ms` for its acknowledgement.

        Raises:
            BrokerError: it does not answer, or has no topic for plays.
        """
        require_broker(address)
        self._partitions = partition_count(address, SONG_PLAYS)
        self._bootstrap = address.bootstrap
        self._receipts = receipts
        self._sent = 0
        self._failed = 0
        self._why = "interrupted"
        self._producer: Producer = open_producer(
            address,
            **{
                "message.timeout.ms": patience_ms,
                "delivery.report.only.error": receipts is None,
                "queue.buffering.max.messages": 2 * _MAX_WAITING,
                "queue.buffering.max.kbytes": 1 << 20,
                "batch.size": _BATCH_BYTES,
                "batch.num.messages": _BATCH_RECORDS,
                "linger.ms": _LINGER_MS,
                "log_level": _SILENT,
            },
        )

    @property
    def sent(self) -> int:
        """Count the records queued for Kafka."""
        return self._sent

    @property
    def waiting(self) -> int:
        """Count the records that Kafka has not acknowledged yet."""
        return len(self._producer)

    @property
    def failed(self) -> int:
        """Count the records that Kafka did not take in time."""
        return self._failed

    @property
    def is_over(self) -> bool:
        """Tell whether a record failed."""
        return self._failed > 0

    def has_room(self) -> bool:
        """Tell whether few enough records wait for Kafka; gives it a moment if not."""
        if len(self._producer) >= _MAX_WAITING:
            self._producer.poll(_POLL_S)
        return len(self._producer) < _MAX_WAITING

    def send(self, records: Records) -> None:
        """Queue records, one call for each topic partition."""
        with _uncollected():
            messages = self._write_messages(records)
        placed = place_keys(records.keys, self._partitions)
        for partition in range(self._partitions):
            own = [messages[row] for row in np.flatnonzero(placed == partition).tolist()]
            while own and not self.is_over:
                own = self._queue(own, partition)
        self._producer.poll(0)

    def finish(self, hurry: Event, /) -> None:
        """Wait until every record is acknowledged or given up.

        Raises:
            BrokerError: some were not, with their number.
        """
        while self._producer.flush(_POLL_S) and not hurry.is_set():
            pass
        self._failed += len(self._producer)
        if self._failed:
            what = (
                f"Kafka at {self._bootstrap} did not acknowledge {self._failed:,} "
                f"of {self._sent:,} plays: {self._why}."
            )
            raise BrokerError(what, 'See "crossfade status"; the others are in its log.')

    def _write_messages(self, records: Records) -> list[_Message]:
        keys = records.keys.view("S16").ravel().tolist()
        pairs = zip(keys, records.values.to_pylist(), strict=True)
        receipts = self._receipts
        if receipts is None:
            return [{"key": key, "value": value} for key, value in pairs]
        return [
            {"key": key, "value": value, "callback": partial(self._note, receipts, number)}
            for number, (key, value) in enumerate(pairs, records.first)
        ]

    def _queue(self, messages: list[_Message], partition: int) -> list[_Message]:
        """Queue what finds room; give the rest, to be queued again when there is some."""
        report = {} if self._receipts else {"on_delivery": self._note_failure}
        try:
            self._sent += self._producer.produce_batch(
                SONG_PLAYS, messages, partition=partition, **report
            )
        except KafkaException as error:
            self._note_failure(error.args[0])
            return []
        refused = [message for message in messages if _ERROR in message]
        for message in refused:
            refusal = message.pop(_ERROR)
            if refusal.code() != KafkaError._QUEUE_FULL:
                self._note_failure(refusal)
        if refused:
            self._producer.poll(_POLL_S)
        return refused

    def _note(
        self, receipts: Receipts, number: int, error: KafkaError | None, record: Message
    ) -> None:
        """Pass on what became of one record."""
        if error is None:
            receipts.note_delivered(number, record.partition(), record.offset())
            return
        receipts.note_failed(number, error.str())
        self._note_failure(error)

    def _note_failure(self, error: KafkaError, _record: Message | None = None) -> None:
        self._failed += 1
        self._why = error.str()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep Python's collector still: it would look through all that is on its way, again and again.

    Nothing that is made meanwhile refers to itself.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
