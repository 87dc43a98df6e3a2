"""Recorded class data: the next start uses it, and ignores it if it does not fit."""

import sys
from pathlib import Path

import psutil
import pytest

from crossfade.errors import MachineError
from crossfade.stack.broker import Broker
from crossfade.stack.class_data import class_data_options, is_recorded, record_classes


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a separate Python environment in which this test stores recorded classes."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    return tmp_path / "class-data"


def mapped_files(broker: Broker) -> set[str]:
    return {found.path for found in psutil.Process(broker.pid).memory_maps()}


@pytest.mark.kafka
def test_the_next_broker_uses_the_recorded_classes_and_starts_without_good_ones(
    cache: Path, tmp_path: Path, environment: Path
) -> None:
    with record_classes(cache, ["broker"]), Broker(tmp_path / "kafka", cache=cache):
        pass
    [recorded] = environment.iterdir()
    with Broker(tmp_path / "kafka", cache=cache) as broker:
        assert str(recorded) in mapped_files(broker)
    recorded.chmod(0o600)
    recorded.write_bytes(recorded.read_bytes()[:100_000])
    with Broker(tmp_path / "kafka", cache=cache) as broker:
        assert str(recorded) not in mapped_files(broker)


def test_a_failed_recording_leaves_no_files(cache: Path, environment: Path) -> None:
    with pytest.raises(ZeroDivisionError), record_classes(cache):
        raise ZeroDivisionError
    assert list(environment.iterdir()) == []
    assert not is_recorded(cache)
    assert class_data_options("broker", cache) == []


def test_a_java_that_wrote_nothing_is_named(cache: Path, environment: Path) -> None:
    with pytest.raises(MachineError, match="recorded no classes"), record_classes(cache):
        pass
    assert list(environment.iterdir()) == []


def test_classes_of_other_jars_are_not_used(
    cache: Path, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with record_classes(cache, ["broker"]):
        [option, *_] = class_data_options("broker", cache)
        Path(option.partition("=")[2]).write_bytes(b"classes")
    assert class_data_options("broker", cache) != []
    monkeypatch.setattr("crossfade.stack.class_data.class_path", lambda *_: [])
    assert class_data_options("broker", cache) == []
    assert len(list(environment.iterdir())) == 1
