"""Backups taken while records arrive: a restore answers the same, and continues without loss."""

import random
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource
from pyspark.sql import SparkSession

from crossfade.backup.take import take_backup
from crossfade.config import Settings, load_settings
from crossfade.contract.decode import encode_play
from crossfade.errors import LakeError
from crossfade.folder import DataFolder, open_folder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import open_producer
from crossfade.kafka.read_topic import read_topic
from crossfade.kafka.topics import (
    PLAYS_BY_WINDOW,
    SONG_PLAYS,
    create_topics,
    read_end_offsets,
    topic_id,
)
from crossfade.lake.checkpoint import newest_committed
from crossfade.lake.connection import connect, register_table
from crossfade.lake.runs import require_run
from crossfade.lake.tables import BRONZE_SONG_PLAYS, list_files
from crossfade.processing.batch.job import run_once
from crossfade.processing.streams.archive import start_archive
from crossfade.proof.reconcile import prove_lake
from crossfade.stack.broker import Broker
from support.backups import back_up, read_table, restore
from support.speed_runs import a_play, wait_until
from support.temporary_topics import temporary_topics

pytestmark = pytest.mark.kafka

Position = tuple[int, int]

_MEGABYTE = 1 << 20
_QUICK = {"grain": "10s", "late_after": "10s", "archive_every": "1s"}


class Sender:
    """Sends records until its block ends, and notes which ones Kafka has acknowledged."""

    def __init__(
        self, address: KafkaAddress, topic: str = SONG_PLAYS, *, filling: int = 0, burst: int = 10
    ) -> None:
        """Set the topic, the padding of each record in bytes, and the records per 10 ms."""
        self.acknowledged: dict[Position, bytes] = {}
        self._topic = topic
        self._chance = random.Random(5)
        self._filling = filling
        self._burst = burst
        self._address = address
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._sent = 0

    def __enter__(self) -> "Sender":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def more(self, count: int) -> Callable[[], bool]:
        """Return a condition: that some more records than now are acknowledged."""
        wanted = len(self.acknowledged) + count
        return lambda: len(self.acknowledged) >= wanted

    def _send(self) -> None:
        producer = open_producer(self._address)
        while not self._stop.wait(0.01):
            for _ in range(self._burst):
                self._send_one(producer)
            producer.poll(0)
        assert producer.flush(30) == 0

    def _send_one(self, producer: Producer) -> None:
        self._sent += 1
        play = a_play(self._sent, user_id=f"user-{self._chance.randrange(50)}")
        value = encode_play(play) + self._chance.randbytes(self._filling)
        producer.produce(self._topic, value, play.user_id, on_delivery=self._note)

    def _note(self, error: KafkaError | None, message: Message) -> None:
        assert error is None
        self.acknowledged[message.partition(), message.offset()] = message.value()


@contextmanager
def archiving(
    spark: SparkSession, folder: DataFolder, settings: Settings, address: KafkaAddress
) -> Iterator[None]:
    """Run the archive until the block ends, then until it has read all of Kafka."""
    query = start_archive(spark.newSession(), folder, settings, address)
    try:
        yield
        query.processAllAvailable()
    finally:
        query.stop()


def in_kafka(address: KafkaAddress, topic: str = SONG_PLAYS) -> dict[Position, bytes]:
    """Read all records of a topic with a Kafka client, independently of the archive."""
    ends = read_end_offsets(address, topic)
    records = read_topic(address, topic, begins=dict.fromkeys(ends, 0), ends=ends)
    return {(one.partition(), one.offset()): one.value() for one in records}


def in_bronze(folder: DataFolder) -> list[tuple[Position, bytes]]:
    connection = connect()
    register_table(connection, BRONZE_SONG_PLAYS, list_files(folder.lake, BRONZE_SONG_PLAYS))
    query = 'SELECT "partition", "offset", value FROM bronze_song_plays ORDER BY 1, 2'
    rows = connection.execute(query).fetchall()
    return [((partition, offset), value) for partition, offset, value in rows]


def pinned_rows(folder: DataFolder) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of every table at the newest run's pins, which all answers use."""
    pins = require_run(folder.lake).pins
    return {name: read_table(folder.lake, name, pin) for name, pin in pins.items()}


