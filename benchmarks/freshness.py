"""How long after a play was produced the API shows it, while an audience plays beside it."""

import subprocess
import threading
import time

import httpx

from benchmarks.results import keep_result, percentiles
from benchmarks.stack import RunningStack, a_stack, crossfade, wait_for
from crossfade.clock import now_ms
from crossfade.contract.decode import encode_play
from crossfade.contract.play import Play
from crossfade.errors import StackError
from crossfade.kafka import SONG_PLAYS, open_producer

_REACH = "p99 under 1,500 ms at 10,000 plays/s, archive running"
_COUNTRY = "AQ"
"""Antarctica, where nobody of the simulated audience lives: an answer of one row."""

_WARM_UP_S = 90.0
_PROBES = 300
_PROBE_EVERY_S = 0.1
_SEEN_WITHIN_S = 30.0


def measure_freshness(*, rates: tuple[int, ...] = (2_000, 10_000)) -> None:
    """Send numbered probes of one song and watch its count in the API, at each rate."""
    measured = []
    with a_stack() as stack:
        stack.kafka()
        for number, rate in enumerate(rates):
            measured.append({"plays_per_second": rate, **_measure(stack, rate, number)})
    keep_result(
        "freshness",
        input_size={"probes": _PROBES, "warm_up_s": _WARM_UP_S, "grain": "10m"},
        measured={"reach": _REACH, "produced_to_visible_ms": measured},
    )


def _measure(stack: RunningStack, rate: int, number: int) -> dict[str, float]:
    command = crossfade("generate", "--data", str(stack.data), "--rate", str(rate))
    audience = subprocess.Popen(
        [*command, "--report", "start"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: stack.trending() or None, "The first window", 120.0)
        time.sleep(_WARM_UP_S)
        return _probe(stack, f"probe-{number}")
    finally:
        audience.terminate()
        audience.wait()


def _probe(stack: RunningStack, song: str) -> dict[str, float]:
    watch = _Watch(stack, song)
    watch.start()
    producer = open_producer(stack.kafka(), **{"linger.ms": 0})
    produced = []
    for count in range(_PROBES):
        play = Play(
            event_id=f"{song}-{count:06}",
            user_id=f"{song}-{count % 50}",
            song_id=song,
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
    return {**percentiles(waits), "polls_per_second": watch.polls_per_second}


class _Watch(threading.Thread):
    """Asks the API without a pause; notes when each count of the song was first seen."""

    def __init__(self, stack: RunningStack, song: str) -> None:
        super().__init__(daemon=True)
        self.polls_per_second = 0.0
        self._seen: list[float] = []
        self._song = song
        self._address = f"{stack.addresses().api}/api/v1/trending"
        self._over = threading.Event()

    def run(self) -> None:
        """Poll over one connection."""
        began, polls = time.monotonic(), 0
        with httpx.Client(timeout=10.0) as client:
            while not self._over.is_set():
                answer = client.get(self._address, params={"country": _COUNTRY, "limit": 5})
                at, polls = time.monotonic(), polls + 1
                rows = [row for row in answer.json()["rows"] if row["song_id"] == self._song]
                count = rows[0]["plays"] if rows else 0
                self._seen += [at] * (count - len(self._seen))
                self.polls_per_second = round(polls / (at - began), 1)
                time.sleep(0.05)

    def wait_until(self, count: int) -> list[float]:
        """Give when each of the first counts was seen."""
        deadline = time.monotonic() + _SEEN_WITHIN_S
        while len(self._seen) < count:
            if time.monotonic() > deadline:
                what = f"The API shows {len(self._seen)} of {count} probes."
                raise StackError(what)
            time.sleep(0.05)
        self._over.set()
        self.join()
        return self._seen[:count]
