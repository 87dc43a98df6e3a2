"""What a command reports while it waits: a line in a terminal, plain lines elsewhere."""

import os
import pty
import re
import subprocess
import sys
import threading

import pytest

from crossfade.cli.waiting import report_if_long, show_wait

_IN_A_TERMINAL = """
from crossfade.cli.waiting import show_wait
with show_wait("Starting [red] Kafka …") as report:
    report("Starting Spark …")
print("done")
"""


def _list_waiting_timers() -> list[threading.Timer]:
    timers = [one for one in threading.enumerate() if isinstance(one, threading.Timer)]
    return [one for one in timers if not one.finished.is_set()]


class _AtOnce(threading.Timer):
    """A timer that is over when it starts, so that no test sleeps."""

    def start(self) -> None:
        self.function(*self.args)


def test_a_short_wait_is_not_reported(capsys: pytest.CaptureFixture[str]) -> None:
    with show_wait("Reading the lake …", after_s=3_600):
        pass
    assert capsys.readouterr().err == ""
    assert not _list_waiting_timers()


def test_a_long_wait_is_reported_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "Timer", _AtOnce)
    with show_wait("Reading the lake …"), report_if_long("Copying …"):
        pass
    assert capsys.readouterr().err == "Reading the lake …\nCopying …\n"


def test_each_later_step_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with show_wait("Starting Kafka …", after_s=3_600) as report:
        report("Archiving …")
        report("Running batch …")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "Archiving …\nRunning batch …\n")


def test_an_error_ends_the_wait(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), show_wait("Reading …", after_s=3_600):
        1 / 0  # noqa: B018 - any error
    assert capsys.readouterr().err == ""
    assert not _list_waiting_timers()


def test_in_a_terminal_the_line_has_a_clock_and_leaves_nothing_behind() -> None:
    leader, follower = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "80"}
    command = [sys.executable, "-c", _IN_A_TERMINAL]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=follower, env=environment, check=True
    )
    os.close(follower)
    shown = os.read(leader, 65_536).decode()
    os.close(leader)
    assert done.stdout == b"done\n"
    assert re.search(r"Starting \[red\] Kafka ….*0:00:0\d.*Starting Spark ….*0:00:0\d", shown)
    assert shown.endswith("\x1b[?25h\r\x1b[1A\x1b[2K")
