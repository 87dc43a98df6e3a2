import os
from pathlib import Path

from crossfade.stack.child_log import RotatedLog, last_line


def test_a_full_log_is_rotated_and_the_oldest_is_deleted(tmp_path: Path) -> None:
    path = tmp_path / "broker.log"
    log = RotatedLog(path, max_bytes=10, kept=2)
    for line in (b"one......\n", b"two......\n", b"three....\n", b"four.....\n"):
        log.write(line)
    assert path.read_bytes() == b"four.....\n"
    assert (tmp_path / "broker.log.1").read_bytes() == b"three....\n"
    assert (tmp_path / "broker.log.2").read_bytes() == b"two......\n"
    assert not (tmp_path / "broker.log.3").exists()
    reading, writing = os.pipe()
    os.close(writing)
    log.copy_from(os.fdopen(reading, "rb"))


def test_everything_read_from_a_pipe_is_in_the_log(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"half a line")
    os.close(writing)
    RotatedLog(tmp_path / "logs" / "x.log").copy_from(os.fdopen(reading, "rb"))
    assert (tmp_path / "logs" / "x.log").read_bytes() == b"half a line"


def test_a_full_disk_does_not_stop_a_log(tmp_path: Path) -> None:
    (tmp_path / "full.log").symlink_to("/dev/full")
    reading, writing = os.pipe()
    os.write(writing, b"lost\n" * 100)
    os.close(writing)
    RotatedLog(tmp_path / "full.log").copy_from(os.fdopen(reading, "rb"))


def test_the_last_line_is_the_one_with_the_cause(tmp_path: Path) -> None:
    path = tmp_path / "broker.log"
    path.write_text(
        "first\njava.io.IOException: No space left on device\n\tat a.b.C\n\tat d.e.F\n\n"
    )
    assert last_line(path) == "java.io.IOException: No space left on device"
    assert last_line(tmp_path / "none.log") == ""


def test_the_last_line_is_not_the_trace_of_a_thread_that_failed_later(tmp_path: Path) -> None:
    path = tmp_path / "streams.log"
    own = "Error: Spark's Java process ended on its own. The next start goes on."
    trace = 'Traceback (most recent call last):\n  File "a.py", line 1\nOSError: gone\n'
    path.write_text(f"{own}\nException ignored in: <function f>\n{trace}")
    assert last_line(path) == own
    path.write_text(f"{own}\n{trace}")
    assert last_line(path) == own
    path.write_text(f"{own}\n2026-01-01 00:00:00 [info] started again\n{trace}")
    assert last_line(path) == "OSError: gone"
