"""What tests share: one real broker and one real Spark session, started only if a test asks."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crossfade.config import load_settings
from crossfade.embedded.broker import Broker
from crossfade.folder import DataFolder, open_folder
from crossfade.kafka import create_topics

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def cache() -> Path:
    """Give the per-user cache of jars, as commands use it."""
    return load_settings().cache


@pytest.fixture(scope="session")
def broker(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Give a running broker on a free port; `.address` is a KafkaAddress."""
    with Broker(tmp_path_factory.mktemp("kafka"), cache=cache) as running:
        yield running


@pytest.fixture(scope="session")
def topics(broker: Broker) -> Broker:
    """Give the broker with both topics made. Tests share them: count from the offsets you find."""
    create_topics(broker.address, load_settings())
    return broker


@pytest.fixture
def empty_broker(cache: Path, tmp_path: Path) -> Iterator[Broker]:
    """Give a broker of this test alone: every record in it is the test's own."""
    with Broker(tmp_path / "kafka", cache=cache) as running:
        create_topics(running.address, load_settings())
        yield running


@pytest.fixture(scope="session")
def spark(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[SparkSession]":
    """Give the one Spark session of this test run."""
    from crossfade.processing.decode import WORKERS
    from crossfade.spark import build_session

    scratch = tmp_path_factory.mktemp("spark")
    session = build_session("tests", cache=cache, memory="2g", scratch=scratch, settings=WORKERS)
    yield session
    session.stop()


@pytest.fixture
def data_folder(tmp_path: Path) -> DataFolder:
    """Give a new data folder with the default settings."""
    return open_folder(load_settings(data=tmp_path / "data"))
