"""The report of an import: what batch will count, what is refused and why, and its exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from crossfade.cli.chosen_folder import open_chosen_folder
from crossfade.cli.imports import _describe_rejected, _fail_unless_complete, _print_report
from crossfade.config import CHILD_MARK, load_settings
from crossfade.contract.decode import encode_play
from crossfade.contract.play import Play
from crossfade.errors import CrossfadeError, MachineError, MisuseError
from crossfade.folder import DataFolder, StackAddresses, write_stack
from crossfade.ingest import tally as tally_module
from crossfade.ingest.files import open_source
from crossfade.ingest.formats import ImportFormat
from crossfade.ingest.importing import read_plays
from crossfade.ingest.readers import ImportOptions, reader_of
from crossfade.ingest.refused import RefusedFile, check_refused_name
from crossfade.ingest.report import ImportReport
from crossfade.ingest.tally import Tally
from crossfade.lake.runs import require_run
from crossfade.stack.running import list_stacks
from support.handmade_lake import NOON, Record, a_lake, a_play

KNOWN = [a_play(1), a_play(2, event_time=NOON - 40 * 86_400_000)]


def tally_up(
    folder: DataFolder, plays: list[Play], *, in_kafka: tuple[Play, ...] = ()
) -> ImportReport:
    with Tally(folder.lake, require_run(folder.lake)) as tally:
        tally.know(in_kafka)
        for play in plays:
            tally.add(play)
        tally.finish()
    return tally.report


@pytest.fixture
def counted(data_folder: DataFolder) -> DataFolder:
    """Return a folder in whose lake the known plays are."""
    records = [Record(0, n, encode_play(play), NOON + n) for n, play in enumerate(KNOWN)]
    return a_lake(records, boundary=0).write(data_folder)


# --- what batch will count -----------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_a_play_that_is_known_or_repeated_is_told_apart_and_not_counted(
    counted: DataFolder, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally_module, "_AT_ONCE", at_once)
    new, other = a_play(3), a_play(4, ms_played=1_000)
    report = tally_up(counted, [*KNOWN, new, other, new, *KNOWN, new])
    assert (report.accepted, report.known, report.repeated) == (8, 4, 2)
    assert (report.counted, report.ms_played) == (1, 61_000)


def test_a_play_that_only_kafka_holds_is_known(counted: DataFolder) -> None:
    waiting = a_play(3)
    report = tally_up(counted, [waiting, a_play(4), waiting], in_kafka=(waiting, waiting))
    assert (report.known, report.repeated, report.counted) == (2, 0, 1)


@pytest.mark.parametrize(
    "change",
    [{"user_id": "user-9"}, {"event_id": "event-other"}, {"event_time": NOON + 86_400_000}],
)
def test_only_the_same_listener_id_and_day_make_a_known_play(
    counted: DataFolder, change: dict[str, object]
) -> None:
    report = tally_up(counted, [a_play(1, **change)])
    assert (report.known, report.counted) == (0, 1)


def test_the_first_of_two_equal_ids_counts(counted: DataFolder) -> None:
    report = tally_up(counted, [a_play(3, ms_played=1_000), a_play(3, ms_played=60_000)])
    assert (report.accepted, report.counted, report.repeated) == (2, 0, 1)


# --- refused rows --------------------------------------------------------------------------------


def read_file(path: Path, refused: Path) -> tuple[ImportReport, list[dict[str, object]]]:
    report = ImportReport()
    reader = reader_of(
        ImportFormat.SPOTIFY if path.suffix == ".json" else ImportFormat.JSONL,
        ImportOptions("anna"),
    )
    with RefusedFile(str(refused)) as rows, open_source(str(path)) as file:
        plays = read_plays(str(path), file, reader, report, clock_slack_ms=0, refused=rows)
        report.accepted = len(list(plays))
    return report, [json.loads(line) for line in refused.read_text("utf-8").splitlines()]


def test_refused_rows_are_written_as_they_were_with_their_reason(tmp_path: Path) -> None:
    path = tmp_path / "plays.jsonl"
    bad = [b'{"title": "caf\xc3\xa9"}', b"not json", b"\xff\xfe"]
    path.write_bytes(b"\n".join([*bad, encode_play(a_play())]))
    report, [first, second, third] = read_file(path, tmp_path / "refused.jsonl")
    assert (report.accepted, report.rejected) == (1, 3)
    assert first == {
        "file": str(path),
        "line": 1,
        "reason": "missing_field",
        "expected": report.problems[0].expected,
        "value": bad[0].decode(),
    }
    assert (second["value"], second["reason"]) == ("not json", "json_syntax")
    assert third["value_base64"] == "//4="


def test_a_refused_row_of_an_array_is_its_text_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "year.json"
    path.write_bytes(b'[{"endTime":  "x", "artistName": "\\ud800"},\n {"a": "\xff"}, null]')
    report, refused = read_file(path, tmp_path / "refused.jsonl")
    assert report.rejected == len(refused) == 3
    assert refused[0]["value"] == '{"endTime":  "x", "artistName": "\\ud800"}'
    assert refused[1]["value_base64"] == "eyJhIjogIv8ifQ=="
    assert (refused[2]["value"], refused[2]["line"]) == ("null", 2)


def test_an_input_is_never_replaced_by_the_refused_rows(tmp_path: Path) -> None:
    path = tmp_path / "plays.jsonl"
    path.write_text("x", "utf-8")
    check_refused_name(str(tmp_path / "refused.jsonl"), [str(path), "-"])
    with pytest.raises(MisuseError, match="--refused would replace it"):
        check_refused_name(str(tmp_path / "." / "plays.jsonl"), ["-", str(path)])


def test_a_file_for_refused_rows_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    name = str(tmp_path / "absent" / "refused.jsonl")
    with pytest.raises(MachineError, match=r"Cannot write .*absent"), RefusedFile(name):
        pass


def test_refusals_are_grouped_by_reason_with_whole_file_names(tmp_path: Path) -> None:
    path = tmp_path / ("long-name-" * 12 + ".jsonl")
    path.write_bytes(b"x\n" * 5 + b"{}\n")
    report, _ = read_file(path, tmp_path / "refused.jsonl")
    lines = _describe_rejected(report, None)
    assert lines[0] == "json_syntax: 5 rejected"
    assert lines[1].startswith(f"  {path}, line 1: ")
    assert lines[4:6] == ["  and 2 more", "missing_field: 1 rejected"]
    assert 'not in "crossfade rejected"' in lines[-1]
    assert "--refused FILE" in lines[-1]
    assert _describe_rejected(report, "refused.jsonl")[-1].endswith("They are in refused.jsonl.")


def test_the_report_is_one_line_if_every_play_is_new(capsys: pytest.CaptureFixture[str]) -> None:
    report = ImportReport(accepted=1_500, counted=1_000, ms_played=3_600_000)
    _print_report(report, None)
    line = "1,500 plays accepted, 1,000 of them counted, 1.0 hours heard; 0 rejected.\n"
    assert capsys.readouterr().out == line


def test_the_report_names_what_does_not_count(capsys: pytest.CaptureFixture[str]) -> None:
    report = ImportReport(accepted=9, known=4, repeated=2, erased=3, unread=7)
    report.dropped.update(["album", "isrc", "album"])
    report.left_out.append("x.zip/a.pdf is not recognised as plays.")
    _print_report(report, None)
    out = capsys.readouterr().out
    assert "4 known already, 2 repeated in the input" in out
    assert "3 plays of erased listeners" in out
    assert "album 2, isrc 1" in out
    assert "7 records that batch has not read yet" in out
    assert "Left out: x.zip/a.pdf" in out


def test_a_file_of_which_nothing_was_accepted_fails_the_import() -> None:
    _fail_unless_complete(ImportReport(accepted=1, rejected=5))
    report = ImportReport(accepted=1, rejected=5, fruitless=["a.jsonl", "b.jsonl"])
    with pytest.raises(CrossfadeError, match=r"Nothing in a\.jsonl and 1 more files") as caught:
        _fail_unless_complete(report)
    assert caught.value.exit_code == 1


# --- the data folder -----------------------------------------------------------------------------


def test_a_new_data_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = load_settings(data=tmp_path / "new")
    for expected in (f"Created the data folder {tmp_path / 'new'}.\n", ""):
        open_chosen_folder(settings)
        assert capsys.readouterr().err == expected


def test_a_stack_on_another_folder_is_named_instead_of_a_guess(
    data_folder: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.delenv("CROSSFADE_DATA", raising=False)
    monkeypatch.delenv("CROSSFADE_BOOTSTRAP", raising=False)
    command = [sys.executable, "-c", "import sys; print(1, flush=True); sys.stdin.read()"]
    environment = {**os.environ, CHILD_MARK: str(data_folder.root)}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert data_folder.root not in list_stacks()
        write_stack(data_folder, StackAddresses(child.pid, "now", "127.0.0.1:1", "http://x"))
        assert data_folder.root in list_stacks()
        with pytest.raises(MisuseError, match="a stack runs on") as caught:
            open_chosen_folder(load_settings())
        assert str(data_folder.root) in str(caught.value)
        assert not (tmp_path / "elsewhere" / "data").exists()
        assert open_chosen_folder(load_settings(data=data_folder.root)).root == data_folder.root
        child.kill()
    assert data_folder.root not in list_stacks()
