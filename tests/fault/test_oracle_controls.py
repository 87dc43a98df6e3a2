"""Negative controls of the oracle: switch a guard of the product off; the oracle must report it.

Each test first shows that the oracle finds nothing with the guard on.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from crossfade.clock import SECOND_MS, now_ms
from crossfade.config import Settings, load_settings
from crossfade.contract.time_rules import TimeRules
from crossfade.errors import LakeError
from crossfade.folder import DataFolder, open_folder
from crossfade.kafka.address import KafkaAddress
from crossfade.lake.binding import read_archive_binding
from crossfade.lake.checkpoint import newest_committed
from crossfade.lake.runs import Run
from crossfade.processing.batch.job import run_once
from crossfade.processing.batch.refine import judge_candidates
from crossfade.processing.streams.archive import start_archive
from crossfade.serving.merge import Plan
from crossfade.serving.window_state import WindowState
from faults.oracle import Logs, Oracle
from faults.oracle_findings import Judgement
from support.api_server import api_client
from support.batch_bench import BatchBench, a_history
from support.speed_runs import a_play, running_speed, send, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.spark, pytest.mark.fault]


@dataclass(frozen=True)
class Stage:
    """Topics and a data folder for one test, with windows of one second."""

    address: KafkaAddress
    folder: DataFolder
    settings: Settings
    spark: SparkSession

    @property
    def checkpoint(self) -> Path:
        return self.folder.checkpoints / "archive"

    def archive(self) -> None:
        """Run the archive until it has read all of Kafka."""
        session = self.spark.newSession()
        query = start_archive(session, self.folder, self.settings, self.address)
        query.processAllAvailable()
        query.stop()

    def batch(self) -> Run | None:
        return run_once(self.spark, self.folder, self.settings, self.address)

    def batch_when_over(self, time_ms: int) -> Run:
        """Wait until batch may take over the window of a time, then run batch."""
        rules = self.folder.time_rules
        over_at = time_ms + rules.late_after_ms + rules.clock_slack_ms + 2 * rules.grain_ms
        wait_until(lambda: now_ms() > over_at)
        run = self.batch()
        assert run is not None
        return run

    def judge(self, **named: str) -> Judgement:
        return Oracle(self.folder.root, Logs(self.address.bootstrap), **named).check_all()

    def lose_newest_commit(self) -> None:
        """Remove the newest commit, as a crash between a micro-batch's write and commit does."""
        newest = newest_committed(self.checkpoint)
        (self.checkpoint / "commits" / str(newest)).unlink()
        (self.checkpoint / "commits" / f".{newest}.crc").unlink()


@pytest.fixture
def stage(empty_topics: KafkaAddress, spark: SparkSession, tmp_path: Path) -> Stage:
    settings = load_settings(
        data=tmp_path / "data", archive_every="0s", grain="1s", late_after="3s", clock_slack="1s"
    )
    return Stage(empty_topics, open_folder(settings), settings, spark)


