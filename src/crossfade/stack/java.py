"""The Java runtime of this machine, checked for a version that runs Kafka and Spark."""

import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from crossfade.errors import MachineError

OLDEST_JAVA = 17

ENVIRONMENT = {"LC_ALL": "C.UTF-8"}
"""Environment of every Java: under a plain C locale it cannot open paths outside ASCII."""

_INSTALL = (
    "Install it with apt install openjdk-17-jre-headless (Debian, Ubuntu), "
    "dnf install java-21-openjdk-headless (Fedora) or brew install openjdk@21 (macOS), "
    "or set JAVA_HOME to one."
)
_VERSION = re.compile(r'version "(?:1\.)?(\d+)')
_HOME = re.compile(r"^\s*java\.home = (.+)$", re.MULTILINE)
_ANSWER_S = 30


@dataclass(frozen=True, slots=True)
class Java:
    """A Java runtime: its home, its executable and its major version."""

    home: Path
    executable: Path
    version: int


def find_java() -> Java:
    """Return the first Java that is new enough: that of JAVA_HOME, else that of PATH.

    Raises:
        MachineError: there is none; the message names what was found instead.
    """
    return _find(os.environ.get("JAVA_HOME", ""), os.environ.get("PATH", ""))


@functools.cache
def _find(java_home: str, search_path: str) -> Java:
    candidates = []
    if java_home:
        candidates.append(("JAVA_HOME", Path(java_home) / "bin" / "java"))
    if on_path := shutil.which("java", path=search_path):
        candidates.append(("PATH", Path(on_path)))
    unsuitable = []
    for origin, executable in candidates:
        java = _inspect(executable)
        if java is not None and java.version >= OLDEST_JAVA:
            return java
        shown = "no working Java" if java is None else f"Java {java.version}"
        unsuitable.append(f"{origin} has {shown} ({executable})")
    found = ", ".join(unsuitable) or "there is none"
    what = f"Crossfade needs Java {OLDEST_JAVA} or later; {found}."
    raise MachineError(what, _INSTALL)


def _inspect(executable: Path) -> Java | None:
    """Run a Java to read its version and home, so that links and shims give the right home."""
    command = [str(executable), "-XshowSettings:properties", "-version"]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=_ANSWER_S, check=True
        ).stderr
    except (OSError, subprocess.SubprocessError):
        return None
    version, home = _VERSION.search(answer), _HOME.search(answer)
    if version is None:
        return None
    resolved = executable.resolve()
    return Java(
        home=Path(home[1].strip()) if home else resolved.parent.parent,
        executable=resolved,
        version=int(version[1]),
    )
