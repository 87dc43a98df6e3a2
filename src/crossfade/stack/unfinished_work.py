"""The work that stages began and did not finish, read from their files after they failed."""

from collections.abc import Sequence
from pathlib import Path

from crossfade.errors import LakeError
from crossfade.kafka.topics import SONG_PLAYS
from crossfade.lake.checkpoint import newest_committed, newest_planned, read_committed, read_plan


def list_unfinished_micro_batches(checkpoints: Path, queries: Sequence[str]) -> list[str]:
    """Name the micro-batch that each query planned and did not commit, with its records."""
    begun = []
    for query in queries:
        checkpoint = checkpoints / query
        planned = newest_planned(checkpoint)
        if planned > newest_committed(checkpoint):
            records = _describe_records(checkpoint, planned)
            begun.append(f"{query}, micro-batch {planned}{records}")
    return begun


def list_unfinished_runs(lake: Path) -> list[str]:
    """Name batch's next run; a run is done when it is a commit of `gold/run`.

    Only file names are read, because reading tables is too heavy for a supervisor.
    """
    names = (path.stem for path in lake.glob("gold/run/_delta_log/*.json"))
    newest = max((int(name) for name in names if name.isdigit()), default=-1)
    return [f"batch, the run after version {newest} of gold/run"]


def _describe_records(checkpoint: Path, batch: int) -> str:
    try:
        begins = read_committed(checkpoint).end_offsets
        ends = read_plan(checkpoint, batch).end_offsets
    except LakeError:
        return ""
    ranges = [
        f"[{partition}] offsets {begins.get(partition, 0)} to {end - 1}"
        for partition, end in sorted(ends.items())
        if end > begins.get(partition, 0)
    ]
    return f", {SONG_PLAYS} {', '.join(ranges)}" if ranges else ""
