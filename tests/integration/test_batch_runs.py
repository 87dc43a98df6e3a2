"""Runs of batch over handmade bronze, compared with plain Python."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from crossfade.clock import DAY_MS, HOUR_MS, MINUTE_MS
from crossfade.config import load_settings
from crossfade.contract.decode import encode_play
from crossfade.errors import LakeError, UnprovenError
from crossfade.folder import open_folder
from crossfade.lake.runs import require_run
from crossfade.processing.batch import run as run_module
from crossfade.processing.batch.horizon import Horizon
from support.batch_bench import BatchBench, a_history, closing_records
from support.handmade_lake import NOON, Record, a_play

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

MakeBench = Callable[[str], BatchBench]


@pytest.fixture
def make_bench(spark: "SparkSession", tmp_path: Path) -> MakeBench:
    def make(name: str) -> BatchBench:
        return BatchBench(spark, open_folder(load_settings(data=tmp_path / name)))

    return make


@pytest.mark.parametrize(
    ("cuts", "is_last_large"),
    [((60,), True), ((40, 95), False)],
    ids=["one run, then another as if of many rows", "three runs"],
)
def test_any_split_into_runs_gives_the_result_of_plain_python(
    make_bench: MakeBench,
    cuts: tuple[int, ...],
    is_last_large: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    history = a_history()
    bench = make_bench("cut")
    begins = (0, *cuts)
    for begin, end in zip(begins, (*cuts, len(history)), strict=True):
        if is_last_large and end == len(history):
            monkeypatch.setattr("crossfade.processing.batch.tuning.FEW_ROWS", -1)
            monkeypatch.setattr("crossfade.processing.batch.silver._FEW_BYTES", -1)
        bench.archive(history[begin:end])
        run = bench.published()
        bench.assert_as_by_hand()
    assert run.boundary > NOON + 2 * DAY_MS
    assert bench.run() is None


def test_a_listener_gives_a_song_at_most_ten_charted_plays_a_day(make_bench: MakeBench) -> None:
    bench = make_bench("cap")
    often = [
        a_play(number, user_id="fan", song_id="loved", event_time=NOON + number * MINUTE_MS)
        for number in range(14)
    ]
    others = [
        a_play(50 + number, user_id=f"other-{number}", song_id="liked", event_time=NOON)
        for number in range(11)
    ]
    plays = [*often, *others]
    bench.archive(
        Record(0, offset, encode_play(play), NOON + HOUR_MS) for offset, play in enumerate(plays)
    )
    bench.archive(closing_records([len(plays), 0, 0], NOON + 2 * DAY_MS))
    bench.published()
    bench.assert_as_by_hand()
    entries = bench.ask(
        "SELECT id, charted_plays, counted_plays FROM gold_chart "
        "WHERE chart = 'songs' AND period = 'day' AND period_start = '2026-01-01' ORDER BY rank"
    )
    assert [tuple(entry.values()) for entry in entries] == [("liked", 11, 11), ("loved", 10, 14)]


def test_of_two_payloads_with_one_event_id_the_smaller_position_wins(
    make_bench: MakeBench,
) -> None:
    bench = make_bench("reused")
    first = a_play(1, title="First", event_time=NOON)
    second = a_play(1, title="Second", event_time=NOON + HOUR_MS)
    bench.archive([Record(1, 0, encode_play(second), NOON + HOUR_MS)])
    bench.archive([Record(1, 1, encode_play(second), NOON + HOUR_MS)])
    bench.archive(closing_records([0, 2, 0], NOON + 2 * DAY_MS))
    assert bench.published().counts.duplicates == 1
    assert bench.ask("SELECT title FROM silver_plays WHERE event_id = 'event-00001'") == [
        {"title": "Second"}
    ]
    bench.archive([Record(0, 1, encode_play(first), NOON + 3 * DAY_MS)])
    bench.published()
    bench.assert_as_by_hand()
    assert bench.ask("SELECT title FROM silver_plays WHERE event_id = 'event-00001'") == [
        {"title": "First"}
    ]
    copies = bench.ask(
        'SELECT "offset", winner_partition, winner_offset, is_same_payload FROM silver_duplicates '
        'ORDER BY "offset"'
    )
    assert [tuple(copy.values()) for copy in copies] == [(0, 0, 1, False), (1, 0, 1, False)]


def test_a_late_play_of_years_ago_changes_only_its_own_periods(make_bench: MakeBench) -> None:
    bench = make_bench("late")
    history = a_history()
    bench.archive(history)
    before = bench.published()
    charts = bench.rows("gold/chart")
    at = before.log_time + MINUTE_MS
    old = a_play(7_000, event_time=NOON - 2_000 * DAY_MS)
    end = before.end_offsets[0]
    bench.archive([Record(0, end, encode_play(old), at)])
    run = bench.published()
    bench.assert_as_by_hand()
    assert (run.counts.accepted, run.counts.late, run.counts.revised_charts) == (1, 1, 8)
    new = [row for row in bench.rows("gold/chart") if row not in charts]
    assert {row["period_start"].year for row in new} == {2020}


def test_a_boundary_that_passes_an_hour_is_published_without_new_plays(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench("silence")
    bench.archive(closing_records([0, 0, 0], NOON))
    first = bench.published()
    for minutes, is_published in ((5, False), (90, True), (90, False)):
        horizon = Horizon(NOON + minutes * MINUTE_MS, {})
        monkeypatch.setattr(run_module, "_look_ahead", lambda *_, found=horizon: found)
        assert (bench.run() is not None) is is_published
    assert require_run(bench.lake).boundary > first.boundary
    bench.assert_as_by_hand()


def test_records_without_the_brokers_time_are_rejected_and_move_no_boundary(
    make_bench: MakeBench,
) -> None:
    bench = make_bench("clock")
    bench.archive(closing_records([0, 0, 0], NOON))
    bench.archive([Record(0, 1, encode_play(a_play(5)), NOON + 9 * DAY_MS)], timestamp_type=0)
    run = bench.published()
    assert run.counts.rejected_by_reason == {"log_time_unknown": 1}
    assert run.log_time == NOON


def test_a_hole_in_bronze_that_kafka_cannot_explain_is_never_published(
    make_bench: MakeBench,
) -> None:
    bench = make_bench("hole")
    bench.archive(closing_records([0, 0, 0], NOON))
    bench.published()
    bench.archive([Record(1, 3, encode_play(a_play(5)), NOON + HOUR_MS)])
    with pytest.raises(UnprovenError, match=r"Bronze lacks song-plays \[1\] offsets 1 to 2"):
        bench.run()
    assert require_run(bench.lake).run == 1


def test_two_processes_never_run_batch_at_the_same_time(make_bench: MakeBench) -> None:
    bench = make_bench("lock")
    bench.archive(closing_records([0, 0, 0], NOON))
    bench.folder.run.mkdir(exist_ok=True)
    with FileLock(bench.folder.run / "batch.lock"), pytest.raises(LakeError, match="Another"):
        bench.run()
    assert bench.published().run == 1
