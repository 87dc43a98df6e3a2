"""Erasures that fail half-way, and other writers of bronze at the same time."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from crossfade.config import load_settings
from crossfade.erasure import blanking
from crossfade.folder import open_folder
from crossfade.lake.runs import require_run
from crossfade.lake.tables import BRONZE_SONG_PLAYS, open_table
from crossfade.proof.reconcile import prove_lake
from support.batch_bench import BatchBench
from support.erasure_bench import GONE, erase, find_text, is_of, named_history
from support.handmade_lake import Record

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.fault]

ERASURE = "crossfade.erasure"
STEPS = (
    "crossfade.processing.batch.run.publish_run",
    f"{ERASURE}.settle.mark_removed",
    f"{ERASURE}.settle.blank_erased",
    f"{ERASURE}.erase.vacuum_bronze",
)


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def bench(spark: "SparkSession", tmp_path: Path) -> BatchBench:
    """Return an empty lake."""
    return BatchBench(spark, open_folder(load_settings(data=tmp_path / "data")))


def test_an_erasure_that_fails_is_finished_by_the_next_runs(
    bench: BatchBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise KilledError

    listeners = [f"listener-number-{number}" for number in range(len(STEPS))]
    history = named_history()[:80]
    for number, record in enumerate(history):
        one = listeners[number % len(listeners)].encode()
        record.value = record.value.replace(GONE.encode(), one).replace(b"user-2", one)
        record.key = one
    bench.archive(history)
    bench.published()
    for done, step in enumerate(STEPS, start=1):
        gone = listeners[done - 1]
        assert find_text(bench, gone)
        with monkeypatch.context() as broken, pytest.raises(KilledError):
            broken.setattr(step, die)
            erase(bench, gone)
        for _ in range(3):
            bench.run()
        assert bench.run() is None
        bench.assert_as_by_hand(is_of(*listeners[:done]))
        assert not [path for path in find_text(bench, gone) if path.startswith("bronze")]
    proof = prove_lake(bench.folder, None)
    assert proof.holds, proof.unexplained


def test_the_archive_may_append_and_others_rewrite_while_bronze_is_blanked(
    bench: BatchBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = named_history()
    bench.archive(history)
    bench.published()
    ends = require_run(bench.lake).end_offsets
    empty_content = blanking._empty_content
    tries = 0

    def lay_out(*given: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries == 1:
            bench.archive([Record(0, ends[0], b"new", history[-1].log_time + 1, b"x")])
        elif tries == 2:
            rewrite_everything(bench)
        return empty_content(*given)

    with monkeypatch.context() as watched:
        watched.setattr(blanking, "_AT_ONCE", 20)
        watched.setattr(blanking, "_empty_content", lay_out)
        erase(bench)
    opened = open_table(bench.lake, BRONZE_SONG_PLAYS)
    assert opened is not None
    blanked = [one for one in opened.history() if one["operation"] == "MERGE"]
    assert tries == len(blanked) + 1, "the append was in the way of none, the rewriting of one"
    bench.assert_as_by_hand(is_of(GONE))
    assert find_text(bench, GONE) == set()
    assert prove_lake(bench.folder, None).holds


def rewrite_everything(bench: BatchBench) -> None:
    opened = open_table(bench.lake, BRONZE_SONG_PLAYS)
    assert opened is not None
    opened.update({"topic": "'song-plays'"})
