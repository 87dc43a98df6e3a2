"""A backup is complete or absent; a restore uses it only if every byte is as written."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from crossfade.backup import restore as restore_module
from crossfade.backup import take as take_module
from crossfade.backup.manifest import MANIFEST, Manifest, read_manifest, write_manifest
from crossfade.backup.restore import restore_backup
from crossfade.backup.take import take_backup
from crossfade.cli import app
from crossfade.errors import LakeError, MachineError, MisuseError, StackError
from crossfade.folder import DataFolder
from crossfade.stack.hold import hold_maintenance_lock
from support.backups import a_backed_up_folder, back_up, ignore_progress, restore

BACKS_UP_UNTIL_KILLED = """
import os, pathlib, signal, sys
from crossfade.backup.take import take_backup
from crossfade.config import load_settings
from crossfade.folder import open_folder
folder = open_folder(load_settings(data=pathlib.Path(sys.argv[1])))
def kill(piece, whole):
    if list(pathlib.Path(sys.argv[2]).parent.glob(".*/datalake/*")):
        os.kill(os.getpid(), signal.SIGKILL)
take_backup(folder, pathlib.Path(sys.argv[2]), kill)
"""


runner = CliRunner()


class CutShortError(Exception):
    """Stands for an interruption by the user."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    return a_backed_up_folder(tmp_path_factory.mktemp("whole") / "data")


@pytest.fixture
def backup(folder: DataFolder, tmp_path: Path) -> Path:
    back_up(folder, tmp_path / "backup")
    return tmp_path / "backup"


def test_the_manifest_names_exactly_the_files_of_the_backup(backup: Path) -> None:
    manifest = read_manifest(backup)
    found = {
        str(path.relative_to(backup)): path.stat().st_size
        for path in backup.rglob("*")
        if path.is_file() and path.name != MANIFEST
    }
    assert {file.path: file.size for file in manifest.files} == found
    assert manifest.size == sum(found.values())


