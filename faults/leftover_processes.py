"""Processes that a stack should have ended."""

import os
from pathlib import Path

import psutil


def list_leftover_processes(data: Path) -> list[str]:
    """List the commands of the processes that were told of a data folder, or of one in it."""
    left = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        told = (process.info["environ"] or {}).get("CROSSFADE_DATA", "")
        if told and Path(told).is_relative_to(data) and process.pid != os.getpid():
            left.append(" ".join(process.info["cmdline"] or []))
    return left
