"""The reader of `plays-by-window` on a real broker."""

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import datasketches
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from crossfade.clock import HOUR_MS, now_ms
from crossfade.config import load_settings
from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.contract.time_rules import FUTURE_MS, TimeRules
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import open_producer
from crossfade.kafka.topics import PLAYS_BY_WINDOW, SONG_PLAYS, create_topics, read_end_offsets
from crossfade.kafka.window_log import Marker, encode_probe_key
from crossfade.serving.rollup import By
from crossfade.serving.window_reader import WindowReader
from crossfade.serving.window_state import WindowState
from crossfade.stack.broker import Broker
from support.temporary_topics import temporary_topics

pytestmark = pytest.mark.kafka

RULES = TimeRules()
ALL = (0, 2**53)


@pytest.fixture(scope="module")
def own(spare_broker: Broker) -> Iterator[KafkaAddress]:
    """Return topics that no other test writes to, because generations compete."""
    with temporary_topics(spare_broker) as address:
        yield address


@contextmanager
def reading(address: KafkaAddress, boundary: int = NO_BOUNDARY) -> Iterator[WindowState]:
    state = WindowState()
    reader = WindowReader(address, state, RULES, lambda: boundary)
    reader.start()
    try:
        yield state
    finally:
        reader.stop()


def until(is_true: Callable[[], bool], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_ready(state: WindowState) -> bool:
    return state.status(now_ms()).is_ready


def plays_of(state: WindowState, song: str) -> int | None:
    totals = state.roll_up(By.SONG, ALL).get(song)
    return totals.plays if totals else None


def send_rows(address: KafkaAddress, *songs: str, plays: int = 1, batch: int = 0) -> None:
    sketch = datasketches.hll_sketch(10)
    sketch.update("user-1")
    text = base64.b64encode(sketch.serialize_compact()).decode()
    window = RULES.window_start(now_ms())
    value = f'{{"b":{batch},"p":{plays},"n":{plays},"m":60000,"l":"{text}"}}'
    keys = (
        f'{{"g":"g1","e":1,"w":{window},"k":["SE","{song}","Title","Artist",null,null]}}'
        for song in songs
    )
    send(address, PLAYS_BY_WINDOW, {key.encode(): value.encode() for key in keys})


def send(address: KafkaAddress, topic: str, records: dict[bytes, bytes]) -> None:
    producer = open_producer(address, **{"linger.ms": 0})
    for key, value in records.items():
        producer.produce(topic, value, key)
    assert producer.flush(10) == 0


def send_marker(address: KafkaAddress, **counts: int) -> None:
    ends = read_end_offsets(address, SONG_PLAYS)
    marker = Marker("g1", 1, counts.pop("batch", 0), ends, sent_at=now_ms(), **counts)
    producer = open_producer(address, **{"linger.ms": 0})
    for partition in read_end_offsets(address, PLAYS_BY_WINDOW):
        producer.produce(PLAYS_BY_WINDOW, marker.encode(), marker.encode_key(), partition)
    assert producer.flush(10) == 0


def test_what_the_topic_held_at_the_start_is_there_once_the_reader_is_ready(
    own: KafkaAddress,
) -> None:
    send_rows(own, "before", plays=3)
    send(own, PLAYS_BY_WINDOW, {encode_probe_key("run"): b"{}"})

    with reading(own) as state:
        until(lambda: is_ready(state))
        assert plays_of(state, "before") == 3


def test_a_row_is_seen_soon_after_it_was_sent(own: KafkaAddress) -> None:
    with reading(own) as state:
        until(lambda: is_ready(state))
        began = time.monotonic()
        send_rows(own, "soon", plays=5, batch=1)
        until(lambda: plays_of(state, "soon") == 5)

        assert time.monotonic() - began < 1.5


def test_lag_is_known_from_end_offsets_and_late_plays_from_markers(own: KafkaAddress) -> None:
    before = now_ms()
    send(own, SONG_PLAYS, {b"user-1": b"{}"})
    with reading(own) as state:
        send_marker(own, batch=2, late=2)
        until(lambda: state.status(now_ms()).lag_ms is not None)

        progress = state.status(now_ms())
        assert progress.lag_ms is not None
        assert progress.lag_ms < 5_000
        assert progress.late_pending == 2
        assert progress.first_log_time is not None
        assert before - 1_000 <= progress.first_log_time <= now_ms() + 1_000


def test_a_reader_begins_at_the_boundary_and_not_before(own: KafkaAddress) -> None:
    send_rows(own, "old")
    boundary = RULES.window_start(now_ms() + 2 * HOUR_MS)

    with reading(own, boundary) as state:
        until(lambda: is_ready(state))
        assert state.count_rows() == 0
        assert state.status(now_ms()).held_from == boundary


def test_windows_whose_rows_kafka_may_have_deleted_do_not_count_as_held(
    own: KafkaAddress,
) -> None:
    send_rows(own, *(f"deleted-{number}" for number in range(40)))
    admin = AdminClient(own.client_config())
    ends = read_end_offsets(own, PLAYS_BY_WINDOW)
    cut = [TopicPartition(PLAYS_BY_WINDOW, p, end - 1) for p, end in ends.items()]
    for future in admin.delete_records(cut).values():
        future.result(10)

    with reading(own) as state:
        until(lambda: is_ready(state))
        whole_from = RULES.window_start(now_ms() + FUTURE_MS + RULES.grain_ms)
        assert abs(state.status(now_ms()).held_from - whole_from) <= RULES.grain_ms


def test_without_kafka_the_state_reports_it_and_the_reader_ends_soon() -> None:
    with reading(KafkaAddress("127.0.0.1:1")) as state:
        until(lambda: "Connection refused" in state.status(now_ms()).trouble)
        assert not is_ready(state)
        began = time.monotonic()

    assert time.monotonic() - began < 12


def test_a_reader_that_starts_before_the_topics_exist_waits_for_them(
    cache: Path, tmp_path: Path
) -> None:
    with Broker(tmp_path / "kafka", cache=cache) as broker, reading(broker.address) as state:
        until(lambda: state.status(now_ms()).trouble != "")
        create_topics(broker.address, load_settings())
        until(lambda: is_ready(state))