@pytest.mark.parametrize("kind", ["crossfade.json", "*.parquet", "*.crc", "*/_delta_log/*.json"])
def test_a_flipped_bit_is_named_and_nothing_is_restored(
    backup: Path, tmp_path: Path, kind: str
) -> None:
    path = max(backup.rglob(kind.removeprefix("*/")), key=lambda one: one.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises(LakeError, match=rf"{path} has changed") as refusal:
        restore(backup, tmp_path / "new")
    assert refusal.value.exit_code == 1
    assert sorted(one.name for one in tmp_path.iterdir()) == ["backup"]


def test_a_short_and_a_missing_file_are_named(backup: Path, tmp_path: Path) -> None:
    path = backup / "crossfade.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(LakeError, match=rf"{path} has {len(whole) - 1} bytes; {len(whole)} were"):
        restore(backup, tmp_path / "new")
    path.unlink()
    with pytest.raises(LakeError, match=rf"{path} is missing"):
        restore(backup, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_manifest_that_was_changed_is_refused(backup: Path, tmp_path: Path) -> None:
    path = backup / MANIFEST
    whole = path.read_text()
    for old, new in (('"micro_batch": 7', '"micro_batch": 6'), ("{", "[")):
        path.write_text(whole.replace(old, new, 1))
        with pytest.raises(LakeError, match=rf"{path} is damaged"):
            restore(backup, tmp_path / "new")
    path.write_text(whole)
    restore(backup, tmp_path / "new")


@pytest.mark.parametrize("path", ["../outside", "/outside", "datalake/../../outside"])
def test_a_manifest_that_points_outside_is_refused(backup: Path, tmp_path: Path, path: str) -> None:
    manifest = read_manifest(backup)
    first = msgspec.structs.replace(manifest.files[0], path=path)
    rewrite(backup, manifest, files=[first])
    with pytest.raises(LakeError, match="which is outside"):
        restore(backup, tmp_path / "new")


@pytest.mark.parametrize("name", ["backup_format", "folder_format"])
def test_another_format_is_refused(backup: Path, tmp_path: Path, name: str) -> None:
    rewrite(backup, read_manifest(backup), **{name: 99})
    with pytest.raises(MisuseError, match="format 99; this Crossfade reads"):
        restore(backup, tmp_path / "new")


def test_a_folder_that_is_no_backup_is_refused(folder: DataFolder, tmp_path: Path) -> None:
    for place in (folder.root, tmp_path / "nowhere"):
        with pytest.raises(MisuseError, match="is not a backup: it has no backup"):
            restore(place, tmp_path / "new")


def test_a_target_that_is_not_empty_is_refused_and_unchanged(
    folder: DataFolder, backup: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine").touch()
    (tmp_path / "file").touch()
    for place in (tmp_path / "taken", tmp_path / "file"):
        with pytest.raises(MisuseError, match=r"is not empty|is not a folder"):
            back_up(folder, place)
        with pytest.raises(MisuseError, match=r"is not empty|is not a folder"):
            restore(backup, place)
    with pytest.raises(MisuseError, match="inside the data folder"):
        back_up(folder, folder.root / "backup")
    with pytest.raises(MisuseError, match="is a mount point"):
        restore(backup, Path("/"))
    (tmp_path / "empty").mkdir()
    restore(backup, tmp_path / "empty")


def test_a_backup_is_not_restored_to_a_path_where_no_stack_can_run(
    backup: Path, tmp_path: Path
) -> None:
    place = tmp_path / "50%,off"
    with pytest.raises(MisuseError, match="has % , in it"):
        restore_backup(backup, place, ignore_progress)
    assert not place.exists()


def test_an_interrupted_backup_or_restore_leaves_nothing(
    folder: DataFolder, backup: Path, tmp_path: Path
) -> None:
    done = 0

    def stop_in_the_middle(piece: int, whole: int) -> None:
        nonlocal done
        done += piece
        assert not (tmp_path / "late").exists()
        if done > whole // 2:
            raise CutShortError

    with pytest.raises(CutShortError):
        take_backup(folder, tmp_path / "late", stop_in_the_middle)
    done = 0
    with pytest.raises(CutShortError):
        restore_backup(backup, tmp_path / "late", stop_in_the_middle)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["backup"]


def test_a_killed_backup_never_looks_complete_and_the_next_one_removes_it(
    folder: DataFolder, tmp_path: Path
) -> None:
    target = tmp_path / "backup"
    command = [sys.executable, "-c", BACKS_UP_UNTIL_KILLED, str(folder.root), str(target)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    [draft] = tmp_path.iterdir()
    assert draft.name == ".backup.draft"
    (draft / "left").touch()

    back_up(folder, target)

    assert [one.name for one in tmp_path.iterdir()] == ["backup"]
    assert not (target / "left").exists()


def test_two_backups_never_write_to_one_target(folder: DataFolder, tmp_path: Path) -> None:
    other = a_backed_up_folder(tmp_path / "other")

    def back_up_the_other(piece: int, whole: int) -> None:
        with pytest.raises(StackError, match="Another process is writing"):
            back_up(other, tmp_path / "backup")

    assert take_backup(folder, tmp_path / "backup", back_up_the_other).run == 1


def test_a_backup_during_another_maintenance_command_is_refused_and_names_it(
    folder: DataFolder, tmp_path: Path
) -> None:
    with (
        hold_maintenance_lock(folder),
        pytest.raises(StackError, match=rf"is held by .* \(pid {os.getpid()}, .* Wait until"),
    ):
        back_up(folder, tmp_path / "backup")
    back_up(folder, tmp_path / "backup")


def test_too_little_room_is_refused_before_anything_is_written(
    folder: DataFolder, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (take_module, restore_module):
        monkeypatch.setattr(module, "LEAST_FREE", 10**18)
    with pytest.raises(MachineError, match=r"The disk of .*/late has .* GB free"):
        back_up(folder, tmp_path / "late")
    with pytest.raises(MachineError, match=r"The disk of .*/new has .* GB free"):
        restore(backup, tmp_path / "new")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["backup"]


def test_the_commands_say_what_they_did_and_what_is_next(
    folder: DataFolder, tmp_path: Path
) -> None:
    backup, new = tmp_path / "backup", tmp_path / "new"
    taken = runner.invoke(app, ["backup", str(backup), "--data", str(folder.root), "--json"])
    assert taken.exit_code == 0
    printed = msgspec.json.decode(taken.stdout)
    assert (printed["run"], printed["records"], printed["has_kafka"]) == (1, 20, False)
    assert printed["bytes"] == sum(one.size for one in read_manifest(backup).files)
    assert "Kafka's records are not in it" in taken.stderr

    made = runner.invoke(app, ["restore", str(backup), "--data", str(new)])
    assert made.exit_code == 0
    assert "partition 0: 10, partition 1: 10" in made.stdout
    assert "to the Kafka whose topic song-plays has the id topic" in made.stderr
    again = runner.invoke(app, ["restore", str(backup), "--data", str(new)])
    assert isinstance(again.exception, MisuseError)


def rewrite(backup: Path, manifest: Manifest, **changes: object) -> None:
    (backup / MANIFEST).unlink()
    write_manifest(backup, msgspec.structs.replace(manifest, checksum="", **changes))
