"""The simulation: how many plays, when, where to, and how it ends."""

import io
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossfade.clock import now_ms
from crossfade.errors import MachineError, MisuseError
from crossfade.generator.model import Audience
from crossfade.generator.options import (
    Report,
    SimulationOptions,
    check_options,
    refuse_future,
)
from crossfade.generator.pace import SLICE_S, BackfillPace, FullPace, SteadyPace
from crossfade.generator.produce import Progress, simulate
from crossfade.generator.sinks import FileSink

PAST = 1_556_668_800_000
SMALL = {"songs": 200, "listeners": 100}


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def write(path: Path, **options: Any) -> Progress:
    return simulate(FileSink(str(path)), SimulationOptions(**{**SMALL, **options}))


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_the_same_backfill_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for path in (first, second):
        write(path, seed=4, start_ms=PAST, rate=50.0, events=20_000)
    assert first.read_bytes() == second.read_bytes()
    assert len(read(first)) == 20_000


@pytest.mark.parametrize(
    "change", [{"seed": 5}, {"rate": 51.0}, {"start_ms": PAST + 1}, {"songs": 201}]
)
def test_another_backfill_shares_no_event_id(tmp_path: Path, change: dict[str, Any]) -> None:
    given: dict[str, Any] = {"seed": 4, "start_ms": PAST, "rate": 50.0, "events": 100}
    write(tmp_path / "first", **given)
    write(tmp_path / "second", **{**given, **change})
    ids = [{row["event_id"] for row in read(tmp_path / name)} for name in ("first", "second")]
    assert not ids[0] & ids[1]


def test_a_longer_backfill_begins_with_the_shorter_one(tmp_path: Path) -> None:
    for events in (100, 9_000):
        write(tmp_path / str(events), start_ms=PAST, rate=50.0, events=events)
    assert (tmp_path / "9000").read_bytes().startswith((tmp_path / "100").read_bytes())


def test_a_backfill_has_its_rate_in_event_time_and_is_in_its_order(tmp_path: Path) -> None:
    write(tmp_path / "plays", start_ms=PAST, rate=50.0, for_ms=200_000)
    times = [row["event_time"] for row in read(tmp_path / "plays")]
    assert len(times) == 10_000
    assert times == [PAST + 20 * number for number in range(10_000)]


def test_two_live_runs_with_the_same_seed_play_the_same_under_different_ids(
    tmp_path: Path,
) -> None:
    runs = [write(tmp_path / name, rate=None, events=300) for name in ("first", "second")]
    first, second = read(tmp_path / "first"), read(tmp_path / "second")
    fields = ("user_id", "song_id", "ms_played", "device")
    assert [[row[f] for f in fields] for row in first] == [
        [row[f] for f in fields] for row in second
    ]
    assert not {row["event_id"] for row in first} & {row["event_id"] for row in second}
    assert [row["event_id"] for row in first] == [f"{runs[0].run}-{n}" for n in range(300)]


@pytest.mark.parametrize("report", list(Report))
def test_a_play_is_reported_at_its_start_or_at_its_end(tmp_path: Path, report: Report) -> None:
    before = now_ms()
    write(tmp_path / "plays", rate=None, events=500, report=report)
    after = now_ms()
    for row in read(tmp_path / "plays"):
        reported = row["event_time"] + (row["ms_played"] if report is Report.END else 0)
        assert before - SLICE_S * 1_000 <= reported <= after


def test_a_rate_and_a_length_are_a_number_of_plays(tmp_path: Path) -> None:
    progress = write(tmp_path / "plays", rate=2_000.0, for_ms=150)
    assert progress.sent == len(read(tmp_path / "plays")) == 300
    assert progress.elapsed_ms >= 140


def test_full_speed_ends_when_the_time_is_over(tmp_path: Path) -> None:
    progress = write(tmp_path / "plays", rate=None, for_ms=50)
    assert progress.sent == len(read(tmp_path / "plays")) > 0


def test_asked_to_stop_it_stops_and_says_what_was_sent(tmp_path: Path) -> None:
    until, seen = threading.Event(), list[Progress]()

    def stop_after_some(progress: Progress) -> None:
        seen.append(progress)
        until.set()

    path = tmp_path / "plays"
    options = SimulationOptions(**SMALL, rate=500.0)
    progress = simulate(FileSink(str(path)), options, until=until, on_progress=stop_after_some)
    assert len(seen) == 2
    assert progress == seen[-1]
    assert progress.sent == len(read(path)) > 0


def test_a_steady_pace_sends_slices_and_catches_up() -> None:
    clock = Clock()
    pace = SteadyPace(2_000.0, Report.START, clock)
    assert pace.wait_s(0) == pytest.approx(SLICE_S)
    clock.seconds += SLICE_S
    assert pace.wait_s(0) == pytest.approx(0)
    assert pace.due(0) in (49, 50)
    assert pace.lag_ms(0) == 0
    clock.seconds += 10
    assert pace.due(50) == pytest.approx(20_000, abs=1)
    assert pace.lag_ms(50) == pytest.approx(10_000, abs=30)
    assert pace.lag_ms(20_050) == 0


def test_a_slow_pace_waits_for_each_play() -> None:
    clock = Clock()
    pace = SteadyPace(0.5, Report.END, clock)
    assert pace.wait_s(0) == pytest.approx(2)
    clock.seconds += 2
    assert (pace.wait_s(0), pace.due(0)) == (0, 1)
    assert pace.wait_s(1) == pytest.approx(2)


def test_plays_of_a_slice_spread_over_it() -> None:
    plays = Audience(1, **SMALL).draw_block(0).part(0, 50)
    times = FullPace(Report.START).event_times(plays)
    assert (np.diff(times) >= 0).all()
    assert 20 <= times[-1] - times[0] <= 25


def test_a_backfill_never_drifts() -> None:
    plays = Audience(1, **SMALL).draw_block(1_000_000)
    times = BackfillPace(3.0, PAST).event_times(plays)
    assert times[0] == PAST + plays.first * 1_000 // 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0.0}, "above 0"),
        ({"rate": -1.0}, "above 0"),
        ({"rate": float("nan")}, "above 0"),
        ({"rate": float("inf")}, "above 0"),
        ({"events": 0}, "above 0"),
        ({"for_ms": 0}, "above 0"),
        ({"songs": 0}, "above 0"),
        ({"listeners": -3}, "above 0"),
        ({"seed": -1}, "above 0"),
        ({"events": 5, "for_ms": 5}, "contradict"),
        ({"start_ms": PAST}, "and an end"),
        ({"start_ms": PAST, "rate": None, "events": 5}, "need a rate"),
        ({"start_ms": 1_556_668_800, "events": 5}, "March 1973"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(MisuseError, match=message):
        check_options(SimulationOptions(**options))


def test_a_backfill_into_the_future_is_refused() -> None:
    refuse_future(SimulationOptions(start_ms=PAST, events=100))
    with pytest.raises(MisuseError, match="future"):
        refuse_future(SimulationOptions(start_ms=now_ms(), rate=1.0, events=400))


def test_a_file_that_cannot_be_written_is_one_line_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"Cannot write .*: No such file.*--out"):
        FileSink(str(tmp_path / "missing" / "plays"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_line_with_the_cure() -> None:
    with pytest.raises(MachineError, match=r"Cannot write /dev/full: No space left"):
        write(Path("/dev/full"), rate=None, events=10)


def test_a_reader_that_goes_away_ends_it_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with io.TextIOWrapper(os.fdopen(writing, "wb")) as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        progress = simulate(FileSink("-"), SimulationOptions(**SMALL, rate=None))
    assert progress.sent == 0
