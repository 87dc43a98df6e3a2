"""Which commands create a data folder, what they report of it, and `~` in the paths of options."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from crossfade.cli import app
from crossfade.cli.options import expand_home_option, open_or_create_folder
from crossfade.config import load_settings
from crossfade.errors import CrossfadeError, MisuseError, StackError

runner = CliRunner()

READERS = [
    "trending", "chart songs", "geography", "status", "reconcile", "rejected", "rejected replay",
    "lake tables", "lake files gold/chart", "serve", "reset", "reset --yes", "erase --user a --yes",
    "backup {elsewhere}", "generate --events 1",
]  # fmt: skip
"""Commands that need a data folder and never create one."""


def test_a_new_data_folder_is_reported_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings(data=tmp_path / "new" / "data")
    open_or_create_folder(settings)
    open_or_create_folder(settings)
    said = capsys.readouterr()
    assert said.err == f"Created the data folder {tmp_path}/new/data.\n"
    assert said.out == ""


def run(command: str, tmp_path: Path, data: Path) -> BaseException | None:
    words = command.format(elsewhere=tmp_path / "elsewhere").split()
    return runner.invoke(app, [*words, "--data", str(data)]).exception


@pytest.mark.parametrize("command", READERS)
def test_a_command_that_needs_a_data_folder_creates_none(command: str, tmp_path: Path) -> None:
    error = run(command, tmp_path, tmp_path / "none")
    assert isinstance(error, StackError)
    assert f"No data folder at {tmp_path / 'none'}." in str(error)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", READERS)
def test_a_folder_of_somebody_else_is_named_and_left_alone(command: str, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "cat.jpg").write_bytes(b"cat")
    error = run(command, tmp_path, photos)
    assert isinstance(error, MisuseError)
    assert f"{photos} is not a data folder of Crossfade." in str(error)
    assert [path.name for path in photos.iterdir()] == ["cat.jpg"]
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


@pytest.mark.parametrize("command", ["config", "doctor"])
def test_a_command_about_the_machine_creates_no_folder(command: str, tmp_path: Path) -> None:
    error = run(command, tmp_path, tmp_path / "none")
    assert not isinstance(error, CrossfadeError)
    assert list(tmp_path.iterdir()) == []


def test_every_path_of_an_option_may_begin_with_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    small = [
        "--songs",
        "100",
        "--listeners",
        "5000",
        "--rate",
        "10",
        "--from",
        "2019-06-01",
        "--for",
        "2s",
    ]
    out = ["--out=~/plays.jsonl", "--ledger=~/ledger"]
    assert runner.invoke(app, ["generate", *small, *out]).exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ledger", "plays.jsonl"]
    error = runner.invoke(app, ["import", "jsonl", "~/none.jsonl"]).exception
    assert str(tmp_path / "none.jsonl") in str(error)
    error = runner.invoke(app, ["restore", "~/backup", "--data=~/data"]).exception
    assert str(tmp_path / "backup") in str(error)
    error = runner.invoke(app, ["reconcile", "--ledger=~/none"]).exception
    assert str(tmp_path / "none") in str(error)


def test_a_missing_path_and_standard_input_stay_as_they_are() -> None:
    assert expand_home_option(None) is None
    assert expand_home_option("-") == "-"
    assert expand_home_option(["a", "-"]) == ["a", "-"]
