"""Read a streaming query's progress from its checkpoint, whether or not a driver runs.

Spark writes `offsets/N` before micro-batch N runs, and `commits/N` after it has ended.
"""

from pathlib import Path
from typing import NamedTuple

import msgspec

from crossfade.errors import DamagedError
from crossfade.kafka.topics import SONG_PLAYS

NO_BATCH = -1
"""Stands for the micro-batch before the first one."""


class BatchPlan(NamedTuple):
    """A micro-batch's plan: exclusive end offsets, and the watermark (ms) below which it drops."""

    batch: int
    end_offsets: dict[int, int]
    watermark: int | None


def newest_committed(checkpoint: Path) -> int:
    """Return the number of the newest micro-batch that ended."""
    return _newest(checkpoint / "commits")


def newest_planned(checkpoint: Path) -> int:
    """Return the number of the newest micro-batch that was started; it may be run again."""
    return _newest(checkpoint / "offsets")


def read_query_id(checkpoint: Path) -> str | None:
    """Return the query's id, which its output carries; None before its first start.

    Raises:
        DamagedError: the checkpoint is damaged.
    """
    path = checkpoint / "metadata"
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Query).id
    except FileNotFoundError:
        return None
    except msgspec.DecodeError:
        what = f"The checkpoint's file {path} is damaged."
        raise DamagedError(what, "Restore checkpoint and table from one backup.") from None


def require_metadata(checkpoint: Path) -> None:
    """Refuse a checkpoint that has micro-batches but no query id.

    Raises:
        DamagedError: its metadata is missing or damaged.
    """
    if read_query_id(checkpoint) is None and newest_planned(checkpoint) > NO_BATCH:
        what = f"The checkpoint's file {checkpoint / 'metadata'} is missing."
        raise DamagedError(what, "Restore checkpoint and table from one backup.")


def read_committed(checkpoint: Path) -> BatchPlan:
    """Read how far the query is: the plan of its newest committed micro-batch.

    Raises:
        DamagedError: the checkpoint is damaged.
    """
    batch = newest_committed(checkpoint)
    return BatchPlan(batch, {}, None) if batch == NO_BATCH else read_plan(checkpoint, batch)


def read_plan(checkpoint: Path, batch: int) -> BatchPlan:
    """Read the plan of a micro-batch.

    Raises:
        DamagedError: the plan is missing or damaged.
    """
    path = checkpoint / "offsets" / str(batch)
    try:
        _, metadata, offsets = path.read_bytes().split(b"\n", 2)
        watermark = _METADATA.decode(metadata).batchWatermarkMs
        ends = _OFFSETS.decode(offsets).get(SONG_PLAYS, {})
    except (FileNotFoundError, ValueError, msgspec.DecodeError):
        what = f"The checkpoint's file {path} is missing or damaged."
        raise DamagedError(what, "Restore checkpoint and table from one backup.") from None
    return BatchPlan(batch, ends, watermark or None)


class _Metadata(msgspec.Struct):
    batchWatermarkMs: int  # noqa: N815 - Spark's name


class _Query(msgspec.Struct):
    id: str


_METADATA = msgspec.json.Decoder(_Metadata)
_OFFSETS = msgspec.json.Decoder(dict[str, dict[int, int]])


def _newest(log: Path) -> int:
    if not log.is_dir():
        return NO_BATCH
    return max((int(path.name) for path in log.iterdir() if path.name.isdigit()), default=NO_BATCH)
