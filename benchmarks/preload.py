"""Start a separate broker with simulated plays for one benchmark."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from crossfade.config import load_settings
from crossfade.generator.kafka_sink import KafkaSink
from crossfade.generator.options import Report, SimulationOptions
from crossfade.generator.produce import simulate
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import create_topics
from crossfade.stack.broker import Broker


@dataclass(frozen=True, slots=True)
class Preloaded:
    """A broker whose topic has plays; `plays_per_second` is the rate at which they were sent."""

    address: KafkaAddress
    broker: int
    scratch: Path
    plays_per_second: float


@contextmanager
def preloaded_topic(plays: int) -> Iterator[Preloaded]:
    """Start a broker, create the topics and send plays; remove everything at the end."""
    settings = load_settings()
    with (
        tempfile.TemporaryDirectory(prefix="crossfade-benchmark-") as scratch,
        Broker(Path(scratch) / "kafka", cache=settings.cache) as broker,
    ):
        create_topics(broker.address, settings)
        options = SimulationOptions(rate=None, events=plays, report=Report.START)
        produced = simulate(KafkaSink(broker.address), options)
        yield Preloaded(broker.address, broker.pid, Path(scratch), produced.rate)
