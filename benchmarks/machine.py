"""Describe the machine and commit of a result, without the machine's name or paths."""

import platform
import subprocess
from pathlib import Path

import psutil

from crossfade.stack.java import find_java

_ROOT = Path(__file__).parent.parent


def describe_machine() -> dict[str, str | int | float]:
    """Return the processor, cores, memory and versions of system, Python and Java."""
    return {
        "processor": _processor(),
        "cores": psutil.cpu_count() or 0,
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "java": find_java().version,
    }


def describe_commit() -> str:
    """Return the measured commit, with a plus if tracked files differ from it."""
    commit = _git("rev-parse", "--short", "HEAD")
    return f"{commit}+" if _git("status", "--porcelain", "--untracked-files=no") else commit


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(_ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except FileNotFoundError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
