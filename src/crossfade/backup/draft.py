"""A folder written beside its place and moved there whole: what is cut short never looks done."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crossfade.backup.copier import sync_folder, sync_names
from crossfade.errors import MisuseError, StackError


def require_empty(target: Path) -> None:
    """Refuse a place where something is, or where nothing can be moved to.

    Raises:
        MisuseError: it is a file, a folder with something in it, or the root of a disk.
    """
    if target.is_mount():
        what = f"{target} is a disk's own folder, whose place nothing can take."
        raise MisuseError(what, "Name a folder in it.")
    if target.exists() and not target.is_dir():
        what = f"{target} is no folder."
        raise MisuseError(what, "Name an empty or a new folder.")
    if target.exists() and any(target.iterdir()):
        what = f"{target} is not empty."
        raise MisuseError(what, "Name an empty or a new folder.")


@contextmanager
def drafted(target: Path) -> Iterator[Path]:
    """Return a hidden folder beside the target, which takes its place when the block ends well.

    Else it is removed. A draft that a killed process left is emptied by the next one.

    Raises:
        StackError: another process writes the same target, or the place cannot be written.
    """
    draft = target.with_name(f".{target.name}.draft")
    try:
        draft.mkdir(parents=True, exist_ok=True)
        held = os.open(draft, os.O_RDONLY)
    except OSError as error:
        what = f"Cannot write {draft}: {error.strerror}."
        raise StackError(what, "Name a place that you may write.") from None
    try:
        _hold(held, target)
        _empty(draft)
        try:
            yield draft
            sync_folder(draft)
            draft.replace(target)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        sync_names(target.parent)
    finally:
        os.close(held)


def _hold(opened: int, target: Path) -> None:
    """Lock the draft; the kernel lets go when this process is gone, however it ends."""
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        what = f"Another process is writing {target}."
        raise StackError(what, "Wait until it is done, or name another folder.") from None


def _empty(draft: Path) -> None:
    for path in draft.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
