"""The sink that sends simulated plays to Kafka, a batch a call, with a report for each record."""

from threading import Event
from typing import Protocol

import numpy as np

from crossfade.clock import MINUTE_MS
from crossfade.errors import BrokerError
from crossfade.generator.draws import Integers
from crossfade.generator.librdkafka import QUEUE_FULL, ColumnProducer
from crossfade.generator.partitions import place_keys
from crossfade.generator.records import Records
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import producer_config
from crossfade.kafka.reach import require_broker
from crossfade.kafka.topics import SONG_PLAYS, partition_count

DELIVERY_TIMEOUT_MS = 10 * MINUTE_MS
"""How long a play may wait for its acknowledgement before the simulation gives up: long enough for
a person to free space on a broker's full disk, during which plays are kept waiting on purpose."""

_MAX_WAITING = 131_072
_BATCH_BYTES = 1_000_000
_BATCH_RECORDS = 100_000
_LINGER_MS = 50
_POLL_S = 0.1
_SILENT = 0
"""librdkafka's log level: failures are taken from the delivery reports instead."""


class Receipts(Protocol):
    """Is notified of the outcome of each record, by its number."""

    def note_delivered(self, number: int, partition: int, offset: int) -> None:
        """Note where Kafka stored a record."""

    def note_failed(self, number: int, why: str) -> None:
        """Note that Kafka did not acknowledge a record."""


class KafkaSink:
    """Sends to `song-plays`, idempotent, acknowledged by all replicas, keyed by `user_id`.

    Each key goes to the partition that Kafka's own partitioner chooses. Sending ends with the
    first record that is not acknowledged in time.
    """

    is_file = False

    def __init__(
        self,
        address: KafkaAddress,
        *,
        timeout_ms: int = DELIVERY_TIMEOUT_MS,
        receipts: Receipts | None = None,
    ) -> None:
        """Connect to Kafka; a record may wait `timeout_ms` for its acknowledgement.

        Raises:
            BrokerError: Kafka does not answer, or has no topic for plays.
        """
        require_broker(address)
        self._partitions = partition_count(address, SONG_PLAYS)
        self._bootstrap = address.bootstrap
        self._receipts = receipts
        self._sent = 0
        self._failed = 0
        self._why = "interrupted"
        config = producer_config(
            address,
            **{
                "message.timeout.ms": timeout_ms,
                "delivery.report.only.error": receipts is None,
                "queue.buffering.max.messages": 2 * _MAX_WAITING,
                "queue.buffering.max.kbytes": 1 << 20,
                "batch.size": _BATCH_BYTES,
                "batch.num.messages": _BATCH_RECORDS,
                "linger.ms": _LINGER_MS,
                "log_level": _SILENT,
            },
        )
        self._producer = ColumnProducer(SONG_PLAYS, config, self._note)
        self._is_closed = False

    @property
    def sent(self) -> int:
        """Count the records queued for Kafka."""
        return self._sent

    @property
    def waiting(self) -> int:
        """Count the records that Kafka has not acknowledged yet."""
        return 0 if self._is_closed else len(self._producer)

    @property
    def failed(self) -> int:
        """Count the records that Kafka did not acknowledge in time."""
        return self._failed

    @property
    def is_over(self) -> bool:
        """Check whether a record failed."""
        return self._failed > 0

    def has_room(self) -> bool:
        """Check whether few enough records wait for Kafka; wait a moment first if not."""
        if len(self._producer) >= _MAX_WAITING:
            self._producer.poll(_POLL_S)
        return len(self._producer) < _MAX_WAITING

    def send(self, records: Records) -> None:
        """Queue records, one call for each topic partition."""
        numbers = np.arange(records.first, records.first + len(records))
        placed = place_keys(records.keys, self._partitions)
        for partition in range(self._partitions):
            rows = np.flatnonzero(placed == partition)
            while len(rows) and not self.is_over:
                codes = self._producer.produce(
                    records.values, records.keys, numbers, rows=rows, partition=partition
                )
                rows = self._requeue(rows, codes, numbers)
        self._producer.poll(0)

    def finish(self, give_up: Event, /) -> None:
        """Wait until every record is acknowledged or has failed, or until `give_up` is set.

        Raises:
            BrokerError: some were not acknowledged, with their number.
        """
        if self._is_closed:
            return
        while self._producer.flush(_POLL_S) and not give_up.is_set():
            pass
        self._failed += len(self._producer)
        self._is_closed = True
        self._producer.close()
        if self._failed:
            what = (
                f"Kafka at {self._bootstrap} did not acknowledge {self._failed:,} "
                f"of {self._sent:,} plays: {self._why}."
            )
            raise BrokerError(what, 'See "crossfade status"; the other plays are in its log.')

    def _requeue(self, rows: Integers, codes: Integers, numbers: Integers) -> Integers:
        """Count the records queued; return those for which there was no room, to try again."""
        self._sent += int((codes == 0).sum())
        for row in np.flatnonzero((codes != 0) & (codes != QUEUE_FULL)).tolist():
            self._note(int(numbers[rows[row]]), int(codes[row]), -1, -1)
        refused = rows[codes == QUEUE_FULL]
        if len(refused):
            self._producer.poll(_POLL_S)
        return refused

    def _note(self, number: int, code: int, partition: int, offset: int) -> None:
        """Note the outcome of a record."""
        if self._is_closed:
            return
        if code:
            self._failed += 1
            self._why = self._producer.name_error(code)
        if self._receipts is None:
            return
        if code:
            self._receipts.note_failed(number, self._why)
        else:
            self._receipts.note_delivered(number, partition, offset)
