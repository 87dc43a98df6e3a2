"""Tables for people: what they show, at which width, and how numbers and times are written."""

import io
import re
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from crossfade.cli import answer_table, tables
from crossfade.cli.answer_table import choose_columns, print_answer
from crossfade.cli.backup import show_summary
from crossfade.cli.batch import show_run
from crossfade.cli.tables import (
    Column,
    format_counts,
    format_moment,
    format_number,
    format_share,
    open_console,
    print_table,
    shorten_times,
)
from crossfade.clock import DAY_MS, parse_time
from crossfade.folder import DataFolder
from crossfade.lake.runs import require_run
from support.handmade_lake import NOON, a_lake, a_play, records_of

_LONG = "The Universal Sigh of a Very Long Title That Goes On, Pt. II (Remastered 2011)"


def a_row(rank: int, **fields: Any) -> dict[str, Any]:
    row = {
        "rank": rank,
        "song_id": f"s{rank}",
        "title": f"Song {rank}",
        "artist": f"Artist {rank}",
        "charted_plays": 20_000 // rank,
        "counted_plays": 20_000 // rank,
        "plays": 30_000 // rank,
        "minutes": 70_037.08 / rank,
        "listeners": 1_234 // rank,
    }
    return row | fields


def an_answer(*rows: dict[str, Any], **fields: Any) -> dict[str, Any]:
    answer = {
        "rows": list(rows),
        "from": "2019-06-01T00:00:00Z",
        "to": "2019-07-01T00:00:00Z",
        "complete": True,
        "why": "",
        "provisional": False,
    }
    return answer | fields


def shown(answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch, width: int) -> list[str]:
    """Return the lines that a terminal of a width shows, without colours."""
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, color_system=None, markup=False)
    monkeypatch.setattr(answer_table, "open_console", lambda: console)
    print_answer(answer, "Most played songs")
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_no_row_takes_two_lines_or_is_wider_than_the_terminal(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    rows = [a_row(n, title=_LONG, artist=_LONG, charted_plays=n) for n in range(1, 4)]
    lines = shown(an_answer(*rows), monkeypatch, width)
    assert [line.split()[0] for line in lines] == ["Most", "#", "1", "2", "3", "Complete."]
    assert max(map(len, lines)) <= width
    assert lines[2].count("…") >= 1


def test_at_eighty_columns_names_of_common_length_are_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [a_row(1, title="Hinter klugen Sätzen", artist="AnnenMayKantereit")]
    [_, head, row, _] = shown(an_answer(*rows), monkeypatch, 80)
    assert head.split() == ["#", "title", "artist", "counted", "plays", "plays", "~listeners"]
    assert row.split("  ")[1:3] == ["Hinter klugen Sätzen", "AnnenMayKantereit"]
    assert row.split()[-3:] == ["20,000", "30,000", "1,234"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["counted_plays", "plays"]),
        ({"plays": 5, "counted_plays": 5, "charted_plays": 5}, ["counted_plays"]),
        ({"plays": 5, "counted_plays": 5, "charted_plays": 4}, ["charted_plays", "counted_plays"]),
        (
            {"plays": 9, "counted_plays": 5, "charted_plays": 4},
            ["charted_plays", "counted_plays", "plays"],
        ),
    ],
)
def test_equal_measures_are_shown_once(fields: dict[str, int], expected: list[str]) -> None:
    chosen = choose_columns([a_row(1, **fields)], 200)
    assert [name for name in chosen if "plays" in name] == expected


def test_one_differing_row_shows_both_measures() -> None:
    rows = [a_row(1, plays=5, counted_plays=5), a_row(2, plays=5, counted_plays=4)]
    assert "plays" in choose_columns(rows, 200)


def test_an_unknown_measure_is_left_out() -> None:
    assert "listeners" not in choose_columns([a_row(1, listeners=None)], 200)
    assert "listeners" in choose_columns([a_row(1, listeners=None), a_row(2)], 200)


