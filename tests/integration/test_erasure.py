"""Listeners erased from a real lake, compared with plain Python over the history without them."""

import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from crossfade.clock import DAY_MS, HOUR_MS
from crossfade.config import load_settings
from crossfade.contract.decode import encode_play
from crossfade.erasure.proof import SPEED, ErasureProof, prove_erasure
from crossfade.erasure.suppression import add_listener, load_suppression
from crossfade.errors import LakeError, StackError
from crossfade.folder import open_folder
from crossfade.lake.findings import Verdict
from crossfade.lake.runs import RunCounts, require_run
from crossfade.lake.tables import SILVER_ERASED
from crossfade.processing.batch.publish import publish_run
from crossfade.proof.reconcile import prove_lake
from crossfade.stack.hold import hold_maintenance_lock
from support.batch_bench import BatchBench, closing_records
from support.erasure_bench import GONE, erase, find_text, is_of, named_history, read_bronze
from support.handmade_lake import NOON, Record, a_play

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

MakeBench = Callable[[str], BatchBench]

is_theirs = is_of(GONE)


@pytest.fixture
def make_bench(spark: "SparkSession", tmp_path: Path) -> MakeBench:
    def make(name: str) -> BatchBench:
        return BatchBench(spark, open_folder(load_settings(data=tmp_path / name)))

    return make


def prove(bench: BatchBench) -> ErasureProof:
    return prove_erasure(bench.folder, None, GONE, is_speed_renewed=False)


def test_after_an_erasure_every_table_is_what_the_history_without_the_listener_gives(
    make_bench: MakeBench,
) -> None:
    bench = make_bench("erased")
    history = named_history()
    for begin, end in ((0, 100), (100, len(history))):
        bench.archive(history[begin:end])
        bench.published()
    bench.assert_as_by_hand()
    before = read_bronze(bench)
    assert {path.split("/")[1] for path in find_text(bench, GONE)} >= {
        "song_plays",
        "plays",
        "rejected",
    }
    searched = prove(bench)
    assert not searched.holds
    named = {one.subject.split(":")[0] for one in searched.findings if one.wrong}
    assert named >= {"bronze/song_plays", "silver/plays", "silver/rejected"}

    erasure = erase(bench)

    theirs = {(one.partition, one.offset) for one in bench.archived if is_theirs(one)}
    assert erasure.records == len(theirs) > 30
    bench.assert_as_by_hand(is_theirs)
    assert find_text(bench, GONE) == set()
    after = read_bronze(bench)
    assert before.keys() == after.keys()
    for place, row in after.items():
        if place in theirs:
            assert row[:3] == (None, None, [{"key": "crossfade-erased", "value": None}])
            assert row[3:] == before[place][3:]
        else:
            assert row == before[place]
    proof = prove_lake(bench.folder, None)
    assert proof.holds, proof.unexplained
    searched = prove(bench)
    assert searched.holds, [one for one in searched.findings if one.wrong]
    open_ends = [one.check for one in searched.findings if one.verdict is not Verdict.HOLDS]
    assert open_ends == [SPEED]


def test_an_erased_listeners_records_do_not_come_back(make_bench: MakeBench) -> None:
    bench = make_bench("replayed")
    history = named_history()
    bench.archive(history)
    bench.published()
    erase(bench)
    ends = require_run(bench.lake).end_offsets
    theirs = [one for one in history if is_theirs(one)]
    later = [
        Record(0, ends[0] + at, one.value, NOON + 5 * DAY_MS, one.key)
        for at, one in enumerate(theirs)
    ]
    bench.archive(later)
    assert find_text(bench, GONE)

    run = bench.published()

    assert run.counts.erased == run.counts.bronze_rows == len(theirs)
    bench.assert_as_by_hand(is_theirs)
    bench.published()  # It pins bronze without the erased content, so the old files may be deleted.
    assert find_text(bench, GONE) == set()
    assert bench.run() is None
    proof = prove_lake(bench.folder, None)
    assert proof.holds, proof.unexplained


def test_erasing_again_or_an_unknown_listener_changes_no_number(make_bench: MakeBench) -> None:
    bench = make_bench("again")
    bench.archive(named_history()[:60])
    bench.published()
    lock = FileLock(bench.folder.run / "batch.lock", thread_local=False)
    lock.acquire()
    letting_go = threading.Timer(1.0, lock.release)
    letting_go.start()
    try:
        assert erase(bench).records, "it waits for the run that another process makes"
    finally:
        letting_go.join()
    bench.assert_as_by_hand(is_theirs)
    before = bench.versions()
    assert erase(bench).records == 0
    assert erase(bench, "never-heard-of").records == 0
    assert bench.versions() == before
    assert load_suppression(bench.folder).covers("never-heard-of")


def test_a_day_that_loses_its_last_play_is_empty_in_gold(make_bench: MakeBench) -> None:
    bench = make_bench("emptied")
    alone = [
        a_play(number, user_id=GONE, event_time=NOON + number * HOUR_MS) for number in range(4)
    ]
    records = [
        Record(0, offset, encode_play(play), NOON + 6 * HOUR_MS, GONE.encode())
        for offset, play in enumerate(alone)
    ]
    bench.archive([*records, *closing_records([4, 0, 0], NOON + 2 * DAY_MS)])
    bench.published()
    assert bench.rows("gold/song_day")
    erase(bench)
    bench.assert_as_by_hand(is_theirs)
    assert not bench.ask("SELECT * FROM gold_song_day WHERE date = '2026-01-01'")
    assert not bench.ask("SELECT * FROM gold_chart WHERE period_start = '2026-01-01'")


def test_a_folder_whose_runs_do_not_pin_silver_erased_goes_on(make_bench: MakeBench) -> None:
    bench = make_bench("old")
    history = named_history()
    bench.archive(history[:100])
    first = bench.published()
    shutil.rmtree(bench.lake / SILVER_ERASED.name)
    (
        bench.folder.checkpoints / "batch.binding.json"
    ).unlink()  # that release did not have this table
    pins = {name: pin for name, pin in first.pins.items() if name != SILVER_ERASED.name}
    publish_run(bench.lake, replace(first, run=2, run_uuid="old", counts=RunCounts(), pins=pins))
    assert prove_lake(bench.folder, None).holds
    bench.archive(history[100:])
    run = bench.published()
    assert run.pins[SILVER_ERASED.name] == 0
    bench.assert_as_by_hand()
    erase(bench)
    bench.assert_as_by_hand(is_theirs)
    assert prove_lake(bench.folder, None).holds


def test_a_classic_lake_is_refused_with_the_cure(make_bench: MakeBench) -> None:
    bench = make_bench("classic")
    (bench.lake / "song_plays").mkdir()
    with pytest.raises(LakeError, match=r"cannot be rewritten.*remove .*song_plays"):
        erase(bench)
    assert not load_suppression(bench.folder)


def test_no_file_is_deleted_while_a_backup_needs_it(make_bench: MakeBench) -> None:
    bench = make_bench("held")
    bench.archive(named_history()[:60])
    bench.published()
    files = set(bench.lake.rglob("*.parquet"))
    with hold_maintenance_lock(bench.folder):
        with pytest.raises(StackError, match="is held by"):
            erase(bench)
        assert not load_suppression(bench.folder)
        add_listener(bench.folder, GONE)
        bench.published()
        bench.published()
        assert files <= set(bench.lake.rglob("*.parquet"))
        assert any("song_plays" in path for path in find_text(bench, GONE))
    bench.run()
    assert not any("song_plays" in path for path in find_text(bench, GONE))
