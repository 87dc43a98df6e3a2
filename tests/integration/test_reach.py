import os
from pathlib import Path

import psutil
import pytest

from crossfade.clock import format_time, now_ms
from crossfade.config import load_settings
from crossfade.errors import StackError
from crossfade.folder import DataFolder, StackAddresses, open_folder, write_stack
from crossfade.kafka.topics import SONG_PLAYS, partition_count
from crossfade.stack.broker import Broker
from crossfade.stack.hold import hold_folder
from crossfade.stack.kafka_for_command import reach_kafka

pytestmark = pytest.mark.kafka


def test_without_a_stack_a_broker_is_started_temporarily(tmp_path: Path) -> None:
    settings = load_settings(data=tmp_path / "data")
    folder = open_folder(settings)
    with reach_kafka(folder, settings) as address:
        assert partition_count(address, SONG_PLAYS) == 4
        with pytest.raises(StackError, match="is held by"), hold_folder(folder):
            pass
    ours = psutil.Process().children(recursive=True)
    assert not [p for p in ours if str(folder.root) in " ".join(p.cmdline())]
    assert (folder.logs / "broker.log").exists()


def test_a_kafka_that_is_set_is_used_and_gets_its_topics(
    broker: Broker, data_folder: DataFolder
) -> None:
    settings = load_settings(data=data_folder.root, bootstrap=broker.address.bootstrap)
    with reach_kafka(data_folder, settings) as address:
        assert address.bootstrap == broker.address.bootstrap
        assert partition_count(address, SONG_PLAYS) == 4
    assert not data_folder.kafka.exists()


def test_a_running_stacks_kafka_is_used(topics: Broker, data_folder: DataFolder) -> None:
    stack = StackAddresses(
        pid=os.getpid(),
        started_at=format_time(now_ms()),
        bootstrap=topics.address.bootstrap,
        api="http://127.0.0.1:1",
    )
    write_stack(data_folder, stack)
    with reach_kafka(data_folder, load_settings(data=data_folder.root)) as address:
        assert address.bootstrap == topics.address.bootstrap
