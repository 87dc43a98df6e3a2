"""The locks on a data folder: one stack, and one command that changes the lake, at a time."""

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from crossfade.clock import format_time, now_ms
from crossfade.config import CHILD_MARK
from crossfade.errors import StackError
from crossfade.folder import DataFolder, write_atomically
from crossfade.stack.orphans import kill_orphans

_CURE = "Stop it first, or use another folder with --data."


class Holder(msgspec.Struct, frozen=True):
    """The process that holds a data folder."""

    pid: int
    started_at: str
    command: str


@contextmanager
def hold_folder(folder: DataFolder) -> Iterator[None]:
    """Hold the folder's lock for this process; the kernel releases it when the process ends.

    Children inherit a variable that names the folder. If this process is killed, the next holder
    kills the children that outlived it.

    Raises:
        StackError: another process, which is named, holds it, or the folder cannot be written.
    """
    with _locked(folder, "stack", _CURE):
        try:
            kill_orphans(folder.root)
            os.environ[CHILD_MARK] = str(folder.root)
            yield
        finally:
            os.environ.pop(CHILD_MARK, None)


@contextmanager
def hold_maintenance_lock(folder: DataFolder) -> Iterator[None]:
    """Hold the lock of commands that remove files of the lake, or that need every file to stay.

    A stack may run at the same time, because it only adds files.

    Raises:
        StackError: another process, which is named, holds it, or the folder cannot be written.
    """
    with _locked(folder, "maintenance", "Wait until that is done."):
        yield


@contextmanager
def _locked(folder: DataFolder, name: str, cure: str) -> Iterator[None]:
    note = folder.run / f"{name}.holder.json"
    lock = FileLock(folder.lock_file(name), blocking=False, thread_local=False)
    try:
        folder.run.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        _write_note(note)
    except Timeout:
        raise StackError(_describe(folder, note), cure) from None
    except OSError as error:
        lock.release()
        what = f"Cannot write the data folder {folder.root}: {error.strerror}."
        raise StackError(what, "Make room, or choose a folder that you may write.") from None
    try:
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def _write_note(note: Path) -> None:
    words = [Path(sys.argv[0]).name, *sys.argv[1:]]
    holder = Holder(os.getpid(), format_time(now_ms()), shlex.join(words))
    write_atomically(note, msgspec.json.encode(holder))


def _describe(folder: DataFolder, note: Path) -> str:
    try:
        holder = msgspec.json.decode(note.read_bytes(), type=Holder)
    except (OSError, msgspec.DecodeError):
        return f"Another process holds {folder.root}."
    return (
        f'{folder.root} is held by "{holder.command}" '
        f"(pid {holder.pid}, since {holder.started_at})."
    )
