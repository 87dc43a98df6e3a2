"""A new generation of speed: removal of the old checkpoint, and the offsets where it begins."""

import shutil
from pathlib import Path

from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.contract.time_rules import FUTURE_MS
from crossfade.folder import SPEED, DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import read_record
from crossfade.kafka.topics import SONG_PLAYS, read_offsets_for_time, read_start_offsets
from crossfade.lake.binding import Beginning
from crossfade.lake.connection import connect, register_table
from crossfade.lake.tables import GOLD_RUN, OPS_HANDOVER, list_files

_DAMAGED = "speed.damaged"


def remove_generation(folder: DataFolder) -> None:
    """Remove speed's checkpoint, and a damaged one set aside before; speed must be stopped."""
    for path in (folder.checkpoint(SPEED), folder.run / _DAMAGED):
        shutil.rmtree(path, ignore_errors=True)


def set_generation_aside(folder: DataFolder) -> Path:
    """Move speed's damaged checkpoint aside for inspection, replacing an earlier one there.

    Speed must be stopped. Nothing is lost: Kafka still holds the plays that it had counted.
    """
    aside = folder.run / _DAMAGED
    shutil.rmtree(aside, ignore_errors=True)
    shutil.move(folder.checkpoint(SPEED), aside)
    return aside


def find_beginning(folder: DataFolder, address: KafkaAddress) -> Beginning:
    """Return the offsets of `song-plays` where a new generation begins to read.

    It must hold each window that speed still owns, and each that was handed over but not yet
    compared. They end after the boundary of the newest run whose hand-overs are all recorded. A
    record of such a window was logged no earlier than F before the window's start.
    """
    rules = folder.time_rules
    boundary = _compared_boundary(folder)
    starts = read_start_offsets(address, SONG_PLAYS)
    offsets, whole_from = starts, []
    if boundary > NO_BOUNDARY:
        reach_ms = FUTURE_MS + rules.grain_ms + rules.clock_slack_ms
        offsets = read_offsets_for_time(address, SONG_PLAYS, boundary - reach_ms)
        whole_from.append(boundary)
    for partition, start in starts.items():
        # Retention deleted records here; the last of them may have been in these windows.
        if 0 < start == offsets[partition]:
            oldest = read_record(address, SONG_PLAYS, partition, start)
            if oldest is not None:
                gone_ms = oldest.timestamp()[1] + rules.clock_slack_ms + FUTURE_MS
                whole_from.append(rules.window_start(gone_ms + rules.grain_ms))
    return Beginning(offsets, max(whole_from, default=None))


def _compared_boundary(folder: DataFolder) -> int:
    """Return the boundary of the newest run whose hand-overs are all in ops/handover."""
    runs = list_files(folder.lake, GOLD_RUN)
    if not runs:
        return NO_BOUNDARY
    with connect() as connection:
        register_table(connection, GOLD_RUN, runs)
        register_table(connection, OPS_HANDOVER, list_files(folder.lake, OPS_HANDOVER))
        row = connection.execute(
            "SELECT boundary FROM gold_run WHERE run = (SELECT max(run) FROM ops_handover)"
        ).fetchone()
    return NO_BOUNDARY if row is None else int(row[0])
