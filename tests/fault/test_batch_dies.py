"""Batch fails between tables, finds foreign tables and commits, or numbers that do not add up."""

import shutil
from typing import TYPE_CHECKING

import pytest
from deltalake import CommitProperties, DeltaTable

from crossfade.config import load_settings
from crossfade.contract.decode import encode_play
from crossfade.errors import LakeError, UnprovenError
from crossfade.folder import open_folder
from crossfade.lake.commits import commit_note
from crossfade.lake.runs import read_newest_run, require_run
from crossfade.lake.tables import SILVER_PLAYS, table_path
from crossfade.processing.batch import run as run_module
from crossfade.processing.new_table import create_table
from support.batch_bench import BatchBench, a_history
from support.handmade_lake import Record, a_play

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.fault]


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.fixture(scope="module")
def bench(spark: "SparkSession", tmp_path_factory: pytest.TempPathFactory) -> BatchBench:
    """Return a lake with one published run."""
    data = tmp_path_factory.mktemp("batch") / "data"
    bench = BatchBench(spark, open_folder(load_settings(data=data)))
    bench.archive(a_history()[:60])
    bench.published()
    return bench


def test_a_run_that_fails_is_undone_and_run_again(
    bench: BatchBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise KilledError

    bench.archive(a_history()[60:])
    before = require_run(bench.lake)
    for step in ("rebuild_partials", "revise_charts", "publish_run"):
        with monkeypatch.context() as broken, pytest.raises(KilledError):
            broken.setattr(run_module, step, die)
            bench.run()
        assert read_newest_run(bench.lake) == before
        assert bench.versions() != {name: before.pins[name] for name in bench.versions()}
    assert bench.published().run == before.run + 1
    bench.assert_as_by_hand()


def test_a_play_that_is_deleted_within_a_run_is_never_published(
    bench: BatchBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_judged = run_module.append_judged
    before = require_run(bench.lake)

    def append_and_lose_one(*given: object) -> None:
        append_judged(*given)
        opened = DeltaTable(table_path(bench.lake, SILVER_PLAYS))
        note = CommitProperties(custom_metadata={"userMetadata": commit_note("x")})
        opened.delete("event_id = 'event-08000'", commit_properties=note)

    play = a_play(8_000, event_time=before.log_time)
    record = Record(0, before.end_offsets[0], encode_play(play), before.log_time)
    bench.archive([record])
    with monkeypatch.context() as broken, pytest.raises(UnprovenError, match=r"were judged"):
        broken.setattr(run_module, "append_judged", append_and_lose_one)
        bench.run()
    assert read_newest_run(bench.lake) == before
    bench.published()
    bench.assert_as_by_hand()


def test_a_table_that_batch_did_not_create_is_refused_and_named(bench: BatchBench) -> None:
    ours = table_path(bench.lake, SILVER_PLAYS)
    aside = ours.rename(ours.with_name("aside"))
    create_table(bench.lake, SILVER_PLAYS, commit_note("x"))
    with pytest.raises(LakeError, match="silver/plays is not the one that batch has created"):
        bench.run()
    shutil.rmtree(ours)
    aside.rename(ours)
    assert bench.run() is None


def test_a_commit_that_is_not_of_a_run_is_refused_and_named(bench: BatchBench) -> None:
    opened = DeltaTable(table_path(bench.lake, SILVER_PLAYS))
    version = opened.version()
    opened.delete("event_id = 'event-00001'")
    with pytest.raises(LakeError, match=f"Version {version + 1} of silver/plays"):
        bench.run()
    assert bench.versions()["silver/plays"] == version + 1
