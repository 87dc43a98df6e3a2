"""A folder that is written under a hidden name and renamed when it is complete."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crossfade.backup.copier import sync_folder, sync_names
from crossfade.errors import MisuseError, StackError


def require_empty(target: Path) -> None:
    """Check that a target is a new or an empty folder that another one can replace.

    Raises:
        MisuseError: it is a file, a folder with files in it, or a mount point.
    """
    if target.is_mount():
        what = f"{target} is a mount point, which no folder can replace."
        raise MisuseError(what, "Name a folder in it.")
    if target.exists() and not target.is_dir():
        what = f"{target} is not a folder."
        raise MisuseError(what, "Name an empty or a new folder.")
    if target.exists() and any(target.iterdir()):
        what = f"{target} is not empty."
        raise MisuseError(what, "Name an empty or a new folder.")


@contextmanager
def open_draft(target: Path) -> Iterator[Path]:
    """Yield a hidden folder beside the target; it replaces the target when the block succeeds.

    If the block fails, the draft is removed. A draft left by a killed process is emptied first.

    Raises:
        StackError: another process writes the same target, or the draft cannot be written.
    """
    draft = target.with_name(f".{target.name}.draft")
    try:
        draft.mkdir(parents=True, exist_ok=True)
        held = os.open(draft, os.O_RDONLY)
    except OSError as error:
        what = f"Cannot write {draft}: {error.strerror}."
        raise StackError(what, "Name a folder that you may write.") from None
    try:
        _lock(held, target)
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


def _lock(opened: int, target: Path) -> None:
    """Lock the draft; the kernel unlocks it when this process ends, even if it is killed."""
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        what = f"Another process is writing {target}."
        raise StackError(what, "Wait until it ends, or name another folder.") from None


def _empty(draft: Path) -> None:
    for path in draft.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
