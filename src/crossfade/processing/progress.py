"""How far the queries of a driver are, and which run batch is at: told to other processes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import msgspec

from crossfade.clock import now_ms
from crossfade.folder import DataFolder, write_atomically
from crossfade.lake.checkpoint import BatchPlan


def is_behind(done: BatchPlan, ends: Mapping[int, int]) -> bool:
    """Check whether a query has not read up to these ends."""
    return any(done.end_offsets.get(partition, 0) < end for partition, end in ends.items())


def write_progress(folder: DataFolder, done: Mapping[str, BatchPlan]) -> None:
    """Write in `streams.json` how far the queries are; another driver's queries stay."""
    path = folder.streams_file
    try:
        told = msgspec.json.decode(path.read_bytes(), type=dict[str, object])
    except (FileNotFoundError, msgspec.DecodeError):
        told = {}
    for name, plan in done.items():
        told[name] = {"end_offsets": plan.end_offsets, "batch": plan.batch, "at": now_ms()}
    write_atomically(path, msgspec.json.encode(told))


@contextmanager
def record_run_times(folder: DataFolder, run: int) -> Iterator[None]:
    """Tell in `batch.json` of a run of batch when it begins and when it ends, however it ends.

    After a crash it is told as one that goes on, until the next run begins.
    """
    told: dict[str, int | None] = {"run": run, "began_at": now_ms(), "ended_at": None}
    path = folder.batch_file
    write_atomically(path, msgspec.json.encode(told))
    try:
        yield
    finally:
        # On a full disk this fails too, and must not hide what the run failed at.
        with suppress(OSError):
            write_atomically(path, msgspec.json.encode(told | {"ended_at": now_ms()}))
