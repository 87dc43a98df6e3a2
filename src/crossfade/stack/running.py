"""The stacks that run on this machine, found by the variable that their children inherit."""

from pathlib import Path

import msgspec
import psutil

from crossfade.config import CHILD_MARK
from crossfade.folder import StackAddresses


def list_stacks() -> list[Path]:
    """Return the data folders on which stacks of this user run."""
    roots = {Path(root) for process in psutil.process_iter() if (root := _read_mark(process))}
    return sorted(root for root in roots if _has_stack(root))


def _read_mark(process: psutil.Process) -> str:
    try:
        return process.environ().get(CHILD_MARK, "")
    except (psutil.Error, OSError):
        return ""


def _has_stack(root: Path) -> bool:
    try:
        content = (root / "stack.json").read_bytes()
        return psutil.pid_exists(msgspec.json.decode(content, type=StackAddresses).pid)
    except (OSError, msgspec.DecodeError):
        return False