@pytest.mark.spark
def test_a_restore_answers_as_before_and_goes_on_with_the_same_kafka(
    spare_broker: Broker, spark: SparkSession, tmp_path: Path
) -> None:
    settings = load_settings(data=tmp_path / "data", **_QUICK)
    folder = open_folder(settings)
    archived = folder.checkpoints / "archive"
    with temporary_topics(spare_broker) as address:
        with archiving(spark, folder, settings, address), Sender(address) as sender:
            wait_until(sender.more(2_000))
            wait_until(lambda: run_once(spark, folder, settings, address) is not None)
            earlier = back_up(folder, tmp_path / "earlier")
            wait_until(lambda: newest_committed(archived) > earlier.micro_batch + 1)
            batch = threading.Thread(target=run_once, args=(spark, folder, settings, address))
            batch.start()
            manifest = back_up(folder, tmp_path / "backup")
            batch.join()
            wait_until(sender.more(2_000))
        assert not manifest.has_kafka

        new = restore(tmp_path / "backup", tmp_path / "new")
        assert require_run(new.lake).run == manifest.run
        pins = {name: manifest.tables[name] for name in require_run(new.lake).pins}
        pins[BRONZE_SONG_PLAYS.name] = require_run(new.lake).pins[BRONZE_SONG_PLAYS.name]
        as_backed_up = {name: read_table(folder.lake, name, pin) for name, pin in pins.items()}
        assert pinned_rows(new) == as_backed_up
        assert any(as_backed_up[name] for name in ("silver/plays", "gold/song"))
        proof = prove_lake(new, address)
        assert proof.holds, proof.unexplained
        assert len(in_bronze(new)) == manifest.records < len(in_kafka(address))

        with archiving(spark, new, settings, address), Sender(address) as sender:
            wait_until(sender.more(500))
        assert in_bronze(new) == sorted(in_kafka(address).items())
        assert run_once(spark, new, settings, address) is not None
        proof = prove_lake(new, address)
        assert proof.holds, proof.unexplained

        _expect_a_checkpoint_of_another_time_to_be_refused(spark, settings, address, tmp_path)


def _expect_a_checkpoint_of_another_time_to_be_refused(
    spark: SparkSession, settings: Settings, address: KafkaAddress, root: Path
) -> None:
    for name, other in (("older", "earlier"), ("newer", "new")):
        torn = restore(root / ("backup" if name == "older" else "earlier"), root / name)
        source = root / other / "datalake" / "_checkpoint" / "archive"
        shutil.rmtree(torn.checkpoints / "archive")
        shutil.copytree(source, torn.checkpoints / "archive")
        with pytest.raises(LakeError, match=r"holds micro-batch \d+, but its checkpoint"):
            start_archive(spark.newSession(), torn, settings, address)


@pytest.mark.spark
def test_a_restored_broker_holds_what_was_acknowledged_and_the_archive_goes_on_with_it(
    cache: Path, spark: SparkSession, tmp_path: Path
) -> None:
    settings = load_settings(data=tmp_path / "data", **_QUICK)
    folder = open_folder(settings)
    with Broker(folder.kafka, cache=cache) as broker:
        address = broker.address
        create_topics(address, settings)
        _roll_often(address)
        known = topic_id(address, SONG_PLAYS)
        many = {"filling": 1_000, "burst": 100}
        with (
            archiving(spark, folder, settings, address),
            Sender(address, **many) as sender,
            Sender(address, PLAYS_BY_WINDOW, **many) as windows,
        ):
            wait_until(sender.more(5_000))
            before = dict(sender.acknowledged), dict(windows.acknowledged)

            def let_more_arrive(_piece: int, _whole: int) -> None:
                if len(sender.acknowledged) < len(before[0]) + 30_000:
                    wait_until(sender.more(200))

            manifest = take_backup(folder, tmp_path / "backup", let_more_arrive)
        after = in_kafka(address), in_kafka(address, PLAYS_BY_WINDOW)
    assert manifest.has_kafka
    assert manifest.topic_id == known
    assert len(list(tmp_path.glob("backup/kafka/data/song-plays-*/*.log"))) > 10

    new = restore(tmp_path / "backup", tmp_path / "new")
    with Broker(new.kafka, cache=cache) as restored:
        address = restored.address
        held = in_kafka(address)
        assert topic_id(address, SONG_PLAYS) == known
        assert before[0].items() <= held.items() <= after[0].items()
        assert len(before[0]) < len(held) < len(after[0])
        ends = read_end_offsets(address, SONG_PLAYS)
        assert all(manifest.end_offsets[p] <= ends[p] for p in ends)
        _expect_windows(address, acknowledged=before[1], after=after[1])
        with archiving(spark, new, settings, address), Sender(address) as sender:
            wait_until(sender.more(500))
        assert in_bronze(new) == sorted(in_kafka(address).items())
        assert held.items() | sender.acknowledged.items() == in_kafka(address).items()


def _expect_windows(
    address: KafkaAddress, *, acknowledged: dict[Position, bytes], after: dict[Position, bytes]
) -> None:
    """Check that a compacted topic has the same records at the same offsets, and the same end."""
    held = in_kafka(address, PLAYS_BY_WINDOW)
    ends = read_end_offsets(address, PLAYS_BY_WINDOW)
    assert held
    assert all(offset < ends[partition] for partition, offset in acknowledged)
    assert all(after.get(position, value) == value for position, value in held.items())


def _roll_often(address: KafkaAddress) -> None:
    admin = AdminClient(address.client_config())
    wanted = {SONG_PLAYS: {}, PLAYS_BY_WINDOW: {"min.cleanable.dirty.ratio": "0.01"}}
    resources = [
        ConfigResource(
            ConfigResource.Type.TOPIC,
            topic,
            incremental_configs=[
                ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
                for name, value in ({"segment.bytes": str(_MEGABYTE)} | more).items()
            ],
        )
        for topic, more in wanted.items()
    ]
    for outcome in admin.incremental_alter_configs(resources).values():
        outcome.result(30)
