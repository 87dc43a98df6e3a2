"""`crossfade reconcile` and `crossfade lake`, called through their command functions."""

import json
from pathlib import Path

import pytest
import typer

from crossfade.cli import lake as lake_command
from crossfade.cli.reconcile import reconcile
from crossfade.clock import DAY_MS
from crossfade.errors import LakeError, MisuseError, StackError
from crossfade.folder import DataFolder
from support.handmade_lake import NOON, HandmadeLake, a_lake, a_play, records_of


def handmade() -> HandmadeLake:
    return a_lake(records_of(*(a_play(n) for n in range(6))), boundary=NOON + DAY_MS)


def test_a_proof_that_passes_is_reported_as_json(
    data_folder: DataFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    handmade().write(data_folder)
    reconcile(data_folder.root, as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert (report["holds"], report["unexplained"], report["run"]) == (True, 0, 1)
    assert report["boundary"] == "2026-01-02T12:00:00Z"
    assert {finding["verdict"] for finding in report["findings"]} == {"holds", "unchecked"}


def test_a_proof_that_fails_exits_with_1_and_names_the_record(
    data_folder: DataFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = handmade()
    del wrong.tables["silver/plays"][0]
    wrong.write(data_folder)
    with pytest.raises(typer.Exit) as exit_:
        reconcile(data_folder.root)
    assert exit_.value.exit_code == 1
    shown = capsys.readouterr().out
    assert "song-plays [0] offset 0: accepted, rejected, duplicate and erased nowhere" in shown
    assert "unexplained" in shown


def test_a_folder_without_a_run_is_an_error_with_its_cure(data_folder: DataFolder) -> None:
    with pytest.raises(LakeError, match="crossfade batch --once"):
        reconcile(data_folder.root)


def test_a_missing_folder_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="No data folder"):
        reconcile(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_the_files_of_the_pinned_version_are_listed(
    data_folder: DataFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = handmade()
    lake.write(data_folder)
    lake_command.files("silver/plays", data_folder.root)
    pinned = capsys.readouterr().out.splitlines()
    assert pinned
    assert all(Path(path).exists() for path in pinned)
    lake.tables["gold/run"] = []
    lake.write(data_folder)
    lake_command.files("silver/plays", data_folder.root, version=0, as_json=True)
    assert json.loads(capsys.readouterr().out) == pinned
    lake_command.files("silver/plays", data_folder.root)
    assert capsys.readouterr().out.splitlines() != pinned


def test_a_missing_table_or_version_is_misuse(data_folder: DataFolder) -> None:
    handmade().write(data_folder)
    with pytest.raises(MisuseError, match="Known tables: bronze/song_plays"):
        lake_command.files("silver/songs", data_folder.root)
    with pytest.raises(MisuseError, match="Its newest is 0"):
        lake_command.files("silver/plays", data_folder.root, version=7)


def test_every_table_is_shown_with_its_rows_and_pin(
    data_folder: DataFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    handmade().write(data_folder)
    lake_command.tables(data_folder.root, as_json=True)
    shown = {row["table"]: row for row in json.loads(capsys.readouterr().out)}
    assert shown["silver/plays"]["rows"] == 6
    assert shown["silver/plays"]["bytes"] > 0
    assert shown["silver/plays"]["pin"] == shown["silver/plays"]["version"] == 0
    assert (shown["silver/rejected"]["rows"], shown["silver/rejected"]["files"]) == (0, 0)
    assert shown["gold/run"]["pin"] is None
    lake_command.tables(data_folder.root)
    assert "silver/plays" in capsys.readouterr().out
