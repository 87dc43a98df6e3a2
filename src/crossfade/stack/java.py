"""The Java runtime of this machine, checked for a version that runs Kafka and Spark."""

import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from crossfade.errors import MachineError
from crossfade.stack.environment import inherited_environment

OLDEST_JAVA = 17

_MODULES = frozenset(
    {
        *("java.compiler", "java.desktop", "java.logging", "java.management", "java.naming"),
        *("java.rmi", "java.security.jgss", "java.security.sasl", "java.sql", "java.xml"),
        *("jdk.incubator.vector", "jdk.management", "jdk.security.auth", "jdk.unsupported"),
    }
)
"""What Kafka and Spark use; a runtime made with jlink may lack some."""

LOCALE_OPTIONS = (
    *("-Duser.timezone=UTC", "-Dfile.encoding=UTF-8"),
    # In Turkish, the lower case of I is not i.
    *("-Duser.language=en", "-Duser.country=US"),
)

_INSTALL = (
    "Install it with apt install openjdk-17-jre-headless (Debian, Ubuntu), "
    "dnf install java-21-openjdk-headless (Fedora) or brew install openjdk@21 (macOS), "
    "or set JAVA_HOME to one."
)
_VERSION = re.compile(r'version "(?:1\.)?(\d+)')
_MODULE = re.compile(r"^([a-z]\S*?)(?:@.*)?$", re.MULTILINE)
_HOME = re.compile(r"^\s*java\.home = (.+)$", re.MULTILINE)
_ANSWER_S = 30


@dataclass(frozen=True, slots=True)
class Java:
    """A Java runtime: its home, its executable and its major version."""

    home: Path
    executable: Path
    version: int


def find_java() -> Java:
    """Return the first Java that is suitable: that of JAVA_HOME, else that of PATH.

    Raises:
        MachineError: there is none; the message names what was found instead.
    """
    read = (os.environ.get(name, "") for name in ("JAVA_HOME", "PATH", "JDK_JAVA_OPTIONS"))
    return _find(*read)


def common_options(temporary: Path) -> list[str]:
    """Return options of every Java, so that it works alike in any environment.

    Args:
        temporary: the folder of its temporary files, the native libraries among them.
    """
    return [*LOCALE_OPTIONS, f"-Djava.io.tmpdir={temporary}"]


def home_option(folder: Path) -> str:
    """Return Java's option for its home folder, which a user without a name does not have."""
    return f"-Duser.home={folder}"


@functools.cache
def _find(java_home: str, search_path: str, options: str) -> Java:
    candidates = []
    if java_home:
        candidates.append(("JAVA_HOME", Path(java_home) / "bin" / "java"))
    if on_path := shutil.which("java", path=search_path):
        candidates.append(("PATH", Path(on_path)))
    unsuitable = []
    for origin, executable in candidates:
        found = _inspect(executable)
        if isinstance(found, Java):
            return found
        unsuitable.append(f"{origin} has {found} ({executable})")
    shown, cure = ", ".join(unsuitable) or "there is none", _INSTALL
    if unsuitable and options:
        shown += f"; JDK_JAVA_OPTIONS is {options}"
        cure = f"Unset JDK_JAVA_OPTIONS if it is wrong. {cure}"
    what = f"Crossfade needs Java {OLDEST_JAVA} or later; {shown}."
    raise MachineError(what, cure)


def _inspect(executable: Path) -> Java | str:
    """Run a Java to read its version, home and modules; return why it is not suitable.

    Only Java itself knows its home: the executable may be a link or a shim.
    """
    try:
        answer = _ask(executable, "-XshowSettings:properties", "-version")
        version, home = _VERSION.search(answer), _HOME.search(answer)
        if version is None:
            return "no working Java"
        if int(version[1]) < OLDEST_JAVA:
            return f"Java {version[1]}"
        missing = _MODULES.difference(_MODULE.findall(_ask(executable, "--list-modules")))
    except (OSError, subprocess.TimeoutExpired):
        return "no working Java"
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stdout.splitlines() if not line.startswith("NOTE: ")]
        return f"no working Java, which prints {lines[0]!r}" if lines else "no working Java"
    if missing:
        return f"Java {version[1]} without the module {min(missing)}"
    resolved = executable.resolve()
    return Java(
        home=Path(home[1].strip()) if home else resolved.parent.parent,
        executable=resolved,
        version=int(version[1]),
    )


def _ask(executable: Path, *options: str) -> str:
    return subprocess.run(
        [str(executable), *options],
        env=inherited_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        timeout=_ANSWER_S,
        check=True,
    ).stdout
