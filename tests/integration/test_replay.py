"""Replay rejected records, repaired or no longer in the future, through a real Kafka."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from typer.testing import CliRunner

from crossfade.cli import app
from crossfade.clock import now_ms
from crossfade.config import Settings, load_settings
from crossfade.contract.decode import decode_play, encode_play
from crossfade.contract.play import Play
from crossfade.contract.time_rules import FUTURE_MS
from crossfade.erasure.suppression import NOBODY
from crossfade.folder import DataFolder
from crossfade.ingest import delivery
from crossfade.ingest.replay import SilverPlays, replay_records
from crossfade.ingest.replay_report import Candidate, ReplayReport
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import open_producer
from crossfade.kafka.read_topic import read_topic
from crossfade.kafka.topics import SONG_PLAYS, read_end_offsets
from crossfade.lake.connection import connect, register_table
from crossfade.lake.runs import Run, require_run
from crossfade.lake.tables import SILVER_PLAYS, list_files
from crossfade.proof.reconcile import prove_lake
from crossfade.stack.broker import Broker
from crossfade.stack.kafka_for_command import reach_kafka
from support.handmade_lake import NOON, Record, a_lake, a_play
from support.temporary_topics import temporary_topics

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.kafka

_AHEAD_MS = 4_000
_WITHIN_S = 60.0


def call(folder: DataFolder, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["rejected", *words, "--data", str(folder.root)])
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout


def replayed(folder: DataFolder, *words: str, code: int = 0) -> dict[str, Any]:
    return dict(json.loads(call(folder, "replay", *words, "--json", code=code)))


@dataclass(frozen=True)
class Stage:
    """A broker with the test's own topics, and archive and batch of a data folder."""

    address: KafkaAddress
    folder: DataFolder
    settings: Settings
    spark: "SparkSession"

    def send(self, *plays: Play) -> None:
        producer = open_producer(self.address)
        for play in plays:
            producer.produce(SONG_PLAYS, encode_play(play), play.user_id)
        assert producer.flush(30) == 0

    def count(self) -> Run:
        """Archive all of Kafka, and run batch; the run must be published."""
        from crossfade.processing.batch.job import run_once
        from crossfade.processing.streams.archive import start_archive

        session = self.spark.newSession()
        query = start_archive(session, self.folder, self.settings, self.address)
        query.processAllAvailable()
        query.stop()
        run = run_once(self.spark, self.folder, self.settings, self.address)
        assert run is not None
        return run

    def ids(self) -> list[str]:
        """Return the event id of each row of silver's plays."""
        connection = connect()
        pin = require_run(self.folder.lake).pins[SILVER_PLAYS.name]
        register_table(connection, SILVER_PLAYS, list_files(self.folder.lake, SILVER_PLAYS, pin))
        rows = connection.execute("SELECT event_id FROM silver_plays ORDER BY event_id").fetchall()
        return [event_id for (event_id,) in rows]


@pytest.fixture
def stage(
    spare_broker: Broker,
    data_folder: DataFolder,
    spark: "SparkSession",
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Stage]:
    monkeypatch.setenv("CROSSFADE_BOOTSTRAP", spare_broker.address.bootstrap)
    with temporary_topics(spare_broker, partitions=2) as address:
        yield Stage(address, data_folder, load_settings(data=data_folder.root), spark)


def repair(folder: DataFolder, path: Path) -> str:
    """Write the repairable lines of the log, with a song id in each."""
    rows = [json.loads(line) for line in call(folder, "--limit", "0", "--json").splitlines()]
    rows = [row for row in rows if row["reason"] != "event_time_future"]
    for row in rows:
        row["value"] = json.dumps(json.loads(row["value"]) | {"song_id": "song-1"})
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return str(path)


