"""The demo's screen and its summary, as text at the common widths of terminals."""

import io
import re
from collections import deque
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from crossfade.cli.demo_screen import DemoScreen, DemoState
from crossfade.cli.demo_summary import DemoSummary, print_summary
from crossfade.clock import parse_time
from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.lake.findings import Finding, Reconciliation, Verdict
from crossfade.lake.runs import Run, RunCounts

_NOW = parse_time("2026-01-01T12:00:42Z")
_WIDTHS = (80, 100, 120, 200)
_STEPS = ("live", "the audience has left; batch takes over the last windows", "starting Kafka")


def a_song(rank: int, **fields: Any) -> dict[str, Any]:
    song = {
        "rank": rank,
        "title": f"Ganu in the Breavepil of Song {rank}",
        "artist": "Kenstom & The Fanpails",
        "counted_plays": 12_345 // rank,
        "plays": 23_456 // rank,
        "listeners": 11_222 // rank,
    }
    return song | fields


def a_run(number: int) -> Run:
    return Run(
        run=number,
        run_uuid="u",
        pins={},
        start_offsets={},
        end_offsets={},
        last_log_times={},
        next_log_times={},
        log_time=_NOW,
        boundary=NO_BOUNDARY if number == 0 else parse_time(f"2026-01-01T11:59:{number}0Z"),
        gaps=(),
        counts=RunCounts(accepted=123_456),
        rules="2",
        code_version="",
        started_at_ms=_NOW - 12_300,
        published_at_ms=_NOW,
    )


def a_state(step: str = "live") -> DemoState:
    return DemoState(
        grain_ms=10_000,
        total_ms=90_000,
        step=step,
        began_ms=_NOW - 30_000,
        now_ms=_NOW,
        records=1_234_567,
        rates=deque((1_000.0 + n * 50 for n in range(40)), maxlen=40),
        imported=29_632,
        trending=[a_song(rank) for rank in range(1, 11)],
        scenario='A song goes viral: "Ganu in Breavepil" is played ten times as often as before',
        scenario_at_ms=_NOW + 12_000,
        complete=False,
        why="speed's windows before 2026-01-01T11:59:30Z are not held",
        boundary=parse_time("2026-01-01T11:59:30Z"),
        runs=deque(a_run(n) for n in range(6)),
    )


def draw(state: DemoState, width: int) -> list[str]:
    console = Console(width=width, record=True, file=io.StringIO(), color_system=None)
    console.print(DemoScreen(state))
    return console.export_text().splitlines()


@pytest.mark.parametrize("width", _WIDTHS)
@pytest.mark.parametrize("step", _STEPS)
def test_the_screen_fits_and_its_words_do_not_touch(width: int, step: str) -> None:
    lines = draw(a_state(step), width)
    text = "\n".join(lines)
    assert {cell_len(line) for line in lines} == {width}
    assert f"Crossfade: {step} " in text
    assert re.search(r"2,950 plays/s  [▁▂▃▄▅▆▇█ ]+│", text)
    assert "│ 1,234,567 records in Kafka, 29,632 of them from a real year " in text
    assert re.search(r" # +song +artist +counted plays +~listeners ", text)
    assert re.search(r" run +boundary +accepted +took ", text)
    assert re.search(r"batch │ 11:59:30 │ speed, 72 s ", text)
    assert "time boundary (UTC)" in text


@pytest.mark.parametrize("width", _WIDTHS)
def test_each_song_and_each_run_has_one_line(width: int) -> None:
    text = "\n".join(draw(a_state(), width))
    assert len(re.findall(r" [1-8]  Ganu .*Kenstom.* [\d,]+ +[\d,]+ ", text)) == 8
    assert len(re.findall(r" [0-5]  +(?:-|11:59:\d\d)   123,456  12\.3 s ", text)) == 6


@pytest.mark.parametrize("width", _WIDTHS)
def test_the_first_screen_is_whole_before_anything_has_happened(width: int) -> None:
    lines = draw(DemoState(10_000, 90_000), width)
    assert {cell_len(line) for line in lines} == {width}
    assert any("no batch run yet" in line for line in lines)
    assert any("0 plays/s" in line for line in lines)


def a_summary(*, holds: bool = True) -> DemoSummary:
    verdict = Verdict.HOLDS if holds else Verdict.UNEXPLAINED
    findings = (
        Finding("bronze = Kafka", "all", 1_234_567, 1_234_567 if holds else 5, verdict),
        Finding("speed = batch", "windows", "-", "-", Verdict.UNCHECKED),
    )
    songs = [a_song(rank) for rank in (1, 2, 3)]
    artists = [{"rank": 1, "artist": "Leoniden", "counted_plays": 637}]
    return DemoSummary(
        records=1_234_567,
        imported=29_632,
        first_window_s=12.34,
        runs=17,
        week=songs,
        month=songs,
        artists=artists,
        countries={"IN": songs[:2], "US": [a_song(1, title="[bold]夜に駆ける[/]")]},
        proof=Reconciliation(17, _NOW, findings),
    )


def summarize(summary: DemoSummary, width: int) -> list[str]:
    file = io.StringIO()
    print_summary(Console(width=width, file=file, color_system=None, markup=False), summary)
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", _WIDTHS)
def test_the_summary_has_one_line_for_each_entry_and_names_the_charts(width: int) -> None:
    lines = summarize(a_summary(), width)
    assert max(cell_len(line) for line in lines) <= width
    entries = [line for line in lines if re.search(r" \d  .* [\d,]+$", line)]
    assert len(entries) == 3 + 3 + 1 + 2 + 1
    assert entries[0].startswith("week of 2019-06-28  1  Ganu")
    assert entries[6].startswith("December 2018       1   ")
    assert entries[7].startswith("now in IN ")
    assert "[bold]夜に駆" in entries[9]


def test_the_summary_says_whether_the_proof_holds() -> None:
    assert "Proved: nothing lost, nothing counted twice, both layers agree." in summarize(
        a_summary(), 100
    )
    lines = summarize(a_summary(holds=False), 100)
    assert "NOT PROVED." in lines
    assert "2 checks: unexplained 1, unchecked 1" in lines
    assert "bronze = Kafka, all: expected 1,234,567, found 5" in [line.strip() for line in lines]
