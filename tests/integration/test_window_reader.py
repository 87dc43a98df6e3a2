"""The reader of `plays-by-window` against a real broker."""

import time
from collections.abc import Callable

import datasketches
import pytest

from crossfade.clock import now_ms
from crossfade.contract.time_rules import TimeRules
from crossfade.embedded.broker import Broker
from crossfade.kafka import PLAYS_BY_WINDOW, open_producer, read_end_offsets
from crossfade.lake import NO_BOUNDARY
from crossfade.serving.rollup import By
from crossfade.serving.window_reader import WindowReader
from crossfade.serving.window_state import WindowState
from crossfade.window_log import Marker, encode_probe_key

pytestmark = pytest.mark.kafka

RULES = TimeRules()
ALL = (0, 2**53)


def _until(is_true: Callable[[], bool], within_s: float = 15.0) -> None:
    deadline = time.monotonic() + within_s
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _row(window: int, plays: int, batch: int) -> tuple[bytes, bytes]:
    import base64

    sketch = datasketches.hll_sketch(10)
    sketch.update("user-1")
    text = base64.b64encode(sketch.serialize_compact()).decode()
    key = f'{{"g":"g1","e":1,"w":{window},"c":"SE","s":"s1","t":"Title","a":"Artist"}}'
    value = f'{{"b":{batch},"p":{plays},"n":{plays},"m":60000,"l":"{text}"}}'
    return key.encode(), value.encode()


def test_rows_are_seen_soon_after_they_are_produced_and_lag_is_known(topics: Broker) -> None:
    state = WindowState()
    producer = open_producer(topics.address, **{"linger.ms": 0})
    window = RULES.window_start(now_ms())
    for key, value in (_row(window, 1, 0), (encode_probe_key("run"), b"{}")):
        producer.produce(PLAYS_BY_WINDOW, value, key)
    producer.flush(10)

    reader = WindowReader(topics.address, state, RULES, lambda: NO_BOUNDARY)
    reader.start()
    try:
        _until(lambda: state.progress(now_ms()).is_ready)
        assert state.roll_up(By.SONG, ALL)["s1"].plays == 1

        began = time.monotonic()
        key, value = _row(window, 5, 1)
        producer.produce(PLAYS_BY_WINDOW, value, key)
        ends = read_end_offsets(topics.address, "song-plays")
        marker = Marker("g1", 1, 1, ends, sent_at=now_ms(), accepted=4, late=2)
        for partition in range(4):
            producer.produce(PLAYS_BY_WINDOW, marker.encode(), marker.encode_key(), partition)
        producer.flush(10)
        _until(lambda: state.roll_up(By.SONG, ALL)["s1"].plays == 5)
        assert time.monotonic() - began < 1.5

        _until(lambda: state.progress(now_ms()).lag_ms is not None)
        progress = state.progress(now_ms())
        assert progress.lag_ms is not None
        assert progress.lag_ms < 5_000
        assert progress.late_pending == 2
    finally:
        reader.stop()


def test_a_reader_begins_where_the_boundary_says_and_not_before(topics: Broker) -> None:
    state = WindowState()
    boundary = RULES.window_start(now_ms() + 3_600_000)
    reader = WindowReader(topics.address, state, RULES, lambda: boundary)
    reader.start()
    try:
        _until(lambda: state.progress(now_ms()).is_ready)
        assert state.roll_up(By.SONG, ALL) == {}
    finally:
        reader.stop()
