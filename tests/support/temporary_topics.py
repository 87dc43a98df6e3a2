"""Topics for one test, on a broker that other tests use before and after it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka.admin import AdminClient

from crossfade.config import load_settings
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import PLAYS_BY_WINDOW, SONG_PLAYS, create_topics
from crossfade.stack.broker import Broker

_WITHIN_S = 20.0


@contextmanager
def temporary_topics(broker: Broker, *, partitions: int = 4) -> Iterator[KafkaAddress]:
    """Create both topics, empty, and delete them at the end."""
    address, names = broker.address, {SONG_PLAYS, PLAYS_BY_WINDOW}
    create_topics(address, load_settings(topic_partitions=partitions))
    try:
        yield address
    finally:
        admin = AdminClient(address.client_config())
        for outcome in admin.delete_topics(list(names)).values():
            outcome.result(_WITHIN_S)
        deadline = time.monotonic() + _WITHIN_S
        while admin.list_topics(timeout=_WITHIN_S).topics.keys() & names:
            assert time.monotonic() < deadline
