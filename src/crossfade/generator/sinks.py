"""Where simulated plays go: a Kafka topic, or a file of one JSON object a line."""

import os
import sys
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from crossfade.clock import SECOND_MS
from crossfade.errors import BrokerError, MachineError
from crossfade.generator.encode import Records
from crossfade.kafka import (
    SONG_PLAYS,
    KafkaAddress,
    partition_count,
    require_broker,
)
from crossfade.kafka_clients import open_producer

PATIENCE_MS = 60 * SECOND_MS
"""How long a play may wait for Kafka to take it before the simulation gives up."""

_MAX_WAITING = 65_536
_BATCH_BYTES = 1_000_000
_POLL_S = 0.1
_STDOUT = "-"
_ERROR = "_error"
"""What `produce_batch` adds to a message that it refuses."""

_SILENT = 0
"""librdkafka's log level here: what became of each record is told by its delivery report."""

_Message = dict[str, Any]


class Sink(Protocol):
    """Takes records in order; what it has taken is safe once `finish` came back."""

    @property
    def sent(self) -> int:
        """Count the records taken."""

    @property
    def waiting(self) -> int:
        """Count the records taken and not yet acknowledged."""

    @property
    def failed(self) -> int:
        """Count the records that were not acknowledged in time."""

    @property
    def is_over(self) -> bool:
        """Tell whether it takes no more."""

    def has_room(self) -> bool:
        """Tell whether it takes a block now; waits a moment if it does not."""

    def send(self, records: Records) -> None:
        """Take records; none once it is over."""

    def finish(self, hurry: Event, /) -> None:
        """Come back when every record is safe, or raise; at once when `hurry` is set."""


class KafkaSink:
    """Sends to `song-plays`, idempotent, acknowledged by all replicas, keyed by `user_id`.

    The producer's partitioner places each key (murmur2). The first record that Kafka does not
    take in time ends the sending.
    """

    def __init__(self, address: KafkaAddress, *, patience_ms: int = PATIENCE_MS) -> None:
        """Reach Kafka; a record may wait `patience_ms` for its acknowledgement.

        Raises:
            BrokerError: it does not answer, or has no topic for plays.
        """
        require_broker(address)
        partition_count(address, SONG_PLAYS)
        self._bootstrap = address.bootstrap
        self._sent = 0
        self._failed = 0
        self._why = "interrupted"
        self._producer: Producer = open_producer(
            address,
            **{
                "message.timeout.ms": patience_ms,
                "delivery.report.only.error": True,
                "queue.buffering.max.messages": 2 * _MAX_WAITING,
                "batch.size": _BATCH_BYTES,
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
        """Queue records."""
        messages = [
            {"key": key, "value": value}
            for key, value in zip(records.keys, records.values, strict=True)
        ]
        while messages and not self.is_over:
            messages = self._queue(messages)
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

    def _queue(self, messages: list[_Message]) -> list[_Message]:
        """Queue what finds room; give the rest, to be queued again when there is some."""
        try:
            self._sent += self._producer.produce_batch(
                SONG_PLAYS, messages, on_delivery=self._note_failure
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

    def _note_failure(self, error: KafkaError, _record: Message | None = None) -> None:
        self._failed += 1
        self._why = error.str()


class FileSink:
    """Writes one JSON object a line, to a file or, for "-", to standard output."""

    waiting = 0
    failed = 0

    def __init__(self, name: str) -> None:
        """Open the file, emptying it.

        Raises:
            MachineError: it cannot be written.
        """
        self.sent = 0
        self.is_over = False
        self._name = name
        try:
            self._file = _open_to_write(name)
        except OSError as error:
            raise self._unwritable(error) from None

    def has_room(self) -> bool:
        """Tell that a file always has room, or says otherwise when it is written."""
        return True

    def send(self, records: Records) -> None:
        """Write the values; the keys are in them. A reader that goes away ends it quietly."""
        try:
            self._file.write(b"\n".join(records.values) + b"\n")
            self._file.flush()
        except BrokenPipeError:
            self.is_over = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._file.fileno())
        except OSError as error:
            raise self._unwritable(error) from None
        else:
            self.sent += len(records.values)

    def finish(self, _hurry: Event, /) -> None:
        """Close the file, but leave standard output open."""
        if self._name == _STDOUT:
            return
        try:
            self._file.close()
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> MachineError:
        what = f"Cannot write {self._name}: {error.strerror}."
        return MachineError(what, "Free some room there, or name another file with --out.")


def _open_to_write(name: str) -> BinaryIO:
    return sys.stdout.buffer if name == _STDOUT else Path(name).open("wb")
