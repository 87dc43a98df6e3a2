"""Plays sent in transactions: archived, counted and proven, even if markers end a partition."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource
from pyspark.sql import SparkSession

from crossfade.config import load_settings
from crossfade.contract.decode import encode_play
from crossfade.erasure.erase import erase_listener
from crossfade.errors import BrokerError, StackError, UnprovenError
from crossfade.folder import ARCHIVE, DataFolder, open_folder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import SONG_PLAYS, create_topics, read_end_offsets
from crossfade.lake.runs import Run, read_newest_run, require_run
from crossfade.processing.batch.job import run_locked, run_once
from crossfade.processing.streams import queries as queries_module
from crossfade.processing.streams.archive import start_archive
from crossfade.processing.streams.queries import Queries
from crossfade.processing.streams.watchdog import Stall
from crossfade.proof.kafka_copy import KEPT
from crossfade.proof.reconcile import prove_lake
from crossfade.stack.broker import Broker
from support.speed_runs import a_play, send
from support.temporary_topics import temporary_topics
from support.transactions import Transactions

pytestmark = [pytest.mark.kafka, pytest.mark.spark]

SETTINGS = load_settings(archive_every="0s")
LISTENER = "anna"


class Stage:
    """A data folder, a topic with one partition, and a producer of transactions."""

    def __init__(self, spark: SparkSession, folder: DataFolder, address: KafkaAddress) -> None:
        self.spark = spark
        self.folder = folder
        self.address = address
        self.transactions = Transactions(address)
        self._number = 0

    def send(self, plays: int, *, is_committed: bool) -> None:
        """Send plays of the listener in one transaction."""
        numbers = range(self._number, self._number + plays)
        self._number += plays
        values = [encode_play(a_play(number, user_id=LISTENER)) for number in numbers]
        send = self.transactions.commit if is_committed else self.transactions.abort
        send(*values, key=LISTENER)

    def archive(self) -> None:
        """Archive all that Kafka holds."""
        query = start_archive(self.spark.newSession(), self.folder, SETTINGS, self.address)
        try:
            query.processAllAvailable()
        finally:
            query.stop()

    def run(self, *, has_kafka: bool = True) -> Run:
        """Run batch, and return the newest run."""
        run_once(self.spark, self.folder, SETTINGS, self.address if has_kafka else None)
        return require_run(self.folder.lake)

    def covers_kafka(self) -> bool:
        return require_run(self.folder.lake).covers(read_end_offsets(self.address, SONG_PLAYS))

    def set_policy(self, policy: str) -> None:
        entry = ConfigEntry("cleanup.policy", policy, incremental_operation=AlterConfigOpType.SET)
        topic = ConfigResource("topic", SONG_PLAYS, incremental_configs=[entry])
        admin = AdminClient(self.address.client_config())
        for altered in admin.incremental_alter_configs([topic]).values():
            altered.result(20)


@pytest.fixture
def stage(spark: SparkSession, spare_broker: Broker, tmp_path: Path) -> Iterator[Stage]:
    with temporary_topics(spare_broker, partitions=1) as address:
        yield Stage(spark, open_folder(load_settings(data=tmp_path / "data")), address)


def test_a_run_ends_where_the_archive_had_read_though_a_marker_is_last(stage: Stage) -> None:
    stage.send(3, is_committed=True)
    stage.send(2, is_committed=False)
    stage.send(4, is_committed=True)
    stage.archive()
    first = stage.run()
    assert (first.counts.accepted, first.end_offsets) == (7, {0: 12})
    assert stage.covers_kafka()
    stage.send(5, is_committed=False)
    assert not stage.covers_kafka()
    stage.archive()
    second = stage.run()
    assert (second.counts.bronze_rows, second.end_offsets) == (0, {0: 18})
    assert second.gaps == [{"partition": 0, "begin_offset": 12, "end_offset": 18}]
    assert stage.covers_kafka()
    proof = prove_lake(stage.folder, stage.address)
    assert proof.holds, proof.unexplained


def test_an_erasure_does_not_wait_for_a_record_after_the_last_marker(stage: Stage) -> None:
    stage.send(3, is_committed=True)
    stage.send(2, is_committed=False)
    stage.archive()
    run_batch = partial(run_locked, stage.spark, stage.folder, SETTINGS, stage.address)
    erasure = erase_listener(stage.folder, stage.address, LISTENER, run_batch=run_batch)
    assert erasure.records == 3
    assert stage.covers_kafka()


def test_without_kafka_a_run_ends_at_its_last_record_and_the_next_one_catches_up(
    stage: Stage,
) -> None:
    stage.send(3, is_committed=True)
    stage.archive()
    run = stage.run(has_kafka=False)
    assert (run.counts.accepted, run.end_offsets, run.gaps) == (3, {0: 3}, [])
    stage.run()
    assert stage.covers_kafka()


def test_a_hole_in_a_topic_that_became_compacted_is_never_published(stage: Stage) -> None:
    stage.send(2, is_committed=True)
    stage.archive()
    stage.run()
    stage.send(2, is_committed=False)
    stage.archive()
    stage.set_policy("compact")
    with pytest.raises(UnprovenError, match=r"cleanup\.policy=compact"):
        stage.run()
    newest = read_newest_run(stage.folder.lake)
    assert newest is not None
    assert newest.end_offsets == {0: 3}
    unexplained = prove_lake(stage.folder, stage.address).unexplained
    assert [finding.check for finding in unexplained] == [KEPT]


def test_reading_all_ends_once_the_markers_are_read_and_reports_a_stall(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries_module, "_ASK_EVERY_S", 0.0)
    stage.send(2, is_committed=False)
    # One micro-batch, and no second one that would race with the stall.
    settings = load_settings(archive_every="1h")
    queries = Queries(stage.spark, stage.folder, settings, stage.address)
    reports: list[str] = []
    try:
        queries.start(ARCHIVE)
        queries.read_all(ARCHIVE, [], reports.append)
        stage.send(4, is_committed=True)
        stalls = [Stall(ARCHIVE, 1, 31.0)]
        with pytest.raises(StackError, match=r"archive has committed nothing for 31 s: [0-9]+ rec"):
            queries.read_all(ARCHIVE, stalls, reports.append)
    finally:
        queries.stop()
    assert reports[0] == "Archiving: up to 3 records left …"


def test_reading_all_ends_when_kafka_goes_away(
    spark: SparkSession,
    cache: Path,
    data_folder: DataFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queries_module, "_ASK_EVERY_S", 0.0)
    monkeypatch.setattr(queries_module, "BROKER_WITHIN_S", 0.0)
    settings = load_settings(archive_every="1h")
    with Broker(tmp_path / "kafka", cache=cache) as broker:
        create_topics(broker.address, SETTINGS)
        queries = Queries(spark, data_folder, settings, broker.address)
        queries.start(ARCHIVE)
        queries.read_all(ARCHIVE, [], lambda _: None)
        send(broker.address, a_play(1))

        def end_kafka(_: str) -> None:
            broker.stop()

        with pytest.raises(BrokerError, match=f"Kafka at {broker.address.bootstrap} does not"):
            queries.read_all(ARCHIVE, [], end_kafka)
        queries.stop()
