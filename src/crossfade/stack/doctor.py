"""What this machine lacks for a stack, found before a stack does, each with its cure."""

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
from crossfade.stack.jars import JarCheck, can_fetch, check_jars
from crossfade.stack.java import find_java
from crossfade.stack.ports import describe_holder, is_free

Verdict = Literal["ok", "warning", "fail"]

_OLDEST_PYTHON = (3, 11)
_ROOM_TO_WARN = 5 * GIGABYTE
_MEMORY_TO_WARN = 4 * GIGABYTE


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    check: str
    verdict: Verdict
    found: str
    cure: str = ""


def examine_machine(settings: Settings) -> Iterator[Finding]:
    """Look at everything that a stack needs; give each finding as soon as it is known."""
    yield _python()
    java = _of("Java", _java)
    yield java
    jars = _of("jars", lambda: _jars(settings))
    yield jars
    if java.verdict == "ok" and jars.verdict == "ok":
        yield _of("classes", lambda: _classes(settings))
    elif java.verdict == "ok":
        yield _registry(settings)
    stack = _running_stack(settings)
    yield _port("Kafka port", settings.kafka_port, "--kafka-port", stack.bootstrap if stack else "")
    yield _port("API port", settings.port, "--port", stack.api if stack else "")
    yield _of("data folder", lambda: _data_folder(settings))
    yield _disk("disk of the data folder", settings.data, "--data")
    yield _disk("disk of the cache", settings.cache, "CROSSFADE_CACHE")
    yield _memory()


def _of(check: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(check, "ok", look())
    except CrossfadeError as error:
        return Finding(check, "fail", error.what, error.cure)


def _python() -> Finding:
    found = f"Python {platform.python_version()}, pyspark {importlib.metadata.version('pyspark')}"
    if sys.version_info < _OLDEST_PYTHON:
        return Finding("Python", "fail", found, "Install Python 3.11 or later, then scripts/setup.")
    return Finding("Python", "ok", found)


def _java() -> str:
    java = find_java()
    return f"Java {java.version} in {java.home}"


def _jars(settings: Settings) -> str:
    checks = check_jars(settings.cache)
    amiss = [check for check in checks if check.state != "good"]
    if amiss:
        raise CrossfadeError(_describe_jars(amiss, len(checks)), 'Run "crossfade jars fetch".')
    return f"{len(checks)} jars verified in {settings.cache / 'jars'}"


def _classes(settings: Settings) -> str:
    if is_recorded(settings.cache):
        return "recorded, so that Kafka and Spark start quickly"
    return 'not recorded; after "crossfade jars record" Kafka and Spark start more quickly'


def _describe_jars(amiss: list[JarCheck], total: int) -> str:
    first = amiss[0]
    return f"{len(amiss)} of {total} jars are missing or wrong; {first.path} is {first.state}."


def _registry(settings: Settings) -> Finding:
    asked = settings.maven_mirror or "Ivy's own repository"
    if can_fetch(settings.maven_mirror):
        return Finding("registry", "ok", f"{asked} answers")
    cure = "Check the network; set https_proxy or CROSSFADE_MAVEN_MIRROR."
    return Finding("registry", "fail", f"{asked} does not answer", cure)


def _running_stack(settings: Settings) -> StackAddresses | None:
    try:
        return read_stack(open_folder(settings, create=False))
    except CrossfadeError:
        return None


def _port(check: str, port: int, option: str, ours: str) -> Finding:
    if not port:
        return Finding(check, "ok", "a free one is chosen at each start")
    if ours and ours.rstrip("/").endswith(f":{port}"):
        return Finding(check, "ok", f"{port}, used by the running stack on this folder")
    if is_free(port):
        return Finding(check, "ok", f"{port} is free")
    name = "CROSSFADE_KAFKA_PORT" if option == "--kafka-port" else "CROSSFADE_PORT"
    cure = f"Stop that, or choose another with {option} or {name} (0: any)."
    return Finding(check, "fail", f"{port} is taken{describe_holder(port)}", cure)


def _data_folder(settings: Settings) -> str:
    root = settings.data.absolute()
    _refuse_unwritable(next(path for path in (root, *root.parents) if path.exists()))
    if not root.exists() or not any(root.iterdir()):
        return f"{root} is new"
    folder = open_folder(settings, create=False)
    return f"{root}, format {folder.identity.format_version}, grain {folder.identity.grain}"


def _refuse_unwritable(path: Path) -> None:
    if not path.is_dir() or not os.access(path, os.W_OK | os.X_OK):
        what = f"{path} cannot be written."
        raise CrossfadeError(what, "Choose a folder that you may write with --data.")


def _disk(check: str, path: Path, option: str) -> Finding:
    free = free_bytes(path)
    found = f"{free / GIGABYTE:.1f} GB free"
    cure = f"Make room, or choose another disk with {option}."
    if free < LEAST_FREE:
        return Finding(check, "fail", found, cure)
    return Finding(check, "warning" if free < _ROOM_TO_WARN else "ok", found, cure)


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    found = f"{memory.available / GIGABYTE:.1f} of {memory.total / GIGABYTE:.1f} GB available"
    if memory.available < _MEMORY_TO_WARN:
        cure = "Close something, or lower CROSSFADE_SPARK_MEMORY and CROSSFADE_BATCH_MEMORY."
        return Finding("memory", "warning", found, cure)
    return Finding("memory", "ok", found)