@pytest.fixture
def unguarded(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Yield a patcher that switches guards off until the end of the test."""
    with monkeypatch.context() as patch:
        yield patch


def _bind_unseen(folder: DataFolder, found: object, **_: object) -> object:
    return read_archive_binding(folder) or found


def _refuse_nothing(*_: object) -> None:
    """Replace a check, and refuse nothing."""


def _expect(judgement: Judgement, *, lost: int = 0, repeated: int = 0) -> None:
    assert (judgement.lost, judgement.repeated) == (lost, repeated), str(judgement)
    assert judgement.checked["records of Kafka in bronze"] > 0


def test_without_the_binding_a_lost_checkpoint_repeats_every_record(
    stage: Stage, unguarded: pytest.MonkeyPatch
) -> None:
    send(stage.address, *(a_play(number) for number in range(5)), b"no play")
    stage.archive()
    kept = shutil.copytree(stage.checkpoint, stage.folder.root / "kept")
    shutil.rmtree(stage.checkpoint)
    with pytest.raises(LakeError, match="is gone, but its table has records"):
        stage.archive()
    shutil.copytree(kept, stage.checkpoint)
    stage.archive()
    assert stage.judge().holds

    shutil.rmtree(stage.checkpoint)
    unguarded.setattr("crossfade.processing.streams.archive.bind_archive", _bind_unseen)
    unguarded.setattr("crossfade.processing.streams.archive.require_output_match", _refuse_nothing)
    stage.archive()

    _expect(stage.judge(), repeated=6)


def test_without_the_binding_an_older_checkpoint_loses_records(
    stage: Stage, unguarded: pytest.MonkeyPatch
) -> None:
    send(stage.address, a_play(1))
    stage.archive()
    older = shutil.copytree(stage.checkpoint, stage.folder.root / "older")
    for number in (2, 3):
        send(stage.address, a_play(number))
        stage.archive()
    assert stage.judge().holds
    send(stage.address, a_play(4))
    newest = stage.checkpoint.rename(stage.folder.root / "newest")
    shutil.copytree(older, stage.checkpoint)
    with pytest.raises(LakeError, match="but its checkpoint"):
        stage.archive()
    assert newest.is_dir()

    unguarded.setattr("crossfade.processing.streams.archive.require_output_match", _refuse_nothing)
    stage.archive()

    judgement = stage.judge()
    _expect(judgement, lost=1)
    assert "(event event-000004): in Kafka, not in bronze" in str(judgement)


def test_without_the_transaction_id_a_micro_batch_is_written_twice(
    stage: Stage, unguarded: pytest.MonkeyPatch
) -> None:
    send(stage.address, a_play(1))
    stage.archive()
    send(stage.address, a_play(2), a_play(3))
    stage.archive()
    stage.lose_newest_commit()
    stage.archive()
    assert stage.judge().holds

    stage.lose_newest_commit()
    (stage.checkpoint / ".metadata.crc").unlink(missing_ok=True)
    other = {"id": "00000000-0000-4000-8000-000000000000"}
    (stage.checkpoint / "metadata").write_text(json.dumps(other))
    with pytest.raises(LakeError, match="but its checkpoint"):
        stage.archive()
    unguarded.setattr("crossfade.processing.streams.archive.require_output_match", _refuse_nothing)
    stage.archive()

    judgement = stage.judge()
    _expect(judgement, repeated=2)
    assert "more than once in bronze" in str(judgement)


def test_without_the_rule_of_duplicates_copies_are_counted(
    spark: SparkSession, tmp_path: Path, unguarded: pytest.MonkeyPatch
) -> None:
    def judge(name: str) -> Judgement:
        bench = BatchBench(spark, open_folder(load_settings(data=tmp_path / name)))
        bench.archive(a_history()[:60])
        bench.published()
        return Oracle(bench.folder.root, Logs()).check_all()

    def accept_all(decoded: DataFrame, silver: DataFrame) -> DataFrame:
        return judge_candidates(decoded, silver).withColumn("outcome", F.lit("accepted"))

    right = judge("right")
    assert right.holds, str(right)
    assert right.checked["rows of gold/song_day"] > 20

    unguarded.setattr("crossfade.processing.batch.run.judge_candidates", accept_all)
    broken = judge("broken")

    assert broken.repeated > 3
    assert "accepted, and so is its first copy" in str(broken)


def test_a_boundary_from_the_latest_instead_of_the_earliest_partition_is_detected(
    stage: Stage, unguarded: pytest.MonkeyPatch
) -> None:
    def run_with_one_waiting() -> None:
        """Leave a play unread until its window is over for all other partitions."""
        send(stage.address, a_play(now_ms() % 10**6))
        stage.archive()
        waiting = now_ms() + SECOND_MS
        send(stage.address, a_play(waiting % 10**6, event_time=waiting))
        stage.batch_when_over(waiting)
        stage.archive()

    run_with_one_waiting()
    right = stage.judge()
    assert right.holds, str(right)
    assert right.checked["plays on time"] > 0

    def of_the_latest(
        previous: int, log_time: int, next_log_times: dict[int, int], *, rules: TimeRules
    ) -> int:
        return max(previous, rules.boundary_of(max([log_time, *next_log_times.values()])))

    unguarded.setattr("crossfade.processing.batch.run.next_boundary", of_the_latest)
    run_with_one_waiting()

    judgement = stage.judge()
    assert judgement.wrong == 1, str(judgement)
    assert "on time; run" in str(judgement)


def test_a_window_answered_by_both_layers_is_detected(
    stage: Stage, unguarded: pytest.MonkeyPatch
) -> None:
    with running_speed(stage.spark, stage.folder, stage.address, stage.settings) as query:
        soon = now_ms() + 15 * SECOND_MS
        old = [a_play(number, event_time=soon) for number in range(6)]
        send(stage.address, *old, old[0])
        query.processAllAvailable()
        send(stage.address, old[1])
        query.processAllAvailable()
        ahead = soon + 40 * SECOND_MS
        send(stage.address, *(a_play(10 + n, event_time=ahead, song_id=f"s{n}") for n in range(3)))
        query.processAllAvailable()
    stage.archive()
    assert stage.batch_when_over(soon).boundary > soon

    right = _ask(stage)
    assert right.holds, str(right)
    assert right.checked["rows of answers"] > 6
    assert right.checked["rows handed over"] > 0
    assert "explained, hand-over: 1 repeats in another micro-batch" in right.findings

    def of_both(begin: int, end: int, *, boundary: int, grain_ms: int) -> Plan:
        owned = min(max(boundary, begin), end)
        return Plan(days=None, windows=((begin, owned),), speed=(begin, end))

    unguarded.setattr("crossfade.serving.answers.plan_range", of_both)
    # Serving would otherwise drop, or not even read, speed's rows of windows that batch owns.
    unguarded.setattr(WindowState, "forget_before", _refuse_nothing)
    unguarded.setattr(WindowState, "mark_incomplete_before", _refuse_nothing)
    broken = _ask(stage)

    assert broken.wrong > 0, str(broken)
    assert "API: /charts/songs?from=" in str(broken)


def _ask(stage: Stage) -> Judgement:
    """Judge with a running API server."""
    with api_client(stage.folder, stage.address) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        return stage.judge(api=str(client.base_url))
