"""Speed starts a new generation while all runs: on request, or after a damaged checkpoint."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from crossfade.cli.handovers import record_handovers
from crossfade.config import load_settings
from crossfade.errors import BrokerError, DamagedError
from crossfade.folder import ARCHIVE, SPEED, DataFolder, open_folder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import SONG_PLAYS, read_end_offsets
from crossfade.lake.binding import SpeedBinding
from crossfade.lake.checkpoint import newest_committed, read_committed
from crossfade.lake.handovers import read_handovers
from crossfade.lake.runs import require_run
from crossfade.processing.batch.job import run_once
from crossfade.processing.speed import renewal
from crossfade.processing.streams.queries import Queries
from crossfade.serving.answers import answer_trending
from crossfade.serving.service import Service
from crossfade.stack.request_files import SPEED_RENEWAL_REQUEST
from support.speed_runs import a_play, read_speed_output, send

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.kafka, pytest.mark.spark, pytest.mark.fault]

_SETTINGS = load_settings(archive_every="0s")
_WITHIN_S = 60.0


@contextmanager
def running(
    spark: "SparkSession", folder: DataFolder, address: KafkaAddress, *names: str
) -> Iterator[Queries]:
    """Run the queries of one driver, which the test supervises."""
    driver = Queries(spark, folder, _SETTINGS, address)
    try:
        for name in names:
            driver.start(name)
        yield driver
    finally:
        driver.stop()


def look_until(driver: Queries, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + _WITHIN_S
    while not condition():
        driver.check_once()
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)


def read_all(driver: Queries, folder: DataFolder, address: KafkaAddress, *names: str) -> None:
    """Supervise the driver until its queries have read all of Kafka."""
    ends = read_end_offsets(address, SONG_PLAYS)
    look_until(
        driver,
        lambda: all(read_committed(folder.checkpoints / n).end_offsets == ends for n in names),
    )


def generation_of(folder: DataFolder) -> str:
    content = (folder.checkpoints / "speed.binding.json").read_bytes()
    return msgspec.json.decode(content, type=SpeedBinding).generation


def test_a_renewal_in_the_middle_leaves_every_window_explained_and_answers_complete(
    spark: "SparkSession",
    tmp_path: Path,
    empty_topics: KafkaAddress,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As after minutes: no play is ahead of its log time, so no earlier records are needed.
    monkeypatch.setattr(renewal, "FUTURE_MS", 0)
    quick: dict[str, str] = {"grain": "1s", "late_after": "5s", "clock_slack": "1s"}
    folder = open_folder(load_settings(data=tmp_path / "data", **quick))
    queries = (SPEED, ARCHIVE)
    number = iter(range(10_000))
    played: list[int] = []

    def play_on(driver: Queries) -> None:
        """Send plays, wait until both queries have read them, and run batch."""
        plays = [a_play(next(number)) for _ in range(20)]
        played.extend(play.event_time for play in plays)
        send(empty_topics, *plays)
        read_all(driver, folder, empty_topics, *queries)
        run_once(spark, folder, _SETTINGS, empty_topics)

    def take_over(driver: Queries) -> None:
        """Run batch until it has taken over all plays so far, without a comparison."""

        def is_taken_over() -> bool:
            run_once(spark, folder, _SETTINGS, empty_topics)
            return require_run(folder.lake).boundary > max(played)

        look_until(driver, is_taken_over)

    def hand_over(driver: Queries) -> None:
        """Run batch until it has taken over and compared all plays so far."""

        def is_handed_over() -> bool:
            run_once(spark, folder, _SETTINGS, empty_topics)
            record_handovers(folder, empty_topics)
            return sum(one.batch_plays for one in read_handovers(folder.lake)) == sent()

        look_until(driver, is_handed_over)

    def sent() -> int:
        return sum(read_end_offsets(empty_topics, SONG_PLAYS).values())

    service = Service(folder, empty_topics)
    service.start()
    try:
        with running(spark, folder, empty_topics, *queries) as driver:
            # Twice, so that the first plays are older than everything a new generation needs.
            for _ in range(2):
                play_on(driver)
                hand_over(driver)
            first = generation_of(folder)
            play_on(driver)
            take_over(driver)
            play_on(driver)
            SPEED_RENEWAL_REQUEST.ask(folder)
            look_until(driver, lambda: generation_of(folder) != first)
            play_on(driver)
            hand_over(driver)
            look_until(
                driver, lambda: answer_trending(service.view(), limit=5, country=None)["complete"]
            )
    finally:
        service.stop()
    found = {one.window_start: one.verdict for one in read_handovers(folder.lake)}
    assert set(found.values()) == {"equal"}
    said = read_speed_output(empty_topics)
    begun = next(m for _, m in said.markers if m.generation == generation_of(folder))
    assert begun.batch == -1
    assert 0 < sum(begun.end_offsets.values()) < sent()
    assert sum(said.plays(generation_of(folder)).values()) < sent()


def damage_a_state_file(checkpoint: Path) -> None:
    for path in checkpoint.glob("state/0/*/*.delta"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
        path.with_name(f".{path.name}.crc").unlink(missing_ok=True)


def lose_the_state(checkpoint: Path) -> None:
    shutil.rmtree(checkpoint / "state")


def tear_the_newest_offsets(checkpoint: Path) -> None:
    newest = newest_committed(checkpoint)
    (checkpoint / "offsets" / str(newest)).write_bytes(b"")
    (checkpoint / "offsets" / f".{newest}.crc").unlink(missing_ok=True)


def lose_the_metadata(checkpoint: Path) -> None:
    (checkpoint / "metadata").unlink()


@pytest.mark.parametrize(
    "damage",
    [
        damage_a_state_file,
        lose_the_state,
        tear_the_newest_offsets,
        lose_the_metadata,
    ],
)
def test_a_damaged_checkpoint_of_speed_is_replaced_automatically_and_the_old_one_is_kept(
    spark: "SparkSession",
    data_folder: DataFolder,
    empty_topics: KafkaAddress,
    damage: Callable[[Path], None],
) -> None:
    send(empty_topics, *(a_play(number) for number in range(3)))
    with running(spark, data_folder, empty_topics, SPEED) as driver:
        read_all(driver, data_folder, empty_topics, SPEED)
    before = generation_of(data_folder)
    damage(data_folder.checkpoints / SPEED)
    send(empty_topics, a_play(4))
    with running(spark, data_folder, empty_topics, SPEED) as driver:
        look_until(driver, lambda: generation_of(data_folder) != before)
        read_all(driver, data_folder, empty_topics, SPEED)
    plays = read_speed_output(empty_topics).plays(generation_of(data_folder))
    assert sum(plays.values()) == 4
    assert (data_folder.run / "speed.damaged" / "offsets").is_dir()


def test_a_damaged_checkpoint_of_the_archive_is_never_replaced_automatically(
    spark: "SparkSession", data_folder: DataFolder, empty_topics: KafkaAddress
) -> None:
    send(empty_topics, a_play(1))
    with running(spark, data_folder, empty_topics, "archive") as driver:
        read_all(driver, data_folder, empty_topics, "archive")
    tear_the_newest_offsets(data_folder.checkpoints / "archive")
    refused = pytest.raises(DamagedError, match=r"archive.*Restore checkpoint and table")
    with refused, running(spark, data_folder, empty_topics, "archive") as driver:
        look_until(driver, lambda: False)


@pytest.mark.parametrize(
    ("query", "cure"), [(SPEED, "crossfade speed --renew"), ("archive", "Bring them back")]
)
def test_records_that_kafka_lost_are_named_before_a_query_runs(
    spark: "SparkSession",
    data_folder: DataFolder,
    empty_topics: KafkaAddress,
    query: str,
    cure: str,
) -> None:
    send(empty_topics, a_play(1), partition=0)
    with running(spark, data_folder, empty_topics, query) as driver:
        read_all(driver, data_folder, empty_topics, query)
    send(empty_topics, a_play(2), a_play(3), a_play(4), partition=0)
    admin = AdminClient(empty_topics.client_config())
    for outcome in admin.delete_records([TopicPartition(SONG_PLAYS, 0, 3)]).values():
        outcome.result(30)
    lost = rf"2 records that {query} has not read: song-plays \[0\] offsets 1 to 2\. .*{cure}"
    with pytest.raises(BrokerError, match=lost):
        Queries(spark, data_folder, _SETTINGS, empty_topics).start(query)
    if query == SPEED:
        SPEED_RENEWAL_REQUEST.ask(data_folder)
        with running(spark, data_folder, empty_topics, SPEED) as driver:
            read_all(driver, data_folder, empty_topics, SPEED)
