"""The archive on a real broker: every record once, byte for byte, despite restarts and crashes."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME
from confluent_kafka.admin import AdminClient
from pyspark.sql import SparkSession

from crossfade.config import Settings, load_settings
from crossfade.errors import LakeError
from crossfade.folder import DataFolder, open_folder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import open_producer
from crossfade.kafka.read_topic import read_topic
from crossfade.kafka.topics import (
    LOG_APPEND_TIME,
    SONG_PLAYS,
    create_topics,
    read_end_offsets,
    topic_id,
)
from crossfade.lake.binding import read_archive_binding
from crossfade.lake.checkpoint import read_query_id
from crossfade.lake.connection import connect, register_table
from crossfade.lake.tables import BRONZE_SONG_PLAYS, list_files, table_path
from crossfade.processing.streams.archive import start_archive
from crossfade.processing.streams.classic import start_classic
from crossfade.proof.classic_lake import list_classic_files
from crossfade.stack.broker import Broker
from support.temporary_topics import temporary_topics

pytestmark = [pytest.mark.kafka, pytest.mark.spark]

Record = tuple[Any, ...]

HEADERS = [("source", b"test"), ("source", b"again"), ("empty", b""), ("none", None)]
LARGE = bytes(range(256)) * 8192


@dataclass(frozen=True)
class Stage:
    """This module's broker, a data folder on it, and the Spark session that the tests share."""

    address: KafkaAddress
    folder: DataFolder
    settings: Settings
    spark: SparkSession

    def send(self, *values: bytes | None, **named: Any) -> None:
        producer = open_producer(self.address)
        for value in values:
            producer.produce(SONG_PLAYS, value, **named)
        assert producer.flush(30) == 0

    def archive(self) -> None:
        """Start the archive, wait until it has read all of Kafka, and stop it."""
        session = self.spark.newSession()
        query = start_archive(session, self.folder, self.settings, self.address)
        query.processAllAvailable()
        query.stop()

    def archive_classic(self) -> None:
        session = self.spark.newSession()
        query = start_classic(session, self.folder, self.settings, self.address)
        query.processAllAvailable()
        query.stop()

    def forget_newest_commit(self, query: str = "archive") -> None:
        """Remove the newest commit, as a crash before the micro-batch's commit does."""
        commits = self.folder.checkpoints / query / "commits"
        newest = max(int(path.name) for path in commits.iterdir() if path.name.isdigit())
        (commits / str(newest)).unlink()
        (commits / f".{newest}.crc").unlink()

    def in_kafka(self) -> list[Record]:
        ends = read_end_offsets(self.address, SONG_PLAYS)
        records = read_topic(self.address, SONG_PLAYS, begins=dict.fromkeys(ends, 0), ends=ends)
        return sorted(
            (
                one.partition(),
                one.offset(),
                one.timestamp()[1],
                LOG_APPEND_TIME,
                one.key(),
                one.value(),
                one.headers() or [],
            )
            for one in records
            if one.timestamp()[0] == TIMESTAMP_LOG_APPEND_TIME
        )

    def in_bronze(self) -> list[Record]:
        return read_lake(list_files(self.folder.lake, BRONZE_SONG_PLAYS))

    def in_classic(self) -> list[Record]:
        return read_lake(list_classic_files(self.folder.lake))


def read_lake(files: list[str]) -> list[Record]:
    """Read records from bronze's columns, in the form of `Stage.in_kafka`."""
    connection = connect()
    register_table(connection, BRONZE_SONG_PLAYS, files, view="records")
    rows = connection.execute(
        'SELECT "partition", "offset", epoch_ms(log_time), timestamp_type, "key", value, headers '
        "FROM records"
    ).fetchall()
    return sorted(
        (*row[:6], [(header["key"], header["value"]) for header in row[6] or []]) for row in rows
    )


@pytest.fixture(scope="module")
def kafka(spare_broker: Broker) -> Iterator[KafkaAddress]:
    with temporary_topics(spare_broker) as address:
        yield address


@pytest.fixture
def stage(kafka: KafkaAddress, spark: SparkSession, tmp_path: Path) -> Stage:
    settings = load_settings(data=tmp_path / "data", archive_every="0s")
    return Stage(kafka, open_folder(settings), settings, spark)


