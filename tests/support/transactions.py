"""Plays sent in transactions, so that a topic has offsets without a record."""

import time
import uuid

from confluent_kafka import Producer

from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import producer_config
from crossfade.kafka.topics import SONG_PLAYS, read_end_offsets

_WITHIN_S = 30.0
_POLL_S = 0.02


class Transactions:
    """A producer that commits or aborts what it sends to one partition of `song-plays`."""

    def __init__(self, address: KafkaAddress, partition: int = 0) -> None:
        config = producer_config(address, **{"transactional.id": uuid.uuid4().hex, "log_level": 0})
        self._producer = Producer(config)
        self._producer.init_transactions(_WITHIN_S)
        self._address = address
        self._partition = partition

    def begin(self, *values: bytes, key: str | None = None) -> None:
        """Send records in a transaction that stays open."""
        self._producer.begin_transaction()
        for value in values:
            self._producer.produce(SONG_PLAYS, value, key, partition=self._partition)
        assert self._producer.flush(_WITHIN_S) == 0

    def commit(self, *values: bytes, key: str | None = None) -> None:
        """Send records and commit them: one more offset, of the marker, follows."""
        self.begin(*values, key=key)
        self.end(is_committed=True)

    def abort(self, *values: bytes, key: str | None = None) -> None:
        """Send records and abort them: none of their offsets has a play."""
        self.begin(*values, key=key)
        self.end(is_committed=False)

    def end(self, *, is_committed: bool) -> None:
        """End the open transaction, and wait until its marker is in the partition."""
        before = self._read_end()
        if is_committed:
            self._producer.commit_transaction(_WITHIN_S)
        else:
            self._producer.abort_transaction(_WITHIN_S)
        deadline = time.monotonic() + _WITHIN_S
        while self._read_end() == before:
            assert time.monotonic() < deadline
            time.sleep(_POLL_S)

    def _read_end(self) -> int:
        return read_end_offsets(self._address, SONG_PLAYS, include_open=True)[self._partition]
