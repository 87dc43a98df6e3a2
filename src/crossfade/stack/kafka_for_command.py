"""The Kafka that a single command uses: a running one, or one that it starts temporarily."""

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
    """Yield the address of a Kafka that has both topics.

    It is the Kafka of the settings, else that of the running stack. With neither, start the
    embedded broker on the folder's data and a free port, hold the folder, and stop at the end.

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
