"""Progress files for other processes: how far each query has read, and the latest batch run."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import msgspec

from crossfade.clock import now_ms
from crossfade.folder import DataFolder, write_atomically
from crossfade.lake.checkpoint import BatchPlan


def is_behind(done: BatchPlan, ends: Mapping[int, int]) -> bool:
    """Check whether a query has not yet read up to these end offsets."""
    return any(done.end_offsets.get(partition, 0) < end for partition, end in ends.items())


def write_progress(folder: DataFolder, done: Mapping[str, BatchPlan]) -> None:
    """Write to `streams.json` how far the queries have read; keep the other drivers' queries."""
    path = folder.streams_file
    try:
        queries = msgspec.json.decode(path.read_bytes(), type=dict[str, object])
    except (FileNotFoundError, msgspec.DecodeError):
        queries = {}
    for name, plan in done.items():
        queries[name] = {"end_offsets": plan.end_offsets, "batch": plan.batch, "at": now_ms()}
    write_atomically(path, msgspec.json.encode(queries))


@contextmanager
def record_run_times(folder: DataFolder, run: int) -> Iterator[None]:
    """Write to `batch.json` when a batch run begins and when it ends, also if it fails.

    After a crash the file shows the run as still running, until the next run begins.
    """
    times: dict[str, int | None] = {"run": run, "began_at": now_ms(), "ended_at": None}
    path = folder.batch_file
    write_atomically(path, msgspec.json.encode(times))
    try:
        yield
    finally:
        # On a full disk this fails too, and must not hide the run's own error.
        with suppress(OSError):
            write_atomically(path, msgspec.json.encode(times | {"ended_at": now_ms()}))
