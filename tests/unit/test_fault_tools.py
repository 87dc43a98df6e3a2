"""The tools with which fault cases inject and observe faults."""

import os
import random
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from faults.case import Outcome
from faults.case_checks import add_up, check_refused, require
from faults.cases_batch import CommitWatch
from faults.commands import Command
from faults.damage import CannotInjectError, SmallDisk, failing_calls, flip_byte, shifted_clock
from faults.lake_snapshot import list_changes, live_files, take_snapshot, versions
from faults.workspace import Workspace


def _a_lake(data: Path, rows: int = 1) -> None:
    for _ in range(rows):
        table = pa.table({"number": [1, 2, 3]})
        write_deltalake(data / "datalake" / "gold" / "song", table, mode="append")


def _ended(workspace: Workspace, *words: str) -> Command:
    command = Command(words, {}, workspace.root / "log.log")
    command.wait(60)
    return command


def _a_workspace(root: Path) -> Workspace:
    return Workspace(root, [], random.Random(1))


def test_a_flipped_byte_is_one_byte_and_the_same_one_for_a_seed(tmp_path: Path) -> None:
    whole = bytes(range(256)) * 4
    found = []
    for name in ("a", "b"):
        path = tmp_path / name
        path.write_bytes(whole)
        (tmp_path / f".{name}.crc").write_bytes(b"sum")
        at = flip_byte(path, random.Random(5), keep_sum=name == "a")
        [differs] = [n for n, byte in enumerate(path.read_bytes()) if byte != whole[n]]
        found.append((at, differs))
    assert found[0] == found[1] == (found[0][0], found[0][0])
    assert [(tmp_path / f".{name}.crc").exists() for name in ("a", "b")] == [True, False]


def test_every_change_of_a_lake_is_found(tmp_path: Path) -> None:
    _a_lake(tmp_path)
    before = take_snapshot(tmp_path)
    assert list_changes(before, take_snapshot(tmp_path)) == []
    [path] = live_files(tmp_path, "gold/song")
    flip_byte(path, random.Random(5), keep_sum=True)
    assert list_changes(before, take_snapshot(tmp_path)) == [f"gold/song/{path.name}"]
    _a_lake(tmp_path)
    assert len(list_changes(before, take_snapshot(tmp_path))) == 3
    assert versions(tmp_path) == {"gold/song": 1}


def test_commits_are_reported_as_they_are_made(tmp_path: Path) -> None:
    _a_lake(tmp_path)
    watch = CommitWatch(tmp_path)
    assert watch.look() == []
    _a_lake(tmp_path, rows=2)
    assert watch.look() == ["gold/song", "gold/song"]
    assert watch.look() == ["gold/song", "gold/song"]


def test_a_refusal_counts_only_with_an_error_its_name_and_nothing_written(tmp_path: Path) -> None:
    workspace = _a_workspace(tmp_path)
    _a_lake(workspace.data)
    before = take_snapshot(workspace.data)
    command = _ended(workspace, "status", "--data", str(tmp_path / "none"))
    asked = {"injected": 1, "before": before}
    assert check_refused(workspace, command, "No data folder", **asked).holds
    assert not check_refused(workspace, command, "something else", **asked).holds
    assert not check_refused(workspace, command, "No data folder", injected=0, before=before).holds
    assert not check_refused(workspace, _ended(workspace, "--help"), "", **asked).holds
    _a_lake(workspace.data)
    assert not check_refused(workspace, command, "No data folder", **asked).holds


def test_parts_that_did_not_happen_fail_the_whole() -> None:
    good = Outcome(injected=2, healed_s=3.0, seen="a")
    assert add_up([good, Outcome(injected=1, healed_s=5.0, seen="b")]) == Outcome(
        injected=3, healed_s=5.0, seen="a; b"
    )
    assert not add_up([good, Outcome(injected=0)]).holds
    assert not require(good, condition=False, problem="wrong").holds


def test_a_command_is_killed_with_all_its_children(tmp_path: Path) -> None:
    waits = "import signal; signal.pause()"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {waits!r}])"
    before = [sys.executable, "-c", script, "--"]
    command = Command(["x"], {}, tmp_path / "log.log", before)
    command.wait_until(lambda: len(command.session()) == 2)
    assert command.kill() == 2
    assert command.session() == []


def test_a_process_can_be_given_a_shifted_clock(tmp_path: Path) -> None:
    try:
        env = shifted_clock(-20_908_800)
    except CannotInjectError as error:
        pytest.skip(str(error))
    # A process and a program that it starts, as a driver starts Java.
    asked = "import os, time; print(time.time(), flush=True); os.execvp('date', ['date', '+%s'])"
    plain = {"PATH": os.environ["PATH"]}
    command = [sys.executable, "-c", asked]
    here, there = (
        [float(line) for line in subprocess.check_output(command, env=one).split()]
        for one in (plain, plain | env)
    )
    assert len(here) == len(there) == 2
    for mine, theirs in zip(here, there, strict=True):
        assert mine - theirs == pytest.approx(20_908_800, abs=60)


def test_calls_fail_where_requested(tmp_path: Path) -> None:
    report = tmp_path / "calls"
    try:
        words = failing_calls("fsync", report)
    except CannotInjectError as error:
        pytest.skip(str(error))
    script = f"import os; os.fsync(os.open({str(tmp_path / 'x')!r}, os.O_CREAT | os.O_WRONLY))"
    done = subprocess.run([*words, sys.executable, "-c", script], capture_output=True, check=False)
    if b"ptrace" in done.stderr.lower():
        pytest.skip("this machine forbids tracing")
    assert b"Input/output error" in done.stderr
    assert report.read_text().count("(INJECTED)") == 1


def test_a_small_disk_holds_what_the_folder_held_and_becomes_full(tmp_path: Path) -> None:
    workspace = tmp_path / "lake"
    (workspace / "deep").mkdir(parents=True)
    (workspace / "deep" / "file").write_bytes(b"kept")
    with ExitStack() as at_end:
        try:
            disk = SmallDisk(workspace, at_end, megabytes=8)
        except CannotInjectError as error:
            pytest.skip(str(error))
        assert disk.fill() == 0
        with pytest.raises(OSError, match="No space left"):
            (workspace / "new").write_bytes(b"x" * 10_000)
        disk.make_room()
        (workspace / "new").write_bytes(b"x" * 10_000)
        disk.forbid_writing()
        with pytest.raises(OSError, match="Read-only"):
            (workspace / "newer").touch()
        disk.allow_writing()
        assert (workspace / "deep" / "file").read_bytes() == b"kept"
    assert list(workspace.iterdir()) == []
