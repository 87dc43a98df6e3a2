"""The test bench of live cases: a running stack under load, and the wait until it has healed."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from crossfade.clock import now_ms
from faults.stack import RunningStack

SONG_PLAYS = "song-plays"
HEAL_WITHIN_S = 60.0
"""Time limit for automatic healing, in seconds."""

_GIVE_UP_AFTER_S = 240.0
_POLL_S = 0.25
_ASK_KAFKA_S = 5.0


@dataclass(slots=True)
class LiveBench:
    """A running stack with an audience that sends plays, and the random numbers of this run."""

    stack: RunningStack
    rng: random.Random
    scratch: Path
    audience: "subprocess.Popen[bytes] | None" = None
    others: int = 0
    """The number of records that cases sent in addition to the audience."""

    @property
    def bootstrap(self) -> str:
        """Return Kafka's address."""
        return self.stack.bootstrap

    def leader(self, child: str) -> psutil.Process:
        """Wait until a child runs, and return its main process."""
        self.stack.wait_for(f"a running {child}", lambda: self.stack.pid_of(child))
        pid = self.stack.pid_of(child)
        assert pid is not None
        return psutil.Process(pid)

    def end_offsets(self) -> dict[int, int] | None:
        """Read the end offsets of `song-plays`; None while Kafka does not answer."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        try:
            topic = admin.list_topics(SONG_PLAYS, timeout=_ASK_KAFKA_S).topics[SONG_PLAYS]
            asked = {TopicPartition(SONG_PLAYS, p): OffsetSpec.latest() for p in topic.partitions}
            found = admin.list_offsets(asked, request_timeout=_ASK_KAFKA_S)
            return {place.partition: one.result().offset for place, one in found.items()}
        except KafkaException:
            return None

    def newest_run(self) -> dict[str, Any]:
        """Read the newest published run from the API; empty while it does not answer."""
        return dict(self.stack.ask("status").get("batch") or {})

    def await_healed(
        self, began: float, *, with_batch: bool = False, within_s: float = _GIVE_UP_AFTER_S
    ) -> float:
        """Wait until the stack has healed; return the seconds since `began`.

        Healed means: all children run, archive and speed have read up to Kafka's end offsets after
        the fault, and the answer about the present is live. With `with_batch`, batch has also
        begun a run after the fault; `Publications` checks that a run is published.

        Raises:
            AssertionError: the stack ended, or did not heal in time.
        """
        began_ms = now_ms() - round((time.monotonic() - began) * 1_000)
        targets: dict[int, int] | None = None
        while True:
            if targets is None:
                targets = self.end_offsets()
            missing = "Kafka" if targets is None else self._missing(targets)
            if not missing and with_batch and self.stack.run_began_at() < began_ms:
                missing = "a new run of batch"
            elapsed = time.monotonic() - began
            if not missing:
                return elapsed
            words = self.stack.last_words()
            assert self.stack.process.poll() is None, f"the stack ended: {words}"
            assert elapsed < within_s, f"not healed, missing: {missing}: {words}"
            time.sleep(_POLL_S)

    def _missing(self, targets: Mapping[int, int]) -> str:
        """Return what has not healed yet; empty if everything has."""
        children = self.stack.children()
        for name in ("broker", "serve", "streams", "batch"):
            if children.get(name, {}).get("state") != "running":
                return name
        done = self.stack.progress()
        for query in ("archive", "speed"):
            if any(done.get(query, {}).get(p, 0) < end for p, end in targets.items()):
                return f"{query} up to {targets}"
        if not self.stack.is_live():
            return "a complete answer"
        return ""

    def send(self, *values: bytes | None, key: bytes | None = None) -> int:
        """Send raw records, wait for Kafka's answers, and return how many it accepted."""
        taken: list[int] = []
        # A high client limit, so that Kafka and not the client refuses large records.
        large = {"message.max.bytes": 10_000_000}
        producer = Producer({"bootstrap.servers": self.bootstrap, "log_level": 0, **large})
        for value in values:
            producer.produce(
                SONG_PLAYS,
                value,
                key,
                on_delivery=lambda error, _: taken.append(1) if error is None else None,
            )
            producer.poll(0)
        producer.flush(60)
        self.others += len(taken)
        return len(taken)


def kill(process: psutil.Process) -> bool:
    """Kill a process; return whether it is gone."""
    os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def freeze(processes: list[psutil.Process]) -> bool:
    """Suspend processes with SIGSTOP; return whether all of them are stopped."""
    for process in processes:
        os.kill(process.pid, signal.SIGSTOP)
    deadline = time.monotonic() + 10
    while not all(_is_stopped(process) for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return bool(processes)


def thaw(processes: list[psutil.Process]) -> None:
    """Resume suspended processes that still exist."""
    for process in processes:
        try:
            process.send_signal(signal.SIGCONT)
        except psutil.NoSuchProcess:
            continue


def _is_stopped(process: psutil.Process) -> bool:
    try:
        return process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
