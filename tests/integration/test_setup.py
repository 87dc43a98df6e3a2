"""The set-up script on a machine without tools, after an interrupt, and when run again."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from crossfade.stack.java import find_java

ROOT = Path(__file__).parents[2]
TOOLS = ("cat", "cksum", "dirname", "env", "ls", "rm", "sh")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a clone with the files that the script reads, on a machine with few tools, no Java."""
    clone = tmp_path / "clone"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("scripts", "src/crossfade/stack"):
        shutil.copytree(ROOT / name, clone / name, ignore=ignored)
    for name in ("requirements.lock", "pyproject.toml", "src/crossfade/__init__.py"):
        shutil.copy(ROOT / name, clone / name)
    shutil.copy(ROOT / "src/crossfade/errors.py", clone / "src/crossfade/errors.py")
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    return clone


def set_up(clone: Path, **env: str) -> subprocess.CompletedProcess[str]:
    path = {"PATH": str(clone.parent / "bin"), "HOME": str(clone.parent)}
    command = [str(clone / "scripts" / "setup")]
    return subprocess.run(
        command, env=path | env, capture_output=True, text=True, check=False, timeout=60
    )


def a_program(clone: Path, name: str, script: str) -> None:
    program = clone.parent / "bin" / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_without_python_it_reports_an_error_and_creates_nothing(clone: Path) -> None:
    done = set_up(clone)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: No Python 3.11 or later is on PATH.")
    assert "apt install" in done.stderr
    assert not (clone / ".venv").exists()


def test_an_old_python_is_not_accepted(clone: Path) -> None:
    a_program(clone, "python3", "exit 1")
    assert "No Python 3.11" in set_up(clone).stderr


def test_packages_and_settings_of_another_python_do_not_reach_it(clone: Path) -> None:
    seen = clone.parent / "seen"
    a_program(clone, "python3", f'echo "$PYTHONPATH,$PIP_TARGET,$PIP_USER" >{seen}; exit 1')
    set_up(clone, PYTHONPATH="/opt/spark/python", PIP_TARGET="/elsewhere", PIP_USER="1")
    assert seen.read_text() == ",,\n"


def test_a_python_without_venv_is_reported_with_the_package_to_install(clone: Path) -> None:
    a_program(clone, "python3", 'case "$2" in *ensurepip*) exit 1;; esac')
    done = set_up(clone)
    assert done.returncode == 1
    assert "Error: python3 has no venv module" in done.stderr
    assert "apt install python3-venv" in done.stderr


def test_without_java_it_reports_an_error_before_any_download(clone: Path) -> None:
    (clone.parent / "bin" / "python3").symlink_to(ROOT / ".venv" / "bin" / "python")
    done = set_up(clone)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: Crossfade needs Java 17 or later; there is none.")
    assert done.stderr.count("\n") == 1
    assert not (clone / ".venv").exists()


def test_java_11_is_refused_with_its_version(clone: Path) -> None:
    (clone.parent / "bin" / "python3").symlink_to(ROOT / ".venv" / "bin" / "python")
    a_program(clone, "java", "echo 'openjdk version \"11.0.2\" 2019-01-15' >&2")
    done = set_up(clone)
    assert done.returncode == 1
    assert "Java 17 or later; PATH has Java 11" in done.stderr


def test_an_interrupt_is_one_line_and_leaves_no_stamp(clone: Path) -> None:
    (clone.parent / "bin" / "python3").symlink_to(ROOT / ".venv" / "bin" / "python")
    (clone.parent / "bin" / "java").symlink_to(find_java().executable)
    env = {"PATH": str(clone.parent / "bin"), "HOME": str(clone.parent)}
    with subprocess.Popen(
        [str(clone / "scripts" / "setup")],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Creating .venv with Python 3.")
        os.killpg(process.pid, signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(30) != 0
    assert rest == "Interrupted. Run scripts/setup again to continue.\n"
    assert not (clone / ".venv" / ".crossfade-setup").exists()


def test_a_second_start_installs_nothing() -> None:
    command = [str(ROOT / "scripts" / "setup")]
    subprocess.run(command, capture_output=True, check=True, timeout=250)
    second = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert second.stderr.strip() == "All jars are there and verified."
