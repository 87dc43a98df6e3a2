"""The disk usage of each part of a data folder, and how long the free space lasts."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from crossfade.clock import DAY_MS, HOUR_MS, now_ms
from crossfade.folder import DataFolder


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """Bytes by part, bytes free, and days until the disk is full (None: no growth yet)."""

    parts: dict[str, int]
    free: int
    days_left: float | None


def measure_disk(folder: DataFolder) -> DiskUsage:
    """Measure a data folder; its rate of growth is that since its first start, at least an hour."""
    from crossfade.lake.tables import CLASSIC_TABLE

    parts = {
        "kafka": _size(folder.kafka),
        "bronze": _size(folder.lake / "bronze"),
        "silver": _size(folder.lake / "silver"),
        "gold": _size(folder.lake / "gold"),
        "checkpoints": _size(folder.checkpoints),
        "classic lake": _size(folder.lake / CLASSIC_TABLE),
        "logs": _size(folder.logs),
    }
    free = shutil.disk_usage(folder.root).free
    made_ms = int((folder.identity_file).stat().st_mtime * 1000)
    age_ms = max(now_ms() - made_ms, HOUR_MS)
    taken = sum(parts.values())
    days_left = round(free * age_ms / (taken * DAY_MS), 1) if taken else None
    return DiskUsage(parts, free, days_left)


def format_bytes(count: int) -> str:
    """Return a number of bytes as people write it: 1.5 GB."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _size(path: Path) -> int:
    total = 0
    for parent, _, names in os.walk(path):
        for name in names:
            try:
                total += (Path(parent) / name).lstat().st_blocks * 512
            except FileNotFoundError:
                continue
    return total
