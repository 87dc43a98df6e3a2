"""Measure the time from producing a play until it is visible, while an audience sends plays."""

import os
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

import httpx
import msgspec
from confluent_kafka import TopicPartition

from benchmarks.preload import preloaded_topic
from benchmarks.results import keep_result, percentiles
from benchmarks.stack import crossfade, run_stack, wait_for
from crossfade.clock import now_ms
from crossfade.contract.decode import encode_play
from crossfade.contract.play import Play
from crossfade.errors import StackError
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import open_producer, open_reader
from crossfade.kafka.topics import PLAYS_BY_WINDOW, SONG_PLAYS, read_end_offsets

_REACH = "p99 under 1,500 ms at 10,000 plays/s, archive running"
_COUNTRY = "AQ"
"""Antarctica, where no simulated listener lives, so that an answer has one row."""

_RATES = (2_000, 10_000)
_WARM_UP_S = 180.0
_PROBES = 300
_PROBE_EVERY_S = 0.1
_SEEN_WITHIN_S = 30.0
_FIRST_PLAYS = 2_000


def measure_freshness() -> None:
    """Send probe plays of one song at each rate, and note when each increment becomes visible.

    For the stack, poll the API; for bare Spark, the baseline, read the topic that it writes to.
    """
    stack = _measure_stack()
    bare = _measure_bare()
    p99 = [found[-1]["p99"] for found in (stack, bare)]
    keep_result(
        "freshness",
        input_size={"probes": _PROBES, "warm_up_s": _WARM_UP_S, "grain": "10m"},
        measured={
            "reach": _REACH,
            "produced_to_visible_ms": stack,
            "bare_spark_produced_to_topic_ms": bare,
            "ratio_of_p99_to_bare_spark_at_the_last_rate": round(p99[0] / p99[1], 2),
        },
    )


def _measure_stack() -> list[dict[str, float]]:
    with run_stack() as stack:
        kafka = stack.kafka()
        api = stack.addresses().api
        return [
            _measure(kafka, rate, lambda: bool(stack.trending()), _ApiWatch(api, f"probe-{rate}"))
            for rate in _RATES
        ]


def _measure_bare() -> list[dict[str, float]]:
    with preloaded_topic(_FIRST_PLAYS) as topic:
        command = [sys.executable, "-m", "benchmarks.bare_speed", "follow"]
        with (topic.scratch / "log").open("wb") as log:
            query = subprocess.Popen(
                [*command, topic.address.bootstrap, str(topic.scratch)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
        try:
            return [
                _measure(
                    topic.address,
                    rate,
                    lambda: any(read_end_offsets(topic.address, PLAYS_BY_WINDOW).values()),
                    _TopicWatch(topic.address, f"probe-{rate}"),
                )
                for rate in _RATES
            ]
        finally:
            query.communicate()


def _measure(
    kafka: KafkaAddress, rate: int, has_windows: Callable[[], bool], watch: "_Watch"
) -> dict[str, float]:
    audience = subprocess.Popen(
        [*crossfade("generate", "--rate", str(rate)), "--report", "start"],
        env=os.environ | {"CROSSFADE_BOOTSTRAP": kafka.bootstrap},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: has_windows() or None, "The first window", 120.0)
        time.sleep(_WARM_UP_S)
        return {"plays_per_second": rate, **_probe(kafka, watch)}
    finally:
        audience.terminate()
        audience.wait()


def _probe(kafka: KafkaAddress, watch: "_Watch") -> dict[str, float]:
    watch.start()
    producer = open_producer(kafka, **{"linger.ms": 0})
    produced = []
    for count in range(_PROBES):
        play = Play(
            event_id=f"{watch.song}-{count:06}",
            user_id=f"{watch.song}-{count % 50}",
            song_id=watch.song,
            title="Probe",
            artist="Nobody",
            event_time=now_ms(),
            schema_version=1,
            ms_played=60_000,
            country=_COUNTRY,
        )
        produced.append(time.monotonic())
        producer.produce(SONG_PLAYS, encode_play(play), play.user_id)
        producer.poll(0)
        time.sleep(_PROBE_EVERY_S)
    producer.flush(10)
    seen = watch.wait_until(_PROBES)
    waits = [(at - sent) * 1000 for at, sent in zip(seen, produced, strict=True)]
    return {**percentiles(waits), "looks_per_second": watch.looks_per_second}


class _Watch(threading.Thread, ABC):
    """Polls the song's count in a thread, and notes when each count was first seen."""

    def __init__(self, song: str) -> None:
        super().__init__(daemon=True)
        self.song = song
        self.looks_per_second = 0.0
        self._seen: list[float] = []
        self._over = threading.Event()

    @abstractmethod
    def look(self) -> int:
        """Return the song's current count."""

    def run(self) -> None:
        """Poll until `wait_until` has returned."""
        began, looks = time.monotonic(), 0
        while not self._over.is_set():
            count = self.look()
            at, looks = time.monotonic(), looks + 1
            self._seen += [at] * (count - len(self._seen))
            self.looks_per_second = round(looks / (at - began), 1)
            time.sleep(0.05)

    def wait_until(self, count: int) -> list[float]:
        """Wait for a count; return when each count up to it was first seen.

        Raises:
            StackError: the count is not reached in time.
        """
        deadline = time.monotonic() + _SEEN_WITHIN_S
        while len(self._seen) < count:
            if time.monotonic() > deadline:
                what = f"Only {len(self._seen)} of {count} probes are visible."
                raise StackError(what)
            time.sleep(0.05)
        self._over.set()
        self.join()
        return self._seen[:count]


class _ApiWatch(_Watch):
    """Polls the API over one connection."""

    def __init__(self, api: str, song: str) -> None:
        super().__init__(song)
        self._client = httpx.Client(timeout=10.0)
        self._address = f"{api}/api/v1/trending"

    def look(self) -> int:
        answer = self._client.get(self._address, params={"country": _COUNTRY, "limit": 5})
        rows = [row for row in answer.json()["rows"] if row["song_id"] == self.song]
        return int(rows[0]["plays"]) if rows else 0


class _TopicWatch(_Watch):
    """Reads the topic that bare Spark writes its rows to."""

    def __init__(self, kafka: KafkaAddress, song: str) -> None:
        super().__init__(song)
        self._kafka = kafka
        self._plays: dict[bytes, int] = {}
        self._reader = open_reader(kafka)

    def run(self) -> None:
        ends = read_end_offsets(self._kafka, PLAYS_BY_WINDOW).items()
        self._reader.assign([TopicPartition(PLAYS_BY_WINDOW, p, end) for p, end in ends])
        super().run()
        self._reader.close()

    def look(self) -> int:
        for message in self._reader.consume(20_000, 0.01):
            key = message.key() or b""
            if self.song.encode() in key:
                self._plays[key] = msgspec.json.decode(message.value())["plays"]
        return sum(self._plays.values())
