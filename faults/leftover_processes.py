"""Find processes that a stack should have ended."""

import os
from pathlib import Path

import psutil


def list_leftover_processes(data: Path) -> list[str]:
    """List the commands of processes with `CROSSFADE_DATA` at or under a folder."""
    left = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        folder = (process.info["environ"] or {}).get("CROSSFADE_DATA", "")
        if folder and Path(folder).is_relative_to(data) and process.pid != os.getpid():
            left.append(" ".join(process.info["cmdline"] or []))
    return left
