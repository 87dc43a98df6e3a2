"""The per-user cache of jars; only jars with their locked SHA-256 enter it and are used."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
from filelock import FileLock

from crossfade.errors import MachineError
from crossfade.folder import write_atomically
from crossfade.stack.ivy import download_jars, pyspark_jars
from crossfade.stack.jar_lock import Jar, JarSet, read_lock

JarState = Literal["good", "missing", "wrong"]
OnProgress = Callable[[Jar, int, int], None]
"""Called for each fetched jar with the jar, the number fetched and the number to fetch."""

_FETCH = 'Run "crossfade jars fetch".'
OTHER_CACHE = "Choose one that you may write with CROSSFADE_CACHE or XDG_CACHE_HOME."
_LOGGING_JARS = ("slf4j-api-2.*.jar", "log4j-slf4j2-impl-*.jar")
"""Kafka's dependencies have log4j but nothing that connects slf4j to it; pyspark ships that."""


class _Stamp(msgspec.Struct, frozen=True, array_like=True):
    """A file's hash, with the size and mtime that it had; while those stay, the hash is valid."""

    size: int
    changed_ns: int
    sha256: str


@dataclass(frozen=True, slots=True)
class JarCheck:
    """The state of one locked jar in the cache."""

    jar: Jar
    path: Path
    state: JarState


def require_jars(jar_set: JarSet, cache: Path) -> list[Path]:
    """Return the paths of a set's jars, each verified against the lock.

    A jar is hashed once; later its size and mtime show that it is unchanged.

    Raises:
        MachineError: a jar is missing or is not the locked one.
    """
    checks = [check for check in check_jars(cache) if check.jar.jar_set == jar_set]
    if wrong := [check for check in checks if check.state == "wrong"]:
        what = f"{wrong[0].path} does not have its locked SHA-256."
        raise MachineError(what, f"{_FETCH} It replaces the file with the right one.")
    if missing := [check for check in checks if check.state == "missing"]:
        what = f"{len(missing)} of {len(checks)} jars ({jar_set}) are not in {cache / 'jars'}."
        raise MachineError(what, _FETCH)
    return [check.path for check in checks]


def class_path(jar_set: JarSet, cache: Path) -> list[Path]:
    """Return the class path of a set's Java: the locked jars, and jars inside pyspark.

    Raises:
        MachineError: a jar is missing or is not the locked one.
    """
    locked = require_jars(jar_set, cache)
    if jar_set == "spark":
        return [*locked, *sorted(pyspark_jars().glob("*.jar"))]
    return [*(sorted(pyspark_jars().glob(name))[-1] for name in _LOGGING_JARS), *locked]


def check_jars(cache: Path, *, thorough: bool = False) -> list[JarCheck]:
    """Compare the cache with the lock; hash only what changed, or everything if `thorough`."""
    stamps = {} if thorough else _read_stamps(cache)
    checks, fresh = [], {}
    for jar in read_lock():
        path = jar.path(cache)
        stamp = _stamp(path, stamps.get(str(path)))
        if stamp is not None:
            fresh[str(path)] = stamp
        checks.append(JarCheck(jar, path, _compare(jar, stamp)))
    if fresh != stamps:
        _write_stamps(cache, fresh)
    return checks


def fetch_jars(cache: Path, mirror: str = "", on_progress: OnProgress | None = None) -> list[Jar]:
    """Fetch the jars that the cache lacks and return them; without network if it is complete.

    Each jar is verified before it is moved into the cache atomically, so an interrupted fetch goes
    on where it stopped.

    Raises:
        MachineError: a jar cannot be downloaded, or its SHA-256 is not the locked one.
    """
    read_lock()
    try:
        (cache / "jars").mkdir(parents=True, exist_ok=True)
        with FileLock(cache / "jars" / ".lock"):
            wanted = [check.jar for check in check_jars(cache) if check.state != "good"]
            if wanted:
                _fetch(wanted, cache, mirror, on_progress)
                check_jars(cache)
            return wanted
    except OSError as error:
        what = f"Cannot write the cache of jars {cache}: {error.strerror or error}."
        raise MachineError(what, f"Make room there. {OTHER_CACHE}") from None


def can_fetch(mirror: str = "") -> bool:
    """Check whether the repository serves the smallest jar within seconds; the jar is removed."""
    smallest = min(read_lock(), key=lambda jar: jar.size)
    with tempfile.TemporaryDirectory() as folder:
        try:
            fetched = list(download_jars([smallest], Path(folder), mirror, timeout_ms=5_000))
            return len(fetched) == 1
        except MachineError:
            return False


def _fetch(wanted: list[Jar], cache: Path, mirror: str, on_progress: OnProgress | None) -> None:
    for left_by_a_killed_fetch in (cache / "jars").glob(".fetch-*"):
        shutil.rmtree(left_by_a_killed_fetch)
    with (
        tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache / "jars") as staging,
        closing(download_jars(wanted, Path(staging), mirror)) as fetched,
    ):
        for done, (jar, draft) in enumerate(fetched, start=1):
            _add(jar, draft, cache)
            if on_progress is not None:
                on_progress(jar, done, len(wanted))


def _add(jar: Jar, draft: Path, cache: Path) -> None:
    if _hash(draft) != jar.sha256:
        what = f"The downloaded jar {jar.coordinates} does not have its locked SHA-256."
        cure = "It was deleted. Try again; if it happens again, do not trust the mirror."
        raise MachineError(what, cure)
    jar.path(cache).parent.mkdir(exist_ok=True)
    draft.replace(jar.path(cache))


def _compare(jar: Jar, stamp: _Stamp | None) -> JarState:
    if stamp is None:
        return "missing"
    return "good" if (stamp.size, stamp.sha256) == (jar.size, jar.sha256) else "wrong"


def _stamp(path: Path, known: _Stamp | None) -> _Stamp | None:
    try:
        status = path.stat()
        if known and (known.size, known.changed_ns) == (status.st_size, status.st_mtime_ns):
            return known
        return _Stamp(status.st_size, status.st_mtime_ns, _hash(path))
    except FileNotFoundError:
        return None
    except PermissionError as error:
        what = f"Cannot read the cache of jars: {error.filename}: {error.strerror}."
        raise MachineError(what, OTHER_CACHE) from None


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_stamps(cache: Path) -> dict[str, _Stamp]:
    try:
        return msgspec.json.decode(_stamp_file(cache).read_bytes(), type=dict[str, _Stamp])
    except (OSError, msgspec.DecodeError):
        return {}


def _write_stamps(cache: Path, stamps: dict[str, _Stamp]) -> None:
    """Store the hashes; a read-only cache is hashed at each start instead."""
    try:
        write_atomically(_stamp_file(cache), msgspec.json.encode(stamps))
    except OSError:
        return


def _stamp_file(cache: Path) -> Path:
    return cache / "jars" / ".verified.json"
