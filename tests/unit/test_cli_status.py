"""`crossfade status`: the page for people, from the values that --json has."""

import json
import re
from typing import Any

import pytest

from crossfade.cli import status_page, tables
from crossfade.cli.status import status
from crossfade.cli.status_page import describe_length, print_status
from crossfade.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, parse_time
from crossfade.folder import DataFolder
from support.handmade_lake import NOON, a_lake, a_play, records_of

_NOW = parse_time("2026-01-01T12:34:00Z")


@pytest.fixture(autouse=True)
def _at_a_fixed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_page, "now_ms", lambda: _NOW)
    monkeypatch.setattr(tables, "now_ms", lambda: _NOW)


def a_child(name: str, **fields: Any) -> dict[str, Any]:
    child = {
        "name": name,
        "state": "running",
        "pid": 17,
        "since_ms": _NOW - HOUR_MS - 5 * MINUTE_MS,
        "restarts": 0,
        "log": f"/data/logs/{name}.log",
        "alarm": "",
    }
    return child | fields


def a_summary(**fields: Any) -> dict[str, Any]:
    """Return what `crossfade status --json` has of a healthy stack, with some of it changed."""
    layers = {
        "boundary": "2026-01-01T12:30:00Z",
        "boundary_age_ms": 4 * MINUTE_MS,
        "as_of": "2026-01-01T12:31:05.250Z",
        "song_id_conflicts": {"count": 0, "examples": []},
        "batch": {
            "run": 17,
            "bronze_rows": 1_234_567,
            "accepted": 1_234_567,
            "rejected": 0,
            "duplicates": 0,
            "erased": 0,
            "late": 0,
            "rejected_by_reason": {},
            "end_offsets": {"0": 1_000, "1": 500},
            "rules": "2",
            "took_ms": 12_345,
            "published_at": "2026-01-01T12:31:05.250Z",
        },
        "run_at_work": None,
        "speed": {
            "ready": True,
            "lag_ms": 2_100,
            "marker_age_ms": 800,
            "late_pending": 0,
            "rows": 10,
            "epoch": "e",
            "batch": 3,
            "trouble": "",
        },
        "streams": {"archive": {"end_offsets": {"0": 1_000, "1": 500}, "batch": 1, "at": _NOW}},
        "alarms": {},
        "plays_refused": "",
    }
    summary = {
        "data": "/data",
        "stack": {"bootstrap": "127.0.0.1:9092", "api": "http://127.0.0.1:8000", "pid": 1},
        "children": [a_child("broker"), a_child("batch", state="starting", since_ms=None)],
        "plays_refused": "",
        "disk": {
            "parts": {"kafka": 3_300_000, "gold": 0},
            "free": 82_500_000_000,
            "days_left": 1_374.4,
        },
        "logs": "/data/logs",
    }
    changed = {name: fields.pop(name) for name in list(fields) if name in summary}
    batch = layers["batch"] | fields.pop("batch", {})  # type: ignore[operator]
    speed = layers["speed"] | fields.pop("speed", {})  # type: ignore[operator]
    return summary | {"layers": layers | {"batch": batch, "speed": speed} | fields} | changed