def test_a_piped_table_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    print_answer(an_answer(a_row(1, title=_LONG * 3, artist="[bold]A[/] :smile:")), "Songs")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert f"{_LONG * 3}  [bold]A[/] :smile:  " in lines[2]
    assert not any(line.endswith(" ") for line in lines)
    assert "~listeners" in lines[1]


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        ("2019-06-01T00:00:00Z", "2019-07-01T00:00:00Z", "2019-06-01 to 2019-06-30 (UTC)"),
        ("2019-06-01T00:00:00Z", "2019-06-02T00:00:00Z", "2019-06-01 (UTC)"),
        (
            "2019-06-01T10:00:00Z",
            "2019-06-01T11:10:00Z",
            "2019-06-01 10:00 to 11:10 UTC",
        ),
        (
            "2019-06-01T23:50:00Z",
            "2019-06-02T00:50:00Z",
            "2019-06-01 23:50 to 2019-06-02 00:50 UTC",
        ),
        (None, "2019-06-02T00:00:00Z", "all plays until 2019-06-02 00:00 UTC"),
    ],
)
def test_a_range_is_short_with_its_zone_once(
    begin: str | None, end: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_answer(an_answer(**{"from": begin, "to": end}), "Songs")
    assert capsys.readouterr().out == f"Songs, {expected}\nNo plays.\nComplete.\n"


def test_a_reason_has_short_times_and_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    why = "speed is not read here: plays from 2019-06-01T12:30:00Z on are unknown [red]"
    print_answer(an_answer(complete=False, why=why, provisional=True), "Songs")
    assert capsys.readouterr().out.endswith(
        "Incomplete: speed is not read here: plays from 2019-06-01 12:30 UTC on are unknown [red]; "
        "provisional: part of the range is not closed yet.\n"
    )


def test_a_time_of_today_has_no_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "now_ms", lambda: parse_time("2026-01-01T23:59:59.999Z"))
    assert format_moment(parse_time("2026-01-01T00:00:00Z")) == "00:00"
    assert format_moment(parse_time("2026-01-01T12:30:10.999Z")) == "12:30:10"
    assert format_moment(parse_time("2025-12-31T23:59:00Z")) == "2025-12-31 23:59"
    assert shorten_times("at 2026-01-01T12:30:00.001Z.") == "at 12:30 UTC."
    assert shorten_times("at most 1767270600000: 300000 ms") == "at most 12:30 UTC: 300000 ms"
    assert shorten_times("id-17672706000001 a1767270600000") == "id-17672706000001 a1767270600000"


def test_numbers_and_shares_have_fixed_decimals() -> None:
    assert [format_number(n) for n in (0, 1_234_567, 1_234.56, 46.63, 2.0, None, "x")] == [
        *("0", "1,234,567", "1,234.6", "46.6", "2.0", "-", "x"),
    ]
    assert [format_share(share) for share in (1.0, 0.1234, 0, None)] == [
        *("100.0%", "12.3%", "0.0%", "-"),
    ]
    assert format_counts({"a": 1_000, "b": 2}.items()) == "a 1,000, b 2"
    assert format_counts([]) == "-"


@pytest.mark.parametrize("width", [24, 40, 80])
def test_only_texts_give_way(width: int) -> None:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, color_system=None)
    columns = [Column("song", "text"), Column("at"), Column("plays", "number")]
    print_table(console, columns, [["夜に駆ける" * 9, "12:30", "1,000,000"]])
    head, row = file.getvalue().splitlines()
    assert head.split() == ["song", "at", "plays"]
    assert "…" in row
    assert row.endswith("12:30  1,000,000")


def test_a_console_that_is_no_terminal_breaks_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    open_console().print("word " * 100)
    assert capsys.readouterr().out.count("\n") == 1


def test_the_summary_of_a_run_has_no_python_value(
    data_folder: DataFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = a_lake(records_of(*(a_play(n) for n in range(6))), boundary=NOON + DAY_MS)
    run = require_run(lake.write(data_folder).lake)
    reasons = {"title_missing": 1_000, "song_id_invalid": 1}
    show_run(replace(run, counts=replace(run.counts, rejected_by_reason=reasons)))
    shown = capsys.readouterr().out
    assert re.search(r"^answers up to +2026-01-02 12:00 UTC$", shown, re.MULTILINE)
    assert re.search(r"^by reason +title_missing 1,000, song_id_invalid 1$", shown, re.MULTILINE)
    assert re.search(r"^dropped fields +-$", shown, re.MULTILINE)
    assert not re.search(r"None|[{}']|\d{10,}", shown)


def test_the_summary_of_a_backup_has_no_python_value(capsys: pytest.CaptureFixture[str]) -> None:
    fields = {
        "backup": "/backups/[a]",
        "taken_at": "2026-01-01T12:30:00.250Z",
        "bytes": 1_500_000,
        "run": None,
        "records": 1_234_567,
        "end_offsets": {"1": 5_000, "0": 12},
        "has_kafka": True,
        "seconds": 2.0,
    }
    show_summary(fields, as_json=False)
    assert [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()] == [
        ["backup", "/backups/[a]"],
        ["taken", "at     2026-01-01 12:30 UTC"],
        ["bytes", "1.5 MB"],
        ["run", "-"],
        ["records", "1,234,567"],
        ["end", "offsets  partition 0: 12, partition 1: 5,000"],
        ["has", "kafka    yes"],
        ["seconds", "2.0"],
    ]
