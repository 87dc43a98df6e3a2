"""Checks of this machine before a stack starts: what is missing, and the cure."""

import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec
import psutil

from crossfade.config import Settings
from crossfade.errors import CrossfadeError
from crossfade.folder import StackAddresses, open_folder, read_stack
from crossfade.stack.class_data import is_recorded
from crossfade.stack.disk_space import GIGABYTE, LEAST_FREE, free_bytes
from crossfade.stack.environment import list_foreign_variables
from crossfade.stack.jars import OTHER_CACHE, JarCheck, can_fetch, check_jars
from crossfade.stack.java import find_java
from crossfade.stack.native_libraries import choose_executable
from crossfade.stack.open_files import require_open_files
from crossfade.stack.ports import describe_holder, is_free
from crossfade.stack.python_path import require_own_packages

Verdict = Literal["ok", "warning", "fail"]

_OLDEST_PYTHON = (3, 11)
_ROOM_TO_WARN = 5 * GIGABYTE
_MEMORY_TO_WARN = 4 * GIGABYTE


class MachineCheck(msgspec.Struct, frozen=True):
    """One check, its verdict, what was found and, unless the verdict is ok, the cure."""

    check: str
    verdict: Verdict
    found: str
    cure: str = ""


def examine_machine(settings: Settings) -> Iterator[MachineCheck]:
    """Check everything that a stack needs; yield each result when it is known."""
    yield _check("Python", _describe_python)
    yield MachineCheck("environment", "ok", _describe_environment())
    java = _check("Java", _find_java)
    yield java
    jars = _check("jars", lambda: _verify_jars(settings))
    yield jars
    if java.verdict == "ok" and jars.verdict == "ok":
        yield _check("classes", lambda: _describe_classes(settings))
    elif java.verdict == "ok":
        yield _check_registry(settings)
    stack = _running_stack(settings)
    bootstrap, api = (stack.bootstrap, stack.api) if stack else ("", "")
    yield _check_port("Kafka port", settings.kafka_port, "--kafka-port", bootstrap)
    yield _check_port("API port", settings.port, "--port", api)
    yield _check("data folder", lambda: _describe_data_folder(settings))
    yield _check("native libraries", lambda: _describe_native_libraries(settings))
    yield _check("open files", lambda: f"a process may open {require_open_files()}")
    yield _check_disk("disk of the data folder", settings.data, "--data")
    yield _check_disk("disk of the cache", settings.cache, "CROSSFADE_CACHE")
    yield _check_memory()


def _check(check: str, find: Callable[[], str]) -> MachineCheck:
    try:
        return MachineCheck(check, "ok", find())
    except CrossfadeError as error:
        return MachineCheck(check, "fail", error.what, error.cure)


def _describe_python() -> str:
    require_own_packages()
    found = f"Python {platform.python_version()}, pyspark {importlib.metadata.version('pyspark')}"
    if sys.version_info < _OLDEST_PYTHON:
        raise CrossfadeError(found, "Install Python 3.11 or later, then scripts/setup.")
    return found


def _describe_environment() -> str:
    foreign = list_foreign_variables()
    return f"not passed on: {', '.join(foreign)}" if foreign else "nothing of other programs"


def _find_java() -> str:
    java = find_java()
    return f"Java {java.version} in {java.home}"


def _verify_jars(settings: Settings) -> str:
    checks = check_jars(settings.cache)
    wrong = [check for check in checks if check.state != "good"]
    if wrong:
        cure = 'Run "crossfade jars fetch".'
        if not _is_writable(_nearest(settings.cache)):
            cure = f"{OTHER_CACHE} {cure}"
        raise CrossfadeError(_describe_jars(wrong, len(checks)), cure)
    return f"{len(checks)} jars verified in {settings.cache / 'jars'}"


def _describe_classes(settings: Settings) -> str:
    if is_recorded(settings.cache):
        return "recorded, so that Kafka and Spark start quickly"
    return 'not recorded; after "crossfade jars record" Kafka and Spark start more quickly'


def _describe_jars(wrong: list[JarCheck], total: int) -> str:
    first = wrong[0]
    return f"{len(wrong)} of {total} jars are missing or wrong; {first.path} is {first.state}."


def _check_registry(settings: Settings) -> MachineCheck:
    registry = settings.maven_mirror or "Ivy's own repository"
    if can_fetch(settings.maven_mirror):
        return MachineCheck("registry", "ok", f"{registry} answers")
    cure = "Check the network; set https_proxy or CROSSFADE_MAVEN_MIRROR."
    return MachineCheck("registry", "fail", f"{registry} does not answer", cure)


def _running_stack(settings: Settings) -> StackAddresses | None:
    try:
        return read_stack(open_folder(settings, create=False))
    except CrossfadeError:
        return None


def _check_port(check: str, port: int, option: str, ours: str) -> MachineCheck:
    if not port:
        return MachineCheck(check, "ok", "a free one is chosen at each start")
    if ours and ours.rstrip("/").endswith(f":{port}"):
        return MachineCheck(check, "ok", f"{port}, used by the running stack on this folder")
    if is_free(port):
        return MachineCheck(check, "ok", f"{port} is free")
    name = "CROSSFADE_KAFKA_PORT" if option == "--kafka-port" else "CROSSFADE_PORT"
    cure = f"Stop that, or choose another with {option} or {name} (0: any)."
    return MachineCheck(check, "fail", f"{port} is taken{describe_holder(port)}", cure)


def _describe_data_folder(settings: Settings) -> str:
    root = settings.data.absolute()
    _require_writable(_nearest(root))
    if not root.exists() or not any(root.iterdir()):
        return f"{root} is new"
    folder = open_folder(settings, create=False)
    return f"{root}, format {folder.identity.format_version}, grain {folder.identity.grain}"


def _describe_native_libraries(settings: Settings) -> str:
    wanted = _nearest(settings.data)
    if not _is_writable(wanted):
        return f"not known, as {wanted} cannot be written"
    return f"loaded from {choose_executable(wanted, _nearest(settings.cache))}"


def _nearest(path: Path) -> Path:
    """Return a path, or the first folder above it that exists."""
    whole = path.absolute()
    return next(one for one in (whole, *whole.parents) if one.exists())


def _is_writable(path: Path) -> bool:
    as_writing = os.access in os.supports_effective_ids
    return path.is_dir() and os.access(path, os.W_OK | os.X_OK, effective_ids=as_writing)


def _require_writable(path: Path) -> None:
    if not _is_writable(path):
        what = f"{path} cannot be written."
        raise CrossfadeError(what, "Choose a folder that you may write with --data.")


def _check_disk(check: str, path: Path, option: str) -> MachineCheck:
    free = free_bytes(path)
    found = f"{free / GIGABYTE:.1f} GB free"
    cure = f"Make room, or choose another disk with {option}."
    if free < LEAST_FREE:
        return MachineCheck(check, "fail", found, cure)
    return MachineCheck(check, "warning" if free < _ROOM_TO_WARN else "ok", found, cure)


def _check_memory() -> MachineCheck:
    memory = psutil.virtual_memory()
    found = f"{memory.available / GIGABYTE:.1f} of {memory.total / GIGABYTE:.1f} GB available"
    if memory.available < _MEMORY_TO_WARN:
        cure = "Close programs, or lower CROSSFADE_SPARK_MEMORY and CROSSFADE_BATCH_MEMORY."
        return MachineCheck("memory", "warning", found, cure)
    return MachineCheck("memory", "ok", found)
