import os
import signal
import time
from pathlib import Path

import pytest

from crossfade.config import load_settings
from crossfade.kafka.clients import open_producer
from crossfade.kafka.topics import SONG_PLAYS, create_topics, read_end_offsets
from crossfade.stack.broker import Broker
from crossfade.stack.stop_request import StopRequest
from crossfade.stack.supervisor import Backoff, Supervisor

pytestmark = [pytest.mark.fault, pytest.mark.kafka]


def test_a_killed_broker_is_restarted_on_its_port_and_senders_continue(
    cache: Path, tmp_path: Path
) -> None:
    broker = Broker(tmp_path / "kafka", cache=cache, log=tmp_path / "broker.log")
    request = StopRequest()
    supervisor = Supervisor(
        [broker.prepare()],
        logs=tmp_path,
        state_file=tmp_path / "children.json",
        backoff=Backoff(first_s=0.1),
    )
    try:
        supervisor.start(request)
        create_topics(broker.address, load_settings())
        producer = open_producer(broker.address, log_level=0)
        [before] = supervisor.state()
        for number in range(1_000):
            producer.produce(SONG_PLAYS, str(number).encode(), partition=0)
            if number == 500:
                assert before.pid is not None
                os.kill(before.pid, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while producer.flush(0.2) and time.monotonic() < deadline:
            supervisor.watch()
        assert read_end_offsets(broker.address, SONG_PLAYS)[0] == 1_000
        [after] = supervisor.state()
        assert after.restarts == 1
    finally:
        supervisor.stop(request)
