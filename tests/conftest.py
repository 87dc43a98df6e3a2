"""Fixtures that tests share: one real broker and one real Spark session, started on demand."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from crossfade.config import load_settings
from crossfade.folder import DataFolder, open_folder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import create_topics
from crossfade.stack.broker import Broker
from support.temporary_topics import temporary_topics

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


# The same examples each time, and no time limit on one: the machine may be busy.
settings.register_profile("crossfade", derandomize=True, deadline=None)
settings.load_profile("crossfade")

_FOLDERS = {
    "kafka": {"integration", "fault"},
    "spark": {"integration", "fault", "parity"},
    "stack": {"e2e"},
}
"""Folders in which tests of a mark may lie: `scripts/test` looks for them nowhere else."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test that no group of `scripts/test` would run."""
    for item in items:
        for mark, folders in _FOLDERS.items():
            if item.get_closest_marker(mark) and item.path.parent.name not in folders:
                what = f"{item.nodeid} is marked {mark}: such tests lie in {sorted(folders)}."
                raise pytest.UsageError(what)


@pytest.fixture(scope="session")
def cache() -> Path:
    """Return the per-user cache of jars that the commands use."""
    return load_settings().cache


@pytest.fixture(scope="session")
def broker(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Yield a running broker on a free port; `.address` is a KafkaAddress."""
    with Broker(tmp_path_factory.mktemp("kafka"), cache=cache) as running:
        yield running


@pytest.fixture(scope="session")
def topics(broker: Broker) -> Broker:
    """Create both topics on the broker. Tests share them: count from the offsets you find."""
    create_topics(broker.address, load_settings())
    return broker


@pytest.fixture(scope="session")
def spare_broker(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Yield a broker without topics, for tests that create them with `temporary_topics`."""
    with Broker(tmp_path_factory.mktemp("spare-kafka"), cache=cache) as running:
        yield running


@pytest.fixture
def empty_topics(spare_broker: Broker) -> Iterator[KafkaAddress]:
    """Yield the address of topics that only this test uses and that begin empty."""
    with temporary_topics(spare_broker) as address:
        yield address


@pytest.fixture(scope="session")
def spark(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[SparkSession]":
    """Yield the one Spark session of this test run."""
    from crossfade.processing.decode import WORKERS
    from crossfade.processing.spark import build_session

    scratch = tmp_path_factory.mktemp("spark")
    session = build_session("tests", cache=cache, memory="2g", scratch=scratch, settings=WORKERS)
    yield session
    session.stop()


@pytest.fixture
def data_folder(tmp_path: Path) -> DataFolder:
    """Return a new data folder with the default settings."""
    return open_folder(load_settings(data=tmp_path / "data"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder on a disk of 200 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200m", "none", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
