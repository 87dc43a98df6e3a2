"""The simulation: number of plays, pace, sinks, and how a run ends."""

import gzip
import io
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from crossfade.clock import DAY_MS, HOUR_MS, now_ms
from crossfade.errors import MachineError, MisuseError
from crossfade.generator.options import Report, SimulationOptions, check_options, refuse_future
from crossfade.generator.outbox import Sendings, as_sendings
from crossfade.generator.pace import SLICE_S, BackfillPace, FullPace, SteadyPace
from crossfade.generator.plays import Plays
from crossfade.generator.produce import Simulation, SimulationProgress, simulate
from crossfade.generator.sinks import FileSink

PAST = 1_556_668_800_000
SMALL = {"songs": 200, "listeners": 2_000}
BACKFILL: dict[str, Any] = {"seed": 4, "start_ms": PAST, "rate": 1.0}


class Clock:
    """A clock that moves only when a test sets it."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def write(path: Path, **options: Any) -> SimulationProgress:
    return simulate(FileSink(str(path)), SimulationOptions(**{**SMALL, **options}))


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def some_sendings(count: int) -> Sendings:
    """Return records to send whose plays are one second apart."""
    numbers = np.arange(count)
    small, tiny = numbers.astype(np.int16), np.zeros(count, np.int8)
    plays = Plays(
        *(PAST + numbers * 1_000, numbers.astype(np.uint64), small, tiny, tiny),
        *(numbers.astype(np.int32), numbers, numbers.astype(np.uint64)),
        *(numbers.astype(np.uint64), small, tiny.astype(np.bool_)),
    )
    return as_sendings(plays)


def test_the_same_backfill_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for path in (first, second):
        write(path, **BACKFILL, events=20_000)
    assert first.read_bytes() == second.read_bytes()
    assert len(read(first)) == 20_000


@pytest.mark.parametrize(
    "change", [{"seed": 5}, {"rate": 1.1}, {"songs": 201}, {"stay_days": 100}, {"growth": 0.1}]
)
def test_another_backfill_shares_no_event_id(tmp_path: Path, change: dict[str, Any]) -> None:
    write(tmp_path / "first", **BACKFILL, events=100)
    write(tmp_path / "second", **{**BACKFILL, **change}, events=100)
    ids = [{row["event_id"] for row in read(tmp_path / name)} for name in ("first", "second")]
    assert not ids[0] & ids[1]


def test_a_longer_backfill_begins_with_the_shorter_one(tmp_path: Path) -> None:
    for events in (100, 9_000):
        write(tmp_path / str(events), **BACKFILL, events=events)
    assert (tmp_path / "9000").read_bytes().startswith((tmp_path / "100").read_bytes())


def test_a_single_day_equals_that_day_of_a_longer_backfill(tmp_path: Path) -> None:
    write(tmp_path / "days", **BACKFILL, end_ms=PAST + 2 * DAY_MS + HOUR_MS)
    second_day = BACKFILL | {"start_ms": PAST + DAY_MS}
    write(tmp_path / "day", **second_day, for_ms=DAY_MS)
    lines = (tmp_path / "days").read_bytes().splitlines(keepends=True)
    begins, ends = (f'"event_time":{PAST + days * DAY_MS}'.encode() for days in (1, 2))
    of_day = [line for line in lines if begins <= line[line.index(b'"event_time"') :] < ends]
    assert len(of_day) > 50_000
    assert b"".join(of_day) == (tmp_path / "day").read_bytes()


def test_a_backfill_has_its_rate_and_order_in_event_time(tmp_path: Path) -> None:
    progress = write(tmp_path / "plays", **BACKFILL, for_ms=4 * DAY_MS)
    times = [row["event_time"] for row in read(tmp_path / "plays")]
    assert times == sorted(times)
    assert times[0] >= PAST
    assert times[-1] < PAST + 4 * DAY_MS
    assert progress.sent == len(times) == pytest.approx(4 * 86_400, rel=0.1)
    assert progress.simulated_ms == 4 * DAY_MS


def test_plays_of_the_present_are_new_each_time(tmp_path: Path) -> None:
    runs = [write(tmp_path / name, rate=None, events=300) for name in ("first", "second")]
    ids = [{row["event_id"] for row in read(tmp_path / name)} for name in ("first", "second")]
    assert len(ids[0]) == 300
    assert not ids[0] & ids[1]
    assert all(one.startswith(f"{runs[0].run}-") for one in ids[0])


def test_listeners_play_one_song_after_another(tmp_path: Path) -> None:
    free: dict[str, int] = {}
    write(tmp_path / "plays", **BACKFILL | {"rate": 5.0}, events=20_000)
    for row in read(tmp_path / "plays"):
        assert row["event_time"] > free.get(row["user_id"], 0)
        free[row["user_id"]] = row["event_time"] + row["ms_played"]


@pytest.mark.parametrize("report", list(Report))
def test_at_the_first_record_listeners_are_in_the_middle_of_sessions(
    tmp_path: Path, report: Report
) -> None:
    options = {"rate": None, "events": 2_000, "report": report, "listeners": 20_000}
    write(tmp_path / "plays", **options)
    counted = [row["ms_played"] >= 30_000 for row in read(tmp_path / "plays")]
    assert sum(counted) / 2_000 == pytest.approx(0.65, abs=0.05)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_file_is_compressed_where_its_name_says_so(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / "plain", **BACKFILL, events=2_000)
    write(tmp_path / f"packed{suffix}", **BACKFILL, events=2_000)
    packed = (tmp_path / f"packed{suffix}").read_bytes()
    unpacked = (
        gzip.decompress(packed)
        if suffix == ".gz"
        else pa.input_stream(pa.py_buffer(packed), compression="zstd").read()
    )
    assert unpacked == (tmp_path / "plain").read_bytes()
    assert len(packed) < len(unpacked) / 2


@pytest.mark.parametrize("report", list(Report))
def test_a_play_is_reported_at_its_start_or_at_its_end(tmp_path: Path, report: Report) -> None:
    before = now_ms()
    write(tmp_path / "plays", rate=None, events=500, report=report)
    after = now_ms()
    for row in read(tmp_path / "plays"):
        reported = row["event_time"] + (row["ms_played"] if report is Report.END else 0)
        assert before - SLICE_S * 1_000 <= reported <= after


def test_a_rate_and_a_length_make_a_number_of_plays(tmp_path: Path) -> None:
    progress = write(tmp_path / "plays", rate=2_000.0, for_ms=150)
    assert progress.sent == len(read(tmp_path / "plays")) == 300
    assert progress.elapsed_ms >= 140


def test_full_speed_ends_when_the_time_is_over(tmp_path: Path) -> None:
    progress = write(tmp_path / "plays", rate=None, for_ms=50)
    assert progress.sent == len(read(tmp_path / "plays")) > 0


def test_a_stop_request_ends_the_run_and_reports_what_was_sent(tmp_path: Path) -> None:
    until, seen = threading.Event(), list[SimulationProgress]()

    def stop_after_some(progress: SimulationProgress) -> None:
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
    pace = SteadyPace(2_000.0, clock)
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
    pace = SteadyPace(0.5, clock)
    assert pace.wait_s(0) == pytest.approx(2)
    clock.seconds += 2
    assert (pace.wait_s(0), pace.due(0)) == (0, 1)
    assert pace.wait_s(1) == pytest.approx(2)


def test_the_plays_of_a_slice_are_spread_over_it() -> None:
    times = FullPace().event_times(some_sendings(50))
    assert (np.diff(times) >= 0).all()
    assert 20 <= times[-1] - times[0] <= 25


def test_event_times_of_the_past_are_not_moved() -> None:
    sendings = some_sendings(50)
    assert BackfillPace().event_times(sendings).tolist() == sendings.plays.event_time.tolist()


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
        ({"events": 5, "for_ms": 5}, "--events and --for contradict"),
        ({"for_ms": 5, "end_ms": PAST, "start_ms": 5}, "--for and --to contradict"),
        ({"end_ms": PAST}, "Add --from"),
        ({"start_ms": PAST, "end_ms": PAST}, "--to is not after --from"),
        ({"listeners": 2**24 + 1}, "at most 16,777,216 listeners"),
        ({"songs": 1_000_001}, "at most 1,000,000 songs"),
        ({"growth": -0.1}, "--growth must be from 0"),
        ({"stay_days": 40_000}, "--stay from 0"),
        ({"processes": 0}, "--processes is 0"),
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
        refuse_future(SimulationOptions(start_ms=now_ms() - HOUR_MS, rate=1.0, events=4_000))


def test_an_impossible_rate_is_refused_only_for_the_past(tmp_path: Path) -> None:
    options = SimulationOptions(**SMALL, **BACKFILL | {"rate": 50.0}, events=5)
    with pytest.raises(MisuseError, match=r"2,160 plays a day per listener.*--listeners"):
        Simulation(options, is_file=True)
    assert write(tmp_path / "plays", rate=5_000.0, events=500).sent == 500


def test_a_file_gets_its_name_once_it_is_complete(tmp_path: Path) -> None:
    path, names = tmp_path / "plays", list[str]()
    options = SimulationOptions(**SMALL, rate=500.0, for_ms=600)

    def look(progress: SimulationProgress) -> None:
        names.extend(one.name for one in tmp_path.iterdir() if progress.elapsed_ms < 500)

    simulate(FileSink(str(path)), options, on_progress=look)
    assert set(names) == {"plays.partial"}
    assert [one.name for one in tmp_path.iterdir()] == ["plays"]


def test_a_file_that_cannot_be_written_is_one_line_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"Cannot write .*: No such file.*--out"):
        FileSink(str(tmp_path / "missing" / "plays"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_line_with_the_cure() -> None:
    with pytest.raises(MachineError, match=r"Cannot write /dev/full: No space left"):
        write(Path("/dev/full"), rate=None, events=10)


def test_a_closed_pipe_ends_it_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with io.TextIOWrapper(os.fdopen(writing, "wb")) as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        progress = simulate(FileSink("-"), SimulationOptions(**SMALL, rate=None))
    assert progress.sent == 0
