import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from crossfade.config import CHILD_MARK
from crossfade.errors import StackError
from crossfade.folder import DataFolder
from crossfade.stack.hold import hold_folder

HOLDS = """
import pathlib, sys
from crossfade.config import load_settings
from crossfade.stack.hold import hold_folder
from crossfade.folder import open_folder
with hold_folder(open_folder(load_settings(data=pathlib.Path(sys.argv[1])))):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_stack_on_a_folder_is_refused_and_the_holder_is_named(
    data_folder: DataFolder,
) -> None:
    command = [sys.executable, "-c", HOLDS, str(data_folder.root)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as other:  # type: ignore[call-overload]
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(StackError) as refusal, hold_folder(data_folder):
            pass
        line = str(refusal.value)
        assert f"(pid {other.pid}, since 2" in line
        assert str(data_folder.root) in line
        assert re.search("Stop it first", line)
        other.kill()
    with hold_folder(data_folder):
        pass


def test_a_hold_ends_with_its_block_and_an_error_in_it_is_passed_on(
    data_folder: DataFolder,
) -> None:
    with pytest.raises(PermissionError, match="mine"), hold_folder(data_folder):
        raise PermissionError("mine")  # noqa: EM101
    with hold_folder(data_folder):
        assert (data_folder.run / "stack.holder.json").exists()
    assert not (data_folder.run / "stack.holder.json").exists()


LEAVES_ONE = """
import os, pathlib, subprocess, sys
from crossfade.config import load_settings
from crossfade.stack.hold import hold_folder
from crossfade.folder import open_folder
script = "import signal; print(flush=True); signal.pause()"
with hold_folder(open_folder(load_settings(data=pathlib.Path(sys.argv[1])))):
    left = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    left.stdout.readline()
    print(left.pid, flush=True)
    os.kill(os.getpid(), 9)
"""


def is_alive(pid: int) -> bool:
    """Check whether a process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_the_next_holder_ends_what_a_killed_one_left(data_folder: DataFolder) -> None:
    command = [sys.executable, "-c", LEAVES_ONE, str(data_folder.root)]
    left = int(subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout)
    assert is_alive(left)
    with hold_folder(data_folder):
        assert not is_alive(left)
        assert os.environ[CHILD_MARK] == str(data_folder.root)
    assert CHILD_MARK not in os.environ


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.write_text("a file, not a folder")
    folder = DataFolder(root, identity=None)  # type: ignore[arg-type]
    with pytest.raises(StackError, match="Cannot write the data folder"), hold_folder(folder):
        pass
    assert os.path.isfile(root)  # noqa: PTH113
