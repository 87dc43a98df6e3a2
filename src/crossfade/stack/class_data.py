"""Class-data sharing: the classes that Kafka and Spark load, recorded once to speed up starts.

Java calls the file a dynamic archive (JEP 350). It belongs to one Java and one class path, so it
is stored in the Python environment whose jars it was made from. Java checks both at each start and
ignores the file if they differ.
"""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import get_args

from crossfade.errors import MachineError
from crossfade.stack.jar_lock import JarSet
from crossfade.stack.jars import class_path
from crossfade.stack.java import find_java

_QUIET = "-Xlog:cds*=off"
"""No warning about a file that does not match: the start is only slower."""

_QUICK = "-XX:TieredStopAtLevel=1"
"""Only the quick compiler: for code that runs once, the thorough one takes longer than it saves."""

_ALL: tuple[JarSet, ...] = get_args(JarSet)

_drafts: ContextVar[Path | None] = ContextVar("drafts", default=None)


def class_data_options(jar_set: JarSet, cache: Path) -> list[str]:
    """Return the options of a Java that runs a jar set; empty when no classes are recorded.

    Raises:
        MachineError: Java or a jar is missing.
    """
    if (drafts := _drafts.get()) is not None:
        return [f"-XX:ArchiveClassesAtExit={drafts / jar_set}", _QUICK, _QUIET]
    recorded = _find_archive(jar_set, cache)
    return [f"-XX:SharedArchiveFile={recorded}", _QUIET] if recorded is not None else []


def is_recorded(cache: Path) -> bool:
    """Check whether the classes of every set are recorded, for this Java and these jars.

    Raises:
        MachineError: Java or a jar is missing.
    """
    return all(_find_archive(jar_set, cache) is not None for jar_set in _ALL)


@contextmanager
def record_classes(cache: Path, jar_sets: Sequence[JarSet] = _ALL) -> Iterator[None]:
    """Record the classes of each Java started in the block, which it writes when it ends.

    The block must start one Java of each set and let it end in order. If the block raises, nothing
    is kept.

    Raises:
        MachineError: the folder cannot be written, or a Java wrote nothing.
    """
    folder = _folder()
    with _explain_unwritable(folder):
        folder.mkdir(exist_ok=True)
        for left_by_a_killed_process in folder.glob(".draft-*"):
            shutil.rmtree(left_by_a_killed_process)
        drafts = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder))
    token = _drafts.set(drafts)
    try:
        yield
        with _explain_unwritable(folder):
            for jar_set in jar_sets:
                _store(drafts / jar_set, jar_set, cache)
    finally:
        _drafts.reset(token)
        shutil.rmtree(drafts, ignore_errors=True)


@contextmanager
def _explain_unwritable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = f"Cannot write {folder}: {error.strerror or error}."
        raise MachineError(what, "Make room there; without it every start takes longer.") from None


def _store(draft: Path, jar_set: JarSet, cache: Path) -> None:
    if not draft.exists():
        what = f"{find_java().executable} recorded no classes."
        raise MachineError(what, "Some builds of Java cannot; every start takes longer.")
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    for older in _folder().glob(f"{jar_set}-*"):
        older.unlink()
    draft.replace(_folder() / f"{_name(jar_set, cache)}-{draft.stat().st_size}.jsa")


def _find_archive(jar_set: JarSet, cache: Path) -> Path | None:
    """Return the set's file if it has the size in its name: Java crashes on a truncated one."""
    for path in _folder().glob(f"{_name(jar_set, cache)}-*.jsa"):
        if path.stem.rpartition("-")[2] == str(path.stat().st_size):
            return path
    return None


def _folder() -> Path:
    return Path(sys.prefix) / "class-data"


def _name(jar_set: JarSet, cache: Path) -> str:
    """Return a file name that depends on the Java and on each jar's path, size and mtime."""
    java = find_java()
    inputs = [str(java.executable), str(java.executable.stat().st_mtime_ns)]
    for jar in class_path(jar_set, cache):
        status = jar.stat()
        inputs.append(f"{jar} {status.st_size} {status.st_mtime_ns}")
    digest = hashlib.sha256("\n".join(inputs).encode()).hexdigest()
    return f"{jar_set}-{digest[:16]}"