@pytest.mark.spark
def test_a_record_is_counted_once_however_often_it_is_replayed(
    stage: Stage, tmp_path: Path
) -> None:
    now = now_ms()
    early = a_play(3, event_time=now + FUTURE_MS + _AHEAD_MS)
    stage.send(
        a_play(0, event_time=now - 1_000),
        a_play(1, event_time=now - 1_000, song_id=""),
        a_play(2, event_time=now - 1_000, event_id="short"),
        early,
    )
    first = stage.count()
    assert (first.counts.accepted, first.counts.rejected) == (1, 3)
    file = repair(stage.folder, tmp_path / "repaired.jsonl")
    for _ in range(2):
        report = replayed(stage.folder, file)
        assert (report["sent"], report["already_counted"], report["rejected"]) == (2, 0, 0)
    _await_time(early.event_time - FUTURE_MS + 1_000)
    for _ in range(2):
        report = replayed(stage.folder, "--reason", "event_time_future")
        assert (report["sent"], report["already_counted"], report["rejected"]) == (1, 0, 0)

    second = stage.count()
    assert (second.counts.accepted, second.counts.duplicates, second.counts.rejected) == (3, 3, 0)
    ids = stage.ids()
    assert len(ids) == len(set(ids)) == 4
    assert {"event-00000", "event-00001", "event-00003"} < set(ids)
    ends = read_end_offsets(stage.address, SONG_PLAYS)
    assert replayed(stage.folder, file)["already_counted"] == 2
    report = replayed(stage.folder, code=1)
    assert (report["sent"], report["already_counted"], report["rejected"]) == (0, 1, 2)
    assert read_end_offsets(stage.address, SONG_PLAYS) == ends

    proof = prove_lake(stage.folder, stage.address)
    assert proof.holds, proof.unexplained


def _await_time(time_ms: int) -> None:
    """Wait until the edge accepts an event time; the runs before take most of that wait."""
    deadline = time.monotonic() + _WITHIN_S
    while now_ms() <= time_ms:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_without_a_stack_the_folders_own_broker_takes_the_plays_keyed_by_listener(
    data_folder: DataFolder, tmp_path: Path
) -> None:
    lake = a_lake([Record(0, 5, encode_play(a_play(7, song_id="")), NOON)], boundary=NOON)
    lake.write(data_folder)
    file = repair(data_folder, tmp_path / "repaired.jsonl")
    assert call(data_folder, "replay", file).startswith("1 sent, 0 already counted")
    children = psutil.Process().children(recursive=True)
    assert not [one for one in children if str(data_folder.root) in " ".join(one.cmdline())]
    with reach_kafka(data_folder, load_settings(data=data_folder.root)) as address:
        ends = read_end_offsets(address, SONG_PLAYS)
        [record] = read_topic(address, SONG_PLAYS, begins=dict.fromkeys(ends, 0), ends=ends)
    play = decode_play(record.value(), record.timestamp()[1])
    assert isinstance(play, Play)
    assert (play.event_id, play.song_id) == ("event-00007", "song-1")
    assert record.key() == play.user_id.encode()


def test_a_replay_with_nothing_to_send_starts_no_kafka(data_folder: DataFolder) -> None:
    a_lake([Record(0, 0, b"never a play", NOON)], boundary=NOON).write(data_folder)
    assert replayed(data_folder, code=1)["reasons"] == {"json_syntax": 1}
    assert not data_folder.kafka.exists()


def test_plays_that_kafka_does_not_take_are_counted(
    data_folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_lake([], boundary=NOON).write(data_folder)
    monkeypatch.setattr(delivery, "_DELIVERY_TIMEOUT_MS", 1_000)
    report = ReplayReport()
    with SilverPlays(data_folder.lake, require_run(data_folder.lake)) as counted:
        replay_records(
            [[Candidate((0, 0), encode_play(a_play(1)))]],
            counted,
            report,
            clock_slack_ms=1_000,
            suppression=NOBODY,
            open_delivery=lambda: delivery.Delivery(KafkaAddress("127.0.0.1:9")),
        )
    assert (report.sent, report.undelivered) == (1, 1)
    assert report.undelivered_why
