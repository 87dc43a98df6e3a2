"""A running stack with an audience, as a live case sees it: what to hurt, and when it is healed."""

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
"""So long a stop may last without a person."""

_GIVE_UP_AFTER_S = 240.0
_POLL_S = 0.25
_ASK_KAFKA_S = 5.0


@dataclass(slots=True)
class LiveBench:
    """A stack under an audience, and the rng of this run."""

    stack: RunningStack
    rng: random.Random
    scratch: Path
    audience: "subprocess.Popen[bytes] | None" = None
    others: int = 0
    """Records that cases sent beside the audience."""

    @property
    def bootstrap(self) -> str:
        """Return Kafka's address."""
        return self.stack.bootstrap

    def leader(self, child: str) -> psutil.Process:
        """Wait for a child that runs, and give its first process."""
        self.stack.wait_for(f"a running {child}", lambda: self.stack.pid_of(child))
        pid = self.stack.pid_of(child)
        assert pid is not None
        return psutil.Process(pid)

    def end_offsets(self) -> dict[int, int] | None:
        """Ask Kafka where `song-plays` ends; nothing while it is away."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        try:
            topic = admin.list_topics(SONG_PLAYS, timeout=_ASK_KAFKA_S).topics[SONG_PLAYS]
            asked = {TopicPartition(SONG_PLAYS, p): OffsetSpec.latest() for p in topic.partitions}
            found = admin.list_offsets(asked, request_timeout=_ASK_KAFKA_S)
            return {place.partition: one.result().offset for place, one in found.items()}
        except KafkaException:
            return None

    def newest_run(self) -> dict[str, Any]:
        """Ask the API for the newest published run; nothing while it is away."""
        return dict(self.stack.ask("status").get("batch") or {})

    def await_healed(
        self, began: float, *, with_batch: bool = False, within_s: float = _GIVE_UP_AFTER_S
    ) -> float:
        """Wait until all goes on as before a fault that began at a moment; give the seconds.

        All children run; archive and speed have read what Kafka held at a moment after the fault;
        the answer about the present is complete. Where batch was hurt, it is at a run that began
        after the fault; whether it is published is another question (`Publications`).

        Raises:
            AssertionError: it does not heal at all.
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
            assert elapsed < within_s, f"{missing} is not back: {words}"
            time.sleep(_POLL_S)

    def _missing(self, targets: Mapping[int, int]) -> str:
        """Name what is not back yet; empty when all is."""
        children = self.stack.children()
        for name in ("broker", "serve", "streams", "batch"):
            if children.get(name, {}).get("state") != "running":
                return name
        done = self.stack.progress()
        for query in ("archive", "speed"):
            if any(done.get(query, {}).get(p, 0) < end for p, end in targets.items()):
                return f"{query} up to {targets}"
        if not self.stack.ask("trending").get("complete"):
            return "a complete answer"
        return ""

    def send(self, *values: bytes | None, key: bytes | None = None) -> int:
        """Send raw records, wait until Kafka has them, and count those."""
        taken: list[int] = []
        # The door, and not the client, is to say what is too large.
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
    """End a process at once, and tell whether it is gone."""
    os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def freeze(processes: list[psutil.Process]) -> bool:
    """Stop processes as SIGSTOP does, and tell whether all of them stand still."""
    for process in processes:
        os.kill(process.pid, signal.SIGSTOP)
    deadline = time.monotonic() + 10
    while not all(_stands_still(process) for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return bool(processes)


def thaw(processes: list[psutil.Process]) -> None:
    """Let processes that stand still go on, if they are still there."""
    for process in processes:
        try:
            process.send_signal(signal.SIGCONT)
        except psutil.NoSuchProcess:
            continue


def _stands_still(process: psutil.Process) -> bool:
    try:
        return process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
