"""A listener is erased while they play: real broker, real archive, real speed layer."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from crossfade.config import Settings, load_settings
from crossfade.contract.decode import encode_play
from crossfade.erasure.erase import erase_listener
from crossfade.erasure.proof import NO_BYTES, NO_ROW, prove_erasure
from crossfade.erasure.suppression import add_listener
from crossfade.folder import DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import open_producer
from crossfade.kafka.topics import SONG_PLAYS, read_end_offsets
from crossfade.lake.connection import connect, register_table
from crossfade.lake.findings import Verdict
from crossfade.lake.runs import require_run
from crossfade.lake.tables import BRONZE_SONG_PLAYS, list_files
from crossfade.processing.batch.job import run_locked, run_once
from crossfade.processing.streams.archive import start_archive
from crossfade.proof.reconcile import prove_lake
from support.speed_runs import a_play, read_speed_output, running_speed, send

pytestmark = [pytest.mark.kafka, pytest.mark.spark]

GONE = "listener-to-be-erased"
SETTINGS = load_settings(archive_every="500ms")


@contextmanager
def playing(address: KafkaAddress) -> Iterator[None]:
    """Send plays of three listeners continuously, including the erased one."""
    stop = threading.Event()

    def play() -> None:
        producer = open_producer(address)
        number = 0
        while not stop.wait(0.02):
            user = GONE if number % 3 == 0 else f"user-{number % 3}"
            value = encode_play(a_play(number, user_id=user))
            producer.produce(SONG_PLAYS, value, user.encode())
            producer.poll(0)
            number += 1
        assert producer.flush(30) == 0

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def archive(
    spark: SparkSession, folder: DataFolder, settings: Settings, address: KafkaAddress
) -> StreamingQuery:
    return start_archive(spark.newSession(), folder, settings, address)


def positions(folder: DataFolder) -> list[tuple[int, int]]:
    connection = connect()
    register_table(connection, BRONZE_SONG_PLAYS, list_files(folder.lake, BRONZE_SONG_PLAYS))
    query = 'SELECT "partition", "offset" FROM bronze_song_plays ORDER BY ALL'
    return connection.execute(query).fetchall()


def test_a_listener_who_plays_on_is_erased_while_the_archive_writes(
    spark: SparkSession, data_folder: DataFolder, empty_topics: KafkaAddress
) -> None:
    send(empty_topics, *(a_play(1_000_000 + n, user_id=GONE) for n in range(50)))
    query = archive(spark, data_folder, SETTINGS, empty_topics)
    query.processAllAvailable()
    with playing(empty_topics):
        run_once(spark, data_folder, SETTINGS, empty_topics)
        assert not prove_erasure(data_folder, empty_topics, GONE, is_speed_renewed=True).holds
        erasure = erase_listener(
            data_folder,
            empty_topics,
            GONE,
            run_batch=partial(run_locked, spark, data_folder, SETTINGS, empty_topics),
        )
        assert erasure.records > 50
        assert query.isActive, query.exception()
    query.processAllAvailable()
    query.stop()
    while run_once(spark, data_folder, SETTINGS, empty_topics) is not None:
        pass

    ends = read_end_offsets(empty_topics, SONG_PLAYS)
    assert require_run(data_folder.lake).end_offsets == ends
    dense = [(p, offset) for p, end in sorted(ends.items()) for offset in range(end)]
    assert positions(data_folder) == dense
    proof = prove_lake(data_folder, empty_topics)
    assert proof.holds, proof.unexplained
    searched = prove_erasure(data_folder, empty_topics, GONE, is_speed_renewed=True)
    left = [one for one in searched.findings if one.verdict is Verdict.UNEXPLAINED]
    assert not left
    assert {NO_ROW, NO_BYTES} <= {one.check for one in searched.findings}
    assert searched.remains[0].place == "Kafka, song-plays"

    # The table still lists its micro-batches, so one that is run again is skipped.
    commits = data_folder.checkpoints / "archive" / "commits"
    newest = max(int(path.name) for path in commits.iterdir() if path.name.isdigit())
    (commits / str(newest)).unlink()
    (commits / f".{newest}.crc").unlink(missing_ok=True)
    send(empty_topics, a_play(2_000_000, user_id=GONE))
    again = archive(spark, data_folder, SETTINGS, empty_topics)
    again.processAllAvailable()
    again.stop()
    assert len(positions(data_folder)) == len(dense) + 1
    assert len(set(positions(data_folder))) == len(dense) + 1


def test_speed_counts_no_play_of_an_erased_listener(
    spark: SparkSession, data_folder: DataFolder, empty_topics: KafkaAddress
) -> None:
    add_listener(data_folder, GONE)
    theirs = [a_play(n, user_id=GONE, song_id="theirs") for n in range(10)]
    others = [a_play(100 + n, song_id="others") for n in range(5)]
    send(empty_topics, *theirs, *others, b"not json", b'{"user_id": "listener-to-be-erased"')
    with running_speed(spark, data_folder, empty_topics) as query:
        query.processAllAvailable()
    said = read_speed_output(empty_topics)
    assert {grain.song_id for _, grain in said.plays()} == {"others"}
    assert sum(said.plays().values()) == 5
    counted = {marker.batch: marker for marker in said.markers_of(0)}.values()
    sums = [
        sum(getattr(marker, name) for marker in counted)
        for name in ("accepted", "rejected", "late", "repeats")
    ]
    assert sums == [5, 1, 0, 0]