def page(summary: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    print_status(summary)
    return capsys.readouterr().out


def test_a_healthy_stack_is_shown_in_time_and_in_numbers_for_people(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert page(a_summary(), capsys).splitlines() == [
        "A stack runs on /data: Kafka 127.0.0.1:9092, http://127.0.0.1:8000",
        "",
        "process  state           for  restarts",
        "broker   running   1 h 5 min         0",
        "batch    starting          -         0",
        "",
        "How far",
        "batch       answers up to 12:30 UTC (4 min ago)",
        "newest run  17, published 12:31:05 UTC, took 12.3 s",
        "records     1,234,567: 1,234,567 accepted",
        "speed       is 2 s behind; it last reported 0 s ago",
        "",
        "What waits",
        "nothing",
        "",
        "What is wrong",
        "nothing",
        "",
        "Disk",
        "kafka  3.3 MB",
        "free   82.5 GB, full in 1,374 days at this rate",
        "",
        "Logs: /data/logs",
    ]


def test_what_waits_and_what_is_wrong_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    shown = page(
        a_summary(
            children=[
                a_child("streams", alarm="micro-batch 7 [of speed]"),
                a_child("batch", state="waiting", since_ms=None, restarts=3),
            ],
            plays_refused="The disk of /data has 0.1 GB free.",
            run_at_work={"run": 18, "began_at": "2026-01-01T12:33:20Z"},
            streams={"archive": {"end_offsets": {"0": 1_200, "1": 500, "2": 34}}},
            song_id_conflicts={"count": 2, "examples": ["s1", "s2"]},
            batch={
                "rejected": 1_002,
                "rejected_by_reason": {"event_time_future": 2, "title_missing": 1_000},
                "dropped_by_field": {"isrc": 1, "country": 12},
            },
            speed={"late_pending": 12, "trouble": "plays-by-window is cut"},
        ),
        capsys,
    )
    for line in (
        r"at work +run 18, for 40 s",
        r"batch +234 archived records, for its next run",
        r"late plays +12: only the next run of batch counts them",
        r"streams +alarm: micro-batch 7 \[of speed\]",
        r"batch +has failed and starts again",
        r"plays +The disk of /data has 0.1 GB free\.",
        r"speed +plays-by-window is cut",
        r"rejected +title_missing 1,000, event_time_future 2; see crossfade rejected",
        r"dropped fields +country 12, isrc 1",
        r"song ids +2 name several songs: s1, s2",
    ):
        assert re.search(f"^{line}$", shown, re.MULTILINE), (line, shown)


@pytest.mark.parametrize(
    "summary",
    [
        a_summary(),
        a_summary(stack=None, layers={"error": "no batch run was published yet"}, children=[]),
        a_summary(layers={"error": "The API does not answer"}),
        a_summary(stack=None, layers={"run": 1, "boundary": None, "as_of": "2026-01-01T12:00:00Z"}),
        a_summary(speed={"ready": False, "lag_ms": None, "marker_age_ms": None}),
        a_summary(speed={"lag_ms": None, "marker_age_ms": None, "late_pending": None}),
        a_summary(speed={"lag_ms": None}),
        a_summary(boundary=None, streams=None, disk={"parts": {}, "free": 0, "days_left": None}),
    ],
)
def test_no_state_shows_a_python_value_or_milliseconds(
    summary: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = page(summary, capsys)
    assert not re.search(r"None|[{}']|True|False|\b\d{6,}\b|\dT\d", shown), shown
    assert shown.count("UTC") <= 2


def test_lengths_have_one_or_two_units() -> None:
    lengths = (0, -5, 2_100, MINUTE_MS, 65 * SECOND_MS, HOUR_MS + 61 * SECOND_MS, 400 * DAY_MS)
    assert [describe_length(one) for one in lengths] == [
        *("0 s", "0 s", "2 s", "1 min", "1 min 5 s", "1 h 1 min", "400 d"),
    ]


def test_a_folder_without_a_stack_has_a_page_and_the_raw_values(
    data_folder: DataFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = a_lake(records_of(*(a_play(n) for n in range(6))), boundary=NOON + DAY_MS)
    lake.write(data_folder)
    status(data_folder.root, as_json=True)
    raw = json.loads(capsys.readouterr().out)
    assert raw["layers"]["boundary"] == "2026-01-02T12:00:00Z"
    assert raw["disk"]["parts"]["gold"] > 0
    status(data_folder.root)
    shown = capsys.readouterr().out
    assert f"No stack runs on {data_folder.root}; crossfade up starts one." in shown
    assert "answers up to 2026-01-02 12:00 UTC" in shown
