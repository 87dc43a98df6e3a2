"""The lock file of jars: coordinates, size and SHA-256 of every jar that pyspark lacks."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from crossfade.errors import MachineError

JarSet = Literal["broker", "spark"]

LOCK = Path(__file__).with_name("jars.lock")

_ROW = re.compile(r"^(\w+) ([\w.-]+):([\w.-]+):([\w.-]+) (\d+) ([0-9a-f]{64})$")


@dataclass(frozen=True, slots=True)
class Jar:
    """One locked jar."""

    jar_set: str
    organisation: str
    module: str
    revision: str
    size: int
    sha256: str

    @property
    def coordinates(self) -> str:
        """Return the Maven coordinates: organisation, module and revision."""
        return f"{self.organisation}:{self.module}:{self.revision}"

    def path(self, cache: Path) -> Path:
        """Return the path of the jar in the per-user cache."""
        return cache / "jars" / self.jar_set / f"{self.module}-{self.revision}.jar"


def read_lock(path: Path = LOCK) -> list[Jar]:
    """Read the lock; its last line counts the rows, so that a truncated file is noticed.

    Raises:
        MachineError: the lock is missing, truncated or changed; names the line.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _corrupt(path, f"cannot be read ({error})") from None
    jars: list[Jar] = []
    for number, line in enumerate(lines, start=1):
        if line.startswith("#"):
            continue
        if line == f"end {len(jars)}" and number == len(lines):
            return jars
        row = _ROW.match(line)
        if row is None or row[1] not in get_args(JarSet):
            raise _corrupt(path, f'line {number} is "{line[:60]}"')
        jars.append(Jar(row[1], row[2], row[3], row[4], int(row[5]), row[6]))
    raise _corrupt(path, f"it ends after {len(jars)} jars")


def _corrupt(path: Path, how: str) -> MachineError:
    cure = "Restore it with git checkout, or install Crossfade again."
    return MachineError(f"The lock of jars {path} is corrupt: {how}.", cure)
