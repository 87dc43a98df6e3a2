"""`crossfade erase`: its checks before anything is erased."""

import sys
from pathlib import Path

import pytest

from crossfade.cli.erase import erase
from crossfade.erasure.suppression import load_suppression
from crossfade.errors import LakeError, MisuseError, StackError
from crossfade.folder import DataFolder


@pytest.mark.parametrize("user", ["", "x" * 257, "line\nfeed", "zero\x00"])
def test_an_impossible_listener_id_is_misuse(data_folder: DataFolder, user: str) -> None:
    with pytest.raises(MisuseError, match="1 to 256 characters"):
        erase(user, data_folder.root, yes=True)
    assert not load_suppression(data_folder)


def test_without_a_terminal_it_needs_the_yes_option(
    data_folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/null").open() as no_terminal:
        monkeypatch.setattr(sys, "stdin", no_terminal)
        with pytest.raises(MisuseError, match="Add --yes to do it"):
            erase("listener-42", data_folder.root)
    assert not load_suppression(data_folder)


def test_a_missing_folder_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="No data folder"):
        erase("listener-42", tmp_path / "none", yes=True)
    assert not (tmp_path / "none").exists()


def test_with_a_classic_lake_nothing_is_started_and_no_listener_is_suppressed(
    data_folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = ["crossfade", "erase", "--user=listener-42", "--yes"]
    monkeypatch.setattr(sys, "argv", argv)
    (data_folder.lake / "song_plays").mkdir(parents=True)
    with pytest.raises(LakeError, match="cannot be rewritten"):
        erase("listener-42", data_folder.root, yes=True)
    assert not load_suppression(data_folder)
    assert "listener-42" not in " ".join(sys.argv)
