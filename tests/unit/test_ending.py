"""How a command ends: one line for each kind of failure, in any encoding, and its exit code."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crossfade.config import load_settings
from crossfade.folder import DataFolder
from support import handmade_lake as handmade
from support.handmade_broker import write_broker_log

START = "from crossfade.cli.ending import explain_ending, prepare_output; prepare_output()\n"


def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        env=os.environ | env,
        capture_output=True,
        encoding=env.get("PYTHONIOENCODING", "utf-8"),
        check=False,
        timeout=60,
    )


def run_block(block: str, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys\n{START}with explain_ending():\n    {block}"
    return run("-c", code, *words, **env)


def test_an_unexpected_error_is_one_line_and_its_trace_is_in_the_data_folder(
    data_folder: DataFolder,
) -> None:
    done = run_block("{}['a play']", "status", "--data", str(data_folder.root))
    log = data_folder.logs / "errors.log"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: Unexpected KeyError: 'a play' (")
    assert done.stderr.endswith(f"The trace is in {log}; please report it.\n")
    assert done.stderr.count("\n") == 1
    assert "Traceback (most recent call last)" in log.read_text()
    run_block("1 / 0", "status", f"--data={data_folder.root}")
    assert "ZeroDivisionError" in log.read_text()
    assert "KeyError" in log.read_text()


def test_without_a_data_folder_the_trace_is_in_the_cache(tmp_path: Path) -> None:
    done = run_block("1 / 0", "status", "--data", "none", CROSSFADE_CACHE=str(tmp_path))
    assert f"The trace is in {tmp_path / 'logs' / 'errors.log'}" in done.stderr
    assert "ZeroDivisionError" in (tmp_path / "logs" / "errors.log").read_text()


def test_where_nothing_can_be_written_the_line_says_how_to_see_the_trace(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = str(tmp_path / "file" / "cache")
    done = run_block("1 / 0", "status", "--data", "none", CROSSFADE_CACHE=cache)
    assert 'See the trace with "crossfade --debug"' in done.stderr


def test_an_error_of_many_lines_is_still_one(tmp_path: Path) -> None:
    done = run_block("raise ValueError('first\\nsecond\\n')", CROSSFADE_CACHE=str(tmp_path))
    assert "Unexpected ValueError: first (" in done.stderr
    assert done.stderr.count("\n") == 1


def test_debug_shows_the_trace(tmp_path: Path) -> None:
    done = run_block("1 / 0", CROSSFADE_DEBUG="1", CROSSFADE_CACHE=str(tmp_path))
    assert done.stderr.startswith("Traceback (most recent call last)")
    assert done.stderr.splitlines()[-1].endswith("The trace is above; please report it.")
    assert list(tmp_path.iterdir()) == []


def test_debug_is_an_option_before_the_command() -> None:
    code = (
        "import sys, crossfade.cli as cli, crossfade.cli.config as it\n"
        "it.load_settings = lambda: 1 / 0\n"
        "sys.argv[1:] = ['--debug', 'config']\n"
        "cli.main()"
    )
    done = run("-c", code)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


@pytest.mark.parametrize("words", [["config"], ["--help"], ["chart", "--help"], ["jars", "list"]])
def test_a_reader_that_has_seen_enough_ends_a_command_quietly(words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "crossfade", *words],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


def test_another_broken_pipe_is_not_taken_for_that(tmp_path: Path) -> None:
    broken = "import os; r, w = os.pipe(); os.close(r); os.write(w, b'x')"
    done = run_block(broken, CROSSFADE_CACHE=str(tmp_path))
    assert done.returncode == 1
    assert "Unexpected BrokenPipeError" in done.stderr


def test_a_full_disk_behind_standard_output_is_an_error() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "crossfade", "config"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(b"Error: The disk is full: ")
    assert done.stderr.count(b"\n") == 1


def test_closed_standard_streams_do_not_stop_a_command() -> None:
    command = f"exec {sys.executable} -m crossfade config >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], check=False, timeout=60).returncode == 0


def test_an_interrupt_is_one_word_and_130() -> None:
    done = run_block("raise KeyboardInterrupt")
    assert (done.returncode, done.stderr) == (130, "Interrupted.\n")
    sends = f"import os, time; os.kill(os.getpid(), {signal.SIGINT.value}); time.sleep(60)"
    assert run_block(sends).returncode == 130


TEXT = 'Beyoncé, 東京, 😀 and "\udc80"'
ENCODINGS = [
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "C"},
    {"PYTHONIOENCODING": "utf-8"},
]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_output_for_programs_is_right_in_every_encoding(encoding: dict[str, str]) -> None:
    code = f"{START}import json, sys; sys.stdout.write(json.dumps({TEXT!a}, ensure_ascii=False))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | encoding,
        capture_output=True,
        check=True,
        timeout=60,
    )
    named = encoding.get("PYTHONIOENCODING", "utf-8")
    assert json.loads(done.stdout.decode(named)) == TEXT


@pytest.fixture
def gold(data_folder: DataFolder) -> DataFolder:
    plays = [handmade.a_play(n, title="東京 😀", artist="Beyoncé") for n in range(3)]
    boundary = handmade.NOON + 13 * 3_600_000
    lake = handmade.a_lake(handmade.records_of(*plays), boundary=boundary)
    write_broker_log(data_folder, lake.tables["gold/run"][0]["end_offsets"])
    return lake.write(data_folder)


@pytest.mark.parametrize("encoding", ENCODINGS[:2])
def test_a_chart_is_printed_on_a_terminal_without_its_letters(
    encoding: dict[str, str], gold: DataFolder
) -> None:
    chart = ("chart", "songs", "--day", "2026-01-01", "--data", str(gold.root))
    words = ("-m", "crossfade", *chart)
    shown, read = run(*words, **encoding), run(*words, "--json", **encoding)
    assert (shown.returncode, read.returncode) == (0, 0), shown.stderr + read.stderr
    assert "\\u6771\\u4eac" in shown.stdout
    [row] = json.loads(read.stdout)["rows"][:1]
    assert (row["title"], row["artist"]) == ("東京 😀", "Beyoncé")


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import os; os.environ.pop('HOME'); os.getuid = lambda: 54321\n"
        "import pwd; pwd.getpwuid = lambda uid: {}[uid]\n"
        f"{START}"
        "from crossfade.config import load_settings\n"
        "with explain_ending(): load_settings()"
    )
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("CROSSFADE_CACHE", raising=False)
    done = run("-c", code)
    assert "Error: The user 54321 has no home folder for the cache of jars." in done.stderr
    assert "Set CROSSFADE_CACHE to a folder that you may write." in done.stderr
    assert run("-c", code, CROSSFADE_CACHE="/tmp/cache").returncode == 0  # noqa: S108


def test_a_relative_cache_home_is_ignored_as_its_standard_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CROSSFADE_CACHE", raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    assert load_settings().cache == Path("/home/me/.cache/crossfade")
