"""How far the queries of a driver are, told to other processes in `streams.json`."""

from collections.abc import Mapping

import msgspec

from crossfade.checkpoint import BatchPlan
from crossfade.clock import now_ms
from crossfade.folder import DataFolder, write_atomically


def is_behind(done: BatchPlan, ends: Mapping[int, int]) -> bool:
    """Tell whether a query has not read up to these ends."""
    return any(done.end_offsets.get(partition, 0) < end for partition, end in ends.items())


def tell_progress(folder: DataFolder, done: Mapping[str, BatchPlan]) -> None:
    """Write how far the queries are; another driver's queries stay."""
    path = folder.run / "streams.json"
    try:
        told = msgspec.json.decode(path.read_bytes(), type=dict[str, object])
    except (FileNotFoundError, msgspec.DecodeError):
        told = {}
    for name, plan in done.items():
        told[name] = {"end_offsets": plan.end_offsets, "batch": plan.batch, "at": now_ms()}
    write_atomically(path, msgspec.json.encode(told))
