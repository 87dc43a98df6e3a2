"""Kafka's door for plays is closed while the disk is nearly full; the other clients continue."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Message

from crossfade.config import load_settings
from crossfade.folder import DataFolder, open_folder
from crossfade.kafka.clients import open_producer, read_record
from crossfade.kafka.topics import PLAYS_BY_WINDOW, SONG_PLAYS, create_topics, read_end_offsets
from crossfade.stack.broker import Broker
from crossfade.stack.disk_guard import DiskGuard, read_door
from crossfade.stack.stop_request import StopRequest
from crossfade.stack.supervisor import Supervisor

pytestmark = [pytest.mark.fault, pytest.mark.kafka]

_LEAST = 100_000_000
_WITHIN_S = 60.0


class Stack:
    """A supervised broker with its guard."""

    def __init__(self, folder: DataFolder, cache: Path) -> None:
        self.folder = folder
        self.broker = Broker(
            folder.kafka, cache=cache, log=folder.logs / "broker.log", least_free=_LEAST
        )
        logs, state = folder.logs, folder.run / "children.json"
        self.supervisor = Supervisor([self.broker.prepare()], logs=logs, state_file=state)
        self.guard = DiskGuard(folder, [folder.kafka, folder.lake], _LEAST, self._set_door)

    def wait_for_door(self, *, is_open: bool) -> None:
        """Wait until the guard has set the door's state, and the broker was restarted."""
        [before] = self.supervisor.state()
        deadline = time.monotonic() + _WITHIN_S
        while True:
            door = read_door(self.folder)
            [now] = self.supervisor.state()
            is_back = now.pid != before.pid and now.state == "running"
            if is_back and door and door.is_open == is_open:
                return
            assert time.monotonic() < deadline, (door, now)
            self.supervisor.watch()
            threading.Event().wait(0.05)

    def _set_door(self, is_open: bool) -> None:
        self.broker.set_door(is_open=is_open)
        self.supervisor.request_restart("broker")


@contextlib.contextmanager
def a_stack(folder: DataFolder, cache: Path) -> Iterator[Stack]:
    stack = Stack(folder, cache)
    request = StopRequest()
    try:
        stack.supervisor.start(request)
        create_topics(stack.broker.inside, load_settings())
        stack.guard.start()
        yield stack
    finally:
        stack.guard.end()
        stack.supervisor.stop(request)


def test_plays_wait_at_their_producers_while_the_disk_is_nearly_full_and_none_is_lost(
    small_disk: Path, cache: Path
) -> None:
    folder = open_folder(load_settings(data=small_disk / "data"))
    outcomes: list[str] = []

    def note(error: KafkaError | None, _: Message) -> None:
        outcomes.append(str(error))

    with a_stack(folder, cache) as stack:
        outside, inside = stack.broker.address, stack.broker.inside
        producer = open_producer(outside, **{"message.timeout.ms": 120_000, "log_level": 0})
        producer.produce(SONG_PLAYS, b"before", partition=0, callback=note)
        assert producer.flush(20) == 0

        (small_disk / "ballast").write_bytes(bytes(110_000_000))
        stack.wait_for_door(is_open=False)
        producer.produce(SONG_PLAYS, b"waits", partition=0, callback=note)
        assert producer.flush(3) == 1
        assert read_end_offsets(inside, SONG_PLAYS)[0] == 1
        held = read_record(inside, SONG_PLAYS, 0, 0)
        assert held is not None
        assert held.value() == b"before"
        speed = open_producer(inside, log_level=0)
        speed.produce(PLAYS_BY_WINDOW, b"{}", b"{}", 0)
        assert speed.flush(20) == 0

        (small_disk / "ballast").unlink()
        stack.wait_for_door(is_open=True)
        assert producer.flush(60) == 0
        assert outcomes == ["None", "None"]
        assert read_end_offsets(outside, SONG_PLAYS)[0] == 2
