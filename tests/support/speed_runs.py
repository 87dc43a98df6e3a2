"""Runs of the speed query over a real broker, and readers of its output, for tests."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from confluent_kafka import OFFSET_BEGINNING, Message, TopicPartition
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from crossfade.clock import now_ms
from crossfade.config import Settings, load_settings
from crossfade.contract.decode import encode_play
from crossfade.contract.play import Play
from crossfade.folder import SPEED, DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import open_producer, open_reader
from crossfade.kafka.topics import (
    PLAYS_BY_WINDOW,
    SONG_PLAYS,
    partition_count,
    read_end_offsets,
    topic_id,
)
from crossfade.kafka.window_log import Grain, Marker, WindowValue, decode_record
from crossfade.lake.binding import bind_speed
from crossfade.processing.speed.job import WindowSink, first_marker, start_speed
from crossfade.processing.speed.markers import MarkerLog

_READ_WITHIN_S = 30.0


def a_play(number: int, *, event_time: int | None = None, **fields: object) -> Play:
    chosen: dict[str, object] = {
        "event_id": f"event-{number:06d}",
        "user_id": f"user-{number}",
        "song_id": "song",
        "title": "Jóga",
        "artist": "Björk",
        "event_time": now_ms() if event_time is None else event_time,
        "schema_version": 1,
        "ms_played": 60_000,
        "country": "SE",
    }
    return Play(**(chosen | fields))  # type: ignore[arg-type]


def send(address: KafkaAddress, *values: Play | bytes | None, partition: int | None = None) -> None:
    """Send plays with their keys, or raw values, and wait until Kafka has them."""
    producer = open_producer(address)
    for value in values:
        raw = encode_play(value) if isinstance(value, Play) else value
        key = value.user_id if isinstance(value, Play) else None
        place = {} if partition is None else {"partition": partition}
        producer.produce(SONG_PLAYS, raw, key, **place)
    assert producer.flush(30) == 0


def read_topic(address: KafkaAddress, topic: str) -> list[Message]:
    """Read every record that a topic currently holds."""
    reader = open_reader(address)
    ends = read_end_offsets(address, topic)
    found: list[Message] = []
    deadline = now_ms() + _READ_WITHIN_S * 1000
    try:
        partitions = range(partition_count(address, topic))
        reader.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])
        while len(found) < sum(ends.values()):
            assert now_ms() < deadline, f"{len(found)} of {ends} read"
            consumed = reader.consume(10_000, 0.2)
            found.extend(message for message in consumed if message.error() is None)
    finally:
        reader.close()
    return found


def wait_until(is_true: Callable[[], bool], within_s: float = 60.0) -> None:
    """Wait for a condition, up to a deadline."""
    deadline = now_ms() + within_s * 1000
    while not is_true():
        assert now_ms() < deadline, "the condition did not hold in time"
        threading.Event().wait(0.05)


@contextmanager
def running_speed(
    spark: SparkSession, folder: DataFolder, address: KafkaAddress, settings: Settings | None = None
) -> Iterator[StreamingQuery]:
    """Run the query as a driver starts it: a new epoch, its first marker, then the query."""
    session = spark.newSession()
    binding = bind_speed(folder, topic_id(address, SONG_PLAYS))
    first = first_marker(folder.checkpoints / SPEED, binding)
    with MarkerLog(address, first) as markers:
        sink = WindowSink(session, folder, address, markers)
        query = start_speed(session, folder, settings or load_settings(), address, sink)
        try:
            yield query
        finally:
            query.stop()


class SpeedOutput:
    """The markers and newest values of the compacted topic, as a reader sees them."""

    def __init__(self, records: Iterable[Message]) -> None:
        self.markers: list[tuple[int, Marker]] = []
        self.values: dict[tuple[str, int, Grain], WindowValue] = {}
        best: dict[tuple[str, int, Grain], tuple[int, int]] = {}
        for record in records:
            decoded = decode_record(record.key(), record.value())
            if isinstance(decoded, Marker):
                self.markers.append((record.partition(), decoded))
            elif decoded is not None:
                key = (decoded.key.generation, decoded.key.window_start_ms, decoded.key.grain)
                order = (decoded.key.epoch, decoded.value.batch)
                if order >= best.get(key, (0, -1)):
                    best[key], self.values[key] = order, decoded.value

    def plays(self, generation: str | None = None) -> dict[tuple[int, Grain], int]:
        """Return the plays of each window and grain, of one generation or of all."""
        return {
            (start, grain): value.plays
            for (name, start, grain), value in self.values.items()
            if generation in (None, name)
        }

    def markers_of(self, partition: int) -> list[Marker]:
        """Return the markers in the order in which a partition holds them."""
        return [marker for place, marker in self.markers if place == partition]


def read_speed_output(address: KafkaAddress) -> SpeedOutput:
    """Read the output of the speed layer."""
    return SpeedOutput(read_topic(address, PLAYS_BY_WINDOW))