def test_an_archive_that_has_read_nothing_yet_restarts(stage: Stage) -> None:
    for _ in range(2):
        stage.archive()
        stage.archive_classic()
    stage.send(b"at last")

    stage.archive()
    stage.archive_classic()

    assert stage.in_bronze() == stage.in_classic() == stage.in_kafka()


def test_every_record_is_archived_byte_for_byte(stage: Stage) -> None:
    stage.send(b'{"event_id":"a"}', b"\x00\xff no JSON", b"", LARGE, key="listener", partition=1)
    stage.send(None, key=b"\xfe\xed")
    stage.send(b"with headers", headers=HEADERS)

    stage.archive()

    assert stage.in_bronze() == stage.in_kafka()
    assert any(record[-1] == HEADERS for record in stage.in_bronze())


def test_each_record_is_in_the_folder_of_its_log_time(stage: Stage) -> None:
    stage.send(b"when")

    stage.archive()

    for path in list_files(stage.folder.lake, BRONZE_SONG_PLAYS):
        date, hour = Path(path).parts[-3:-1]
        for record in read_lake([path]):
            log_time = datetime.fromtimestamp(record[2] / 1000, UTC)
            assert f"{date}/{hour}" == f"{log_time:date=%Y-%m-%d/hour=%H}"


def test_records_are_archived_once_over_a_restart_and_a_lost_commit(stage: Stage) -> None:
    stage.send(b"before")
    stage.archive()
    stage.send(b"between", b"between too")
    stage.archive()
    stage.forget_newest_commit()
    stage.send(b"after")

    stage.archive()

    assert stage.in_bronze() == stage.in_kafka()


def test_the_first_start_notes_its_first_offsets(stage: Stage) -> None:
    stage.archive()

    bound = read_archive_binding(stage.folder)
    assert bound is not None
    assert bound.first_offsets == dict.fromkeys(range(4), 0)
    assert bound.topic_id == topic_id(stage.address, SONG_PLAYS)


def test_an_archive_whose_checkpoint_and_table_do_not_belong_together_does_not_start(
    stage: Stage,
) -> None:
    checkpoint = stage.folder.checkpoints / "archive"
    stage.send(b"one")
    stage.archive()
    backup = shutil.copytree(checkpoint, stage.folder.root / "backup")
    query_id = read_query_id(checkpoint)
    stage.send(b"two")
    stage.archive()
    stage.send(b"three")
    stage.archive()
    shutil.rmtree(checkpoint)

    with pytest.raises(LakeError, match=r"checkpoint .* is gone, but its table has records"):
        stage.archive()

    shutil.copytree(backup, checkpoint)
    assert read_query_id(checkpoint) == query_id
    with pytest.raises(LakeError, match=r"holds micro-batch 2, but its checkpoint .* is at 0 to 0"):
        stage.archive()

    shutil.rmtree(table_path(stage.folder.lake, BRONZE_SONG_PLAYS))
    with pytest.raises(LakeError, match="not the one that its checkpoint belongs to"):
        stage.archive()


def test_the_classic_lake_holds_the_same_records_for_readers_of_its_log(stage: Stage) -> None:
    stage.send(b"before", None)
    stage.archive_classic()
    stage.send(b"between", headers=HEADERS)
    stage.archive_classic()
    stage.forget_newest_commit("classic")

    stage.archive_classic()

    assert stage.in_classic() == stage.in_kafka()
    rows = stage.spark.read.parquet(str(stage.folder.lake / "song_plays"))
    assert rows.count() == len(stage.in_kafka())


def test_a_topic_created_again_is_not_archived_onto_the_old_one(stage: Stage) -> None:
    stage.send(b"old")
    stage.archive()
    stage.archive_classic()
    admin = AdminClient(stage.address.client_config())
    admin.delete_topics([SONG_PLAYS])[SONG_PLAYS].result(30)
    create_topics(stage.address, stage.settings)
    stage.send(b"new")

    with pytest.raises(LakeError, match="deleted and created again"):
        stage.archive()
    with pytest.raises(LakeError, match="deleted and created again"):
        stage.archive_classic()
