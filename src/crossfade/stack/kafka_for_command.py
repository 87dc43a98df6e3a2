"""The Kafka that a single command uses: the one that runs, or one of its own for the while."""

from collections.abc import Iterator
from contextlib import contextmanager

from crossfade.config import Settings
from crossfade.folder import DataFolder, read_stack
from crossfade.kafka.address import KafkaAddress, address_from
from crossfade.kafka.topics import create_topics
from crossfade.stack.broker import Broker
from crossfade.stack.hold import hold_folder


@contextmanager
def reach_kafka(folder: DataFolder, settings: Settings) -> Iterator[KafkaAddress]:
    """Return Kafka with both topics made: the settings' own, the running stack's, or the folder's.

    With neither setting nor stack, the embedded broker is started on the folder's data, on a
    free port, and stopped again at the end; the folder is held meanwhile.

    Raises:
        StackError: another process holds the folder.
        MachineError: the embedded broker cannot start here.
        BrokerError: Kafka is away or refuses.
    """
    stack = read_stack(folder)
    if settings.bootstrap or stack is not None:
        address = address_from(settings, stack.bootstrap if stack else "")
        create_topics(address, settings)
        yield address
        return
    broker = Broker(
        folder.kafka,
        cache=settings.cache,
        heap=settings.kafka_heap,
        log=folder.logs / "broker.log",
    )
    with hold_folder(folder), broker:
        create_topics(broker.address, settings)
        yield broker.address
